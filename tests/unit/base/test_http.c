/* base/http against a scripted server: heads and bodies, cuts, limits, deadlines, the address guard, URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/http.h"
#include "base/http_internal.h"
#include "base/limits.h"
#include "tests/unit/registry/scripted_server.h"

static const char *const loopback[] = {"127.0.0.0/8"};

static struct bw_http_client *client_with(const struct bw_http_client_options *options)
{
    struct bw_http_client *client = NULL;
    struct bw_error err = {0};
    if (bw_http_client_create(&client, options, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return client;
}

static struct bw_http_client *open_client(void)
{
    struct bw_http_client_options options = {
        .user_agent = "breakwater/test", .allow_addresses = loopback, .n_allow_addresses = 1};
    return client_with(&options);
}

struct exchange {
    const char *name;
    const char *method;
    uint64_t max;
    int deadline_ms;
    struct scripted_step step;
    /* expected */
    long status;
    const char *body;
    enum bw_code code; /* of send, or of reading */
    const char *detail;
};

static const struct exchange exchanges[] = {
    {"a body with its length", "GET", 100, 5000,
     SCRIPTED("GET /x?y=1", "User-Agent: breakwater/test\r\n", "Accept-Encoding", "HTTP/1.1 200 OK\r\n", "hello"), 200,
     "hello", BW_OK, NULL},
    {"a chunked body", "GET", 100, 5000,
     SCRIPTED("GET /x?y=1", NULL, NULL,
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n", NULL),
     200, "hello", BW_OK, NULL},
    {"an interim answer before the real one", "GET", 100, 5000,
     SCRIPTED("GET /x?y=1", NULL, NULL, "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 404 No\r\n", "gone"),
     404, "gone", BW_OK, NULL},
    {"a redirect is an answer like any other", "GET", 100, 5000,
     SCRIPTED("GET /x?y=1", NULL, NULL, "HTTP/1.1 307 Elsewhere\r\nLocation: http://localhost/\r\n", ""), 307, "",
     BW_OK, NULL},
    {"HEAD has no body", "HEAD", 0, 5000,
     SCRIPTED("HEAD /x?y=1", NULL, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n", NULL), 200, "", BW_OK, NULL},
    {"a body that is cut",
     "GET",
     100,
     5000,
     {"GET /x?y=1", NULL, NULL, "HTTP/1.1 200 OK\r\n", "hello", .cut = 2},
     200,
     NULL,
     BW_EUNAVAILABLE,
     "short_body"},
    {"a body over the limit", "GET", 4, 5000, SCRIPTED("GET /x?y=1", NULL, NULL, "HTTP/1.1 200 OK\r\n", "hello"), 200,
     NULL, BW_ELIMIT, "body_too_long"},
    {"a body without end",
     "GET",
     1000000,
     5000,
     {"GET /x?y=1", NULL, NULL, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "0123456789", .endless = true},
     200,
     NULL,
     BW_ELIMIT,
     "body_too_long"},
    {"no answer in time",
     "GET",
     100,
     100,
     {"GET /x?y=1", NULL, NULL, "HTTP/1.1 200 OK\r\n", "hello", .wait_ms = 2000},
     0,
     NULL,
     BW_EDEADLINE,
     "deadline"},
    {"what is no HTTP",
     "GET",
     100,
     5000,
     {"GET /x?y=1", NULL, NULL, "", "x", .cut = 0},
     0,
     NULL,
     BW_EUNAVAILABLE,
     NULL},
};

static void one_exchange(void **state)
{
    const struct exchange *row = *state;
    struct scripted_step steps[2] = {row->step, {0}};
    struct scripted_server server;
    unsigned port = scripted_listen(&server);
    scripted_start(&server, port, port, steps);
    struct bw_http_client *client = open_client();
    struct bw_http_response *response = NULL;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    char url[64], *body = NULL;
    size_t len = 0;
    bw_arena_init(&arena, 4 * BW_MIB);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/x?y=1", port);
    struct bw_http_request request = {.method = row->method,
                                      .url = url,
                                      .allow_plain_http = true,
                                      .max_response_bytes = row->max,
                                      .deadline = bw_deadline_in_ms(row->deadline_ms)};
    int status = bw_http_send(&response, client, &request, &err);
    assert_int_equal(status, row->status == 0 ? -1 : 0);
    if (status == 0) {
        assert_int_equal(bw_http_status(response), row->status);
        status = bw_http_read_all(&body, &len, response, &arena, &err);
        assert_int_equal(status, row->code == BW_OK ? 0 : -1);
    }
    if (status == 0) {
        assert_string_equal(body, row->body);
    }
    assert_int_equal(err.code, row->code);
    if (row->detail != NULL) {
        assert_string_equal(err.detail, row->detail);
    }
    assert_null(strstr(err.message, "y=1"));
    bw_http_close(response);
    bw_http_client_destroy(client);
    (void)scripted_stop(&server);
}

static void a_connection_serves_the_next_request(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = {
        SCRIPTED("GET /1", NULL, NULL, "HTTP/1.1 200 OK\r\n", "a"),
        SCRIPTED("POST /2", "\r\n\r\nk=v", "Expect:", "HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a:  2 \r\n", "b"),
        {0},
    };
    struct scripted_server server;
    struct bw_error err = {0};
    unsigned port = scripted_listen(&server);
    scripted_start(&server, port, port, steps);
    struct bw_http_client *client = open_client();
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    for (unsigned i = 1; i <= 2; i++) {
        struct bw_http_response *response = NULL;
        char url[64], *body = NULL;
        size_t len = 0;
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/%u", port, i);
        struct bw_http_request request = {.method = i == 1 ? "GET" : "POST",
                                          .url = url,
                                          .body = i == 1 ? NULL : "k=v",
                                          .body_len = i == 1 ? 0 : 3,
                                          .allow_plain_http = true,
                                          .max_response_bytes = 10,
                                          .deadline = bw_deadline_in_ms(5000)};
        assert_int_equal(bw_http_send(&response, client, &request, &err), 0);
        assert_int_equal(bw_http_read_all(&body, &len, response, &arena, &err), 0);
        if (i == 2) {
            assert_string_equal(bw_http_header(response, "X-a", 0), "1");
            assert_string_equal(bw_http_header(response, "X-a", 1), "2");
            assert_null(bw_http_header(response, "X-a", 2));
        }
        bw_http_close(response);
    }
    bw_http_client_destroy(client);
    assert_string_equal(scripted_stop(&server), "");
    assert_int_equal(server.n_connections, 1);
}

/* A reader that stops reading: what was sent waits in the connection, all of it comes in the end. */
static void a_slow_reader_gets_every_byte(void **state)
{
    (void)state;
    size_t size = 24 * BW_MIB;
    char *body = malloc(size + 1);
    assert_non_null(body);
    for (size_t i = 0; i < size; i++) {
        body[i] = (char)('a' + (i * 7 + i / 4096) % 26);
    }
    body[size] = '\0';
    const struct scripted_step steps[] = {SCRIPTED("GET /", NULL, NULL, "HTTP/1.1 200 OK\r\n", body), {0}};
    struct scripted_server server;
    struct bw_error err = {0};
    char url[64], chunk[70000];
    unsigned port = scripted_listen(&server);
    scripted_start(&server, port, port, steps);
    struct bw_http_client *client = open_client();
    struct bw_http_response *response = NULL;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    struct bw_http_request request = {.method = "GET",
                                      .url = url,
                                      .allow_plain_http = true,
                                      .max_response_bytes = size,
                                      .deadline = bw_deadline_in_ms(30000)};
    assert_int_equal(bw_http_send(&response, client, &request, &err), 0);
    size_t have = 0;
    ssize_t got = 0;
    while ((got = bw_http_read(response, chunk, sizeof(chunk), &err)) > 0) {
        assert_memory_equal(chunk, body + have, (size_t)got);
        have += (size_t)got;
        if (have % 16 == 0) {
            (void)usleep(500);
        }
    }
    assert_int_equal(got, 0);
    assert_int_equal(have, size);
    bw_http_close(response);
    bw_http_client_destroy(client);
    assert_string_equal(scripted_stop(&server), "");
    free(body);
}

static void a_refused_address_meets_no_connection(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = {{0}};
    struct scripted_server server;
    unsigned port = scripted_listen(&server);
    scripted_start(&server, port, port, steps);
    struct bw_http_client_options options = {.user_agent = "t"};
    struct bw_http_client *client = client_with(&options);
    static const char *const hosts[] = {"127.0.0.1", "localhost", "0", "2130706433", "[::ffff:127.0.0.1]", "[::1]"};
    for (size_t i = 0; i < BW_LENGTH(hosts); i++) {
        struct bw_http_response *response = NULL;
        struct bw_error err = {0};
        char url[64];
        (void)snprintf(url, sizeof(url), "http://%s:%u/", hosts[i], port);
        struct bw_http_request request = {
            .method = "GET", .url = url, .allow_plain_http = true, .deadline = bw_deadline_in_ms(5000)};
        assert_int_equal(bw_http_send(&response, client, &request, &err), -1);
        assert_int_equal(err.code, BW_EDENIED);
        assert_string_equal(err.detail, "address_refused");
    }
    bw_http_client_destroy(client);
    assert_string_equal(scripted_stop(&server), "");
    assert_int_equal(server.n_connections, 0);
}

static void special_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {"127.0.0.1",
                                          "127.255.0.1",
                                          "0.0.0.0",
                                          "169.254.169.254",
                                          "100.100.100.200",
                                          "168.63.129.16",
                                          "224.0.0.1",
                                          "239.1.2.3",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "fe80::1",
                                          "febf::1",
                                          "ff02::1",
                                          "fd00:ec2::254",
                                          "::ffff:127.0.0.1",
                                          "::ffff:169.254.169.254",
                                          "64:ff9b::127.0.0.1",
                                          "64:ff9b::a9fe:a9fe",
                                          "::127.0.0.1",
                                          "2002:7f00:1::1",
                                          "[::1]",
                                          "",
                                          "name",
                                          "1.2.3",
                                          "1.2.3.4.5",
                                          "::g"};
    static const char *const allowed[] = {"10.0.0.1",         "192.168.1.1", "8.8.8.8", "169.253.255.255",
                                          "223.255.255.255",  "2001:db8::1", "fd00::1", "::ffff:10.0.0.1",
                                          "64:ff9b::8.8.8.8", "fec0::1"};
    static const char *const opened[] = {"127.0.0.0/8", "fe80::/10", "169.254.7.7"};
    struct bw_http_client_options options = {.user_agent = "t"};
    struct bw_http_client *closed = client_with(&options);
    for (size_t i = 0; i < BW_LENGTH(refused); i++) {
        assert_false(bw_http_address_allowed(closed, refused[i]));
    }
    for (size_t i = 0; i < BW_LENGTH(allowed); i++) {
        assert_true(bw_http_address_allowed(closed, allowed[i]));
    }
    options.allow_addresses = opened;
    options.n_allow_addresses = 3;
    struct bw_http_client *open = client_with(&options);
    assert_true(bw_http_address_allowed(open, "127.0.0.1"));
    assert_true(bw_http_address_allowed(open, "::ffff:127.9.9.9"));
    assert_true(bw_http_address_allowed(open, "64:ff9b::127.0.0.1"));
    assert_true(bw_http_address_allowed(open, "fe80::5"));
    assert_true(bw_http_address_allowed(open, "169.254.7.7"));
    assert_false(bw_http_address_allowed(open, "169.254.7.8"));
    assert_false(bw_http_address_allowed(open, "::1"));
    bw_http_client_destroy(open);
    bw_http_client_destroy(closed);
}

static void malformed_address_blocks_are_refused(void **state)
{
    (void)state;
    static const char *const blocks[] = {"",    "10.0.0.0/33", "10.0.0/8",    "::/129",
                                         "x/8", "10.0.0.0/",   "10.0.0.0/-1", "10.0.0.0/8/8"};
    for (size_t i = 0; i < BW_LENGTH(blocks); i++) {
        struct bw_http_client_options options = {.allow_addresses = &blocks[i], .n_allow_addresses = 1};
        struct bw_http_client *client = NULL;
        struct bw_error err = {0};
        assert_int_equal(bw_http_client_create(&client, &options, &err), -1);
        assert_int_equal(err.code, BW_EINPUT);
    }
}

static void plain_http_needs_to_be_allowed(void **state)
{
    (void)state;
    struct bw_http_client *client = open_client();
    struct bw_http_response *response = NULL;
    struct bw_error err = {0};
    struct bw_http_request request = {.method = "GET", .url = "http://127.0.0.1:9/", .deadline = bw_deadline_in_ms(99)};
    assert_int_equal(bw_http_send(&response, client, &request, &err), -1);
    assert_string_equal(err.detail, "plain_http");
    request.allow_plain_http = true;
    request.url = "http://user:secret@127.0.0.1:9/";
    assert_int_equal(bw_http_send(&response, client, &request, &err), -1);
    assert_string_equal(err.detail, "invalid_url");
    assert_null(strstr(err.message, "secret"));
    request.url = "ftp://127.0.0.1/?secret";
    assert_int_equal(bw_http_send(&response, client, &request, &err), -1);
    assert_string_equal(err.detail, "invalid_url");
    assert_null(strstr(err.message, "secret"));
    bw_http_client_destroy(client);
}

static void locations_are_joined(void **state)
{
    (void)state;
    static const struct {
        const char *base, *location, *joined;
    } rows[] = {
        {"https://r.example/v2/a/blobs/x", "https://cdn.example/y?sig=1", "https://cdn.example/y?sig=1"},
        {"https://r.example/v2/a/blobs/x", "/y", "https://r.example/y"},
        {"https://r.example/v2/a/blobs/x", "y?z", "https://r.example/v2/a/blobs/y?z"},
        {"https://r.example:5000/v2/", "//cdn.example/y", "https://cdn.example/y"},
        {"https://r.example/a", "javascript:alert(1)", NULL},
        {"https://r.example/a", "ftp://x/", NULL},
    };
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const char *joined = NULL;
        struct bw_http_url url;
        int status = bw_http_url_join(&joined, rows[i].base, rows[i].location, &arena, &err);
        if (rows[i].joined == NULL) {
            assert_true(status != 0 || bw_http_url_parse(&url, joined, &err) != 0);
        } else {
            assert_int_equal(status, 0);
            assert_string_equal(joined, rows[i].joined);
        }
    }
    struct bw_http_url url;
    assert_int_equal(bw_http_url_parse(&url, "HTTPS://R.Example/x?y#z", &err), 0);
    assert_string_equal(url.scheme, "https");
    assert_string_equal(url.host, "r.example");
    assert_int_equal(url.port, 443);
}

static void exceptions_of_the_proxy_are_kept(void **state)
{
    (void)state;
    static const struct {
        const char *exceptions, *url;
        bool direct;
    } rows[] = {
        {"", "https://quay.io/", false},
        {"*", "https://quay.io/", true},
        {"quay.io", "https://quay.io/", true},
        {"quay.io", "https://cdn.quay.io/", true},
        {"quay.io", "https://notquay.io/", false},
        {".quay.io", "https://cdn.quay.io/", true},
        {".quay.io", "https://quay.io/", false},
        {"*.svc, .cluster.local", "https://r.ns.svc/", true},
        {"a.example b.example", "https://b.example/", true},
        {"10.0.0.0/8", "https://10.1.2.3/", true},
        {"10.0.0.0/8", "https://11.1.2.3/", false},
        {"10.1.2.3", "https://10.1.2.3:5000/", true},
        {"10.1.2.3:5000", "https://10.1.2.3:5000/", true},
        {"10.1.2.3:5001", "https://10.1.2.3:5000/", false},
        {"fd00::/8", "https://[fd00::7]/", true},
        {"r.example:5000", "https://r.example:5000/", true},
        {"r.example:5000", "https://r.example/", false},
    };
    struct bw_error err = {0};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char exceptions[64], proxy[] = "http://proxy.example:3128";
        struct bw_http_proxies proxies = {.https = proxy, .exceptions = exceptions};
        struct bw_http_url url;
        (void)snprintf(exceptions, sizeof(exceptions), "%s", rows[i].exceptions);
        assert_int_equal(bw_http_url_parse(&url, rows[i].url, &err), 0);
        if ((bw_http_proxy_for(&proxies, &url) == NULL) != rows[i].direct) {
            fail_msg("NO_PROXY=%s: %s", rows[i].exceptions, rows[i].url);
        }
    }
}

