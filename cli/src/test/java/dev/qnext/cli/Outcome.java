package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

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

  /** Failed with one sentence, and without an answer. */
  Outcome failed(int code, String sentence) {
    assertThat(err).isEqualTo("qnext: " + sentence + "\n");
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
