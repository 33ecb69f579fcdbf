/* Single values of config.yaml: each kind of row read, checked and stored where its row says. */
#include "webhook/config_table.h"

#include "base/limits.h"
#include "base/str.h"
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_FAULTS = 100, MAX_WARNINGS = 20 }; /* each is located by another walk over the text */

/* ---- faults ---- */

static void record(struct bw_config_reader *reader, const struct bw_problem *problem)
{
    struct bw_problems *problems = reader->problems;
    struct bw_problem found = *problem;
    struct bw_error err;
    found.path = bw_arena_strdup(&problems->arena, problem->path);
    found.message = bw_arena_strdup(&problems->arena, problem->message);
    found.suggestion = problem->suggestion ? bw_arena_strdup(&problems->arena, problem->suggestion) : NULL;
    if (!found.path || !found.message ||
        bw_arena_grow(&problems->arena, (void **)&problems->items, problems->n_items, &problems->capacity,
                      sizeof(*problems->items), &err)) {
        reader->spent = true;
        return;
    }
    (void)bw_yaml_locate(&found.line, &found.column, reader->text, reader->len, found.path);
    problems->items[problems->n_items++] = found;
}

void bw_config_problem(struct bw_config_reader *reader, const char *kind, const char *pointer, const char *suggestion,
                       const char *message)
{
    const struct bw_problem problem = {
        .severity = BW_PROBLEM_ERROR, .kind = kind, .path = pointer, .message = message, .suggestion = suggestion};
    if (reader->problems->n_errors++ < MAX_FAULTS)
        record(reader, &problem);
}

void bw_config_warning(struct bw_config_reader *reader, const char *kind, const char *pointer, const char *message)
{
    const struct bw_problem problem = {
        .severity = BW_PROBLEM_WARNING, .kind = kind, .path = pointer, .message = message};
    if (reader->n_warnings++ < MAX_WARNINGS)
        record(reader, &problem);
}

static int invalid(struct bw_config_reader *reader, const char *pointer, const struct bw_error *err)
{
    bw_config_problem(reader, "value_invalid", pointer, NULL, err->message);
    return -1;
}

int bw_config_wrong_type(struct bw_config_reader *reader, const char *pointer, const char *expected, const json_t *node)
{
    struct bw_error err;
    bw_error_set(&err, BW_EINPUT, "expected %s, found %s", expected, bw_json_type_name(node));
    return invalid(reader, pointer, &err);
}

/* ---- single values ---- */

int bw_duration_parse(int64_t *ms_out, const char *text, size_t len)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
                 {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},        {"h", 3600e9}};
    double total = 0;
    size_t at = 0;
    if (len == 1 && text[0] == '0') {
        *ms_out = 0;
        return 0;
    }
    if (len == 0 || len > 64)
        return -1;
    while (at < len) {
        double value = 0, place = 0.1;
        size_t digits = 0, unit = 0;
        for (; at < len && text[at] >= '0' && text[at] <= '9'; at++, digits++)
            value = value * 10 + (text[at] - '0');
        if (at < len && text[at] == '.')
            for (at++; at < len && text[at] >= '0' && text[at] <= '9'; at++, digits++, place /= 10)
                value += (text[at] - '0') * place;
        for (unit = 0; unit < BW_LENGTH(units); unit++) {
            size_t name_len = strlen(units[unit].name);
            bool longer = strcmp(units[unit].name, "m") == 0 && at + 1 < len && text[at + 1] == 's';
            if (!longer && len - at >= name_len && memcmp(text + at, units[unit].name, name_len) == 0)
                break;
        }
        if (digits == 0 || unit == BW_LENGTH(units))
            return -1;
        at += strlen(units[unit].name);
        total += value * units[unit].ns;
    }
    if (total > 9e18)
        return -1;
    *ms_out = (int64_t)(total / 1e6 + 1e-6);
    return 0;
}

static int parse_size(uint64_t *out, const char *text)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"", 1},         {"B", 1},       {"KiB", BW_KIB}, {"Ki", BW_KIB}, {"MiB", BW_MIB}, {"Mi", BW_MIB},
                 {"GiB", BW_GIB}, {"Gi", BW_GIB}, {"kB", 1000},    {"KB", 1000},   {"MB", 1000000}, {"GB", 1000000000}};
    size_t digits = strspn(text, "0123456789");
    uint64_t number;
    if (bw_str_uint(&number, (struct bw_str){text, digits}, 10, UINT64_MAX))
        return -1;
    struct bw_str unit = bw_str_trim(bw_str_from(text + digits));
    for (size_t i = 0; i < BW_LENGTH(units); i++)
        if (bw_str_is(unit, units[i].name))
            return __builtin_mul_overflow(number, units[i].bytes, out) ? -1 : 0;
    return -1;
}

