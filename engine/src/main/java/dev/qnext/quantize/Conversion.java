package dev.qnext.quantize;

import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.SafetensorsWriter;
import dev.qnext.checkpoint.SafetensorsWriter.Entry;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.checkpoint.StoredWeight;
import dev.qnext.checkpoint.WeightSpec;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A checkpoint in another format, as MLX tools lay it out: experts stacked, 1 added to zero-centred
 * norms, shards of at most 5 GiB. Planned from the source's headers alone; the data are read,
 * rounded and written tensor by tensor, and inside one some rows at a time, so that a model may be
 * much larger than memory. The MTP module keeps its published form, in a file of its own.
 */
public final class Conversion {
  /** mlx-lm begins another file when one would grow beyond this. */
  private static final long SHARD_BYTES = 5L << 30;

  static final String MTP_FILE = "mtp.safetensors";

  private final Checkpoint source;
  private final List<Part> parts = new ArrayList<>();
  private final List<StoredTensor> mtp = new ArrayList<>();

  /** One weight of the model, from one format to another. */
  public record Part(StoredWeight weight, Format to) {
    public WeightSpec spec() {
      return weight.spec();
    }

    /** Bytes to be written. */
    public long bytes() {
      return spec().bytes(to);
    }
  }

  private Conversion(Checkpoint source) {
    this.source = source;
  }

  /**
   * Finds every weight and decides its format. Matrices whose rows the recipe's groups do not
   * divide stay plain, as with mlx-lm.
   *
   * @param layout all weights of the model but those of the MTP module
   */
  public static Conversion plan(Checkpoint source, Layout layout, Recipe recipe) {
    Conversion conversion = new Conversion(source);
    for (WeightSpec spec : layout.weights()) {
      // Rows are kept in the order of the file; models permute them when they bind.
      WeightSpec stored =
          new WeightSpec(
              spec.path(), spec.kind(), spec.experts(), spec.rows(), spec.columns(), null);
      StoredWeight weight = source.find(stored);
      conversion.parts.add(new Part(weight, format(stored, weight.format(), recipe)));
    }
    for (StoredTensor tensor : source.tensors().values()) {
      if (tensor.name().startsWith("mtp.")) {
        conversion.mtp.add(tensor);
      }
    }
    return conversion;
  }

  private static Format format(WeightSpec spec, Format from, Recipe recipe) {
    boolean matrix =
        spec.kind() == WeightSpec.Kind.MATRIX || spec.kind() == WeightSpec.Kind.EXPERTS;
    Format wanted = recipe.format(spec.path());
    // What MLX computes from a weight has the weight's type.
    DType type = from.mode() == Format.Mode.PLAIN ? from.scaleType() : DType.BF16;
    if (!matrix || wanted.mode() == Format.Mode.PLAIN || spec.columns() % wanted.group() != 0) {
      return Format.plain(type);
    }
    return wanted.mode() == Format.Mode.AFFINE
        ? new Format(wanted.mode(), wanted.bits(), wanted.group(), type)
        : wanted;
  }

  Checkpoint source() {
    return source;
  }

  /** In the order in which they are written. */
  public List<Part> parts() {
    return List.copyOf(parts);
  }

  /** Whether the source holds matrices that are quantized already, and would lose once more. */
  public boolean requantizes() {
    return parts.stream().anyMatch(p -> p.weight().format().mode() != Format.Mode.PLAIN);
  }

  /** Bytes of all tensors to be written, without those of the MTP module. */
  public long bytes() {
    return parts.stream().mapToLong(Part::bytes).sum();
  }

  public long mtpBytes() {
    return mtp.stream().mapToLong(t -> t.data().byteSize()).sum();
  }

  /** Numbers of the model, without those of the MTP module. */
  public long parameters() {
    return parts.stream()
        .map(Part::spec)
        .mapToLong(s -> (long) s.experts() * s.rows() * s.columns())
        .sum();
  }

  /** Told of progress, in bytes of the source's matrices. */
  @FunctionalInterface
  public interface Progress {
    void done(long bytes, String path);
  }

  /**
   * Writes all files but config.json into a folder that exists.
   *
   * @return config.json's quantization; empty if nothing is quantized
   */
  public Map<String, Object> write(Path folder, int threads, Progress progress) {
    List<List<Part>> shards = shards();
    Map<String, String> files = new TreeMap<>();
    try (RowRounding rounding = new RowRounding(threads)) {
      for (int i = 0; i < shards.size(); i++) {
        String name =
            shards.size() == 1
                ? "model.safetensors"
                : "model-%05d-of-%05d.safetensors".formatted(i + 1, shards.size());
        writeShard(folder.resolve(name), shards.get(i), files, rounding, progress);
      }
    }
    if (!mtp.isEmpty()) {
      writeMtp(folder.resolve(MTP_FILE));
    }
    Map<String, Object> index = new LinkedHashMap<>();
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("total_size", bytes());
    metadata.put("total_parameters", parameters());
    index.put("metadata", metadata);
    index.put("weight_map", files);
    ConversionFiles.writeJson(folder.resolve("model.safetensors.index.json"), index);
    ConversionFiles.copyCompanions(source.folder(), folder);
    return quantization();
  }

