/* k8s/client against a TLS server that plays a script: one request a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/certificate.h"
#include "base/limits.h"
#include "base/watch_dir.h"
#include "k8s/client.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS = 6 };

struct step {
    const char *has;    /* in the request */
    const char *reply;  /* head's first lines; "" ends the steps */
    const char *body;   /* NULL: the body never ends */
    const char *rotate; /* the token's file says this from now on */
};

static struct {
    char folder[64];
    struct bw_arena arena;
    SSL_CTX *context;
    int listener;
    unsigned port;
    const struct step *steps;
    char fault[256];
} rig;

static void put(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", rig.folder, name);
    assert_int_equal(bw_file_write(path, text, strlen(text), 0600, NULL), 0);
}

static void serve_one(SSL *ssl, const struct step *step)
{
    char text[8192], head[512];
    size_t len = 0;
    for (int got; len + 1 < sizeof(text) && (got = SSL_read(ssl, text + len, (int)(sizeof(text) - 1 - len))) > 0;) {
        len += (size_t)got;
        text[len] = '\0';
        if (strstr(text, "\r\n\r\n") != NULL) {
            break;
        }
    }
    text[len] = '\0';
    if (strstr(text, step->has) == NULL) {
        (void)snprintf(rig.fault, sizeof(rig.fault), "no %.100s in the request", step->has);
    }
    if (step->rotate != NULL) {
        put("token", step->rotate);
    }
    int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nConnection: close\r\n", step->reply);
    n += step->body != NULL ? snprintf(head + n, sizeof(head) - (size_t)n, "Content-Length: %zu\r\n\r\n%s",
                                       strlen(step->body), step->body)
                            : snprintf(head + n, sizeof(head) - (size_t)n, "\r\n{}\n");
    (void)SSL_write(ssl, head, n);
    while (step->body == NULL && SSL_read(ssl, text, sizeof(text)) > 0) {
    }
    (void)SSL_shutdown(ssl);
}

static void *serve(void *unused)
{
    (void)unused;
    for (const struct step *step = rig.steps; step->has != NULL; step++) {
        int fd = accept(rig.listener, NULL, NULL);
        SSL *ssl = SSL_new(rig.context);
        (void)SSL_set_fd(ssl, fd);
        if (fd >= 0 && SSL_accept(ssl) == 1) {
            serve_one(ssl, step);
        }
        SSL_free(ssl);
        (void)close(fd);
    }
    return NULL;
}

static int set_up(void **state)
{
    static const char *const addresses[] = {"127.0.0.1", NULL};
    const struct bw_certificate_request of_ca = {.common_name = "cluster", .lifetime_s = 86400};
    const struct bw_certificate_request of_leaf = {.common_name = "api", .addresses = addresses, .lifetime_s = 86400};
    const char *ca = NULL, *ca_key = NULL, *leaf = NULL, *key = NULL;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char port[8], template[] = "/tmp/breakwater-client-XXXXXX";
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    bw_arena_init(&rig.arena, BW_MIB);
    assert_non_null(mkdtemp(template));
    memcpy(rig.folder, template, sizeof(template));
    assert_int_equal(bw_certificate_make_ca(&ca, &ca_key, &of_ca, &rig.arena, NULL), 0);
    assert_int_equal(bw_certificate_make_leaf(&leaf, &key, &of_leaf, ca, ca_key, &rig.arena, NULL), 0);
    put("ca.crt", ca);
    put("tls.crt", leaf);
    put("tls.key", key);
    put("namespace", "shop");
    rig.context = SSL_CTX_new(TLS_server_method());
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/tls.crt", rig.folder);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(rig.context, path), 1);
    (void)snprintf(path, sizeof(path), "%s/tls.key", rig.folder);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(rig.context, path, SSL_FILETYPE_PEM), 1);
    rig.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(rig.listener, 8), 0);
    assert_int_equal(getsockname(rig.listener, (struct sockaddr *)&address, &size), 0);
    rig.port = ntohs(address.sin_port);
    (void)snprintf(port, sizeof(port), "%u", rig.port);
    (void)setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1", 1);
    (void)setenv("KUBERNETES_SERVICE_PORT", port, 1);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"ca.crt", "tls.crt", "tls.key", "namespace",
                                        "token",  "plugin",  "config",  "runs"};
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", rig.folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(rig.folder);
    (void)close(rig.listener);
    SSL_CTX_free(rig.context);
    bw_arena_clear(&rig.arena);
    return 0;
}

