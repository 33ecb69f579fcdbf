/* k8s/metadata_store: what is put can be found, bounded, and counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/memory.h"
#include "k8s/metadata_store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct bw_metadata_store *store, const char *text)
{
    json_t *root = NULL;
    struct bw_error err = {0};
    if (bw_json_parse(&root, text, strlen(text), strlen(text), &err) != 0) {
        fail_msg("%s", err.message);
    }
    bw_metadata_store_put(store, bw_json_root(root));
    json_decref(root);
}

static void an_object_is_found_as_it_was_last_put(void **state)
{
    struct bw_metadata_store *store = bw_metadata_store_create("os", "arch");
    struct bw_metadata found = {0};
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, BW_MIB);
    put(store, "{\"metadata\":{\"name\":\"shop\",\"labels\":{\"team\":\"a\",\"old\":\"1\"}}}");
    put(store, "{\"metadata\":{\"name\":\"shop\",\"labels\":{\"team\":\"b\",\"env\":\"x\\u0000y\"},\"annotations\":"
               "{\"z\":\"1\",\"kubectl.kubernetes.io/last-applied-configuration\":\"{}\",\"a\":\"2\"}}}");
    put(store, "{\"metadata\":{\"labels\":{\"team\":\"b\"}}}");
    put(store, "{}");
    assert_true(bw_metadata_store_find(&found, store, "shop", &arena, NULL));
    bw_metadata_store_drop(store, "shop");
    bw_metadata_store_drop(store, "shop");
    struct bw_metadata gone = {0};
    assert_false(bw_metadata_store_find(&gone, store, "shop", &arena, NULL));

    assert_string_equal(found.name, "shop"); /* a copy, past the store's own */
    assert_int_equal(found.labels.n_items, 2);
    assert_string_equal(bw_pairs_find(&found.labels, "team")->value, "b");
    assert_memory_equal(bw_pairs_find(&found.labels, "env")->value, "x\0y", 4);
    assert_int_equal(bw_pairs_find(&found.labels, "env")->value_len, 3);
    assert_int_equal(found.annotations.n_items, 2);
    assert_string_equal(bw_pairs_find(&found.annotations, "a")->value, "2");
    assert_string_equal(bw_pairs_find(&found.annotations, "z")->value, "1");
    bw_metadata_store_destroy(store);
}

static void who_is_absent_and_an_arena_that_is_spent_are_told_apart(void **state)
{
    struct bw_metadata_store *store = bw_metadata_store_create("os", "arch");
    struct bw_metadata found = {0};
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, 8);
    put(store, "{\"metadata\":{\"name\":\"shop\"}}");
    assert_false(bw_metadata_store_find(&found, store, "other", &arena, &err));
    assert_int_equal(err.code, BW_OK);
    assert_false(bw_metadata_store_find(&found, store, "shop", &arena, &err));
    assert_int_equal(err.code, BW_ELIMIT);
    bw_metadata_store_destroy(store);
}

static void put_large(struct bw_metadata_store *store, const char *name, size_t len)
{
    json_t *root = json_object(), *metadata = json_object(), *annotations = json_object();
    char *text = bw_memory_zeroed(1, len + 1);
    memset(text, 'x', len);
    (void)json_object_set_new(annotations, "large", json_string(text));
    (void)json_object_set_new(metadata, "name", json_string(name));
    (void)json_object_set_new(metadata, "annotations", annotations);
    (void)json_object_set_new(root, "metadata", metadata);
    bw_metadata_store_put(store, bw_json_root(root));
    json_decref(root);
    free(text);
}

static bool has(struct bw_metadata_store *store, const char *name)
{
    struct bw_metadata found = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    return bw_metadata_store_find(&found, store, name, &arena, NULL);
}

static void what_is_too_much_is_not_there(void **state)
{
    static const size_t each = 256 * BW_KIB;
    struct bw_metadata_store *store = bw_metadata_store_create("os", "arch");
    size_t n = 0;
    (void)state;
    put(store, "{\"metadata\":{\"name\":\"a\"}}");
    put_large(store, "a", BW_MAX_METADATA_BYTES); /* not as it was before it grew either */
    assert_false(has(store, "a"));
    for (int i = 0; i < 200; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i);
        put_large(store, name, each);
        n += has(store, name);
    }
    assert_true(n > 100);
    assert_true(n * each <= BW_MAX_METADATA_KEPT);
    bw_metadata_store_destroy(store);
}

