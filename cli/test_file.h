#ifndef BW_CLI_TEST_FILE_H
#define BW_CLI_TEST_FILE_H

#include "cli/test_data.h"
#include "evaluator/bundle.h"
#include "evaluator/evaluate.h"
#include "image/platform.h"

#include <jansson.h>

/*
 * A test file of bundles (docs/testing-bundles.md), read and checked as a whole, every fault at once; what it names has
 * not been opened yet. Texts and nodes live as long as the file does, places are JSON Pointers into it.
 */

enum { BW_TEST_ANY = -1 }; /* of a number: not asked for */

struct bw_test_source { /* a bundle, an analysis: named, or written in place; neither: absent */
    const char *file;   /* as written, relative to the test file */
    const json_t *document;
    const char *pointer;
};

struct bw_test_finding { /* of `findings`; NULL and BW_TEST_ANY: any */
    const char *pointer;
    const char *gate, *trigger, *trigger_id, *policy, *rule, *whitelist, *message;
    int64_t rule_index; /* `rule` given as a number */
    int action;         /* enum bw_action */
    int undecided;
    int64_t count; /* BW_TEST_ANY: one or more */
};

enum bw_test_mapping { BW_TEST_MAPPING_ANY, BW_TEST_MAPPING_NONE, BW_TEST_MAPPING_INDEX, BW_TEST_MAPPING_LABEL };

struct bw_test_expect {
    int action;         /* enum bw_action */
    const char *reason; /* as bw_decision has it */
    enum bw_test_mapping mapping;
    int64_t mapping_index;
    const char *mapping_label;
    const struct bw_test_finding *findings;
    size_t n_findings;
    bool exactly;  /* findings are all that there are */
    int undecided; /* whether some rule cannot be evaluated; BW_TEST_ANY: none may, but those that findings name */
};

struct bw_test_case {
    const char *pointer, *name;
    struct bw_test_source bundle; /* absent: the file's */
    struct bw_test_source facts, previous;
    struct bw_test_data data;
    struct bw_reference reference;
    bool tag_counts, has_now, has_platform;
    int64_t now_s;
    struct bw_platform platform;
    struct bw_test_expect expect;
};

struct bw_test_file {
    struct bw_arena arena;
    json_t *tree;
    struct bw_test_source bundle; /* for cases without one of their own */
    enum bw_no_mapping no_mapping;
    struct bw_test_case *cases;
    size_t n_cases;
};

/* -1: problems say everything that is wrong, err sums up; nothing is to be cleared then. */
int bw_test_file_read(struct bw_test_file *out, struct bw_problems *problems, const char *text, size_t len,
                      struct bw_error *err) BW_MUST_CHECK;
void bw_test_file_clear(struct bw_test_file *file);

/* Whether a file of this name is a test: *.test.yaml, *_test.yaml. */
bool bw_test_file_named(const char *name);

#endif
