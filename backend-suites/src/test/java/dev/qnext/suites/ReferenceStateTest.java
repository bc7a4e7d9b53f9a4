package dev.qnext.suites;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.backend.Backend;
import dev.qnext.backend.State;
import dev.qnext.backend.reference.ReferenceBackend;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class ReferenceStateTest extends StateSuite {
  @Override
  protected Backend backend() {
    return new ReferenceBackend();
  }

  /** One of these bytes is the length's highest: two thousand million tokens. */
  @Test
  void aDamagedLengthTakesNoMemory() {
    try (ModelRun run = tiny();
        State state = run.newState();
        State large = run.backend.newState(run.model.stateShape(), Integer.MAX_VALUE)) {
      run.prefill(state, run.tokens(1, 5));
      byte[] saved = ModelRun.saved(state);
      for (int at = 0; at < 400; at++) {
        byte[] damaged = saved.clone();
        damaged[at] = (byte) (damaged[at] == 0x7F ? 0x7E : 0x7F);
        assertThatThrownBy(() -> large.restore(new ByteArrayInputStream(damaged)))
            .describedAs("byte %d", at)
            .isInstanceOf(IOException.class);
      }
      assertThat(large.bytes()).isLessThan(1 << 20);
    }
  }
}
