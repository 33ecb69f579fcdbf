/* The server as a whole: bound addresses, certificate, loops started and stopped in order. */
#include "webhook/server.h"

#include "base/limits.h"
#include "base/str.h"
#include "webhook/loop.h"
#include "webhook/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 511, KEEP_ALIVE_MS = 120000, HANDSHAKE_MS = 5000, SOON_S = 7 * 24 * 3600 };

/* ---- addresses ---- */

/* "127.0.0.1:8443", "[::1]:8443", ":8443" (all addresses, of both families where the machine has both). */
static int resolve(struct addrinfo **out, const char *text, struct bw_error *err)
{
    char host[256] = "";
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    if (colon == NULL || len >= sizeof(host) || bw_str_uint(&port, bw_str_from(colon + 1), 10, 65535) != 0) {
        return bw_error_set(err, BW_EINPUT, "\"%.100s\" is no address to listen on: ADDRESS:PORT", text);
    }
    bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    memcpy(host, text + (bracketed ? 1 : 0), len - (bracketed ? 2 : 0));
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    int probe = host[0] != '\0' ? -1 : socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0) {
        hints.ai_family = AF_INET6;
        (void)close(probe);
    }
    int status = getaddrinfo(host[0] == '\0' ? NULL : host, colon + 1, &hints, out);
    return status == 0 ? 0 : bw_error_set(err, BW_EINPUT, "%.100s: %s", text, gai_strerror(status));
}

static void name_address(struct bw_listener *listener)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    char host[64], port[16];
    if (getsockname(listener->fd, (struct sockaddr *)&bound, &size) == 0 &&
        getnameinfo((struct sockaddr *)&bound, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        bool v6 = bound.ss_family == AF_INET6;
        (void)snprintf(listener->address, sizeof(listener->address), "%s%.60s%s:%.8s", v6 ? "[" : "", host,
                       v6 ? "]" : "", port);
    }
}

static int bind_listener(struct bw_server *server, struct bw_listener *listener, const char *address,
                         struct bw_error *err)
{
    struct addrinfo *found = NULL;
    int on = 1, off = 0;
    listener->server = server;
    if (resolve(&found, address, err) != 0) {
        return -1;
    }
    listener->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int status = listener->fd < 0 ? -1 : setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (status == 0 && found->ai_family == AF_INET6) {
        status = setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (status == 0) {
        status = bind(listener->fd, found->ai_addr, found->ai_addrlen);
    }
    if (status == 0) {
        status = listen(listener->fd, BACKLOG);
    }
    int why = errno;
    freeaddrinfo(found);
    if (status != 0) {
        return bw_error_set(err, BW_EUNAVAILABLE, "cannot listen on %s: %s", address,
                            why == EADDRINUSE ? "the port is in use" : strerror(why));
    }
    name_address(listener);
    return 0;
}

const char *bw_server_address(const struct bw_server *server)
{
    return server->webhook.address;
}

const char *bw_server_health_address(const struct bw_server *server)
{
    return server->health.address;
}

const char *bw_server_metrics_address(const struct bw_server *server)
{
    return server->metrics.address;
}

const char *bw_server_debug_address(const struct bw_server *server)
{
    return server->debug.address;
}

/* ---- making ---- */

/* An expired certificate is served all the same: a missing endpoint would not be better. */
static void warn_of_end(const char *file, int64_t ends_s)
{
    char ends[21];
    bw_time_format(ends, ends_s);
    if (ends_s <= bw_wall_s() + SOON_S) {
        bw_log(BW_LOG_WARN, ends_s <= bw_wall_s() ? "the certificate has ended" : "the certificate ends within a week",
               BW_F("file", file), BW_F("notAfter", ends));
    }
}

static void configure(struct bw_server *server)
{
    h2o_config_init(&server->conf);
    server->conf.server_name = h2o_iovec_init(NULL, 0);
    server->conf.max_request_entity_size = server->max_request_bytes;
    server->conf.http1.req_timeout = KEEP_ALIVE_MS; /* longer than the API server keeps idle connections: 90 s */
    server->conf.http1.upgrade_to_http2 = 0;
    server->conf.handshake_timeout = HANDSHAKE_MS;
    bw_routes_register(server);
    server->registered = true;
}

/* Only people need it: one that cannot be had is no reason not to serve. */
static int open_debug(struct bw_server *server, const struct bw_config *config, struct bw_error *err)
{
    struct bw_error fault = {0};
    if (config->debug_listen == NULL || server->services->ledger == NULL) {
        return 0;
    }
    if (bind_listener(server, &server->debug, config->debug_listen, &fault) != 0) {
        bw_log(BW_LOG_WARN, "there will be no /debug/explain", BW_F("error", fault.message));
        return 0;
    }
    return bw_worker_create(&server->explain_worker, BW_MAX_EXPLAIN_QUEUE, bw_server_job_done, server, err);
}

int bw_server_create(struct bw_server **out, const struct bw_config *config, const struct bw_services *services,
                     struct bw_error *err)
{
    struct bw_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        abort();
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    server->services = services;
    server->max_request_bytes = config->max_request_bytes;
    server->max_in_flight = config->max_in_flight;
    server->max_connections = config->max_connections;
    server->shutdown_delay_ms = config->shutdown_delay_ms;
    server->shutdown_timeout_ms = config->shutdown_timeout_ms;
    server->n_loops = config->event_loops != 0 ? config->event_loops : cores > 1 ? 2 : 1;
    server->n_loops = server->n_loops > BW_MAX_LOOPS ? BW_MAX_LOOPS : server->n_loops;
    server->webhook.fd = server->health.fd = server->metrics.fd = server->debug.fd = -1;
    (void)pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_t clock;
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&server->wake, &clock);
    (void)pthread_condattr_destroy(&clock);
    if (bw_tls_load(&server->tls, &server->certificate_ends_s, config, err) != 0 ||
        bind_listener(server, &server->webhook, config->listen, err) != 0 ||
        bind_listener(server, &server->health, config->health_listen, err) != 0 ||
        bind_listener(server, &server->metrics, config->metrics_listen, err) != 0) {
        bw_server_destroy(server);
        return -1;
    }
    if (bw_worker_create(&server->bundle_worker, BW_MAX_BUNDLE_REVIEWS, bw_server_job_done, server, err) != 0 ||
        open_debug(server, config, err) != 0) {
        bw_server_destroy(server);
        return -1;
    }
    warn_of_end(config->cert_file, server->certificate_ends_s);
    configure(server);
    for (unsigned i = 0; i < server->n_loops; i++) {
        server->loops[i].server = server;
        server->loops[i].number = i;
    }
    bw_server_set_ready(server, "certificate", true, NULL);
    *out = server;
    return 0;
}

