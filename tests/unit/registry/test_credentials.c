/* Image pull secrets: what is read of them, which entry is for which image, and that no secret shows in an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/registry/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bw_credentials *read_all(const char *const *texts, size_t n)
{
    struct bw_credentials *credentials = bw_credentials_create();
    for (size_t i = 0; i < n; i++) {
        struct bw_error err = {0};
        if (bw_credentials_add(credentials, texts[i], strlen(texts[i]), &err) != 0) {
            fail_msg("%s", err.message);
        }
    }
    return credentials;
}

/* The users of all candidates, joined by commas. */
static const char *users_for(const struct bw_credentials *credentials, const char *image)
{
    static char users[256];
    const struct bw_credential *found[16];
    struct bw_reference reference;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    if (bw_reference_parse(&reference, image, strlen(image), &arena, &err) != 0) {
        fail_msg("%s", err.message);
    }
    size_t n = bw_credentials_find(found, BW_LENGTH(found), credentials, &reference), at = 0;
    users[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        at += (size_t)snprintf(users + at, sizeof(users) - at, "%s%s", i == 0 ? "" : ",", found[i]->username);
    }
    return users;
}

static void keys_match_as_in_the_kubelet(void **state)
{
    (void)state;
    static const struct {
        const char *key, *image;
        bool matches;
    } rows[] = {
        {"quay.io", "quay.io/team/app", true},
        {"https://quay.io", "quay.io/team/app", true},
        {"https://quay.io/v1/", "quay.io/team/app", true},
        {"https://quay.io/v2/team", "quay.io/team/app", true},
        {"quay.io/", "quay.io/team/app", true},
        {"QUAY.io", "quay.io/team/app", true},
        {"quay.io/team", "quay.io/team/app", true},
        {"quay.io/te", "quay.io/team/app", true},
        {"quay.io/team", "quay.io/other/app", false},
        {"quay.io", "cdn.quay.io/team/app", false},
        {"quay.io", "quay.io:5000/team/app", false},
        {"quay.io:5000", "quay.io:5000/team/app", true},
        {"quay.io:5000", "quay.io/team/app", false},
        {"*.azurecr.io", "shop.azurecr.io/app", true},
        {"*.azurecr.io", "a.b.azurecr.io/app", false},
        {"*", "localhost/app", true},
        {"*", "quay.io/app", false},
        {"s?op.io", "shop.io/app", true},
        {"s[gh]op.io", "shop.io/app", true},
        {"s[^h]op.io", "shop.io/app", false},
        {"s[a-m]op.io", "shop.io/app", true},
        {"s[hop.io", "shop.io/app", false},
        {"*h*p.io", "shop.io/app", true},
        {"https://index.docker.io/v1/", "nginx", true},
        {"index.docker.io", "docker.io/team/app", true},
        {"docker.io", "team/app", true},
        {"registry-1.docker.io", "team/app", true},
        {"docker.io/library", "nginx", true},
        {"docker.io/team", "nginx", false},
        {"https://index.docker.io/v1/", "quay.io/nginx", false},
        {"[::1]:5000", "[::1]:5000/app", true},
        {"[::1]:5001", "[::1]:5000/app", false},
        {"", "quay.io/app", false},
        {"/", "quay.io/app", false},
        {"http://localhost:5000", "localhost:5000/app", true},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char text[256];
        const char *texts[] = {text};
        (void)snprintf(text, sizeof(text), "{\"auths\":{\"%s\":{\"username\":\"u\",\"password\":\"p\"}}}", rows[i].key);
        struct bw_credentials *credentials = read_all(texts, 1);
        if ((users_for(credentials, rows[i].image)[0] != '\0') != rows[i].matches) {
            fail_msg("key %s, image %s", rows[i].key, rows[i].image);
        }
        bw_credentials_destroy(credentials);
    }
}

