package dev.qnext.text;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import dev.qnext.text.AddedTokens.AddedToken;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
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
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;

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

  // Without canonical names: 150,000 different ones would fill the table that is made for few.
  private static final JsonFactory FACTORY =
      JsonFactory.builder().disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES).build();

  private final String file;
  private final String text;
  private final Vocabulary vocabulary = new Vocabulary();
  private final List<String> mergeParts = new ArrayList<>();
  private final Map<String, @Nullable Object> members = new LinkedHashMap<>();
  private final Map<String, @Nullable Object> model = new LinkedHashMap<>();

  private TokenizerFile(String file, String text) {
    this.file = file;
    this.text = text;
  }

  /** Reads the file; errors name it. */
  static TokenizerFile read(Path path) {
    try {
      if (Files.size(path) > LARGEST_FILE) {
        throw new QnextException(
            "%s has %d bytes, which is too much for a tokenizer.json; the limit is %d"
                .formatted(path, Files.size(path), LARGEST_FILE));
      }
      TokenizerFile file = new TokenizerFile(path.toString(), Files.readString(path));
      file.parse();
      return file;
    } catch (NoSuchFileException e) {
      throw new QnextException(
          "%s does not exist; give a model folder that holds a tokenizer.json".formatted(path), e);
    } catch (CharacterCodingException e) {
      throw new QnextException("%s is not UTF-8; download it again".formatted(path), e);
    } catch (IOException e) {
      throw new QnextException("cannot read %s: %s".formatted(path, e.getMessage()), e);
    } catch (JacksonException e) {
      throw new QnextException(
          "%s is not valid JSON: %s (line %d); download it again"
              .formatted(path, e.getOriginalMessage(), e.getLocation().getLineNr()),
          e);
    }
  }

  private void parse() {
    try (JsonParser p = FACTORY.createParser(ObjectReadContext.empty(), text)) {
      expect(p.nextToken(), JsonToken.START_OBJECT, "the file");
      while (p.nextToken() != JsonToken.END_OBJECT) {
        String name = p.currentName();
        JsonToken token = p.nextToken();
        if (name.equals("model")) {
          expect(token, JsonToken.START_OBJECT, "model");
          parseModel(p);
        } else {
          members.put(name, value(p));
        }
      }
      if (p.nextToken() != null) {
        throw new QnextException(file + " goes on after its JSON object; download it again");
      }
    }
    if (vocabulary.size() == 0) {
      throw new QnextException(file + ": model.vocab is missing or empty; download it again");
    }
  }

  private void parseModel(JsonParser p) {
    while (p.nextToken() != JsonToken.END_OBJECT) {
      String name = p.currentName();
      JsonToken token = p.nextToken();
      switch (name) {
        case "vocab" -> {
          expect(token, JsonToken.START_OBJECT, "model.vocab");
          parseVocabulary(p);
        }
        case "merges" -> {
          expect(token, JsonToken.START_ARRAY, "model.merges");
          parseMerges(p);
        }
        default -> model.put(name, value(p));
      }
    }
  }

  private void parseVocabulary(JsonParser p) {
    while (p.nextToken() != JsonToken.END_OBJECT) {
      String token = p.currentName();
      p.nextToken();
      int id =
          id(p.currentToken() == JsonToken.VALUE_NUMBER_INT ? p.getNumberValue() : null, token);
      byte[] bytes = ByteLevel.bytes(token);
      if (!(bytes == null ? vocabulary.addForeign(token, id) : vocabulary.add(bytes, id))) {
        throw new QnextException(
            "%s: model.vocab has the entry %s or the id %d twice; download it again"
                .formatted(file, Json.write(token), id));
      }
    }
  }

  /** Merges are pairs of strings, or in older files one string with a space between the two. */
  private void parseMerges(JsonParser p) {
    while (p.nextToken() != JsonToken.END_ARRAY) {
      String pair = "";
      if (p.currentToken() == JsonToken.VALUE_STRING) {
        pair = p.getString();
        if (pair.startsWith("#version")) {
          continue;
        }
        int space = pair.indexOf(' ');
        if (space >= 0 && pair.indexOf(' ', space + 1) < 0) {
          mergeParts.add(pair.substring(0, space));
          mergeParts.add(pair.substring(space + 1));
          continue;
        }
      } else if (p.currentToken() == JsonToken.START_ARRAY) {
        int parts = 0;
        while (p.nextToken() == JsonToken.VALUE_STRING) {
          mergeParts.add(p.getString());
          parts++;
        }
        if (parts == 2 && p.currentToken() == JsonToken.END_ARRAY) {
          continue;
        }
      }
      throw new QnextException(
          "%s: model.merges[%d] %s is not two tokens; download it again"
              .formatted(file, mergeParts.size() / 2, Json.write(pair)));
    }
  }

  /** Any other value: containers by {@link Json}, from their text. */
  private @Nullable Object value(JsonParser p) {
    return switch (p.currentToken()) {
      case START_OBJECT, START_ARRAY -> {
        int from = (int) p.currentTokenLocation().getCharOffset();
        p.skipChildren();
        int to = (int) p.currentLocation().getCharOffset();
        yield Json.parse(text.substring(from, to), file);
      }
      case VALUE_STRING -> p.getString();
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> p.getNumberValue();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      default -> null;
    };
  }

  private void expect(@Nullable JsonToken token, JsonToken wanted, String place) {
    if (token != wanted) {
      throw new QnextException(
          "%s: %s is not %s; download it again"
              .formatted(
                  file, place, wanted == JsonToken.START_ARRAY ? "an array" : "a JSON object"));
    }
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

  Vocabulary vocabulary() {
    return vocabulary;
  }

  /** The vocabulary with its merges. */
  BytePairModel bytePairs() {
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
      byte[] left = mergePart(rank, 0);
      byte[] right = mergePart(rank, 1);
      int length = left.length + right.length;
      joined = length <= joined.length ? joined : new byte[2 * length];
      System.arraycopy(left, 0, joined, 0, left.length);
      System.arraycopy(right, 0, joined, left.length, right.length);
      lefts[rank] = vocabulary.id(left, 0, left.length);
      rights[rank] = vocabulary.id(right, 0, right.length);
      results[rank] = vocabulary.id(joined, 0, length);
      if (lefts[rank] < 0 || rights[rank] < 0 || results[rank] < 0) {
        throw new QnextException(
            "%s: model.merges[%d] joins %s and %s, but model.vocab lacks one of them or the whole; download it again"
                .formatted(
                    file,
                    rank,
                    Json.write(mergeParts.get(2 * rank)),
                    Json.write(mergeParts.get(2 * rank + 1))));
      }
    }
    return new BytePairMerges(lefts, rights, results);
  }

  private byte[] mergePart(int rank, int side) {
    String part = mergeParts.get(2 * rank + side);
    byte[] bytes = ByteLevel.bytes(part);
    if (bytes == null) {
      throw new QnextException(
          "%s: model.merges[%d] has %s with a character that is not of the byte-level alphabet; only byte-level BPE is supported"
              .formatted(file, rank, Json.write(part)));
    }
    return bytes;
  }

  /** The added tokens; those without content, which no text holds, are left out. */
  List<AddedToken> addedTokens() {
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
        throw node.refusal("id", "it is not the id of that content in model.vocab");
      }
      if (ids.get(id) || !contents.add(content)) {
        throw node.refusal("content", "this content or its id comes twice");
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

  /** Normalizer, pre-tokenizer, post-processor and decoder. */
  TokenizerPipeline pipeline() {
    return TokenizerPipeline.of(file, members);
  }
}
