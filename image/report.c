/* Reports in memory (image/report.h): counting, looking up, and the builder. The builder's lists grow in a scratch
 * arena and are copied once at the end, so that a finished report holds no slack; while it grows, the head shows what
 * there is. */
#include "image/report.h"

#include "base/limits.h"
#include "base/memory.h"
#include "image/report_record.h"

#include <stdlib.h>
#include <string.h>

#define END_OF_YEAR_9999 253402300799 /* later times have no RFC 3339 text */

struct list {
    void *elements;
    size_t count, capacity;
};

/* One row per list of struct bw_report that grows by element. */
enum {
    LIST_PACKAGES,
    LIST_FILES,
    LIST_VERIFICATIONS,
    LIST_RETRIEVED,
    LIST_SECRETS,
    LIST_CONTENTS,
    LIST_MALWARE,
    LIST_INCOMPLETE,
    N_LISTS
};

#define AT(member) [LIST_##member]
static const size_t list_offsets[N_LISTS] = {
    AT(PACKAGES) = offsetof(struct bw_report, packages),
    AT(FILES) = offsetof(struct bw_report, files),
    AT(VERIFICATIONS) = offsetof(struct bw_report, verifications),
    AT(RETRIEVED) = offsetof(struct bw_report, retrieved),
    AT(SECRETS) = offsetof(struct bw_report, secrets),
    AT(CONTENTS) = offsetof(struct bw_report, contents),
    AT(MALWARE) = offsetof(struct bw_report, malware),
    AT(INCOMPLETE) = offsetof(struct bw_report, incomplete),
};
#undef AT

struct bw_report_builder {
    struct bw_report_box *box;
    struct bw_arena scratch;
    struct list lists[N_LISTS];
    struct list warnings;
};

struct bw_report_box *bw_report_box_create(size_t budget)
{
    struct bw_report_box *box = bw_memory_zeroed(1, sizeof(*box));
    atomic_init(&box->references, 1);
    bw_arena_init(&box->arena, budget);
    return box;
}

void bw_report_box_destroy(struct bw_report_box *box)
{
    if (box == NULL)
        return;
    bw_arena_clear(&box->arena);
    free(box);
}

struct bw_report *bw_report_retain(struct bw_report *report)
{
    struct bw_report_box *box = (struct bw_report_box *)report;
    atomic_fetch_add_explicit(&box->references, 1, memory_order_relaxed);
    return report;
}

void bw_report_release(struct bw_report *report)
{
    struct bw_report_box *box = (struct bw_report_box *)report;
    if (box != NULL && atomic_fetch_sub_explicit(&box->references, 1, memory_order_acq_rel) == 1)
        bw_report_box_destroy(box);
}

static int compare_file(const void *key, const void *element)
{
    return strcmp(key, ((const struct bw_report_file *)element)->path);
}

const struct bw_report_file *bw_report_find_file(const struct bw_report *report, const char *path)
{
    if (report->n_files == 0)
        return NULL;
    return bsearch(path, report->files, report->n_files, sizeof(*report->files), compare_file);
}

const char *bw_report_incomplete(const struct bw_report *report, const char *kind)
{
    size_t len = strlen(kind);
    for (size_t i = 0; i < report->n_incomplete; i++) {
        const char *marked = report->incomplete[i].kind;
        if (strncmp(marked, kind, len) == 0 && (marked[len] == '\0' || marked[len] == ':'))
            return report->incomplete[i].reason;
    }
    return NULL;
}

/* ---- building ---- */

struct bw_report_builder *bw_report_builder_create(size_t budget)
{
    struct bw_report_builder *builder = bw_memory_zeroed(1, sizeof(*builder));
    builder->box = bw_report_box_create(budget);
    bw_arena_init(&builder->scratch, budget);
    struct bw_report *report = &builder->box->report;
    report->size = report->compressed_size = report->layer_count = report->completed_s = -1;
    report->revision = BW_REPORT_REVISION;
    return builder;
}

void bw_report_builder_destroy(struct bw_report_builder *builder)
{
    if (builder == NULL)
        return;
    bw_report_box_destroy(builder->box);
    bw_arena_clear(&builder->scratch);
    free(builder);
}

struct bw_report *bw_report_builder_head(struct bw_report_builder *builder)
{
    return &builder->box->report;
}

struct bw_arena *bw_report_builder_arena(struct bw_report_builder *builder)
{
    return &builder->box->arena;
}

