package dev.qnext.json;

import dev.qnext.QnextException;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.exc.JacksonIOException;
import tools.jackson.core.json.JsonFactory;

/**
 * JSON to and from plain Java values, so that no JSON type shows in a public interface.
 *
 * <p>object = {@link Map} in the order of the text, array = {@link List}, string = {@link String},
 * whole number = {@link Long} or {@link BigInteger}, other number = {@link Double}, and {@code
 * true}, {@code false}, {@code null} are themselves. Nesting is limited to 200 levels and a
 * duplicated key keeps the last value.
 */
public final class Json {
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(200)
                  .maxStringLength(256 << 20)
                  .maxNumberLength(4000)
                  .build())
          .build();

  private Json() {}

  /** The file's value; {@code what} names the file's job in errors ("config", "tokenizer"). */
  public static @Nullable Object read(Path file, String what) {
    String invalid = "%s is not valid JSON: %s".formatted(what, file);
    try (InputStream in = Files.newInputStream(file);
        JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), in)) {
      return document(parser, invalid);
    } catch (NoSuchFileException e) {
      throw new QnextException("%s not found: %s".formatted(what, file), e);
    } catch (JacksonIOException | IOException e) {
      throw new QnextException("cannot read %s: %s: %s".formatted(what, file, e.getMessage()), e);
    } catch (JacksonException e) {
      throw new QnextException(
          "%s: %s; correct it or download it again".formatted(invalid, reason(e)), e);
    }
  }

  /** The text's value; {@code what} names the text's source in errors. */
  public static @Nullable Object parse(String text, String what) {
    String invalid = "%s is not valid JSON".formatted(what);
    try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), text)) {
      return document(parser, invalid);
    } catch (JacksonException e) {
      throw new QnextException("%s: %s".formatted(invalid, reason(e)), e);
    }
  }

  private static @Nullable Object document(JsonParser parser, String invalid) {
    if (parser.nextToken() == null) {
      throw new QnextException("%s: it is empty".formatted(invalid));
    }
    Object value = value(parser);
    if (parser.nextToken() != null) {
      throw new QnextException("%s: text follows its end".formatted(invalid));
    }
    return value;
  }

  private static @Nullable Object value(JsonParser p) {
    return switch (p.currentToken()) {
      case START_OBJECT -> {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        while (p.nextToken() != JsonToken.END_OBJECT) {
          String key = p.currentName();
          p.nextToken();
          map.put(key, value(p));
        }
        yield map;
      }
      case START_ARRAY -> {
        List<@Nullable Object> list = new ArrayList<>();
        while (p.nextToken() != JsonToken.END_ARRAY) {
          list.add(value(p));
        }
        yield list;
      }
      case VALUE_STRING -> p.getString();
      case VALUE_NUMBER_INT ->
          switch (p.getNumberType()) {
            case INT, LONG -> p.getLongValue();
            default -> p.getBigIntegerValue();
          };
      case VALUE_NUMBER_FLOAT -> p.getDoubleValue();
      case VALUE_TRUE -> Boolean.TRUE;
      case VALUE_FALSE -> Boolean.FALSE;
      default -> null;
    };
  }

  private static String reason(JacksonException e) {
    var where = e.getLocation();
    return where == null || where.getLineNr() < 0
        ? e.getOriginalMessage()
        : "%s (line %d, column %d)"
            .formatted(e.getOriginalMessage(), where.getLineNr(), where.getColumnNr());
  }

  /**
   * Compact text of a value made of the types above (any {@link Number}, any {@link Iterable}); a
   * floating value without fraction keeps its ".0". NaN and infinities become null. ASCII control
   * characters are escaped, all else stays as it is.
   */
  public static String write(@Nullable Object value) {
    StringBuilder out = new StringBuilder();
    write(value, out);
    return out.toString();
  }

  private static void write(@Nullable Object value, StringBuilder out) {
    switch (value) {
      case null -> out.append("null");
      case Map<?, ?> map -> {
        out.append('{');
        String comma = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
          out.append(comma);
          comma = ",";
          quote(String.valueOf(entry.getKey()), out);
          out.append(':');
          write(entry.getValue(), out);
        }
        out.append('}');
      }
      case Iterable<?> list -> {
        out.append('[');
        String comma = "";
        for (Object item : list) {
          out.append(comma);
          comma = ",";
          write(item, out);
        }
        out.append(']');
      }
      case int[] ids -> {
        out.append('[');
        for (int i = 0; i < ids.length; i++) {
          out.append(i == 0 ? "" : ",").append(ids[i]);
        }
        out.append(']');
      }
      case Double d -> out.append(Double.isFinite(d) ? d.toString() : "null");
      case Float f -> out.append(Float.isFinite(f) ? f.toString() : "null");
      case BigDecimal d -> out.append(d.toPlainString());
      case Number n -> out.append(n);
      case Boolean b -> out.append(b);
      default -> quote(value.toString(), out);
    }
  }

  private static void quote(String text, StringBuilder out) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        default -> {
          // A lone surrogate has no UTF-8 form: it travels as an escape.
          boolean lone =
              Character.isSurrogate(c)
                  && !(Character.isHighSurrogate(c)
                      && i + 1 < text.length()
                      && Character.isLowSurrogate(text.charAt(i + 1)))
                  && !(Character.isLowSurrogate(c)
                      && i > 0
                      && Character.isHighSurrogate(text.charAt(i - 1)));
          if (c < 0x20 || lone) {
            out.append("\\u%04x".formatted((int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }
}
