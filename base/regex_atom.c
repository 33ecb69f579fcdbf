/* The small parts of a Python 3.11 pattern: escapes, sets and literal characters, checked as Python's `re`
 * documentation has them and written for PCRE2 with every literal as a code point, so that nothing can mean something
 * else there. */
#include "base/regex_internal.h"

#include "base/str.h"

#include <string.h>

enum { BACKSPACE = 8, SURROGATE_FIRST = 0xd800, SURROGATE_LAST = 0xdfff, LAST_CODE_POINT = 0x10ffff };

#define NOTHING "(?:(?!)a)" /* matches never, one character wide */
#define WORD    "0-9A-Z_a-z"

/* The inside of a set for each category. Python's white space is not PCRE2's (U+001C..U+001F are, U+180E is not). */
struct category {
    char letter;
    const char *unicode, *ascii;
};

static const struct category categories[] = {
    {'d', "\\d", "0-9"},
    {'D', "\\D", "\\x{0}-\\x{2f}\\x{3a}-\\x{10ffff}"},
    {'w', "\\w", WORD},
    {'W', "\\W", "\\x{0}-\\x{2f}\\x{3a}-\\x{40}\\x{5b}-\\x{5e}\\x{60}\\x{7b}-\\x{10ffff}"},
    {'s',
     "\\x{9}-\\x{d}\\x{1c}-\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"
     "\\x{3000}",
     "\\x{9}-\\x{d}\\x{20}"},
    {'S',
     "\\x{0}-\\x{8}\\x{e}-\\x{1b}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}"
     "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}",
     "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{10ffff}"},
};

