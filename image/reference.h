#ifndef BW_IMAGE_REFERENCE_H
#define BW_IMAGE_REFERENCE_H

#include "image/digest.h"

/*
 * What a pod spec writes after `image:`, taken apart and completed with the defaults of container runtimes:
 * docker.io, library/, latest. index.docker.io becomes docker.io. Digest wins over tag; both are kept.
 */
struct bw_reference {
    const char *registry;    /* "docker.io", "registry.example:5000" */
    const char *repository;  /* "library/nginx" */
    const char *tag;         /* NULL when only a digest is given */
    struct bw_digest digest; /* text "" when only a tag is given */
};

/* BW_EINPUT "invalid_reference" with the reason; a NUL inside is refused. */
int bw_reference_parse(struct bw_reference *out, const char *text, size_t len, struct bw_arena *arena,
                       struct bw_error *err) BW_MUST_CHECK;
/* registry/repository[:tag][@digest] */
const char *bw_reference_text(const struct bw_reference *reference, struct bw_arena *arena) BW_MUST_CHECK;
int bw_reference_copy(struct bw_reference *out, const struct bw_reference *reference,
                      struct bw_arena *arena) BW_MUST_CHECK;

#endif
