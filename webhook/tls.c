/* The webhook's TLS context. HTTP/2 is not offered: the API server does not use it for webhooks, and it would only add
 * attack surface. */
#include "webhook/tls.h"

#include "base/certificate.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/watch_dir.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *payload)
{
    static const unsigned char offered[] = "\x08http/1.1";
    (void)ssl;
    (void)payload;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_len, offered, sizeof(offered) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int refuse(struct bw_error *err, const char *file, const char *what)
{
    unsigned long code = ERR_get_error();
    const char *why = code == 0 ? NULL : ERR_reason_error_string(code);
    ERR_clear_error();
    return bw_error_detail(err, BW_EINPUT, "certificate", "%s: %s%s%s", file, what, why == NULL ? "" : ": ",
                           why == NULL ? "" : why);
}

/* ---- clients ---- */

struct allowed {
    size_t n;
    char *names[];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int allowed_index = -1; /* of a context's struct allowed */

static void free_allowed(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long argl, void *argp)
{
    struct allowed *allowed = data;
    (void)parent;
    (void)all;
    (void)index;
    (void)argl;
    (void)argp;
    for (size_t i = 0; allowed != NULL && i < allowed->n; i++) {
        free(allowed->names[i]);
    }
    free(allowed);
}

static void make_index(void)
{
    allowed_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_allowed);
}

static bool has_name(X509 *certificate, const char *name)
{
    char common[256];
    int len = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common, sizeof(common));
    return (len > 0 && strlen(common) == (size_t)len && strcmp(common, name) == 0) ||
           X509_check_host(certificate, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS,
                           NULL) == 1;
}

/* OpenSSL has judged the chain; the names are left. */
static int judge_client(int chain_holds, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct allowed *allowed = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), allowed_index);
    if (!chain_holds || X509_STORE_CTX_get_error_depth(store) > 0 || allowed == NULL) {
        return chain_holds;
    }
    for (size_t i = 0; i < allowed->n; i++) {
        if (has_name(X509_STORE_CTX_get_current_cert(store), allowed->names[i])) {
            return 1;
        }
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
    return 0;
}

static int ask_for_clients(SSL_CTX *tls, const struct bw_config *config, struct bw_error *err)
{
    size_t n = 0;
    while (config->client_names != NULL && config->client_names[n] != NULL) {
        n++;
    }
    if (config->client_ca_file == NULL) {
        return n == 0 ? 0 : bw_error_set(err, BW_EINPUT, "tls.clientNames has no effect without tls.clientCA");
    }
    STACK_OF(X509_NAME) *issuers = SSL_load_client_CA_file(config->client_ca_file);
    if (issuers == NULL || SSL_CTX_load_verify_file(tls, config->client_ca_file) != 1) {
        sk_X509_NAME_pop_free(issuers, X509_NAME_free);
        return refuse(err, config->client_ca_file, "holds no CA certificates in PEM");
    }
    SSL_CTX_set_client_CA_list(tls, issuers);
    if (n > 0) {
        (void)pthread_once(&once, make_index);
        struct allowed *allowed = bw_memory_zeroed(1, sizeof(*allowed) + n * sizeof(allowed->names[0]));
        for (allowed->n = 0; allowed->n < n; allowed->n++) {
            const char *name = config->client_names[allowed->n];
            allowed->names[allowed->n] = bw_memory_strndup(name, strlen(name));
        }
        (void)SSL_CTX_set_ex_data(tls, allowed_index, allowed);
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, n > 0 ? judge_client : NULL);
    return 0;
}

/* ---- the context ---- */

static int read_pair(int64_t *not_after_out, const char *cert_file, const char *key_file, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    char *certificate = NULL, *key = NULL;
    size_t certificate_len = 0, key_len = 0;
    struct bw_certificate_facts facts = {0};
    bw_arena_init(&arena, BW_MIB);
    int status = bw_file_read(&certificate, &certificate_len, cert_file, BW_MAX_SETTINGS_BYTES, err);
    if (status == 0) {
        status = bw_file_read(&key, &key_len, key_file, BW_MAX_SETTINGS_BYTES, err);
    }
    if (status == 0 && bw_certificate_read(&facts, certificate, certificate_len, &arena, err) != 0) {
        status = bw_error_wrap(err, "%s", cert_file);
    }
    if (status == 0 && bw_certificate_key_matches(certificate, key, err) != 0) {
        status = bw_error_wrap(err, "%s and %s", cert_file, key_file);
    }
    if (key != NULL) {
        explicit_bzero(key, key_len);
    }
    free(certificate);
    free(key);
    *not_after_out = facts.not_after_s;
    return status;
}

int bw_tls_load(SSL_CTX **out, int64_t *not_after_out, const struct bw_config *config, struct bw_error *err)
{
    const char *cert_file = config->cert_file, *key_file = config->key_file;
    if (cert_file == NULL || key_file == NULL) {
        return bw_error_set(err, BW_EINPUT,
                            "a serving certificate is needed: tls.certFile and tls.keyFile, or --tls-cert "
                            "and --tls-key; breakwater certs makes one");
    }
    if (read_pair(not_after_out, cert_file, key_file, err) != 0) {
        return -1;
    }
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL) {
        return refuse(err, cert_file, "no TLS context could be made");
    }
    (void)SSL_CTX_set_min_proto_version(tls, config->tls_1_3_only ? TLS1_3_VERSION : TLS1_2_VERSION);
    (void)SSL_CTX_set_cipher_list(tls, "ECDHE+AESGCM:ECDHE+CHACHA20"); /* of TLS 1.2; 1.3 has no others */
    (void)SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(tls, 0);
    (void)SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(tls, select_protocol, NULL);
    int status = 0;
    if (SSL_CTX_use_certificate_chain_file(tls, cert_file) != 1) {
        status = refuse(err, cert_file, "is no certificate chain in PEM");
    } else if (SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) != 1 ||
               SSL_CTX_check_private_key(tls) != 1) {
        status = refuse(err, key_file, "is not the key of the certificate");
    } else {
        status = ask_for_clients(tls, config, err);
    }
    if (status != 0) {
        SSL_CTX_free(tls);
        return -1;
    }
    *out = tls;
    return 0;
}
