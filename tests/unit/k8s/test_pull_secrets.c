/* Pull secrets of a pod against an API server of texts: what the kubelet would find, in its order. */
#include "k8s/pull_secrets.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* {"auths":{"a":{}}} , {"auths":{"b":{}}} and {"c":{}} */
#define CONFIG_A "eyJhdXRocyI6eyJhIjp7fX19"
#define CONFIG_B "eyJhdXRocyI6eyJiIjp7fX19"
#define CONFIG_C "eyJjIjp7fX0="

static const struct {
    const char *path;
    enum bw_lookup_state state;
    const char *document;
    enum bw_code code;
} server[] = {
    {"/api/v1/namespaces/shop/secrets/a", BW_LOOKUP_READY,
     "{\"type\":\"kubernetes.io/dockerconfigjson\",\"data\":{\".dockerconfigjson\":\"" CONFIG_A "\"}}", BW_OK},
    {"/api/v1/namespaces/shop/secrets/b.old", BW_LOOKUP_READY,
     "{\"type\":\"kubernetes.io/dockerconfigjson\",\"data\":{\".dockerconfigjson\":\"" CONFIG_B "\"}}", BW_OK},
    {"/api/v1/namespaces/shop/secrets/legacy", BW_LOOKUP_READY,
     "{\"type\":\"kubernetes.io/dockercfg\",\"data\":{\".dockercfg\":\"" CONFIG_C "\"}}", BW_OK},
    {"/api/v1/namespaces/shop/secrets/opaque", BW_LOOKUP_READY, "{\"type\":\"Opaque\",\"data\":{\"x\":\"eA==\"}}",
     BW_OK},
    {"/api/v1/namespaces/shop/secrets/broken", BW_LOOKUP_READY,
     "{\"type\":\"kubernetes.io/dockerconfigjson\",\"data\":{\".dockerconfigjson\":\"!!!\"}}", BW_OK},
    {"/api/v1/namespaces/shop/secrets/odd", BW_LOOKUP_READY, "{\"type\":7,\"data\":[]}", BW_OK},
    {"/api/v1/namespaces/shop/secrets/forbidden", BW_LOOKUP_FAILED, NULL, BW_EDENIED},
    {"/api/v1/namespaces/shop/secrets/away", BW_LOOKUP_FAILED, NULL, BW_EUNAVAILABLE},
    {"/api/v1/namespaces/shop/secrets/slow", BW_LOOKUP_PENDING, NULL, BW_OK},
    {"/api/v1/namespaces/shop/serviceaccounts/default", BW_LOOKUP_READY,
     "{\"imagePullSecrets\":[{\"name\":\"b.old\"}]}", BW_OK},
    {"/api/v1/namespaces/shop/serviceaccounts/builder", BW_LOOKUP_READY,
     "{\"imagePullSecrets\":[{\"name\":\"legacy\"},{\"name\":7},{},{\"name\":\"a\"}]}", BW_OK},
    {"/api/v1/namespaces/shop/serviceaccounts/plain", BW_LOOKUP_READY, "{}", BW_OK},
};

enum bw_lookup_state bw_kube_lookup_ask(json_t **object, uint64_t *ticket, struct bw_kube_lookup *lookup,
                                        const char *path, int64_t max_age_ms, int64_t since_ms, struct bw_error *err)
{
    (void)lookup;
    (void)since_ms;
    assert_true(max_age_ms <= 60000);
    for (size_t i = 0; i < BW_LENGTH(server); i++) {
        if (strcmp(server[i].path, path) != 0) {
            continue;
        }
        if (server[i].state == BW_LOOKUP_READY) {
            *object = json_loads(server[i].document, 0, NULL);
            assert_non_null(*object);
        } else if (server[i].state == BW_LOOKUP_PENDING) {
            *ticket = 77;
        } else {
            (void)bw_error_set(err, server[i].code, "no");
        }
        return server[i].state;
    }
    return BW_LOOKUP_ABSENT;
}

