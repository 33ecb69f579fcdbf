/* Which bundles are in force: precedence of ids, the default, what stays when content becomes faulty, bounds, metrics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "cli/bundle_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A case is told in words: sources, each with the ids of its bundles by key.
 *   "folder a=one b=two"              files a and b with the bundles one and two
 *   "own/NAME@3+active+warn a=one"    a ConfigMap of breakwater's own namespace, created at second 3
 *   "other/NAME@1 a=one"              of some other namespace
 * An id "!" is content with a fault, "?" content that cannot be read. A source without keys is dropped.
 */
static void offer(struct bw_bundle_store *store, const char *key, const char *id)
{
    struct bw_error err = {0};
    char text[512];
    (void)bw_error_set(&err, BW_EINPUT, "not base64");
    (void)snprintf(text, sizeof(text), "{\"id\":\"%s\",\"version\":\"1_0\",\"policies\":%s,\"mappings\":[]}", id,
                   strcmp(id, "!") == 0 ? "7" : "[]");
    bool readable = strcmp(id, "?") != 0;
    bw_bundle_store_offer(store, &(struct bw_bundle_content){.key = key,
                                                             .name = key,
                                                             .text = readable ? text : NULL,
                                                             .len = readable ? strlen(text) : 0,
                                                             .error = readable ? NULL : &err});
}

static void feed(struct bw_bundle_store *store, const char *told)
{
    char words[512], namespace[64] = "", created[32], *rest = NULL;
    struct bw_bundle_source source = {0};
    (void)snprintf(words, sizeof(words), "%s", told);
    char *word = strtok_r(words, " ", &rest);
    char *slash = strchr(word, '/');
    if (slash != NULL) {
        (void)snprintf(namespace, sizeof(namespace), "%.*s", (int)(slash - word), word);
        char *at = strchr(slash, '@');
        char second = at == NULL ? '0' : at[1];
        source = (struct bw_bundle_source){.namespace = namespace,
                                           .name = slash + 1,
                                           .uid = "u",
                                           .created = created,
                                           .own = strcmp(namespace, "own") == 0,
                                           .active = strstr(slash, "+active") != NULL,
                                           .warn_only = strstr(slash, "+warn") != NULL};
        (void)snprintf(created, sizeof(created), "2026-01-02T03:04:0%cZ", second);
        slash[1 + strcspn(slash + 1, "@+")] = '\0';
    }
    word = strtok_r(NULL, " ", &rest);
    if (word == NULL && slash != NULL) {
        bw_bundle_store_drop(store, source.namespace, source.name);
        return;
    }
    bw_bundle_store_begin(store, &source);
    for (; word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        offer(store, word, equals + 1);
    }
    bw_bundle_store_end(store);
}

/* "*one<file a two<configmap own/m[b]!": sorted by precedence, the default starred, what only warns marked */
static void write_set(struct bw_buf *out, const struct bw_bundle_set *set)
{
    bw_buf_reset(out);
    bw_buf_puts(out, "");
    for (size_t i = 0; i < bw_bundle_set_count(set); i++) {
        struct bw_bundle *bundle = bw_bundle_set_at(set, i);
        bw_buf_printf(out, "%s%s%s<%s%s", i == 0 ? "" : " ", bundle == bw_bundle_set_find(set, NULL) ? "*" : "",
                      bw_bundle_id(bundle), bw_bundle_set_origin(set, bundle),
                      bw_bundle_set_warns(set, bundle) ? "!" : "");
    }
}

struct step {
    const char *sources[4]; /* what changes, in this order */
    const char *expected;   /* afterwards */
};

struct precedence_case {
    const char *name;
    const char *default_id;
    struct step steps[4];
};

