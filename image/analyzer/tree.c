/*
 * Layers into one tree: a node per path component, children in a list and in one hash table. Parents that are symlinks
 * are followed inside the root, as runtimes do when they unpack. Then the tree is laid out as an array sorted by path.
 */
#include "image/analyzer/tree.h"

#include "base/deadline.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/analyzer/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct node {
    struct node *parent, *child, *next, *prev, *chain;
    const struct bw_file *file;   /* NULL: a directory that no layer names */
    const struct bw_file *origin; /* of a hard link: what it was linked to */
    const char *name;
    uint32_t len, hash;
};

struct bw_tree {
    struct bw_arena arena;
    const struct bw_file **files;
    size_t n_files;
};

struct build {
    struct bw_tree *tree;
    struct bw_arena scratch; /* nodes */
    struct node root, *free_nodes;
    struct node **buckets;
    size_t n_buckets, n_nodes;
    uint32_t seed;
    void (*warning)(void *payload, const char *text);
    void *payload;
};

/* ---- nodes ---- */

static uint32_t hash_name(const struct build *build, const struct node *parent, const char *name, size_t len)
{
    uint64_t hash = (uint64_t)(uintptr_t)parent * 0x9e3779b97f4a7c15u ^ build->seed;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3u;
    }
    return (uint32_t)(hash ^ hash >> 32);
}

static struct node *find_child(const struct build *build, const struct node *parent, const char *name, size_t len)
{
    uint32_t hash = hash_name(build, parent, name, len);
    for (struct node *node = build->buckets[hash & (build->n_buckets - 1)]; node != NULL; node = node->chain) {
        if (node->hash == hash && node->parent == parent && node->len == len && memcmp(node->name, name, len) == 0) {
            return node;
        }
    }
    return NULL;
}

static void grow_buckets(struct build *build)
{
    size_t n = build->n_buckets * 4;
    struct node **buckets = calloc(n, sizeof(*buckets));
    if (buckets == NULL) {
        abort();
    }
    for (size_t i = 0; i < build->n_buckets; i++) {
        for (struct node *node = build->buckets[i], *chain; node != NULL; node = chain) {
            chain = node->chain;
            node->chain = buckets[node->hash & (n - 1)];
            buckets[node->hash & (n - 1)] = node;
        }
    }
    free(build->buckets);
    build->buckets = buckets;
    build->n_buckets = n;
}

static struct node *add_child(struct build *build, struct node *parent, const char *name, size_t len,
                              struct bw_error *err)
{
    if (build->n_nodes >= 2 * build->n_buckets) {
        grow_buckets(build);
    }
    struct node *node = build->free_nodes;
    if (node != NULL) {
        build->free_nodes = node->next;
        memset(node, 0, sizeof(*node));
    } else if ((node = bw_arena_alloc(&build->scratch, sizeof(*node))) == NULL) {
        (void)bw_arena_spent(err);
        return NULL;
    }
    node->parent = parent;
    node->name = name; /* in the path of a file, or in a link: both outlive the build */
    node->len = (uint32_t)len;
    node->hash = hash_name(build, parent, name, len);
    node->next = parent->child;
    if (parent->child != NULL) {
        parent->child->prev = node;
    }
    parent->child = node;
    struct node **bucket = &build->buckets[node->hash & (build->n_buckets - 1)];
    node->chain = *bucket;
    *bucket = node;
    build->n_nodes++;
    return node;
}

static void unlink_node(struct build *build, struct node *node)
{
    struct node **at = &build->buckets[node->hash & (build->n_buckets - 1)];
    while (*at != node) {
        at = &(*at)->chain;
    }
    *at = node->chain;
    if (node->prev != NULL) {
        node->prev->next = node->next;
    } else {
        node->parent->child = node->next;
    }
    if (node->next != NULL) {
        node->next->prev = node->prev;
    }
    node->next = build->free_nodes;
    build->free_nodes = node;
    build->n_nodes--;
}

/* Everything below a node, deepest first, without recursion: paths can be two thousand deep. */
static void remove_children(struct build *build, struct node *top)
{
    while (top->child != NULL) {
        struct node *node = top->child;
        while (node->child != NULL) {
            node = node->child;
        }
        unlink_node(build, node);
    }
}

/* ---- paths ---- */

static bool is_symlink(const struct node *node)
{
    return node->file != NULL && node->file->type == BW_FILE_SYMLINK;
}

static bool is_directory(const struct node *node)
{
    return node->file == NULL || node->file->type == BW_FILE_DIRECTORY;
}

/* The node of a directory path, symlinks followed inside the root. With `make`, what is missing is made; else NULL.
 * NULL with *failed when a loop of links or the budget ended it. */
