#ifndef BW_K8S_CLIENT_H
#define BW_K8S_CLIENT_H

#include "base/http.h"
#include "base/json.h"

/*
 * The way to the API server of the cluster that we run in: a ServiceAccount's folder, whose token and CA are read again
 * as the kubelet renews them. Redirects are never followed. Safe to share between threads; every call blocks, so none
 * is made on an event loop.
 */
struct bw_kube_client;

/* account_folder: where the kubelet mounts token and ca.crt of our ServiceAccount. The server's address comes
 * from KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. */
int bw_kube_client_create(struct bw_kube_client **out, const char *account_folder, struct bw_error *err) BW_MUST_CHECK;
void bw_kube_client_destroy(struct bw_kube_client *client); /* after its last call ended; NULL is fine */

/* The document at a path ("/api/v1/namespaces/shop/secrets/reg"; parts already escaped), of at most max_bytes. Repeated
 * on 429 and 5xx, and once on 401 with a token read anew. Errors: BW_ENOTFOUND for 404, BW_EDENIED for 401 and 403 (the
 * server's own words name what is forbidden), BW_ERATELIMITED for 429, else BW_EUNAVAILABLE, BW_EDEADLINE. *out is
 * released by the caller (json_decref). */
int bw_kube_get(json_t **out, struct bw_kube_client *client, const char *path, uint64_t max_bytes,
                struct bw_deadline deadline, struct bw_error *err) BW_MUST_CHECK;

#endif
