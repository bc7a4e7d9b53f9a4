package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.GoldenPrompts.folder;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.qnext.backend.Peaks;
import dev.qnext.bench.BenchReport;
import dev.qnext.json.Json;
import dev.qnext.machine.Machine;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

class BenchCommandTest {
  private static final String[] SHORT = {
    "--backend", "reference", "--depth", "0,20", "--prompt", "8", "--tokens", "2", "--repeat", "1"
  };

  @TempDir private Path temp;

  private static Outcome bench(String... more) {
    String[] words = new String[1 + SHORT.length + more.length];
    words[0] = "bench";
    System.arraycopy(SHORT, 0, words, 1, SHORT.length);
    System.arraycopy(more, 0, words, 1 + SHORT.length, more.length);
    return run(words);
  }

  private static Map<?, ?> object(@Nullable Object value) {
    return (Map<?, ?>) java.util.Objects.requireNonNull(value);
  }

  private static Map<?, ?> line(Map<?, ?> object, String key, int index) {
    return object(((List<?>) java.util.Objects.requireNonNull(object.get(key))).get(index));
  }

  private static List<String> keys(Map<?, ?> map) {
    return map.keySet().stream().map(String::valueOf).toList();
  }

  @Test
  void aFolderAsJson() {
    String out = bench("-m", folder("tiny/hf"), "--json").quiet().out();
    Map<?, ?> all = object(Json.parse(out, "output"));
    assertThat(keys(all))
        .containsExactly(
            "machine", "limits", "model", "load_s", "first_token_s", "decode", "prefill", "verify");
    assertThat(keys(object(all.get("machine")))).startsWith("cpu", "threads").contains("backend");
    Map<?, ?> limits = object(all.get("limits"));
    assertThat(keys(limits))
        .containsExactly(
            "memory_read_bytes_per_s", "int8_multiplications_per_s", "f32_multiplications_per_s");
    assertThat(limits.values()).containsOnlyNulls();
    assertThat(keys(object(all.get("model"))))
        .containsExactly("name", "recipe", "bytes", "bytes_per_token");
    assertThat(object(all.get("model")).get("name")).isEqualTo("hf");
    assertThat(object(all.get("model")).get("recipe")).isEqualTo("bf16");
    assertThat(keys(line(all, "decode", 1)))
        .containsExactly(
            "depth", "tokens", "tokens_per_s", "bytes_per_token", "share_of_bandwidth");
    assertThat(line(all, "decode", 1).get("depth")).isEqualTo(20L);
    assertThat(keys(line(all, "prefill", 0))).containsExactly("tokens", "tokens_per_s");
    assertThat(line(all, "prefill", 0).get("tokens")).isEqualTo(8L);
    for (int i = 0; i < 3; i++) {
      Map<?, ?> verify = line(all, "verify", i);
      assertThat(keys(verify)).containsExactly("tokens", "time_over_one", "bytes_over_one");
      assertThat(verify.get("tokens")).isEqualTo(i + 2L);
    }
  }

  @Test
  void aTableForAReader() {
    String out = bench("-m", folder("tiny/mlx-4bit")).quiet().out();
    assertThat(out)
        .startsWith("mlx-4bit, ")
        .contains("\nlimits: unknown to this backend\n")
        .containsPattern("(?m)^ +measured +limit +share$")
        .containsPattern("(?m)^load +[0-9.]+ s$")
        .containsPattern("(?m)^first token +[0-9.]+ s$")
        .containsPattern("(?m)^decode at 20 +[0-9.,]+ tok/s +unknown *$")
        .containsPattern("(?m)^prefill of 8 +[0-9.,]+ tok/s +unknown *$")
        .containsPattern("(?m)^verify of 4 +[0-9.]+ x one +[0-9.]+ x one +[0-9]+ %$");
  }

  @Test
  void whatCannotBeMadeIsSaid() {
    bench("--synthetic", "qwen3")
        .failed(1, "no shape is known by the name \"qwen3\"; known: qwen3-next-80b");
    bench("--synthetic", "qwen3-next-80b", "--experts", "8")
        .failed(1, "qwen3-next-80b cannot have num_experts 8; it must be from 10 to 512");
    assertThat(bench("--synthetic", "qwen3-next-80b", "--recipe", "qx53m").err())
        .startsWith("qnext: there is no recipe \"qx53m\"; the nearest is qx53n");
  }

