package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Check;
import dev.qnext.backend.Check.Status;
import dev.qnext.checkpoint.DType;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.selftest.SelfTest;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What doctor says of the MLX that is here. */
@NeedsMlx
class MlxDoctorTest {
  @Test
  void checksFindLibraryVersionAndDevice() {
    List<Check> checks = new MlxProvider().checks();
    assertThat(checks).noneMatch(check -> check.status() == Status.FAIL);
    assertThat(checks).extracting(Check::name).contains("library", "version", "device");
  }

  /** With room to the limits, so that they do not fail where rounding is a little different. */
  @Test
  void theSelfTestPassesAndFreesAll() {
    long before = Mlx.liveArrays();
    try (Backend backend = new MlxProvider().open()) {
      SelfTest.Report report = SelfTest.run(backend, (done, all) -> {});
      assertThat(report.failures()).isEmpty();
      assertThat(report.results())
          .allSatisfy(
              r -> assertThat(r.error()).describedAs("%s", r).isLessThanOrEqualTo(r.limit() / 3));
      if (((MlxBackend) backend).device() == MlxDevice.CPU) {
        assertThat(report.activationType()).isEqualTo(DType.F32);
      }
    }
    assertThat(Mlx.liveArrays()).isEqualTo(before);
  }

  @Test
  void fingerprintsNameDeviceAndVersion() {
    try (Backend backend = new MlxProvider().open();
        Backend again = new MlxProvider().open()) {
      assertThat(backend.fingerprint())
          .contains("PU, ", ", 0.32.2, ", "libmlxc")
          .isEqualTo(again.fingerprint());
    }
  }
}
