/* The server by real sockets: TLS, keep-alive, limits, waiting, deadlines, overload, certificates, the drain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes.h"

#include "base/certificate.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "webhook/server.h"
#include "webhook/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* The system's H2O is not instrumented: its reads through interceptors look like races between its own threads. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:libh2o-evloop.so\n";
}

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\nleak:h2o_multithread_create_queue\n"; /* H2O keeps these for the process */
}

static char folder[] = "bw-server-XXXXXX";
static struct fake_services services;
static struct bw_server *server;
static pthread_t thread;
static SSL_CTX *client;
static struct bw_arena arena;
static const char *ca_certificate, *ca_key;

/* ---- certificate and server ---- */

static const char *path_of(const char *name)
{
    return bw_arena_printf(&arena, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    struct bw_error err = {0};
    if (bw_file_write(path_of(name), text, strlen(text), 0600, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static void write_certificate(const char *name, int64_t lifetime_s, bool with_key)
{
    static const char *const names[] = {"localhost", NULL};
    const struct bw_certificate_request request = {name, names, NULL, lifetime_s};
    const char *certificate = NULL, *key = NULL;
    struct bw_error err = {0};
    if (bw_certificate_make_leaf(&certificate, &key, &request, ca_certificate, ca_key, &arena, &err) != 0) {
        fail_msg("%s", err.message);
    }
    write_file("tls.crt", certificate);
    if (with_key) {
        write_file("tls.key", key);
    }
}

static void *run(void *payload)
{
    struct bw_error err = {0};
    (void)payload;
    if (bw_server_run(server, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return NULL;
}

static void on_ticket(void *payload, uint64_t ticket)
{
    (void)payload;
    struct bw_server *running = __atomic_load_n(&server, __ATOMIC_ACQUIRE);
    if (running != NULL) {
        bw_server_job_done(running, ticket);
    }
}

static const char *more_of_tls = "";

static const char *settings(const char *more)
{
    return bw_arena_printf(
        &arena,
        "server: {listen: '127.0.0.1:0', healthListen: '127.0.0.1:0', metricsListen: "
        "'127.0.0.1:0'%s}\nshutdown: {delay: 100ms, timeout: 5s}\ntls: {certFile: %s, keyFile: %s%s}\n",
        more, path_of("tls.crt"), path_of("tls.key"), more_of_tls);
}

static void start(const char *more)
{
    struct bw_error err = {0};
    struct bw_server *made = NULL;
    fake_start(&services, settings(more), on_ticket, NULL);
    struct bw_config *config = bw_slot_acquire(&services.config);
    if (bw_server_create(&made, config, &services.services, &err) != 0) {
        fail_msg("%s", err.message);
    }
    bw_config_release(config);
    __atomic_store_n(&server, made, __ATOMIC_RELEASE);
    bw_server_set_ready(server, "bundles", true, NULL);
    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
}

static void stop(bool at_once)
{
    struct bw_server *stopped = server;
    bw_server_stop(server, at_once);
    assert_int_equal(pthread_join(thread, NULL), 0);
    bw_verdicts_destroy(services.services.verdicts);
    services.services.verdicts = NULL;
    __atomic_store_n(&server, NULL, __ATOMIC_RELEASE);
    bw_server_destroy(stopped);
    fake_stop(&services);
}

static int set_up(void **state)
{
    (void)state;
    struct bw_error err = {0};
    const struct bw_certificate_request request = {"test CA", NULL, NULL, 86400};
    bw_arena_init(&arena, 256 * BW_MIB);
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(bw_certificate_make_ca(&ca_certificate, &ca_key, &request, &arena, &err), 0);
    write_file("ca.crt", ca_certificate);
    write_certificate("first", 86400 * 30, true);
    client = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_load_verify_locations(client, path_of("ca.crt"), NULL), 1);
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (server != NULL) {
        stop(true);
    }
    more_of_tls = "";
    SSL_CTX_free(client);
    (void)unlink(path_of("tls.crt"));
    (void)unlink(path_of("tls.key"));
    (void)unlink(path_of("ca.crt"));
    (void)rmdir(folder);
    bw_arena_clear(&arena);
    return 0;
}

/* ---- a client ---- */

struct connection {
    int fd;
    SSL *tls; /* NULL: plain */
};

struct reply {
    int status;
    char *head, *body; /* in the arena */
};

static int connect_to(const char *address)
{
    const char *colon = strrchr(address, ':');
    uint64_t port = 0;
    int on = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 20};
    assert_int_equal(bw_str_uint(&port, bw_str_from(colon + 1), 10, 65535), 0);
    to.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static struct connection open_tls(void)
{
    struct connection made = {connect_to(bw_server_address(server)), NULL};
    assert_true(made.fd >= 0);
    made.tls = SSL_new(client);
    (void)SSL_set_fd(made.tls, made.fd);
    (void)SSL_set_tlsext_host_name(made.tls, "localhost");
    if (SSL_connect(made.tls) != 1) {
        fail_msg("no handshake");
    }
    return made;
}

static struct connection open_plain(const char *address)
{
    struct connection made = {connect_to(address), NULL};
    assert_true(made.fd >= 0);
    return made;
}

static void close_connection(struct connection *connection)
{
    SSL_free(connection->tls);
    (void)close(connection->fd);
}

static void put(struct connection *connection, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = connection->tls == NULL ? send(connection->fd, bytes, len, MSG_NOSIGNAL)
                                            : SSL_write(connection->tls, bytes, (int)(len > 1 << 20 ? 1 << 20 : len));
        if (n <= 0) {
            return; /* cut: the reply tells */
        }
        bytes += n;
        len -= (size_t)n;
    }
}

static ssize_t get(struct connection *connection, char *into, size_t size)
{
    return connection->tls == NULL ? recv(connection->fd, into, size, 0) : SSL_read(connection->tls, into, (int)size);
}

/* One answer; status 0 when the connection ended before it. */
static struct reply take(struct connection *connection)
{
    struct reply reply = {0};
    size_t used = 0, room = 1 << 20, length = 0;
    char *text = bw_arena_alloc(&arena, room + 1), *end = NULL;
    while (used < room) {
        ssize_t n = get(connection, text + used, room - used);
        if (n <= 0) {
            return reply;
        }
        used += (size_t)n;
        text[used] = '\0';
        end = strstr(text, "\r\n\r\n");
        const char *header = end == NULL ? NULL : strcasestr(text, "content-length: ");
        if (header != NULL) {
            length = (size_t)strtoull(header + 16, NULL, 10);
        }
        if (end != NULL && used >= (size_t)(end + 4 - text) + length) {
            break;
        }
    }
    *end = '\0';
    reply.head = text;
    reply.body = end + 4;
    reply.status = (int)strtoull(text + 9, NULL, 10);
    return reply;
}

static const char *review_of(const char *image)
{
    return bw_arena_printf(
        &arena,
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u-1\",\"kind\":{"
        "\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},\"resource\":{\"group\":\"\",\"version\":\"v1\","
        "\"resource\":\"pods\"},\"name\":\"p\",\"namespace\":\"n\",\"operation\":\"CREATE\",\"userInfo\":{\"username\":"
        "\"jane\"},\"object\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"%s\"}]}},\"oldObject\":null}}",
        image);
}

static void post_to(struct connection *connection, const char *path, const char *body)
{
    const char *request = bw_arena_printf(&arena,
                                          "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=utf-8"
                                          "\r\nContent-Length: %zu\r\n\r\n%s",
                                          path, strlen(body), body);
    put(connection, request, strlen(request));
}

static struct reply post(struct connection *connection, const char *body)
{
    post_to(connection, "/validate?timeout=10s", body);
    return take(connection);
}

static struct reply raw(struct connection *connection, const char *request)
{
    put(connection, request, strlen(request));
    return take(connection);
}

static struct reply fetch(const char *address, const char *path)
{
    struct connection connection = open_plain(address);
    struct reply reply =
        raw(&connection, bw_arena_printf(&arena, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path));
    close_connection(&connection);
    return reply;
}

static void expect_text(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, text == NULL ? "(nothing)" : text);
    }
}

static void expect_metric(const char *line)
{
    struct bw_deadline end = bw_deadline_in_ms(5000);
    struct reply reply = {0};
    do {
        reply = fetch(bw_server_metrics_address(server), "/metrics");
        if (strstr(reply.body, line) != NULL) {
            return;
        }
        (void)poll(NULL, 0, 50);
    } while (!bw_deadline_passed(end));
    fail_msg("\"%s\" is not in:\n%s", line, reply.body);
}

static bool is_closed_within(struct connection *connection, int ms)
{
    struct pollfd wait = {.fd = connection->fd, .events = POLLIN};
    char byte;
    return poll(&wait, 1, ms) == 1 && get(connection, &byte, 1) <= 0;
}

/* ---- tests ---- */

/* Two places that define one metric are two metrics, and a page that no Prometheus takes. */
static void expect_each_metric_once(void)
{
    static const char type[] = "# TYPE ";
    const char *page = fetch(bw_server_metrics_address(server), "/metrics").body;
    for (const char *at = strstr(page, type); at != NULL; at = strstr(at + 1, type)) {
        const char *line = bw_arena_strndup(&arena, at, strcspn(at, "\n") + 1);
        if (strstr(at + 1, line) != NULL) {
            fail_msg("twice: %s", line);
        }
    }
}

static void reviews_are_answered_on_one_connection(void **state)
{
    (void)state;
    start("");
    struct connection connection = open_tls();
    for (int i = 0; i < 100; i++) {
        struct reply reply = post(&connection, review_of(i % 2 == 0 ? "clean:1" : "ssh:1"));
        assert_int_equal(reply.status, 200);
        expect_text(reply.head, "content-type: application/json");
        assert_null(strcasestr(reply.head, "server:"));
        assert_null(strcasestr(reply.head, "transfer-encoding"));
        expect_text(reply.body, i % 2 == 0 ? "\"allowed\":true" : "\"allowed\":false");
        expect_text(reply.body, "\"uid\":\"u-1\"");
    }
    close_connection(&connection);
    expect_metric(
        "breakwater_admission_requests_total{resource=\"pods\",operation=\"CREATE\",decision=\"allow\",reason="
        "\"policy\",mode=\"policy\",dry_run=\"false\"} 50\n");
    expect_metric("breakwater_admission_requests_total{resource=\"pods\",operation=\"CREATE\",decision=\"deny\",reason="
                  "\"policy\",mode=\"policy\",dry_run=\"false\"} 50\n");
    expect_metric("breakwater_image_evaluations_total{verdict=\"go\"} 50\n");
    expect_metric("breakwater_image_evaluations_total{verdict=\"stop\"} 50\n");
    expect_metric(
        "breakwater_policy_findings_total{gate=\"dockerfile\",trigger=\"exposed_ports\",action=\"stop\"} 50\n");
    expect_each_metric_once();
}

static const char *review_of_other(const char *resource, const char *labels, const char *more)
{
    return bw_arena_printf(&arena,
                           "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/"
                           "v1\",\"request\":{\"uid\":\"u-1\",\"resource\":{"
                           "\"group\":\"\",\"version\":\"v1\",\"resource\":\"%s\"},\"name\":\"n\",\"namespace\":\"n\","
                           "\"operation\":\"CREATE\","
                           "\"userInfo\":{\"username\":\"jane\"},\"dryRun\":true,\"object\":{\"metadata\":{\"labels\":%"
                           "s}%s},\"oldObject\":"
                           "null}}",
                           resource, labels, more);
}

static void bundles_and_namespaces_have_paths_of_their_own(void **state)
{
    (void)state;
    static const struct {
        const char *path, *resource, *labels, *more, *part;
    } rows[] = {
        {"/validate-bundle?timeout=10s", "configmaps", "{\"breakwater.io/bundle\":\"x\"}",
         ",\"data\":{\"a.json\":\"{\",\"b.json\":\"[]\"}", "\"field\":\"data[b.json]\""},
        {"/validate-bundle?timeout=10s", "configmaps", "{}", ",\"data\":{\"a.json\":\"{\"}", "\"allowed\":true"},
        {"/validate-bundle?timeout=1s", "configmaps", "{\"breakwater.io/bundle\":\"x\"}",
         ",\"data\":{\"a.json\":\"{\"}", "not checked"}, /* no time is left for it */
        {"/validate-namespace?timeout=10s", "namespaces", "{\"breakwater.io/admission\":\"ignore\"}", "",
         "jane may not set the label"},
        {"/validate-namespace?timeout=10s", "namespaces", "{\"a\":\"b\"}", "", "\"allowed\":true"},
    };
    start("");
    struct connection connection = open_tls();
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        post_to(&connection, rows[i].path, review_of_other(rows[i].resource, rows[i].labels, rows[i].more));
        struct reply reply = take(&connection);
        assert_int_equal(reply.status, 200);
        expect_text(reply.body, rows[i].part);
    }
    close_connection(&connection);
    expect_metric("breakwater_admission_requests_total{resource=\"configmaps\",operation=\"CREATE\",decision=\"deny\","
                  "reason=\"bundle_invalid\",mode=\"\",dry_run=\"true\"} 1\n");
    expect_metric("breakwater_admission_requests_total{resource=\"namespaces\",operation=\"CREATE\",decision=\"deny\","
                  "reason=\"exemption_label\",mode=\"\",dry_run=\"true\"} 1\n");
    expect_metric("breakwater_admission_in_flight 0\n");
}

static void chunked_body_and_pipelined_requests_are_read(void **state)
{
    (void)state;
    start("");
    struct connection connection = open_tls();
    const char *body = review_of("ssh:1");
    size_t half = strlen(body) / 2;
    const char *request = bw_arena_printf(&arena,
                                          "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                          "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%.*s\r\n%zx\r\n%s\r\n0\r\n\r\n",
                                          half, (int)half, body, strlen(body) - half, body + half);
    struct reply reply = raw(&connection, request);
    assert_int_equal(reply.status, 200);
    expect_text(reply.body, "stopped by policy");
    post_to(&connection, "/validate", review_of("clean:1"));
    post_to(&connection, "/validate", review_of("clean:2"));
    for (int i = 0; i < 2; i++) {
        reply = take(&connection);
        assert_int_equal(reply.status, 200);
    }
    close_connection(&connection);
}

static void wrong_requests_have_their_status(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
        const char *head, *body;
    } rows[] = {
        {"GET /validate HTTP/1.1\r\nHost: x\r\n\r\n", 405, "allow: POST", ""},
        {"DELETE /validate HTTP/1.1\r\nHost: x\r\n\r\n", 405, "allow: POST", ""},
        {"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415, "", ""},
        {"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 415, "", ""},
        {"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/jsonx\r\nContent-Length: 2\r\n\r\n{}", 415,
         "", ""},
        {"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n", 400, "",
         "empty"},
        {"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\nnot", 400,
         "", "not an AdmissionReview"},
        {"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 400, "",
         "AdmissionReview"},
        {"POST /validate/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 404,
         "", ""},
        {"GET /metrics HTTP/1.1\r\nHost: metrics\r\n\r\n", 404, "", ""}, /* the Host header chooses nothing */
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404, "", ""},
    };
    start("");
    struct connection connection = open_tls();
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct reply reply = raw(&connection, rows[i].request);
        if (reply.status != rows[i].status) {
            fail_msg("%d: %s", reply.status, rows[i].request);
        }
        expect_text(reply.head, rows[i].head);
        expect_text(reply.body, rows[i].body);
    }
    close_connection(&connection);
}

