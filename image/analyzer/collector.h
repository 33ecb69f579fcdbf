#ifndef BW_IMAGE_ANALYZER_COLLECTOR_H
#define BW_IMAGE_ANALYZER_COLLECTOR_H

#include "base/regex.h"
#include "image/analyzer/tree.h"

/*
 * One kind of knowledge that can be read off an image; one file in collectors/ each, one row in collectors.c. A new
 * cataloger adds a file and a row, and nothing else.
 *
 * Life of a row: while a layer streams by, keeps() says for each regular file whether its content is wanted after the
 * merge, and inspects()/inspect() look at a content at once (layer threads, so no shared state but the options). After
 * the merge collect() runs once per image, on one thread, in the order of the array.
 */
struct bw_pattern {   /* one configured expression */
    const char *text; /* "NAME=REGEX" */
    const struct bw_regex *regex;
    const char *literal;     /* lower-case text that every match must contain, or NULL: no prefilter */
    const char *alternative; /* a second literal of which one must occur, or NULL */
};

struct bw_collect_options {
    struct bw_needs needs;
    const struct bw_pattern *secret_patterns, *content_patterns; /* compiled from needs, same order */
    uint64_t secret_max_bytes;                                   /* larger files are not searched */
    uint64_t retrieved_max_bytes;
};

struct bw_collect {
    const struct bw_collect_options *options;
    const struct bw_tree *tree;
    const struct bw_manifest *manifest;
    const struct bw_image_config *config;
    struct bw_report_builder *report; /* earlier rows' results can be read from its head (distro, packages) */
    struct bw_arena *arena;           /* scratch of the whole analysis */
};

struct bw_collector {
    const char *name; /* "dpkg" */
    const char *doc;
    const char *kind; /* kind of data marked incomplete when this row fails or skips: "packages:dpkg" */
    /* The number of bytes up to which the content of the regular file at `path` is to be kept; 0: not wanted. */
    uint64_t (*keeps)(const struct bw_collect_options *options, const char *path);
    /* The number of bytes up to which inspect() wants to see the content of this file, whole; 0: not. */
    uint64_t (*inspects)(const struct bw_collect_options *options, const char *path, uint64_t size);
    int (*inspect)(const struct bw_collect_options *options, const char *path, const char *content, size_t len,
                   struct bw_note **notes, struct bw_arena *arena, struct bw_error *err);
    int (*collect)(struct bw_collect *at, struct bw_error *err);
};

extern const struct bw_collector *const bw_collectors[]; /* NULL-terminated; history and os_release come first */

/* Adds a note for the collector that is running (layer.c fills in the index). */
int bw_note_add(struct bw_note **notes, const void *bytes, size_t len, struct bw_arena *arena,
                struct bw_error *err) BW_MUST_CHECK;

#endif
