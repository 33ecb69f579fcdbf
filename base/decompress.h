#ifndef BW_BASE_DECOMPRESS_H
#define BW_BASE_DECOMPRESS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* gzip (RFC 1952, members one after the other, CRC32 and ISIZE checked, trailing zeros allowed), zstd (RFC 8878, frames
 * and skippable frames, window at most 128 MiB) or plain, decided by the first bytes. ISA-L inflates, zlib where
 * absent. */
enum bw_compression { BW_PLAIN, BW_GZIP, BW_ZSTD, BW_COMPRESSION_UNKNOWN };

enum bw_compression bw_compression_guess(const void *bytes, size_t len); /* needs 4 bytes; else UNKNOWN */

struct bw_decompress; /* one stream; one thread at a time */

/* A stream that produces more than max_bytes, or more than max_ratio times its input once past 64 MiB, fails with
 * BW_ELIMIT "decompression_bomb". */
struct bw_decompress *bw_decompress_create(enum bw_compression kind, uint64_t max_bytes, unsigned max_ratio);
void bw_decompress_destroy(struct bw_decompress *stream); /* NULL is fine */

/* Feed *in_len bytes at in; on return *in_len is what was consumed and the result is the number of bytes written to
 * out; 0 with all input consumed means "give more". -1: BW_EINPUT "layer_corrupt" and the like. */
long bw_decompress_step(struct bw_decompress *stream, void *out, size_t out_size, const void *in, size_t *in_len,
                        struct bw_error *err) BW_MUST_CHECK;
/* After the last input: -1 if the stream ended in the middle. */
int bw_decompress_finish(struct bw_decompress *stream, struct bw_error *err) BW_MUST_CHECK;
const char *bw_decompress_warning(const struct bw_decompress *stream); /* bytes behind the end, or NULL */

#endif