static struct bw_kube_client *client_of(void)
{
    struct bw_kube_client *client = NULL;
    struct bw_error err = {0};
    const struct bw_kube_options options = {.account_folder = rig.folder};
    put("token", "first-secret\n");
    if (bw_kube_client_create(&client, &options, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(bw_kube_client_namespace(client), "shop");
    return client;
}

static const struct {
    const char *name, *method;
    struct step steps[STEPS];
    enum bw_code code;
    const char *detail, *says;
} calls[] = {
    {"an answer", "GET", {{"Authorization: Bearer first-secret\r\n", "200 OK", "{\"a\":1}", NULL}}, BW_OK, "", ""},
    {"who asks", "GET", {{"User-Agent: breakwater/", "200 OK", "{}", NULL}}, BW_OK, "", ""},
    {"a token that was renewed meanwhile is read on 401",
     "POST",
     {{"Bearer first-secret", "401 Unauthorized", "{}", "second-secret"},
      {"Bearer second-secret", "201 Made", "{}", NULL}},
     BW_OK,
     "",
     ""},
    {"a second 401 is final",
     "GET",
     {{"first-secret", "401 Unauthorized", "{}", NULL},
      {"first-secret", "401 Unauthorized", "{\"message\":\"Unauthorized\"}", NULL}},
     BW_EDENIED,
     "",
     "GET /api/v1/x: 401: Unauthorized"},
    {"the server's words about what is forbidden",
     "GET",
     {{"GET /api/v1/x?y=1 ", "403 Forbidden", "{\"message\":\"may not list secrets\"}", NULL}},
     BW_EDENIED,
     "forbidden",
     "may not list secrets"},
    {"a GET is repeated when the server is busy",
     "GET",
     {{"GET", "429 Busy\r\nRetry-After: 0", "", NULL}, {"GET", "503 Away", "", NULL}, {"GET", "200 OK", "{}", NULL}},
     BW_OK,
     "",
     ""},
    {"nothing else is",
     "POST",
     {{"POST", "429 Busy\r\nRetry-After: 7", "", NULL}},
     BW_ERATELIMITED,
     "rate_limited",
     "429"},
    {"a redirect is not followed",
     "GET",
     {{"GET", "302 Found\r\nLocation: https://127.0.0.1:1/", "", NULL}},
     BW_EUNAVAILABLE,
     "",
     "302"},
    {"absent", "GET", {{"GET", "404 Not Found", "{}", NULL}}, BW_ENOTFOUND, "", "404"},
    {"gone", "GET", {{"GET", "410 Gone", "{}", NULL}}, BW_EUNAVAILABLE, "gone", "410"},
    {"conflict", "PUT", {{"PUT", "409 Conflict", "{}", NULL}}, BW_EUNAVAILABLE, "conflict", "409"},
    {"no JSON is not quoted", "GET", {{"GET", "200 OK", "first-secret", NULL}}, BW_EUNAVAILABLE, "", "is no JSON"},
};

static void calls_end_as_the_server_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(calls); i++) {
        struct bw_kube_client *client = client_of();
        struct bw_error err = {0};
        json_t *document = NULL;
        pthread_t server;
        const struct bw_kube_request request = {
            .method = calls[i].method, .path = "/api/v1/x?y=1", .deadline = bw_deadline_in_ms(60000)};
        rig.steps = calls[i].steps;
        rig.fault[0] = '\0';
        assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
        int status = bw_kube_call(&document, client, &request, &err);
        (void)pthread_join(server, NULL);
        if (status != (calls[i].code == BW_OK ? 0 : -1) || rig.fault[0] != '\0' ||
            (status != 0 && (err.code != calls[i].code || strcmp(err.detail, calls[i].detail) != 0 ||
                             strstr(err.message, calls[i].says) == NULL || strstr(err.message, "secret\"") != NULL ||
                             strstr(err.message, "first-secret") != NULL))) {
            fail_msg("%s: %d %s [%s] %s", calls[i].name, status, err.message, err.detail, rig.fault);
        }
        json_decref(document);
        bw_kube_client_destroy(client);
    }
}

