package dev.qnext.quantize;

import dev.qnext.QnextException;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Format;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which format each module of a model gets: ordered rules over the checkpoint's paths, of which the
 * first that fits decides.
 *
 * <pre>
 * qxAB[n][x][-hi]        B bits for data (routed experts, dense MLPs), A bits for attention paths,
 *                        shared expert, embeddings and head; groups of 64, with -hi of 32
 * 2bit 3bit 4bit 5bit 6bit 8bit    one width for all, groups of 64: mlx-lm's own default
 * mxfp4 mxfp8 nvfp4      one floating format for all
 * bf16                   nothing is quantized
 * </pre>
 *
 * <p>In all but bf16 the router and the gate of the shared expert have 8 bits in groups of 64, and
 * norms, convolutions, A_log, dt_bias and the MTP module stay plain. The qx names are a reading of
 * the model cards, not their author's tables, which are not published; n and x mark corrections to
 * what this reading does anyway, and change nothing here.
 */
public final class Recipe {
  /** Names worth offering; the grammar knows more. */
  public static final List<String> NAMES =
      List.of(
          "qx53n",
          "qx64n",
          "qx64n-hi",
          "qx65n",
          "qx65n-hi",
          "qx86n",
          "qx86n-hi",
          "qx86-hi",
          "2bit",
          "3bit",
          "4bit",
          "5bit",
          "6bit",
          "8bit",
          "mxfp4",
          "mxfp8",
          "nvfp4",
          "bf16");

  private static final Pattern QX = Pattern.compile("qx([0-9])([0-9])n?x?(-hi)?");
  private static final Pattern WIDTH = Pattern.compile("([0-9])bit");

  private static final Pattern MTP = Pattern.compile("mtp\\..*");
  private static final Pattern GATES = Pattern.compile(".*\\.mlp\\.(gate|shared_expert_gate)");
  private static final Pattern SMALL =
      Pattern.compile("(.*\\.)?([a-z_]*norm|conv1d|A_log|dt_bias)");
  private static final Pattern DATA =
      Pattern.compile(".*\\.mlp\\.((switch_mlp|experts\\.[0-9]+)\\.)?(gate|up|down)_proj");
  private static final Pattern ALL = Pattern.compile(".*");

  private static final Format PLAIN = Format.plain(DType.BF16);

  private final String name;
  private final List<Rule> rules;

  /** What the modules whose whole path fits the pattern get. */
  private record Rule(Pattern path, Format format) {}

  private Recipe(String name, List<Rule> rules) {
    this.name = name;
    this.rules = List.copyOf(rules);
  }

  /**
   * The recipe of this name.
   *
   * @throws QnextException if there is none; the sentence names the nearest
   */
  public static Recipe of(String name) {
    Matcher qx = QX.matcher(name);
    if (qx.matches()) {
      int group = qx.group(3) == null ? 64 : 32;
      return quantized(name, affine(name, qx.group(1), group), affine(name, qx.group(2), group));
    }
    Matcher width = WIDTH.matcher(name);
    if (width.matches()) {
      return quantized(name, affine(name, width.group(1), 64));
    }
    return switch (name) {
      case "mxfp4" -> quantized(name, new Format(Format.Mode.MXFP4, 4, 32, DType.U8));
      case "mxfp8" -> quantized(name, new Format(Format.Mode.MXFP8, 8, 32, DType.U8));
      case "nvfp4" -> quantized(name, new Format(Format.Mode.NVFP4, 4, 16, DType.U8));
      case "bf16" -> new Recipe(name, List.of());
      default ->
          throw new QnextException(
              "there is no recipe \"%s\"; the nearest is %s, and others are %s"
                  .formatted(name, nearest(name), String.join(", ", NAMES)));
    };
  }

  private static Format affine(String name, String digit, int group) {
    int bits = Integer.parseInt(digit);
    if (bits < 2 || bits == 7 || bits > 8) {
      throw new QnextException(
          "the recipe %s asks for %d bits, but there are formats of 2, 3, 4, 5, 6 and 8 bits"
              .formatted(name, bits));
    }
    return new Format(Format.Mode.AFFINE, bits, group, DType.BF16);
  }

  private static Recipe quantized(String name, Format all) {
    return quantized(name, all, all);
  }

  private static Recipe quantized(String name, Format attention, Format data) {
    List<Rule> rules = new ArrayList<>();
    rules.add(new Rule(MTP, PLAIN));
    rules.add(new Rule(SMALL, PLAIN));
    rules.add(new Rule(GATES, new Format(Format.Mode.AFFINE, 8, 64, DType.BF16)));
    rules.add(new Rule(DATA, data));
    rules.add(new Rule(ALL, attention));
    return new Recipe(name, rules);
  }

  public String name() {
    return name;
  }

  /**
   * The format of a module's weight.
   *
   * @param path as in the checkpoint, such as {@code model.layers.3.self_attn.q_proj}
   */
  public Format format(String path) {
    for (Rule rule : rules) {
      if (rule.path.matcher(path).matches()) {
        return rule.format;
      }
    }
    return PLAIN;
  }

  private static String nearest(String name) {
    String nearest = NAMES.getFirst();
    int least = Integer.MAX_VALUE;
    for (String candidate : NAMES) {
      int edits = edits(name.toLowerCase(Locale.ROOT), candidate);
      if (edits < least) {
        least = edits;
        nearest = candidate;
      }
    }
    return nearest;
  }

  /** Characters to insert, remove or replace (Levenshtein). */
  private static int edits(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
