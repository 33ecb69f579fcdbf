#ifndef BW_IMAGE_DIGEST_H
#define BW_IMAGE_DIGEST_H

#include "base/sha256.h"
#include "base/str.h"

/* A content address of the OCI image specification: "sha256:<64 hex>" or "sha512:<128 hex>", lower case only. */
enum { BW_DIGEST_TEXT_MAX = 7 + 128 + 1 };

struct bw_digest {
    char text[BW_DIGEST_TEXT_MAX]; /* "" for none */
};

int bw_digest_parse(struct bw_digest *out, const char *text, size_t len, struct bw_error *err) BW_MUST_CHECK;
bool bw_digest_equal(const struct bw_digest *a, const struct bw_digest *b);
enum bw_hash_kind bw_digest_kind(const struct bw_digest *digest);
const char *bw_digest_hex(const struct bw_digest *digest);               /* what follows the colon */
void bw_digest_short(char out[13], const struct bw_digest *digest);      /* the first 12 hex digits, for messages */
void bw_digest_of(struct bw_digest *out, const void *bytes, size_t len); /* sha256 */

#endif
