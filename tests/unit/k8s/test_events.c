/* What is written of events, and what is not: against an API server that notes the requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "k8s/events.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CALLS = 64 };

static struct {
    pthread_mutex_t lock;
    char *requests[MAX_CALLS]; /* "METHOD PATH BODY" */
    size_t n;
    enum bw_code patch_fails; /* with this code; BW_OK: not */
    bool post_fails, slow;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

int bw_kube_call(json_t **out, struct bw_kube_client *client, const struct bw_kube_request *request,
                 struct bw_error *err)
{
    (void)client;
    assert_null(out);
    pthread_mutex_lock(&server.lock);
    char *text = NULL;
    if (server.n < MAX_CALLS &&
        asprintf(&text, "%s %s %s %s", request->method, request->path,
                 request->content_type == NULL ? "" : request->content_type, request->body) > 0) {
        server.requests[server.n++] = text;
    }
    bool patch = strcmp(request->method, "PATCH") == 0, slow = server.slow;
    enum bw_code code = patch ? server.patch_fails : server.post_fails ? BW_EDENIED : BW_OK;
    pthread_mutex_unlock(&server.lock);
    if (slow) {
        (void)poll(NULL, 0, 20);
    }
    return code == BW_OK ? 0 : bw_error_set(err, code, "events is forbidden");
}

static struct bw_events *events;
static unsigned troubles; /* atomic */

static void on_trouble(void *payload, const struct bw_error *err)
{
    (void)payload;
    assert_string_equal(err->message, "events is forbidden");
    (void)__atomic_add_fetch(&troubles, 1, __ATOMIC_RELAXED);
}

