/*
 * Blobs (distribution specification, "Pulling blobs"): size and digest are checked while the bytes pass; after a cut
 * the rest is asked for by Range, and the digest goes on where it was.
 */
#include "image/registry/blob.h"

#include "base/limits.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ENDPOINTS = 8 };

struct reader {
    struct bw_blob_reader base;
    struct bw_registry_source *source; /* retained */
    struct bw_arena arena;
    struct bw_endpoint endpoints[MAX_ENDPOINTS];
    size_t n_endpoints, endpoint;
    const char *url; /* of a foreign layer; NULL: from the endpoint */
    struct bw_digest digest;
    uint64_t size;
    struct bw_deadline deadline;

    struct bw_answer answer;
    uint64_t offset;  /* bytes handed out */
    uint64_t discard; /* bytes still to be dropped, when the other side began at the front again */
    unsigned failures;
    uint64_t failed_at; /* offset of the last cut: progress forgives */
    struct bw_hash *hash;
    bool finished, spoilt;
};

static const char *registry_of(const struct reader *reader)
{
    return reader->endpoints[reader->endpoint].registry;
}

static int mismatch(const struct reader *reader, unsigned long long came, struct bw_error *err)
{
    return bw_error_detail(err, BW_EINPUT, "blob_size_mismatch",
                           "blob %s of %s: %llu bytes came, the manifest says %llu", reader->digest.text,
                           registry_of(reader), came, (unsigned long long)reader->size);
}

/* ---- beginning and taking up again */

static int send_to_endpoint(struct reader *reader, struct bw_error *err)
{
    const struct bw_endpoint *endpoint = &reader->endpoints[reader->endpoint];
    char url[BW_MAX_REFERENCE_BYTES], what[BW_DIGEST_TEXT_MAX + 8];
    (void)snprintf(url, sizeof(url), "%s%s/blobs/%s%s", endpoint->base, endpoint->repository, reader->digest.text,
                   endpoint->query);
    (void)snprintf(what, sizeof(what), "blob %s", reader->digest.text);
    struct bw_call call = {
        .method = "GET",
        .url = url,
        .slot = endpoint->host,
        .offset = reader->offset,
        .max_bytes = reader->size,
        .trusted = endpoint->settings,
        .plain_http = endpoint->plain_http,
        .tries = reader->endpoint + 1 < reader->n_endpoints ? 1 : 0,
        .deadline = reader->deadline,
    };
    return bw_auth_send(&reader->answer, reader->source, endpoint, &call, what, NULL, err);
}

/* Foreign layers: https, nobody's credentials, no settings of any registry. */
static int send_to_url(struct reader *reader, struct bw_error *err)
{
    struct bw_call call = {
        .method = "GET",
        .url = reader->url,
        .offset = reader->offset,
        .max_bytes = reader->size,
        .deadline = reader->deadline,
    };
    if (bw_call_send(&reader->answer, reader->source->registry, &call, err) != 0) {
        return -1;
    }
    long status = bw_http_status(reader->answer.http);
    if (status != 200 && status != 206) {
        char what[BW_DIGEST_TEXT_MAX + 16];
        (void)snprintf(what, sizeof(what), "foreign layer %s", reader->digest.text);
        (void)bw_answer_fault(&reader->answer, registry_of(reader), reader->endpoints[reader->endpoint].repository,
                              what, err);
        bw_answer_close(&reader->answer);
        return -1;
    }
    return 0;
}

/* "bytes 100-199/200" with exactly the rest of the blob. */
static bool is_rest(const struct reader *reader, const char *content_range)
{
    char expected[96];
    int n = snprintf(expected, sizeof(expected), "bytes %llu-%llu/", (unsigned long long)reader->offset,
                     (unsigned long long)reader->size - 1);
    if (content_range == NULL || n < 0 || strncasecmp(content_range, expected, (size_t)n) != 0) {
        return false;
    }
    uint64_t total = 0;
    return strcmp(content_range + n, "*") == 0 ||
           (bw_str_uint(&total, bw_str_from(content_range + n), 10, UINT64_MAX) == 0 && total == reader->size);
}

