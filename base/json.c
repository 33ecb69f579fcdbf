/* jansson with bounds, and readers that know where in the document they are (base/json.h; RFC 8259, RFC 6901). */
#include "base/json.h"

#include "base/buf.h"
#include "base/limits.h"

#include <string.h>

/* jansson recurses per level; this looks before it does. Where the first level too many opens, or len. Brackets inside
 * strings do not count. */
static size_t find_too_deep(const char *text, size_t len, size_t max_depth)
{
    size_t depth = 0;
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '"':
            for (i++; i < len && text[i] != '"'; i++)
                if (text[i] == '\\')
                    i++;
            break;
        case '{':
        case '[':
            if (++depth > max_depth)
                return i;
            break;
        case '}':
        case ']':
            if (depth)
                depth--;
            break;
        default:
            break;
        }
    }
    return len;
}

static int too_deep(const char *text, size_t at, struct bw_error *err)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        line += text[i] == '\n';
        column = text[i] == '\n' ? 1 : column + 1;
    }
    return bw_error_set(err, BW_ELIMIT, "line %zu column %zu: the JSON text nests deeper than %d levels", line, column,
                        BW_MAX_JSON_DEPTH);
}

bool bw_json_exceeds(const char *text, size_t len, size_t max_values)
{
    size_t values = 1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"') {
            for (i++; i < len && text[i] != '"'; i++)
                if (text[i] == '\\')
                    i++;
        } else if (text[i] == ',' || text[i] == '[' || text[i] == '{') {
            values++;
        }
    }
    return values > max_values;
}

static int parse(json_t **out, const char *text, size_t len, size_t max_bytes, size_t flags, struct bw_error *err)
{
    if (len > max_bytes)
        return bw_error_set(err, BW_ELIMIT, "the JSON text has %zu bytes; at most %zu are read", len, max_bytes);
    size_t deep = find_too_deep(text, len, BW_MAX_JSON_DEPTH);
    if (deep < len)
        return too_deep(text, deep, err);
    json_error_t fault;
    json_t *root = json_loadb(len ? text : "", len, JSON_ALLOW_NUL | JSON_DECODE_ANY | flags, &fault);
    if (!root)
        return bw_error_set(err, BW_EINPUT, "line %d column %d: %s", fault.line, fault.column, fault.text);
    *out = root;
    return 0;
}

int bw_json_parse(json_t **out, const char *text, size_t len, size_t max_bytes, struct bw_error *err)
{
    return parse(out, text, len, max_bytes, 0, err);
}

int bw_json_parse_unique(json_t **out, const char *text, size_t len, size_t max_bytes, struct bw_error *err)
{
    return parse(out, text, len, max_bytes, JSON_REJECT_DUPLICATES, err);
}

struct bw_json bw_json_root(json_t *root)
{
    return (struct bw_json){root, ""};
}

const char *bw_json_pointer(const char *path, const char *key, struct bw_arena *arena)
{
    size_t path_len = strlen(path), key_len = 0;
    for (const char *c = key; *c; c++)
        key_len += *c == '~' || *c == '/' ? 2 : 1;
    char *pointer = bw_arena_alloc(arena, path_len + key_len + 2), *at = pointer;
    if (!pointer)
        return NULL;
    memcpy(at, path, path_len);
    at += path_len;
    *at++ = '/';
    for (const char *c = key; *c; c++) {
        if (*c == '~' || *c == '/') {
            *at++ = '~';
            *at++ = *c == '~' ? '0' : '1';
        } else {
            *at++ = *c;
        }
    }
    return pointer;
}

struct bw_json bw_json_optional(struct bw_json at, const char *key, struct bw_arena *arena)
{
    const char *path = bw_json_pointer(at.path, key, arena);
    json_t *node = json_object_get(at.node, key);
    return (struct bw_json){json_is_null(node) ? NULL : node, path ? path : at.path};
}

struct bw_json bw_json_element(struct bw_json at, size_t index, struct bw_arena *arena)
{
    const char *path = bw_arena_printf(arena, "%s/%zu", at.path, index);
    return (struct bw_json){json_array_get(at.node, index), path ? path : at.path};
}

const char *bw_json_type_name(const json_t *node)
{
    if (!node)
        return "nothing";
    switch (json_typeof(node)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "nothing";
}

static int mismatch(struct bw_json at, const char *expected, struct bw_error *err)
{
    return bw_error_set(err, BW_EINPUT, "%.300s: expected %s, found %s", at.path[0] ? at.path : "the document",
                        expected, bw_json_type_name(at.node));
}

int bw_json_member(struct bw_json *out, struct bw_json at, const char *key, struct bw_arena *arena,
                   struct bw_error *err)
{
    if (bw_json_object(at, err))
        return -1;
    json_t *node = json_object_get(at.node, key);
    if (!node)
        return bw_error_set(err, BW_EINPUT, "%.300s: '%s' is missing", at.path[0] ? at.path : "the document", key);
    const char *path = bw_json_pointer(at.path, key, arena);
    if (!path)
        return bw_arena_spent(err);
    *out = (struct bw_json){node, path};
    return 0;
}

int bw_json_string(const char **out, struct bw_json at, struct bw_arena *arena, struct bw_error *err)
{
    if (!json_is_string(at.node))
        return mismatch(at, "a string", err);
    const char *text = json_string_value(at.node);
    size_t len = json_string_length(at.node);
    if (memchr(text, '\0', len))
        return bw_error_set(err, BW_EINPUT, "%.300s: the string has a NUL character inside", at.path);
    const char *copy = bw_arena_strndup(arena, text, len);
    if (!copy)
        return bw_arena_spent(err);
    *out = copy;
    return 0;
}

int bw_json_bool(bool *out, struct bw_json at, struct bw_error *err)
{
    if (!json_is_boolean(at.node))
        return mismatch(at, "a boolean", err);
    *out = json_is_true(at.node);
    return 0;
}

int bw_json_int(int64_t *out, struct bw_json at, struct bw_error *err)
{
    if (!json_is_integer(at.node))
        return mismatch(at, "an integer", err);
    *out = json_integer_value(at.node);
    return 0;
}

int bw_json_array(size_t *n_out, struct bw_json at, struct bw_error *err)
{
    if (!json_is_array(at.node))
        return mismatch(at, "an array", err);
    *n_out = json_array_size(at.node);
    return 0;
}

int bw_json_object(struct bw_json at, struct bw_error *err)
{
    return json_is_object(at.node) ? 0 : mismatch(at, "an object", err);
}

json_t *bw_json_text(const char *text)
{
    if (text == NULL)
        return json_null();
    BW_BUF_SCOPE quoted;
    bw_buf_init(&quoted, BW_MAX_ANALYSIS_BYTES);
    bw_buf_json(&quoted, text, strlen(text));
    json_t *made = json_loadb(quoted.data, quoted.len, JSON_DECODE_ANY, NULL);
    return made == NULL ? json_null() : made;
}
