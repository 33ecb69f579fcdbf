#ifndef BW_EVALUATOR_PATTERN_H
#define BW_EVALUATOR_PATTERN_H

#include "base/regex.h"
#include "base/str.h"

/* How mappings, image lists and whitelists name things: a text in which `*` stands for any run of characters, or
 * `regexp:` and a regular expression that is matched at the start. */
struct bw_pattern {
    struct bw_str text;     /* as written; NUL-terminated */
    struct bw_regex *regex; /* owned by the bundle; NULL unless the pattern is an expression */
    bool literal;           /* no star in it */
};

bool bw_pattern_is_regex(struct bw_str text);
/* What stands behind `regexp:`. The first seven bytes are cut off whatever they are: so did the engine. */
struct bw_str bw_pattern_regex_text(struct bw_str text);
bool bw_pattern_is_star(const struct bw_pattern *pattern); /* exactly `*` */

/* 1 match, 0 none, -1: the expression met its limits (counts as none for the caller that does not care). */
int bw_pattern_match(const struct bw_pattern *pattern, struct bw_str subject, struct bw_error *err) BW_MUST_CHECK;
bool bw_wildcard_match(struct bw_str pattern, struct bw_str subject);

#endif