static struct node *walk_to(struct build *build, const char *path, size_t len, bool make, bool *failed,
                            struct bw_error *err)
{
    struct node *at = &build->root;
    struct bw_str rest[BW_MAX_LINK_HOPS + 1]; /* texts still to be walked, innermost last */
    size_t depth = 1;
    int hops = 0;
    rest[0] = (struct bw_str){path, len};
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
            at = at->parent == NULL ? at : at->parent;
            continue;
        }
        struct node *child = find_child(build, at, part.base, part.len);
        if (child != NULL && is_symlink(child)) {
            if (++hops > BW_MAX_PARENT_HOPS || depth == BW_LENGTH(rest)) {
                *failed = true;
                return NULL;
            }
            const char *link = child->file->link;
            at = link[0] == '/' ? &build->root : at;
            rest[depth++] = bw_str_from(link);
            continue;
        }
        if (child == NULL && !make) {
            return NULL;
        }
        if (child == NULL && (child = add_child(build, at, part.base, part.len, err)) == NULL) {
            *failed = true;
            return NULL;
        }
        if (make && !is_directory(child)) { /* a file in the way of a directory: the later entry counts */
            child->file = child->origin = NULL;
        }
        at = child;
    }
    return at;
}

static const char *last_part(const char *path, size_t *parent_len)
{
    const char *slash = strrchr(path, '/');
    *parent_len = (size_t)(slash - path);
    return slash + 1;
}

/* The node at a path, its own last part not followed. */
static struct node *lookup(struct build *build, const char *path)
{
    size_t parent_len = 0;
    const char *name = last_part(path, &parent_len);
    bool failed = false;
    struct node *parent = walk_to(build, path, parent_len, false, &failed, NULL);
    return parent == NULL ? NULL : name[0] == '\0' ? parent : find_child(build, parent, name, strlen(name));
}

/* ---- one layer onto the tree ---- */

static void warn(struct build *build, const char *what, const char *path)
{
    char text[400];
    (void)snprintf(text, sizeof(text), "%s: %.300s", what, path);
    bw_text_clean(text, false);
    build->warning(build->payload, text);
}

