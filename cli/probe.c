/* breakwater probe: whether the API server lets breakwater decide, asked as a developer would ask it (helm test). */
#include "cli/account.h"

#include "k8s/metadata.h"

#include <stdio.h>
#include <string.h>

/* Nothing that a registry could be asked for: refused whatever the bundles say, by the whole way of an admission. */
static const char pod[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"generateName\":\"breakwater-probe-\"},\"spec\":{"
    "\"containers\":[{\"name\":"
    "\"probe\",\"image\":\"Not.An.Image/"
    "PROBE\",\"resources\":{\"limits\":{\"cpu\":\"10m\",\"memory\":\"10Mi\"}},\"securityContext\":{"
    "\"allowPrivilegeEscalation\":false,\"capabilities\":{\"drop\":[\"ALL\"]}}}],\"securityContext\":{\"runAsNonRoot\":"
    "true,"
    "\"runAsUser\":65532,\"seccompProfile\":{\"type\":\"RuntimeDefault\"}}}}";

/* The refusal, or why there was none. */
static int ask(const struct bw_arguments *arguments, struct bw_kube_client *kube, struct bw_error *err)
{
    char namespace[256], path[512];
    const char *name = NULL, *wanted = bw_argument(arguments, "namespace");
    wanted = wanted == NULL ? bw_kube_client_namespace(kube) : wanted;
    if (bw_object_name(&name, namespace, sizeof(namespace), wanted, kube, err) != 0) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods?dryRun=All", name);
    const struct bw_kube_request request = {.method = "POST", .path = path, .body = pod, .body_len = strlen(pod)};
    if (bw_kube_call(NULL, kube, &request, err) == 0) {
        return bw_error_set(
            err, BW_ENOTFOUND,
            "the API server would make a pod of no image in namespace %s: breakwater is not asked about "
            "it, or admits it",
            name);
    }
    return strstr(err->message, "admission webhook \"pods." BW_DOMAIN "\" denied the request") == NULL ? -1 : 0;
}

static int run(const struct bw_arguments *arguments)
{
    struct bw_kube_client *kube = NULL;
    struct bw_error err = {0};
    if (arguments->n_operands > 0) {
        return bw_trouble(arguments, "it takes options only; see breakwater probe --help");
    }
    int status = bw_account_open(&kube, arguments, &err);
    if (status == 0) {
        status = ask(arguments, kube, &err) == 0 ? BW_EXIT_OK : BW_EXIT_STOPPED;
    } else {
        status = BW_EXIT_TROUBLE;
    }
    if (status == BW_EXIT_OK) {
        printf("refused, as it should be: %s\n", err.message);
    } else {
        (void)bw_trouble(arguments, "%s", err.message);
    }
    bw_kube_client_destroy(kube);
    return status;
}

static const struct bw_option options[] = {
    {"namespace", "NAME", "Or -n: one that breakwater is asked about. Default: the ServiceAccount's own.", false},
    BW_ACCOUNT_OPTIONS,
    {0},
};

const struct bw_command bw_command_probe = {
    .name = "probe",
    .summary = "see whether the API server refuses what breakwater refuses",
    .synopsis = "breakwater probe [--namespace NAME]",
    .description =
        "Runs in a pod whose ServiceAccount may create pods. Asks the API server, as a dry run, for a pod whose "
        "image is no image, "
        "and expects that breakwater's webhook refuses it.",
    .options = options,
    .exit_status = "0 it was refused by breakwater, 1 it was not, 2 the API server could not be asked.",
    .examples = "  breakwater probe --namespace shop",
    .run = run,
};
