/*
 * config.yaml: YAML into the same tree that JSON gives, then one walk along the table of keys. Every fault is reported
 * with its JSON Pointer, line and column; nothing is taken from a file that has one.
 */
#include "webhook/config_table.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/yaml.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct box { /* what stands behind a struct bw_config */
    struct bw_config config;
    atomic_uint references;
    struct bw_arena arena;
    char hash[2 * BW_SHA256_BYTES + 1];
};

/* ---- the tree along the table ---- */

struct walk { /* one structure being read */
    struct bw_config_reader *reader;
    const struct bw_key_table *table;
    void *base;
    const json_t **given; /* by row */
};

enum nearness { ELSEWHERE, ABOVE, HERE };

static enum nearness compare(const char *row, const char *path, bool any_case)
{
    size_t len = strlen(path);
    if (!len || (any_case ? strncasecmp(row, path, len) : strncmp(row, path, len)) != 0)
        return ELSEWHERE;
    return row[len] == '\0' ? HERE : row[len] == '.' ? ABOVE : ELSEWHERE;
}

/* The row that `path` names, or n_keys; *group_out tells whether rows stand below it, *foreign_out whether it is
 * another program's word. */
static size_t find_key(const struct bw_key_table *table, const char *path, bool *group_out, bool *foreign_out)
{
    size_t found = table->n_keys;
    for (size_t i = 0; i < table->n_keys; i++) {
        const struct bw_key *key = &table->keys[i];
        enum nearness near = compare(key->path, path, table->any_case || key->kind == BW_KEY_IGNORED);
        bool foreign = near == HERE && key->kind == BW_KEY_IGNORED;
        for (const char *const *alias = key->aliases; alias && *alias && near != HERE; alias++) {
            enum nearness other = compare(*alias, path, true);
            foreign = other == HERE;
            near = other > near ? other : near;
        }
        if (near == HERE) {
            found = i;
            *foreign_out = foreign;
        }
        *group_out = *group_out || near == ABOVE;
    }
    return found;
}

/* The nearest name among those that may stand where `name` does; else the place where a key of that name belongs. */
static const char *suggest(const struct bw_key_table *table, const char *prefix, const char *name,
                           struct bw_arena *arena)
{
    const char *names[128] = {NULL};
    size_t n_names = 0, prefix_len = strlen(prefix);
    for (size_t i = 0; i < table->n_keys && n_names < BW_LENGTH(names); i++) {
        const char *path = table->keys[i].path;
        if (table->keys[i].kind == BW_KEY_IGNORED || strncasecmp(path, prefix, prefix_len) != 0)
            continue;
        size_t len = strcspn(path + prefix_len, ".");
        const char *last = n_names ? names[n_names - 1] : "";
        if (strlen(last) != len || strncmp(last, path + prefix_len, len) != 0)
            names[n_names++] = bw_arena_strndup(arena, path + prefix_len, len);
        if (!names[n_names - 1])
            return NULL;
    }
    const char *near = bw_suggest(name, names, n_names);
    for (size_t i = 0; !near && i < table->n_keys; i++) {
        const char *dot = strrchr(table->keys[i].path, '.');
        if (strcmp(dot ? dot + 1 : table->keys[i].path, name) == 0)
            near = table->keys[i].path;
    }
    return near;
}

static void read_row(const struct walk *walk, size_t row, const json_t *value, const char *place)
{
    struct bw_config_reader *reader = walk->reader;
    size_t n_errors = reader->problems->n_errors;
    if (walk->given[row])
        bw_config_problem(reader, "duplicate_key", place, NULL, "this is given already, in another spelling");
    else if (bw_config_value(reader, &walk->table->keys[row], value, place, walk->base) &&
             reader->problems->n_errors == n_errors)
        reader->spent = true; /* nothing is wrong with the value */
    walk->given[row] = value;
}

static void read_group(const struct walk *walk, const json_t *node, const char *prefix, const char *pointer)
{
    struct bw_config_reader *reader = walk->reader;
    const struct bw_key_table *table = walk->table;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)node, name, value)
    {
        bool group = false, foreign = false;
        const char *path = bw_arena_printf(reader->arena, "%s%s", prefix, name);
        const char *place = bw_json_pointer(pointer, name, reader->arena);
        const char *below = bw_arena_printf(reader->arena, "%s%s.", prefix, name);
        if (!path || !place || !below) {
            reader->spent = true;
            return;
        }
        size_t row = strchr(name, '.') ? table->n_keys : find_key(table, path, &group, &foreign);
        reader->foreign = reader->foreign || (foreign && table == &bw_config_table);
        if (row == table->n_keys && !group)
            bw_config_problem(reader, "unknown_key", place, suggest(table, prefix, name, reader->arena), "no such key");
        else if (json_is_null(value)) /* as if it were not there */
            continue;
        else if (row < table->n_keys)
            read_row(walk, row, value, place);
        else if (json_is_object(value))
            read_group(walk, value, below, place);
        else
            (void)bw_config_wrong_type(reader, place, "a map", value);
    }
}

