/* Borrowed text, UTF-8 (RFC 3629), hexadecimal and base64 (RFC 4648), numbers, and the nearest word for "did you mean".
 */
#include "base/str.h"

#include <string.h>

struct bw_str bw_str_from(const char *text)
{
    return text ? (struct bw_str){text, strlen(text)} : BW_STR("");
}

bool bw_str_equal(struct bw_str a, struct bw_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

bool bw_str_is(struct bw_str a, const char *text)
{
    return bw_str_equal(a, bw_str_from(text));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool bw_str_is_nocase(struct bw_str a, const char *text)
{
    for (size_t i = 0; i < a.len; i++)
        if (text[i] == '\0' || lower(a.base[i]) != lower(text[i]))
            return false;
    return text[a.len] == '\0';
}

bool bw_str_starts_with(struct bw_str text, const char *prefix)
{
    size_t len = strlen(prefix);
    return len == 0 || (text.len >= len && memcmp(text.base, prefix, len) == 0);
}

bool bw_str_ends_with(struct bw_str text, const char *suffix)
{
    size_t len = strlen(suffix);
    return len == 0 || (text.len >= len && memcmp(text.base + text.len - len, suffix, len) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct bw_str bw_str_trim(struct bw_str text)
{
    while (text.len && is_blank(text.base[0])) {
        text.base++;
        text.len--;
    }
    while (text.len && is_blank(text.base[text.len - 1]))
        text.len--;
    return text;
}

bool bw_str_next(struct bw_str *out, struct bw_str *rest, char separator)
{
    if (!rest->base)
        return false;
    const char *end = rest->len ? memchr(rest->base, separator, rest->len) : NULL;
    if (!end) {
        *out = *rest;
        *rest = (struct bw_str){NULL, 0};
        return true;
    }
    *out = (struct bw_str){rest->base, (size_t)(end - rest->base)};
    rest->base = end + 1;
    rest->len -= out->len + 1;
    return true;
}

bool bw_str_next_line(struct bw_str *out, struct bw_str *rest)
{
    if (rest->len == 0) {
        *rest = (struct bw_str){NULL, 0};
        return false;
    }
    bw_str_next(out, rest, '\n');
    if (out->len && out->base[out->len - 1] == '\r')
        out->len--;
    return true;
}

bool bw_str_next_word(struct bw_str *out, struct bw_str *rest)
{
    while (rest->len && is_blank(rest->base[0])) {
        rest->base++;
        rest->len--;
    }
    if (rest->len == 0) {
        *rest = (struct bw_str){NULL, 0};
        return false;
    }
    size_t n = 0;
    while (n < rest->len && !is_blank(rest->base[n]))
        n++;
    *out = (struct bw_str){rest->base, n};
    rest->base += n;
    rest->len -= n;
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : -1;
}

int bw_str_uint(uint64_t *out, struct bw_str text, unsigned base, uint64_t max)
{
    uint64_t value = 0;
    if (text.len == 0)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.base[i]);
        if (digit < 0 || (unsigned)digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value) || value > max)
            return -1;
    }
    *out = value;
    return 0;
}

size_t bw_utf8_sequence(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    if (len == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    if (n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || /* overlong; surrogates */
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))   /* overlong; past U+10FFFF */
        return 0;
    return n;
}

bool bw_utf8_valid(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        uint64_t eight;
        if (len - at >= sizeof(eight)) {
            memcpy(&eight, text + at, sizeof(eight));
            if (!(eight & 0x8080808080808080ULL)) {
                at += sizeof(eight);
                continue;
            }
        }
        size_t n = bw_utf8_sequence(text + at, len - at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

size_t bw_utf8_cut(const char *text, size_t len, size_t limit)
{
    if (len <= limit)
        return len;
    for (size_t back = 0; back < 4 && back <= limit; back++)
        if (((unsigned char)text[limit - back] & 0xc0) != 0x80)
            return limit - back;
    return limit;
}

void bw_text_clean(char *text, bool keep_lines)
{
    size_t len = strlen(text), into = 0;
    for (size_t at = 0; at < len;) {
        unsigned char c = (unsigned char)text[at];
        size_t n = bw_utf8_sequence(text + at, len - at);
        bool is_c1 = n == 2 && c == 0xc2 && (unsigned char)text[at + 1] < 0xa0;
        if (n == 0 || is_c1 || c == 0x7f || (c < 0x20 && !(c == '\n' && keep_lines))) {
            text[into++] = '?';
            at += n ? n : 1;
            continue;
        }
        memmove(text + into, text + at, n);
        into += n;
        at += n;
    }
    text[into] = '\0';
}

void bw_hex_encode(char *out, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = bytes;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * len] = '\0';
}

int bw_hex_decode(void *out, const char *hex, size_t len)
{
    if (len % 2)
        return -1;
    for (size_t i = 0; i < len; i++)
        if ((unsigned)digit_of(hex[i]) >= 16)
            return -1;
    unsigned char *bytes = out;
    for (size_t i = 0; i < len; i += 2)
        bytes[i / 2] = (unsigned char)(digit_of(hex[i]) * 16 + digit_of(hex[i + 1]));
    return 0;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int bw_base64_decode(char **out, size_t *len_out, const char *text, size_t len, struct bw_arena *arena,
                     struct bw_error *err)
{
    char *bytes = bw_arena_alloc(arena, len / 4 * 3 + 4);
    if (!bytes)
        return bw_arena_spent(err);
    uint32_t bits = 0;
    size_t digits = 0, padding = 0, n = 0;
    for (size_t i = 0; i < len; i++) {
        if (is_blank(text[i]))
            continue;
        int value = base64_value(text[i]);
        if (text[i] == '=' && (digits + padding) % 4 >= 2 && padding < 2) {
            padding++;
            continue;
        }
        if (value < 0 || padding)
            return bw_error_set(err, BW_EINPUT, "not base64: '%c' at character %zu does not belong there", text[i],
                                i + 1);
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 == 0) {
            bytes[n++] = (char)(bits >> 16 & 0xff);
            bytes[n++] = (char)(bits >> 8 & 0xff);
            bytes[n++] = (char)(bits & 0xff);
        }
    }
    if (digits % 4 == 1 || (padding && (digits + padding) % 4))
        return bw_error_set(err, BW_EINPUT, "not base64: the last group is incomplete");
    if (digits % 4 == 2)
        bytes[n++] = (char)(bits >> 4 & 0xff);
    if (digits % 4 == 3) {
        bytes[n++] = (char)(bits >> 10 & 0xff);
        bytes[n++] = (char)(bits >> 2 & 0xff);
    }
    bytes[n] = '\0';
    *out = bytes;
    *len_out = n;
    return 0;
}

char *bw_base64_encode(const void *bytes, size_t len, struct bw_arena *arena)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = bytes;
    if (len > SIZE_MAX / 4)
        return NULL;
    char *text = bw_arena_alloc(arena, (len + 2) / 3 * 4 + 1), *at = text;
    for (size_t i = 0; text && i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        *at++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *at++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    return text;
}

/* Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, each counted one. */
enum { SUGGEST_MAX = 64 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][SUGGEST_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++)
        above[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + (lower(a[i - 1]) != lower(b[j - 1])));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[m];
}

const char *bw_suggest(const char *word, const char *const *candidates, size_t n_candidates)
{
    size_t len = strlen(word), best_distance = SIZE_MAX;
    const char *best = NULL;
    if (len == 0 || len > SUGGEST_MAX)
        return NULL;
    for (size_t i = 0; i < n_candidates; i++) {
        size_t other = strlen(candidates[i]), longer = other > len ? other : len;
        if (other == 0 || other > SUGGEST_MAX)
            continue;
        size_t distance = edit_distance(word, len, candidates[i], other);
        if (distance * 3 <= longer && distance < best_distance) {
            best = candidates[i];
            best_distance = distance;
        }
    }
    return best;
}
