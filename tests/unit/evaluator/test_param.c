/* Kinds of parameters: what is accepted, what it becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "evaluator/param.h"

#include <math.h>
#include <string.h>

static const char *const choices[] = {"one", "two", NULL};

enum outcome { REFUSED, ACCEPTED, UNREADABLE /* accepted, and a fault when read */ };

static enum outcome outcome_of(struct bw_value *value, enum bw_param_kind kind, const char *text,
                               struct bw_arena *arena)
{
    struct bw_param param = {.name = "x", .kind = kind, .choices = choices};
    struct bw_error err = {0};
    memset(value, 0, sizeof(*value));
    if (bw_param_parse(value, &param, text, arena, &err) != 0) {
        assert_int_equal(err.code, BW_EINPUT);
        assert_false(value->present);
        return REFUSED;
    }
    assert_true(value->present);
    return value->fault != NULL ? UNREADABLE : ACCEPTED;
}

static void texts_are_accepted_as_the_format_says(void **state)
{
    (void)state;
    static const struct {
        enum bw_param_kind kind;
        const char *text;
        enum outcome outcome;
    } rows[] = {
        {BW_PARAM_STRING, "", ACCEPTED},         {BW_PARAM_BOOL, "true", ACCEPTED},
        {BW_PARAM_BOOL, "False", ACCEPTED},      {BW_PARAM_BOOL, "", REFUSED},
        {BW_PARAM_BOOL, " true", REFUSED},       {BW_PARAM_INT, "1", ACCEPTED},
        {BW_PARAM_INT, " 1 ", ACCEPTED},         {BW_PARAM_INT, "1\n", ACCEPTED},
        {BW_PARAM_INT, "\xd9\xa3", ACCEPTED},    {BW_PARAM_INT, "-1", REFUSED},
        {BW_PARAM_INT, "1.0", REFUSED},          {BW_PARAM_INT, "", REFUSED},
        {BW_PARAM_FLOAT, "1", ACCEPTED},         {BW_PARAM_FLOAT, "-1", ACCEPTED},
        {BW_PARAM_FLOAT, ".5", ACCEPTED},        {BW_PARAM_FLOAT, "5.", ACCEPTED},
        {BW_PARAM_FLOAT, " 7.5 ", ACCEPTED},     {BW_PARAM_FLOAT, "", UNREADABLE},
        {BW_PARAM_FLOAT, ".", UNREADABLE},       {BW_PARAM_FLOAT, "--1", UNREADABLE},
        {BW_PARAM_FLOAT, "1e3", REFUSED},        {BW_PARAM_FLOAT, "+1", REFUSED},
        {BW_PARAM_FLOAT, "nan", REFUSED},        {BW_PARAM_ENUM, "two", ACCEPTED},
        {BW_PARAM_ENUM, "Two", REFUSED},         {BW_PARAM_ENUM, "two ", REFUSED},
        {BW_PARAM_STRING_LIST, "a", ACCEPTED},   {BW_PARAM_STRING_LIST, " a ,b ", ACCEPTED},
        {BW_PARAM_STRING_LIST, " ", ACCEPTED},   {BW_PARAM_STRING_LIST, "a, ,b", ACCEPTED},
        {BW_PARAM_STRING_LIST, "", REFUSED},     {BW_PARAM_STRING_LIST, "a,", REFUSED},
        {BW_PARAM_STRING_LIST, "a,,b", REFUSED}, {BW_PARAM_STRING_LIST, ",a", REFUSED},
        {BW_PARAM_LOOSE_LIST, "", ACCEPTED},     {BW_PARAM_LOOSE_LIST, "a,,b,", ACCEPTED},
        {BW_PARAM_INT_LIST, "0", ACCEPTED},      {BW_PARAM_INT_LIST, " 1 , 2 ", ACCEPTED},
        {BW_PARAM_INT_LIST, "1,", REFUSED},      {BW_PARAM_INT_LIST, "-1", REFUSED},
        {BW_PARAM_INT_LIST, "1.0", REFUSED},     {BW_PARAM_INT_LIST, " ", REFUSED},
        {BW_PARAM_OCTAL, "0644", ACCEPTED},      {BW_PARAM_OCTAL, "0o644", ACCEPTED},
        {BW_PARAM_OCTAL, "-1", ACCEPTED},        {BW_PARAM_OCTAL, "1_7", ACCEPTED},
        {BW_PARAM_OCTAL, "8", UNREADABLE},       {BW_PARAM_OCTAL, "u+s", UNREADABLE},
        {BW_PARAM_OCTAL, "1__7", UNREADABLE},    {BW_PARAM_OCTAL, "7_", UNREADABLE},
    };
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_value value;
        if (outcome_of(&value, rows[i].kind, rows[i].text, &arena) != rows[i].outcome) {
            fail_msg("%s \"%s\"", bw_param_kind_name(rows[i].kind), rows[i].text);
        }
    }
}

