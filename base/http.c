/*
 * One HTTP exchange (RFC 9110), read by its caller. libcurl runs only inside send and read: while nobody reads, the
 * connection's own window holds the other side back, so memory is one bounded buffer per response.
 */
#include "base/buf.h"
#include "base/http_internal.h"
#include "base/limits.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_BODY_BYTES = 32 * 1024, RECEIVE_BYTES = 128 * 1024, POLL_MS = 1000, POLL_STOP_MS = 250 };
enum { KEEPALIVE_S = 15, KEEPALIVE_PROBES = 3 }; /* a peer that is gone is noticed within a minute */

struct bw_http_response {
    struct bw_http_client *client;
    struct bw_http_pair *pair;
    struct curl_slist *headers, *connect_to;
    struct bw_deadline deadline;
    const bool *stop;
    char label[300]; /* host:port, for messages */
    bool proxied;
    bool joined; /* the easy handle is in the multi handle */

    long status;
    struct bw_buf head; /* name NUL value NUL ... */
    bool head_done, head_too_long;

    char *body;
    size_t capacity, begin, end;
    uint64_t received, max_bytes;
    bool paused, too_long;

    bool done;
    CURLcode result;
    char curl_error[CURL_ERROR_SIZE];

    unsigned n_opened, n_refused;
    char refused[INET6_ADDRSTRLEN];
};

/* ---- URLs */

static int bad_url(struct bw_error *err, const char *url, const char *why)
{
    if (strchr(url, '@') != NULL) {
        return bw_error_detail(err, BW_EINPUT, "invalid_url", "a URL with a user name in it is not used");
    }
    return bw_error_detail(err, BW_EINPUT, "invalid_url", "\"%.*s\": %s", (int)strcspn(url, "?#"), url, why);
}

static int url_part(char *out, size_t size, CURLU *parts, CURLUPart part)
{
    char *text = NULL;
    if (curl_url_get(parts, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) {
        return -1;
    }
    size_t len = strlen(text);
    for (size_t i = 0; i <= len && len < size; i++) {
        out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
    }
    curl_free(text);
    return len > 0 && len < size ? 0 : -1;
}

int bw_http_url_parse(struct bw_http_url *out, const char *url, struct bw_error *err)
{
    struct bw_http_url made = {.port = 0};
    char port[8] = "";
    char *user = NULL;
    uint64_t number = 0;
    CURLU *parts = curl_url();
    if (parts == NULL) {
        abort();
    }
    int status = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                         url_part(made.scheme, sizeof(made.scheme), parts, CURLUPART_SCHEME) == 0 &&
                         url_part(made.host, sizeof(made.host), parts, CURLUPART_HOST) == 0 &&
                         url_part(port, sizeof(port), parts, CURLUPART_PORT) == 0 &&
                         bw_str_uint(&number, bw_str_from(port), 10, 65535) == 0
                     ? 0
                     : -1;
    bool has_user = curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK;
    curl_free(user);
    curl_url_cleanup(parts);
    if (has_user) {
        return bw_error_detail(err, BW_EINPUT, "invalid_url", "a URL with a user name in it is not used");
    }
    if (status != 0 || (strcmp(made.scheme, "https") != 0 && strcmp(made.scheme, "http") != 0)) {
        return bad_url(err, url, "not an http or https URL");
    }
    made.port = (unsigned)number;
    *out = made;
    return 0;
}

int bw_http_url_join(const char **out, const char *base, const char *location, struct bw_arena *arena,
                     struct bw_error *err)
{
    char *text = NULL;
    CURLU *parts = curl_url();
    if (parts == NULL) {
        abort();
    }
    bool joined = curl_url_set(parts, CURLUPART_URL, base, 0) == CURLUE_OK &&
                  curl_url_set(parts, CURLUPART_URL, location, CURLU_URLENCODE) == CURLUE_OK &&
                  curl_url_get(parts, CURLUPART_URL, &text, 0) == CURLUE_OK;
    const char *copy = joined ? bw_arena_strdup(arena, text) : NULL;
    curl_free(text);
    curl_url_cleanup(parts);
    if (!joined) {
        return bad_url(err, location, "not a place to go to");
    }
    if (copy == NULL) {
        return bw_arena_spent(err);
    }
    *out = copy;
    return 0;
}

/* ---- what libcurl calls */

static void take_header(struct bw_http_response *response, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL || line[0] == ' ' || line[0] == '\t' || memchr(line, '\0', len) != NULL) {
        return;
    }
    struct bw_str name = {line, (size_t)(colon - line)};
    struct bw_str value = bw_str_trim((struct bw_str){colon + 1, len - name.len - 1});
    bw_buf_append(&response->head, name.base, name.len);
    bw_buf_append(&response->head, "", 1);
    bw_buf_append(&response->head, value.base, value.len);
    bw_buf_append(&response->head, "", 1);
}

