/*
 * Calls of the API server (k8s/client.h). In a cluster the kubelet renews token and CA in their files: they are read
 * again every minute and when the server says 401, as Kubernetes asks of its clients.
 */
#include "k8s/client.h"

#include "base/limits.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/watch_dir.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CONNECT_MS = 5000,
    CALL_MS = 10000,
    READ_AGAIN_MS = 60000,
    CALLS_PER_S = 20,
    BURST = 40,
    TRIES = 4,
    FIRST_PAUSE_MS = 200,
    MAX_NAMESPACE = 63
};
#define DEFAULT_ANSWER (32 * BW_MIB)
#define MAX_FAULT      (64 * BW_KIB) /* a Status that says what is wrong */

static const char *const everywhere[] = {"0.0.0.0/0", "::/0"}; /* the operator names the server, no pod does */

/* What is shown and trusted in one call. */
struct credentials {
    char *authorization; /* a header line */
    char *ca;
};

struct bw_kube_client {
    struct bw_http_client *http;
    char *server; /* "https://10.96.0.1:443" */
    char *token_path, *ca_path, *namespace;
    pthread_mutex_t lock; /* of all that follows */
    struct credentials current;
    int64_t read_ms;
    int64_t spent_until_ms; /* the limit of calls: when the last call's share of time ends */
};

/* ---- credentials */

static void wipe(char *text, size_t len)
{
    if (text != NULL) {
        explicit_bzero(text, len);
        free(text);
    }
}

static void credentials_clear(struct credentials *credentials)
{
    wipe(credentials->authorization, credentials->authorization == NULL ? 0 : strlen(credentials->authorization));
    free(credentials->ca);
    *credentials = (struct credentials){NULL, NULL};
}

/* A header line of the token's file. */
static int read_token(char **out, const char *path, struct bw_error *err)
{
    static const char scheme[] = "Authorization: Bearer ";
    char *text = NULL;
    size_t len = 0;
    if (bw_file_read(&text, &len, path, BW_MAX_TOKEN_BYTES, err) != 0) {
        return bw_error_wrap(err, "token");
    }
    struct bw_str token = bw_str_trim((struct bw_str){text, len});
    bool fine = token.len > 0;
    for (size_t i = 0; i < token.len; i++) {
        fine = fine && token.base[i] > ' ' && token.base[i] < 0x7f;
    }
    if (fine) {
        char *line = bw_memory_zeroed(1, sizeof(scheme) + token.len);
        memcpy(line, scheme, sizeof(scheme) - 1);
        memcpy(line + sizeof(scheme) - 1, token.base, token.len);
        *out = line;
    }
    wipe(text, len);
    return fine ? 0 : bw_error_set(err, BW_EINPUT, "token file %s holds no token: one word is expected", path);
}

static int read_credentials(struct credentials *out, const struct bw_kube_client *client, struct bw_error *err)
{
    struct credentials made = {NULL, NULL};
    size_t len = 0;
    if (read_token(&made.authorization, client->token_path, err) != 0) {
        return -1;
    }
    if (bw_file_read(&made.ca, &len, client->ca_path, BW_MAX_TRUST_BYTES, err) != 0) {
        credentials_clear(&made);
        return bw_error_wrap(err, "CA");
    }
    if (strstr(made.ca, "-----BEGIN CERTIFICATE-----") == NULL) {
        credentials_clear(&made);
        return bw_error_set(err, BW_EINPUT, "CA file %s holds no PEM certificate", client->ca_path);
    }
    *out = made;
    return 0;
}