static void bodies_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    start(", maxRequestBytes: 64KiB");
    size_t limit = 64 * 1024;
    char *body = bw_arena_alloc(&arena, limit + 2);
    const char *review = review_of("clean:1");
    memset(body, ' ', limit + 1);
    memcpy(body, review, strlen(review));
    body[limit] = '\0';
    struct connection connection = open_tls();
    assert_int_equal(post(&connection, body).status, 200); /* exactly the limit */
    body[limit] = ' ';
    struct reply reply = post(&connection, body);
    assert_int_equal(reply.status, 413);
    close_connection(&connection);
    connection = open_tls();
    reply = raw(&connection, "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                             "Content-Length: 99999999999\r\n\r\n");
    assert_int_equal(reply.status, 413); /* without reading it */
    close_connection(&connection);
    connection = open_tls();
    reply = raw(&connection, bw_arena_printf(&arena,
                                             "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                             "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
                                             limit + 1, body));
    assert_int_equal(reply.status, 413);
    close_connection(&connection);
}

static void http2_is_not_spoken(void **state)
{
    (void)state;
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    const unsigned char *chosen = NULL;
    unsigned len = 0;
    start("");
    (void)SSL_CTX_set_alpn_protos(client, both, sizeof(both) - 1);
    struct connection connection = open_tls();
    SSL_get0_alpn_selected(connection.tls, &chosen, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(chosen, "http/1.1", 8);
    assert_int_equal(post(&connection, review_of("clean:1")).status, 200);
    close_connection(&connection);
    (void)SSL_CTX_set_alpn_protos(client, both, 3); /* h2 alone: nothing is agreed on, HTTP/1.1 it is */
    connection = open_tls();
    SSL_get0_alpn_selected(connection.tls, &chosen, &len);
    assert_int_equal(len, 0);
    put(&connection, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
    char answer[9] = "";
    ssize_t n = get(&connection, answer, sizeof(answer) - 1);
    assert_true(n <= 0 || strncmp(answer, "HTTP/1.1", 8) == 0);
    close_connection(&connection);
    connection = open_plain(bw_server_health_address(server));
    struct reply reply = raw(&connection, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                                          "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
    assert_int_equal(reply.status, 200);
    close_connection(&connection);
}

static void old_tls_is_refused(void **state)
{
    (void)state;
    start("");
    (void)SSL_CTX_set_min_proto_version(client, TLS1_VERSION);
    (void)SSL_CTX_set_max_proto_version(client, TLS1_1_VERSION);
    SSL_CTX_set_security_level(client, 0);
    int fd = connect_to(bw_server_address(server));
    SSL *tls = SSL_new(client);
    (void)SSL_set_fd(tls, fd);
    assert_int_not_equal(SSL_connect(tls), 1);
    SSL_free(tls);
    (void)close(fd);
}

static bool shakes_hands(void)
{
    int fd = connect_to(bw_server_address(server));
    SSL *tls = SSL_new(client);
    char byte;
    (void)SSL_set_fd(tls, fd);
    /* with TLS 1.3 a client learns only afterwards that its certificate is refused */
    bool done =
        SSL_connect(tls) == 1 && SSL_write(tls, "GET / HTTP/1.1\r\n\r\n", 18) > 0 && SSL_read(tls, &byte, 1) == 1;
    SSL_free(tls);
    (void)close(fd);
    return done;
}

static void tls_1_3_may_be_asked_for(void **state)
{
    (void)state;
    more_of_tls = ", minVersion: 1.3";
    start("");
    assert_true(shakes_hands());
    (void)SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
    assert_false(shakes_hands());
}

/* The client shows a certificate of that name, signed by the test's CA or by itself. */
static void show_certificate(const char *name, bool of_ca)
{
    BIO *ca_bio = BIO_new_mem_buf(ca_certificate, -1), *key_bio = BIO_new_mem_buf(ca_key, -1);
    X509 *issuer = PEM_read_bio_X509(ca_bio, NULL, NULL, NULL), *certificate = X509_new();
    EVP_PKEY *issuer_key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL), *key = EVP_EC_gen("P-256");
    X509_NAME *subject = X509_get_subject_name(certificate);
    (void)X509_set_version(certificate, X509_VERSION_3);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
    (void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
    (void)X509_set_issuer_name(certificate, of_ca ? X509_get_subject_name(issuer) : subject);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), 600);
    (void)X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, of_ca ? issuer_key : key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(client, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(client, key), 1);
    X509_free(certificate);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    BIO_free(ca_bio);
    BIO_free(key_bio);
}

static void clients_show_a_certificate_of_their_ca(void **state)
{
    (void)state;
    static const struct {
        const char *name; /* NULL: none is shown */
        bool of_ca, any, one_of_two;
    } rows[] = {
        {NULL, false, false, false},
        {"kube-apiserver", true, true, true},
        {"other", true, true, false},
        {"kube-apiserver", false, false, false},
    };
    char ca[PATH_MAX];
    assert_non_null(realpath(path_of("ca.crt"), ca));
    for (int named = 0; named <= 1; named++) {
        more_of_tls = bw_arena_printf(&arena, ", clientCA: %s%s", ca,
                                      named ? ", clientNames: [api.example, kube-apiserver]" : "");
        start("");
        for (size_t i = 0; i < BW_LENGTH(rows); i++) {
            SSL_CTX_free(client);
            client = SSL_CTX_new(TLS_client_method());
            assert_int_equal(SSL_CTX_load_verify_locations(client, path_of("ca.crt"), NULL), 1);
            if (rows[i].name != NULL) {
                show_certificate(rows[i].name, rows[i].of_ca);
            }
            assert_int_equal(shakes_hands(), named ? rows[i].one_of_two : rows[i].any);
        }
        stop(true);
    }
}

static void settings_of_clients_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *tls, *fault;
    } rows[] = {
        {"clientNames: [a]", "tls.clientNames has no effect without tls.clientCA"},
        {"clientCA: /dev/null", "/dev/null: holds no CA certificates in PEM"},
        {"clientCA: /no/such/file", "/no/such/file: holds no CA certificates in PEM"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_error err = {0};
        SSL_CTX *tls = NULL;
        int64_t ends_s;
        more_of_tls = bw_arena_printf(&arena, ", %s", rows[i].tls);
        fake_start(&services, settings(""), on_ticket, NULL);
        struct bw_config *config = bw_slot_acquire(&services.config);
        assert_int_equal(bw_tls_load(&tls, &ends_s, config, &err), -1);
        assert_ptr_equal(strstr(err.message, rows[i].fault), err.message);
        bw_config_release(config);
        bw_verdicts_destroy(services.services.verdicts);
        services.services.verdicts = NULL;
        fake_stop(&services);
    }
}

