package dev.qnext;

import dev.qnext.backend.Check;
import dev.qnext.selftest.SelfTest;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code qnext doctor} tells of one backend.
 *
 * @param automatic it is a candidate where the user names none
 * @param checks what it says of itself, and whether it opens
 * @param selfTest null if it does not open, and for the reference, which the test compares with
 */
public record BackendReport(
    String name, boolean automatic, List<Check> checks, SelfTest.@Nullable Report selfTest) {
  public BackendReport {
    checks = List.copyOf(checks);
  }

  /** Nothing that is needed fails. */
  public boolean passed() {
    return checks.stream().noneMatch(check -> check.status() == Check.Status.FAIL)
        && (selfTest == null || selfTest.passed());
  }
}
