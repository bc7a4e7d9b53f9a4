package dev.qnext.text;

import dev.qnext.QnextException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A JSON object of a tokenizer.json and its place in it, so that an error can name file, place and
 * value.
 *
 * @param file the file's name
 * @param place such as {@code pre_tokenizer.pretokenizers[0]}; empty for the whole file
 */
record TokenizerNode(String file, String place, Map<?, ?> members) {
  /** A value of the file as an object. */
  static TokenizerNode of(String file, String place, @Nullable Object value) {
    if (value instanceof Map<?, ?> members) {
      return new TokenizerNode(file, place, members);
    }
    throw new QnextException("%s: %s is not an object".formatted(file, place));
  }

  /** The items of an array of objects; none where the value is null. */
  static List<TokenizerNode> list(String file, String place, @Nullable Object value) {
    List<TokenizerNode> nodes = new ArrayList<>();
    if (value instanceof List<?> items) {
      for (Object item : items) {
        nodes.add(of(file, "%s[%d]".formatted(place, nodes.size()), item));
      }
    } else if (value != null) {
      throw new QnextException("%s: %s is not an array".formatted(file, place));
    }
    return nodes;
  }

  String type() {
    return text("type");
  }

  TokenizerNode child(String name) {
    return of(file, path(name), members.get(name));
  }

  List<TokenizerNode> children(String name) {
    if (members.get(name) == null) {
      throw refusal(name, "an array is needed");
    }
    return list(file, path(name), members.get(name));
  }

  boolean has(String name) {
    return members.get(name) != null;
  }

  String text(String name) {
    if (members.get(name) instanceof String text) {
      if (!WellFormed.is(text)) {
        throw refusal(name, "half a character (a lone surrogate) has no bytes");
      }
      return text;
    }
    throw refusal(name, "a string is needed");
  }

  boolean flag(String name) {
    if (members.get(name) instanceof Boolean flag) {
      return flag;
    }
    throw refusal(name, "true or false is needed");
  }

  boolean flag(String name, boolean otherwise) {
    return has(name) ? flag(name) : otherwise;
  }

  /** An error about a member; {@code reason} says what would be right. */
  QnextException refusal(String name, String reason) {
    String value = String.valueOf(members.get(name));
    String shown = value.length() > 80 ? value.substring(0, 80) + "..." : value;
    return new QnextException(
        "%s: %s = %s is not supported: %s".formatted(file, path(name), shown, reason));
  }

  private String path(String name) {
    return place.isEmpty() ? name : place + "." + name;
  }
}