static void values_are_typed(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    struct bw_value value;
    assert_int_equal(outcome_of(&value, BW_PARAM_INT,
                                " \xd9\xa3"
                                "0 ",
                                &arena),
                     ACCEPTED);
    assert_int_equal(value.as.integer, 30);
    assert_int_equal(outcome_of(&value, BW_PARAM_INT, "99999999999999999999", &arena), ACCEPTED);
    assert_int_equal(value.as.integer, INT64_MAX);
    assert_int_equal(outcome_of(&value, BW_PARAM_FLOAT, "-7.25", &arena), ACCEPTED);
    assert_true(fabs(value.as.number + 7.25) < 1e-9);
    assert_int_equal(outcome_of(&value, BW_PARAM_OCTAL, "4755", &arena), ACCEPTED);
    assert_int_equal(value.as.integer, 04755);
    assert_int_equal(outcome_of(&value, BW_PARAM_ENUM, "two", &arena), ACCEPTED);
    assert_int_equal(value.as.choice, 1);
    assert_int_equal(outcome_of(&value, BW_PARAM_INT_LIST, "022, 0", &arena), ACCEPTED);
    assert_int_equal(value.as.list.n_items, 2);
    assert_string_equal(value.as.list.items[0], "22");
    assert_string_equal(value.as.list.items[1], "0");
    assert_int_equal(outcome_of(&value, BW_PARAM_STRING_LIST,
                                " a b ,\xc2\xa0"
                                "c",
                                &arena),
                     ACCEPTED);
    assert_string_equal(value.as.list.items[0], "a b");
    assert_string_equal(value.as.list.items[1], "c");
}

static void json_of_another_type_is_refused(void **state)
{
    (void)state;
    static const struct bw_param text = {.name = "x", .kind = BW_PARAM_STRING};
    static const struct bw_param flag = {.name = "x", .kind = BW_PARAM_BOOL};
    static const struct {
        const struct bw_param *param;
        const char *json;
        enum outcome outcome;
    } rows[] = {{&text, "5", REFUSED},      {&text, "[]", REFUSED},       {&text, "true", REFUSED},
                {&text, "\"5\"", ACCEPTED}, {&flag, "true", UNREADABLE},  {&flag, "false", ACCEPTED},
                {&flag, "0", REFUSED},      {&flag, "\"true\"", ACCEPTED}};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        json_t *node = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
        struct bw_value value = {0};
        struct bw_error err = {0};
        int result = bw_param_parse_json(&value, rows[i].param, node, &arena, &err);
        enum outcome outcome = result != 0 ? REFUSED : value.fault != NULL ? UNREADABLE : ACCEPTED;
        json_decref(node);
        if (outcome != rows[i].outcome) {
            fail_msg("%s", rows[i].json);
        }
    }
}

static void a_spent_arena_is_an_error(void **state)
{
    (void)state;
    for (size_t budget = 0; budget < 4096; budget += 16) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, budget);
        static const struct bw_param param = {.name = "x", .kind = BW_PARAM_INT_LIST};
        struct bw_value value = {0};
        struct bw_error err = {0};
        if (bw_param_parse(&value, &param, "1,2,3,4,5,6,7,8", &arena, &err) != 0) {
            assert_int_equal(err.code, BW_ELIMIT);
            assert_false(value.present);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_accepted_as_the_format_says),
        cmocka_unit_test(values_are_typed),
        cmocka_unit_test(json_of_another_type_is_refused),
        cmocka_unit_test(a_spent_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
