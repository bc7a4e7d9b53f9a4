package dev.qnext.model;

import dev.qnext.backend.Rope;
import dev.qnext.checkpoint.Config;

/**
 * Rotary frequencies from config.json: {@code rope_theta}, {@code partial_rotary_factor} and {@code
 * rope_scaling} at the top, or all of them under {@code rope_parameters}. Types: default, linear,
 * yarn.
 *
 * <p>Source: transformers, modeling_rope_utils.py; YaRN: arXiv 2309.00071, sections 3.2 to 3.4.
 * Arithmetic in f32 where transformers has f32.
 */
final class RopeFrequencies {
  private RopeFrequencies() {}

  static Rope of(Config config, int headDim, int maxPositions) {
    Config parameters = parameters(config);
    double theta = parameters.number("rope_theta", config.number("rope_theta", 10_000));
    double partial =
        parameters.number("partial_rotary_factor", config.number("partial_rotary_factor", 0.25));
    int dim = (int) (headDim * partial);
    if (theta <= 0) {
      throw config.wrong("rope_theta", theta, "a number above 0");
    }
    if (dim < 2 || dim > headDim || dim % 2 != 0) {
      throw config.wrong(
          "partial_rotary_factor",
          partial,
          "a share of head_dim %d that makes an even number of rotated dimensions"
              .formatted(headDim));
    }
    float[] periods = new float[dim / 2];
    for (int i = 0; i < periods.length; i++) {
      periods[i] = (float) Math.pow(theta, (float) (2 * i) / dim);
    }
    String type = type(parameters);
    return switch (type) {
      case "default" -> new Rope(dim, interpolated(periods, 1), 1);
      case "linear" -> new Rope(dim, interpolated(periods, factor(parameters)), 1);
      case "yarn" -> yarn(parameters, dim, theta, periods, maxPositions);
      default ->
          throw parameters.wrong("rope_type", type, "one of \"default\", \"linear\", \"yarn\"");
    };
  }

  /** Positions that the frequencies were stretched for. */
  static long contextLimit(Config config, int maxPositions) {
    Config parameters = parameters(config);
    if (!type(parameters).equals("yarn")) {
      return maxPositions;
    }
    int original = parameters.size("original_max_position_embeddings", maxPositions);
    return Math.max(
        maxPositions, (long) (yarnFactor(parameters, original, maxPositions) * original));
  }

  /** Where a file has both, the older key counts, as in transformers. */
  private static Config parameters(Config config) {
    Config older = config.object("rope_scaling");
    return older.isEmpty() ? config.object("rope_parameters") : older;
  }

  private static String type(Config parameters) {
    return parameters.text("rope_type", parameters.text("type", "default"));
  }

  private static double factor(Config parameters) {
    double factor = parameters.number("factor", 0);
    if (factor <= 0) {
      throw parameters.wrong("factor", parameters.get("factor"), "a number above 0");
    }
    return factor;
  }

  private static double yarnFactor(Config parameters, int original, int maxPositions) {
    return parameters.has("factor") ? factor(parameters) : (double) maxPositions / original;
  }

  private static float[] interpolated(float[] periods, double factor) {
    float[] frequencies = new float[periods.length];
    for (int i = 0; i < periods.length; i++) {
      frequencies[i] = 1f / ((float) factor * periods[i]);
    }
    return frequencies;
  }

  private static Rope yarn(
      Config parameters, int dim, double theta, float[] periods, int maxPositions) {
    int original = parameters.size("original_max_position_embeddings", maxPositions);
    double factor = yarnFactor(parameters, original, maxPositions);
    double low = turns(orIfZero(parameters.number("beta_fast", 0), 32), dim, theta, original);
    double high = turns(orIfZero(parameters.number("beta_slow", 0), 1), dim, theta, original);
    if (parameters.flag("truncate", true)) {
      low = Math.floor(low);
      high = Math.ceil(high);
    }
    low = Math.max(low, 0);
    high = Math.min(high, dim - 1);
    if (low == high) {
      high += 0.001; // no division by zero
    }
    float[] slow = interpolated(periods, factor);
    float[] fast = interpolated(periods, 1);
    float[] frequencies = new float[periods.length];
    for (int i = 0; i < frequencies.length; i++) {
      float ramp = Math.clamp((float) ((i - low) / (high - low)), 0f, 1f);
      float extrapolated = 1 - ramp;
      frequencies[i] = slow[i] * (1 - extrapolated) + fast[i] * extrapolated;
    }
    return new Rope(dim, frequencies, (float) attentionFactor(parameters, factor));
  }

  private static double orIfZero(double number, double missing) {
    return number == 0 ? missing : number;
  }

  /** The dimension whose frequency makes so many turns over the original context. */
  private static double turns(double count, int dim, double theta, int original) {
    return dim * Math.log(original / (count * 2 * Math.PI)) / (2 * Math.log(theta));
  }

  private static double attentionFactor(Config parameters, double factor) {
    if (parameters.has("attention_factor")) {
      return parameters.number("attention_factor", 1);
    }
    double scale = parameters.number("mscale", 0);
    double allDimensions = parameters.number("mscale_all_dim", 0);
    return scale != 0 && allDimensions != 0
        ? mscale(factor, scale) / mscale(factor, allDimensions)
        : mscale(factor, 1);
  }

  private static double mscale(double factor, double scale) {
    return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
  }
}
