#ifndef BW_WEBHOOK_EXEMPTION_H
#define BW_WEBHOOK_EXEMPTION_H

#include "image/digest.h"
#include "webhook/selector.h"

/* An image that is admitted for a time, whatever the bundle says of it (K-410). */
struct bw_exemption {
    const char *id;
    const char *const *images;     /* globs, or digests; NULL-terminated */
    const char *const *namespaces; /* globs; NULL: everywhere */
    int64_t expires_s;             /* since 1970; from then on it is as if it were not there */
    const char *expires, *reason, *owner;
};

/* The first that holds at now_s, or NULL. digest: what the reference leads to; NULL while that is not known. */
const struct bw_exemption *bw_exemption_find(const struct bw_exemption *exemptions, size_t n_exemptions,
                                             const char *namespace, const struct bw_named_image *image,
                                             const struct bw_digest *digest, int64_t now_s);

#endif
