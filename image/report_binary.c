/* The binary form of a report (image/report.h): "BWR1", then the fields of report_record.c in their order. Numbers are
 * little-endian; a text is its length (u32), its bytes and a NUL, a missing one the length ~0; a list is its count
 * (u32) and its elements. Decoding copies the bytes once and points into that block; nothing in them is believed. */
#include "base/limits.h"
#include "image/report_record.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

static const char magic[4] = {'B', 'W', 'R', '1'};
static const uint32_t absent = UINT32_MAX;

/* ---- writing: once without a target to learn the length, once with ---- */

struct writer {
    unsigned char *at; /* NULL: only count */
    size_t len;
    bool too_long; /* a text or list does not fit its u32 */
};

static void put(struct writer *to, const void *bytes, size_t len)
{
    if (to->at != NULL && len != 0)
        memcpy(to->at + to->len, bytes, len);
    to->len += len;
}

static void put_u32(struct writer *to, uint32_t value)
{
    uint32_t little = htole32(value);
    put(to, &little, sizeof(little));
}

static void put_u64(struct writer *to, uint64_t value)
{
    uint64_t little = htole64(value);
    put(to, &little, sizeof(little));
}

static void put_count(struct writer *to, size_t count)
{
    if (count >= absent)
        to->too_long = true;
    put_u32(to, (uint32_t)count);
}

static void put_bytes(struct writer *to, const char *bytes, size_t len)
{
    put_count(to, len);
    put(to, bytes, len);
    put(to, "", 1);
}

static void put_text(struct writer *to, const char *text)
{
    if (text == NULL)
        put_u32(to, absent);
    else
        put_bytes(to, text, strlen(text));
}

static void put_record(struct writer *to, const void *base, const struct bw_record *record)
{
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct bw_field *field = &record->fields[i];
        const void *member = (const char *)base + field->offset;
        size_t count = field->count_offset ? *(const size_t *)((const char *)base + field->count_offset) : 0;
        switch (field->kind) {
        case BW_FIELD_TEXT:
        case BW_FIELD_NAME:
            put_text(to, *(const char *const *)member);
            break;
        case BW_FIELD_NUMBER:
            put_u64(to, *(const uint64_t *)member);
            break;
        case BW_FIELD_SHORT:
            put_u32(to, *(const uint32_t *)member);
            break;
        case BW_FIELD_BOOL:
            put(to, *(const bool *)member ? "\1" : "\0", 1);
            break;
        case BW_FIELD_TYPE:
            put(to, &(unsigned char){(unsigned char)*(const enum bw_file_type *)member}, 1);
            break;
        case BW_FIELD_DIGEST:
            put_text(to, ((const struct bw_digest *)member)->text);
            break;
        case BW_FIELD_BYTES:
            put_bytes(to, *(const char *const *)member, count);
            break;
        case BW_FIELD_TEXTS:
            put_count(to, count);
            for (size_t k = 0; k < count; k++)
                put_text(to, (*(const char *const *const *)member)[k]);
            break;
        case BW_FIELD_NUMBERS:
            put_count(to, count);
            for (size_t k = 0; k < count; k++)
                put_u64(to, (uint64_t)(*(const int64_t *const *)member)[k]);
            break;
        case BW_FIELD_LIST:
            put_count(to, count);
            for (size_t k = 0; k < count; k++)
                put_record(to, *(const char *const *)member + k * field->of->size, field->of);
            break;
        case BW_FIELD_RECORD:
            put_record(to, member, field->of);
            break;
        }
    }
}

int bw_report_encode(void **out, size_t *len_out, const struct bw_report *report, struct bw_error *err)
{
    struct writer to = {0};
    put(&to, magic, sizeof(magic));
    put_record(&to, report, &bw_report_record);
    if (to.too_long)
        return bw_error_set(err, BW_ELIMIT, "report: a text is longer than 4 GiB");
    size_t len = to.len;
    to = (struct writer){.at = malloc(len)};
    if (to.at == NULL)
        return bw_error_set(err, BW_ELIMIT, "report: no memory for its %zu bytes", len);
    put(&to, magic, sizeof(magic));
    put_record(&to, report, &bw_report_record);
    *out = to.at;
    *len_out = len;
    return 0;
}