int bw_config_element(struct bw_config_reader *reader, const struct bw_key_table *table, const json_t *node,
                      const char *pointer, void *element)
{
    const json_t *given[BW_MAX_CONFIG_MEMBERS] = {NULL};
    const struct walk walk = {.reader = reader, .table = table, .base = element, .given = given};
    size_t n_errors = reader->problems->n_errors;
    if (!json_is_object(node))
        return bw_config_wrong_type(reader, pointer, "a map", node);
    read_group(&walk, node, "", pointer);
    for (size_t i = 0; i < table->n_keys; i++) {
        if (table->keys[i].required && !given[i]) {
            struct bw_error err;
            bw_error_set(&err, BW_EINPUT, "'%s' is missing", table->keys[i].path);
            bw_config_problem(reader, "value_invalid", pointer, NULL, err.message);
        }
    }
    if (table->check && reader->problems->n_errors == n_errors && !reader->spent)
        table->check(reader, element, pointer);
    return reader->problems->n_errors == n_errors && !reader->spent ? 0 : -1;
}

static void read_defaults(struct bw_config_reader *reader, struct bw_config *config)
{
    for (size_t i = 0; i < bw_config_table.n_keys; i++) {
        const struct bw_key *key = &bw_config_table.keys[i];
        json_t *node = NULL;
        if (key->default_list) {
            node = json_array();
            for (size_t k = 0; key->default_list[k]; k++)
                json_array_append_new(node, json_string(key->default_list[k]));
        } else if (key->default_text && key->kind == BW_KEY_COUNT) {
            uint64_t number = 0;
            (void)!bw_str_uint(&number, bw_str_from(key->default_text), 10, UINT32_MAX);
            node = json_integer((json_int_t)number);
        } else if (key->default_text && key->kind == BW_KEY_BOOL) {
            node = json_boolean(strcmp(key->default_text, "true") == 0);
        } else if (key->default_text) {
            node = json_string(key->default_text);
        }
        int failed = node ? bw_config_value(reader, key, node, "", config) : 0;
        json_decref(node);
        if (failed)
            return; /* recorded, like a fault of the file */
    }
}

static const char *const *list_of_defaults(size_t *n_out, struct bw_arena *arena)
{
    size_t n_texts = 0;
    while (bw_default_secret_patterns[n_texts])
        n_texts++;
    const char **texts = bw_arena_array(arena, n_texts + 1, sizeof(*texts));
    if (!texts)
        return NULL;
    memcpy(texts, bw_default_secret_patterns, n_texts * sizeof(*texts));
    *n_out = bw_config_sort(texts, n_texts);
    return texts;
}

static bool has_default_patterns(const struct bw_needs *needs, struct bw_arena *arena)
{
    size_t n_texts = 0;
    const char *const *texts = list_of_defaults(&n_texts, arena);
    if (!texts || n_texts != needs->n_secret_patterns)
        return false;
    for (size_t i = 0; i < n_texts; i++)
        if (strcmp(texts[i], needs->secret_patterns[i]) != 0)
            return false;
    return true;
}

static bool is_given(const struct bw_config_reader *reader, const char *path)
{
    bool group = false, foreign = false;
    return reader->given[find_key(&bw_config_table, path, &group, &foreign)] != NULL;
}

/* What single rows cannot see. */
static void check_whole(struct bw_config_reader *reader, const struct bw_config *config)
{
    const char *const listeners[][2] = {{"/server/listen", config->listen},
                                        {"/server/healthListen", config->health_listen},
                                        {"/server/metricsListen", config->metrics_listen},
                                        {"/server/debugListen", config->debug_listen}};
    for (size_t i = 0; i < BW_LENGTH(listeners); i++)
        for (size_t k = 0; k < i; k++)
            if (listeners[i][1] && listeners[k][1] && strcmp(listeners[i][1], listeners[k][1]) == 0 &&
                !bw_str_ends_with(bw_str_from(listeners[i][1]), ":0"))
                bw_config_problem(reader, "value_invalid", listeners[i][0], NULL,
                                  "another listener has this address already");
    if (reader->foreign && !is_given(reader, "onNoSelectorMatch"))
        bw_config_warning(reader, "default_differs", "/onNoSelectorMatch",
                          "not given, so images that no selector matches fall to the default bundle; Anchore's "
                          "controller admits them, which here is called allow");
}

