#ifndef BW_CLI_TEST_VALUE_H
#define BW_CLI_TEST_VALUE_H

#include "evaluator/bundle.h"

#include <jansson.h>

/* What the readers of test files share: faults with their place, and objects as tables of keys. */
struct bw_test_reader {
    struct bw_arena *arena;
    struct bw_problems *problems;
    const char *text;
    size_t len;
};

/* Records a fault of the value at the pointer; suggestion may be NULL. Returns -1. */
int bw_test_fault(struct bw_test_reader *reader, const char *kind, const char *pointer, const char *suggestion,
                  const char *fmt, ...) BW_PRINTF(5, 6);
int bw_test_wrong_type(struct bw_test_reader *reader, const char *pointer, const char *expected, const json_t *found);
/* Pointer to a member or an element; "" when the arena is spent. */
const char *bw_test_below(struct bw_test_reader *reader, const char *pointer, const char *key);
const char *bw_test_element(struct bw_test_reader *reader, const char *pointer, size_t index);

enum bw_test_kind {
    BW_TEST_TEXT,
    BW_TEST_FLAG,
    BW_TEST_TRUTH, /* an int that may be BW_TEST_ANY */
    BW_TEST_NUMBER,
    BW_TEST_CHOICE,
    BW_TEST_CUSTOM
};

struct bw_test_key {
    const char *name;
    enum bw_test_kind kind;
    bool required;
    size_t offset;
    const char *const *choices;
    int (*read)(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base);
};

/* The members of one object into *base. An empty value is a fault: what was meant to be checked must not vanish. */
int bw_test_read_object(struct bw_test_reader *reader, const struct bw_test_key *keys, size_t n_keys,
                        const json_t *node, const char *pointer, void *base);
int bw_test_read_text(struct bw_test_reader *reader, const json_t *node, const char *pointer, const char **out);
int bw_test_read_number(struct bw_test_reader *reader, const json_t *node, const char *pointer, int64_t *out);
int bw_test_read_time(struct bw_test_reader *reader, const json_t *node, const char *pointer, int64_t *out);
int bw_test_read_choice(struct bw_test_reader *reader, const json_t *node, const char *pointer,
                        const char *const *choices, int *out);

#endif
