/* Leader election against an API server that keeps one Lease, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "k8s/lease_internal.h"

#include <stdio.h>
#include <string.h>

static struct {
    json_t *lease; /* NULL: there is none */
    int version, writes;
    bool down;
} server;

int bw_kube_call(json_t **out, struct bw_kube_client *client, const struct bw_kube_request *request,
                 struct bw_error *err)
{
    (void)client;
    bool get = strcmp(request->method, "GET") == 0, post = strcmp(request->method, "POST") == 0;
    assert_string_equal(request->path, post ? "/apis/coordination.k8s.io/v1/namespaces/breakwater/leases"
                                            : "/apis/coordination.k8s.io/v1/namespaces/breakwater/leases/leader");
    if (server.down) {
        return bw_error_set(err, BW_EUNAVAILABLE, "down");
    }
    if (!post && server.lease == NULL) {
        return bw_error_set(err, BW_ENOTFOUND, "no such lease");
    }
    if (!get) {
        json_t *body = json_loads(request->body, 0, NULL), *metadata = json_object_get(body, "metadata");
        assert_non_null(body);
        if (post ? server.lease != NULL
                 : !json_equal(json_object_get(metadata, "resourceVersion"),
                               json_object_get(json_object_get(server.lease, "metadata"), "resourceVersion"))) {
            json_decref(body);
            return bw_error_detail(err, BW_EUNAVAILABLE, "conflict", "conflict");
        }
        (void)json_object_set_new(metadata, "resourceVersion", json_sprintf("%d", ++server.version));
        json_decref(server.lease);
        server.lease = body;
        server.writes++;
    }
    *out = json_deep_copy(server.lease);
    return 0;
}

static struct bw_lease_candidate one, two;

static int set_up(void **state)
{
    (void)state;
    const struct bw_lease_options options[] = {{.namespace = "breakwater", .name = "leader", .holder = "pod-1"},
                                               {.namespace = "breakwater", .name = "leader", .holder = "pod-2"}};
    server.down = false;
    server.version = server.writes = 0;
    return bw_lease_candidate_init(&one, NULL, &options[0], NULL) |
           bw_lease_candidate_init(&two, NULL, &options[1], NULL);
}

static int tear_down(void **state)
{
    (void)state;
    bw_lease_candidate_clear(&one);
    bw_lease_candidate_clear(&two);
    json_decref(server.lease);
    server.lease = NULL;
    return 0;
}

static int round_of(struct bw_lease_candidate *candidate, int64_t now_ms)
{
    struct bw_error err = {0};
    return bw_lease_round(candidate, now_ms, &err);
}

static const char *spec_text(const char *key)
{
    return json_string_value(json_object_get(json_object_get(server.lease, "spec"), key));
}

static int64_t spec_number(const char *key)
{
    return json_integer_value(json_object_get(json_object_get(server.lease, "spec"), key));
}

static void the_first_takes_it_and_the_second_waits(void **state)
{
    (void)state;
    assert_false(bw_lease_holds(&one, 1000));
    assert_int_equal(round_of(&one, 1000), 0);
    assert_int_equal(round_of(&two, 1000), 0);
    assert_true(bw_lease_holds(&one, 1000));
    assert_false(bw_lease_holds(&two, 1000));
    assert_ptr_equal(strstr(spec_text("holderIdentity"), "pod-1_"), spec_text("holderIdentity"));
    assert_int_equal(spec_number("leaseDurationSeconds"), 15);
    assert_int_equal(spec_number("leaseTransitions"), 0);
    assert_int_equal(strlen(spec_text("renewTime")), strlen("2026-01-02T03:04:05.000000Z"));
    assert_string_equal(spec_text("acquireTime"), spec_text("renewTime"));
}

static void a_leader_renews_without_asking(void **state)
{
    (void)state;
    char acquired[40];
    assert_int_equal(round_of(&one, 1000), 0);
    (void)snprintf(acquired, sizeof(acquired), "%s", spec_text("acquireTime"));
    for (int64_t ms = 3000; ms < 60000; ms += 2000) {
        assert_int_equal(round_of(&one, ms), 0);
        assert_int_equal(round_of(&two, ms), 0);
        assert_true(bw_lease_holds(&one, ms + 1999));
        assert_false(bw_lease_holds(&two, ms));
    }
    assert_string_equal(spec_text("acquireTime"), acquired);
    assert_int_equal(server.writes, 30);
}

