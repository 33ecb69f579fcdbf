#ifndef BW_WEBHOOK_TLS_H
#define BW_WEBHOOK_TLS_H

#include "webhook/config.h"

#include <openssl/ssl.h>

/* A server context by the settings of tls.*: TLS >= 1.2, no renegotiation, no tickets, ALPN http/1.1 alone; clients
 * show a certificate if a CA of theirs is configured. The key must belong to the certificate. *not_after_out: when the
 * certificate ends, seconds since 1970. */
int bw_tls_load(SSL_CTX **out, int64_t *not_after_out, const struct bw_config *config,
                struct bw_error *err) BW_MUST_CHECK;

#endif
