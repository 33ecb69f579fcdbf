/* k8s/object_stream: the same objects in whatever pieces the bytes arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/memory.h"
#include "k8s/object_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool list;
    const char *text;
    const char *objects; /* each followed by '|'; NULL: refused */
    const char *frame;
    bool whole;
} rows[] = {
    {"nothing", false, "", "", "", true},
    {"events of lines", false, "{\"a\":1}\n{\"b\":[{}]}\r\n\n", "{\"a\":1}|{\"b\":[{}]}|", "", true},
    {"without lines between", false, "{}{}", "{}|{}|", "", true},
    {"brackets and quotes within strings", false, "{\"}\\\"]\\\\\":\"{\"}\n", "{\"}\\\"]\\\\\":\"{\"}|", "", true},
    {"an object over several lines", false, "{\n \"a\":\n{}\n}", "{\n \"a\":\n{}\n}|", "", true},
    {"cut within", false, "{}\n{\"a\":", "{}|", "", false},
    {"something else than an object", false, "{}\nhello", NULL, NULL, false},
    {"a bracket too many", false, "{}}", NULL, NULL, false},
    {"a list that is no object", false, "[]", NULL, NULL, false},
    {"a list", true, "{\"kind\":\"L\",\"metadata\":{\"x\":[1]},\"items\":[{\"a\":[]}, {\"b\":{}}\n]}\n",
     "{\"a\":[]}|{\"b\":{}}|", "{\"kind\":\"L\",\"metadata\":{\"x\":[1]},\"items\":[]}", true},
    {"items first and spaced", true, "{ \"items\" : [ {} ] , \"metadata\":{}}", "{}|",
     "{ \"items\" : [] , \"metadata\":{}}", true},
    {"no items", true, "{\"items\":null}", "", "{\"items\":null}", true},
    {"empty items", true, "{\"items\":[]}", "", "{\"items\":[]}", true},
    {"items further within are none", true, "{\"metadata\":{\"items\":[{}]}}", "", "{\"metadata\":{\"items\":[{}]}}",
     true},
    {"a key that ends like items", true, "{\"x\\\"items\":[{}]}", "", "{\"x\\\"items\":[{}]}", true},
    {"a value that ends like items", true, "{\"a\":\"\\\"items\\\":[{}\"}", "", "{\"a\":\"\\\"items\\\":[{}\"}", true},
    {"a list cut within an item", true, "{\"items\":[{},{\"a\"", "{}|", "{\"items\":[", false},
    {"a list cut behind an item", true, "{\"items\":[{}", "{}|", "{\"items\":[", false},
    {"an empty answer is no list", true, "", "", "", false},
    {"items that are no objects", true, "{\"items\":[1]}", NULL, NULL, false},
    {"something behind the list", true, "{\"items\":[]}{}", NULL, NULL, false},
};

static void objects_come_whole_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].text) + 1; piece++) {
            struct bw_object_stream stream;
            char told[256] = "";
            int more = 0;
            bw_object_stream_init(&stream, rows[i].list);
            for (size_t at = 0; more >= 0 && at < strlen(rows[i].text); at += piece) {
                size_t left = strlen(rows[i].text) - at;
                struct bw_str input = {rows[i].text + at, left < piece ? left : piece}, object;
                while ((more = bw_object_stream_next(&object, &stream, &input, NULL)) > 0) {
                    size_t len = strlen(told);
                    (void)snprintf(told + len, sizeof(told) - len, "%.*s|", (int)object.len, object.base);
                }
            }
            struct bw_str frame = bw_object_stream_frame(&stream);
            bool fine = rows[i].objects == NULL
                            ? more < 0
                            : more >= 0 && strcmp(told, rows[i].objects) == 0 && bw_str_is(frame, rows[i].frame) &&
                                  bw_object_stream_whole(&stream) == rows[i].whole;
            if (!fine) {
                fail_msg("%s, by %zu: %d %s [%.*s]", rows[i].name, piece, more, told, (int)frame.len, frame.base);
            }
            bw_object_stream_clear(&stream);
        }
    }
}

static void an_object_larger_than_any_is_refused(void **state)
{
    struct bw_object_stream stream;
    struct bw_error err = {0};
    struct bw_str object, input = BW_STR("{\"a\":\"");
    char *filling = bw_memory_zeroed(1, BW_MIB);
    int more = 0;
    (void)state;
    memset(filling, 'x', BW_MIB);
    bw_object_stream_init(&stream, false);
    assert_int_equal(bw_object_stream_next(&object, &stream, &input, &err), 0);
    for (size_t i = 0; more == 0 && i <= BW_MAX_WATCHED_BYTES / BW_MIB; i++) {
        input = (struct bw_str){filling, BW_MIB};
        more = bw_object_stream_next(&object, &stream, &input, &err);
    }
    assert_int_equal(more, -1);
    assert_int_equal(err.code, BW_ELIMIT);
    bw_object_stream_clear(&stream);
    free(filling);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_come_whole_however_they_are_cut),
        cmocka_unit_test(an_object_larger_than_any_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
