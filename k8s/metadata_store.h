#ifndef BW_K8S_METADATA_STORE_H
#define BW_K8S_METADATA_STORE_H

#include "k8s/metadata.h"

/*
 * Names, labels and annotations of the objects of one kind without namespace (namespaces, nodes), as an informer or a
 * list of manifests tells them. Bounded, and small: of an object nothing else is kept, and of its annotations not what
 * kubectl applied last. Safe to share between threads.
 */
struct bw_metadata_store;

/* The labels whose values are asked for (bw_metadata_store_values), or NULL. */
struct bw_metadata_store *bw_metadata_store_create(const char *first_label, const char *second_label);
void bw_metadata_store_destroy(struct bw_metadata_store *store); /* NULL is fine */

/* New or changed; an object that cannot be kept (no name, too much of it) is as if it were not there. */
void bw_metadata_store_put(struct bw_metadata_store *store, struct bw_json object);
void bw_metadata_store_drop(struct bw_metadata_store *store, const char *name);
/* A copy in the arena. false: there is none of this name, or (err set) the arena is spent. */
bool bw_metadata_store_find(struct bw_metadata *out, struct bw_metadata_store *store, const char *name,
                            struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;
/* Every object that there is has been put once. */
void bw_metadata_store_set_whole(struct bw_metadata_store *store);
/* The distinct pairs of values that objects have for the two labels ("linux", "arm64"), sorted; what lacks one of them
 * is left out. Returns how many, at most `capacity`; 0 before the store is whole, and where an object could not be
 * kept, for some of the values are none to go by. Counted as objects come and go, so that asking costs nothing. */
struct bw_value_pair {
    char first[64], second[64];
};
size_t bw_metadata_store_values(struct bw_value_pair *into, size_t capacity, struct bw_metadata_store *store);

#endif
