/* Commands that change something in a cluster (cli/account.h). */
#include "cli/account.h"

#include "cli/cluster.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 253 };

int bw_account_open(struct bw_kube_client **out, const struct bw_arguments *arguments, struct bw_error *err)
{
    static const struct bw_kube_options inside = {.account_folder = "/var/run/secrets/kubernetes.io/serviceaccount"};
    if (getenv("KUBERNETES_SERVICE_HOST") == NULL || bw_argument(arguments, "kubeconfig") != NULL ||
        bw_argument(arguments, "context") != NULL) {
        return bw_cluster_open(out, arguments, err);
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a connection that the server closed is an error of its call */
    return bw_kube_client_create(out, &inside, err);
}

static bool is_name(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0' &&
           strlen(text) <= MAX_NAME;
}

int bw_object_name(const char **name_out, char *namespace, size_t size, const char *text,
                   const struct bw_kube_client *kube, struct bw_error *err)
{
    const char *slash = strchr(text, '/'), *own = bw_kube_client_namespace(kube);
    const char *name = slash == NULL ? text : slash + 1;
    int len = slash == NULL ? (int)strlen(own) : (int)(slash - text);
    int n = snprintf(namespace, size, "%.*s", len, slash == NULL ? own : text);
    /* neither may lead elsewhere in a path */
    if (n <= 0 || (size_t)n >= size || !is_name(namespace) || !is_name(name)) {
        return bw_error_set(err, BW_EINPUT, "%.100s: [NAMESPACE/]NAME is expected, of small letters, digits, - and .",
                            text);
    }
    *name_out = name;
    return 0;
}
