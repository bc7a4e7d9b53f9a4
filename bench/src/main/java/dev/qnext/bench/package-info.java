/** Benchmarks, by JMH; the scripts named bench-* run them. */
@org.jspecify.annotations.NullMarked
package dev.qnext.bench;
