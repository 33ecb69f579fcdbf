/* One layer, entry by entry: digests, whiteouts, what collectors want to see or keep. */
#include "image/analyzer/layer.h"

#include "base/limits.h"
#include "base/memory.h"
#include "base/sha256_stream.h"
#include "base/str.h"
#include "image/analyzer/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLLECTORS = 64, MAX_WARNINGS = 200 };

struct bw_layer_walk {
    struct bw_layer *layer;
    int32_t number;
    const struct bw_collector *const *collectors;
    const struct bw_collect_options *options;
    struct bw_layer_bounds *bounds;
    struct bw_tar *tar;
    struct bw_sha256 stream; /* of the archive, up to `hashed` */
    const char *hashed, *fed_end;
    struct bw_sha256 sha256; /* of the file that streams by */
    struct bw_hash *sha1, *md5;
    struct bw_file file; /* the regular file that streams by */
    uint64_t keep;       /* bytes up to which it is kept */
    uint64_t inspect;    /* the largest size that an inspect() wants */
    uint64_t inspects[MAX_COLLECTORS];
    const char *whole; /* its content when it came in one piece, else gathered */
    char *gathered;
    size_t gathered_size, have;
    bool gather, masked; /* masked: a marker, whose content is nothing */
};

void bw_layer_init(struct bw_layer *layer)
{
    memset(layer, 0, sizeof(*layer));
    bw_arena_init(&layer->arena, BW_ARENA_REPORT);
}

void bw_layer_clear(struct bw_layer *layer)
{
    bw_arena_clear(&layer->arena);
    free(layer->files);
    memset(layer, 0, sizeof(*layer));
}

static int push_text(struct bw_layer *layer, const char ***list, size_t *n, size_t *capacity, const char *text,
                     struct bw_error *err)
{
    const char *copy = bw_arena_strdup(&layer->arena, text);
    if (copy == NULL) {
        return bw_arena_spent(err);
    }
    if (bw_arena_grow(&layer->arena, (void **)list, *n, capacity, sizeof(**list), err) != 0) {
        return -1;
    }
    (*list)[(*n)++] = copy;
    return 0;
}

void bw_layer_warn(struct bw_layer *layer, const char *text)
{
    if (layer->n_warnings < MAX_WARNINGS) { /* the first ones tell; more would only fill memory */
        (void)push_text(layer, &layer->warnings, &layer->n_warnings, &layer->warning_capacity, text, NULL);
    }
}

static void on_warning(void *self, const char *text)
{
    bw_layer_warn(((struct bw_layer_walk *)self)->layer, text);
}

static int add_incomplete(struct bw_layer *layer, const char *kind, const char *reason, struct bw_error *err)
{
    for (size_t i = 0; i < layer->n_incomplete; i++) {
        if (strcmp(layer->incomplete[i].kind, kind) == 0) {
            return 0;
        }
    }
    struct bw_incomplete made = {bw_arena_strdup(&layer->arena, kind), bw_arena_strdup(&layer->arena, reason)};
    if (made.kind == NULL || made.reason == NULL) {
        return bw_arena_spent(err);
    }
    if (bw_arena_grow(&layer->arena, (void **)&layer->incomplete, layer->n_incomplete, &layer->incomplete_capacity,
                      sizeof(made), err) != 0) {
        return -1;
    }
    layer->incomplete[layer->n_incomplete++] = made;
    return 0;
}

int bw_note_add(struct bw_note **notes, const void *bytes, size_t len, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_note *note = bw_arena_alloc(arena, sizeof(*note));
    char *copy = bw_arena_strndup(arena, bytes, len);
    if (note == NULL || copy == NULL) {
        return bw_arena_spent(err);
    }
    *note = (struct bw_note){.next = *notes, .bytes = copy, .len = len};
    *notes = note;
    return 0;
}

static int too_many(struct bw_error *err)
{
    return bw_error_detail(err, BW_ELIMIT, "tar_limit", "the image has more than %d files", BW_MAX_ENTRIES);
}

/* ---- whiteouts ---- */