/* ---- waiting ---- */

static void *tell_later(void *payload)
{
    (void)payload;
    (void)poll(NULL, 0, 150);
    fake_set((struct fake_image){.name = "cold", .state = BW_IMAGE_READY, .dockerfile = "FROM a\nEXPOSE 22\n"});
    bw_server_job_done(server, 12345); /* nobody waits for this one */
    bw_server_job_done(server, 6);     /* the sixth image of the table */
    return NULL;
}

static void finished_job_wakes_who_waits(void **state)
{
    (void)state;
    pthread_t teller;
    start("");
    fake_set((struct fake_image){.name = "cold", .state = BW_IMAGE_PENDING, .estimate_s = 5});
    assert_int_equal(fake.n_images, 6);
    struct connection connections[6];
    for (size_t i = 0; i < BW_LENGTH(connections); i++) { /* on both loops */
        connections[i] = open_tls();
        post_to(&connections[i], "/validate?timeout=10s", review_of("cold:1"));
    }
    struct bw_deadline begun = bw_deadline_in_ms(3000);
    assert_int_equal(pthread_create(&teller, NULL, tell_later, NULL), 0);
    for (size_t i = 0; i < BW_LENGTH(connections); i++) {
        struct reply reply = take(&connections[i]);
        assert_int_equal(reply.status, 200);
        expect_text(reply.body, "stopped by policy");
        close_connection(&connections[i]);
    }
    assert_false(bw_deadline_passed(begun));
    assert_int_equal(pthread_join(teller, NULL), 0);
}