static const struct precedence_case cases[] = {
    {"nothing at all", NULL, {{{"folder"}, ""}}},
    {"the only bundle is the default", NULL, {{{"folder a=one"}, "*one<file a"}}},
    {"of several none is", NULL, {{{"folder a=one b=two"}, "one<file a two<file b"}}},
    {"the one that is named is", "two", {{{"folder a=one b=two"}, "one<file a *two<file b"}}},
    {"one that is named and not there is none", "three", {{{"folder a=one"}, "one<file a"}}},
    {"of two files the later name is refused", NULL, {{{"folder b=one a=one"}, "*one<file a"}}},
    {"it comes into force when the earlier is gone",
     NULL,
     {{{"folder a=one b=one"}, "*one<file a"}, {{"folder b=one"}, "*one<file b"}}},
    {"a file wins over a ConfigMap, however old",
     NULL,
     {{{"own/m@1 k=one", "folder a=one"}, "*one<file a"}, {{"folder"}, "*one<configmap own/m[k]"}}},
    {"of two ConfigMaps the older stays, whichever is seen first",
     NULL,
     {{{"own/a@2 k=one", "own/b@1 k=one"}, "*one<configmap own/b[k]"}, {{"own/b"}, "*one<configmap own/a[k]"}}},
    {"as old: the smaller name, then the smaller key",
     NULL,
     {{{"own/b@1 k=one", "own/a@1 y=one x=one"}, "*one<configmap own/a[x]"}}},
    {"made anew with the same content, it is the younger one",
     NULL,
     {{{"own/a@1 k=one", "own/b@2 k=one"}, "*one<configmap own/a[k]"}, {{"own/a@3 k=one"}, "*one<configmap own/b[k]"}}},
    {"another namespace takes no id of the own one, though older",
     NULL,
     {{{"other/m@1 k=one", "own/m@9 k=one"}, "*one<configmap own/m[k]"}}},
    {"and no default: neither as the only one, nor labelled, nor by being there",
     NULL,
     {{{"other/m+active k=one"}, "one<configmap other/m[k]"},
      {{"own/m k=two"}, "*two<configmap own/m[k] one<configmap other/m[k]"}}},
    {"but it may be named", "one", {{{"other/m k=one"}, "*one<configmap other/m[k]"}}},
    {"the label active makes the default",
     NULL,
     {{{"own/a k=one", "own/b+active k=two"}, "one<configmap own/a[k] *two<configmap own/b[k]"}}},
    {"bundles.default overrules it",
     "one",
     {{{"own/a k=one", "own/b+active k=two"}, "*one<configmap own/a[k] two<configmap own/b[k]"}}},
    {"two labelled active: none of them",
     NULL,
     {{{"own/a+active k=one", "own/b+active k=two"}, "one<configmap own/a[k] two<configmap own/b[k]"}}},
    {"even if only one of them has a bundle",
     NULL,
     {{{"own/a+active k=one", "own/b+active k=!"}, "one<configmap own/a[k]"}}},
    {"the last default stays until it is clear",
     NULL,
     {{{"own/a+active k=one", "own/b k=two"}, "*one<configmap own/a[k] two<configmap own/b[k]"},
      {{"own/b+active k=two"}, "*one<configmap own/a[k] two<configmap own/b[k]"},
      {{"own/a k=one"}, "one<configmap own/a[k] *two<configmap own/b[k]"}}},
    {"unless it is gone",
     NULL,
     {{{"own/a+active k=one"}, "*one<configmap own/a[k]"},
      {{"own/a k=three", "own/b+active k=two", "own/c+active k=four"},
       "three<configmap own/a[k] two<configmap own/b[k] four<configmap own/c[k]"}}},
    {"a labelled one with two bundles tells nothing",
     NULL,
     {{{"own/a+active k=one l=two"}, "one<configmap own/a[k] two<configmap own/a[l]"}}},
    {"nor one that has none; the only other one is not meant",
     NULL,
     {{{"own/a+active k=!", "own/b k=one"}, "one<configmap own/b[k]"},
      {{"own/a+active k=two"}, "*two<configmap own/a[k] one<configmap own/b[k]"}}},
    {"a faulty ConfigMap is nothing", NULL, {{{"own/a k=!"}, ""}}},
    {"one that becomes faulty keeps its last good content, its other keys are read",
     NULL,
     {{{"own/a k=one l=two"}, "one<configmap own/a[k] two<configmap own/a[l]"},
      {{"own/a k=! l=three"}, "one<configmap own/a[k] three<configmap own/a[l]"},
      {{"own/a k=? l=three"}, "one<configmap own/a[k] three<configmap own/a[l]"},
      {{"own/a k=four l=three"}, "four<configmap own/a[k] three<configmap own/a[l]"}}},
    {"the last good content goes with its key",
     NULL,
     {{{"own/a k=one"}, "*one<configmap own/a[k]"}, {{"own/a k=!"}, "*one<configmap own/a[k]"}, {{"own/a l=!"}, ""}}},
    {"or with its ConfigMap", NULL, {{{"own/a k=one"}, "*one<configmap own/a[k]"}, {{"own/a"}, ""}}},
    {"one that never was is no trouble", NULL, {{{"own/never", "own/a k=one"}, "*one<configmap own/a[k]"}}},
    {"on trial",
     NULL,
     {{{"own/a+warn k=one"}, "*one<configmap own/a[k]!"}, {{"own/a k=one"}, "*one<configmap own/a[k]"}}},
};