  private List<List<Part>> shards() {
    List<List<Part>> shards = new ArrayList<>();
    long size = 0;
    for (Part part : parts) {
      if (shards.isEmpty() || size + part.bytes() > SHARD_BYTES) {
        shards.add(new ArrayList<>());
        size = 0;
      }
      shards.getLast().add(part);
      size += part.bytes();
    }
    return shards;
  }

  private void writeShard(
      Path file,
      List<Part> shard,
      Map<String, String> files,
      RowRounding rounding,
      Progress progress) {
    List<Entry> entries = new ArrayList<>();
    shard.forEach(part -> entries.addAll(entries(part)));
    entries.forEach(entry -> files.put(entry.name(), String.valueOf(file.getFileName())));
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(file, entries, Map.of("format", "mlx"))) {
      for (Part part : shard) {
        switch (part.spec().kind()) {
          case NORM, VECTOR -> writeVector(part, writer);
          case MATRIX, EXPERTS -> rounding.write(part, writer);
        }
        progress.done(part.weight().bytes(), part.spec().path());
      }
      writer.finish();
    }
  }

  private List<Entry> entries(Part part) {
    WeightSpec spec = part.spec();
    Format to = part.to();
    String path = spec.path();
    switch (spec.kind()) {
      case NORM -> {
        return List.of(new Entry(path + ".weight", to.scaleType(), List.of((long) spec.columns())));
      }
      case VECTOR -> {
        String name = source.tensors().containsKey(path) ? path : path + ".weight";
        StoredTensor tensor = java.util.Objects.requireNonNull(source.tensors().get(name));
        long[] s = tensor.shape();
        // A convolution's taps come last as published, and before a 1 in MLX's order.
        boolean taps = s.length == 3 && s[1] == 1 && s[2] != 1;
        List<Long> shape = taps ? List.of(s[0], s[2], 1L) : boxed(s);
        return List.of(new Entry(name, to.scaleType(), shape));
      }
      default -> {
        List<Long> rows = new ArrayList<>();
        if (spec.kind() == WeightSpec.Kind.EXPERTS) {
          rows.add((long) spec.experts());
        }
        rows.add((long) spec.rows());
        if (to.mode() == Format.Mode.PLAIN) {
          return List.of(new Entry(path + ".weight", to.scaleType(), with(rows, spec.columns())));
        }
        List<Entry> entries = new ArrayList<>();
        entries.add(
            new Entry(path + ".weight", DType.U32, with(rows, to.rowBytes(spec.columns()) / 4)));
        List<Long> groups = with(rows, spec.columns() / to.group());
        entries.add(new Entry(path + ".scales", to.scaleType(), groups));
        if (to.mode() == Format.Mode.AFFINE) {
          entries.add(new Entry(path + ".biases", to.scaleType(), groups));
        }
        return entries;
      }
    }
  }

  private static List<Long> boxed(long[] sizes) {
    List<Long> list = new ArrayList<>();
    for (long size : sizes) {
      list.add(size);
    }
    return list;
  }

  private static List<Long> with(List<Long> rows, long last) {
    List<Long> shape = new ArrayList<>(rows);
    shape.add(last);
    return shape;
  }

  private static void writeVector(Part part, SafetensorsWriter writer) {
    float[] values = part.weight().floats();
    byte[] bytes = new byte[Math.toIntExact(part.bytes())];
    PlainNumbers.put(part.to().scaleType(), values, values.length, bytes, 0);
    writer.write(MemorySegment.ofArray(bytes));
  }

  private void writeMtp(Path file) {
    List<Entry> entries = new ArrayList<>();
    mtp.forEach(t -> entries.add(new Entry(t.name(), t.type(), boxed(t.shape()))));
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(file, entries, Map.of("format", "pt"))) {
      mtp.forEach(t -> writer.write(t.data()));
      writer.finish();
    }
  }

  /** As mlx-lm writes it: the most common format on top, the others by path. */
  private Map<String, Object> quantization() {
    Map<Format, Long> bytes = new LinkedHashMap<>();
    for (Part part : parts) {
      if (part.to().mode() != Format.Mode.PLAIN) {
        bytes.merge(part.to(), part.bytes(), Long::sum);
      }
    }
    if (bytes.isEmpty()) {
      return Map.of();
    }
    Format most =
        java.util.Collections.max(bytes.entrySet(), Map.Entry.comparingByValue()).getKey();
    Map<String, Object> quantization = new LinkedHashMap<>(entry(most));
    for (Part part : parts) {
      if (part.to().mode() != Format.Mode.PLAIN && !part.to().equals(most)) {
        quantization.put(part.spec().path(), entry(part.to()));
      }
    }
    return quantization;
  }

  private static Map<String, Object> entry(Format format) {
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("group_size", (long) format.group());
    entry.put("bits", (long) format.bits());
    entry.put("mode", format.mode().name().toLowerCase(java.util.Locale.ROOT));
    return entry;
  }
}
