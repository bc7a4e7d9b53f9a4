package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.cli.ConfigFile.Setting;
import org.jspecify.annotations.Nullable;

/**
 * The model that was chosen: on the command line, else by QNEXT_MODEL, else in the user's settings.
 *
 * @param model a name or a path
 * @param place who chose it, for messages; null for the command line
 */
record ModelChoice(String model, @Nullable String place) {
  static final String VARIABLE = "QNEXT_MODEL";

  /** Null where nobody chose. */
  static @Nullable ModelChoice of(
      @Nullable String option, @Nullable String variable, @Nullable Setting setting) {
    if (option != null) {
      return new ModelChoice(option, null);
    }
    if (variable != null && !variable.isEmpty()) {
      return new ModelChoice(variable, VARIABLE);
    }
    return setting == null ? null : new ModelChoice(setting.value(), setting.place());
  }

  /**
   * What and where it is.
   *
   * @throws QnextException if it is not there; the sentence begins with who chose it
   */
  Models.Named find(Models models) {
    try {
      return models.find(model);
    } catch (QnextException e) {
      throw place == null ? e : new QnextException(place + ": " + e.getMessage(), e);
    }
  }
}
