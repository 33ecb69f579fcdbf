#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/analyzer/collectors/secrets.h"
#include "tests/unit/analyzer/fake_tree.h"

#include <stdio.h>

static void literals_are_told_where_they_are_certain(void **state)
{
    (void)state;
    static const struct {
        const char *regex, *literal, *alternative;
    } cases[] = {
        {"(?i).*aws_access_key_id( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9]).*", "aws_access_key_id", NULL},
        {"(?i).*aws_secret_access_key( *=+ *).*", "aws_secret_access_key", NULL},
        {"(?i)-+BEGIN(.*)PRIVATE KEY-+", "private key-", NULL},
        {"(?i).*\"auth\": *\".+\"", "\"auth\":", NULL},
        {"(?i).*api(-|_)key( *=+ *).*", "api-key", "api_key"},
        {"abc", "abc", NULL},
        {"ab", NULL, NULL},
        {"abcd?", "abc", NULL},
        {"abcd*efgh", "efgh", NULL},
        {"abc+def", "cdef", NULL},
        {"abcx{0,3}y", "abc", NULL},
        {"abcx{2}", "abcx", NULL},
        {"abcx{,2}", "abc", NULL},
        {"abcdx{2", NULL, NULL},
        {"password|secret", "password", "secret"},
        {"password|secret|token", NULL, NULL},
        {"password|x", NULL, NULL},
        {"(password|secret)s", "passwords", "secrets"},
        {"(?:password|secret)?=", NULL, NULL},
        {"(password)+", "password", NULL},
        {"(?P<n>password)(?P=n)", "password", NULL},
        {"(a|b)(c|d)efg", "cefg", "defg"}, /* four texts would be too many: a new run begins */
        {"a\\.b\\.c", "a.b.c", NULL},
        {"abc\\d+def", "abc", NULL},
        {"\\x41bcdef", NULL, NULL},
        {"(x)\\1abcd", NULL, NULL},
        {"(?x) a b c d", NULL, NULL},
        {"(?ix)abcd", NULL, NULL},
        {"(?#[)abcd", NULL, NULL},
        {"(?=abcdef)x", NULL, NULL},
        {"(?!abcdef)xyz", "xyz", NULL},
        {"[abc]def[^]x]ghi", "def", NULL},
        {"[]]abcd", "abcd", NULL},
        {"[abcd", NULL, NULL},
        {"a(b(c)d)efgh", "efgh", NULL},
        {"abc(", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        struct bw_error err = {0};
        const char *literal = NULL, *alternative = NULL;
        assert_int_equal(0, bw_pattern_literals(&literal, &alternative, cases[i].regex, &arena, &err));
        const char *texts[][2] = {{cases[i].literal, literal}, {cases[i].alternative, alternative}};
        for (size_t k = 0; k < 2; k++)
            if ((texts[k][0] == NULL) != (texts[k][1] == NULL) ||
                (texts[k][0] != NULL && strcmp(texts[k][0], texts[k][1]) != 0))
                fail_msg("%s: expected %s, found %s", cases[i].regex, texts[k][0] ? texts[k][0] : "none",
                         texts[k][1] ? texts[k][1] : "none");
    }
}

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % n;
}

static void a_literal_is_found_wherever_it_stands(void **state)
{
    (void)state;
    static const char *const literals[] = {"aws_access_key_id", "api-key", "\"auth\":", "private key-", "aba", "`@["};
    for (size_t l = 0; l < BW_LENGTH(literals); l++) {
        size_t len = strlen(literals[l]);
        for (size_t size = len; size < 80; size++)
            for (size_t at = 0; at + len <= size; at++) {
                char *bytes = malloc(size); /* exact: reading past it is seen */
                for (size_t i = 0; i < size; i++)
                    bytes[i] = "aA@`w"[random_below(5)];
                memcpy(bytes + at, literals[l], len);
                for (size_t i = at; i < at + len; i++)
                    if (bytes[i] >= 'a' && bytes[i] <= 'z' && random_below(2))
                        bytes[i] = (char)(bytes[i] - 32);
                const char *found = bw_find_nocase(bytes, size, literals[l]);
                assert_true(found != NULL && found <= bytes + at);
                bytes[at] = '!';
                found = bw_find_nocase(bytes, size, literals[l]);
                assert_true(found == NULL || strncasecmp(found, literals[l], len) == 0);
                free(bytes);
            }
    }
}

struct hits {
    char text[1 << 16];
    size_t len;
};