void bw_server_destroy(struct bw_server *server)
{
    if (server == NULL) {
        return;
    }
    struct bw_listener *listeners[] = {&server->webhook, &server->health, &server->metrics, &server->debug};
    for (size_t i = 0; i < BW_LENGTH(listeners); i++) {
        if (listeners[i]->fd >= 0) {
            (void)close(listeners[i]->fd);
        }
    }
    bw_worker_destroy(server->bundle_worker);
    bw_worker_destroy(server->explain_worker);
    SSL_CTX_free(server->tls);
    if (server->held) {
        return; /* connections that outlived the drain still refer to it; the process is about to end */
    }
    if (server->registered) {
        h2o_config_dispose(&server->conf);
    }
    (void)pthread_mutex_destroy(&server->lock);
    (void)pthread_cond_destroy(&server->wake);
    free(server);
}

/* ---- running ---- */

static void tell_all(struct bw_server *server, enum bw_loop_message_kind kind)
{
    for (unsigned i = 0; i < server->n_loops; i++) {
        bw_loop_send(&server->loops[i], (struct bw_loop_message){.kind = kind});
    }
}

/* Sleeps until the time has passed or a stop at once is asked for. */
static void pause_for(struct bw_server *server, int64_t ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&server->lock);
    while (!server->at_once && pthread_cond_timedwait(&server->wake, &server->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&server->lock);
}

static bool is_at_once(struct bw_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool at_once = server->at_once;
    pthread_mutex_unlock(&server->lock);
    return at_once;
}

static unsigned open_connections(const struct bw_server *server)
{
    unsigned n = 0;
    for (unsigned i = 0; i < server->n_loops; i++) {
        n += __atomic_load_n(&server->loops[i].connections, __ATOMIC_RELAXED);
    }
    return n;
}

