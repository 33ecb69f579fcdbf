/* Calls of the API server (k8s/client.h): their pace, what is repeated, and what the server's answers mean. */
#include "k8s/client.h"

#include "base/limits.h"
#include "base/memory.h"
#include "k8s/identity.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECT_MS = 5000, CALL_MS = 10000, CALLS_PER_S = 20, BURST = 40, TRIES = 4, FIRST_PAUSE_MS = 200 };
#define DEFAULT_ANSWER (32 * BW_MIB)
#define MAX_FAULT      (64 * BW_KIB) /* a Status that says what is wrong */

static const char *const everywhere[] = {"0.0.0.0/0", "::/0"}; /* the operator names the server, no pod does */

struct bw_kube_client {
    struct bw_http_client *http;
    struct bw_kube_identity *identity;
    pthread_mutex_t lock;   /* of what follows */
    int64_t spent_until_ms; /* the limit of calls: when the last call's share of time ends */
};

/* ---- construction */

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
    struct bw_kube_client *client = bw_memory_zeroed(1, sizeof(*client));
    (void)pthread_mutex_init(&client->lock, NULL);
    int status = options->outside
                     ? bw_kube_identity_of_kubeconfig(&client->identity, options->kubeconfig, options->context, err)
                     : bw_kube_identity_of_account(&client->identity, options->account_folder, err);
    if (status != 0 || bw_http_client_create(&client->http, &http, err) != 0) {
        bw_kube_client_destroy(client);
        return bw_error_wrap(err, "API server");
    }
    *out = client;
    return 0;
}

void bw_kube_client_destroy(struct bw_kube_client *client)
{
    if (client == NULL) {
        return;
    }
    bw_http_client_destroy(client->http);
    bw_kube_identity_destroy(client->identity);
    (void)pthread_mutex_destroy(&client->lock);
    free(client);
}

const char *bw_kube_client_namespace(const struct bw_kube_client *client)
{
    return bw_kube_identity_place(client->identity)->namespace;
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

/* 20 calls a second; 40 at once after a rest. A call whose turn would come too late takes none, so that those who give
 * up do not make others wait. */
static int take_turn(struct bw_kube_client *client, struct bw_deadline deadline, const bool *stop, struct bw_error *err)
{
    const int64_t share = 1000 / CALLS_PER_S;
    (void)pthread_mutex_lock(&client->lock);
    int64_t now = bw_monotonic_ms();
    if (client->spent_until_ms < now) {
        client->spent_until_ms = now;
    }
    int64_t ahead = client->spent_until_ms + share - now - BURST * share;
    bool late = ahead > 0 && ahead > bw_deadline_left_ms(deadline);
    client->spent_until_ms += late ? 0 : share;
    (void)pthread_mutex_unlock(&client->lock);
    return ahead <= 0 ? 0 : wait_ms(ahead, deadline, stop, err);
}

/* Overwrites as it grows: an answer may be a Secret. */
static int read_text(char **out, size_t *len_out, uint64_t most, struct bw_http_response *response,
                     struct bw_error *err)
{
    size_t capacity = 16 * BW_KIB, len = 0;
    char *text = bw_memory_zeroed(1, capacity);
    for (ssize_t got; (got = bw_http_read(response, text + len, capacity - len, err)) != 0; len += (size_t)got) {
        if (got < 0 || len + (size_t)got > most) {
            bw_memory_wipe(text, len);
            return got < 0 ? -1 : bw_error_set(err, BW_ELIMIT, "the answer is too long");
        }
        if (len + (size_t)got == capacity) {
            char *larger = bw_memory_zeroed(2, capacity);
            memcpy(larger, text, capacity);
            bw_memory_wipe(text, capacity);
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
    if (read_text(&text, &len, MAX_FAULT, response, NULL) == 0 &&
        bw_json_parse(&status, text, len, MAX_FAULT, NULL) != 0) {
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

static struct bw_deadline limited(const struct bw_kube_request *request)
{
    struct bw_deadline most = bw_deadline_in_ms(CALL_MS);
    return request->deadline.monotonic_ms == 0 ? most : bw_deadline_min(request->deadline, most);
}

/* A program that gives credentials has a time of its own, within what the caller has. */
static int take_credentials(struct bw_kube_credentials *out, struct bw_deadline *deadline,
                            struct bw_kube_client *client, const struct bw_kube_request *request, bool anew,
                            struct bw_error *err)
{
    const struct bw_deadline whole = {request->deadline.monotonic_ms == 0 ? INT64_MAX : request->deadline.monotonic_ms};
    int64_t before = bw_monotonic_ms();
    if (bw_kube_identity_take(out, client->identity, anew, whole, err) != 0) {
        return -1;
    }
    deadline->monotonic_ms += bw_monotonic_ms() - before;
    *deadline = bw_deadline_min(*deadline, whole);
    return 0;
}

/* One exchange, repeated at once with credentials taken anew when the server says 401. Any status is an answer. */
static int exchange(struct bw_http_response **out, struct bw_kube_client *client, const struct bw_kube_request *request,
                    struct bw_deadline deadline, const bool *stop, struct bw_error *err)
{
    const struct bw_kube_place *place = bw_kube_identity_place(client->identity);
    char accept[256], type[256], url[4096];
    int n = snprintf(url, sizeof(url), "%s%s", place->server, request->path);
    if (n < 0 || (size_t)n >= sizeof(url) || request->path[0] != '/') {
        return bw_error_set(err, BW_EINPUT, "%.100s is no path of an API server", request->path);
    }
    (void)snprintf(accept, sizeof(accept), "Accept: %s",
                   request->accept == NULL ? "application/json" : request->accept);
    (void)snprintf(type, sizeof(type), "Content-Type: %s",
                   request->content_type == NULL ? "application/json" : request->content_type);
    for (bool anew = false;; anew = true) {
        struct bw_kube_credentials credentials = {0};
        struct bw_http_response *response = NULL;
        if (take_turn(client, deadline, stop, err) != 0 ||
            take_credentials(&credentials, &deadline, client, request, anew, err) != 0) {
            return -1;
        }
        const char *headers[4] = {accept};
        size_t n_headers = 1;
        if (request->body != NULL) {
            headers[n_headers++] = type;
        }
        headers[n_headers] = credentials.authorization;
        const struct bw_http_request sent = {
            .method = request->method,
            .url = url,
            .body = request->body,
            .body_len = request->body_len,
            .headers = headers,
            .ca_pem = credentials.ca,
            .client_certificate = credentials.certificate,
            .client_key = credentials.key,
            .server_name = place->server_name,
            .proxy = place->proxy,
            .insecure_skip_verify = place->insecure_skip_verify,
            .allow_plain_http = place->plain_http,
            .stop = stop,
            .max_response_bytes = request->max_bytes == 0 ? DEFAULT_ANSWER : request->max_bytes,
            .deadline = deadline,
        };
        int status = bw_http_send(&response, client->http, &sent, err);
        bw_kube_credentials_clear(&credentials);
        if (status != 0) {
            return -1;
        }
        if (bw_http_status(response) != 401 || anew || !place->renews) {
            *out = response;
            return 0;
        }
        bw_http_close(response);
    }
}

static int take_document(json_t **out, const struct bw_kube_request *request, struct bw_http_response *response,
                         struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (read_text(&text, &len, UINT64_MAX, response, err) != 0) {
        return -1;
    }
    /* the parser's own words would quote what may be a Secret */
    int status = out == NULL ? 0 : bw_json_parse(out, text, len, len, NULL);
    bw_memory_wipe(text, len);
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
