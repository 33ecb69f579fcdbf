/* YAML by libyaml's events into jansson's tree (base/yaml.h): YAML 1.2 core schema (10.3.2), merge keys, aliases
 * expanded within a bound on the number of nodes ("billion laughs"). */
#include "base/yaml.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct anchor {
    json_t *node; /* counted */
    size_t nodes, height;
};

struct builder {
    yaml_parser_t parser;
    struct bw_map *anchors; /* of struct anchor; of the current document */
    size_t nodes;
    struct bw_error *err;
};

static int fail(struct builder *builder, enum bw_code code, yaml_mark_t mark, const char *text, const char *quoted)
{
    return bw_error_set(builder->err, code, quoted ? "line %zu column %zu: %s: '%.80s'" : "line %zu column %zu: %s",
                        mark.line + 1, mark.column + 1, text, quoted);
}

static int next_event(struct builder *builder, yaml_event_t *event)
{
    if (yaml_parser_parse(&builder->parser, event))
        return 0;
    const yaml_parser_t *parser = &builder->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        abort();
    const char *problem = parser->problem ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR) { /* which has an offset in bytes only */
        const unsigned char *text = parser->input.string.start;
        yaml_mark_t mark = {0};
        for (size_t i = 0; i < parser->problem_offset; i++) {
            mark.line += text[i] == '\n';
            mark.column = text[i] == '\n' ? 0 : mark.column + 1;
        }
        return fail(builder, BW_EINPUT, mark, problem, NULL);
    }
    return fail(builder, BW_EINPUT, parser->problem_mark, problem, NULL);
}

static void anchor_free(void *value)
{
    struct anchor *anchor = value;
    json_decref(anchor->node);
    free(anchor);
}

/* --- scalars: the core schema --- */

static bool is_one_of(struct bw_str text, const char *const *words)
{
    for (; *words; words++)
        if (bw_str_is(text, *words))
            return true;
    return false;
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? ; *integer_out: digits alone */
static bool is_number(const char *text, bool *integer_out)
{
    const char *at = text + (*text == '-' || *text == '+');
    size_t whole = count_digits(at), fraction = 0;
    at += whole;
    *integer_out = whole > 0 && *at == '\0';
    if (*at == '.') {
        fraction = count_digits(++at);
        at += fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        size_t exponent = count_digits(at);
        if (!exponent)
            return false;
        at += exponent;
    }
    return *at == '\0';
}

static json_t *integer_node(const char *text, size_t len)
{
    bool negative = text[0] == '-', sign = negative || text[0] == '+';
    uint64_t value;
    if (bw_str_uint(&value, (struct bw_str){text + sign, len - sign}, 10, (uint64_t)INT64_MAX + negative) == 0)
        return json_integer(negative ? (json_int_t)(0 - value) : (json_int_t)value);
    return NULL;
}

/* NULL: a string. Numbers beyond int64 become reals, as in Kubernetes' own conversion to JSON. */
static json_t *plain_node(const char *text, size_t len, bool *not_finite_out)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const not_finite[] = {".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
                                             "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL};
    struct bw_str whole = {text, len};
    uint64_t value;
    *not_finite_out = false;
    if (is_one_of(whole, nulls))
        return json_null();
    if (is_one_of(whole, trues))
        return json_true();
    if (is_one_of(whole, falses))
        return json_false();
    if (is_one_of(whole, not_finite)) {
        *not_finite_out = true;
        return NULL;
    }
    if (bw_str_starts_with(whole, "0o") || bw_str_starts_with(whole, "0x")) {
        unsigned base = text[1] == 'o' ? 8 : 16;
        return bw_str_uint(&value, (struct bw_str){text + 2, len - 2}, base, INT64_MAX) == 0
                   ? json_integer((json_int_t)value)
                   : NULL;
    }
    bool is_integer;
    if (strlen(text) != len || !is_number(text, &is_integer))
        return NULL;
    json_t *node = is_integer ? integer_node(text, len) : NULL;
    if (node)
        return node;
    double number = strtod(text, NULL);
    *not_finite_out = !isfinite(number);
    return *not_finite_out ? NULL : json_real(number);
}

static bool tag_is(const yaml_char_t *tag, const char *name)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    return strncmp((const char *)tag, prefix, sizeof(prefix) - 1) == 0 &&
           strcmp((const char *)tag + sizeof(prefix) - 1, name) == 0;
}

