#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/report_json.h"

#include <stdlib.h>
#include <string.h>

static struct bw_report *read_document(const char *text)
{
    struct bw_error err = {0};
    struct bw_report *report = NULL;
    if (bw_report_read_json(&report, text, strlen(text), &err))
        fail_msg("%s", err.message);
    return report;
}

static char *written(const struct bw_report *report)
{
    struct bw_error err = {0};
    struct bw_buf out;
    size_t len;
    bw_buf_init(&out, BW_MAX_ANALYSIS_BYTES);
    if (bw_report_write_json(&out, report, &err))
        fail_msg("%s", err.message);
    return bw_buf_take(&out, &len);
}

static void assert_same_report(const struct bw_report *a, const struct bw_report *b)
{
    struct bw_error err = {0};
    void *bytes_a = NULL, *bytes_b = NULL;
    size_t len_a = 0, len_b = 0;
    assert_int_equal(0, bw_report_encode(&bytes_a, &len_a, a, &err));
    assert_int_equal(0, bw_report_encode(&bytes_b, &len_b, b, &err));
    assert_int_equal(len_a, len_b);
    assert_memory_equal(bytes_a, bytes_b, len_a);
    free(bytes_a);
    free(bytes_b);
}

/* Written, read, written: the same report and the same text. */
static void assert_round_trip(const struct bw_report *report)
{
    char *text = written(report);
    struct bw_report *again = read_document(text);
    assert_same_report(report, again);
    char *text_again = written(again);
    assert_string_equal(text, text_again);
    free(text);
    free(text_again);
    bw_report_release(again);
}

#define HEX "7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc"

static const char recorded[] =
    "{\"schema\":\"analysis/1\",\"name\":\"x\",\"image\":{\"digest\":null,\"id\":\"" HEX "\",\"size\":125000,"
    "\"layer_count\":7,\"os\":null,\"architecture\":\"\",\"layers\":[\"" HEX "\"]},"
    "\"distro\":{\"id\":\"wolfi\",\"version\":\"1\",\"like\":\"foo,alpine\"},"
    "\"dockerfile\":{\"mode\":\"ACTUAL\",\"contents\":\"FROM a\\nUSER b\\n\"},\"config\":{\"User\":\"\"},"
    "\"packages\":[{\"type\":\"APKG\",\"name\":\"b\",\"version\":\"1.2\",\"release\":\"r0\",\"full_version\":\"1.2-"
    "r0\","
    "\"arch\":\"N/A\",\"license\":\"GPL MIT\",\"licenses\":[\"GPL\",\"MIT\"],\"path\":\"pkgdb\",\"size\":3,"
    "\"distro\":{\"id\":\"wolfi\",\"version\":\"1\",\"like\":\"foo,alpine\"}},"
    "{\"type\":\"npm\",\"name\":\"a\",\"version\":\"2\",\"release\":\"\",\"full_version\":\"2\",\"license\":\"N/A\","
    "\"licenses\":[\"N/A\"],\"path\":\"/a/package.json\",\"distro\":{\"id\":\"npm\",\"version\":\"N/"
    "A\",\"like\":\"npm\"}}],"
    "\"files\":[{\"path\":\"/z\",\"type\":\"link\",\"mode\":41471,\"size\":4,\"sha256\":\"DIRECTORY_OR_OTHER\","
    "\"linkto\":\"/bin/dash\"},{\"path\":\"/a\",\"name\":\"/b\",\"type\":\"file\",\"mode\":35309,\"size\":9,"
    "\"sha256\":\"" HEX "\",\"md5\":\"d4\"}],"
    "\"verification\":[{\"package\":\"b\",\"package_type\":\"APKG\",\"path\":\"/"
    "a\",\"config_file\":true,\"mode\":1533}],"
    "\"retrieved_files\":[{\"path\":\"/etc/passwd\",\"content_base64\":\"cm9vdA==\"},{\"path\":\"/"
    "e\",\"content_base64\":\"\"}],"
    "\"secrets\":[{\"path\":\"/s\",\"matches\":[{\"pattern\":\"N=x=y\",\"lines\":[3,9]},{\"pattern\":\"bare\"}]},"
    "{\"path\":\"/none\",\"matches\":[]}],"
    "\"content_search\":[{\"path\":\"/c\",\"matches\":[{\"pattern\":\"n=.*\",\"lines\":[1]}]}],"
    "\"malware\":[{\"scanner\":\"clamav\",\"result\":{\"findings\":[{\"path\":\"\",\"signature\":\"X\"},{\"path\":\"/"
    "x\"}]}},"
    "{\"scanner\":\"yara\",\"result\":{\"findings\":[]}}],\"vulnerabilities\":null}";

