#ifndef BW_K8S_LEASE_H
#define BW_K8S_LEASE_H

#include "k8s/client.h"

/*
 * Who leads among equal replicas, by a Lease of coordination.k8s.io/v1: it lasts 15 s and is renewed every 2 s; a
 * leader that could not renew it for 10 s no longer is one, before anybody else can be. When a Lease of others ends is
 * told by our own clock from when it last changed, never by the times in it. A thread of its own.
 */
struct bw_lease;

struct bw_lease_options {
    const char *namespace, *name;
    const char *holder; /* the pod's name; a random part is added, so that a restarted container is somebody else */
    void (*changed)(void *payload, bool held);                     /* runs on the thread; may be NULL */
    void (*trouble)(void *payload, const struct bw_error *failed); /* likewise; the next round tries again */
    void *payload;
};

/* The client outlives the lease. */
int bw_lease_start(struct bw_lease **out, struct bw_kube_client *client, const struct bw_lease_options *options,
                   struct bw_error *err) BW_MUST_CHECK;
/* Gives the Lease back, so that the next one need not wait for its end. Joins the thread; NULL is fine. */
void bw_lease_stop(struct bw_lease *lease);

/* Whether we lead at this moment; from any thread. */
bool bw_lease_held(const struct bw_lease *lease);

#endif
