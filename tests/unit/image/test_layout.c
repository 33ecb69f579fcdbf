/* OCI layout folders: tags, manifests, blobs; symlinks and wrong bytes are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/layout.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EMPTY_HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct folder {
    char path[64];
    struct bw_image_source *source;
};

static void write_file(const struct folder *folder, const char *name, const char *text, size_t len)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void write_blob(const struct folder *folder, struct bw_digest *digest, const char *text)
{
    char name[128];
    bw_digest_of(digest, text, strlen(text));
    (void)snprintf(name, sizeof(name), "blobs/sha256/%s", bw_digest_hex(digest));
    write_file(folder, name, text, strlen(text));
}

static void write_index(const struct folder *folder, const struct bw_digest *digest, const char *const *tags)
{
    char text[2048];
    size_t at = (size_t)snprintf(text, sizeof(text), "{\"manifests\":[");
    for (size_t i = 0; tags[i] != NULL; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at,
                               "%s{\"digest\":\"%s\",\"size\":1,\"annotations\":"
                               "{\"org.opencontainers.image.ref.name\":\"%s\"}}",
                               i == 0 ? "" : ",", digest->text, tags[i]);
    }
    at += (size_t)snprintf(text + at, sizeof(text) - at, "]}");
    write_file(folder, "index.json", text, at);
}

static int set_up(void **state)
{
    static struct folder folder;
    char path[128];
    struct bw_error err = {0};
    (void)snprintf(folder.path, sizeof(folder.path), "layout-XXXXXX");
    assert_non_null(mkdtemp(folder.path));
    (void)snprintf(path, sizeof(path), "%s/blobs", folder.path);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/blobs/sha256", folder.path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(bw_layout_open(&folder.source, folder.path, &err), 0);
    *state = &folder;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    struct folder *folder = *state;
    bw_image_source_release(folder->source);
    return nftw(folder->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void tags_are_found_in_the_index(void **state)
{
    static const char *const two[] = {"1.0", "2.0", NULL}, *const one[] = {"1.0", NULL}, *const none[] = {NULL};
    static const struct {
        const char *const *tags;
        const char *tag;
        bool found;
    } rows[] = {{two, "1.0", true}, {two, "2.0", true}, {two, "3.0", false},
                {one, "1.0", true}, {one, "any", true}, {none, "1.0", false}};
    const struct folder *folder = *state;
    struct bw_image_source *source = folder->source;
    struct bw_digest manifest;
    write_blob(folder, &manifest, "{}");
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_reference reference = {.registry = "localhost", .repository = "a", .tag = rows[i].tag};
        struct bw_digest digest = {""};
        struct bw_manifest_bytes bytes;
        struct bw_error err = {0};
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, 16 * BW_MIB);
        write_index(folder, &manifest, rows[i].tags);
        int status = source->ops->resolve(&digest, source, &reference, bw_deadline_in_ms(0), &err);
        assert_int_equal(status, rows[i].found ? 0 : -1);
        if (rows[i].found) {
            assert_string_equal(digest.text, manifest.text);
            assert_int_equal(
                source->ops->manifest(&bytes, source, &reference, NULL, &arena, bw_deadline_in_ms(0), &err), 0);
            assert_string_equal(bytes.bytes, "{}");
            assert_null(bytes.content_type);
        } else {
            assert_int_equal(err.code, BW_ENOTFOUND);
            assert_string_equal(err.detail, "image_not_found");
        }
    }
}

static void malformed_indexes_are_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"manifests\":{}}",
                                        "{\"manifests\":[{}]}",
                                        "{\"manifests\":[{\"digest\":\"sha256:../../x\"}]}"};
    const struct folder *folder = *state;
    for (size_t i = 0; i < BW_LENGTH(texts); i++) {
        struct bw_reference reference = {.registry = "localhost", .repository = "a", .tag = "1"};
        struct bw_digest digest;
        struct bw_error err = {0};
        write_file(folder, "index.json", texts[i], strlen(texts[i]));
        assert_int_equal(folder->source->ops->resolve(&digest, folder->source, &reference, bw_deadline_in_ms(0), &err),
                         -1);
        assert_int_equal(err.code, BW_EINPUT);
    }
}

static int read_blob(const struct folder *folder, const struct bw_digest *digest, uint64_t size, struct bw_error *err)
{
    struct bw_reference reference = {.registry = "localhost", .repository = "a", .tag = "1"};
    struct bw_descriptor blob = {.digest = *digest, .size = size};
    char *bytes = NULL;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    return bw_blob_read_all(&bytes, folder->source, &reference, &blob, 1000, &arena, bw_deadline_in_ms(0), err);
}

static void blobs_are_checked(void **state)
{
    const struct folder *folder = *state;
    struct bw_digest digest, empty = {"sha256:" EMPTY_HEX};
    struct bw_error err = {0};
    write_blob(folder, &digest, "content");
    assert_int_equal(read_blob(folder, &digest, 7, &err), 0);
    assert_int_equal(read_blob(folder, &digest, 8, &err), -1);
    assert_string_equal(err.detail, "blob_size_mismatch");
    assert_int_equal(read_blob(folder, &digest, 1001, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    assert_int_equal(read_blob(folder, &empty, 0, &err), -1);
    assert_int_equal(err.code, BW_ENOTFOUND);
    write_file(folder, "blobs/sha256/" EMPTY_HEX, "", 0);
    assert_int_equal(read_blob(folder, &empty, 0, &err), 0);
    write_file(folder, "blobs/sha256/" EMPTY_HEX, "x", 1);
    assert_int_equal(read_blob(folder, &empty, 1, &err), -1);
    assert_string_equal(err.detail, "blob_digest_mismatch");
}

static void a_manifest_s_digest_is_checked(void **state)
{
    const struct folder *folder = *state;
    struct bw_reference reference = {.registry = "localhost", .repository = "a"};
    struct bw_digest empty = {"sha256:" EMPTY_HEX};
    struct bw_manifest_bytes bytes;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    write_file(folder, "blobs/sha256/" EMPTY_HEX, "{}", 2);
    assert_int_equal(
        folder->source->ops->manifest(&bytes, folder->source, &reference, &empty, &arena, bw_deadline_in_ms(0), &err),
        -1);
    assert_string_equal(err.detail, "manifest_digest_mismatch");
}

static void symlinks_are_not_followed(void **state)
{
    const struct folder *folder = *state;
    struct bw_digest digest, outside = {"sha256:" EMPTY_HEX};
    struct bw_error err = {0};
    char from[256], to[256];
    write_blob(folder, &digest, "content");
    /* the file */
    (void)snprintf(from, sizeof(from), "%s/blobs/sha256/%s", folder->path, EMPTY_HEX);
    (void)snprintf(to, sizeof(to), "%s", bw_digest_hex(&digest));
    assert_int_equal(symlink(to, from), 0);
    assert_int_equal(read_blob(folder, &outside, 7, &err), -1);
    assert_string_equal(err.detail, "layout_invalid");
    /* a folder above it */
    (void)snprintf(from, sizeof(from), "%s/blobs", folder->path);
    (void)snprintf(to, sizeof(to), "%s/elsewhere", folder->path);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(symlink("elsewhere", from), 0);
    assert_int_equal(read_blob(folder, &digest, 7, &err), -1);
    assert_string_equal(err.detail, "layout_invalid");
    /* a folder in its place */
    (void)snprintf(from, sizeof(from), "%s/index.json", folder->path);
    assert_int_equal(mkdir(from, 0700), 0);
    struct bw_reference reference = {.registry = "localhost", .repository = "a", .tag = "1"};
    assert_int_equal(folder->source->ops->resolve(&digest, folder->source, &reference, bw_deadline_in_ms(0), &err), -1);
    assert_string_equal(err.detail, "layout_invalid");
}

