#ifndef BW_IMAGE_ANALYZER_NODES_H
#define BW_IMAGE_ANALYZER_NODES_H

#include "base/arena.h"
#include "image/analyzer/tree.h"

/*
 * Trees of names while layers are merged: children in a list and in one hash table for all trees. Used by merge.c
 * alone; one thread.
 */
struct bw_node {
    struct bw_node *parent, *child, *next, *prev, *chain;
    const struct bw_file *file;   /* NULL: a directory that no layer names, or a whiteout */
    const struct bw_file *origin; /* of a hard link: what it was linked to */
    const char *name;             /* in the path of a file or in a link: those outlive the nodes */
    uint32_t len, hash;
    bool whiteout, opaque;
};

struct bw_nodes {
    struct bw_arena arena;
    struct bw_node *free;
    struct bw_node **buckets;
    size_t n_buckets, count;
    uint64_t seed;
    unsigned changes; /* grows when a node goes or changes its kind: what was looked up before may be wrong */
};

void bw_nodes_init(struct bw_nodes *nodes);
void bw_nodes_clear(struct bw_nodes *nodes);

struct bw_node *bw_node_find(const struct bw_nodes *nodes, const struct bw_node *parent, const char *name, size_t len);
/* NULL when the budget is spent. */
struct bw_node *bw_node_add(struct bw_nodes *nodes, struct bw_node *parent, const char *name, size_t len,
                            struct bw_error *err) BW_MUST_CHECK;
void bw_node_move(struct bw_nodes *nodes, struct bw_node *node, struct bw_node *parent); /* with all below it */
void bw_node_remove(struct bw_nodes *nodes, struct bw_node *node);                       /* with all below it */
void bw_node_remove_children(struct bw_nodes *nodes, struct bw_node *top);

bool bw_node_is_directory(const struct bw_node *node);

/* The directory that a path leads to from `root`, symlinks followed inside that root. With `make`, what is missing is
 * made, and what is in the way becomes a directory. NULL: not there; or, with `make`, links that never end or a spent
 * budget (then err has a code). */
struct bw_node *bw_node_walk(struct bw_nodes *nodes, struct bw_node *root, const char *path, size_t len, bool make,
                             struct bw_error *err);

#endif
