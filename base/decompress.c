/* Streams of layers and archives (base/decompress.h): gzip by ISA-L where it is built in, else by zlib; zstd by
 * libzstd. Output goes straight into the caller's memory; nothing is copied in between. */
#include "base/decompress.h"

#include "base/limits.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#if BREAKWATER_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

enum { ZSTD_WINDOW_LOG = 27 };
static const uint64_t ratio_free_bytes = 64 * BW_MIB;

struct bw_decompress {
    enum bw_compression kind;
    uint64_t max_bytes, total_in, total_out;
    unsigned max_ratio;
    bool inside;   /* a member or frame has begun and not ended */
    bool any;      /* at least one ended */
    bool trailing; /* what follows is not compressed data any more */
    bool trailing_garbage;
#if BREAKWATER_ISAL
    struct inflate_state inflate;
#else
    z_stream inflate;
#endif
    ZSTD_DCtx *zstd;
};

enum bw_compression bw_compression_guess(const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    if (len < 4)
        return BW_COMPRESSION_UNKNOWN;
    if (b[0] == 0x1f && b[1] == 0x8b)
        return BW_GZIP;
    bool skippable = (b[0] & 0xf0) == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18;
    bool frame = b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd;
    return skippable || frame ? BW_ZSTD : BW_PLAIN;
}

static int corrupt(struct bw_error *err, const char *what)
{
    return bw_error_detail(err, BW_EINPUT, "layer_corrupt", "%s", what);
}

/* --- gzip, one member at a time --- */

enum member { MEMBER_GOES_ON, MEMBER_ENDED };

#if BREAKWATER_ISAL
static void gzip_begin(struct bw_decompress *stream)
{
    isal_inflate_reset(&stream->inflate);
    stream->inflate.crc_flag = ISAL_GZIP;
}

static void gzip_create(struct bw_decompress *stream)
{
    isal_inflate_init(&stream->inflate);
    gzip_begin(stream);
}

static void gzip_destroy(struct bw_decompress *stream)
{
    (void)stream;
}

static const char *gzip_fault(int code)
{
    switch (code) {
    case ISAL_INCORRECT_CHECKSUM:
        return "gzip: the checksum or the size of a member is not that of its content";
    case ISAL_UNSUPPORTED_METHOD:
    case ISAL_INVALID_WRAPPER:
        return "gzip: a member has no valid header";
    default:
        return "gzip: the deflate data are damaged";
    }
}

/* Moves *in and *out along. ISA-L checks CRC32 and ISIZE before it reports the end. */
static int gzip_inflate(struct bw_decompress *stream, uint8_t **out, size_t *out_size, const uint8_t **in,
                        size_t *in_size, enum member *member, struct bw_error *err)
{
    struct inflate_state *state = &stream->inflate;
    uint32_t in_now = *in_size > UINT32_MAX ? UINT32_MAX : (uint32_t)*in_size;
    uint32_t out_now = *out_size > UINT32_MAX ? UINT32_MAX : (uint32_t)*out_size;
    state->next_in = (uint8_t *)(uintptr_t)*in; /* the interface lacks a const */
    state->avail_in = in_now;
    state->next_out = *out;
    state->avail_out = out_now;
    int code = isal_inflate(state);
    if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT && code != ISAL_OUT_OVERFLOW)
        return corrupt(err, gzip_fault(code));
    *in += in_now - state->avail_in;
    *in_size -= in_now - state->avail_in;
    *out += out_now - state->avail_out;
    *out_size -= out_now - state->avail_out;
    *member = state->block_state == ISAL_BLOCK_FINISH ? MEMBER_ENDED : MEMBER_GOES_ON;
    return 0;
}
#else
static void gzip_begin(struct bw_decompress *stream)
{
    inflateReset(&stream->inflate);
}

static void gzip_create(struct bw_decompress *stream)
{
    if (inflateInit2(&stream->inflate, 15 + 16) != Z_OK) /* the largest window, in a gzip wrapper */
        abort();
}

static void gzip_destroy(struct bw_decompress *stream)
{
    inflateEnd(&stream->inflate);
}

