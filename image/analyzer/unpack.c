/* Inflate and walk of one layer; a ring of pieces between them when they run on threads of their own. */
#include "image/analyzer/unpack.h"

#include "base/decompress.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 256 * 1024, PIECES = 12 };

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t filled, freed;
    size_t head; /* pieces filled since the beginning */
    size_t tail; /* pieces that are done with */
    size_t len[PIECES];
    bool over; /* nothing more comes */
    char *bytes;
};

struct bw_unpack {
    struct bw_layer_walk *walk;
    bool split;
    uint8_t magic[4];
    size_t n_magic;
    struct bw_decompress *stream;
    char *piece; /* the one being filled */
    size_t have;
    struct ring ring;
    pthread_t walker;
    bool started;
    bool plain;
    struct bw_error walk_error; /* of the walking thread */
    bool walk_failed;
};

/* Bytes that are neither compressed nor a tar are of an unknown format, rather than a damaged tar. */
static int walk_fault(const struct bw_unpack *unpack, struct bw_error *err)
{
    return unpack->plain && !bw_layer_walk_is_tar(unpack->walk)
               ? bw_error_detail(err, BW_EINPUT, "layer_format", "it is no gzip, zstd or tar stream")
               : -1;
}

/* ---- the walking thread ---- */

/* The next piece, or NULL at the end. */
static const char *next_piece(struct ring *ring, size_t *len)
{
    pthread_mutex_lock(&ring->lock);
    while (ring->tail == ring->head && !ring->over) {
        pthread_cond_wait(&ring->filled, &ring->lock);
    }
    const char *piece = NULL;
    if (ring->tail != ring->head) {
        size_t slot = ring->tail % PIECES;
        piece = ring->bytes + slot * PIECE;
        *len = ring->len[slot];
    }
    pthread_mutex_unlock(&ring->lock);
    return piece;
}

static void done_with_piece(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->tail++;
    pthread_cond_signal(&ring->freed);
    pthread_mutex_unlock(&ring->lock);
}

static void *run_walk(void *payload)
{
    struct bw_unpack *unpack = payload;
    size_t len = 0;
    bool failed = false;
    for (const char *piece = NULL; (piece = next_piece(&unpack->ring, &len)) != NULL;) {
        if (!failed && bw_layer_walk_feed(unpack->walk, piece, len, &unpack->walk_error) != 0) {
            failed = true;
            __atomic_store_n(&unpack->walk_failed, true, __ATOMIC_RELEASE);
        }
        done_with_piece(&unpack->ring);
    }
    return NULL;
}

/* ---- the writer ---- */

static char *free_piece(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    while (ring->head - ring->tail == PIECES) {
        pthread_cond_wait(&ring->freed, &ring->lock);
    }
    char *piece = ring->bytes + ring->head % PIECES * PIECE;
    pthread_mutex_unlock(&ring->lock);
    return piece;
}

static void publish_piece(struct ring *ring, size_t len)
{
    pthread_mutex_lock(&ring->lock);
    ring->len[ring->head % PIECES] = len;
    ring->head++;
    pthread_cond_signal(&ring->filled);
    pthread_mutex_unlock(&ring->lock);
}

static void end_walker(struct bw_unpack *unpack)
{
    if (!unpack->started) {
        return;
    }
    pthread_mutex_lock(&unpack->ring.lock);
    unpack->ring.over = true;
    pthread_cond_signal(&unpack->ring.filled);
    pthread_mutex_unlock(&unpack->ring.lock);
    (void)pthread_join(unpack->walker, NULL);
    unpack->started = false;
}

struct bw_unpack *bw_unpack_create(struct bw_layer_walk *walk, bool split)
{
    struct bw_unpack *unpack = calloc(1, sizeof(*unpack));
    char *bytes = malloc((size_t)PIECE * (split ? PIECES : 1));
    if (unpack == NULL || bytes == NULL) {
        abort();
    }
    unpack->walk = walk;
    unpack->ring.bytes = bytes;
    unpack->piece = bytes;
    (void)pthread_mutex_init(&unpack->ring.lock, NULL);
    (void)pthread_cond_init(&unpack->ring.filled, NULL);
    (void)pthread_cond_init(&unpack->ring.freed, NULL);
    unpack->split = unpack->started = split && pthread_create(&unpack->walker, NULL, run_walk, unpack) == 0;
    return unpack;
}

void bw_unpack_destroy(struct bw_unpack *unpack)
{
    if (unpack == NULL) {
        return;
    }
    end_walker(unpack);
    bw_decompress_destroy(unpack->stream);
    (void)pthread_mutex_destroy(&unpack->ring.lock);
    (void)pthread_cond_destroy(&unpack->ring.filled);
    (void)pthread_cond_destroy(&unpack->ring.freed);
    free(unpack->ring.bytes);
    free(unpack);
}

