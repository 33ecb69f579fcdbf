#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char some_digest[] = "sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc";

/* A report with something in every member. */
static struct bw_report_builder *fill(void)
{
    struct bw_error err = {0};
    struct bw_report_builder *builder = bw_report_builder_create(BW_ARENA_REPORT);
    struct bw_report *head = bw_report_builder_head(builder);
    struct bw_digest digest;
    assert_int_equal(0, bw_digest_parse(&digest, some_digest, strlen(some_digest), &err));
    static const char *const secrets[] = {"A=a", "B=b"};
    static const char *const paths[] = {"/etc/passwd"};
    static struct bw_report_layer layers[2];
    layers[0].digest = digest;
    layers[1].size = 77;
    layers[1].media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
    head->digest = digest;
    head->id = "0123";
    head->config = "{}";
    head->layer_count = 2;
    head->layers = layers;
    head->n_layers = 2;
    head->distro = "debian";
    head->dockerfile = "FROM scratch\nUSER caf\xe9";
    head->covers = (struct bw_needs){.secret_patterns = secrets,
                                     .n_secret_patterns = 2,
                                     .retrieved_paths = paths,
                                     .n_retrieved_paths = 1,
                                     .file_digests = true};
    const char *licenses[] = {"MIT", "GPL-2"};
    assert_int_equal(0, bw_report_add_package(builder,
                                              &(struct bw_package){.type = "dpkg",
                                                                   .name = "zlib1g",
                                                                   .version = "1:1.2",
                                                                   .licenses = licenses,
                                                                   .n_licenses = 2,
                                                                   .size = -1},
                                              &err));
    assert_int_equal(0, bw_report_add_package(builder, &(struct bw_package){.type = "dpkg", .name = "a"}, &err));
    assert_int_equal(
        0,
        bw_report_add_file(
            builder, &(struct bw_report_file){.path = "/z", .mode = 0104755, .layer = 1, .capability = true, .uid = -1},
            &err));
    assert_int_equal(
        0, bw_report_add_file(
               builder,
               &(struct bw_report_file){.path = "/", .type = BW_FILE_DIRECTORY, .sha256 = "DIRECTORY_OR_OTHER"}, &err));
    assert_int_equal(
        0, bw_report_add_file(
               builder, &(struct bw_report_file){.path = "/etc/a", .type = BW_FILE_SYMLINK, .link = "../b"}, &err));
    assert_int_equal(
        0, bw_report_add_verification(
               builder,
               &(struct bw_verification){
                   .path = "/z", .package = "p", .package_type = "dpkg", .mode = -1, .size = 5, .config_file = true},
               &err));
    assert_int_equal(0,
                     bw_report_add_retrieved(builder, &(struct bw_retrieved_file){"/etc/passwd", "ro\0ot", 5}, &err));
    assert_int_equal(0, bw_report_add_retrieved(builder, &(struct bw_retrieved_file){"/empty", "", 0}, &err));
    int64_t lines[] = {0, 7};
    assert_int_equal(0, bw_report_add_secret(builder, &(struct bw_pattern_hit){"/z", "A=a", lines, 2}, &err));
    assert_int_equal(0, bw_report_add_content(builder, &(struct bw_pattern_hit){"/z", "x", NULL, 0}, &err));
    assert_int_equal(0, bw_report_add_malware(builder, &(struct bw_malware_finding){.scanner = "clamav"}, &err));
    assert_int_equal(0, bw_report_add_incomplete(builder, "packages:rpm", "no cataloger", &err));
    assert_int_equal(0, bw_report_add_incomplete(builder, "files", "too many", &err));
    assert_int_equal(0, bw_report_add_incomplete(builder, "files", "second reason", &err));
    assert_int_equal(0, bw_report_add_warning(builder, &err, "layer %d: \x1b[31modd", 3));
    return builder;
}

static struct bw_report *finished(void)
{
    struct bw_error err = {0};
    struct bw_report_builder *builder = fill();
    struct bw_report *report = NULL;
    assert_int_equal(0, bw_report_builder_finish(&report, builder, &err));
    bw_report_builder_destroy(builder);
    return report;
}

static void a_finished_report_is_sorted_where_promised_and_ordered_where_not(void **state)
{
    (void)state;
    struct bw_report *report = finished();
    assert_string_equal("/", report->files[0].path);
    assert_string_equal("/z", report->files[2].path);
    assert_string_equal("zlib1g", report->packages[0].name);
    assert_string_equal("files", report->incomplete[0].kind);
    assert_string_equal("too many", report->incomplete[0].reason);
    assert_int_equal(2, report->n_incomplete);
    assert_string_equal("layer 3: ?[31modd", report->warnings[0]);
    assert_int_equal(BW_REPORT_REVISION, report->revision);
    assert_true(report->memory > sizeof(*report));
    bw_report_release(report);
}