static void long_evaluation_is_waited_for(void **state)
{
    (void)state;
    start("");
    fake_set((struct fake_image){
        .name = "big", .state = BW_IMAGE_READY, .dockerfile = "FROM a\nEXPOSE 22\n", .files = 6000});
    struct connection connection = open_tls();
    struct reply reply = post(&connection, review_of("big:1"));
    assert_int_equal(reply.status, 200);
    expect_text(reply.body, "stopped by policy");
    close_connection(&connection);
}

static void answer_leaves_before_the_deadline(void **state)
{
    (void)state;
    start("");
    struct connection connection = open_tls();
    int64_t begun = bw_monotonic_ms();
    post_to(&connection, "/validate?timeout=2s", review_of("cold:1"));
    struct reply reply = take(&connection);
    int64_t took = bw_monotonic_ms() - begun;
    assert_int_equal(reply.status, 200);
    expect_text(reply.body, "\"code\":429");
    expect_text(reply.body, "\"retryAfterSeconds\":1");
    if (took < 700 || took > 1300) {
        fail_msg("%lld ms", (long long)took);
    }
    begun = bw_monotonic_ms();
    post_to(&connection, "/validate?timeout=1s", review_of("cold:1")); /* too short to wait at all */
    expect_text(take(&connection).body, "\"code\":429");
    assert_true(bw_monotonic_ms() - begun < 400);
    close_connection(&connection);
    expect_metric("breakwater_admission_deadline_exceeded_total{decision=\"pending\"} ");
}

