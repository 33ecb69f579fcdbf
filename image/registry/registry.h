#ifndef BW_IMAGE_REGISTRY_REGISTRY_H
#define BW_IMAGE_REGISTRY_REGISTRY_H

#include "base/http.h"
#include "image/registry/credentials.h"
#include "image/source.h"

/* The OCI distribution protocol (distribution-spec; RFC 7235 challenges; Docker token authentication). */
struct bw_registry; /* token cache, per-host settings and limits; safe to share between threads */

struct bw_registry_host {
    const char *host;    /* "registry.example:5000", as references have it */
    const char *ca_file; /* PEM, NULL: system CAs */
    bool plain_http;
    bool insecure_skip_verify;
    const char *const *mirrors; /* base URLs tried first for requests by digest; NULL-terminated or NULL */
};

struct bw_registry_options {
    const struct bw_registry_host *hosts;
    size_t n_hosts;
    unsigned max_connections_per_host; /* 0: 6 */
    unsigned retries;                  /* 0: 4 tries */
    int retry_base_ms;                 /* 0: 250 */
};

int bw_registry_create(struct bw_registry **out, struct bw_http_client *http, const struct bw_registry_options *options,
                       struct bw_error *err) BW_MUST_CHECK;
void bw_registry_destroy(struct bw_registry *registry); /* after the last source was released */

/* The registry seen with one set of credentials (NULL: anonymous). The source keeps its own copy. */
int bw_registry_source(struct bw_image_source **out, struct bw_registry *registry,
                       const struct bw_credentials *credentials, struct bw_error *err) BW_MUST_CHECK;
/* The registry of another source, with credentials that are tried before that source's own: what a pod brings along.
 * The result holds `source`. */
struct bw_image_source *bw_registry_source_with(struct bw_image_source *source, const struct bw_credentials *first);

#endif
