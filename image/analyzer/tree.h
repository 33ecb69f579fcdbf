#ifndef BW_IMAGE_ANALYZER_TREE_H
#define BW_IMAGE_ANALYZER_TREE_H

#include "image/report.h"

/*
 * The squashed file system of an image: layers stacked bottom to top with whiteouts, opaque directories, links and
 * hard links, as overlayfs shows them (OCI image specification, "layer"; merge.c). Read-only once built.
 */
struct bw_note { /* what a collector's inspect() left with a file's content; shares the content's fate */
    const struct bw_note *next;
    unsigned collector; /* index into bw_collectors */
    const void *bytes;
    size_t len;
};

struct bw_file {
    const char *path; /* absolute, "/" for the root */
    enum bw_file_type type;
    uint32_t mode; /* full st_mode */
    int64_t uid, gid;
    int64_t size;     /* symlink: length of the target; hard link: the target's */
    const char *link; /* symlink target as written, else NULL */
    bool hard_link;
    bool capability;
    int32_t layer;
    const uint8_t *sha256, *sha1, *md5; /* raw; NULL where not computed */
    const char *content;                /* kept content (content_len bytes, NUL after), or NULL */
    size_t content_len;
    const char *content_missing; /* why a content that a collector wanted was not kept ("larger than 1 MiB"), or NULL */
    const struct bw_note *notes;
};

struct bw_tree;

size_t bw_tree_count(const struct bw_tree *tree);
const struct bw_file *bw_tree_at(const struct bw_tree *tree, size_t index);       /* sorted by path, bytewise */
const struct bw_file *bw_tree_find(const struct bw_tree *tree, const char *path); /* exact path, no links followed */
/* The file that the path leads to, symlinks followed inside the root; NULL on loops, escapes of patience (40 hops),
 * absence. */
const struct bw_file *bw_tree_resolve(const struct bw_tree *tree, const char *path);
/* Everything below `directory` ("/var/lib/dpkg/info"): indexes [*first, *end). */
void bw_tree_below(const struct bw_tree *tree, const char *directory, size_t *first, size_t *end);

#endif
