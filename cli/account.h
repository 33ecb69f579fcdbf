#ifndef BW_CLI_ACCOUNT_H
#define BW_CLI_ACCOUNT_H

#include "cli/command.h"
#include "k8s/client.h"

/* What the commands share that run in a pod, as hooks of an installation. */
#define BW_ACCOUNT_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"
#define BW_ACCOUNT_OPTION                                                                                              \
    {                                                                                                                  \
        "account-dir", "DIR",                                                                                          \
            "Folder with token and ca.crt of the ServiceAccount to act as. Default " BW_ACCOUNT_FOLDER ".", false      \
    }

/* The API server, as the ServiceAccount. */
int bw_account_open(struct bw_kube_client **out, const struct bw_arguments *arguments,
                    struct bw_error *err) BW_MUST_CHECK;
/* "[NAMESPACE/]NAME": the name; the namespace, else the ServiceAccount's own, is put into `namespace`. -1: it is no
 * name that an object may have. */
int bw_object_name(const char **name_out, char *namespace, size_t size, const char *text,
                   const struct bw_kube_client *kube, struct bw_error *err) BW_MUST_CHECK;

#endif
