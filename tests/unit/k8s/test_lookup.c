/* One request for all who ask, what is kept and for how long, what room it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "k8s/lookup.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "/api/v1/namespaces/shop/secrets/reg"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned calls;
    bool hold; /* calls wait */
    enum bw_code code;
    size_t len; /* of the value in the answer */
    uint64_t told[64];
    size_t n_told;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

int bw_kube_call(json_t **out, struct bw_kube_client *client, const struct bw_kube_request *request,
                 struct bw_error *err)
{
    (void)client;
    assert_string_equal(request->method, "GET");
    assert_int_equal(request->path[0], '/');
    assert_false(bw_deadline_passed(request->deadline));
    pthread_mutex_lock(&server.lock);
    unsigned number = ++server.calls;
    (void)pthread_cond_broadcast(&server.wake);
    while (server.hold) {
        (void)pthread_cond_wait(&server.wake, &server.lock);
    }
    enum bw_code code = server.code;
    size_t len = server.len;
    pthread_mutex_unlock(&server.lock);
    if (code != BW_OK) {
        return bw_error_set(err, code, "answer %u", number);
    }
    char *value = malloc(len + 1);
    assert_non_null(value);
    memset(value, 'x', len);
    value[len] = '\0';
    *out = json_pack("{s:i,s:[s]}", "number", (int)number, "value", value);
    free(value);
    return 0;
}

static void on_done(void *payload, uint64_t ticket)
{
    (void)payload;
    pthread_mutex_lock(&server.lock);
    if (server.n_told < BW_LENGTH(server.told)) {
        server.told[server.n_told++] = ticket;
    }
    (void)pthread_cond_broadcast(&server.wake);
    pthread_mutex_unlock(&server.lock);
}

static struct bw_kube_lookup *lookup;

static int set_up(void **state)
{
    (void)state;
    server.calls = 0;
    server.n_told = 0;
    server.hold = false;
    server.code = BW_OK;
    server.len = 3;
    return bw_kube_lookup_create(&lookup, NULL, on_done, NULL, NULL);
}

static void release(void)
{
    pthread_mutex_lock(&server.lock);
    server.hold = false;
    (void)pthread_cond_broadcast(&server.wake);
    pthread_mutex_unlock(&server.lock);
}

static int tear_down(void **state)
{
    (void)state;
    release();
    bw_kube_lookup_destroy(lookup);
    return 0;
}

static void wait_told(uint64_t ticket)
{
    pthread_mutex_lock(&server.lock);
    for (bool told = false; !told;) {
        for (size_t i = 0; i < server.n_told; i++) {
            told = told || server.told[i] == ticket;
        }
        if (!told) {
            (void)pthread_cond_wait(&server.wake, &server.lock);
        }
    }
    pthread_mutex_unlock(&server.lock);
}

/* The number in the answer; 0 and the state for anything else. */
static long ask(enum bw_lookup_state *state, const char *path, int64_t max_age_ms, int64_t since_ms,
                struct bw_error *err)
{
    json_t *object = NULL;
    uint64_t ticket = 0;
    *state = bw_kube_lookup_ask(&object, &ticket, lookup, path, max_age_ms, since_ms, err);
    if (*state == BW_LOOKUP_PENDING) {
        assert_true((ticket >> 62) == 1);
        wait_told(ticket);
        *state = bw_kube_lookup_ask(&object, &ticket, lookup, path, max_age_ms, since_ms, err);
        assert_int_not_equal(*state, BW_LOOKUP_PENDING);
    }
    long number = object == NULL ? 0 : (long)json_integer_value(json_object_get(object, "number"));
    json_decref(object);
    return number;
}

static void an_answer_is_kept_for_its_time(void **state)
{
    (void)state;
    enum bw_lookup_state got = BW_LOOKUP_FAILED;
    assert_int_equal(ask(&got, SECRET, 60000, bw_monotonic_ms(), NULL), 1);
    assert_int_equal(ask(&got, SECRET, 60000, bw_monotonic_ms() + 1000, NULL), 1);
    assert_int_equal(ask(&got, SECRET "2", 60000, bw_monotonic_ms(), NULL), 2);
    assert_int_equal(ask(&got, SECRET, 60000, 0, NULL), 1);
    assert_int_equal(server.calls, 2);
}

/* However short its time: who waited for it has to find it. */
static void what_was_learned_since_counts_whatever_its_age(void **state)
{
    (void)state;
    enum bw_lookup_state got = BW_LOOKUP_FAILED;
    int64_t since = bw_monotonic_ms();
    assert_int_equal(ask(&got, SECRET, 0, since, NULL), 1);
    assert_int_equal(ask(&got, SECRET, 0, since, NULL), 1);
    json_t *object = NULL;
    uint64_t ticket = 0;
    assert_int_equal(bw_kube_lookup_ask(&object, &ticket, lookup, SECRET, 0, bw_monotonic_ms() + 1, NULL),
                     BW_LOOKUP_PENDING);
    wait_told(ticket);
    assert_int_equal(server.calls, 2);
}

static void one_request_serves_all_who_ask(void **state)
{
    (void)state;
    json_t *object = NULL;
    uint64_t first = 0, again = 0, other = 0;
    server.hold = true;
    assert_int_equal(bw_kube_lookup_ask(&object, &first, lookup, SECRET, 60000, 0, NULL), BW_LOOKUP_PENDING);
    assert_int_equal(bw_kube_lookup_ask(&object, &again, lookup, SECRET, 60000, 0, NULL), BW_LOOKUP_PENDING);
    assert_int_equal(bw_kube_lookup_ask(&object, &other, lookup, SECRET "2", 60000, 0, NULL), BW_LOOKUP_PENDING);
    assert_true(first == again);
    assert_true(first != other);
    release();
    wait_told(first);
    wait_told(other);
    assert_int_equal(server.calls, 2);
    assert_int_equal(bw_kube_lookup_ask(&object, &again, lookup, SECRET, 60000, 0, NULL), BW_LOOKUP_READY);
    json_decref(object);
}

