#ifndef BW_BASE_SHA256_H
#define BW_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* Streaming digests over libcrypto with methods fetched once; a context can be reused without allocation. */
enum bw_hash_kind { BW_SHA256, BW_SHA512, BW_SHA1, BW_MD5 };
enum { BW_HASH_MAX = 64, BW_SHA256_BYTES = 32, BW_SHA1_BYTES = 20, BW_MD5_BYTES = 16 };

struct bw_hash; /* opaque; one thread at a time */

struct bw_hash *bw_hash_create(enum bw_hash_kind kind);
void bw_hash_destroy(struct bw_hash *hash); /* NULL is fine */
void bw_hash_begin(struct bw_hash *hash);
void bw_hash_update(struct bw_hash *hash, const void *bytes, size_t len);
size_t bw_hash_finish(struct bw_hash *hash, uint8_t *out); /* returns the digest's size */

/* The whole in one call, as lower-case hex with a NUL (at most 2 * BW_HASH_MAX + 1). */
void bw_hash_hex(char *out, enum bw_hash_kind kind, const void *bytes, size_t len);

#endif
