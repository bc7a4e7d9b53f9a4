package dev.qnext.cpu;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;

/**
 * The C functions of context.h, products.h and operations.h, one for one. Pointers are addresses: a
 * call then makes no object and checks no scope, and whoever calls sees to it that the memory
 * lives. To be touched only after {@link CpuLibrary#symbols} has returned.
 */
final class CpuNative {
  private static final MethodHandle CONTEXT_NEW =
      handle("qn_context_new", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG));
  private static final MethodHandle CONTEXT_KERNELS =
      handle("qn_context_kernels", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
  private static final MethodHandle CONTEXT_FREE =
      handle("qn_context_free", FunctionDescriptor.ofVoid(JAVA_LONG));
  private static final MethodHandle MEASURE_PEAKS =
      handle(
          "qn_context_peaks", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_DOUBLE, JAVA_LONG));
  private static final MethodHandle LINEAR =
      handle(
          "qn_linear",
          FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG));
  private static final MethodHandle EXPERTS =
      handle(
          "qn_experts",
          FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG));
  private static final MethodHandle ADD_NORM =
      handle(
          "qn_add_norm",
          FunctionDescriptor.of(
              JAVA_INT,
              JAVA_LONG,
              JAVA_INT,
              JAVA_INT,
              JAVA_LONG,
              JAVA_LONG,
              JAVA_LONG,
              JAVA_FLOAT,
              JAVA_LONG,
              JAVA_LONG));
  private static final MethodHandle SWIGLU =
      handle(
          "qn_swiglu",
          FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle CONCAT =
      handle(
          "qn_concat",
          FunctionDescriptor.of(
              JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle TOP =
      handle(
          "qn_top",
          FunctionDescriptor.of(
              JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle ROPE_NEW =
      handle("qn_rope_new", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_FLOAT));
  private static final MethodHandle ROPE_FREE =
      handle("qn_rope_free", FunctionDescriptor.ofVoid(JAVA_LONG));
  private static final MethodHandle KV_NEW =
      handle("qn_kv_new", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_INT));
  private static final MethodHandle KV_FREE =
      handle("qn_kv_free", FunctionDescriptor.ofVoid(JAVA_LONG));
  private static final MethodHandle KV_FORK =
      handle("qn_kv_fork", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT));
  private static final MethodHandle KV_TRUNCATE =
      handle("qn_kv_truncate", FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_INT));
  private static final MethodHandle KV_BYTES =
      handle("qn_kv_bytes", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
  private static final MethodHandle KV_EXPORT =
      handle(
          "qn_kv_export",
          FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG));
  private static final MethodHandle KV_IMPORT =
      handle(
          "qn_kv_import",
          FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG));
  private static final MethodHandle ATTEND =
      handle(
          "qn_attend",
          FunctionDescriptor.of(
              JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG,
              JAVA_LONG, JAVA_LONG));
  private static final MethodHandle DELTA_NEW =
      handle("qn_delta_new", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle DELTA_FREE =
      handle("qn_delta_free", FunctionDescriptor.ofVoid(JAVA_LONG));
  private static final MethodHandle DELTA_FORK =
      handle("qn_delta_fork", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle DELTA_ACCEPT =
      handle("qn_delta_accept", FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_INT));
  private static final MethodHandle DELTA_CLEAR =
      handle("qn_delta_clear", FunctionDescriptor.ofVoid(JAVA_LONG));
  private static final MethodHandle DELTA_BYTES =
      handle("qn_delta_bytes", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
  private static final MethodHandle DELTA_EXPORT =
      handle(
          "qn_delta_export",
          FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG));
  private static final MethodHandle DELTA_IMPORT =
      handle("qn_delta_import", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG));
  private static final MethodHandle DELTA_MIX =
      handle(
          "qn_delta_mix",
          FunctionDescriptor.of(
              JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG,
              JAVA_LONG, JAVA_LONG));

  private CpuNative() {}

  private static MethodHandle handle(String name, FunctionDescriptor type) {
    return Linker.nativeLinker().downcallHandle(CpuLibrary.symbols().findOrThrow(name), type);
  }

  /** Downcalls throw nothing that a caller could mend. */
  private static IllegalStateException failed(Throwable e) {
    return new IllegalStateException(e);
  }

  static long contextNew(int threads, long kernels) {
    try {
      return (long) CONTEXT_NEW.invokeExact(threads, kernels);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static long contextKernels(long context) {
    try {
      return (long) CONTEXT_KERNELS.invokeExact(context);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static void contextFree(long context) {
    try {
      CONTEXT_FREE.invokeExact(context);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int measurePeaks(long context, double seconds, long peaks) {
    try {
      return (int) MEASURE_PEAKS.invokeExact(context, seconds, peaks);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int linear(long context, long matrix, long x, int tokens, long out) {
    try {
      return (int) LINEAR.invokeExact(context, matrix, x, tokens, out);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int experts(long context, long experts, long x, int tokens, long out) {
    try {
      return (int) EXPERTS.invokeExact(context, experts, x, tokens, out);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int addNorm(
      long context,
      int tokens,
      int columns,
      long residual,
      long delta,
      long weight,
      float eps,
      long sum,
      long normed) {
    try {
      return (int)
          ADD_NORM.invokeExact(context, tokens, columns, residual, delta, weight, eps, sum, normed);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int swiglu(long context, long count, long gate, long up, long out) {
    try {
      return (int) SWIGLU.invokeExact(context, count, gate, up, out);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int concat(
      long context, int tokens, int aColumns, long a, int bColumns, long b, long out) {
    try {
      return (int) CONCAT.invokeExact(context, tokens, aColumns, a, bColumns, b, out);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int top(long context, int rows, int columns, long x, int k, long indices, long values) {
    try {
      return (int) TOP.invokeExact(context, rows, columns, x, k, indices, values);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static long ropeNew(int rotary, long inverseFrequency, float attentionFactor) {
    try {
      return (long) ROPE_NEW.invokeExact(rotary, inverseFrequency, attentionFactor);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static void ropeFree(long rope) {
    try {
      ROPE_FREE.invokeExact(rope);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static long kvNew(int kvHeads, int headDim) {
    try {
      return (long) KV_NEW.invokeExact(kvHeads, headDim);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static void kvFree(long kv) {
    try {
      KV_FREE.invokeExact(kv);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static long kvFork(long kv, int length) {
    try {
      return (long) KV_FORK.invokeExact(kv, length);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static void kvTruncate(long kv, int length) {
    try {
      KV_TRUNCATE.invokeExact(kv, length);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static long kvBytes(long kv) {
    try {
      return (long) KV_BYTES.invokeExact(kv);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int kvExport(long kv, int first, int count, long to) {
    try {
      return (int) KV_EXPORT.invokeExact(kv, first, count, to);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int kvImport(long kv, int first, int count, long from) {
    try {
      return (int) KV_IMPORT.invokeExact(kv, first, count, from);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int attend(
      long context,
      long layer,
      long kv,
      int first,
      int tokens,
      long qGate,
      long k,
      long v,
      long out) {
    try {
      return (int) ATTEND.invokeExact(context, layer, kv, first, tokens, qGate, k, v, out);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static long deltaNew(long context, long shape) {
    try {
      return (long) DELTA_NEW.invokeExact(context, shape);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static void deltaFree(long state) {
    try {
      DELTA_FREE.invokeExact(state);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static long deltaFork(long context, long state) {
    try {
      return (long) DELTA_FORK.invokeExact(context, state);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static void deltaAccept(long state, int n) {
    try {
      DELTA_ACCEPT.invokeExact(state, n);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static void deltaClear(long state) {
    try {
      DELTA_CLEAR.invokeExact(state);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static long deltaBytes(long state) {
    try {
      return (long) DELTA_BYTES.invokeExact(state);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int deltaExport(long context, long state, int length, long to) {
    try {
      return (int) DELTA_EXPORT.invokeExact(context, state, length, to);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int deltaImport(long state, int length, long from) {
    try {
      return (int) DELTA_IMPORT.invokeExact(state, length, from);
    } catch (Throwable e) {
      throw failed(e);
    }
  }

  static int deltaMix(
      long context,
      long layer,
      long state,
      int undoable,
      int first,
      int tokens,
      long qkvz,
      long ba,
      long out) {
    try {
      return (int)
          DELTA_MIX.invokeExact(context, layer, state, undoable, first, tokens, qkvz, ba, out);
    } catch (Throwable e) {
      throw failed(e);
    }
  }
}
