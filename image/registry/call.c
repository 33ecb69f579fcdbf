/*
 * One request to a registry and what surrounds it: a slot of the host, tries with growing pauses, redirects by hand.
 * The Authorization header goes to the origin it was made for and nowhere else.
 */
#include "image/registry/call.h"

#include "base/limits.h"
#include "base/memory.h"
#include "image/registry/meter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { MAX_REDIRECTS = 5, MAX_HEADERS = 12, MAX_PAUSE_MS = 8000, MAX_RETRY_AFTER_S = 60 };

const struct bw_registry_host *bw_registry_find_host(const struct bw_registry *registry, const char *host)
{
    for (size_t i = 0; i < registry->n_hosts; i++) {
        if (strcasecmp(registry->hosts[i].host, host) == 0) {
            return &registry->hosts[i];
        }
    }
    return NULL;
}

/* "registry.example:5000", "registry.example" with the default port. */
static const struct bw_registry_host *host_of_url(const struct bw_registry *registry, const struct bw_http_url *url)
{
    char name[300];
    (void)snprintf(name, sizeof(name), "%s:%u", url->host, url->port);
    const struct bw_registry_host *host = bw_registry_find_host(registry, name);
    bool is_default = url->port == (strcmp(url->scheme, "https") == 0 ? 443U : 80U);
    return host == NULL && is_default ? bw_registry_find_host(registry, url->host) : host;
}

/* ---- slots */

static int slot_take(struct bw_registry *registry, const char *host, struct bw_deadline deadline, struct bw_error *err)
{
    struct timespec until = {.tv_sec = deadline.monotonic_ms / 1000,
                             .tv_nsec = (deadline.monotonic_ms % 1000) * 1000000};
    int status = 0;
    (void)pthread_mutex_lock(&registry->lock);
    for (;;) {
        unsigned *used = bw_map_get(registry->slots, host, strlen(host));
        if (used == NULL) {
            used = bw_memory_zeroed(1, sizeof(*used));
            (void)bw_map_put(registry->slots, host, strlen(host), used);
        }
        if (*used < registry->max_connections) {
            ++*used;
            break;
        }
        if (pthread_cond_timedwait(&registry->freed, &registry->lock, &until) == ETIMEDOUT) {
            status = bw_error_detail(err, BW_EDEADLINE, "deadline", "%s: all %u connections to it are in use", host,
                                     registry->max_connections);
            break;
        }
    }
    (void)pthread_mutex_unlock(&registry->lock);
    return status;
}

static void slot_give(struct bw_registry *registry, const char *host)
{
    (void)pthread_mutex_lock(&registry->lock);
    unsigned *used = bw_map_get(registry->slots, host, strlen(host));
    if (used != NULL && --*used == 0) {
        free(bw_map_remove(registry->slots, host, strlen(host)));
    }
    (void)pthread_cond_broadcast(&registry->freed);
    (void)pthread_mutex_unlock(&registry->lock);
}

void bw_answer_close(struct bw_answer *answer)
{
    if (answer->http != NULL) {
        bw_http_close(answer->http);
        answer->http = NULL;
        if (answer->slot[0] != '\0') {
            slot_give(answer->registry, answer->slot);
        }
    }
}

/* ---- tries */

static int64_t random_below(int64_t limit)
{
    uint64_t bits = 0;
    if (limit <= 0 || getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits)) {
        return limit;
    }
    return (int64_t)(bits % (uint64_t)limit);
}

int bw_registry_pause(const struct bw_registry *registry, unsigned tries_made, int64_t retry_after_s,
                      struct bw_deadline deadline)
{
    int64_t longest = (int64_t)registry->retry_base_ms << (tries_made < 10 ? tries_made : 10);
    int64_t ms = random_below(longest < MAX_PAUSE_MS ? longest : MAX_PAUSE_MS);
    if (retry_after_s > MAX_RETRY_AFTER_S) {
        return -1;
    }
    if (retry_after_s >= 0) {
        ms += 1000 * retry_after_s;
    }
    if (ms >= bw_deadline_left_ms(deadline)) {
        return -1;
    }
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    return 0;
}

bool bw_error_is_passing(const struct bw_error *err)
{
    static const char *const lasting[] = {"tls", "redirects"};
    for (size_t i = 0; i < BW_LENGTH(lasting); i++) {
        if (strcmp(err->detail, lasting[i]) == 0) {
            return false;
        }
    }
    return err->code == BW_EUNAVAILABLE;
}

static bool means_later(long status)
{
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

static int later(struct bw_http_response *response, const char *url, int64_t retry_after_s, struct bw_error *err)
{
    struct bw_http_url parts = {{0}, {0}, 0};
    long status = bw_http_status(response);
    if (bw_http_url_parse(&parts, url, NULL) != 0) {
        parts.host[0] = '\0';
    }
    if (status == 429) {
        (void)bw_error_detail(err, BW_ERATELIMITED, "rate_limited", "%s: too many requests (429)%s", parts.host,
                              retry_after_s < 0 ? "" : "; it says when to come back");
        err->retry_after_s = retry_after_s < 0 ? 0 : (int)(retry_after_s > 86400 ? 86400 : retry_after_s);
        return -1;
    }
    return bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable", "%s: answered with status %ld", parts.host,
                           status);
}

