/* base/yaml: the tree as JSON text, faults with their place, bounds, locations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

static char *dumped(json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    json_decref(root);
    return text;
}

static void yaml_becomes_the_tree_that_json_would_give(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"", "null"},
        {"# only a comment\n", "null"},
        {"a: 1\nb: [x, 'y', \"z\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\"]}"},
        {"- ~\n- null\n- NULL\n-\n- 'null'\n", "[null,null,null,null,\"null\"]"},
        {"[true, True, FALSE, yes, no, on, off, y]", "[true,true,false,\"yes\",\"no\",\"on\",\"off\",\"y\"]"},
        {"[0, -1, +7, 0o17, 0x1F, 017, 1_000]", "[0,-1,7,15,31,17,\"1_000\"]"},
        {"[9223372036854775807, -9223372036854775808]", "[9223372036854775807,-9223372036854775808]"},
        {"[9223372036854775808]", "[9.22337203685478e18]"},
        {"[1.5, .5, 1., 1e3, -2E-1, 1.2.3, '1', -, +, .]",
         "[1.5,0.5,1.0,1000.0,-0.2,\"1.2.3\",\"1\",\"-\",\"+\",\".\"]"},
        {"[0o8, 0x, 0xg, 1e, e1, 12:30:45, 2001-01-01]",
         "[\"0o8\",\"0x\",\"0xg\",\"1e\",\"e1\",\"12:30:45\",\"2001-01-01\"]"},
        {"[!!str 1, ! 2, !!int '3', !!float 4, !!null '', !!bool 'true']", "[\"1\",\"2\",3,4,null,true]"},
        {"a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}"},
        {"1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}"},
        {"a: &x {k: 1}\nb: *x\n", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}"},
        {"base: &b {x: 1, y: 2}\nc:\n  <<: *b\n  y: 3\n", "{\"base\":{\"x\":1,\"y\":2},\"c\":{\"y\":3,\"x\":1}}"},
        {"- &a {x: 1}\n- &b {x: 2, y: 2}\n- {z: 0, <<: [*a, *b]}\n",
         "[{\"x\":1},{\"x\":2,\"y\":2},{\"z\":0,\"x\":1,\"y\":2}]"},
        {"{'<<': 1}", "{\"<<\":1}"},
        {"{\"a\\/\\ud83d\\ude00\": [1.0, -0.5e1, \"\\u0000\"]}", "{\"a/\xf0\x9f\x98\x80\":[1.0,-5.0,\"\\u0000\"]}"},
        {"\t{\"a\":\t1\n}", "{\"a\":1}"},
        {"\xef\xbb\xbf"
         "a: 1",
         "{\"a\":1}"},
        {"%YAML 1.2\n---\na\n...\n", "\"a\""},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        json_t *root = NULL;
        struct bw_error err = {0};
        if (bw_yaml_parse(&root, cases[i].yaml, strlen(cases[i].yaml), 10000, &err))
            fail_msg("%s: %s", cases[i].yaml, err.message);
        char *text = dumped(root);
        assert_string_equal(text, cases[i].json);
        free(text);
    }
}

static void faults_name_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "line 3 column 1: the key occurs twice: 'a'"},
        {"{\"a\": 1, \"a\": 2}", "line 1 column 10: the key occurs twice: 'a'"},
        {"a: *nowhere\n", "line 1 column 4: no anchor of this name before: 'nowhere'"},
        {"a: &x [*x]\n", "line 1 column 8: no anchor of this name before: 'x'"},
        {"a:\n  - !thing x\n", "line 2 column 5: the tag is unknown or does not fit the value: '!thing'"},
        {"!!int x", "line 1 column 1: the tag is unknown or does not fit the value: 'tag:yaml.org,2002:int'"},
        {"!!seq {a: 1}", "line 1 column 1: the tag is unknown or does not fit the value: 'tag:yaml.org,2002:seq'"},
        {"[.inf]", "line 1 column 2: JSON has no such number: '.inf'"},
        {"[1e999]", "line 1 column 2: JSON has no such number: '1e999'"},
        {"? [a]\n: b\n", "line 1 column 3: a key must be a plain text or number"},
        {"{? : 1}", "line 1 column 4: an empty key"},
        {"<<: 1", "line 1 column 1: << needs a mapping or a list of mappings"},
        {"a\n---\nb\n", "line 3 column 1: a second document; one is expected"},
        {"a: [1, 2\nb: 3\n", "line 2 column 2: did not find expected ',' or ']'"},
        {"a:\n\t- 1\n", "line 2 column 1: found character that cannot start any token"},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        json_t *root = NULL;
        struct bw_error err = {0};
        assert_int_equal(bw_yaml_parse(&root, cases[i].yaml, strlen(cases[i].yaml), 10000, &err), -1);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.code, BW_EINPUT);
        assert_null(root);
    }
    struct bw_error err = {0};
    json_t *root;
    assert_int_equal(bw_yaml_parse(&root, "b: 1\na: \xff", 9, 10000, &err), -1);
    assert_int_equal(err.code, BW_EINPUT);
    assert_string_equal(err.message, "line 2 column 4: invalid leading UTF-8 octet");
}

static void aliases_do_not_multiply_without_bound(void **state)
{
    (void)state;
    BW_BUF_SCOPE text;
    bw_buf_init(&text, 100000);
    bw_buf_puts(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        bw_buf_printf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            bw_buf_printf(&text, "*a%d,", i - 1);
        bw_buf_puts(&text, "]\n");
    }
    json_t *root;
    struct bw_error err = {0};
    assert_int_equal(bw_yaml_parse(&root, text.data, text.len, 100000, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    assert_non_null(strstr(err.message, "the aliases multiply into too many nodes"));
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    BW_BUF_SCOPE deep, aliased;
    json_t *root;
    struct bw_error err = {0};
    bw_buf_init(&deep, 100000);
    for (int i = 0; i <= BW_MAX_JSON_DEPTH; i++)
        bw_buf_puts(&deep, "[");
    assert_int_equal(bw_yaml_parse(&root, deep.data, deep.len, 100000, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    bw_buf_init(&aliased, 100000);
    bw_buf_puts(&aliased, "a0: &a0 [x]\n");
    for (int i = 1; i <= BW_MAX_JSON_DEPTH; i++)
        bw_buf_printf(&aliased, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    assert_int_equal(bw_yaml_parse(&root, aliased.data, aliased.len, 100000, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    assert_int_equal(bw_yaml_parse(&root, "a: 1", 4, 3, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
}

static void a_stream_is_a_list_of_its_documents(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"", "[]"},
        {"a: 1\n---\n# nothing\n---\nb: 2\n...\n", "[{\"a\":1},{\"b\":2}]"},
        {"{\"a\":1}", "[{\"a\":1}]"},
        {"{\"a\":1}\n---\n{\"b\":2}\n", "[{\"a\":1},{\"b\":2}]"},
    };
    struct bw_error err = {0};
    json_t *root = NULL;
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        assert_int_equal(bw_yaml_parse_stream(&root, cases[i].yaml, strlen(cases[i].yaml), 10000, &err), 0);
        char *text = dumped(root);
        assert_string_equal(text, cases[i].json);
        free(text);
    }
    static const char across[] = "a: &x 1\n---\nb: *x\n";
    assert_int_equal(bw_yaml_parse_stream(&root, across, strlen(across), 10000, &err), -1);
    assert_string_equal(err.message, "line 3 column 4: no anchor of this name before: 'x'");
}

static void a_pointer_leads_to_line_and_column(void **state)
{
    (void)state;
    static const char yaml[] =
        "policies:\n  - id: p\n    rules:\n      - gate: x\n      - {gate: y, \"a/~b\": z}\nlast: 1\n";
    static const char json[] = "{\n  \"policies\": [\n    {\"rules\": [1, {\"gate\": 2}]}\n  ]\n}\n";
    static const struct {
        const char *text, *pointer;
        unsigned line, column; /* 0: not there */
    } cases[] = {
        {yaml, "", 1, 1},
        {yaml, "/policies", 2, 3},
        {yaml, "/policies/0/id", 2, 9},
        {yaml, "/policies/0/rules/1/gate", 5, 16},
        {yaml, "/policies/0/rules/1/a~1~0b", 5, 27},
        {yaml, "/last", 6, 7},
        {yaml, "/policies/1", 0, 0},
        {yaml, "/policies/x", 0, 0},
        {yaml, "/last/0", 0, 0},
        {yaml, "/las", 0, 0},
        {yaml, "last", 0, 0},
        {json, "/policies/0/rules/1/gate", 3, 28},
        {json, "/policies/0", 3, 5},
        {"a: [1", "/a/3", 0, 0},
        {"", "/a", 0, 0},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        unsigned line = 0, column = 0;
        int result = bw_yaml_locate(&line, &column, cases[i].text, strlen(cases[i].text), cases[i].pointer);
        assert_int_equal(result, cases[i].line ? 0 : -1);
        assert_int_equal(line, cases[i].line);
        assert_int_equal(column, cases[i].column);
    }
}