/* Interim answers (1xx) come before the head that counts, trailers after it. */
static size_t on_header(char *line, size_t size, size_t count, void *opaque)
{
    struct bw_http_response *response = opaque;
    size_t len = size * count, left = len;
    if (response->head_done) {
        return len;
    }
    while (left > 0 && (line[left - 1] == '\n' || line[left - 1] == '\r')) {
        left--;
    }
    if (left >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        bw_buf_reset(&response->head);
    } else if (left > 0) {
        take_header(response, line, left);
    } else if (curl_easy_getinfo(response->pair->easy, CURLINFO_RESPONSE_CODE, &response->status) == CURLE_OK) {
        response->head_done = response->status >= 200;
    }
    if (response->head.full) {
        response->head_too_long = true;
        return 0;
    }
    return len;
}

/* Room for `len` more bytes behind what is there; false when the buffer is as large as it gets. */
static bool make_room(struct bw_http_response *response, size_t len)
{
    if (response->begin == response->end) {
        response->begin = response->end = 0;
    }
    if (response->capacity - response->end >= len) {
        return true;
    }
    size_t capacity = response->capacity == 0 ? FIRST_BODY_BYTES : response->capacity;
    while (capacity - response->end < len && capacity < BW_HTTP_BUFFER_BYTES) {
        capacity *= 2;
    }
    if (capacity - response->end < len) {
        return false;
    }
    response->body = bw_memory_resize(response->body, capacity);
    response->capacity = capacity;
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *opaque)
{
    struct bw_http_response *response = opaque;
    size_t len = size * count;
    if (len > response->max_bytes - response->received) {
        response->too_long = true;
        return 0;
    }
    if (!make_room(response, len)) {
        response->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    memcpy(response->body + response->end, bytes, len);
    response->end += len;
    response->received += len;
    return len;
}

/* The guard, on the very address that is about to be connected to. */
static curl_socket_t on_socket(void *opaque, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct bw_http_response *response = opaque;
    uint8_t bytes[16];
    if (!response->proxied && (!bw_address_of_socket(bytes, &address->addr) ||
                               !bw_address_allowed(bytes, response->client->allow, response->client->n_allow))) {
        response->n_refused++;
        if (inet_ntop(AF_INET6, bytes, response->refused, sizeof(response->refused)) == NULL) {
            response->refused[0] = '\0';
        }
        return CURL_SOCKET_BAD;
    }
    response->n_opened++;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    int probes = KEEPALIVE_PROBES;
    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    }
    return fd;
}

/* ---- why a transfer failed, in words that hold neither secrets nor queries */

static const char *certificate_fault(CURL *easy)
{
    long result = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
    switch (result) {
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED: /* libcurl compares the names before it takes over the result */
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "the certificate is not for this host";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "certificate signed by an unknown CA";
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the certificate is not valid yet";
    default:
        return X509_verify_cert_error_string(result);
    }
}

static int refused_connection(const struct bw_http_response *response, struct bw_error *err)
{
    long why = 0;
    if (response->n_refused > 0 && response->n_opened == 0) {
        const char *shown = response->refused;
        return bw_error_detail(err, BW_EDENIED, "address_refused",
                               "%s: its address %s is special and refused unless registry.allowAddresses opens it",
                               response->label, strncmp(shown, "::ffff:", 7) == 0 ? shown + 7 : shown);
    }
    (void)curl_easy_getinfo(response->pair->easy, CURLINFO_OS_ERRNO, &why);
    return bw_error_detail(err, BW_EUNAVAILABLE, "connect", "%s: cannot connect%s%s", response->label,
                           why == 0 ? "" : ": ", why == 0 ? "" : strerror((int)why));
}

static int late(const struct bw_http_response *response, struct bw_error *err)
{
    return bw_error_detail(err, BW_EDEADLINE, "deadline", "%s: %s within the time given", response->label,
                           response->head_done ? "the answer did not end" : "no answer");
}

