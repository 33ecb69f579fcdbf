#ifndef BW_BASE_SHA256_STREAM_H
#define BW_BASE_SHA256_STREAM_H

#include "base/sha256.h"

/*
 * SHA-256 of two streams that share bytes: a layer and the file that lies in it. Blocks of the two that coincide, as
 * they do in a tar, cost little more than blocks of one: the message schedule is made once, and the rounds of one fill
 * the pauses of the other. With the SHA extensions of x86; libcrypto elsewhere.
 */
struct bw_sha256 {
    uint32_t state[8];
    uint64_t len;
    uint8_t block[64];    /* len % 64 bytes that are no whole block yet */
    struct bw_hash *hash; /* in place of all that where the processor lacks the instructions */
};

void bw_sha256_init(struct bw_sha256 *sha);  /* begun */
void bw_sha256_clear(struct bw_sha256 *sha); /* {0} is fine */
void bw_sha256_begin(struct bw_sha256 *sha);
void bw_sha256_update(struct bw_sha256 *sha, const void *bytes, size_t len);
void bw_sha256_update_both(struct bw_sha256 *a, struct bw_sha256 *b, const void *bytes, size_t len);
void bw_sha256_finish(struct bw_sha256 *sha, uint8_t out[BW_SHA256_BYTES]);

#endif
