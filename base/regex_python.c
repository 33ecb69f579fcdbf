/* The frame of a Python 3.11 pattern (library reference, `re`): branches, groups, flags and repeats, written for PCRE2.
 * A bundle must mean here what it means to Python, so what Python refuses is refused, and what PCRE2 reads otherwise is
 * written otherwise. */
#include "base/regex_internal.h"

#include "base/limits.h"
#include "base/memory.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 200, LONG_REPEAT = 255 };
static const uint64_t no_bound = UINT64_MAX;
static const uint64_t max_repeat = UINT32_MAX; /* Python refuses this number and larger ones */

int(bw_python_fail)(struct bw_python_walk *walk, const char *at, const char *fmt, ...)
{
    char text[160];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t character = 1;
    for (const char *c = walk->begin; c < at; c++)
        if (walk->bytes || ((unsigned char)*c & 0xc0) != 0x80)
            character++;
    return bw_error_detail(walk->err, BW_EINPUT, "bad_regex", "%s at character %zu", n < 0 ? "" : text, character);
}

uint32_t bw_python_peek(const struct bw_python_walk *walk, size_t *len_out)
{
    *len_out = 0;
    if (walk->at == walk->end)
        return 0;
    const unsigned char *s = (const unsigned char *)walk->at;
    *len_out = 1;
    if (walk->bytes || s[0] < 0x80)
        return s[0];
    size_t n = bw_utf8_sequence(walk->at, (size_t)(walk->end - walk->at));
    uint32_t c = n == 2 ? s[0] & 0x1fU : n == 3 ? s[0] & 0x0fU : s[0] & 0x07U;
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3fU);
    *len_out = n;
    return c;
}

static bool next_is(const struct bw_python_walk *walk, char c)
{
    return walk->at < walk->end && *walk->at == c;
}

static bool take(struct bw_python_walk *walk, char c)
{
    if (!next_is(walk, c))
        return false;
    walk->at++;
    return true;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? no_bound : sum;
}

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? no_bound : product;
}

static int branches(struct bw_python_walk *walk, unsigned flags, bool top, struct bw_width *width_out);

/* --- repeats --- */

struct repeat {
    uint64_t low, high;
};

