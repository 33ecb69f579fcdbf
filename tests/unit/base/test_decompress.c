/* base/decompress: streams cut at every place, members and frames in a row, damage, bombs. Made here by zlib and
 * libzstd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/decompress.h"
#include "base/limits.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { TEXT = 300000, ROOM = 1000000 };

static uint8_t text[TEXT], packed[ROOM], unpacked[ROOM];

/* Compressible, and not the same everywhere. */
static int setup(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (size_t i = 0; i < TEXT; i++) {
        random = random * 1664525 + 1013904223;
        text[i] = (uint8_t)(random >> 24 < 200 && i >= 100 ? text[i - 100] : random >> 16);
    }
    return 0;
}

static size_t gzip(uint8_t *out, const void *in, size_t len)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)len, .next_out = out, .avail_out = ROOM};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return ROOM - stream.avail_out;
}

static size_t zstd(uint8_t *out, const void *in, size_t len)
{
    return ZSTD_compress(out, ROOM, in, len, 3);
}

/* The whole input in pieces of in_piece, output in pieces of out_piece. -1: failed in a step or at the end. */
static long run(enum bw_compression kind, const uint8_t *in, size_t len, size_t in_piece, size_t out_piece,
                bool *warned, struct bw_error *err)
{
    struct bw_decompress *stream = bw_decompress_create(kind, ROOM, 0);
    size_t at = 0, made = 0;
    long result = 0;
    for (;;) {
        size_t n = len - at < in_piece ? len - at : in_piece, room = ROOM - made < out_piece ? ROOM - made : out_piece;
        result = bw_decompress_step(stream, unpacked + made, room, in + at, &n, err);
        if (result < 0)
            break;
        at += n;
        made += (size_t)result;
        if (result == 0 && at == len)
            break;
    }
    if (result == 0 && bw_decompress_finish(stream, err))
        result = -1;
    if (warned)
        *warned = bw_decompress_warning(stream) != NULL;
    bw_decompress_destroy(stream);
    return result < 0 ? -1 : (long)made;
}

static const struct {
    enum bw_compression kind;
    size_t (*pack)(uint8_t *out, const void *in, size_t len);
} kinds[] = {{BW_GZIP, gzip}, {BW_ZSTD, zstd}};

static void streams_are_restored_however_they_are_cut(void **state)
{
    (void)state;
    static const size_t pieces[][2] = {{ROOM, ROOM}, {1, 4096}, {4096, 1}, {7, 13}, {65536, 32768}, {100, ROOM}};
    for (size_t k = 0; k < BW_LENGTH(kinds); k++) {
        size_t len = kinds[k].pack(packed, text, TEXT);
        assert_int_equal(bw_compression_guess(packed, len), kinds[k].kind);
        for (size_t i = 0; i < BW_LENGTH(pieces); i++) {
            struct bw_error err = {0};
            bool warned;
            assert_int_equal(run(kinds[k].kind, packed, len, pieces[i][0], pieces[i][1], &warned, &err), TEXT);
            assert_memory_equal(unpacked, text, TEXT);
            assert_false(warned);
        }
    }
    struct bw_error err = {0};
    assert_int_equal(run(BW_PLAIN, text, TEXT, 1000, 333, NULL, &err), TEXT);
    assert_memory_equal(unpacked, text, TEXT);
}

static void members_follow_each_other(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 5, 4096, ROOM};
    for (size_t k = 0; k < BW_LENGTH(kinds); k++) {
        size_t len = kinds[k].pack(packed, text, 100);
        len += kinds[k].pack(packed + len, "", 0);
        len += kinds[k].pack(packed + len, text + 100, 50000);
        for (size_t i = 0; i < BW_LENGTH(pieces); i++) {
            struct bw_error err = {0};
            assert_int_equal(run(kinds[k].kind, packed, len, pieces[i], pieces[i], NULL, &err), 50100);
            assert_memory_equal(unpacked, text, 50100);
        }
    }
}

