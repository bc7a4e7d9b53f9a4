package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.fixtures.Golden;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxLibrary;
import dev.qnext.suites.ModelRun;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * On a GPU all activations and caches have the half type of the checkpoint: one operation that
 * gives f32 makes all behind it f32, at twice the memory and less than half the speed, and nothing
 * else shows it.
 */
class DryGpuTypesTest {
  /** Checkpoints, and the type of their first matrix's numbers or scales. */
  private static final Map<String, String> HALF =
      Map.of(
          "tiny/hf", "BFLOAT16",
          "tiny/mlx-qx53n", "BFLOAT16",
          "odd/mlx-mxfp4", "BFLOAT16",
          "yarn/mlx-bf16", "BFLOAT16",
          "yarn/mlx-3bit", "BFLOAT16",
          "random/mixed", "BFLOAT16",
          "random/mlx-nvfp4", "BFLOAT16",
          "random/sparse", "FLOAT16");

  @Test
  void allIsOfTheCheckpointsHalf() throws Exception {
    for (Map.Entry<String, String> checkpoint : HALF.entrySet()) {
      List<String> lines =
          DryGpu.run(Types.class, Golden.path(checkpoint.getKey()).toString()).lines().toList();
      assertThat(lines).hasSizeGreaterThan(20);
      for (String line : lines) {
        String wanted = line.contains("matrices") ? "FLOAT32" : checkpoint.getValue();
        assertThat(line).as(checkpoint.getKey()).endsWith(" " + wanted);
      }
    }
  }

  /** Prints what has which type behind each pass. */
  static final class Types {
    private final Mlx mlx;
    private final ModelRun run;
    private final State state;

    private Types(Path folder) {
      MlxLibrary.load();
      mlx = new Mlx(MlxDevice.GPU);
      run = new ModelRun(new MlxBackend(mlx), folder);
      state = run.newState();
    }

    public static void main(String[] arguments) {
      Types types = new Types(Path.of(arguments[0]));
      types.pass(Pass.PREFILL, 70, 70);
      types.pass(Pass.PREFILL, 1, 1);
      types.pass(Pass.VERIFY, 1, 1);
      types.pass(Pass.VERIFY, 4, 2);
      types.state.close();
      types.run.close();
    }

    private void pass(Pass pass, int tokens, int kept) {
      String name = "%s of %d".formatted(pass, tokens);
      state.begin(pass, tokens);
      try (Scope scope = run.backend.scope()) {
        Tensor hidden = run.model.forward(run.backend.tokens(new int[tokens]), state);
        print(name, "hidden", MlxTensor.of(hidden).array());
        Tensor logits = run.model.logits(hidden, Rows.all(hidden));
        print(name, "logits", MlxTensor.of(logits).array());
        run.backend.start(logits);
      }
      state.accept(kept);
      List<StateShape.Layer> layers = run.model.stateShape().layers();
      for (int i = 0; i < layers.size(); i++) {
        if (layers.get(i) instanceof StateShape.Attention) {
          for (MlxArray cache : ((MlxState) state).keyValues(i).held()) {
            print(name, "cache " + i, cache);
          }
        } else {
          MlxRecurrence recurrence = ((MlxState) state).recurrence(i);
          print(name, "matrices " + i, recurrence.base());
          for (MlxArray row : new ArrayList<>(recurrence.past())) {
            print(name, "row " + i, row);
          }
        }
      }
    }

    private void print(String pass, String what, MlxArray array) {
      System.out.println(pass + ": " + what + " " + mlx.type(array));
    }
  }
}
