/* SHA-256 (FIPS 180-4) of two streams at a time (base/sha256_stream.h). */
#include "base/sha256_stream.h"

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { BLOCK = 64 };

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define WITH_SHA __attribute__((target("sha,ssse3,sse4.1")))

struct lane { /* the eight words as the instructions want them */
    __m128i abef, cdgh;
};

WITH_SHA static inline struct lane load(const uint32_t *state)
{
    __m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    return (struct lane){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

WITH_SHA static inline void store(uint32_t *state, struct lane lane)
{
    __m128i feba = _mm_shuffle_epi32(lane.abef, 0x1b), dchg = _mm_shuffle_epi32(lane.cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Four rounds. */
WITH_SHA static inline void rounds(struct lane *lane, __m128i words)
{
    lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, words);
    lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(words, 0x0e));
}

/* One block into one lane or two. */
WITH_SHA static inline __attribute__((always_inline)) void compress(struct lane *lanes, int n, const uint8_t *block)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    struct lane before[2];
    __m128i w[4];
    for (int k = 0; k < n; k++) {
        before[k] = lanes[k];
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        if (i < 4) {
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(block + 16 * i)), swap);
        } else { /* the words of the next four rounds out of the sixteen before */
            __m128i older = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
            __m128i newer = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
            w[i & 3] = _mm_sha256msg2_epu32(_mm_add_epi32(older, newer), w[(i + 3) & 3]);
        }
        __m128i words =
            _mm_add_epi32(w[i & 3], _mm_loadu_si128((const __m128i *)(const void *)(constants + 4 * (size_t)i)));
        for (int k = 0; k < n; k++) {
            rounds(&lanes[k], words);
        }
    }
    for (int k = 0; k < n; k++) {
        lanes[k].abef = _mm_add_epi32(lanes[k].abef, before[k].abef);
        lanes[k].cdgh = _mm_add_epi32(lanes[k].cdgh, before[k].cdgh);
    }
}

WITH_SHA static void compress_one(uint32_t *state, const uint8_t *blocks, size_t n)
{
    struct lane lane = load(state);
    for (; n > 0; n--, blocks += BLOCK) {
        compress(&lane, 1, blocks);
    }
    store(state, lane);
}

WITH_SHA static void compress_two(uint32_t *a, uint32_t *b, const uint8_t *blocks, size_t n)
{
    struct lane lanes[2] = {load(a), load(b)};
    for (; n > 0; n--, blocks += BLOCK) {
        compress(lanes, 2, blocks);
    }
    store(a, lanes[0]);
    store(b, lanes[1]);
}

static bool has_instructions(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    bool vectors = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_SSSE3) != 0 && (c & bit_SSE4_1) != 0;
    return vectors && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}
#else
static void compress_one(uint32_t *state, const uint8_t *blocks, size_t n)
{
    (void)state;
    (void)blocks;
    (void)n;
}

static void compress_two(uint32_t *a, uint32_t *b, const uint8_t *blocks, size_t n)
{
    (void)a;
    (void)b;
    (void)blocks;
    (void)n;
}

static bool has_instructions(void)
{
    return false;
}
#endif

static bool usable;
static pthread_once_t asked = PTHREAD_ONCE_INIT;

static void ask(void)
{
    usable = has_instructions();
}

void bw_sha256_init(struct bw_sha256 *sha)
{
    (void)pthread_once(&asked, ask);
    *sha = (struct bw_sha256){.hash = usable ? NULL : bw_hash_create(BW_SHA256)};
    bw_sha256_begin(sha);
}

void bw_sha256_clear(struct bw_sha256 *sha)
{
    bw_hash_destroy(sha->hash);
    *sha = (struct bw_sha256){0};
}

void bw_sha256_begin(struct bw_sha256 *sha)
{
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    if (sha->hash != NULL) {
        bw_hash_begin(sha->hash);
        return;
    }
    memcpy(sha->state, first, sizeof(first));
    sha->len = 0;
}

/* Whole blocks out of what is left over and what comes. */
void bw_sha256_update(struct bw_sha256 *sha, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    if (sha->hash != NULL) {
        bw_hash_update(sha->hash, bytes, len);
        return;
    }
    size_t have = sha->len % BLOCK;
    sha->len += len;
    if (have > 0) {
        size_t n = BLOCK - have > len ? len : BLOCK - have;
        memcpy(sha->block + have, at, n);
        at += n;
        len -= n;
        if (have + n < BLOCK) {
            return;
        }
        compress_one(sha->state, sha->block, 1);
    }
    compress_one(sha->state, at, len / BLOCK);
    if (len % BLOCK > 0) {
        memcpy(sha->block, at + len - len % BLOCK, len % BLOCK);
    }
}

void bw_sha256_update_both(struct bw_sha256 *a, struct bw_sha256 *b, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    if (a->hash == NULL && b->hash == NULL && a->len % BLOCK == b->len % BLOCK) {
        size_t head = (BLOCK - a->len % BLOCK) % BLOCK;
        head = head > len ? len : head;
        bw_sha256_update(a, at, head);
        bw_sha256_update(b, at, head);
        at += head;
        len -= head;
        size_t n = a->len % BLOCK == 0 ? len / BLOCK : 0;
        compress_two(a->state, b->state, at, n);
        a->len += n * BLOCK;
        b->len += n * BLOCK;
        at += n * BLOCK;
        len -= n * BLOCK;
    }
    bw_sha256_update(a, at, len);
    bw_sha256_update(b, at, len);
}

void bw_sha256_finish(struct bw_sha256 *sha, uint8_t out[BW_SHA256_BYTES])
{
    if (sha->hash != NULL) {
        (void)bw_hash_finish(sha->hash, out);
        return;
    }
    uint8_t tail[2 * BLOCK] = {0};
    size_t have = sha->len % BLOCK, size = have + 9 > BLOCK ? 2 * BLOCK : BLOCK;
    uint64_t bits = sha->len * 8;
    memcpy(tail, sha->block, have);
    tail[have] = 0x80;
    for (size_t i = 0; i < 8; i++) {
        tail[size - 1 - i] = (uint8_t)(bits >> (8 * i));
    }
    compress_one(sha->state, tail, size / BLOCK);
    for (size_t i = 0; i < BW_SHA256_BYTES; i++) {
        out[i] = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}