static void *set_later(void *flag)
{
    (void)usleep(50000);
    __atomic_store_n((bool *)flag, true, __ATOMIC_RELEASE);
    return NULL;
}

static void a_flag_ends_a_watch(void **state)
{
    static const struct step steps[] = {{"watch=1", "200 OK", NULL, NULL}, {NULL, NULL, NULL, NULL}};
    struct bw_kube_client *client = client_of();
    struct bw_http_response *response = NULL;
    struct bw_error err = {0};
    char text[16];
    bool stop = false;
    pthread_t server, setter;
    const struct bw_kube_request request = {
        .method = "GET", .path = "/api/v1/x?watch=1", .deadline = bw_deadline_in_ms(60000)};
    (void)state;
    rig.steps = steps;
    assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
    assert_int_equal(bw_kube_open(&response, client, &request, &stop, &err), 0);
    assert_int_equal(bw_http_read(response, text, sizeof(text), &err), 3);
    assert_int_equal(pthread_create(&setter, NULL, set_later, &stop), 0);
    assert_int_equal(bw_http_read(response, text, sizeof(text), &err), -1);
    assert_string_equal(err.detail, "stopped");
    bw_http_close(response);
    (void)pthread_join(setter, NULL);
    (void)pthread_join(server, NULL);
    bw_kube_client_destroy(client);
}

/* Nobody listens there: what counts is whether a call gets its turn. */
static void who_gives_up_takes_no_turn(void **state)
{
    char port[8];
    struct bw_error err = {0};
    (void)state;
    (void)setenv("KUBERNETES_SERVICE_PORT", "1", 1);
    struct bw_kube_client *client = client_of();
    for (int i = 0; i < 2000; i++) {
        const struct bw_kube_request hasty = {
            .method = "PUT", .path = "/api/v1/x", .deadline = {bw_monotonic_ms() - 1}};
        assert_int_equal(bw_kube_call(NULL, client, &hasty, NULL), -1);
    }
    const struct bw_kube_request patient = {.method = "PUT", .path = "/api/v1/x"};
    assert_int_equal(bw_kube_call(NULL, client, &patient, &err), -1);
    assert_null(strstr(err.message, "is busy"));
    bw_kube_client_destroy(client);
    (void)snprintf(port, sizeof(port), "%u", rig.port);
    (void)setenv("KUBERNETES_SERVICE_PORT", port, 1);
}

static void faults_of_the_account_are_named(void **state)
{
    struct bw_kube_client *client = NULL;
    struct bw_error err = {0};
    const struct bw_kube_options options = {.account_folder = rig.folder};
    (void)state;
    put("token", "two words-secret");
    assert_int_equal(bw_kube_client_create(&client, &options, &err), -1);
    assert_non_null(strstr(err.message, "/token holds no token"));
    assert_null(strstr(err.message, "words-secret"));
    (void)unsetenv("KUBERNETES_SERVICE_PORT");
    assert_int_equal(bw_kube_client_create(&client, &options, &err), -1);
    assert_non_null(strstr(err.message, "not in a cluster"));
    (void)setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    (void)setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    put("token", "word");
    assert_int_equal(bw_kube_client_create(&client, &options, &err), 0); /* an address without brackets */
    bw_kube_client_destroy(client);
}

