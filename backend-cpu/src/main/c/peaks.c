#define _GNU_SOURCE /* madvise */

/*
 * Each peak is a loop that one thread runs for a while, and that says how much it did. Threads
 * begin together, and their rates are added. The loops are the best of what kernels are made of:
 * loads of whole vectors in order, dot products of bytes, fused multiply-additions, with enough of
 * them under way that none waits for another.
 */
#include "peaks.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#endif

/* Far more than any cache, and whole huge pages. */
#define MEMORY ((size_t)1 << 30)
#define HUGE_PAGE ((size_t)2 << 20)

/*
 * What is read between two looks at the clock: four streams side by side, each with a prefetch 2 KB
 * ahead, which is up to a tenth faster than one stream.
 */
#define STREAMS 4
#define STREAM ((size_t)4 << 20)
#define PIECE (STREAMS * STREAM)
#define AHEAD 2048

/* How often the other loops turn between two looks. */
#define TURNS 100000

struct loops {
  /* Reads a piece; the result depends on all of it. */
  uint64_t (*read)(const uint8_t *data);
  /* These return multiplications per turn. */
  int64_t (*int8)(int64_t turns);
  int64_t (*f32)(int64_t turns);
};

/* ------------------------------------------------------------------------------------------ plain */

static uint64_t plain_read(const uint8_t *data) {
  uint64_t s[8] = {0};
  for (size_t i = 0; i < STREAM; i += 64) {
    for (size_t k = 0; k < STREAMS; k++) {
      const uint8_t *at = data + k * STREAM + i;
      __builtin_prefetch(at + AHEAD);
      for (int j = 0; j < 8; j++) {
        s[j] ^= ((const uint64_t *)(const void *)at)[j];
      }
    }
  }
  return s[0] ^ s[1] ^ s[2] ^ s[3] ^ s[4] ^ s[5] ^ s[6] ^ s[7];
}

/* Written so that a compiler makes vectors of it. */
#define LANES 64

static int64_t plain_int8(int64_t turns) {
  int8_t a[LANES], b[LANES];
  int32_t sums[LANES];
  for (int i = 0; i < LANES; i++) {
    a[i] = b[i] = (int8_t)i;
    sums[i] = i;
  }
  for (int64_t t = 0; t < turns; t++) {
    /* The numbers might be others in each turn. */
    __asm__ volatile("" ::"r"(a), "r"(b) : "memory");
    for (int i = 0; i < LANES; i++) {
      sums[i] += a[i] * b[i];
    }
  }
  volatile int32_t sink = 0;
  for (int i = 0; i < LANES; i++) {
    sink = sink + sums[i];
  }
  return LANES;
}

static int64_t plain_f32(int64_t turns) {
  float sums[LANES];
  float a = 0.5f, b = 1.0f;
  for (int i = 0; i < LANES; i++) {
    sums[i] = (float)i;
  }
  for (int64_t t = 0; t < turns; t++) {
    for (int i = 0; i < LANES; i++) {
      sums[i] = sums[i] * a + b;
    }
  }
  volatile float sink = 0;
  for (int i = 0; i < LANES; i++) {
    sink = sink + sums[i];
  }
  return LANES;
}

__attribute__((unused)) static const struct loops plain = {plain_read, plain_int8, plain_f32};

/*
 * Twelve sums under way cover the latency of two units. DO(i) is what is done to the i-th.
 */
#define SUMS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define SUM_COUNT 12

/* ------------------------------------------------------------------------------------------ x86 */

#if defined(__x86_64__)

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vnni")))
#define AVX2 __attribute__((target("avx2,fma")))

AVX512 static uint64_t avx512_read(const uint8_t *data) {
  __m512i s[STREAMS];
  for (int k = 0; k < STREAMS; k++) {
    s[k] = _mm512_setzero_si512();
  }
  for (size_t i = 0; i < STREAM; i += 512) {
    for (size_t k = 0; k < STREAMS; k++) {
      for (size_t j = 0; j < 512; j += 64) {
        const uint8_t *at = data + k * STREAM + i + j;
        __builtin_prefetch(at + AHEAD);
        s[k] = _mm512_xor_si512(s[k], _mm512_loadu_si512(at));
      }
    }
  }
  return (uint64_t)_mm512_reduce_add_epi64(_mm512_xor_si512(s[0], s[1])) ^
         (uint64_t)_mm512_reduce_add_epi64(_mm512_xor_si512(s[2], s[3]));
}

AVX512 static int64_t avx512_int8(int64_t turns) {
  __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
#define DO(i) __m512i s##i = a;
  SUMS(DO)
#undef DO
  for (int64_t t = 0; t < turns; t++) {
#define DO(i) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(s##i) : "v"(a), "v"(b));
    SUMS(DO)
#undef DO
  }
  return 64 * SUM_COUNT;
}

