package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import org.jspecify.annotations.Nullable;

/** Python's numbers: whole numbers of any size, floating-point numbers, truth values as 0 and 1. */
final class Numbers {
  /** Python's limit between text and whole numbers. */
  static final int MAX_DIGITS = 4300;

  /** What {@link #compare} returns when one side is not a number (NaN). */
  static final int UNORDERED = 2;

  private static final int MAX_BITS = 1 << 17;
  private static final BigInteger MIN_LONG = BigInteger.valueOf(Long.MIN_VALUE);
  private static final BigInteger MAX_LONG = BigInteger.valueOf(Long.MAX_VALUE);

  private Numbers() {}

  /** The number of a numeric value, truth values included; null for any other value. */
  static @Nullable Number of(@Nullable Object value) {
    if (value instanceof Number number) {
      return number;
    }
    return value instanceof Boolean flag ? (Number) (flag ? 1L : 0L) : null;
  }

  static boolean isWhole(@Nullable Object value) {
    return value instanceof Long || value instanceof BigInteger || value instanceof Boolean;
  }

  /** A whole number in its one form: {@link Long} where it fits. */
  static Number normal(BigInteger value) {
    if (value.compareTo(MIN_LONG) >= 0 && value.compareTo(MAX_LONG) <= 0) {
      return value.longValue();
    }
    if (value.bitLength() > MAX_BITS) {
      throw TemplateException.limit("a whole number has more than " + MAX_BITS + " bits");
    }
    return value;
  }

  static BigInteger big(Number value) {
    return value instanceof BigInteger b ? b : BigInteger.valueOf(value.longValue());
  }

  static double real(Number value) {
    double real = value.doubleValue();
    if (value instanceof BigInteger && Double.isInfinite(real)) {
      throw type("int too large to convert to float");
    }
    return real;
  }

  /** A whole number clamped to the range of int, for indices and widths. */
  static int clamp(Number value) {
    BigInteger big = big(value);
    return big.bitLength() < 32 ? big.intValue() : big.signum() * Integer.MAX_VALUE;
  }

  static int compare(Number a, Number b) {
    if (a instanceof Double || b instanceof Double) {
      double x = a.doubleValue();
      double y = b.doubleValue();
      if (Double.isNaN(x) || Double.isNaN(y)) {
        return UNORDERED;
      }
      boolean exact = a instanceof Double && b instanceof Double;
      if (exact || Double.isInfinite(x) || Double.isInfinite(y) || x != y) {
        return x < y ? -1 : x > y ? 1 : 0;
      }
      return decimal(a).compareTo(decimal(b));
    }
    return a instanceof Long x && b instanceof Long y
        ? Long.compare(x, y)
        : big(a).compareTo(big(b));
  }

  private static BigDecimal decimal(Number value) {
    return value instanceof Double d ? new BigDecimal(d) : new BigDecimal(big(value));
  }

  /** {@code operator} is one of + - * / // % **. */
  static Number binary(Interpreter in, String operator, Number a, Number b) {
    if (operator.equals("/")) {
      chargeProduct(in, bits(a), bits(b));
      return divide(a, b);
    }
    if (operator.equals("**")
        && (a instanceof Double || b instanceof Double || big(b).signum() < 0)) {
      return realPower(real(a), real(b));
    }
    if (a instanceof Double || b instanceof Double) {
      return real(operator, real(a), real(b));
    }
    if (a instanceof Long x && b instanceof Long y) {
      switch (operator) {
        case "+" -> {
          long sum = x + y;
          if (((x ^ sum) & (y ^ sum)) >= 0) {
            return sum;
          }
        }
        case "-" -> {
          long difference = x - y;
          if (((x ^ y) & (x ^ difference)) >= 0) {
            return difference;
          }
        }
        default -> {}
      }
    }
    return whole(in, operator, big(a), big(b));
  }

