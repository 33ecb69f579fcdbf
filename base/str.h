#ifndef BW_BASE_STR_H
#define BW_BASE_STR_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text with a length, borrowed: what came from outside and is not accepted yet. */
struct bw_str {
    const char *base;
    size_t len;
};

#define BW_STR(literal) ((struct bw_str){(literal), sizeof(literal) - 1})

struct bw_str bw_str_from(const char *text); /* NULL becomes empty */
bool bw_str_equal(struct bw_str a, struct bw_str b);
bool bw_str_is(struct bw_str a, const char *text);
bool bw_str_is_nocase(struct bw_str a, const char *text); /* ASCII only */
bool bw_str_starts_with(struct bw_str text, const char *prefix);
bool bw_str_ends_with(struct bw_str text, const char *suffix);
struct bw_str bw_str_trim(struct bw_str text); /* ASCII blanks at both ends */

/* Cuts the text before the first `separator` off *rest and returns it. false when *rest is exhausted (base NULL). */
bool bw_str_next(struct bw_str *out, struct bw_str *rest, char separator);
bool bw_str_next_line(struct bw_str *out, struct bw_str *rest); /* LF; a CR before it is taken off */
bool bw_str_next_word(struct bw_str *out, struct bw_str *rest); /* runs of ASCII blanks separate */

/* Whole text is a decimal number in [0, max]; -1 otherwise. No sign, no blanks. */
int bw_str_uint(uint64_t *out, struct bw_str text, unsigned base, uint64_t max) BW_MUST_CHECK;

bool bw_utf8_valid(const char *text, size_t len);
size_t bw_utf8_sequence(const char *text, size_t len); /* bytes of the valid sequence at the front, or 0 */
/* The largest n <= limit at which text can be cut without splitting a UTF-8 sequence. */
size_t bw_utf8_cut(const char *text, size_t len, size_t limit);
/* Every control character (C0, DEL, C1 in UTF-8) and every byte that is not UTF-8 becomes '?'; with keep_lines LF
 * stays; in place. */
void bw_text_clean(char *text, bool keep_lines);

void bw_hex_encode(char *out, const void *bytes, size_t len);            /* writes 2 * len digits and a NUL */
int bw_hex_decode(void *out, const char *hex, size_t len) BW_MUST_CHECK; /* len digits, lower or upper case */
/* Standard or URL-safe alphabet, padding optional, blanks and line breaks skipped. Result in the arena, NUL after it.
 */
int bw_base64_decode(char **out, size_t *len_out, const char *text, size_t len, struct bw_arena *arena,
                     struct bw_error *err) BW_MUST_CHECK;
char *bw_base64_encode(const void *bytes, size_t len, struct bw_arena *arena) BW_MUST_CHECK;

/* The candidate nearest to `word` for a "did you mean" (edit distance at most a third of the length), or NULL. */
const char *bw_suggest(const char *word, const char *const *candidates, size_t n_candidates);

#endif
