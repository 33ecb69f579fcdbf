#ifndef BW_CLI_TEST_JUDGE_H
#define BW_CLI_TEST_JUDGE_H

#include "cli/test_file.h"
#include "evaluator/trace.h"

/* A decision beside what a test expects of it. */
struct bw_test_difference {
    const char *what;           /* "action", "reason", "mapping", "findings", "undecided" */
    const char *expected, *got; /* NULL: nothing there */
};

struct bw_test_differences {
    const struct bw_test_difference *items;
    size_t n_items;
};

/* None: the case passes. All memory from the arena. */
int bw_test_compare(struct bw_test_differences *out, const struct bw_test_expect *expect,
                    const struct bw_decision *decision, const struct bw_trace *trace, struct bw_arena *arena,
                    struct bw_error *err) BW_MUST_CHECK;

/* "stop dockerfile:effective_user (policy p, rule r): message" */
const char *bw_test_finding_text(const struct bw_finding *finding, struct bw_arena *arena);

#endif
