/*
 * Speed of the products with quantized matrices, in weights a second (times tokens) and bytes a
 * second, beside what this machine's memory gives. Compiled and run by scripts/bench-kernels.
 *
 *   hot   one matrix again and again, from the caches, one thread
 *   cold  the experts of a stack of 1 GiB in turn, from memory; threads share the rows of each
 *
 * The shapes are those of an expert of Qwen3-Next: gate and up [512, 2048], down [2048, 512].
 */
#define _GNU_SOURCE
#include KERNELS_SOURCE

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { MAX_THREADS = 2, MAX_TOKENS = 8, EXPERT_WEIGHTS = 512 * 2048 };
static const int64_t STACK_BYTES = 1 << 30;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Small pages, as a map of a file has them. */
static uint8_t *map(int64_t bytes) {
  uint8_t *at = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) {
    perror("multiply-bench: no memory");
    exit(1);
  }
  madvise(at, (size_t)bytes, MADV_NOHUGEPAGE);
  return at;
}

/* Runs job(argument, thread) on so many threads at once; seconds from the first start to the last end. */
struct worker {
  void (*job)(void *argument, int thread);
  void *argument;
  int thread;
  pthread_barrier_t *start;
  double began, ended;
};

static void *work(void *of) {
  struct worker *w = of;
  pthread_barrier_wait(w->start);
  w->began = now();
  w->job(w->argument, w->thread);
  w->ended = now();
  return NULL;
}

static double run(int threads, void (*job)(void *argument, int thread), void *argument) {
  pthread_t ids[MAX_THREADS];
  struct worker workers[MAX_THREADS];
  pthread_barrier_t start;
  pthread_barrier_init(&start, NULL, (unsigned)threads);
  for (int i = 0; i < threads; i++) {
    workers[i] = (struct worker){job, argument, i, &start, 0, 0};
    pthread_create(&ids[i], NULL, work, &workers[i]);
  }
  double began = INFINITY, ended = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(ids[i], NULL);
    began = fmin(began, workers[i].began);
    ended = fmax(ended, workers[i].ended);
  }
  pthread_barrier_destroy(&start);
  return ended - began;
}

/* Reading and nothing else: 16 streams of 4 KiB, asked for 8 KiB ahead, or one stream. */
struct reading {
  const uint8_t *from;
  int64_t bytes;
  int threads, streams;
  uint64_t sum[MAX_THREADS];
};

static void read_all(void *of, int thread) {
  struct reading *r = of;
  int64_t part = r->bytes / r->threads, stream = 4096;
  const uint8_t *at = r->from + thread * part;
  uint64_t sum = 0, word;
  for (int64_t i = 0; i < part; i += stream * r->streams) {
    for (int64_t line = 0; line < stream; line += 64) {
      for (int s = 0; s < r->streams; s++) {
        const uint8_t *from = at + i + s * stream + line;
        if (r->streams > 1) {
          /* The lines of the same rows, in order of address and not of use. */
          __builtin_prefetch(at + i + (line * r->streams + s * 64) + stream * r->streams, 0, 2);
        }
        for (int k = 0; k < 64; k += 8) {
          memcpy(&word, from + k, 8);
          sum += word;
        }
      }
    }
  }
  r->sum[thread] = sum;
}

static double bandwidth(const uint8_t *from, int threads) {
  double best = 0;
  for (int streams = 1; streams <= 16; streams *= 16) {
    for (int i = 0; i < 5; i++) {
      struct reading r = {from, STACK_BYTES, threads, streams, {0}};
      double seconds = run(threads, read_all, &r);
      double speed = (double)STACK_BYTES / seconds * 1e-9;
      best = speed > best ? speed : best;
    }
  }
  return best;
}

struct product {
  struct qn_matrix matrix;
  struct qn_activations activations;
  int threads, tokens, passes; /* passes over all experts */
  float *out[MAX_THREADS];
};

static void multiply(void *of, int thread) {
  struct product *p = of;
  const struct qn_matrix *m = &p->matrix;
  int32_t first = m->rows / p->threads * thread, last = m->rows / p->threads * (thread + 1);
  for (int pass = 0; pass < p->passes; pass++) {
    for (int32_t expert = 0; expert < m->experts; expert++) {
      struct qn_product product = {.matrix = m, .expert = expert, .count = p->tokens, .x = p->activations,
                                   .out = p->out[thread], .out_stride = m->rows};
      KERNELS_MULTIPLY(&product, first, last);
    }
  }
}

/* Weights a second, the best of some runs. */
static double speed(struct product *p, int threads, int tokens, int32_t experts, int passes) {
  p->threads = threads;
  p->tokens = tokens;
  p->passes = passes;
  p->matrix.experts = experts;
  double best = 0;
  for (int i = 0; i < 3; i++) {
    double seconds = run(threads, multiply, p);
    double one = (double)EXPERT_WEIGHTS * experts * passes / seconds;
    best = one > best ? one : best;
  }
  return best;
}

