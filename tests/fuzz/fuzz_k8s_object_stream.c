/* The objects of a watch or a list: the same ones in one piece as byte by byte, each between its own brackets. */
#include "base/limits.h"
#include "k8s/object_stream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out, as one text. */
static void take_all(struct bw_buf *out, bool list, const char *text, size_t len, size_t piece)
{
    struct bw_object_stream stream;
    struct bw_str object;
    int more = 0;
    bw_object_stream_init(&stream, list);
    for (size_t at = 0; more >= 0 && at < len; at += piece) {
        struct bw_str input = {text + at, len - at < piece ? len - at : piece};
        while ((more = bw_object_stream_next(&object, &stream, &input, NULL)) > 0) {
            if (object.len < 2 || object.base[0] != '{' || object.base[object.len] != '\0') {
                abort();
            }
            bw_buf_append(out, object.base, object.len);
            bw_buf_puts(out, "|");
        }
    }
    bw_buf_puts(out, more < 0 ? "refused" : bw_object_stream_whole(&stream) ? "whole" : "cut");
    if (list && more >= 0) {
        struct bw_str frame = bw_object_stream_frame(&stream);
        bw_buf_append(out, frame.base, frame.len);
    }
    bw_object_stream_clear(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    BW_BUF_SCOPE at_once;
    BW_BUF_SCOPE in_pieces;
    bw_buf_init(&at_once, SIZE_MAX / 2);
    bw_buf_init(&in_pieces, SIZE_MAX / 2);
    bool list = (data[0] & 1) != 0;
    const char *text = (const char *)data + 1;
    take_all(&at_once, list, text, size - 1, size);
    take_all(&in_pieces, list, text, size - 1, 1 + data[0] / 64);
    if (at_once.len != in_pieces.len || memcmp(at_once.data, in_pieces.data, at_once.len) != 0) {
        abort();
    }
    return 0;
}
