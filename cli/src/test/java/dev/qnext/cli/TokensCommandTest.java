package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.CliRun.runWith;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class TokensCommandTest {
  private static final String SMALL = Golden.path("tokenizer/small_tokenizer.json").toString();

  private static List<Map<?, ?>> cases() {
    return Golden.lines(Golden.path("tokenizer/small_cases.jsonl")).stream()
        .<Map<?, ?>>map(line -> (Map<?, ?>) Json.parse(line, "small_cases.jsonl"))
        .toList();
  }

  private static String nfc(String text) {
    return Normalizer.normalize(text, Normalizer.Form.NFC);
  }

  private static Map<?, ?> object(String line) {
    return (Map<?, ?>) Json.parse(line, "output");
  }

  @Test
  void goldenCasesAsLines() {
    String input = String.join("\n", Golden.lines(Golden.path("tokenizer/small_cases.jsonl")));
    List<String> lines =
        runWith(input, "tokens", "-m", SMALL, "--jsonl").quiet().out().lines().toList();
    List<Map<?, ?>> cases = cases();
    assertThat(lines).hasSameSizeAs(cases);
    for (int i = 0; i < lines.size(); i++) {
      assertThat(object(lines.get(i))).isEqualTo(Map.of("ids", cases.get(i).get("ids")));
    }
  }

  @Test
  void goldenCasesBack() {
    StringBuilder input = new StringBuilder();
    for (Map<?, ?> c : cases()) {
      input.append(Json.write(Map.of("ids", c.get("ids")))).append('\n');
    }
    for (boolean skip : new boolean[] {false, true}) {
      String[] args = {"tokens", "-m", SMALL, "--jsonl"};
      if (skip) {
        args = Arrays.copyOf(args, 5);
        args[4] = "--skip-special";
      }
      List<String> lines = runWith(input.toString(), args).quiet().out().lines().toList();
      for (int i = 0; i < lines.size(); i++) {
        assertThat(object(lines.get(i)).get("text"))
            .isEqualTo(cases().get(i).get(skip ? "decoded_skip_special" : "decoded"));
      }
    }
  }

  @Test
  void goldenCasesOneByOne() {
    for (Map<?, ?> c : cases().subList(0, 12)) {
      String ids = GoldenPrompts.ids(" ", c.get("ids")) + "\n";
      String text = (String) c.get("text");
      run("tokens", "-m", SMALL, "--", text).quiet().printing(ids);
      runWith(text + "\n", "tokens", "-m", SMALL).quiet().printing(ids);
      String[] back = {"tokens", "-m", SMALL, "--ids", ids};
      run(back).quiet().printing(c.get("decoded") + (text.isEmpty() ? "" : "\n"));
    }
  }

  @Test
  void linesThatFailAreAnsweredByTheirError() {
    String input =
        """
        {"text": "the"}
        {"text": 5}
        the

        []
        null
        {"ids": [1, 2.5]}
        {"ids": ["x"]}
        {"text": "the"
        {"text": "the"}
        """;
    List<String> lines =
        runWith(input, "tokens", "-m", SMALL, "--jsonl").quiet().out().lines().toList();
    assertThat(lines).hasSize(9);
    assertThat(lines.getFirst()).startsWith("{\"ids\":[").isEqualTo(lines.getLast());
    for (String line : lines.subList(1, 8)) {
      assertThat(object(line).keySet().toString()).isEqualTo("[error]");
    }
    assertThat(object(lines.get(1)).get("error"))
        .isEqualTo("a line must hold a string \"text\" or a list \"ids\"");
    assertThat(object(lines.get(5)).get("error"))
        .isEqualTo("\"2.5\" is not a token id; give whole numbers, such as 12,7,99");
  }

  @Test
  void specialTokensAreTextWhenAsked() {
    String special = "<|im_end|>";
    run("tokens", "-m", SMALL, special).quiet().printing("1002\n");
    Outcome ordinary = run("tokens", "-m", SMALL, "--ordinary", special).quiet();
    assertThat(ordinary.out().split(" ", -1)).hasSizeGreaterThan(3).doesNotContain("1002");
    run("tokens", "-m", SMALL, "--ids", ordinary.out()).quiet().printing(special + "\n");
    run("tokens", "-m", SMALL, "--ids", "1002").quiet().printing(special + "\n");
    run("tokens", "-m", SMALL, "--ids", "1002", "--skip-special").quiet().printing("");
  }

  @Test
  void emptyInputIsAnEmptyLine() {
    run("tokens", "-m", SMALL).quiet().printing("\n");
    run("tokens", "-m", SMALL, "--ids").quiet().printing("");
    run("tokens", "-m", SMALL, "--jsonl").quiet().printing("");
  }

  @Test
  void binaryInput() {
    byte[] binary = new byte[100_000];
    new Random(1).nextBytes(binary);
    Outcome outcome = runWith(binary, "tokens", "-m", SMALL).done();
    assertThat(outcome.out().chars()).allMatch(c -> c == ' ' || c == '\n' || c >= '0' && c <= '9');
    runWith(outcome.out(), "tokens", "-m", SMALL, "--ids")
        .quiet()
        .printing(nfc(new String(binary, StandardCharsets.UTF_8)) + "\n");
    List<String> lines =
        runWith(binary, "tokens", "-m", SMALL, "--jsonl").done().out().lines().toList();
    assertThat(lines).isNotEmpty().allMatch(line -> line.startsWith("{\"error\":"));
  }

  @Test
  @Timeout(30)
  void fiveMegabytes() {
    List<Map<?, ?>> cases = cases();
    String page = cases.stream().map(c -> (String) c.get("text")).collect(Collectors.joining("\n"));
    int bytes = page.getBytes(StandardCharsets.UTF_8).length;
    String text = page.repeat(5_000_000 / bytes + 1);
    Outcome outcome = runWith(text, "tokens", "-m", SMALL).quiet();
    assertThat(outcome.out().length()).isGreaterThan(3_000_000);
    runWith(outcome.out(), "tokens", "-m", SMALL, "--ids").quiet().printing(nfc(text) + "\n");
  }

  /** One word of a million letters is the worst that a tokenizer meets. */
  @Test
  @Timeout(30)
  void aMillionLettersWithoutASpace() {
    String text = "a".repeat(1_000_000);
    Outcome outcome = runWith(text, "tokens", "-m", SMALL).quiet();
    runWith(outcome.out(), "tokens", "-m", SMALL, "--ids").quiet().printing(text + "\n");
  }
}
