/* Manifests, indexes and configurations: what is read, what is refused and under which name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "image/manifest.h"

#include <stdio.h>
#include <string.h>

#define HEX             "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DIGEST          "\"digest\":\"sha256:" HEX "\""
#define OCI_TYPE        "application/vnd.oci.image.manifest.v1+json"
#define INDEX           "application/vnd.oci.image.index.v1+json"
#define V2_TYPE         "application/vnd.docker.distribution.manifest.v2+json"
#define LIST            "application/vnd.docker.distribution.manifest.list.v2+json"
#define CONFIG          "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\"," DIGEST ",\"size\":2}"
#define LAYER           "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\"," DIGEST ",\"size\":32}"
#define LAYERS          "\"layers\":[" LAYER "," LAYER "]"
#define ENTRY(platform) "{\"mediaType\":\"" OCI_TYPE "\"," DIGEST ",\"size\":5" platform "}"
#define ON(os, arch)    ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}"

static const struct {
    const char *text, *content_type;
    const char *detail; /* NULL: it is read */
    enum bw_manifest_kind kind;
} rows[] = {
    {"{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE "\"," CONFIG "," LAYERS "}", OCI_TYPE, NULL, BW_MANIFEST_IMAGE},
    {"{\"schemaVersion\":2," CONFIG "," LAYERS "}", NULL, NULL, BW_MANIFEST_IMAGE},
    {"{\"schemaVersion\":2," CONFIG "," LAYERS "}", V2_TYPE "; charset=utf-8", NULL, BW_MANIFEST_IMAGE},
    {"{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE "\"," CONFIG "," LAYERS "}", "application/json", NULL,
     BW_MANIFEST_IMAGE},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", NULL, NULL, BW_MANIFEST_IMAGE},
    {"{\"schemaVersion\":2,\"manifests\":[" ENTRY("") "]}", NULL, NULL, BW_MANIFEST_INDEX},
    {"{\"mediaType\":\"" LIST "\",\"manifests\":[]}", LIST, NULL, BW_MANIFEST_INDEX},
    {"{" CONFIG "," LAYERS ",\"annotations\":{\"Layers\":\"x\",\"layers\":\"y\"}}", NULL, NULL, BW_MANIFEST_IMAGE},

    {"", NULL, "manifest_invalid", 0},
    {"[]", NULL, "manifest_invalid", 0},
    {"null", NULL, "manifest_invalid", 0},
    {"{}", NULL, "manifest_invalid", 0},
    {"{\"mediaType\":\"" INDEX "\"}", NULL, "manifest_invalid", 0},
    {"{\"mediaType\":\"" INDEX "\"," CONFIG "," LAYERS "}", NULL, "manifest_invalid", 0},
    {"{\"mediaType\":7," CONFIG "," LAYERS "}", NULL, "manifest_invalid", 0},
    {"{" CONFIG "}", NULL, "manifest_invalid", 0},
    {"{" LAYERS "}", NULL, "manifest_invalid", 0},
    {"{" CONFIG ",\"layers\":{}}", NULL, "manifest_invalid", 0},
    {"{" CONFIG ",\"layers\":[7]}", NULL, "manifest_invalid", 0},
    {"{" CONFIG ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\"," DIGEST ",\"size\":-1}]}",
     NULL, "manifest_invalid", 0},
    {"{" CONFIG ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\"," DIGEST "}]}", NULL,
     "manifest_invalid", 0},
    {"{" CONFIG
     ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"md5:x\",\"size\":1}]}",
     NULL, "manifest_invalid", 0},

    /* two meanings */
    {"{" CONFIG "," LAYERS ",\"manifests\":[]}", NULL, "manifest_ambiguous", 0},
    {"{\"manifests\":[],\"fsLayers\":[]}", NULL, "manifest_ambiguous", 0},
    {"{\"mediaType\":\"" OCI_TYPE "\"," CONFIG "," LAYERS "}", INDEX, "manifest_ambiguous", 0},
    {"{\"mediaType\":\"" OCI_TYPE "\"," CONFIG "," LAYERS "}", V2_TYPE, "manifest_ambiguous", 0},
    {"{" CONFIG "," LAYERS ",\"layers\":[]}", NULL, "manifest_invalid", 0},
    {"{" CONFIG "," LAYERS ",\"Layers\":[]}", NULL, "manifest_invalid", 0},
    {"{" CONFIG "," LAYERS ",\"layer\xc5\xbf\":[]}", NULL, "manifest_invalid", 0},
    {"{\"Config\":{}," CONFIG "," LAYERS "}", NULL, "manifest_invalid", 0},
    {"{" CONFIG ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\"," DIGEST
     ",\"Digest\":\"sha256:0\",\"size\":1}]}",
     NULL, "manifest_invalid", 0},

    /* other things than images */
    {"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, "manifest_schema1_unsupported", 0},
    {"{\"schemaVersion\":1}", "application/vnd.docker.distribution.manifest.v1+prettyjws",
     "manifest_schema1_unsupported", 0},
    {"{\"mediaType\":\"application/vnd.oci.artifact.manifest.v1+json\"}", NULL, "not_an_image", 0},
    {"{\"artifactType\":\"application/x\"," CONFIG "," LAYERS "}", NULL, "not_an_image", 0},
    {"{\"config\":{\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\"," DIGEST ",\"size\":2}," LAYERS "}", NULL,
     "not_an_image", 0},
    {"{\"config\":{\"mediaType\":\"application/vnd.oci.empty.v1+json\"," DIGEST ",\"size\":2}," LAYERS "}", NULL,
     "not_an_image", 0},
    {"{" CONFIG ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip+encrypted\"," DIGEST
     ",\"size\":1}]}",
     NULL, "layer_unsupported", 0},

    /* limits */
    {"{" CONFIG ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\"," DIGEST
     ",\"size\":4294967297}]}",
     NULL, "image_too_large", 0},
    {"{" CONFIG ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\"," DIGEST
     ",\"size\":9223372036854775807}]}",
     NULL, "image_too_large", 0},
};

static void manifests_are_read_or_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_manifest manifest = {.n_layers = 77};
        struct bw_error err = {0};
        struct bw_digest digest;
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        int status =
            bw_manifest_parse(&manifest, rows[i].text, strlen(rows[i].text), rows[i].content_type, &arena, &err);
        if ((status == 0) != (rows[i].detail == NULL) || (status != 0 && strcmp(err.detail, rows[i].detail) != 0)) {
            fail_msg("%s: %s: %s", rows[i].text, err.detail, err.message);
        }
        if (status == 0) {
            assert_int_equal(manifest.kind, rows[i].kind);
            bw_digest_of(&digest, rows[i].text, strlen(rows[i].text));
            assert_string_equal(manifest.digest.text, digest.text);
        } else {
            assert_int_equal(manifest.n_layers, 77);
        }
    }
}

