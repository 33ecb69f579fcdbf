/* X.509 version 3 by libcrypto (base/certificate.h; RFC 5280): a CA that may sign one level, and serving certificates
 * whose names are subject alternative names, as Go's verifier and so the API server wants them. */
#include "base/certificate.h"

#include "base/deadline.h"
#include "base/limits.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { SERIAL_BITS = 128 }; /* positive, and at most 20 bytes */

static int library_error(struct bw_error *err, const char *what)
{
    char reason[160];
    ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
    ERR_clear_error();
    return bw_error_set(err, BW_EINTERNAL, "%s: %s", what, reason);
}

/* --- PEM --- */

static X509 *certificate_parse(const char *pem, size_t len)
{
    BIO *bio = len > 0 && len <= INT32_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return certificate;
}

/* Never asks on a terminal for the password of an encrypted key. */
static int no_password(char *into, int size, int writing, void *payload)
{
    (void)into;
    (void)size;
    (void)writing;
    (void)payload;
    return -1;
}

static EVP_PKEY *key_parse(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static int bio_text(const char **out, BIO *bio, struct bw_arena *arena, struct bw_error *err)
{
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    if (len < 0)
        return library_error(err, "memory BIO");
    const char *text = bw_arena_strndup(arena, bytes, (size_t)len);
    if (!text)
        return bw_arena_spent(err);
    *out = text;
    return 0;
}

static int pem_write(const char **certificate_out, const char **key_out, X509 *certificate, EVP_PKEY *key,
                     struct bw_arena *arena, struct bw_error *err)
{
    BIO *certificate_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_secmem());
    const char *certificate_text, *key_text;
    int result = -1;
    if (!certificate_bio || !key_bio || !PEM_write_bio_X509(certificate_bio, certificate) ||
        !PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL))
        library_error(err, "write the certificate");
    else if (bio_text(&certificate_text, certificate_bio, arena, err) == 0 &&
             bio_text(&key_text, key_bio, arena, err) == 0)
        result = 0;
    if (result == 0) {
        *certificate_out = certificate_text;
        *key_out = key_text;
    }
    BIO_free(certificate_bio);
    BIO_free(key_bio);
    return result;
}

/* --- make --- */

static int extension_add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int added = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added ? 0 : -1;
}

static int name_push(GENERAL_NAMES *names, const char *text, bool address, struct bw_error *err)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (!name)
        return library_error(err, "subject alternative name");
    if (address) {
        ASN1_OCTET_STRING *bytes = a2i_IPADDRESS(text);
        if (!bytes) {
            GENERAL_NAME_free(name);
            ERR_clear_error();
            return bw_error_set(err, BW_EINPUT, "'%.80s' is not an IP address", text);
        }
        GENERAL_NAME_set0_value(name, GEN_IPADD, bytes);
    } else {
        ASN1_IA5STRING *string = ASN1_IA5STRING_new();
        if (!string || !ASN1_STRING_set(string, text, -1)) {
            ASN1_IA5STRING_free(string);
            GENERAL_NAME_free(name);
            return library_error(err, "subject alternative name");
        }
        GENERAL_NAME_set0_value(name, GEN_DNS, string);
    }
    if (!sk_GENERAL_NAME_push(names, name)) {
        GENERAL_NAME_free(name);
        return library_error(err, "subject alternative name");
    }
    return 0;
}

/* Built as a structure: a text for OpenSSL's extension parser would let a comma in a name begin another one. */
static int names_add(X509 *certificate, const struct bw_certificate_request *request, struct bw_error *err)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    int result = names ? 0 : library_error(err, "subject alternative names");
    for (const char *const *name = request->dns_names; result == 0 && name && *name; name++)
        result = name_push(names, *name, false, err);
    for (const char *const *name = request->addresses; result == 0 && name && *name; name++)
        result = name_push(names, *name, true, err);
    if (result == 0 && sk_GENERAL_NAME_num(names) > 0 &&
        X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1)
        result = library_error(err, "subject alternative names");
    GENERAL_NAMES_free(names);
    return result;
}

static int serial_set(X509 *certificate)
{
    BIGNUM *serial = BN_new();
    int set = serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate));
    BN_free(serial);
    return set ? 0 : -1;
}

static int subject_set(X509 *certificate, const char *common_name)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    int len = (int)strnlen(common_name, 64); /* ub-common-name; nobody reads it, the names are alternative names */
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, len, -1, 0)
               ? 0
               : -1;
}

