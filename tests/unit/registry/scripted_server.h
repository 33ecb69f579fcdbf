#ifndef BW_TESTS_SCRIPTED_SERVER_H
#define BW_TESTS_SCRIPTED_SERVER_H

/*
 * A plain HTTP server on 127.0.0.1 that plays a script: each request must be the next step's, and gets its reply. What
 * does not fit is noted, answered with 599 and found by scripted_stop(). For the unit tests of base/http and the
 * registry.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct scripted_step {
    const char *request; /* "GET /v2/" */
    const char *has;     /* must occur in the request's head or body; NULL */
    const char *lacks;   /* must not; NULL */
    /* Status line and headers; $A and $B are the ports of the first and the second server. Content-Length is added
     * when there is a body. */
    const char *reply;
    const char *body;
    size_t cut;   /* only so much of the body is sent, then the connection is closed */
    int wait_ms;  /* before the reply; ends early when the server is stopped */
    bool open;    /* no Content-Length: the connection's end is the body's */
    bool endless; /* the body, chunked, again and again */
    bool any;     /* stays the current step for all requests that follow */
};

#define SCRIPTED(request_, has_, lacks_, reply_, body_)                                                                \
    {                                                                                                                  \
        .request = (request_), .has = (has_), .lacks = (lacks_), .reply = (reply_), .body = (body_)                    \
    }

enum { SCRIPTED_CONNECTIONS = 64 };

struct scripted_server {
    const struct scripted_step *steps; /* ends with request NULL */
    size_t at;
    int listener, stop_pipe[2];
    unsigned ports[2];
    unsigned n_connections;
    pthread_t acceptor, threads[SCRIPTED_CONNECTIONS];
    pthread_mutex_t lock;
    char fault[2048];
};

struct scripted_connection {
    struct scripted_server *server;
    int fd;
};

