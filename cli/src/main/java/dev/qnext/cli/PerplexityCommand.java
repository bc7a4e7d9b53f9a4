package dev.qnext.cli;

import dev.qnext.Engine;
import dev.qnext.QnextException;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Safetensors;
import dev.qnext.checkpoint.SafetensorsWriter;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.evaluate.Perplexity;
import dev.qnext.evaluate.Perplexity.Comparison;
import dev.qnext.evaluate.Perplexity.Divergence;
import dev.qnext.evaluate.Perplexity.Figures;
import dev.qnext.json.Json;
import dev.qnext.text.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What a model loses, measured. */
@Command(
    name = "perplexity",
    description =
        "Measures how well a model predicts a text, and how far from another model's its"
            + " predictions are.",
    mixinStandardHelpOptions = true)
final class PerplexityCommand implements Callable<Integer> {
  private static final ValueLayout.OfFloat F32 =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  @Mixin private ModelOptions model = new ModelOptions();

  @Option(names = "--text", paramLabel = "FILE", description = "The text. Default: standard input.")
  private @Nullable Path text;

  @Option(
      names = "--context",
      paramLabel = "N",
      description = "Tokens of a window; each is read for itself. Default: ${DEFAULT-VALUE}.")
  private int context = 512;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description = "Take only the first N tokens of the text.")
  private @Nullable Integer tokens;

  @Option(
      names = "--against",
      paramLabel = "DIR|FILE",
      description =
          "Compare with this model's predictions, or with those that --save-logits has written."
              + " The two models are never in memory together.")
  private @Nullable Path against;

  @Option(
      names = "--save-logits",
      paramLabel = "FILE",
      description = "Write all logits, to compare other models with: 4 bytes a token and word.")
  private @Nullable Path save;

  @Option(names = "--json", description = "Print one JSON object instead of text.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    check();
    Path folder = model.path();
    int[] ids =
        Tokenizer.load(folder).encode(text == null ? Input.standardInput() : Input.file(text));
    if (tokens != null && tokens < ids.length) {
      ids = Arrays.copyOf(ids, tokens);
    }
    List<int[]> windows = Perplexity.windows(ids, context);
    if (against == null) {
      print(measure(folder, windows, save), null, null);
    } else if (Files.isDirectory(against)) {
      Path file = Files.createTempFile("qnext-logits", ".safetensors");
      try {
        Figures base = measure(against, windows, file);
        compare(folder, windows, file, base);
      } finally {
        Files.deleteIfExists(file);
      }
    } else {
      compare(folder, windows, against, null);
    }
    return 0;
  }

  private void check() {
    if (context < 2) {
      throw new UsageException("--context is %d but must be at least 2".formatted(context), null);
    }
    if (save != null && against != null) {
      throw new UsageException("--save-logits and --against exclude each other", null);
    }
  }

  /** Measures a model, and writes its logits if a file is given. */
  private Figures measure(Path folder, List<int[]> windows, @Nullable Path logits) {
    try (Engine engine = model.open(folder)) {
      if (logits == null) {
        return engine.call(m -> Perplexity.measure(m, windows, null));
      }
      List<Long> shape =
          List.of((long) Perplexity.rows(windows), (long) engine.model().vocabularySize());
      List<SafetensorsWriter.Entry> entries =
          List.of(
              new SafetensorsWriter.Entry("logits", DType.F32, shape),
              new SafetensorsWriter.Entry("ids", DType.I32, List.of(count(windows))));
      try (SafetensorsWriter writer = SafetensorsWriter.create(logits, entries, Map.of())) {
        Figures figures =
            engine.call(m -> Perplexity.measure(m, windows, (row, values) -> writer.write(values)));
        writer.write(ids(windows));
        writer.finish();
        return figures;
      }
    }
  }

  private static long count(List<int[]> windows) {
    return windows.stream().mapToLong(window -> window.length).sum();
  }

  private static MemorySegment ids(List<int[]> windows) {
    int[] all = windows.stream().flatMapToInt(Arrays::stream).toArray();
    MemorySegment bytes = MemorySegment.ofArray(new byte[4 * all.length]);
    for (int i = 0; i < all.length; i++) {
      bytes.set(ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 4L * i, all[i]);
    }
    return bytes;
  }

  private void compare(Path folder, List<int[]> windows, Path file, @Nullable Figures base) {
    try (Arena arena = Arena.ofShared()) {
      Map<String, StoredTensor> tensors = Safetensors.open(file, arena).tensors();
      StoredTensor logits = tensors.get("logits");
      StoredTensor read = tensors.get("ids");
      int rows = Perplexity.rows(windows);
      int[] all = windows.stream().flatMapToInt(Arrays::stream).toArray();
      if (logits == null || read == null || !Arrays.equals(read.ints(), all)) {
        throw new QnextException(
            "%s holds no logits of this text in windows of %d; make it with --save-logits and the same text"
                .formatted(file, context));
      }
      try (Engine engine = model.open(folder)) {
        int width = engine.model().vocabularySize();
        if (!Arrays.equals(logits.shape(), new long[] {rows, width})) {
          throw new QnextException(
              "%s holds logits %s, but this model's would be [%d, %d]: the two have different vocabularies"
                  .formatted(file, logits.shapeText(), rows, width));
        }
        Comparison comparison = new Comparison(rows);
        float[] row = new float[width];
        Figures figures =
            engine.call(m ->
                Perplexity.measure(
                    m,
                    windows,
                    (number, values) -> {
                      MemorySegment.copy(logits.data(), F32, 4L * number * width, row, 0, width);
                      comparison.add(row, values);
                    }));
        print(figures, base, comparison.result());
      }
    }
  }

  private void print(Figures figures, @Nullable Figures base, @Nullable Divergence divergence) {
    Output out = Output.standard();
    if (json) {
      Map<String, @Nullable Object> object = new LinkedHashMap<>();
      put(object, "", figures);
      if (base != null) {
        put(object, "base_", base);
      }
      if (divergence != null) {
        object.put("kl_mean", divergence.mean());
        object.put("kl_median", divergence.median());
        object.put("kl_99", divergence.percentile99());
        object.put("top_agreement", divergence.topAgreement());
      }
      out.println(Json.write(object));
    } else {
      out.println(line("perplexity", figures));
      if (base != null) {
        out.println(line("of the base", base));
      }
      if (divergence != null) {
        out.println(
            String.format(
                Locale.ROOT,
                "KL divergence  mean %.3e, median %.3e, 99 %% below %.3e nats",
                divergence.mean(),
                divergence.median(),
                divergence.percentile99()));
        out.println(
            String.format(Locale.ROOT, "same top token  %.2f %%", 100 * divergence.topAgreement()));
      }
    }
    out.flush();
  }

  private static String line(String name, Figures figures) {
    return String.format(
        Locale.ROOT,
        "%-13s  %.4f +- %.4f (%.5f nats a token, %,d tokens)",
        name,
        figures.perplexity(),
        figures.perplexityError(),
        figures.mean(),
        figures.tokens());
  }

  private static void put(Map<String, @Nullable Object> object, String prefix, Figures figures) {
    object.put(prefix + "perplexity", figures.perplexity());
    object.put(prefix + "perplexity_error", figures.perplexityError());
    object.put(prefix + "mean", figures.mean());
    object.put(prefix + "standard_error", figures.standardError());
    object.put(prefix + "tokens", figures.tokens());
  }
}
