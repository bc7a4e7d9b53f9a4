package dev.qnext.text;

import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The published tokenizer.json of Qwen3 and Qwen3-Next, made byte for byte from the ranks that a
 * Maven artifact of the test class path holds; golden/tokenizer/README.md tells how and why it is
 * the same.
 *
 * <p>Both files lie in {@code target} and are made once.
 */
final class TokenizerRealVocabulary {
  private static final String SHA_256 =
      "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4";
  private static final Path FOLDER = Golden.repository().resolve("engine/target/tokenizers");

  private TokenizerRealVocabulary() {}

  /** Makes the published file, for scripts/bench-tokenizer. */
  public static void main(String[] arguments) {
    System.out.println(file());
  }

  /** The published file: merges as pairs. */
  static Path file() {
    return made("qwen3.json", true);
  }

  /** The same with merges as strings, as other models with this vocabulary ship it. */
  static Path fileWithMergesAsStrings() {
    return made("qwen3-old-format.json", false);
  }

  private static synchronized Path made(String name, boolean mergesAsPairs) {
    Path file = FOLDER.resolve(name);
    try {
      if (!Files.exists(file)) {
        String json = json(mergesAsPairs);
        if (mergesAsPairs && !sha256(json).equals(SHA_256)) {
          throw new IllegalStateException("not the published tokenizer.json: " + sha256(json));
        }
        Files.createDirectories(FOLDER);
        Path unfinished = Files.createTempFile(FOLDER, name, null);
        Files.writeString(unfinished, json);
        Files.move(unfinished, file, StandardCopyOption.REPLACE_EXISTING);
      }
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @SuppressWarnings("unchecked")
  private static String json(boolean mergesAsPairs) throws IOException {
    List<String> entries = entries();
    Map<String, Integer> ranks = new LinkedHashMap<>();
    for (String entry : entries) {
      ranks.put(entry, ranks.size());
    }
    List<Object> merges = new ArrayList<>();
    for (String entry : entries) {
      if (entry.length() > 1) {
        List<String> parts = lastTwoParts(entry, ranks);
        merges.add(mergesAsPairs ? parts : String.join(" ", parts));
      }
    }
    var json = (Map<String, Object>) Json.read(Golden.path("tokenizer/small_tokenizer.json"), "");
    int id = entries.size();
    for (Object token : (List<?>) json.get("added_tokens")) {
      ((Map<String, Object>) token).put("id", id++);
    }
    var model = (Map<String, Object>) json.get("model");
    model.put("vocab", ranks);
    model.put("merges", merges);
    StringBuilder out = new StringBuilder();
    write(json, "\n", out);
    return out.toString();
  }

  /** The vocabulary's entries in the byte-level alphabet, by rank. */
  private static List<String> entries() throws IOException {
    char[] alphabet = new char[256];
    int next = 256;
    for (int b = 0; b < 256; b++) {
      boolean printable = b >= 0x21 && b <= 0x7E || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
      alphabet[b] = (char) (printable ? b : next++);
    }
    List<String> entries = new ArrayList<>();
    try (InputStream in = TokenizerRealVocabulary.class.getResourceAsStream("/qwen.tiktoken")) {
      String ranks = new String(in.readAllBytes(), StandardCharsets.US_ASCII);
      for (String line : ranks.lines().toList()) {
        StringBuilder entry = new StringBuilder();
        for (byte b : Base64.getDecoder().decode(line.substring(0, line.indexOf(' ')))) {
          entry.append(alphabet[b & 0xFF]);
        }
        entries.add(entry.toString());
      }
    }
    return entries;
  }

  /** Joins the pair of lowest rank, below the entry's own, until two parts are left. */
  private static List<String> lastTwoParts(String entry, Map<String, Integer> ranks) {
    List<String> parts = new ArrayList<>(List.of(entry.split("")));
    while (parts.size() > 2) {
      int best = -1;
      int bestRank = ranks.get(entry);
      for (int i = 0; i + 1 < parts.size(); i++) {
        int rank = ranks.getOrDefault(parts.get(i) + parts.get(i + 1), Integer.MAX_VALUE);
        if (rank < bestRank) {
          best = i;
          bestRank = rank;
        }
      }
      parts.set(best, parts.get(best) + parts.remove(best + 1));
    }
    return parts;
  }

  /** JSON with an indent of two spaces, as Python's {@code json.dumps(indent=2)} writes it. */
  private static void write(Object value, String line, StringBuilder out) {
    if (value instanceof Map<?, ?> map) {
      String separator = "{";
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        out.append(separator).append(line).append("  ");
        out.append(Json.write(entry.getKey())).append(": ");
        write(entry.getValue(), line + "  ", out);
        separator = ",";
      }
      out.append(line).append('}');
    } else if (value instanceof List<?> list) {
      String separator = "[";
      for (Object item : list) {
        out.append(separator).append(line).append("  ");
        write(item, line + "  ", out);
        separator = ",";
      }
      out.append(line).append(']');
    } else {
      out.append(Json.write(value));
    }
  }

  private static String sha256(String text) {
    try {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
