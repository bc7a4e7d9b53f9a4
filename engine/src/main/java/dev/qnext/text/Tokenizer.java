package dev.qnext.text;

import dev.qnext.machine.CacheFolder;
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
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

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
  private final BytePairModel model;
  private final boolean nfc;
  private final PreTokenizer preTokenizer;
  private final AddedTokens rawTokens;
  private final AddedTokens normalizedTokens;
  private final Map<String, Integer> addedIds = new HashMap<>();
  private final BitSet special = new BitSet();
  private final TokenBytes decoded;
  private final int size;
  // What one call leaves for the next; a call that finds none makes its own.
  private final AtomicReference<@Nullable BytePairEncoder> spareEncoder = new AtomicReference<>();

  private Tokenizer(TokenizerTables tables) {
    model = tables.model();
    nfc = tables.pipeline().nfc();
    preTokenizer = tables.pipeline().preTokenizer();
    List<AddedToken> raw = new ArrayList<>();
    List<AddedToken> normalized = new ArrayList<>();
    int largest = model.vocabulary().size() - 1;
    for (AddedToken token : tables.addedTokens()) {
      addedIds.put(token.content(), token.id());
      special.set(token.id(), token.special());
      largest = Math.max(largest, token.id());
      if (token.normalized()) {
        normalized.add(token.withContent(normalize(token.content())));
      } else {
        raw.add(token);
      }
    }
    size = largest + 1;
    rawTokens = new AddedTokens(raw);
    normalizedTokens = new AddedTokens(normalized);
    decoded = model.vocabulary().decoded(size);
    for (List<AddedToken> tokens : List.of(raw, normalized)) {
      for (AddedToken token : tokens) {
        byte[] bytes = ByteLevel.decoded(token.content());
        decoded.set(token.id(), bytes, 0, bytes.length);
      }
    }
  }

  /**
   * Loads a tokenizer.json, from the tables in the user's cache where they were made of this very
   * file.
   *
   * @param folderOrFile the file, or the folder of a model that holds it
   * @throws dev.qnext.QnextException where the file is missing, broken, or not a byte-level BPE of
   *     the supported kind; the message names file, place and value
   */
  public static Tokenizer load(Path folderOrFile) {
    return load(folderOrFile, CacheFolder.path());
  }

  /** Loads a tokenizer.json, or what was made of it in {@code cache}, where there is one. */
  static Tokenizer load(Path folderOrFile, @Nullable Path cache) {
    Path file =
        Files.isDirectory(folderOrFile) ? folderOrFile.resolve("tokenizer.json") : folderOrFile;
    return new Tokenizer(TokenizerCache.read(file, cache));
  }

  /** The ids of a text in which added tokens are recognised. */
  public int[] encode(String text) {
    return encode(text, true);
  }

  /** The ids of a text in which added tokens are plain text, as what a user types should be. */
  public int[] encodeOrdinary(String text) {
    return encode(text, false);
  }

  private int[] encode(String text, boolean withAddedTokens) {
    char[] chars = WellFormed.of(text);
    BytePairEncoder spare = spareEncoder.getAndSet(null);
    BytePairEncoder encoder = spare == null ? new BytePairEncoder(model) : spare;
    encoder.begin(chars.length / 3 + 16);
    if (withAddedTokens) {
      rawTokens.split(
          chars,
          0,
          chars.length,
          (part, from, to) -> encodePart(part, from, to, true, encoder),
          encoder::id);
    } else {
      encodePart(chars, 0, chars.length, false, encoder);
    }
    int[] ids = encoder.ids();
    spareEncoder.set(encoder);
    return ids;
  }

  /** Encodes what lies between two added tokens that are looked for before normalization. */
  private void encodePart(
      char[] raw, int from, int to, boolean withAddedTokens, BytePairEncoder encoder) {
    boolean same = !nfc || ComposedForm.isCertain(raw, from, to);
    char[] text = same ? raw : normalize(new String(raw, from, to - from)).toCharArray();
    int start = same ? from : 0;
    int end = same ? to : text.length;
    if (withAddedTokens) {
      normalizedTokens.split(
          text,
          start,
          end,
          (part, first, last) -> preTokenizer.split(part, first, last, encoder),
          encoder::id);
    } else {
      preTokenizer.split(text, start, end, encoder);
    }
  }

  private String normalize(String text) {
    return nfc ? Normalizer.normalize(text, Normalizer.Form.NFC) : text;
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
    return isKnown(id) ? decoded.get(id) : new byte[0];
  }

  /** The bytes of all ids; ids that are not known have none. */
  TokenBytes decoded() {
    return decoded;
  }

  /** Whether an id is small enough to have bytes. */
  boolean isKnown(int id) {
    return id >= 0 && id < size;
  }

  /** Whether the token is marked as special: a control token, not text. */
  public boolean isSpecial(int id) {
    return id >= 0 && special.get(id);
  }

  /** The id of an added token or of a vocabulary entry as the file writes it ({@code "Ġthe"}). */
  public OptionalInt id(String token) {
    int id = addedIds.getOrDefault(token, model.vocabulary().id(token));
    return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** The largest id and one more; not every id below it need be in use. */
  public int size() {
    return size;
  }
}