/* "[::]:8443", "127.0.0.1:0", ":8443" */
static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (!colon || bw_str_uint(&port, bw_str_from(colon + 1), 10, 65535))
        return false;
    struct bw_str host = {text, (size_t)(colon - text)};
    bool bracketed = host.len > 2 && text[0] == '[' && text[host.len - 1] == ']';
    return host.len < 256 && (bracketed || !memchr(text, ':', host.len));
}

static int in_range(struct bw_config_reader *reader, const struct bw_key *key, const char *pointer, uint64_t value,
                    const char *unit)
{
    struct bw_error err;
    if (value >= key->min && value <= key->max)
        return 0;
    bw_error_set(&err, BW_EINPUT, "expected %llu to %llu%s, found %llu", (unsigned long long)key->min,
                 (unsigned long long)key->max, unit, (unsigned long long)value);
    return invalid(reader, pointer, &err);
}

static void store_number(void *field, size_t size, uint64_t value)
{
    if (size == sizeof(bool))
        *(bool *)field = value != 0;
    else if (size == sizeof(unsigned))
        *(unsigned *)field = (unsigned)value;
    else
        *(uint64_t *)field = value;
}

static bool is_word(const struct bw_key *key, const char *word, const char *known)
{
    return (key->any_case ? strcasecmp(word, known) : strcmp(word, known)) == 0;
}

static int read_choice(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node,
                       const char *pointer, void *field)
{
    char number[32];
    const char *given = json_string_value(node);
    if (json_is_real(node)) { /* a version without quotes */
        (void)snprintf(number, sizeof(number), "%.15g", json_real_value(node));
        given = number;
    }
    const char *word = given;
    size_t n_choices = 0;
    for (const char *const *pair = key->choice_aliases; word && pair && *pair; pair += 2)
        word = is_word(key, word, pair[0]) ? pair[1] : word;
    char list[256] = "";
    for (; key->choices[n_choices]; n_choices++) {
        const char *choice = key->choices[n_choices];
        if (!choice[0])
            continue;
        if (word && is_word(key, word, choice)) {
            store_number(field, key->size, n_choices);
            return 0;
        }
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", choice);
    }
    struct bw_error err;
    if (!given)
        bw_error_set(&err, BW_EINPUT, "expected one of %s, found %s", list, bw_json_type_name(node));
    else
        bw_error_set(&err, BW_EINPUT, "expected one of %s, found \"%.60s\"", list, given);
    bw_config_problem(reader, "value_invalid", pointer, given ? bw_suggest(given, key->choices, n_choices) : NULL,
                      err.message);
    return -1;
}

static int read_duration(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node,
                         const char *pointer, void *field)
{
    const char *text = json_string_value(node);
    int64_t ms = 0;
    struct bw_error err;
    if (text ? bw_duration_parse(&ms, text, json_string_length(node)) != 0
             : !json_is_integer(node) || json_integer_value(node) != 0) {
        bw_error_set(&err, BW_EINPUT, "expected a duration with its unit like 30s, 500ms or 1h, found %s%.40s",
                     text ? "" : bw_json_type_name(node), text ? text : "");
        return invalid(reader, pointer, &err);
    }
    if (in_range(reader, key, pointer, (uint64_t)ms, " ms"))
        return -1;
    store_number(field, key->size, key->kind == BW_KEY_SECONDS ? (uint64_t)(ms + 999) / 1000 : (uint64_t)ms);
    return 0;
}

static int read_number(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node,
                       const char *pointer, void *field)
{
    uint64_t value = 0;
    bool size = key->kind == BW_KEY_SIZE;
    if (json_is_integer(node) && json_integer_value(node) >= 0)
        value = (uint64_t)json_integer_value(node);
    else if (!size || !json_is_string(node) || parse_size(&value, json_string_value(node)))
        return bw_config_wrong_type(reader, pointer, size ? "a size like 24MiB" : "a whole number", node);
    if (in_range(reader, key, pointer, value, size ? " bytes" : ""))
        return -1;
    store_number(field, key->size, value);
    return 0;
}

