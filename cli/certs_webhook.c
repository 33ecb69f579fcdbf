/* caBundle and failurePolicy of a ValidatingWebhookConfiguration (cli/certs_webhook.h). */
#include "cli/certs_webhook.h"

#include "base/limits.h"
#include "base/str.h"
#include "k8s/metadata.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIGURATIONS "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/"
#define WORKLOADS      "pods." BW_DOMAIN
#define POLICY         BW_DOMAIN "/failure-policy"

enum { TRIES = 5, ANSWER_MS = 5000, DEFAULT_PORT = 443, MAX_URL = 1024 };

/* What is to be changed of the document, as entries of a strategic merge patch. */
typedef json_t *make_entries(const json_t *document, const void *wanted);

static int call(json_t **out, struct bw_kube_client *kube, const char *method, const char *configuration,
                const char *body, struct bw_error *err)
{
    char path[400];
    (void)snprintf(path, sizeof(path), CONFIGURATIONS "%s", configuration);
    const struct bw_kube_request request = {
        .method = method,
        .path = path,
        .body = body,
        .body_len = body == NULL ? 0 : strlen(body),
        .content_type = body == NULL ? NULL : "application/strategic-merge-patch+json",
    };
    return bw_kube_call(out, kube, &request, err) == 0 ? 0
                                                       : bw_error_wrap(err, "webhook configuration %s", configuration);
}

/* The patch names the version it was made from: an entry that is gone meanwhile would come back as half a one. */
static int patch(struct bw_kube_client *kube, const char *configuration, make_entries *make, const void *wanted,
                 bool *changed, struct bw_error *err)
{
    for (unsigned tries = 1;; tries++) {
        json_t *document = NULL;
        if (call(&document, kube, "GET", configuration, NULL, err) != 0) {
            return -1;
        }
        json_t *entries = make(document, wanted);
        json_t *version = json_object_get(json_object_get(document, "metadata"), "resourceVersion");
        json_t *body = json_pack("{s:{s:O}, s:O}", "metadata", "resourceVersion", version, "webhooks", entries);
        char *text = json_dumps(body, JSON_COMPACT);
        *changed = json_array_size(entries) > 0;
        int status = *changed ? call(NULL, kube, "PATCH", configuration, text, err) : 0;
        free(text);
        json_decref(body);
        json_decref(entries);
        json_decref(document);
        if (status == 0 || tries == TRIES || err == NULL || strcmp(err->detail, "conflict") != 0) {
            return status;
        }
    }
}

/* ---- caBundle ---- */

static json_t *entries_without(const json_t *document, const void *wanted)
{
    json_t *entries = json_array(), *entry;
    size_t i;
    json_array_foreach(json_object_get(document, "webhooks"), i, entry)
    {
        const char *has = json_string_value(json_object_get(json_object_get(entry, "clientConfig"), "caBundle"));
        if (has == NULL || strcmp(has, wanted) != 0) {
            (void)json_array_append_new(entries, json_pack("{s:O, s:{s:s}}", "name", json_object_get(entry, "name"),
                                                           "clientConfig", "caBundle", (const char *)wanted));
        }
    }
    return entries;
}

int bw_certs_webhook_trust(struct bw_kube_client *kube, const char *configuration, const char *cas, bool *changed,
                           struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    const char *bundle = bw_base64_encode(cas, strlen(cas), &arena);
    return bundle == NULL ? bw_arena_spent(err) : patch(kube, configuration, entries_without, bundle, changed, err);
}

/* ---- failurePolicy ---- */

