/* Platforms: their text, and which image runs where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/platform.h"

#include <string.h>

static void platforms_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"linux/amd64", true},
        {"linux/arm/v7", true},
        {"windows/amd64", true},
        {"linux", false},
        {"linux/", false},
        {"/amd64", false},
        {"", false},
        {"linux/arm/v7/x", false},
        {"Linux/amd64", false},
        {"linux/amd64/", false},
        {"linux amd64", false},
        {"linux//v7", false},
    };
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_platform platform = {0};
        struct bw_error err = {0};
        assert_int_equal(bw_platform_parse(&platform, rows[i].text, &arena, &err), rows[i].good ? 0 : -1);
        if (rows[i].good) {
            assert_string_equal(bw_platform_text(&platform, &arena), rows[i].text);
        } else {
            assert_int_equal(err.code, BW_EINPUT);
        }
    }
}

static void images_run_where_they_fit(void **state)
{
    (void)state;
    static const struct {
        const char *offered, *wanted;
        bool runs;
    } rows[] = {
        {"linux/amd64", "linux/amd64", true},     {"linux/amd64", "linux/arm64", false},
        {"windows/amd64", "linux/amd64", false},  {"linux/amd64/v1", "linux/amd64", true},
        {"linux/amd64/v2", "linux/amd64", false}, {"linux/amd64", "linux/amd64/v3", true},
        {"linux/arm64/v8", "linux/arm64", true},  {"linux/arm64", "linux/arm64/v8", true},
        {"linux/arm64/v9", "linux/arm64", false}, {"linux/arm/v6", "linux/arm/v7", true},
        {"linux/arm/v7", "linux/arm/v6", false},  {"linux/arm/v5", "linux/arm", true},
        {"linux/arm/v7", "linux/arm", true},      {"linux/arm/v8", "linux/arm", false},
        {"linux/s390x", "linux/s390x", true},
    };
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_platform offered, wanted;
        assert_int_equal(bw_platform_parse(&offered, rows[i].offered, &arena, NULL), 0);
        assert_int_equal(bw_platform_parse(&wanted, rows[i].wanted, &arena, NULL), 0);
        if (bw_platform_matches(&offered, &wanted) != rows[i].runs) {
            fail_msg("%s on %s", rows[i].offered, rows[i].wanted);
        }
    }
    struct bw_platform here = bw_platform_here();
    assert_true(bw_platform_matches(&here, &here));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(platforms_are_read_and_written),
        cmocka_unit_test(images_run_where_they_fit),
    };
    return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
