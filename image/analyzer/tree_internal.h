#ifndef BW_IMAGE_ANALYZER_TREE_INTERNAL_H
#define BW_IMAGE_ANALYZER_TREE_INTERNAL_H

#include "base/arena.h"
#include "image/analyzer/tree.h"

/* What stands behind a struct bw_tree; made in merge.c, read in tree.c. */
struct bw_tree {
    struct bw_arena arena;
    const struct bw_file **files; /* sorted by path */
    size_t n_files;
};

#endif
