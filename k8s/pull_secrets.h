#ifndef BW_K8S_PULL_SECRETS_H
#define BW_K8S_PULL_SECRETS_H

#include "k8s/lookup.h"

/*
 * The registry credentials that a pod brings along, in the kubelet's order: the imagePullSecrets of its spec; for a
 * template without any, those of its ServiceAccount (the API server has put them into a Pod by now). What cannot be had
 * is no failure: the image may be public, or open to the configured credentials; a note says it, for the message in
 * case the registry refuses.
 */
struct bw_pull_secrets_question {
    const char *namespace;
    const char *const *names;    /* imagePullSecrets; NULL-terminated; NULL: none */
    const char *service_account; /* NULL: not looked at; "": "default" */
    int64_t since_ms;            /* as in bw_kube_lookup_ask */
};

enum { BW_MAX_PULL_SECRETS = 32 }; /* of one pod; more are left out, with a note */

struct bw_pull_secret {
    const char *path; /* of the API server, for bw_kube_lookup_forget */
    const char *text; /* a dockerconfigjson or dockercfg document */
    size_t len;
};

struct bw_pull_secrets {
    bool pending; /* then nothing else is set but the ticket */
    uint64_t ticket;
    struct bw_pull_secret *secrets;
    size_t n_secrets;
    const char *note; /* "namespace shop has no secret reg, named in imagePullSecrets"; NULL: nothing to say */
};

/* All memory from the arena. -1 only when it is spent. */
int bw_pull_secrets_ask(struct bw_pull_secrets *out, struct bw_kube_lookup *lookup,
                        const struct bw_pull_secrets_question *question, struct bw_arena *arena,
                        struct bw_error *err) BW_MUST_CHECK;
/* Overwrites the texts. */
void bw_pull_secrets_wipe(struct bw_pull_secrets *secrets);

#endif
