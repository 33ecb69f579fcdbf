/* Trigger `dockerfile:exposed_ports`. Tokens of EXPOSE lines are compared as the engine writes them (`22`, `22/tcp`,
 * `22/udp`); on top of that by port, whatever the protocol, also in ranges, and each token once (row 15). */
#include "evaluator/gates/dockerfile.h"

#include "base/map.h"
#include "evaluator/unicode.h"

#include <string.h>

static const char *const list_types[] = {"whitelist", "blacklist", NULL};
enum { WHITELIST, BLACKLIST };
enum { PORTS, LIST_TYPE, ACTUAL_ONLY };
const struct bw_param bw_exposed_ports_params[BW_EXPOSED_PORTS_PARAMS] = {
    [PORTS] = {.name = "ports",
               .kind = BW_PARAM_INT_LIST,
               .required = true,
               .example = "22,2375,3306",
               .doc = "Port numbers, without protocol."},
    [LIST_TYPE] = {.name = "type",
                   .kind = BW_PARAM_ENUM,
                   .choices = list_types,
                   .required = true,
                   .example = "blacklist",
                   .doc = "Whether the listed ports are the only ones allowed, or the ones refused."},
    [ACTUAL_ONLY] = {.name = "actual_dockerfile_only",
                     .kind = BW_PARAM_BOOL,
                     .default_text = "false",
                     .example = "true",
                     .doc = "Stay silent unless the image came with its Dockerfile."},
};

struct token {
    const char *text;
    uint64_t first, last; /* ports; first > last when it is no number */
    bool taken;           /* by the engine's way of crossing out */
};

static struct token parse_token(const char *text)
{
    struct token token = {.text = text, .first = 1, .last = 0};
    struct bw_str ports = {text, strcspn(text, "/")};
    const char *dash = memchr(ports.base, '-', ports.len);
    struct bw_str low = {ports.base, dash == NULL ? ports.len : (size_t)(dash - ports.base)};
    struct bw_str high = dash == NULL ? low : (struct bw_str){dash + 1, ports.len - low.len - 1};
    if (bw_str_uint(&token.first, low, 10, 65535) != 0 || bw_str_uint(&token.last, high, 10, 65535) != 0) {
        token.first = 1;
        token.last = 0;
    }
    return token;
}

/* "22" with "", "/tcp" or "/udp" behind it is this token. */
static bool is_spelled(const struct token *token, const char *port, const char *suffix)
{
    size_t len = strlen(port);
    return strncmp(token->text, port, len) == 0 && strcmp(token->text + len, suffix) == 0;
}

static bool covers(const struct token *token, const char *port)
{
    uint64_t number = 0;
    return bw_str_uint(&number, bw_str_from(port), 10, UINT64_MAX) == 0 && token->first <= number &&
           number <= token->last;
}

static const char *const suffixes[] = {"", "/tcp", "/udp"};

static const struct token *find_spelled(const struct token *tokens, size_t n_tokens, const char *port,
                                        const char *suffix)
{
    for (size_t i = 0; i < n_tokens; i++) {
        if (is_spelled(&tokens[i], port, suffix)) {
            return &tokens[i];
        }
    }
    return NULL;
}

static int refuse_listed(struct bw_scope *scope, const struct bw_value *values, struct token *tokens, size_t n_tokens,
                         struct bw_error *err)
{
    for (size_t i = 0; i < values[PORTS].as.list.n_items; i++) {
        const char *port = values[PORTS].as.list.items[i];
        const struct token *found = NULL;
        for (size_t s = 0; s < BW_LENGTH(suffixes) && found == NULL; s++) {
            found = find_spelled(tokens, n_tokens, port, suffixes[s]);
        }
        for (size_t t = 0; t < n_tokens && found == NULL; t++) {
            if (covers(&tokens[t], port)) {
                found = &tokens[t];
                bw_rows_set(scope->deviations, BW_ROW_PORTS);
            }
        }
        if (found != NULL && bw_fire(scope, BW_ID_DOCKERFILE_PORT_REFUSED,
                                     "the image exposes port {0}, which is refused", err, found->text) != 0) {
            return -1;
        }
    }
    return 0;
}