static void a_recorded_analysis_is_read_word_for_word(void **state)
{
    (void)state;
    struct bw_report *report = read_document(recorded);
    assert_string_equal("", report->digest.text);
    assert_string_equal(HEX, report->id);
    assert_int_equal(125000, report->size);
    assert_int_equal(7, report->layer_count);
    assert_int_equal(1, report->n_layers);
    assert_null(report->os);
    assert_string_equal("", report->architecture);
    assert_string_equal("ACTUAL", report->dockerfile_mode);
    assert_string_equal("{\"User\":\"\"}", report->config);
    assert_string_equal("b", report->packages[0].name);
    assert_string_equal("r0", report->packages[0].release);
    assert_null(report->packages[0].arch);
    assert_null(report->packages[0].distro);
    assert_int_equal(2, report->packages[0].n_licenses);
    assert_null(report->packages[1].release);
    assert_string_equal("npm", report->packages[1].distro);
    assert_string_equal("N/A", report->packages[1].license);
    assert_int_equal(-1, report->packages[1].size);
    assert_string_equal("/a", report->files[0].path);
    assert_int_equal(0104755, report->files[0].mode);
    assert_string_equal("DIRECTORY_OR_OTHER", report->files[1].sha256);
    assert_null(report->files[1].md5);
    assert_int_equal(BW_FILE_SYMLINK, report->files[1].type);
    assert_true(report->verifications[0].config_file);
    assert_int_equal(1533, report->verifications[0].mode);
    assert_int_equal(-1, report->verifications[0].size);
    assert_null(report->verifications[0].digest);
    assert_int_equal(4, report->retrieved[0].len);
    assert_int_equal(0, report->retrieved[1].len);
    assert_int_equal(2, report->n_secrets);
    assert_string_equal("N=x=y", report->secrets[0].pattern);
    assert_int_equal(9, report->secrets[0].lines[1]);
    assert_string_equal("bare", report->secrets[1].pattern);
    assert_int_equal(3, report->n_malware);
    assert_null(report->malware[1].signature);
    assert_null(report->malware[2].path);
    assert_round_trip(report);
    bw_report_release(report);
}

static void a_report_survives_its_own_document_byte_for_byte(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_report_builder *builder = bw_report_builder_create(BW_ARENA_REPORT);
    struct bw_report *head = bw_report_builder_head(builder), *report = NULL;
    static const char *const paths[] = {"/etc/passwd", "/etc/shadow"};
    assert_int_equal(0, bw_digest_parse(&head->digest, "sha256:" HEX, 71, &err));
    head->dockerfile = "FROM scratch\nUSER caf\xe9";
    head->config = "not JSON \xff";
    head->completed_s = 1700000000;
    head->source = "layers";
    head->analyzer = "0.1.0";
    head->covers = (struct bw_needs){.retrieved_paths = paths, .n_retrieved_paths = 2, .file_digests = true};
    static const char *const odd[] = {"/caf\xe9", "/caf\xe8", "/caf\xef\xbf\xbd", "/new\nline\"\\"};
    for (size_t i = 0; i < 4; i++) {
        struct bw_report_file file = {.path = odd[i],
                                      .mode = 0104755,
                                      .size = 1,
                                      .uid = 0,
                                      .gid = -1,
                                      .layer = 2,
                                      .capability = i == 1,
                                      .sha1 = "ab"};
        assert_int_equal(0, bw_report_add_file(builder, &file, &err));
    }
    struct bw_verification record = {.path = "/a", .package = "p", .package_type = "rpm", .mode = 0100644, .size = 0};
    assert_int_equal(0, bw_report_add_verification(builder, &record, &err));
    assert_int_equal(0, bw_report_add_incomplete(builder, "packages:rpm", "no \"cataloger\"", &err));
    assert_int_equal(0, bw_report_add_warning(builder, &err, "odd"));
    assert_int_equal(0, bw_report_builder_finish(&report, builder, &err));
    bw_report_builder_destroy(builder);
    assert_round_trip(report);
    bw_report_release(report);
}

