/* Values of test files, each with its place (cli/test_value.h). */
#include "cli/test_value.h"

#include "base/deadline.h"
#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"

#include <string.h>

enum { MAX_PROBLEMS = 100 }; /* each is located by another walk over the text */

/* ---- faults ---- */

int bw_test_fault(struct bw_test_reader *reader, const char *kind, const char *pointer, const char *suggestion,
                  const char *fmt, ...)
{
    struct bw_problems *problems = reader->problems;
    char message[BW_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    bw_text_clean(message, false);
    problems->n_errors++;
    struct bw_problem found = {.severity = BW_PROBLEM_ERROR, .kind = kind};
    void *items = problems->items;
    found.path = bw_arena_strdup(&problems->arena, pointer);
    found.message = bw_arena_strdup(&problems->arena, message);
    found.suggestion = suggestion == NULL ? NULL : bw_arena_strdup(&problems->arena, suggestion);
    if (problems->n_items >= MAX_PROBLEMS || found.path == NULL || found.message == NULL ||
        bw_arena_grow(&problems->arena, &items, problems->n_items, &problems->capacity, sizeof(*problems->items),
                      NULL) != 0) {
        return -1; /* counted, not listed */
    }
    problems->items = items;
    (void)bw_yaml_locate(&found.line, &found.column, reader->text, reader->len, pointer);
    problems->items[problems->n_items++] = found;
    return -1;
}

int bw_test_wrong_type(struct bw_test_reader *reader, const char *pointer, const char *expected, const json_t *found)
{
    return bw_test_fault(reader, "value_invalid", pointer, NULL, "expected %s, found %s", expected,
                         bw_json_type_name(found));
}

const char *bw_test_below(struct bw_test_reader *reader, const char *pointer, const char *key)
{
    const char *made = bw_json_pointer(pointer, key, reader->arena);
    return made == NULL ? "" : made;
}

const char *bw_test_element(struct bw_test_reader *reader, const char *pointer, size_t index)
{
    const char *made = bw_arena_printf(reader->arena, "%s/%zu", pointer, index);
    return made == NULL ? "" : made;
}

/* ---- single values ---- */

int bw_test_read_text(struct bw_test_reader *reader, const json_t *node, const char *pointer, const char **out)
{
    const char *text = json_string_value(node);
    if (text == NULL) {
        return bw_test_wrong_type(reader, pointer, "text (in quotes, if it looks like something else)", node);
    }
    if (text[0] == '\0' || strlen(text) != json_string_length(node)) {
        return bw_test_fault(reader, "value_invalid", pointer, NULL, "expected a text that is not empty, without NUL");
    }
    *out = text;
    return 0;
}

int bw_test_read_number(struct bw_test_reader *reader, const json_t *node, const char *pointer, int64_t *out)
{
    if (!json_is_integer(node) || json_integer_value(node) < 0) {
        return bw_test_wrong_type(reader, pointer, "a whole number, not negative", node);
    }
    *out = json_integer_value(node);
    return 0;
}

int bw_test_read_time(struct bw_test_reader *reader, const json_t *node, const char *pointer, int64_t *out)
{
    const char *text = NULL;
    if (bw_test_read_text(reader, node, pointer, &text) != 0) {
        return -1;
    }
    return bw_time_parse(out, text) == 0
               ? 0
               : bw_test_fault(reader, "value_invalid", pointer, NULL,
                               "expected a time such as 2026-01-31T12:00:00Z, found \"%.60s\"", text);
}

int bw_test_read_choice(struct bw_test_reader *reader, const json_t *node, const char *pointer,
                        const char *const *choices, int *out)
{
    const char *word = json_string_value(node);
    char list[256] = "";
    size_t n = 0;
    for (; choices[n] != NULL; n++) {
        if (word != NULL && strcmp(word, choices[n]) == 0) {
            *out = (int)n;
            return 0;
        }
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof(list) - used, "%s%s", n > 0 ? ", " : "", choices[n]);
    }
    if (word == NULL) {
        return bw_test_fault(reader, "value_invalid", pointer, NULL, "expected one of %s, found %s", list,
                             bw_json_type_name(node));
    }
    return bw_test_fault(reader, "value_invalid", pointer, bw_suggest(word, choices, n),
                         "expected one of %s, found \"%.60s\"", list, word);
}

static int read_flag(struct bw_test_reader *reader, const json_t *node, const char *pointer, bool *out)
{
    if (!json_is_boolean(node)) {
        return bw_test_wrong_type(reader, pointer, "true or false", node);
    }
    *out = json_is_true(node);
    return 0;
}

static int read_truth(struct bw_test_reader *reader, const json_t *node, const char *pointer, int *out)
{
    bool flag = false;
    int status = read_flag(reader, node, pointer, &flag);
    *out = flag ? 1 : 0;
    return status;
}

static int read_value(struct bw_test_reader *reader, const struct bw_test_key *key, const json_t *node,
                      const char *pointer, void *base)
{
    void *field = (char *)base + key->offset;
    switch (key->kind) {
    case BW_TEST_TEXT:
        return bw_test_read_text(reader, node, pointer, field);
    case BW_TEST_FLAG:
        return read_flag(reader, node, pointer, field);
    case BW_TEST_TRUTH:
        return read_truth(reader, node, pointer, field);
    case BW_TEST_NUMBER:
        return bw_test_read_number(reader, node, pointer, field);
    case BW_TEST_CHOICE:
        return bw_test_read_choice(reader, node, pointer, key->choices, field);
    default:
        return key->read(reader, node, pointer, base);
    }
}

/* The members of one object into *base. An empty value is a fault: what was meant to be checked must not vanish. */
int bw_test_read_object(struct bw_test_reader *reader, const struct bw_test_key *keys, size_t n_keys,
                        const json_t *node, const char *pointer, void *base)
{
    const char *names[16], *name;
    json_t *value;
    int status = 0;
    if (!json_is_object(node)) {
        return bw_test_wrong_type(reader, pointer, "a map", node);
    }
    for (size_t i = 0; i < n_keys; i++) {
        names[i] = keys[i].name;
        if (keys[i].required && json_object_get(node, names[i]) == NULL) {
            status = bw_test_fault(reader, "missing", pointer, NULL, "\"%s\" is missing", names[i]);
        }
    }
    json_object_foreach((json_t *)(uintptr_t)node, name, value)
    {
        const char *place = bw_test_below(reader, pointer, name);
        size_t i = 0;
        while (i < n_keys && strcmp(names[i], name) != 0) {
            i++;
        }
        if (i == n_keys) {
            status = bw_test_fault(reader, "unknown_key", place, bw_suggest(name, names, n_keys), "no such key");
        } else if (read_value(reader, &keys[i], value, place, base) != 0) {
            status = -1;
        }
    }
    return status;
}
