package dev.qnext;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import dev.qnext.text.ChatTemplate;
import dev.qnext.text.Tokenizer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The bundled model's template and tokenizer against transformers; scripts/demo-model/golden.py
 * made the data. What it computes is compared by the DemoModelSuite of the module backend-suites.
 */
class DemoModelTest {
  private static final Path FOLDER = Golden.repository().resolve("models/demo");
  private static final Map<?, ?> EXPECTED =
      (Map<?, ?>) Json.read(Golden.path("demo/expected.json"), "expected results");

  @Test
  void templateAndTokenizer() {
    Tokenizer tokenizer = Tokenizer.load(FOLDER);
    ChatTemplate template = ChatTemplate.load(FOLDER);
    for (Map<?, ?> prompt : prompts()) {
      @SuppressWarnings("unchecked")
      List<Map<String, Object>> messages = (List<Map<String, Object>>) prompt.get("messages");
      String text = template.apply(List.copyOf(messages), null, true, Map.of());
      assertThat(text).isEqualTo(prompt.get("text"));
      assertThat(tokenizer.encode(text)).isEqualTo(ids(prompt.get("ids")));
      assertThat(tokenizer.decode(ids(prompt.get("greedy")))).isEqualTo(prompt.get("greedy_text"));
    }
    for (String line : Golden.lines(Golden.path("demo/tokenizer_cases.jsonl"))) {
      Map<?, ?> given = (Map<?, ?>) Json.parse(line, "case");
      String text = (String) given.get("text");
      assertThat(tokenizer.encode(text)).describedAs(text).isEqualTo(ids(given.get("ids")));
    }
  }

  private static List<Map<?, ?>> prompts() {
    return ((List<?>) EXPECTED.get("prompts")).stream().<Map<?, ?>>map(p -> (Map<?, ?>) p).toList();
  }

  private static int[] ids(Object list) {
    return ((List<?>) list).stream().mapToInt(id -> (int) (long) (Long) id).toArray();
  }
}
