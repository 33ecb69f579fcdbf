#ifndef BW_WEBHOOK_FIELD_CURSOR_H
#define BW_WEBHOOK_FIELD_CURSOR_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>

/*
 * JSON read by one pass over the bytes, without a tree. It takes only what it understands beyond
 * doubt: no escapes and no duplicates where it looks, valid UTF-8 in what it uses. Else the cursor is lost, and every
 * function says false.
 */
struct bw_cursor {
    const char *at, *end;
    struct bw_arena *arena;
    bool lost; /* not understood: nothing that was read counts */
};

struct bw_cursor_level { /* an object or a list that is being walked */
    unsigned long seen;  /* keys of interest, one bit each */
    bool begun;
};

#define BW_IS(key, literal)                                                                                            \
    ((key).len == sizeof(literal) - 1 && memcmp((key).base, (literal), sizeof(literal) - 1) == 0)

bool bw_cursor_lose(struct bw_cursor *cursor); /* false */
static inline char bw_cursor_peek(const struct bw_cursor *cursor)
{
    return cursor->at < cursor->end ? *cursor->at : '\0';
}
void bw_cursor_blanks(struct bw_cursor *cursor);
bool bw_cursor_skip(struct bw_cursor *cursor); /* a whole value */

/* Text between quotes, without escapes; borrowed. */
bool bw_cursor_plain(struct bw_cursor *cursor, struct bw_str *out);
/* A copy of a text without escapes; null leaves *out alone. */
bool bw_cursor_text(struct bw_cursor *cursor, const char **out);
/* A copy of a text that may have escapes, but no NUL. */
bool bw_cursor_escaped(struct bw_cursor *cursor, const char **out, size_t *len_out);
bool bw_cursor_literal(struct bw_cursor *cursor, const char *literal);
bool bw_cursor_usable(struct bw_str text); /* no control character, and UTF-8 */

/* Whether the value is a container of this kind, and then goes into it; null and absence are "no". */
bool bw_cursor_enter(struct bw_cursor *cursor, char bracket);
/* The next part of the container, if there is one: the cursor stands at its first byte, of a member at its value. */
bool bw_cursor_element(struct bw_cursor *cursor, struct bw_cursor_level *level);
bool bw_cursor_member(struct bw_cursor *cursor, struct bw_cursor_level *level, struct bw_str *key);
/* A key of interest may come once. */
bool bw_cursor_once(struct bw_cursor *cursor, struct bw_cursor_level *level, unsigned bit);

#endif
