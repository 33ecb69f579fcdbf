/* Content addresses: the two registered algorithms, lower case, nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/digest.h"

#include <string.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void digests_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"sha256:" EMPTY, true},
        {"sha512:" EMPTY EMPTY, true},
        {"sha512:" EMPTY, false},
        {"sha256:" EMPTY EMPTY, false},
        {"sha256:" EMPTY "0", false},
        {"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85", false},
        {"sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", false},
        {"sha256:g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", false},
        {"SHA256:" EMPTY, false},
        {"sha384:" EMPTY, false},
        {"md5:d41d8cd98f00b204e9800998ecf8427e", false},
        {EMPTY, false},
        {"sha256", false},
        {"sha256:", false},
        {"", false},
        {" sha256:" EMPTY, false},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_digest digest = {"untouched"};
        struct bw_error err = {0};
        assert_int_equal(bw_digest_parse(&digest, rows[i].text, strlen(rows[i].text), &err), rows[i].good ? 0 : -1);
        assert_string_equal(digest.text, rows[i].good ? rows[i].text : "untouched");
        assert_string_equal(err.detail, rows[i].good ? "" : "invalid_digest");
    }
}

static void a_nul_among_the_digits_is_refused(void **state)
{
    (void)state;
    char text[] = "sha256:" EMPTY;
    struct bw_digest digest;
    text[20] = '\0';
    assert_int_equal(bw_digest_parse(&digest, text, sizeof(text) - 1, NULL), -1);
}

static void parts_of_a_digest(void **state)
{
    (void)state;
    struct bw_digest small, large, none = {""};
    char brief[13];
    bw_digest_of(&small, "", 0);
    assert_string_equal(small.text, "sha256:" EMPTY);
    assert_string_equal(bw_digest_hex(&small), EMPTY);
    assert_int_equal(bw_digest_kind(&small), BW_SHA256);
    bw_digest_short(brief, &small);
    assert_string_equal(brief, "e3b0c44298fc");
    assert_int_equal(bw_digest_parse(&large, "sha512:" EMPTY EMPTY, 135, NULL), 0);
    assert_int_equal(bw_digest_kind(&large), BW_SHA512);
    assert_true(bw_digest_equal(&small, &small));
    assert_false(bw_digest_equal(&small, &large));
    bw_digest_short(brief, &none);
    assert_string_equal(brief, "");
    assert_string_equal(bw_digest_hex(&none), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_read),
        cmocka_unit_test(a_nul_among_the_digits_is_refused),
        cmocka_unit_test(parts_of_a_digest),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