static void overload_turns_away_who_would_wait(void **state)
{
    (void)state;
    start(", maxInFlight: 2");
    struct connection waiting[2], connection = open_tls();
    for (size_t i = 0; i < BW_LENGTH(waiting); i++) {
        waiting[i] = open_tls();
        post_to(&waiting[i], "/validate?timeout=10s", review_of("cold:1"));
    }
    expect_metric("breakwater_admission_in_flight 2\n");
    int64_t begun = bw_monotonic_ms();
    struct reply reply = post(&connection, review_of("cold:2"));
    assert_true(bw_monotonic_ms() - begun < 300);
    expect_text(reply.body, "\"code\":429");
    expect_text(reply.body, "too much to do");
    expect_text(post(&connection, review_of("clean:1")).body, "\"allowed\":true"); /* known images go on */
    close_connection(&connection);
    for (size_t i = 0; i < BW_LENGTH(waiting); i++) {
        close_connection(&waiting[i]);
    }
}

static void clients_that_vanish_are_noticed(void **state)
{
    (void)state;
    start("");
    struct connection connections[3];
    for (size_t i = 0; i < BW_LENGTH(connections); i++) {
        connections[i] = open_tls();
        post_to(&connections[i], "/validate?timeout=30s", review_of("cold:1"));
    }
    expect_metric("breakwater_admission_in_flight 3\n");
    for (size_t i = 0; i < BW_LENGTH(connections); i++) {
        close_connection(&connections[i]);
    }
    expect_metric("breakwater_admission_in_flight 0\n");
    expect_metric(
        "breakwater_admission_requests_total{resource=\"\",operation=\"\",decision=\"error\",reason=\"client_gone\","
        "mode=\"\",dry_run=\"false\"} 3\n");
}

