package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.regex.Pattern;

/** What a run of the command line left behind. */
record Outcome(int exit, String out, String err) {
  /** Done, and standard error says nothing. */
  Outcome quiet() {
    return done().saying("");
  }

  Outcome done() {
    assertThat(exit).describedAs("exit code; standard error: %s", err).isZero();
    return this;
  }

  /** Failed with one sentence (and a hint where the usage was wrong), and without an answer. */
  Outcome failed(int code, String sentence) {
    String hint = code == 2 ? "Try 'qnext [a-z]+ --help'.\n" : "";
    assertThat(err).matches(Pattern.quote("qnext: " + sentence + "\n") + hint);
    assertThat(out).isEmpty();
    assertThat(exit).isEqualTo(code);
    return this;
  }

  Outcome printing(String text) {
    assertThat(out).isEqualTo(text);
    return this;
  }

  Outcome saying(String text) {
    assertThat(err).isEqualTo(text);
    return this;
  }
}
