/* base/regex: what Python 3.11's `re` does, as it was recorded from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/regex.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *pattern, *subject;
    size_t len;
    unsigned flags;
    int found;
    size_t start, end;
} matches[] = {
    {"abc", "xabc", 4, 0, 1, 1, 4},
    {"abc", "xabc", 4, BW_REGEX_ANCHORED, 0, 0, 0},
    {"a$", "a\n", 2, 0, 1, 0, 1},
    {"a$", "a\nb", 3, 0, 0, 0, 0},
    {"a\\Z", "a\n", 2, 0, 0, 0, 0},
    {"a\\Z", "a", 1, 0, 1, 0, 1},
    {"(?m)a$", "a\nb", 3, 0, 1, 0, 1},
    {"(?m)^$", "a\n", 2, 0, 1, 2, 2},
    {"^b", "a\nb", 3, 0, 0, 0, 0},
    {"(?m)^b", "a\nb", 3, 0, 1, 2, 3},
    {".", "\n", 1, 0, 0, 0, 0},
    {"(?s).", "\n", 1, 0, 1, 0, 1},
    {".", "\x0d", 1, 0, 1, 0, 1},
    {"a{,2}b", "aab", 3, BW_REGEX_ANCHORED, 1, 0, 3},
    {"a{,}b", "aaab", 4, BW_REGEX_ANCHORED, 1, 0, 4},
    {"a{}", "a{}", 3, BW_REGEX_ANCHORED, 1, 0, 3},
    {"a{x", "a{x", 3, BW_REGEX_ANCHORED, 1, 0, 3},
    {"a{1,", "a{1,", 4, BW_REGEX_ANCHORED, 1, 0, 4},
    {"{", "{", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"x{2}?", "xx", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"a++b", "aab", 3, BW_REGEX_ANCHORED, 1, 0, 3},
    {"a++a", "aa", 2, BW_REGEX_ANCHORED, 0, 0, 0},
    {"(?>a|ab)c", "abc", 3, BW_REGEX_ANCHORED, 0, 0, 0},
    {"(?P<n>a)(?P=n)", "aa", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(a)?(?(1)b|c)", "ab", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(a)?(?(1)b|c)", "c", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"(?(1)a|b)(x)", "bx", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(?P<n>a)?(?(n)b)", "ab", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"\\101", "A", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"\\0", "\x00", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"\\08",
     "\x00"
     "8",
     2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"[\\1]", "\x01", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"\\x41\\u0042\\U00000043", "ABC", 3, BW_REGEX_ANCHORED, 1, 0, 3},
    {"[\\b]", "\x08", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"(.)\\1", "\xc3\xa9\xc3\xa9", 4, BW_REGEX_ANCHORED, 1, 0, 4},
    {"[]a]", "a]", 2, BW_REGEX_ANCHORED, 1, 0, 1},
    {"[^]a]", "b", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"[[:alpha:]]", "p]", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"[a-]", "-", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"[--/]", ".", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"[&&a]", "&", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"\\_\\-\\:", "_-:", 3, BW_REGEX_ANCHORED, 1, 0, 3},
    {"\\\xc3\xa9", "\xc3\xa9", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(?x) a b # c", "ab", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(?x)a\\ b", "a b", 3, BW_REGEX_ANCHORED, 1, 0, 3},
    {"(?x:a b)c d", "abc d", 5, BW_REGEX_ANCHORED, 1, 0, 5},
    {"(?x)a #\\\nb\nc", "ac", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"a(?#c)*", "aa", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(?i)\xc3\x89", "\xc3\xa9", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(?i)k", "\xe2\x84\xaa", 3, BW_REGEX_ANCHORED, 1, 0, 3},
    {"(?ia)k", "\xe2\x84\xaa", 3, BW_REGEX_ANCHORED, 0, 0, 0},
    {"(?ia)[k-z]", "K", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"(?i)i", "\xc4\xb0", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(?i:a)b", "Ab", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(?i)a(?-i:b)", "Ab", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(?i)a(?-i:b)", "AB", 2, BW_REGEX_ANCHORED, 0, 0, 0},
    {"(?s-i:.)", "\n", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"\\w+", "\xc3\xa9_\xd9\xa3x", 6, BW_REGEX_ANCHORED, 1, 0, 6},
    {"(?a)\\w", "\xc3\xa9", 2, BW_REGEX_ANCHORED, 0, 0, 0},
    {"(?a:\\w)|.", "\xc3\xa9", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"\\d", "\xd9\xa3", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"\\s", "\x1c", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"\\s", "\xe1\xa0\x8e", 3, BW_REGEX_ANCHORED, 0, 0, 0},
    {"[\\S]", "\xe1\xa0\x8e", 3, BW_REGEX_ANCHORED, 1, 0, 3},
    {"\\b\xc3\xa9", "\xc3\xa9", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"(?a)\\b\xc3\xa9", "\xc3\xa9", 2, BW_REGEX_ANCHORED, 0, 0, 0},
    {"\\B", "", 0, 0, 0, 0, 0},
    {"\\B", "ab", 2, 0, 1, 1, 1},
    {"(?<=\xc3\xa9)a",
     "\xc3\xa9"
     "a",
     3, 0, 1, 2, 3},
    {"(?<!x)a", "xa", 2, 0, 0, 0, 0},
    {"(?<=(?:ab|cd))e", "cde", 3, 0, 1, 2, 3},
    {"(?=a)*b", "b", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"\\ud800|a", "a", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"[^\\ud800]", "a", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"[\\ud7ff-\\ue000]", "\xee\x80\x80", 3, BW_REGEX_ANCHORED, 1, 0, 3},
    {"(?u)\xc3\xa9", "\xc3\xa9", 2, BW_REGEX_ANCHORED, 1, 0, 2},
    {"", "", 0, BW_REGEX_ANCHORED, 1, 0, 0},
    {"|a", "a", 1, BW_REGEX_ANCHORED, 1, 0, 0},
    {"root++.*", "roott", 5, BW_REGEX_ANCHORED, 1, 0, 5},
    {"ro{,2}t.*", "root:", 5, BW_REGEX_ANCHORED, 1, 0, 5},
    {"\\\\", "\\", 1, BW_REGEX_ANCHORED, 1, 0, 1},
    {"\xc3\xa9", "\xc3\xa9", 2, BW_REGEX_BYTES, 1, 0, 2},
    {".", "\xc3\xa9", 2, BW_REGEX_BYTES, 1, 0, 1},
    {"\\w", "\xe9", 1, BW_REGEX_BYTES, 0, 0, 0},
    {"(?i)\xc9", "\xe9", 1, BW_REGEX_BYTES, 0, 0, 0},
    {"[^a]", "\n", 1, BW_REGEX_BYTES, 1, 0, 1},
    {".", "\n", 1, BW_REGEX_BYTES, 0, 0, 0},
    {"\\xff", "a\xff", 2, BW_REGEX_BYTES, 1, 1, 2},
    {"(?L)a", "a", 1, BW_REGEX_BYTES, 1, 0, 1},
    {"\\s", "\x1c", 1, BW_REGEX_BYTES, 0, 0, 0},
    {"$", "\n", 1, BW_REGEX_BYTES, 1, 0, 0},
};

static const struct {
    const char *pattern;
    unsigned flags;
} refused[] = {
    {"\\p{L}", 0},
    {"\\Qa\\E", 0},
    {"a\\h", 0},
    {"\\R", 0},
    {"\\K", 0},
    {"\\G", 0},
    {"\\X", 0},
    {"\\C", 0},
    {"\\z", 0},
    {"\\y", 0},
    {"\\e", 0},
    {"\\N", 0},
    {"\\N{DIGIT ONE}", 0},
    {"[\\B]", 0},
    {"[\\A]", 0},
    {"[\\8]", 0},
    {"*", 0},
    {"+a", 0},
    {"a|*", 0},
    {"(*ACCEPT)", 0},
    {"a**", 0},
    {"a{2}{3}", 0},
    {"a+*", 0},
    {"^*", 0},
    {"\\b+", 0},
    {"(?i)*", 0},
    {"(?", 0},
    {"(?P", 0},
    {"(?Px", 0},
    {"(?|a)", 0},
    {"(?R)", 0},
    {"(?1)", 0},
    {"(?&n)", 0},
    {"(?P>n)", 0},
    {"(?C)", 0},
    {"(?'n'a)", 0},
    {"(?<n>a)", 0},
    {"(?P<1>a)", 0},
    {"(?P<>a)", 0},
    {"(?P<n", 0},
    {"(?P<n>a)(?P<n>b)", 0},
    {"(?P=n)", 0},
    {"(?P<n>(?P=n))", 0},
    {"\\1", 0},
    {"(a\\1)", 0},
    {"\\2(a)(b)", 0},
    {"(?(1)a)", 0},
    {"(?(0)a)", 0},
    {"(?(n)a)", 0},
    {"(a)(?(1)b|c|d)", 0},
    {"[z-a]", 0},
    {"[a-\\d]", 0},
    {"[\\d-z]", 0},
    {"[a", 0},
    {"[]", 0},
    {"(a", 0},
    {"a)", 0},
    {")", 0},
    {".*(?i)a", 0},
    {"(?i)a|(?m)b", 0},
    {"((?i)a)", 0},
    {"(?L)a", 0},
    {"(?-i)a", 0},
    {"(?i", 0},
    {"(?i-:a)", 0},
    {"(?i-i:a)", 0},
    {"(?au:a)", 0},
    {"(?a)(?u)b", 0},
    {"(?-a:b)", 0},
    {"(?z)", 0},
    {"(?t)", 0},
    {"(?<=a*)b", 0},
    {"(?<=a|bc)d", 0},
    {"(?<=(a)\\1)b", 0},
    {"(?<a)", 0},
    {"\\400", 0},
    {"[\\400]", 0},
    {"\\x4", 0},
    {"\\xg0", 0},
    {"\\u123", 0},
    {"\\U00110000", 0},
    {"a{2,1}", 0},
    {"a{4294967295}", 0},
    {"a\\", 0},
    {"(?#a", 0},
    {"(?x)a* *", 0},
    {"(?u)a", BW_REGEX_BYTES},
    {"\\u0041", BW_REGEX_BYTES},
    {"\\d\\z", BW_REGEX_BYTES},
};

static struct bw_regex *compiled(const char *pattern, unsigned flags)
{
    struct bw_regex *regex = NULL;
    struct bw_error err = {0};
    if (bw_regex_compile(&regex, pattern, strlen(pattern), flags, &err))
        fail_msg("%s", err.message);
    return regex;
}

static void patterns_match_where_python_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(matches); i++) {
        struct bw_regex *regex = compiled(matches[i].pattern, matches[i].flags);
        struct bw_error err = {0};
        size_t start = 0, end = 0;
        int found = bw_regex_group(regex, matches[i].subject, matches[i].len, 0, &start, &end, &err);
        if (found != matches[i].found || start != matches[i].start || end != matches[i].end)
            fail_msg("%s: %d [%zu, %zu) %s", matches[i].pattern, found, start, end, err.message);
        assert_int_equal(bw_regex_match(regex, matches[i].subject, matches[i].len, &err), found);
        assert_string_equal(bw_regex_text(regex), matches[i].pattern);
        bw_regex_free(regex);
    }
}

/* Behind a long prefix the second form of the pattern is at work. */
static void long_texts_match_as_short_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(matches); i++) {
        enum { PREFIX = 300 };
        if (!(matches[i].flags & BW_REGEX_ANCHORED) || strncmp(matches[i].pattern, "(?", 2) == 0 ||
            strpbrk(matches[i].pattern, "|\\"))
            continue;
        char pattern[128], *subject = bw_memory_zeroed(1, PREFIX + matches[i].len + 1);
        memset(subject, '=', PREFIX);
        memcpy(subject + PREFIX, matches[i].subject, matches[i].len);
        memcpy(pattern, "={300}", 7);
        strncat(pattern, matches[i].pattern, sizeof(pattern) - 7);
        struct bw_regex *regex = compiled(pattern, matches[i].flags);
        size_t start = 0, end = 0;
        struct bw_error err = {0};
        int found = bw_regex_group(regex, subject, PREFIX + matches[i].len, 0, &start, &end, &err);
        if (found != matches[i].found || end != (found ? PREFIX + matches[i].end : 0))
            fail_msg("%s: %d [%zu, %zu) %s", pattern, found, start, end, err.message);
        bw_regex_free(regex);
        free(subject);
    }
}