static int set_up(void **state)
{
    (void)state;
    server.patch_fails = BW_OK;
    server.post_fails = server.slow = false;
    troubles = 0;
    return bw_events_create(&events, NULL, "breakwater-7d4-x", on_trouble, NULL, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    bw_events_destroy(events);
    for (; server.n > 0; server.n--) {
        free(server.requests[server.n - 1]);
    }
    return 0;
}

static const struct bw_event denied = {
    .api_version = "apps/v1",
    .kind = "ReplicaSet",
    .name = "cart-7c9d",
    .uid = "5b0c",
    .namespace = "shop",
    .reason = "ImageDenied",
    .action = "Admission",
    .note = "no \x1b[31mroot\n\"please\"",
    .subject = "cart:9",
    .warning = true,
};

/* Until the thread has done with n of them. */
static void wait_for(uint64_t n)
{
    struct bw_events_counts counts = {0};
    for (int i = 0; i < 3000; i++) {
        counts = bw_events_counts(events);
        if (counts.written + counts.failed + counts.dropped + counts.repeated >= n) {
            return;
        }
        (void)poll(NULL, 0, 10);
    }
    fail_msg("%llu written", (unsigned long long)counts.written);
}

static void an_event_says_what_it_regards(void **state)
{
    (void)state;
    bw_events_post(events, &denied);
    wait_for(1);
    assert_int_equal(server.n, 1);
    const char *text = server.requests[0], *body = strchr(text, '{');
    assert_ptr_equal(strstr(text, "POST /apis/events.k8s.io/v1/namespaces/shop/events "), text);
    json_t *event = json_loads(body, 0, NULL);
    assert_non_null(event);
    static const struct {
        const char *in, *name, *value;
    } rows[] = {
        {NULL, "apiVersion", "events.k8s.io/v1"},
        {NULL, "kind", "Event"},
        {"metadata", "namespace", "shop"},
        {NULL, "reportingController", "breakwater.io/webhook"},
        {NULL, "reportingInstance", "breakwater-7d4-x"},
        {NULL, "action", "Admission"},
        {NULL, "reason", "ImageDenied"},
        {NULL, "type", "Warning"},
        {NULL, "note", "no ?[31mroot\n\"please\""},
        {"regarding", "apiVersion", "apps/v1"},
        {"regarding", "kind", "ReplicaSet"},
        {"regarding", "namespace", "shop"},
        {"regarding", "name", "cart-7c9d"},
        {"regarding", "uid", "5b0c"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const json_t *in = rows[i].in == NULL ? event : json_object_get(event, rows[i].in);
        assert_string_equal(json_string_value(json_object_get(in, rows[i].name)), rows[i].value);
    }
    const char *time = json_string_value(json_object_get(event, "eventTime"));
    assert_int_equal(strlen(time), strlen("2026-01-02T03:04:05.000000Z"));
    assert_int_equal(time[19], '.');
    json_decref(event);
}

static void the_same_again_is_a_series(void **state)
{
    (void)state;
    struct bw_event other = denied;
    other.subject = "cart:10";
    bw_events_post(events, &denied);
    bw_events_post(events, &denied);
    bw_events_post(events, &other);
    bw_events_post(events, &denied);
    wait_for(4 + 2);
    assert_int_equal(server.n, 4);
    assert_non_null(strstr(server.requests[1], "PATCH /apis/events.k8s.io/v1/namespaces/shop/events/breakwater."));
    assert_non_null(strstr(server.requests[1], " application/merge-patch+json {\"series\":{\"count\":2,"));
    assert_non_null(strstr(server.requests[2], "POST "));
    assert_non_null(strstr(server.requests[3], "\"count\":3,"));
    assert_int_equal(bw_events_counts(events).repeated, 2);
}

static void a_series_whose_event_is_gone_begins_anew(void **state)
{
    (void)state;
    server.patch_fails = BW_ENOTFOUND;
    bw_events_post(events, &denied);
    bw_events_post(events, &denied);
    wait_for(2 + 1);
    assert_int_equal(server.n, 3);
    assert_non_null(strstr(server.requests[2], "POST "));
    assert_int_equal(troubles, 0);
}

static void an_object_has_a_burst_and_no_more(void **state)
{
    (void)state;
    struct bw_event event = denied;
    char subject[32];
    event.subject = subject;
    for (unsigned i = 0; i < 27; i++) {
        (void)snprintf(subject, sizeof(subject), "image-%u", i);
        bw_events_post(events, &event);
    }
    wait_for(27);
    assert_int_equal(server.n, 25);
    assert_int_equal(bw_events_counts(events).written, 25);
    assert_int_equal(bw_events_counts(events).dropped, 2);
}

static void what_cannot_be_written_is_told(void **state)
{
    (void)state;
    server.post_fails = true;
    bw_events_post(events, &denied);
    wait_for(1);
    assert_int_equal(bw_events_counts(events).failed, 1);
    assert_int_equal(__atomic_load_n(&troubles, __ATOMIC_RELAXED), 1);
}

static void a_full_queue_drops(void **state)
{
    (void)state;
    server.slow = true;
    for (unsigned i = 0; i < 1000; i++) {
        bw_events_post(events, &denied);
    }
    assert_true(bw_events_counts(events).dropped > 0);
    bw_events_post(NULL, &denied); /* nobody to write it */
}

static void a_namespace_that_is_no_name_is_written_nowhere(void **state)
{
    (void)state;
    struct bw_event event = denied;
    event.namespace = "shop/../x";
    bw_events_post(events, &event);
    event.namespace = "";
    bw_events_post(events, &event);
    wait_for(2);
    assert_int_equal(server.n, 0);
}

static void a_long_note_is_cut_between_letters(void **state)
{
    (void)state;
    char note[1100];
    struct bw_event event = denied;
    memset(note, 'x', sizeof(note));
    memcpy(note + 1023, "\xc3\xa9", 2);
    note[1090] = '\0';
    event.note = note;
    bw_events_post(events, &event);
    wait_for(1);
    json_t *written = json_loads(strchr(server.requests[0], '{'), 0, NULL);
    assert_int_equal(json_string_length(json_object_get(written, "note")), 1023);
    json_decref(written);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(an_event_says_what_it_regards),
        CASE(the_same_again_is_a_series),
        CASE(a_series_whose_event_is_gone_begins_anew),
        CASE(an_object_has_a_burst_and_no_more),
        CASE(what_cannot_be_written_is_told),
        CASE(a_full_queue_drops),
        CASE(a_namespace_that_is_no_name_is_written_nowhere),
        CASE(a_long_note_is_cut_between_letters),
    };
    return cmocka_run_group_tests_name("k8s/events", tests, NULL, NULL);
}