static void slow_clients_are_cut_and_idle_ones_are_not(void **state)
{
    (void)state;
    start("");
    struct connection half_body = open_tls(), half_head = open_tls(), idle = open_tls(), silent = open_tls();
    assert_int_equal(post(&idle, review_of("clean:1")).status, 200);
    static const char part[] =
        "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
        "100\r\n\r\n{";
    put(&half_body, part, sizeof(part) - 1);
    put(&half_head, part, 30);
    assert_true(is_closed_within(&half_body, 15000));
    assert_true(is_closed_within(&half_head, 3000));
    assert_int_equal(post(&idle, review_of("clean:1")).status, 200);
    assert_int_equal(post(&silent, review_of("clean:1")).status, 200);
    close_connection(&half_body);
    close_connection(&half_head);
    close_connection(&idle);
    close_connection(&silent);
}

/* Seven bodies of 23 MiB are more than may be held at a time. */
static void bodies_in_flight_are_bounded(void **state)
{
    (void)state;
    enum { LENGTH = 23 * 1024 * 1024 };
    start(", eventLoops: 1");
    struct connection connections[7];
    char *part = bw_arena_alloc(&arena, LENGTH);
    memset(part, ' ', LENGTH);
    int cut = 0;
    for (size_t i = 0; i < BW_LENGTH(connections); i++) {
        connections[i] = open_tls();
        const char *head = bw_arena_printf(&arena,
                                           "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                           "Content-Length: %d\r\n\r\n",
                                           LENGTH + 10);
        put(&connections[i], head, strlen(head));
        put(&connections[i], part, LENGTH);
    }
    for (size_t i = 0; i < BW_LENGTH(connections); i++) {
        cut += is_closed_within(&connections[i], i == 0 ? 500 : 50);
        close_connection(&connections[i]);
    }
    if (cut == 0 || cut == (int)BW_LENGTH(connections)) {
        fail_msg("%d were cut", cut);
    }
}

static void connections_are_capped(void **state)
{
    (void)state;
    start(", maxConnections: 3");
    struct connection connections[3];
    for (size_t i = 0; i < BW_LENGTH(connections); i++) {
        connections[i] = open_tls();
    }
    struct connection beyond = open_plain(bw_server_address(server));
    assert_true(is_closed_within(&beyond, 3000));
    close_connection(&beyond);
    for (size_t i = 0; i < BW_LENGTH(connections); i++) {
        assert_int_equal(post(&connections[i], review_of("clean:1")).status, 200);
        close_connection(&connections[i]);
    }
}

