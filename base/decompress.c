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
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

enum { ZSTD_WINDOW_LOG = 27 };
static const uint64_t ratio_free_bytes = 64 * BW_MIB;

#if BREAKWATER_ISAL
enum header_part {
    HEADER_FIXED,
    HEADER_EXTRA_SIZE,
    HEADER_EXTRA,
    HEADER_NAME,
    HEADER_COMMENT,
    HEADER_CRC,
    HEADER_DONE
};

struct header {
    enum header_part part;
    size_t n; /* bytes of the part seen */
    uint8_t flags;
    size_t extra_size, stored_crc;
    uint32_t crc;
};
#endif

struct bw_decompress {
    enum bw_compression kind;
    uint64_t max_bytes, total_in, total_out;
    unsigned max_ratio;
    bool inside;   /* a member or frame has begun and not ended */
    bool any;      /* at least one ended */
    bool trailing; /* what follows is not compressed data any more */
    bool trailing_garbage;
#if BREAKWATER_ISAL
    struct header header;
    struct inflate_state inflate;
#else
    z_stream inflate;
#endif
    ZSTD_DCtx *zstd;
    uint8_t magic[4]; /* of a zstd frame that begins */
    size_t n_magic;
};

static bool is_zstd_magic(const uint8_t *b)
{
    bool skippable = (b[0] & 0xf0) == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18;
    return skippable || (b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd);
}

enum bw_compression bw_compression_guess(const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    if (len < 4)
        return BW_COMPRESSION_UNKNOWN;
    if (b[0] == 0x1f && b[1] == 0x8b)
        return BW_GZIP;
    return is_zstd_magic(b) ? BW_ZSTD : BW_PLAIN;
}

static int corrupt(struct bw_error *err, const char *what)
{
    return bw_error_detail(err, BW_EINPUT, "layer_corrupt", "%s", what);
}

/* --- gzip, one member at a time --- */

enum member { MEMBER_GOES_ON, MEMBER_ENDED };

#if BREAKWATER_ISAL
/* RFC 1952 2.3, byte by byte. ISA-L's own reader of headers goes wrong where its input is cut inside one. */
enum { FLAG_CRC = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAGS_RESERVED = 0xe0, FIXED_BYTES = 10 };

static const char *header_byte(struct header *header, uint8_t byte)
{
    static const uint8_t begins[] = {0x1f, 0x8b, 8};
    size_t n = header->n++;
    bool ends = false;
    switch (header->part) {
    case HEADER_FIXED:
        if (n < sizeof(begins) && byte != begins[n])
            return "gzip: a member has no valid header";
        if (n == sizeof(begins))
            header->flags = byte;
        if (header->flags & FLAGS_RESERVED)
            return "gzip: a header has unknown flags";
        ends = header->n == FIXED_BYTES;
        break;
    case HEADER_EXTRA_SIZE:
        header->extra_size |= (size_t)byte << 8 * n;
        ends = header->n == 2;
        break;
    case HEADER_EXTRA:
        ends = header->n == header->extra_size;
        break;
    case HEADER_NAME:
    case HEADER_COMMENT:
        ends = byte == 0;
        break;
    case HEADER_CRC:
        header->stored_crc |= (size_t)byte << 8 * n;
        ends = header->n == 2;
        if (ends && header->stored_crc != (header->crc & 0xffff))
            return "gzip: the checksum of a header is wrong";
        break;
    case HEADER_DONE:
        break;
    }
    if (header->part != HEADER_CRC)
        header->crc = crc32_gzip_refl(header->crc, &byte, 1);
    if (!ends)
        return NULL;
    header->n = 0;
    header->part++;
    if (header->part == HEADER_EXTRA_SIZE && !(header->flags & FLAG_EXTRA))
        header->part = HEADER_NAME;
    if (header->part == HEADER_EXTRA && header->extra_size == 0)
        header->part = HEADER_NAME;
    if (header->part == HEADER_NAME && !(header->flags & FLAG_NAME))
        header->part = HEADER_COMMENT;
    if (header->part == HEADER_COMMENT && !(header->flags & FLAG_COMMENT))
        header->part = HEADER_CRC;
    if (header->part == HEADER_CRC && !(header->flags & FLAG_CRC))
        header->part = HEADER_DONE;
    return NULL;
}

