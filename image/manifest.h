#ifndef BW_IMAGE_MANIFEST_H
#define BW_IMAGE_MANIFEST_H

#include "image/digest.h"
#include "image/platform.h"

/* OCI image specification: descriptors, image manifest, image index, image configuration; Docker schema 2 types alike.
 */
struct bw_descriptor {
    const char *media_type;
    struct bw_digest digest;
    uint64_t size;
    struct bw_platform platform; /* of an index entry; os NULL when absent */
    bool attestation;            /* BuildKit: vnd.docker.reference.type, or platform unknown/unknown */
    bool foreign;                /* non-distributable layer (nondistributable / foreign.diff) */
    const char *const *urls;     /* foreign layers; NULL-terminated or NULL */
};

enum bw_manifest_kind { BW_MANIFEST_IMAGE, BW_MANIFEST_INDEX };

struct bw_manifest {
    enum bw_manifest_kind kind;
    const char *media_type;
    struct bw_digest digest;     /* of the bytes */
    struct bw_descriptor config; /* image */
    const struct bw_descriptor *layers;
    size_t n_layers;
    const struct bw_descriptor *manifests; /* index */
    size_t n_manifests;
};

/* The Accept headers of a manifest request, one line each, NULL-terminated. */
extern const char *const bw_manifest_accept[];

/* content_type may be NULL (a layout). Errors carry the details manifest_invalid, manifest_ambiguous,
 * manifest_schema1_unsupported, not_an_image, too_many_layers, image_too_large. */
int bw_manifest_parse(struct bw_manifest *out, const char *bytes, size_t len, const char *content_type,
                      struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;

/* The entries of an index that run on one of the wanted platforms; with none wanted, every runnable entry. A single
 * runnable entry is taken whatever its platform. BW_ENOTFOUND "no_matching_platform". */
int bw_index_choose(const struct bw_descriptor ***out, size_t *n_out, const struct bw_manifest *index,
                    const struct bw_platform *wanted, size_t n_wanted, struct bw_arena *arena,
                    struct bw_error *err) BW_MUST_CHECK;

struct bw_history {
    const char *created, *created_by, *comment, *author;
    bool empty_layer;
};

struct bw_image_config {
    const char *text; /* the blob as it is (len bytes, NUL after it) */
    size_t len;
    struct bw_platform platform;
    const char *created;
    const char *user;
    const char *const *exposed_ports; /* "80/tcp", sorted, NULL-terminated */
    const struct bw_digest *diff_ids;
    size_t n_diff_ids;
    const struct bw_history *history;
    size_t n_history;
};

int bw_image_config_parse(struct bw_image_config *out, const char *bytes, size_t len, struct bw_arena *arena,
                          struct bw_error *err) BW_MUST_CHECK;

#endif