static void the_lines_of_a_literal_block_are_lines_of_the_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t document;
        const char *pointer;
        struct bw_yaml_place place; /* line 0: not found */
    } cases[] = {
        {"a: |\n  x\n  y\n", 0, "/a", {1, 4, 2, 2}},
        {"a:\n  b: |-\n\n\n      x\n     \n        y\n\n", 0, "/a/b", {2, 6, 3, 6}},
        {"a: |2\n     x\n  y\n", 0, "/a", {1, 4, 2, 2}},
        {"a: |+ # why\r\n  x\r\n\r\n  y\r\n", 0, "/a", {1, 4, 2, 2}},
        {"a: |\n  \xc3\xa4\n", 0, "/a", {1, 4, 2, 2}},
        {"a: |\n  x", 0, "/a", {1, 4, 2, 2}},
        {"a: |\nb: 1\n", 0, "/a", {1, 4, 2, 0}},
        {"a: &n |\n  x\nb: *n\n", 0, "/a", {1, 4, 2, 2}},
        {"a: &n |\n  x\nb: *n\n", 0, "/b", {3, 4, 0, 0}},
        {"a: &n\n  |\n  x\n", 0, "/a", {1, 4, 0, 0}}, /* not where it seems */
        {"a: >\n  x\n  y\n", 0, "/a", {1, 4, 0, 0}},
        {"a: \"x\\ny\"\n", 0, "/a", {1, 4, 0, 0}},
        {"a: x\n", 0, "/a", {1, 4, 0, 0}},
        {"{\"a\": \"x\"}", 0, "/a", {1, 7, 0, 0}},
        {"---\n---\n# nothing\n---\na: 1\n---\n~\n---\nb: |\n x\n...\n", 1, "/b", {9, 4, 10, 1}},
        {"a: 1\n---\nb: 2\n", 0, "/b", {0, 0, 0, 0}},
        {"a: 1\n---\nb: 2\n", 2, "", {0, 0, 0, 0}},
        {"items:\n- x\n- data:\n    k.json: |\n      {\n", 0, "/items/1/data/k.json", {4, 13, 5, 6}},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_yaml_place got = {0};
        const struct bw_yaml_place *wanted = &cases[i].place;
        int result =
            bw_yaml_locate_scalar(&got, cases[i].text, strlen(cases[i].text), cases[i].document, cases[i].pointer);
        if ((result == 0) != (wanted->line > 0) || memcmp(&got, wanted, sizeof(got)) != 0)
            fail_msg("%s: %u:%u, lines from %u, indent %u", cases[i].text, got.line, got.column, got.first_line,
                     got.indent);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_becomes_the_tree_that_json_would_give),
        cmocka_unit_test(faults_name_line_and_column),
        cmocka_unit_test(aliases_do_not_multiply_without_bound),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(a_stream_is_a_list_of_its_documents),
        cmocka_unit_test(a_pointer_leads_to_line_and_column),
        cmocka_unit_test(the_lines_of_a_literal_block_are_lines_of_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