AVX512 static int64_t avx512_f32(int64_t turns) {
  __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
#define DO(i) __m512 s##i = a;
  SUMS(DO)
#undef DO
  for (int64_t t = 0; t < turns; t++) {
#define DO(i) __asm__ volatile("vfmadd231ps %2, %1, %0" : "+v"(s##i) : "v"(a), "v"(b));
    SUMS(DO)
#undef DO
  }
  return 16 * SUM_COUNT;
}

static const struct loops avx512 = {avx512_read, avx512_int8, avx512_f32};

AVX2 static uint64_t avx2_read(const uint8_t *data) {
  __m256i s[STREAMS];
  for (int k = 0; k < STREAMS; k++) {
    s[k] = _mm256_setzero_si256();
  }
  for (size_t i = 0; i < STREAM; i += 512) {
    for (size_t k = 0; k < STREAMS; k++) {
      for (size_t j = 0; j < 512; j += 64) {
        const uint8_t *at = data + k * STREAM + i + j;
        __builtin_prefetch(at + AHEAD);
        const __m256i *halves = (const __m256i *)(const void *)at;
        s[k] = _mm256_xor_si256(s[k], _mm256_load_si256(halves));
        s[k] = _mm256_xor_si256(s[k], _mm256_load_si256(halves + 1));
      }
    }
  }
  s[0] = _mm256_xor_si256(_mm256_xor_si256(s[0], s[1]), _mm256_xor_si256(s[2], s[3]));
  return (uint64_t)_mm256_extract_epi64(s[0], 0) ^ (uint64_t)_mm256_extract_epi64(s[0], 1) ^
         (uint64_t)_mm256_extract_epi64(s[0], 2) ^ (uint64_t)_mm256_extract_epi64(s[0], 3);
}

/* Three instructions where VNNI has one. */
AVX2 static int64_t avx2_int8(int64_t turns) {
  __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5), ones = _mm256_set1_epi16(1);
#define DO(i) __m256i s##i = a;
  SUMS(DO)
#undef DO
  for (int64_t t = 0; t < turns; t++) {
#define DO(i)                                                                              \
  {                                                                                        \
    __m256i x;                                                                             \
    __asm__ volatile("vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0"   \
                     : "+x"(s##i), "=&x"(x)                                                \
                     : "x"(a), "x"(b), "x"(ones));                                         \
  }
    SUMS(DO)
#undef DO
  }
  return 32 * SUM_COUNT;
}

AVX2 static int64_t avx2_f32(int64_t turns) {
  __m256 a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
#define DO(i) __m256 s##i = a;
  SUMS(DO)
#undef DO
  for (int64_t t = 0; t < turns; t++) {
#define DO(i) __asm__ volatile("vfmadd231ps %2, %1, %0" : "+x"(s##i) : "x"(a), "x"(b));
    SUMS(DO)
#undef DO
  }
  return 8 * SUM_COUNT;
}

static const struct loops avx2 = {avx2_read, avx2_int8, avx2_f32};

AVX2 static int64_t avx2_vnni_int8(int64_t turns) {
  __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
#define DO(i) __m256i s##i = a;
  SUMS(DO)
#undef DO
  for (int64_t t = 0; t < turns; t++) {
#define DO(i) __asm__ volatile("%{vex%} vpdpbusd %2, %1, %0" : "+x"(s##i) : "x"(a), "x"(b));
    SUMS(DO)
#undef DO
  }
  return 32 * SUM_COUNT;
}

static const struct loops avx2_vnni = {avx2_read, avx2_vnni_int8, avx2_f32};

/* AVX-VNNI, which GCC's and clang's __builtin_cpu_supports do not all know. */
static int has_avx_vnni(void) {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

static const struct loops *best_loops(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni")) {
    return &avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return has_avx_vnni() ? &avx2_vnni : &avx2;
  }
  return &plain;
}

/* ------------------------------------------------------------------------------------------ Arm */

#elif defined(__aarch64__)

static uint64_t neon_read(const uint8_t *data) {
  uint8x16_t s[STREAMS];
  for (int k = 0; k < STREAMS; k++) {
    s[k] = vdupq_n_u8(0);
  }
  for (size_t i = 0; i < STREAM; i += 512) {
    for (size_t k = 0; k < STREAMS; k++) {
      for (size_t j = 0; j < 512; j += 64) {
        const uint8_t *at = data + k * STREAM + i + j;
        __builtin_prefetch(at + AHEAD);
        uint8x16_t ab = veorq_u8(vld1q_u8(at), vld1q_u8(at + 16));
        uint8x16_t cd = veorq_u8(vld1q_u8(at + 32), vld1q_u8(at + 48));
        s[k] = veorq_u8(s[k], veorq_u8(ab, cd));
      }
    }
  }
  return vaddvq_u8(veorq_u8(veorq_u8(s[0], s[1]), veorq_u8(s[2], s[3])));
}

/* The assembler must be told of what only some processors have. */
#if defined(__ARM_FEATURE_DOTPROD)
#define DOTPROD ""
#else
#define DOTPROD ".arch armv8.2-a+dotprod\n\t"
#endif