static void the_config_is_shown_as_json(void **state)
{
    (void)state;
    struct bw_report *report =
        read_document("{\"schema\":\"breakwater.analysis/1\",\"config\":{\"b\":[1,{\"a\":null}]}}");
    assert_string_equal("{\"b\":[1,{\"a\":null}]}", report->config);
    assert_round_trip(report);
    bw_report_release(report);
}

static const char export[] =
    "[{\"image\":{\"imageId\":\"" HEX "\",\"imagedata\":{\"analysis_report\":{"
    "\"analyzer_meta\":{\"analyzer_meta\":{\"base\":{\"DISTRO\":\"alpine\",\"DISTROVERS\":\"3.12\",\"LIKEDISTRO\":"
    "\"alpine\"}}},"
    "\"package_list\":{\"pkgs.allinfo\":{\"base\":{\"musl\":\"{\\\"type\\\":\\\"APKG\\\",\\\"version\\\":\\\"1.1\\\","
    "\\\"release\\\":\\\"r2\\\",\\\"arch\\\":\\\"N/A\\\",\\\"size\\\":\\\"600\\\",\\\"license\\\":\\\"MIT\\\"}\"}},"
    "\"pkgs.npms\":{\"base\":{\"/n/"
    "package.json\":{\"name\":\"n\",\"versions\":[\"4\",\"3\"],\"lics\":[\"MIT\",\"ISC\"]}}},"
    "\"pkgs.java\":{\"base\":{\"/l.jar\":{\"name\":\"l-2.14.1\",\"maven-version\":\"N/A\"},"
    "\"/p.jar\":{\"name\":\"p\",\"metadata\":{\"pom.properties\":\"a=b\\nversion=7\\n\"},\"maven-version\":\"1\"}}}},"
    "\"file_list\":{\"files.allinfo\":{\"base\":{\"/a\":\"{\\\"type\\\":\\\"file\\\",\\\"mode\\\":33261,\\\"size\\\":3,"
    "\\\"uid\\\":0,\\\"linkdst\\\":null}\"}}},"
    "\"file_checksums\":{\"files.sha256sums\":{\"base\":{\"/a\":\"" HEX "\"}}},"
    "\"file_package_verify\":{\"distro.pkgfilemeta\":{\"base\":{\"/a\":[{\"package\":\"musl\",\"digestalgo\":\"sha1\","
    "\"digest\":\"N/A\",\"mode\":\"0755\",\"conffile\":false}]}}},"
    "\"secret_search\":{\"regexp_matches.all\":{\"base\":{\"/k\":{\"UD14\\n\":[1]}}}},"
    "\"retrieve_files\":{\"file_content.all\":{\"base\":{\"/etc/passwd\":\"cm9vdA==\"}}},"
    "\"malware\":{\"malware\":{\"base\":{\"clamav\":{\"findings\":[]}}}}},"
    "\"image_report\":{\"dockerfile_mode\":\"Guessed\",\"dockerfile_contents\":\"FROM "
    "scratch\",\"layers\":[\"sha256:" HEX "\"],"
    "\"meta\":{\"sizebytes\":5613764},\"docker_data\":{\"Architecture\":\"amd64\",\"RepoDigests\":[\"a/b@sha256:" HEX
    "\"]}}}}}]";

