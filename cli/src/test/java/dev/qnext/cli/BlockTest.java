package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BlockTest {
  @ParameterizedTest
  @ValueSource(strings = {"\"\"\"", "\"\"\"a", " \"\"\"\na\nb", "/system \"\"\"", "\"\"\"\"\""})
  void open(String typed) {
    assertThat(Block.isOpen(typed)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "a", "say \"\"\"", "\"\"\"a\"\"\"", "\"\"\"\"\"\"", "/system x\n \"\"\"a"})
  void notOpen(String typed) {
    assertThat(Block.isOpen(typed)).isFalse();
  }

  @Test
  void whatItSays() {
    assertThat(Block.text("\"\"\"\na\n b\n\"\"\"")).isEqualTo("a\n b");
    assertThat(Block.text("\"\"\"a\nb\"\"\" ")).isEqualTo("a\nb");
    assertThat(Block.text("\"\"\"\"\"\"")).isEmpty();
    assertThat(Block.text("/system \"\"\"\na\nb\n\"\"\"")).isEqualTo("/system a\nb");
    assertThat(Block.text("\"\"\"\nnever closed")).isEqualTo("never closed");
    assertThat(Block.text("a \"quoted\" word")).isEqualTo("a \"quoted\" word");
  }

  @Test
  void aMessageWhateverItSays() {
    assertThat(Block.isMessage(" \"\"\"/exit\"\"\"")).isTrue();
    assertThat(Block.isMessage("/system \"\"\"")).isFalse();
  }
}