/* Without a free descriptor accept fails, and goes on failing as long as someone waits to be accepted. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void wait_until_receiving(struct bw_server *server, const struct bw_loop *loop)
{
    pthread_mutex_lock(&server->lock);
    while (!loop->receiving) {
        pthread_cond_wait(&server->wake, &server->lock);
    }
    pthread_mutex_unlock(&server->lock);
}

static void end_loops(struct bw_server *server, unsigned first)
{
    for (unsigned i = first; i < server->n_loops; i++) {
        bw_loop_send(&server->loops[i], (struct bw_loop_message){.kind = BW_LOOP_QUIT});
    }
    for (unsigned i = first; i < server->n_loops; i++) {
        (void)pthread_join(server->loops[i].thread, NULL);
    }
}

int bw_server_run(struct bw_server *server, struct bw_error *err)
{
    raise_file_limit();
    for (unsigned i = server->n_loops; i-- > 0;) { /* the one that accepts comes last */
        if (pthread_create(&server->loops[i].thread, NULL, bw_loop_run, &server->loops[i]) != 0) {
            end_loops(server, i + 1);
            return bw_error_set(err, BW_EINTERNAL, "no thread could be started");
        }
        wait_until_receiving(server, &server->loops[i]);
    }
    pthread_mutex_lock(&server->lock);
    while (!server->stop) {
        pthread_cond_wait(&server->wake, &server->lock);
    }
    pthread_mutex_unlock(&server->lock);
    /* Not ready from here on, but serving: endpoints and the API server's resolver take their time to notice. */
    __atomic_store_n(&server->draining, true, __ATOMIC_RELAXED);
    pause_for(server, server->shutdown_delay_ms);
    tell_all(server, BW_LOOP_DRAIN);
    struct bw_deadline end = bw_deadline_in_ms(server->shutdown_timeout_ms);
    while (open_connections(server) > 0 && !bw_deadline_passed(end) && !is_at_once(server)) {
        pause_for(server, 50);
    }
    end_loops(server, 0);
    bw_worker_destroy(server->explain_worker); /* before the catalog, which it asks */
    server->explain_worker = NULL;
    return 0;
}

void bw_server_stop(struct bw_server *server, bool at_once)
{
    pthread_mutex_lock(&server->lock);
    server->stop = true;
    server->at_once = server->at_once || at_once;
    pthread_cond_broadcast(&server->wake);
    pthread_mutex_unlock(&server->lock);
}

void bw_server_job_done(void *payload, uint64_t job)
{
    struct bw_server *server = payload;
    for (unsigned i = 0; i < server->n_loops; i++) {
        bw_loop_send(&server->loops[i], (struct bw_loop_message){.kind = BW_LOOP_JOB, .job = job});
    }
}

void bw_server_warn_of_certificate(const struct bw_server *server)
{
    struct bw_config *config = bw_slot_acquire(server->services->config);
    warn_of_end(config->cert_file, __atomic_load_n(&server->certificate_ends_s, __ATOMIC_RELAXED));
    bw_config_release(config);
}

int bw_server_reload_certificate(struct bw_server *server, struct bw_error *err)
{
    SSL_CTX *tls = NULL;
    int64_t ends_s = 0;
    struct bw_config *config = bw_slot_acquire(server->services->config);
    int status = bw_tls_load(&tls, &ends_s, config, err);
    if (status == 0 && ends_s <= bw_wall_s()) {
        char ended[21];
        bw_time_format(ended, ends_s);
        SSL_CTX_free(tls);
        status = bw_error_detail(err, BW_EINPUT, "certificate", "%.200s: the certificate ended at %s",
                                 config->cert_file, ended);
    }
    if (status == 0) {
        warn_of_end(config->cert_file, ends_s);
    }
    bw_config_release(config);
    if (status != 0) {
        bw_routes_count_reload_error();
        return -1;
    }
    pthread_mutex_lock(&server->lock);
    SSL_CTX *old = server->tls;
    server->tls = tls;
    pthread_mutex_unlock(&server->lock);
    SSL_CTX_free(old); /* the loops hold it as long as they need it */
    for (unsigned i = 0; i < server->n_loops; i++) {
        (void)SSL_CTX_up_ref(tls);
        bw_loop_send(&server->loops[i], (struct bw_loop_message){.kind = BW_LOOP_CERTIFICATE, .tls = tls});
    }
    __atomic_store_n(&server->certificate_ends_s, ends_s, __ATOMIC_RELAXED);
    return 0;
}

void bw_server_set_ready(struct bw_server *server, const char *check, bool ready, const char *why)
{
    pthread_mutex_lock(&server->lock);
    size_t i = 0;
    while (i < server->n_checks && strcmp(server->checks[i].name, check) != 0) {
        i++;
    }
    if (i < BW_MAX_CHECKS) {
        struct bw_check *entry = &server->checks[i];
        server->n_checks = i == server->n_checks ? i + 1 : server->n_checks;
        (void)snprintf(entry->name, sizeof(entry->name), "%.31s", check);
        (void)snprintf(entry->why, sizeof(entry->why), "%.159s", why == NULL ? "" : why);
        entry->ready = ready;
    }
    pthread_mutex_unlock(&server->lock);
}
