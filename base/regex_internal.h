#ifndef BW_BASE_REGEX_INTERNAL_H
#define BW_BASE_REGEX_INTERNAL_H

#include "base/buf.h"

#include <stdint.h>

/* Python's `re` (3.11) to PCRE2: the walk over a pattern, shared by regex_python.c and regex_atom.c only. */

enum bw_python_flags {
    PY_IGNORECASE = 1,
    PY_MULTILINE = 2,
    PY_DOTALL = 4,
    PY_VERBOSE = 8,
    PY_ASCII = 16,
    PY_UNICODE = 32,
    PY_LOCALE = 64,
    PY_KINDS = PY_ASCII | PY_UNICODE | PY_LOCALE
};

/* How many characters a part can match: look-behind wants low == high. */
struct bw_width {
    uint64_t low, high; /* saturating; UINT64_MAX: no bound */
};

struct bw_python_group {
    const char *name; /* inside the pattern; NULL without one */
    size_t name_len;
    struct bw_width width;
    bool closed;
};

struct bw_python_walk {
    const char *begin, *at, *end;
    bool bytes;
    bool guarded; /* with callouts; see regex.c */
    unsigned global_flags;
    struct bw_buf out;
    struct bw_python_group *groups; /* [0] is the whole */
    size_t n_groups, groups_capacity;
    size_t behind_groups; /* groups opened before the outermost look-behind we are in; SIZE_MAX outside */
    size_t highest_condition;
    const char *highest_condition_at;
    unsigned depth;
    struct bw_error *err;
};

enum bw_python_item { PY_ITEM_NONE, PY_ITEM_ANCHOR, PY_ITEM_REPEAT, PY_ITEM_OTHER };

/* Returns -1, with the place `at` as a character of the pattern. */
int bw_python_fail(struct bw_python_walk *walk, const char *at, const char *fmt, ...) BW_PRINTF(3, 4);
#define bw_python_fail(...)                                                                                            \
    __extension__({                                                                                                    \
        (bw_python_fail)(__VA_ARGS__);                                                                                 \
        -1;                                                                                                            \
    })
uint32_t bw_python_peek(const struct bw_python_walk *walk, size_t *len_out); /* *len_out 0 at the end */

/* regex_atom.c: one escape, one set, one literal character; *item_out tells whether it may be repeated. */
int bw_python_escape(struct bw_python_walk *walk, unsigned flags, enum bw_python_item *item_out,
                     struct bw_width *width_out) BW_MUST_CHECK;
int bw_python_set(struct bw_python_walk *walk, unsigned flags) BW_MUST_CHECK;
void bw_python_literal(struct bw_python_walk *walk, unsigned flags, uint32_t c);
/* Whether a reference to the group may stand here. */
int bw_python_check_reference(struct bw_python_walk *walk, const char *at, uint64_t group) BW_MUST_CHECK;

/* The whole translation: appends to walk->out, sets walk->global_flags. Everything is freed by bw_python_clear. */
int bw_python_translate(struct bw_python_walk *walk, const char *pattern, size_t len, bool bytes, bool guarded,
                        struct bw_error *err) BW_MUST_CHECK;
void bw_python_clear(struct bw_python_walk *walk);

#endif
