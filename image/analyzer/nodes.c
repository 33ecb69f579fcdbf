/* Nodes of the trees that layers are merged in (nodes.h). */
#include "image/analyzer/nodes.h"

#include "base/limits.h"
#include "base/memory.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { FIRST_BUCKETS = 1024 };

void bw_nodes_init(struct bw_nodes *nodes)
{
    *nodes = (struct bw_nodes){.n_buckets = FIRST_BUCKETS};
    bw_arena_init(&nodes->arena, BW_ARENA_REPORT);
    nodes->buckets = bw_memory_zeroed(nodes->n_buckets, sizeof(*nodes->buckets));
    (void)!getrandom(&nodes->seed, sizeof(nodes->seed), GRND_NONBLOCK);
}

void bw_nodes_clear(struct bw_nodes *nodes)
{
    bw_arena_clear(&nodes->arena);
    free(nodes->buckets);
    *nodes = (struct bw_nodes){0};
}

/* ---- the table ---- */

/* Names are the image's: without the seed a layer could be written whose names all meet in one bucket. */
static uint32_t hash_name(const struct bw_nodes *nodes, const struct bw_node *parent, const char *name, size_t len)
{
    uint64_t hash = nodes->seed ^ (uint64_t)(uintptr_t)parent * 0x9e3779b97f4a7c15u;
    while (len > 0) {
        uint64_t word = 0;
        size_t n = len > sizeof(word) ? sizeof(word) : len;
        memcpy(&word, name, n);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
        name += n;
        len -= n;
    }
    hash *= 0xc4ceb9fe1a85ec53u;
    return (uint32_t)(hash >> 32);
}

static struct bw_node **bucket_of(const struct bw_nodes *nodes, uint32_t hash)
{
    return &nodes->buckets[hash & (nodes->n_buckets - 1)];
}

static void grow(struct bw_nodes *nodes)
{
    struct bw_node **old = nodes->buckets;
    size_t n = nodes->n_buckets;
    nodes->n_buckets = n * 4;
    nodes->buckets = bw_memory_zeroed(nodes->n_buckets, sizeof(*nodes->buckets));
    for (size_t i = 0; i < n; i++) {
        for (struct bw_node *node = old[i], *chain; node != NULL; node = chain) {
            chain = node->chain;
            struct bw_node **bucket = bucket_of(nodes, node->hash);
            node->chain = *bucket;
            *bucket = node;
        }
    }
    free(old);
}

static void table_add(struct bw_nodes *nodes, struct bw_node *node)
{
    if (nodes->count >= 2 * nodes->n_buckets) {
        grow(nodes);
    }
    node->hash = hash_name(nodes, node->parent, node->name, node->len);
    struct bw_node **bucket = bucket_of(nodes, node->hash);
    node->chain = *bucket;
    *bucket = node;
    nodes->count++;
}

static void table_remove(struct bw_nodes *nodes, struct bw_node *node)
{
    struct bw_node **at = bucket_of(nodes, node->hash);
    while (*at != node) {
        at = &(*at)->chain;
    }
    *at = node->chain;
    nodes->count--;
    nodes->changes++;
}

struct bw_node *bw_node_find(const struct bw_nodes *nodes, const struct bw_node *parent, const char *name, size_t len)
{
    uint32_t hash = hash_name(nodes, parent, name, len);
    for (struct bw_node *node = *bucket_of(nodes, hash); node != NULL; node = node->chain) {
        if (node->hash == hash && node->parent == parent && node->len == len && memcmp(node->name, name, len) == 0) {
            return node;
        }
    }
    return NULL;
}

/* ---- the lists ---- */

static void list_add(struct bw_node *node, struct bw_node *parent)
{
    node->parent = parent;
    node->prev = NULL;
    node->next = parent->child;
    if (parent->child != NULL) {
        parent->child->prev = node;
    }
    parent->child = node;
}

static void list_remove(struct bw_node *node)
{
    if (node->prev != NULL) {
        node->prev->next = node->next;
    } else {
        node->parent->child = node->next;
    }
    if (node->next != NULL) {
        node->next->prev = node->prev;
    }
}

struct bw_node *bw_node_add(struct bw_nodes *nodes, struct bw_node *parent, const char *name, size_t len,
                            struct bw_error *err)
{
    struct bw_node *node = nodes->free;
    if (node != NULL) {
        nodes->free = node->next;
    } else if ((node = bw_arena_alloc(&nodes->arena, sizeof(*node))) == NULL) {
        (void)bw_arena_spent(err);
        return NULL;
    }
    *node = (struct bw_node){.name = name, .len = (uint32_t)len};
    list_add(node, parent);
    table_add(nodes, node);
    return node;
}

void bw_node_move(struct bw_nodes *nodes, struct bw_node *node, struct bw_node *parent)
{
    table_remove(nodes, node);
    list_remove(node);
    list_add(node, parent);
    table_add(nodes, node);
}

static void unlink_node(struct bw_nodes *nodes, struct bw_node *node)
{
    table_remove(nodes, node);
    list_remove(node);
    node->next = nodes->free;
    nodes->free = node;
}

/* Deepest first, without recursion: paths can be two thousand deep. */
void bw_node_remove_children(struct bw_nodes *nodes, struct bw_node *top)
{
    for (struct bw_node *node = top; top->child != NULL;) {
        while (node->child != NULL) {
            node = node->child;
        }
        struct bw_node *parent = node->parent;
        unlink_node(nodes, node);
        node = parent;
    }
}

void bw_node_remove(struct bw_nodes *nodes, struct bw_node *node)
{
    bw_node_remove_children(nodes, node);
    unlink_node(nodes, node);
}

/* ---- paths ---- */

bool bw_node_is_directory(const struct bw_node *node)
{
    return !node->whiteout && (node->file == NULL || node->file->type == BW_FILE_DIRECTORY);
}

static bool is_symlink(const struct bw_node *node)
{
    return node->file != NULL && node->file->type == BW_FILE_SYMLINK;
}

/* One step down, which is no symlink. */
static struct bw_node *step(struct bw_nodes *nodes, struct bw_node *at, struct bw_node *child, struct bw_str part,
                            bool make, struct bw_error *err)
{
    if (!make) {
        return child != NULL && bw_node_is_directory(child) ? child : NULL;
    }
    if (child == NULL) {
        return bw_node_add(nodes, at, part.base, part.len, err);
    }
    if (!bw_node_is_directory(child)) {
        child->file = child->origin = NULL;
        child->whiteout = false;
        nodes->changes++;
    }
    return child;
}

struct bw_node *bw_node_walk(struct bw_nodes *nodes, struct bw_node *root, const char *path, size_t len, bool make,
                             struct bw_error *err)
{
    struct bw_node *at = root;
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
        if (part.len > BW_MAX_NAME_BYTES) {
            return NULL;
        }
        struct bw_node *child = bw_node_find(nodes, at, part.base, part.len);
        if (child != NULL && is_symlink(child)) {
            if (++hops > BW_MAX_PARENT_HOPS || depth == BW_LENGTH(rest)) {
                return NULL;
            }
            const char *link = child->file->link;
            at = link[0] == '/' ? root : at;
            rest[depth++] = bw_str_from(link);
            continue;
        }
        at = step(nodes, at, child, part, make, err);
        if (at == NULL) {
            return NULL;
        }
    }
    return at;
}