/* A text without NUL, checked by the row. */
static int read_text(const char **out, struct bw_config_reader *reader, const struct bw_key *key, const json_t *node,
                     const char *pointer)
{
    const char *text = json_string_value(node);
    struct bw_error err;
    if (!text)
        return bw_config_wrong_type(reader, pointer, "text (in quotes, if it looks like something else)", node);
    if (!json_string_length(node) && key->may_be_empty) {
        *out = NULL;
        return 0;
    }
    if (strlen(text) != json_string_length(node) || !text[0])
        return bw_config_wrong_type(reader, pointer, "a text that is not empty and holds no NUL", node);
    if (key->kind == BW_KEY_ADDRESS && !is_address(text)) {
        bw_error_set(&err, BW_EINPUT, "expected [HOST]:PORT like :8443, 127.0.0.1:8443 or [::1]:8443, found \"%.80s\"",
                     text);
        return invalid(reader, pointer, &err);
    }
    if (key->check && key->check(text, &err))
        return invalid(reader, pointer, &err);
    *out = bw_arena_strdup(reader->arena, text);
    if (*out)
        return 0;
    reader->spent = true;
    return -1;
}

/* An empty one matches everything, as in Anchore's controller. A POSIX class would compile, as a set of its letters. */
static int read_regex(struct bw_config_reader *reader, const json_t *node, const char *pointer, struct bw_regex **out)
{
    struct bw_error err;
    if (!json_is_string(node))
        return bw_config_wrong_type(reader, pointer, "a regular expression (in quotes)", node);
    const char *posix = strstr(json_string_value(node), "[:");
    if (posix && strstr(posix + 2, ":]")) {
        bw_config_problem(reader, "value_invalid", pointer, NULL,
                          "classes like [[:alpha:]] are not known; expected a set like [A-Za-z]");
        return -1;
    }
    if (bw_regex_compile(out, json_string_value(node), json_string_length(node), 0, &err))
        return invalid(reader, pointer, &err);
    return 0;
}

/* ---- lists ---- */

