/* Bundles in ConfigMaps: which keys count, what base64 and compression may hold, what belongs to one key alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/str.h"
#include "k8s/bundle_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZ  "H4sIAAAAAAACA6tWykxRslJKVKoFAEPmpJoKAAAA" /* {"id":"a"} */
#define ZST "KLUv/QRYUQAAeyJpZCI6ImEifXIc6WE="

struct fixture {
    struct bw_arena arena;
    struct bw_bundle_map map;
    struct bw_error err;
};

static int read_map(struct fixture *at, const char *text)
{
    json_t *root = NULL;
    memset(at, 0, sizeof(*at));
    bw_arena_init(&at->arena, 2 * BW_MAX_BUNDLE_MAP_BYTES);
    assert_int_equal(bw_json_parse(&root, text, strlen(text), BW_MAX_REVIEW_BYTES, &at->err), 0);
    int status = bw_bundle_map_read(&at->map, bw_json_root(root), &at->arena, &at->err);
    json_decref(root); /* nothing of the tree is needed any more */
    return status;
}

static void what_a_config_map_says_of_itself(void **state)
{
    struct fixture at;
    (void)state;
    assert_int_equal(
        read_map(&at, "{\"metadata\":{\"name\":\"m\",\"namespace\":\"n\",\"uid\":\"u-1\","
                      "\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"labels\":{\"breakwater.io/bundle\":\"active\"},"
                      "\"annotations\":{\"a\":\"b\",\"breakwater.io/mode\":\"warn\"}}}"),
        0);
    assert_string_equal(at.map.name, "m");
    assert_string_equal(at.map.namespace, "n");
    assert_string_equal(at.map.uid, "u-1");
    assert_string_equal(at.map.created, "2026-01-02T03:04:05Z");
    assert_string_equal(at.map.label, "active");
    assert_true(at.map.warn_only);
    assert_int_equal(at.map.n_bundles, 0);
    assert_null(at.map.ignored[0]);
    bw_arena_clear(&at.arena);
    assert_int_equal(read_map(&at, "{\"metadata\":{\"name\":null,\"creationTimestamp\":null,"
                                   "\"annotations\":{\"breakwater.io/mode\":\"policy\"}},\"data\":null}"),
                     0);
    assert_string_equal(at.map.name, "");
    assert_string_equal(at.map.created, "");
    assert_null(at.map.label);
    assert_false(at.map.warn_only);
    bw_arena_clear(&at.arena);
}

static void keys_with_a_known_suffix_are_bundles_in_the_order_of_their_names(void **state)
{
    struct fixture at;
    (void)state;
    assert_int_equal(
        read_map(&at, "{\"metadata\":{},\"data\":{\"z.yml\":\"id: z\",\"z.txt\":\"\",\"a.json\":\"{}\",\"README\":\"\","
                      "\"b.json.gz\":\"\",\"m.yaml\":\"\"},"
                      "\"binaryData\":{\"c.json.gz\":\"" GZ "\",\"d.yml.zst\":\"" ZST "\","
                      "\"e.json\":\"AAAA\"}}"),
        0);
    static const char *const fields[] = {"data[a.json]", "binaryData[c.json.gz]", "binaryData[d.yml.zst]",
                                         "data[m.yaml]", "data[z.yml]"};
    static const char *const texts[] = {"{}", "{\"id\":\"a\"}", "{\"id\":\"a\"}", "", "id: z"};
    static const char *const ignored[] = {"README", "b.json.gz", "e.json", "z.txt"};
    assert_int_equal(at.map.n_bundles, BW_LENGTH(fields));
    for (size_t i = 0; i < BW_LENGTH(fields); i++) {
        assert_string_equal(at.map.bundles[i].field, fields[i]);
        assert_string_equal(at.map.bundles[i].text, texts[i]);
        assert_int_equal(at.map.bundles[i].len, strlen(texts[i]));
    }
    for (size_t i = 0; i < BW_LENGTH(ignored); i++) {
        assert_string_equal(at.map.ignored[i], ignored[i]);
    }
    assert_null(at.map.ignored[BW_LENGTH(ignored)]);
    bw_arena_clear(&at.arena);
}

