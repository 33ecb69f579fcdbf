/* Literals that every match of a regular expression must contain, so that a file without them need not be matched at
 * all. Only what is certain is used: runs of plain characters at the top level and groups that are nothing but a choice
 * of plain texts. Anything else ends a run; a construct that is not understood gives no literal for the whole pattern.
 */
#include "image/analyzer/collectors/secrets.h"

#include <string.h>

enum { MAX_TEXTS = 2, MAX_TEXT_BYTES = 128, LEAST_BYTES = 3, MAX_NESTING = 64 };

/* A set of texts of which one occurs. */
struct set {
    char texts[MAX_TEXTS][MAX_TEXT_BYTES];
    size_t lengths[MAX_TEXTS];
    size_t count; /* 0: nothing is known */
};

struct parser {
    const char *at;
    struct set run;  /* what the match contains right before `at` */
    struct set best; /* the best finished run */
    bool lost;       /* not understood */
};

static void run_restart(struct parser *parser)
{
    memset(&parser->run, 0, sizeof(parser->run));
    parser->run.count = 1; /* the empty text */
}

static size_t shortest(const struct set *set)
{
    size_t least = set->count == 0 ? 0 : SIZE_MAX;
    for (size_t i = 0; i < set->count; i++)
        least = set->lengths[i] < least ? set->lengths[i] : least;
    return least;
}

static void run_finish(struct parser *parser)
{
    if (shortest(&parser->run) > shortest(&parser->best))
        parser->best = parser->run;
    run_restart(parser);
}

