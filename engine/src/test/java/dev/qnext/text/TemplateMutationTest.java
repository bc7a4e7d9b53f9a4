package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.QnextException;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.Mutator;
import dev.qnext.json.Json;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.math.BigInteger;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Damaged templates and damaged chats give a text or a {@link QnextException}, never another
 * exception, and never take long.
 */
@Timeout(900)
class TemplateMutationTest {
  private static final int MUTANTS = Mutator.count();

  /** Nanoseconds of processor time. */
  private static final long MOST_TIME = 2_000_000_000;

  private static final String[] PIECES = {
    "{{",
    "}}",
    "{%",
    "%}",
    "{%-",
    "-%}",
    "{#",
    "#}",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "\\",
    "|",
    ".",
    ",",
    ":",
    "~",
    "+",
    "-",
    "*",
    "**",
    "/",
    "//",
    "%",
    "==",
    "<",
    "!=",
    " not ",
    " in ",
    " is ",
    " and ",
    " or ",
    " if ",
    " else ",
    "0",
    "-1",
    "1e308",
    "99999999999999999999",
    "100000",
    "loop",
    "loop.previtem",
    "none",
    "true",
    "missing",
    "messages",
    "range(100000)",
    "|tojson(indent=9)",
    "|string",
    "|list",
    "|items",
    "|length",
    "|sort",
    "|join(messages)",
    "|map('trim')",
    "|batch(3)|list",
    "|int",
    "|safe",
    "[::-1]",
    "[1:]",
    "[0]",
    ".split('a')",
    ".format(1)",
    "{% for x in messages %}",
    "{% endfor %}",
    "{% if x %}",
    "{% endif %}",
    "{% macro f(x) %}",
    "{% endmacro %}",
    "{{ f(f) }}",
    "{% set x = messages %}",
    "{% set x %}",
    "{% endset %}",
    "{% break %}",
    "{% call f() %}",
    "{% filter upper %}",
    "{% raw %}",
    "\n",
    "\u0000",
    "é",
    "😀",
    "\ud800",
  };

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private final Random random = new Random(20251121);

  @Test
  void mutantsOfQwensTemplates() throws IOException {
    assumeTrue(Files.isDirectory(Golden.shared("templates")), "no third-party templates here");
    List<String> sources = new ArrayList<>();
    List<Map<String, Object>> variables = new ArrayList<>();
    for (String line : Golden.lines(Golden.path("templates/cases.jsonl"))) {
      Map<String, Object> golden = object(Json.parse(line, "case"));
      sources.add(Files.readString(Golden.shared("templates/" + golden.get("template"))));
      variables.add(object(golden.get("vars")));
    }
    Outcomes outcomes = run(sources, variables);
    assertThat(outcomes.texts).isGreaterThan(MUTANTS / 20);
    assertThat(outcomes.errors).isGreaterThan(MUTANTS / 20);
  }

  @Test
  void mutantsOfSnippets() {
    Map<String, Object> all =
        object(Json.read(Golden.path("templates/snippet_vars.json"), "variables"));
    List<String> sources = new ArrayList<>();
    List<Map<String, Object>> variables = new ArrayList<>();
    for (String file : List.of("snippets.jsonl", "more_snippets.jsonl")) {
      for (String line : Golden.lines(Golden.path("templates/" + file))) {
        sources.add((String) object(Json.parse(line, "snippet")).get("source"));
        variables.add(all);
      }
    }
    Outcomes outcomes = run(sources, variables);
    assertThat(outcomes.texts).isGreaterThan(MUTANTS / 20);
    assertThat(outcomes.errors).isGreaterThan(MUTANTS / 20);
  }

  /** How many mutants gave a text, and how many an error. */
  private record Outcomes(int texts, int errors) {}

  private Outcomes run(List<String> sources, List<Map<String, Object>> variables) {
    int texts = 0;
    for (int i = 0; i < MUTANTS; i++) {
      int chosen = random.nextInt(sources.size());
      String source = sources.get(chosen);
      Map<String, Object> values = variables.get(chosen);
      // A third damages the template, a third the chat, a third both.
      if (i % 3 != 1) {
        source = damaged(source, sources.get(random.nextInt(sources.size())));
      }
      if (i % 3 != 0) {
        values = object(damaged(values, 0));
      }
      long start = THREADS.getCurrentThreadCpuTime();
      try {
        ChatTemplate.parse(source, "mutant " + i).render(values);
        texts++;
      } catch (QnextException e) {
        assertThat(e.getMessage()).contains("mutant " + i);
      } catch (Throwable e) {
        throw new AssertionError("mutant " + i + " of:\n" + source + "\n" + Json.write(values), e);
      }
      assertThat(THREADS.getCurrentThreadCpuTime() - start)
          .as("time of mutant %d of:\n%s\n%s", i, source, values)
          .isLessThan(MOST_TIME);
    }
    return new Outcomes(texts, MUTANTS - texts);
  }

  private String damaged(String source, String other) {
    StringBuilder text = new StringBuilder(source);
    for (int cuts = 1 + random.nextInt(4); cuts > 0; cuts--) {
      int from = random.nextInt(text.length() + 1);
      int to = Math.min(text.length(), from + random.nextInt(random.nextBoolean() ? 4 : 80));
      switch (random.nextInt(5)) {
        case 0 -> text.delete(from, to);
        case 1 -> text.insert(from, PIECES[random.nextInt(PIECES.length)]);
        case 2 -> text.replace(from, to, PIECES[random.nextInt(PIECES.length)]);
        case 3 -> text.insert(random.nextInt(text.length() + 1), text.substring(from, to));
        default -> {
          int begin = random.nextInt(other.length() + 1);
          int end = Math.min(other.length(), begin + random.nextInt(120));
          text.replace(from, to, other.substring(begin, end));
        }
      }
    }
    return text.toString();
  }

  private Object damaged(Object value, int depth) {
    if (depth > 0 && random.nextInt(12) == 0) {
      return strange();
    }
    if (value instanceof Map<?, ?> map) {
      Map<String, Object> copy = new LinkedHashMap<>();
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        if (depth == 0 || random.nextInt(12) > 0) {
          copy.put(String.valueOf(entry.getKey()), damaged(entry.getValue(), depth + 1));
        }
      }
      return copy;
    } else if (value instanceof List<?> list) {
      List<Object> copy = new ArrayList<>();
      for (Object item : list) {
        for (int times = random.nextInt(12) == 0 ? random.nextInt(3) : 1; times > 0; times--) {
          copy.add(damaged(item, depth + 1));
        }
      }
      return copy;
    }
    return value instanceof String text && random.nextInt(4) == 0
        ? damaged(text, "<think></think>")
        : value;
  }

  private Object strange() {
    return switch (random.nextInt(12)) {
      case 0 -> null;
      case 1 -> random.nextBoolean();
      case 2 -> random.nextLong();
      case 3 -> BigInteger.TEN.pow(random.nextInt(40)).negate();
      case 4 -> random.nextBoolean() ? Double.NaN : Double.NEGATIVE_INFINITY;
      case 5 -> random.nextGaussian() * Math.pow(10, random.nextInt(40) - 20);
      case 6 -> "";
      case 7 -> "\ud800 {{ x }} </think>".repeat(random.nextInt(2000));
      case 8 -> new ArrayList<>();
      case 9 -> Arrays.asList(1L, null, "a", List.of());
      case 10 -> new LinkedHashMap<>();
      default -> Map.of("role", List.of(), "content", Map.of("text", 1.5));
    };
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }
}
