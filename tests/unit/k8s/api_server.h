/* The server side of a test of an API client: a folder as a service account has it, a TLS listener on the loopback
 * address that KUBERNETES_SERVICE_HOST and _PORT name, and one request read a connection. */
#ifndef TESTS_UNIT_K8S_API_SERVER_H
#define TESTS_UNIT_K8S_API_SERVER_H

#include "base/certificate.h"
#include "base/limits.h"
#include "base/watch_dir.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct api_server {
    char folder[64];
    struct bw_arena arena; /* the test's too */
    SSL_CTX *context;
    int listener;
    unsigned port;
};

static void api_server_put(const struct api_server *server, const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", server->folder, name);
    assert_int_equal(bw_file_write(path, text, strlen(text), 0600, NULL), 0);
}

static void api_server_begin(struct api_server *server)
{
    static const char *const addresses[] = {"127.0.0.1", NULL};
    const struct bw_certificate_request of_ca = {.common_name = "cluster", .lifetime_s = 86400};
    const struct bw_certificate_request of_leaf = {.common_name = "api", .addresses = addresses, .lifetime_s = 86400};
    const char *ca = NULL, *ca_key = NULL, *leaf = NULL, *key = NULL;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char port[8], path[128];
    (void)signal(SIGPIPE, SIG_IGN);
    bw_arena_init(&server->arena, BW_MIB);
    (void)snprintf(server->folder, sizeof(server->folder), "/tmp/breakwater-api-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    assert_int_equal(bw_certificate_make_ca(&ca, &ca_key, &of_ca, &server->arena, NULL), 0);
    assert_int_equal(bw_certificate_make_leaf(&leaf, &key, &of_leaf, ca, ca_key, &server->arena, NULL), 0);
    api_server_put(server, "ca.crt", ca);
    api_server_put(server, "tls.crt", leaf);
    api_server_put(server, "tls.key", key);
    server->context = SSL_CTX_new(TLS_server_method());
    (void)snprintf(path, sizeof(path), "%s/tls.crt", server->folder);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(server->context, path), 1);
    (void)snprintf(path, sizeof(path), "%s/tls.key", server->folder);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(server->context, path, SSL_FILETYPE_PEM), 1);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    (void)snprintf(port, sizeof(port), "%u", server->port);
    (void)setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1", 1);
    (void)setenv("KUBERNETES_SERVICE_PORT", port, 1);
}

static void api_server_end(struct api_server *server)
{
    DIR *files = opendir(server->folder);
    const struct dirent *file = NULL;
    assert_non_null(files);
    while ((file = readdir(files)) != NULL) {
        (void)unlinkat(dirfd(files), file->d_name, 0);
    }
    (void)closedir(files);
    (void)rmdir(server->folder);
    (void)close(server->listener);
    SSL_CTX_free(server->context);
    bw_arena_clear(&server->arena);
}

/* The next connection after its handshake, NULL when that failed. Owner: caller, api_server_close. */
static SSL *api_server_accept(const struct api_server *server)
{
    int fd = accept(server->listener, NULL, NULL);
    SSL *ssl = SSL_new(server->context);
    (void)SSL_set_fd(ssl, fd);
    if (fd >= 0 && SSL_accept(ssl) == 1) {
        return ssl;
    }
    SSL_free(ssl);
    (void)close(fd);
    return NULL;
}

static void api_server_close(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    (void)close(fd);
}

/* The head of the connection's request and what came with it, cut at the capacity. */
static void api_server_read(char *into, size_t capacity, SSL *ssl)
{
    size_t len = 0;
    into[0] = '\0';
    for (int got; len + 1 < capacity && (got = SSL_read(ssl, into + len, (int)(capacity - 1 - len))) > 0;) {
        len += (size_t)got;
        into[len] = '\0';
        if (strstr(into, "\r\n\r\n") != NULL) {
            break;
        }
    }
}

#endif