static void run_append(struct parser *parser, char c)
{
    for (size_t i = 0; i < parser->run.count; i++)
        if (parser->run.lengths[i] + 1 >= MAX_TEXT_BYTES) {
            run_finish(parser);
            break;
        }
    for (size_t i = 0; i < parser->run.count; i++)
        parser->run.texts[i][parser->run.lengths[i]++] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* ---- quantifiers ---- */

enum repeat { ONCE, AT_LEAST_ONCE, MAYBE };

static enum repeat braces(struct parser *parser)
{
    const char *c = parser->at + 1;
    bool zero = true;
    for (; *c >= '0' && *c <= '9'; c++)
        zero = zero && *c == '0';
    if (*c == ',') {
        c++;
        while (*c >= '0' && *c <= '9')
            c++;
    }
    if (*c != '}' || c == parser->at + 1) { /* a plain brace to Python; not worth telling apart */
        parser->lost = true;
        return MAYBE;
    }
    parser->at = c + 1;
    return zero ? MAYBE : AT_LEAST_ONCE;
}

static enum repeat quantifier(struct parser *parser)
{
    enum repeat repeat = ONCE;
    switch (*parser->at) {
    case '*':
    case '?':
        repeat = MAYBE;
        parser->at++;
        break;
    case '+':
        repeat = AT_LEAST_ONCE;
        parser->at++;
        break;
    case '{':
        repeat = braces(parser);
        break;
    default:
        return ONCE;
    }
    if (*parser->at == '?' || *parser->at == '+') /* lazy, possessive */
        parser->at++;
    return repeat;
}

static void plain(struct parser *parser, char c)
{
    enum repeat repeat = quantifier(parser);
    if (repeat == MAYBE) {
        run_finish(parser);
        return;
    }
    run_append(parser, c);
    if (repeat == AT_LEAST_ONCE) { /* "ab+c": "ab" and "bc", not "abc" */
        run_finish(parser);
        run_append(parser, c);
    }
}

static void opaque(struct parser *parser)
{
    (void)quantifier(parser);
    run_finish(parser);
}

/* ---- atoms ---- */

static void skip_class(struct parser *parser)
{
    const char *c = parser->at + 1;
    if (*c == '^')
        c++;
    if (*c == ']')
        c++;
    while (*c != '\0' && *c != ']')
        c += *c == '\\' && c[1] != '\0' ? 2 : 1;
    parser->lost = parser->lost || *c == '\0';
    parser->at = *c == '\0' ? c : c + 1;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void escape(struct parser *parser)
{
    char c = parser->at[1];
    if (c == '\0' || (is_alnum(c) && strchr("dDwWsSbBAZntrfva", c) == NULL)) {
        parser->lost = true; /* \x41, \1, \u...: more digits follow */
        return;
    }
    parser->at += 2;
    if (is_alnum(c))
        opaque(parser);
    else
        plain(parser, c);
}

/* Behind the parenthesis that opens at `open`, or NULL. */
static const char *closing(const char *open)
{
    struct parser inside = {.at = open + 1};
    size_t depth = 1;
    while (depth != 0) {
        switch (*inside.at) {
        case '\0':
            return NULL;
        case '\\':
            inside.at += inside.at[1] != '\0' ? 2 : 1;
            break;
        case '[':
            skip_class(&inside);
            break;
        default:
            depth += *inside.at == '(' ? 1 : *inside.at == ')' ? (size_t)-1 : 0;
            inside.at++;
            break;
        }
    }
    return inside.at;
}

/* "a|b" of plain texts, at most MAX_TEXTS of them; count 0 if it is anything else. */
static struct set choice(const char *text, size_t len)
{
    struct set set = {.count = 1};
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '|') {
            if (set.count == MAX_TEXTS)
                return (struct set){0};
            set.count++;
            continue;
        }
        if (c == '\\' && i + 1 < len && !is_alnum(text[i + 1]))
            c = text[++i];
        else if (strchr("\\.^$*+?{[()", c) != NULL)
            return (struct set){0};
        size_t *length = &set.lengths[set.count - 1];
        if (*length + 1 >= MAX_TEXT_BYTES)
            return (struct set){0};
        set.texts[set.count - 1][(*length)++] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    return set;
}

/* run x set, if that stays small. */
static bool run_multiply(struct parser *parser, const struct set *set)
{
    struct set product = {0};
    if (set->count == 0 || parser->run.count * set->count > MAX_TEXTS)
        return false;
    for (size_t i = 0; i < parser->run.count; i++)
        for (size_t k = 0; k < set->count; k++) {
            size_t first = parser->run.lengths[i], second = set->lengths[k];
            if (first + second >= MAX_TEXT_BYTES)
                return false;
            char *text = product.texts[product.count];
            memcpy(text, parser->run.texts[i], first);
            memcpy(text + first, set->texts[k], second);
            product.lengths[product.count++] = first + second;
        }
    parser->run = product;
    return true;
}

static void group(struct parser *parser)
{
    const char *open = parser->at, *end = closing(open), *inside = open + 1;
    if (end == NULL || strncmp(open, "(?(", 3) == 0 || strncmp(open, "(?#", 3) == 0) {
        parser->lost = true;
        return;
    }
    bool readable = *inside != '?';
    if (strncmp(inside, "?:", 2) == 0) {
        readable = true;
        inside += 2;
    }
    if (strncmp(open, "(?P<", 4) == 0) {
        inside = memchr(open, '>', (size_t)(end - open));
        readable = inside != NULL;
        inside = readable ? inside + 1 : open;
    }
    /* "(?i)" stands alone; "(?x" gives blanks and '#' another meaning */
    const char *flags = *inside == '?' ? inside + 1 : "";
    for (const char *c = flags; is_alnum(*c); c++)
        parser->lost = parser->lost || *c == 'x' || *c == 'L';
    parser->at = end;
    struct set set = readable ? choice(inside, (size_t)(end - 1 - inside)) : (struct set){0};
    enum repeat repeat = quantifier(parser);
    if (repeat == MAYBE || set.count == 0 || !run_multiply(parser, &set)) {
        run_finish(parser);
        if (repeat != MAYBE && set.count != 0)
            parser->run = set;
    }
    if (repeat != ONCE)
        run_finish(parser);
}

/* One branch of the top level; stops at '|' or the end. */
static struct set branch(struct parser *parser)
{
    memset(&parser->best, 0, sizeof(parser->best));
    run_restart(parser);
    while (!parser->lost && *parser->at != '\0' && *parser->at != '|') {
        switch (*parser->at) {
        case '\\':
            escape(parser);
            break;
        case '[':
            skip_class(parser);
            opaque(parser);
            break;
        case '(':
            group(parser);
            break;
        case '.':
        case '^':
        case '$':
            parser->at++;
            opaque(parser);
            break;
        case ')':
        case '*':
        case '+':
        case '?':
        case '{':
            parser->lost = true;
            break;
        default:
            plain(parser, *parser->at++);
            break;
        }
    }
    run_finish(parser);
    return parser->best;
}

int bw_pattern_literals(const char **literal, const char **alternative, const char *regex, struct bw_arena *arena,
                        struct bw_error *err)
{
    struct parser parser = {.at = regex};
    struct set all = {0};
    const char *texts[MAX_TEXTS] = {NULL, NULL};
    *literal = *alternative = NULL;
    for (;;) {
        struct set one = branch(&parser);
        if (parser.lost || shortest(&one) < LEAST_BYTES || all.count + one.count > MAX_TEXTS)
            return 0;
        for (size_t i = 0; i < one.count; i++) {
            memcpy(all.texts[all.count], one.texts[i], one.lengths[i]);
            all.lengths[all.count++] = one.lengths[i];
        }
        if (*parser.at == '\0')
            break;
        parser.at++;
    }
    for (size_t i = 0; i < all.count; i++) {
        texts[i] = bw_arena_strndup(arena, all.texts[i], all.lengths[i]);
        if (texts[i] == NULL)
            return bw_arena_spent(err);
    }
    *literal = texts[0];
    *alternative = texts[1];
    return 0;
}
