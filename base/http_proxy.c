/*
 * Proxies as the environment names them (HTTPS_PROXY, HTTP_PROXY, NO_PROXY, lower case first). They are chosen here and
 * not by libcurl, because the address guard must know whether it sees the host's address or the proxy's.
 */
#include "base/http_internal.h"
#include "base/memory.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RESOLVE_MS = 2000 };

static char *from_environment(const char *lower, const char *upper)
{
    const char *value = getenv(lower);
    if (value == NULL || value[0] == '\0') {
        value = getenv(upper);
    }
    return value == NULL || value[0] == '\0' ? NULL : bw_memory_strndup(value, strlen(value));
}

void bw_http_proxies_read(struct bw_http_proxies *out)
{
    out->https = from_environment("https_proxy", "HTTPS_PROXY");
    out->http = from_environment("http_proxy", "HTTP_PROXY");
    out->exceptions = from_environment("no_proxy", "NO_PROXY");
}

void bw_http_proxies_clear(struct bw_http_proxies *proxies)
{
    free(proxies->https);
    free(proxies->http);
    free(proxies->exceptions);
    memset(proxies, 0, sizeof(*proxies));
}

/* "example.com" is the host and all below it, ".example.com" and "*.example.com" what is below it. */
static bool name_matches(struct bw_str pattern, struct bw_str host)
{
    bool below_only = false;
    if (bw_str_starts_with(pattern, "*.")) {
        pattern.base++;
        pattern.len--;
    }
    if (pattern.len > 0 && pattern.base[0] == '.') {
        pattern.base++;
        pattern.len--;
        below_only = true;
    }
    if (pattern.len == 0 || pattern.len > host.len) {
        return false;
    }
    struct bw_str tail = {host.base + host.len - pattern.len, pattern.len};
    if (strncasecmp(tail.base, pattern.base, pattern.len) != 0) {
        return false;
    }
    return tail.len == host.len ? !below_only : tail.base[-1] == '.';
}

static bool exception_matches(struct bw_str entry, const struct bw_http_url *url)
{
    char text[300];
    uint8_t address[16];
    struct bw_address_block block;
    if (bw_str_is(entry, "*")) {
        return true;
    }
    if (entry.len == 0 || entry.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, entry.base, entry.len);
    text[entry.len] = '\0';
    if (bw_address_block_parse(&block, text, NULL) == 0) {
        return bw_address_parse(address, url->host) && bw_address_block_holds(&block, address);
    }
    char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (colon != NULL && bw_str_uint(&port, bw_str_from(colon + 1), 10, 65535) == 0) {
        if (port != url->port) {
            return false;
        }
        *colon = '\0';
        if (bw_address_block_parse(&block, text, NULL) == 0 || text[0] == '[') {
            return strcmp(text, url->host) == 0;
        }
    }
    return name_matches(bw_str_from(text), bw_str_from(url->host));
}

const char *bw_http_proxy_for(const struct bw_http_proxies *proxies, const struct bw_http_url *url)
{
    const char *proxy = strcmp(url->scheme, "https") == 0 ? proxies->https : proxies->http;
    struct bw_str rest = bw_str_from(proxies->exceptions);
    if (proxy == NULL) {
        return NULL;
    }
    for (struct bw_str entry; bw_str_next(&entry, &rest, ',');) {
        struct bw_str words = entry;
        for (struct bw_str word; bw_str_next_word(&word, &words);) {
            if (exception_matches(word, url)) {
                return NULL;
            }
        }
    }
    return proxy;
}

/* getaddrinfo cannot be given a deadline, so it has a thread of its own; whoever leaves last frees. */
struct resolution {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned references;
    bool done;
    struct addrinfo *found;
    char host[256];
};

static void resolution_release(struct resolution *work)
{
    (void)pthread_mutex_lock(&work->lock);
    bool last = --work->references == 0;
    (void)pthread_mutex_unlock(&work->lock);
    if (last) {
        if (work->found != NULL) {
            freeaddrinfo(work->found);
        }
        (void)pthread_cond_destroy(&work->changed);
        (void)pthread_mutex_destroy(&work->lock);
        free(work);
    }
}

static void *resolve(void *argument)
{
    struct resolution *work = argument;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(work->host, NULL, &hints, &found) != 0) {
        found = NULL;
    }
    (void)pthread_mutex_lock(&work->lock);
    work->found = found;
    work->done = true;
    (void)pthread_cond_signal(&work->changed);
    (void)pthread_mutex_unlock(&work->lock);
    resolution_release(work);
    return NULL;
}

static struct resolution *resolution_begin(const char *host)
{
    struct resolution *work = bw_memory_zeroed(1, sizeof(*work));
    pthread_condattr_t clock;
    pthread_attr_t detached;
    pthread_t thread;
    (void)pthread_mutex_init(&work->lock, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&work->changed, &clock);
    (void)pthread_condattr_destroy(&clock);
    work->references = 2;
    memcpy(work->host, host, strnlen(host, sizeof(work->host) - 1));
    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &detached, resolve, work) != 0) {
        work->done = true;
        work->references = 1;
    }
    (void)pthread_attr_destroy(&detached);
    return work;
}

bool bw_http_proxied_host_allowed(const char *host, const struct bw_address_block *allow, size_t n_allow,
                                  struct bw_deadline deadline)
{
    uint8_t address[16];
    if (bw_address_parse(address, host)) {
        return bw_address_allowed(address, allow, n_allow);
    }
    struct bw_str name = bw_str_from(host);
    name.len -= name.len > 0 && host[name.len - 1] == '.' ? 1 : 0;
    /* resolves at the proxy though perhaps not here */
    if (bw_str_is_nocase(name, "metadata.google.internal") || bw_str_is_nocase(name, "metadata.goog")) {
        return false;
    }
    struct resolution *work = resolution_begin(host);
    deadline = bw_deadline_min(deadline, bw_deadline_in_ms(RESOLVE_MS));
    struct timespec until = {.tv_sec = deadline.monotonic_ms / 1000,
                             .tv_nsec = (deadline.monotonic_ms % 1000) * 1000000};
    bool allowed = true;
    (void)pthread_mutex_lock(&work->lock);
    while (!work->done && pthread_cond_timedwait(&work->changed, &work->lock, &until) == 0) {
    }
    for (const struct addrinfo *one = work->found; one != NULL; one = one->ai_next) {
        allowed =
            allowed && (!bw_address_of_socket(address, one->ai_addr) || bw_address_allowed(address, allow, n_allow));
    }
    (void)pthread_mutex_unlock(&work->lock);
    resolution_release(work);
    return allowed;
}
