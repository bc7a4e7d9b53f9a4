package dev.qnext.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * Runs {@link TokenizerBench} and prints MB/s, 10<sup>6</sup> bytes of UTF-8 a second, the median
 * of all forks or iterations: {@code TokenizerSpeed TOKENIZER.json TEXT... -- JVM-OPTION...}.
 */
public final class TokenizerSpeed {
  private TokenizerSpeed() {}

  /** A line for each text. */
  public static void main(String[] arguments) throws Exception {
    List<String> all = Arrays.asList(arguments);
    int border = all.indexOf("--");
    List<String> texts = all.subList(1, border);
    String[] options = all.subList(border + 1, all.size()).toArray(new String[0]);
    System.out.printf("%-12s %8s %8s %8s%n", "qnext, MB/s", "cold", "warm", "decode");
    for (String text : texts) {
      Path file = Path.of(text);
      List<Double> speeds = new ArrayList<>();
      for (String benchmark : List.of("cold", "warm", "decode")) {
        Options run =
            new OptionsBuilder()
                .include(TokenizerBench.class.getName() + "." + benchmark + "$")
                .param("tokenizerFile", arguments[0])
                .param("textFile", text)
                .jvmArgs(options)
                .verbosity(VerboseMode.SILENT)
                .shouldFailOnError(true)
                .build();
        Collection<RunResult> results = new Runner(run).run();
        double milliseconds =
            results.iterator().next().getPrimaryResult().getStatistics().getPercentile(50);
        speeds.add(Files.size(file) / 1e3 / milliseconds);
      }
      System.out.printf(
          "%-12s %8.1f %8.1f %8.1f%n",
          file.getFileName(), speeds.get(0), speeds.get(1), speeds.get(2));
    }
  }
}