static int write_hit(void *payload, const struct bw_pattern_lines *found, struct bw_error *err)
{
    struct hits *hits = payload;
    (void)err;
    for (size_t i = 0; i < found->n_lines; i++)
        hits->len += (size_t)snprintf(hits->text + hits->len, sizeof(hits->text) - hits->len, "%zu:%lld ",
                                      found->pattern, (long long)found->lines[i]);
    return 0;
}

static const char *const expressions[] = {
    "AWS_ACCESS_KEY=(?i).*aws_access_key_id( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9]).*",
    "PRIV_KEY=(?i)-+BEGIN(.*)PRIVATE KEY-+",
    "DOCKER_AUTH=(?i).*\"auth\": *\".+\"",
    "API_KEY=(?i).*api(-|_)key( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20,60}(?![A-Z0-9]).*",
    "bare.*word",
    "E=^$",
};

#define KEY "ABCDEFGHIJKLMNOPQRST"

static void lines_match_from_their_start_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *hits;
    } cases[] = {
#define CASE(text, hits) {text, sizeof(text) - 1, hits}
        CASE("x\n aws_access_key_id = " KEY "\n", "0:1 "),
        CASE("aws_access_key_id=" KEY "X", ""),
        CASE("AWS_ACCESS_KEY_ID==" KEY, "0:0 "),
        CASE("-----BEGIN RSA PRIVATE KEY-----\n x-----BEGIN PRIVATE KEY-----\n", "1:0 "),
        CASE("a\n\r\n-BEGIN PRIVATE KEY-\r\n", "1:2 "),
        CASE("{\"auth\": \"eA==\"}", "2:0 "),
        CASE("{\"auth\":\n\"eA==\"}", ""),
        CASE("api_key = " KEY "\nAPI-KEY=" KEY "\nno\napi_key api-key = " KEY "\n", "3:0 3:1 3:3 "),
        CASE("xx bare a word\nbare a word\nbare\nword", "4:1 "),
        CASE("\n\na\n\n", "5:0 5:1 5:3 "),
        CASE("\xff\x00 api_key = " KEY "\n", "3:0 "),
        CASE("", ""),
#undef CASE
    };
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    struct bw_error err = {0};
    const struct bw_pattern *patterns = NULL;
    assert_int_equal(0, bw_patterns_compile(&patterns, expressions, BW_LENGTH(expressions), &arena, &err));
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct hits hits = {0};
        assert_int_equal(
            0, bw_patterns_scan(patterns, BW_LENGTH(expressions), cases[i].text, cases[i].len, write_hit, &hits, &err));
        assert_string_equal(cases[i].hits, hits.text);
    }
    bw_patterns_free(patterns, BW_LENGTH(expressions));
}

/* Random files out of telling pieces: the literals must not change what is found. */
static void the_fast_path_finds_what_the_slow_one_finds(void **state)
{
    (void)state;
    static const char *const pieces[] = {"aws_access_key_id",
                                         " = ",
                                         KEY,
                                         "\n",
                                         "-----BEGIN ",
                                         "PRIVATE KEY-----",
                                         "\"auth\": ",
                                         "\"x\"",
                                         "api_",
                                         "API-",
                                         "key",
                                         "\r\n",
                                         "\xff",
                                         "=",
                                         "bare",
                                         "word",
                                         "A",
                                         " ",
                                         "\n\n",
                                         "-"};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    struct bw_error err = {0};
    const struct bw_pattern *fast = NULL;
    assert_int_equal(0, bw_patterns_compile(&fast, expressions, BW_LENGTH(expressions), &arena, &err));
    struct bw_pattern slow[BW_LENGTH(expressions)];
    for (size_t i = 0; i < BW_LENGTH(expressions); i++)
        slow[i] = (struct bw_pattern){.text = fast[i].text, .regex = fast[i].regex};
    size_t n_hits = 0;
    for (int round = 0; round < 3000; round++) {
        char text[2048];
        size_t len = 0, count = random_below(60);
        for (size_t i = 0; i < count; i++) {
            const char *piece = pieces[random_below(BW_LENGTH(pieces))];
            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
        }
        struct hits by_fast = {0}, by_slow = {0};
        char *exact = malloc(len + 1);
        memcpy(exact, text, len);
        assert_int_equal(0, bw_patterns_scan(fast, BW_LENGTH(expressions), exact, len, write_hit, &by_fast, &err));
        assert_int_equal(0, bw_patterns_scan(slow, BW_LENGTH(expressions), exact, len, write_hit, &by_slow, &err));
        assert_string_equal(by_slow.text, by_fast.text);
        n_hits += by_slow.len != 0;
        free(exact);
    }
    assert_true(n_hits > 500);
    bw_patterns_free(fast, BW_LENGTH(expressions));
}

