/* Growing bytes with a ceiling (base/buf.h). */
#include "base/buf.h"

#include "base/memory.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bw_buf_init(struct bw_buf *buf, size_t ceiling)
{
    *buf = (struct bw_buf){.ceiling = ceiling};
}

void bw_buf_clear(struct bw_buf *buf)
{
    if (!buf)
        return;
    free(buf->data);
    *buf = (struct bw_buf){.ceiling = buf->ceiling};
}

void bw_buf_reset(struct bw_buf *buf)
{
    buf->len = 0;
    buf->full = false;
    if (buf->data)
        buf->data[0] = '\0';
}

/* Room for `more` bytes and the NUL; false once the ceiling is met. */
static bool reserve(struct bw_buf *buf, size_t more)
{
    if (buf->full || more > buf->ceiling - buf->len) {
        buf->full = true;
        return false;
    }
    size_t needed = buf->len + more + 1;
    if (needed <= buf->capacity)
        return true;
    size_t capacity = buf->capacity < 128 ? 256 : buf->capacity;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : 2 * capacity;
    buf->data = bw_memory_resize(buf->data, capacity);
    buf->capacity = capacity;
    return true;
}

void bw_buf_append(struct bw_buf *buf, const void *bytes, size_t len)
{
    if (!reserve(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void bw_buf_puts(struct bw_buf *buf, const char *text)
{
    bw_buf_append(buf, text, strlen(text));
}

void bw_buf_printf(struct bw_buf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    size_t room = buf->capacity - buf->len; /* 0 while empty */
    int len = vsnprintf(buf->data ? buf->data + buf->len : NULL, room, fmt, args);
    if (len >= 0 && !buf->full && (size_t)len < room && (size_t)len <= buf->ceiling - buf->len) {
        buf->len += (size_t)len;
    } else {
        if (buf->data)
            buf->data[buf->len] = '\0';
        if (len < 0)
            buf->full = true;
        else if (reserve(buf, (size_t)len)) {
            vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
            buf->len += (size_t)len;
        }
    }
    va_end(again);
    va_end(args);
}

static const char *escape_of(unsigned char c, char scratch[7])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        snprintf(scratch, 7, "\\u%04x", (unsigned)c);
        return scratch;
    }
}

void bw_buf_json(struct bw_buf *buf, const char *text, size_t len)
{
    bw_buf_append(buf, "\"", 1);
    size_t run = 0;
    for (size_t at = 0; at < len;) {
        unsigned char c = (unsigned char)text[at];
        char scratch[7];
        const char *instead = NULL;
        size_t step = 1;
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
            instead = escape_of(c, scratch);
        } else if (c >= 0x80) {
            step = bw_utf8_sequence(text + at, len - at);
            if (!step) {
                instead = "\xef\xbf\xbd";
                step = 1;
            }
        }
        if (instead) {
            bw_buf_append(buf, text + run, at - run);
            bw_buf_puts(buf, instead);
            run = at + step;
        }
        at += step;
    }
    if (len > run)
        bw_buf_append(buf, text + run, len - run);
    bw_buf_append(buf, "\"", 1);
}

int bw_buf_check(const struct bw_buf *buf, const char *what, struct bw_error *err)
{
    if (!buf->full)
        return 0;
    return bw_error_set(err, BW_ELIMIT, "%s: larger than the %zu bytes allowed", what, buf->ceiling);
}

char *bw_buf_take(struct bw_buf *buf, size_t *len_out)
{
    char *data = buf->data ? buf->data : bw_memory_zeroed(1, 1);
    if (len_out)
        *len_out = buf->len;
    *buf = (struct bw_buf){.ceiling = buf->ceiling};
    return data;
}
