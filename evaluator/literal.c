/* The longest run of plain characters in a regular expression that has neither groups nor alternatives nor flags, and a
 * search for it that looks at 64 places at a time. */
#include "evaluator/literal.h"

#include "evaluator/unicode.h"

#include <ctype.h>
#include <string.h>

/* A set of characters, from its bracket on: how long it is; 0 when it has no end. */
static size_t set_length(struct bw_str rest)
{
    size_t at = 1;
    at += at < rest.len && rest.base[at] == '^';
    at += at < rest.len && rest.base[at] == ']';
    while (at < rest.len && rest.base[at] != ']') {
        at += rest.base[at] == '\\' ? 2 : 1;
    }
    return at < rest.len ? at + 1 : 0;
}

struct atom {
    size_t len;       /* in the pattern; 0: this pattern is beyond us */
    const char *text; /* the character that it stands for, or NULL */
    size_t text_len;
};

static struct atom read_atom(struct bw_str rest)
{
    struct atom atom = {.len = 1};
    unsigned char second = rest.len > 1 ? (unsigned char)rest.base[1] : 0;
    switch (rest.base[0]) {
    case '(':
    case ')':
    case '|':
    case '{':
        return (struct atom){0};
    case '.':
    case '^':
    case '$':
        return atom;
    case '[':
        atom.len = set_length(rest);
        return atom;
    case '\\':
        if (second == 0 || second >= 0x80 || isdigit(second) || strchr("xuUN", second) != NULL) {
            return (struct atom){0};
        }
        atom.len = 2;
        if (!isalpha(second)) {
            atom.text = rest.base + 1;
            atom.text_len = 1;
        }
        return atom;
    default:
        (void)bw_unicode_next(rest, &atom.len);
        atom.text = rest.base;
        atom.text_len = atom.len;
        return atom;
    }
}

int bw_literal_of_regex(struct bw_str *out, const char *pattern, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_str rest = bw_str_from(pattern);
    char *runs = bw_arena_alloc(arena, rest.len + 1); /* one after the other */
    struct bw_str run = {runs, 0};
    struct bw_str best = {"", 0};
    if (runs == NULL) {
        return bw_arena_spent(err);
    }
    while (rest.len > 0) {
        struct atom atom = read_atom(rest);
        if (atom.len == 0) {
            *out = (struct bw_str){"", 0};
            return 0;
        }
        rest.base += atom.len;
        rest.len -= atom.len;
        char quantifier = rest.len > 0 && strchr("*?+{", rest.base[0]) != NULL ? rest.base[0] : '\0';
        bool needed = atom.text != NULL && (quantifier == '\0' || quantifier == '+');
        if (needed) {
            memcpy(runs + (run.base - runs) + run.len, atom.text, atom.text_len);
            run.len += atom.text_len;
            best = run.len > best.len ? run : best;
        }
        if (!needed || quantifier != '\0') {
            run = (struct bw_str){run.base + run.len, 0};
        }
        for (size_t i = 0; i < 2 && quantifier != '\0' && rest.len > 0 && strchr("*?+", rest.base[0]) != NULL; i++) {
            rest.base++; /* the quantifier, and what makes it lazy */
            rest.len--;
        }
    }
    *out = best;
    return 0;
}

typedef uint8_t block __attribute__((vector_size(16)));

static block load(const char *from)
{
    block loaded;
    memcpy(&loaded, from, sizeof(loaded));
    return loaded;
}

struct ends { /* the first and the last byte of a literal, sixteen times over */
    block first, last;
    size_t distance;
};

static block candidates(const struct ends *ends, const char *text)
{
    return (block)((load(text) == ends->first) & (load(text + ends->distance) == ends->last));
}

static bool is_empty(block marks)
{
    uint64_t halves[2];
    memcpy(halves, &marks, sizeof(halves));
    return (halves[0] | halves[1]) == 0;
}

enum { STRIDE = 4 }; /* blocks looked at before one asks whether any of them had something */

const char *bw_literal_find(struct bw_str literal, const char *text, size_t len)
{
    if (len < literal.len) {
        return NULL;
    }
    const char *end = text + (len - literal.len) + 1; /* of the places where it can begin */
    const struct ends ends = {(block){0} + (uint8_t)literal.base[0],
                              (block){0} + (uint8_t)literal.base[literal.len - 1], literal.len - 1};
    for (; end - text >= (ptrdiff_t)(STRIDE * sizeof(block)); text += STRIDE * sizeof(block)) {
        block marks[STRIDE];
        block any = {0};
        for (size_t b = 0; b < STRIDE; b++) {
            marks[b] = candidates(&ends, text + b * sizeof(block));
            any |= marks[b];
        }
        for (size_t i = 0; !is_empty(any) && i < STRIDE * sizeof(block); i++) {
            if (marks[i / sizeof(block)][i % sizeof(block)] != 0 && memcmp(text + i, literal.base, literal.len) == 0) {
                return text + i;
            }
        }
    }
    for (; text < end; text++) {
        if (memcmp(text, literal.base, literal.len) == 0) {
            return text;
        }
    }
    return NULL;
}
