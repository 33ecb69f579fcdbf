/* k8s/client against a TLS server that plays a script: one request a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "k8s/client.h"
#include "tests/unit/k8s/api_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STEPS = 6 };

struct step {
    const char *has;    /* in the request */
    const char *reply;  /* head's first lines; "" ends the steps */
    const char *body;   /* NULL: the body never ends */
    const char *rotate; /* the token's file says this from now on */
};

static struct {
    struct api_server server;
    const struct step *steps;
    char fault[256];
} rig;

static void serve_one(SSL *ssl, const struct step *step)
{
    char text[8192], head[512];
    api_server_read(text, sizeof(text), ssl);
    if (strstr(text, step->has) == NULL) {
        (void)snprintf(rig.fault, sizeof(rig.fault), "no %.100s in the request", step->has);
    }
    if (step->rotate != NULL) {
        api_server_put(&rig.server, "token", step->rotate);
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
        SSL *ssl = api_server_accept(&rig.server);
        if (ssl != NULL) {
            serve_one(ssl, step);
            api_server_close(ssl);
        }
    }
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    api_server_begin(&rig.server);
    api_server_put(&rig.server, "namespace", "shop");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    api_server_end(&rig.server);
    return 0;
}

static struct bw_kube_client *client_of(void)
{
    struct bw_kube_client *client = NULL;
    struct bw_error err = {0};
    const struct bw_kube_options options = {.account_folder = rig.server.folder};
    api_server_put(&rig.server, "token", "first-secret\n");
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
    (void)snprintf(port, sizeof(port), "%u", rig.server.port);
    (void)setenv("KUBERNETES_SERVICE_PORT", port, 1);
}

static void faults_of_the_account_are_named(void **state)
{
    struct bw_kube_client *client = NULL;
    struct bw_error err = {0};
    const struct bw_kube_options options = {.account_folder = rig.server.folder};
    (void)state;
    api_server_put(&rig.server, "token", "two words-secret");
    assert_int_equal(bw_kube_client_create(&client, &options, &err), -1);
    assert_non_null(strstr(err.message, "/token holds no token"));
    assert_null(strstr(err.message, "words-secret"));
    (void)unsetenv("KUBERNETES_SERVICE_PORT");
    assert_int_equal(bw_kube_client_create(&client, &options, &err), -1);
    assert_non_null(strstr(err.message, "not in a cluster"));
    (void)setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    (void)setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    api_server_put(&rig.server, "token", "word");
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
                   rig.server.folder);
    api_server_put(&rig.server, "plugin", text);
    (void)snprintf(path, sizeof(path), "%s/plugin", rig.server.folder);
    assert_int_equal(chmod(path, 0700), 0);
    (void)snprintf(
        text, sizeof(text),
        "current-context: none\n"
        "contexts: [{name: c, context: {cluster: c, user: u, namespace: prod}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:%u/k8s/', certificate-authority: ca.crt}}]\n"
        "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./plugin}}}]\n",
        rig.server.port);
    api_server_put(&rig.server, "config", text);
    (void)snprintf(path, sizeof(path), "%s/config", rig.server.folder);
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
                   rig.server.port);
    api_server_put(&rig.server, "config", text);
    (void)snprintf(path, sizeof(path), "%s/config", rig.server.folder);
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
