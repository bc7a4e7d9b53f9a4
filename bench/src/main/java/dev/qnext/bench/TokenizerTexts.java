package dev.qnext.bench;

import dev.qnext.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Currency;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Makes the texts that tokenizers are measured with, the same on every machine with the same JDK:
 * {@code TokenizerTexts REPOSITORY FOLDER}.
 *
 * <ul>
 *   <li>{@code source.txt}: all Java files of this repository that nobody generated
 *   <li>{@code names.txt}: what countries, languages and currencies are called in all languages of
 *       the JDK, five million bytes; hardly a line comes twice
 *   <li>{@code cases.txt}: the golden texts of {@code cases.jsonl} that are prose, code and symbols
 *       in many scripts, repeated to five million bytes, as in the README of the golden data
 * </ul>
 */
public final class TokenizerTexts {
  private static final int SIZE = 5_000_000;
  private static final int NAMES_IN_A_LINE = 40;
  private static final Set<String> CATEGORIES =
      Set.of("lang", "prose", "code", "emoji", "nfc", "symbols");

  private TokenizerTexts() {}

  /** Writes the three files. */
  public static void main(String[] arguments) throws IOException {
    Path repository = Path.of(arguments[0]);
    Path folder = Files.createDirectories(Path.of(arguments[1]));
    Files.writeString(folder.resolve("source.txt"), source(repository));
    Files.writeString(folder.resolve("names.txt"), names());
    Path cases = repository.resolve("fixtures/src/main/resources/golden/tokenizer/cases.jsonl");
    Files.writeString(folder.resolve("cases.txt"), cases(cases));
  }

  private static String source(Path repository) throws IOException {
    try (Stream<Path> files = Files.walk(repository)) {
      StringBuilder text = new StringBuilder();
      for (Path file : files.filter(TokenizerTexts::isOurs).sorted().toList()) {
        text.append(Files.readString(file));
      }
      return text.toString();
    }
  }

  private static boolean isOurs(Path file) {
    String name = file.toString();
    return name.endsWith(".java") && !name.contains("/capi/") && !name.contains("/target/");
  }

  private static String names() {
    Map<String, Locale> languages = new TreeMap<>();
    for (Locale locale : Locale.getAvailableLocales()) {
      if (!locale.getLanguage().isEmpty()) {
        languages.putIfAbsent(locale.getLanguage() + locale.getScript(), locale);
      }
    }
    Set<String> lines = new TreeSet<>();
    for (Locale language : languages.values()) {
      List<String> names = namesIn(language);
      for (int i = 0; i + NAMES_IN_A_LINE <= names.size(); i += NAMES_IN_A_LINE) {
        lines.add(String.join(", ", names.subList(i, i + NAMES_IN_A_LINE)));
      }
    }
    List<String> shuffled = new ArrayList<>(lines);
    Collections.shuffle(shuffled, new Random(5));
    StringBuilder text = new StringBuilder();
    int size = 0;
    for (String line : shuffled) {
      size += line.getBytes(StandardCharsets.UTF_8).length + 1;
      if (size > SIZE) {
        break;
      }
      text.append(line).append('\n');
    }
    return text.toString();
  }

  private static List<String> namesIn(Locale language) {
    List<String> names = new ArrayList<>();
    for (String country : Locale.getISOCountries()) {
      names.add(Locale.of("", country).getDisplayCountry(language));
    }
    for (String code : Locale.getISOLanguages()) {
      names.add(Locale.of(code).getDisplayLanguage(language));
    }
    Currency.getAvailableCurrencies().stream()
        .sorted(Comparator.comparing(Currency::getCurrencyCode))
        .forEach(currency -> names.add(currency.getDisplayName(language)));
    return names;
  }

  private static String cases(Path file) throws IOException {
    StringBuilder once = new StringBuilder();
    for (String line : Files.readAllLines(file)) {
      Map<?, ?> item = (Map<?, ?>) Json.parse(line, "cases.jsonl");
      if (item != null && CATEGORIES.contains(String.valueOf(item.get("cat")))) {
        once.append(item.get("text")).append('\n');
      }
    }
    String text = once.toString();
    return text.repeat(SIZE / text.getBytes(StandardCharsets.UTF_8).length);
  }
}
