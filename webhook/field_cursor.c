/*
 * One pass over JSON (field_cursor.h). Values that are not asked for are skipped by blocks of 64 bytes: masks of
 * quotes, escapes and brackets, and a count of depth.
 */
#include "webhook/field_cursor.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

bool bw_cursor_lose(struct bw_cursor *cursor)
{
    cursor->lost = true;
    return false;
}

/* ---- skipping ---- */

struct masks {
    uint64_t quotes, backslashes, opening, closing;
};

#if defined(__SSE2__)
static struct masks masks_of(const char *block)
{
    struct masks masks = {0, 0, 0, 0};
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), fold = _mm_set1_epi8(0x20),
                  opening = _mm_set1_epi8('{'), closing = _mm_set1_epi8('}');
    for (unsigned part = 0; part < 64; part += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(block + part));
        __m128i folded = _mm_or_si128(bytes, fold); /* '[' becomes '{', ']' becomes '}', and nothing else does */
        masks.quotes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, quote)) << part;
        masks.backslashes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, backslash)) << part;
        masks.opening |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(folded, opening)) << part;
        masks.closing |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(folded, closing)) << part;
    }
    return masks;
}
#else
static struct masks masks_of(const char *block)
{
    struct masks masks = {0, 0, 0, 0};
    for (unsigned i = 0; i < 64; i++) {
        unsigned char c = (unsigned char)block[i];
        masks.quotes |= (uint64_t)(c == '"') << i;
        masks.backslashes |= (uint64_t)(c == '\\') << i;
        masks.opening |= (uint64_t)((c | 0x20) == '{') << i;
        masks.closing |= (uint64_t)((c | 0x20) == '}') << i;
    }
    return masks;
}
#endif

/* Bits that a backslash takes the meaning from; *carry: the first bit of the next block is one. */
static uint64_t escaped_of(uint64_t backslashes, bool *carry)
{
    uint64_t escaped = *carry ? 1 : 0;
    backslashes &= ~escaped;
    *carry = false;
    while (backslashes) {
        unsigned bit = (unsigned)__builtin_ctzll(backslashes);
        backslashes &= backslashes - 1;
        if (bit == 63) {
            *carry = true;
            break;
        }
        escaped |= UINT64_C(2) << bit;
        backslashes &= ~(UINT64_C(2) << bit);
    }
    return escaped;
}

/* Every bit becomes the parity of the bits up to and with it: 1 between an opening quote and its closing one. */
static uint64_t parity_of(uint64_t bits)
{
    for (unsigned shift = 1; shift < 64; shift *= 2)
        bits ^= bits << shift;
    return bits;
}

/* The bit at which the depth comes to zero, or 64. */
static unsigned closing_bit(const struct masks *masks, uint64_t *depth)
{
    uint64_t brackets = masks->opening | masks->closing;
    for (; brackets; brackets &= brackets - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(brackets);
        if (masks->opening >> bit & 1)
            ++*depth;
        else if (--*depth == 0)
            return bit;
    }
    return 64;
}

/* The cursor stands behind an opening bracket; goes behind the one that closes it. */
static bool skip_container(struct bw_cursor *cursor)
{
    uint64_t depth = 1, in_string = 0;
    bool escape = false;
    const char *block = cursor->at;
    while (block < cursor->end) {
        char tail[64];
        size_t left = (size_t)(cursor->end - block);
        const char *bytes = block;
        if (left < sizeof(tail)) {
            memset(tail, ' ', sizeof(tail));
            memcpy(tail, block, left);
            bytes = tail;
        }
        struct masks masks = masks_of(bytes);
        if (masks.backslashes || escape)
            masks.quotes &= ~escaped_of(masks.backslashes, &escape);
        uint64_t strings = parity_of(masks.quotes) ^ in_string;
        in_string = strings >> 63 ? UINT64_MAX : 0;
        masks.opening &= ~strings;
        masks.closing &= ~strings;
        uint64_t closing = (uint64_t)__builtin_popcountll(masks.closing);
        if (closing < depth) {
            depth += (uint64_t)__builtin_popcountll(masks.opening) - closing;
        } else {
            unsigned bit = closing_bit(&masks, &depth);
            if (bit < 64) {
                cursor->at = block + bit + 1;
                return true;
            }
        }
        block += sizeof(tail);
    }
    return bw_cursor_lose(cursor);
}