static void a_manifest_s_parts(void **state)
{
    (void)state;
    static const char text[] = "{" CONFIG ",\"layers\":[" LAYER
                               ",{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\"," DIGEST
                               ",\"size\":7,\"urls\":[\"https://a.example/x\",\"https://b.example/y\"]}]}";
    struct bw_manifest manifest;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    assert_int_equal(bw_manifest_parse(&manifest, text, strlen(text), NULL, &arena, &err), 0);
    assert_int_equal(manifest.n_layers, 2);
    assert_string_equal(manifest.media_type, OCI_TYPE);
    assert_int_equal(manifest.config.size, 2);
    assert_string_equal(manifest.layers[0].digest.text, "sha256:" HEX);
    assert_false(manifest.layers[0].foreign);
    assert_null(manifest.layers[0].urls);
    assert_true(manifest.layers[1].foreign);
    assert_string_equal(manifest.layers[1].urls[1], "https://b.example/y");
    assert_null(manifest.layers[1].urls[2]);
}

static void limits_of_number_size_and_depth(void **state)
{
    (void)state;
    BW_BUF_SCOPE text;
    struct bw_manifest manifest;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 64 * BW_MIB);
    bw_buf_init(&text, 16 * BW_MIB);
    for (unsigned extra = 0; extra < 2; extra++) {
        bw_buf_reset(&text);
        bw_buf_puts(&text, "{" CONFIG ",\"layers\":[");
        for (size_t i = 0; i < BW_MAX_LAYERS + extra; i++) {
            bw_buf_puts(&text, i == 0 ? LAYER : "," LAYER);
        }
        bw_buf_puts(&text, "]}");
        assert_int_equal(bw_manifest_parse(&manifest, text.data, text.len, NULL, &arena, &err), extra == 0 ? 0 : -1);
    }
    assert_string_equal(err.detail, "too_many_layers");
    bw_buf_reset(&text);
    bw_buf_puts(&text, "{" CONFIG "," LAYERS ",\"x\":");
    for (size_t i = 0; i < 40; i++) {
        bw_buf_puts(&text, "[");
    }
    for (size_t i = 0; i < 40; i++) {
        bw_buf_puts(&text, "]");
    }
    bw_buf_puts(&text, "}");
    assert_int_equal(bw_manifest_parse(&manifest, text.data, text.len, NULL, &arena, &err), -1);
    assert_string_equal(err.detail, "manifest_invalid");
    bw_buf_reset(&text);
    bw_buf_puts(&text, "{" CONFIG "," LAYERS ",\"x\":\"");
    while (text.len < BW_MAX_MANIFEST_BYTES) {
        bw_buf_puts(&text, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    }
    bw_buf_puts(&text, "\"}");
    assert_int_equal(bw_manifest_parse(&manifest, text.data, text.len, NULL, &arena, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
}

static void a_spent_arena_is_a_limit(void **state)
{
    (void)state;
    static const char text[] = "{" CONFIG "," LAYERS "}";
    size_t budget = 0;
    int status = -1;
    for (; status != 0 && budget < 65536; budget += 64) {
        struct bw_manifest manifest;
        struct bw_error err = {0};
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, budget);
        status = bw_manifest_parse(&manifest, text, strlen(text), NULL, &arena, &err);
        assert_true(status == 0 || err.code == BW_ELIMIT);
    }
    assert_int_equal(status, 0);
}

static void entries_of_an_index_are_chosen(void **state)
{
    (void)state;
    static const struct {
        const char *entries, *wanted;
        int n; /* -1: no_matching_platform */
    } cases[] = {
        {ENTRY(ON("linux", "amd64")) "," ENTRY(ON("linux", "arm64")), "linux/amd64", 1},
        {ENTRY(ON("linux", "amd64")) "," ENTRY(ON("linux", "arm64")), NULL, 2},
        {ENTRY(ON("linux", "amd64")) "," ENTRY(ON("linux", "arm64")), "linux/s390x", -1},
        {ENTRY(ON("linux", "amd64")), "linux/s390x", 1},
        {ENTRY(ON("linux", "amd64")) "," ENTRY(ON("unknown", "unknown")), "linux/s390x", 1},
        {ENTRY(ON("linux", "amd64")) "," ENTRY(ON("unknown", "unknown")), NULL, 1},
        {ENTRY(ON("linux", "amd64")) "," ENTRY(
             ON("linux", "arm64") ",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}"),
         NULL, 1},
        {ENTRY("") "," ENTRY(""), "linux/amd64", -1},
        {ENTRY("") "," ENTRY(""), NULL, 2},
        {"{\"mediaType\":\"application/vnd.in-toto+json\"," DIGEST ",\"size\":5}", NULL, -1},
        {"", NULL, -1},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        char text[2048];
        struct bw_manifest index;
        struct bw_platform wanted;
        const struct bw_descriptor **chosen = NULL;
        struct bw_error err = {0};
        size_t n = 0, n_wanted = cases[i].wanted == NULL ? 0 : 1;
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        (void)snprintf(text, sizeof(text), "{\"manifests\":[%s]}", cases[i].entries);
        assert_int_equal(bw_manifest_parse(&index, text, strlen(text), NULL, &arena, &err), 0);
        if (n_wanted > 0) {
            assert_int_equal(bw_platform_parse(&wanted, cases[i].wanted, &arena, &err), 0);
        }
        int status = bw_index_choose(&chosen, &n, &index, &wanted, n_wanted, &arena, &err);
        if (cases[i].n < 0) {
            assert_int_equal(status, -1);
            assert_string_equal(err.detail, "no_matching_platform");
            assert_int_equal(err.code, BW_ENOTFOUND);
        } else {
            assert_int_equal(status, 0);
            assert_int_equal(n, cases[i].n);
        }
    }
}

static void a_configuration_s_parts(void **state)
{
    (void)state;
    static const char text[] =
        "{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\",\"created\":\"2024-01-02T03:04:05Z\",\"Size\":7,"
        "\"config\":{\"User\":\"app:app\",\"ExposedPorts\":{\"443/tcp\":{},\"22/tcp\":{}},\"Labels\":{\"user\":\"x\"}},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\"]},"
        "\"history\":[{\"created_by\":\"RUN x\"},{\"created\":\"c\",\"comment\":\"d\",\"author\":\"a\","
        "\"empty_layer\":true}]}";
    struct bw_image_config config;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    if (bw_image_config_parse(&config, text, strlen(text), &arena, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(bw_platform_text(&config.platform, &arena), "linux/arm/v7");
    assert_string_equal(config.created, "2024-01-02T03:04:05Z");
    assert_string_equal(config.user, "app:app");
    assert_string_equal(config.exposed_ports[0], "22/tcp");
    assert_string_equal(config.exposed_ports[1], "443/tcp");
    assert_null(config.exposed_ports[2]);
    assert_int_equal(config.n_diff_ids, 1);
    assert_int_equal(config.n_history, 2);
    assert_string_equal(config.history[0].created_by, "RUN x");
    assert_false(config.history[0].empty_layer);
    assert_string_equal(config.history[1].author, "a");
    assert_true(config.history[1].empty_layer);
    assert_string_equal(config.text, text);
}

static void malformed_configurations_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"{\"rootfs\":{}}", true},
        {"{\"rootfs\":{\"diff_ids\":null},\"config\":null,\"history\":null}", true},
        {"{\"rootfs\":{\"diff_ids\":[]},\"config\":{}}", true},
        {"{}", false},
        {"[]", false},
        {"x", false},
        {"{\"rootfs\":[]}", false},
        {"{\"rootfs\":{\"diff_ids\":[7]}}", false},
        {"{\"rootfs\":{\"diff_ids\":[\"sha256:0\"]}}", false},
        {"{\"rootfs\":{},\"config\":[]}", false},
        {"{\"rootfs\":{},\"config\":{\"User\":7}}", false},
        {"{\"rootfs\":{},\"config\":{\"User\":\"a\\u0000b\"}}", false},
        {"{\"rootfs\":{},\"config\":{\"User\":\"app\",\"User\":\"root\"}}", false},
        {"{\"rootfs\":{},\"config\":{\"User\":\"app\",\"user\":\"root\"}}", false},
        {"{\"rootfs\":{},\"config\":{\"User\":\"app\"},\"CONFIG\":{\"User\":\"root\"}}", false},
        {"{\"rootfs\":{},\"roo\\u0074f\\u017f\":{}}", false},
        {"{\"rootfs\":{},\"history\":{}}", false},
        {"{\"rootfs\":{},\"history\":[{\"empty_layer\":1}]}", false},
        {"{\"rootfs\":{},\"config\":{\"ExposedPorts\":[]}}", false},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_image_config config;
        struct bw_error err = {0};
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        int status = bw_image_config_parse(&config, cases[i].text, strlen(cases[i].text), &arena, &err);
        if ((status == 0) != cases[i].good) {
            fail_msg("%s: %s", cases[i].text, err.message);
        }
        if (status != 0) {
            assert_string_equal(err.detail, "config_invalid");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifests_are_read_or_refused_by_name), cmocka_unit_test(a_manifest_s_parts),
        cmocka_unit_test(limits_of_number_size_and_depth),       cmocka_unit_test(a_spent_arena_is_a_limit),
        cmocka_unit_test(entries_of_an_index_are_chosen),        cmocka_unit_test(a_configuration_s_parts),
        cmocka_unit_test(malformed_configurations_are_refused),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