static int push_marker(struct bw_layer *layer, const char *path, size_t len, bool opaque, struct bw_error *err)
{
    struct bw_marker marker = {.before = layer->n_files, .opaque = opaque};
    marker.path = bw_arena_strndup(&layer->arena, path, len);
    if (marker.path == NULL) {
        return bw_arena_spent(err);
    }
    if (bw_arena_grow(&layer->arena, (void **)&layer->markers, layer->n_markers, &layer->marker_capacity,
                      sizeof(marker), err) != 0) {
        return -1;
    }
    layer->markers[layer->n_markers++] = marker;
    return 0;
}

/* true in *taken if the entry is a marker and no file. The name's last part decides; a folder whose name begins so is a
 * folder. */
static int take_marker(struct bw_layer_walk *walk, const char *path, bool *taken, struct bw_error *err)
{
    static const char mark[] = ".wh.";
    const char *slash = strrchr(path, '/'), *name = slash + 1 + sizeof(mark) - 1;
    char whole[BW_MAX_PATH_BYTES + 2];
    size_t folder = (size_t)(slash - path);
    *taken = strncmp(slash + 1, mark, sizeof(mark) - 1) == 0;
    if (!*taken) {
        return 0;
    }
    if (__atomic_add_fetch(&walk->bounds->entries, 1, __ATOMIC_RELAXED) > BW_MAX_ENTRIES) {
        return too_many(err);
    }
    if (strncmp(name, mark, sizeof(mark) - 1) == 0) { /* .wh..wh..opq, and aufs' own names, which are nothing */
        return strcmp(name, ".wh..opq") != 0
                   ? 0
                   : push_marker(walk->layer, folder == 0 ? "/" : path, folder == 0 ? 1 : folder, true, err);
    }
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        on_warning(walk, "a whiteout that names nothing was left out");
        return 0;
    }
    size_t len = strlen(name);
    memcpy(whole, path, folder + 1);
    memcpy(whole + folder + 1, name, len);
    return push_marker(walk->layer, whole, folder + 1 + len, false, err);
}

/* ---- files ---- */

static int push_file(struct bw_layer_walk *walk, const struct bw_file *file, struct bw_error *err)
{
    struct bw_layer *layer = walk->layer;
    if (__atomic_add_fetch(&walk->bounds->entries, 1, __ATOMIC_RELAXED) > BW_MAX_ENTRIES) {
        return too_many(err);
    }
    if (layer->n_files == layer->capacity) { /* not in the arena, which would keep every smaller array too */
        layer->capacity = layer->capacity == 0 ? 64 : layer->capacity + layer->capacity / 2;
        layer->files = bw_memory_resize(layer->files, layer->capacity * sizeof(*file));
    }
    layer->files[layer->n_files++] = *file;
    return 0;
}

/* Asks the collectors what they want of this content. */
static int begin_file(struct bw_layer_walk *walk, struct bw_error *err)
{
    struct bw_file *file = &walk->file;
    uint64_t size = (uint64_t)file->size;
    walk->keep = walk->inspect = 0;
    for (size_t i = 0; walk->collectors[i] != NULL; i++) {
        const struct bw_collector *row = walk->collectors[i];
        uint64_t keep = row->keeps == NULL ? 0 : row->keeps(walk->options, file->path);
        walk->keep = keep > walk->keep ? keep : walk->keep;
        uint64_t look = row->inspect == NULL ? 0 : row->inspects(walk->options, file->path, size);
        walk->inspects[i] = look;
        walk->inspect = look > walk->inspect ? look : walk->inspect;
    }
    if (walk->keep > 0 && size > walk->keep) {
        file->content_missing = bw_arena_printf(&walk->layer->arena, "it has %llu bytes, at most %llu are read",
                                                (unsigned long long)size, (unsigned long long)walk->keep);
        if (file->content_missing == NULL) {
            return bw_arena_spent(err);
        }
    }
    walk->gather = size <= walk->keep || size <= walk->inspect;
    walk->gather = walk->gather && size > 0;
    walk->whole = NULL;
    walk->have = 0;
    bw_sha256_begin(&walk->sha256);
    if (walk->sha1 != NULL) {
        bw_hash_begin(walk->sha1);
        bw_hash_begin(walk->md5);
    }
    return 0;
}