static void precedence_is_as_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_bundle_store *store = bw_bundle_store_create(NULL);
        for (size_t j = 0; j < BW_LENGTH(cases[i].steps) && cases[i].steps[j].expected != NULL; j++) {
            const struct step *step = &cases[i].steps[j];
            for (size_t k = 0; k < BW_LENGTH(step->sources) && step->sources[k] != NULL; k++) {
                feed(store, step->sources[k]);
            }
            struct bw_bundle_set *set = bw_bundle_store_make(store, cases[i].default_id);
            assert_non_null(set);
            BW_BUF_SCOPE seen;
            bw_buf_init(&seen, 65536);
            write_set(&seen, set);
            if (strcmp(seen.data, step->expected) != 0) {
                fail_msg("%s, step %zu: %s, expected %s", cases[i].name, j + 1, seen.data, step->expected);
            }
            bw_bundle_set_release(set);
            assert_null(bw_bundle_store_make(store, cases[i].default_id));
        }
        bw_bundle_store_destroy(store);
    }
}

static void another_default_makes_another_set(void **state)
{
    (void)state;
    static const char *const defaults[] = {NULL, "two", "one", NULL};
    static const char *const expected[] = {"one<file a two<file b", "one<file a *two<file b", "*one<file a two<file b",
                                           "one<file a two<file b"};
    struct bw_bundle_store *store = bw_bundle_store_create(NULL);
    feed(store, "folder a=one b=two");
    for (size_t i = 0; i < BW_LENGTH(defaults); i++) {
        struct bw_bundle_set *set = bw_bundle_store_make(store, defaults[i]);
        BW_BUF_SCOPE seen;
        bw_buf_init(&seen, 65536);
        assert_non_null(set);
        write_set(&seen, set);
        assert_string_equal(seen.data, expected[i]);
        bw_bundle_set_release(set);
    }
    bw_bundle_store_destroy(store);
}

static bool is_exposed(const char *line)
{
    BW_BUF_SCOPE all;
    bw_buf_init(&all, 10 * BW_MIB);
    bw_metrics_write(&all);
    return strstr(all.data, line) != NULL;
}

static void make(struct bw_bundle_store *store)
{
    bw_bundle_set_release(bw_bundle_store_make(store, NULL));
}

static void metrics_tell_what_is_in_force_and_forget_what_is_gone(void **state)
{
    (void)state;
    struct bw_bundle_store *store = bw_bundle_store_create(NULL);
    feed(store, "own/m k=one l=! m=one");
    make(store);
    assert_true(is_exposed("\nbreakwater_bundle_valid{bundle=\"one\",origin=\"configmap own/m[k]\"} 1\n"));
    assert_true(is_exposed("\nbreakwater_bundle_valid{bundle=\"\",origin=\"configmap own/m[l]\"} 0\n"));
    assert_true(is_exposed("\nbreakwater_bundle_valid{bundle=\"one\",origin=\"configmap own/m[m]\"} 0\n"));
    assert_true(is_exposed("\nbreakwater_bundle_info{bundle=\"one\",hash=\""));
    assert_true(is_exposed("\nbreakwater_bundle_last_load_timestamp_seconds{bundle=\"one\"} 1"));
    feed(store, "own/m k=!");
    make(store);
    assert_true(is_exposed("\nbreakwater_bundle_valid{bundle=\"one\",origin=\"configmap own/m[k]\"} 0\n"));
    assert_true(is_exposed("\nbreakwater_bundle_info{bundle=\"one\",hash=\""));
    assert_false(is_exposed("configmap own/m[l]"));
    feed(store, "own/m k=two");
    make(store);
    assert_true(is_exposed("\nbreakwater_bundle_valid{bundle=\"two\",origin=\"configmap own/m[k]\"} 1\n"));
    assert_false(is_exposed("bundle=\"one\""));
    bw_bundle_store_destroy(store);
    assert_false(is_exposed("bundle=\"two\""));
}

/* ---- bounds ---- */

