package dev.qnext.text;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import dev.qnext.text.AddedTokens.AddedToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a tokenizer.json says, read in one pass and checked: a byte-level BPE, or a refusal that
 * names file, place and value.
 *
 * <p>Vocabulary and merges, 99 % of the file, go straight into their tables; all else is small.
 * {@code truncation} and {@code padding} are about batches for training and are not looked at.
 * Source: the serialization of the tokenizers library.
 */
final class TokenizerFile {
  private static final long LARGEST_FILE = 256L << 20;
  private static final int LARGEST_ID = (1 << 22) - 1;

  private final String file;
  private final Vocabulary vocabulary = new Vocabulary();
  private final List<byte[]> mergeParts = new ArrayList<>();
  private final Map<String, @Nullable Object> members = new LinkedHashMap<>();
  private final Map<String, @Nullable Object> model = new LinkedHashMap<>();

  private TokenizerFile(String file, byte[] bytes) {
    this.file = file;
    TokenizerJson json = new TokenizerJson(file, bytes);
    for (boolean more = json.open('{', '}'); more; more = json.more('}')) {
      String name = name(json);
      if (name.equals("model")) {
        readModel(json);
      } else {
        members.put(name, json.value());
      }
    }
    json.requireEnd();
    if (vocabulary.size() == 0) {
      throw new QnextException(file + ": model.vocab is missing or empty; download it again");
    }
  }

  /** Reads the file; errors name it. */
  static TokenizerTables read(Path path) {
    try {
      if (Files.size(path) > LARGEST_FILE) {
        throw new QnextException(
            "%s has %d bytes, which is too much for a tokenizer.json; the limit is %d"
                .formatted(path, Files.size(path), LARGEST_FILE));
      }
      return new TokenizerFile(path.toString(), Files.readAllBytes(path)).tables();
    } catch (NoSuchFileException e) {
      throw new QnextException(
          "%s does not exist; give a model folder that holds a tokenizer.json".formatted(path), e);
    } catch (IOException e) {
      throw new QnextException("cannot read %s: %s".formatted(path, e.getMessage()), e);
    }
  }

  private void readModel(TokenizerJson json) {
    for (boolean more = json.open('{', '}'); more; more = json.more('}')) {
      String name = name(json);
      switch (name) {
        case "vocab" -> readVocabulary(json);
        case "merges" -> readMerges(json);
        default -> model.put(name, json.value());
      }
    }
  }

  private static String name(TokenizerJson json) {
    json.string();
    String name = json.text();
    json.require(':');
    return name;
  }

  private void readVocabulary(TokenizerJson json) {
    for (boolean more = json.open('{', '}'); more; more = json.more('}')) {
      json.string();
      byte[] bytes = json.byteLevel();
      String foreign = bytes == null ? json.text() : "";
      json.require(':');
      int id = json.integer();
      if (id > LARGEST_ID) {
        throw new QnextException(
            "%s: model.vocab has the id %d; the limit is %d".formatted(file, id, LARGEST_ID));
      }
      if (!(bytes == null ? vocabulary.addForeign(foreign, id) : vocabulary.add(bytes, id))) {
        throw new QnextException(
            "%s: model.vocab has the id %d or its token twice; download it again"
                .formatted(file, id));
      }
    }
  }

  /** Merges are pairs of strings, or in older files one string with a space between the two. */
  private void readMerges(TokenizerJson json) {
    for (boolean more = json.open('[', ']'); more; more = json.more(']')) {
      if (json.opens('[')) {
        json.open('[', ']');
        json.string();
        addMergePart(json.byteLevel());
        json.require(',');
        json.string();
        addMergePart(json.byteLevel());
        json.require(']');
      } else {
        json.string();
        String pair = json.text();
        int space = pair.indexOf(' ');
        if (space < 0) {
          throw badMerge();
        }
        if (!pair.startsWith("#version")) {
          addMergePart(ByteLevel.bytes(pair.substring(0, space)));
          addMergePart(ByteLevel.bytes(pair.substring(space + 1)));
        }
      }
    }
  }

  private void addMergePart(byte @Nullable [] part) {
    if (part == null) {
      throw badMerge();
    }
    mergeParts.add(part);
    if (mergeParts.size() > 2 * BytePairMerges.MOST) {
      throw new QnextException(
          "%s: model.merges has more than %d items; no tokenizer that is supported has as many"
              .formatted(file, BytePairMerges.MOST));
    }
  }