/* A copy for one call. Files that cannot be read for a moment leave what was read before. */
static int take_credentials(struct credentials *out, struct bw_kube_client *client, bool anew, struct bw_error *err)
{
    int status = 0;
    (void)pthread_mutex_lock(&client->lock);
    if (anew || client->current.authorization == NULL || bw_monotonic_ms() - client->read_ms >= READ_AGAIN_MS) {
        struct credentials fresh = {NULL, NULL};
        status = read_credentials(&fresh, client, err);
        if (status == 0) {
            credentials_clear(&client->current);
            client->current = fresh;
            client->read_ms = bw_monotonic_ms();
        } else if (client->current.authorization != NULL) {
            status = 0;
        }
    }
    if (status == 0) {
        out->authorization = bw_memory_strndup(client->current.authorization, strlen(client->current.authorization));
        out->ca = bw_memory_strndup(client->current.ca, strlen(client->current.ca));
    }
    (void)pthread_mutex_unlock(&client->lock);
    return status;
}

/* ---- construction */

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = bw_memory_zeroed(1, size);
    (void)snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* KUBERNETES_SERVICE_HOST is an address; one of IPv6 has no brackets. */
static int server_address(char **out, struct bw_error *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    struct bw_http_url parsed;
    char url[320];
    if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0') {
        return bw_error_set(err, BW_ENOTFOUND,
                            "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
    }
    bool brackets = strchr(host, ':') != NULL && host[0] != '[';
    int n = snprintf(url, sizeof(url), "https://%s%s%s:%s", brackets ? "[" : "", host, brackets ? "]" : "", port);
    if (n < 0 || (size_t)n >= sizeof(url) || bw_http_url_parse(&parsed, url, NULL) != 0) {
        return bw_error_set(err, BW_EINPUT,
                            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no address and port");
    }
    *out = bw_memory_strndup(url, (size_t)n);
    return 0;
}

static char *account_namespace(const char *folder)
{
    char *path = join(folder, "namespace"), *text = NULL;
    size_t len = 0;
    struct bw_str name = BW_STR("");
    if (bw_file_read(&text, &len, path, BW_KIB, NULL) == 0) {
        name = bw_str_trim((struct bw_str){text, len});
    }
    char *made = name.len == 0 || name.len > MAX_NAMESPACE ? bw_memory_strndup("default", 7)
                                                           : bw_memory_strndup(name.base, name.len);
    free(text);
    free(path);
    return made;
}

static const char *user_agent(void)
{
#if defined(__aarch64__)
    return "breakwater/" BREAKWATER_VERSION " (linux/arm64)";
#else
    return "breakwater/" BREAKWATER_VERSION " (linux/amd64)";
#endif
}

int bw_kube_client_create(struct bw_kube_client **out, const struct bw_kube_options *options, struct bw_error *err)
{
    const struct bw_http_client_options http = {
        .user_agent = user_agent(),
        .allow_addresses = everywhere,
        .n_allow_addresses = BW_LENGTH(everywhere),
        .connect_timeout_ms = CONNECT_MS,
        .low_speed_bytes_per_s = -1,
        .http1 = true,
    };
    const char *folder = options->account_folder;
    struct credentials probe = {NULL, NULL};
    struct bw_kube_client *client = bw_memory_zeroed(1, sizeof(*client));
    (void)pthread_mutex_init(&client->lock, NULL);
    client->token_path = join(folder, "token");
    client->ca_path = join(folder, "ca.crt");
    client->namespace = account_namespace(folder);
    if (server_address(&client->server, err) != 0 || take_credentials(&probe, client, true, err) != 0 ||
        bw_http_client_create(&client->http, &http, err) != 0) {
        credentials_clear(&probe);
        bw_kube_client_destroy(client);
        return bw_error_wrap(err, "API server");
    }
    credentials_clear(&probe);
    *out = client;
    return 0;
}

void bw_kube_client_destroy(struct bw_kube_client *client)
{
    if (client == NULL) {
        return;
    }
    bw_http_client_destroy(client->http);
    credentials_clear(&client->current);
    (void)pthread_mutex_destroy(&client->lock);
    free(client->server);
    free(client->token_path);
    free(client->ca_path);
    free(client->namespace);
    free(client);
}

const char *bw_kube_client_namespace(const struct bw_kube_client *client)
{
    return client->namespace;
}

/* ---- calls */

static int wait_ms(int64_t ms, struct bw_deadline deadline, const bool *stop, struct bw_error *err)
{
    struct bw_deadline until = bw_deadline_in_ms(ms);
    if (until.monotonic_ms > deadline.monotonic_ms) {
        return bw_error_detail(err, BW_EDEADLINE, "deadline", "the API server is busy: no time left for another try");
    }
    for (int64_t left; (left = bw_deadline_left_ms(until)) > 0;) {
        if (stop != NULL && __atomic_load_n(stop, __ATOMIC_ACQUIRE)) {
            return bw_error_detail(err, BW_EDEADLINE, "stopped", "stopped");
        }
        int64_t step = left < 100 ? left : 100;
        const struct timespec pause = {.tv_nsec = step * 1000000};
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

/* 20 calls a second; 40 at once after a rest. */
static int take_turn(struct bw_kube_client *client, struct bw_deadline deadline, const bool *stop, struct bw_error *err)
{
    const int64_t share = 1000 / CALLS_PER_S;
    (void)pthread_mutex_lock(&client->lock);
    int64_t now = bw_monotonic_ms();
    if (client->spent_until_ms < now) {
        client->spent_until_ms = now;
    }
    client->spent_until_ms += share;
    int64_t ahead = client->spent_until_ms - now - BURST * share;
    (void)pthread_mutex_unlock(&client->lock);
    return ahead <= 0 ? 0 : wait_ms(ahead, deadline, stop, err);
}

/* Overwrites as it grows: an answer may be a Secret. */
static int read_text(char **out, size_t *len_out, struct bw_http_response *response, struct bw_error *err)
{
    size_t capacity = 16 * BW_KIB, len = 0;
    char *text = bw_memory_zeroed(1, capacity);
    for (ssize_t got; (got = bw_http_read(response, text + len, capacity - len, err)) != 0; len += (size_t)got) {
        if (got < 0) {
            wipe(text, len);
            return -1;
        }
        if (len + (size_t)got == capacity) {
            char *larger = bw_memory_zeroed(2, capacity);
            memcpy(larger, text, capacity);
            wipe(text, capacity);
            text = larger;
            capacity *= 2;
        }
    }
    *out = text;
    *len_out = len;
    return 0;
}

static int status_error(const struct bw_kube_request *request, struct bw_http_response *response, struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    json_t *status = NULL;
    long code = bw_http_status(response);
    int64_t retry_after_s = bw_http_retry_after_s(response);
    bw_http_set_deadline(response, bw_deadline_in_ms(CALL_MS));
    if (read_text(&text, &len, response, NULL) == 0 && bw_json_parse(&status, text, len, MAX_FAULT, NULL) != 0) {
        status = NULL;
    }
    const char *words = json_string_value(json_object_get(status, "message"));
    enum bw_code class = code == 404                  ? BW_ENOTFOUND
                         : code == 401 || code == 403 ? BW_EDENIED
                         : code == 429                ? BW_ERATELIMITED
                                                      : BW_EUNAVAILABLE;
    const char *detail = code == 403   ? "forbidden"
                         : code == 409 ? "conflict"
                         : code == 410 ? "gone"
                         : code == 429 ? "rate_limited"
                                       : "";
    (void)bw_error_detail(err, class, detail, "%s %.*s: %ld%s%.600s", request->method, (int)strcspn(request->path, "?"),
                          request->path, code, words == NULL ? "" : ": ", words == NULL ? "" : words);
    if (err != NULL && retry_after_s > 0) {
        err->retry_after_s = (int)retry_after_s;
    }
    json_decref(status);
    free(text);
    return -1;
}

/* One exchange, repeated at once with a token read anew when the server says 401. Any status is an answer. */
static int exchange(struct bw_http_response **out, struct bw_kube_client *client, const struct bw_kube_request *request,
                    struct bw_deadline deadline, const bool *stop, struct bw_error *err)
{
    char accept[256], type[256], url[4096];
    int n = snprintf(url, sizeof(url), "%s%s", client->server, request->path);
    if (n < 0 || (size_t)n >= sizeof(url) || request->path[0] != '/') {
        return bw_error_set(err, BW_EINPUT, "%.100s is no path of an API server", request->path);
    }
    (void)snprintf(accept, sizeof(accept), "Accept: %s",
                   request->accept == NULL ? "application/json" : request->accept);
    (void)snprintf(type, sizeof(type), "Content-Type: %s",
                   request->content_type == NULL ? "application/json" : request->content_type);
    for (bool anew = false;; anew = true) {
        struct credentials credentials = {NULL, NULL};
        struct bw_http_response *response = NULL;
        if (take_turn(client, deadline, stop, err) != 0 || take_credentials(&credentials, client, anew, err) != 0) {
            return -1;
        }
        const char *headers[] = {accept, credentials.authorization, request->body == NULL ? NULL : type, NULL};
        const struct bw_http_request sent = {
            .method = request->method,
            .url = url,
            .body = request->body,
            .body_len = request->body_len,
            .headers = headers,
            .ca_pem = credentials.ca,
            .stop = stop,
            .max_response_bytes = request->max_bytes == 0 ? DEFAULT_ANSWER : request->max_bytes,
            .deadline = deadline,
        };
        int status = bw_http_send(&response, client->http, &sent, err);
        credentials_clear(&credentials);
        if (status != 0) {
            return -1;
        }
        if (bw_http_status(response) != 401 || anew) {
            *out = response;
            return 0;
        }
        bw_http_close(response);
    }
}

static struct bw_deadline limited(const struct bw_kube_request *request)
{
    struct bw_deadline most = bw_deadline_in_ms(CALL_MS);
    return request->deadline.monotonic_ms == 0 ? most : bw_deadline_min(request->deadline, most);
}

static int take_document(json_t **out, const struct bw_kube_request *request, struct bw_http_response *response,
                         struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (read_text(&text, &len, response, err) != 0) {
        return -1;
    }
    /* the parser's own words would quote what may be a Secret */
    int status = out == NULL ? 0 : bw_json_parse(out, text, len, len, NULL);
    wipe(text, len);
    return status == 0 ? 0
                       : bw_error_set(err, BW_EUNAVAILABLE, "%s %.*s: the answer is no JSON", request->method,
                                      (int)strcspn(request->path, "?"), request->path);
}

int bw_kube_call(json_t **out, struct bw_kube_client *client, const struct bw_kube_request *request,
                 struct bw_error *err)
{
    struct bw_deadline deadline = limited(request);
    for (unsigned tries = 1;; tries++) {
        struct bw_http_response *response = NULL;
        if (exchange(&response, client, request, deadline, NULL, err) != 0) {
            return -1;
        }
        long code = bw_http_status(response);
        int64_t pause_ms = bw_http_retry_after_s(response) * 1000;
        int status = code >= 200 && code < 300 ? take_document(out, request, response, err)
                                               : status_error(request, response, err);
        bw_http_close(response);
        bool again = (code == 429 || code >= 500) && strcmp(request->method, "GET") == 0 && tries < TRIES;
        if (status == 0 || !again ||
            wait_ms(pause_ms >= 0 ? pause_ms : FIRST_PAUSE_MS << tries, deadline, NULL, NULL) != 0) {
            return status;
        }
    }
}

int bw_kube_open(struct bw_http_response **out, struct bw_kube_client *client, const struct bw_kube_request *request,
                 const bool *stop, struct bw_error *err)
{
    struct bw_http_response *response = NULL;
    if (exchange(&response, client, request, limited(request), stop, err) != 0) {
        return -1;
    }
    if (bw_http_status(response) != 200) {
        (void)status_error(request, response, err);
        bw_http_close(response);
        return -1;
    }
    bw_http_set_deadline(response, (struct bw_deadline){INT64_MAX});
    *out = response;
    return 0;
}
