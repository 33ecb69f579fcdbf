/* base/buf: growing, the ceiling, JSON strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

#include <stdlib.h>

static void content_grows_and_stays_terminated(void **state)
{
    (void)state;
    BW_BUF_SCOPE buf;
    bw_buf_init(&buf, 100000);
    for (int i = 0; i < 1000; i++) {
        bw_buf_puts(&buf, "ab");
        bw_buf_printf(&buf, "%03d", i);
        assert_int_equal(buf.data[buf.len], '\0');
    }
    assert_int_equal(buf.len, 5000);
    assert_memory_equal(buf.data + 4995, "ab999", 6);
}

static void a_full_buffer_keeps_what_it_had(void **state)
{
    (void)state;
    BW_BUF_SCOPE buf;
    struct bw_error err = {0};
    bw_buf_init(&buf, 8);
    bw_buf_puts(&buf, "12345678");
    assert_int_equal(bw_buf_check(&buf, "text", &err), 0);
    bw_buf_printf(&buf, "%s", "9");
    bw_buf_puts(&buf, "");
    assert_true(buf.full);
    assert_string_equal(buf.data, "12345678");
    assert_int_equal(bw_buf_check(&buf, "text", &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    bw_buf_reset(&buf);
    bw_buf_printf(&buf, "%d", 12);
    bw_buf_printf(&buf, "%s", "3456789");
    assert_string_equal(buf.data, "12");
}

static void taking_gives_the_memory_away(void **state)
{
    (void)state;
    struct bw_buf buf;
    size_t len = 9;
    bw_buf_init(&buf, 8);
    char *empty = bw_buf_take(&buf, &len);
    assert_string_equal(empty, "");
    assert_int_equal(len, 0);
    bw_buf_puts(&buf, "abc");
    char *text = bw_buf_take(&buf, &len);
    assert_string_equal(text, "abc");
    assert_int_equal(len, 3);
    assert_null(buf.data);
    free(text);
    free(empty);
    bw_buf_clear(NULL);
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *expected;
    } cases[] = {
        {"", 0, "\"\""},
        {"a<b>&c", 6, "\"a<b>&c\""},
        {"\"\\\n\r\t\x01", 6, "\"\\\"\\\\\\n\\r\\t\\u0001\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xc3\xa9\xff\xe2\x82", 5, "\"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\x7f", 1, "\"\\u007f\""},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        BW_BUF_SCOPE buf;
        bw_buf_init(&buf, 100);
        bw_buf_json(&buf, cases[i].text, cases[i].len);
        assert_string_equal(buf.data, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_grows_and_stays_terminated),
        cmocka_unit_test(a_full_buffer_keeps_what_it_had),
        cmocka_unit_test(taking_gives_the_memory_away),
        cmocka_unit_test(json_strings_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
