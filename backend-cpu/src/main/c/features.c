/* Which tables this machine and its system can run. */
#include "kernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* __builtin_cpu_supports asks the system too, whether it keeps the wide registers. */
static int has_avx2(void) {
  unsigned a, b, c, d;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
         __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}

/* Not all compilers know the name "avxvnni": leaf 7, subleaf 1, EAX, bit 4. */
static int has_avx2_vnni(void) {
  unsigned a, b, c, d;
  return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4) != 0;
}

static int has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}

#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

/* From the system's asm/hwcap.h, which is not everywhere. */
#define FPHP (1ul << 9)
#define ASIMDHP (1ul << 10)
#define ASIMDDP (1ul << 20)

static int has_neon(void) {
  unsigned long needed = FPHP | ASIMDHP | ASIMDDP;
  return (getauxval(AT_HWCAP) & needed) == needed;
}

#elif defined(__aarch64__)

/* Every Apple processor that macOS runs on has dot products. */
static int has_neon(void) { return 1; }

#endif

static int always(void) { return 1; }

/* The best first. */
static const struct {
  const struct qn_kernels *kernels;
  int (*runs)(void);
} tables[] = {
#if defined(__x86_64__)
    {&qn_avx512, has_avx512},
    {&qn_avx2_vnni, has_avx2_vnni},
    {&qn_avx2, has_avx2},
#elif defined(__aarch64__)
    {&qn_neon, has_neon},
#endif
    {&qn_plain, always},
};

const struct qn_kernels *qn_choose_kernels(const char *name) {
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    if ((name == NULL || strcmp(name, tables[i].kernels->name) == 0) && tables[i].runs()) {
      return tables[i].kernels;
    }
  }
  return NULL;
}
