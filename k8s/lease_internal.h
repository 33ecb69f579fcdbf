#ifndef BW_K8S_LEASE_INTERNAL_H
#define BW_K8S_LEASE_INTERNAL_H

#include "k8s/lease.h"

/* One candidate without its thread: lease.c's rounds, which tests drive with a clock of their own. */
enum { BW_LEASE_LASTS_S = 15, BW_LEASE_RENEW_MS = 2000, BW_LEASE_GIVE_UP_MS = 10000 };

struct bw_lease_candidate {
    struct bw_kube_client *client;
    char collection[200], path[456];
    char name[254], identity[300];
    json_t *record; /* the Lease as last seen; NULL: has to be read */
    char version[64];
    int64_t seen_ms;    /* when that version was first seen */
    int64_t renewed_ms; /* when the renewal was sent that last succeeded; 0: we do not lead. Atomic */
};

int bw_lease_candidate_init(struct bw_lease_candidate *candidate, struct bw_kube_client *client,
                            const struct bw_lease_options *options, struct bw_error *err) BW_MUST_CHECK;
void bw_lease_candidate_clear(struct bw_lease_candidate *candidate);
/* Takes the Lease, renews it, or sees that it is another's. -1: it could not be found out. */
int bw_lease_round(struct bw_lease_candidate *candidate, int64_t now_ms, struct bw_error *err) BW_MUST_CHECK;
void bw_lease_release(struct bw_lease_candidate *candidate, int64_t now_ms);
bool bw_lease_holds(const struct bw_lease_candidate *candidate, int64_t now_ms);

#endif
