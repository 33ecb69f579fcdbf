/* Strict members of analysis documents (image/report_reader.h). */
#include "image/report_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int bw_reader_fault(const struct bw_report_reader *from, const char *key, const char *fmt, ...)
{
    char text[256], place[BW_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (from->index >= 0)
        (void)snprintf(place, sizeof(place), "%s/%lld", from->list, (long long)from->index);
    else if (from->key != NULL)
        (void)snprintf(place, sizeof(place), "%s/%.300s", from->list, from->key);
    else
        (void)snprintf(place, sizeof(place), "%s", from->list);
    return bw_error_set(from->err, BW_EINPUT, "%s%s%s: %s", place, key ? "/" : "", key ? key : "", text);
}

json_t *bw_reader_member(const json_t *object, const char *key)
{
    json_t *member = json_object_get(object, key);
    return json_is_null(member) ? NULL : member;
}

static int expect(const struct bw_report_reader *from, const char *key, const char *what, const json_t *found)
{
    return bw_reader_fault(from, key, "expected %s, found %s", what, bw_json_type_name(found));
}

/* Bytes that are not UTF-8 are written as U+FFFD with the truth beside them, as "<key>_base64". */
static int exact_text(const struct bw_report_reader *from, const json_t *object, const char *key, const char **out)
{
    char beside[64];
    (void)snprintf(beside, sizeof(beside), "%s_base64", key);
    if (bw_reader_member(object, beside) == NULL)
        return 0;
    size_t len = 0;
    const char *bytes = NULL;
    if (bw_reader_base64(from, object, beside, &bytes, &len))
        return -1;
    if (memchr(bytes, '\0', len) != NULL)
        return bw_reader_fault(from, beside, "a NUL inside the text");
    *out = bytes;
    return 0;
}

int bw_reader_text(const struct bw_report_reader *from, const json_t *object, const char *key, const char **out)
{
    json_t *member = bw_reader_member(object, key);
    if (member == NULL)
        return 0;
    if (!json_is_string(member))
        return expect(from, key, "a string", member);
    if (strlen(json_string_value(member)) != json_string_length(member))
        return bw_reader_fault(from, key, "a NUL inside the text");
    *out = json_string_value(member);
    return strstr(*out, "\xef\xbf\xbd") == NULL ? 0 : exact_text(from, object, key, out);
}

int bw_reader_name(const struct bw_report_reader *from, const json_t *object, const char *key, const char **out)
{
    if (bw_reader_member(object, key) == NULL)
        return bw_reader_fault(from, NULL, "\"%s\" is missing", key);
    return bw_reader_text(from, object, key, out);
}

int bw_reader_number(const struct bw_report_reader *from, const json_t *object, const char *key, int64_t *out)
{
    json_t *member = bw_reader_member(object, key);
    if (member == NULL)
        return 0;
    if (!json_is_integer(member))
        return expect(from, key, "an integer", member);
    *out = json_integer_value(member);
    return 0;
}

int bw_reader_flag(const struct bw_report_reader *from, const json_t *object, const char *key, bool *out)
{
    json_t *member = bw_reader_member(object, key);
    if (member == NULL)
        return 0;
    if (!json_is_boolean(member))
        return expect(from, key, "true or false", member);
    *out = json_is_true(member);
    return 0;
}

int bw_reader_array(const struct bw_report_reader *from, const json_t *object, const char *key, json_t **out)
{
    json_t *member = bw_reader_member(object, key);
    if (member != NULL && !json_is_array(member))
        return expect(from, key, "an array", member);
    *out = member;
    return 0;
}

int bw_reader_object(const struct bw_report_reader *from, const json_t *object, const char *key, json_t **out)
{
    json_t *member = bw_reader_member(object, key);
    if (member != NULL && !json_is_object(member))
        return expect(from, key, "an object", member);
    *out = member;
    return 0;
}

int bw_reader_texts(const struct bw_report_reader *from, const json_t *object, const char *key, const char *const **out,
                    size_t *n_out)
{
    json_t *array = NULL;
    if (bw_reader_array(from, object, key, &array))
        return -1;
    size_t count = json_array_size(array);
    if (count == 0)
        return 0;
    const char **texts = bw_arena_array(from->arena, count, sizeof(*texts));
    if (texts == NULL)
        return bw_arena_spent(from->err);
    for (size_t i = 0; i < count; i++) {
        const json_t *element = json_array_get(array, i);
        if (!json_is_string(element))
            return expect(from, key, "strings", element);
        if (strlen(json_string_value(element)) != json_string_length(element))
            return bw_reader_fault(from, key, "a NUL inside a text");
        texts[i] = bw_arena_strdup(from->arena, json_string_value(element));
        if (texts[i] == NULL)
            return bw_arena_spent(from->err);
    }
    *out = texts;
    *n_out = count;
    return 0;
}

int bw_reader_numbers(const struct bw_report_reader *from, const json_t *object, const char *key, const int64_t **out,
                      size_t *n_out)
{
    json_t *array = NULL;
    if (bw_reader_array(from, object, key, &array))
        return -1;
    size_t count = json_array_size(array);
    int64_t *numbers = bw_arena_array(from->arena, count, sizeof(*numbers));
    if (numbers == NULL)
        return bw_arena_spent(from->err);
    for (size_t i = 0; i < count; i++) {
        const json_t *element = json_array_get(array, i);
        if (!json_is_integer(element))
            return expect(from, key, "integers", element);
        numbers[i] = json_integer_value(element);
    }
    *out = numbers;
    *n_out = count;
    return 0;
}

int bw_reader_findings(struct bw_report_reader *from, const char *scanner, const json_t *findings)
{
    for (size_t i = 0; i < json_array_size(findings); i++) {
        struct bw_malware_finding finding = {.scanner = scanner};
        const json_t *found = json_array_get(findings, i);
        if (bw_reader_text(from, found, "path", &finding.path) ||
            bw_reader_text(from, found, "signature", &finding.signature))
            return -1;
        if (finding.path == NULL && finding.signature == NULL)
            finding.path = ""; /* a finding all the same */
        if (bw_report_add_malware(from->builder, &finding, from->err))
            return -1;
    }
    struct bw_malware_finding clean = {.scanner = scanner};
    return json_array_size(findings) != 0 ? 0 : bw_report_add_malware(from->builder, &clean, from->err);
}

int bw_reader_keep(const struct bw_report_reader *from, const json_t *object, const char *key, const char **out)
{
    const char *text = NULL;
    if (bw_reader_text(from, object, key, &text))
        return -1;
    if (text != NULL && (*out = bw_arena_strdup(from->arena, text)) == NULL)
        return bw_arena_spent(from->err);
    return 0;
}

int bw_reader_digest(const struct bw_report_reader *from, const json_t *object, const char *key, struct bw_digest *out)
{
    const char *text = NULL;
    if (bw_reader_text(from, object, key, &text))
        return -1;
    if (text == NULL || *text == '\0')
        return 0;
    struct bw_error why = {0};
    if (bw_digest_parse(out, text, strlen(text), &why))
        return bw_reader_fault(from, key, "%.200s", why.message);
    return 0;
}

int bw_reader_dump(const struct bw_report_reader *from, const json_t *value, const char **out)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL)
        return bw_reader_fault(from, NULL, "a value that cannot be written as JSON");
    *out = bw_arena_strdup(from->arena, text);
    free(text);
    return *out == NULL ? bw_arena_spent(from->err) : 0;
}

