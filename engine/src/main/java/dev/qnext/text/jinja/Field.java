package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import org.jspecify.annotations.Nullable;

/**
 * How a format lays out one value; the same for Python's {@code %} and {@code format}.
 *
 * @param fill a code point
 * @param align one of {@code < > ^}, and {@code =} for filling between sign and digits
 * @param sign + or blank for what stands before a number that is not negative, else none
 * @param group what stands between groups of digits, 0 for nothing
 * @param precision -1 for none
 * @param kind the type letter, 0 for "as str prints it"
 */
record Field(
    int fill,
    char align,
    char sign,
    boolean alternate,
    char group,
    int width,
    int precision,
    char kind) {
  private static final int MAX_PRECISION = 10_000;

  /** The text of digits in a format. */
  static int size(String digits) {
    Number size = Numbers.parseWhole(digits, 10);
    if (!(size instanceof Long value) || value > Integer.MAX_VALUE) {
      throw type("Too many decimal digits in format string");
    }
    return value.intValue();
  }

  static int skipDigits(String text, int from) {
    int i = from;
    while (i < text.length() && Character.digit(text.charAt(i), 10) >= 0) {
      i++;
    }
    return i;
  }

  /** As Python's {@code ascii}. */
  static String ascii(@Nullable Object value) {
    String text = Repr.repr(value);
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      out.append(c < 128 ? Character.toString(c) : Repr.escape(c));
    }
    return out.toString();
  }

  /** The letter with that number, as type c prints it. */
  String letter(@Nullable Object value) {
    if (!Numbers.isWhole(value)) {
      throw type("%%c requires int or char");
    }
    int point = Methods.whole(value, 0);
    if (!Character.isValidCodePoint(point)) {
      throw type("%%c arg not in range(0x110000)");
    }
    return padded(Character.toString(point), "");
  }

  String text(String text) {
    boolean cut = precision >= 0 && precision < Strings.length(text);
    return padded(cut ? Strings.substring(text, 0, precision) : text, "");
  }

  private String padded(String text, String signs) {
    long blanks = Math.max(0, (long) width - Strings.length(text) - signs.length());
    long left = align == '<' ? 0 : align == '^' ? blanks / 2 : blanks;
    String filler = Character.toString(fill);
    return align == '='
        ? signs + Strings.pad(text, filler, blanks, 0)
        : Strings.pad(signs + text, filler, left, blanks - left);
  }

  private String sign(boolean negative) {
    return negative ? "-" : sign == '+' ? "+" : sign == ' ' ? " " : "";
  }

  /** {@code base} is one of d x X o b. */
  String whole(BigInteger value, char base) {
    int radix = base == 'd' ? 10 : base == 'o' ? 8 : base == 'b' ? 2 : 16;
    String digits = radix == 10 ? Repr.number(value.abs()) : value.abs().toString(radix);
    digits = base == 'X' ? Strings.upper(digits) : digits;
    if (precision > MAX_PRECISION) {
      throw TemplateException.limit("a format has a precision above " + MAX_PRECISION);
    }
    digits = "0".repeat(Math.max(0, precision - digits.length())) + digits;
    String prefix = alternate && radix != 10 ? "0" + base : "";
    String signs = sign(value.signum() < 0) + prefix;
    return padded(grouped(digits, digits.length(), signs, radix == 10 ? 3 : 4), signs);
  }

  /** With the group sign between the first {@code point} digits, and zeros up to the width. */
  private String grouped(String digits, int point, String signs, int size) {
    if (group == 0) {
      return digits;
    }
    int count = point;
    if (fill == '0' && align == '=') {
      Interpreter.checkText(width);
      int others = digits.length() - point + signs.length();
      while (count + (count - 1) / size + others < width) {
        count++;
      }
    }
    String all = "0".repeat(count - point) + digits;
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < count; i++) {
      if (i > 0 && (count - i) % size == 0) {
        out.append(group);
      }
      out.append(all.charAt(i));
    }
    return out.append(all, count, all.length()).toString();
  }

  String real(double number) {
    double value = kind == '%' ? number * 100 : number;
    boolean negative = value < 0 || (value == 0 && 1 / value < 0);
    String signs = sign(negative);
    boolean upper = "EFG".indexOf(kind) >= 0;
    String text;
    if (Double.isNaN(value) || Double.isInfinite(value)) {
      text = Double.isNaN(value) ? "nan" : "inf";
      signs = Double.isNaN(value) ? sign(false) : signs;
      text = kind == '%' ? text + "%" : text;
    } else {
      text = finite(Math.abs(value));
      int point = 0;
      while (point < text.length() && Character.isDigit(text.charAt(point))) {
        point++;
      }
      text = grouped(text, point, signs, 3);
    }
    return padded(upper ? Strings.upper(text) : text, signs);
  }

  private String finite(double value) {
    int digitsWanted = precision < 0 ? 6 : precision;
    if (digitsWanted > MAX_PRECISION) {
      throw TemplateException.limit("a format has a precision above " + MAX_PRECISION);
    }
    BigDecimal exact = new BigDecimal(value);
    switch (kind) {
      case 'f', 'F', '%':
        String fixed = exact.setScale(digitsWanted, RoundingMode.HALF_EVEN).toPlainString();
        fixed = alternate && digitsWanted == 0 ? fixed + "." : fixed;
        return kind == '%' ? fixed + "%" : fixed;
      case 'e', 'E':
        return scientific(exact, digitsWanted + 1, alternate);
      default:
        if (kind == 0 && precision < 0) {
          return Repr.number(value);
        }
        int significant = Math.max(digitsWanted, 1);
        BigDecimal rounded = exact.round(new MathContext(significant, RoundingMode.HALF_EVEN));
        int point = value == 0 ? 1 : rounded.precision() - rounded.scale();
        String digits = value == 0 ? "0" : rounded.unscaledValue().toString();
        if (alternate) {
          digits = digits + "0".repeat(Math.max(0, significant - digits.length()));
        } else {
          digits = Strings.strip(digits, "0", false, true);
        }
        boolean plain = kind == 0;
        int most = significant - (plain ? 1 : 0);
        String text = shortest(digits.isEmpty() ? "0" : digits, point, -4, most, plain);
        boolean bare = alternate && text.indexOf('.') < 0;
        int mantissa = text.indexOf('e') < 0 ? text.length() : text.indexOf('e');
        return bare ? text.substring(0, mantissa) + "." + text.substring(mantissa) : text;
    }
  }

  private static String scientific(BigDecimal value, int significant, boolean alternate) {
    BigDecimal rounded = value.round(new MathContext(significant, RoundingMode.HALF_EVEN));
    boolean zero = value.signum() == 0;
    String digits = zero ? "0" : rounded.unscaledValue().toString();
    int exponent = zero ? 0 : rounded.precision() - rounded.scale() - 1;
    digits = digits + "0".repeat(Math.max(0, significant - digits.length()));
    String fraction = digits.substring(1, significant);
    String dot = fraction.isEmpty() && !alternate ? "" : ".";
    return digits.charAt(0) + dot + fraction + exponent(exponent);
  }

  private static String exponent(int exponent) {
    int size = Math.abs(exponent);
    return (exponent < 0 ? "e-" : "e+") + (size < 10 ? "0" : "") + size;
  }

  /**
   * Significant digits with the point behind the first {@code point} of them, with an exponent
   * where that is below {@code least} or not below {@code most}.
   *
   * @param fraction whether a whole number ends in ".0"
   */
  static String shortest(String digits, int point, int least, int most, boolean fraction) {
    int exponent = point - 1;
    if (exponent < least || exponent >= most) {
      String rest = digits.length() > 1 ? "." + digits.substring(1) : "";
      return digits.charAt(0) + rest + exponent(exponent);
    } else if (point <= 0) {
      return "0." + "0".repeat(-point) + digits;
    } else if (point < digits.length()) {
      return digits.substring(0, point) + "." + digits.substring(point);
    }
    return digits + "0".repeat(point - digits.length()) + (fraction ? ".0" : "");
  }
}
