#ifndef BW_EVALUATOR_LITERAL_H
#define BW_EVALUATOR_LITERAL_H

#include "base/arena.h"
#include "base/str.h"

/* A text that every match of a regular expression contains, so that most subjects need not be matched at all. Empty
 * when none can be told for sure. */
int bw_literal_of_regex(struct bw_str *out, const char *pattern, struct bw_arena *arena,
                        struct bw_error *err) BW_MUST_CHECK;

/* Where the literal (not empty) first occurs, or NULL. */
const char *bw_literal_find(struct bw_str literal, const char *text, size_t len);

#endif