/* ---- reading ---- */

struct reader {
    const char *at, *end;
    struct bw_arena *arena;
    struct bw_error *err;
};

static int cut(struct reader *from)
{
    return bw_error_set(from->err, BW_EINPUT, "the bytes end in the middle");
}

static int take(struct reader *from, void *into, size_t len)
{
    if ((size_t)(from->end - from->at) < len)
        return cut(from);
    memcpy(into, from->at, len);
    from->at += len;
    return 0;
}

static int take_u32(struct reader *from, uint32_t *out)
{
    uint32_t little;
    if (take(from, &little, sizeof(little)))
        return -1;
    *out = le32toh(little);
    return 0;
}

static int take_u64(struct reader *from, uint64_t *out)
{
    uint64_t little;
    if (take(from, &little, sizeof(little)))
        return -1;
    *out = le64toh(little);
    return 0;
}

static int take_bytes(struct reader *from, uint32_t len, const char **out)
{
    if ((size_t)(from->end - from->at) <= len)
        return cut(from);
    if (from->at[len] != '\0')
        return bw_error_set(from->err, BW_EINPUT, "no NUL behind %u bytes of text", (unsigned)len);
    *out = from->at;
    from->at += (size_t)len + 1;
    return 0;
}

static int take_text(struct reader *from, const char **out, bool required)
{
    uint32_t len;
    if (take_u32(from, &len))
        return -1;
    if (len == absent)
        return required ? bw_error_set(from->err, BW_EINPUT, "a text is missing") : 0;
    const char *text = NULL;
    if (take_bytes(from, len, &text))
        return -1;
    if (memchr(text, '\0', len) != NULL)
        return bw_error_set(from->err, BW_EINPUT, "a NUL inside a text");
    *out = text;
    return 0;
}

static int take_flag(struct reader *from, unsigned max, unsigned *out)
{
    unsigned char value;
    if (take(from, &value, 1))
        return -1;
    if (value > max)
        return bw_error_set(from->err, BW_EINPUT, "value %u, expected at most %u", (unsigned)value, max);
    *out = value;
    return 0;
}

static int take_digest(struct reader *from, struct bw_digest *out)
{
    const char *text = NULL;
    if (take_text(from, &text, true))
        return -1;
    if (*text == '\0')
        return 0;
    return bw_digest_parse(out, text, strlen(text), from->err);
}

/* The fewest bytes that a record takes: bounds a count before memory is given to it. */
static size_t least_bytes(const struct bw_record *record)
{
    size_t sum = 0;
    for (size_t i = 0; i < record->n_fields; i++)
        switch (record->fields[i].kind) {
        case BW_FIELD_NUMBER:
            sum += 8;
            break;
        case BW_FIELD_NAME:
        case BW_FIELD_DIGEST:
        case BW_FIELD_BYTES:
            sum += 5;
            break;
        case BW_FIELD_BOOL:
        case BW_FIELD_TYPE:
            sum += 1;
            break;
        case BW_FIELD_RECORD:
            sum += least_bytes(record->fields[i].of);
            break;
        default:
            sum += 4;
            break;
        }
    return sum;
}

/* A count and zeroed room for that many elements, NULL for none. */
static int take_list(struct reader *from, size_t max, size_t least, size_t size, size_t *count_out, void *room_out)
{
    uint32_t count;
    if (take_u32(from, &count))
        return -1;
    if (count > max)
        return bw_error_set(from->err, BW_ELIMIT, "%u elements, at most %zu are allowed", (unsigned)count, max);
    if (count > (size_t)(from->end - from->at) / least)
        return cut(from);
    void *room = NULL;
    if (count != 0 && (room = bw_arena_array(from->arena, count, size)) == NULL)
        return bw_arena_spent(from->err);
    *count_out = count;
    *(void **)room_out = room;
    return 0;
}

static int take_record(struct reader *from, void *base, const struct bw_record *record);