/* The cursor stands behind the opening quote; goes behind the closing one. */
static bool skip_string(struct bw_cursor *cursor)
{
    const char *start = cursor->at, *from = start;
    while (from < cursor->end) {
        const char *quote = memchr(from, '"', (size_t)(cursor->end - from)), *before = quote;
        if (!quote)
            break;
        while (before > start && before[-1] == '\\')
            before--;
        if ((quote - before) % 2 == 0) {
            cursor->at = quote + 1;
            return true;
        }
        from = quote + 1;
    }
    return bw_cursor_lose(cursor);
}

void bw_cursor_blanks(struct bw_cursor *cursor)
{
    while (cursor->at < cursor->end &&
           (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\r' || *cursor->at == '\t'))
        cursor->at++;
}

static bool ends_scalar(char c)
{
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\0';
}

bool bw_cursor_skip(struct bw_cursor *cursor)
{
    char first = bw_cursor_peek(cursor);
    if (first == '"') {
        cursor->at++;
        return skip_string(cursor);
    }
    if (first == '{' || first == '[') {
        cursor->at++;
        return skip_container(cursor);
    }
    const char *start = cursor->at;
    while (cursor->at < cursor->end && !ends_scalar(*cursor->at))
        cursor->at++;
    return cursor->at > start ? true : bw_cursor_lose(cursor);
}

/* ---- plain values ---- */

/* Text between quotes, without escapes. */
bool bw_cursor_plain(struct bw_cursor *cursor, struct bw_str *out)
{
    if (bw_cursor_peek(cursor) != '"')
        return bw_cursor_lose(cursor);
    const char *start = ++cursor->at;
    const char *quote = memchr(start, '"', (size_t)(cursor->end - start));
    if (!quote || memchr(start, '\\', (size_t)(quote - start)))
        return bw_cursor_lose(cursor);
    *out = (struct bw_str){start, (size_t)(quote - start)};
    cursor->at = quote + 1;
    return true;
}

bool bw_cursor_literal(struct bw_cursor *cursor, const char *literal)
{
    size_t len = strlen(literal);
    if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, literal, len) != 0)
        return false;
    cursor->at += len;
    if (cursor->at < cursor->end && !ends_scalar(*cursor->at))
        return bw_cursor_lose(cursor);
    return true;
}

bool bw_cursor_usable(struct bw_str text)
{
    bool ascii = true;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.base[i] < 0x20)
            return false;
        ascii &= (unsigned char)text.base[i] < 0x80;
    }
    return ascii || bw_utf8_valid(text.base, text.len);
}

/* A copy of a string; null leaves *out alone. */
bool bw_cursor_text(struct bw_cursor *cursor, const char **out)
{
    struct bw_str text;
    if (bw_cursor_literal(cursor, "null"))
        return true;
    if (cursor->lost || !bw_cursor_plain(cursor, &text) || !bw_cursor_usable(text))
        return bw_cursor_lose(cursor);
    *out = bw_arena_strndup(cursor->arena, text.base, text.len);
    return *out ? true : bw_cursor_lose(cursor);
}

static bool read_hex(const char *text, unsigned *out)
{
    unsigned value = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value << 4 | (unsigned)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    *out = value;
    return true;
}