static int gzip_inflate(struct bw_decompress *stream, uint8_t **out, size_t *out_size, const uint8_t **in,
                        size_t *in_size, enum member *member, struct bw_error *err)
{
    z_stream *state = &stream->inflate;
    uInt in_now = *in_size > UINT32_MAX ? UINT32_MAX : (uInt)*in_size;
    uInt out_now = *out_size > UINT32_MAX ? UINT32_MAX : (uInt)*out_size;
    state->next_in = (Bytef *)(uintptr_t)*in; /* the interface lacks a const */
    state->avail_in = in_now;
    state->next_out = *out;
    state->avail_out = out_now;
    int code = inflate(state, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return corrupt(err,
                       "gzip: the data are damaged, or the checksum or size of a member is not that of its content");
    *in += in_now - state->avail_in;
    *in_size -= in_now - state->avail_in;
    *out += out_now - state->avail_out;
    *out_size -= out_now - state->avail_out;
    *member = code == Z_STREAM_END ? MEMBER_ENDED : MEMBER_GOES_ON;
    return 0;
}
#endif

/* Behind a member: another one, zeros, or something else, which is left alone with a warning. */
static void trailer_skip(struct bw_decompress *stream, const uint8_t **in, size_t *in_size)
{
    while (*in_size > 0) {
        if (!stream->trailing && **in == 0x1f)
            return;
        stream->trailing = true;
        if (**in != 0)
            stream->trailing_garbage = true;
        ++*in;
        --*in_size;
    }
}

static int gzip_step(struct bw_decompress *stream, uint8_t **out, size_t *out_size, const uint8_t **in, size_t *in_size,
                     struct bw_error *err)
{
    while (*in_size > 0 || stream->inside) {
        if (!stream->inside) {
            if (stream->any)
                trailer_skip(stream, in, in_size);
            if (*in_size == 0)
                return 0;
            gzip_begin(stream);
            stream->inside = true;
        }
        size_t in_before = *in_size, out_before = *out_size;
        enum member member = MEMBER_GOES_ON;
        if (gzip_inflate(stream, out, out_size, in, in_size, &member, err))
            return -1;
        if (member == MEMBER_ENDED) {
            stream->inside = false;
            stream->any = true;
        } else if (*out_size == 0 || (*in_size == in_before && *out_size == out_before)) {
            return 0;
        }
    }
    return 0;
}

/* --- zstd --- */

static int zstd_step(struct bw_decompress *stream, uint8_t **out, size_t *out_size, const uint8_t **in, size_t *in_size,
                     struct bw_error *err)
{
    for (;;) {
        if (!stream->inside && stream->any && *in_size > 0 && (stream->trailing || **in == 0)) {
            stream->trailing = true; /* no frame begins with a zero */
            trailer_skip(stream, in, in_size);
        }
        if (*in_size == 0 && !stream->inside)
            return 0;
        ZSTD_inBuffer from = {*in, *in_size, 0};
        ZSTD_outBuffer to = {*out, *out_size, 0};
        size_t left = ZSTD_decompressStream(stream->zstd, &to, &from);
        if (ZSTD_isError(left)) {
            bool window = ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge;
            return bw_error_detail(err, BW_EINPUT, window ? "layer_format" : "layer_corrupt", "zstd: %s",
                                   ZSTD_getErrorName(left));
        }
        *in += from.pos;
        *in_size -= from.pos;
        *out += to.pos;
        *out_size -= to.pos;
        if (left == 0) {
            stream->any = true;
            stream->inside = false;
        } else if (to.pos > 0 || from.pos > 0) {
            stream->inside = true;
        }
        if (*out_size == 0 || *in_size == 0 || (from.pos == 0 && to.pos == 0))
            return 0;
    }
}

/* --- the stream --- */

struct bw_decompress *bw_decompress_create(enum bw_compression kind, uint64_t max_bytes, unsigned max_ratio)
{
    struct bw_decompress *stream = bw_memory_zeroed(1, sizeof(*stream));
    stream->kind = kind;
    stream->max_bytes = max_bytes;
    stream->max_ratio = max_ratio;
    if (kind == BW_GZIP)
        gzip_create(stream);
    if (kind == BW_ZSTD) {
        stream->zstd = ZSTD_createDCtx();
        if (!stream->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(stream->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG)))
            abort();
    }
    return stream;
}

void bw_decompress_destroy(struct bw_decompress *stream)
{
    if (!stream)
        return;
    if (stream->kind == BW_GZIP)
        gzip_destroy(stream);
    ZSTD_freeDCtx(stream->zstd);
    free(stream);
}

static void plain_step(uint8_t **out, size_t *out_size, const uint8_t **in, size_t *in_size)
{
    size_t n = *in_size < *out_size ? *in_size : *out_size;
    if (n)
        memcpy(*out, *in, n);
    *out += n;
    *out_size -= n;
    *in += n;
    *in_size -= n;
}

static int limits_check(const struct bw_decompress *stream, struct bw_error *err)
{
    if (stream->total_out > stream->max_bytes)
        return bw_error_detail(err, BW_ELIMIT, "decompression_bomb", "unpacks to more than %llu bytes",
                               (unsigned long long)stream->max_bytes);
    if (stream->kind != BW_PLAIN && stream->max_ratio && stream->total_out > ratio_free_bytes &&
        stream->total_out / stream->max_ratio > stream->total_in)
        return bw_error_detail(err, BW_ELIMIT, "decompression_bomb", "unpacks to more than %u times its size",
                               stream->max_ratio);
    return 0;
}

long bw_decompress_step(struct bw_decompress *stream, void *out, size_t out_size, const void *in, size_t *in_len,
                        struct bw_error *err)
{
    uint8_t *into = out;
    const uint8_t *from = in;
    size_t room = out_size, left = *in_len;
    int failed = 0;
    switch (stream->kind) {
    case BW_PLAIN:
        plain_step(&into, &room, &from, &left);
        break;
    case BW_GZIP:
        failed = gzip_step(stream, &into, &room, &from, &left, err);
        break;
    case BW_ZSTD:
        failed = zstd_step(stream, &into, &room, &from, &left, err);
        break;
    case BW_COMPRESSION_UNKNOWN:
        return corrupt(err, "neither gzip nor zstd nor plain");
    }
    if (failed)
        return -1;
    stream->total_in += *in_len - left;
    stream->total_out += out_size - room;
    if (limits_check(stream, err))
        return -1;
    *in_len -= left;
    return (long)(out_size - room);
}

int bw_decompress_finish(struct bw_decompress *stream, struct bw_error *err)
{
    if (stream->kind == BW_PLAIN)
        return 0;
    if (stream->inside || !stream->any)
        return corrupt(err,
                       stream->total_in ? "the compressed data end in the middle" : "the compressed data are empty");
    return 0;
}

const char *bw_decompress_warning(const struct bw_decompress *stream)
{
    return stream->trailing_garbage ? "bytes that are not compressed data follow the end" : NULL;
}