static int frame_fill(X509 *certificate, const struct bw_certificate_request *request, EVP_PKEY *key,
                      const X509 *issuer)
{
    time_t now = (time_t)bw_wall_s();
    if (!X509_set_version(certificate, X509_VERSION_3) || serial_set(certificate) ||
        subject_set(certificate, request->common_name) ||
        !X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer : certificate)) ||
        !X509_time_adj_ex(X509_getm_notBefore(certificate), 0, -(long)BW_CERTIFICATE_BACKDATED_S, &now) ||
        !X509_time_adj_ex(X509_getm_notAfter(certificate), (int)(request->lifetime_s / 86400),
                          (long)(request->lifetime_s % 86400), &now) ||
        !X509_set_pubkey(certificate, key))
        return -1;
    return 0;
}

static int ca_extend(X509 *certificate)
{
    return extension_add(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
                   extension_add(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ||
                   extension_add(certificate, certificate, NID_subject_key_identifier, "hash") ||
                   extension_add(certificate, certificate, NID_authority_key_identifier, "keyid:always")
               ? -1
               : 0;
}

static int leaf_extend(X509 *certificate, X509 *issuer)
{
    return extension_add(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
                   extension_add(certificate, issuer, NID_key_usage, "critical,digitalSignature") ||
                   extension_add(certificate, issuer, NID_ext_key_usage, "serverAuth") ||
                   extension_add(certificate, issuer, NID_subject_key_identifier, "hash") ||
                   extension_add(certificate, issuer, NID_authority_key_identifier, "keyid:always")
               ? -1
               : 0;
}

/* Without an issuer a self-signed CA. */
static int make(const char **certificate_out, const char **key_out, const struct bw_certificate_request *request,
                X509 *issuer, EVP_PKEY *issuer_key, struct bw_arena *arena, struct bw_error *err)
{
    if (request->lifetime_s <= 0 || request->lifetime_s / 86400 > INT32_MAX)
        return bw_error_set(err, BW_EINPUT, "a certificate needs a lifetime of at least a second");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    int result = 0;
    if (!key || !certificate || frame_fill(certificate, request, key, issuer) ||
        (issuer ? leaf_extend(certificate, issuer) : ca_extend(certificate)))
        result = library_error(err, "make a certificate");
    if (result == 0)
        result = names_add(certificate, request, err);
    if (result == 0 && !X509_sign(certificate, issuer_key ? issuer_key : key, EVP_sha256()))
        result = library_error(err, "sign a certificate");
    if (result == 0)
        result = pem_write(certificate_out, key_out, certificate, key, arena, err);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return result;
}

int bw_certificate_make_ca(const char **certificate_out, const char **key_out,
                           const struct bw_certificate_request *request, struct bw_arena *arena, struct bw_error *err)
{
    return make(certificate_out, key_out, request, NULL, NULL, arena, err);
}

int bw_certificate_make_leaf(const char **certificate_out, const char **key_out,
                             const struct bw_certificate_request *request, const char *ca_certificate,
                             const char *ca_key, struct bw_arena *arena, struct bw_error *err)
{
    X509 *issuer = certificate_parse(ca_certificate, strlen(ca_certificate));
    EVP_PKEY *issuer_key = key_parse(ca_key);
    int result;
    if (!issuer || !issuer_key)
        result = bw_error_set(err, BW_EINPUT, "the CA's %s is not PEM", issuer ? "key" : "certificate");
    else if (X509_check_private_key(issuer, issuer_key) != 1)
        result = bw_error_set(err, BW_EINPUT, "the CA's key does not belong to its certificate");
    else
        result = make(certificate_out, key_out, request, issuer, issuer_key, arena, err);
    ERR_clear_error();
    X509_free(issuer);
    EVP_PKEY_free(issuer_key);
    return result;
}

/* --- read --- */

static int name_text(const char **out, const X509_NAME *name, struct bw_arena *arena, struct bw_error *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int result = bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0
                     ? bio_text(out, bio, arena, err)
                     : library_error(err, "read a name");
    BIO_free(bio);
    return result;
}

static int64_t time_s(const ASN1_TIME *time)
{
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) ? (int64_t)timegm(&parts) : 0;
}

/* DNS names and addresses; NULL in *out for other kinds. */
static int alternative_text(const char **out, const GENERAL_NAME *name, struct bw_arena *arena, struct bw_error *err)
{
    *out = NULL;
    if (name->type == GEN_DNS) {
        const unsigned char *bytes = ASN1_STRING_get0_data(name->d.dNSName);
        char *text = bw_arena_strndup(arena, (const char *)bytes, (size_t)ASN1_STRING_length(name->d.dNSName));
        if (text)
            bw_text_clean(text, false);
        *out = text;
    } else if (name->type == GEN_IPADD) {
        const unsigned char *b = ASN1_STRING_get0_data(name->d.iPAddress);
        int len = ASN1_STRING_length(name->d.iPAddress);
        char text[48];
        if ((len != 4 && len != 16) || !inet_ntop(len == 4 ? AF_INET : AF_INET6, b, text, sizeof(text)))
            return 0;
        *out = bw_arena_strdup(arena, text);
    } else {
        return 0;
    }
    return *out ? 0 : bw_arena_spent(err);
}

static int names_read(const char *const **out, const X509 *certificate, struct bw_arena *arena, struct bw_error *err)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int n = names ? sk_GENERAL_NAME_num(names) : 0, result = 0;
    size_t used = 0;
    const char **texts = bw_arena_array(arena, (size_t)n + 1, sizeof(*texts));
    if (!texts)
        result = bw_arena_spent(err);
    for (int i = 0; i < n && result == 0; i++) {
        result = alternative_text(&texts[used], sk_GENERAL_NAME_value(names, i), arena, err);
        used += result == 0 && texts[used];
    }
    GENERAL_NAMES_free(names);
    if (result == 0)
        *out = texts;
    return result;
}

int bw_certificate_read(struct bw_certificate_facts *out, const char *pem, size_t len, struct bw_arena *arena,
                        struct bw_error *err)
{
    X509 *certificate = certificate_parse(pem, len);
    if (!certificate)
        return bw_error_set(err, BW_EINPUT, "no PEM certificate (X.509)");
    struct bw_certificate_facts facts = {.not_before_s = time_s(X509_get0_notBefore(certificate)),
                                         .not_after_s = time_s(X509_get0_notAfter(certificate))};
    int result = name_text(&facts.subject, X509_get_subject_name(certificate), arena, err) ||
                         name_text(&facts.issuer, X509_get_issuer_name(certificate), arena, err) ||
                         names_read(&facts.names, certificate, arena, err)
                     ? -1
                     : 0;
    X509_free(certificate);
    ERR_clear_error();
    if (result == 0)
        *out = facts;
    return result;
}

int bw_certificate_split(const char *const **out, size_t *n_out, const char *pem, struct bw_arena *arena,
                         struct bw_error *err)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    const char **texts = bw_arena_array(arena, BW_MAX_CERTIFICATES + 1, sizeof(*texts));
    size_t n = 0;
    if (!texts)
        return bw_arena_spent(err);
    for (const char *at = pem, *stop; (at = strstr(at, begin)) && (stop = strstr(at, end)); at = stop) {
        stop += sizeof(end) - 1;
        if (n == BW_MAX_CERTIFICATES)
            return bw_error_set(err, BW_ELIMIT, "more than %d certificates in one text", BW_MAX_CERTIFICATES);
        texts[n] = bw_arena_printf(arena, "%.*s\n", (int)(stop - at), at);
        if (!texts[n++])
            return bw_arena_spent(err);
    }
    *out = texts;
    *n_out = n;
    return 0;
}

bool bw_certificate_signed_by(const char *certificate, const char *ca)
{
    X509 *parsed = certificate_parse(certificate, strlen(certificate)), *issuer = certificate_parse(ca, strlen(ca));
    bool is = parsed && issuer && X509_verify(parsed, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    X509_free(parsed);
    X509_free(issuer);
    return is;
}

int bw_certificate_key_matches(const char *certificate, const char *key, struct bw_error *err)
{
    X509 *parsed = certificate_parse(certificate, strlen(certificate));
    EVP_PKEY *parsed_key = key_parse(key);
    int result = 0;
    if (!parsed)
        result = bw_error_set(err, BW_EINPUT, "no PEM certificate (X.509)");
    else if (!parsed_key)
        result = bw_error_set(err, BW_EINPUT, "no PEM private key");
    else if (X509_check_private_key(parsed, parsed_key) != 1)
        result = bw_error_set(err, BW_EINPUT, "the private key does not belong to the certificate");
    ERR_clear_error();
    X509_free(parsed);
    EVP_PKEY_free(parsed_key);
    return result;
}