static void an_engine_export_is_read(void **state)
{
    (void)state;
    struct bw_report *report = read_document(export);
    assert_string_equal("sha256:" HEX, report->digest.text);
    assert_int_equal(5613764, report->size);
    assert_string_equal("alpine", report->distro);
    assert_int_equal(4, report->n_packages);
    assert_string_equal("1.1-r2", report->packages[0].full_version);
    assert_int_equal(600, report->packages[0].size);
    assert_string_equal("4", report->packages[1].version);
    assert_string_equal("MIT ISC", report->packages[1].license);
    assert_string_equal("2.14.1", report->packages[2].version);
    assert_string_equal("7", report->packages[3].version);
    assert_string_equal(HEX, report->files[0].sha256);
    assert_int_equal(0755, report->verifications[0].mode);
    assert_null(report->verifications[0].digest);
    assert_string_equal("P=x", report->secrets[0].pattern);
    assert_int_equal(4, report->retrieved[0].len);
    assert_int_equal(1, report->n_malware);
    assert_round_trip(report);
    bw_report_release(report);
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"", "line 1"},
        {"7", "expected an analysis document, found an integer"},
        {"{}", "\"schema\" is missing"},
        {"{\"schema\":\"other\"}", "\"other\" is not known"},
        {"{\"schema\":\"analysis/1\",\"files\":{}}", "files: expected an array, found an object"},
        {"{\"schema\":\"analysis/1\",\"files\":[1]}", "/files/0: expected an object, found an integer"},
        {"{\"schema\":\"analysis/1\",\"files\":[{\"path\":\"/a\",\"size\":\"1\"}]}",
         "/files/0/size: expected an integer, found a string"},
        {"{\"schema\":\"analysis/1\",\"files\":[{\"path\":\"/a\"},{\"path\":\"/a\"}]}", "\"/a\" is listed twice"},
        {"{\"schema\":\"analysis/1\",\"files\":[{\"path\":\"/a\\u0000b\"}]}", "/files/0/path: a NUL"},
        {"{\"schema\":\"analysis/1\",\"packages\":[{\"type\":\"rpm\"}]}", "/packages/0: \"name\" is missing"},
        {"{\"schema\":\"analysis/1\",\"image\":{\"digest\":\"sha256:1\"}}", "/image/digest"},
        {"{\"schema\":\"analysis/1\",\"retrieved_files\":[{\"path\":\"/a\",\"content_base64\":\"!\"}]}",
         "/retrieved_files/0/content_base64"},
        {"{\"schema\":\"breakwater.analysis/1\",\"files\":[{\"path\":\"/a\",\"type\":\"file\",\"mode\":\"9\"}]}",
         "/files/0/mode: \"9\" is no octal"},
        {"{\"schema\":\"breakwater.analysis/1\",\"covers\":{\"retrieved_paths\":[\"/b\",\"/a\"]}}", "retrieved_paths"},
        {"{\"image\":{\"imagedata\":{}}}", "without image.imagedata.analysis_report"},
        {"{\"image\":{\"imagedata\":{\"analysis_report\":{\"package_list\":{\"pkgs.npms\":{\"base\":{\"/n\":{}}}}}}}}",
         "/package_list/pkgs.npms/base//n: \"name\" is missing"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct bw_error err = {0};
        struct bw_report *report = NULL;
        assert_int_equal(-1, bw_report_read_json(&report, cases[i].text, strlen(cases[i].text), &err));
        assert_null(report);
        if (strstr(err.message, cases[i].says) == NULL)
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.message, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_analysis_is_read_word_for_word),
        cmocka_unit_test(a_report_survives_its_own_document_byte_for_byte),
        cmocka_unit_test(the_config_is_shown_as_json),
        cmocka_unit_test(an_engine_export_is_read),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
