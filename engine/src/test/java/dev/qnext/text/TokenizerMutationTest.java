package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.qnext.QnextException;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.Mutator;
import dev.qnext.json.Json;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Damaged tokenizer files: each is refused in a sentence, or loads and works; nothing else ever
 * happens. Half of the mutants are damaged as bytes, half as JSON values.
 */
class TokenizerMutationTest {
  private static final int MUTANTS = Mutator.count();

  /** For a hang; what takes processor time longer than {@link #MOST_TIME} has failed as well. */
  private static final Duration LIMIT = Duration.ofSeconds(30);

  private static final long MOST_TIME = 2_000_000_000;

  private static final List<String> TEXTS =
      List.of(
          "The lighthouse wasn't there; she'd rowed 12345 hours.\n\n  <|im_start|>x<|im_end|>",
          "中文 한국 e\u0301te\u0301 🙂🙂 \ud800 \u3000\u00a0 \t\r\n <think></think>",
          "a".repeat(3000) + " ".repeat(3000) + "=".repeat(3000));

  private static final List<String> FRAGMENTS =
      List.of(
          "\"",
          "\\",
          "{",
          "}",
          "[",
          "]",
          ",",
          ":",
          "null",
          "true",
          "-1",
          "0",
          "1e9",
          "4194303",
          "99999999999999999999",
          "\"\\ud800\"",
          "\\u",
          "\u0000",
          "é",
          "[[[[[[[[",
          "\"\":",
          "(",
          ")*",
          "+",
          "?",
          "\\\\p{L}",
          "[^",
          "Removed",
          "true,\"invert\":true");

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"small_tokenizer.json", "small_tokenizer_old_format.json"})
  void refusesOrWorks(String name) throws IOException {
    byte[] original = Files.readAllBytes(Golden.path("tokenizer/" + name));
    Path file = folder.resolve("tokenizer.json");
    int refused = 0;
    int loaded = 0;
    for (int i = 0; i < MUTANTS; i++) {
      Random random = new Random(1000 + i);
      Files.write(
          file, i % 2 == 0 ? damagedBytes(original, random) : damagedJson(original, random));
      String mutant = name + ", seed " + (1000 + i);
      if (assertTimeoutPreemptively(LIMIT, () -> loadsAndWorks(file, mutant), mutant)) {
        loaded++;
      } else {
        refused++;
      }
    }
    assertThat(loaded).isGreaterThan(MUTANTS / 10);
    assertThat(refused).isGreaterThan(MUTANTS / 10);
  }

  /** False where the file or a text is refused. */
  private static boolean loadsAndWorks(Path file, String mutant) {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    long start = threads.getCurrentThreadCpuTime();
    try {
      return loads(file);
    } catch (QnextException e) {
      assertThat(e.getMessage()).isNotBlank().doesNotContain("\n\n");
      return false;
    } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
      throw new AssertionError(mutant, e);
    } finally {
      assertThat(threads.getCurrentThreadCpuTime() - start)
          .describedAs("time of %s", mutant)
          .isLessThan(MOST_TIME);
    }
  }

  private static boolean loads(Path file) {
    Tokenizer tokenizer = Tokenizer.load(file);
    assertThat(tokenizer.size()).isLessThanOrEqualTo(1 << 22);
    for (String text : TEXTS) {
      tokenizer.encodeOrdinary(text);
      int[] ids = tokenizer.encode(text);
      TokenDecoder decoder = tokenizer.decoder(false);
      StringBuilder joined = new StringBuilder();
      for (int id : ids) {
        assertThat(id).isBetween(0, tokenizer.size() - 1);
        joined.append(decoder.accept(id));
      }
      joined.append(decoder.finish());
      assertThat(joined.toString()).isEqualTo(tokenizer.decode(ids));
    }
    return true;
  }

  private static byte[] damagedBytes(byte[] original, Random random) {
    byte[] bytes = original;
    for (int changes = 1 + random.nextInt(3); changes > 0; changes--) {
      int from = place(bytes, random);
      int to = Math.min(bytes.length, from + 1 + random.nextInt(random.nextBoolean() ? 4 : 200));
      byte[] part = Arrays.copyOfRange(bytes, from, to);
      bytes =
          switch (random.nextInt(6)) {
            case 0 -> joined(bytes, from, new byte[] {(byte) random.nextInt(256)}, from + 1);
            case 1 -> joined(bytes, from, new byte[0], to);
            case 2 -> joined(bytes, to, part, to);
            case 3 -> joined(bytes, place(bytes, random), part, from);
            case 4 -> Arrays.copyOf(bytes, random.nextInt(8) == 0 ? from : bytes.length);
            default -> {
              String fragment = FRAGMENTS.get(random.nextInt(FRAGMENTS.size()));
              yield joined(bytes, from, fragment.getBytes(StandardCharsets.UTF_8), from);
            }
          };
    }
    return bytes;
  }

  /** Half of the damage is where everything but vocabulary and merges stands. */
  private static int place(byte[] bytes, Random random) {
    int pipeline = new String(bytes, StandardCharsets.ISO_8859_1).indexOf("\"normalizer\"");
    return random.nextBoolean() && pipeline > 0
        ? Math.min(bytes.length - 1, pipeline + random.nextInt(1200))
        : random.nextInt(bytes.length);
  }

  /** Bytes up to {@code end}, the part, and the bytes from {@code start} on. */
  private static byte[] joined(byte[] bytes, int end, byte[] part, int start) {
    byte[] result = Arrays.copyOf(bytes, end + part.length + bytes.length - start);
    System.arraycopy(part, 0, result, end, part.length);
    System.arraycopy(bytes, start, result, end + part.length, bytes.length - start);
    return result;
  }

  private static byte[] damagedJson(byte[] original, Random random) {
    Object json = Json.parse(new String(original, StandardCharsets.UTF_8), "tokenizer");
    for (int changes = 1 + random.nextInt(3); changes > 0; changes--) {
      change(json, random);
    }
    return Json.write(json).getBytes(StandardCharsets.UTF_8);
  }

  /** Goes down by chance, and changes an item somewhere on the way. */
  @SuppressWarnings("unchecked")
  private static void change(Object json, Random random) {
    Object at = json;
    while (true) {
      List<Object> names = new ArrayList<>();
      if (at instanceof Map<?, ?> map) {
        names.addAll(map.keySet());
      } else if (at instanceof List<?> list) {
        for (int i = 0; i < list.size(); i++) {
          names.add(i);
        }
      }
      if (names.isEmpty()) {
        return;
      }
      Object name = names.get(random.nextInt(names.size()));
      Object value = at instanceof Map<?, ?> map ? map.get(name) : ((List<?>) at).get((int) name);
      boolean deeper = value instanceof Map || value instanceof List;
      if (deeper && random.nextInt(10) > 0) {
        at = value;
        continue;
      }
      Object other = other(value, names, random);
      if (at instanceof List<?>) {
        ((List<Object>) at).set((int) name, other);
      } else if (random.nextInt(4) > 0) {
        ((Map<Object, Object>) at).put(name, other);
      } else {
        ((Map<Object, Object>) at).remove(name);
        if (random.nextBoolean()) {
          ((Map<Object, Object>) at).put(changed((String) name, random), value);
        }
      }
      return;
    }
  }

  private static Object other(Object value, List<Object> names, Random random) {
    if (value instanceof String text && random.nextInt(3) > 0) {
      return changed(text, random);
    }
    if (value instanceof Boolean flag && random.nextInt(3) > 0) {
      return !flag;
    }
    if (value instanceof Long number && random.nextInt(3) > 0) {
      return number + random.nextInt(-2, 1000);
    }
    return switch (random.nextInt(10)) {
      case 0 -> null;
      case 1 -> true;
      case 2 -> -1L;
      case 3 -> 4194303L;
      case 4 -> 1L << random.nextInt(63);
      case 5 -> 1e300;
      case 6 -> "";
      case 7 -> new ArrayList<>();
      case 8 -> new LinkedHashMap<>(Map.of("type", "Sequence", "pretokenizers", new ArrayList<>()));
      default -> names.get(random.nextInt(names.size()));
    };
  }

  private static String changed(String text, Random random) {
    int at = random.nextInt(text.length() + 1);
    String fragment = FRAGMENTS.get(random.nextInt(FRAGMENTS.size()));
    return switch (random.nextInt(4)) {
      case 0 -> text.substring(0, at) + fragment + text.substring(at);
      case 1 -> text.substring(0, at);
      case 2 -> text.substring(at);
      default -> text + text;
    };
  }
}