  private static Number whole(Interpreter in, String operator, BigInteger a, BigInteger b) {
    chargeProduct(in, a.bitLength(), b.bitLength());
    switch (operator) {
      case "+":
        return normal(a.add(b));
      case "-":
        return normal(a.subtract(b));
      case "*":
        return normal(a.multiply(b));
      case "**":
        if (a.abs().bitLength() > 1 && ((double) a.bitLength() - 1) * b.doubleValue() > MAX_BITS) {
          throw TemplateException.limit("a whole number has more than " + MAX_BITS + " bits");
        }
        long resultBits = Math.min(a.bitLength() * Math.min(b.longValue(), MAX_BITS), MAX_BITS);
        chargeProduct(in, resultBits, resultBits);
        boolean small = a.abs().bitLength() <= 1;
        return normal(a.pow(small ? (b.testBit(0) ? 1 : b.signum() * 2) : b.intValue()));
      default:
        if (b.signum() == 0) {
          throw type("integer division or modulo by zero");
        }
        BigInteger[] both = a.divideAndRemainder(b);
        boolean below = both[1].signum() != 0 && both[1].signum() != b.signum();
        return operator.equals("%")
            ? normal(below ? both[1].add(b) : both[1])
            : normal(below ? both[0].subtract(BigInteger.ONE) : both[0]);
    }
  }

  private static int bits(Number value) {
    return value instanceof BigInteger big ? big.bitLength() : 1;
  }

  private static void chargeProduct(Interpreter in, long bits, long otherBits) {
    in.step(bits * otherBits >> 14);
  }

  private static Number divide(Number a, Number b) {
    if (b.doubleValue() == 0) {
      throw type(
          a instanceof Double || b instanceof Double
              ? "float division by zero"
              : "division by zero");
    }
    boolean exact = Math.abs(a.doubleValue()) <= 1L << 53 && Math.abs(b.doubleValue()) <= 1L << 53;
    if (exact || a instanceof Double || b instanceof Double) {
      return real(a) / real(b);
    }
    // One rounding only, as in Python: 40 digits, and the last one tells that more followed.
    BigDecimal quotient =
        decimal(a).divide(decimal(b), new MathContext(40, java.math.RoundingMode.DOWN));
    boolean more = quotient.multiply(decimal(b)).compareTo(decimal(a)) != 0;
    double result =
        (more
                ? quotient.add(quotient.ulp().multiply(BigDecimal.valueOf(quotient.signum())))
                : quotient)
            .doubleValue();
    if (Double.isInfinite(result)) {
      throw type("integer division result too large for a float");
    }
    return result;
  }

  private static double real(String operator, double a, double b) {
    switch (operator) {
      case "+":
        return a + b;
      case "-":
        return a - b;
      case "*":
        return a * b;
      default:
        if (b == 0) {
          throw type(operator.equals("%") ? "float modulo" : "float floor division by zero");
        }
        double rest = a % b;
        double quotient = (a - rest) / b;
        if (rest != 0 && (b < 0) != (rest < 0)) {
          rest += b;
          quotient -= 1;
        } else if (rest == 0) {
          rest = Math.copySign(0.0, b);
        }
        if (operator.equals("%")) {
          return rest;
        }
        double floor = Math.floor(quotient);
        return quotient == 0
            ? Math.copySign(0.0, a / b)
            : quotient - floor > 0.5 ? floor + 1 : floor;
    }
  }

  private static double realPower(double a, double b) {
    if (a == 0 && b < 0) {
      throw type("0.0 cannot be raised to a negative power");
    }
    if (a < 0 && b != Math.rint(b) && !Double.isInfinite(a) && !Double.isInfinite(b)) {
      throw type("complex numbers are not supported");
    }
    double result = a == 1 || (a == -1 && Double.isInfinite(b)) ? 1 : Math.pow(a, b);
    if (Double.isInfinite(result) && !Double.isInfinite(a) && !Double.isInfinite(b)) {
      throw type("(34, 'Numerical result out of range')");
    }
    return result;
  }

