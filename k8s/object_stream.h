#ifndef BW_K8S_OBJECT_STREAM_H
#define BW_K8S_OBJECT_STREAM_H

#include "base/buf.h"
#include "base/str.h"

/*
 * Takes the objects out of an API server's answer as its bytes arrive, so that one is held at a time: the events of a
 * watch, or the items of a list. Whether an object is JSON is seen by who parses it.
 */
struct bw_object_stream {
    bool list;                   /* a list: objects are in its items, the rest of it is the frame */
    bool in_items, in_object;    /* between which brackets we are */
    bool in_string, after_slash; /* within the object or the frame */
    bool taken;                  /* the object was handed out */
    size_t depth;                /* open brackets of the whole answer */
    struct bw_buf object, frame;
};

void bw_object_stream_init(struct bw_object_stream *stream, bool list);
void bw_object_stream_clear(struct bw_object_stream *stream);
/* Takes bytes off *input. 1: *out is an object's text, until the next call; 0: more bytes are needed; -1. */
int bw_object_stream_next(struct bw_str *out, struct bw_object_stream *stream, struct bw_str *input,
                          struct bw_error *err) BW_MUST_CHECK;
/* No byte was taken since the last whole object; for a list, it is complete. Else the answer was cut. */
bool bw_object_stream_whole(const struct bw_object_stream *stream);
/* Of a whole list: its text without items. */
struct bw_str bw_object_stream_frame(const struct bw_object_stream *stream);

#endif
