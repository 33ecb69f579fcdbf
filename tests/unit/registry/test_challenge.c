/* WWW-Authenticate: the grammar's corners and what registries really send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/registry/challenge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    const char *read; /* "scheme|realm|service;" for each */
} rows[] = {
    {"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a:pull\"",
     "bearer|https://auth.docker.io/token|registry.docker.io;"},
    {"Basic realm=\"Registry Realm\"", "basic|Registry Realm|;"},
    {"BEARER Realm=\"r\" , SERVICE = s", "bearer|r|s;"},
    {"Bearer scope=\"repository:x:pull,push\",realm=\"r\"", "bearer|r|;"},
    {"Basic realm=\"a\", Bearer realm=\"b\",service=\"c\"", "basic|a|;bearer|b|c;"},
    {"Negotiate, Basic realm=\"a\"", "other||;basic|a|;"},
    {"Negotiate YWJjZA==, Basic realm=\"a\"", "other||;basic|a|;"},
    {"Digest realm=\"d\", nonce=\"n\", Bearer realm=\"b\"", "other|d|;bearer|b|;"},
    {"Bearer realm=\"a \\\"quoted\\\" realm\\\\\"", "bearer|a \"quoted\" realm\\|;"},
    {", , Bearer realm=r,, ,service=s,", "bearer|r|s;"},
    {"Bearer", "bearer||;"},
    {"Bearer realm=\"unfinished", "bearer||;"},
    {"Bearer realm=\"r\",service=\"unfinished", "bearer|r|;other||;"},
    {"Bearer realm=", "bearer||;"},
    {"Bearer realm=\"\"", "bearer||;"},
    {"Bearer realm=a,realm=b", "bearer|a|;"},
    {"Bearer realm=\"back\\", "bearer||;"},
    {"=", ""},
    {"", ""},
    {"\"", ""},
};

static void challenges_are_read(void **state)
{
    (void)state;
    static const char *const schemes[] = {"other", "basic", "bearer"};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_challenge all[8];
        char read[512] = "";
        size_t at = 0;
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        size_t n = bw_challenge_parse(all, BW_LENGTH(all), rows[i].text, &arena);
        for (size_t j = 0; j < n; j++) {
            at += (size_t)snprintf(read + at, sizeof(read) - at, "%s|%s|%s;", schemes[all[j].scheme],
                                   all[j].realm == NULL ? "" : all[j].realm,
                                   all[j].service == NULL ? "" : all[j].service);
        }
        assert_string_equal(read, rows[i].read);
    }
}

static void no_more_are_read_than_there_is_room_for(void **state)
{
    (void)state;
    struct bw_challenge all[2];
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    assert_int_equal(bw_challenge_parse(all, 2, "a, b, c, d", &arena), 2);
}

static void a_long_line_costs_no_more_than_its_length(void **state)
{
    (void)state;
    size_t size = 60000, at = 0;
    char *text = malloc(size + 64);
    struct bw_challenge one;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 16 * size);
    assert_non_null(text);
    at = (size_t)snprintf(text, 64, "Bearer ");
    while (at < size) {
        at += (size_t)snprintf(text + at, 64, "a=\"\",");
    }
    (void)snprintf(text + at, 64, "realm=\"end\"");
    assert_int_equal(bw_challenge_parse(&one, 1, text, &arena), 1);
    assert_string_equal(one.realm, "end");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges_are_read),
        cmocka_unit_test(no_more_are_read_than_there_is_room_for),
        cmocka_unit_test(a_long_line_costs_no_more_than_its_length),
    };
    return cmocka_run_group_tests_name("challenge", tests, NULL, NULL);
}