static int cut(const struct bw_http_response *response, struct bw_error *err)
{
    return bw_error_detail(err, BW_EUNAVAILABLE, response->head_done ? "short_body" : "no_answer",
                           response->head_done ? "%s: the connection was cut after %llu bytes"
                                               : "%s: the connection was closed without an answer",
                           response->label, (unsigned long long)response->received);
}

static int failed(const struct bw_http_response *response, struct bw_error *err)
{
    if (response->too_long) {
        return bw_error_detail(err, BW_ELIMIT, "body_too_long", "%s: the answer is longer than %llu bytes",
                               response->label, (unsigned long long)response->max_bytes);
    }
    if (response->head_too_long) {
        return bw_error_detail(err, BW_ELIMIT, "head_too_long", "%s: the answer's headers are longer than %llu bytes",
                               response->label, BW_MAX_HTTP_HEAD_BYTES);
    }
    switch (response->result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return bw_error_detail(err, BW_EUNAVAILABLE, "resolve", "%s: the host name does not resolve", response->label);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return bw_error_detail(err, BW_EUNAVAILABLE, "resolve", "%s: the proxy's name does not resolve",
                               response->label);
    case CURLE_COULDNT_CONNECT:
        return refused_connection(response, err);
    case CURLE_PEER_FAILED_VERIFICATION:
        return bw_error_detail(err, BW_EUNAVAILABLE, "tls", "%s: %s", response->label,
                               certificate_fault(response->pair->easy));
    case CURLE_SSL_CONNECT_ERROR:
        return bw_error_detail(err, BW_EUNAVAILABLE, "tls", "%s: no TLS connection (%s)", response->label,
                               response->curl_error);
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return cut(response, err);
    case CURLE_OPERATION_TIMEDOUT:
        if (bw_deadline_passed(response->deadline)) {
            return late(response, err);
        }
        return bw_error_detail(err, BW_EUNAVAILABLE, response->head_done ? "short_body" : "too_slow",
                               "%s: the connection %s", response->label,
                               response->received > 0 ? "was too slow" : "showed no sign of life");
    default:
        return bw_error_detail(err, BW_EUNAVAILABLE, "transfer", "%s: %s", response->label,
                               curl_easy_strerror(response->result));
    }
}

/* ---- the exchange */

static void take_result(struct bw_http_response *response)
{
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(response->pair->multi, &left)) != NULL;) {
        if (message->msg == CURLMSG_DONE) {
            response->done = true;
            response->result = message->data.result;
        }
    }
}

/* Lets libcurl work until something is there to take, or waits for it once. */
static int drive(struct bw_http_response *response, struct bw_error *err)
{
    int running = 0;
    bool had_head = response->head_done;
    CURLMcode code = CURLM_OK;
    if (response->paused) {
        response->paused = false;
        (void)curl_easy_pause(response->pair->easy, CURLPAUSE_CONT);
    }
    code = curl_multi_perform(response->pair->multi, &running);
    take_result(response);
    if (response->done || response->begin < response->end || response->head_done != had_head) {
        return 0;
    }
    if (response->stop != NULL && __atomic_load_n(response->stop, __ATOMIC_ACQUIRE)) {
        return bw_error_detail(err, BW_EDEADLINE, "stopped", "%s: stopped", response->label);
    }
    int64_t left = bw_deadline_left_ms(response->deadline), most = response->stop == NULL ? POLL_MS : POLL_STOP_MS;
    if (left == 0) {
        return late(response, err);
    }
    if (code == CURLM_OK) {
        code = curl_multi_poll(response->pair->multi, NULL, 0, (int)(left < most ? left : most), NULL);
    }
    if (code != CURLM_OK) {
        return bw_error_set(err, BW_EINTERNAL, "%s: %s", response->label, curl_multi_strerror(code));
    }
    return 0;
}

static int set_method(CURL *easy, const struct bw_http_request *request)
{
    CURLcode code = CURLE_OK;
    if (request->body != NULL) {
        code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        code = code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body) : code;
    } else if (strcmp(request->method, "HEAD") == 0) {
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK ? 0 : -1;
    }
    if (code == CURLE_OK && strcmp(request->method, request->body != NULL ? "POST" : "GET") != 0) {
        code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
    return code == CURLE_OK ? 0 : -1;
}