static const json_t *workloads_entry(const json_t *document)
{
    const json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(document, "webhooks"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name != NULL && strcmp(name, WORKLOADS) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* The wanted policy, where the entry has another; else NULL. */
static const char *other_policy(const json_t *document)
{
    const json_t *annotations = json_object_get(json_object_get(document, "metadata"), "annotations");
    const char *wanted = json_string_value(json_object_get(annotations, POLICY));
    const char *has = json_string_value(json_object_get(workloads_entry(document), "failurePolicy"));
    bool known = wanted != NULL && (strcmp(wanted, "Fail") == 0 || strcmp(wanted, "Ignore") == 0);
    return known && has != NULL && strcmp(has, wanted) != 0 ? wanted : NULL;
}

static json_t *entry_of_policy(const json_t *document, const void *unused)
{
    const char *wanted = other_policy(document);
    (void)unused;
    return wanted == NULL ? json_array() : json_pack("[{s:s, s:s}]", "name", WORKLOADS, "failurePolicy", wanted);
}

/* Where the entry leads, and whom the certificate has to name. An address that the kubelet told us spares the cluster's
 * DNS. */
static void place_of(char *url, char *server_name, const json_t *entry, const struct bw_certs_names *names)
{
    const json_t *config = json_object_get(entry, "clientConfig"), *service = json_object_get(config, "service");
    const char *given = json_string_value(json_object_get(config, "url"));
    json_int_t port = json_integer_value(json_object_get(service, "port"));
    char variable[300];
    server_name[0] = '\0';
    if (given != NULL) {
        (void)snprintf(url, MAX_URL, "%s", given);
        return;
    }
    (void)snprintf(server_name, MAX_URL, "%s.%s.svc", names->service, names->namespace);
    (void)snprintf(variable, sizeof(variable), "%.253s_SERVICE_HOST", names->service);
    for (char *c = variable; *c != '\0'; c++) {
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    }
    const char *host = getenv(variable);
    bool brackets = host != NULL && strchr(host, ':') != NULL;
    (void)snprintf(url, MAX_URL, "https://%s%.300s%s:%d/", brackets ? "[" : "", host == NULL ? server_name : host,
                   brackets ? "]" : "", port < 1 || port > 65535 ? DEFAULT_PORT : (int)port);
}

/* Any answer over TLS with a certificate of these CAs will do: a Service leads to ready pods alone. */
static int see_answer(const char *url, const char *server_name, const char *cas, struct bw_error *err)
{
    static const char *const everywhere[] = {"0.0.0.0/0", "::/0"}; /* our own Service, wherever it is */
    const struct bw_http_client_options options = {.user_agent = "breakwater/" BREAKWATER_VERSION,
                                                   .allow_addresses = everywhere,
                                                   .n_allow_addresses = BW_LENGTH(everywhere),
                                                   .http1 = true};
    const struct bw_http_request request = {.method = "GET",
                                            .url = url,
                                            .ca_pem = cas,
                                            .server_name = server_name[0] == '\0' ? NULL : server_name,
                                            .max_response_bytes = BW_MIB,
                                            .deadline = bw_deadline_in_ms(ANSWER_MS)};
    struct bw_http_client *http = NULL;
    struct bw_http_response *response = NULL;
    if (bw_http_client_create(&http, &options, err) != 0) {
        return -1;
    }
    int status = bw_http_send(&response, http, &request, err);
    bw_http_close(response);
    bw_http_client_destroy(http);
    return status;
}

int bw_certs_webhook_enforce(const struct bw_certs *certs, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    char url[MAX_URL], server_name[MAX_URL];
    struct bw_certs_secret secret;
    json_t *document = NULL;
    bw_arena_init(&arena, 4 * BW_MIB);
    if (call(&document, certs->kube, "GET", certs->configuration, NULL, err) != 0) {
        return -1;
    }
    bool differs = other_policy(document) != NULL, changed = false;
    place_of(url, server_name, workloads_entry(document), &certs->names);
    json_decref(document);
    if (!differs) {
        return 0;
    }
    if (bw_certs_secret_read(&secret, certs->kube, &certs->names, &arena, err) != 0) {
        return -1;
    }
    int status = see_answer(url, server_name, secret.trusted, err);
    bw_certs_secret_clear(&secret);
    return status == 0 ? patch(certs->kube, certs->configuration, entry_of_policy, NULL, &changed, err)
                       : bw_error_wrap(err, "the webhook does not answer yet");
}
