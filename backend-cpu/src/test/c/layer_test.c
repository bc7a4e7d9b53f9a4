/*
 * What is in a layer besides products with weights: each operation of a table against plain C, bit
 * for bit, however its tokens are read and by however many threads; and plain C against f64.
 *
 *   layer_test [--quick] TABLE CASES      --quick for where everything takes twenty times as long
 *
 * Exits with 77 if the machine lacks the table.
 */
#include "attention_cases.h"
#include "delta_cases.h"
#include "elements_cases.h"

int main(int argc, char **argv) {
  int quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
  const char *table = argc > 1 + quick ? argv[1 + quick] : "plain";
  int cases = argc > 2 + quick ? atoi(argv[2 + quick]) : 100;
  int64_t work = quick ? 1000000 : 8000000; /* about the multiplications of a case */
  if (qn_choose_kernels(table) == NULL) {
    return 77;
  }
  struct qn_context *plain = context_of("plain", 1);
  struct qn_context *fast[] = {context_of(table, 1), context_of(table, 2), context_of(table, 7)};
  int failed = 0;
  for (int seed = 0; seed < cases && !failed; seed++) {
    struct rng r = {(uint64_t)seed * 0x2545F4914F6CDD1Du + 1};
    failed = elements_case(&r, plain, fast[1]) || attention_case(&r, plain, fast, 3, work) ||
             delta_case(&r, plain, fast, 3, work);
    if (failed) {
      fprintf(stderr, "  table %s, seed %d\n", table, seed);
    }
  }
  if (!failed && !quick && strcmp(table, "plain") != 0) { /* plain C takes too long */
    struct rng r = {1};
    failed = attention_deep(&r, fast[0], fast[2]);
  }
  printf("layer: %s, %d cases%s\n", table, cases, failed ? ": FAILED" : "");
  qn_context_free(plain);
  for (int i = 0; i < 3; i++) {
    qn_context_free(fast[i]);
  }
  return failed;
}
