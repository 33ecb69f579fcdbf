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

struct box { /* what stands behind a struct bw_config */
    struct bw_config config;
    atomic_uint references;
    struct bw_arena arena;
    char hash[2 * BW_SHA256_BYTES + 1];
};

/* ---- the tree along the table ---- */

/* Row whose path is exactly `path`; *group_out tells whether rows stand below it. */
static size_t find_key(const char *path, bool *group_out)
{
    size_t len = strlen(path), found = bw_config_n_keys;
    *group_out = len == 0;
    for (size_t i = 0; i < bw_config_n_keys; i++) {
        if (strcmp(bw_config_keys[i].path, path) == 0)
            found = i;
        else if (strncmp(bw_config_keys[i].path, path, len) == 0 && bw_config_keys[i].path[len] == '.')
            *group_out = true;
    }
    return found;
}

/* The nearest name among those that may stand where `name` does; else the place where a key of that name belongs. */
static const char *suggest(const char *prefix, const char *name, struct bw_arena *arena)
{
    const char *names[128] = {NULL};
    size_t n_names = 0, prefix_len = strlen(prefix);
    for (size_t i = 0; i < bw_config_n_keys && n_names < BW_LENGTH(names); i++) {
        const char *path = bw_config_keys[i].path;
        if (strncmp(path, prefix, prefix_len) != 0)
            continue;
        size_t len = strcspn(path + prefix_len, ".");
        const char *last = n_names ? names[n_names - 1] : "";
        if (strlen(last) != len || strncmp(last, path + prefix_len, len) != 0)
            names[n_names++] = bw_arena_strndup(arena, path + prefix_len, len);
        if (!names[n_names - 1])
            return NULL;
    }
    const char *near = bw_suggest(name, names, n_names);
    for (size_t i = 0; !near && i < bw_config_n_keys; i++) {
        const char *dot = strrchr(bw_config_keys[i].path, '.');
        if (strcmp(dot ? dot + 1 : bw_config_keys[i].path, name) == 0)
            near = bw_config_keys[i].path;
    }
    return near;
}

static void read_group(struct bw_config_reader *reader, const json_t *node, const char *prefix, const char *pointer,
                       struct bw_config *config)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)node, name, value)
    {
        bool group;
        const char *path = bw_arena_printf(reader->arena, "%s%s", prefix, name);
        const char *place = bw_json_pointer(pointer, name, reader->arena);
        const char *below = bw_arena_printf(reader->arena, "%s%s.", prefix, name);
        if (!path || !place || !below) {
            reader->spent = true;
            return;
        }
        size_t row = strchr(name, '.') ? bw_config_n_keys : find_key(path, &group);
        if (strchr(name, '.'))
            group = false;
        if (row == bw_config_n_keys && !group)
            bw_config_problem(reader, "unknown_key", place, suggest(prefix, name, reader->arena), "no such key");
        else if (json_is_null(value)) /* as if it were not there */
            continue;
        else if (row == bw_config_n_keys && !json_is_object(value))
            (void)bw_config_wrong_type(reader, place, "a map", value);
        else if (row == bw_config_n_keys)
            read_group(reader, value, below, place, config);
        else if (bw_config_value(reader, &bw_config_keys[row], value, place, config) == 0)
            reader->given[row] = value;
    }
}

static void read_defaults(struct bw_config_reader *reader, struct bw_config *config)
{
    for (size_t i = 0; i < bw_config_n_keys; i++) {
        const struct bw_key *key = &bw_config_keys[i];
        json_t *node = NULL;
        if (key->default_list) {
            node = json_array();
            for (size_t k = 0; key->default_list[k]; k++)
                json_array_append_new(node, json_string(key->default_list[k]));
        } else if (key->default_text && key->kind == BW_KEY_COUNT) {
            uint64_t number = 0;
            (void)!bw_str_uint(&number, bw_str_from(key->default_text), 10, UINT32_MAX);
            node = json_integer((json_int_t)number);
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

/* What single rows cannot see. */
static void check_whole(struct bw_config_reader *reader, const struct bw_config *config)
{
    const char *const listeners[][2] = {{"/server/listen", config->listen},
                                        {"/server/healthListen", config->health_listen},
                                        {"/server/metricsListen", config->metrics_listen}};
    for (size_t i = 0; i < BW_LENGTH(listeners); i++)
        for (size_t k = 0; k < i; k++)
            if (listeners[i][1] && listeners[k][1] && strcmp(listeners[i][1], listeners[k][1]) == 0 &&
                !bw_str_ends_with(bw_str_from(listeners[i][1]), ":0"))
                bw_config_problem(reader, "value_invalid", listeners[i][0], NULL,
                                  "another listener has this address already");
}

/* A hash of what every row holds, as written. */
static int hash_settings(char *out, const struct bw_config_reader *reader, struct bw_error *err)
{
    BW_BUF_SCOPE text;
    bw_buf_init(&text, 2 * BW_MAX_SETTINGS_BYTES);
    for (size_t i = 0; i < bw_config_n_keys; i++) {
        const struct bw_key *key = &bw_config_keys[i];
        char *given =
            reader->given[i] ? json_dumps(reader->given[i], JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
        bw_buf_printf(&text, "%s=", key->path);
        if (given)
            bw_buf_puts(&text, given);
        else if (key->default_text && key->kind == BW_KEY_COUNT)
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
    const struct bw_problem *first = &problems->items[0];
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

static int read_document(struct bw_config_reader *reader, struct box *box, json_t *root, struct bw_error *err)
{
    read_defaults(reader, &box->config);
    if (json_is_object(root))
        read_group(reader, root, "", "", &box->config);
    else if (root && !json_is_null(root))
        (void)bw_config_wrong_type(reader, "", "a map of settings", root);
    if (!reader->problems->n_errors)
        check_whole(reader, &box->config);
    if (reader->problems->n_errors || reader->spent)
        return sum_up(reader, err);
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
    bw_arena_clear(&box->arena);
    free(box);
}
