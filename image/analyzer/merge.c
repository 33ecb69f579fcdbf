/*
 * Layers into one tree, as the overlay file systems of a node stack them: each layer is unpacked by itself, in the
 * order of its archive, then laid over what is below. So a symlink of a lower layer is not followed by the names of a
 * higher one: a directory takes its place. Seen with containerd 1.6.20 and overlayfs, where the OCI image specification
 * ("Applying Changesets") leaves room. Last the tree is laid out as an array sorted by path.
 */
#include "base/limits.h"
#include "base/memory.h"
#include "base/str.h"
#include "image/analyzer/layer.h"
#include "image/analyzer/nodes.h"
#include "image/analyzer/tree_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct merge {
    struct bw_tree *tree;
    struct bw_nodes nodes;
    struct bw_node root;  /* of what has been merged so far */
    struct bw_node layer; /* of the layer that is being unpacked */
    /* the folder of the name before: most names stand beside it */
    const char *folder;
    size_t folder_len;
    struct bw_node *folder_node;
    unsigned folder_changes;
    void (*warning)(void *payload, const char *text);
    void *payload;
};

static void warn(struct merge *merge, const char *what, const char *path)
{
    char text[400];
    (void)snprintf(text, sizeof(text), "%s: %.300s", what, path);
    bw_text_clean(text, false);
    merge->warning(merge->payload, text);
}

static const char *last_part(const char *path, size_t *parent_len)
{
    const char *slash = strrchr(path, '/');
    *parent_len = slash == NULL ? 0 : (size_t)(slash - path);
    return slash == NULL ? path : slash + 1;
}

/* ---- one layer by itself ---- */

/* The folder that an entry of the layer goes into, made if need be. NULL as bw_node_walk. */
static struct bw_node *folder_of(struct merge *merge, const char *path, size_t len, struct bw_error *err)
{
    if (merge->folder_node != NULL && merge->folder_len == len && merge->folder_changes == merge->nodes.changes &&
        memcmp(merge->folder, path, len) == 0) {
        return merge->folder_node;
    }
    struct bw_node *node = bw_node_walk(&merge->nodes, &merge->layer, path, len, true, err);
    merge->folder = path;
    merge->folder_len = len;
    merge->folder_node = node;
    merge->folder_changes = merge->nodes.changes;
    return node;
}

/* What a hard link's text names, its own last part not followed; NULL if it is no file. */
static struct bw_node *link_target(struct merge *merge, struct bw_node *root, const char *path)
{
    size_t parent_len = 0;
    const char *name = last_part(path, &parent_len);
    struct bw_node *parent = bw_node_walk(&merge->nodes, root, path, parent_len, false, NULL);
    struct bw_node *node = parent == NULL ? NULL : bw_node_find(&merge->nodes, parent, name, strlen(name));
    return node == NULL || node->file == NULL || node->file->type == BW_FILE_DIRECTORY ? NULL : node;
}

/* A hard link is another name of what its target is now: in this layer, else, where a runtime does it, below. */
static int link_file(struct merge *merge, const struct bw_file **out, const struct bw_file **origin_out,
                     const struct bw_file *link, struct bw_error *err)
{
    struct bw_node *target = link_target(merge, &merge->layer, link->link);
    struct bw_file *made = bw_arena_alloc(&merge->tree->arena, sizeof(*made));
    if (made == NULL) {
        return bw_arena_spent(err);
    }
    if (target == NULL) {
        target = link_target(merge, &merge->root, link->link);
    }
    if (target == NULL) {
        warn(merge, "a hard link leads nowhere", link->path);
        *made = *link;
        made->size = 0;
        made->link = NULL;
        *origin_out = NULL;
    } else {
        *made = *target->file;
        made->path = link->path;
        made->layer = link->layer;
        made->hard_link = true;
        *origin_out = target->origin != NULL ? target->origin : target->file;
    }
    *out = made;
    return 0;
}

/* -1 with err; 1 when the name's folders never end. */
static int place_for(struct merge *merge, struct bw_node **out, const char *path, struct bw_error *err)
{
    size_t parent_len = 0;
    struct bw_error own = {0};
    const char *name = last_part(path, &parent_len);
    struct bw_node *parent = folder_of(merge, path, parent_len, &own);
    struct bw_node *node = parent == NULL ? NULL : bw_node_find(&merge->nodes, parent, name, strlen(name));
    if (parent != NULL && node == NULL) {
        node = bw_node_add(&merge->nodes, parent, name, strlen(name), &own);
    }
    if (node == NULL && own.code != BW_OK) {
        if (err != NULL) {
            *err = own;
        }
        return -1;
    }
    if (node == NULL) {
        warn(merge, "a name whose folders are links without end was left out", path);
        return 1;
    }
    *out = node;
    return 0;
}

/* Made just now, and nothing yet. */
static bool is_fresh(const struct bw_node *node)
{
    return node->file == NULL && node->child == NULL && !node->whiteout && !node->opaque;
}