static void what_python_refuses_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(refused); i++) {
        struct bw_regex *regex = NULL;
        struct bw_error err = {0};
        if (!bw_regex_compile(&regex, refused[i].pattern, strlen(refused[i].pattern), refused[i].flags, &err))
            fail_msg("%s was accepted", refused[i].pattern);
        assert_null(regex);
        assert_string_equal(err.detail, "bad_regex");
        assert_non_null(strstr(err.message, " at character "));
    }
}

static void faults_name_the_character(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *message;
    } cases[] = {
        {"/etc/\\p{L}+", "regular expression '/etc/\\p{L}+': bad escape \\p at character 6"},
        {"a**", "regular expression 'a**': multiple repeat at character 3"},
        {"\xc3\xa9+[z-a]", "regular expression '\xc3\xa9+[z-a]': bad character range at character 4"},
        {"(?<=a|bc)d", "regular expression '(?<=a|bc)d': look-behind requires fixed-width pattern at character 1"},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_regex *regex;
        struct bw_error err = {0};
        assert_int_equal(bw_regex_compile(&regex, cases[i].pattern, strlen(cases[i].pattern), 0, &err), -1);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.code, BW_EINPUT);
    }
}

static void groups_have_bounds_or_took_no_part(void **state)
{
    (void)state;
    struct bw_regex *regex = compiled("(a)|(b)(c)?", 0);
    struct bw_error err = {0};
    static const size_t expected[][2] = {
        {1, 2}, {SIZE_MAX, SIZE_MAX}, {1, 2}, {SIZE_MAX, SIZE_MAX}, {SIZE_MAX, SIZE_MAX}};
    for (unsigned group = 0; group < BW_LENGTH(expected); group++) {
        size_t start = 0, end = 0;
        assert_int_equal(bw_regex_group(regex, "xb", 2, group, &start, &end, &err), 1);
        assert_int_equal(start, expected[group][0]);
        assert_int_equal(end, expected[group][1]);
    }
    bw_regex_free(regex);
    char many[50 * 3 + 1] = "";
    for (int i = 0; i < 50; i++)
        memcpy(many + 3 * (size_t)i, "(a)", 4);
    regex = compiled(many, 0);
    char subject[50];
    memset(subject, 'a', sizeof(subject));
    size_t start, end;
    assert_int_equal(bw_regex_group(regex, subject, sizeof(subject), 50, &start, &end, &err), 1);
    assert_int_equal(start, 49);
    bw_regex_free(regex);
}

