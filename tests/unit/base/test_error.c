/* base/error: classes, messages made safe, wrapping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"

#include <string.h>

static void setters_return_minus_one_and_take_no_error(void **state)
{
    (void)state;
    assert_int_equal(bw_error_set(NULL, BW_EINPUT, "x"), -1);
    assert_int_equal(bw_error_detail(NULL, BW_EINPUT, "word", "x"), -1);
    assert_int_equal(bw_error_wrap(NULL, "x"), -1);
}

static void a_message_is_one_line_of_valid_utf8(void **state)
{
    (void)state;
    struct bw_error err = {0};
    bw_error_set(&err, BW_EINPUT, "a\nb\x1b[31mc\x7f %s", "\xff\xc2\x9b\xc3\xa9");
    assert_string_equal(err.message, "a?b?[31mc? ??\xc3\xa9");
}

static void a_long_message_is_cut_between_characters_and_marked(void **state)
{
    (void)state;
    struct bw_error err = {0};
    char text[3 * BW_ERROR_MESSAGE_MAX];
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    bw_error_set(&err, BW_ELIMIT, "x%s", text);
    size_t len = strlen(err.message);
    assert_true(len < BW_ERROR_MESSAGE_MAX);
    assert_string_equal(err.message + len - 5, "\xc3\xa9...");
}

static void the_message_may_be_an_argument_of_its_own_error(void **state)
{
    (void)state;
    struct bw_error err = {0};
    bw_error_set(&err, BW_EINPUT, "inner");
    bw_error_set(&err, BW_ELIMIT, "outer (%s)", err.message);
    assert_string_equal(err.message, "outer (inner)");
    assert_int_equal(err.code, BW_ELIMIT);
}

static void wrapping_keeps_class_and_detail(void **state)
{
    (void)state;
    struct bw_error err = {0};
    bw_error_detail(&err, BW_ERATELIMITED, "too_many", "come back");
    err.retry_after_s = 7;
    bw_error_wrap(&err, "layer %d of %d", 3, 7);
    assert_string_equal(err.message, "layer 3 of 7: come back");
    assert_string_equal(err.detail, "too_many");
    assert_int_equal(err.code, BW_ERATELIMITED);
    assert_int_equal(err.retry_after_s, 7);
}

static void setting_anew_forgets_detail_and_delay(void **state)
{
    (void)state;
    struct bw_error err = {0};
    bw_error_detail(&err, BW_EINPUT, "a_word_that_is_longer_than_the_room_for_it_by_far", "x");
    assert_int_equal(strlen(err.detail), sizeof(err.detail) - 1);
    err.retry_after_s = 7;
    bw_error_set(&err, BW_EINPUT, "y");
    assert_string_equal(err.detail, "");
    assert_int_equal(err.retry_after_s, 0);
}

static void every_class_has_a_name(void **state)
{
    (void)state;
    static const char *const names[] = {"ok",          "input",        "limit",    "not-found", "denied",
                                        "unavailable", "rate-limited", "deadline", "internal"};
    for (size_t i = 0; i < BW_LENGTH(names); i++)
        assert_string_equal(bw_code_name((enum bw_code)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setters_return_minus_one_and_take_no_error),
        cmocka_unit_test(a_message_is_one_line_of_valid_utf8),
        cmocka_unit_test(a_long_message_is_cut_between_characters_and_marked),
        cmocka_unit_test(the_message_may_be_an_argument_of_its_own_error),
        cmocka_unit_test(wrapping_keeps_class_and_detail),
        cmocka_unit_test(setting_anew_forgets_detail_and_delay),
        cmocka_unit_test(every_class_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