static void secrets_are_found_as_the_kubelet_finds_them(void **state)
{
    (void)state;
    static const struct {
        const char *namespace, *names[4], *account;
        const char *texts; /* joined by blanks */
        const char *note;  /* NULL: none */
    } rows[] = {
        {"shop", {"a", "b.old"}, NULL, "{\"auths\":{\"a\":{}}} {\"auths\":{\"b\":{}}}", NULL},
        {"shop", {"b.old", "a"}, NULL, "{\"auths\":{\"b\":{}}} {\"auths\":{\"a\":{}}}", NULL},
        {"shop", {"legacy"}, NULL, "{\"c\":{}}", NULL},
        /* the spec's own win over the ServiceAccount's, even when none of them is there */
        {"shop", {"a"}, "builder", "{\"auths\":{\"a\":{}}}", NULL},
        {"shop", {"gone"}, "builder", "", "namespace shop has no secret gone, named in imagePullSecrets"},
        {"shop", {NULL}, NULL, "", NULL},
        {"shop", {NULL}, "", "{\"auths\":{\"b\":{}}}", NULL},
        {"shop", {NULL}, "builder", "{\"c\":{}} {\"auths\":{\"a\":{}}}", NULL},
        {"shop", {NULL}, "plain", "", NULL},
        {"shop", {NULL}, "nobody", "", "namespace shop has no ServiceAccount nobody"},
        {"shop",
         {"gone", "a", "opaque"},
         NULL,
         "{\"auths\":{\"a\":{}}}",
         "namespace shop has no secret gone, named in imagePullSecrets; secret opaque, named in imagePullSecrets, "
         "holds no registry credentials"},
        {"shop", {"broken"}, NULL, "", "secret broken, named in imagePullSecrets, holds no registry credentials"},
        {"shop", {"odd"}, NULL, "", "secret odd, named in imagePullSecrets, holds no registry credentials"},
        {"shop",
         {"forbidden"},
         NULL,
         "",
         "breakwater may not read secret forbidden, named in imagePullSecrets in namespace shop"},
        {"shop", {"away"}, NULL, "", "secret away, named in imagePullSecrets in namespace shop could not be read"},
        /* names that are none never become part of a path */
        {"shop", {"../../../nodes"}, NULL, "", "namespace shop has no secret of the name written in imagePullSecrets"},
        {"shop", {"a?x=1"}, NULL, "", "namespace shop has no secret of the name written in imagePullSecrets"},
        {"shop", {"A"}, NULL, "", "namespace shop has no secret of the name written in imagePullSecrets"},
        {"shop", {".."}, NULL, "", "namespace shop has no secret of the name written in imagePullSecrets"},
        {"../shop", {"a"}, NULL, "", NULL},
        {"", {"a"}, NULL, "", NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, 1 << 20);
        const struct bw_pull_secrets_question question = {rows[i].namespace, rows[i].names, rows[i].account, 0};
        struct bw_pull_secrets secrets = {0};
        char texts[256] = "";
        size_t len = 0;
        assert_int_equal(bw_pull_secrets_ask(&secrets, NULL, &question, &arena, NULL), 0);
        assert_false(secrets.pending);
        for (size_t j = 0; j < secrets.n_secrets; j++) {
            len += (size_t)snprintf(texts + len, sizeof(texts) - len, "%s%.*s", j == 0 ? "" : " ",
                                    (int)secrets.secrets[j].len, secrets.secrets[j].text);
        }
        if (strcmp(texts, rows[i].texts) != 0 ||
            strcmp(rows[i].note == NULL ? "" : rows[i].note, secrets.note == NULL ? "" : secrets.note) != 0) {
            fail_msg("row %zu: %s, note: %s", i, texts, secrets.note);
        }
        bw_pull_secrets_wipe(&secrets);
        assert_int_equal(secrets.n_secrets, 0);
    }
}

static void one_that_is_not_there_yet_makes_all_wait(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "slow", "b.old", NULL};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 1 << 20);
    const struct bw_pull_secrets_question question = {"shop", names, NULL, 0};
    struct bw_pull_secrets secrets = {0};
    assert_int_equal(bw_pull_secrets_ask(&secrets, NULL, &question, &arena, NULL), 0);
    assert_true(secrets.pending);
    assert_int_equal(secrets.ticket, 77);
    assert_int_equal(secrets.n_secrets, 0);
}

static void a_pod_full_of_secrets_is_bounded(void **state)
{
    (void)state;
    const char *names[100];
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < 99; i++) {
        names[i] = "a";
    }
    names[99] = NULL;
    const struct bw_pull_secrets_question question = {"shop", names, NULL, 0};
    struct bw_pull_secrets secrets = {0};
    assert_int_equal(bw_pull_secrets_ask(&secrets, NULL, &question, &arena, NULL), 0);
    assert_int_equal(secrets.n_secrets, BW_MAX_PULL_SECRETS);
    assert_string_equal(secrets.note, "imagePullSecrets names more secrets than are looked at");
    BW_ARENA_SCOPE small;
    bw_arena_init(&small, 1500);
    assert_int_equal(bw_pull_secrets_ask(&secrets, NULL, &question, &small, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_found_as_the_kubelet_finds_them),
        cmocka_unit_test(one_that_is_not_there_yet_makes_all_wait),
        cmocka_unit_test(a_pod_full_of_secrets_is_bounded),
    };
    return cmocka_run_group_tests_name("k8s/pull_secrets", tests, NULL, NULL);
}
