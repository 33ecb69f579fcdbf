#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/analyzer/collectors/dpkg.h"
#include "tests/unit/analyzer/fake_tree.h"

static const char status[] = "Package: zlib1g\nStatus: install ok installed\nInstalled-Size: 160\n"
                             "Maintainer: Mark <m@x.example>\nArchitecture: amd64\nMulti-Arch: same\n"
                             "Source: zlib (1.2-9)\nVersion: 1:1.2.13-1\nDescription: compress\n a library\n .\n more\n"
                             "\n\n"
                             "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
                             "Package: bash\nStatus: install ok unpacked\nArchitecture: amd64\nVersion: 5.2-1\n"
                             "Conffiles:\n /etc/bash.bashrc 0123456789abcdef0123456789abcdef\n"
                             " /etc/a b 0123456789ABCDEF0123456789ABCDEF obsolete\n /etc/new newconffile\n"
                             "Version: 6\n\n"
                             "Package: purged\nStatus: purge ok not-installed\nVersion: 1\n\n"
                             "package: last\nversion: 2\nSource: other"; /* no newline at the end */

static void paragraphs_are_read(void **state)
{
    (void)state;
    struct bw_str rest = bw_str_from(status), name, version;
    struct bw_dpkg_stanza stanza;
    static const struct {
        const char *package, *version, *source, *source_version;
        bool installed;
    } expected[] = {
        {"zlib1g", "1:1.2.13-1", "zlib", "1.2-9", true},
        {"gone", "1", "gone", "1", false},
        {"bash", "5.2-1", "bash", "5.2-1", true},
        {"purged", "1", "purged", "1", false},
        {"last", "2", "other", "2", true},
    };
    for (size_t i = 0; i < BW_LENGTH(expected); i++) {
        assert_true(bw_dpkg_next_stanza(&stanza, &rest));
        bw_dpkg_source(&name, &version, &stanza);
        assert_true(bw_str_is(stanza.package, expected[i].package));
        assert_true(bw_str_is(stanza.version, expected[i].version));
        assert_true(bw_str_is(name, expected[i].source));
        assert_true(bw_str_is(version, expected[i].source_version));
        assert_int_equal(expected[i].installed, bw_dpkg_is_installed(&stanza));
    }
    assert_false(bw_dpkg_next_stanza(&stanza, &rest));
}

#define MD5 "0123456789abcdef0123456789abcdef"