  private QnextException badMerge() {
    return new QnextException(
        "%s: model.merges[%d] is not two tokens in the byte-level alphabet; only byte-level BPE is supported"
            .formatted(file, mergeParts.size() / 2));
  }

  private int id(@Nullable Object value, String token) {
    if (value instanceof Number number
        && (number instanceof Integer || number instanceof Long)
        && number.longValue() >= 0
        && number.longValue() <= LARGEST_ID) {
      return number.intValue();
    }
    throw new QnextException(
        "%s: the id of %s is not a whole number from 0 to %d; download it again"
            .formatted(file, Json.write(token), LARGEST_ID));
  }

  private TokenizerTables tables() {
    TokenizerPipeline pipeline = TokenizerPipeline.of(file, members);
    return new TokenizerTables(bytePairs(), addedTokens(), pipeline);
  }

  /** The vocabulary with its merges. */
  private BytePairModel bytePairs() {
    TokenizerNode node = new TokenizerNode(file, "model", model);
    if (node.has("type") && !node.type().equals("BPE")) {
      throw node.refusal("type", "only BPE is");
    }
    if (node.has("dropout")
        && !(model.get("dropout") instanceof Number n && n.doubleValue() == 0)) {
      throw node.refusal("dropout", "ids would be random");
    }
    for (String affix : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
      if (node.has(affix) && !node.text(affix).isEmpty()) {
        throw node.refusal(affix, "a byte-level vocabulary has none");
      }
    }
    BytePairModel bytePairs =
        new BytePairModel(vocabulary, merges(), node.flag("ignore_merges", false));
    if (!bytePairs.knowsAllBytes()) {
      if (node.has("unk_token")) {
        throw node.refusal("unk_token", "the vocabulary has to hold all bytes of UTF-8");
      }
      if (node.flag("byte_fallback", false)) {
        throw node.refusal("byte_fallback", "the vocabulary has to hold all bytes of UTF-8");
      }
    }
    return bytePairs;
  }

  private BytePairMerges merges() {
    int count = mergeParts.size() / 2;
    int[] lefts = new int[count];
    int[] rights = new int[count];
    int[] results = new int[count];
    byte[] joined = new byte[256];
    for (int rank = 0; rank < count; rank++) {
      byte[] left = mergeParts.get(2 * rank);
      byte[] right = mergeParts.get(2 * rank + 1);
      int length = left.length + right.length;
      joined = length <= joined.length ? joined : new byte[2 * length];
      System.arraycopy(left, 0, joined, 0, left.length);
      System.arraycopy(right, 0, joined, left.length, right.length);
      lefts[rank] = vocabulary.id(left, 0, left.length);
      rights[rank] = vocabulary.id(right, 0, right.length);
      results[rank] = vocabulary.id(joined, 0, length);
      if (lefts[rank] < 0 || rights[rank] < 0 || results[rank] < 0) {
        throw new QnextException(
            "%s: model.merges[%d] joins '%s' and '%s', but model.vocab lacks one of them or the whole; download it again"
                .formatted(
                    file,
                    rank,
                    new String(left, StandardCharsets.UTF_8),
                    new String(right, StandardCharsets.UTF_8)));
      }
    }
    return new BytePairMerges(lefts, rights, results);
  }

  /** The added tokens; those without content, which no text holds, are left out. */
  private List<AddedToken> addedTokens() {
    List<AddedToken> tokens = new ArrayList<>();
    Set<String> contents = new HashSet<>();
    BitSet ids = new BitSet();
    for (TokenizerNode node :
        TokenizerNode.list(file, "added_tokens", members.get("added_tokens"))) {
      String content = node.text("content");
      int id = id(node.members().get("id"), content);
      if (content.isEmpty()) {
        continue;
      }
      int entry = vocabulary.id(content);
      if (entry >= 0 ? entry != id : vocabulary.contains(id)) {
        throw new QnextException(
            "%s: the added token %s has the id %d, which model.vocab gives otherwise; download it again"
                .formatted(file, Json.write(content), id));
      }
      if (ids.get(id) || !contents.add(content)) {
        throw new QnextException(
            "%s: the added token %s or its id %d comes twice; download it again"
                .formatted(file, Json.write(content), id));
      }
      ids.set(id);
      tokens.add(
          new AddedToken(
              id,
              content,
              node.flag("single_word"),
              node.flag("lstrip"),
              node.flag("rstrip"),
              node.flag("normalized"),
              node.flag("special")));
    }
    return tokens;
  }
}