static int take_records(struct reader *from, const struct bw_field *field, void *member, size_t *count)
{
    char *elements = NULL;
    size_t n = 0;
    if (take_list(from, field->max, least_bytes(field->of), field->of->size, &n, &elements))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (take_record(from, elements + i * field->of->size, field->of))
            return bw_error_wrap(from->err, "[%zu]", i);
    *(char **)member = elements;
    *count = n;
    return 0;
}

static int take_texts(struct reader *from, const struct bw_field *field, void *member, size_t *count)
{
    const char **texts = NULL;
    size_t n = 0;
    if (take_list(from, field->max, 5, sizeof(*texts), &n, &texts))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (take_text(from, &texts[i], true))
            return bw_error_wrap(from->err, "[%zu]", i);
    *(const char ***)member = texts;
    *count = n;
    return 0;
}

static int take_numbers(struct reader *from, const struct bw_field *field, void *member, size_t *count)
{
    uint64_t *numbers = NULL;
    size_t n = 0;
    if (take_list(from, field->max, sizeof(*numbers), sizeof(*numbers), &n, &numbers))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (take_u64(from, &numbers[i]))
            return -1;
    *(uint64_t **)member = numbers;
    *count = n;
    return 0;
}

static int take_field(struct reader *from, void *base, const struct bw_field *field)
{
    void *member = (char *)base + field->offset;
    size_t *count = (size_t *)(void *)((char *)base + field->count_offset);
    uint32_t len;
    unsigned flag = 0;
    switch (field->kind) {
    case BW_FIELD_TEXT:
        return take_text(from, member, false);
    case BW_FIELD_NAME:
        return take_text(from, member, true);
    case BW_FIELD_NUMBER:
        return take_u64(from, member);
    case BW_FIELD_SHORT:
        return take_u32(from, member);
    case BW_FIELD_BOOL:
        if (take_flag(from, 1, &flag))
            return -1;
        *(bool *)member = flag != 0;
        return 0;
    case BW_FIELD_TYPE:
        if (take_flag(from, BW_FILE_OTHER, &flag))
            return -1;
        *(enum bw_file_type *)member = (enum bw_file_type)flag;
        return 0;
    case BW_FIELD_DIGEST:
        return take_digest(from, member);
    case BW_FIELD_BYTES:
        if (take_u32(from, &len) || take_bytes(from, len, member))
            return -1;
        *count = len;
        return 0;
    case BW_FIELD_TEXTS:
        return take_texts(from, field, member, count);
    case BW_FIELD_NUMBERS:
        return take_numbers(from, field, member, count);
    case BW_FIELD_LIST:
        return take_records(from, field, member, count);
    case BW_FIELD_RECORD:
        return take_record(from, member, field->of);
    }
    return bw_error_set(from->err, BW_EINTERNAL, "a field of no kind");
}

static int take_record(struct reader *from, void *base, const struct bw_record *record)
{
    for (size_t i = 0; i < record->n_fields; i++)
        if (take_field(from, base, &record->fields[i]))
            return bw_error_wrap(from->err, "%s", record->fields[i].name);
    return 0;
}

int bw_report_decode(struct bw_report **out, const void *bytes, size_t len, struct bw_error *err)
{
    if (len < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0)
        return bw_error_set(err, BW_EINPUT, "report: does not begin with BWR1");
    struct bw_report_box *box = bw_report_box_create(BW_ARENA_REPORT);
    char *block = bw_arena_alloc(&box->arena, len);
    if (block == NULL) {
        bw_report_box_destroy(box);
        return bw_arena_spent(err);
    }
    memcpy(block, bytes, len);
    struct reader from = {.at = block + sizeof(magic), .end = block + len, .arena = &box->arena, .err = err};
    int failed = take_record(&from, &box->report, &bw_report_record);
    if (!failed && from.at != from.end)
        failed = bw_error_set(err, BW_EINPUT, "%zu bytes behind the end", (size_t)(from.end - from.at));
    if (failed || bw_report_box_check(box, err)) {
        bw_report_box_destroy(box);
        return bw_error_wrap(err, "report");
    }
    *out = &box->report;
    return 0;
}