static int set_headers(struct bw_http_response *response, const struct bw_http_request *request)
{
    /* no waiting for a 100 */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    char host[320];
    if (list != NULL && request->server_name != NULL) {
        (void)snprintf(host, sizeof(host), "Host: %s", response->label);
        struct curl_slist *longer = curl_slist_append(list, host);
        if (longer == NULL) {
            curl_slist_free_all(list);
        }
        list = longer;
    }
    for (size_t i = 0; list != NULL && request->headers != NULL && request->headers[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(list, request->headers[i]);
        if (longer == NULL) {
            curl_slist_free_all(list);
        }
        list = longer;
    }
    response->headers = list;
    return list != NULL && curl_easy_setopt(response->pair->easy, CURLOPT_HTTPHEADER, list) == CURLE_OK ? 0 : -1;
}

/* Names the server in the URL as its certificate does, and connects to where the URL led. */
static int set_server_name(struct bw_http_response *response, const struct bw_http_request *request)
{
    char line[640];
    CURLU *parts = curl_url();
    char *text = NULL;
    if (parts == NULL) {
        abort();
    }
    int n = snprintf(line, sizeof(line), "::%s", response->label);
    response->connect_to = curl_slist_append(NULL, line);
    bool set = n > 0 && (size_t)n < sizeof(line) && response->connect_to != NULL &&
               curl_url_set(parts, CURLUPART_URL, request->url, 0) == CURLUE_OK &&
               curl_url_set(parts, CURLUPART_HOST, request->server_name, 0) == CURLUE_OK &&
               curl_url_get(parts, CURLUPART_URL, &text, 0) == CURLUE_OK &&
               curl_easy_setopt(response->pair->easy, CURLOPT_URL, text) == CURLE_OK &&
               curl_easy_setopt(response->pair->easy, CURLOPT_CONNECT_TO, response->connect_to) == CURLE_OK;
    curl_free(text);
    curl_url_cleanup(parts);
    return set ? 0 : -1;
}

static int set_options(struct bw_http_response *response, const struct bw_http_request *request, const char *proxy,
                       struct bw_error *err)
{
    const struct bw_http_client *client = response->client;
    CURL *easy = response->pair->easy;
    int64_t left = bw_deadline_left_ms(response->deadline);
    bool set =
        curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
        (request->server_name == NULL || set_server_name(response, request) == 0) && set_method(easy, request) == 0 &&
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                         (long)(client->http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS)) == CURLE_OK &&
        set_headers(response, request) == 0 && curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, request->allow_plain_http ? "https,http" : "https") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_SHARE, client->share) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROXY, proxy == NULL ? "" : proxy) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, response) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, response) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, response) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, response->curl_error) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S) == CURLE_OK &&
        /* a resolver that hangs is left behind, not waited for */
        curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                         left < client->connect_timeout_ms ? (long)left + 1 : client->connect_timeout_ms) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, client->low_speed_bytes_per_s) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, client->low_speed_s) == CURLE_OK;
    /* a handle that has been used keeps the buffer it has */
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    if (!set) {
        return bw_error_set(err, BW_EINTERNAL, "%s: libcurl does not take the request", response->label);
    }
    return bw_http_trust_apply(response->client, easy, request, err);
}

static int begin(struct bw_http_response *response, const struct bw_http_request *request, const char *proxy,
                 struct bw_error *err)
{
    if (set_options(response, request, proxy, err) != 0) {
        return -1;
    }
    CURLMcode code = curl_multi_add_handle(response->pair->multi, response->pair->easy);
    if (code != CURLM_OK) {
        return bw_error_set(err, BW_EINTERNAL, "%s: %s", response->label, curl_multi_strerror(code));
    }
    response->joined = true;
    while (!response->head_done && !response->done) {
        if (drive(response, err) != 0) {
            return -1;
        }
    }
    return response->head_done ? 0 : failed(response, err);
}