/* Hands the filled piece on. */
static int flush(struct bw_unpack *unpack, struct bw_error *err)
{
    if (unpack->have == 0) {
        return 0;
    }
    size_t len = unpack->have;
    unpack->have = 0;
    if (!unpack->split) {
        return bw_layer_walk_feed(unpack->walk, unpack->piece, len, err) == 0 ? 0 : walk_fault(unpack, err);
    }
    publish_piece(&unpack->ring, len);
    if (__atomic_load_n(&unpack->walk_failed, __ATOMIC_ACQUIRE)) {
        if (err != NULL) {
            *err = unpack->walk_error;
        }
        return walk_fault(unpack, err);
    }
    unpack->piece = free_piece(&unpack->ring);
    return 0;
}

static int inflate_bytes(struct bw_unpack *unpack, const char *bytes, size_t len, struct bw_error *err)
{
    for (;;) {
        size_t used = len;
        long got =
            bw_decompress_step(unpack->stream, unpack->piece + unpack->have, PIECE - unpack->have, bytes, &used, err);
        if (got < 0) {
            return -1;
        }
        bytes += used;
        len -= used;
        unpack->have += (size_t)got;
        if (unpack->have == PIECE && flush(unpack, err) != 0) {
            return -1;
        }
        if (got == 0 && len == 0) {
            return 0;
        }
    }
}

static int begin_stream(struct bw_unpack *unpack, struct bw_error *err)
{
    enum bw_compression kind = bw_compression_guess(unpack->magic, unpack->n_magic);
    static const uint8_t xz[] = {0xfd, '7', 'z', 'X'}, bzip2[] = {'B', 'Z', 'h'};
    if (memcmp(unpack->magic, xz, sizeof(xz)) == 0 || memcmp(unpack->magic, bzip2, sizeof(bzip2)) == 0) {
        return bw_error_detail(err, BW_EINPUT, "layer_unsupported",
                               "it is compressed with xz or bzip2, which no container runtime unpacks");
    }
    if (kind == BW_COMPRESSION_UNKNOWN) {
        return bw_error_detail(err, BW_EINPUT, "layer_format", "it is no gzip, zstd or tar stream");
    }
    unpack->plain = kind == BW_PLAIN;
    unpack->stream = bw_decompress_create(kind, BW_MAX_LAYER_UNPACKED, BW_MAX_INFLATE_RATIO);
    return inflate_bytes(unpack, (const char *)unpack->magic, unpack->n_magic, err);
}

int bw_unpack_feed(struct bw_unpack *unpack, const void *bytes, size_t len, struct bw_error *err)
{
    if (unpack->stream == NULL) {
        size_t n = sizeof(unpack->magic) - unpack->n_magic;
        n = n > len ? len : n;
        memcpy(unpack->magic + unpack->n_magic, bytes, n);
        unpack->n_magic += n;
        if (unpack->n_magic < sizeof(unpack->magic)) {
            return 0;
        }
        if (begin_stream(unpack, err) != 0) {
            return -1;
        }
        bytes = (const char *)bytes + n;
        len -= n;
    }
    return len == 0 ? 0 : inflate_bytes(unpack, bytes, len, err);
}

int bw_unpack_finish(struct bw_unpack *unpack, const struct bw_digest *diff_id, const char **warning_out,
                     struct bw_error *err)
{
    uint8_t raw[BW_SHA256_BYTES];
    char hex[2 * BW_SHA256_BYTES + 1];
    if (unpack->stream == NULL) {
        return bw_error_detail(err, BW_EINPUT, "layer_format", "it is no gzip, zstd or tar stream: %zu bytes",
                               unpack->n_magic);
    }
    if (bw_decompress_finish(unpack->stream, err) != 0 || flush(unpack, err) != 0) {
        return -1;
    }
    end_walker(unpack);
    if (unpack->walk_failed) {
        if (err != NULL) {
            *err = unpack->walk_error;
        }
        return walk_fault(unpack, err);
    }
    if (bw_layer_walk_finish(unpack->walk, err) != 0) {
        return walk_fault(unpack, err);
    }
    bw_layer_walk_digest(unpack->walk, raw);
    bw_hex_encode(hex, raw, sizeof(raw));
    if (bw_digest_kind(diff_id) != BW_SHA256 || strcmp(hex, bw_digest_hex(diff_id)) != 0) {
        return bw_error_detail(err, BW_EINPUT, "diff_id_mismatch",
                               "its content is sha256:%.12s..., the image configuration says diffID %.19s...", hex,
                               diff_id->text);
    }
    *warning_out = bw_decompress_warning(unpack->stream);
    return 0;
}
