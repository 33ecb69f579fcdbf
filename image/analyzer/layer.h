#ifndef BW_IMAGE_ANALYZER_LAYER_H
#define BW_IMAGE_ANALYZER_LAYER_H

#include "image/analyzer/collector.h"

/*
 * What one layer says, before it meets the others: entries and markers in the order of the archive
 * (OCI image specification, "Representing Changes"). Layers are read in any order and in parallel; each belongs to one
 * thread while it is read.
 */
struct bw_layer_bounds { /* of the whole image, shared by its layers; atomic */
    uint64_t unpacked, kept, entries;
};

struct bw_marker {    /* a whiteout, or an opaque directory */
    const char *path; /* what is hidden, or the directory whose lower content is */
    size_t before;    /* the number of files that came before it */
    bool opaque;
};

struct bw_layer {
    struct bw_arena arena;
    struct bw_file *files; /* malloc'ed; hard links: link is the target as written */
    size_t n_files, capacity;
    struct bw_marker *markers; /* in the order of the archive */
    size_t n_markers, marker_capacity;
    const char **warnings;
    size_t n_warnings, warning_capacity;
    struct bw_incomplete *incomplete; /* kinds that an inspect() could not complete */
    size_t n_incomplete, incomplete_capacity;
};

void bw_layer_init(struct bw_layer *layer);
void bw_layer_clear(struct bw_layer *layer);
void bw_layer_warn(struct bw_layer *layer, const char *text); /* the first 200 are kept */

/* Reads the uncompressed tar of one layer, pushed in pieces. */
struct bw_layer_walk;

struct bw_layer_walk *bw_layer_walk_create(struct bw_layer *into, int32_t number,
                                           const struct bw_collector *const *collectors,
                                           const struct bw_collect_options *options, struct bw_layer_bounds *bounds);
void bw_layer_walk_destroy(struct bw_layer_walk *walk); /* NULL is fine */
int bw_layer_walk_feed(struct bw_layer_walk *walk, const char *bytes, size_t len, struct bw_error *err) BW_MUST_CHECK;
int bw_layer_walk_finish(struct bw_layer_walk *walk, struct bw_error *err) BW_MUST_CHECK;
/* The digest of all that was fed: the diffID. */
void bw_layer_walk_digest(struct bw_layer_walk *walk, uint8_t out[BW_SHA256_BYTES]);
bool bw_layer_walk_is_tar(const struct bw_layer_walk *walk); /* whether its first block was one of a tar */

/* ---- the squashed tree ---- */

/* Merges layers bottom to top. The tree borrows their files: they live as long as it does. warning() may be called with
 * what was odd. *size_out: the image's size as the engine computes it (the length of a squashed tar). */
int bw_tree_build(struct bw_tree **out, int64_t *size_out, struct bw_layer *const *layers, size_t n_layers,
                  void (*warning)(void *payload, const char *text), void *payload, struct bw_error *err) BW_MUST_CHECK;
void bw_tree_destroy(struct bw_tree *tree); /* NULL is fine */

#endif
