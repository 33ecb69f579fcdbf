#ifndef BW_IMAGE_REGISTRY_CALL_H
#define BW_IMAGE_REGISTRY_CALL_H

#include "base/map.h"
#include "image/registry/registry.h"

#include <pthread.h>

/* Requests below the protocol: per-host settings and slots, retries, redirects. Internal to the room. */

struct bw_tokens;

struct bw_registry {
    struct bw_http_client *http;
    struct bw_arena arena; /* the settings' texts */
    struct bw_registry_host *hosts;
    size_t n_hosts;
    unsigned max_connections, tries;
    int retry_base_ms;
    struct bw_tokens *tokens;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t freed;
    struct bw_map *slots; /* host -> how many connections are in use */
};

/* NULL when nothing is configured for it. */
const struct bw_registry_host *bw_registry_find_host(const struct bw_registry *registry, const char *host);

struct bw_call {
    const char *method; /* GET, HEAD, POST */
    const char *url;
    const char *slot;                       /* the host whose slots count; NULL: none is taken */
    const char *const *headers;             /* NULL-terminated, or NULL */
    const char *authorization;              /* a whole header line; stays with the URL's own origin; or NULL */
    const char *body;                       /* POST */
    uint64_t offset;                        /* > 0: Range from there to the end */
    uint64_t max_bytes;                     /* of the answer's body */
    const struct bw_registry_host *trusted; /* settings of the registry on whose behalf this is; or NULL */
    bool plain_http;                        /* http: is fine for the first hop */
    unsigned tries;                         /* 0: the registry's */
    struct bw_deadline deadline;
};

/* An answer and the slot it holds. */
struct bw_answer {
    struct bw_http_response *http; /* NULL: none */
    struct bw_registry *registry;
    char slot[300];
    bool elsewhere; /* it came from another origin than was asked: its 401 concerns nobody's credentials */
};

/* Any status but those that mean "later" (408, 429, 500, 502 to 504), which are tried again and then are errors. */
int bw_call_send(struct bw_answer *out, struct bw_registry *registry, const struct bw_call *call,
                 struct bw_error *err) BW_MUST_CHECK;
void bw_answer_close(struct bw_answer *answer); /* twice is fine */

/* Where a redirect leads: false with BW_EDENIED "redirect_refused" from https to http. *same_origin_out tells whether
 * credentials may go along. */
bool bw_redirect_allowed(bool *same_origin_out, const char *from, const char *to, bool plain_http,
                         struct bw_error *err);

/* Waits before the next try, as the other side asks (retry_after_s, -1: it does not) or with full jitter; -1, err
 * untouched, when there is no time for it. */
int bw_registry_pause(const struct bw_registry *registry, unsigned tries_made, int64_t retry_after_s,
                      struct bw_deadline deadline) BW_MUST_CHECK;
/* Whether a failed transfer may be tried again. */
bool bw_error_is_passing(const struct bw_error *err);

#endif
