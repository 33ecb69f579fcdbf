/* base/str: borrowed text, numbers, UTF-8, hexadecimal, base64, suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* The pieces, each in brackets. */
static void pieces(char *out, size_t size, const char *text, bool (*next)(struct bw_str *out, struct bw_str *rest))
{
    struct bw_str rest = bw_str_from(text), piece;
    out[0] = '\0';
    for (size_t len = 0; next(&piece, &rest); len = strlen(out))
        snprintf(out + len, size - len, "[%.*s]", (int)piece.len, piece.base);
    assert_null(rest.base);
}

static bool by_comma(struct bw_str *out, struct bw_str *rest)
{
    return bw_str_next(out, rest, ',');
}

static void text_is_cut_into_pieces(void **state)
{
    (void)state;
    static const struct {
        bool (*next)(struct bw_str *out, struct bw_str *rest);
        const char *text, *expected;
    } cases[] = {
        {by_comma, "a,b", "[a][b]"},
        {by_comma, "a,,b,", "[a][][b][]"},
        {by_comma, "", "[]"},
        {by_comma, ",", "[][]"},
        {bw_str_next_line, "a\r\nb\n\nc", "[a][b][][c]"},
        {bw_str_next_line, "a\n", "[a]"},
        {bw_str_next_line, "", ""},
        {bw_str_next_word, "  a \t b\n", "[a][b]"},
        {bw_str_next_word, "   ", ""},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        char out[128];
        pieces(out, sizeof(out), cases[i].text, cases[i].next);
        assert_string_equal(out, cases[i].expected);
    }
}

static void comparisons_use_the_length(void **state)
{
    (void)state;
    struct bw_str text = {"abcdef", 3};
    assert_true(bw_str_is(text, "abc"));
    assert_false(bw_str_is(text, "ab"));
    assert_false(bw_str_is(text, "abcd"));
    assert_true(bw_str_is_nocase(text, "ABC"));
    assert_false(bw_str_is_nocase(text, "abd"));
    assert_false(bw_str_is_nocase(text, "ab"));
    assert_false(bw_str_is_nocase(text, "abcd"));
    assert_false(bw_str_is_nocase((struct bw_str){"ab\0c", 4}, "ab"));
    assert_true(bw_str_starts_with(text, "ab"));
    assert_false(bw_str_starts_with(text, "abcd"));
    assert_true(bw_str_ends_with(text, "bc"));
    assert_false(bw_str_ends_with(text, "ef"));
    assert_true(bw_str_equal(bw_str_from(NULL), BW_STR("")));
    assert_true(bw_str_is(bw_str_trim(BW_STR(" \t a b\r\n")), "a b"));
    assert_true(bw_str_is(bw_str_trim(BW_STR("  ")), ""));
}

static void numbers_are_whole_and_within_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned base;
        uint64_t max;
        int result;
        uint64_t value;
    } cases[] = {
        {"0", 10, 10, 0, 0},
        {"42", 10, 42, 0, 42},
        {"43", 10, 42, -1, 0},
        {"", 10, 42, -1, 0},
        {"+1", 10, 42, -1, 0},
        {"-1", 10, 42, -1, 0},
        {" 1", 10, 42, -1, 0},
        {"1x", 10, 42, -1, 0},
        {"18446744073709551615", 10, UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", 10, UINT64_MAX, -1, 0},
        {"99999999999999999999999", 10, UINT64_MAX, -1, 0},
        {"0755", 8, 07777, 0, 0755},
        {"8", 8, 07777, -1, 0},
        {"fF", 16, 255, 0, 255},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        uint64_t value = 0;
        assert_int_equal(bw_str_uint(&value, bw_str_from(cases[i].text), cases[i].base, cases[i].max), cases[i].result);
        assert_int_equal(value, cases[i].value);
    }
}

static void utf8_is_judged_as_rfc_3629_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain ascii of more than eight bytes", true},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\x80", false},
        {"\xc3", false},
        {"abcdefgh\xff", false},
        {"\xc0\xaf", false},
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xed\xa0\x80", false},
        {"\xed\x9f\xbf", true},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\xe2\x82", false},
        {"\xe2\x28\xa1", false},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++)
        assert_int_equal(bw_utf8_valid(cases[i].text, strlen(cases[i].text)), cases[i].valid);
}

