#ifndef BW_BASE_CERTIFICATE_H
#define BW_BASE_CERTIFICATE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* X.509 by libcrypto: a self-signed CA and a serving certificate under it, ECDSA P-256, SHA-256. */
enum { BW_CERTIFICATE_BACKDATED_S = 300 }; /* notBefore lies so far back: clocks differ */

struct bw_certificate_request {
    const char *common_name;
    const char *const *dns_names; /* NULL-terminated; may be NULL */
    const char *const *addresses; /* IP SANs; NULL-terminated; may be NULL */
    int64_t lifetime_s;
};

/* PEM texts in the arena. */
int bw_certificate_make_ca(const char **certificate_out, const char **key_out,
                           const struct bw_certificate_request *request, struct bw_arena *arena,
                           struct bw_error *err) BW_MUST_CHECK;
int bw_certificate_make_leaf(const char **certificate_out, const char **key_out,
                             const struct bw_certificate_request *request, const char *ca_certificate,
                             const char *ca_key, struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;

/* What a certificate file says: for `breakwater certs --show`, readiness and the log. -1 if it is not PEM X.509. */
struct bw_certificate_facts {
    const char *subject, *issuer;
    const char *const *names; /* SANs, NULL-terminated */
    int64_t not_before_s, not_after_s;
};
int bw_certificate_read(struct bw_certificate_facts *out, const char *pem, size_t len, struct bw_arena *arena,
                        struct bw_error *err) BW_MUST_CHECK;
/* The certificates of a PEM text, each with its own lines; other blocks are passed over. At most BW_MAX_CERTIFICATES.
 */
int bw_certificate_split(const char *const **out, size_t *n_out, const char *pem, struct bw_arena *arena,
                         struct bw_error *err) BW_MUST_CHECK;
/* Whether the CA's key signed the certificate, at whatever time. */
bool bw_certificate_signed_by(const char *certificate, const char *ca);
/* 0 if the key belongs to the certificate. */
int bw_certificate_key_matches(const char *certificate, const char *key, struct bw_error *err) BW_MUST_CHECK;

#endif