static void files_are_found_by_path(void **state)
{
    (void)state;
    struct bw_report *report = finished();
    assert_non_null(bw_report_find_file(report, "/z"));
    assert_int_equal(0104755, bw_report_find_file(report, "/z")->mode);
    assert_null(bw_report_find_file(report, "/zz"));
    assert_null(bw_report_find_file(report, "z"));
    bw_report_release(report);
}

static void packages_are_found_by_name_and_by_what_they_share(void **state)
{
    (void)state;
    static const char *const mit[] = {"MIT"}, *const both[] = {"MIT", "GPL-2"};
    static const struct {
        const char *type, *name, *license;
        const char *const *licenses;
        size_t n_licenses;
        uint32_t same_name, same_license;
    } rows[] = {
        {"npm", "b", "MIT", mit, 1, 0, 0},  {"gem", "b", NULL, mit, 1, 1, 1},   {"npm", "a", "MIT", mit, 1, 2, 0},
        {"npm", "b", NULL, NULL, 0, 0, 3},  {"npm", "c", "MIT", both, 2, 4, 4}, {"gem", "b", NULL, mit, 1, 1, 1},
        {"npm", "a", "MIT", both, 2, 2, 4},
    };
    struct bw_error err = {0};
    struct bw_report_builder *builder = bw_report_builder_create(BW_ARENA_REPORT);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const struct bw_package package = {.type = rows[i].type,
                                           .name = rows[i].name,
                                           .license = rows[i].license,
                                           .licenses = rows[i].licenses,
                                           .n_licenses = rows[i].n_licenses};
        assert_int_equal(0, bw_report_add_package(builder, &package, &err));
    }
    static const uint32_t modes[] = {0100644, 0104755, 0100755, 0102755};
    static const char *const paths[] = {"/a", "/b", "/c", "/d"};
    for (size_t i = 0; i < BW_LENGTH(modes); i++)
        assert_int_equal(
            0, bw_report_add_file(builder, &(struct bw_report_file){.path = paths[i], .mode = modes[i]}, &err));
    struct bw_report *report = NULL;
    assert_int_equal(0, bw_report_builder_finish(&report, builder, &err));
    bw_report_builder_destroy(builder);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        assert_int_equal(rows[i].same_name, report->same_name[i]);
        assert_int_equal(rows[i].same_license, report->same_license[i]);
        assert_ptr_equal(&report->packages[rows[i].same_name],
                         bw_report_find_package(report, rows[i].type, rows[i].name));
    }
    assert_null(bw_report_find_package(report, "gem", "a"));
    assert_null(bw_report_find_package(report, "zzz", "zzz"));
    size_t first = 77, last = 77;
    assert_int_equal(0, bw_report_count_packages(report, "bb", &first, &last));
    assert_int_equal(4, bw_report_count_packages(report, "b", &first, &last));
    assert_int_equal(0, first);
    assert_int_equal(5, last);
    assert_int_equal(2, report->n_privileged_files);
    assert_int_equal(1, report->privileged_files[0]);
    assert_int_equal(3, report->privileged_files[1]);
    bw_report_release(report);
}