static int add_file(struct merge *merge, const struct bw_file *file, struct bw_error *err)
{
    const struct bw_file *origin = NULL;
    struct bw_node *node = NULL;
    if (strcmp(file->path, "/") == 0) {
        merge->layer.file = file->type == BW_FILE_DIRECTORY ? file : merge->layer.file;
        return 0;
    }
    if (file->hard_link && link_file(merge, &file, &origin, file, err) != 0) {
        return -1;
    }
    int status = place_for(merge, &node, file->path, err);
    if (status != 0) {
        return status < 0 ? -1 : 0;
    }
    if (file->type != BW_FILE_DIRECTORY || !bw_node_is_directory(node)) {
        bw_node_remove_children(&merge->nodes, node);
        merge->nodes.changes += !is_fresh(node);
        node->opaque = false;
    }
    node->file = file;
    node->origin = origin;
    node->whiteout = false;
    return 0;
}

/* Some tools hide a folder and then what is in it. */
static bool is_below_whiteout(struct merge *merge, const char *path)
{
    struct bw_str rest = bw_str_from(path), part = {0};
    struct bw_node *node = &merge->layer;
    while (node != NULL && !node->whiteout && bw_str_next(&part, &rest, '/')) {
        node = part.len == 0 ? node : bw_node_find(&merge->nodes, node, part.base, part.len);
    }
    return node != NULL && node->whiteout && rest.base != NULL;
}

/* A marker hides what is below; what the layer itself has there stays, whichever came first. A directory that comes
 * after its own whiteout takes the whiteout's place, and what was below shows again. */
static int add_marker(struct merge *merge, const struct bw_marker *marker, struct bw_error *err)
{
    struct bw_node *node = NULL;
    if (strcmp(marker->path, "/") == 0) {
        merge->layer.opaque = marker->opaque;
        return 0;
    }
    if (is_below_whiteout(merge, marker->path)) {
        return 0;
    }
    int status = place_for(merge, &node, marker->path, err);
    if (status != 0) {
        return status < 0 ? -1 : 0;
    }
    if (marker->opaque) {
        if (!bw_node_is_directory(node)) {
            node->file = node->origin = NULL;
            node->whiteout = false;
        }
        node->opaque = true;
    } else if (is_fresh(node)) {
        node->whiteout = true;
    } else if (bw_node_is_directory(node)) {
        node->opaque = true;
    }
    merge->nodes.changes++;
    return 0;
}

