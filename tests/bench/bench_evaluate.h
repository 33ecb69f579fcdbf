#ifndef BW_TESTS_BENCH_BENCH_EVALUATE_H
#define BW_TESTS_BENCH_BENCH_EVALUATE_H

#include "golden/golden.h"

/* What the modes of bench_evaluate share. A failure ends the program. */
struct bench_sizes {
    size_t n_findings, arena_bytes;
};

double bench_cpu_ms(void);
struct bw_bundle *bench_load(const char *text);
/* with_words: all ids and messages; else the messages that a verdict keeps. */
struct bench_sizes bench_evaluate(const struct bw_bundle *bundle, const struct bw_facts *facts, bool with_words);
double bench_evaluate_ms(const struct bw_bundle *bundle, const struct bw_facts *facts, bool with_words,
                         unsigned long rounds);

/* evaluations and loads of ten times as much, beside the given one (bench_scale.c) */
void bench_scale(struct golden_world *world, const char *analysis, const char *bundle, const struct bw_facts *facts,
                 unsigned long rounds);

#endif
