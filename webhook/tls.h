#ifndef BW_WEBHOOK_TLS_H
#define BW_WEBHOOK_TLS_H

#include "base/error.h"

#include <openssl/ssl.h>
#include <stdint.h>

/* A server context from PEM files: TLS >= 1.2, no renegotiation, no tickets, ALPN http/1.1 alone. The key must belong
 * to the certificate. *not_after_out: when the certificate ends, seconds since 1970. */
int bw_tls_load(SSL_CTX **out, int64_t *not_after_out, const char *cert_file, const char *key_file,
                struct bw_error *err) BW_MUST_CHECK;

#endif
