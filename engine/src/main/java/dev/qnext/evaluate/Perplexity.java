package dev.qnext.evaluate;

import dev.qnext.QnextException;
import dev.qnext.model.LanguageModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How well a model predicts a text, and how far its predictions are from another model's. The text
 * is cut into windows that do not overlap, each read from an empty state; every token of a window
 * but its first is predicted, as in mlx-lm's and llama.cpp's tools.
 */
public final class Perplexity {
  private Perplexity() {}

  /** Where rows of logits go, one for each predicted token, in order. */
  @FunctionalInterface
  public interface Rows {
    void accept(int row, float[] logits);
  }

  /**
   * @param tokens that were predicted
   * @param mean negative log-probability of a token, in nats
   * @param standardError of the mean
   */
  public record Figures(int tokens, double mean, double standardError) {
    public double perplexity() {
      return Math.exp(mean);
    }

    /** Of the perplexity, to first order. */
    public double perplexityError() {
      return perplexity() * standardError;
    }
  }

  /**
   * How a model's predictions differ from a base's: KL(base || model) in nats.
   *
   * @param topAgreement share of tokens at which both have the same most probable one
   */
  public record Divergence(double mean, double median, double percentile99, double topAgreement) {}

  /** Windows of at most so many ids; a rest of one id predicts nothing and is left out. */
  public static List<int[]> windows(int[] ids, int length) {
    List<int[]> windows = new ArrayList<>();
    for (int from = 0; from + 1 < ids.length; from += length) {
      windows.add(Arrays.copyOfRange(ids, from, Math.min(ids.length, from + length)));
    }
    windows.removeIf(window -> window.length < 2);
    if (windows.isEmpty()) {
      throw new QnextException(
          "the text has %d tokens; at least 2 are needed".formatted(ids.length));
    }
    return windows;
  }

  /** Rows of logits, or tokens predicted, in all windows. */
  public static int rows(List<int[]> windows) {
    return windows.stream().mapToInt(window -> window.length - 1).sum();
  }

  /** Reads all windows. */
  public static Figures measure(LanguageModel model, List<int[]> windows, @Nullable Rows rows) {
    double[] losses = new double[rows(windows)];
    int at = 0;
    for (int[] window : windows) {
      int first = at;
      double[] scores =
          Scorer.score(
              model,
              window,
              (position, logits) -> {
                if (rows != null && position < window.length - 1) {
                  rows.accept(first + position, logits);
                }
              });
      for (double score : scores) {
        losses[at++] = -score;
      }
    }
    double mean = mean(losses);
    double squares = 0;
    for (double loss : losses) {
      squares += (loss - mean) * (loss - mean);
    }
    double error = losses.length < 2 ? 0 : Math.sqrt(squares / (losses.length - 1) / losses.length);
    return new Figures(losses.length, mean, error);
  }

  /** Collects the divergence of rows from those of a base. */
  public static final class Comparison {
    private final double[] divergences;
    private int count;
    private int agreed;

    public Comparison(int rows) {
      divergences = new double[rows];
    }

    /** One row of logits of each. */
    public void add(float[] base, float[] logits) {
      int baseTop = argmax(base);
      int top = argmax(logits);
      agreed += baseTop == top ? 1 : 0;
      double baseTotal = logSum(base, baseTop);
      double total = logSum(logits, top);
      double sum = 0;
      for (int i = 0; i < base.length; i++) {
        double log = base[i] - baseTotal;
        sum += Math.exp(log) * (log - (logits[i] - total));
      }
      divergences[count++] = sum;
    }

    public Divergence result() {
      double[] sorted = Arrays.copyOf(divergences, count);
      Arrays.sort(sorted);
      return new Divergence(
          mean(sorted), quantile(sorted, .5), quantile(sorted, .99), (double) agreed / count);
    }

    private static double quantile(double[] sorted, double q) {
      return sorted[(int) Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
    }
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private static int argmax(float[] x) {
    int best = 0;
    for (int i = 1; i < x.length; i++) {
      best = x[i] > x[best] ? i : best;
    }
    return best;
  }

  private static double logSum(float[] x, int largest) {
    double max = x[largest];
    double sum = 0;
    for (float value : x) {
      sum += Math.exp(value - max);
    }
    return max + Math.log(sum);
  }
}
