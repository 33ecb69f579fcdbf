/*
 * WWW-Authenticate (RFC 9110 section 11): a list of challenges, each a scheme with either one token68 or a list of
 * parameters. Both lists are separated by commas: a word that '=' follows is a parameter, any other begins a scheme.
 */
#include "image/registry/challenge.h"

#include "base/str.h"

#include <string.h>

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

static const char *skip_commas(const char *at)
{
    return at + strspn(at, " \t,");
}

static struct bw_str take_token(const char **at)
{
    struct bw_str token = {*at, 0};
    while (is_token(token.base[token.len])) {
        token.len++;
    }
    *at += token.len;
    return token;
}

/* "quoted \" text" or a token; NULL for neither. */
static const char *take_value(const char **at, struct bw_arena *arena)
{
    if (**at != '"') {
        struct bw_str token = take_token(at);
        return token.len == 0 ? NULL : bw_arena_strndup(arena, token.base, token.len);
    }
    const char *from = *at + 1, *end = from;
    while (*end != '\0' && *end != '"') {
        end += *end == '\\' && end[1] != '\0' ? 2 : 1;
    }
    char *made = *end == '"' ? bw_arena_alloc(arena, (size_t)(end - from) + 1) : NULL;
    if (made == NULL) {
        return NULL;
    }
    for (size_t n = 0; from < end; n++) {
        from += *from == '\\' ? 1 : 0;
        made[n] = *from++;
    }
    *at = end + 1;
    return made;
}

/* One "name=value" at *at; false, with *at unmoved, if there is none. */
static bool take_parameter(struct bw_challenge *challenge, const char **at, struct bw_arena *arena)
{
    const char *next = *at;
    struct bw_str name = take_token(&next);
    next = skip_blanks(next);
    if (name.len == 0 || *next != '=') {
        return false;
    }
    next = skip_blanks(next + 1);
    const char *value = take_value(&next, arena);
    if (value == NULL) {
        return false;
    }
    if (bw_str_is_nocase(name, "realm") && challenge->realm == NULL) {
        challenge->realm = value;
    } else if (bw_str_is_nocase(name, "service") && challenge->service == NULL) {
        challenge->service = value;
    }
    *at = next;
    return true;
}

size_t bw_challenge_parse(struct bw_challenge *out, size_t max, const char *text, struct bw_arena *arena)
{
    const char *at = skip_commas(text);
    size_t n = 0;
    while (n < max && is_token(*at)) {
        struct bw_str scheme = take_token(&at);
        struct bw_challenge made = {BW_CHALLENGE_OTHER, NULL, NULL};
        if (bw_str_is_nocase(scheme, "bearer")) {
            made.scheme = BW_CHALLENGE_BEARER;
        } else if (bw_str_is_nocase(scheme, "basic")) {
            made.scheme = BW_CHALLENGE_BASIC;
        }
        at = skip_blanks(at);
        if (*at != ',' && !take_parameter(&made, &at, arena)) {
            at += strcspn(at, ","); /* a token68 */
        } else {
            for (const char *next = skip_commas(at); next != at && take_parameter(&made, &next, arena);
                 next = skip_commas(at)) {
                at = next;
            }
        }
        out[n++] = made;
        at = skip_commas(at);
    }
    return n;
}
