package dev.qnext.text;

import dev.qnext.json.Json;
import dev.qnext.text.jinja.TemplateException;
import java.util.Locale;
import java.util.Map;

/** What a golden case wants and what a template gives, in one comparable text. */
final class TemplateOutcome {
  private TemplateOutcome() {}

  /** The golden outcome; of Python's own errors only the kind counts, their wording is free. */
  static String wanted(Map<?, ?> goldenCase) {
    if (goldenCase.get("error") instanceof Map<?, ?> error) {
      return error(String.valueOf(error.get("kind")), String.valueOf(error.get("message")));
    }
    return "text " + Json.write(goldenCase.get("expected"));
  }

  static String of(String source, Map<String, Object> variables) {
    try {
      return of(ChatTemplate.parse(source, "snippet"), variables);
    } catch (TemplateException e) {
      return error(e.kind().name().toLowerCase(Locale.ROOT), e.reason());
    }
  }

  static String of(ChatTemplate template, Map<String, Object> variables) {
    try {
      return "text " + Json.write(template.render(variables));
    } catch (TemplateException e) {
      return error(e.kind().name().toLowerCase(Locale.ROOT), e.reason());
    }
  }

  private static String error(String kind, String message) {
    return "error " + kind + (kind.equals("type") ? "" : " " + message);
  }
}
