package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.text.ReplyPart.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReplySplitterTest {
  /** Parts as "t:thought", "a:answer", "c:call", neighbours of one kind joined. */
  private static String split(boolean thinking, boolean tools, List<String> pieces) {
    ReplySplitter splitter = new ReplySplitter(thinking, tools);
    List<ReplyPart> parts = new ArrayList<>();
    pieces.forEach(piece -> parts.addAll(splitter.accept(piece)));
    parts.addAll(splitter.finish());
    StringBuilder all = new StringBuilder();
    Kind last = null;
    for (ReplyPart part : parts) {
      assertThat(part.text().isEmpty())
          .isEqualTo(part.kind() == Kind.CALL && part.text().isEmpty());
      if (part.kind() != last || last == Kind.CALL) {
        all.append(last == null ? "" : "|").append("tac".charAt(part.kind().ordinal())).append(':');
      }
      all.append(part.text());
      last = part.kind();
    }
    return all.toString();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      ignoreLeadingAndTrailingWhitespace = false,
      value = {
        "false;false;Hello.\\n;a:Hello.\\n",
        "false;false;  Hello;a:  Hello",
        "true;false;Hm.\\n</think>\\n\\nYes.;t:Hm.|a:Yes.",
        "true;false;\\nHm,\\n\\nso.\\n</think>Yes.\\n;t:Hm,\\n\\nso.|a:Yes.\\n",
        "true;false;never ends \\n;t:never ends \\n",
        "true;false;</think>\\n\\nYes.;a:Yes.",
        "true;false;a </thinker> b</think>c;t:a </thinker> b|a:c",
        "true;false;<tool_call></think><tool_call>;t:<tool_call>|a:<tool_call>",
        "false;false;\\n<think>\\nHm.</think>\\nYes.;t:Hm.|a:Yes.",
        "false;false;<think;a:<think",
        "false;false;a<think>b;a:a<think>b",
        "false;false;a</think>b;a:a</think>b",
        "false;true;Well.\\n<tool_call>\\n{}\\n</tool_call>;a:Well.|c:{}",
        "false;true;<tool_call>1</tool_call>\\n<tool_call> 2 </tool_call>;c:1|c:2",
        "false;true;<tool_call>1</tool_call>\\nDone. ;c:1|a:Done. ",
        "false;true;a <tool_call> b;a:a<tool_call> b",
        "true;true;Hm.</think><tool_call>1</tool_call>;t:Hm.|c:1",
        "false;true;a < b\\n\\n<c;a:a < b\\n\\n<c",
      })
  void partsHoweverTheTextIsCut(boolean thinking, boolean tools, String text, String expected) {
    String reply = text.replace("\\n", "\n");
    String parts = expected.replace("\\n", "\n");
    assertThat(split(thinking, tools, List.of(reply))).isEqualTo(parts);
    assertThat(split(thinking, tools, List.of(reply.split("")))).isEqualTo(parts);
    SplittableRandom random = new SplittableRandom(text.hashCode());
    for (int i = 0; i < 50; i++) {
      List<String> pieces = new ArrayList<>();
      for (int at = 0; at < reply.length(); ) {
        int end = Math.min(reply.length(), at + random.nextInt(8));
        pieces.add(reply.substring(at, end));
        at = end;
      }
      assertThat(split(thinking, tools, pieces)).isEqualTo(parts);
    }
  }

  @Test
  void whatIsCertainComesAtOnce() {
    ReplySplitter splitter = new ReplySplitter(true, true);
    assertThat(splitter.accept("Hm")).containsExactly(new ReplyPart(Kind.THOUGHT, "Hm"));
    assertThat(splitter.thinking()).isTrue();
    assertThat(splitter.accept(", <")).containsExactly(new ReplyPart(Kind.THOUGHT, ","));
    assertThat(splitter.accept("b")).containsExactly(new ReplyPart(Kind.THOUGHT, " <b"));
    assertThat(splitter.accept("\n</think>\n\n")).isEmpty();
    assertThat(splitter.thinking()).isFalse();
    assertThat(splitter.accept("Yes")).containsExactly(new ReplyPart(Kind.ANSWER, "Yes"));
  }
}
