/*
 * The floor of an admission: a bare H2O handler that takes a POST over TLS and answers a fixed AdmissionReview.
 * bench_h2o CERTIFICATE KEY   prints the port it listens on.
 */
#include <arpa/inet.h>
#include <h2o.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>

static h2o_globalconf_t conf;
static h2o_context_t context;
static h2o_accept_ctx_t accept_context;
static h2o_hostconf_t *hosts[2];

static int answer(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    static h2o_generator_t generator = {NULL, NULL};
    static const char text[] =
        "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"response\":{\"uid\":"
        "\"00000000-0000-0000-0000-000000000000\",\"allowed\":true}}";
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = sizeof(text) - 1;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, H2O_STRLIT("application/json"));
    h2o_start_response(req, &generator);
    h2o_iovec_t body = h2o_iovec_init(text, sizeof(text) - 1);
    h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    if (err == NULL) {
        h2o_socket_t *sock = h2o_evloop_socket_accept(listener);
        if (sock != NULL) {
            h2o_accept(&accept_context, sock);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: bench_h2o CERTIFICATE KEY\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(tls, argv[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, argv[2], SSL_FILETYPE_PEM) != 1) {
        (void)fprintf(stderr, "bench_h2o: certificate or key not readable\n");
        return 2;
    }
    h2o_config_init(&conf);
    conf.http1.upgrade_to_http2 = 0;
    hosts[0] = h2o_config_register_host(&conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(hosts[0], "/", 0);
    h2o_handler_t *handler = h2o_create_handler(path, sizeof(*handler));
    handler->on_req = answer;
    h2o_context_init(&context, h2o_evloop_create(), &conf);
    accept_context.ctx = &context;
    accept_context.hosts = hosts;
    accept_context.ssl_ctx = tls;

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        perror("bench_h2o");
        return 2;
    }
    printf("%d\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    h2o_socket_t *listener = h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(listener, on_accept);
    while (h2o_evloop_run(context.loop, INT32_MAX) == 0) {
    }
    return 0;
}