static void measure(const char *name, struct qn_format format, int32_t rows, int32_t columns,
                    uint8_t *codes, uint8_t *scales, const double read[MAX_THREADS]) {
  int scale_bytes = format.mode == QN_AFFINE ? 2 : 1;
  int64_t row_bytes = (int64_t)columns * format.bits / 8;
  int64_t scale_row_bytes = (int64_t)columns / format.group * scale_bytes;
  int planes_of_scales = format.mode == QN_AFFINE ? 2 : 1;
  int64_t bytes = (int64_t)rows * (row_bytes + planes_of_scales * scale_row_bytes);
  double a_weight = (double)bytes / EXPERT_WEIGHTS;
  int32_t experts = (int32_t)(STACK_BYTES / (rows * row_bytes));
  struct qn_planes *planes = malloc((size_t)experts * sizeof *planes);
  uint8_t *biases = scales + STACK_BYTES / 4;
  for (int32_t e = 0; e < experts; e++) {
    planes[e] = (struct qn_planes){codes + e * rows * row_bytes, scales + e * rows * scale_row_bytes,
                                   format.mode == QN_AFFINE ? biases + e * rows * scale_row_bytes : NULL};
  }
  int32_t padded = qn_padded(columns), groups = columns / format.group;
  float *x = malloc(MAX_TOKENS * (size_t)columns * sizeof *x);
  struct qn_activations a = {columns, padded, groups, x, NULL, NULL, NULL};
  a.q = aligned_alloc(64, MAX_TOKENS * (size_t)padded);
  a.scale = malloc(MAX_TOKENS * (size_t)groups * sizeof(float));
  a.sum = malloc(MAX_TOKENS * (size_t)groups * sizeof(float));
  struct product p = {.matrix = {format, experts, rows, columns, row_bytes, scale_row_bytes, NULL, planes}};
  for (int i = 0; i < MAX_THREADS; i++) {
    p.out[i] = malloc(MAX_TOKENS * (size_t)rows * sizeof(float));
  }
  for (int t = 0; t < MAX_TOKENS; t++) {
    for (int32_t k = 0; k < columns; k++) {
      x[t * columns + k] = (float)((k * 37 + t * 11) % 101 - 50);
    }
    KERNELS_QUANTIZE(&format, columns, x + t * columns, a.q + t * padded, a.scale + t * groups,
                     a.sum + t * groups);
  }
  p.activations = a;

  printf("%-9s %4d x %-4d |", name, rows, columns);
  static const int tokens[] = {1, 2, 3, 4, 8};
  for (int i = 0; i < 5; i++) {
    printf(" %4.0f", 1e-9 * tokens[i] * speed(&p, 1, tokens[i], 1, 128));
  }
  for (int threads = 1; threads <= MAX_THREADS; threads++) {
    double weights = 1e-9 * speed(&p, threads, 1, experts, 1);
    printf(" | %5.1f %5.1f %4.0f%%", weights, weights * a_weight,
           100 * weights * a_weight / read[threads - 1]);
  }
  printf(" |");
  for (int i = 1; i < 5; i++) {
    printf(" %4.0f", 1e-9 * tokens[i] * speed(&p, MAX_THREADS, tokens[i], experts, 1));
  }
  printf("\n");
  fflush(stdout);
  free(planes);
  free(x);
  free(a.q);
  free(a.scale);
  free(a.sum);
  for (int i = 0; i < MAX_THREADS; i++) {
    free(p.out[i]);
  }
}

/* Names of formats ("3-bit") choose; none are all. */
int main(int count, char **names) {
  uint8_t *codes = map(STACK_BYTES), *scales = map(STACK_BYTES / 2);
  uint64_t state = 1;
  for (int64_t i = 0; i < STACK_BYTES; i += 8) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    memcpy(codes + i, &state, 8);
  }
  /* A number of middle size in every type. */
  memset(scales, 0x3C, (size_t)(STACK_BYTES / 2));

  double read[MAX_THREADS];
  for (int threads = 1; threads <= MAX_THREADS; threads++) {
    read[threads - 1] = bandwidth(codes, threads);
    printf("reading memory, %d thread(s): %.1f GB/s\n", threads, read[threads - 1]);
  }
  printf("\nG weights/s times tokens; cold also GB/s and percent of reading\n");
  printf("format    rows x cols | hot T=1  2    3    4    8 | cold, 1 thread    | cold, 2 threads  "
         " | cold T=2  3   4    8\n");
  static const struct {
    const char *name;
    struct qn_format format;
  } formats[] = {
      {"2-bit", {QN_AFFINE, 2, 64, QN_BF16}},       {"3-bit", {QN_AFFINE, 3, 64, QN_BF16}},
      {"4-bit", {QN_AFFINE, 4, 64, QN_BF16}},       {"5-bit", {QN_AFFINE, 5, 64, QN_BF16}},
      {"6-bit", {QN_AFFINE, 6, 64, QN_BF16}},       {"8-bit", {QN_AFFINE, 8, 64, QN_BF16}},
      {"3-bit g32", {QN_AFFINE, 3, 32, QN_BF16}},   {"6-bit g32", {QN_AFFINE, 6, 32, QN_BF16}},
      {"4-bit g128", {QN_AFFINE, 4, 128, QN_BF16}}, {"mxfp4", {QN_MXFP4, 4, 32, QN_BF16}},
      {"nvfp4", {QN_NVFP4, 4, 16, QN_BF16}},
  };
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    int chosen = count == 1;
    for (int n = 1; n < count; n++) {
      chosen |= strcmp(names[n], formats[i].name) == 0;
    }
    if (chosen) {
      measure(formats[i].name, formats[i].format, 512, 2048, codes, scales, read);
      measure(formats[i].name, formats[i].format, 2048, 512, codes, scales, read);
    }
  }
  return 0;
}