static bool tag_fits(const yaml_char_t *tag, const json_t *node)
{
    return (tag_is(tag, "int") && json_is_integer(node)) || (tag_is(tag, "float") && json_is_number(node)) ||
           (tag_is(tag, "bool") && json_is_boolean(node)) || (tag_is(tag, "null") && json_is_null(node));
}

static int scalar_node(json_t **out, struct builder *builder, const yaml_event_t *event)
{
    const yaml_char_t *tag = event->data.scalar.tag;
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    bool plain = event->data.scalar.plain_implicit && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool as_text = tag ? tag_is(tag, "str") || strcmp((const char *)tag, "!") == 0 : !plain;
    bool not_finite = false;
    json_t *node = as_text ? NULL : plain_node(text, len, &not_finite);
    if (not_finite)
        return fail(builder, BW_EINPUT, event->start_mark, "JSON has no such number", text);
    if (tag && !as_text && !(node && tag_fits(tag, node))) {
        json_decref(node);
        return fail(builder, BW_EINPUT, event->start_mark, "the tag is unknown or does not fit the value",
                    (const char *)tag);
    }
    if (!node)
        node = json_stringn(text, len);
    if (!node)
        return fail(builder, BW_EINPUT, event->start_mark, "not UTF-8", NULL);
    *out = node;
    return 0;
}

/* --- collections --- */

static int node_build(json_t **out, size_t *height_out, struct builder *builder, const yaml_event_t *event,
                      size_t depth);

static int key_read(char **key_out, size_t *len_out, struct builder *builder, const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT)
        return fail(builder, BW_EINPUT, event->start_mark, "a key must be a plain text or number", NULL);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag;
    if (plain && event->data.scalar.length == 0)
        return fail(builder, BW_EINPUT, event->start_mark, "an empty key", NULL);
    *key_out = bw_memory_strndup((const char *)event->data.scalar.value, event->data.scalar.length);
    *len_out = event->data.scalar.length;
    return 0;
}

static void merge_one(json_t *into, json_t *from)
{
    const char *key;
    size_t key_len;
    json_t *value;
    json_object_keylen_foreach(from, key, key_len, value)
    {
        if (!json_object_getn(into, key, key_len))
            json_object_setn_nocheck(into, key, key_len, value);
    }
}

/* What stands in the mapping itself goes before what is merged in, earlier merges before later ones. */
static int merge(struct builder *builder, json_t *into, json_t *from, yaml_mark_t mark)
{
    size_t i;
    json_t *one;
    if (json_is_object(from)) {
        merge_one(into, from);
        return 0;
    }
    json_array_foreach(from, i, one)
    {
        if (!json_is_object(one))
            break;
        merge_one(into, one);
    }
    if (!json_is_array(from) || i < json_array_size(from))
        return fail(builder, BW_EINPUT, mark, "<< needs a mapping or a list of mappings", NULL);
    return 0;
}

static int pair_build(struct builder *builder, json_t *mapping, json_t **merged, const yaml_event_t *key_event,
                      size_t *height, size_t depth)
{
    char *key = NULL;
    size_t key_len = 0;
    if (key_read(&key, &key_len, builder, key_event))
        return -1;
    yaml_event_t event;
    json_t *value = NULL;
    bool is_merge = strcmp(key, "<<") == 0 && key_event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool twice = is_merge ? *merged != NULL : json_object_getn(mapping, key, key_len) != NULL;
    int result = twice ? fail(builder, BW_EINPUT, key_event->start_mark, "the key occurs twice", key)
                       : next_event(builder, &event);
    if (result == 0) {
        result = node_build(&value, height, builder, &event, depth + 1);
        yaml_event_delete(&event);
    }
    if (result == 0 && is_merge)
        *merged = value;
    else if (result == 0 && json_object_setn_new(mapping, key, key_len, value))
        result = fail(builder, BW_EINPUT, key_event->start_mark, "the key is not UTF-8", NULL);
    free(key);
    return result;
}