static void a_cut_does_not_split_a_character(void **state)
{
    (void)state;
    static const char text[] = "a\xf0\x9f\x98\x80z";
    static const size_t expected[] = {0, 1, 1, 1, 1, 5, 6, 6};
    for (size_t limit = 0; limit < BW_LENGTH(expected); limit++)
        assert_int_equal(bw_utf8_cut(text, sizeof(text) - 1, limit), expected[limit]);
}

static void control_characters_are_replaced(void **state)
{
    (void)state;
    char text[] = "a\nb\x01\x7f\xc2\x85\xc2\xa0\xff";
    char lines[sizeof(text)];
    memcpy(lines, text, sizeof(text));
    bw_text_clean(text, false);
    assert_string_equal(text, "a?b???\xc2\xa0?");
    bw_text_clean(lines, true);
    assert_string_equal(lines, "a\nb???\xc2\xa0?");
}

static void hexadecimal_goes_both_ways(void **state)
{
    (void)state;
    char text[9];
    uint8_t bytes[4] = {0};
    bw_hex_encode(text, "\x00\x7f\xab\xff", 4);
    assert_string_equal(text, "007fabff");
    assert_int_equal(bw_hex_decode(bytes, "007FabfF", 8), 0);
    assert_memory_equal(bytes, "\x00\x7f\xab\xff", 4);
    assert_int_equal(bw_hex_decode(bytes, "0", 1), -1);
    assert_int_equal(bw_hex_decode(bytes, "0g", 2), -1);
}

static void base64_is_read_in_all_its_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected; /* NULL: refused */
    } cases[] = {
        {"", ""},        {"Zg==", "f"},          {"Zg", "f"},        {"Zm8=", "fo"},           {"Zm8", "fo"},
        {"Zm9v", "foo"}, {"Zm9v\nYg==", "foob"}, {" Zm 9v ", "foo"}, {"-_-_", "\xfb\xff\xbf"}, {"+/+/", "\xfb\xff\xbf"},
        {"Z", NULL},     {"Zg=", NULL},          {"Zg===", NULL},    {"Z===", NULL},           {"=", NULL},
        {"Zm9v=", NULL}, {"Zg==Zg==", NULL},     {"Zm9*", NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, 1000);
        struct bw_error err = {0};
        char *out = NULL;
        size_t len = 0;
        int result = bw_base64_decode(&out, &len, cases[i].text, strlen(cases[i].text), &arena, &err);
        assert_int_equal(result, cases[i].expected ? 0 : -1);
        if (cases[i].expected) {
            assert_string_equal(out, cases[i].expected);
            assert_int_equal(len, strlen(cases[i].expected));
        }
    }
}

static void base64_is_written_with_padding(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 1000);
    assert_string_equal(bw_base64_encode("", 0, &arena), "");
    assert_string_equal(bw_base64_encode("f", 1, &arena), "Zg==");
    assert_string_equal(bw_base64_encode("fo", 2, &arena), "Zm8=");
    assert_string_equal(bw_base64_encode("\xfb\xff\xbf", 3, &arena), "+/+/");
}

static void the_nearest_word_is_suggested(void **state)
{
    (void)state;
    static const char *const words[] = {"exposed_ports", "instruction", "effective_user", "stop"};
    static const struct {
        const char *word, *expected;
    } cases[] = {
        {"exposed_port", "exposed_ports"},
        {"Instruction", "instruction"},
        {"intsruction", "instruction"},
        {"sotp", "stop"},
        {"warn", NULL},
        {"", NULL},
        {"completely_else", NULL},
        {"efective_usr", "effective_user"},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        const char *found = bw_suggest(cases[i].word, words, BW_LENGTH(words));
        if (cases[i].expected)
            assert_string_equal(found, cases[i].expected);
        else
            assert_null(found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_into_pieces),
        cmocka_unit_test(comparisons_use_the_length),
        cmocka_unit_test(numbers_are_whole_and_within_bounds),
        cmocka_unit_test(utf8_is_judged_as_rfc_3629_says),
        cmocka_unit_test(a_cut_does_not_split_a_character),
        cmocka_unit_test(control_characters_are_replaced),
        cmocka_unit_test(hexadecimal_goes_both_ways),
        cmocka_unit_test(base64_is_read_in_all_its_spellings),
        cmocka_unit_test(base64_is_written_with_padding),
        cmocka_unit_test(the_nearest_word_is_suggested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
