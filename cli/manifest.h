#ifndef BW_CLI_MANIFEST_H
#define BW_CLI_MANIFEST_H

#include "base/error.h"

#include <jansson.h>

/* Kubernetes manifests as kubectl takes them: files, folders (their files ending in .json, .yaml or .yml, by name),
 * "-" for standard input; streams of documents, and Lists in them. */
struct bw_manifest_object {
    const char *file; /* "stdin" */
    json_t *object;   /* has a kind and an apiVersion */
};

struct bw_manifests {
    struct bw_manifest_object *items;
    size_t n_items, capacity;
};

/* Adds what is there; -1 with the place of the first that is no manifest. */
int bw_manifests_read(struct bw_manifests *into, const char *path, struct bw_error *err) BW_MUST_CHECK;
void bw_manifests_clear(struct bw_manifests *manifests);

#endif
