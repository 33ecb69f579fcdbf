#ifndef BW_IMAGE_SOURCE_H
#define BW_IMAGE_SOURCE_H

#include "base/deadline.h"
#include "image/manifest.h"
#include "image/reference.h"

#include <sys/types.h>

/*
 * Where the bytes of an image come from: a registry in production, an OCI layout folder on a laptop and in tests.
 * Counted, because an analysis may outlive the admission that began it. Safe to share between threads.
 */
struct bw_image_source;

struct bw_manifest_bytes {
    const char *bytes; /* in the arena; digest verified against what was asked for and against Docker-Content-Digest */
    size_t len;
    const char *content_type; /* NULL when the source has none */
    struct bw_digest digest;
};

/* Reads one blob once. Size and digest are checked while it is read: read() returns -1 with detail
 * "blob_digest_mismatch" / "blob_size_mismatch" instead of the end when they do not agree. */
struct bw_blob_reader {
    ssize_t (*read)(struct bw_blob_reader *reader, void *into, size_t size, struct bw_error *err);
    void (*close)(struct bw_blob_reader *reader);
};

struct bw_image_source_ops {
    /* tag -> digest of what the registry serves now (HEAD, GET where HEAD does not tell). Error details:
     * image_not_found, unauthorized, rate_limited, registry_unavailable, address_refused. */
    int (*resolve)(struct bw_digest *out, struct bw_image_source *source, const struct bw_reference *reference,
                   struct bw_deadline deadline, struct bw_error *err);
    /* The manifest of `digest` in the reference's repository; digest NULL: of the reference's tag. */
    int (*manifest)(struct bw_manifest_bytes *out, struct bw_image_source *source, const struct bw_reference *reference,
                    const struct bw_digest *digest, struct bw_arena *arena, struct bw_deadline deadline,
                    struct bw_error *err);
    int (*open_blob)(struct bw_blob_reader **out, struct bw_image_source *source, const struct bw_reference *reference,
                     const struct bw_descriptor *blob, struct bw_deadline deadline, struct bw_error *err);
    void (*destroy)(struct bw_image_source *source);
};

struct bw_image_source {
    const struct bw_image_source_ops *ops;
    unsigned references; /* atomic */
    /* Two sources of equal identity see the same images with the same rights: "" for anonymous, else a hash of the
     * credentials. Keys of negative results and of the right to use a private image. */
    char identity[65];
};

struct bw_image_source *bw_image_source_retain(struct bw_image_source *source);
void bw_image_source_release(struct bw_image_source *source); /* NULL is fine */

ssize_t bw_blob_read(struct bw_blob_reader *reader, void *into, size_t size, struct bw_error *err) BW_MUST_CHECK;
void bw_blob_close(struct bw_blob_reader *reader); /* NULL is fine */
/* A whole small blob (config), NUL after it, in the arena; blob->size over max_bytes is BW_ELIMIT. */
int bw_blob_read_all(char **out, struct bw_image_source *source, const struct bw_reference *reference,
                     const struct bw_descriptor *blob, uint64_t max_bytes, struct bw_arena *arena,
                     struct bw_deadline deadline, struct bw_error *err) BW_MUST_CHECK;

#endif