static void longer_keys_come_first_within_a_set(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"auths\":{\"quay.io\":{\"username\":\"host\",\"password\":\"p\"},"
        "\"quay.io/team\":{\"username\":\"team\",\"password\":\"p\"},"
        "\"other.io\":{\"username\":\"other\",\"password\":\"p\"},"
        "\"*.io\":{\"username\":\"any\",\"password\":\"p\"}}}",
        "{\"quay.io/team/app\":{\"username\":\"app\",\"password\":\"p\"},"
        "\"other.io\":{\"username\":\"later\",\"password\":\"p\"}}",
    };
    struct bw_credentials *credentials = read_all(texts, 2);
    assert_string_equal(users_for(credentials, "quay.io/team/app"), "app,team,host,any");
    assert_string_equal(users_for(credentials, "quay.io/x"), "host,any");
    assert_string_equal(users_for(credentials, "other.io/x"), "other,later,any");
    struct bw_credentials *copy = bw_credentials_join(credentials, NULL);
    bw_credentials_destroy(credentials);
    assert_string_equal(users_for(copy, "quay.io/team/app"), "app,team,host,any");
    bw_credentials_destroy(copy);
    assert_string_equal(users_for(NULL, "quay.io/team/app"), "");
}

static void a_joined_set_comes_after_the_first(void **state)
{
    (void)state;
    static const char *const pod[] = {"{\"quay.io\":{\"username\":\"pod\",\"password\":\"p\"}}",
                                      "{\"quay.io\":{\"username\":\"pod2\",\"password\":\"p\"}}"};
    static const char *const own[] = {"{\"quay.io/team\":{\"username\":\"own\",\"password\":\"p\"}}"};
    struct bw_credentials *first = read_all(pod, 2), *second = read_all(own, 1);
    struct bw_credentials *joined = bw_credentials_join(first, second), *swapped = bw_credentials_join(second, first);
    struct bw_credentials *alone = bw_credentials_join(NULL, second), *thrice = bw_credentials_join(joined, second);
    assert_string_equal(users_for(joined, "quay.io/team/app"), "pod,pod2,own");
    assert_string_equal(users_for(swapped, "quay.io/team/app"), "own,pod,pod2");
    assert_string_equal(users_for(alone, "quay.io/team/app"), "own");
    assert_string_equal(users_for(thrice, "quay.io/team/app"), "pod,pod2,own,own");
    char one[65], other[65];
    bw_credentials_identity(one, joined);
    bw_credentials_identity(other, second);
    assert_string_not_equal(one, other);
    bw_credentials_identity(one, alone); /* a pod without secrets has the rights of the configured ones */
    assert_string_equal(one, other);
    bw_credentials_destroy(thrice);
    bw_credentials_destroy(alone);
    bw_credentials_destroy(swapped);
    bw_credentials_destroy(joined);
    bw_credentials_destroy(second);
    bw_credentials_destroy(first);
}

static void all_forms_of_an_entry_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *username, *password, *identity_token, *registry_token;
    } rows[] = {
        {"\"username\":\"a\",\"password\":\"b\",\"email\":\"c\"", "a", "b", NULL, NULL},
        {"\"auth\":\"YTpiOmM=\"", "a", "b:c", NULL, NULL},
        {"\"auth\":\" YTpiOmM\\n\"", "a", "b:c", NULL, NULL},
        {"\"auth\":\"YTpiAAA=\"", "a", "b", NULL, NULL},
        {"\"auth\":\"YTpi\",\"username\":\"x\",\"password\":\"y\"", "a", "b", NULL, NULL},
        {"\"auth\":\"\",\"username\":\"x\",\"password\":\"y\"", "x", "y", NULL, NULL},
        {"\"auth\":\"PHRva2VuPjo=\",\"identitytoken\":\"t\"", "<token>", "", "t", NULL},
        {"\"registrytoken\":\"r\"", NULL, NULL, NULL, "r"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        for (unsigned legacy = 0; legacy < 2; legacy++) {
            char text[256];
            const char *texts[] = {text};
            const struct bw_credential *found[2] = {NULL, NULL};
            struct bw_reference reference = {.registry = "quay.io", .repository = "a"};
            (void)snprintf(text, sizeof(text), legacy ? "{\"quay.io\":{%s}}" : "{\"auths\":{\"quay.io\":{%s}}}",
                           rows[i].entry);
            struct bw_credentials *credentials = read_all(texts, 1);
            assert_int_equal(bw_credentials_find(found, 2, credentials, &reference), 1);
            const char *const pairs[][2] = {{found[0]->username, rows[i].username},
                                            {found[0]->password, rows[i].password},
                                            {found[0]->identity_token, rows[i].identity_token},
                                            {found[0]->registry_token, rows[i].registry_token}};
            for (size_t j = 0; j < BW_LENGTH(pairs); j++) {
                assert_int_equal(pairs[j][0] == NULL, pairs[j][1] == NULL);
                if (pairs[j][1] != NULL) {
                    assert_string_equal(pairs[j][0], pairs[j][1]);
                }
            }
            bw_credentials_destroy(credentials);
        }
    }
}

