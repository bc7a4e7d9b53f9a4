package dev.qnext.checkpoint;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A model folder: config.json, generation_config.json and the weights, memory-mapped; or the same
 * made in memory.
 *
 * <p>Two layouts are read alike. As published (Hugging Face): one tensor per expert, {@code conv1d}
 * [C, 1, K], norms zero-centred, {@code mtp.*} inside. As converted by MLX tools: experts stacked
 * under {@code switch_mlp}, {@code conv1d} [C, K, 1], 1 added to the norms, no {@code mtp.*}; these
 * then lie, with zero-centred norms, in {@code mtp.safetensors} beside it.
 */
public final class Checkpoint implements AutoCloseable {
  private static final String MTP_FILE = "mtp.safetensors";
  private static final MemorySegment NOTHING = MemorySegment.NULL;

  private final Path folder;
  private final Config config;
  private final Config generationConfig;
  private final Arena arena;
  private final Map<String, StoredTensor> tensors;
  private final boolean converted;
  private final Quantization quantization;

  private Checkpoint(
      Path folder,
      Config config,
      Config generationConfig,
      Map<String, StoredTensor> tensors,
      Arena arena) {
    this.folder = folder;
    this.config = config;
    this.generationConfig = generationConfig;
    this.quantization = new Quantization(config);
    this.tensors = tensors;
    this.converted = converted(tensors);
    this.arena = arena;
  }