int bw_http_send(struct bw_http_response **out, struct bw_http_client *client, const struct bw_http_request *request,
                 struct bw_error *err)
{
    struct bw_http_url url;
    char peer[288];
    if (bw_http_url_parse(&url, request->url, err) != 0) {
        return -1;
    }
    bool secure = strcmp(url.scheme, "https") == 0;
    if (!secure && !request->allow_plain_http) {
        return bw_error_detail(err, BW_EDENIED, "plain_http", "%s:%u: plain http is not allowed for it", url.host,
                               url.port);
    }
    const char *proxy = request->proxy != NULL ? request->proxy : bw_http_proxy_for(&client->proxies, &url);
    if (proxy != NULL && !bw_http_proxied_host_allowed(url.host, client->allow, client->n_allow, request->deadline)) {
        return bw_error_detail(err, BW_EDENIED, "address_refused",
                               "%s:%u: its address is special and refused unless registry.allowAddresses opens it",
                               url.host, url.port);
    }
    struct bw_http_response *response = bw_memory_zeroed(1, sizeof(*response));
    (void)snprintf(response->label, sizeof(response->label), "%s:%u", url.host, url.port);
    (void)snprintf(peer, sizeof(peer), "%s://%s:%u", url.scheme, url.host, url.port);
    response->client = client;
    response->pair = bw_http_pair_take(client, peer);
    response->deadline = request->deadline;
    response->stop = request->stop;
    response->max_bytes = request->max_response_bytes;
    response->proxied = proxy != NULL;
    bw_buf_init(&response->head, BW_MAX_HTTP_HEAD_BYTES);
    if (begin(response, request, proxy, err) != 0) {
        bw_http_close(response);
        return -1;
    }
    *out = response;
    return 0;
}

long bw_http_status(const struct bw_http_response *response)
{
    return response->status;
}

const char *bw_http_header(const struct bw_http_response *response, const char *name, size_t n)
{
    const char *at = response->head.data, *end = at == NULL ? NULL : at + response->head.len;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0 && n-- == 0) {
            return value;
        }
        at = value + strlen(value) + 1;
    }
    return NULL;
}

int64_t bw_http_retry_after_s(const struct bw_http_response *response)
{
    const char *text = bw_http_header(response, "Retry-After", 0), *date = bw_http_header(response, "Date", 0);
    uint64_t seconds = 0;
    if (text == NULL) {
        return -1;
    }
    if (bw_str_uint(&seconds, bw_str_from(text), 10, INT32_MAX) == 0) {
        return (int64_t)seconds;
    }
    time_t until = curl_getdate(text, NULL), now = date == NULL ? -1 : curl_getdate(date, NULL);
    if (until == -1 || now == -1) {
        return -1;
    }
    return until > now ? (int64_t)(until - now) : 0;
}

void bw_http_set_deadline(struct bw_http_response *response, struct bw_deadline deadline)
{
    response->deadline = deadline;
}

ssize_t bw_http_read(struct bw_http_response *response, void *into, size_t size, struct bw_error *err)
{
    while (size > 0 && response->begin == response->end) {
        if (response->done) {
            return response->result == CURLE_OK ? 0 : failed(response, err);
        }
        if (drive(response, err) != 0) {
            return -1;
        }
    }
    size_t len = response->end - response->begin < size ? response->end - response->begin : size;
    if (len > 0) {
        memcpy(into, response->body + response->begin, len);
    }
    response->begin += len;
    return (ssize_t)len;
}

int bw_http_read_all(char **out, size_t *len_out, struct bw_http_response *response, struct bw_arena *arena,
                     struct bw_error *err)
{
    BW_BUF_SCOPE text;
    char chunk[16 * 1024];
    ssize_t got = 0;
    bw_buf_init(&text, SIZE_MAX / 2);
    while ((got = bw_http_read(response, chunk, sizeof(chunk), err)) > 0) {
        bw_buf_append(&text, chunk, (size_t)got);
    }
    if (got < 0) {
        return -1;
    }
    char *copy = bw_arena_strndup(arena, text.data == NULL ? "" : text.data, text.len);
    if (copy == NULL) {
        return bw_arena_spent(err);
    }
    *out = copy;
    *len_out = text.len;
    return 0;
}

void bw_http_close(struct bw_http_response *response)
{
    if (response == NULL) {
        return;
    }
    if (response->joined) {
        (void)curl_multi_remove_handle(response->pair->multi, response->pair->easy);
    }
    bw_http_pair_give(response->client, response->pair);
    curl_slist_free_all(response->headers);
    curl_slist_free_all(response->connect_to);
    bw_buf_clear(&response->head);
    if (response->body != NULL) {
        explicit_bzero(response->body, response->capacity); /* it may have been a Secret */
    }
    free(response->body);
    free(response);
}
