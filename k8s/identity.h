#ifndef BW_K8S_IDENTITY_H
#define BW_K8S_IDENTITY_H

#include "base/deadline.h"
#include "base/error.h"

#include <stdbool.h>

/*
 * What k8s/client.c shows to an API server and believes of it: in a cluster the ServiceAccount's files, outside a
 * kubeconfig. Read again as they are renewed. Safe to share between threads.
 */
struct bw_kube_identity;

/* Never changes; NULL where nothing is said. */
struct bw_kube_place {
    const char *server; /* "https://10.96.0.1:443" */
    const char *server_name, *proxy, *namespace;
    bool insecure_skip_verify, plain_http;
    bool renews; /* after a 401 there may be something else to show */
};

/* For one call. */
struct bw_kube_credentials {
    char *authorization; /* a header line; NULL: none */
    char *ca;            /* PEM; NULL: the system's */
    char *certificate, *key;
};

int bw_kube_identity_of_account(struct bw_kube_identity **out, const char *folder, struct bw_error *err) BW_MUST_CHECK;
/* As bw_kubeconfig_load. */
int bw_kube_identity_of_kubeconfig(struct bw_kube_identity **out, const char *path, const char *context,
                                   struct bw_error *err) BW_MUST_CHECK;
void bw_kube_identity_destroy(struct bw_kube_identity *identity); /* NULL is fine */
const struct bw_kube_place *bw_kube_identity_place(const struct bw_kube_identity *identity);

/* A copy, cleared by the caller; anew: the server refused the last one. The deadline is that of a program that is to
 * give credentials. */
int bw_kube_identity_take(struct bw_kube_credentials *out, struct bw_kube_identity *identity, bool anew,
                          struct bw_deadline deadline, struct bw_error *err) BW_MUST_CHECK;
void bw_kube_credentials_clear(struct bw_kube_credentials *credentials); /* overwrites; {0} is fine */

#endif
