package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MarkdownTest {
  private static final Colors COLORS = Colors.of(Colors.Choice.ALWAYS);

  /** One character as the terminal shows it. */
  record Cell(char letter, String style) {}

  /**
   * Colours as short words: bold text is {@code [b:text]}, code {@code [c:...]}, dim {@code
   * [d:...]}.
   */
  private static String words(String coloured) {
    return coloured
        .replace("\u001b[1;36m", "[bc:")
        .replace("\u001b[36m", "[c:")
        .replace("\u001b[1m", "[b:")
        .replace("\u001b[2m", "[d:")
        .replace("\u001b[0m", "]");
  }

  static List<Cell> cells(String coloured) {
    List<Cell> cells = new ArrayList<>();
    String style = "";
    for (int i = 0; i < coloured.length(); i++) {
      char c = coloured.charAt(i);
      if (c == '\u001b') {
        int end = coloured.indexOf('m', i);
        style = coloured.substring(i + 2, end).replace("0", "");
        i = end;
      } else {
        cells.add(new Cell(c, style));
      }
    }
    assertThat(style).describedAs("style at the end").isEmpty();
    return cells;
  }

  static String text(List<Cell> cells) {
    StringBuilder text = new StringBuilder();
    cells.forEach(cell -> text.append(cell.letter()));
    return text.toString();
  }

  private static String whole(String text) {
    Markdown markdown = new Markdown(COLORS);
    return markdown.accept(text) + markdown.finish();
  }

  private static String inPieces(String text, Random random) {
    Markdown markdown = new Markdown(COLORS);
    StringBuilder out = new StringBuilder();
    for (int at = 0; at < text.length(); ) {
      int end = Math.min(text.length(), at + 1 + random.nextInt(6));
      out.append(markdown.accept(text.substring(at, end)));
      at = end;
    }
    return out.append(markdown.finish()).toString();
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '"',
      value = {
        "plain text, plain text",
        "a **bold** word, a [b:bold] word",
        "a `code` word, a [c:code] word",
        "**a `b` c**, [b:a ][bc:b][b: c]",
        "``a ` b``, [c:a ` b]",
        "# Head **x** `y`, [b:# Head ][b:x][b: ][bc:y]",
        "####### seven, ####### seven",
        "#no heading, #no heading",
        "* item **one**, * item [b:one]",
        "- item, - item",
        "这是**重点**内容, 这是[b:重点]内容",
        "x**2 + y**2, x**2 + y**2",
        "2 ** 3 ** 4, 2 ** 3 ** 4",
        "*one* ***three***, *one* ***three***",
        "snake_case __init__, snake_case __init__",
        "\\*\\*no\\*\\* \\`no\\`, \\*\\*no\\*\\* \\`no\\`",
        "C:\\dir **b**, C:\\dir [b:b]",
        "an open ** mark, an open ** mark",
        "an **open mark, an **open mark",
        "an `open mark, an `open mark",
        "**a **, **a **",
        "****, ****",
        "``, ``",
        "\"**a\nb**\", \"**a\nb**\"",
        "\"`a\nb`\", \"`a\nb`\"",
      })
  void onALine(String text, String expected) {
    assertThat(words(whole(text))).isEqualTo(expected);
  }

  @Test
  void fencedBlocks() {
    String text = "So:\n```java\nint x = **p;\n\n# `no`\n```\nthen **b**\n~~~\n```\n~~~ \nend";
    assertThat(words(whole(text)))
        .isEqualTo(
            "So:\n[d:```java]\n[c:int x = **p;]\n\n[c:# `no`]\n[d:```]\nthen [b:b]\n"
                + "[d:~~~]\n[c:```]\n[d:~~~ ]\nend");
  }

  @Test
  void blocksWithinLists() {
    assertThat(words(whole("1. x\n   ```\n   a `b`\n   ```\n2. `y`")))
        .isEqualTo("1. x\n[d:   ```]\n[c:   a `b`]\n[d:   ```]\n2. [c:y]");
  }

  @Test
  void aLongerFenceHoldsShorterOnes() {
    assertThat(words(whole("````\n```\n````\n**b**")))
        .isEqualTo("[d:````]\n[c:```]\n[d:````]\n[b:b]");
  }

  @Test
  void codeBetweenThreeTicksIsNoBlock() {
    assertThat(words(whole("```x``` is\n**b**"))).isEqualTo("[c:x] is\n[b:b]");
  }

  @Test
  void aBlockThatIsCutOffEndsColoured() {
    assertThat(words(whole("```\nabc"))).isEqualTo("[d:```]\n[c:abc]");
    assertThat(words(whole("```"))).isEqualTo("[d:```]");
  }

  @Test
  void textIsNotHeldBackWithoutNeed() {
    Markdown markdown = new Markdown(COLORS);
    assertThat(markdown.accept("Hello, wor")).isEqualTo("Hello, wor");
    assertThat(markdown.accept("ld *")).isEqualTo("ld ");
    assertThat(markdown.accept("x")).isEqualTo("*x");
    assertThat(markdown.accept(" **bo")).isEqualTo(" ");
    assertThat(words(markdown.accept("ld** y"))).isEqualTo("[b:bold] y");
    assertThat(markdown.accept(" **" + "long ".repeat(100))).isEqualTo(" **" + "long ".repeat(100));
    assertThat(words(markdown.accept("\n```sh\nls"))).isEqualTo("\n[d:```sh]\n[c:ls]");
  }

  @Test
  void finishBeginsAnew() {
    Markdown markdown = new Markdown(COLORS);
    assertThat(words(markdown.accept("```\ncode") + markdown.finish()))
        .isEqualTo("[d:```]\n[c:code]");
    assertThat(words(markdown.accept("# H") + markdown.finish())).isEqualTo("[b:# H]");
  }

  // ------------------------------------------------------------------------------- for every text

  /** However it is cut, the same comes out; and nothing is lost but pairs of marks on one line. */
  private static void check(String text, Random random) {
    List<Cell> cells = cells(whole(text));
    for (int i = 0; i < 4; i++) {
      assertThat(cells(inPieces(text, random))).describedAs("pieces of: %s", text).isEqualTo(cells);
    }
    String[] before = text.split("\n", -1);
    String[] after = text(cells).split("\n", -1);
    assertThat(after).describedAs(text).hasSameSizeAs(before);
    for (int i = 0; i < before.length; i++) {
      String line = before[i];
      assertThat(after[i].replaceAll("[*`]", "")).isEqualTo(line.replaceAll("[*`]", ""));
      assertThat((count(line, '*') - count(after[i], '*')) % 4).describedAs(line).isZero();
      assertThat((count(line, '`') - count(after[i], '`')) % 2).describedAs(line).isZero();
      assertThat(count(line, '*') - count(after[i], '*')).describedAs(line).isNotNegative();
      assertThat(count(line, '`') - count(after[i], '`')).describedAs(line).isNotNegative();
    }
  }

  private static int count(String text, char c) {
    return (int) text.chars().filter(each -> each == c).count();
  }

  @Test
  void anyTextInAnyPieces() {
    Random random = new Random(20261121);
    String[] parts = {
      "**",
      "*",
      "`",
      "```",
      "~~~",
      "\n",
      "\n\n",
      " ",
      "#",
      "## ",
      "word",
      "x",
      "\\",
      "- ",
      "é",
      "\uD83D\uDC3B",
      "重",
      "`` ",
      "** ",
      " **",
      "\t",
      "```java\n"
    };
    for (int n = 0; n < 20_000; n++) {
      StringBuilder text = new StringBuilder();
      for (int i = random.nextInt(24); i > 0; i--) {
        text.append(parts[random.nextInt(parts.length)]);
      }
      check(text.toString(), random);
    }
  }

  @Test
  void longSpansInAnyPieces() {
    Random random = new Random(7);
    for (int n = 0; n < 2_000; n++) {
      String[] marks = {"**", "`", "```", "\n"};
      StringBuilder text = new StringBuilder();
      for (int i = 0; i < 5; i++) {
        text.append(marks[random.nextInt(marks.length)]);
        text.append("a".repeat(380 + random.nextInt(40)));
      }
      check(text.toString(), random);
    }
  }

  @Test
  void theDocumentsOfTheProject() throws IOException {
    Path home = Golden.path("").toAbsolutePath();
    while (home.getParent() != null && !Files.exists(home.resolve("LICENSE"))) {
      home = home.getParent();
    }
    Random random = new Random(3);
    try (Stream<Path> files = Files.walk(home, 2)) {
      List<Path> documents = files.filter(file -> file.toString().endsWith(".md")).toList();
      Set<String> styles = new TreeSet<>();
      for (Path document : documents) {
        String text = Files.readString(document);
        check(text, random);
        cells(whole(text)).forEach(cell -> styles.add(cell.style()));
      }
      assertThat(styles).contains("", "1", "2", "36");
    }
  }
}