static void a_key_that_cannot_be_read_is_its_own_fault(void **state)
{
    static const struct {
        const char *key, *value, *message;
    } rows[] = {
        {"a.json.gz", "####", "not base64: '#' at character 0"},
        {"a.json.gz", "AAAAA", "not base64: 5 characters"},
        {"a.json.gz", "H4sI-AAA", "not base64: '-' at character 4"},
        {"a.json.gz", "AA=A", "not base64: '=' at character 2"},
        {"a.json.gz", "AA==AA==", "not base64: '=' at character 2"},
        {"a.json.gz", "====", "not base64: '=' at character 0"},
        {"a.json.gz", "", "not compressed with gzip"},
        {"a.json.gz", ZST, "not compressed with gzip"},
        {"a.json.zst", GZ, "not compressed with zstd"},
        {"a.json.gz", "H4sIAAAAAAACA6tWykxRslJKVKoF", "gzip: "},
        {"a.json.zst", "KLUv/QRYUQAAeyJpZCI6", "zstd: "},
    };
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture at;
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "{\"metadata\":{},\"data\":{\"good.json\":\"{}\"},\"binaryData\":{\"%s\":\"%s\"}}", rows[i].key,
                       rows[i].value);
        assert_int_equal(read_map(&at, text), 0);
        assert_int_equal(at.map.n_bundles, 2);
        assert_null(at.map.bundles[0].text);
        assert_int_equal(at.map.bundles[0].error.code, BW_EINPUT);
        assert_non_null(strstr(at.map.bundles[0].error.message, rows[i].message));
        assert_string_equal(at.map.bundles[1].text, "{}");
        bw_arena_clear(&at.arena);
    }
}

/* A gzip of `size` zeros, in base64. */
static char *bomb(size_t size, struct bw_arena *arena)
{
    char *zeros = calloc(1, size), *packed = malloc(size);
    z_stream stream = {
        .next_in = (Bytef *)zeros, .avail_in = (uInt)size, .next_out = (Bytef *)packed, .avail_out = (uInt)size};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    char *text = bw_base64_encode(packed, stream.total_out, arena);
    (void)deflateEnd(&stream);
    free(zeros);
    free(packed);
    assert_non_null(text);
    return text;
}

static void what_inflates_too_far_is_refused(void **state)
{
    BW_ARENA_SCOPE arena;
    struct fixture at;
    (void)state;
    bw_arena_init(&arena, 16 * BW_MIB);
    const char *just = bomb(BW_MAX_BUNDLE_BYTES, &arena), *more = bomb(BW_MAX_BUNDLE_BYTES + 1, &arena);
    char *text = bw_arena_printf(&arena, "{\"metadata\":{},\"binaryData\":{\"a.json.gz\":\"%s\",\"b.json.gz\":\"%s\"}}",
                                 just, more);
    assert_int_equal(read_map(&at, text), 0);
    assert_int_equal(at.map.bundles[0].len, BW_MAX_BUNDLE_BYTES);
    assert_null(at.map.bundles[1].text);
    assert_int_equal(at.map.bundles[1].error.code, BW_ELIMIT);
    bw_arena_clear(&at.arena);
    /* together: four of the largest are all that a ConfigMap may unfold */
    text = bw_arena_printf(&arena,
                           "{\"metadata\":{},\"binaryData\":{\"a.json.gz\":\"%s\",\"b.json.gz\":\"%s\","
                           "\"c.json.gz\":\"%s\",\"d.json.gz\":\"%s\",\"e.json.gz\":\"%s\"}}",
                           just, just, just, just, just);
    assert_int_equal(read_map(&at, text), 0);
    size_t read = 0;
    for (size_t i = 0; i < at.map.n_bundles; i++) {
        read += at.map.bundles[i].text != NULL;
    }
    assert_int_equal(read, BW_MAX_BUNDLE_MAP_BYTES / BW_MAX_BUNDLE_BYTES);
    bw_arena_clear(&at.arena);
}

static void what_is_no_config_map_is_refused(void **state)
{
    static const char *const rows[] = {
        "[]",
        "{}",
        "{\"metadata\":[]}",
        "{\"metadata\":{},\"data\":[]}",
        "{\"metadata\":{},\"data\":{\"a.json\":1}}",
        "{\"metadata\":{},\"binaryData\":{\"x\":null}}",
        "{\"metadata\":{\"labels\":[]}}",
        "{\"metadata\":{\"name\":5}}",
    };
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture at;
        assert_int_equal(read_map(&at, rows[i]), -1);
        assert_int_equal(at.err.code, BW_EINPUT);
        assert_memory_equal(at.err.message, "ConfigMap", strlen("ConfigMap"));
        bw_arena_clear(&at.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_config_map_says_of_itself),
        cmocka_unit_test(keys_with_a_known_suffix_are_bundles_in_the_order_of_their_names),
        cmocka_unit_test(a_key_that_cannot_be_read_is_its_own_fault),
        cmocka_unit_test(what_inflates_too_far_is_refused),
        cmocka_unit_test(what_is_no_config_map_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
