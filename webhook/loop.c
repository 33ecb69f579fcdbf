/* One event loop: messages from other threads, connections handed over, deadlines, slow clients, the drain. */
#include "webhook/loop.h"

#include "base/limits.h"

#include <errno.h>
#include <h2o/http1.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT_BATCH = 16, SLOW_S = 10, HANDSHAKE_MS = 5000, LEAVE_MS = 1000, MAX_PLAIN = 100, MAX_SWEPT = 256 };

/* ---- messages ---- */

static void on_close(void *data)
{
    (void)__atomic_sub_fetch((unsigned *)data, 1, __ATOMIC_RELAXED);
}

static void drop_message(struct bw_loop *loop, struct bw_loop_message *message)
{
    if (message->kind == BW_LOOP_CONNECTION) {
        (void)close(message->fd);
        on_close(&loop->connections);
    }
    SSL_CTX_free(message->tls);
    free(message);
}

void bw_loop_send(struct bw_loop *loop, struct bw_loop_message message)
{
    struct bw_loop_message *copy = malloc(sizeof(*copy));
    if (copy == NULL) {
        abort();
    }
    *copy = message;
    copy->super = (h2o_multithread_message_t){{NULL, NULL}};
    pthread_mutex_lock(&loop->server->lock);
    bool sent = loop->receiving;
    if (sent) {
        h2o_multithread_send_message(&loop->receiver, &copy->super);
    }
    pthread_mutex_unlock(&loop->server->lock);
    if (!sent) {
        drop_message(loop, copy);
    }
}

static void on_job(struct bw_loop *loop, uint64_t job)
{
    for (h2o_linklist_t *at = loop->parked.next, *next = NULL; at != &loop->parked; at = next) {
        struct bw_parked *parked = H2O_STRUCT_FROM_MEMBER(struct bw_parked, link, at);
        next = at->next;
        for (size_t i = 0; i < parked->n_jobs; i++) {
            if (parked->jobs[i] == job) {
                bw_parked_step(parked);
                break;
            }
        }
    }
}