static void a_broken_expression_is_named(void **state)
{
    (void)state;
    static const char *const texts[] = {"A=a", "B=("};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    struct bw_error err = {0};
    const struct bw_pattern *patterns = NULL;
    assert_int_equal(-1, bw_patterns_compile(&patterns, texts, 2, &arena, &err));
    assert_non_null(strstr(err.message, "expression \"B=(\""));
}

static void hits_are_reported_under_every_path_that_leads_to_the_file(void **state)
{
    (void)state;
    static const char *const secrets[] = {"API_KEY=(?i).*api(-|_)key( *=+ *).*", "Z=z"};
    static const char *const contents[] = {"word"};
    static const struct fake_file files[] = {
        {"/app/.env", "a\napi_key = 1\nz\n", NULL, 0},
        {"/app/link", NULL, ".env", 0},
        {"/big", "api_key = 1\n 0123456789012345678901234567890123456789", NULL, 0},
        {"/text", "word\nno\nword", NULL, 0},
        {"/empty", "", NULL, 0},
        {"/folder", NULL, NULL, 0},
        {"/loop", NULL, "loop", 0},
    };
    struct fake *fake = calloc(1, sizeof(*fake));
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    fake->options.needs.secret_patterns = secrets;
    fake->options.needs.n_secret_patterns = 2;
    fake->options.needs.content_patterns = contents;
    fake->options.needs.n_content_patterns = 1;
    fake->options.secret_max_bytes = 40;
    assert_int_equal(0, bw_patterns_compile(&fake->options.secret_patterns, secrets, 2, &arena, &fake->err));
    assert_int_equal(0, bw_patterns_compile(&fake->options.content_patterns, contents, 1, &arena, &fake->err));
    fake_build(fake, files, BW_LENGTH(files));
    struct bw_report *report = fake_collect(fake, &bw_collector_secrets);
    assert_int_equal(4, report->n_secrets);
    size_t api = 0;
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(i < 2 ? "/app/.env" : "/app/link", report->secrets[i].path);
        assert_int_equal(1, report->secrets[i].n_lines);
        api += strcmp(report->secrets[i].pattern, secrets[0]) == 0 && report->secrets[i].lines[0] == 1;
    }
    assert_int_equal(2, api);
    assert_int_equal(1, report->n_contents);
    assert_int_equal(2, report->contents[0].n_lines);
    assert_int_equal(2, report->contents[0].lines[1]);
    assert_int_equal(0, report->n_incomplete);
    fake_clear(fake, report);
    bw_patterns_free(fake->options.secret_patterns, 2);
    bw_patterns_free(fake->options.content_patterns, 1);
    free(fake);
}

static void an_expression_that_never_ends_is_marked(void **state)
{
    (void)state;
    static const char *const secrets[] = {"SLOW=(a|aa)+[bx]"};
    static const struct fake_file files[] = {
        {"/f", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac\n", NULL, 0}};
    struct fake *fake = calloc(1, sizeof(*fake));
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    fake->options.needs.secret_patterns = secrets;
    fake->options.needs.n_secret_patterns = 1;
    fake->options.secret_max_bytes = 10000;
    assert_int_equal(0, bw_patterns_compile(&fake->options.secret_patterns, secrets, 1, &arena, &fake->err));
    fake_build(fake, files, 1);
    struct bw_report *report = fake_collect(fake, &bw_collector_secrets);
    assert_int_equal(0, report->n_secrets);
    assert_non_null(bw_report_incomplete(report, "secrets"));
    assert_non_null(strstr(bw_report_incomplete(report, "secrets"), "SLOW"));
    fake_clear(fake, report);
    bw_patterns_free(fake->options.secret_patterns, 1);
    free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_told_where_they_are_certain),
        cmocka_unit_test(a_literal_is_found_wherever_it_stands),
        cmocka_unit_test(lines_match_from_their_start_only),
        cmocka_unit_test(the_fast_path_finds_what_the_slow_one_finds),
        cmocka_unit_test(a_broken_expression_is_named),
        cmocka_unit_test(hits_are_reported_under_every_path_that_leads_to_the_file),
        cmocka_unit_test(an_expression_that_never_ends_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