static void failures_say_why_and_are_not_repeated_at_once(void **state)
{
    (void)state;
    static const struct {
        enum bw_code code;
        enum bw_lookup_state state;
    } rows[] = {{BW_ENOTFOUND, BW_LOOKUP_ABSENT}, {BW_EDENIED, BW_LOOKUP_FAILED}, {BW_EUNAVAILABLE, BW_LOOKUP_FAILED}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char path[64];
        struct bw_error err = {0};
        enum bw_lookup_state got = BW_LOOKUP_READY;
        int64_t since = bw_monotonic_ms();
        unsigned before = server.calls;
        (void)snprintf(path, sizeof(path), "/api/v1/namespaces/shop/secrets/%zu", i);
        server.code = rows[i].code;
        assert_int_equal(ask(&got, path, 60000, since, &err), 0);
        assert_int_equal(got, rows[i].state);
        if (got == BW_LOOKUP_FAILED) {
            assert_int_equal(err.code, rows[i].code);
            assert_non_null(strstr(err.message, "answer "));
        }
        (void)ask(&got, path, 60000, since, &err);
        assert_int_equal(server.calls, before + 1);
    }
}

/* Else every Secret of the cluster would be waited for, one after the other. */
static void a_server_that_is_away_is_asked_once_for_all(void **state)
{
    (void)state;
    static const struct {
        enum bw_code code;
        unsigned calls; /* for ten paths */
    } rows[] = {{BW_ENOTFOUND, 10}, {BW_EDENIED, 10}, {BW_EDEADLINE, 1}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        unsigned before = server.calls;
        server.code = rows[i].code;
        for (unsigned k = 0; k < 10; k++) {
            char path[64];
            struct bw_error err = {0};
            enum bw_lookup_state got = BW_LOOKUP_READY;
            (void)snprintf(path, sizeof(path), "/row%zu/%u", i, k);
            (void)ask(&got, path, 60000, bw_monotonic_ms(), &err);
            assert_int_not_equal(got, BW_LOOKUP_READY);
            assert_true(got == BW_LOOKUP_ABSENT || err.code == rows[i].code);
        }
        assert_int_equal(server.calls, before + rows[i].calls);
    }
}

static void what_is_forgotten_is_fetched_anew(void **state)
{
    (void)state;
    enum bw_lookup_state got = BW_LOOKUP_FAILED;
    int64_t since = bw_monotonic_ms();
    assert_int_equal(ask(&got, SECRET, 60000, since, NULL), 1);
    bw_kube_lookup_forget(lookup, SECRET);
    bw_kube_lookup_forget(lookup, "/never/heard/of");
    assert_int_equal(ask(&got, SECRET, 60000, since, NULL), 2);
}

static void an_object_outlives_the_lookup_for_who_holds_it(void **state)
{
    (void)state;
    json_t *object = NULL;
    uint64_t ticket = 0;
    enum bw_lookup_state got = BW_LOOKUP_FAILED;
    (void)ask(&got, SECRET, 60000, 0, NULL);
    assert_int_equal(bw_kube_lookup_ask(&object, &ticket, lookup, SECRET, 60000, 0, NULL), BW_LOOKUP_READY);
    bw_kube_lookup_forget(lookup, SECRET);
    assert_string_equal(json_string_value(json_array_get(json_object_get(object, "value"), 0)), "xxx");
    json_decref(object);
}

static void room_is_bounded_in_bytes_and_in_waiting(void **state)
{
    (void)state;
    enum bw_lookup_state got = BW_LOOKUP_FAILED;
    server.len = 3U << 20;
    for (unsigned i = 0; i < 12; i++) { /* 36 MiB */
        char path[64];
        (void)snprintf(path, sizeof(path), "/big/%u", i);
        (void)ask(&got, path, 60000, 0, NULL);
        assert_int_equal(got, BW_LOOKUP_READY);
    }
    unsigned before = server.calls;
    (void)ask(&got, "/big/11", 60000, 0, NULL);
    assert_int_equal(server.calls, before); /* kept */
    (void)ask(&got, "/big/0", 60000, 0, NULL);
    assert_int_equal(server.calls, before + 1); /* the longest unused had gone */
    server.len = 3;
    server.hold = true;
    unsigned refused = 0;
    for (unsigned i = 0; i < 400; i++) {
        char path[64];
        json_t *object = NULL;
        uint64_t ticket = 0;
        struct bw_error err = {0};
        (void)snprintf(path, sizeof(path), "/many/%u", i);
        got = bw_kube_lookup_ask(&object, &ticket, lookup, path, 60000, 0, &err);
        refused += got == BW_LOOKUP_FAILED && err.code == BW_EUNAVAILABLE;
    }
    assert_in_range(refused, 400 - 256 - 2, 400 - 256);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(an_answer_is_kept_for_its_time),
        CASE(what_was_learned_since_counts_whatever_its_age),
        CASE(one_request_serves_all_who_ask),
        CASE(failures_say_why_and_are_not_repeated_at_once),
        CASE(a_server_that_is_away_is_asked_once_for_all),
        CASE(what_is_forgotten_is_fetched_anew),
        CASE(an_object_outlives_the_lookup_for_who_holds_it),
        CASE(room_is_bounded_in_bytes_and_in_waiting),
    };
    return cmocka_run_group_tests_name("k8s/lookup", tests, NULL, NULL);
}
