#ifndef BW_CLI_TEST_OUTPUT_H
#define BW_CLI_TEST_OUTPUT_H

#include "cli/settings.h"
#include "cli/test_judge.h"

/* What `breakwater test` says, and the ways to say it. */
enum bw_test_status { BW_TEST_PASSED, BW_TEST_FAILED, BW_TEST_NOT_RUN, BW_TEST_STATUSES };

struct bw_test_result {
    const char *file, *name;
    unsigned line, column; /* 0: not looked up */
    enum bw_test_status status;
    const struct bw_decision *decision; /* NULL: not run */
    const char *mapping;                /* label, or NULL */
    struct bw_test_differences differences;
    const char *place, *message; /* not run: JSON Pointer and why */
    struct bw_arena *arena;
};

struct bw_test_show {
    size_t counts[BW_TEST_STATUSES];
    json_t *files; /* of writers that write everything at the end */
};

struct bw_test_writer {                                        /* a NULL member has nothing to say */
    void (*file)(struct bw_test_show *show, const char *file); /* a file begins */
    void (*fault)(struct bw_test_show *show, const char *message,
                  const struct bw_problems *list); /* it cannot be run */
    void (*result)(struct bw_test_show *show, const struct bw_test_result *result);
    void (*end)(struct bw_test_show *show);
};
extern const struct bw_test_writer bw_test_text, bw_test_json, bw_test_junit;

#endif
