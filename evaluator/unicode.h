#ifndef BW_EVALUATOR_UNICODE_H
#define BW_EVALUATOR_UNICODE_H

#include "base/str.h"

/* What the recorded decisions take for blanks, digits and ends of lines: those of Unicode, in UTF-8 text. Bytes that
 * are no UTF-8 stand for themselves and are none of the three. */

bool bw_unicode_is_blank(uint32_t character);
int bw_unicode_digit(uint32_t character); /* 0 to 9, or -1: any decimal digit of Unicode */
/* The character at the start of text (not empty) and how many bytes it takes. */
uint32_t bw_unicode_next(struct bw_str text, size_t *len_out);

struct bw_str bw_unicode_trim(struct bw_str text);
/* The next run of non-blanks is cut off *rest; false at the end. */
bool bw_unicode_next_word(struct bw_str *out, struct bw_str *rest);
/* The next line is cut off *rest without its end (LF, CR, CRLF, VT, FF, FS, GS, RS, NEL, LS, PS); false at the end. */
bool bw_unicode_next_line(struct bw_str *out, struct bw_str *rest);

#endif
