package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.TextFolder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Replies whose words are given, coloured. */
class TerminalViewTest {
  @TempDir private static Path temp;

  private static String thinking;

  @BeforeAll
  static void make() {
    thinking = TextFolder.makeThinking(temp.resolve("thinking")).toString();
  }

  @AfterEach
  void forget() {
    System.clearProperty(ScriptedProvider.TEXT);
  }

  private static String chat(String says, String... more) {
    System.setProperty(ScriptedProvider.TEXT, says);
    List<String> args = new ArrayList<>(List.of("chat", "-m", thinking, "--backend", "scripted"));
    args.addAll(List.of("--no-stats", "--no-log", "--color", "always"));
    args.addAll(List.of(more));
    args.add("Hello");
    return CliRun.run(args.toArray(String[]::new)).quiet().out();
  }

  @Test
  void thoughtsAreDim() {
    String out = chat("Hm.\nSo.\n</think>\n\nA **b**.|", "--think", "show");
    assertThat(MarkdownTest.text(MarkdownTest.cells(out))).isEqualTo("Hm.\nSo.\n\nA b.\n");
    assertThat(out).startsWith("\u001b[2mH").endsWith("A \u001b[1mb\u001b[0m.\n");
  }

  @Test
  void thoughtsFolded() {
    assertThat(chat("Hm. So.\n</think>\n\nYes.|", "--think", "fold"))
        .matches("\u001b\\[2mthought for \\d+\\.\\d s\u001b\\[0m\nYes\\.\n");
  }

  @Test
  void thoughtsHidden() {
    assertThat(chat("Hm. So.\n</think>\n\nYes.|", "--think", "hide")).isEqualTo("Yes.\n");
    assertThat(chat("Hm.\n</think>\n\nYes.|")).describedAs("in a pipe").isEqualTo("Yes.\n");
  }

  @Test
  void anOpenMarkAtTheEndComesOut() {
    assertThat(chat("</think>\n\nA **b|")).isEqualTo("A **b\n");
    assertThat(chat("</think>\n\nA `|")).isEqualTo("A `\n");
  }

  @Test
  void noColourInAPipe() {
    System.setProperty(ScriptedProvider.TEXT, "</think>\n\n# A **b**|");
    for (String color : new String[] {"auto", "never"}) {
      CliRun.run(
              "chat",
              "-m",
              thinking,
              "--backend",
              "scripted",
              "--no-stats",
              "--no-log",
              "--color",
              color,
              "Hello")
          .quiet()
          .printing("# A **b**\n");
      System.setProperty(ScriptedProvider.TEXT, "</think>\n\n# A **b**|");
    }
  }

  @Test
  void anUnknownWhen() {
    assertThat(CliRun.run("chat", "--color", "red", "x").err()).contains("--color").contains("red");
  }
}