static void text_must_be_utf8_and_bytes_need_not(void **state)
{
    (void)state;
    struct bw_error err = {0};
    struct bw_regex *regex = compiled("a", 0);
    assert_int_equal(bw_regex_match(regex, "a\xff", 2, &err), -1);
    assert_int_equal(err.code, BW_EINPUT);
    bw_regex_free(regex);
    regex = compiled("a", BW_REGEX_BYTES);
    assert_int_equal(bw_regex_match(regex,
                                    "\xff"
                                    "a",
                                    2, &err),
                     1);
    bw_regex_free(regex);
    assert_int_equal(bw_regex_compile(&regex, "\xff", 1, 0, &err), -1);
}

static void no_pattern_runs_away(void **state)
{
    (void)state;
    enum { LONG = 1000000 };
    static const struct {
        const char *pattern;
        size_t len;
        unsigned flags;
    } cases[] = {
        {"(a+)+$", 30, BW_REGEX_ANCHORED},
        {"(a+)+$", LONG, 0},
        {"(?:a|aa)+$", 200, BW_REGEX_BYTES},
        {"(.*)\\1b", LONG, BW_REGEX_ANCHORED},
        {"(.*)\\1b", LONG, 0},
        {"(?=(a+))\\1+b", LONG, BW_REGEX_BYTES},
        {"(a|b)*c", LONG, 0},
    };
    char *subject = bw_memory_zeroed(1, LONG);
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_regex *regex = compiled(cases[i].pattern, cases[i].flags);
        struct bw_error err = {0};
        memset(subject, 'a', cases[i].len);
        subject[cases[i].len - 1] = '!';
        int64_t begin = bw_monotonic_ms();
        int found = bw_regex_match(regex, subject, cases[i].len, &err);
        if (found != -1 || bw_monotonic_ms() - begin > 20 * BW_REGEX_CPU_MS)
            fail_msg("%s: %d", cases[i].pattern, found);
        assert_int_equal(err.code, BW_ELIMIT);
        assert_string_equal(err.detail, "regex_limit");
        bw_regex_free(regex);
    }
    free(subject);
}