/* `*`, `+`, `?` or `{`. 1: a repeat was read, 0: the brace is a literal (walk->at unmoved). */
static int repeat_read(struct bw_python_walk *walk, struct repeat *out)
{
    const char *start = walk->at;
    char c = *walk->at++;
    if (c != '{') {
        *out = (struct repeat){c == '+' ? 1 : 0, c == '?' ? 1 : no_bound};
        return 1;
    }
    const char *low = walk->at;
    while (walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9')
        walk->at++;
    struct bw_str low_text = {low, (size_t)(walk->at - low)}, high_text = low_text;
    bool comma = take(walk, ',');
    if (comma) {
        const char *high = walk->at;
        while (walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9')
            walk->at++;
        high_text = (struct bw_str){high, (size_t)(walk->at - high)};
    }
    if (!take(walk, '}') || (!comma && low_text.len == 0)) {
        walk->at = start;
        return 0;
    }
    *out = (struct repeat){0, no_bound};
    if ((low_text.len && bw_str_uint(&out->low, low_text, 10, max_repeat - 1)) ||
        (high_text.len && bw_str_uint(&out->high, high_text, 10, max_repeat - 1)))
        return bw_python_fail(walk, start, "the repetition number is too large");
    if (out->high < out->low)
        return bw_python_fail(walk, start, "the smallest repeat is greater than the largest");
    return 1;
}

/* The repeated item begins at `start` of the output. */
static void repeat_write(struct bw_python_walk *walk, const struct repeat *repeat, size_t start)
{
    static const char callout[] = "(?C)";
    struct bw_buf *out = &walk->out;
    size_t len = sizeof(callout) - 1;
    if (walk->guarded && repeat->low > LONG_REPEAT) {
        bw_buf_puts(out, callout);
        if (!out->full) {
            memmove(out->data + start + len, out->data + start, out->len - len - start);
            memcpy(out->data + start, callout, len);
        }
    }
    if (repeat->high == no_bound && repeat->low <= 1)
        bw_buf_puts(out, repeat->low ? "+" : "*");
    else if (repeat->high == no_bound)
        bw_buf_printf(out, "{%llu,}", (unsigned long long)repeat->low);
    else
        bw_buf_printf(out, "{%llu,%llu}", (unsigned long long)repeat->low, (unsigned long long)repeat->high);
    if (take(walk, '?'))
        bw_buf_puts(out, "?");
    else if (take(walk, '+'))
        bw_buf_puts(out, "+");
    if (walk->guarded && repeat->high > LONG_REPEAT)
        bw_buf_puts(out, callout);
}

/* --- flags --- */

static unsigned flag_of(char c)
{
    static const char letters[] = "imsxauL";
    const char *at = c ? strchr(letters, c) : NULL;
    return at ? 1U << (at - letters) : 0;
}

static bool is_ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int flag_read(struct bw_python_walk *walk, unsigned *out)
{
    if (walk->at == walk->end)
        return bw_python_fail(walk, walk->at, "missing -, : or ) behind inline flags");
    unsigned flag = flag_of(*walk->at);
    if (!flag)
        return bw_python_fail(walk, walk->at,
                              is_ascii_letter(*walk->at) ? "unknown flag" : "missing -, : or ) behind inline flags");
    walk->at++;
    *out = flag;
    return 0;
}

/* Behind "(?", on a letter or `-`. *global_out when they end with `)`. */
static int flags_read(struct bw_python_walk *walk, unsigned *add_out, unsigned *remove_out, bool *global_out)
{
    unsigned on = 0, off = 0, flag;
    *global_out = false;
    while (!next_is(walk, '-') && !next_is(walk, ':') && !next_is(walk, ')')) {
        const char *start = walk->at;
        if (flag_read(walk, &flag))
            return -1;
        if (flag == (walk->bytes ? PY_UNICODE : PY_LOCALE))
            return bw_python_fail(walk, start, "this flag does not go with this kind of pattern");
        on |= flag;
        if ((flag & PY_KINDS) && (on & PY_KINDS) != flag)
            return bw_python_fail(walk, start, "flags a, u and L are incompatible");
    }
    if (take(walk, ')')) {
        *global_out = true;
        *add_out = on;
        return 0;
    }
    if (take(walk, '-')) {
        do {
            const char *start = walk->at;
            if (flag_read(walk, &flag))
                return -1;
            if (flag & PY_KINDS)
                return bw_python_fail(walk, start, "flags a, u and L cannot be turned off");
            off |= flag;
        } while (!next_is(walk, ':') && walk->at < walk->end);
    }
    if (!take(walk, ':'))
        return bw_python_fail(walk, walk->at, "missing : behind inline flags");
    if (on & off)
        return bw_python_fail(walk, walk->at - 1, "a flag turned on and off");
    *add_out = on;
    *remove_out = off;
    return 0;
}

static unsigned flags_combine(unsigned flags, unsigned on, unsigned off)
{
    if (on & PY_KINDS)
        flags &= ~(unsigned)PY_KINDS;
    return (flags | on) & ~off;
}

/* ASCII-only folding is written out by regex_atom.c, so PCRE2 must not fold there. */
static bool folds(const struct bw_python_walk *walk, unsigned flags)
{
    return (flags & PY_IGNORECASE) && (walk->bytes || !(flags & PY_ASCII));
}

static void flags_open(struct bw_python_walk *walk, unsigned flags)
{
    bool i = folds(walk, flags), m = flags & PY_MULTILINE, s = flags & PY_DOTALL;
    bw_buf_printf(&walk->out, "(?%s%s%s-%s%s%s:", i ? "i" : "", m ? "m" : "", s ? "s" : "", i ? "" : "i", m ? "" : "m",
                  s ? "" : "s");
}

/* --- groups --- */

static size_t group_open(struct bw_python_walk *walk, const char *name, size_t name_len)
{
    if (walk->n_groups == walk->groups_capacity) {
        walk->groups_capacity = walk->groups_capacity ? 2 * walk->groups_capacity : 16;
        walk->groups = bw_memory_resize(walk->groups, walk->groups_capacity * sizeof(*walk->groups));
    }
    walk->groups[walk->n_groups] = (struct bw_python_group){.name = name, .name_len = name_len};
    return walk->n_groups++;
}

static size_t group_find(const struct bw_python_walk *walk, const char *name, size_t len)
{
    for (size_t i = 1; i < walk->n_groups; i++) {
        const struct bw_python_group *group = &walk->groups[i];
        if (group->name && group->name_len == len && memcmp(group->name, name, len) == 0)
            return i;
    }
    return 0;
}

/* Up to `terminator`, which is taken. */
static int name_read(struct bw_python_walk *walk, char terminator, const char **name_out, size_t *len_out)
{
    const char *name = walk->at;
    const char *end = memchr(name, terminator, (size_t)(walk->end - name));
    if (!end)
        return bw_python_fail(walk, name, "missing %c behind a group name", terminator);
    if (end == name)
        return bw_python_fail(walk, name, "missing group name");
    *name_out = name;
    *len_out = (size_t)(end - name);
    walk->at = end + 1;
    return 0;
}

static int name_check(struct bw_python_walk *walk, const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool letter = is_ascii_letter(name[i]) || name[i] == '_' || (unsigned char)name[i] >= 0x80;
        if (!letter && !(i > 0 && name[i] >= '0' && name[i] <= '9'))
            return bw_python_fail(walk, name, "bad character in a group name");
    }
    return 0;
}

static int close_parenthesis(struct bw_python_walk *walk, const char *start)
{
    if (!take(walk, ')'))
        return bw_python_fail(walk, start, "missing ), unterminated group");
    bw_buf_puts(&walk->out, ")");
    return 0;
}

static int group_capture(struct bw_python_walk *walk, const char *start, unsigned flags, const char *name, size_t len,
                         struct bw_width *width_out)
{
    size_t number = group_open(walk, name, len);
    bw_buf_puts(&walk->out, "(");
    if (branches(walk, flags, false, width_out) || close_parenthesis(walk, start))
        return -1;
    walk->groups[number].width = *width_out;
    walk->groups[number].closed = true;
    return 0;
}

/* Behind "(?P". */
static int group_named(struct bw_python_walk *walk, const char *start, unsigned flags, struct bw_width *width_out)
{
    const char *name;
    size_t len;
    if (take(walk, '<')) {
        if (name_read(walk, '>', &name, &len) || name_check(walk, name, len))
            return -1;
        if (group_find(walk, name, len))
            return bw_python_fail(walk, name, "a second group of this name");
        return group_capture(walk, start, flags, name, len, width_out);
    }
    if (!take(walk, '='))
        return bw_python_fail(walk, start, "unknown extension ?P");
    if (name_read(walk, ')', &name, &len) || name_check(walk, name, len))
        return -1;
    size_t group = group_find(walk, name, len);
    if (!group)
        return bw_python_fail(walk, name, "unknown group name");
    if (bw_python_check_reference(walk, name, group))
        return -1;
    bool ascii_folding = (flags & PY_IGNORECASE) && !folds(walk, flags);
    bw_buf_printf(&walk->out, ascii_folding ? "(?i:\\g{%zu})" : "\\g{%zu}", group);
    *width_out = walk->groups[group].width;
    return 0;
}

static int group_look(struct bw_python_walk *walk, const char *start, unsigned flags, const char *opening, bool behind)
{
    bool outermost = behind && walk->behind_groups == SIZE_MAX;
    struct bw_width width;
    if (outermost)
        walk->behind_groups = walk->n_groups;
    bw_buf_puts(&walk->out, opening);
    if (branches(walk, flags, false, &width) || close_parenthesis(walk, start))
        return -1;
    if (outermost)
        walk->behind_groups = SIZE_MAX;
    if (behind && width.low != width.high)
        return bw_python_fail(walk, start, "look-behind requires fixed-width pattern");
    return 0;
}

static int branch(struct bw_python_walk *walk, unsigned flags, bool first, struct bw_width *width_out);

/* Which group the condition asks for; a number may be one that opens later. */
static int condition_group(struct bw_python_walk *walk, size_t *group_out)
{
    const char *name;
    size_t len;
    uint64_t number;
    if (name_read(walk, ')', &name, &len))
        return -1;
    if (bw_str_uint(&number, (struct bw_str){name, len}, 10, UINT16_MAX) == 0) {
        if (number == 0)
            return bw_python_fail(walk, name, "bad group number");
        if (number > walk->highest_condition) {
            walk->highest_condition = number;
            walk->highest_condition_at = name;
        }
        *group_out = number;
    } else {
        if (name_check(walk, name, len))
            return -1;
        *group_out = group_find(walk, name, len);
        if (!*group_out)
            return bw_python_fail(walk, name, "unknown group name");
    }
    if (walk->behind_groups != SIZE_MAX)
        return bw_python_check_reference(walk, name, *group_out);
    return 0;
}

/* Behind "(?(". */
static int group_condition(struct bw_python_walk *walk, const char *start, unsigned flags, struct bw_width *width_out)
{
    size_t group;
    struct bw_width yes, no = {0, 0};
    if (condition_group(walk, &group))
        return -1;
    bw_buf_printf(&walk->out, "(?(%zu)", group);
    if (branch(walk, flags, false, &yes))
        return -1;
    if (take(walk, '|')) {
        bw_buf_puts(&walk->out, "|");
        if (branch(walk, flags, false, &no))
            return -1;
        if (next_is(walk, '|'))
            return bw_python_fail(walk, walk->at, "a condition with more than two branches");
    }
    width_out->low = yes.low < no.low ? yes.low : no.low;
    width_out->high = yes.high > no.high ? yes.high : no.high;
    return close_parenthesis(walk, start);
}

static int group_plain(struct bw_python_walk *walk, const char *start, unsigned flags, struct bw_width *width_out)
{
    return branches(walk, flags, false, width_out) || close_parenthesis(walk, start) ? -1 : 0;
}

static int comment(struct bw_python_walk *walk, const char *start)
{
    while (walk->at < walk->end) {
        char c = *walk->at++;
        if (c == ')')
            return 0;
        if (c == '\\' && walk->at < walk->end)
            walk->at++;
    }
    return bw_python_fail(walk, start, "missing ), unterminated comment");
}

static int group_flags(struct bw_python_walk *walk, const char *start, unsigned *flags, bool may_be_global,
                       enum bw_python_item *item_out, struct bw_width *width_out)
{
    unsigned on = 0, off = 0;
    bool global;
    if (flags_read(walk, &on, &off, &global))
        return -1;
    if (!global) {
        unsigned inner = flags_combine(*flags, on, off);
        flags_open(walk, inner);
        return group_plain(walk, start, inner, width_out);
    }
    if (!may_be_global)
        return bw_python_fail(walk, start, "global flags not at the start of the expression");
    walk->global_flags |= on;
    unsigned kinds = walk->global_flags & PY_KINDS;
    if (kinds & (kinds - 1))
        return bw_python_fail(walk, start, "flags a, u and L are incompatible");
    *flags = walk->global_flags;
    *item_out = PY_ITEM_NONE;
    return 0;
}

/* `(` was read. A comment or global flags leave *item_out NONE: they are no item and hide none. */
static int group(struct bw_python_walk *walk, unsigned *flags, bool may_be_global, enum bw_python_item *item_out,
                 struct bw_width *width_out)
{
    const char *start = walk->at - 1;
    *item_out = PY_ITEM_OTHER;
    *width_out = (struct bw_width){0, 0};
    if (!take(walk, '?'))
        return group_capture(walk, start, *flags, NULL, 0, width_out);
    if (walk->at == walk->end)
        return bw_python_fail(walk, walk->at, "unexpected end of pattern");
    char c = *walk->at;
    if (c == '-' || flag_of(c))
        return group_flags(walk, start, flags, may_be_global, item_out, width_out);
    walk->at++;
    switch (c) {
    case 'P':
        return group_named(walk, start, *flags, width_out);
    case ':':
        bw_buf_puts(&walk->out, "(?:");
        return group_plain(walk, start, *flags, width_out);
    case '>':
        bw_buf_puts(&walk->out, "(?>");
        return group_plain(walk, start, *flags, width_out);
    case '#':
        *item_out = PY_ITEM_NONE;
        return comment(walk, start);
    case '=':
        return group_look(walk, start, *flags, "(?=", false);
    case '!':
        return group_look(walk, start, *flags, "(?!", false);
    case '<':
        if (take(walk, '='))
            return group_look(walk, start, *flags, "(?<=", true);
        if (take(walk, '!'))
            return group_look(walk, start, *flags, "(?<!", true);
        return bw_python_fail(walk, start, "unknown extension ?<");
    case '(':
        return group_condition(walk, start, *flags, width_out);
    default:
        return bw_python_fail(walk, start, "unknown extension behind (?");
    }
}

/* --- branches --- */

static bool skipped_in_verbose(struct bw_python_walk *walk)
{
    char c = *walk->at;
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
        walk->at++;
        return true;
    }
    if (c != '#')
        return false;
    while (walk->at < walk->end) {
        c = *walk->at++;
        if (c == '\n')
            break;
        if (c == '\\' && walk->at < walk->end)
            walk->at++;
    }
    return true;
}

