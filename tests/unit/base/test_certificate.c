/* base/certificate: a CA and a leaf that OpenSSL itself verifies for TLS servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/certificate.h"
#include "base/deadline.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static const char *const names[] = {"breakwater.breakwater.svc", "breakwater, DNS:evil.example", NULL};
static const char *const addresses[] = {"10.0.0.1", "::1", NULL};
static const struct bw_certificate_request ca_request = {.common_name = "breakwater CA", .lifetime_s = 10 * 86400};
static const struct bw_certificate_request leaf_request = {
    .common_name = "breakwater", .dns_names = names, .addresses = addresses, .lifetime_s = 3600};

static X509 *parsed(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return certificate;
}

static int verify(const char *leaf, const char *ca)
{
    X509 *leaf_parsed = parsed(leaf), *ca_parsed = parsed(ca);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca_parsed);
    X509_STORE_CTX_init(context, store, leaf_parsed, NULL);
    X509_STORE_CTX_set_default(context, "ssl_server");
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
    int ok = X509_verify_cert(context);
    if (ok != 1)
        print_message("%s\n", X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(leaf_parsed);
    X509_free(ca_parsed);
    return ok;
}

static void a_leaf_verifies_under_its_ca_alone(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 100000);
    struct bw_error err = {0};
    const char *ca, *ca_key, *other, *other_key, *leaf, *key;
    assert_int_equal(bw_certificate_make_ca(&ca, &ca_key, &ca_request, &arena, &err), 0);
    assert_int_equal(bw_certificate_make_ca(&other, &other_key, &ca_request, &arena, &err), 0);
    assert_int_equal(bw_certificate_make_leaf(&leaf, &key, &leaf_request, ca, ca_key, &arena, &err), 0);
    assert_int_equal(verify(leaf, ca), 1);
    assert_int_not_equal(verify(leaf, other), 1);
    X509 *certificate = parsed(leaf);
    assert_int_equal(X509_check_host(certificate, "breakwater.breakwater.svc", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "evil.example", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(certificate, "::1", 0), 1);
    assert_int_equal(X509_check_ca(certificate), 0);
    assert_true(X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE);
    assert_false(X509_get_extension_flags(certificate) & EXFLAG_CA);
    assert_int_equal(X509_get_extended_key_usage(certificate), XKU_SSL_SERVER);
    assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(certificate)), 16);
    X509 *issuer = parsed(ca);
    assert_int_equal(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
    assert_non_null(X509_get0_subject_key_id(certificate));
    assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(certificate), X509_get0_subject_key_id(issuer)),
                     0);
    X509_free(issuer);
    X509_free(certificate);
    certificate = parsed(ca);
    assert_int_equal(X509_check_ca(certificate), 1);
    assert_int_equal(X509_get_key_usage(certificate), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    X509_free(certificate);
    assert_int_equal(bw_certificate_key_matches(leaf, key, &err), 0);
    assert_int_equal(bw_certificate_key_matches(leaf, ca_key, &err), -1);
    assert_string_equal(err.message, "the private key does not belong to the certificate");
    assert_int_equal(bw_certificate_key_matches(leaf, "no key", &err), -1);
    assert_int_equal(bw_certificate_key_matches("no certificate", key, &err), -1);
    assert_int_equal(bw_certificate_make_leaf(&leaf, &key, &leaf_request, ca, other_key, &arena, &err), -1);
    assert_int_equal(err.code, BW_EINPUT);
}

static void facts_are_read_back(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 100000);
    struct bw_error err = {0};
    struct bw_certificate_facts facts;
    const char *ca, *ca_key, *leaf, *key;
    assert_int_equal(bw_certificate_make_ca(&ca, &ca_key, &ca_request, &arena, &err), 0);
    assert_int_equal(bw_certificate_make_leaf(&leaf, &key, &leaf_request, ca, ca_key, &arena, &err), 0);
    assert_int_equal(bw_certificate_read(&facts, leaf, strlen(leaf), &arena, &err), 0);
    assert_string_equal(facts.subject, "CN=breakwater");
    assert_string_equal(facts.issuer, "CN=breakwater CA");
    static const char *const expected[] = {"breakwater.breakwater.svc", "breakwater, DNS:evil.example", "10.0.0.1",
                                           "::1"};
    for (size_t i = 0; i < BW_LENGTH(expected); i++)
        assert_string_equal(facts.names[i], expected[i]);
    assert_null(facts.names[BW_LENGTH(expected)]);
    int64_t now = bw_wall_s();
    assert_in_range(now - facts.not_before_s, 300, 360);
    assert_in_range(facts.not_after_s - now, 3540, 3600);
    assert_int_equal(bw_certificate_read(&facts, ca, strlen(ca), &arena, &err), 0);
    assert_null(facts.names[0]);
    static const char *const none[] = {"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < BW_LENGTH(none); i++) {
        assert_int_equal(bw_certificate_read(&facts, none[i], strlen(none[i]), &arena, &err), -1);
        assert_int_equal(err.code, BW_EINPUT);
    }
}

static void a_bundle_of_cas_is_taken_apart(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 1000000);
    struct bw_error err = {0};
    const char *one, *two, *key, *leaf, *leaf_key, *const *parts;
    size_t n;
    assert_int_equal(bw_certificate_make_ca(&two, &key, &ca_request, &arena, &err), 0);
    assert_int_equal(bw_certificate_make_ca(&one, &key, &ca_request, &arena, &err), 0);
    assert_int_equal(bw_certificate_make_leaf(&leaf, &leaf_key, &leaf_request, one, key, &arena, &err), 0);
    const char *bundle = bw_arena_printf(&arena, "# ours\n%s%s\n%s-----BEGIN CERTIFICATE-----\ncut", one, key, two);
    assert_int_equal(bw_certificate_split(&parts, &n, bundle, &arena, &err), 0);
    assert_int_equal(n, 2);
    assert_string_equal(parts[0], one);
    assert_string_equal(parts[1], two);
    assert_null(parts[2]);
    assert_true(bw_certificate_signed_by(leaf, parts[0]));
    assert_false(bw_certificate_signed_by(leaf, parts[1])); /* of the same name */
    assert_true(bw_certificate_signed_by(one, one));
    assert_false(bw_certificate_signed_by(leaf, "no certificate"));
    assert_false(bw_certificate_signed_by("", one));
    assert_int_equal(bw_certificate_split(&parts, &n, "", &arena, &err), 0);
    assert_int_equal(n, 0);
    char *many = bw_arena_alloc(&arena, 17 * strlen(one) + 1);
    for (size_t i = 0; i < 17; i++)
        memcpy(many + i * strlen(one), one, strlen(one));
    assert_int_equal(bw_certificate_split(&parts, &n, many, &arena, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 100000);
    struct bw_error err = {0};
    const char *certificate, *key;
    static const char *const bad[] = {"10.0.0.256", NULL};
    struct bw_certificate_request request = {.common_name = "x", .addresses = bad, .lifetime_s = 60};
    assert_int_equal(bw_certificate_make_ca(&certificate, &key, &request, &arena, &err), -1);
    assert_string_equal(err.message, "'10.0.0.256' is not an IP address");
    request = (struct bw_certificate_request){.common_name = "x"};
    assert_int_equal(bw_certificate_make_ca(&certificate, &key, &request, &arena, &err), -1);
    assert_int_equal(err.code, BW_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leaf_verifies_under_its_ca_alone),
        cmocka_unit_test(facts_are_read_back),
        cmocka_unit_test(a_bundle_of_cas_is_taken_apart),
        cmocka_unit_test(bad_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
