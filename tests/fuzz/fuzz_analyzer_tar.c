/* One layer's tar, in pieces of any size, through the walk with all rows to a tree. The first byte sets the pieces;
 * with an odd one, what looks like a header gets its checksum, so that inputs get past it. */
#include "image/analyzer/collectors/secrets.h"
#include "image/analyzer/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_warning(void *payload, const char *text)
{
    (void)payload;
    (void)text;
}

static const struct bw_collect_options *options_of_all(void)
{
    static struct bw_collect_options options;
    static struct bw_arena arena;
    struct bw_needs *needs = &options.needs;
    if (needs->n_secret_patterns == 0) {
        bw_arena_init(&arena, 16 * 1024 * 1024);
        needs->secret_patterns = bw_default_secret_patterns;
        while (needs->secret_patterns[needs->n_secret_patterns] != NULL) {
            needs->n_secret_patterns++;
        }
        needs->retrieved_paths = bw_default_retrieved_paths;
        needs->n_retrieved_paths = 1;
        options.secret_max_bytes = 10000;
        options.retrieved_max_bytes = 1000 * 1024;
        if (bw_patterns_compile(&options.secret_patterns, needs->secret_patterns, needs->n_secret_patterns, &arena,
                                NULL) != 0) {
            abort();
        }
    }
    return &options;
}

static void sum_up(char *block)
{
    unsigned sum = 0;
    if (memcmp(block + 257, "ustar", 5) != 0) {
        return;
    }
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++) {
        sum += (unsigned char)block[i];
    }
    (void)snprintf(block + 148, 8, "%06o", sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    char *bytes = malloc(size);
    if (bytes == NULL) {
        abort();
    }
    memcpy(bytes, data, size);
    for (size_t at = 1; data[0] % 2 != 0 && at + 512 <= size; at += 512) {
        sum_up(bytes + at);
    }
    struct bw_layer layer, *layers = &layer;
    struct bw_layer_bounds bounds = {0};
    struct bw_tree *tree = NULL;
    int64_t total = 0;
    bw_layer_init(&layer);
    struct bw_layer_walk *walk = bw_layer_walk_create(&layer, 0, bw_collectors, options_of_all(), &bounds);
    size_t piece = data[0] == 0 ? size : (size_t)data[0] * data[0];
    int status = 0;
    for (size_t at = 1; status == 0 && at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        char *copy = malloc(n); /* of its own, so that a sanitizer sees where it ends */
        if (copy == NULL) {
            abort();
        }
        memcpy(copy, bytes + at, n);
        status = bw_layer_walk_feed(walk, copy, n, NULL);
        free(copy);
    }
    if (status == 0) {
        (void)!bw_layer_walk_finish(walk, NULL);
    }
    bw_layer_walk_destroy(walk);
    free(bytes);
    if (bw_tree_build(&tree, &total, &layers, 1, on_warning, NULL, NULL) == 0) {
        for (size_t i = 1; i < bw_tree_count(tree); i++) {
            if (strcmp(bw_tree_at(tree, i - 1)->path, bw_tree_at(tree, i)->path) >= 0) {
                abort(); /* sorted, and each name once */
            }
        }
        bw_tree_destroy(tree);
    }
    bw_layer_clear(&layer);
    return 0;
}