static int64_t neon_int8(int64_t turns) {
  int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
#define DO(i) int32x4_t s##i = vdupq_n_s32(i);
  SUMS(DO)
#undef DO
  for (int64_t t = 0; t < turns; t++) {
#define DO(i)                                                 \
  __asm__ volatile(DOTPROD "sdot %0.4s, %1.16b, %2.16b"       \
                   : "+w"(s##i)                               \
                   : "w"(a), "w"(b));
    SUMS(DO)
#undef DO
  }
  return 16 * SUM_COUNT;
}

static int64_t neon_f32(int64_t turns) {
  float32x4_t a = vdupq_n_f32(0.5f), b = vdupq_n_f32(0.25f);
#define DO(i) float32x4_t s##i = a;
  SUMS(DO)
#undef DO
  for (int64_t t = 0; t < turns; t++) {
#define DO(i) __asm__ volatile("fmla %0.4s, %1.4s, %2.4s" : "+w"(s##i) : "w"(a), "w"(b));
    SUMS(DO)
#undef DO
  }
  return 4 * SUM_COUNT;
}

static const struct loops neon_dotprod = {neon_read, neon_int8, neon_f32};
__attribute__((unused)) static const struct loops neon = {neon_read, plain_int8, neon_f32};

static const struct loops *best_loops(void) {
#if defined(__linux__) && defined(HWCAP_ASIMDDP)
  return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? &neon_dotprod : &neon;
#elif defined(__APPLE__)
  return &neon_dotprod;
#else
  return &neon;
#endif
}

#else

static const struct loops *best_loops(void) { return &plain; }

#endif

/* ------------------------------------------------------------------------------------ measuring */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct measurement {
  const struct loops *loops;
  double seconds;
  uint8_t *memory;
  size_t share; /* bytes of a thread */
  int32_t threads;
  atomic_int arrived[3];
  struct qn_peaks *rates; /* of each thread */
};

/*
 * Waits for all threads. So no thread takes two jobs, and none measures while others do not
 * compute yet.
 */
static void meet(struct measurement *m, int at) {
  atomic_fetch_add(&m->arrived[at], 1);
  while (atomic_load(&m->arrived[at]) < m->threads) {
  }
}

static double read_rate(struct measurement *m, const uint8_t *data) {
  volatile uint64_t sink = 0;
  size_t bytes = 0, at = 0;
  double start = now(), end = start;
  while (end - start < m->seconds || bytes < m->share) {
    sink = sink ^ m->loops->read(data + at);
    bytes += PIECE;
    at = at + 2 * PIECE <= m->share ? at + PIECE : 0;
    end = now();
  }
  return (double)bytes / (end - start);
}

static double rate(struct measurement *m, int64_t (*loop)(int64_t)) {
  int64_t done = 0;
  double start = now(), end = start;
  while (end - start < m->seconds) {
    done += TURNS * loop(TURNS);
    end = now();
  }
  return (double)done / (end - start);
}

static void measure(void *argument, int32_t job, int32_t thread) {
  struct measurement *m = argument;
  (void)thread;
  uint8_t *data = m->memory + (size_t)job * m->share;
  /* Written by whom it is read by, so that it lies near; and not the zero page. */
  for (size_t i = 0; i < m->share; i += 64) {
    data[i] = (uint8_t)(i >> 6);
  }
  meet(m, 0);
  m->rates[job].read = read_rate(m, data);
  meet(m, 1);
  m->rates[job].int8 = rate(m, m->loops->int8);
  meet(m, 2);
  m->rates[job].f32 = rate(m, m->loops->f32);
}

int32_t qn_measure_peaks(struct qn_pool *pool, double seconds, struct qn_peaks *peaks) {
  int32_t threads = qn_pool_threads(pool);
  size_t share = MEMORY / (size_t)threads / PIECE * PIECE;
  share = share < PIECE ? PIECE : share;
  void *memory = NULL;
  struct qn_peaks *rates = calloc((size_t)threads, sizeof *rates);
  if (rates == NULL || posix_memalign(&memory, HUGE_PAGE, (size_t)threads * share) != 0) {
    free(rates);
    return 1;
  }
#if defined(MADV_HUGEPAGE)
  madvise(memory, (size_t)threads * share, MADV_HUGEPAGE);
#endif
  struct measurement m = {
      .loops = best_loops(),
      .seconds = seconds,
      .memory = memory,
      .share = share,
      .threads = threads,
      .rates = rates,
  };
  qn_pool_run(pool, threads, measure, &m);
  *peaks = (struct qn_peaks){0, 0, 0};
  for (int32_t i = 0; i < threads; i++) {
    peaks->read += rates[i].read;
    peaks->int8 += rates[i].int8;
    peaks->f32 += rates[i].f32;
  }
  free(memory);
  free(rates);
  return 0;
}
