package dev.qnext.text;

import dev.qnext.text.AddedTokens.AddedToken;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Text to token ids and back: byte-level BPE as a tokenizer.json describes it.
 *
 * <p>Encoding cuts added tokens out of the text, brings what is left to NFC, cuts it into pieces by
 * the split pattern, and merges the bytes of each piece. Each lone surrogate counts as U+FFFD.
 * Decoding joins the bytes of all tokens and reads them as UTF-8. Ids equal those of the tokenizers
 * library (Hugging Face), but for characters that are newer than its Unicode tables; see
 * docs/tokenizer.md. Immutable, for use by any number of threads.
 */
public final class Tokenizer {
  private static final byte[] NOTHING = {};

  private final BytePairModel model;
  private final Vocabulary vocabulary;
  private final TokenizerPipeline pipeline;
  private final AddedTokens rawTokens;
  private final AddedTokens normalizedTokens;
  private final Map<String, Integer> addedIds = new HashMap<>();
  private final BitSet special = new BitSet();
  private final byte[][] decoded;

  private Tokenizer(TokenizerFile file) {
    pipeline = file.pipeline();
    vocabulary = file.vocabulary();
    model = file.bytePairs();
    List<AddedToken> raw = new ArrayList<>();
    List<AddedToken> normalized = new ArrayList<>();
    int size = vocabulary.size();
    for (AddedToken token : file.addedTokens()) {
      addedIds.put(token.content(), token.id());
      special.set(token.id(), token.special());
      size = Math.max(size, token.id() + 1);
      if (token.normalized()) {
        normalized.add(token.withContent(normalize(token.content())));
      } else {
        raw.add(token);
      }
    }
    rawTokens = new AddedTokens(raw);
    normalizedTokens = new AddedTokens(normalized);
    decoded = vocabulary.decoded(size);
    for (List<AddedToken> tokens : List.of(raw, normalized)) {
      tokens.forEach(token -> decoded[token.id()] = ByteLevel.decoded(token.content()));
    }
  }

  /**
   * Loads a tokenizer.json.
   *
   * @param folderOrFile the file, or the folder of a model that holds it
   * @throws dev.qnext.QnextException where the file is missing, broken, or not a byte-level BPE of
   *     the supported kind; the message names file, place and value
   */
  public static Tokenizer load(Path folderOrFile) {
    return new Tokenizer(
        TokenizerFile.read(
            Files.isDirectory(folderOrFile)
                ? folderOrFile.resolve("tokenizer.json")
                : folderOrFile));
  }

  /** The ids of a text in which added tokens are recognised. */
  public int[] encode(String text) {
    BytePairEncoder encoder = new BytePairEncoder(model);
    rawTokens.split(
        WellFormed.of(text),
        part ->
            normalizedTokens.split(
                normalize(part), piece -> encodeNormalized(piece, encoder), encoder::id),
        encoder::id);
    return encoder.ids();
  }

  /** The ids of a text in which added tokens are plain text, as what a user types should be. */
  public int[] encodeOrdinary(String text) {
    BytePairEncoder encoder = new BytePairEncoder(model);
    encodeNormalized(normalize(WellFormed.of(text)), encoder);
    return encoder.ids();
  }

  private void encodeNormalized(String text, BytePairEncoder encoder) {
    pipeline.preTokenizer().split(text, 0, text.length(), encoder::piece);
  }

  private String normalize(String text) {
    if (!pipeline.nfc()) {
      return text;
    }
    // Below U+0300 nothing composes, and there is nothing to reorder.
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) >= 0x300) {
        return Normalizer.normalize(text, Normalizer.Form.NFC);
      }
    }
    return text;
  }

  /** The text of ids; those that are unknown have none. */
  public String decode(int[] ids) {
    return decode(ids, false);
  }

  /**
   * The text of ids; what is not UTF-8 becomes U+FFFD.
   *
   * @param skipSpecial leaves special tokens out
   */
  public String decode(int[] ids, boolean skipSpecial) {
    TokenDecoder decoder = decoder(skipSpecial);
    for (int id : ids) {
      decoder.append(id);
    }
    return decoder.finish();
  }

  /** A decoder for ids that come one at a time. */
  public TokenDecoder decoder(boolean skipSpecial) {
    return new TokenDecoder(this, skipSpecial);
  }

  /** What a token contributes to the bytes of a text; nothing for an unknown id. */
  public byte[] bytes(int id) {
    return sharedBytes(id).clone();
  }

  /** As {@link #bytes}, not to be written to. */
  byte[] sharedBytes(int id) {
    return id >= 0 && id < decoded.length ? decoded[id] : NOTHING;
  }

  /** Whether the token is marked as special: a control token, not text. */
  public boolean isSpecial(int id) {
    return id >= 0 && special.get(id);
  }

  /** The id of an added token or of a vocabulary entry as the file writes it ({@code "Ġthe"}). */
  public OptionalInt id(String token) {
    int id = addedIds.getOrDefault(token, vocabulary.id(token));
    return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** The largest id and one more; not every id below it need be in use. */
  public int size() {
    return decoded.length;
  }
}