/* One character that is neither special nor a repeat. */
static void other_character(struct bw_python_walk *walk, unsigned flags, enum bw_python_item *item_out,
                            struct bw_width *width_out)
{
    size_t len;
    uint32_t c = bw_python_peek(walk, &len);
    walk->at += len;
    *width_out = (struct bw_width){1, 1};
    *item_out = PY_ITEM_OTHER;
    if (c == '.') {
        bw_buf_puts(&walk->out, ".");
    } else if (c == '^' || c == '$') {
        bw_buf_append(&walk->out, &(char){(char)c}, 1);
        *item_out = PY_ITEM_ANCHOR;
        *width_out = (struct bw_width){0, 0};
    } else {
        bw_python_literal(walk, flags, c);
    }
}

static int item(struct bw_python_walk *walk, unsigned *flags, bool may_be_global, enum bw_python_item *item_out,
                struct bw_width *width_out)
{
    switch (*walk->at) {
    case '\\':
        return bw_python_escape(walk, *flags, item_out, width_out);
    case '[':
        walk->at++;
        *item_out = PY_ITEM_OTHER;
        *width_out = (struct bw_width){1, 1};
        return bw_python_set(walk, *flags);
    case '(':
        walk->at++;
        return group(walk, flags, may_be_global, item_out, width_out);
    default:
        other_character(walk, *flags, item_out, width_out);
        return 0;
    }
}