/* The proxy itself may stand on a refused address; the host behind it may not. */
static void behind_a_proxy_the_host_is_judged(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = {
        SCRIPTED("GET http://10.11.12.13:8080/x", NULL, NULL, "HTTP/1.1 200 OK\r\n", "through"),
        {0},
    };
    static const char *const refused[] = {"127.0.0.1", "localhost", "169.254.169.254", "metadata.google.internal"};
    struct scripted_server server;
    struct bw_error err = {0};
    char proxy[64];
    unsigned port = scripted_listen(&server);
    scripted_start(&server, port, port, steps);
    (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", port);
    assert_int_equal(setenv("http_proxy", proxy, 1), 0);
    assert_int_equal(setenv("no_proxy", "", 1), 0);
    struct bw_http_client_options options = {.user_agent = "t"};
    struct bw_http_client *client = client_with(&options);
    assert_int_equal(unsetenv("http_proxy"), 0);
    struct bw_http_response *response = NULL;
    struct bw_http_request request = {.method = "GET",
                                      .url = "http://10.11.12.13:8080/x",
                                      .allow_plain_http = true,
                                      .max_response_bytes = 100,
                                      .deadline = bw_deadline_in_ms(5000)};
    assert_int_equal(bw_http_send(&response, client, &request, &err), 0);
    bw_http_close(response);
    for (size_t i = 0; i < BW_LENGTH(refused); i++) {
        char url[64];
        (void)snprintf(url, sizeof(url), "http://%s:8080/x", refused[i]);
        request.url = url;
        assert_int_equal(bw_http_send(&response, client, &request, &err), -1);
        assert_string_equal(err.detail, "address_refused");
    }
    bw_http_client_destroy(client);
    assert_string_equal(scripted_stop(&server), "");
}

static void retry_after_is_read_in_both_forms(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        int64_t seconds;
    } rows[] = {
        {"", -1},
        {"Retry-After: 7\r\n", 7},
        {"Retry-After: -7\r\n", -1},
        {"Retry-After: soon\r\n", -1},
        {"Date: Wed, 21 Oct 2015 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2015 07:28:30 GMT\r\n", 30},
        {"Date: Wed, 21 Oct 2015 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2015 07:27:30 GMT\r\n", 0},
        {"Retry-After: Wed, 21 Oct 2015 07:27:30 GMT\r\n", -1},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char reply[256], url[64];
        (void)snprintf(reply, sizeof(reply), "HTTP/1.1 429 Later\r\n%s", rows[i].headers);
        const struct scripted_step steps[] = {SCRIPTED("GET /", NULL, NULL, reply, ""), {0}};
        struct scripted_server server;
        struct bw_error err = {0};
        unsigned port = scripted_listen(&server);
        scripted_start(&server, port, port, steps);
        struct bw_http_client *client = open_client();
        struct bw_http_response *response = NULL;
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
        struct bw_http_request request = {
            .method = "GET", .url = url, .allow_plain_http = true, .deadline = bw_deadline_in_ms(5000)};
        assert_int_equal(bw_http_send(&response, client, &request, &err), 0);
        assert_int_equal(bw_http_retry_after_s(response), rows[i].seconds);
        bw_http_close(response);
        bw_http_client_destroy(client);
        assert_string_equal(scripted_stop(&server), "");
    }
}

