#ifndef BW_BASE_BUF_H
#define BW_BASE_BUF_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Growing bytes with a ceiling given at construction. Once the ceiling is met the buffer is `full`: it keeps what it
 * had, later appends do nothing, and the caller asks once at the end. A NUL always follows the content. */
struct bw_buf {
    char *data; /* NULL while empty */
    size_t len;
    size_t capacity;
    size_t ceiling;
    bool full;
};

void bw_buf_init(struct bw_buf *buf, size_t ceiling);
void bw_buf_clear(struct bw_buf *buf); /* frees the content; NULL and {0} are fine */
void bw_buf_reset(struct bw_buf *buf); /* len 0, memory kept */
void bw_buf_append(struct bw_buf *buf, const void *bytes, size_t len);
void bw_buf_puts(struct bw_buf *buf, const char *text);
void bw_buf_printf(struct bw_buf *buf, const char *fmt, ...) BW_PRINTF(2, 3);
/* A JSON string with its quotes; invalid UTF-8 becomes U+FFFD; `<`, `>`, `&` as they are. */
void bw_buf_json(struct bw_buf *buf, const char *text, size_t len);
/* -1 with BW_ELIMIT naming `what` when the ceiling was met. */
int bw_buf_check(const struct bw_buf *buf, const char *what, struct bw_error *err) BW_MUST_CHECK;
char *bw_buf_take(struct bw_buf *buf, size_t *len_out); /* ownership to the caller (free); "" when empty */

#define BW_BUF_SCOPE __attribute__((cleanup(bw_buf_clear))) struct bw_buf

#endif
