#ifndef BW_CLI_CLUSTER_H
#define BW_CLI_CLUSTER_H

#include "cli/command.h"
#include "k8s/client.h"

/* The cluster that a kubeconfig names, for commands outside of it. */

/* Rows of a command that asks a cluster, in its table. */
#define BW_CLUSTER_OPTIONS                                                                                             \
    {"kubeconfig", "FILE", "Where the cluster is; else the files of $KUBECONFIG, else ~/.kube/config, as kubectl.",    \
     false},                                                                                                           \
    {                                                                                                                  \
        "context", "NAME", "Of the kubeconfig, in place of its current one.", false                                    \
    }

int bw_cluster_open(struct bw_kube_client **out, const struct bw_arguments *arguments,
                    struct bw_error *err) BW_MUST_CHECK;

/* Every ConfigMap with the label of bundles, of one namespace or, with NULL, of all; borrowed while `each` runs. The
 * list comes in pages, so that their number is no matter of memory. */
int bw_cluster_bundle_maps(struct bw_kube_client *client, const char *namespace,
                           void (*each)(void *payload, const char *namespace, json_t *config_map), void *payload,
                           struct bw_error *err) BW_MUST_CHECK;

#endif