/* A hash of what every row holds, as written. */
static int hash_settings(char *out, const struct bw_config_reader *reader, struct bw_error *err)
{
    BW_BUF_SCOPE text;
    bw_buf_init(&text, 2 * BW_MAX_SETTINGS_BYTES);
    for (size_t i = 0; i < bw_config_table.n_keys; i++) {
        const struct bw_key *key = &bw_config_table.keys[i];
        char *given =
            reader->given[i] ? json_dumps(reader->given[i], JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
        bw_buf_printf(&text, "%s=", key->path);
        if (given)
            bw_buf_puts(&text, given);
        else if (key->default_text && (key->kind == BW_KEY_COUNT || key->kind == BW_KEY_BOOL))
            bw_buf_puts(&text, key->default_text);
        else if (key->default_text)
            bw_buf_json(&text, key->default_text, strlen(key->default_text));
        bw_buf_append(&text, "\n", 1);
        free(given);
    }
    if (bw_buf_check(&text, "the configuration", err))
        return -1;
    bw_hash_hex(out, BW_SHA256, text.data, text.len);
    return 0;
}

static int sum_up(const struct bw_config_reader *reader, struct bw_error *err)
{
    const struct bw_problems *problems = reader->problems;
    if (reader->spent)
        return bw_arena_spent(err);
    const struct bw_problem *first = problems->items;
    while (first->severity != BW_PROBLEM_ERROR)
        first++;
    return bw_error_set(err, BW_EINPUT, "the configuration has %zu error%s, first: line %u: %.200s: %.300s%s%.80s%s",
                        problems->n_errors, problems->n_errors == 1 ? "" : "s", first->line,
                        first->path[0] ? first->path : "/", first->message,
                        first->suggestion ? " (did you mean \"" : "", first->suggestion ? first->suggestion : "",
                        first->suggestion ? "\"?)" : "");
}

/* The whole text does not parse: one problem, with the place that the parser names. */
static int refuse_syntax(struct bw_config_reader *reader, const struct bw_error *fault, struct bw_error *err)
{
    unsigned line = 0, column = 0;
    int matched = sscanf(fault->message, "line %u column %u", &line, &column);
    bw_config_problem(reader, "syntax", "", NULL, fault->message);
    if (matched == 2 && reader->problems->n_items) {
        reader->problems->items[reader->problems->n_items - 1].line = line;
        reader->problems->items[reader->problems->n_items - 1].column = column;
    }
    *err = *fault;
    return bw_error_wrap(err, "the configuration");
}

static bool waiting_denies(const struct bw_config *config)
{
    bool denies = config->on_pending == BW_ON_ERROR_DENY;
    for (size_t i = 0; i < config->n_selectors; i++) {
        unsigned own = config->selectors[i].on_pending;
        denies = denies && (own == 0 || own - 1 == BW_ON_ERROR_DENY);
    }
    return denies;
}

static int read_document(struct bw_config_reader *reader, struct box *box, json_t *root, struct bw_error *err)
{
    const struct walk walk = {
        .reader = reader, .table = &bw_config_table, .base = &box->config, .given = reader->given};
    read_defaults(reader, &box->config);
    if (json_is_object(root))
        read_group(&walk, root, "", "");
    else if (root && !json_is_null(root))
        (void)bw_config_wrong_type(reader, "", "a map of settings", root);
    if (!reader->problems->n_errors)
        check_whole(reader, &box->config);
    if (reader->problems->n_errors || reader->spent)
        return sum_up(reader, err);
    box->config.needs_namespaces = bw_selectors_need_namespace(box->config.selectors, box->config.n_selectors);
    box->config.waiting_denies = waiting_denies(&box->config);
    box->config.default_patterns = has_default_patterns(&box->config.analysis_needs, &box->arena);
    box->config.hash = box->hash;
    return hash_settings(box->hash, reader, err);
}

int bw_config_load(struct bw_config **out, struct bw_problems *problems, const char *text, size_t len,
                   struct bw_error *err)
{
    json_t *root = NULL;
    struct box *box = calloc(1, sizeof(*box));
    struct bw_error fault;
    if (!box)
        abort();
    bw_arena_init(&box->arena, 16 * BW_MAX_SETTINGS_BYTES);
    atomic_init(&box->references, 1);
    struct bw_config_reader reader = {
        .arena = &box->arena, .problems = problems, .text = text ? text : "", .len = text ? len : 0};
    int result = 0;
    if (reader.len && bw_yaml_parse(&root, text, len, BW_MAX_SETTINGS_BYTES, &fault))
        result = refuse_syntax(&reader, &fault, err);
    else
        result = read_document(&reader, box, root, err);
    json_decref(root);
    if (result) {
        bw_config_release(&box->config);
        return -1;
    }
    *out = &box->config;
    return 0;
}

struct bw_config *bw_config_retain(struct bw_config *config)
{
    atomic_fetch_add_explicit(&((struct box *)config)->references, 1, memory_order_relaxed);
    return config;
}

void bw_config_release(struct bw_config *config)
{
    struct box *box = (struct box *)config;
    if (!box || atomic_fetch_sub_explicit(&box->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < config->n_selectors; i++) {
        bw_regex_free(config->selectors[i].key);
        bw_regex_free(config->selectors[i].value);
    }
    bw_arena_clear(&box->arena);
    free(box);
}
