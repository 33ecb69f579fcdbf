/* What a command asks of a cluster (cli/cluster.h), by lists in pages as the Kubernetes API documents them. */
#include "cli/cluster.h"

#include "base/buf.h"
#include "base/limits.h"
#include "k8s/metadata.h"

#include <signal.h>
#include <string.h>

enum { MAX_NAMESPACE = 63 };
#define PAGE           "8"           /* ConfigMaps, of 1 MiB each */
#define MAX_PAGE_BYTES (64 * BW_MIB) /* a character of them is up to six of JSON */
#define MAX_PATH_BYTES (4 * BW_KIB)  /* a continue token has hundreds of bytes */

int bw_cluster_open(struct bw_kube_client **out, const struct bw_arguments *arguments, struct bw_error *err)
{
    const struct bw_kube_options options = {
        .outside = true,
        .kubeconfig = bw_argument(arguments, "kubeconfig"),
        .context = bw_argument(arguments, "context"),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* a connection that the server closed is an error of its call */
    return bw_kube_client_create(out, &options, err);
}

static bool is_namespace(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && len <= MAX_NAMESPACE && name[len] == '\0';
}

static void put_escaped(struct bw_buf *buf, const char *text)
{
    for (; *text != '\0'; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || *text == '-' || *text == '_';
        if (plain) {
            bw_buf_append(buf, text, 1);
        } else {
            bw_buf_printf(buf, "%%%02X", (unsigned char)*text);
        }
    }
}

static int write_path(struct bw_buf *buf, const char *namespace, const char *next, struct bw_error *err)
{
    bw_buf_reset(buf);
    bw_buf_puts(buf, "/api/v1/");
    if (namespace != NULL) {
        bw_buf_printf(buf, "namespaces/%s/", namespace);
    }
    bw_buf_puts(buf, "configmaps?labelSelector=" BW_DOMAIN "%2Fbundle&limit=" PAGE);
    if (next != NULL) {
        bw_buf_puts(buf, "&continue=");
        put_escaped(buf, next);
    }
    return bw_buf_check(buf, "the next page of a list", err);
}

int bw_cluster_bundle_maps(struct bw_kube_client *client, const char *namespace,
                           void (*each)(void *payload, const char *namespace, json_t *config_map), void *payload,
                           struct bw_error *err)
{
    BW_BUF_SCOPE path;
    bw_buf_init(&path, MAX_PATH_BYTES);
    if (namespace != NULL && !is_namespace(namespace)) {
        return bw_error_set(err, BW_EINPUT, "%.100s is no name of a namespace", namespace);
    }
    int status = write_path(&path, namespace, NULL, err);
    for (bool more = status == 0; more;) {
        const struct bw_kube_request request = {.method = "GET", .path = path.data, .max_bytes = MAX_PAGE_BYTES};
        json_t *page = NULL;
        if (bw_kube_call(&page, client, &request, err) != 0) {
            return -1;
        }
        const json_t *items = json_object_get(page, "items");
        for (size_t i = 0; i < json_array_size(items); i++) {
            json_t *item = json_array_get(items, i);
            const char *its = json_string_value(json_object_get(json_object_get(item, "metadata"), "namespace"));
            each(payload, its == NULL ? "" : its, item);
        }
        const char *next = json_string_value(json_object_get(json_object_get(page, "metadata"), "continue"));
        more = next != NULL && next[0] != '\0';
        status = more ? write_path(&path, namespace, next, err) : 0;
        more = more && status == 0;
        json_decref(page);
    }
    return status;
}
