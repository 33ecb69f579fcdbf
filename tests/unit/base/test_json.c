/* base/json: bounds, faults with their place, readers that name paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/limits.h"

#include <string.h>

static json_t *parsed(const char *text)
{
    json_t *root = NULL;
    struct bw_error err = {0};
    if (bw_json_parse(&root, text, strlen(text), 1000, &err))
        fail_msg("%s", err.message);
    return root;
}

static void faults_name_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *prefix;
    } cases[] = {
        {"{\"a\":1,\n \"b\" 2}", "line 2 column "},
        {"", "line 1 column 0: "},
        {"[1,", "line 1 column "},
        {"1 2", "line 1 column "},
        {"\"\xff\"", "line 1 column "},
        {"[99999999999999999999]", "line 1 column "},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_error err = {0};
        json_t *root = NULL;
        assert_int_equal(bw_json_parse(&root, cases[i].text, strlen(cases[i].text), 1000, &err), -1);
        assert_int_equal(err.code, BW_EINPUT);
        assert_memory_equal(err.message, cases[i].prefix, strlen(cases[i].prefix));
        assert_null(root);
    }
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    enum { DEPTH = BW_MAX_JSON_DEPTH + 1 };
    struct bw_error err = {0};
    json_t *root = NULL;
    char text[2 * DEPTH + 1];
    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    assert_int_equal(bw_json_parse(&root, text, 2 * DEPTH, 10000, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    assert_int_equal(bw_json_parse(&root, text + 1, 2 * DEPTH - 2, 10000, &err), 0);
    json_decref(root);
    assert_int_equal(bw_json_parse(&root, "[]  ", 4, 3, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    memset(text, '[', sizeof(text));
    text[0] = text[sizeof(text) - 1] = '"'; /* brackets inside a string are none */
    assert_int_equal(bw_json_parse(&root, text, sizeof(text), 10000, &err), 0);
    json_decref(root);
}

static void the_last_of_duplicate_keys_wins_unless_they_are_refused(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1,\"a\":2}";
    struct bw_error err = {0};
    json_t *root = parsed(text), *refused = NULL;
    assert_int_equal(json_integer_value(json_object_get(root, "a")), 2);
    assert_int_equal(bw_json_parse_unique(&refused, text, strlen(text), 100, &err), -1);
    assert_int_equal(bw_json_parse_unique(&refused, text, 6, 100, &err), -1);
    json_decref(root);
}

static void readers_say_where_and_what(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 10000);
    json_t *root = parsed("{\"s\":\"x\",\"n\":null,\"i\":3,\"b\":true,\"a\":[{\"k/~\":1.5}],\"z\":\"a\\u0000b\"}");
    struct bw_json at = bw_json_root(root), child;
    struct bw_error err = {0};
    const char *text = NULL;
    int64_t number = 0;
    bool flag = false;
    size_t n = 0;

    assert_int_equal(bw_json_member(&child, at, "s", &arena, &err), 0);
    assert_int_equal(bw_json_string(&text, child, &arena, &err), 0);
    assert_string_equal(text, "x");
    assert_string_equal(child.path, "/s");
    assert_int_equal(bw_json_int(&number, child, &err), -1);
    assert_string_equal(err.message, "/s: expected an integer, found a string");
    assert_int_equal(bw_json_int(&number, bw_json_optional(at, "i", &arena), &err), 0);
    assert_int_equal(number, 3);
    assert_int_equal(bw_json_bool(&flag, bw_json_optional(at, "b", &arena), &err), 0);
    assert_true(flag);
    assert_null(bw_json_optional(at, "n", &arena).node);
    assert_null(bw_json_optional(bw_json_optional(at, "none", &arena), "more", &arena).node);
    assert_int_equal(bw_json_bool(&flag, bw_json_optional(at, "none", &arena), &err), -1);
    assert_string_equal(err.message, "/none: expected a boolean, found nothing");
    assert_int_equal(bw_json_member(&child, at, "none", &arena, &err), -1);
    assert_string_equal(err.message, "the document: 'none' is missing");
    assert_int_equal(bw_json_array(&n, bw_json_optional(at, "a", &arena), &err), 0);
    assert_int_equal(n, 1);
    child = bw_json_element(bw_json_optional(at, "a", &arena), 0, &arena);
    assert_int_equal(bw_json_object(child, &err), 0);
    assert_int_equal(bw_json_member(&child, child, "k/~", &arena, &err), 0);
    assert_string_equal(child.path, "/a/0/k~1~0");
    assert_int_equal(bw_json_string(&text, child, &arena, &err), -1);
    assert_string_equal(err.message, "/a/0/k~1~0: expected a string, found a number");
    assert_int_equal(bw_json_string(&text, bw_json_optional(at, "z", &arena), &arena, &err), -1);
    assert_string_equal(err.message, "/z: the string has a NUL character inside");
    assert_int_equal(bw_json_object(bw_json_element(at, 0, &arena), &err), -1);
    json_decref(root);
}

static void a_spent_budget_is_a_limit(void **state)
{
    (void)state;
    json_t *root = parsed("{\"key\":\"a text\"}");
    for (size_t budget = 0;; budget++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, budget);
        struct bw_error err = {0};
        struct bw_json member;
        const char *text;
        if (bw_json_member(&member, bw_json_root(root), "key", &arena, &err) == 0 &&
            bw_json_string(&text, member, &arena, &err) == 0)
            break;
        assert_int_equal(err.code, BW_ELIMIT);
        assert_true(budget < 100);
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_name_line_and_column),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(the_last_of_duplicate_keys_wins_unless_they_are_refused),
        cmocka_unit_test(readers_say_where_and_what),
        cmocka_unit_test(a_spent_budget_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
