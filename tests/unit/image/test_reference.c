/* Image references: what runtimes make of them, and what is refused, with the reason in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/reference.h"

#include <stdio.h>
#include <string.h>

#define HEX64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX128 HEX64 HEX64
#define TAG128 HEX128
#define R64    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define R255   R64 R64 R64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void references_are_completed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *whole;
    } rows[] = {
        {"nginx", "docker.io/library/nginx:latest"},
        {" nginx\n", "docker.io/library/nginx:latest"},
        {"nginx:1.25", "docker.io/library/nginx:1.25"},
        {"team/app", "docker.io/team/app:latest"},
        {"docker.io/nginx", "docker.io/library/nginx:latest"},
        {"docker.io/library/nginx", "docker.io/library/nginx:latest"},
        {"index.docker.io/nginx:1", "docker.io/library/nginx:1"},
        {"index.docker.io/team/app", "docker.io/team/app:latest"},
        {"quay.io/nginx", "quay.io/nginx:latest"},
        {"localhost/app", "localhost/app:latest"},
        {"localhost:5000/app:2", "localhost:5000/app:2"},
        {"registry:5000/app", "registry:5000/app:latest"},
        {"registry/app", "docker.io/registry/app:latest"},
        {"HOST/app", "HOST/app:latest"},
        {"[::1]:5000/app", "[::1]:5000/app:latest"},
        {"[2001:db8::1]/app:1", "[2001:db8::1]/app:1"},
        {"10.0.0.1:5000/a/b/c:x", "10.0.0.1:5000/a/b/c:x"},
        {"nginx@sha256:" HEX64, "docker.io/library/nginx@sha256:" HEX64},
        {"nginx:1@sha256:" HEX64, "docker.io/library/nginx:1@sha256:" HEX64},
        {"nginx@sha512:" HEX128, "docker.io/library/nginx@sha512:" HEX128},
        {"q.io/a.b/c_d/e__f/g--h:V_1.0-x", "q.io/a.b/c_d/e__f/g--h:V_1.0-x"},
        {"q.io/a:" TAG128, "q.io/a:" TAG128},
        {"q.io/" R255, "q.io/" R255 ":latest"},
        {"q.io/" HEX64, "q.io/" HEX64 ":latest"},
        {"library/" HEX64, "docker.io/library/" HEX64 ":latest"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_reference reference, copy, again;
        struct bw_error err = {0};
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        if (bw_reference_parse(&reference, rows[i].text, strlen(rows[i].text), &arena, &err) != 0) {
            fail_msg("%s", err.message);
        }
        const char *whole = bw_reference_text(&reference, &arena);
        assert_string_equal(whole, rows[i].whole);
        assert_int_equal(bw_reference_copy(&copy, &reference, &arena), 0);
        assert_string_equal(bw_reference_text(&copy, &arena), rows[i].whole);
        assert_int_equal(bw_reference_parse(&again, whole, strlen(whole), &arena, &err), 0);
        assert_string_equal(bw_reference_text(&again, &arena), rows[i].whole);
    }
}

static void malformed_references_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "empty"},
        {"  ", "empty"},
        {"Nginx", "lower case"},
        {"quay.io/Team/app", "lower case"},
        {"team/App", "lower case"},
        {HEX64, "64 hex digits"},
        {HEX64 ":tag", "64 hex digits"},
        {"nginx:", "tag"},
        {"nginx:-a", "tag"},
        {"nginx:.a", "tag"},
        {"nginx:a b", "blank"},
        {"nginx:" TAG128 "x", "tag"},
        {"nginx:a:b", "tag"},
        {"nginx@sha256:123", "'@'"},
        {"nginx@md5:" HEX64, "'@'"},
        {"nginx@", "'@'"},
        {"nginx@sha256:" HEX64 ":tag", "'@'"},
        {"nginx@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "'@'"},
        {"a//b", "repository"},
        {"/a", "repository"},
        {"a/", "repository"},
        {"quay.io/", "no repository"},
        {"a..b/c", "host"},
        {"a___b", "repository"},
        {"a..b", "repository"},
        {"-a", "repository"},
        {"a-", "repository"},
        {"a._b", "repository"},
        {"quay.io:99999/a", "host"},
        {"quay.io:/a", "host"},
        {"quay.io:x/a", "host"},
        {"-quay.io/a", "host"},
        {"[::1/a", "host"},
        {"[::1]x/a", "host"},
        {"[]:5/a", "host"},
        {"[::g]/a", "host"},
        {"https://quay.io/a", "host"},
        {"user:pw@quay.io/a", "host"},
        {"a\x7f", "control"},
        {"a\tb", "control"},
        {"n\xc3\xa4h", "ASCII"},
        {"q.io/" R255 "a", "255"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_reference reference;
        struct bw_error err = {0};
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        if (bw_reference_parse(&reference, rows[i].text, strlen(rows[i].text), &arena, &err) == 0) {
            fail_msg("\"%s\" was taken as %s", rows[i].text, bw_reference_text(&reference, &arena));
        }
        assert_int_equal(err.code, BW_EINPUT);
        assert_string_equal(err.detail, "invalid_reference");
        if (strstr(err.message, rows[i].why) == NULL) {
            fail_msg("\"%s\": %s", rows[i].text, err.message);
        }
    }
}

static void a_nul_is_refused(void **state)
{
    (void)state;
    static const char text[] = "nginx\0:evil";
    struct bw_reference reference;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    assert_int_equal(bw_reference_parse(&reference, text, sizeof(text) - 1, &arena, &err), -1);
    assert_string_equal(err.detail, "invalid_reference");
}

static void messages_are_capped_and_clean(void **state)
{
    (void)state;
    char text[6000];
    struct bw_reference reference;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    memset(text, 'a', sizeof(text));
    text[3] = '\n';
    text[4] = '\x1b';
    assert_int_equal(bw_reference_parse(&reference, text, sizeof(text), &arena, &err), -1);
    assert_non_null(strstr(err.message, "4096"));
    assert_true(strlen(err.message) < 400);
    assert_null(strpbrk(err.message, "\n\x1b"));
    assert_int_equal(bw_reference_parse(&reference, text, 4000, &arena, &err), -1);
    assert_true(strlen(err.message) < 400);
}

static void a_spent_arena_is_a_limit(void **state)
{
    (void)state;
    size_t budget = 0;
    int status = -1;
    for (; status != 0 && budget < 65536; budget += 16) {
        struct bw_reference reference;
        struct bw_error err = {0};
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, budget);
        status = bw_reference_parse(&reference, "q.io/a/b:c", 10, &arena, &err);
        assert_true(status == 0 || err.code == BW_ELIMIT);
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_completed), cmocka_unit_test(malformed_references_are_refused),
        cmocka_unit_test(a_nul_is_refused),         cmocka_unit_test(messages_are_capped_and_clean),
        cmocka_unit_test(a_spent_arena_is_a_limit),
    };
    return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
