package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Config;
import dev.qnext.model.LanguageModel;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A whole model folder of an architecture that this program has, and what its config.json and the
 * sizes of its files tell.
 *
 * @param format of the weights: "4 bit", "3-5 bit", "mxfp4", "bf16"
 * @param bytes of all files in the folder
 */
record RunnableModel(String name, Path folder, String format, long bytes) {
  /**
   * Null for a model of another architecture, and for what only looks like a model.
   *
   * @throws QnextException if files are missing or the kind of quantization is not supported
   */
  static @Nullable RunnableModel of(Models.Named named) {
    Path folder = named.folder();
    Config config;
    try {
      config = Config.read(folder.resolve("config.json"));
    } catch (QnextException e) {
      return null;
    }
    if (!LanguageModel.isSupported(config)) {
      return null;
    }
    Checkpoint.look(folder);
    return new RunnableModel(named.name(), folder, format(config), bytes(folder));
  }

  /** The widths of all modules but the router and the shared expert's gate, which are small. */
  static String format(Config config) {
    if (!(config.get("quantization") instanceof Map<?, ?> quantization)) {
      return switch (String.valueOf(config.get(config.has("dtype") ? "dtype" : "torch_dtype"))) {
        case "bfloat16" -> "bf16";
        case "float16" -> "f16";
        case "float32" -> "f32";
        default -> "plain";
      };
    }
    TreeSet<Long> bits = new TreeSet<>();
    TreeSet<String> modes = new TreeSet<>();
    add(quantization, bits, modes);
    quantization.forEach((path, entry) -> {
      boolean gate =
          path.toString().endsWith(".mlp.gate") || path.toString().endsWith(".shared_expert_gate");
      if (!gate && entry instanceof Map<?, ?> map) {
        add(map, bits, modes);
      }
    });
    if (!bits.isEmpty()) {
      long least = bits.getFirst();
      long most = bits.getLast();
      modes.add(least == most ? least + " bit" : "%d-%d bit".formatted(least, most));
    }
    return String.join(" + ", modes);
  }

  /** A floating mode has a width of its own. */
  private static void add(Map<?, ?> entry, TreeSet<Long> bits, TreeSet<String> modes) {
    if (entry.get("mode") instanceof String mode && !mode.equals("affine")) {
      modes.add(mode);
    } else if (entry.get("bits") instanceof Long width) {
      bits.add(width);
    }
  }

  private static long bytes(Path folder) {
    long bytes = 0;
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, Files::isRegularFile)) {
      for (Path file : files) {
        bytes += Files.size(file);
      }
    } catch (IOException | DirectoryIteratorException e) {
      // What could be counted.
    }
    return bytes;
  }
}
