package dev.qnext.backend;

import org.jspecify.annotations.Nullable;

/**
 * One thing that was looked at when something may be wrong with the installation.
 *
 * @param name what was looked at, in a word or two
 * @param detail what was found
 * @param fix the exact command, or what else to do; null where nothing has to be done
 */
public record Check(String name, Status status, String detail, @Nullable String fix) {
  public enum Status {
    /** A fact that is neither good nor bad. */
    INFO,
    PASS,
    /** It works, but not as well as it could. */
    WARN,
    /** Something that is needed here does not work. */
    FAIL
  }

  public static Check info(String name, String detail) {
    return new Check(name, Status.INFO, detail, null);
  }

  public static Check pass(String name, String detail) {
    return new Check(name, Status.PASS, detail, null);
  }

  public static Check warn(String name, String detail, @Nullable String fix) {
    return new Check(name, Status.WARN, detail, fix);
  }

  public static Check fail(String name, String detail, @Nullable String fix) {
    return new Check(name, Status.FAIL, detail, fix);
  }
}