static int on_entry(void *self, const struct bw_tar_entry *entry, struct bw_error *err)
{
    struct bw_layer_walk *walk = self;
    struct bw_arena *arena = &walk->layer->arena;
    if (take_marker(walk, entry->path, &walk->masked, err) != 0) {
        return -1;
    }
    if (walk->masked) {
        return 0;
    }
    if (entry->overlay && add_incomplete(walk->layer, "files",
                                         "it has overlayfs attributes that borrow content from elsewhere", err) != 0) {
        return -1;
    }
    struct bw_file file = {
        .path = bw_arena_strdup(arena, entry->path),
        .type = entry->type,
        .mode = entry->mode,
        .uid = entry->uid,
        .gid = entry->gid,
        .size = entry->size,
        .link = entry->link == NULL ? NULL : bw_arena_strdup(arena, entry->link),
        .hard_link = entry->hard_link,
        .capability = entry->capability,
        .layer = walk->number,
        .content_missing = entry->no_content ? "it is a sparse file larger than 1 GiB" : NULL,
    };
    if (file.path == NULL || (entry->link != NULL && file.link == NULL)) {
        return bw_arena_spent(err);
    }
    if (file.type != BW_FILE_REGULAR || file.hard_link) {
        return push_file(walk, &file, err);
    }
    walk->file = file;
    return begin_file(walk, err);
}

/* Content that lies in the piece of the archive is hashed for both at once; holes of sparse files do not. */
static void hash_content(struct bw_layer_walk *walk, const char *bytes, size_t len)
{
    if (bytes < walk->hashed || bytes >= walk->fed_end) {
        bw_sha256_update(&walk->sha256, bytes, len);
        return;
    }
    bw_sha256_update(&walk->stream, walk->hashed, (size_t)(bytes - walk->hashed));
    bw_sha256_update_both(&walk->stream, &walk->sha256, bytes, len);
    walk->hashed = bytes + len;
}

static int on_data(void *self, const char *bytes, size_t len, struct bw_error *err)
{
    struct bw_layer_walk *walk = self;
    (void)err;
    if (walk->masked) {
        return 0;
    }
    hash_content(walk, bytes, len);
    if (walk->sha1 != NULL) {
        bw_hash_update(walk->sha1, bytes, len);
        bw_hash_update(walk->md5, bytes, len);
    }
    if (!walk->gather) {
        return 0;
    }
    size_t size = (size_t)walk->file.size;
    if (walk->have == 0 && len == size) { /* the usual case: no copy */
        walk->whole = bytes;
        walk->have = len;
        return 0;
    }
    if (walk->gathered_size < size) {
        free(walk->gathered);
        walk->gathered = malloc(size);
        walk->gathered_size = size;
        if (walk->gathered == NULL) {
            abort();
        }
    }
    len = len > size - walk->have ? size - walk->have : len;
    memcpy(walk->gathered + walk->have, bytes, len);
    walk->have += len;
    walk->whole = walk->gathered;
    return 0;
}

static const uint8_t *digest_of(struct bw_layer_walk *walk, struct bw_hash *hash)
{
    uint8_t raw[BW_HASH_MAX];
    size_t n = bw_hash_finish(hash, raw);
    return (const uint8_t *)bw_arena_strndup(&walk->layer->arena, (const char *)raw, n);
}

static int inspect(struct bw_layer_walk *walk, struct bw_error *err)
{
    struct bw_note *notes = NULL;
    size_t len = walk->have;
    for (size_t i = 0; walk->collectors[i] != NULL; i++) {
        const struct bw_collector *row = walk->collectors[i];
        struct bw_error own = {0};
        const struct bw_note *before = notes;
        if (walk->inspects[i] == 0 || len > walk->inspects[i] || len == 0) {
            continue;
        }
        if (row->inspect(walk->options, walk->file.path, walk->whole, len, &notes, &walk->layer->arena, &own) != 0 &&
            add_incomplete(walk->layer, row->kind, own.message, err) != 0) {
            return -1;
        }
        for (struct bw_note *note = notes; note != before; note = (struct bw_note *)(uintptr_t)note->next) {
            note->collector = (unsigned)i;
        }
    }
    walk->file.notes = notes;
    return 0;
}

