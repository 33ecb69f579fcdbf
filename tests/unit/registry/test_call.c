/* Where a redirect may lead, and whether credentials go along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/registry/call.h"

#include <string.h>

static void redirects_are_judged_by_origin(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        bool plain_http, allowed, same;
    } rows[] = {
        {"https://r.example/a", "https://r.example/b", false, true, true},
        {"https://r.example/a", "https://R.example:443/b", false, true, true},
        {"https://r.example/a", "https://r.example:444/b", false, true, false},
        {"https://r.example/a", "https://cdn.r.example/b", false, true, false},
        {"https://r.example/a", "http://r.example/b", false, false, false},
        {"https://r.example/a", "http://r.example/b", true, false, false},
        {"http://r.example/a", "http://r.example/b", true, true, true},
        {"http://r.example/a", "http://other.example/b", true, true, false},
        {"http://r.example/a", "https://r.example/b", true, true, false},
        {"http://r.example/a", "http://r.example/b", false, false, false},
        {"https://r.example/a", "https://user@r.example/b", false, false, false},
        {"https://r.example/a", "file:///b", false, false, false},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_error err = {0};
        bool same = false;
        assert_int_equal(bw_redirect_allowed(&same, rows[i].from, rows[i].to, rows[i].plain_http, &err),
                         rows[i].allowed);
        assert_int_equal(same, rows[i].same);
        assert_int_equal(err.code == BW_OK, rows[i].allowed);
    }
}

static void a_pause_is_not_begun_without_the_time_for_it(void **state)
{
    (void)state;
    struct bw_registry registry = {.retry_base_ms = 1};
    assert_int_equal(bw_registry_pause(&registry, 0, -1, bw_deadline_in_ms(1000)), 0);
    assert_int_equal(bw_registry_pause(&registry, 0, 2, bw_deadline_in_ms(1000)), -1);
    assert_int_equal(bw_registry_pause(&registry, 0, 61, bw_deadline_in_ms(1000000)), -1);
    assert_int_equal(bw_registry_pause(&registry, 40, -1, bw_deadline_in_ms(0)), -1);
}

static void faults_that_stay_are_not_tried_again(void **state)
{
    (void)state;
    static const struct {
        enum bw_code code;
        const char *detail;
        bool passing;
    } rows[] = {
        {BW_EUNAVAILABLE, "connect", true},     {BW_EUNAVAILABLE, "short_body", true},
        {BW_EUNAVAILABLE, "tls", false},        {BW_EUNAVAILABLE, "redirects", false},
        {BW_EDENIED, "address_refused", false}, {BW_EDEADLINE, "deadline", false},
        {BW_ELIMIT, "body_too_long", false},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_error err = {0};
        (void)bw_error_detail(&err, rows[i].code, rows[i].detail, "x");
        assert_int_equal(bw_error_is_passing(&err), rows[i].passing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redirects_are_judged_by_origin),
        cmocka_unit_test(a_pause_is_not_begun_without_the_time_for_it),
        cmocka_unit_test(faults_that_stay_are_not_tried_again),
    };
    return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