static bool is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_octal(uint32_t c)
{
    return c >= '0' && c <= '7';
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

/* ASCII rules on Unicode text; byte patterns have them by nature in PCRE2. */
static bool is_ascii(const struct bw_python_walk *walk, unsigned flags)
{
    return (flags & PY_ASCII) && !walk->bytes;
}

static const char *category_text(const struct bw_python_walk *walk, unsigned flags, uint32_t letter)
{
    static const char *const native[] = {"\\d", "\\D", "\\w", "\\W", "\\s", "\\S"};
    for (size_t i = 0; i < BW_LENGTH(categories); i++) {
        if ((unsigned char)categories[i].letter != letter)
            continue;
        if (walk->bytes)
            return native[i];
        return flags & PY_ASCII ? categories[i].ascii : categories[i].unicode;
    }
    return NULL;
}

static void put_code_point(struct bw_buf *out, uint32_t c)
{
    if (c < 0x80 && (is_letter(c) || is_digit(c)))
        bw_buf_append(out, &(char){(char)c}, 1);
    else
        bw_buf_printf(out, "\\x{%x}", (unsigned)c);
}

/* Python folds i, I, dotless i and dotted I together; Unicode's simple folding, and so PCRE2, does not. */
static bool is_any_i(uint32_t c)
{
    return c == 'i' || c == 'I' || c == 0x130 || c == 0x131;
}

void bw_python_literal(struct bw_python_walk *walk, unsigned flags, uint32_t c)
{
    if (c >= SURROGATE_FIRST && c <= SURROGATE_LAST && !walk->bytes) {
        bw_buf_puts(&walk->out, NOTHING); /* legal in Python, but never in UTF-8 */
    } else if ((flags & PY_IGNORECASE) && is_ascii(walk, flags) && c < 0x80 && is_letter(c)) {
        bw_buf_printf(&walk->out, "[%c%c]", (char)(c | 0x20), (char)(c & ~0x20U));
    } else if ((flags & PY_IGNORECASE) && !walk->bytes && !is_ascii(walk, flags) && is_any_i(c)) {
        bw_buf_puts(&walk->out, "[iI\\x{130}\\x{131}]");
    } else {
        put_code_point(&walk->out, c);
    }
}

/* `want` hexadecimal digits behind \x, \u or \U; walk->at stands on the first. */
static int hexadecimal(struct bw_python_walk *walk, const char *start, size_t want, uint32_t *out)
{
    uint64_t value;
    size_t left = (size_t)(walk->end - walk->at);
    if (left < want || bw_str_uint(&value, (struct bw_str){walk->at, want}, 16, UINT32_MAX))
        return bw_python_fail(walk, start, "incomplete escape");
    if (value > LAST_CODE_POINT)
        return bw_python_fail(walk, start, "escape beyond the last Unicode character");
    walk->at += want;
    *out = (uint32_t)value;
    return 0;
}

static int octal(struct bw_python_walk *walk, const char *start, size_t len, uint32_t *out)
{
    uint64_t value;
    if (bw_str_uint(&value, (struct bw_str){start + 1, len}, 8, 0377))
        return bw_python_fail(walk, start, "octal escape outside of \\0 to \\377");
    walk->at = start + 1 + len;
    *out = (uint32_t)value;
    return 0;
}

/* Escapes that mean one character inside and outside of sets. 1: done, 0: another kind, -1. walk->at is behind c. */
static int character_escape(struct bw_python_walk *walk, const char *start, uint32_t c, uint32_t *out)
{
    static const char from[] = "afnrtv\\", to[] = "\a\f\n\r\t\v\\";
    const char *simple = c && c < 0x80 ? strchr(from, (int)c) : NULL;
    if (simple) {
        *out = (unsigned char)to[simple - from];
        return 1;
    }
    if (c == 'x')
        return hexadecimal(walk, start, 2, out) ? -1 : 1;
    if (!walk->bytes && (c == 'u' || c == 'U'))
        return hexadecimal(walk, start, c == 'u' ? 4 : 8, out) ? -1 : 1;
    if (!walk->bytes && c == 'N')
        return bw_python_fail(walk, start, "characters by name (\\N{...}) are not supported; write \\u or \\U");
    if (is_digit(c))
        return 0;
    if (is_letter(c))
        return 0;
    *out = c;
    return 1;
}

/* Reads the backslash and the character behind it. */
static int escape_begin(struct bw_python_walk *walk, const char **start_out, uint32_t *c_out)
{
    *start_out = walk->at++;
    size_t len;
    *c_out = bw_python_peek(walk, &len);
    if (len == 0)
        return bw_python_fail(walk, *start_out, "a backslash at the end of the pattern");
    walk->at += len;
    return 0;
}

int bw_python_check_reference(struct bw_python_walk *walk, const char *at, uint64_t group)
{
    if (group >= walk->n_groups)
        return bw_python_fail(walk, at, "invalid group reference");
    if (!walk->groups[group].closed)
        return bw_python_fail(walk, at, "cannot refer to an open group");
    if (walk->behind_groups != SIZE_MAX && group >= walk->behind_groups)
        return bw_python_fail(walk, at, "cannot refer to a group of the same look-behind");
    return 0;
}

/* \0, \012, \123 are characters; \1 to \99 are references. walk->at is behind the first digit. */
static int digits(struct bw_python_walk *walk, unsigned flags, const char *start, struct bw_width *width_out)
{
    const char *digit = start + 1;
    size_t left = (size_t)(walk->end - digit), n = 1;
    uint32_t c = 0;
    if (digit[0] == '0') {
        while (n < left && n < 3 && is_octal((unsigned char)digit[n]))
            n++;
    } else if (left > 1 && is_digit((unsigned char)digit[1])) {
        n = 2;
        if (left > 2 && is_octal((unsigned char)digit[0]) && is_octal((unsigned char)digit[1]) &&
            is_octal((unsigned char)digit[2]))
            n = 3;
    }
    if (digit[0] == '0' || n == 3) {
        if (octal(walk, start, n, &c))
            return -1;
        bw_python_literal(walk, flags, c);
        return 0;
    }
    uint64_t group = 0;
    if (bw_str_uint(&group, (struct bw_str){digit, n}, 10, 99) || bw_python_check_reference(walk, digit, group))
        return bw_python_fail(walk, digit, "invalid group reference");
    walk->at = digit + n;
    bw_buf_printf(&walk->out, (flags & PY_IGNORECASE) && is_ascii(walk, flags) ? "(?i:\\g{%u})" : "\\g{%u}",
                  (unsigned)group);
    *width_out = walk->groups[group].width;
    return 0;
}

/* Python's \B does not match in an empty text; PCRE2's does. */
static const char *anchor_text(const struct bw_python_walk *walk, unsigned flags, uint32_t c)
{
    bool ascii = is_ascii(walk, flags);
    switch (c) {
    case 'A':
        return "\\A";
    case 'Z':
        return "\\z";
    case 'b':
        return ascii ? "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))" : "\\b";
    case 'B':
        return ascii ? "(?:(?!\\A\\z)(?:(?<=[" WORD "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "])))"
                     : "(?:(?!\\A\\z)\\B)";
    default:
        return NULL;
    }
}

int bw_python_escape(struct bw_python_walk *walk, unsigned flags, enum bw_python_item *item_out,
                     struct bw_width *width_out)
{
    const char *start;
    uint32_t c, literal = 0;
    if (escape_begin(walk, &start, &c))
        return -1;
    *item_out = PY_ITEM_OTHER;
    *width_out = (struct bw_width){1, 1};
    const char *text = anchor_text(walk, flags, c);
    if (text) {
        *item_out = PY_ITEM_ANCHOR;
        *width_out = (struct bw_width){0, 0};
        bw_buf_puts(&walk->out, text);
        return 0;
    }
    text = category_text(walk, flags, c);
    if (text) {
        bw_buf_printf(&walk->out, "[%s]", text);
        return 0;
    }
    int done = character_escape(walk, start, c, &literal);
    if (done < 0)
        return -1;
    if (done) {
        bw_python_literal(walk, flags, literal);
        return 0;
    }
    if (is_digit(c))
        return digits(walk, flags, start, width_out);
    return bw_python_fail(walk, start, "bad escape \\%c", (char)c);
}

