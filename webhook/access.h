#ifndef BW_WEBHOOK_ACCESS_H
#define BW_WEBHOOK_ACCESS_H

#include "image/registry/registry.h"
#include "k8s/pull_secrets.h"
#include "webhook/review.h"

/*
 * How an admission reaches its images: with the pull secrets that the pod would be pulled with, and after them with the
 * configured credentials. What is answered about a private image is so bound to who asks.
 */
struct bw_access_way {
    struct bw_image_source *source; /* NULL while a Secret is awaited; released by the caller */
    uint64_t ticket;                /* of the lookup, while source is NULL */
    const char *note;               /* what could not be had, for a message in case the registry refuses; or NULL */
    const char *const *paths;       /* of the Secrets that were used */
    size_t n_paths;
};

/* lookup NULL: there is no API server to ask, and the configured source is all there is. All memory from the arena. */
int bw_access_ask(struct bw_access_way *out, struct bw_kube_lookup *lookup, struct bw_image_source *configured,
                  const struct bw_review *review, int64_t since_ms, struct bw_arena *arena,
                  struct bw_error *err) BW_MUST_CHECK;
/* A registry refused them: the Secrets are read anew when they are asked for next. */
void bw_access_forget(const struct bw_access_way *way, struct bw_kube_lookup *lookup);

#endif