/* Extra field, name, comment and checksum, in every combination, cut at every place. */
static void headers_are_read_however_they_are_cut(void **state)
{
    (void)state;
    for (unsigned parts = 0; parts < 16; parts++) {
        uint8_t extra[] = "extra", name[] = "name", comment[] = "comment";
        gz_header header = {.extra = parts & 1 ? extra : NULL,
                            .extra_len = sizeof(extra),
                            .name = parts & 2 ? name : NULL,
                            .comment = parts & 4 ? comment : NULL,
                            .hcrc = parts & 8};
        z_stream pack = {.next_in = text, .avail_in = 1000, .next_out = packed, .avail_out = ROOM};
        assert_int_equal(deflateInit2(&pack, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflateSetHeader(&pack, &header), Z_OK);
        assert_int_equal(deflate(&pack, Z_FINISH), Z_STREAM_END);
        deflateEnd(&pack);
        for (size_t piece = 1; piece < 64; piece++) {
            struct bw_error err = {0};
            if (run(BW_GZIP, packed, ROOM - pack.avail_out, piece, ROOM, NULL, &err) != 1000)
                fail_msg("parts %u in pieces of %zu: %s", parts, piece, err.message);
        }
        if (!(parts & 8))
            continue;
        struct bw_error err = {0};
        packed[4] ^= 1; /* the time */
        assert_int_equal(run(BW_GZIP, packed, ROOM - pack.avail_out, ROOM, ROOM, NULL, &err), -1);
        packed[4] ^= 1;
    }
}

static void skippable_frames_are_skipped(void **state)
{
    (void)state;
    static const uint8_t frame[] = {0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
    struct bw_error err = {0};
    memcpy(packed, frame, sizeof(frame));
    size_t len = sizeof(frame) + zstd(packed + sizeof(frame), text, 1000);
    memcpy(packed + len, frame, sizeof(frame));
    assert_int_equal(bw_compression_guess(packed, len), BW_ZSTD);
    assert_int_equal(run(BW_ZSTD, packed, len + sizeof(frame), 1, 100, NULL, &err), 1000);
    assert_memory_equal(unpacked, text, 1000);
}

static void zeros_behind_the_end_are_fine_and_other_bytes_are_told(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, ROOM};
    for (size_t i = 0; i < BW_LENGTH(pieces); i++) {
        for (size_t k = 0; k < BW_LENGTH(kinds); k++) {
            bool warned;
            struct bw_error err = {0};
            size_t len = kinds[k].pack(packed, text, 1000);
            memset(packed + len, 0, 1000);
            assert_int_equal(run(kinds[k].kind, packed, len + 1000, pieces[i], 100, &warned, &err), 1000);
            assert_false(warned);
            packed[len + 999] = 'x';
            assert_int_equal(run(kinds[k].kind, packed, len + 1000, pieces[i], 100, &warned, &err), 1000);
            assert_true(warned);
        }
    }
}

/* Every cut is noticed, every flipped bit of a gzip trailer, and no flipped byte gives the same text. */
static void damage_is_noticed(void **state)
{
    (void)state;
    for (size_t k = 0; k < BW_LENGTH(kinds); k++) {
        struct bw_error err = {0};
        size_t len = kinds[k].pack(packed, text, 2000);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(run(kinds[k].kind, packed, cut, ROOM, ROOM, NULL, &err), -1);
            assert_int_equal(err.code, BW_EINPUT);
            assert_string_equal(err.detail, "layer_corrupt");
        }
    }
    size_t len = gzip(packed, text, 2000);
    for (size_t bit = 0; bit < 64; bit++) {
        struct bw_error err = {0};
        packed[len - 8 + bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(run(BW_GZIP, packed, len, ROOM, ROOM, NULL, &err), -1);
        packed[len - 8 + bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t at = 10; at < len - 8; at++) {
        struct bw_error err = {0};
        packed[at] ^= 0x55;
        assert_int_equal(run(BW_GZIP, packed, len, 100, 100, NULL, &err), -1);
        packed[at] ^= 0x55;
    }
}

static void kinds_are_told_by_the_first_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        enum bw_compression kind;
    } cases[] = {
        {"\x1f\x8b\x08\x00", 4, BW_GZIP},
        {"\x28\xb5\x2f\xfd", 4, BW_ZSTD},
        {"\x50\x2a\x4d\x18", 4, BW_ZSTD},
        {"\x5f\x2a\x4d\x18", 4, BW_ZSTD},
        {"\x60\x2a\x4d\x18", 4, BW_PLAIN},
        {"etc/", 4, BW_PLAIN},
        {"\x1f\x8b\x08", 3, BW_COMPRESSION_UNKNOWN},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++)
        assert_int_equal(bw_compression_guess(cases[i].bytes, cases[i].len), cases[i].kind);
}

