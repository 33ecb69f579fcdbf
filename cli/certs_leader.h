#ifndef BW_CLI_CERTS_LEADER_H
#define BW_CLI_CERTS_LEADER_H

#include "k8s/client.h"
#include "k8s/events.h"
#include "webhook/config.h"

/* The replicas of `breakwater serve` with certs.mode: selfSigned: one of them leads and looks after the certificates,
 * on a thread of its own. */
struct bw_certs_leader;

/* Client and events (NULL: none are posted) outlive it. */
int bw_certs_leader_start(struct bw_certs_leader **out, struct bw_kube_client *kube, struct bw_events *events,
                          const struct bw_config *config, struct bw_error *err) BW_MUST_CHECK;
/* Gives the lead away; joins the thread. NULL is fine. */
void bw_certs_leader_stop(struct bw_certs_leader *leader);

#endif