/* The first credential is refused; the program is asked for another. */
static void outside_a_cluster_a_kubeconfig_says_who_we_are(void **state)
{
    static const struct step steps[] = {{"GET /k8s/api/v1/x HTTP/1.1\r\n", "401 Unauthorized", "{}", "old"},
                                        {"Authorization: Bearer first-secret2\r\n", "200 OK", "{\"a\":1}", NULL},
                                        {NULL, NULL, NULL, NULL}};
    const struct bw_kube_request request = {.method = "GET", .path = "/api/v1/x", .deadline = bw_deadline_in_ms(60000)};
    struct bw_kube_client *client = NULL;
    struct bw_error err = {0};
    json_t *document = NULL;
    pthread_t server;
    char text[1024], path[128];
    (void)state;
    (void)snprintf(text, sizeof(text),
                   "#!/bin/sh\ncd '%s'\necho >>runs\n"
                   "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\","
                   "\"status\":{\"token\":\"first-secret'$(wc -l <runs)'\"}}'\n",
                   rig.folder);
    put("plugin", text);
    (void)snprintf(path, sizeof(path), "%s/plugin", rig.folder);
    assert_int_equal(chmod(path, 0700), 0);
    (void)snprintf(
        text, sizeof(text),
        "current-context: none\n"
        "contexts: [{name: c, context: {cluster: c, user: u, namespace: prod}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:%u/k8s/', certificate-authority: ca.crt}}]\n"
        "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./plugin}}}]\n",
        rig.port);
    put("config", text);
    (void)snprintf(path, sizeof(path), "%s/config", rig.folder);
    struct bw_kube_options options = {.outside = true, .kubeconfig = path};
    assert_int_equal(bw_kube_client_create(&client, &options, &err), -1);
    assert_non_null(strstr(err.message, "context \"none\": is not there"));
    options.context = "c";
    if (bw_kube_client_create(&client, &options, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(bw_kube_client_namespace(client), "prod");
    rig.steps = steps;
    rig.fault[0] = '\0';
    assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
    int status = bw_kube_call(&document, client, &request, &err);
    (void)pthread_join(server, NULL);
    if (status != 0 || rig.fault[0] != '\0') {
        fail_msg("%s %s", err.message, rig.fault);
    }
    json_decref(document);
    bw_kube_client_destroy(client);
}

static void a_token_that_cannot_change_is_refused_once(void **state)
{
    static const struct step steps[] = {{"Bearer first-secret\r\n", "401 Unauthorized", "{}", NULL},
                                        {NULL, NULL, NULL, NULL}};
    const struct bw_kube_request request = {.method = "GET", .path = "/api/v1/x"};
    struct bw_kube_client *client = NULL;
    struct bw_error err = {0};
    pthread_t server;
    char text[512], path[128];
    (void)state;
    (void)snprintf(text, sizeof(text),
                   "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
                   "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:%u', certificate-authority: ca.crt}}]\n"
                   "users: [{name: u, user: {token: first-secret}}]\n",
                   rig.port);
    put("config", text);
    (void)snprintf(path, sizeof(path), "%s/config", rig.folder);
    const struct bw_kube_options options = {.outside = true, .kubeconfig = path};
    assert_int_equal(bw_kube_client_create(&client, &options, &err), 0);
    rig.steps = steps;
    assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
    assert_int_equal(bw_kube_call(NULL, client, &request, &err), -1);
    (void)pthread_join(server, NULL);
    assert_int_equal(err.code, BW_EDENIED);
    bw_kube_client_destroy(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_end_as_the_server_says),
        cmocka_unit_test(a_flag_ends_a_watch),
        cmocka_unit_test(who_gives_up_takes_no_turn),
        cmocka_unit_test(outside_a_cluster_a_kubeconfig_says_who_we_are),
        cmocka_unit_test(a_token_that_cannot_change_is_refused_once),
        cmocka_unit_test(faults_of_the_account_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