static void pairs_of_values_are_distinct_and_sorted(void **state)
{
    static const char *const nodes[][3] = {{"n1", "linux", "arm64"},   {"n2", "linux", "amd64"},
                                           {"n3", "linux", "arm64"},   {"n4", "windows", "amd64"},
                                           {"n5", "darwin", "mips64"}, {"n6", "", "amd64"}};
    struct bw_metadata_store *store = bw_metadata_store_create("os", "arch");
    struct bw_value_pair pairs[8];
    char text[256];
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(nodes); i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"os\":\"%s\",\"arch\":\"%s\"}}}", nodes[i][0],
                       nodes[i][1], nodes[i][2]);
        put(store, text);
    }
    put(store, "{\"metadata\":{\"name\":\"n7\",\"labels\":{\"os\":\"linux\"}}}");
    assert_int_equal(bw_metadata_store_values(pairs, 8, store), 0); /* there may be more */
    bw_metadata_store_set_whole(store);
    assert_int_equal(bw_metadata_store_values(pairs, 8, store), 4);
    assert_string_equal(pairs[0].first, "darwin");
    assert_string_equal(pairs[1].second, "amd64");
    assert_string_equal(pairs[2].second, "arm64");
    assert_string_equal(pairs[3].first, "windows");
    assert_int_equal(bw_metadata_store_values(pairs, 2, store), 2);
    assert_string_equal(pairs[0].first, "darwin");
    assert_string_equal(pairs[1].first, "linux");
    assert_string_equal(pairs[1].second, "amd64");
    assert_int_equal(bw_metadata_store_values(pairs, 0, store), 0);
    bw_metadata_store_drop(store, "n1"); /* n3 is one, too */
    assert_int_equal(bw_metadata_store_values(pairs, 8, store), 4);
    put(store, "{\"metadata\":{\"name\":\"n3\",\"labels\":{\"os\":\"linux\",\"arch\":\"riscv64\"}}}");
    bw_metadata_store_drop(store, "n5");
    assert_int_equal(bw_metadata_store_values(pairs, 8, store), 3);
    assert_string_equal(pairs[0].second, "amd64");
    assert_string_equal(pairs[1].second, "riscv64");
    assert_string_equal(pairs[2].first, "windows");
    put_large(store, "n8", BW_MAX_METADATA_BYTES); /* whose values nobody knows */
    assert_int_equal(bw_metadata_store_values(pairs, 8, store), 0);
    bw_metadata_store_destroy(store);
}

static void *put_and_drop(void *store)
{
    char text[128];
    for (int i = 0; i < 500; i++) {
        (void)snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"n%d\",\"labels\":{\"os\":\"linux\"}}}", i % 50);
        put(store, text);
        if (i % 3 == 0) {
            (void)snprintf(text, sizeof(text), "n%d", (i + 7) % 50);
            bw_metadata_store_drop(store, text);
        }
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    struct bw_metadata_store *store = bw_metadata_store_create("os", "arch");
    pthread_t writer;
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, BW_MIB);
    assert_int_equal(pthread_create(&writer, NULL, put_and_drop, store), 0);
    for (int i = 0; i < 500; i++) {
        struct bw_metadata found;
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i % 50);
        if (bw_metadata_store_find(&found, store, name, &arena, NULL)) {
            assert_string_equal(found.name, name);
            assert_string_equal(bw_pairs_find(&found.labels, "os")->value, "linux");
        }
    }
    (void)pthread_join(writer, NULL);
    bw_metadata_store_destroy(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_found_as_it_was_last_put),
        cmocka_unit_test(who_is_absent_and_an_arena_that_is_spent_are_told_apart),
        cmocka_unit_test(what_is_too_much_is_not_there),
        cmocka_unit_test(pairs_of_values_are_distinct_and_sorted),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
