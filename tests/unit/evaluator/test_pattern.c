/* Wildcards and expressions as mappings and whitelists write them; blanks, digits and lines of Unicode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evaluator/pattern.h"
#include "evaluator/unicode.h"

#include <string.h>

static void wildcards_match_as_recorded(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *subject;
        bool matches;
    } rows[] = {
        {"*", "", true},
        {"*", "a/b:c", true},
        {"docker.io", "docker.io", true},
        {"docker.io", "dockerXio", false},
        {"docker.i?", "docker.io", false},
        {"DOCKER.IO", "docker.io", false},
        {" docker.io", "docker.io", false},
        {"lat*t", "latest", true},
        {"lat*t", "latests", false},
        {"*odd*", "wolfi/odd", true},
        {"a*b*c", "abbc", true},
        {"a*b*c", "acb", false},
        {"CVE-2019-1+*", "CVE-2019-1+openssl", true},
        {"*+openssl", "CVE-2019-1+openssl", true},
        {"*+openssl", "CVE-2019-1+libopenssl", false},
        {"al", "always", false},
        {"", "", true},
        {"", "x", false},
        {"**", "x", true},
        {"a*", "a\nb", false}, /* a star crosses no newline */
        {"a*", "ab\n", true},  /* one at the very end is overlooked */
        {"ab", "ab\n", true},
        {"ab", "ab\n\n", false},
        {"a*b", "a\nb", false},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        if (bw_wildcard_match(bw_str_from(rows[i].pattern), bw_str_from(rows[i].subject)) != rows[i].matches) {
            fail_msg("%s on %s", rows[i].pattern, rows[i].subject);
        }
    }
}

static void expressions_are_told_by_their_prefix_and_cut_blindly(void **state)
{
    (void)state;
    assert_true(bw_pattern_is_regex(bw_str_from("regexp:x")));
    assert_true(bw_pattern_is_regex(bw_str_from(" regexp:x")));
    assert_false(bw_pattern_is_regex(bw_str_from("regex:x")));
    assert_false(bw_pattern_is_regex(bw_str_from("xregexp:x")));
    assert_true(bw_str_is(bw_pattern_regex_text(bw_str_from("regexp:x")), "x"));
    assert_true(bw_str_is(bw_pattern_regex_text(bw_str_from(" regexp:x")), ":x"));
}

static void words_and_lines_are_cut_at_characters_of_unicode(void **state)
{
    (void)state;
    static const char text[] = "\xe2\x80\x83"
                               "a\xc2\xa0"
                               "b\x1f c\xff";
    struct bw_str rest = {text, sizeof(text) - 1};
    struct bw_str word;
    static const char *const words[] = {"a", "b", "c\xff"};
    for (size_t i = 0; i < BW_LENGTH(words); i++) {
        assert_true(bw_unicode_next_word(&word, &rest));
        assert_true(bw_str_is(word, words[i]));
    }
    assert_false(bw_unicode_next_word(&word, &rest));

    static const char lines[] = "a\r\nb\n\nc\x0b"
                                "d\xe2\x80\xa8"
                                "e\xc2\x85";
    static const char *const expected[] = {"a", "b", "", "c", "d", "e"};
    rest = (struct bw_str){lines, sizeof(lines) - 1};
    for (size_t i = 0; i < BW_LENGTH(expected); i++) {
        assert_true(bw_unicode_next_line(&word, &rest));
        assert_true(bw_str_is(word, expected[i]));
    }
    assert_false(bw_unicode_next_line(&word, &rest));

    assert_true(bw_str_is(bw_unicode_trim(bw_str_from("\t\xe3\x80\x80x y\x1c\n")), "x y"));
    assert_int_equal(bw_unicode_trim(bw_str_from(" \n")).len, 0);
    assert_true(bw_str_is(bw_unicode_trim(bw_str_from("\x85x\xa0")), "\x85x\xa0")); /* stray bytes are no blanks */
}

static void digits_of_all_scripts_have_their_value(void **state)
{
    (void)state;
    assert_int_equal(bw_unicode_digit('7'), 7);
    assert_int_equal(bw_unicode_digit(0x663), 3);   /* Arabic-Indic */
    assert_int_equal(bw_unicode_digit(0x96f), 9);   /* Devanagari */
    assert_int_equal(bw_unicode_digit(0xff15), 5);  /* full width */
    assert_int_equal(bw_unicode_digit(0x1d7ff), 9); /* mathematical */
    assert_int_equal(bw_unicode_digit(0xb2), -1);   /* superscript two is no decimal digit */
    assert_int_equal(bw_unicode_digit('a'), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wildcards_match_as_recorded),
        cmocka_unit_test(expressions_are_told_by_their_prefix_and_cut_blindly),
        cmocka_unit_test(words_and_lines_are_cut_at_characters_of_unicode),
        cmocka_unit_test(digits_of_all_scripts_have_their_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
