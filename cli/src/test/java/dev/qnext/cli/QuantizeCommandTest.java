package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.Golden;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QuantizeCommandTest {
  private static final String TINY = GoldenPrompts.folder("tiny/hf");

  @TempDir private Path temp;

  @Test
  void aModelThatRunsAsMlxLmsDoes() {
    String target = temp.resolve("made").toString();
    Outcome outcome = run("quantize", TINY, target, "-r", "4bit").done().printing("");
    assertThat(outcome.err())
        .matches("qnext: " + target + ", [0-9.]+ MB, 4\\.5\\d bits per weight\n");
    String[] prompt = {"--ids", "1,2,3", "--print-ids", "--temp", "0", "--max-tokens", "8"};
    String[] ours = {"complete", "--backend", "reference", "--no-stats", "-m", target};
    String[] golden = ours.clone();
    golden[5] = Golden.path("tiny/mlx-4bit").toString();
    assertThat(run(joined(ours, prompt)).quiet().out())
        .isEqualTo(run(joined(golden, prompt)).quiet().out());
  }

  private static String[] joined(String[] a, String[] b) {
    String[] all = java.util.Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }

  @Test
  void aDryRunMakesNothing() {
    Path target = temp.resolve("made");
    String out = run("quantize", TINY, target.toString(), "-r", "qx53n", "--dry-run").quiet().out();
    assertThat(out)
        .containsPattern("lm_head +1 x {2}5 bit, groups of 64 +\\S+ MB\n")
        .containsPattern("model.layers.\\*.mlp.switch_mlp.up_proj +4 x {2}3 bit, groups of 64")
        .containsPattern("model.layers.\\*.mlp.gate +4 x {2}8 bit, groups of 64")
        .containsPattern("mtp.\\* +as it is")
        .endsWith("697,808 bytes, 4.327 bits per weight, without the MTP module\n");
    assertThat(target).doesNotExist();
  }

  /** Of the 80B model, as computed by hand from its published shapes. */
  @Test
  void recipesWithSizes() {
    String out = run("recipes").quiet().out();
    assertThat(out)
        .startsWith("recipe             GB  bits per weight   GB per token\n")
        .contains("\n4bit            44.84             4.50           2.03\n")
        .contains("\nqx53n           35.47             3.56           2.09\n")
        .contains("\nqx86n-hi        70.30             7.06           3.63\n")
        .contains("\nbf16           159.35            16.00           7.13\n");
    assertThat(run("recipes", TINY, "--json").quiet().out())
        .contains("{\"recipe\":\"4bit\",\"bytes\":734288,\"bits_per_weight\":4.55");
  }

  @Test
  void mistakes() {
    String made = temp.resolve("made").toString();
    run("quantize", TINY, made).failed(2, "Missing required option: '--recipe=NAME'");
    run("quantize", TINY, made, "-r", "4bit", "--threads", "0")
        .failed(2, "--threads is 0 but must be at least 1");
    String quantized = GoldenPrompts.folder("tiny/mlx-4bit");
    run("quantize", quantized, made, "-r", "3bit")
        .failed(
            1,
            quantized
                + " is quantized already and would lose a second time; convert the original, or give --requantize");
    run("quantize", quantized, made, "-r", "3bit", "--requantize").done();
    run("quantize", TINY, made, "-r", "4bit")
        .failed(1, made + " is there already; name a new folder");
    run("quantize", "/nowhere", made, "-r", "4bit")
        .failed(1, "there is no model folder /nowhere; give the folder of a model");
  }
}
