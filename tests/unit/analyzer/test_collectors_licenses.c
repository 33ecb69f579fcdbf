#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/analyzer/collectors/licenses.h"
#include "tests/unit/analyzer/fake_tree.h"

typedef int reader(struct bw_licenses *, const char *, size_t, struct bw_arena *, struct bw_error *);

static void licences_are_told_from_copyright_files_and_expressions(void **state)
{
    (void)state;
    static const struct {
        reader *read;
        const char *text;
        const char *names; /* joined by ";" */
    } cases[] = {
        {bw_licenses_of_copyright,
         "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\n"
         "License: GPL-2+ or Artistic, and MIT\n the text\n\nLicense: GPL-2+\n",
         "Artistic;GPL-2+;MIT"},
        {bw_licenses_of_copyright, "License: GPL-2+ with OpenSSL exception\n", "GPL-2+"},
        {bw_licenses_of_copyright, "License: none\nlicense: MIT | BSD-2-clause\n License: not-here\n",
         "BSD-2-clause;MIT"},
        {bw_licenses_of_copyright, "See `/usr/share/common-licenses/GPL-3'. Or /usr/share/common-licenses/LGPL-2.1.\n",
         "GPL-3;LGPL-2.1"},
        {bw_licenses_of_copyright, "License: MIT\nsee /usr/share/common-licenses/Apache-2.0", "Apache-2.0;MIT"},
        {bw_licenses_of_copyright,
         "Permission is hereby granted, free of\n * charge, to any person  obtaining a copy of", "MIT"},
        {bw_licenses_of_copyright, "Redistributions in binary form must reproduce the above copyright\nnotice",
         "BSD-2-Clause"},
        {bw_licenses_of_copyright,
         "Redistributions in binary form must reproduce the above copyright\nThe name may be used"
         " to endorse or promote products derived from this software",
         "BSD-3-Clause"},
        {bw_licenses_of_copyright, "This file is in the Public Domain.", "public-domain"},
        {bw_licenses_of_copyright,
         "License: The library is under GNU terms\nLicense: * Foo\nLicense: Permission to use, copy, modify and "
         "distribute this software\nLicense: GNU GPL v2",
         "GNU GPL v2"},
        {bw_licenses_of_copyright, "nothing to see", ""},
        {bw_licenses_of_copyright, "", ""},
        {bw_licenses_of_copyright, "License:", ""},
        {bw_licenses_of_expression, "MIT", "MIT"},
        {bw_licenses_of_expression, "MIT AND (GPL-2.0-only OR BSD-3-Clause)", "MIT;GPL-2.0-only;BSD-3-Clause"},
        {bw_licenses_of_expression, "GPL-2.0-only WITH Linux-syscall-note or MIT", "GPL-2.0-only;MIT"},
        {bw_licenses_of_expression, "GPL2 LGPL GPL2", "GPL2;LGPL"},
        {bw_licenses_of_expression, "  ", ""},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        struct bw_licenses licenses = {0};
        struct bw_error err = {0};
        assert_int_equal(0, cases[i].read(&licenses, cases[i].text, strlen(cases[i].text), &arena, &err));
        const char *joined = "";
        for (size_t k = 0; k < licenses.count; k++)
            joined = bw_arena_printf(&arena, "%s%s%s", joined, k ? ";" : "", licenses.names[k]);
        assert_string_equal(cases[i].names, joined);
    }
}

static void the_copyright_file_is_found_through_linked_folders(void **state)
{
    (void)state;
    static const struct fake_file files[] = {
        {"/usr/share/doc/a", NULL, "b", 0},
        {"/usr/share/doc/b/copyright", NULL, "../c/copyright", 0},
        {"/usr/share/doc/c/copyright", "License: ISC", NULL, 0},
    };
    struct fake *fake = calloc(1, sizeof(*fake));
    struct bw_licenses licenses = {0};
    fake_build(fake, files, BW_LENGTH(files));
    assert_int_equal(0, bw_licenses_of_package(&licenses, &fake->at, "", BW_STR("a"), &fake->err));
    assert_int_equal(1, licenses.count);
    assert_string_equal("ISC", licenses.names[0]);
    fake_clear(fake, fake_collect(fake, &bw_collector_licenses));
    free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_copyright_file_is_found_through_linked_folders),
        cmocka_unit_test(licences_are_told_from_copyright_files_and_expressions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
