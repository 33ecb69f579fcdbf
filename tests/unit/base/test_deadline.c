/* base/deadline: points on the monotonic clock, RFC 3339 times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

static void a_deadline_passes(void **state)
{
    (void)state;
    struct bw_deadline past = bw_deadline_in_ms(-5), soon = bw_deadline_in_ms(60000);
    assert_true(bw_deadline_passed(past));
    assert_int_equal(bw_deadline_left_ms(past), 0);
    assert_false(bw_deadline_passed(soon));
    assert_in_range(bw_deadline_left_ms(soon), 50000, 60000);
    assert_int_equal(bw_deadline_min(soon, past).monotonic_ms, past.monotonic_ms);
    assert_int_equal(bw_deadline_min(past, soon).monotonic_ms, past.monotonic_ms);
    assert_false(bw_deadline_passed(bw_deadline_in_ms(INT64_MAX)));
}

static void times_are_written_in_utc(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},  {951827696, "2000-02-29T12:34:56Z"}, {1767323045, "2026-01-02T03:04:05Z"},
        {-1, "1970-01-01T00:00:00Z"}, {INT64_MAX, "9999-12-31T23:59:59Z"},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        char out[21];
        bw_time_format(out, cases[i].seconds);
        assert_string_equal(out, cases[i].text);
    }
    char micro[28], seconds[21];
    bw_time_format_micro(micro);
    assert_int_equal(strlen(micro), 27);
    assert_int_equal(strspn(micro + 20, "0123456789"), 6);
    assert_string_equal(micro + 26, "Z");
    (void)snprintf(seconds, sizeof(seconds), "%.19sZ", micro);
    int64_t at_s = 0;
    assert_int_equal(bw_time_parse(&at_s, seconds), 0);
    assert_in_range(bw_wall_s() - at_s, 0, 60);
    assert_true(bw_wall_s() > 1700000000);
}

static void times_are_read_with_their_offset(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } cases[] = {
        {"2000-02-29T12:34:56Z", 951827696},
        {"2000-02-29T13:34:56+01:00", 951827696},
        {"2000-02-29", -1},
        {"2000-02-29T12:34:56", -1},
        {"2000-02-29T12:34:56Z ", -1},
        {"", -1},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        int64_t seconds = -1;
        assert_int_equal(bw_time_parse(&seconds, cases[i].text), cases[i].seconds == -1 ? -1 : 0);
        assert_int_equal(seconds, cases[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_passes),
        cmocka_unit_test(times_are_written_in_utc),
        cmocka_unit_test(times_are_read_with_their_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
