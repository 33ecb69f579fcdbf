/* breakwater uninstall: before a release is deleted. The webhook configuration goes first: an API server that still
 * asks when nobody answers would refuse every pod. */
#include "cli/account.h"

#include <stdio.h>

enum { WEBHOOK, SECRET, LEASE, KINDS }; /* in the order in which they are deleted */

static const char *const options_of[KINDS] = {"webhook", "secret", "lease"};

static int path_of(char *path, size_t size, int kind, const char *text, const struct bw_kube_client *kube,
                   struct bw_error *err)
{
    char namespace[64];
    const char *name = NULL;
    if (bw_object_name(&name, namespace, sizeof(namespace), text, kube, err) != 0) {
        return bw_error_wrap(err, "--%s", options_of[kind]);
    }
    if (kind == WEBHOOK) {
        (void)snprintf(path, size, "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/%s", name);
    } else if (kind == SECRET) {
        (void)snprintf(path, size, "/api/v1/namespaces/%s/secrets/%s", namespace, name);
    } else {
        (void)snprintf(path, size, "/apis/coordination.k8s.io/v1/namespaces/%s/leases/%s", namespace, name);
    }
    return 0;
}

static int delete_all(struct bw_kube_client *kube, const struct bw_arguments *arguments, struct bw_error *err)
{
    for (int kind = 0; kind < KINDS; kind++) {
        const char *text = bw_argument(arguments, options_of[kind]);
        char path[500];
        const struct bw_kube_request request = {.method = "DELETE", .path = path};
        struct bw_error failed = {0};
        if (text == NULL) {
            continue;
        }
        if (path_of(path, sizeof(path), kind, text, kube, err) != 0) {
            return -1;
        }
        int status = bw_kube_call(NULL, kube, &request, &failed);
        if (status != 0 && failed.code != BW_ENOTFOUND) {
            *err = failed;
            return -1;
        }
        printf("%s %s %s\n", options_of[kind], text, status == 0 ? "deleted" : "is not there");
    }
    return 0;
}

static int run(const struct bw_arguments *arguments)
{
    struct bw_kube_client *kube = NULL;
    struct bw_error err = {0};
    if (bw_argument(arguments, "webhook") == NULL || arguments->n_operands > 0) {
        return bw_trouble(arguments, "--webhook NAME is needed");
    }
    int status = bw_account_open(&kube, arguments, &err);
    if (status == 0) {
        status = delete_all(kube, arguments, &err);
    }
    bw_kube_client_destroy(kube);
    return status == 0 ? BW_EXIT_OK : bw_trouble(arguments, "%s", err.message);
}

static const struct bw_option options[] = {
    {"webhook", "NAME", "The ValidatingWebhookConfiguration.", false},
    {"secret", "[NAMESPACE/]NAME", "The Secret of CA and serving certificate.", false},
    {"lease", "[NAMESPACE/]NAME", "The Lease by which the replicas choose a leader.", false},
    BW_ACCOUNT_OPTIONS,
    {0},
};

const struct bw_command bw_command_uninstall = {
    .name = "uninstall",
    .summary = "take breakwater out of the API server's way",
    .synopsis = "breakwater uninstall --webhook NAME [--secret [NAMESPACE/]NAME] [--lease [NAMESPACE/]NAME]",
    .description = "For before a release is deleted. Deletes the webhook configuration first, so that no "
                   "pod is refused "
                   "because nobody answers, then what breakwater made by itself: the Secret of its certificates and "
                   "its Lease. What "
                   "is not there is fine.",
    .options = options,
    .exit_status = "0 when all are gone, 2 if one could not be deleted; those after it are still there then.",
    .examples = "  breakwater uninstall --webhook breakwater --secret breakwater/breakwater-tls --lease "
                "breakwater/breakwater",
    .run = run,
};