int bw_reader_base64(const struct bw_report_reader *from, const json_t *object, const char *key, const char **bytes_out,
                     size_t *len_out)
{
    const json_t *member = bw_reader_member(object, key);
    if (!json_is_string(member))
        return expect(from, key, "base64 text", member);
    struct bw_error why = {0};
    char *bytes = NULL;
    if (bw_base64_decode(&bytes, len_out, json_string_value(member), json_string_length(member), from->arena, &why))
        return bw_reader_fault(from, key, "%.200s", why.message);
    *bytes_out = bytes;
    return 0;
}

int bw_reader_each(struct bw_report_reader *from, const json_t *object, const char *list,
                   int (*read)(struct bw_report_reader *from, const json_t *element))
{
    struct bw_report_reader inside = *from;
    json_t *array = NULL;
    if (bw_reader_array(from, object, list, &array))
        return -1;
    inside.list = bw_arena_printf(from->arena, "%s/%s", from->list, list);
    if (inside.list == NULL)
        return bw_arena_spent(from->err);
    inside.key = NULL;
    size_t count = json_array_size(array);
    for (size_t i = 0; i < count; i++) {
        const json_t *element = json_array_get(array, i);
        inside.index = (int64_t)i;
        if (!json_is_object(element))
            return expect(&inside, NULL, "an object", element);
        if (read(&inside, element))
            return -1;
    }
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The defaults (NULL-terminated) and what occurs, sorted and unique. */
static int unite(struct bw_report_reader *from, const char *const *defaults, const char **occurring, size_t n_occurring,
                 const char *const **out, size_t *n_out)
{
    size_t n_defaults = 0;
    while (defaults[n_defaults] != NULL)
        n_defaults++;
    const char **all = bw_arena_array(from->arena, n_defaults + n_occurring, sizeof(*all));
    if (all == NULL)
        return bw_arena_spent(from->err);
    if (n_defaults != 0)
        memcpy(all, defaults, n_defaults * sizeof(*all));
    if (n_occurring != 0)
        memcpy(all + n_defaults, occurring, n_occurring * sizeof(*all));
    qsort(all, n_defaults + n_occurring, sizeof(*all), compare_texts);
    size_t kept = 0;
    for (size_t i = 0; i < n_defaults + n_occurring; i++)
        if (kept == 0 || strcmp(all[kept - 1], all[i]) != 0)
            all[kept++] = all[i];
    *out = all;
    *n_out = kept;
    return 0;
}

static int patterns_of(struct bw_report_reader *from, const struct bw_pattern_hit *hits, size_t n_hits,
                       const char *const *defaults, const char *const **out, size_t *n_out)
{
    const char **occurring = bw_arena_array(from->arena, n_hits, sizeof(*occurring));
    if (occurring == NULL)
        return bw_arena_spent(from->err);
    for (size_t i = 0; i < n_hits; i++)
        occurring[i] = hits[i].pattern;
    return unite(from, defaults, occurring, n_hits, out, n_out);
}

int bw_reader_assume_covers(struct bw_report_reader *from)
{
    static const char *const none[] = {NULL};
    struct bw_report *head = from->head;
    struct bw_needs *covers = &head->covers;
    const char **paths = bw_arena_array(from->arena, head->n_retrieved, sizeof(*paths));
    if (paths == NULL)
        return bw_arena_spent(from->err);
    for (size_t i = 0; i < head->n_retrieved; i++)
        paths[i] = head->retrieved[i].path;
    covers->file_digests = true;
    return patterns_of(from, head->secrets, head->n_secrets, bw_default_secret_patterns, &covers->secret_patterns,
                       &covers->n_secret_patterns) ||
                   patterns_of(from, head->contents, head->n_contents, none, &covers->content_patterns,
                               &covers->n_content_patterns) ||
                   unite(from, bw_default_retrieved_paths, paths, head->n_retrieved, &covers->retrieved_paths,
                         &covers->n_retrieved_paths)
               ? -1
               : 0;
}
