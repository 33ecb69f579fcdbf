#ifndef BW_K8S_CLIENT_H
#define BW_K8S_CLIENT_H

#include "base/http.h"
#include "base/json.h"

/*
 * The way to an API server: where it is, whom to trust, who we are. In a cluster from the ServiceAccount's folder,
 * whose token and CA are read again as the kubelet renews them; outside from a kubeconfig. Redirects are never
 * followed. Safe to share between threads; every call blocks, so none is made on an event loop.
 */
struct bw_kube_client;

struct bw_kube_options {
    /* Where the kubelet mounts token, ca.crt and namespace of our ServiceAccount. The server's address comes from
     * KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. */
    const char *account_folder;
    /* In place of that: a kubeconfig as kubectl reads it (k8s/kubeconfig.h), which may run a program to ask who we are.
     * NULL: the files that kubectl would take, and their current context. */
    bool outside;
    const char *kubeconfig, *context;
};

int bw_kube_client_create(struct bw_kube_client **out, const struct bw_kube_options *options,
                          struct bw_error *err) BW_MUST_CHECK;
void bw_kube_client_destroy(struct bw_kube_client *client); /* after its last call ended; NULL is fine */
/* Of the ServiceAccount, or of the context; "default" when it says none. */
const char *bw_kube_client_namespace(const struct bw_kube_client *client);

struct bw_kube_request {
    const char *method; /* GET, POST, PUT, PATCH, DELETE */
    const char *path;   /* "/api/v1/namespaces/shop/secrets/reg"; query included, parts already escaped */
    const char *accept; /* NULL: application/json */
    const char *body;   /* NULL: none */
    size_t body_len;
    const char *content_type; /* NULL: application/json */
    uint64_t max_bytes;       /* of the answer; 0: 32 MiB */
    struct bw_deadline deadline;
};

/* The answer's document. A GET is repeated on 429 and 5xx, a 401 once with a token read anew. Errors: BW_ENOTFOUND for
 * 404, BW_EDENIED for 401 and 403 ("forbidden" as detail; the server's own words name what), "conflict" as detail for
 * 409, "gone" for 410, "rate_limited" for 429, else BW_EUNAVAILABLE, BW_EDEADLINE. *out is released by the caller
 * (json_decref); `out` may be NULL. */
int bw_kube_call(json_t **out, struct bw_kube_client *client, const struct bw_kube_request *request,
                 struct bw_error *err) BW_MUST_CHECK;

/* A response that is read while it comes, for watches: status 200 alone, other statuses are errors as above. No
 * deadline once the head has arrived; closed by the caller with bw_http_close. `stop`, when not NULL, ends a read
 * within a second once it is set (atomic). */
int bw_kube_open(struct bw_http_response **out, struct bw_kube_client *client, const struct bw_kube_request *request,
                 const bool *stop, struct bw_error *err) BW_MUST_CHECK;

#endif
