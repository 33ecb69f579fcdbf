/* Several layers made from lines: "d a", "f a/x", "l a b", "h a b", "w a/x" a whiteout, "o a" an opaque directory, "-"
 * the next layer. Whatever they say, the tree is sorted, names are unique, and what is below a name is below a
 * directory. */
#include "base/limits.h"
#include "base/memory.h"
#include "base/str.h"
#include "image/analyzer/layer.h"
#include "image/analyzer/tar.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_LAYERS = 8 };

static void on_warning(void *payload, const char *text)
{
    (void)payload;
    (void)text;
}

static void add(struct bw_layer *layer, char kind, const char *path, const char *link)
{
    if (kind == 'w' || kind == 'o') {
        if (bw_arena_grow(&layer->arena, (void **)&layer->markers, layer->n_markers, &layer->marker_capacity,
                          sizeof(*layer->markers), NULL) != 0) {
            abort();
        }
        layer->markers[layer->n_markers++] =
            (struct bw_marker){.path = path, .before = layer->n_files, .opaque = kind == 'o'};
        return;
    }
    layer->files = bw_memory_resize(layer->files, (layer->n_files + 1) * sizeof(*layer->files));
    layer->files[layer->n_files++] = (struct bw_file){
        .path = path,
        .type = kind == 'd'   ? BW_FILE_DIRECTORY
                : kind == 'l' ? BW_FILE_SYMLINK
                              : BW_FILE_REGULAR,
        .link = kind == 'l' || kind == 'h' ? link : NULL,
        .hard_link = kind == 'h',
    };
}

static size_t read_layers(struct bw_layer *layers, struct bw_str text)
{
    struct bw_str line, kind, name;
    size_t n = 1;
    bw_layer_init(&layers[0]);
    while (bw_str_next(&line, &text, '\n')) {
        char path[BW_MAX_PATH_BYTES + 2];
        if (bw_str_is(line, "-") && n < MAX_LAYERS) {
            bw_layer_init(&layers[n++]);
            continue;
        }
        if (!bw_str_next(&kind, &line, ' ') || kind.len != 1 || !bw_str_next(&name, &line, ' ') ||
            memchr(name.base, '\0', name.len) != NULL || bw_tar_path(path, name.base, name.len) < 0) {
            continue;
        }
        struct bw_layer *layer = &layers[n - 1];
        const char *copy = bw_arena_strdup(&layer->arena, path);
        const char *link = bw_arena_strndup(&layer->arena, line.base == NULL ? "" : line.base,
                                            line.len > BW_MAX_PATH_BYTES ? BW_MAX_PATH_BYTES : line.len);
        if (copy == NULL || link == NULL) {
            abort();
        }
        add(layer, kind.base[0], copy, link);
    }
    return n;
}

static void check(const struct bw_tree *tree)
{
    for (size_t i = 0; i < bw_tree_count(tree); i++) {
        const struct bw_file *file = bw_tree_at(tree, i);
        size_t first = 0, end = 0;
        if (i > 0 && strcmp(bw_tree_at(tree, i - 1)->path, file->path) >= 0) {
            abort();
        }
        bw_tree_below(tree, file->path, &first, &end);
        if (first != end && file->type != BW_FILE_DIRECTORY) {
            abort();
        }
        if (bw_tree_find(tree, file->path) != file) {
            abort();
        }
        const struct bw_file *target = bw_tree_resolve(tree, file->path);
        if (target != NULL && target->type == BW_FILE_SYMLINK) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_layer layers[MAX_LAYERS], *list[MAX_LAYERS];
    struct bw_tree *tree = NULL;
    int64_t total = 0;
    size_t n = read_layers(layers, (struct bw_str){(const char *)data, size});
    for (size_t i = 0; i < n; i++) {
        list[i] = &layers[i];
    }
    if (bw_tree_build(&tree, &total, list, n, on_warning, NULL, NULL) == 0) {
        check(tree);
        bw_tree_destroy(tree);
    }
    for (size_t i = 0; i < n; i++) {
        bw_layer_clear(&layers[i]);
    }
    return 0;
}