static void an_incomplete_kind_is_found_by_itself_and_by_its_family(void **state)
{
    (void)state;
    struct bw_report *report = finished();
    static const struct {
        const char *kind;
        const char *reason;
    } cases[] = {{"packages", "no cataloger"}, {"packages:rpm", "no cataloger"},
                 {"packages:r", NULL},         {"pack", NULL},
                 {"files", "too many"},        {"secrets", NULL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *reason = bw_report_incomplete(report, cases[i].kind);
        if (cases[i].reason == NULL)
            assert_null(reason);
        else
            assert_string_equal(cases[i].reason, reason);
    }
    bw_report_release(report);
}

static void what_is_encoded_is_decoded_to_the_same_bytes(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_report *report = finished();
    void *bytes = NULL, *again = NULL;
    size_t len = 0, len_again = 0;
    assert_int_equal(0, bw_report_encode(&bytes, &len, report, &err));
    struct bw_report *copy = NULL;
    assert_int_equal(0, bw_report_decode(&copy, bytes, len, &err));
    assert_string_equal(report->dockerfile, copy->dockerfile);
    assert_null(copy->os);
    assert_int_equal(-1, copy->size);
    assert_int_equal(-1, copy->files[2].uid);
    assert_string_equal("GPL-2", copy->packages[0].licenses[1]);
    assert_int_equal(5, copy->retrieved[0].len);
    assert_memory_equal("ro\0ot", copy->retrieved[0].content, 6);
    assert_int_equal(7, copy->secrets[0].lines[1]);
    assert_true(copy->covers.file_digests);
    assert_string_equal(some_digest, copy->layers[0].digest.text);
    assert_int_equal(0, bw_report_encode(&again, &len_again, copy, &err));
    assert_int_equal(len, len_again);
    assert_memory_equal(bytes, again, len);
    free(bytes);
    free(again);
    bw_report_release(report);
    bw_report_release(copy);
}

static void bytes_cut_anywhere_or_longer_are_refused(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_report *report = finished(), *copy = NULL;
    void *bytes = NULL;
    size_t len = 0;
    assert_int_equal(0, bw_report_encode(&bytes, &len, report, &err));
    for (size_t cut = 0; cut < len; cut++) {
        char *part = malloc(cut + 1);
        memcpy(part, bytes, cut);
        assert_int_equal(-1, bw_report_decode(&copy, part, cut, &err));
        free(part);
    }
    char *longer = calloc(1, len + 1);
    memcpy(longer, bytes, len);
    assert_int_equal(-1, bw_report_decode(&copy, longer, len + 1, &err));
    assert_non_null(strstr(err.message, "behind the end"));
    free(longer);
    free(bytes);
    bw_report_release(report);
}

/* Every byte changed in turn: refused, or a report that encodes to exactly those bytes. */
static void no_changed_byte_is_believed_half(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_report *report = finished();
    unsigned char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(0, bw_report_encode((void **)&bytes, &len, report, &err));
    static const unsigned char masks[] = {0x01, 0x80, 0xff};
    for (size_t i = 0; i < len * sizeof(masks); i++) {
        size_t at = i / sizeof(masks);
        unsigned char saved = bytes[at];
        bytes[at] ^= masks[i % sizeof(masks)];
        struct bw_report *copy = NULL;
        if (bw_report_decode(&copy, bytes, len, &err) == 0) {
            void *again = NULL;
            size_t len_again = 0;
            assert_int_equal(0, bw_report_encode(&again, &len_again, copy, &err));
            assert_int_equal(len, len_again);
            assert_memory_equal(bytes, again, len);
            free(again);
            bw_report_release(copy);
        }
        bytes[at] = saved;
    }
    free(bytes);
    bw_report_release(report);
}

static void a_path_listed_twice_is_refused(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_report_builder *builder = bw_report_builder_create(BW_ARENA_REPORT);
    struct bw_report *report = NULL;
    for (int i = 0; i < 2; i++)
        assert_int_equal(0, bw_report_add_file(builder, &(struct bw_report_file){.path = "/a"}, &err));
    assert_int_equal(-1, bw_report_builder_finish(&report, builder, &err));
    assert_int_equal(BW_EINPUT, err.code);
    assert_null(report);
    bw_report_builder_destroy(builder);
}

static void the_budget_ends_a_report_that_grows_without_end(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_report_builder *builder = bw_report_builder_create(100000);
    int failed = 0;
    for (int i = 0; i < 10000 && !failed; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "/%d", i);
        failed = bw_report_add_file(builder, &(struct bw_report_file){.path = path}, &err);
    }
    assert_int_equal(-1, failed);
    assert_int_equal(BW_ELIMIT, err.code);
    bw_report_builder_destroy(builder);
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fifty_seven_thousand_files_are_decoded_quickly(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_report_builder *builder = bw_report_builder_create(BW_ARENA_REPORT);
    static const char hex[] = "7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc";
    for (unsigned i = 0; i < 57000; i++) {
        char path[96];
        (void)snprintf(path, sizeof(path), "/usr/lib/python3/dist-packages/some/module/folder%03u/file%06u.py", i % 500,
                       i);
        assert_int_equal(0, bw_report_add_file(builder, &(struct bw_report_file){.path = path, .sha256 = hex}, &err));
    }
    struct bw_report *report = NULL, *copy = NULL;
    assert_int_equal(0, bw_report_builder_finish(&report, builder, &err));
    bw_report_builder_destroy(builder);
    void *bytes = NULL;
    size_t len = 0;
    double begin = seconds();
    assert_int_equal(0, bw_report_encode(&bytes, &len, report, &err));
    double encoded = seconds();
    assert_int_equal(0, bw_report_decode(&copy, bytes, len, &err));
    double decoded = seconds();
    print_message("57000 files, %zu bytes: encoded in %.1f ms, decoded in %.1f ms\n", len, (encoded - begin) * 1e3,
                  (decoded - encoded) * 1e3);
    assert_int_equal(report->n_files, copy->n_files);
    free(bytes);
    bw_report_release(report);
    bw_report_release(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_report_is_sorted_where_promised_and_ordered_where_not),
        cmocka_unit_test(files_are_found_by_path),
        cmocka_unit_test(packages_are_found_by_name_and_by_what_they_share),
        cmocka_unit_test(an_incomplete_kind_is_found_by_itself_and_by_its_family),
        cmocka_unit_test(what_is_encoded_is_decoded_to_the_same_bytes),
        cmocka_unit_test(bytes_cut_anywhere_or_longer_are_refused),
        cmocka_unit_test(no_changed_byte_is_believed_half),
        cmocka_unit_test(a_path_listed_twice_is_refused),
        cmocka_unit_test(the_budget_ends_a_report_that_grows_without_end),
        cmocka_unit_test(fifty_seven_thousand_files_are_decoded_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