static void gzip_begin(struct bw_decompress *stream)
{
    isal_inflate_reset(&stream->inflate);
    stream->inflate.crc_flag = ISAL_GZIP_NO_HDR_VER;
    stream->header = (struct header){0};
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

/* Moves *in and *out along. ISA-L checks CRC32 and ISIZE before it reports the end. */
static int gzip_inflate(struct bw_decompress *stream, uint8_t **out, size_t *out_size, const uint8_t **in,
                        size_t *in_size, enum member *member, struct bw_error *err)
{
    struct inflate_state *state = &stream->inflate;
    *member = MEMBER_GOES_ON;
    while (stream->header.part != HEADER_DONE && *in_size > 0) {
        const char *fault = header_byte(&stream->header, **in);
        if (fault)
            return corrupt(err, fault);
        ++*in;
        --*in_size;
    }
    if (stream->header.part != HEADER_DONE)
        return 0;
    uint32_t in_now = *in_size > UINT32_MAX ? UINT32_MAX : (uint32_t)*in_size;
    uint32_t out_now = *out_size > UINT32_MAX ? UINT32_MAX : (uint32_t)*out_size;
    state->next_in = (uint8_t *)(uintptr_t)*in; /* the interface lacks a const */
    state->avail_in = in_now;
    state->next_out = *out;
    state->avail_out = out_now;
    int code = isal_inflate(state);
    if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT && code != ISAL_OUT_OVERFLOW)
        return corrupt(err, code == ISAL_INCORRECT_CHECKSUM
                                ? "gzip: the checksum or the size of a member is not that of its content"
                                : "gzip: the deflate data are damaged");
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

static int zstd_feed(struct bw_decompress *stream, ZSTD_outBuffer *to, ZSTD_inBuffer *from, struct bw_error *err)
{
    size_t left = ZSTD_decompressStream(stream->zstd, to, from);
    if (ZSTD_isError(left)) {
        bool window = ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge;
        return bw_error_detail(err, BW_EINPUT, window ? "layer_format" : "layer_corrupt", "zstd: %s",
                               ZSTD_getErrorName(left));
    }
    if (left == 0) {
        stream->any = true;
        stream->inside = false;
    }
    return 0;
}

/* The first bytes of a frame, looked at here: libzstd, its input cut just so, takes frames of formats before RFC 8878.
 */
static int zstd_begin(struct bw_decompress *stream, const uint8_t **in, size_t *in_size, struct bw_error *err)
{
    while (stream->n_magic < sizeof(stream->magic) && *in_size > 0) {
        stream->magic[stream->n_magic++] = **in;
        ++*in;
        --*in_size;
    }
    if (stream->n_magic < sizeof(stream->magic))
        return 0;
    if (!is_zstd_magic(stream->magic))
        return corrupt(err, "zstd: neither a frame nor a skippable frame");
    stream->inside = true;
    stream->n_magic = 0;
    return zstd_feed(stream, &(ZSTD_outBuffer){NULL, 0, 0}, &(ZSTD_inBuffer){stream->magic, 4, 0}, err);
}

static int zstd_step(struct bw_decompress *stream, uint8_t **out, size_t *out_size, const uint8_t **in, size_t *in_size,
                     struct bw_error *err)
{
    while (*in_size > 0 || stream->inside) {
        if (!stream->inside) {
            bool zeros = stream->any && stream->n_magic == 0 && **in == 0; /* no frame begins with a zero */
            if (stream->trailing || zeros) {
                stream->trailing = true;
                trailer_skip(stream, in, in_size);
            } else if (zstd_begin(stream, in, in_size, err)) {
                return -1;
            }
            continue;
        }
        ZSTD_inBuffer from = {*in, *in_size, 0};
        ZSTD_outBuffer to = {*out, *out_size, 0};
        if (zstd_feed(stream, &to, &from, err))
            return -1;
        *in += from.pos;
        *in_size -= from.pos;
        *out += to.pos;
        *out_size -= to.pos;
        if (stream->inside && (*out_size == 0 || *in_size == 0))
            return 0;
    }
    return 0;
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
    if (stream->inside || stream->n_magic || !stream->any)
        return corrupt(err,
                       stream->total_in ? "the compressed data end in the middle" : "the compressed data are empty");
    return 0;
}

const char *bw_decompress_warning(const struct bw_decompress *stream)
{
    return stream->trailing_garbage ? "bytes that are not compressed data follow the end" : NULL;
}
