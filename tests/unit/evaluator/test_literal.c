/* Texts that every match of an expression contains: taken from the expression, found in subjects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/regex.h"
#include "evaluator/literal.h"

#include <string.h>

static void literals_are_the_longest_sure_run(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *literal;
    } rows[] = {
        {".*\\.pem", ".pem"},
        {"/etc/ssh/.*_key", "/etc/ssh/"},
        {"abc", "abc"},
        {"ab*c", "a"},
        {"abx?cde", "cde"},
        {"ab+cd", "ab"},
        {"ab+?cd", "ab"},
        {".*", ""},
        {"(abc)", ""},
        {"abc|d", ""},
        {"(?i)abc", ""},
        {"a{3}bcd", ""},
        {"\\x41bc", ""},
        {"a\\dbc", "bc"},
        {"[abc]def", "def"},
        {"[]a]bc", "bc"},
        {"[^]x]yz", "yz"},
        {"[\\]x]yz", "yz"},
        {"^abc$", "abc"},
        {"\\/a\\-b", "/a-b"},
        {"", ""},
        {"x\xc3\xa9*yz", "yz"},
        {"x\xc3\xa9y", "x\xc3\xa9y"},
        {"abc\\Z", "abc"},
        {"a.b", "a"},
    };
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_str literal;
        struct bw_error err = {0};
        assert_int_equal(bw_literal_of_regex(&literal, rows[i].pattern, &arena, &err), 0);
        if (!bw_str_is(literal, rows[i].literal)) {
            fail_msg("%s: %.*s", rows[i].pattern, (int)literal.len, literal.base);
        }
    }
}

static uint64_t random_state = 88172645463325252ULL;

static unsigned next_random(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % below);
}

static void random_text(char *out, size_t max, const char *alphabet)
{
    size_t len = next_random((unsigned)max);
    for (size_t i = 0; i < len; i++) {
        out[i] = alphabet[next_random((unsigned)strlen(alphabet))];
    }
    out[len] = '\0';
}

/* Whatever expression compiles: what matches contains the literal. */
static void what_matches_contains_the_literal(void **state)
{
    (void)state;
    unsigned compiled = 0;
    unsigned matched = 0;
    for (unsigned round = 0; round < 20000; round++) {
        char pattern[12];
        struct bw_error err = {0};
        struct bw_regex *regex = NULL;
        random_text(pattern, sizeof(pattern), "aab.*+?\\[]^$|()");
        if (bw_regex_compile(&regex, pattern, strlen(pattern), BW_REGEX_ANCHORED, &err) != 0) {
            continue;
        }
        compiled++;
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        struct bw_str literal;
        assert_int_equal(bw_literal_of_regex(&literal, pattern, &arena, &err), 0);
        for (unsigned i = 0; i < 20; i++) {
            char subject[40];
            random_text(subject, sizeof(subject), "aab.[");
            bool contains = literal.len == 0 || bw_literal_find(literal, subject, strlen(subject)) != NULL;
            if (bw_regex_match(regex, subject, strlen(subject), &err) == 1) {
                matched++;
                if (!contains) {
                    fail_msg("%s matches %s without %.*s", pattern, subject, (int)literal.len, literal.base);
                }
            }
        }
        bw_regex_free(regex);
    }
    assert_true(compiled > 1000 && matched > 1000);
}

static void searching_finds_what_memmem_finds(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char text[300];
        char literal[6];
        random_text(text, sizeof(text), round % 2 == 0 ? "ab" : "ccccccccccccccccccccccccccab");
        random_text(literal, sizeof(literal), "ab");
        if (literal[0] != '\0') {
            assert_ptr_equal(bw_literal_find(bw_str_from(literal), text, strlen(text)),
                             memmem(text, strlen(text), literal, strlen(literal)));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_the_longest_sure_run),
        cmocka_unit_test(what_matches_contains_the_literal),
        cmocka_unit_test(searching_finds_what_memmem_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