static int check_head(struct reader *reader, struct bw_error *err)
{
    const struct bw_http_response *http = reader->answer.http;
    const char *length = bw_http_header(http, "Content-Length", 0);
    uint64_t bytes = 0;
    reader->discard = 0;
    if (bw_http_status(http) == 206) {
        if (reader->offset == 0 || !is_rest(reader, bw_http_header(http, "Content-Range", 0))) {
            return bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable",
                                   "blob %s of %s: a part was sent that was not asked for", reader->digest.text,
                                   registry_of(reader));
        }
        return 0;
    }
    reader->discard = reader->offset;
    if (length != NULL && bw_str_uint(&bytes, bw_str_from(length), 10, UINT64_MAX) == 0 && bytes != reader->size) {
        return mismatch(reader, bytes, err);
    }
    return 0;
}

static int begin(struct reader *reader, struct bw_error *err)
{
    if ((reader->url != NULL ? send_to_url(reader, err) : send_to_endpoint(reader, err)) != 0) {
        return -1;
    }
    if (check_head(reader, err) != 0) {
        bw_answer_close(&reader->answer);
        return -1;
    }
    return 0;
}

/* After a cut: 0 when the next bytes can be read. */
static int take_up(struct reader *reader, struct bw_error *err)
{
    const struct bw_registry *registry = reader->source->registry;
    bw_answer_close(&reader->answer);
    for (;;) {
        if (reader->offset >= reader->failed_at + BW_MIB) {
            reader->failures = 0;
        }
        reader->failed_at = reader->offset;
        if (++reader->failures >= registry->tries ||
            bw_registry_pause(registry, reader->failures - 1, -1, reader->deadline) != 0) {
            return -1;
        }
        if (begin(reader, err) == 0) {
            return 0;
        }
        if (!bw_error_is_passing(err)) {
            return -1;
        }
    }
}

/* ---- reading */

static int finish(struct reader *reader, struct bw_error *err)
{
    uint8_t raw[BW_HASH_MAX];
    char hex[2 * BW_HASH_MAX + 1];
    bw_answer_close(&reader->answer);
    bw_hex_encode(hex, raw, bw_hash_finish(reader->hash, raw));
    reader->finished = true;
    if (strcmp(hex, bw_digest_hex(&reader->digest)) != 0) {
        reader->spoilt = true;
        return bw_error_detail(err, BW_EINPUT, "blob_digest_mismatch",
                               "blob %s of %s: its bytes have another digest (%.12s...)", reader->digest.text,
                               registry_of(reader), hex);
    }
    return 0;
}

/* Bytes of the answer, those before the offset dropped. */
static ssize_t read_answer(struct reader *reader, void *into, size_t size, struct bw_error *err)
{
    for (;;) {
        uint64_t drop = reader->discard;
        size_t limit = drop > 0 && drop < size ? (size_t)drop : size;
        ssize_t got = bw_http_read(reader->answer.http, into, limit, err);
        if (got <= 0 || drop == 0) {
            return got;
        }
        reader->discard -= (uint64_t)got;
    }
}

/* The end came early. With a stated length libcurl finds a cut; without one, an end may well be a cut. */
static bool may_be_cut(const struct reader *reader)
{
    return bw_http_header(reader->answer.http, "Content-Length", 0) == NULL;
}

static ssize_t blob_read(struct bw_blob_reader *base, void *into, size_t size, struct bw_error *err)
{
    struct reader *reader = (struct reader *)base;
    struct bw_error local = {0};
    err = err == NULL ? &local : err;
    if (reader->spoilt) {
        return bw_error_set(err, BW_EINTERNAL, "blob %s: read again after it failed", reader->digest.text);
    }
    while (!reader->finished && size > 0) {
        ssize_t got = read_answer(reader, into, size, err);
        bool cut = got < 0 ? bw_error_is_passing(err) : got == 0 && reader->offset < reader->size && may_be_cut(reader);
        if (got > 0 && (uint64_t)got <= reader->size - reader->offset) {
            bw_hash_update(reader->hash, into, (size_t)got);
            reader->offset += (uint64_t)got;
            return got;
        }
        if (reader->offset == reader->size && (got == 0 || cut)) {
            return finish(reader, err);
        }
        if (cut) {
            if (got == 0) {
                (void)bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable",
                                      "blob %s of %s: the connection was cut after %llu bytes", reader->digest.text,
                                      registry_of(reader), (unsigned long long)reader->offset);
            }
            if (take_up(reader, err) == 0) {
                continue;
            }
        } else if (got >= 0 || err->code == BW_ELIMIT) {
            (void)mismatch(reader, reader->offset + (got > 0 ? (unsigned long long)got : got < 0 ? 1ULL : 0ULL), err);
        }
        reader->spoilt = true;
        if (err->code == BW_EUNAVAILABLE) {
            (void)snprintf(err->detail, sizeof(err->detail), "registry_unavailable");
        }
        return -1;
    }
    return 0;
}