static int mapping_build(json_t **out, size_t *height_out, struct builder *builder, yaml_mark_t mark, size_t depth)
{
    json_t *mapping = json_object(), *merged = NULL;
    size_t highest = 0, height = 0;
    int result;
    for (;;) {
        yaml_event_t event;
        result = next_event(builder, &event);
        if (result)
            break;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        if (!end)
            result = pair_build(builder, mapping, &merged, &event, &height, depth);
        yaml_event_delete(&event);
        if (end || result)
            break;
        highest = height > highest ? height : highest;
    }
    if (result == 0 && merged)
        result = merge(builder, mapping, merged, mark);
    json_decref(merged);
    if (result) {
        json_decref(mapping);
        return -1;
    }
    *out = mapping;
    *height_out = highest + 1;
    return 0;
}

static int sequence_build(json_t **out, size_t *height_out, struct builder *builder, size_t depth)
{
    json_t *sequence = json_array();
    size_t highest = 0, height = 0;
    int result;
    for (;;) {
        yaml_event_t event;
        json_t *element = NULL;
        result = next_event(builder, &event);
        if (result)
            break;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        if (!end)
            result = node_build(&element, &height, builder, &event, depth + 1);
        yaml_event_delete(&event);
        if (end || result)
            break;
        json_array_append_new(sequence, element);
        highest = height > highest ? height : highest;
    }
    if (result) {
        json_decref(sequence);
        return -1;
    }
    *out = sequence;
    *height_out = highest + 1;
    return 0;
}

static int alias_build(json_t **out, size_t *height_out, struct builder *builder, const yaml_event_t *event,
                       size_t depth)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *anchor = bw_map_get(builder->anchors, name, strlen(name));
    if (!anchor)
        return fail(builder, BW_EINPUT, event->start_mark, "no anchor of this name before", name);
    if (anchor->nodes > BW_MAX_YAML_NODES - builder->nodes)
        return fail(builder, BW_ELIMIT, event->start_mark, "the aliases multiply into too many nodes", NULL);
    if (depth + anchor->height > BW_MAX_JSON_DEPTH)
        return fail(builder, BW_ELIMIT, event->start_mark, "nests too deep", NULL);
    builder->nodes += anchor->nodes;
    *height_out = anchor->height;
    *out = json_deep_copy(anchor->node);
    return *out ? 0 : fail(builder, BW_EINTERNAL, event->start_mark, "an alias could not be copied", name);
}

static int collection_tag_check(struct builder *builder, const yaml_char_t *tag, const char *name, yaml_mark_t mark)
{
    if (!tag || tag_is(tag, name) || strcmp((const char *)tag, "!") == 0)
        return 0;
    return fail(builder, BW_EINPUT, mark, "the tag is unknown or does not fit the value", (const char *)tag);
}

static void anchor_set(struct builder *builder, const yaml_char_t *name, json_t *node, size_t nodes, size_t height)
{
    if (!name)
        return;
    struct anchor *anchor = bw_memory_zeroed(1, sizeof(*anchor));
    *anchor = (struct anchor){json_incref(node), nodes, height};
    struct anchor *old = bw_map_put(builder->anchors, (const char *)name, strlen((const char *)name), anchor);
    if (old)
        anchor_free(old);
}

static int node_build(json_t **out, size_t *height_out, struct builder *builder, const yaml_event_t *event,
                      size_t depth)
{
    if (event->type == YAML_ALIAS_EVENT)
        return alias_build(out, height_out, builder, event, depth);
    if (builder->nodes >= BW_MAX_YAML_NODES)
        return fail(builder, BW_ELIMIT, event->start_mark, "too many nodes", NULL);
    if (depth >= BW_MAX_JSON_DEPTH)
        return fail(builder, BW_ELIMIT, event->start_mark, "nests too deep", NULL);
    size_t before = builder->nodes++;
    const yaml_char_t *anchor = NULL;
    json_t *node = NULL;
    int result = -1;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        *height_out = 0;
        result = scalar_node(&node, builder, event);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        result = collection_tag_check(builder, event->data.sequence_start.tag, "seq", event->start_mark) ||
                         sequence_build(&node, height_out, builder, depth)
                     ? -1
                     : 0;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        result = collection_tag_check(builder, event->data.mapping_start.tag, "map", event->start_mark) ||
                         mapping_build(&node, height_out, builder, event->start_mark, depth)
                     ? -1
                     : 0;
    } else {
        result = fail(builder, BW_EINPUT, event->start_mark, "a value is missing", NULL);
    }
    if (result)
        return -1;
    anchor_set(builder, anchor, node, builder->nodes - before, *height_out);
    *out = node;
    return 0;
}

