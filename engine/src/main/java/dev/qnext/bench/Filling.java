package dev.qnext.bench;

import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.RowDecoder;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * How random bits become the numbers of a tensor: {@code (bits & and) ^ xor}, eight bytes at a
 * time. That is enough for numbers of about the same size with random signs, and it is as fast as
 * memory.
 */
record Filling(long and, long xor) {
  /** Bytes of one stream of random bits, whoever fills them. */
  private static final int CHUNK = 1 << 20;

  private static final long BF16_SIGN = 0x8000;

  /** Root mean square of the sixteen E2M1 numbers. */
  private static final double FP4_RMS = Math.sqrt(68.5 / 8);

  /** One bf16 number. */
  static Filling constant(double value) {
    return new Filling(0, eachBf16(bf16(value)));
  }

  /** bf16 numbers of random signs, as large as that in the root mean square, to a factor of 1.4. */
  static Filling numbers(double rms) {
    // Between a power of two and the next, even: the root mean square is sqrt(7 / 3) of the first.
    long exponent = 127 + Math.round(log2(rms / Math.sqrt(7 / 3.0)));
    return new Filling(eachBf16(0x807F), eachBf16(exponent << 7));
  }

  /** Any bits are codes; but E4M3 is left without its highest exponents, one of which is NaN's. */
  static Filling codes(Format.Mode mode) {
    return new Filling(mode == Format.Mode.MXFP8 ? eachByte(0xBF) : -1, 0);
  }

  /** Scales that make random codes that large, affine ones of random signs as MLX's are. */
  static Filling scales(Format format, double rms) {
    return switch (format.mode()) {
      case AFFINE -> new Filling(eachBf16(BF16_SIGN), eachBf16(bf16(affineScale(format, rms))));
      case MXFP4 -> new Filling(0, eachByte(e8m0(rms / FP4_RMS)));
      case MXFP8 -> new Filling(0, eachByte(e8m0(rms / fp8Rms())));
      case NVFP4 -> new Filling(0, eachByte(nearestE4m3(rms / FP4_RMS)));
      case PLAIN -> throw new IllegalArgumentException("plain numbers have no scales");
    };
  }

  /** Affine biases that go with {@link #scales} from the same bits: half of all steps back. */
  static Filling biases(Format format, double rms) {
    double half = affineScale(format, rms) * ((1 << format.bits()) - 1) / 2;
    return new Filling(eachBf16(BF16_SIGN), eachBf16(bf16(half) ^ BF16_SIGN));
  }

  /** All 2^bits codes are as probable; their variance is (4^bits - 1) / 12. */
  private static double affineScale(Format format, double rms) {
    return rms / Math.sqrt(((1L << 2 * format.bits()) - 1) / 12.0);
  }

  private static long eachByte(long value) {
    return value * 0x0101_0101_0101_0101L;
  }

  private static long eachBf16(long value) {
    return value * 0x0001_0001_0001_0001L;
  }

  private static long bf16(double value) {
    return Float.floatToIntBits((float) value) + 0x8000 >>> 16;
  }

  private static long e8m0(double value) {
    return 127 + Math.round(log2(value));
  }

  private static double log2(double value) {
    return Math.log(value) / Math.log(2);
  }

  private static long nearestE4m3(double value) {
    int nearest = 1;
    for (int code = 1; code < 127; code++) {
      if (Math.abs(RowDecoder.e4m3(code) - value) < Math.abs(RowDecoder.e4m3(nearest) - value)) {
        nearest = code;
      }
    }
    return nearest;
  }

  /** Of what {@link #codes} leaves of E4M3. */
  private static double fp8Rms() {
    double sum = 0;
    for (int code = 0; code < 64; code++) {
      double number = RowDecoder.e4m3(code);
      sum += number * number;
    }
    return Math.sqrt(sum / 64);
  }

  /** Fills memory of whole eight bytes, on all cores; the seed alone decides what it is. */
  void fill(MemorySegment memory, long seed) {
    int chunks = Math.toIntExact((memory.byteSize() + CHUNK - 1) / CHUNK);
    IntStream.range(0, chunks)
        .parallel()
        .forEach(chunk -> {
          long from = (long) chunk * CHUNK;
          long size = Math.min(CHUNK, memory.byteSize() - from);
          fillChunk(memory.asSlice(from, size), new SplittableRandom(seed + chunk));
        });
  }

  private void fillChunk(MemorySegment chunk, SplittableRandom random) {
    for (long at = 0; at < chunk.byteSize(); at += 8) {
      chunk.set(ValueLayout.JAVA_LONG, at, random.nextLong() & and ^ xor);
    }
  }
}