static int add(struct bw_report_builder *builder, unsigned which, const void *element, struct bw_error *err)
{
    struct list *list = &builder->lists[which];
    const struct bw_field *field = bw_report_list(list_offsets[which]);
    if (list->count >= field->max)
        return bw_error_detail(err, BW_ELIMIT, "report_limit", "%s: at most %zu are kept of one image", field->name,
                               field->max);
    if (bw_arena_grow(&builder->scratch, &list->elements, list->count, &list->capacity, field->of->size, err))
        return -1;
    void *slot = (char *)list->elements + list->count * field->of->size;
    if (bw_record_copy(slot, element, field->of, &builder->box->arena, err))
        return -1;
    list->count++;
    char *head = (char *)&builder->box->report;
    *(void **)(head + field->offset) = list->elements;
    *(size_t *)(head + field->count_offset) = list->count;
    return 0;
}

int bw_report_add_package(struct bw_report_builder *builder, const struct bw_package *package, struct bw_error *err)
{
    return add(builder, LIST_PACKAGES, package, err);
}

int bw_report_add_file(struct bw_report_builder *builder, const struct bw_report_file *file, struct bw_error *err)
{
    return add(builder, LIST_FILES, file, err);
}

int bw_report_add_verification(struct bw_report_builder *builder, const struct bw_verification *record,
                               struct bw_error *err)
{
    return add(builder, LIST_VERIFICATIONS, record, err);
}

int bw_report_add_retrieved(struct bw_report_builder *builder, const struct bw_retrieved_file *file,
                            struct bw_error *err)
{
    return add(builder, LIST_RETRIEVED, file, err);
}

int bw_report_add_secret(struct bw_report_builder *builder, const struct bw_pattern_hit *hit, struct bw_error *err)
{
    return add(builder, LIST_SECRETS, hit, err);
}

int bw_report_add_content(struct bw_report_builder *builder, const struct bw_pattern_hit *hit, struct bw_error *err)
{
    return add(builder, LIST_CONTENTS, hit, err);
}

int bw_report_add_malware(struct bw_report_builder *builder, const struct bw_malware_finding *finding,
                          struct bw_error *err)
{
    return add(builder, LIST_MALWARE, finding, err);
}

/* A kind is named once, with the first reason. */
int bw_report_add_incomplete(struct bw_report_builder *builder, const char *kind, const char *reason,
                             struct bw_error *err)
{
    const struct bw_report *report = &builder->box->report;
    for (size_t i = 0; i < report->n_incomplete; i++)
        if (strcmp(report->incomplete[i].kind, kind) == 0)
            return 0;
    struct bw_incomplete mark = {.kind = kind, .reason = reason};
    return add(builder, LIST_INCOMPLETE, &mark, err);
}

int bw_report_add_warning(struct bw_report_builder *builder, struct bw_error *err, const char *fmt, ...)
{
    struct list *list = &builder->warnings;
    if (list->count >= BW_MAX_REMARKS) /* an image that earns a thousand has made its point */
        return 0;
    va_list args;
    va_start(args, fmt);
    char *text = bw_arena_vprintf(&builder->box->arena, fmt, args);
    va_end(args);
    if (text == NULL)
        return bw_arena_spent(err);
    bw_text_clean(text, false);
    if (bw_arena_grow(&builder->scratch, &list->elements, list->count, &list->capacity, sizeof(text), err))
        return -1;
    ((const char **)list->elements)[list->count++] = text;
    builder->box->report.warnings = list->elements;
    builder->box->report.n_warnings = list->count;
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct bw_report_file *)a)->path, ((const struct bw_report_file *)b)->path);
}

static int by_kind(const void *a, const void *b)
{
    return strcmp(((const struct bw_incomplete *)a)->kind, ((const struct bw_incomplete *)b)->kind);
}

static void sort_unless_sorted(struct list *list, size_t size, int (*compare)(const void *, const void *))
{
    const char *elements = list->elements;
    for (size_t i = 1; i < list->count; i++)
        if (compare(elements + (i - 1) * size, elements + i * size) > 0) {
            qsort(list->elements, list->count, size, compare);
            return;
        }
}

static int settle(const void **member, const struct list *list, size_t size, struct bw_arena *arena,
                  struct bw_error *err)
{
    *member = NULL;
    if (list->count == 0)
        return 0;
    void *exact = bw_arena_array(arena, list->count, size);
    if (exact == NULL)
        return bw_arena_spent(err);
    memcpy(exact, list->elements, list->count * size);
    *member = exact;
    return 0;
}

static int check_sorted_texts(const char *what, const char *const *texts, size_t count, struct bw_error *err)
{
    for (size_t i = 1; i < count; i++)
        if (strcmp(texts[i - 1], texts[i]) >= 0)
            return bw_error_set(err, BW_EINPUT, "covers/%s: entry %zu is not after the one before it", what, i);
    return 0;
}

