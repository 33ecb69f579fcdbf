/* Blanks, decimal digits and line ends of Unicode (properties White_Space and Nd, and the separators of Unicode's
 * newline guidelines), because bundles and Dockerfiles were judged by them. */
#include "evaluator/unicode.h"

/* First code point of each run of ten decimal digits (general category Nd), ascending. */
static const uint32_t digit_runs[] = {
    0x30,    0x660,   0x6f0,   0x7c0,   0x966,   0x9e6,   0xa66,   0xae6,   0xb66,   0xbe6,   0xc66,
    0xce6,   0xd66,   0xde6,   0xe50,   0xed0,   0xf20,   0x1040,  0x1090,  0x17e0,  0x1810,  0x1946,
    0x19d0,  0x1a80,  0x1a90,  0x1b50,  0x1bb0,  0x1c40,  0x1c50,  0xa620,  0xa8d0,  0xa900,  0xa9d0,
    0xa9f0,  0xaa50,  0xabf0,  0xff10,  0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0,
    0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60,
    0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
};

static bool is_ascii_blank(unsigned char c)
{
    return (c >= 0x9 && c <= 0xd) || (c >= 0x1c && c <= 0x20);
}

bool bw_unicode_is_blank(uint32_t character)
{
    return (character >= 0x9 && character <= 0xd) || (character >= 0x1c && character <= 0x20) || character == 0x85 ||
           character == 0xa0 || character == 0x1680 || (character >= 0x2000 && character <= 0x200a) ||
           character == 0x2028 || character == 0x2029 || character == 0x202f || character == 0x205f ||
           character == 0x3000;
}

int bw_unicode_digit(uint32_t character)
{
    if (character < 0x80) {
        return character >= '0' && character <= '9' ? (int)(character - '0') : -1;
    }
    for (size_t i = 1; i < BW_LENGTH(digit_runs) && digit_runs[i] <= character; i++) {
        if (character - digit_runs[i] < 10) {
            return (int)(character - digit_runs[i]);
        }
    }
    return -1;
}

uint32_t bw_unicode_next(struct bw_str text, size_t *len_out)
{
    const unsigned char *bytes = (const unsigned char *)text.base;
    unsigned char first = bytes[0];
    size_t len = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
    *len_out = 1;
    if (len == 1 || len > text.len) {
        return first;
    }
    uint32_t character = first & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xc0U) != 0x80U) {
            return first;
        }
        character = (character << 6) | (bytes[i] & 0x3fU);
    }
    *len_out = len;
    return character;
}

/* How many bytes a blank at the end of text takes; 0 when it ends with something else. */
static size_t blank_at_end(struct bw_str text)
{
    if (text.len > 0 && (unsigned char)text.base[text.len - 1] < 0x80) {
        return is_ascii_blank((unsigned char)text.base[text.len - 1]) ? 1 : 0;
    }
    for (size_t len = 2; len <= 3 && len <= text.len; len++) {
        size_t used = 0;
        struct bw_str tail = {text.base + text.len - len, len};
        uint32_t character = bw_unicode_next(tail, &used);
        if (used == len && bw_unicode_is_blank(character)) {
            return len;
        }
    }
    return 0;
}

/* How many bytes a blank at the start of text takes; 0 when it starts with something else. */
static size_t blank_at_start(struct bw_str text)
{
    if (text.len == 0) {
        return 0;
    }
    unsigned char first = (unsigned char)text.base[0];
    if (first < 0x80) {
        return is_ascii_blank(first) ? 1 : 0;
    }
    size_t used = 0;
    uint32_t character = bw_unicode_next(text, &used);
    bool stray = used == 1 && character >= 0x80;
    return bw_unicode_is_blank(character) && !stray ? used : 0;
}

struct bw_str bw_unicode_trim(struct bw_str text)
{
    for (size_t len = blank_at_start(text); len > 0; len = blank_at_start(text)) {
        text.base += len;
        text.len -= len;
    }
    for (size_t len = blank_at_end(text); len > 0; len = blank_at_end(text)) {
        text.len -= len;
    }
    return text;
}

bool bw_unicode_next_word(struct bw_str *out, struct bw_str *rest)
{
    for (size_t len = blank_at_start(*rest); len > 0; len = blank_at_start(*rest)) {
        rest->base += len;
        rest->len -= len;
    }
    struct bw_str word = {rest->base, 0};
    while (rest->len > 0) {
        unsigned char first = (unsigned char)rest->base[0];
        size_t used = 1;
        if (first < 0x80 ? is_ascii_blank(first) : blank_at_start(*rest) != 0) {
            break;
        }
        if (first >= 0x80) {
            (void)bw_unicode_next(*rest, &used);
        }
        rest->base += used;
        rest->len -= used;
        word.len += used;
    }
    *out = word;
    return word.len > 0;
}

static bool ends_line(uint32_t character, size_t used)
{
    return (character >= 0xa && character <= 0xd) || (character >= 0x1c && character <= 0x1e) ||
           (character == 0x85 && used == 2) || character == 0x2028 || character == 0x2029;
}

bool bw_unicode_next_line(struct bw_str *out, struct bw_str *rest)
{
    if (rest->len == 0) {
        return false;
    }
    *out = (struct bw_str){rest->base, 0};
    while (rest->len > 0) {
        size_t used = 0;
        uint32_t character = bw_unicode_next(*rest, &used);
        rest->base += used;
        rest->len -= used;
        if (ends_line(character, used)) {
            if (character == '\r' && rest->len > 0 && rest->base[0] == '\n') {
                rest->base++;
                rest->len--;
            }
            return true;
        }
        out->len += used;
    }
    return true;
}