static int unpack(struct merge *merge, const struct bw_layer *layer, struct bw_error *err)
{
    size_t marker = 0;
    merge->layer = (struct bw_node){0};
    merge->folder_node = NULL;
    for (size_t i = 0; i <= layer->n_files; i++) {
        for (; marker < layer->n_markers && layer->markers[marker].before == i; marker++) {
            if (add_marker(merge, &layer->markers[marker], err) != 0) {
                return -1;
            }
        }
        if (i < layer->n_files && add_file(merge, &layer->files[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- the layer over the tree ---- */

/* One node of the layer onto its counterpart below. NULL: there is nothing further down to do. */
static struct bw_node *lay_over(struct merge *merge, struct bw_node *node, struct bw_node *parent, bool clean,
                                struct bw_error *err)
{
    struct bw_nodes *nodes = &merge->nodes;
    struct bw_node *below = bw_node_find(nodes, parent, node->name, node->len);
    if (node->whiteout) {
        if (below != NULL) {
            bw_node_remove(nodes, below);
        }
        return NULL;
    }
    if (below == NULL && clean) {
        bw_node_move(nodes, node, parent);
        return NULL;
    }
    if (below == NULL && (below = bw_node_add(nodes, parent, node->name, node->len, err)) == NULL) {
        return NULL;
    }
    bool directory = bw_node_is_directory(node), merges = directory && bw_node_is_directory(below);
    if (!merges || node->opaque) {
        bw_node_remove_children(nodes, below);
    }
    if (!merges || node->file != NULL) {
        below->file = node->file;
        below->origin = node->origin;
    }
    return directory && node->child != NULL ? below : NULL;
}

static int lay_layer(struct merge *merge, bool clean, struct bw_error *err)
{
    struct bw_node *parent = &merge->root, *node = merge->layer.child;
    struct bw_error own = {0};
    if (merge->layer.opaque) {
        bw_node_remove_children(&merge->nodes, parent);
    }
    parent->file = merge->layer.file != NULL ? merge->layer.file : parent->file;
    while (node != NULL) {
        struct bw_node *up = node->parent, *next = node->next; /* of the layer, before the node may move */
        struct bw_node *below = lay_over(merge, node, parent, clean, &own);
        if (own.code != BW_OK) {
            if (err != NULL) {
                *err = own;
            }
            return -1;
        }
        if (below != NULL) {
            node = node->child;
            parent = below;
            continue;
        }
        while (next == NULL && up != &merge->layer) {
            next = up->next;
            up = up->parent;
            parent = parent->parent;
        }
        node = next;
    }
    bw_node_remove_children(&merge->nodes, &merge->layer);
    return 0;
}

/* ---- laying out ---- */

/* Length of one entry in the tar that the engine writes: a PAX record for the path, the header, the content. */
static int64_t tar_length(struct merge *merge, const struct bw_node *node, size_t path_len)
{
    size_t record = path_len + strlen(" path=\n"); /* "<length> path=<path>\n" counts itself */
    size_t digits = record + 1 < 10 ? 1 : record + 2 < 100 ? 2 : record + 3 < 1000 ? 3 : 4;
    int64_t length = 512 + 512 + (int64_t)((record + digits + 511) / 512 * 512);
    if (node->file->type != BW_FILE_REGULAR) {
        return length;
    }
    if (node->origin != NULL) {
        const struct bw_node *target = link_target(merge, &merge->root, node->origin->path);
        if (target != NULL && target->file == node->origin) {
            return length;
        }
    }
    return length + (node->file->size + 511) / 512 * 512;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(const struct bw_file *const *)a)->path, (*(const struct bw_file *const *)b)->path);
}

/* The file under its real path: where a folder was a symlink of its layer, that is not the path of the archive. */
static const struct bw_file *place(struct bw_tree *tree, const struct bw_node *node, const char *path, size_t len,
                                   struct bw_error *err)
{
    if (strlen(node->file->path) == len && memcmp(node->file->path, path, len) == 0) {
        return node->file;
    }
    struct bw_file *moved = bw_arena_alloc(&tree->arena, sizeof(*moved));
    const char *copy = bw_arena_strndup(&tree->arena, path, len);
    if (moved == NULL || copy == NULL) {
        (void)bw_arena_spent(err);
        return NULL;
    }
    *moved = *node->file;
    moved->path = copy;
    return moved;
}

struct cursor {
    struct bw_node *node; /* NULL at the end */
    char *path;
    size_t len;
};

static void enter(struct cursor *at, struct bw_node *node)
{
    at->node = node;
    at->path[at->len++] = '/';
    memcpy(at->path + at->len, node->name, node->len);
    at->len += node->len;
}

/* Depth first; what lies deeper than any path can name is left out. */
static void advance(struct cursor *at, const struct bw_node *root)
{
    struct bw_node *node = at->node;
    if (node->child != NULL && at->len + 1 + BW_MAX_NAME_BYTES <= 2 * BW_MAX_PATH_BYTES) {
        enter(at, node->child);
        return;
    }
    while (node != root && node->next == NULL) {
        at->len -= node->len + 1;
        node = node->parent;
    }
    if (node == root) {
        at->node = NULL;
        return;
    }
    at->len -= node->len + 1;
    enter(at, node->next);
}

static int lay_out(struct merge *merge, int64_t *size_out, struct bw_error *err)
{
    struct bw_tree *tree = merge->tree;
    int64_t size = 1024;
    tree->files = bw_arena_array(&tree->arena, merge->nodes.count + 1, sizeof(*tree->files));
    if (tree->files == NULL) {
        return bw_arena_spent(err);
    }
    if (merge->root.file != NULL) {
        tree->files[tree->n_files++] = merge->root.file;
        size += 1536;
    }
    char path[2 * BW_MAX_PATH_BYTES + 2];
    struct cursor at = {.path = path};
    if (merge->root.child != NULL) {
        enter(&at, merge->root.child);
    }
    for (; at.node != NULL; advance(&at, &merge->root)) {
        if (at.node->file == NULL) {
            continue;
        }
        if (at.len > BW_MAX_PATH_BYTES) {
            warn(merge, "a name that became too long by links was left out", at.node->file->path);
            continue;
        }
        const struct bw_file *file = place(tree, at.node, path, at.len, err);
        if (file == NULL) {
            return -1;
        }
        tree->files[tree->n_files++] = file;
        size += tar_length(merge, at.node, at.len - 1);
    }
    if (tree->n_files > 1) {
        qsort(tree->files, tree->n_files, sizeof(*tree->files), by_path);
    }
    *size_out = (size + 10239) / 10240 * 10240;
    return 0;
}

int bw_tree_build(struct bw_tree **out, int64_t *size_out, struct bw_layer *const *layers, size_t n_layers,
                  void (*warning)(void *payload, const char *text), void *payload, struct bw_error *err)
{
    struct merge merge = {.tree = bw_memory_zeroed(1, sizeof(*merge.tree)), .warning = warning, .payload = payload};
    int status = 0;
    bw_arena_init(&merge.tree->arena, BW_ARENA_REPORT);
    bw_nodes_init(&merge.nodes);
    for (size_t i = 0; status == 0 && i < n_layers; i++) {
        status = unpack(&merge, layers[i], err);
        if (status == 0) {
            status = lay_layer(&merge, layers[i]->n_markers == 0, err);
        }
    }
    if (status == 0) {
        status = lay_out(&merge, size_out, err);
    }
    bw_nodes_clear(&merge.nodes);
    if (status != 0) {
        bw_tree_destroy(merge.tree);
        return -1;
    }
    *out = merge.tree;
    return 0;
}