  /** 100 GB/s, of which decoding uses three quarters; round numbers to find again. */
  private static BenchResults known() {
    Machine machine =
        new Machine(
            "Debian",
            "A <fast> & good chip",
            2,
            -1,
            List.of(),
            1L << 34,
            1L << 33,
            0,
            Machine.Pressure.NORMAL,
            false,
            false,
            List.of());
    BenchReport report =
        new BenchReport(
            new Peaks(2, 100e9, 1000e9, 50e9),
            7_000_000_000L,
            2e9,
            0.5,
            0.25,
            List.of(new BenchReport.Decode(4096, 32, 37.5, 2e9)),
            List.of(new BenchReport.Prefill(512, 200, 512 * 2e9, 7e9)),
            List.of(new BenchReport.Verify(2, 1.6, 1.36, 19)));
    return new BenchResults(machine, "cpu", "qwen3-next-80b", "qx53n", report);
  }

  @Test
  void limitsAndSharesStandBesideWhatWasMeasured() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    Output.redirect(bytes);
    try {
      Output out = Output.standard();
      new BenchTable(out, Colors.standard()).print(known());
      out.flush();
    } finally {
      Output.redirect(new FileOutputStream(FileDescriptor.out));
    }
    assertThat(bytes.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            """
            qwen3-next-80b, qx53n: 7.0 GB, 2.00 GB per token
            cpu on A <fast> & good chip, 2 threads
            limits: memory 100.0 GB/s; multiplications of int8 1000 G/s, of f32 50 G/s

                                       measured            limit    share
            load                         0.50 s
            first token                  0.25 s
            decode at 4,096          37.5 tok/s       50.0 tok/s     75 %
            prefill of 512            200 tok/s        500 tok/s     40 %
            verify of 2              1.60 x one       1.36 x one     85 %
            """);
    Map<?, ?> decode = line(known().json(), "decode", 0);
    assertThat((Double) decode.get("share_of_bandwidth")).isCloseTo(0.75, within(1e-9));
  }

  private static Document parsed(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void barsAreAsLongAsTheirValues() throws Exception {
    Document svg = parsed(BenchPlot.of(known()));
    assertThat(svg.getDocumentElement().getTextContent())
        .contains("qwen3-next-80b, qx53n", "A <fast> & good chip", "decode at 4,096")
        .contains("37.5 of 50.0, 75 %", "200 of 500, 40 %", "1.60 of 1.36, 85 %");
    NodeList bars = svg.getElementsByTagName("rect");
    double[] widths = new double[bars.getLength()];
    for (int i = 1; i < widths.length; i++) {
      widths[i] = Double.parseDouble(((Element) bars.item(i)).getAttribute("width"));
    }
    // The background, then of each line: the limit, what was measured, the limit's end.
    assertThat(widths).hasSize(1 + 3 * 3);
    assertThat(widths[2] / widths[1]).isCloseTo(0.75, within(1e-3));
    assertThat(widths[5] / widths[4]).isCloseTo(0.4, within(1e-3));
    assertThat(widths[8] / widths[7]).isCloseTo(1.6 / 1.36, within(1e-3));
  }

  @Test
  void aPlotWithoutLimitsHasBarsAlone() throws Exception {
    Path file = temp.resolve("bench.svg");
    bench("-m", folder("tiny/hf"), "--svg", file.toString()).quiet();
    Document svg = parsed(Files.readString(file));
    // Decode and prefill have no limit here; the verify passes have.
    assertThat(svg.getElementsByTagName("rect").getLength()).isEqualTo(1 + 3 + 3 * 3);
  }

  @Test
  void aPlotThatCannotBeWrittenIsSaid() {
    Outcome outcome = bench("-m", folder("tiny/hf"), "--svg", temp.resolve("no/x.svg").toString());
    assertThat(outcome.exit()).isEqualTo(1);
    assertThat(outcome.err()).startsWith("qnext: cannot write " + temp.resolve("no/x.svg"));
  }
}
