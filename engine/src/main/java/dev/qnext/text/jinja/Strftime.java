package dev.qnext.text.jinja;

import java.time.LocalDateTime;
import java.time.format.TextStyle;
import java.time.temporal.ChronoField;
import java.time.temporal.IsoFields;
import java.util.Locale;

/**
 * C's {@code strftime} in the C locale, for {@code strftime_now}; {@code %-d} drops the padding.
 */
final class Strftime {
  private static final int MAX_LENGTH = 1000;

  private Strftime() {}

  static String format(LocalDateTime time, String format) {
    if (format.length() > MAX_LENGTH) {
      throw TemplateException.limit("a time format has more than " + MAX_LENGTH + " characters");
    }
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      if (c != '%' || i + 1 == format.length()) {
        out.append(c);
        continue;
      }
      boolean bare = format.charAt(i + 1) == '-' && i + 2 < format.length();
      i += bare ? 2 : 1;
      String field = field(time, format.charAt(i));
      int zeros = 0;
      while (bare && zeros < field.length() - 1 && " 0".indexOf(field.charAt(zeros)) >= 0) {
        zeros++;
      }
      out.append(field, zeros, field.length());
    }
    return out.toString();
  }

  private static String field(LocalDateTime time, char directive) {
    int sunday = time.getDayOfWeek().getValue() % 7;
    int day = time.getDayOfYear();
    return switch (directive) {
      case 'a' -> time.getDayOfWeek().getDisplayName(TextStyle.SHORT, Locale.ROOT);
      case 'A' -> time.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
      case 'b', 'h' -> time.getMonth().getDisplayName(TextStyle.SHORT, Locale.ROOT);
      case 'B' -> time.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
      case 'C' -> padded(time.getYear() / 100, 2, '0');
      case 'd' -> padded(time.getDayOfMonth(), 2, '0');
      case 'e' -> padded(time.getDayOfMonth(), 2, ' ');
      case 'f' -> padded(time.getNano() / 1000, 6, '0');
      case 'G' -> padded(time.get(IsoFields.WEEK_BASED_YEAR), 4, '0');
      case 'g' -> padded(time.get(IsoFields.WEEK_BASED_YEAR) % 100, 2, '0');
      case 'H' -> padded(time.getHour(), 2, '0');
      case 'I' -> padded(time.get(ChronoField.CLOCK_HOUR_OF_AMPM), 2, '0');
      case 'j' -> padded(day, 3, '0');
      case 'k' -> padded(time.getHour(), 2, ' ');
      case 'l' -> padded(time.get(ChronoField.CLOCK_HOUR_OF_AMPM), 2, ' ');
      case 'M' -> padded(time.getMinute(), 2, '0');
      case 'm' -> padded(time.getMonthValue(), 2, '0');
      case 'n' -> "\n";
      case 'p' -> time.getHour() < 12 ? "AM" : "PM";
      case 'P' -> time.getHour() < 12 ? "am" : "pm";
      case 'S' -> padded(time.getSecond(), 2, '0');
      case 't' -> "\t";
      case 'U' -> padded((day + 6 - sunday) / 7, 2, '0');
      case 'u' -> String.valueOf(time.getDayOfWeek().getValue());
      case 'V' -> padded(time.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR), 2, '0');
      case 'W' -> padded((day + 6 - (sunday + 6) % 7) / 7, 2, '0');
      case 'w' -> String.valueOf(sunday);
      case 'Y' -> padded(time.getYear(), 4, '0');
      case 'y' -> padded(time.getYear() % 100, 2, '0');
      case 'z', 'Z' -> "";
      case 'c' -> format(time, "%a %b %e %H:%M:%S %Y");
      case 'D', 'x' -> format(time, "%m/%d/%y");
      case 'F' -> format(time, "%Y-%m-%d");
      case 'R' -> format(time, "%H:%M");
      case 'r' -> format(time, "%I:%M:%S %p");
      case 'T', 'X' -> format(time, "%H:%M:%S");
      case '%' -> "%";
      default -> "%" + directive;
    };
  }

  private static String padded(int value, int width, char fill) {
    String digits = String.valueOf(value);
    return String.valueOf(fill).repeat(Math.max(0, width - digits.length())) + digits;
  }
}