/* What the head was given without add(). */
static int check_counts(const struct bw_record *record, const void *base, struct bw_error *err)
{
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct bw_field *field = &record->fields[i];
        const char *member = (const char *)base + field->offset;
        if (field->kind == BW_FIELD_RECORD && check_counts(field->of, member, err))
            return -1;
        size_t count = field->max ? *(const size_t *)(const void *)((const char *)base + field->count_offset) : 0;
        if (count > field->max)
            return bw_error_detail(err, BW_ELIMIT, "report_limit", "%s: %zu of them, at most %zu are kept", field->name,
                                   count, field->max);
    }
    return 0;
}

/* Rules walk all paths and nothing else of a file: side by side they are read at the speed of memory, scattered among
 * digests each costs a miss. */
static int gather_paths(struct bw_report_box *box, struct bw_error *err)
{
    struct bw_report_file *files = (struct bw_report_file *)(uintptr_t)box->report.files;
    size_t total = 0;
    for (size_t i = 0; i < box->report.n_files; i++)
        total += strlen(files[i].path) + 1;
    char *at = total == 0 ? NULL : bw_arena_alloc(&box->arena, total);
    if (total > 0 && at == NULL)
        return bw_arena_spent(err);
    for (size_t i = 0; i < box->report.n_files; i++) {
        size_t len = strlen(files[i].path) + 1;
        memcpy(at, files[i].path, len);
        files[i].path = at;
        at += len;
    }
    return 0;
}

int bw_report_box_check(struct bw_report_box *box, struct bw_error *err)
{
    struct bw_report *report = &box->report;
    if (check_counts(&bw_report_record, report, err))
        return -1;
    for (size_t i = 1; i < report->n_files; i++) {
        int order = strcmp(report->files[i - 1].path, report->files[i].path);
        if (order >= 0)
            return bw_error_set(err, BW_EINPUT, "files: \"%s\" is %s", report->files[i].path,
                                order == 0 ? "listed twice" : "not in order");
    }
    for (size_t i = 1; i < report->n_incomplete; i++)
        if (strcmp(report->incomplete[i - 1].kind, report->incomplete[i].kind) >= 0)
            return bw_error_set(err, BW_EINPUT, "incomplete: kind \"%s\" is not in order", report->incomplete[i].kind);
    for (size_t i = 0; i < report->n_verifications; i++)
        if (report->verifications[i].mode < -1 || report->verifications[i].mode > UINT32_MAX)
            return bw_error_set(err, BW_EINPUT, "verifications[%zu]: %lld is no file mode", i,
                                (long long)report->verifications[i].mode);
    if (report->completed_s < -1 || report->completed_s > END_OF_YEAR_9999)
        return bw_error_set(err, BW_EINPUT, "completed_s: %lld is no time", (long long)report->completed_s);
    const struct bw_needs *covers = &report->covers;
    if (check_sorted_texts("secret_patterns", covers->secret_patterns, covers->n_secret_patterns, err) ||
        check_sorted_texts("content_patterns", covers->content_patterns, covers->n_content_patterns, err) ||
        check_sorted_texts("retrieved_paths", covers->retrieved_paths, covers->n_retrieved_paths, err))
        return -1;
    if (gather_paths(box, err) || bw_report_box_index(box, err))
        return -1;
    report->memory = sizeof(*box) + box->arena.used;
    return 0;
}

int bw_report_builder_finish(struct bw_report **out, struct bw_report_builder *builder, struct bw_error *err)
{
    if (builder->box == NULL)
        return bw_error_set(err, BW_EINTERNAL, "the report was already handed over");
    sort_unless_sorted(&builder->lists[LIST_FILES], sizeof(struct bw_report_file), by_path);
    sort_unless_sorted(&builder->lists[LIST_INCOMPLETE], sizeof(struct bw_incomplete), by_kind);
    char *head = (char *)&builder->box->report;
    for (unsigned i = 0; i < N_LISTS; i++) {
        const struct bw_field *field = bw_report_list(list_offsets[i]);
        if (settle((const void **)(head + field->offset), &builder->lists[i], field->of->size, &builder->box->arena,
                   err))
            return -1;
    }
    if (settle((const void **)&builder->box->report.warnings, &builder->warnings, sizeof(const char *),
               &builder->box->arena, err) ||
        bw_report_box_check(builder->box, err))
        return -1;
    *out = &builder->box->report;
    builder->box = NULL;
    return 0;
}