static void store_list(void *base, const struct bw_key *key, const void *list, size_t count)
{
    memcpy((char *)base + key->offset, &list, sizeof(list));
    if (key->count_offset != BW_NO_COUNT)
        memcpy((char *)base + key->count_offset, &count, sizeof(count));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What an analysis is asked for is sorted and unique (image/needs.h); order means something elsewhere (mirrors). */
size_t bw_config_sort(const char **texts, size_t n_texts)
{
    size_t unique = 0;
    if (n_texts)
        qsort(texts, n_texts, sizeof(*texts), by_text);
    for (size_t i = 0; i < n_texts; i++)
        if (unique == 0 || strcmp(texts[unique - 1], texts[i]) != 0)
            texts[unique++] = texts[i];
    texts[unique] = NULL;
    return unique;
}

static int read_texts(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node,
                      const char *pointer, void *base)
{
    if (!json_is_array(node))
        return bw_config_wrong_type(reader, pointer, "a list", node);
    size_t n_texts = json_array_size(node);
    if (n_texts < key->min) {
        bw_config_problem(reader, "value_invalid", pointer, NULL, "expected at least one entry");
        return -1;
    }
    const char **texts = bw_arena_array(reader->arena, n_texts + 1, sizeof(*texts));
    bool failed = false;
    for (size_t i = 0; texts && i < n_texts; i++) {
        const char *place = bw_arena_printf(reader->arena, "%s/%zu", pointer, i);
        failed |= !place || read_text(&texts[i], reader, key, json_array_get(node, i), place);
    }
    if (!texts || failed)
        return -1;
    if (key->count_offset != BW_NO_COUNT)
        n_texts = bw_config_sort(texts, n_texts);
    store_list(base, key, texts, n_texts);
    return 0;
}

static int read_platforms(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node,
                          const char *pointer, void *base)
{
    if (!json_is_array(node))
        return bw_config_wrong_type(reader, pointer, "a list", node);
    size_t n_platforms = json_array_size(node);
    struct bw_platform *platforms = bw_arena_array(reader->arena, n_platforms, sizeof(*platforms));
    bool failed = false;
    for (size_t i = 0; platforms && i < n_platforms; i++) {
        const char *place = bw_arena_printf(reader->arena, "%s/%zu", pointer, i);
        const json_t *element = json_array_get(node, i);
        struct bw_error err;
        if (!place || !json_is_string(element))
            failed |= place ? bw_config_wrong_type(reader, place, "a platform like linux/amd64", element) != 0 : true;
        else if (bw_platform_parse(&platforms[i], json_string_value(element), reader->arena, &err))
            failed |= invalid(reader, place, &err) != 0;
    }
    if (!platforms || failed)
        return -1;
    store_list(base, key, platforms, n_platforms);
    return 0;
}

static int read_hosts(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node,
                      const char *pointer, void *base)
{
    const char *name;
    json_t *value;
    size_t n_hosts = 0;
    bool failed = false;
    if (!json_is_object(node))
        return bw_config_wrong_type(reader, pointer, "a map of host names", node);
    struct bw_registry_host *hosts = bw_arena_array(reader->arena, json_object_size(node), sizeof(*hosts));
    json_object_foreach((json_t *)(uintptr_t)node, name, value)
    {
        const char *place = bw_json_pointer(pointer, name, reader->arena);
        if (!hosts || !place)
            return -1;
        if (!name[0] || strpbrk(name, "/ @") || strlen(name) > 255) {
            bw_config_problem(
                reader, "value_invalid", place, NULL,
                "expected a registry as references have it, like registry.example:5000 (no scheme, no path)");
            failed = true;
        }
        hosts[n_hosts].host = bw_arena_strdup(reader->arena, name);
        failed |= !hosts[n_hosts].host ||
                  (!json_is_null(value) && bw_config_element(reader, key->members, value, place, &hosts[n_hosts]));
        n_hosts++;
    }
    store_list(base, key, hosts, n_hosts);
    return failed ? -1 : 0;
}

/* Stored before it is read: what a half-read list holds is released with the configuration. */
int bw_config_list(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node, const char *pointer,
                   void *base)
{
    const struct bw_key_table *table = key->members;
    size_t n_elements = json_array_size(node);
    bool failed = false;
    if (!json_is_array(node))
        return bw_config_wrong_type(reader, pointer, "a list", node);
    if (key->max && n_elements > key->max)
        return in_range(reader, key, pointer, n_elements, " entries");
    char *elements = bw_arena_array(reader->arena, n_elements, table->size);
    if (!elements)
        return -1;
    store_list(base, key, elements, n_elements);
    for (size_t i = 0; i < n_elements; i++) {
        char *element = elements + i * table->size;
        const char *place = bw_arena_printf(reader->arena, "%s/%zu", pointer, i);
        if (table->blank)
            memcpy(element, table->blank, table->size);
        failed |= !place || bw_config_element(reader, table, json_array_get(node, i), place, element);
    }
    return failed ? -1 : 0;
}

int bw_config_value(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node, const char *pointer,
                    void *base)
{
    void *field = (char *)base + key->offset;
    switch (key->kind) {
    case BW_KEY_TEXT:
    case BW_KEY_ADDRESS:
        return read_text(field, reader, key, node, pointer);
    case BW_KEY_BOOL:
        if (!json_is_boolean(node))
            return bw_config_wrong_type(reader, pointer, "true or false", node);
        store_number(field, key->size, json_is_true(node));
        return 0;
    case BW_KEY_TRISTATE:
        if (!json_is_boolean(node))
            return bw_config_wrong_type(reader, pointer, "true or false", node);
        store_number(field, key->size, json_is_true(node) ? BW_TRUE : BW_FALSE);
        return 0;
    case BW_KEY_CHOICE:
        return read_choice(reader, key, node, pointer, field);
    case BW_KEY_COUNT:
    case BW_KEY_SIZE:
        return read_number(reader, key, node, pointer, field);
    case BW_KEY_DURATION:
    case BW_KEY_SECONDS:
        return read_duration(reader, key, node, pointer, field);
    case BW_KEY_TEXTS:
        return read_texts(reader, key, node, pointer, base);
    case BW_KEY_PLATFORMS:
        return read_platforms(reader, key, node, pointer, base);
    case BW_KEY_MAP:
        return read_hosts(reader, key, node, pointer, base);
    case BW_KEY_LIST:
        return bw_config_list(reader, key, node, pointer, base);
    case BW_KEY_REGEX:
        return read_regex(reader, node, pointer, field);
    case BW_KEY_LABELS:
    case BW_KEY_EXPRESSIONS:
        return bw_config_labels(reader, key, node, pointer, field);
    case BW_KEY_IGNORED:
        bw_config_warning(reader, "ignored", pointer, key->doc);
        return 0;
    }
    return -1;
}
