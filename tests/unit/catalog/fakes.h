#ifndef BW_TESTS_UNIT_CATALOG_FAKES_H
#define BW_TESTS_UNIT_CATALOG_FAKES_H

#include "base/limits.h"
#include "image/catalog/catalog.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A report of this digest that covers these needs, of at least `weight` bytes. */
static inline struct bw_report *make_report(const struct bw_digest *digest, const struct bw_needs *needs, size_t weight)
{
    struct bw_error err = {0};
    struct bw_report *report = NULL;
    struct bw_report_builder *builder = bw_report_builder_create(BW_ARENA_REPORT);
    struct bw_report *head = bw_report_builder_head(builder);
    head->digest = *digest;
    head->id = "0123";
    head->os = "linux";
    head->architecture = "amd64";
    head->source = "layers";
    head->analyzer = "test";
    if (bw_needs_copy(&head->covers, needs, bw_report_builder_arena(builder), &err) != 0) {
        abort();
    }
    char *text = calloc(1, weight + 1);
    memset(text, 'x', weight);
    if (bw_report_add_retrieved(builder, &(struct bw_retrieved_file){"/weight", text, weight}, &err) != 0 ||
        bw_report_builder_finish(&report, builder, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.message);
        abort();
    }
    free(text);
    bw_report_builder_destroy(builder);
    return report;
}

static inline struct bw_digest digest_of(const char *text)
{
    struct bw_digest digest;
    bw_digest_of(&digest, text, strlen(text));
    return digest;
}

#endif
