/* The squashed tree, read: an array sorted by path (made in merge.c). */
#include "image/analyzer/tree.h"

#include "base/limits.h"
#include "base/str.h"
#include "image/analyzer/layer.h"
#include "image/analyzer/tree_internal.h"

#include <stdlib.h>
#include <string.h>

void bw_tree_destroy(struct bw_tree *tree)
{
    if (tree != NULL) {
        bw_arena_clear(&tree->arena);
        free(tree);
    }
}

size_t bw_tree_count(const struct bw_tree *tree)
{
    return tree->n_files;
}

const struct bw_file *bw_tree_at(const struct bw_tree *tree, size_t index)
{
    return tree->files[index];
}

/* The first index whose path is not below `path` in the order of bytes. */
static size_t lower_bound(const struct bw_tree *tree, const char *path)
{
    size_t low = 0, high = tree->n_files;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(tree->files[middle]->path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct bw_file *bw_tree_find(const struct bw_tree *tree, const char *path)
{
    size_t at = lower_bound(tree, path);
    return at < tree->n_files && strcmp(tree->files[at]->path, path) == 0 ? tree->files[at] : NULL;
}

void bw_tree_below(const struct bw_tree *tree, const char *directory, size_t *first, size_t *end)
{
    char prefix[BW_MAX_PATH_BYTES + 3];
    size_t len = strlen(directory);
    while (len > 0 && directory[len - 1] == '/') {
        len--;
    }
    *first = *end = 0;
    if (len > BW_MAX_PATH_BYTES) {
        return;
    }
    memcpy(prefix, directory, len);
    memcpy(prefix + len, "/", 2);
    *first = lower_bound(tree, prefix);
    prefix[len] = '/' + 1;
    *end = lower_bound(tree, prefix);
    if (*first < *end && strcmp(tree->files[*first]->path, "/") == 0) {
        (*first)++;
    }
}

const struct bw_file *bw_tree_resolve(const struct bw_tree *tree, const char *path)
{
    char at[2 * BW_MAX_PATH_BYTES + 4] = "";
    struct bw_str rest[BW_MAX_LINK_HOPS + 1];
    size_t depth = 1, len = 0;
    int hops = 0;
    const struct bw_file *file = NULL;
    rest[0] = bw_str_from(path);
    while (depth > 0) {
        struct bw_str part = {0};
        if (!bw_str_next(&part, &rest[depth - 1], '/')) {
            depth--;
            continue;
        }
        if (part.len == 0 || bw_str_is(part, ".")) {
            continue;
        }
        if (bw_str_is(part, "..")) {
            while (len > 0 && at[--len] != '/') {
            }
            at[len] = '\0';
            continue;
        }
        if (len + 1 + part.len > BW_MAX_PATH_BYTES) {
            return NULL;
        }
        size_t before = len;
        at[len++] = '/';
        memcpy(at + len, part.base, part.len);
        len += part.len;
        at[len] = '\0';
        file = bw_tree_find(tree, at);
        if (file != NULL && file->type == BW_FILE_SYMLINK) {
            if (++hops > BW_MAX_LINK_HOPS || depth == BW_LENGTH(rest)) {
                return NULL;
            }
            len = file->link[0] == '/' ? 0 : before;
            at[len] = '\0';
            rest[depth++] = bw_str_from(file->link);
        }
    }
    return bw_tree_find(tree, len == 0 ? "/" : at);
}