/* ---- certificates ---- */

static void expect_subject(const char *name)
{
    struct connection connection = open_tls();
    X509 *certificate = SSL_get1_peer_certificate(connection.tls);
    char subject[128] = "";
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, subject, sizeof(subject));
    X509_free(certificate);
    close_connection(&connection);
    assert_string_equal(subject, name);
}

static void wait_for_subject(const char *name)
{
    struct bw_deadline end = bw_deadline_in_ms(3000);
    char subject[128] = "";
    do {
        struct connection connection = open_tls();
        X509 *certificate = SSL_get1_peer_certificate(connection.tls);
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, subject, sizeof(subject));
        X509_free(certificate);
        close_connection(&connection);
    } while (strcmp(subject, name) != 0 && !bw_deadline_passed(end));
    assert_string_equal(subject, name);
}

static void new_certificate_is_taken_and_a_bad_one_is_not(void **state)
{
    (void)state;
    struct bw_error err = {0};
    start("");
    struct connection old = open_tls(), half_open = open_plain(bw_server_address(server));
    expect_subject("first");
    write_certificate("second", 86400, true);
    assert_int_equal(bw_server_reload_certificate(server, &err), 0);
    wait_for_subject("second");
    assert_int_equal(post(&old, review_of("clean:1")).status, 200); /* goes on under the old one */
    SSL *late = SSL_new(client);                                    /* began before, shakes hands now */
    (void)SSL_set_fd(late, half_open.fd);
    assert_int_equal(SSL_connect(late), 1);
    SSL_free(late);
    (void)close(half_open.fd);
    close_connection(&old);

    write_certificate("third", 86400, false); /* the key is still the second's */
    assert_int_equal(bw_server_reload_certificate(server, &err), -1);
    expect_text(err.message, "tls.crt");
    expect_subject("second");
    write_file("tls.crt", "no certificate\n");
    assert_int_equal(bw_server_reload_certificate(server, &err), -1);
    write_certificate("fourth", 1, true);
    (void)poll(NULL, 0, 2100);
    assert_int_equal(bw_server_reload_certificate(server, &err), -1);
    expect_text(err.message, "ended at");
    expect_subject("second");
    (void)unlink(path_of("tls.key"));
    assert_int_equal(bw_server_reload_certificate(server, &err), -1);
    expect_text(err.message, "tls.key");
    expect_metric("breakwater_tls_reload_errors_total 4\n");
}

static void *reload_often(void *payload)
{
    struct bw_error err = {0};
    (void)payload;
    for (int i = 0; i < 12; i++) {
        if (bw_server_reload_certificate(server, &err) != 0) {
            abort();
        }
        (void)poll(NULL, 0, 30);
    }
    return NULL;
}

static void handshakes_go_on_during_reloads(void **state)
{
    (void)state;
    pthread_t reloader;
    start("");
    assert_int_equal(pthread_create(&reloader, NULL, reload_often, NULL), 0);
    for (int i = 0; i < 60; i++) {
        struct connection connection = open_tls();
        assert_int_equal(post(&connection, review_of("clean:1")).status, 200);
        close_connection(&connection);
    }
    assert_int_equal(pthread_join(reloader, NULL), 0);
}

static void bad_starts_name_what_is_wrong(void **state)
{
    (void)state;
    struct bw_server *second = NULL;
    struct bw_error err = {0};
    start("");
    const char *taken = bw_server_address(server);
    struct bw_config *config = bw_slot_acquire(&services.config), *other = NULL;
    struct bw_problems problems;
    const char *yaml = bw_arena_printf(&arena,
                                       "server: {listen: '%s', healthListen: '127.0.0.1:0', metricsListen: "
                                       "'127.0.0.1:0'}\ntls: {certFile: %s, keyFile: %s}\n",
                                       taken, path_of("tls.crt"), path_of("tls.key"));
    bw_problems_init(&problems);
    assert_int_equal(bw_config_load(&other, &problems, yaml, strlen(yaml), &err), 0);
    assert_int_equal(bw_server_create(&second, other, &services.services, &err), -1);
    expect_text(err.message, taken);
    expect_text(err.message, "in use");
    (void)unlink(path_of("tls.crt"));
    assert_int_equal(bw_server_create(&second, config, &services.services, &err), -1);
    expect_text(err.message, "tls.crt");
    bw_problems_clear(&problems);
    bw_config_release(other);
    bw_config_release(config);
}

/* ---- health, metrics, the end ---- */