/* Up to `|`, `)` or the end. */
static int branch(struct bw_python_walk *walk, unsigned flags, bool first, struct bw_width *width_out)
{
    struct bw_width sum = {0, 0}, width = {0, 0}; /* the sum is without the last item, which may be repeated yet */
    enum bw_python_item last = PY_ITEM_NONE, now;
    size_t start_of_last = walk->out.len;
    if (++walk->depth > MAX_DEPTH)
        return bw_python_fail(walk, walk->at, "groups nest deeper than %d", MAX_DEPTH);
    while (walk->at < walk->end && *walk->at != '|' && *walk->at != ')') {
        char c = *walk->at;
        if ((flags & PY_VERBOSE) && skipped_in_verbose(walk))
            continue;
        if (c == '*' || c == '+' || c == '?' || c == '{') {
            const char *start = walk->at;
            struct repeat repeat;
            int found = repeat_read(walk, &repeat);
            if (found < 0)
                return -1;
            if (found) {
                if (last == PY_ITEM_NONE || last == PY_ITEM_ANCHOR)
                    return bw_python_fail(walk, start, "nothing to repeat");
                if (last == PY_ITEM_REPEAT)
                    return bw_python_fail(walk, start, "multiple repeat");
                repeat_write(walk, &repeat, start_of_last);
                width = (struct bw_width){times(width.low, repeat.low), times(width.high, repeat.high)};
                last = PY_ITEM_REPEAT;
                continue;
            }
        }
        struct bw_width next;
        size_t start_of_next = walk->out.len;
        if (item(walk, &flags, first && last == PY_ITEM_NONE, &now, &next))
            return -1;
        if (now == PY_ITEM_NONE)
            continue;
        sum = (struct bw_width){add(sum.low, width.low), add(sum.high, width.high)};
        width = next;
        start_of_last = start_of_next;
        last = now;
    }
    walk->depth--;
    *width_out = (struct bw_width){add(sum.low, width.low), add(sum.high, width.high)};
    if (first)
        walk->global_flags |= flags & PY_VERBOSE;
    return 0;
}

