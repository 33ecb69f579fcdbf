#ifndef TESTS_UNIT_ANALYZER_FAKE_TREE_H
#define TESTS_UNIT_ANALYZER_FAKE_TREE_H

/* A tree made of a table, so that rows are tested without layers: path, content (NULL for folders), link. The rows see
 * it through tree.h; keeps() and inspect() are asked as the layer reader would. Include it once per program. */
#include "base/buf.h"
#include "base/limits.h"
#include "image/analyzer/collectors/collectors.h"

#include <stdlib.h>
#include <string.h>

struct fake_file {
    const char *path;
    const char *content; /* regular */
    const char *link;    /* symlink */
    size_t len;          /* of content, 0: strlen */
};

struct bw_tree {
    struct bw_file files[256];
    size_t count;
};

const struct bw_collector *const bw_collectors[] = {
    &bw_collector_history, &bw_collector_os_release, &bw_collector_dpkg,      &bw_collector_apk,    &bw_collector_files,
    &bw_collector_secrets, &bw_collector_licenses,   &bw_collector_retrieved, &bw_collector_unread, NULL,
};

size_t bw_tree_count(const struct bw_tree *tree)
{
    return tree->count;
}

const struct bw_file *bw_tree_at(const struct bw_tree *tree, size_t index)
{
    return &tree->files[index];
}

const struct bw_file *bw_tree_find(const struct bw_tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->count; i++)
        if (strcmp(tree->files[i].path, path) == 0)
            return &tree->files[i];
    return NULL;
}

/* Path by path, links followed from the folder they stand in. */
static const struct bw_file *fake_resolve(const struct bw_tree *tree, const char *path, int hops)
{
    BW_BUF_SCOPE done = {.ceiling = 65536}, next = {.ceiling = 65536};
    struct bw_str rest = bw_str_from(path), part;
    while (hops > 0 && bw_str_next(&part, &rest, '/')) {
        if (bw_str_is(part, "..")) {
            const char *slash = done.len != 0 ? strrchr(done.data, '/') : NULL;
            bw_buf_printf(&next, "%.*s", slash ? (int)(slash - done.data) : 0, done.len ? done.data : "");
            bw_buf_reset(&done);
            bw_buf_append(&done, next.data, next.len);
            bw_buf_reset(&next);
            continue;
        }
        if (part.len == 0 || bw_str_is(part, "."))
            continue;
        size_t parent = done.len;
        bw_buf_printf(&done, "/%.*s", (int)part.len, part.base);
        const struct bw_file *file = bw_tree_find(tree, done.data);
        if (file != NULL && file->type == BW_FILE_SYMLINK) {
            bw_buf_printf(&next, "%.*s/%s/%.*s", *file->link == '/' ? 0 : (int)parent, done.data, file->link,
                          (int)rest.len, rest.base ? rest.base : "");
            return fake_resolve(tree, next.data, hops - 1);
        }
    }
    return hops > 0 ? bw_tree_find(tree, done.len != 0 ? done.data : "/") : NULL;
}

const struct bw_file *bw_tree_resolve(const struct bw_tree *tree, const char *path)
{
    return fake_resolve(tree, path, BW_MAX_LINK_HOPS);
}

int bw_note_add(struct bw_note **notes, const void *bytes, size_t len, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_note *note = bw_arena_alloc(arena, sizeof(*note));
    void *copy = bw_arena_alloc(arena, len);
    if (note == NULL || copy == NULL)
        return bw_arena_spent(err);
    memcpy(copy, bytes, len);
    *note = (struct bw_note){.next = *notes, .bytes = copy, .len = len};
    *notes = note;
    return 0;
}

/* ---- what a test holds ---- */

struct fake {
    struct bw_tree tree;
    struct bw_arena arena;
    struct bw_collect_options options;
    struct bw_image_config config;
    struct bw_collect at;
    struct bw_error err;
};

static void fake_read(struct fake *fake, struct bw_file *file, const char *content, size_t len)
{
    for (unsigned i = 0; bw_collectors[i] != NULL; i++) {
        const struct bw_collector *row = bw_collectors[i];
        uint64_t limit = row->keeps != NULL ? row->keeps(&fake->options, file->path) : 0;
        if (limit != 0 && len <= limit) {
            file->content = content;
            file->content_len = len;
        } else if (limit != 0 && file->content == NULL) {
            file->content_missing = "larger than its limit";
        }
        struct bw_note *notes = NULL;
        if (row->inspects != NULL && row->inspects(&fake->options, file->path, len) >= len && len != 0)
            assert_int_equal(0,
                             row->inspect(&fake->options, file->path, content, len, &notes, &fake->arena, &fake->err));
        for (struct bw_note *note = notes, *next; note != NULL; note = next) {
            next = (struct bw_note *)note->next;
            note->collector = i;
            note->next = file->notes;
            file->notes = note;
        }
    }
}

static int fake_compare(const void *a, const void *b)
{
    return strcmp(((const struct bw_file *)a)->path, ((const struct bw_file *)b)->path);
}

/* options and config are filled in before this. */
static void fake_build(struct fake *fake, const struct fake_file *files, size_t count)
{
    bw_arena_init(&fake->arena, BW_ARENA_REPORT);
    assert_true(count <= sizeof(fake->tree.files) / sizeof(*fake->tree.files));
    for (size_t i = 0; i < count; i++) {
        struct bw_file *file = &fake->tree.files[i];
        *file = (struct bw_file){.path = files[i].path, .link = files[i].link};
        file->type = files[i].link ? BW_FILE_SYMLINK : files[i].content ? BW_FILE_REGULAR : BW_FILE_DIRECTORY;
        if (files[i].content == NULL)
            continue;
        size_t len = files[i].len ? files[i].len : strlen(files[i].content);
        file->size = (int64_t)len;
        fake_read(fake, file, files[i].content, len);
    }
    fake->tree.count = count;
    qsort(fake->tree.files, count, sizeof(*fake->tree.files), fake_compare);
    fake->at = (struct bw_collect){.options = &fake->options,
                                   .tree = &fake->tree,
                                   .config = &fake->config,
                                   .report = bw_report_builder_create(BW_ARENA_REPORT),
                                   .arena = &fake->arena};
}

static struct bw_report *fake_collect(struct fake *fake, const struct bw_collector *row)
{
    struct bw_report *report = NULL;
    if (row->collect(&fake->at, &fake->err) || bw_report_builder_finish(&report, fake->at.report, &fake->err))
        fail_msg("%s", fake->err.message);
    return report;
}

static void fake_clear(struct fake *fake, struct bw_report *report)
{
    bw_report_release(report);
    bw_report_builder_destroy(fake->at.report);
    bw_arena_clear(&fake->arena);
}

#endif