/* ---- redirects */

bool bw_redirect_allowed(bool *same_origin_out, const char *from, const char *to, bool plain_http, struct bw_error *err)
{
    struct bw_http_url a, b;
    if (bw_http_url_parse(&a, from, err) != 0 || bw_http_url_parse(&b, to, err) != 0) {
        return false;
    }
    if (strcmp(b.scheme, "http") == 0 && (strcmp(a.scheme, "https") == 0 || !plain_http)) {
        (void)bw_error_detail(err, BW_EDENIED, "redirect_refused", "%s:%u: redirects to plain http at %s, refused",
                              a.host, a.port, b.host);
        return false;
    }
    *same_origin_out = strcmp(a.scheme, b.scheme) == 0 && strcmp(a.host, b.host) == 0 && a.port == b.port;
    return true;
}

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static int send_hop(struct bw_http_response **out, struct bw_registry *registry, const struct bw_call *call,
                    const char *url, const char *authorization, struct bw_error *err)
{
    const char *headers[MAX_HEADERS + 3];
    char range[64];
    size_t n = 0;
    struct bw_http_url parts;
    for (; call->headers != NULL && call->headers[n] != NULL && n < MAX_HEADERS; n++) {
        headers[n] = call->headers[n];
    }
    if (authorization != NULL) {
        headers[n++] = authorization;
    }
    if (call->offset > 0) {
        (void)snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)call->offset);
        headers[n++] = range;
    }
    headers[n] = NULL;
    if (bw_http_url_parse(&parts, url, err) != 0) {
        return -1;
    }
    /* A host with settings of its own has those; another place that acts for a registry (token server, storage) is
     * trusted by the same CA file, but never unverified. */
    const struct bw_registry_host *own = host_of_url(registry, &parts);
    struct bw_http_request request = {
        .method = call->method,
        .url = url,
        .body = call->body,
        .body_len = call->body == NULL ? 0 : strlen(call->body),
        .headers = headers,
        .ca_file = own != NULL             ? own->ca_file
                   : call->trusted != NULL ? call->trusted->ca_file
                                           : NULL,
        .insecure_skip_verify = own != NULL && own->insecure_skip_verify,
        .allow_plain_http = call->plain_http || (own != NULL && own->plain_http),
        .max_response_bytes = call->max_bytes,
        .deadline = call->deadline,
    };
    int64_t began_ms = bw_monotonic_ms();
    int status = bw_http_send(out, registry->http, &request, err);
    bw_registry_meter(parts.host, call->method, status == 0 ? *out : NULL, bw_monotonic_ms() - began_ms);
    return status;
}

static int follow(struct bw_answer *out, struct bw_registry *registry, const struct bw_call *call, struct bw_error *err)
{
    const char *url = call->url, *authorization = call->authorization;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    for (unsigned hops = 0;; hops++) {
        struct bw_http_response *response = NULL;
        if (send_hop(&response, registry, call, url, authorization, err) != 0) {
            return -1;
        }
        const char *location = bw_http_header(response, "Location", 0), *next = NULL;
        bool same = false;
        if (!is_redirect(bw_http_status(response)) || location == NULL || call->body != NULL) {
            out->http = response;
            return 0;
        }
        int status = 0;
        if (hops == MAX_REDIRECTS) {
            status = bw_error_detail(err, BW_EUNAVAILABLE, "redirects", "%.*s: more than %d redirects",
                                     (int)strcspn(call->url, "?"), call->url, MAX_REDIRECTS);
        } else if (bw_http_url_join(&next, url, location, &arena, err) != 0 ||
                   !bw_redirect_allowed(&same, url, next, call->plain_http, err)) {
            status = -1;
        }
        bw_http_close(response);
        if (status != 0) {
            return -1;
        }
        if (!same) {
            authorization = NULL;
            out->elsewhere = true;
        }
        url = next;
    }
}

int bw_call_send(struct bw_answer *out, struct bw_registry *registry, const struct bw_call *call, struct bw_error *err)
{
    unsigned tries = call->tries == 0 ? registry->tries : call->tries;
    struct bw_error local = {0};
    err = err == NULL ? &local : err;
    for (unsigned made = 1;; made++) {
        struct bw_answer answer = {.registry = registry};
        int64_t retry_after = -1;
        if (call->slot != NULL) {
            if (slot_take(registry, call->slot, call->deadline, err) != 0) {
                return -1;
            }
            (void)snprintf(answer.slot, sizeof(answer.slot), "%s", call->slot);
        }
        if (follow(&answer, registry, call, err) == 0) {
            if (!means_later(bw_http_status(answer.http))) {
                *out = answer;
                return 0;
            }
            retry_after = bw_http_retry_after_s(answer.http);
            (void)later(answer.http, call->url, retry_after, err);
            bw_answer_close(&answer);
        } else {
            if (call->slot != NULL) {
                slot_give(registry, call->slot);
            }
            if (!bw_error_is_passing(err)) {
                return -1;
            }
        }
        if (made >= tries || bw_registry_pause(registry, made - 1, retry_after, call->deadline) != 0) {
            return -1;
        }
    }
}