static int keep(struct bw_layer_walk *walk, struct bw_error *err)
{
    struct bw_file *file = &walk->file;
    uint64_t size = (uint64_t)file->size;
    if (__atomic_add_fetch(&walk->bounds->kept, size, __ATOMIC_RELAXED) > BW_MAX_KEPT_BYTES) {
        file->content_missing = "the image has more content to read than fits the analysis";
        return 0;
    }
    file->content = bw_arena_strndup(&walk->layer->arena, size == 0 ? "" : walk->whole, (size_t)size);
    file->content_len = (size_t)size;
    return file->content == NULL ? bw_arena_spent(err) : 0;
}

static int on_end(void *self, struct bw_error *err)
{
    struct bw_layer_walk *walk = self;
    struct bw_file *file = &walk->file;
    if (walk->masked) {
        return 0;
    }
    if (file->content_missing == NULL || walk->keep > 0) {
        uint8_t raw[BW_SHA256_BYTES];
        bw_sha256_finish(&walk->sha256, raw);
        file->sha256 = (const uint8_t *)bw_arena_strndup(&walk->layer->arena, (const char *)raw, sizeof(raw));
        file->sha1 = walk->sha1 == NULL ? NULL : digest_of(walk, walk->sha1);
        file->md5 = walk->md5 == NULL ? NULL : digest_of(walk, walk->md5);
        if (file->sha256 == NULL) {
            return bw_arena_spent(err);
        }
    }
    if (walk->gather && walk->have == (size_t)file->size && inspect(walk, err) != 0) {
        return -1;
    }
    if (walk->keep > 0 && (uint64_t)file->size <= walk->keep && file->content_missing == NULL && keep(walk, err) != 0) {
        return -1;
    }
    return push_file(walk, file, err);
}

static const struct bw_tar_sink sink = {on_entry, on_data, on_end, on_warning};

struct bw_layer_walk *bw_layer_walk_create(struct bw_layer *into, int32_t number,
                                           const struct bw_collector *const *collectors,
                                           const struct bw_collect_options *options, struct bw_layer_bounds *bounds)
{
    struct bw_layer_walk *walk = calloc(1, sizeof(*walk));
    size_t n = 0;
    while (collectors[n] != NULL) {
        n++;
    }
    if (walk == NULL || n > MAX_COLLECTORS) {
        abort();
    }
    walk->layer = into;
    walk->number = number;
    walk->collectors = collectors;
    walk->options = options;
    walk->bounds = bounds;
    walk->tar = bw_tar_create(&sink, walk);
    bw_sha256_init(&walk->stream);
    bw_sha256_init(&walk->sha256);
    if (options->needs.file_digests) {
        walk->sha1 = bw_hash_create(BW_SHA1);
        walk->md5 = bw_hash_create(BW_MD5);
    }
    return walk;
}

void bw_layer_walk_destroy(struct bw_layer_walk *walk)
{
    if (walk == NULL) {
        return;
    }
    bw_tar_destroy(walk->tar);
    bw_sha256_clear(&walk->stream);
    bw_sha256_clear(&walk->sha256);
    bw_hash_destroy(walk->sha1);
    bw_hash_destroy(walk->md5);
    free(walk->gathered);
    free(walk);
}

int bw_layer_walk_feed(struct bw_layer_walk *walk, const char *bytes, size_t len, struct bw_error *err)
{
    if (__atomic_add_fetch(&walk->bounds->unpacked, len, __ATOMIC_RELAXED) > BW_MAX_IMAGE_UNPACKED) {
        return bw_error_detail(err, BW_ELIMIT, "image_too_large", "the image unpacks to more than %llu GiB",
                               (unsigned long long)(BW_MAX_IMAGE_UNPACKED / BW_GIB));
    }
    walk->hashed = bytes;
    walk->fed_end = bytes + len;
    if (bw_tar_feed(walk->tar, bytes, len, err) != 0) {
        return -1;
    }
    bw_sha256_update(&walk->stream, walk->hashed, (size_t)(walk->fed_end - walk->hashed));
    return 0;
}

void bw_layer_walk_digest(struct bw_layer_walk *walk, uint8_t out[BW_SHA256_BYTES])
{
    bw_sha256_finish(&walk->stream, out);
}

int bw_layer_walk_finish(struct bw_layer_walk *walk, struct bw_error *err)
{
    return bw_tar_finish(walk->tar, err);
}

bool bw_layer_walk_is_tar(const struct bw_layer_walk *walk)
{
    return bw_tar_is_recognised(walk->tar);
}