static int branches(struct bw_python_walk *walk, unsigned flags, bool top, struct bw_width *width_out)
{
    struct bw_width all, one;
    if (branch(walk, flags, top, &all))
        return -1;
    if (top)
        flags = walk->global_flags;
    while (take(walk, '|')) {
        bw_buf_puts(&walk->out, "|");
        if (branch(walk, flags, false, &one))
            return -1;
        all.low = one.low < all.low ? one.low : all.low;
        all.high = one.high > all.high ? one.high : all.high;
    }
    *width_out = all;
    return 0;
}

int bw_python_translate(struct bw_python_walk *walk, const char *pattern, size_t len, bool bytes, bool guarded,
                        struct bw_error *err)
{
    *walk = (struct bw_python_walk){.begin = pattern,
                                    .at = pattern,
                                    .end = pattern + len,
                                    .bytes = bytes,
                                    .guarded = guarded,
                                    .behind_groups = SIZE_MAX,
                                    .err = err};
    bw_buf_init(&walk->out, 8 * BW_MAX_REGEX_BYTES); /* a literal takes up to six bytes, a category more */
    group_open(walk, NULL, 0);
    struct bw_width width;
    if (!bytes && !bw_utf8_valid(pattern, len))
        return bw_error_detail(err, BW_EINPUT, "bad_regex", "the pattern is not UTF-8");
    if (guarded)
        bw_buf_puts(&walk->out, "(?C)(?:");
    if (branches(walk, 0, true, &width))
        return -1;
    if (guarded)
        bw_buf_puts(&walk->out, ")");
    if (walk->at < walk->end)
        return bw_python_fail(walk, walk->at, "unbalanced parenthesis");
    if (walk->highest_condition >= walk->n_groups)
        return bw_python_fail(walk, walk->highest_condition_at, "invalid group reference");
    return bw_buf_check(&walk->out, "the pattern written for PCRE2", err);
}

void bw_python_clear(struct bw_python_walk *walk)
{
    bw_buf_clear(&walk->out);
    free(walk->groups);
    walk->groups = NULL;
}