static void health_and_metrics_are_told(void **state)
{
    (void)state;
    start("");
    const char *health = bw_server_health_address(server);
    struct reply reply = fetch(health, "/livez");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "ok\n");
    assert_int_equal(fetch(health, "/healthz").status, 200);
    assert_int_equal(fetch(health, "/readyz").status, 200);
    expect_text(fetch(health, "/readyz?verbose").body, "[+] bundles\n");
    expect_text(fetch(health, "/livez?verbose").body, "[+] event loops");
    expect_text(fetch(health, "/version").body, BREAKWATER_VERSION);
    assert_int_equal(fetch(health, "/metrics").status, 404);
    assert_int_equal(fetch(health, "/validate").status, 404);
    bw_server_set_ready(server, "bundles", false, "no bundle yet");
    reply = fetch(health, "/readyz");
    assert_int_equal(reply.status, 503);
    expect_text(reply.body, "[-] bundles: no bundle yet\n");
    bw_server_set_ready(server, "bundles", true, NULL);
    assert_int_equal(fetch(health, "/readyz").status, 200);
    reply = fetch(bw_server_metrics_address(server), "/metrics");
    expect_text(reply.head, "content-type: text/plain; version=0.0.4");
    expect_text(reply.body, "# TYPE breakwater_admission_requests_total counter\n");
    expect_text(reply.body, "# TYPE breakwater_admission_duration_seconds histogram\n");
    expect_text(reply.body, "breakwater_bundles_loaded 1\n");
    expect_text(reply.body, "breakwater_build_info{version=\"" BREAKWATER_VERSION "\"} 1\n");
    expect_text(reply.body, "breakwater_cache_requests_total{cache=\"memory\",result=\"hit\"} 7\n");
    expect_text(reply.body, "breakwater_tls_cert_not_after_seconds ");
}

static void drain_answers_everyone_and_ends(void **state)
{
    (void)state;
    start("");
    struct connection waiting = open_tls(), idle = open_tls(), probe = open_plain(bw_server_health_address(server));
    assert_int_equal(post(&idle, review_of("clean:1")).status, 200);
    post_to(&waiting, "/validate?timeout=3s", review_of("cold:1"));
    expect_metric("breakwater_admission_in_flight 1\n");
    int64_t begun = bw_monotonic_ms();
    bw_server_stop(server, false);
    (void)poll(NULL, 0, 30); /* not ready at once, still accepting */
    struct reply reply = raw(&probe, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(reply.status, 503);
    struct connection late = open_tls();
    assert_int_equal(post(&late, review_of("clean:1")).status, 200);
    assert_true(is_closed_within(&idle, 3000));
    reply = take(&waiting); /* at its own deadline */
    assert_int_equal(reply.status, 200);
    expect_text(reply.head, "Connection: close");
    expect_text(reply.body, "\"code\":429");
    assert_true(is_closed_within(&waiting, 1000));
    assert_int_equal(connect_to(bw_server_address(server)), -1);
    close_connection(&late);
    close_connection(&waiting);
    close_connection(&idle);
    stop(false); /* returns: everything is gone */
    assert_true(bw_monotonic_ms() - begun < 4500);
    close_connection(&probe);
}

static void stop_at_once_still_answers(void **state)
{
    (void)state;
    start("");
    struct connection waiting = open_tls(), idle = open_tls();
    post_to(&waiting, "/validate?timeout=30s", review_of("cold:1"));
    expect_metric("breakwater_admission_in_flight 1\n");
    int64_t begun = bw_monotonic_ms();
    stop(true);
    assert_true(bw_monotonic_ms() - begun < 2500);
    expect_text(take(&waiting).body, "\"code\":429");
    close_connection(&waiting);
    close_connection(&idle);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    bw_log_set_level(BW_LOG_ERROR);
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(reviews_are_answered_on_one_connection),
        CASE(bundles_and_namespaces_have_paths_of_their_own),
        CASE(chunked_body_and_pipelined_requests_are_read),
        CASE(wrong_requests_have_their_status),
        CASE(bodies_beyond_the_limit_are_refused),
        CASE(http2_is_not_spoken),
        CASE(old_tls_is_refused),
        CASE(tls_1_3_may_be_asked_for),
        CASE(clients_show_a_certificate_of_their_ca),
        CASE(settings_of_clients_are_checked),
        CASE(finished_job_wakes_who_waits),
        CASE(long_evaluation_is_waited_for),
        CASE(answer_leaves_before_the_deadline),
        CASE(overload_turns_away_who_would_wait),
        CASE(clients_that_vanish_are_noticed),
        CASE(slow_clients_are_cut_and_idle_ones_are_not),
        CASE(bodies_in_flight_are_bounded),
        CASE(connections_are_capped),
        CASE(new_certificate_is_taken_and_a_bad_one_is_not),
        CASE(handshakes_go_on_during_reloads),
        CASE(bad_starts_name_what_is_wrong),
        CASE(health_and_metrics_are_told),
        CASE(drain_answers_everyone_and_ends),
        CASE(stop_at_once_still_answers),
    };
    return cmocka_run_group_tests_name("webhook/server", tests, NULL, NULL);
}