/* --- documents --- */

static void builder_init(struct builder *builder, const char *text, size_t len, struct bw_error *err)
{
    *builder = (struct builder){.anchors = bw_map_create(), .err = err};
    if (!yaml_parser_initialize(&builder->parser))
        abort();
    yaml_parser_set_input_string(&builder->parser, (const unsigned char *)text, len);
    yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
}

static void builder_clear(struct builder *builder)
{
    yaml_parser_delete(&builder->parser);
    bw_map_destroy(builder->anchors, anchor_free);
}

/* The next document's root, or NULL at the end of the stream. */
static int document_build(json_t **out, yaml_mark_t *mark_out, struct builder *builder)
{
    *out = NULL;
    for (;;) {
        yaml_event_t event;
        if (next_event(builder, &event))
            return -1;
        yaml_event_type_t type = event.type;
        *mark_out = event.start_mark;
        int result = 0;
        size_t height;
        bool root = type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                    type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT;
        if (root)
            result = node_build(out, &height, builder, &event, 0);
        yaml_event_delete(&event);
        if (type == YAML_DOCUMENT_END_EVENT) { /* anchors do not reach into the next document */
            bw_map_destroy(builder->anchors, anchor_free);
            builder->anchors = bw_map_create();
        }
        if (root || result || type == YAML_STREAM_END_EVENT)
            return result;
    }
}

/* JSON in full, of which libyaml knows a part only: it refuses surrogate pairs in escapes. */
static json_t *json_attempt(const char *text, size_t len)
{
    struct bw_str rest = bw_str_trim((struct bw_str){text, len});
    json_t *root = NULL;
    if (!bw_str_starts_with(rest, "{") && !bw_str_starts_with(rest, "["))
        return NULL;
    return bw_json_parse_unique(&root, text, len, len, NULL) ? NULL : root;
}

static int size_check(size_t len, size_t max_bytes, struct bw_error *err)
{
    if (len > max_bytes)
        return bw_error_set(err, BW_ELIMIT, "the YAML text has %zu bytes; at most %zu are read", len, max_bytes);
    return 0;
}

int bw_yaml_parse(json_t **out, const char *text, size_t len, size_t max_bytes, struct bw_error *err)
{
    if (size_check(len, max_bytes, err))
        return -1;
    json_t *root = json_attempt(text, len), *second = NULL;
    if (root) {
        *out = root;
        return 0;
    }
    struct builder builder;
    yaml_mark_t mark;
    builder_init(&builder, len ? text : "", len, err);
    int result = document_build(&root, &mark, &builder);
    if (result == 0 && root) {
        result = document_build(&second, &mark, &builder);
        if (result == 0 && second)
            result = fail(&builder, BW_EINPUT, mark, "a second document; one is expected", NULL);
    }
    builder_clear(&builder);
    json_decref(second);
    if (result) {
        json_decref(root);
        return -1;
    }
    *out = root ? root : json_null();
    return 0;
}

int bw_yaml_parse_stream(json_t **out, const char *text, size_t len, size_t max_bytes, struct bw_error *err)
{
    if (size_check(len, max_bytes, err))
        return -1;
    json_t *documents = json_array(), *root = json_attempt(text, len);
    if (root) {
        json_array_append_new(documents, root);
        *out = documents;
        return 0;
    }
    struct builder builder;
    yaml_mark_t mark;
    builder_init(&builder, len ? text : "", len, err);
    int result;
    while ((result = document_build(&root, &mark, &builder)) == 0 && root) {
        if (!json_is_null(root)) /* kubectl passes over empty documents too */
            json_array_append(documents, root);
        json_decref(root);
    }
    builder_clear(&builder);
    if (result) {
        json_decref(documents);
        return -1;
    }
    *out = documents;
    return 0;
}
