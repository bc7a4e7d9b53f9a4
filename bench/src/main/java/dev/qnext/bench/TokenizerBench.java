package dev.qnext.bench;

import dev.qnext.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** One text, encoded and decoded, by a JVM that has just started and by one that is warm. */
@State(Scope.Benchmark)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
public class TokenizerBench {
  /** The tokenizer.json; a parameter, since forks get those. */
  @Param("")
  public String tokenizerFile = "";

  /** The text. */
  @Param("")
  public String textFile = "";

  private Tokenizer tokenizer;
  private String text = "";
  private int[] ids = {};

  /** Loads the tokenizer and reads the text. */
  @Setup
  public void load() throws IOException {
    tokenizer = Tokenizer.load(Path.of(tokenizerFile));
    text = Files.readString(Path.of(textFile));
  }

  /** The first text of a process: nothing is compiled, no piece was seen before. */
  @Benchmark
  @BenchmarkMode(Mode.SingleShotTime)
  @Fork(7)
  @Warmup(iterations = 0)
  @Measurement(iterations = 1)
  public int[] cold() {
    return tokenizer.encode(text);
  }

  /** The same text again and again. */
  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  public int[] warm() {
    return tokenizer.encode(text);
  }

  /** Ids to text, warm. */
  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  public String decode() {
    if (ids.length == 0) {
      ids = tokenizer.encode(text);
    }
    return tokenizer.decode(ids);
  }
}