static inline bool scripted_wait(struct scripted_server *server, int fd, int ms)
{
    struct pollfd polled[2] = {{.fd = server->stop_pipe[0], .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int n = poll(polled, fd < 0 ? 1 : 2, ms);
    return n >= 0 && (polled[0].revents & POLLIN) == 0;
}

static inline bool scripted_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* The head of the step's reply with the ports in it. */
static inline size_t scripted_head(char *out, size_t size, const struct scripted_server *server,
                                   const struct scripted_step *step)
{
    size_t n = 0;
    for (const char *c = step->reply; *c != '\0' && n + 64 < size; c++) {
        if (c[0] == '$' && (c[1] == 'A' || c[1] == 'B')) {
            n += (size_t)snprintf(out + n, size - n, "%u", server->ports[*++c == 'B']);
        } else {
            out[n++] = *c;
        }
    }
    if (step->body != NULL && !step->endless && !step->open) {
        n += (size_t)snprintf(out + n, size - n, "Content-Length: %zu\r\n", strlen(step->body));
    }
    return n + (size_t)snprintf(out + n, size - n, "\r\n");
}

static inline bool scripted_reply(struct scripted_server *server, int fd, const struct scripted_step *step, bool head)
{
    char text[4096];
    if (step->wait_ms > 0 && !scripted_wait(server, -1, step->wait_ms)) {
        return false;
    }
    if (!scripted_send(fd, text, scripted_head(text, sizeof(text), server, step))) {
        return false;
    }
    size_t len = step->body == NULL || head ? 0 : strlen(step->body);
    while (step->endless && len > 0) {
        int n = snprintf(text, sizeof(text), "%zx\r\n", len);
        if (!scripted_send(fd, text, (size_t)n) || !scripted_send(fd, step->body, len) ||
            !scripted_send(fd, "\r\n", 2)) {
            return false;
        }
    }
    if (step->cut > 0) {
        (void)scripted_send(fd, step->body, step->cut);
        return false;
    }
    return scripted_send(fd, step->body, len) && !step->open && strstr(step->reply, "Connection: close") == NULL;
}

static inline const struct scripted_step *scripted_match(struct scripted_server *server, const char *request)
{
    static const struct scripted_step wrong = {.reply = "HTTP/1.1 599 Not in the script\r\n", .body = ""};
    const struct scripted_step *step = &server->steps[server->at];
    const char *why = NULL;
    (void)pthread_mutex_lock(&server->lock);
    step = &server->steps[server->at];
    if (step->request == NULL) {
        why = "nothing more";
    } else if (strncmp(request, step->request, strlen(step->request)) != 0 || request[strlen(step->request)] != ' ') {
        why = step->request;
    } else if (step->has != NULL && strstr(request, step->has) == NULL) {
        why = step->has;
    } else if (step->lacks != NULL && strstr(request, step->lacks) != NULL) {
        why = step->lacks;
    }
    if (why != NULL && server->fault[0] == '\0') {
        (void)snprintf(server->fault, sizeof(server->fault), "step %zu (%s) met: %.1500s", server->at, why, request);
    }
    if (why == NULL && !step->any) {
        server->at++;
    }
    (void)pthread_mutex_unlock(&server->lock);
    return why == NULL ? step : &wrong;
}

/* One request, head and body; 0 at the end. */
static inline size_t scripted_read(struct scripted_server *server, int fd, char *text, size_t size)
{
    size_t len = 0, whole = 0;
    while (len + 1 < size && (whole == 0 || len < whole)) {
        if (!scripted_wait(server, fd, -1)) {
            return 0;
        }
        ssize_t got = recv(fd, text + len, size - 1 - len, 0);
        if (got <= 0) {
            return 0;
        }
        len += (size_t)got;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        if (end != NULL && whole == 0) {
            const char *length = strcasestr(text, "\r\nContent-Length:");
            whole = (size_t)(end + 4 - text) + (length == NULL ? 0 : strtoul(length + 17, NULL, 10));
        }
    }
    return len;
}

static inline void *scripted_talk(void *opaque)
{
    struct scripted_connection *connection = opaque;
    char text[16384];
    while (scripted_read(connection->server, connection->fd, text, sizeof(text)) > 0) {
        const struct scripted_step *step = scripted_match(connection->server, text);
        if (!scripted_reply(connection->server, connection->fd, step, strncmp(text, "HEAD ", 5) == 0)) {
            break;
        }
    }
    (void)shutdown(connection->fd, SHUT_RDWR);
    (void)close(connection->fd);
    free(connection);
    return NULL;
}

static inline void *scripted_accept(void *opaque)
{
    struct scripted_server *server = opaque;
    while (server->n_connections < SCRIPTED_CONNECTIONS && scripted_wait(server, server->listener, -1)) {
        int fd = accept(server->listener, NULL, NULL);
        struct scripted_connection *connection = fd < 0 ? NULL : malloc(sizeof(*connection));
        if (connection != NULL) {
            *connection = (struct scripted_connection){server, fd};
            if (pthread_create(&server->threads[server->n_connections], NULL, scripted_talk, connection) == 0) {
                server->n_connections++;
            }
        }
    }
    return NULL;
}

/* Two steps, because the scripts name each other's ports. */
static inline unsigned scripted_listen(struct scripted_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    memset(server, 0, sizeof(*server));
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->listener, (struct sockaddr *)&address, size) != 0 || listen(server->listener, 64) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0 || pipe(server->stop_pipe) != 0) {
        abort();
    }
    (void)pthread_mutex_init(&server->lock, NULL);
    return ntohs(address.sin_port);
}

static inline void scripted_start(struct scripted_server *server, unsigned a, unsigned b,
                                  const struct scripted_step *steps)
{
    server->steps = steps;
    server->ports[0] = a;
    server->ports[1] = b;
    if (pthread_create(&server->acceptor, NULL, scripted_accept, server) != 0) {
        abort();
    }
}

/* "" when the whole script was played, else what was amiss. */
static inline const char *scripted_stop(struct scripted_server *server)
{
    if (write(server->stop_pipe[1], "x", 1) != 1) {
        abort();
    }
    (void)pthread_join(server->acceptor, NULL);
    for (unsigned i = 0; i < server->n_connections; i++) {
        (void)pthread_join(server->threads[i], NULL);
    }
    (void)close(server->listener);
    (void)close(server->stop_pipe[0]);
    (void)close(server->stop_pipe[1]);
    (void)pthread_mutex_destroy(&server->lock);
    const struct scripted_step *rest = &server->steps[server->at];
    if (server->fault[0] == '\0' && rest->request != NULL && !rest->any) {
        (void)snprintf(server->fault, sizeof(server->fault), "step %zu (%s) was not asked for", server->at,
                       rest->request);
    }
    return server->fault;
}

#endif
