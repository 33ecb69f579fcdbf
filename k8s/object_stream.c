/* The objects of a watch or a list, cut out of its bytes (k8s/object_stream.h). Only strings and brackets are followed:
 * what is between them is the parser's to judge. */
#include "k8s/object_stream.h"

#include "base/limits.h"

#include <string.h>

enum { KEEP_BYTES = 64 * 1024 }; /* memory that small objects share; that of a large one is given back */

void bw_object_stream_init(struct bw_object_stream *stream, bool list)
{
    *stream = (struct bw_object_stream){.list = list};
    bw_buf_init(&stream->object, BW_MAX_WATCHED_BYTES);
    bw_buf_init(&stream->frame, BW_MAX_LIST_FRAME_BYTES);
}

void bw_object_stream_clear(struct bw_object_stream *stream)
{
    bw_buf_clear(&stream->object);
    bw_buf_clear(&stream->frame);
}

bool bw_object_stream_whole(const struct bw_object_stream *stream)
{
    return stream->depth == 0 && (!stream->list || stream->frame.len > 0);
}

struct bw_str bw_object_stream_frame(const struct bw_object_stream *stream)
{
    return (struct bw_str){stream->frame.data, stream->frame.len};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Follows strings and brackets over one byte. */
static void follow(struct bw_object_stream *stream, char c)
{
    if (stream->in_string) {
        stream->in_string = stream->after_slash || c != '"';
        stream->after_slash = c == '\\' && !stream->after_slash;
    } else if (c == '"') {
        stream->in_string = true;
    } else if (c == '{' || c == '[') {
        stream->depth++;
    } else if (c == '}' || c == ']') {
        stream->depth--;
    }
}

/* Whether the frame, whose last byte is a bracket outside of strings, ends with an outermost member named "items". */
static bool opens_items(const struct bw_buf *frame)
{
    static const char key[] = "\"items\"";
    size_t end = frame->len - 1;
    while (end > 0 && is_blank(frame->data[end - 1])) {
        end--;
    }
    if (end == 0 || frame->data[--end] != ':') {
        return false;
    }
    while (end > 0 && is_blank(frame->data[end - 1])) {
        end--;
    }
    /* a quotation mark within a string would have a backslash before it */
    return end >= sizeof(key) && memcmp(frame->data + end - (sizeof(key) - 1), key, sizeof(key) - 1) == 0 &&
           frame->data[end - sizeof(key)] != '\\';
}

/* The object goes on to where its first bracket is closed. */
static int take_object(struct bw_object_stream *stream, struct bw_str *input, struct bw_error *err)
{
    const size_t outside = stream->list ? 2 : 0;
    size_t n = 0;
    do {
        follow(stream, input->base[n++]);
    } while (n < input->len && stream->depth > outside);
    bw_buf_append(&stream->object, input->base, n);
    *input = (struct bw_str){input->base + n, input->len - n};
    stream->in_object = stream->depth > outside;
    return bw_buf_check(&stream->object, "an object of the API server", err);
}

static int take_frame(struct bw_object_stream *stream, char c, struct bw_error *err)
{
    if (stream->depth == 0 && (c != '{' || stream->frame.len > 0)) {
        return bw_error_set(err, BW_EINPUT, "the list is no JSON object");
    }
    follow(stream, c);
    bw_buf_append(&stream->frame, &c, 1);
    stream->in_items = c == '[' && stream->depth == 2 && !stream->in_string && opens_items(&stream->frame);
    return bw_buf_check(&stream->frame, "what a list says besides its items", err);
}

/* One byte outside of objects. */
static int take_between(struct bw_object_stream *stream, char c, struct bw_error *err)
{
    if (stream->list && stream->in_items && c == ']') {
        stream->in_items = false;
        return take_frame(stream, c, err);
    }
    if (is_blank(c) && (stream->depth == 0 || stream->in_items)) {
        return 0;
    }
    if (stream->list) {
        return stream->in_items && c == ',' ? 0
               : stream->in_items           ? bw_error_set(err, BW_EINPUT, "the list's items are not all objects")
                                            : take_frame(stream, c, err);
    }
    return bw_error_set(err, BW_EINPUT, "the watch sent something that is no JSON object");
}

int bw_object_stream_next(struct bw_str *out, struct bw_object_stream *stream, struct bw_str *input,
                          struct bw_error *err)
{
    if (stream->taken) {
        stream->taken = false;
        if (stream->object.capacity > KEEP_BYTES) {
            bw_buf_clear(&stream->object);
        }
        bw_buf_reset(&stream->object);
    }
    while (input->len > 0) {
        if (!stream->in_object && input->base[0] == '{' && (stream->in_items || !stream->list)) {
            stream->in_object = true;
        }
        if (!stream->in_object) {
            if (take_between(stream, input->base[0], err) != 0) {
                return -1;
            }
            *input = (struct bw_str){input->base + 1, input->len - 1};
        } else if (take_object(stream, input, err) != 0) {
            return -1;
        } else if (!stream->in_object) {
            stream->taken = true;
            *out = (struct bw_str){stream->object.data, stream->object.len};
            return 1;
        }
    }
    return 0;
}
