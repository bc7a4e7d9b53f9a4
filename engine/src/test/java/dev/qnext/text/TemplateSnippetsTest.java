package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import dev.qnext.text.jinja.TemplateException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Small templates, each with the text or the error that Python's jinja2 gives. */
class TemplateSnippetsTest {
  @ParameterizedTest
  @CsvSource({"snippets.jsonl, 429", "more_snippets.jsonl, 778"})
  void everySnippetGivesWhatPythonGives(String file, int count) {
    List<String> lines = Golden.lines(Golden.path("templates/" + file));
    assertThat(lines).hasSize(count);
    assertThat(differences(lines)).isEmpty();
  }

  /** Cases made by scripts/oracle/jinja-diff.py, on demand. */
  @Test
  void casesMadeOnDemandGiveWhatPythonGives() {
    String file = System.getenv("QNEXT_TEMPLATE_CASES");
    assumeTrue(file != null, "QNEXT_TEMPLATE_CASES names no file");
    assertThat(differences(Golden.lines(Path.of(file)))).isEmpty();
  }

  private static List<String> differences(List<String> lines) {
    Map<String, Object> variables =
        object(Json.read(Golden.path("templates/snippet_vars.json"), "variables"));
    List<String> differences = new ArrayList<>();
    for (String line : lines) {
      Map<String, Object> snippet = object(Json.parse(line, "snippet"));
      String source = (String) snippet.get("source");
      String wanted = TemplateOutcome.wanted(snippet);
      String got = TemplateOutcome.of(source, variables);
      if (!got.equals(wanted)) {
        differences.add("%s%n  wanted %s%n  got    %s".formatted(source, wanted, got));
      }
    }
    return differences;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }

  @Test
  void errorsNameFileAndLine() {
    assertThat(failure("a\n\n{{ missing.x }}").getMessage())
        .isEqualTo(
            "the chat template fails on this chat: 'missing' is undefined (folder/t.jinja, line 3)");
    assertThat(failure("\n{% if x %}\n{% endfor %}").getMessage())
        .startsWith("the chat template is not valid: Encountered unknown tag 'endfor'.")
        .endsWith("(folder/t.jinja, line 3)");
    assertThat(
            failure("{% macro f() %}\n\n{{ raise_exception('no') }}{% endmacro %}\n{{ f() }}")
                .line())
        .isEqualTo(3);
    assertThat(failure("{% macro f() %}\n\n{% endmacro %}\n{{ f() ~ missing.x }}").line())
        .isEqualTo(4);
  }

  private static TemplateException failure(String source) {
    try {
      ChatTemplate.parse(source, "folder/t.jinja").render(Map.of());
    } catch (TemplateException e) {
      return e;
    }
    throw new AssertionError("no failure: " + source);
  }
}
