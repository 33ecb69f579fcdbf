#ifndef BW_IMAGE_ANALYZER_COLLECTORS_COLLECT_H
#define BW_IMAGE_ANALYZER_COLLECTORS_COLLECT_H

#include "image/analyzer/collector.h"

/* What several rows need when they collect. */

/* The content of a file that keeps() asked for; false when it was not kept, and `kind` is then marked incomplete.
 * *failed is set when even that could not be recorded. */
bool bw_collect_content(struct bw_str *out, struct bw_collect *at, const struct bw_file *file, const char *kind,
                        int *failed, struct bw_error *err);

/* The first note of this row, or NULL. */
const struct bw_note *bw_collect_note(const struct bw_note *notes, const struct bw_collector *row);

/* Whether the path is `suffix` ("/lib/apk/db/installed") in the root of the image or of a tree below it. */
bool bw_path_ends_with(const char *path, const char *suffix);
/* The path without its last `len` bytes, in the arena: the root that a database belongs to ("" for the image's own). */
const char *bw_path_root(const char *path, size_t suffix_len, struct bw_arena *arena) BW_MUST_CHECK;

/* A path of a package database as the tree has it: parents that are links today (/bin -> usr/bin) are followed if the
 * path itself is not there and the other is. Never NULL unless the budget is spent. */
const char *bw_path_in_tree(const struct bw_tree *tree, const char *path, struct bw_arena *arena) BW_MUST_CHECK;

#endif