static void blob_close(struct bw_blob_reader *base)
{
    struct reader *reader = (struct reader *)base;
    bw_answer_close(&reader->answer);
    bw_hash_destroy(reader->hash);
    bw_arena_clear(&reader->arena);
    bw_image_source_release(&reader->source->base);
    free(reader);
}

/* ---- opening */

static int copy_endpoint(struct bw_endpoint *out, const struct bw_endpoint *from, struct bw_arena *arena)
{
    *out = *from;
    out->base = bw_arena_strdup(arena, from->base);
    out->host = bw_arena_strdup(arena, from->host);
    out->registry = bw_arena_strdup(arena, from->registry);
    out->repository = bw_arena_strdup(arena, from->repository);
    out->query = bw_arena_strdup(arena, from->query);
    return out->base == NULL || out->host == NULL || out->registry == NULL || out->repository == NULL ||
                   out->query == NULL
               ? -1
               : 0;
}

/* The endpoints in turn; a mirror that fails in any way is passed over. */
static int open_from_endpoints(struct reader *reader, struct bw_error *err)
{
    for (reader->endpoint = 0;; reader->endpoint++) {
        if (begin(reader, err) == 0) {
            return 0;
        }
        if (reader->endpoint + 1 >= reader->n_endpoints || bw_deadline_passed(reader->deadline)) {
            return -1;
        }
    }
}

static int open_from_urls(struct reader *reader, const struct bw_descriptor *blob, struct bw_error *err)
{
    for (size_t i = 0; blob->urls != NULL && blob->urls[i] != NULL; i++) {
        if (strncasecmp(blob->urls[i], "https://", 8) != 0) {
            continue;
        }
        reader->url = bw_arena_strdup(&reader->arena, blob->urls[i]);
        if (reader->url == NULL) {
            return bw_arena_spent(err);
        }
        if (begin(reader, err) == 0) {
            return 0;
        }
    }
    if (reader->url != NULL) {
        return bw_error_wrap(err, "foreign layer %s", blob->digest.text);
    }
    return bw_error_detail(err, BW_ENOTFOUND, "foreign_layer",
                           "%s has no foreign layer %s, and its other places are not asked", registry_of(reader),
                           blob->digest.text);
}

static int open_reader(struct reader *reader, const struct bw_endpoint *endpoints, size_t n_endpoints,
                       const struct bw_descriptor *blob, struct bw_error *err)
{
    for (size_t i = 0; i < n_endpoints && i < MAX_ENDPOINTS; i++) {
        if (copy_endpoint(&reader->endpoints[i], &endpoints[i], &reader->arena) != 0) {
            return bw_arena_spent(err);
        }
        reader->n_endpoints++;
    }
    if (open_from_endpoints(reader, err) == 0) {
        return 0;
    }
    return blob->foreign && err->code == BW_ENOTFOUND ? open_from_urls(reader, blob, err) : -1;
}

int bw_registry_blob_open(struct bw_blob_reader **out, struct bw_registry_source *source,
                          const struct bw_endpoint *endpoints, size_t n_endpoints, const struct bw_descriptor *blob,
                          struct bw_deadline deadline, struct bw_error *err)
{
    struct bw_error local = {0};
    struct reader *reader = bw_memory_zeroed(1, sizeof(*reader));
    reader->base = (struct bw_blob_reader){.read = blob_read, .close = blob_close};
    reader->source = (struct bw_registry_source *)bw_image_source_retain(&source->base);
    bw_arena_init(&reader->arena, 256 * BW_KIB);
    reader->digest = blob->digest;
    reader->size = blob->size;
    reader->deadline = deadline;
    reader->hash = bw_hash_create(bw_digest_kind(&blob->digest));
    bw_hash_begin(reader->hash);
    if (open_reader(reader, endpoints, n_endpoints, blob, err == NULL ? &local : err) != 0) {
        blob_close(&reader->base);
        return -1;
    }
    *out = &reader->base;
    return 0;
}