  /** Opens a folder; weights are mapped, not read. */
  public static Checkpoint open(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new QnextException(
          "there is no model folder %s; give the folder of a model".formatted(folder));
    }
    if (!Files.exists(folder.resolve("config.json"))) {
      throw new QnextException(
          "%s is no model folder: it has no config.json; give another, or download the model again"
              .formatted(folder));
    }
    Config config = Config.read(folder.resolve("config.json"));
    Path generation = folder.resolve("generation_config.json");
    Arena arena = Arena.ofShared();
    try {
      return new Checkpoint(
          folder,
          config,
          Files.exists(generation) ? Config.read(generation) : Config.empty(generation),
          tensors(folder, arena),
          arena);
    } catch (Throwable e) {
      arena.close();
      throw e;
    }
  }

  /**
   * The config.json of a folder that looks whole: the kind of quantization is one that is
   * supported, and every file of weights is there. A look at names alone, which opens none of them.
   */
  public static Config look(Path folder) {
    Config config = Config.read(folder.resolve("config.json"));
    new Quantization(config);
    files(folder);
    return config;
  }

  /**
   * A checkpoint that lies in memory alone.
   *
   * @param config its file names a folder for messages, which need not be there
   * @param arena owns the tensors' memory; closed with the checkpoint
   */
  public static Checkpoint of(Config config, Collection<StoredTensor> tensors, Arena arena) {
    Map<String, StoredTensor> byName = new LinkedHashMap<>();
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
    return new Checkpoint(
        config.file().resolveSibling(""),
        config,
        Config.empty(config.file().resolveSibling("generation_config.json")),
        byName,
        arena);
  }

  private static Map<String, StoredTensor> tensors(Path folder, Arena arena) {
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    for (String name : files(folder)) {
      Safetensors.open(folder.resolve(name), arena)
          .tensors()
          .forEach((key, tensor) -> {
            StoredTensor other = tensors.put(key, tensor);
            if (other != null) {
              throw new QnextException(
                  "%s is in both %s and %s; remove the file that is of another model"
                      .formatted(key, other.file(), tensor.file()));
            }
          });
    }
    Path mtp = folder.resolve(MTP_FILE);
    if (Files.exists(mtp)) {
      tensors.putAll(Safetensors.open(mtp, arena).tensors());
    }
    return tensors;
  }

  /** The index's files; without an index, all {@code model*.safetensors}. */
  private static Collection<String> files(Path folder) {
    Path index = folder.resolve("model.safetensors.index.json");
    TreeSet<String> names = new TreeSet<>();
    if (Files.exists(index)) {
      if (!(Config.read(index).get("weight_map") instanceof Map<?, ?> map) || map.isEmpty()) {
        throw new QnextException("%s lacks a \"weight_map\"; download it again".formatted(index));
      }
      for (Object value : map.values()) {
        if (!(value instanceof String name) || !isWeightsFile(name)) {
          throw new QnextException(
              "%s: \"weight_map\" names %s, which is no safetensors file of this folder; download it again"
                  .formatted(index, Json.write(value)));
        }
        names.add(name);
      }
      for (String name : names) {
        if (!Files.exists(folder.resolve(name))) {
          throw new QnextException(
              "%s is named in %s but is not there; the download is incomplete, so go on with it"
                  .formatted(folder.resolve(name), index.getFileName()));
        }
      }
      return names;
    }
    try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, "model*.safetensors")) {
      found.forEach(path -> names.add(path.getFileName().toString()));
    } catch (IOException e) {
      throw new QnextException("cannot list %s: %s".formatted(folder, e.getMessage()), e);
    }
    if (names.isEmpty()) {
      throw new QnextException(
          "%s holds no model*.safetensors; the download is incomplete, so go on with it"
              .formatted(folder));
    }
    return names;
  }

  private static boolean isWeightsFile(String name) {
    try {
      return name.endsWith(".safetensors")
          && !name.contains("\\")
          && Path.of(name).equals(Path.of(name).getFileName());
    } catch (InvalidPathException e) {
      return false;
    }
  }

  /**
   * Which layout: told by the experts' names or the convolution's shape, never by the values of
   * norms. Other clues decide for a model that has neither.
   */
  private static boolean converted(Map<String, StoredTensor> tensors) {
    for (StoredTensor tensor : tensors.values()) {
      String name = tensor.name();
      if (name.startsWith("mtp.")) {
        continue;
      }
      if (name.contains(".mlp.experts.0.")) {
        return false;
      }
      if (name.contains(".mlp.switch_mlp.") || name.endsWith(".scales")) {
        return true;
      }
      if (name.endsWith(".linear_attn.conv1d.weight") && tensor.shape().length == 3) {
        return tensor.shape()[1] != 1;
      }
    }
    return false;
  }

  public Path folder() {
    return folder;
  }

  public Config config() {
    return config;
  }

  /** generation_config.json; empty if the folder has none. */
  public Config generationConfig() {
    return generationConfig;
  }

  /** True for MLX conversions, false for the published layout. */
  public boolean converted() {
    return converted;
  }

  public Map<String, StoredTensor> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  /** Bytes of all tensors. */
  public long bytes() {
    long bytes = 0;
    for (StoredTensor tensor : tensors.values()) {
      bytes += tensor.data().byteSize();
    }
    return bytes;
  }

  /**
   * Finds a weight in whichever layout the folder has, and checks its shapes.
   *
   * @throws QnextException if it is missing or does not fit; the sentence names tensor, file and
   *     shapes
   */
  public StoredWeight find(WeightSpec spec) {
    return switch (spec.kind()) {
      case MATRIX -> matrices(spec, false);
      case EXPERTS -> matrices(spec, tensors.containsKey(spec.path() + ".weight"));
      case NORM -> vector(spec, tensor(spec.path() + ".weight"), zeroCentred(spec.path()));
      case VECTOR -> {
        String name = spec.path();
        yield vector(spec, tensor(tensors.containsKey(name) ? name : name + ".weight"), false);
      }
    };
  }

  private boolean zeroCentred(String path) {
    return !converted || path.startsWith("mtp.");
  }

  private StoredTensor tensor(String name) {
    StoredTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new QnextException(
          "%s has no tensor %s, which config.json asks for; download the model again"
              .formatted(folder, name));
    }
    return tensor;
  }

  private static StoredWeight vector(WeightSpec spec, StoredTensor tensor, boolean zeroCentred) {
    if (!tensor.type().isFloat() || tensor.count() != spec.columns()) {
      throw new QnextException(
          "%s in %s is %s %s but must hold %d floating numbers; download it again"
              .formatted(
                  tensor.name(), tensor.file(), tensor.type(), tensor.shapeText(), spec.columns()));
    }
    return new StoredWeight(
        spec,
        Format.plain(tensor.type()),
        List.of(new StoredWeight.Matrix(tensor.data(), NOTHING, NOTHING)),
        zeroCentred);
  }

  /** One module per matrix, or one of all experts stacked. */
  private StoredWeight matrices(WeightSpec spec, boolean stacked) {
    List<StoredWeight.Matrix> matrices = new ArrayList<>();
    Format format = null;
    for (int e = 0; e < (stacked ? 1 : spec.experts()); e++) {
      String path =
          spec.kind() == WeightSpec.Kind.EXPERTS && !stacked
              ? spec.path().replace(".switch_mlp.", ".experts.%d.".formatted(e))
              : spec.path();
      StoredTensor weight = tensor(path + ".weight");
      if (tensors.containsKey(path + ".bias")) {
        throw new QnextException(
            "%s in %s has a bias, which is not supported".formatted(path, weight.file()));
      }
      if (tensors.containsKey(path + ".global_scale")) {
        throw new QnextException(
            "%s in %s has a global scale, which is not supported; quantize to nvfp4 without it"
                .formatted(path, weight.file()));
      }
      StoredTensor scales = tensors.get(path + ".scales");
      Format of = quantization.format(path, spec.columns(), weight, scales);
      if (of == null) {
        if (!weight.type().isFloat()) {
          throw new QnextException(
              "%s in %s is %s, but plain weights must be F32, F16 or BF16; use an MLX conversion or the bf16 weights"
                  .formatted(weight.name(), weight.file(), weight.type()));
        }
        of = Format.plain(weight.type());
      }
      if (format != null && !format.equals(of)) {
        throw new QnextException(
            "the experts of %s have different formats, %s and %s, in %s"
                .formatted(spec.path(), format, of, folder));
      }
      format = of;
      matrices.addAll(matrices(spec, path, weight, scales, of, stacked));
    }
    return new StoredWeight(spec, java.util.Objects.requireNonNull(format), matrices, false);
  }

  private List<StoredWeight.Matrix> matrices(
      WeightSpec spec,
      String path,
      StoredTensor weight,
      @Nullable StoredTensor scales,
      Format format,
      boolean stacked) {
    boolean plain = format.mode() == Format.Mode.PLAIN;
    long words = plain ? spec.columns() : format.rowBytes(spec.columns()) / 4;
    expect(spec, weight, stacked, words);
    int experts = stacked ? spec.experts() : 1;
    StoredTensor biases = null;
    if (scales != null && !plain) {
      expect(spec, scales, stacked, spec.columns() / format.group());
      if (format.mode() == Format.Mode.AFFINE) {
        biases = tensor(path + ".biases");
        expect(spec, biases, stacked, spec.columns() / format.group());
        if (biases.type() != scales.type()) {
          throw new QnextException(
              "%s in %s is %s but its scales are %s"
                  .formatted(biases.name(), biases.file(), biases.type(), scales.type()));
        }
      }
    }
    List<StoredWeight.Matrix> matrices = new ArrayList<>();
    for (int e = 0; e < experts; e++) {
      matrices.add(
          new StoredWeight.Matrix(
              part(weight, e, experts),
              plain ? NOTHING : part(scales, e, experts),
              part(biases, e, experts)));
    }
    return matrices;
  }

  private static void expect(WeightSpec spec, StoredTensor tensor, boolean stacked, long columns) {
    long[] shape =
        stacked
            ? new long[] {spec.experts(), spec.rows(), columns}
            : new long[] {spec.rows(), columns};
    if (!Arrays.equals(tensor.shape(), shape)) {
      throw new QnextException(
          "%s in %s has the shape %s but config.json makes it %s; download both again"
              .formatted(tensor.name(), tensor.file(), tensor.shapeText(), Arrays.toString(shape)));
    }
  }

  private static MemorySegment part(@Nullable StoredTensor tensor, int part, int parts) {
    if (tensor == null) {
      return NOTHING;
    }
    long bytes = tensor.data().byteSize() / parts;
    return tensor.data().asSlice(part * bytes, bytes);
  }

  @Override
  public void close() {
    arena.close();
  }
}