/* What stands behind "\\u"; *used tells how much of the text that was. 0: nothing that we take (a NUL among them). */
static unsigned read_code_point(const char *text, size_t len, size_t *used)
{
    unsigned code = 0, low = 0;
    if (len < 4 || !read_hex(text, &code))
        return 0;
    *used = 4;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    if (code > 0xdbff || len < 10 || text[4] != '\\' || text[5] != 'u' || !read_hex(text + 6, &low) || low < 0xdc00 ||
        low > 0xdfff)
        return 0;
    *used = 10;
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

static char *put_code_point(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    if (code >= 0x80)
        *out++ = (char)(0x80 | (code & 0x3f));
    return out;
}

/* Escapes resolved, which never makes a text longer. SIZE_MAX: an escape that we do not take. */
static size_t unescape(char *out, struct bw_str raw)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *at = raw.base, *end = raw.base + raw.len;
    char *to = out;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape ? escape : end) - at);
        memcpy(to, at, plain);
        to += plain;
        at += plain;
        if (!escape)
            break;
        const char *name = at + 1 < end && at[1] ? strchr(names, at[1]) : NULL;
        if (name) {
            *to++ = meanings[name - names];
            at += 2;
            continue;
        }
        size_t used = 0;
        unsigned code = at + 1 < end && at[1] == 'u' ? read_code_point(at + 2, (size_t)(end - at - 2), &used) : 0;
        if (!code)
            return SIZE_MAX;
        to = put_code_point(to, code);
        at += 2 + used;
    }
    return (size_t)(to - out);
}

/* A copy of a string that may have escapes: an annotation often holds a whole document. */
bool bw_cursor_escaped(struct bw_cursor *cursor, const char **out, size_t *len_out)
{
    if (bw_cursor_peek(cursor) != '"')
        return bw_cursor_lose(cursor);
    const char *start = ++cursor->at;
    if (!skip_string(cursor))
        return false;
    struct bw_str raw = {start, (size_t)(cursor->at - 1 - start)};
    if (!bw_cursor_usable(raw))
        return bw_cursor_lose(cursor);
    char *copy = bw_arena_alloc(cursor->arena, raw.len + 1);
    size_t len = copy ? unescape(copy, raw) : SIZE_MAX;
    if (len == SIZE_MAX)
        return bw_cursor_lose(cursor);
    copy[len] = '\0';
    *out = copy;
    *len_out = len;
    return true;
}

/* ---- members and elements ---- */

/* Whether the value is a container of this kind, and then goes into it; null and absence are "no". */
bool bw_cursor_enter(struct bw_cursor *cursor, char bracket)
{
    if (bw_cursor_peek(cursor) == bracket) {
        cursor->at++;
        return true;
    }
    if (!bw_cursor_literal(cursor, "null"))
        bw_cursor_lose(cursor);
    return false;
}

/* The next part of the container, if there is one: the cursor stands at its first byte. */
static bool next_part(struct bw_cursor *cursor, struct bw_cursor_level *level, char closing)
{
    if (cursor->lost)
        return false;
    bw_cursor_blanks(cursor);
    if (bw_cursor_peek(cursor) == closing) {
        cursor->at++;
        return false;
    }
    if (level->begun) {
        if (bw_cursor_peek(cursor) != ',')
            return bw_cursor_lose(cursor);
        cursor->at++;
        bw_cursor_blanks(cursor);
    }
    level->begun = true;
    return true;
}

bool bw_cursor_element(struct bw_cursor *cursor, struct bw_cursor_level *level)
{
    return next_part(cursor, level, ']');
}

/* The cursor stands at the value of the next member; `key` borrows from the body. */
bool bw_cursor_member(struct bw_cursor *cursor, struct bw_cursor_level *level, struct bw_str *key)
{
    if (!next_part(cursor, level, '}') || !bw_cursor_plain(cursor, key))
        return false;
    bw_cursor_blanks(cursor);
    if (bw_cursor_peek(cursor) != ':')
        return bw_cursor_lose(cursor);
    cursor->at++;
    bw_cursor_blanks(cursor);
    return true;
}

/* A key of interest may come once. */
bool bw_cursor_once(struct bw_cursor *cursor, struct bw_cursor_level *level, unsigned bit)
{
    if (level->seen >> bit & 1)
        return bw_cursor_lose(cursor);
    level->seen |= 1UL << bit;
    return true;
}
