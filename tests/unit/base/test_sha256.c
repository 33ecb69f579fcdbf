/* base/sha256: the examples of FIPS 180-4 and RFC 1321. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/sha256.h"
#include "base/str.h"

#include <string.h>

static const struct {
    enum bw_hash_kind kind;
    const char *text, *hex;
} cases[] = {
    {BW_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {BW_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {BW_SHA512, "abc",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2"
     "a"
     "9ac94fa54ca49f"},
    {BW_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {BW_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
};

static void digests_are_those_of_the_standards(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        char hex[2 * BW_HASH_MAX + 1];
        bw_hash_hex(hex, cases[i].kind, cases[i].text, strlen(cases[i].text));
        assert_string_equal(hex, cases[i].hex);
    }
}

static void a_context_is_used_again_and_fed_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_hash *hash = bw_hash_create(cases[i].kind);
        for (int round = 0; round < 3; round++) {
            uint8_t digest[BW_HASH_MAX];
            char hex[2 * BW_HASH_MAX + 1];
            bw_hash_begin(hash);
            for (const char *c = cases[i].text; *c; c++)
                bw_hash_update(hash, c, 1);
            bw_hash_update(hash, NULL, 0);
            bw_hex_encode(hex, digest, bw_hash_finish(hash, digest));
            assert_string_equal(hex, cases[i].hex);
        }
        bw_hash_destroy(hash);
    }
    bw_hash_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standards),
        cmocka_unit_test(a_context_is_used_again_and_fed_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
