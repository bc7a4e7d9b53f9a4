package dev.qnext.checkpoint;

import dev.qnext.QnextException;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Which format a module has, by the loader rule of mlx-lm 0.32.2 ({@code utils.py}, load_model):
 * its own entry in config.json's {@code quantization}; else plain if it has no {@code scales}; else
 * inferred from the shapes, never from the top-level values.
 *
 * <p>Shapes of weight and scales alone do not decide (3 bit in groups of 64 and 6 bit in groups of
 * 32 look alike); with the input width from the architecture they do, and they are also checked
 * against an entry.
 */
final class Quantization {
  private static final Set<Object> MODES = Set.of("affine", "mxfp4", "mxfp8", "nvfp4");

  private final Map<?, ?> entries;

  Quantization(Config config) {
    Object entries = config.get("quantization");
    if (entries == null) {
      entries = config.get("quantization_config");
    }
    if (entries instanceof Map<?, ?> map && map.containsKey("quant_method")) {
      throw new QnextException(
          "%s asks for the quantization method \"%s\", which is not supported; use an MLX conversion or the bf16 weights"
              .formatted(config.file(), map.get("quant_method")));
    }
    this.entries = entries instanceof Map<?, ?> map ? map : Map.of();
    requireKnownModes(config);
  }

  /** The mode of the whole decides nothing, but one that nobody knows stands for other shapes. */
  private void requireKnownModes(Config config) {
    requireKnown(config, "quantization.mode", this.entries.get("mode"));
    this.entries.forEach((path, entry) -> {
      if (entry instanceof Map<?, ?> told) {
        requireKnown(config, "quantization." + path + ".mode", told.get("mode"));
      }
    });
  }

  private static void requireKnown(Config config, String key, @Nullable Object mode) {
    if (mode != null && !MODES.contains(mode)) {
      throw config.wrong(key, mode, "affine, mxfp4, mxfp8 or nvfp4");
    }
  }

  /**
   * The format of a quantized module, whose matrix has so many columns; null if it is stored plain.
   */
  @Nullable Format format(
      String path, int columns, StoredTensor weight, @Nullable StoredTensor scales) {
    Object entry = entries.get(path);
    if (Boolean.FALSE.equals(entry) || entry == null && scales == null) {
      return null;
    }
    if (scales == null) {
      throw new QnextException(
          "config.json says that %s is quantized, but %s has no %s.scales; download both again"
              .formatted(path, weight.file(), path));
    }
    long groups = lastDimension(scales);
    long words = lastDimension(weight);
    long group = groups > 0 && columns % groups == 0 ? columns / groups : 0;
    long bits = words * 32 % columns == 0 ? words * 32 / columns : 0;
    boolean bytes = scales.type() == DType.U8;
    Format.Mode mode =
        !bytes
            ? Format.Mode.AFFINE
            : bits == 8 ? Format.Mode.MXFP8 : group == 16 ? Format.Mode.NVFP4 : Format.Mode.MXFP4;
    Format found = new Format(mode, (int) bits, (int) group, scales.type());
    boolean known =
        switch (mode) {
          case AFFINE ->
              scales.type().isFloat()
                  && (group == 32 || group == 64 || group == 128)
                  && (bits >= 2 && bits <= 6 || bits == 8);
          case MXFP4 -> bits == 4 && group == 32;
          case MXFP8 -> bits == 8 && group == 32;
          default -> bits == 4 && group == 16;
        };
    if (!known || weight.type() != DType.U32) {
      throw new QnextException(
          "%s in %s has weights %s %s and scales %s %s, which is no known format for %d columns"
              .formatted(
                  path,
                  weight.file(),
                  weight.type(),
                  weight.shapeText(),
                  scales.type(),
                  scales.shapeText(),
                  columns));
    }
    if (entry instanceof Map<?, ?> told) {
      check(path, told, found, weight, scales);
    }
    return found;
  }

  /** 0 for a tensor that has none. */
  private static long lastDimension(StoredTensor tensor) {
    long[] shape = tensor.shape();
    return shape.length == 0 ? 0 : shape[shape.length - 1];
  }

  private static void check(
      String path, Map<?, ?> told, Format found, StoredTensor weight, StoredTensor scales) {
    Object mode = told.get("mode");
    String modeName = mode == null ? "affine" : mode.toString();
    Object bits = told.get("bits");
    Object group = told.get("group_size");
    if (!modeName.equals(found.mode().name().toLowerCase(Locale.ROOT))
        || bits instanceof Long b && b != found.bits()
        || group instanceof Long g && g != found.group()) {
      throw new QnextException(
          "config.json says that %s is %s with %s bits in groups of %s, but %s holds weights %s and scales %s, which is %s"
              .formatted(
                  path,
                  modeName,
                  bits,
                  group,
                  weight.file(),
                  weight.shapeText(),
                  scales.shapeText(),
                  found));
    }
  }
}
