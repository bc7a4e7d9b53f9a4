package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Sampling;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxLibrary;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The rules of sampling at their limits, against their definition. */
@NeedsMlx
class MlxSamplerTest {
  private static final int ROWS = 8;
  private static final int VOCABULARY = 700;
  private static final long POSITION = (1L << 32) - 3;

  @ParameterizedTest
  @CsvSource({
    "1e-45, 0, 1, 0",
    "1e-45, 20, 0.9, 0.1",
    "1e-38, 0, 1, 0",
    "1e-38, 20, 1, 0",
    "1e-20, 5, 0.5, 0.5",
    "0.05, 0, 1, 0",
    "0.05, 50, 1, 0",
    "3e38, 0, 1, 0",
    "100, 2000, 1, 0",
    "1, 1, 1, 0",
    "1, 0, 1e-45, 0",
    "1, 700, 1e-30, 0",
    "1, 0, 1, 1",
    "2, 0, 0.9999999, 1e-45",
    "5, 30, 0.01, 1"
  })
  void drawsWhatTheDefinitionDraws(float temperature, int topK, float topP, float minP) {
    SplittableRandom random = new SplittableRandom(1);
    Sampling sampling = new Sampling(temperature, topK, topP, minP, 42);
    float[][] logits = new float[ROWS][VOCABULARY];
    for (int t = 0; t < ROWS; t++) {
      for (int id = 0; id < VOCABULARY; id++) {
        logits[t][id] = (float) (30 * random.nextDouble());
      }
    }
    Arrays.fill(logits[1], Float.NEGATIVE_INFINITY);
    logits[1][77] = 3;
    for (int id = 0; id < VOCABULARY; id += 2) {
      logits[2][id] = Float.NEGATIVE_INFINITY;
    }
    for (int id = 0; id < VOCABULARY; id++) {
      logits[3][id] = -1e6f * random.nextFloat();
    }
    int[] expected = new int[ROWS];
    for (int t = 0; t < ROWS; t++) {
      expected[t] = sampling.draw(logits[t], POSITION + t);
    }
    assertThat(drawn(logits, sampling)).isEqualTo(expected);
  }

  /** The most probable tokens alone remain, and the noise chooses among them. */
  @ParameterizedTest
  @CsvSource({"1, 0, 1, 1", "0.001, 9, 1, 0", "0.001, 0, 1, 0.5", "1, 4, 1, 0"})
  void equalsAreDrawnByTheNoise(float temperature, int topK, float topP, float minP) {
    Sampling sampling = new Sampling(temperature, topK, topP, minP, 43);
    float[][] logits = new float[ROWS][VOCABULARY];
    for (float[] row : logits) {
      for (int id = 5; id < VOCABULARY; id += 70) {
        row[id] = 25;
      }
    }
    int[] expected = new int[ROWS];
    for (int t = 0; t < ROWS; t++) {
      expected[t] = sampling.draw(logits[t], POSITION + t);
    }
    assertThat(Arrays.stream(expected).distinct().count()).isGreaterThan(2);
    assertThat(drawn(logits, sampling)).isEqualTo(expected);
  }

  private static int[] drawn(float[][] logits, Sampling sampling) {
    MlxLibrary.load();
    float[] flat = new float[logits.length * VOCABULARY];
    for (int t = 0; t < logits.length; t++) {
      System.arraycopy(logits[t], 0, flat, t * VOCABULARY, VOCABULARY);
    }
    try (Mlx mlx = new Mlx(MlxDevice.CPU)) {
      MlxTensor tensor =
          new MlxTensor(mlx.array(flat, logits.length, VOCABULARY), logits.length, VOCABULARY);
      int[] tokens = new int[logits.length];
      mlx.read(
          new MlxSampler(mlx).sample(tensor, sampling, POSITION).array(),
          MemorySegment.ofArray(tokens));
      return tokens;
    }
  }
}
