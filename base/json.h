#ifndef BW_BASE_JSON_H
#define BW_BASE_JSON_H

#include "base/arena.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* jansson with bounds: size, nesting (base/limits.h), NUL allowed inside strings, last of duplicate keys wins.
 * Syntax errors carry line and column. Trees stay in the room and thread that parsed them. */
int bw_json_parse(json_t **out, const char *text, size_t len, size_t max_bytes, struct bw_error *err) BW_MUST_CHECK;
/* The same, but a key that occurs twice in an object is an error. */
int bw_json_parse_unique(json_t **out, const char *text, size_t len, size_t max_bytes,
                         struct bw_error *err) BW_MUST_CHECK;

/* Whether a text would become more values than that: jansson's tree takes 200 bytes for each, so a stranger's text is
 * measured before it becomes one. */
bool bw_json_exceeds(const char *text, size_t len, size_t max_values);

/* A node and the JSON Pointer that led to it, so that every message can say "/policies/2/rules/0/action". */
struct bw_json {
    json_t *node;     /* borrowed; NULL for an absent optional member */
    const char *path; /* in the arena that the readers were given */
};

struct bw_json bw_json_root(json_t *root);
/* Absent or null: node NULL, no error. `at` must be an object or absent. */
struct bw_json bw_json_optional(struct bw_json at, const char *key, struct bw_arena *arena);
struct bw_json bw_json_element(struct bw_json at, size_t index, struct bw_arena *arena);
/* Absent or of another type is an error that names the path and what was found. */
int bw_json_member(struct bw_json *out, struct bw_json at, const char *key, struct bw_arena *arena,
                   struct bw_error *err) BW_MUST_CHECK;
int bw_json_string(const char **out, struct bw_json at, struct bw_arena *arena,
                   struct bw_error *err) BW_MUST_CHECK; /* no NUL inside */
int bw_json_bool(bool *out, struct bw_json at, struct bw_error *err) BW_MUST_CHECK;
int bw_json_int(int64_t *out, struct bw_json at, struct bw_error *err) BW_MUST_CHECK;
int bw_json_array(size_t *n_out, struct bw_json at, struct bw_error *err) BW_MUST_CHECK;
int bw_json_object(struct bw_json at, struct bw_error *err) BW_MUST_CHECK;
const char *bw_json_type_name(const json_t *node); /* "a string", "null", "nothing" for NULL */

/* A JSON string of any bytes: what is no UTF-8 becomes U+FFFD. NULL becomes null. */
json_t *bw_json_text(const char *text);

/* RFC 6901 escape of one key appended to a path. */
const char *bw_json_pointer(const char *path, const char *key, struct bw_arena *arena);

#endif
