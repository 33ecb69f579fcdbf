/* Helpers of the rows (collect.h). */
#include "image/analyzer/collectors/collect.h"

#include <string.h>

bool bw_collect_content(struct bw_str *out, struct bw_collect *at, const struct bw_file *file, const char *kind,
                        int *failed, struct bw_error *err)
{
    *failed = 0;
    if (file->content != NULL || (file->type == BW_FILE_REGULAR && file->size == 0)) {
        *out = (struct bw_str){file->content ? file->content : "", file->content_len};
        return true;
    }
    const char *reason = bw_arena_printf(at->arena, "%s was not read: %s", file->path,
                                         file->content_missing           ? file->content_missing
                                         : file->type == BW_FILE_REGULAR ? "its place is not where it is looked for"
                                                                         : "it is not a regular file");
    *failed = reason == NULL ? bw_arena_spent(err) : bw_report_add_incomplete(at->report, kind, reason, err);
    return false;
}

const struct bw_note *bw_collect_note(const struct bw_note *notes, const struct bw_collector *row)
{
    for (; notes != NULL; notes = notes->next)
        if (bw_collectors[notes->collector] == row)
            return notes;
    return NULL;
}

bool bw_path_ends_with(const char *path, const char *suffix)
{
    size_t len = strlen(path), suffix_len = strlen(suffix);
    return len >= suffix_len && memcmp(path + len - suffix_len, suffix, suffix_len) == 0;
}

const char *bw_path_root(const char *path, size_t suffix_len, struct bw_arena *arena)
{
    return bw_arena_strndup(arena, path, strlen(path) - suffix_len);
}

const char *bw_path_in_tree(const struct bw_tree *tree, const char *path, struct bw_arena *arena)
{
    const char *name = strrchr(path, '/');
    if (name == NULL || name == path || bw_tree_find(tree, path) != NULL)
        return path;
    const char *parent = bw_arena_strndup(arena, path, (size_t)(name - path));
    if (parent == NULL)
        return NULL;
    const struct bw_file *folder = bw_tree_resolve(tree, parent);
    if (folder == NULL || strcmp(folder->path, parent) == 0)
        return path;
    const char *moved = bw_arena_printf(arena, "%s%s", strcmp(folder->path, "/") == 0 ? "" : folder->path, name);
    return moved == NULL ? NULL : bw_tree_find(tree, moved) != NULL ? moved : path;
}
