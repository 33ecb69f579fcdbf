#ifndef BW_IMAGE_ANALYZER_COLLECTORS_SECRETS_H
#define BW_IMAGE_ANALYZER_COLLECTORS_SECRETS_H

#include "image/analyzer/collector.h"

/* Compiles configured expressions ("NAME=REGEX" or "REGEX", split at the first '='), in their order; array and literals
 * in the arena, regexes freed by bw_patterns_free. A pattern that does not compile is BW_EINPUT and names itself. */
int bw_patterns_compile(const struct bw_pattern **out, const char *const *texts, size_t n_texts, struct bw_arena *arena,
                        struct bw_error *err) BW_MUST_CHECK;
void bw_patterns_free(const struct bw_pattern *patterns, size_t n_patterns);

/* The regex part of a configured expression. */
const char *bw_pattern_regex(const char *text);

/* Texts (lower case) of which every match of the regex contains at least one; NULL and NULL if none of three bytes or
 * more can be told. Exact for what it understands, silent about the rest. */
int bw_pattern_literals(const char **literal, const char **alternative, const char *regex, struct bw_arena *arena,
                        struct bw_error *err) BW_MUST_CHECK;

/* The first occurrence of a lower-case literal in the bytes, ASCII letters of either case; NULL if there is none. */
const char *bw_find_nocase(const char *bytes, size_t len, const char *literal);

/* Calls hit() with the index of a pattern and the numbers (from 0) of the lines it matches at the start of, for each
 * pattern that matches any line; `limited` when a limit of the matcher was met and more may match. At most
 * BW_MAX_HIT_LINES lines are told. */
struct bw_pattern_lines {
    size_t pattern;
    const int64_t *lines;
    size_t n_lines;
    bool limited;
};
int bw_patterns_scan(const struct bw_pattern *patterns, size_t n_patterns, const char *bytes, size_t len,
                     int (*hit)(void *payload, const struct bw_pattern_lines *found, struct bw_error *err),
                     void *payload, struct bw_error *err) BW_MUST_CHECK;

#endif