static void a_folder_that_is_not_there(void **state)
{
    (void)state;
    struct bw_image_source *source = NULL;
    struct bw_error err = {0};
    assert_int_equal(bw_layout_open(&source, "/nonexistent/layout", &err), -1);
    assert_int_equal(err.code, BW_ENOTFOUND);
    assert_non_null(strstr(err.message, "/nonexistent/layout"));
    assert_null(source);
}

static void layout_texts_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *folder, *reference;
    } rows[] = {
        {"oci:/a/b:1.0", "/a/b", "localhost/b:1.0"},
        {"oci:/a/b", "/a/b", "localhost/b:latest"},
        {"oci:b/", "b/", "localhost/b:latest"},
        {"oci:/a:b/c", "/a:b/c", "localhost/c:latest"},
        {"oci:/a/My Image:x", "/a/My Image", "localhost/my-image:x"},
        {"oci:.:x", ".", "localhost/image:x"},
        {"nginx", NULL, NULL},
        {"oci/nginx", NULL, NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const char *folder = NULL;
        struct bw_reference reference = {0};
        struct bw_error err = {0};
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        bool is = bw_layout_parse(&folder, &reference, rows[i].text, &arena, &err);
        assert_int_equal(is, rows[i].folder != NULL);
        if (is) {
            assert_string_equal(folder, rows[i].folder);
            assert_string_equal(bw_reference_text(&reference, &arena), rows[i].reference);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tags_are_found_in_the_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_indexes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(blobs_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manifest_s_digest_is_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(symlinks_are_not_followed, set_up, tear_down),
        cmocka_unit_test(a_folder_that_is_not_there),
        cmocka_unit_test(layout_texts_are_taken_apart),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
