package dev.qnext.quantize;

import dev.qnext.QnextException;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.json.Json;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A converted model's folder: made under another name, and renamed once it is whole. */
public final class ConversionFiles {
  /** What belongs to a model besides weights and config.json, by the endings of its names. */
  private static final List<String> COMPANIONS =
      List.of("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "LICENSE*");

  private ConversionFiles() {}

  /**
   * Carries a conversion out, into a new folder.
   *
   * @throws QnextException if the target is there already, or anything fails; nothing of the target
   *     is left behind then
   */
  public static void convert(
      Conversion conversion, Path target, int threads, Conversion.Progress progress) {
    Checkpoint source = conversion.source();
    requireFree(source, target);
    Path unfinished = target.resolveSibling(target.getFileName() + ".partial");
    remove(unfinished);
    // A signal ends the process without the "finally" below.
    Thread cleaning = new Thread(() -> remove(unfinished), "qnext-clean");
    Runtime.getRuntime().addShutdownHook(cleaning);
    try {
      Files.createDirectories(unfinished);
      requireRoom(unfinished, conversion.bytes() + conversion.mtpBytes());
      Map<String, Object> quantization = conversion.write(unfinished, threads, progress);
      Map<String, @Nullable Object> config = source.config().all();
      config.remove("quantization");
      config.remove("quantization_config");
      if (!quantization.isEmpty()) {
        config.put("quantization", quantization);
        config.put("quantization_config", quantization);
      }
      writeJson(unfinished.resolve("config.json"), config);
      Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw QnextException.cannotWrite(target, e);
    } finally {
      remove(unfinished);
      forget(cleaning);
    }
  }

  private static void forget(Thread cleaning) {
    try {
      Runtime.getRuntime().removeShutdownHook(cleaning);
    } catch (IllegalStateException e) {
      // The process is ending, and it is at work.
    }
  }

  private static void requireFree(Checkpoint source, Path target) {
    if (Files.exists(target)) {
      throw new QnextException("%s is there already; name a new folder".formatted(target));
    }
    Path from = source.folder().toAbsolutePath().normalize();
    if (target.toAbsolutePath().normalize().startsWith(from)) {
      throw new QnextException(
          "%s lies inside the source %s; name a folder elsewhere".formatted(target, from));
    }
  }

  private static void requireRoom(Path folder, long bytes) throws IOException {
    long free = Files.getFileStore(folder).getUsableSpace();
    if (free < bytes) {
      throw new QnextException(
          "%s needs %.1f GB, but its disk has %.1f GB free"
              .formatted(folder.toAbsolutePath().getParent(), bytes / 1e9, free / 1e9));
    }
  }

  private static void remove(Path folder) {
    if (!Files.isDirectory(folder)) {
      return;
    }
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new QnextException(
          "cannot remove %s: %s".formatted(folder, QnextException.reason(e)), e);
    }
  }

  static void writeJson(Path file, Map<String, ?> value) {
    try {
      Files.writeString(file, Json.write(value) + "\n");
    } catch (IOException e) {
      throw QnextException.cannotWrite(file, e);
    }
  }

  /** Tokenizer, chat template, defaults of sampling and the like. */
  static void copyCompanions(Path from, Path to) {
    try {
      for (String pattern : COMPANIONS) {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(from, pattern)) {
          for (Path file : files) {
            String name = String.valueOf(file.getFileName());
            if (Files.isRegularFile(file)
                && !name.equals("config.json")
                && !name.equals("model.safetensors.index.json")) {
              Files.copy(file, to.resolve(name));
            }
          }
        }
      }
    } catch (IOException e) {
      throw new QnextException(
          "cannot copy the files of %s: %s".formatted(from, QnextException.reason(e)), e);
    }
  }
}