/* A hard link is another name of what its target is now. */
static int link_file(struct build *build, const struct bw_file **out, const struct bw_file **origin_out,
                     const struct bw_file *link, struct bw_error *err)
{
    struct node *target = lookup(build, link->link);
    struct bw_file *made = bw_arena_alloc(&build->tree->arena, sizeof(*made));
    if (made == NULL) {
        return bw_arena_spent(err);
    }
    if (target == NULL || target->file == NULL || target->file->type == BW_FILE_DIRECTORY) {
        warn(build, "a hard link leads nowhere", link->path);
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

static int insert(struct build *build, const struct bw_file *file, struct bw_error *err)
{
    size_t parent_len = 0;
    const char *name = last_part(file->path, &parent_len);
    const struct bw_file *origin = NULL;
    bool failed = false;
    if (name[0] == '\0') {
        build->root.file = file->type == BW_FILE_DIRECTORY ? file : build->root.file;
        return 0;
    }
    if (file->hard_link && link_file(build, &file, &origin, file, err) != 0) {
        return -1;
    }
    struct node *parent = walk_to(build, file->path, parent_len, true, &failed, err);
    if (parent == NULL) {
        if (err != NULL && err->code != BW_OK) {
            return -1;
        }
        warn(build, "a name whose folders are a loop of links was left out", file->path);
        return 0;
    }
    struct node *node = find_child(build, parent, name, strlen(name));
    if (node == NULL && (node = add_child(build, parent, name, strlen(name), err)) == NULL) {
        return -1;
    }
    if (file->type != BW_FILE_DIRECTORY || !is_directory(node)) {
        remove_children(build, node);
    }
    node->file = file;
    node->origin = origin;
    return 0;
}

static int apply(struct build *build, const struct bw_layer *layer, struct bw_error *err)
{
    bool failed = false;
    for (size_t i = 0; i < layer->n_opaques; i++) {
        struct node *node = walk_to(build, layer->opaques[i], strlen(layer->opaques[i]), false, &failed, NULL);
        if (node != NULL) {
            remove_children(build, node);
        }
    }
    for (size_t i = 0; i < layer->n_whiteouts; i++) {
        struct node *node = lookup(build, layer->whiteouts[i]);
        if (node != NULL && node != &build->root) {
            remove_children(build, node);
            unlink_node(build, node);
        }
    }
    for (size_t i = 0; i < layer->n_files; i++) {
        if (insert(build, &layer->files[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- laying out ---- */

/* Length of one entry in the tar that the engine writes: a PAX record for the path, the header, the content. */
static int64_t tar_length(const struct build *build, const struct node *node, size_t path_len)
{
    size_t record = path_len + strlen(" path=\n"); /* "<length> path=<path>\n" counts itself */
    size_t digits = record + 1 < 10 ? 1 : record + 2 < 100 ? 2 : record + 3 < 1000 ? 3 : 4;
    int64_t length = 512 + 512 + (int64_t)((record + digits + 511) / 512 * 512);
    if (node->file->type != BW_FILE_REGULAR) {
        return length;
    }
    if (node->origin != NULL) {
        const struct node *target = lookup((struct build *)(uintptr_t)build, node->origin->path);
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

/* The file under its real path: where a parent was a symlink, that is not the path of the archive. */
static const struct bw_file *place(struct build *build, const struct node *node, const char *path, size_t len,
                                   struct bw_error *err)
{
    if (strlen(node->file->path) == len && memcmp(node->file->path, path, len) == 0) {
        return node->file;
    }
    struct bw_file *moved = bw_arena_alloc(&build->tree->arena, sizeof(*moved));
    const char *copy = bw_arena_strndup(&build->tree->arena, path, len);
    if (moved == NULL || copy == NULL) {
        (void)bw_arena_spent(err);
        return NULL;
    }
    *moved = *node->file;
    moved->path = copy;
    return moved;
}

static int lay_out(struct build *build, int64_t *size_out, struct bw_error *err)
{
    struct bw_tree *tree = build->tree;
    static const size_t room = 64 * 1024; /* links can make real paths longer than names in archives are */
    char *path = malloc(room + BW_MAX_NAME_BYTES + 2);
    size_t len = 0;
    int64_t size = 1024;
    tree->files = bw_arena_array(&tree->arena, build->n_nodes + 1, sizeof(*tree->files));
    if (path == NULL || tree->files == NULL) {
        free(path);
        return bw_arena_spent(err);
    }
    if (build->root.file != NULL) {
        tree->files[tree->n_files++] = build->root.file;
        size += 1536;
    }
    for (struct node *node = build->root.child; node != NULL;) {
        path[len++] = '/';
        memcpy(path + len, node->name, node->len);
        len += node->len;
        if (node->file != NULL && len <= BW_MAX_PATH_BYTES) {
            const struct bw_file *file = place(build, node, path, len, err);
            if (file == NULL) {
                free(path);
                return -1;
            }
            tree->files[tree->n_files++] = file;
            size += tar_length(build, node, len - 1);
        }
        if (node->child != NULL && len <= room - BW_MAX_NAME_BYTES) {
            node = node->child;
            continue;
        }
        while (node != &build->root && node->next == NULL) {
            len -= node->len + 1;
            node = node->parent;
        }
        if (node == &build->root) {
            break;
        }
        len -= node->len + 1;
        node = node->next;
    }
    free(path);
    if (tree->n_files > 1) {
        qsort(tree->files, tree->n_files, sizeof(*tree->files), by_path);
    }
    *size_out = (size + 10239) / 10240 * 10240;
    return 0;
}

int bw_tree_build(struct bw_tree **out, int64_t *size_out, struct bw_layer *const *layers, size_t n_layers,
                  void (*warning)(void *payload, const char *text), void *payload, struct bw_error *err)
{
    struct bw_tree *tree = calloc(1, sizeof(*tree));
    struct build build = {.tree = tree, .n_buckets = 1024, .warning = warning, .payload = payload};
    build.buckets = calloc(build.n_buckets, sizeof(*build.buckets));
    if (tree == NULL || build.buckets == NULL) {
        abort();
    }
    bw_arena_init(&tree->arena, BW_ARENA_REPORT);
    bw_arena_init(&build.scratch, BW_ARENA_REPORT);
    if (getrandom(&build.seed, sizeof(build.seed), GRND_NONBLOCK) != sizeof(build.seed)) {
        build.seed = (uint32_t)bw_monotonic_ms(); /* the pool is not filled yet: early in the life of a machine */
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < n_layers; i++) {
        status = apply(&build, layers[i], err);
    }
    if (status == 0) {
        status = lay_out(&build, size_out, err);
    }
    bw_arena_clear(&build.scratch);
    free(build.buckets);
    if (status != 0) {
        bw_tree_destroy(tree);
        return -1;
    }
    *out = tree;
    return 0;
}

void bw_tree_destroy(struct bw_tree *tree)
{
    if (tree != NULL) {
        bw_arena_clear(&tree->arena);
        free(tree);
    }
}

/* ---- reading ---- */

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
