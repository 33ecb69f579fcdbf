#ifndef BW_CLI_ACCOUNT_H
#define BW_CLI_ACCOUNT_H

#include "cli/command.h"
#include "k8s/client.h"

/* What the commands share that change something in a cluster: hooks of an installation, which run in a pod, and those
 * who do the same by hand. */

/* Rows of such a command, in its table. */
#define BW_ACCOUNT_OPTIONS                                                                                             \
    {"kubeconfig", "FILE",                                                                                             \
     "Where the cluster is and who asks. Without it: in a pod its ServiceAccount, elsewhere as kubectl has it.",       \
     false},                                                                                                           \
    {                                                                                                                  \
        "context", "NAME", "Of the kubeconfig, in place of its current one.", false                                    \
    }

int bw_account_open(struct bw_kube_client **out, const struct bw_arguments *arguments,
                    struct bw_error *err) BW_MUST_CHECK;
/* "[NAMESPACE/]NAME": the name; the namespace, else that of the ServiceAccount or the context, is put into `namespace`.
 * -1: it is no name that an object may have. */
int bw_object_name(const char **name_out, char *namespace, size_t size, const char *text,
                   const struct bw_kube_client *kube, struct bw_error *err) BW_MUST_CHECK;

#endif
