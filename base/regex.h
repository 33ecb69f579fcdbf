#ifndef BW_BASE_REGEX_H
#define BW_BASE_REGEX_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* A user's pattern: Python `re` syntax as far as PCRE2 has it, compiled once, matched with match, depth and heap limits
 * (base/limits.h). Safe to share between threads; match data is per thread. What Python 3.11 refuses (\h, \R, POSIX
 * classes, inner global flags, ...) is refused here too, and `\Z` means end of text, so that a bundle means the same.
 */
struct bw_regex;

enum bw_regex_flags {
    BW_REGEX_ANCHORED = 1, /* Python's re.match: at the start, not at the end */
    BW_REGEX_BYTES = 2,    /* subject is bytes, `.` excludes LF only (secret and content search); else UTF-8 text */
};

/* On failure err says what and at which character of the pattern. */
int bw_regex_compile(struct bw_regex **out, const char *pattern, size_t len, unsigned flags,
                     struct bw_error *err) BW_MUST_CHECK;
void bw_regex_free(struct bw_regex *regex); /* NULL is fine */
const char *bw_regex_text(const struct bw_regex *regex);

/* 1 match, 0 no match, -1 a limit was met (BW_ELIMIT, names the pattern) or the subject is not UTF-8 (BW_EINPUT). */
int bw_regex_match(const struct bw_regex *regex, const char *subject, size_t len, struct bw_error *err) BW_MUST_CHECK;
/* As above; on a match the bounds of group `group` (0: whole); *start_out == *end_out == SIZE_MAX if it took no part.
 */
int bw_regex_group(const struct bw_regex *regex, const char *subject, size_t len, unsigned group, size_t *start_out,
                   size_t *end_out, struct bw_error *err) BW_MUST_CHECK;

#endif
