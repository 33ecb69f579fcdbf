#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/analyzer/collectors/apk.h"
#include "tests/unit/analyzer/fake_tree.h"

/* SHA-1 of "x" is 11f6ad8ec52a2984abaafd7c3b516503785c2072 */
#define SUM_X "Q1EfatjsUqKYSrqv18O1FlA3hcIHI="

static const char installed[] = "C:Q1xyz=\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:383152\nI:622592\nT:the C library\n"
                                "U:https://x.example\nL:MIT\no:musl-src\nm:Timo <t@x.example>\nt:1\nc:abc\n"
                                "D:so:libc\np:so:libc.musl\nF:lib\nR:ld-musl.so.1\na:0:0:755\nZ:" SUM_X "\n"
                                "R:libc.so\na:0:0:777\nZ:" SUM_X "\nF:\nM:0:0:1777\nR:top\nZ:rubbish\nF:etc\nR:no-sum\n"
                                "\n"
                                "P:.virtual\nV:20240101\nL:MIT AND (GPL-2.0-only OR BSD-3-Clause) AND MIT\n\n\n"
                                "P:noversion\n\n"
                                "P:last\nV:1-2-r0"; /* no newline at the end */

static void records_are_read(void **state)
{
    (void)state;
    struct bw_str rest = bw_str_from(installed), version, release;
    struct bw_apk_record record;
    assert_true(bw_apk_next_record(&record, &rest));
    assert_true(bw_str_is(record.name, "musl"));
    assert_true(bw_str_is(record.origin, "musl-src"));
    assert_true(bw_str_starts_with(record.files, "F:lib\n"));
    assert_true(bw_apk_next_record(&record, &rest));
    assert_true(bw_str_is(record.name, ".virtual"));
    assert_null(record.files.base);
    bw_apk_split_version(&version, &release, record.version);
    assert_true(bw_str_is(version, "20240101"));
    assert_null(release.base);
    assert_true(bw_apk_next_record(&record, &rest));
    assert_true(bw_apk_next_record(&record, &rest));
    bw_apk_split_version(&version, &release, record.version);
    assert_true(bw_str_is(version, "1-2"));
    assert_true(bw_str_is(release, "r0"));
    assert_false(bw_apk_next_record(&record, &rest));
}

static void paths_come_with_their_folder_mode_and_sum(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *name, *mode, *sum; /* name NULL: the folder */
    } expected[] = {
        {"lib", NULL, "", ""},
        {"lib", "ld-musl.so.1", "755", SUM_X},
        {"lib", "libc.so", "777", SUM_X},
        {"", NULL, "", ""},
        {"", "top", "", "rubbish"},
        {"etc", NULL, "", ""},
        {"etc", "no-sum", "", ""},
    };
    struct bw_str rest = bw_str_from(installed), folder = {0};
    struct bw_apk_record record;
    struct bw_apk_path path;
    assert_true(bw_apk_next_record(&record, &rest));
    rest = record.files;
    for (size_t i = 0; i < BW_LENGTH(expected); i++) {
        assert_true(bw_apk_next_path(&path, &rest, &folder));
        assert_true(bw_str_is(path.folder, expected[i].folder));
        assert_true(bw_str_is(path.mode, expected[i].mode));
        assert_true(bw_str_is(path.sum, expected[i].sum));
        assert_int_equal(expected[i].name == NULL, path.name.base == NULL);
        if (expected[i].name != NULL)
            assert_true(bw_str_is(path.name, expected[i].name));
    }
    assert_false(bw_apk_next_path(&path, &rest, &folder));
}

static void an_alpine_image_gives_packages_and_what_is_expected_of_files(void **state)
{
    (void)state;
    static const struct fake_file files[] = {
        {"/lib/apk/db/installed", installed, NULL, 0},
        {"/lib/ld-musl.so.1", "x", NULL, 0},
        {"/lib/libc.so", NULL, "x", 0}, /* a link, its sum that of the text "x" */
    };
    struct fake *fake = calloc(1, sizeof(*fake));
    fake->options.needs.file_digests = true;
    fake_build(fake, files, BW_LENGTH(files));
    struct bw_report *report = fake_collect(fake, &bw_collector_apk);
    assert_int_equal(3, report->n_packages);
    const struct bw_package *musl = &report->packages[0];
    assert_string_equal("APKG", musl->type);
    assert_string_equal("1.2.4", musl->version);
    assert_string_equal("r2", musl->release);
    assert_string_equal("1.2.4-r2", musl->full_version);
    assert_string_equal("musl-src", musl->source_name);
    assert_string_equal("Timo <t@x.example>", musl->origin);
    assert_string_equal("MIT", musl->license);
    assert_int_equal(622592, musl->size);
    assert_null(report->packages[1].release);
    assert_string_equal("MIT AND (GPL-2.0-only OR BSD-3-Clause) AND MIT", report->packages[1].license);
    assert_int_equal(3, report->packages[1].n_licenses);
    assert_string_equal("BSD-3-Clause", report->packages[1].licenses[2]);
    assert_string_equal("N/A", report->packages[2].license);
    assert_int_equal(3, report->n_verifications);
    const struct bw_verification *records = report->verifications;
    assert_string_equal("/lib/ld-musl.so.1", records[0].path);
    assert_string_equal("sha1", records[0].algorithm);
    assert_string_equal("11f6ad8ec52a2984abaafd7c3b516503785c2072", records[0].digest);
    assert_int_equal(0755, records[0].mode);
    assert_string_equal("/lib/libc.so", records[1].path);
    assert_null(records[1].digest);
    assert_int_equal(-1, records[1].mode);
    assert_string_equal("/top", records[2].path);
    assert_null(records[2].algorithm);
    fake_clear(fake, report);
    free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read),
        cmocka_unit_test(paths_come_with_their_folder_mode_and_sum),
        cmocka_unit_test(an_alpine_image_gives_packages_and_what_is_expected_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
