#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/analyzer/collectors/os_release.h"
#include "tests/unit/analyzer/fake_tree.h"

static void assert_text(const char *expected, const char *actual)
{
    if (expected == NULL)
        assert_null(actual);
    else {
        assert_non_null(actual);
        assert_string_equal(expected, actual);
    }
}

typedef int parser(struct bw_distro *, const char *, size_t, struct bw_arena *, struct bw_error *);

static void every_source_is_read_as_it_is_written(void **state)
{
    (void)state;
    static const struct {
        parser *parse;
        const char *text;
        const char *id, *version, *like;
    } cases[] = {
        {bw_os_release_parse, "ID=debian\nVERSION_ID=\"12\"\n", "debian", "12", NULL},
        {bw_os_release_parse, "ID='centos'\r\nID_LIKE=\"rhel  fedora\"\nVERSION_ID=8", "centos", "8", "rhel,fedora"},
        {bw_os_release_parse, "NAME=\"A=B\"\nID=a=b\n", "a=b", NULL, NULL},
        {bw_os_release_parse, "ID=\"a\\\"b\\\\c\"\n", "a\"b\\c", NULL, NULL},
        {bw_os_release_parse, "ID=a\nID=b\n", "b", NULL, NULL},
        {bw_os_release_parse, "#ID=a\nXID=b\nID\n", NULL, NULL, NULL},
        {bw_os_release_parse, "ID=\"\n", "\"", NULL, NULL},
        {bw_os_release_parse, "", NULL, NULL, NULL},
        {bw_system_cpe_parse, "cpe:/o:centos:linux:6:GA\n", "centos", "6", NULL},
        {bw_system_cpe_parse, "cpe:/o:redhat:enterprise_linux:8.4:GA", "rhel", "8.4", NULL},
        {bw_system_cpe_parse, "cpe:/o:fedoraproject:fedora:33", "fedora", "33", NULL},
        {bw_system_cpe_parse, "cpe:/o:amazon:linux:2018.03:ga", "linux", "2018.03", NULL},
        {bw_system_cpe_parse, "cpe:2.3:o:amazon", NULL, NULL, NULL},
        {bw_redhat_release_parse, "CentOS release 5.11 (Final)\n", "centos", "5.11", NULL},
        {bw_redhat_release_parse, "Red Hat Enterprise Linux Server release 7.9 (Maipo)", "rhel", "7.9", NULL},
        {bw_redhat_release_parse, "Fedora release 33 (Thirty Three)", "fedora", "33", NULL},
        {bw_redhat_release_parse, "Scientific Linux 7.1", NULL, NULL, NULL},
        {bw_lsb_release_parse, "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=14.04\n", "ubuntu", "14.04", NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        struct bw_distro distro = {0};
        struct bw_error err = {0};
        assert_int_equal(0, cases[i].parse(&distro, cases[i].text, strlen(cases[i].text), &arena, &err));
        assert_text(cases[i].id, distro.id);
        assert_text(cases[i].version, distro.version);
        assert_text(cases[i].like, distro.like);
    }
}

static void the_first_source_that_says_who_it_is_counts(void **state)
{
    (void)state;
    static const struct {
        struct fake_file files[3];
        const char *id, *version, *like, *source;
    } cases[] = {
        {{{"/etc/os-release", NULL, "../usr/lib/os-release", 0},
          {"/usr/lib/os-release", "ID=a\nVERSION_ID=1", NULL, 0}},
         "a",
         "1",
         "a",
         "/etc/os-release"},
        {{{"/etc/os-release", NULL, "nowhere", 0}, {"/usr/lib/os-release", "ID=a", NULL, 0}},
         "a",
         "0",
         "a",
         "/usr/lib/os-release"},
        {{{"/etc/os-release", "NAME=x", NULL, 0}, {"/etc/redhat-release", "CentOS release 5.11", NULL, 0}},
         "centos",
         "5.11",
         "centos",
         "/etc/redhat-release"},
        {{{"/etc/alpine-release", "3.19.1\n", NULL, 0}, {"/bin/busybox", "xx BusyBox v1.36.1 (", NULL, 0}},
         "alpine",
         "3.19.1",
         "alpine",
         "/etc/alpine-release"},
        {{{"/etc/apk/repositories", "https://x/alpine/v3.12/main\n", NULL, 0}},
         "alpine",
         "3.12",
         "alpine",
         "/etc/apk/repositories"},
        {{{"/bin/busybox", "xx BusyBox v1.36.1 (", NULL, 0}}, "busybox", "v1.36.1", "busybox", "/bin/busybox"},
        {{{"/bin/busybox", "nothing", NULL, 0}}, "busybox", "0", "busybox", "/bin/busybox"},
        {{{"/etc/os-release", "ID=debian", NULL, 0}, {"/etc/debian_version", "12.5\n", NULL, 0}},
         "debian",
         "12",
         "debian",
         "/etc/os-release"},
        {{{"/etc/os-release", "ID=debian", NULL, 0}, {"/etc/debian_version", "trixie/sid\n", NULL, 0}},
         "debian",
         "unstable",
         "debian",
         "/etc/os-release"},
        {{{"/x", "", NULL, 0}}, "Unknown", "0", "Unknown", NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct fake *fake = calloc(1, sizeof(*fake));
        size_t count = 0;
        while (count < 3 && cases[i].files[count].path != NULL)
            count++;
        fake_build(fake, cases[i].files, count);
        struct bw_report *report = fake_collect(fake, &bw_collector_os_release);
        assert_text(cases[i].id, report->distro);
        assert_text(cases[i].version, report->distro_version);
        assert_text(cases[i].like, report->distro_like);
        assert_text(cases[i].source, report->distro_source);
        fake_clear(fake, report);
        free(fake);
    }
}

static void a_release_file_that_was_not_kept_marks_the_distribution(void **state)
{
    (void)state;
    static const struct fake_file files[] = {{"/etc/os-release", NULL, "/opt/odd", 0}, {"/opt/odd", "ID=a", NULL, 0}};
    struct fake *fake = calloc(1, sizeof(*fake));
    fake_build(fake, files, 2);
    struct bw_report *report = fake_collect(fake, &bw_collector_os_release);
    assert_string_equal("Unknown", report->distro);
    assert_non_null(bw_report_incomplete(report, "distro"));
    fake_clear(fake, report);
    free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_source_is_read_as_it_is_written),
        cmocka_unit_test(the_first_source_that_says_who_it_is_counts),
        cmocka_unit_test(a_release_file_that_was_not_kept_marks_the_distribution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