static long unpack_zeros(uint64_t size, uint64_t max_bytes, unsigned max_ratio, struct bw_error *err)
{
    uint8_t *zeros = bw_memory_zeroed(1, 1024 * 1024), *out = bw_memory_zeroed(1, 1024 * 1024);
    size_t room = size / 500 + 100000, at = 0, len;
    uint8_t *bomb = bw_memory_zeroed(1, room);
    z_stream pack = {.next_out = bomb, .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&pack, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    for (uint64_t done = 0; done < size; done += 1024 * 1024) {
        pack.next_in = zeros;
        pack.avail_in = 1024 * 1024;
        assert_int_equal(deflate(&pack, done + 1024 * 1024 >= size ? Z_FINISH : Z_NO_FLUSH) < 0, 0);
    }
    len = room - pack.avail_out;
    deflateEnd(&pack);
    struct bw_decompress *stream = bw_decompress_create(BW_GZIP, max_bytes, max_ratio);
    long n, made = 0;
    do {
        size_t left = len - at < 4096 ? len - at : 4096;
        n = bw_decompress_step(stream, out, 1024 * 1024, bomb + at, &left, err);
        at += n < 0 ? 0 : left;
        made += n;
    } while (n > 0 || (n == 0 && at < len));
    bw_decompress_destroy(stream);
    free(zeros);
    free(out);
    free(bomb);
    return n < 0 ? -1 : made;
}

static void bombs_are_defused(void **state)
{
    (void)state;
    struct bw_error err = {0};
    assert_int_equal(unpack_zeros(10 * BW_MIB, 10 * BW_MIB, 200, &err), 10 * BW_MIB); /* small enough for any ratio */
    assert_int_equal(unpack_zeros(10 * BW_MIB, 10 * BW_MIB - 1, 200, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    assert_string_equal(err.detail, "decompression_bomb");
    err = (struct bw_error){0};
    assert_int_equal(unpack_zeros(80 * BW_MIB, BW_GIB, 200, &err), -1);
    assert_string_equal(err.detail, "decompression_bomb");
    assert_int_equal(unpack_zeros(80 * BW_MIB, BW_GIB, 2000, &err), 80 * BW_MIB);
}

static void a_window_past_128_mib_is_refused(void **state)
{
    (void)state;
    /* magic, descriptor without a size, window descriptor of 2^28, then a last raw block of nothing */
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3, 0x01, 0x00, 0x00};
    static const uint8_t fits[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x01, 0x00, 0x00};
    struct bw_error err = {0};
    assert_int_equal(run(BW_ZSTD, frame, sizeof(frame), ROOM, ROOM, NULL, &err), -1);
    assert_string_equal(err.detail, "layer_format");
    assert_int_equal(run(BW_ZSTD, fits, sizeof(fits), ROOM, ROOM, NULL, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_restored_however_they_are_cut),
        cmocka_unit_test(members_follow_each_other),
        cmocka_unit_test(headers_are_read_however_they_are_cut),
        cmocka_unit_test(skippable_frames_are_skipped),
        cmocka_unit_test(zeros_behind_the_end_are_fine_and_other_bytes_are_told),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(kinds_are_told_by_the_first_bytes),
        cmocka_unit_test(bombs_are_defused),
        cmocka_unit_test(a_window_past_128_mib_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
