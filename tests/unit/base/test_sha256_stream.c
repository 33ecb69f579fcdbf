/* Two digests at a time against libcrypto's one: every length, every cut, streams that coincide and that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sha256_stream.h"
#include "base/str.h"

#include <stdbool.h>
#include <string.h>

enum { MOST = 700 };

static uint8_t bytes[MOST + 64];

/* As on a processor without the instructions. */
static void make(struct bw_sha256 *sha, bool portable)
{
    bw_sha256_init(sha);
    if (portable && sha->hash == NULL) {
        sha->hash = bw_hash_create(BW_SHA256);
    }
}

static int fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 167 + (i >> 3));
    }
    return 0;
}

static void assert_digest(struct bw_sha256 *sha, const void *of, size_t len)
{
    uint8_t raw[BW_SHA256_BYTES];
    char is[2 * BW_HASH_MAX + 1], expected[2 * BW_HASH_MAX + 1];
    bw_sha256_finish(sha, raw);
    bw_hex_encode(is, raw, sizeof(raw));
    bw_hash_hex(expected, BW_SHA256, of, len);
    assert_string_equal(is, expected);
}

static void every_length_agrees(void **state)
{
    (void)state;
    struct bw_sha256 sha;
    bw_sha256_init(&sha);
    for (size_t len = 0; len <= MOST; len++) {
        bw_sha256_begin(&sha);
        bw_sha256_update(&sha, bytes, len);
        assert_digest(&sha, bytes, len);
    }
    bw_sha256_clear(&sha);
}

static void every_cut_agrees(void **state)
{
    (void)state;
    struct bw_sha256 sha;
    bw_sha256_init(&sha);
    for (size_t cut = 0; cut <= 300; cut++) {
        bw_sha256_begin(&sha);
        bw_sha256_update(&sha, bytes, cut);
        bw_sha256_update(&sha, bytes + cut, 1);
        bw_sha256_update(&sha, bytes + cut + 1, 300 - cut);
        assert_digest(&sha, bytes, 301);
    }
    bw_sha256_clear(&sha);
}

/* `before` bytes into one, `len` into both, `after` into one. */
static void assert_both_agree(bool portable_stream, bool portable_file)
{
    static const size_t befores[] = {0, 1, 63, 64, 65, 128, 130}, afters[] = {0, 1, 64, 70};
    struct bw_sha256 stream, file;
    make(&stream, portable_stream);
    make(&file, portable_file);
    for (size_t i = 0; i < BW_LENGTH(befores); i++) {
        for (size_t len = 0; len <= 400; len++) {
            size_t before = befores[i], after = afters[len % BW_LENGTH(afters)], cut = len * 7 % (len + 1);
            bw_sha256_begin(&stream);
            bw_sha256_begin(&file);
            bw_sha256_update(&stream, bytes, before);
            bw_sha256_update_both(&stream, &file, bytes + before, cut);
            bw_sha256_update_both(&stream, &file, bytes + before + cut, len - cut);
            bw_sha256_update(&stream, bytes + before + len, after);
            assert_digest(&file, bytes + before, len);
            assert_digest(&stream, bytes, before + len + after);
        }
    }
    bw_sha256_clear(&stream);
    bw_sha256_clear(&file);
}

static void a_stream_and_a_file_in_it_agree(void **state)
{
    (void)state;
    assert_both_agree(false, false);
    assert_both_agree(true, true);
    assert_both_agree(true, false);
}

static void known_answers_hold(void **state)
{
    (void)state;
    static const struct { /* FIPS 180-4 examples */
        const char *text, *digest;
    } rows[] = {
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    struct bw_sha256 sha;
    bw_sha256_init(&sha);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        uint8_t raw[BW_SHA256_BYTES];
        char hex[2 * BW_SHA256_BYTES + 1];
        bw_sha256_begin(&sha);
        bw_sha256_update(&sha, rows[i].text, strlen(rows[i].text));
        bw_sha256_finish(&sha, raw);
        bw_hex_encode(hex, raw, sizeof(raw));
        assert_string_equal(hex, rows[i].digest);
    }
    bw_sha256_clear(&sha);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_agrees),
        cmocka_unit_test(every_cut_agrees),
        cmocka_unit_test(a_stream_and_a_file_in_it_agree),
        cmocka_unit_test(known_answers_hold),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