static void adopt(struct bw_loop *loop, int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    h2o_socket_t *sock = h2o_evloop_socket_create(loop->context.loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    sock->on_close.cb = on_close;
    sock->on_close.data = &loop->connections;
    h2o_accept(&loop->webhook, sock);
}

static void replace_certificate(struct bw_loop *loop, SSL_CTX *tls)
{
    for (size_t i = 0; i < BW_RETIRED; i++) {
        struct bw_retired_tls *retired = &loop->retired[i];
        if (retired->tls == NULL) {
            *retired = (struct bw_retired_tls){loop->webhook.ssl_ctx, bw_monotonic_ms() + HANDSHAKE_MS + 2000};
            loop->webhook.ssl_ctx = tls;
            return;
        }
    }
    SSL_CTX_free(tls); /* sixteen replacements within seven seconds: the next one will be taken */
}

static void close_listener(struct bw_listener *listener)
{
    if (listener->socket != NULL) {
        h2o_socket_read_stop(listener->socket);
        h2o_socket_close(listener->socket);
        listener->socket = NULL;
        listener->fd = -1;
    }
}

static void drain(struct bw_loop *loop)
{
    if (loop->number == 0) {
        close_listener(&loop->server->webhook);
    }
    loop->draining = true;
    h2o_context_request_shutdown(&loop->context);
}

static void on_messages(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct bw_loop *loop = H2O_STRUCT_FROM_MEMBER(struct bw_loop, receiver, receiver);
    while (!h2o_linklist_is_empty(messages)) {
        struct bw_loop_message *message = H2O_STRUCT_FROM_MEMBER(struct bw_loop_message, super.link, messages->next);
        h2o_linklist_unlink(&message->super.link);
        if (loop->quit) {
            drop_message(loop, message);
            continue;
        }
        switch (message->kind) {
        case BW_LOOP_JOB:
            on_job(loop, message->job);
            bw_debug_step(loop, message->job);
            bw_late_step(loop, message->job);
            break;
        case BW_LOOP_CONNECTION:
            adopt(loop, message->fd);
            break;
        case BW_LOOP_CERTIFICATE:
            replace_certificate(loop, message->tls);
            break;
        case BW_LOOP_DRAIN:
            drain(loop);
            break;
        case BW_LOOP_QUIT:
            loop->quit = true;
            break;
        }
        free(message);
    }
}

/* ---- accepting: loop 0 takes all, the loop with the fewest connections gets each ---- */

static struct bw_loop *emptiest(struct bw_server *server, unsigned *total)
{
    struct bw_loop *best = &server->loops[0];
    *total = 0;
    for (unsigned i = 0; i < server->n_loops; i++) {
        struct bw_loop *loop = &server->loops[i];
        unsigned n = __atomic_load_n(&loop->connections, __ATOMIC_RELAXED);
        *total += n;
        best = n < __atomic_load_n(&best->connections, __ATOMIC_RELAXED) ? loop : best;
    }
    return best;
}

static void on_accept_webhook(h2o_socket_t *socket, const char *err)
{
    struct bw_listener *listener = socket->data;
    struct bw_server *server = listener->server;
    for (int i = 0; err == NULL && i < ACCEPT_BATCH; i++) {
        int fd = accept4(h2o_socket_get_fd(socket), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        unsigned total = 0;
        if (fd < 0) {
            return;
        }
        struct bw_loop *loop = emptiest(server, &total);
        if (total >= server->max_connections) {
            (void)close(fd);
            continue;
        }
        (void)__atomic_add_fetch(&loop->connections, 1, __ATOMIC_RELAXED);
        if (loop->number == 0) {
            adopt(loop, fd);
        } else {
            bw_loop_send(loop, (struct bw_loop_message){.kind = BW_LOOP_CONNECTION, .fd = fd});
        }
    }
}

static void on_accept_plain(h2o_socket_t *socket, const char *err)
{
    struct bw_listener *listener = socket->data;
    for (int i = 0; err == NULL && i < ACCEPT_BATCH; i++) {
        h2o_socket_t *sock = h2o_evloop_socket_accept(socket);
        if (sock == NULL) {
            return;
        }
        if (listener->connections >= MAX_PLAIN) {
            h2o_socket_close(sock);
            continue;
        }
        listener->connections++;
        sock->on_close.cb = on_close;
        sock->on_close.data = &listener->connections;
        h2o_accept(&listener->accept, sock);
    }
}

void bw_listener_start(struct bw_listener *listener, struct bw_loop *loop)
{
    bool webhook = listener == &loop->server->webhook;
    listener->socket = h2o_evloop_socket_create(loop->context.loop, listener->fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->socket->data = listener;
    listener->accept = (h2o_accept_ctx_t){.ctx = &loop->context, .hosts = listener->hosts};
    h2o_socket_read_start(listener->socket, webhook ? on_accept_webhook : on_accept_plain);
}

/* ---- time ---- */

struct bodies {
    size_t total;
    struct {
        int fd;
        size_t bytes;
    } largest[16]; /* that still arrive */
    size_t n_largest;
};

static int weigh_connection(h2o_req_t *req, void *data)
{
    struct bodies *bodies = data;
    h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
    size_t bytes = socket == NULL || socket->input == NULL ? 0 : socket->input->size, least = 0;
    bodies->total += bytes;
    if (bytes == 0 || req->processed_at.at.tv_sec != 0) {
        return 0;
    }
    for (size_t i = 1; i < bodies->n_largest; i++) {
        least = bodies->largest[i].bytes < bodies->largest[least].bytes ? i : least;
    }
    if (bodies->n_largest < BW_LENGTH(bodies->largest)) {
        least = bodies->n_largest++;
    } else if (bodies->largest[least].bytes >= bytes) {
        return 0;
    }
    bodies->largest[least].fd = h2o_socket_get_fd(socket);
    bodies->largest[least].bytes = bytes;
    return 0;
}

/* H2O holds every body whole: what arrives beyond this loop's share is cut, the largest first. */
static void bound_bodies(struct bw_loop *loop)
{
    struct bodies bodies = {0};
    size_t share = BW_MAX_BODIES_IN_FLIGHT / loop->server->n_loops;
    share = share < loop->server->max_request_bytes ? loop->server->max_request_bytes : share;
    (void)H2O_HTTP1_CALLBACKS.foreach_request(&loop->context, weigh_connection, &bodies);
    while (bodies.total > share && bodies.n_largest > 0) {
        size_t most = 0;
        for (size_t i = 1; i < bodies.n_largest; i++) {
            most = bodies.largest[i].bytes > bodies.largest[most].bytes ? i : most;
        }
        (void)shutdown(bodies.largest[most].fd, SHUT_RDWR);
        bodies.total -= bodies.largest[most].bytes;
        bodies.largest[most] = bodies.largest[--bodies.n_largest];
    }
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    struct bw_loop *loop = H2O_STRUCT_FROM_MEMBER(struct bw_loop, tick, entry);
    __atomic_store_n(&loop->last_tick_ms, bw_monotonic_ms(), __ATOMIC_RELAXED);
    for (h2o_linklist_t *at = loop->parked.next, *next = NULL; at != &loop->parked; at = next) {
        struct bw_parked *parked = H2O_STRUCT_FROM_MEMBER(struct bw_parked, link, at);
        next = at->next;
        if (bw_deadline_passed(parked->deadline)) {
            bw_parked_finish(parked, BW_END_DEADLINE);
        }
    }
    if (__atomic_load_n(&loop->connections, __ATOMIC_RELAXED) > 0) {
        bound_bodies(loop);
    }
    h2o_timeout_link(loop->context.loop, &loop->context.hundred_ms_timeout, &loop->tick);
}

struct sweep {
    int64_t now_s;
    bool draining, all; /* all: but those whose answer is being written */
    int fds[MAX_SWEPT];
    size_t n;
};

/* A request whose head or body, or whose reader, is too slow; in a drain also a connection that idles. */
static int judge_connection(h2o_req_t *req, void *data)
{
    struct sweep *sweep = data;
    int64_t begun = req->timestamps.request_begin_at.tv_sec, taken = req->processed_at.at.tv_sec;
    int64_t answered = req->timestamps.response_start_at.tv_sec;
    bool slow = begun == 0     ? sweep->draining
                : taken == 0   ? sweep->now_s - begun > SLOW_S
                : answered > 0 ? sweep->now_s - answered > SLOW_S
                               : false;
    slow = slow || (sweep->all && answered == 0);
    if (slow && sweep->n < MAX_SWEPT) {
        sweep->fds[sweep->n++] = h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn));
    }
    return 0;
}

static void sweep_connections(struct bw_loop *loop, bool all)
{
    struct sweep sweep = {.now_s = bw_wall_s(), .draining = loop->draining, .all = all};
    (void)H2O_HTTP1_CALLBACKS.foreach_request(&loop->context, judge_connection, &sweep);
    for (size_t i = 0; i < sweep.n; i++) { /* the loop sees the end of file and disposes of the rest itself */
        (void)shutdown(sweep.fds[i], SHUT_RDWR);
    }
}

/* A parked socket is not read, so H2O does not notice that its client went away; the kernel does. */
static void drop_abandoned(struct bw_loop *loop)
{
    for (h2o_linklist_t *at = loop->parked.next, *next = NULL; at != &loop->parked; at = next) {
        struct bw_parked *parked = H2O_STRUCT_FROM_MEMBER(struct bw_parked, link, at);
        h2o_socket_t *socket = parked->req->conn->callbacks->get_socket(parked->req->conn);
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);
        next = at->next;
        if (getsockopt(h2o_socket_get_fd(socket), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
            info.tcpi_state != TCP_ESTABLISHED) {
            bw_parked_drop(parked);
        }
    }
}

static void on_second(h2o_timeout_entry_t *entry)
{
    struct bw_loop *loop = H2O_STRUCT_FROM_MEMBER(struct bw_loop, second, entry);
    sweep_connections(loop, false);
    drop_abandoned(loop);
    for (size_t i = 0; i < BW_RETIRED; i++) {
        if (loop->retired[i].tls != NULL && bw_monotonic_ms() > loop->retired[i].free_at_ms) {
            SSL_CTX_free(loop->retired[i].tls);
            loop->retired[i].tls = NULL;
        }
    }
    h2o_timeout_link(loop->context.loop, &loop->context.one_sec_timeout, &loop->second);
}

/* ---- life ---- */

static void set_receiving(struct bw_loop *loop, bool receiving)
{
    pthread_mutex_lock(&loop->server->lock);
    if (receiving) {
        loop->webhook.ssl_ctx = loop->server->tls;
        (void)SSL_CTX_up_ref(loop->server->tls);
    }
    loop->receiving = receiving;
    pthread_cond_broadcast(&loop->server->wake);
    pthread_mutex_unlock(&loop->server->lock);
}

static void begin(struct bw_loop *loop)
{
    struct bw_server *server = loop->server;
    h2o_socket_buffer_prototype._initial_buf.capacity = 64 * 1024; /* reviews of 40 KiB arrive without copies */
    h2o_context_init(&loop->context, h2o_evloop_create(), &server->conf);
    h2o_multithread_register_receiver(loop->context.queue, &loop->receiver, on_messages);
    h2o_linklist_init_anchor(&loop->parked);
    h2o_linklist_init_anchor(&loop->asked);
    h2o_linklist_init_anchor(&loop->late);
    loop->webhook = (h2o_accept_ctx_t){.ctx = &loop->context, .hosts = server->webhook.hosts};
    loop->tick.cb = on_tick;
    loop->second.cb = on_second;
    h2o_timeout_link(loop->context.loop, &loop->context.hundred_ms_timeout, &loop->tick);
    h2o_timeout_link(loop->context.loop, &loop->context.one_sec_timeout, &loop->second);
    __atomic_store_n(&loop->last_tick_ms, bw_monotonic_ms(), __ATOMIC_RELAXED);
    set_receiving(loop, true);
    if (loop->number == 0) {
        bw_listener_start(&server->webhook, loop);
        bw_listener_start(&server->health, loop);
        bw_listener_start(&server->metrics, loop);
        if (server->debug.fd >= 0) {
            bw_listener_start(&server->debug, loop);
        }
    }
}

static unsigned open_connections(const struct bw_loop *loop)
{
    unsigned n = __atomic_load_n(&loop->connections, __ATOMIC_RELAXED);
    const struct bw_server *server = loop->server;
    return loop->number != 0 ? n
                             : n + server->health.connections + server->metrics.connections + server->debug.connections;
}

/* The end: what is parked is answered with what is known, everything else is cut. */
static void leave(struct bw_loop *loop)
{
    struct bw_deadline end = bw_deadline_in_ms(LEAVE_MS);
    loop->draining = true;
    while (!h2o_linklist_is_empty(&loop->parked)) {
        bw_parked_finish(H2O_STRUCT_FROM_MEMBER(struct bw_parked, link, loop->parked.next), BW_END_DEADLINE);
    }
    bw_debug_leave(loop);
    while (open_connections(loop) > 0 && !bw_deadline_passed(end)) {
        sweep_connections(loop, true);
        (void)h2o_evloop_run(loop->context.loop, 20);
    }
}

static void dispose(struct bw_loop *loop)
{
    if (loop->number == 0) {
        close_listener(&loop->server->webhook);
        close_listener(&loop->server->health);
        close_listener(&loop->server->metrics);
        close_listener(&loop->server->debug);
    }
    set_receiving(loop, false);
    bw_late_leave(loop);
    (void)h2o_evloop_run(loop->context.loop, 0); /* messages sent until now; closed sockets are freed here */
    for (size_t i = 0; i < BW_RETIRED; i++) {
        SSL_CTX_free(loop->retired[i].tls);
    }
    SSL_CTX_free(loop->webhook.ssl_ctx);
    if (open_connections(loop) != 0) {
        pthread_mutex_lock(&loop->server->lock);
        loop->server->held = true;
        pthread_mutex_unlock(&loop->server->lock);
        return;
    }
    h2o_timeout_unlink(&loop->tick);
    h2o_timeout_unlink(&loop->second);
    if (h2o_timeout_is_linked(&loop->context.http2._graceful_shutdown_timeout)) {
        h2o_timeout_unlink(&loop->context.http2._graceful_shutdown_timeout);
    }
    h2o_multithread_unregister_receiver(loop->context.queue, &loop->receiver);
    h2o_evloop_t *evloop = loop->context.loop;
    h2o_context_dispose(&loop->context);
    h2o_evloop_destroy(evloop);
}

void *bw_loop_run(void *payload)
{
    struct bw_loop *loop = payload;
    begin(loop);
    while (!loop->quit) {
        (void)h2o_evloop_run(loop->context.loop, INT32_MAX);
    }
    leave(loop);
    dispose(loop);
    return NULL;
}
