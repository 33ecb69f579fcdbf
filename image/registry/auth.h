#ifndef BW_IMAGE_REGISTRY_AUTH_H
#define BW_IMAGE_REGISTRY_AUTH_H

#include "image/registry/call.h"

/* Requests with somebody's rights: which credentials are tried, and what a refusal is called. Internal to the room. */

/* A registry seen with one set of credentials. */
struct bw_registry_source {
    struct bw_image_source base;
    struct bw_registry *registry;
    struct bw_credentials *credentials;
    struct bw_image_source *origin; /* whose registry it is; held; NULL: its own */
    pthread_mutex_t lock;
    struct bw_map *accepted; /* "host/repository" -> 1 + which candidate was accepted there last; under the lock */
};

/* Where requests for a repository go: its registry, or a mirror of it. Texts live as long as the call. */
struct bw_endpoint {
    const char *base;       /* "https://registry-1.docker.io/v2/" */
    const char *host;       /* of the base, with its port: slots and tokens are counted by it */
    const char *registry;   /* as credentials and messages name it */
    const char *repository; /* as this host has it */
    const char *query;      /* "" or "?ns=docker.io" */
    const struct bw_registry_host *settings;
    bool plain_http;
};

/* Sends the call with the candidates for the endpoint's repository, one after the other, until the registry takes one.
 * An answer has status 200 or 206; any other is an error (image_not_found, unauthorized, rate_limited,
 * registry_unavailable) that begins with `what` ("manifest latest"), and *status_out (may be NULL) tells it. */
int bw_auth_send(struct bw_answer *out, struct bw_registry_source *source, const struct bw_endpoint *endpoint,
                 const struct bw_call *call, const char *what, long *status_out, struct bw_error *err) BW_MUST_CHECK;

/* The error for a final status. */
int bw_answer_fault(const struct bw_answer *answer, const char *registry, const char *repository, const char *what,
                    struct bw_error *err);

#endif
