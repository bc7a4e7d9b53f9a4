package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigFileTest {
  private static final Path FILE = Path.of("/etc/config");

  private static ConfigFile parse(String text) {
    return ConfigFile.parse(FILE, text);
  }

  private static String value(ConfigFile file, String command, String name) {
    ConfigFile.Setting setting = file.get(command, name);
    return setting == null ? null : setting.value();
  }

  @Test
  void lines() {
    ConfigFile file =
        parse(
            "\ufeff# a comment\r\n\n  temp=0.7\r\n\tsystem =  # no = comment  \n"
                + "chat.temp = 1\nempty =\nstop = \"\\n \"\nlast = x");
    assertThat(file.complaints()).isEmpty();
    assertThat(value(file, "complete", "temp")).isEqualTo("0.7");
    assertThat(value(file, "chat", "temp")).isEqualTo("1");
    assertThat(value(file, "chat", "system")).isEqualTo("# no = comment");
    assertThat(value(file, "chat", "empty")).isEmpty();
    assertThat(value(file, "chat", "stop")).isEqualTo("\n ");
    assertThat(value(file, "chat", "last")).isEqualTo("x");
    assertThat(value(file, "chat", "none")).isNull();
    assertThat(file.get("chat", "temp").place()).isEqualTo("/etc/config, line 5");
  }

  @Test
  void complaints() {
    ConfigFile file = parse("temp\n= 1\nstop = \"x\nstop = \"x\" y\ntemp = 1\n\ntemp = 2\n");
    assertThat(file.complaints())
        .containsExactly(
            "/etc/config, line 1: \"temp\" is no setting; write key = value",
            "/etc/config, line 2: \"= 1\" is no setting; write key = value",
            "/etc/config, line 3: the value of stop begins with a quotation mark but is no string as in JSON",
            "/etc/config, line 4: the value of stop begins with a quotation mark but is no string as in JSON",
            "/etc/config, line 7: temp stands in line 5 too; this line counts");
    assertThat(value(file, "chat", "temp")).isEqualTo("2");
    assertThat(value(file, "chat", "stop")).isNull();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'' | 'model = x~'",
        "'a = 1' | 'a = 1~model = x~'",
        "'a = 1~' | 'a = 1~model = x~'",
        "'a = 1~~' | 'a = 1~~model = x~'",
        "' model=y~# model = z~a = 1~' | 'model = x~# model = z~a = 1~'",
        "'model = y~nonsense~model = z' | 'model = x~nonsense'",
        "'chat.model = y~' | 'chat.model = y~model = x~'",
      })
  void oneKeyIsSet(String before, String after) {
    assertThat(parse(before.replace('~', '\n')).with("model", "x"))
        .isEqualTo(after.replace('~', '\n'));
  }

  @Test
  void oneKeyIsRemoved() {
    assertThat(parse("# mine\nmodel = x\nbogus\n model = y\nchat.model = z").with("model", null))
        .isEqualTo("# mine\nbogus\nchat.model = z");
    assertThat(parse("").with("model", null)).isEmpty();
  }

  @Test
  void whatIsWrittenIsReadAgain() {
    for (String text : new String[] {"plain", " blanks ", "\"quoted\"", "a\nb", "x # y", "é"}) {
      assertThat(value(parse(parse("").with("model", text)), "chat", "model")).isEqualTo(text);
    }
  }
}
