package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.QnextException;
import dev.qnext.text.ToolCall;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Damaged files of the user, and damaged calls: a result or a sentence, and soon. */
@Timeout(120)
class SavedFilesMutationTest {
  private static final int MUTANTS = 10_000;
  private static final Path FILE = Path.of("saved");

  private static final String CONVERSATION =
      """
      {"role":"system","content":"Be brief."}
      {"role":"user","content":"Hello \\"you\\" \\ud83d\\ude00."}
      {"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"a":[1,2.5e3,null,true]}}}]}
      {"role":"tool","content":"5","name":"f"}
      """;
  private static final String PROMPT =
      "---\nanimal: pelican\nsystem: Be brief.\\nBe kind.\n---\nDraw a {{animal}} on {{ vehicle }}: {{input}}\n";
  private static final String[] CALLS = {
    "{\"name\": \"f\", \"arguments\": {\"a\": 1, \"b\": [\"x\", {\"c\": null}]}}",
    "<function=f>\n<parameter=a>\n1\n</parameter>\n<parameter=b>\n[1, 2]\n</parameter>\n</function>",
  };

  private static void mutate(String text, String pieces, Consumer<String> parser) {
    SplittableRandom random = new SplittableRandom(text.hashCode());
    int refused = 0;
    for (int i = 0; i < MUTANTS; i++) {
      StringBuilder mutant = new StringBuilder(text);
      for (int edits = random.nextInt(1, 5); edits > 0 && !mutant.isEmpty(); edits--) {
        int at = random.nextInt(mutant.length());
        switch (random.nextInt(5)) {
          case 0 -> mutant.deleteCharAt(at);
          case 1 -> mutant.setLength(at);
          case 2 -> mutant.insert(at, pieces.charAt(random.nextInt(pieces.length())));
          case 3 -> mutant.setCharAt(at, (char) random.nextInt(0x10000));
          default -> mutant.insert(at, mutant.substring(at / 2, at));
        }
      }
      long start = System.nanoTime();
      try {
        parser.accept(mutant.toString());
      } catch (QnextException e) {
        refused++;
        assertThat(e.getMessage()).isNotBlank().doesNotContain("Exception");
      }
      assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(2));
    }
    assertThat(refused).describedAs("mutants that were refused").isLessThan(MUTANTS);
  }

  @Test
  void conversations() {
    assertThat(ConversationFile.parse(CONVERSATION, FILE)).hasSize(4);
    mutate(CONVERSATION, "{}[]\",:\\\n\0 0e-", text -> ConversationFile.parse(text, FILE));
  }

  @Test
  void prompts() {
    mutate(
        PROMPT,
        "{}-:\\\n\0 ",
        text -> SavedPrompt.parse(text, FILE).fill(Map.of("vehicle", "{{x}}"), "input"));
  }

  @Test
  void calls() {
    List<?> tools =
        List.of(
            Map.of(
                "name",
                "f",
                "parameters",
                Map.of(
                    "properties",
                    Map.of("a", Map.of("type", "integer"), "b", Map.of("type", "array")))));
    for (String call : CALLS) {
      assertThat(ToolCall.parse(call, tools)).isNotNull();
      mutate(call, "{}<>/=\"\n", text -> ToolCall.parse(text, tools));
    }
  }
}