static void one_that_is_gone_is_followed_when_its_time_is_over(void **state)
{
    (void)state;
    assert_int_equal(round_of(&one, 1000), 0);
    for (int64_t ms = 2000; ms < 17000; ms += 1000) {
        assert_int_equal(round_of(&two, ms), 0);
        assert_false(bw_lease_holds(&two, ms));
        assert_true(bw_lease_holds(&one, ms) == (ms < 11000)); /* gone, before the other can be */
    }
    assert_int_equal(round_of(&two, 17000), 0); /* 15 s after it was first seen at 2000 */
    assert_true(bw_lease_holds(&two, 17000));
    assert_int_equal(spec_number("leaseTransitions"), 1);
    assert_int_equal(round_of(&one, 17500), 0); /* it comes back: a conflict, then it sees who leads */
    assert_int_equal(round_of(&one, 18000), 0);
    assert_false(bw_lease_holds(&one, 18000));
    assert_true(bw_lease_holds(&two, 18000));
}

static void a_leader_that_cannot_renew_gives_up(void **state)
{
    (void)state;
    assert_int_equal(round_of(&one, 1000), 0);
    server.down = true;
    assert_int_equal(round_of(&one, 3000), -1);
    assert_true(bw_lease_holds(&one, 3000));
    assert_int_equal(round_of(&one, 11000), -1);
    assert_false(bw_lease_holds(&one, 11000));
    server.down = false;
    assert_int_equal(round_of(&one, 12000), 0); /* still its own */
    assert_true(bw_lease_holds(&one, 12000));
    assert_int_equal(spec_number("leaseTransitions"), 0);
}

static void a_leader_that_sees_another_is_none(void **state)
{
    (void)state;
    assert_int_equal(round_of(&one, 1000), 0);
    (void)json_object_set_new(json_object_get(server.lease, "spec"), "holderIdentity", json_string("somebody"));
    (void)json_object_set_new(json_object_get(server.lease, "metadata"), "resourceVersion", json_string("x"));
    assert_int_equal(round_of(&one, 3000), 0); /* a conflict */
    assert_int_equal(round_of(&one, 5000), 0);
    assert_false(bw_lease_holds(&one, 5000));
}

static void what_is_given_back_is_taken_at_once(void **state)
{
    (void)state;
    assert_int_equal(round_of(&one, 1000), 0);
    assert_int_equal(round_of(&two, 2000), 0);
    bw_lease_release(&one, 3000);
    assert_false(bw_lease_holds(&one, 3000));
    assert_string_equal(spec_text("holderIdentity"), "");
    assert_int_equal(spec_number("leaseDurationSeconds"), 1);
    bw_lease_release(&two, 3000); /* not its own */
    assert_int_equal(round_of(&two, 3001), 0);
    assert_true(bw_lease_holds(&two, 3001));
    assert_int_equal(spec_number("leaseTransitions"), 1);
}

static void of_two_that_see_it_free_one_leads(void **state)
{
    (void)state;
    assert_int_equal(round_of(&one, 1000), 0);
    bw_lease_release(&one, 1000);
    bw_lease_candidate_clear(&two);
    json_t *stale = json_deep_copy(server.lease);
    assert_int_equal(round_of(&one, 1500), 0);
    two.record = stale; /* what it read before the other wrote */
    (void)snprintf(two.identity, sizeof(two.identity), "%s", "");
    assert_int_equal(round_of(&two, 1500), 0);
    assert_false(bw_lease_holds(&two, 1500));
    assert_true(bw_lease_holds(&one, 1500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_takes_it_and_the_second_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_leader_renews_without_asking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_gone_is_followed_when_its_time_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_leader_that_cannot_renew_gives_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_leader_that_sees_another_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_given_back_is_taken_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_two_that_see_it_free_one_leads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