/* The engine crosses listed ports out: one token of each spelling, and again while it crossed out a /udp one. */
static void cross_out(const struct bw_value *values, struct token *tokens, size_t n_tokens)
{
    for (size_t i = 0; i < values[PORTS].as.list.n_items; i++) {
        const char *port = values[PORTS].as.list.items[i];
        size_t left[BW_LENGTH(suffixes)] = {1, 1, 0};
        for (size_t t = 0; t < n_tokens; t++) {
            size_t udp = !tokens[t].taken && is_spelled(&tokens[t], port, suffixes[2]);
            for (size_t s = 0; s < BW_LENGTH(suffixes); s++) {
                left[s] += udp;
            }
        }
        for (size_t t = 0; t < n_tokens; t++) {
            for (size_t s = 0; s < BW_LENGTH(suffixes) && !tokens[t].taken; s++) {
                tokens[t].taken = left[s] > 0 && is_spelled(&tokens[t], port, suffixes[s]);
                left[s] -= tokens[t].taken;
            }
        }
    }
}

struct port_set {
    uint8_t bits[65536 / 8];
};

static void list_ports(struct port_set *out, const struct bw_value *values)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < values[PORTS].as.list.n_items; i++) {
        uint64_t number = 0;
        if (bw_str_uint(&number, bw_str_from(values[PORTS].as.list.items[i]), 10, 65535) == 0) {
            out->bits[number / 8] |= (uint8_t)(1U << (number % 8));
        }
    }
}

/* Every port of the token is in the list. */
static bool is_allowed(const struct port_set *listed, const struct token *token)
{
    for (uint64_t port = token->first; port <= token->last; port++) {
        if ((listed->bits[port / 8] >> (port % 8) & 1) == 0) {
            return false;
        }
    }
    return token->first <= token->last;
}

static int refuse_others(struct bw_scope *scope, const struct bw_value *values, struct token *tokens, size_t n_tokens,
                         struct bw_error *err)
{
    struct port_set listed;
    list_ports(&listed, values);
    cross_out(values, tokens, n_tokens);
    struct bw_map *seen = bw_map_create();
    int result = 0;
    for (size_t i = 0; result == 0 && i < n_tokens; i++) {
        bool again = bw_map_put(seen, tokens[i].text, strlen(tokens[i].text), &tokens[i]) != NULL;
        bool fires = !again && !is_allowed(&listed, &tokens[i]);
        if (fires == tokens[i].taken) {
            bw_rows_set(scope->deviations, BW_ROW_PORTS);
        }
        if (fires) {
            result =
                bw_fire(scope, BW_ID_DOCKERFILE_PORT_NOT_ALLOWED,
                        "the image exposes port {0}, which is not in the list of allowed ports", err, tokens[i].text);
        }
    }
    bw_map_destroy(seen, NULL);
    return result;
}

static int judge_line(struct bw_scope *scope, const struct bw_value *values, const struct bw_instruction *line,
                      struct bw_error *err)
{
    struct token *tokens = NULL;
    size_t n_tokens = 0;
    size_t capacity = 0;
    struct bw_str rest = line->rest;
    struct bw_str word;
    while (bw_unicode_next_word(&word, &rest)) {
        void *array = tokens;
        const char *text = bw_scope_text(scope, word);
        if (text == NULL || bw_arena_grow(scope->arena, &array, n_tokens, &capacity, sizeof(*tokens), err) != 0) {
            return bw_arena_spent(err);
        }
        tokens = array;
        tokens[n_tokens++] = parse_token(text);
    }
    return values[LIST_TYPE].as.choice == BLACKLIST ? refuse_listed(scope, values, tokens, n_tokens, err)
                                                    : refuse_others(scope, values, tokens, n_tokens, err);
}

int bw_exposed_ports(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_dockerfile *dockerfile = scope->prepared;
    if (!dockerfile->judged || dockerfile->n_instructions == 0) {
        return 0;
    }
    if (values[ACTUAL_ONLY].as.flag && !dockerfile->actual) {
        return 0;
    }
    bw_dockerfile_note_joined(scope, dockerfile, "EXPOSE");
    for (size_t i = 0; i < dockerfile->n_instructions; i++) {
        const struct bw_instruction *line = &dockerfile->instructions[i];
        bool keyword = strncmp(line->line, "EXPOSE", 6) == 0 || strncmp(line->line, "expose", 6) == 0;
        if (strcmp(line->word, "EXPOSE") == 0 && keyword && judge_line(scope, values, line, err) != 0) {
            return -1;
        }
    }
    return 0;
}
