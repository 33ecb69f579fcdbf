#ifndef BW_WEBHOOK_BUNDLE_REVIEW_H
#define BW_WEBHOOK_BUNDLE_REVIEW_H

#include "webhook/admit.h"

/*
 * Reviews of ConfigMaps that hold bundles (K-507): the code that loads them says before they are stored what is wrong
 * with them. A ConfigMap that is deleted, or that is no longer labelled, is never denied.
 */
struct bw_bundle_review_options {
    int64_t now_s;               /* for remarks on what has expired */
    bool default_patterns;       /* as in struct bw_bundle_options */
    struct bw_deadline deadline; /* no further bundle is begun once it has passed */
};

/* Takes up to seconds; the answer lives in the arena. */
void bw_bundle_review(struct bw_admit_result *out, const char *body, size_t len,
                      const struct bw_bundle_review_options *options, struct bw_arena *arena);
/* The answer to who could not be served: admitted, with a warning that says why it was not looked at. Short enough for
 * an event loop. */
void bw_bundle_review_skip(struct bw_admit_result *out, const char *body, size_t len, const char *why,
                           struct bw_arena *arena);

#endif