static void lines_of_expected_files_are_read(void **state)
{
    (void)state;
    static const struct {
        bool (*read)(struct bw_str *, struct bw_str *, struct bw_str);
        const char *line;
        const char *path; /* NULL: no such line */
        const char *digest;
    } cases[] = {
        {bw_dpkg_md5_line, MD5 "  usr/bin/x", "usr/bin/x", MD5},
        {bw_dpkg_md5_line, MD5 "  usr/a b", "usr/a b", MD5},
        {bw_dpkg_md5_line, MD5 "  ./usr/x", "usr/x", MD5},
        {bw_dpkg_md5_line, MD5 " *usr/x", "usr/x", MD5},
        {bw_dpkg_md5_line, "0123  usr/x", NULL, NULL},
        {bw_dpkg_md5_line, MD5 "  ", NULL, NULL},
        {bw_dpkg_conffile_line, " /etc/x " MD5, "/etc/x", MD5},
        {bw_dpkg_conffile_line, " /etc/a b " MD5 " obsolete", "/etc/a b", MD5},
        {bw_dpkg_conffile_line, " /etc/x newconffile", "/etc/x", ""},
        {bw_dpkg_conffile_line, " " MD5, NULL, NULL},
        {bw_dpkg_conffile_line, "", NULL, NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_str path = {0}, digest = {0};
        assert_int_equal(cases[i].path != NULL, cases[i].read(&path, &digest, bw_str_from(cases[i].line)));
        if (cases[i].path != NULL) {
            assert_true(bw_str_is(path, cases[i].path));
            assert_true(bw_str_is(digest, cases[i].digest));
        }
    }
}

static const struct fake_file debian[] = {
    {"/var/lib/dpkg/status", status, NULL, 0},
    {"/var/lib/dpkg/info/zlib1g:amd64.md5sums", MD5 "  lib/libz.so\n" MD5 "  usr/share/a b\n", NULL, 0},
    {"/var/lib/dpkg/info/bash.md5sums", MD5 "  bin/bash\nrubbish\n", NULL, 0},
    {"/lib", NULL, "usr/lib", 0},
    {"/usr/lib", NULL, NULL, 0},
    {"/usr/lib/libz.so", "x", NULL, 0},
    {"/usr/share/doc/zlib1g", NULL, "other", 0},
    {"/usr/share/doc/other", NULL, NULL, 0},
    {"/usr/share/doc/other/copyright", "License: Zlib\nLicense: BSD-3-clause or MIT\n", NULL, 0},
};

static void a_debian_image_gives_packages_and_what_is_expected_of_files(void **state)
{
    (void)state;
    struct fake *fake = calloc(1, sizeof(*fake));
    fake->options.needs.file_digests = true;
    fake_build(fake, debian, BW_LENGTH(debian));
    struct bw_report *report = fake_collect(fake, &bw_collector_dpkg);
    assert_int_equal(3, report->n_packages);
    const struct bw_package *zlib = &report->packages[0];
    assert_string_equal("dpkg", zlib->type);
    assert_string_equal("1:1.2.13-1", zlib->version);
    assert_string_equal("1:1.2.13-1", zlib->full_version);
    assert_null(zlib->release);
    assert_string_equal("amd64", zlib->arch);
    assert_string_equal("zlib", zlib->source_name);
    assert_string_equal("Mark <m@x.example> (maintainer)", zlib->origin);
    assert_string_equal("BSD-3-clause MIT Zlib", zlib->license);
    assert_int_equal(3, zlib->n_licenses);
    assert_string_equal("pkgdb", zlib->location);
    assert_int_equal(160 * 1024, zlib->size);
    assert_string_equal("Unknown", report->packages[1].license);
    assert_int_equal(0, report->packages[1].n_licenses);
    assert_string_equal("last", report->packages[2].name);
    static const struct {
        const char *path, *package;
        bool config_file, digest;
    } expected[] = {
        {"/usr/lib/libz.so", "zlib1g", false, true},
        {"/usr/share/a b", "zlib1g", false, true},
        {"/bin/bash", "bash", false, true},
        {"/etc/bash.bashrc", "bash", true, true},
        {"/etc/a b", "bash", true, true},
        {"/etc/new", "bash", true, false},
    };
    assert_int_equal(BW_LENGTH(expected), report->n_verifications);
    for (size_t i = 0; i < BW_LENGTH(expected); i++) {
        const struct bw_verification *record = &report->verifications[i];
        assert_string_equal(expected[i].path, record->path);
        assert_string_equal(expected[i].package, record->package);
        assert_string_equal("dpkg", record->package_type);
        assert_int_equal(expected[i].config_file, record->config_file);
        assert_int_equal(-1, record->mode);
        if (expected[i].digest)
            assert_string_equal(MD5, record->digest);
        else
            assert_null(record->digest);
    }
    assert_int_equal(0, report->n_incomplete);
    fake_clear(fake, report);
    free(fake);
}

static void a_distroless_image_and_a_tree_below_give_packages(void **state)
{
    (void)state;
    static const struct fake_file files[] = {
        {"/var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12\nArchitecture: amd64\n", NULL, 0},
        {"/var/lib/dpkg/status.d/base.md5sums", MD5 "  etc/x\n", NULL, 0},
        {"/var/lib/dpkg/status.d/base.preinst", "#!/bin/sh\nPackage: no\n", NULL, 0},
        {"/srv/root/var/lib/dpkg/status", "Package: inner\nStatus: install ok installed\nVersion: 1\n", NULL, 0},
        {"/srv/root/var/lib/dpkg/info/inner.md5sums", MD5 "  bin/x\n", NULL, 0},
        {"/usr/lib/opkg/status", "Package: libc\nVersion: 1.2\nStatus: install user installed\nLicense: MIT GPL-2.0\n",
         NULL, 0},
    };
    struct fake *fake = calloc(1, sizeof(*fake));
    fake->options.needs.file_digests = true;
    fake_build(fake, files, BW_LENGTH(files));
    struct bw_report *report = fake_collect(fake, &bw_collector_dpkg);
    assert_int_equal(3, report->n_packages);
    assert_string_equal("inner", report->packages[0].name);
    assert_string_equal("libc", report->packages[1].name);
    assert_string_equal("MIT GPL-2.0", report->packages[1].license);
    assert_string_equal("base-files", report->packages[2].name);
    assert_int_equal(2, report->n_verifications);
    assert_string_equal("/srv/root/bin/x", report->verifications[0].path);
    assert_string_equal("/etc/x", report->verifications[1].path);
    fake_clear(fake, report);
    free(fake);
}

static void a_status_file_that_cannot_be_read_is_marked(void **state)
{
    (void)state;
    static const struct fake_file files[] = {
        {"/var/lib/dpkg", NULL, "/odd", 0},
        {"/odd/status", "Package: a\nVersion: 1\n", NULL, 0},
    };
    struct fake *fake = calloc(1, sizeof(*fake));
    fake_build(fake, files, BW_LENGTH(files));
    struct bw_report *report = fake_collect(fake, &bw_collector_dpkg);
    assert_int_equal(0, report->n_packages);
    assert_non_null(bw_report_incomplete(report, "packages:dpkg"));
    fake_clear(fake, report);
    free(fake);
}

static void without_digests_of_files_nothing_is_expected_of_them(void **state)
{
    (void)state;
    struct fake *fake = calloc(1, sizeof(*fake));
    fake_build(fake, debian, BW_LENGTH(debian));
    struct bw_report *report = fake_collect(fake, &bw_collector_dpkg);
    assert_int_equal(3, report->n_packages);
    assert_int_equal(0, report->n_verifications);
    fake_clear(fake, report);
    free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paragraphs_are_read),
        cmocka_unit_test(lines_of_expected_files_are_read),
        cmocka_unit_test(a_debian_image_gives_packages_and_what_is_expected_of_files),
        cmocka_unit_test(a_distroless_image_and_a_tree_below_give_packages),
        cmocka_unit_test(a_status_file_that_cannot_be_read_is_marked),
        cmocka_unit_test(without_digests_of_files_nothing_is_expected_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