/* One member of a set: a character, or (category_out) the inside text of a category. */
static int set_member(struct bw_python_walk *walk, unsigned flags, uint32_t *c_out, const char **category_out)
{
    size_t len;
    uint32_t c = bw_python_peek(walk, &len);
    *category_out = NULL;
    if (c != '\\' || len != 1) {
        walk->at += len;
        *c_out = c;
        return 0;
    }
    const char *start;
    if (escape_begin(walk, &start, &c))
        return -1;
    *category_out = category_text(walk, flags, c);
    if (*category_out)
        return 0;
    if (c == 'b') {
        *c_out = BACKSPACE;
        return 0;
    }
    int done = character_escape(walk, start, c, c_out);
    if (done)
        return done < 0 ? -1 : 0;
    if (!is_octal(c))
        return bw_python_fail(walk, start, "bad escape \\%c in a set", (char)c);
    size_t n = 1;
    while (n < 3 && start + 1 + n < walk->end && is_octal((unsigned char)start[1 + n]))
        n++;
    return octal(walk, start, n, c_out);
}

static void put_range(struct bw_buf *out, uint32_t low, uint32_t high)
{
    put_code_point(out, low);
    if (low == high)
        return;
    bw_buf_puts(out, "-");
    put_code_point(out, high);
}

static void put_overlap(struct bw_buf *out, uint32_t low, uint32_t high, uint32_t first, uint32_t last)
{
    low = low > first ? low : first;
    high = high < last ? high : last;
    if (low <= high)
        put_range(out, low ^ 0x20, high ^ 0x20);
}

static void set_range(struct bw_python_walk *walk, unsigned flags, uint32_t low, uint32_t high)
{
    struct bw_buf *out = &walk->out;
    if (!walk->bytes && low >= SURROGATE_FIRST && low <= SURROGATE_LAST)
        low = SURROGATE_LAST + 1;
    if (!walk->bytes && high >= SURROGATE_FIRST && high <= SURROGATE_LAST)
        high = SURROGATE_FIRST - 1;
    if (low > high)
        return;
    put_range(out, low, high);
    if (!(flags & PY_IGNORECASE) || walk->bytes)
        return;
    if (is_ascii(walk, flags)) {
        put_overlap(out, low, high, 'a', 'z');
        put_overlap(out, low, high, 'A', 'Z');
    } else if ((low <= 'i' && high >= 'i') || (low <= 'I' && high >= 'I') || (low <= 0x131 && high >= 0x130)) {
        bw_buf_puts(out, "iI\\x{130}\\x{131}");
    }
}

/* `[` was read. */
int bw_python_set(struct bw_python_walk *walk, unsigned flags)
{
    const char *start = walk->at - 1;
    bool negated = walk->at < walk->end && *walk->at == '^';
    if (negated)
        walk->at++;
    size_t opening = walk->out.len;
    bw_buf_puts(&walk->out, negated ? "[^" : "[");
    size_t inside = walk->out.len;
    for (bool first = true;; first = false) {
        uint32_t low = 0, high = 0;
        const char *low_category, *high_category = NULL, *member = walk->at;
        if (walk->at == walk->end)
            return bw_python_fail(walk, start, "a set without its end");
        if (*walk->at == ']' && !first)
            break;
        if (set_member(walk, flags, &low, &low_category))
            return -1;
        high = low;
        if (walk->end - walk->at > 0 && walk->at[0] == '-' && (walk->end - walk->at < 2 || walk->at[1] != ']')) {
            walk->at++;
            if (walk->at == walk->end)
                return bw_python_fail(walk, start, "a set without its end");
            if (set_member(walk, flags, &high, &high_category))
                return -1;
            if (low_category || high_category || high < low)
                return bw_python_fail(walk, member, "bad character range");
        }
        if (low_category)
            bw_buf_puts(&walk->out, low_category);
        else
            set_range(walk, flags, low, high);
    }
    walk->at++;
    if (walk->out.len > inside) {
        bw_buf_puts(&walk->out, "]");
        return 0;
    }
    walk->out.len = opening; /* nothing but surrogates inside */
    bw_buf_puts(&walk->out, negated ? "[\\x{0}-\\x{10ffff}]" : NOTHING);
    return 0;
}