  static Number negate(Number value) {
    return value instanceof Double d ? (Number) (-d) : normal(big(value).negate());
  }

  /** Python's {@code int(text, base)}; null where that fails. */
  static @Nullable Number parseWhole(String text, int base) {
    String digits = Strings.strip(text, null, true, true);
    boolean negative = digits.startsWith("-");
    digits = negative || digits.startsWith("+") ? digits.substring(1) : digits;
    int radix = base;
    if (digits.length() > 1 && digits.charAt(0) == '0') {
      int named = "xob".indexOf(digits.charAt(1) | 0x20);
      int prefix = named < 0 ? -1 : named == 0 ? 16 : named == 1 ? 8 : 2;
      if (prefix > 0 && (base == prefix || base == 0)) {
        radix = prefix;
        digits = digits.substring(digits.startsWith("_", 2) ? 3 : 2);
      }
    }
    radix = radix == 0 ? 10 : radix;
    String plain = digits.replace("_", "");
    if (plain.isEmpty()
        || digits.startsWith("_")
        || digits.endsWith("_")
        || digits.contains("__")) {
      return null;
    }
    if (radix < 2 || radix > 36 || plain.length() > MAX_DIGITS) {
      return null;
    }
    for (int i = 0; i < plain.length(); i++) {
      if (Character.digit(plain.charAt(i), radix) < 0) {
        return null;
      }
    }
    BigInteger value = new BigInteger(plain, radix);
    return normal(negative ? value.negate() : value);
  }

  /** Python's {@code float(text)}; null where that fails. */
  static @Nullable Double parseReal(String text) {
    String plain = Strings.lower(Strings.strip(text, null, true, true));
    boolean negative = plain.startsWith("-");
    String digits = negative || plain.startsWith("+") ? plain.substring(1) : plain;
    if (digits.equals("nan")) {
      return Double.NaN;
    } else if (digits.equals("inf") || digits.equals("infinity")) {
      return negative ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
    }
    boolean digit = false;
    for (int i = 0; i < digits.length(); i++) {
      char c = digits.charAt(i);
      boolean isDigit = c >= '0' && c <= '9';
      digit |= isDigit;
      boolean gap = c == '_' && i > 0 && i + 1 < digits.length();
      gap =
          gap && Character.isDigit(digits.charAt(i - 1)) && Character.isDigit(digits.charAt(i + 1));
      if (!isDigit && !gap && (".e+-".indexOf(c) < 0 || (c == 'e' && !digit))) {
        return null;
      }
    }
    try {
      return digit ? Double.valueOf((negative ? "-" : "") + digits.replace("_", "")) : null;
    } catch (NumberFormatException e) {
      return null;
    }
  }

  /** Towards zero, as Python's {@code int} of a floating-point number. */
  static Number truncate(double value) {
    if (Double.isInfinite(value)) {
      throw type("cannot convert float infinity to integer");
    }
    return normal(new BigDecimal(value).toBigInteger());
  }

  /** Python's {@code round}: to the nearest, halves to even. */
  static Number round(Number value, int digits) {
    if (value instanceof Double d) {
      boolean same = d.isNaN() || d.isInfinite() || digits > 400;
      return same ? d : digits < -400 ? 0.0 * d : rounded(decimal(value), digits, d);
    }
    boolean far = digits < -MAX_DIGITS * 10;
    return digits >= 0 ? value : far ? 0L : normal(half(decimal(value), digits).toBigInteger());
  }

  private static double rounded(BigDecimal exact, int digits, double value) {
    return Math.copySign(half(exact, digits).doubleValue(), value);
  }

  private static BigDecimal half(BigDecimal value, int digits) {
    return value.setScale(digits, java.math.RoundingMode.HALF_EVEN);
  }
}