static void patterns_are_bounded(void **state)
{
    (void)state;
    struct bw_regex *regex = NULL;
    struct bw_error err = {0};
    char *pattern = bw_memory_zeroed(1, BW_MAX_REGEX_BYTES + 1);
    memset(pattern, '(', BW_MAX_REGEX_BYTES + 1);
    assert_int_equal(bw_regex_compile(&regex, pattern, BW_MAX_REGEX_BYTES + 1, 0, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    assert_int_equal(bw_regex_compile(&regex, pattern, BW_MAX_REGEX_BYTES, 0, &err), -1);
    assert_non_null(strstr(err.message, "nest deeper"));
    free(pattern);
}

static void *match_often(void *shared)
{
    struct bw_error err = {0};
    char text[600];
    memset(text, 'x', sizeof(text));
    text[598] = 'a';
    text[599] = 'b';
    intptr_t wrong = 0;
    for (int i = 0; i < 2000; i++)
        wrong += bw_regex_match(shared, text + (i % 2 ? 500 : 0), i % 2 ? 100 : 600, &err) != 1;
    return (void *)wrong;
}

static void threads_share_a_pattern(void **state)
{
    (void)state;
    struct bw_regex *regex = compiled("(a)b$", 0);
    pthread_t threads[4];
    for (size_t i = 0; i < BW_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, match_often, regex), 0);
    for (size_t i = 0; i < BW_LENGTH(threads); i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    bw_regex_free(regex);
    bw_regex_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_where_python_matches),
        cmocka_unit_test(long_texts_match_as_short_ones),
        cmocka_unit_test(what_python_refuses_is_refused),
        cmocka_unit_test(faults_name_the_character),
        cmocka_unit_test(groups_have_bounds_or_took_no_part),
        cmocka_unit_test(text_must_be_utf8_and_bytes_need_not),
        cmocka_unit_test(no_pattern_runs_away),
        cmocka_unit_test(patterns_are_bounded),
        cmocka_unit_test(threads_share_a_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