static void malformed_texts_are_refused_without_quoting_them(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "hunter2",
        "[]",
        "{\"auths\":{\"hunter2.io\":{\"auth\":\"hunter2\"}}",
        "{\"auths\":\"hunter2\"}",
        "{\"auths\":{\"hunter2.io\":\"hunter2\"}}",
        "{\"auths\":{\"hunter2.io\":{\"auth\":\"aHVudGVyMg==\"}}}",
        "{\"auths\":{\"hunter2.io\":{\"auth\":\"%%hunter2\"}}}",
        "{\"auths\":{\"hunter2.io\":{\"username\":7,\"password\":\"hunter2\"}}}",
        "{\"auths\":{\"hunter2.io\":{\"username\":\"a\\u0000b\",\"password\":\"hunter2\"}}}",
        "{\"auths\":{\"hunter2.io\":{\"auth\":\"YQBiOmM=\"}}}",
    };
    for (size_t i = 0; i < BW_LENGTH(texts); i++) {
        struct bw_credentials *credentials = bw_credentials_create();
        struct bw_error err = {0};
        assert_int_equal(bw_credentials_add(credentials, texts[i], strlen(texts[i]), &err), -1);
        assert_null(strstr(err.message, "hunter2"));
        bw_credentials_destroy(credentials);
    }
}

static void what_is_no_entry_is_passed_over(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"auths\":{\"quay.io\":{}},\"credsStore\":\"secretservice\"}",
        "{\"credsStore\":\"x\",\"HttpHeaders\":{\"User-Agent\":\"docker\"}}",
        "{}",
    };
    char identity[65] = "?";
    struct bw_credentials *credentials = read_all(texts, 3);
    assert_string_equal(users_for(credentials, "quay.io/a"), "");
    bw_credentials_identity(identity, credentials);
    assert_string_equal(identity, "");
    bw_credentials_destroy(credentials);
}

static void identities_tell_sets_apart(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"quay.io\":{\"username\":\"ab\",\"password\":\"c\"}}",
        "{\"quay.io\":{\"username\":\"a\",\"password\":\"bc\"}}",
        "{\"ghcr.io\":{\"username\":\"ab\",\"password\":\"c\"}}",
        "{\"quay.io\":{\"username\":\"ab\",\"identitytoken\":\"c\"}}",
        "{\"quay.io\":{\"auth\":\"YWI6Yw==\"}}",
    };
    char identities[BW_LENGTH(texts)][65];
    for (size_t i = 0; i < BW_LENGTH(texts); i++) {
        struct bw_credentials *credentials = read_all(&texts[i], 1);
        bw_credentials_identity(identities[i], credentials);
        bw_credentials_destroy(credentials);
        assert_int_equal(strlen(identities[i]), 64);
        for (size_t j = 0; j < i; j++) {
            /* the last says what the first says */
            assert_int_equal(strcmp(identities[i], identities[j]) == 0, i == 4 && j == 0);
        }
    }
}

/* Patterns come from tenants: matching stays polynomial. */
static void hostile_patterns_end_soon(void **state)
{
    (void)state;
    char text[4096], image[300];
    size_t n = (size_t)snprintf(text, sizeof(text), "{\"");
    for (size_t i = 0; i < 1000; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "*a");
    }
    (void)snprintf(text + n, sizeof(text) - n, "b.io\":{\"username\":\"u\",\"password\":\"p\"}}");
    memset(image, 'a', 200);
    (void)snprintf(image + 200, sizeof(image) - 200, ".io/app");
    const char *texts[] = {text};
    struct bw_credentials *credentials = read_all(texts, 1);
    assert_string_equal(users_for(credentials, image), "");
    bw_credentials_destroy(credentials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_match_as_in_the_kubelet),
        cmocka_unit_test(longer_keys_come_first_within_a_set),
        cmocka_unit_test(a_joined_set_comes_after_the_first),
        cmocka_unit_test(all_forms_of_an_entry_are_read),
        cmocka_unit_test(malformed_texts_are_refused_without_quoting_them),
        cmocka_unit_test(what_is_no_entry_is_passed_over),
        cmocka_unit_test(identities_tell_sets_apart),
        cmocka_unit_test(hostile_patterns_end_soon),
    };
    return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
