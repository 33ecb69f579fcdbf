#ifndef BW_K8S_METADATA_H
#define BW_K8S_METADATA_H

#include "base/json.h"

#define BW_DOMAIN "breakwater.io" /* of every label and annotation of ours */

/* Labels or annotations: sorted by key, each key once. A value may hold a NUL inside. */
struct bw_pair {
    const char *key, *value;
    size_t value_len;
};
struct bw_pairs {
    const struct bw_pair *items;
    size_t n_items;
};
/* NULL: there is no such key. */
const struct bw_pair *bw_pairs_find(const struct bw_pairs *pairs, const char *key);
/* Sorts by key; false if one occurs twice. */
bool bw_pairs_sort(struct bw_pair *items, size_t n_items);

struct bw_metadata {
    const char *name; /* "" when there is none */
    struct bw_pairs labels, annotations;
};

/* Of an object's `metadata` (NULL: empty). What is no text is left out: no API server sends it. -1 when the arena is
 * spent. */
int bw_metadata_read(struct bw_metadata *out, const json_t *metadata, struct bw_arena *arena) BW_MUST_CHECK;

#endif
