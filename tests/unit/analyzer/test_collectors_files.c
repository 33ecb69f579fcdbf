#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/analyzer/fake_tree.h"

static void every_entry_is_told_with_the_word_for_no_digest(void **state)
{
    (void)state;
    static const struct fake_file files[] = {{"/", NULL, NULL, 0}, {"/a  b", "x", NULL, 0}, {"/l", NULL, "a  b", 0}};
    static const uint8_t sha256[BW_SHA256_BYTES] = {0xab, 0xcd};
    struct fake *fake = calloc(1, sizeof(*fake));
    fake_build(fake, files, BW_LENGTH(files));
    for (size_t i = 0; i < fake->tree.count; i++)
        if (fake->tree.files[i].type == BW_FILE_REGULAR) {
            fake->tree.files[i].sha256 = sha256;
            fake->tree.files[i].mode = 0104755;
        }
    struct bw_report *report = fake_collect(fake, &bw_collector_files);
    assert_int_equal(3, report->n_files);
    assert_string_equal("DIRECTORY_OR_OTHER", report->files[0].sha256);
    assert_null(report->files[0].md5);
    assert_string_equal("/a  b", report->files[1].path);
    assert_memory_equal("abcd0000", report->files[1].sha256, 8);
    assert_int_equal(64, strlen(report->files[1].sha256));
    assert_int_equal(0104755, report->files[1].mode);
    assert_string_equal("a  b", report->files[2].link);
    assert_int_equal(BW_FILE_SYMLINK, report->files[2].type);
    fake_clear(fake, report);
    free(fake);
}

static void asked_files_are_kept_links_followed(void **state)
{
    (void)state;
    static const char *const asked[] = {"/etc/absent", "/etc/empty",  "/etc/far",    "/etc/folder",
                                        "/etc/large",  "/etc/passwd", "etc/relative"};
    static const struct fake_file files[] = {
        {"/etc/empty", "", NULL, 0},           {"/etc/far", NULL, "/opt/a/b/c/other", 0},
        {"/opt/a/b/c/other", "far", NULL, 0},  {"/etc/folder", NULL, NULL, 0},
        {"/etc/large", "0123456789", NULL, 0}, {"/etc/passwd", NULL, "../usr/etc/passwd", 0},
        {"/usr/etc/passwd", "root", NULL, 0},  {"/etc/relative", "rel", NULL, 0},
    };
    struct fake *fake = calloc(1, sizeof(*fake));
    fake->options.needs.retrieved_paths = asked;
    fake->options.needs.n_retrieved_paths = BW_LENGTH(asked);
    fake->options.retrieved_max_bytes = 8;
    fake_build(fake, files, BW_LENGTH(files));
    struct bw_report *report = fake_collect(fake, &bw_collector_retrieved);
    assert_int_equal(3, report->n_retrieved);
    assert_string_equal("/etc/empty", report->retrieved[0].path);
    assert_int_equal(0, report->retrieved[0].len);
    assert_string_equal("/etc/passwd", report->retrieved[1].path);
    assert_string_equal("root", report->retrieved[1].content);
    assert_string_equal("etc/relative", report->retrieved[2].path);
    assert_non_null(bw_report_incomplete(report, "retrieved_files")); /* far and large */
    fake_clear(fake, report);
    free(fake);
}

static void the_password_file_is_kept_though_nobody_asks(void **state)
{
    (void)state;
    static const struct fake_file files[] = {{"/etc/passwd", "root", NULL, 0}};
    struct fake *fake = calloc(1, sizeof(*fake));
    fake->options.retrieved_max_bytes = 8;
    fake_build(fake, files, 1);
    struct bw_report *report = fake_collect(fake, &bw_collector_retrieved);
    assert_int_equal(1, report->n_retrieved);
    assert_int_equal(0, report->n_incomplete);
    fake_clear(fake, report);
    free(fake);
}

static void packages_that_nothing_reads_are_marked_unless_the_distribution_owns_them(void **state)
{
    (void)state;
#define STATUS                                                                                                         \
    {"/var/lib/dpkg/status", "Package: p\nVersion: 1\n", NULL, 0},                                                     \
    {                                                                                                                  \
        "/var/lib/dpkg/info/p.list",                                                                                   \
            "/.\n/usr/lib/python3/dist-packages/x.dist-info/METADATA\n/lib/node/package.json\n/usr/share/y.jar\n",     \
            NULL, 0                                                                                                    \
    }
    static const struct {
        struct fake_file files[5];
        const char *kind; /* NULL: none */
    } cases[] = {
        {{{"/var/lib/rpm/rpmdb.sqlite", "SQLite", NULL, 0}}, "packages:rpm"},
        {{{"/var/lib/rpm/Packages", "", NULL, 0}}, NULL},
        {{{"/usr/lib/sysimage/rpm/Packages.db", "x", NULL, 0}}, "packages:rpm"},
        {{{"/app/x-1.dist-info/METADATA", "x", NULL, 0}}, "packages:python"},
        {{{"/app/x.EGG-INFO", "x", NULL, 0}}, "packages:python"},
        {{{"/app/x.egg-info/PKG-INFO", "x", NULL, 0}}, "packages:python"},
        {{{"/app/node_modules/@s/x/package.json", "{}", NULL, 0}}, "packages:npm"},
        {{{"/usr/gems/specifications/default/x.gemspec", "x", NULL, 0}}, "packages:gem"},
        {{{"/usr/gems/x.gemspec", "x", NULL, 0}}, NULL},
        {{{"/app/x.JAR", "PK", NULL, 0}}, "packages:java"},
        {{STATUS, {"/usr/lib/python3/dist-packages/x.dist-info/METADATA", "x", NULL, 0}}, NULL},
        {{STATUS, {"/usr/local/x.dist-info/METADATA", "x", NULL, 0}}, "packages:python"},
        {{STATUS, {"/usr/share/y.jar", "PK", NULL, 0}}, NULL},
        {{STATUS, {"/usr/lib/node/package.json", "{}", NULL, 0}}, "packages:npm"},
        {{STATUS, {"/usr/lib/node/package.json", "{}", NULL, 0}, {"/lib", NULL, "usr/lib", 0}}, NULL},
        {{{"/lib/apk/db/installed", "P:p\nV:1\nF:usr/share\nR:z.jar\n", NULL, 0}, {"/usr/share/z.jar", "P", NULL, 0}},
         NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct fake *fake = calloc(1, sizeof(*fake));
        size_t count = 0;
        while (count < 5 && cases[i].files[count].path != NULL)
            count++;
        fake_build(fake, cases[i].files, count);
        struct bw_report *report = fake_collect(fake, &bw_collector_unread);
        if (cases[i].kind == NULL && report->n_incomplete != 0)
            fail_msg("case %zu: %s", i, report->incomplete[0].reason);
        if (cases[i].kind != NULL && bw_report_incomplete(report, cases[i].kind) == NULL)
            fail_msg("case %zu: %s is not marked", i, cases[i].kind);
        fake_clear(fake, report);
        free(fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_is_told_with_the_word_for_no_digest),
        cmocka_unit_test(asked_files_are_kept_links_followed),
        cmocka_unit_test(the_password_file_is_kept_though_nobody_asks),
        cmocka_unit_test(packages_that_nothing_reads_are_marked_unless_the_distribution_owns_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