static void offer_large(struct bw_bundle_store *store, const char *name, bool own, size_t len)
{
    char *text = malloc(len), head[128];
    assert_non_null(text);
    memset(text, ' ', len);
    int n = snprintf(head, sizeof(head), "{\"id\":\"%s\",\"version\":\"1_0\",\"policies\":[],\"mappings\":[]}", name);
    memcpy(text, head, (size_t)n);
    bw_bundle_store_begin(store, &(struct bw_bundle_source){
                                     .namespace = own ? "own" : "other", .name = name, .created = "2026", .own = own});
    bw_bundle_store_offer(store, &(struct bw_bundle_content){.key = "k", .name = "k", .text = text, .len = len});
    bw_bundle_store_end(store);
    free(text);
}

static void all_texts_are_bounded_and_other_namespaces_suffer_first(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    struct bw_bundle_store *store = bw_bundle_store_create(NULL);
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        offer_large(store, names[i], false, BW_MAX_BUNDLE_BYTES);
    }
    offer_large(store, "ours", true, 1000);
    struct bw_bundle_set *set = bw_bundle_store_make(store, NULL);
    BW_BUF_SCOPE seen;
    bw_buf_init(&seen, 65536);
    write_set(&seen, set);
    assert_string_equal(seen.data, "*ours<configmap own/ours[k] a<configmap other/a[k]");
    bw_bundle_set_release(set);
    bw_bundle_store_drop(store, "other", "a");
    offer_large(store, "b", false, BW_MAX_BUNDLE_BYTES); /* the same once more: now there is room */
    set = bw_bundle_store_make(store, "b");
    assert_non_null(bw_bundle_set_find(set, NULL));
    bw_bundle_set_release(set);
    bw_bundle_store_destroy(store);
}

static void so_many_bundles_of_other_namespaces_leave_room_for_ours(void **state)
{
    (void)state;
    struct bw_bundle_store *store = bw_bundle_store_create(NULL);
    char told[128];
    for (int i = 0; i < BW_MAX_BUNDLES + 20; i++) {
        (void)snprintf(told, sizeof(told), "other/m%04d k=id%d", i, i);
        feed(store, told);
    }
    feed(store, "own/last k=ours");
    struct bw_bundle_set *set = bw_bundle_store_make(store, NULL);
    assert_int_equal(bw_bundle_set_count(set), BW_MAX_BUNDLES);
    assert_string_equal(bw_bundle_id(bw_bundle_set_find(set, NULL)), "ours");
    assert_non_null(bw_bundle_set_find(set, "id0"));
    assert_null(bw_bundle_set_find(set, "id1000"));
    bw_bundle_set_release(set);
    bw_bundle_store_destroy(store);
}

static void what_holds_no_bundle_makes_room_first(void **state)
{
    (void)state;
    struct bw_bundle_store *store = bw_bundle_store_create(NULL);
    char key[32];
    feed(store, "own/young@9 k=good");
    bw_bundle_store_begin(
        store, &(struct bw_bundle_source){.namespace = "own", .name = "old", .created = "2020", .own = true});
    for (int i = 0; i < BW_MAX_BUNDLES + 20; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        offer(store, key, "?");
    }
    bw_bundle_store_end(store);
    struct bw_bundle_set *set = bw_bundle_store_make(store, NULL);
    assert_string_equal(bw_bundle_id(bw_bundle_set_find(set, NULL)), "good");
    bw_bundle_set_release(set);
    bw_bundle_store_destroy(store);
}

static void two_hundred_of_one_id_are_one_bundle(void **state)
{
    (void)state;
    struct bw_bundle_store *store = bw_bundle_store_create(NULL);
    char told[128];
    for (int i = 200; i-- > 0;) {
        (void)snprintf(told, sizeof(told), "own/m%03d k=same", i);
        feed(store, told);
    }
    struct bw_bundle_set *set = bw_bundle_store_make(store, NULL);
    assert_int_equal(bw_bundle_set_count(set), 1);
    assert_string_equal(bw_bundle_set_origin(set, bw_bundle_set_find(set, NULL)), "configmap own/m000[k]");
    bw_bundle_set_release(set);
    bw_bundle_store_destroy(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precedence_is_as_told),
        cmocka_unit_test(another_default_makes_another_set),
        cmocka_unit_test(metrics_tell_what_is_in_force_and_forget_what_is_gone),
        cmocka_unit_test(all_texts_are_bounded_and_other_namespaces_suffer_first),
        cmocka_unit_test(so_many_bundles_of_other_namespaces_leave_room_for_ours),
        cmocka_unit_test(what_holds_no_bundle_makes_room_first),
        cmocka_unit_test(two_hundred_of_one_id_are_one_bundle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
