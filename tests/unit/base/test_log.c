/* base/log: lines of JSON on standard error, read back through a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int kept, pipe_out;

static void capture_begin(void)
{
    int ends[2];
    kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    pipe_out = ends[0];
}

static size_t capture_end(char *out, size_t size)
{
    dup2(kept, STDERR_FILENO);
    close(kept);
    ssize_t n = read(pipe_out, out, size - 1);
    close(pipe_out);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static void an_event_is_one_line_of_json(void **state)
{
    (void)state;
    char line[4096];
    capture_begin();
    bw_log(BW_LOG_WARN, "two\nlines \"quoted\"", BW_F("image", "a\xff"), BW_F("skipped", NULL), BW_FI("count", -42),
           BW_FJ("list", "[1,2]"));
    size_t len = capture_end(line, sizeof(line));
    assert_ptr_equal(strchr(line, '\n'), line + len - 1);
    json_t *event = json_loads(line, 0, NULL);
    assert_non_null(event);
    assert_string_equal(json_string_value(json_object_get(event, "message")), "two\nlines \"quoted\"");
    assert_string_equal(json_string_value(json_object_get(event, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(event, "image")), "a\xef\xbf\xbd");
    assert_int_equal(json_integer_value(json_object_get(event, "count")), -42);
    assert_int_equal(json_array_size(json_object_get(event, "list")), 2);
    assert_null(json_object_get(event, "skipped"));
    const char *time = json_string_value(json_object_get(event, "time"));
    assert_int_equal(strlen(time), strlen("2026-01-02T03:04:05.678Z"));
    assert_int_equal(time[10], 'T');
    assert_memory_equal(line, "{\"time\":", 8);
    json_decref(event);
}

static void events_below_the_level_are_silent(void **state)
{
    (void)state;
    char line[4096];
    enum bw_log_level level = BW_LOG_ERROR;
    capture_begin();
    bw_log_fields(BW_LOG_DEBUG, "no", NULL);
    assert_int_equal(bw_log_level_parse(&level, "DEBUG"), 0);
    bw_log_set_level(level);
    bw_log_fields(BW_LOG_DEBUG, "yes", NULL);
    bw_log_set_level(BW_LOG_INFO);
    capture_end(line, sizeof(line));
    assert_null(strstr(line, "\"no\""));
    assert_non_null(strstr(line, "\"yes\""));
    assert_int_equal(bw_log_level_parse(&level, "loud"), -1);
    assert_int_equal(bw_log_level(), BW_LOG_INFO);
}

static void an_event_that_is_too_long_stays_json(void **state)
{
    (void)state;
    char line[4096];
    char *text = malloc(200001);
    memset(text, 'x', 200000);
    text[200000] = '\0';
    capture_begin();
    bw_log(BW_LOG_ERROR, "long", BW_F("text", text));
    capture_end(line, sizeof(line));
    json_t *event = json_loads(line, 0, NULL);
    assert_non_null(event);
    assert_string_equal(json_string_value(json_object_get(event, "level")), "error");
    json_decref(event);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_line_of_json),
        cmocka_unit_test(events_below_the_level_are_silent),
        cmocka_unit_test(an_event_that_is_too_long_stays_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