static void a_ca_file_must_hold_certificates(void **state)
{
    (void)state;
    struct bw_http_client *client = open_client();
    struct bw_http_response *response = NULL;
    struct bw_error err = {0};
    struct bw_http_request request = {.method = "GET",
                                      .url = "https://127.0.0.1:9/",
                                      .ca_file = "/nonexistent/ca.crt",
                                      .deadline = bw_deadline_in_ms(1000)};
    assert_int_equal(bw_http_send(&response, client, &request, &err), -1);
    assert_non_null(strstr(err.message, "/nonexistent/ca.crt"));
    request.ca_file = "/dev/null";
    assert_int_equal(bw_http_send(&response, client, &request, &err), -1);
    assert_non_null(strstr(err.message, "no PEM certificate"));
    request.ca_file = NULL;
    assert_int_equal(bw_http_send(&response, client, &request, &err), -1);
    assert_string_equal(err.detail, "connect");
    assert_non_null(strstr(err.message, "127.0.0.1:9: cannot connect: Connection refused"));
    bw_http_client_destroy(client);
}

int main(void)
{
    enum { ROWS = BW_LENGTH(exchanges) };
    struct CMUnitTest rows[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = (struct CMUnitTest){
            .name = exchanges[i].name, .test_func = one_exchange, .initial_state = (void *)(uintptr_t)&exchanges[i]};
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_serves_the_next_request),
        cmocka_unit_test(a_slow_reader_gets_every_byte),
        cmocka_unit_test(a_refused_address_meets_no_connection),
        cmocka_unit_test(special_addresses_are_refused),
        cmocka_unit_test(malformed_address_blocks_are_refused),
        cmocka_unit_test(plain_http_needs_to_be_allowed),
        cmocka_unit_test(locations_are_joined),
        cmocka_unit_test(exceptions_of_the_proxy_are_kept),
        cmocka_unit_test(behind_a_proxy_the_host_is_judged),
        cmocka_unit_test(retry_after_is_read_in_both_forms),
        cmocka_unit_test(a_ca_file_must_hold_certificates),
    };
    int failed = cmocka_run_group_tests_name("exchanges", rows, NULL, NULL);
    return failed + cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
