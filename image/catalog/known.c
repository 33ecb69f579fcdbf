/* Sightings, failures and manifests (image/catalog/known.h; K-307, K-606, K-607, D35). */
#include "image/catalog/known.h"

#include "base/limits.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* What belongs together must not be forgotten between a job's end and the answer, and nothing may grow for ever. */
enum { MAX_SIGHTINGS = 16384, MAX_FAILURES = 4096, MIN_LIFE_MS = 1000 };
#define MAX_MANIFEST_BYTES (32 * BW_MIB)

struct sighting {
    struct bw_lru_entry base;
    struct bw_digest digest;
    int64_t made_ms;
};

struct failure {
    struct bw_lru_entry base;
    struct bw_error error;
    int64_t made_ms, until_ms;
};

struct manifest_entry {
    struct bw_lru_entry base;
    struct bw_known_manifest *manifest;
};

static void free_plain(struct bw_lru_entry *entry)
{
    free(entry);
}

void bw_known_manifest_free(struct bw_known_manifest *manifest)
{
    bw_arena_clear(&manifest->arena);
    free(manifest);
}

static void free_manifest(struct bw_lru_entry *base)
{
    struct manifest_entry *entry = (struct manifest_entry *)base;
    bw_known_manifest_free(entry->manifest);
    free(entry);
}

void bw_known_init(struct bw_known *known, const struct bw_known_times *times)
{
    known->times = *times;
    bw_lru_init(&known->sightings, MAX_SIGHTINGS, free_plain);
    bw_lru_init(&known->failures, MAX_FAILURES, free_plain);
    bw_lru_init(&known->manifests, MAX_MANIFEST_BYTES, free_manifest);
}

void bw_known_clear(struct bw_known *known)
{
    bw_lru_clear(&known->sightings);
    bw_lru_clear(&known->failures);
    bw_lru_clear(&known->manifests);
}

/* The parts one after the other; quicker than formatting, and asked for by every admission. */
static char *concat(struct bw_arena *arena, const char *const *parts, size_t n)
{
    size_t lens[8], len = 0;
    for (size_t i = 0; i < n; i++) {
        lens[i] = strlen(parts[i]);
        len += lens[i];
    }
    char *text = bw_arena_alloc(arena, len + 1), *at = text;
    for (size_t i = 0; i < n && text != NULL; i++) {
        memcpy(at, parts[i], lens[i]);
        at += lens[i];
    }
    return text;
}
#define CONCAT(arena, ...)                                                                                             \
    concat((arena), (const char *const[]){__VA_ARGS__}, BW_LENGTH(((const char *const[]){__VA_ARGS__})))

int bw_known_keys_make(struct bw_known_keys *out, const struct bw_image_source *source,
                       const struct bw_reference *reference, const struct bw_digest *digest, struct bw_arena *arena,
                       struct bw_error *err)
{
    const char *identity = source->identity, *registry = reference->registry, *repository = reference->repository;
    if (digest == NULL && reference->digest.text[0] != '\0') {
        digest = &reference->digest;
    }
    struct bw_known_keys keys = {.identity_len = strlen(identity)};
    keys.host = CONCAT(arena, identity, "\nhost ", registry);
    bool spent = keys.host == NULL;
    if (reference->tag != NULL) {
        keys.tag = CONCAT(arena, identity, "\n", registry, "/", repository, ":", reference->tag);
        spent = spent || keys.tag == NULL;
    }
    if (digest != NULL) {
        keys.digest = CONCAT(arena, identity, "\n", registry, "/", repository, "@", digest->text);
        keys.images = CONCAT(arena, identity, "\nimage ", registry, "/", repository, "@", digest->text);
        keys.content = CONCAT(arena, "content ", registry, "/", repository, "@", digest->text);
        spent = spent || keys.digest == NULL || keys.images == NULL || keys.content == NULL;
    }
    if (spent) {
        return bw_arena_spent(err);
    }
    *out = keys;
    return 0;
}

static bool is_fresh(const struct sighting *sighting, int64_t ttl_ms, struct bw_known_clock clock)
{
    int64_t life_ms = clock.since_ms == 0 && ttl_ms < MIN_LIFE_MS ? MIN_LIFE_MS : ttl_ms;
    return clock.now_ms - sighting->made_ms < life_ms || (clock.since_ms != 0 && sighting->made_ms >= clock.since_ms);
}

static bool holds(const struct failure *failure, struct bw_known_clock clock)
{
    return failure != NULL &&
           (clock.now_ms < failure->until_ms || (clock.since_ms != 0 && failure->made_ms >= clock.since_ms));
}

/* The registry had no say: what it said before may still be used. */
static bool is_outage(const struct bw_error *error)
{
    return error->code == BW_EUNAVAILABLE || error->code == BW_ERATELIMITED || error->code == BW_EDEADLINE;
}

static struct failure *failure_of(struct bw_known *known, const char *key)
{
    return key == NULL ? NULL : bw_lru_find(&known->failures, key, strlen(key));
}

/* What holds for one name, a tag or a digest in a repository. */
static enum bw_known_state judge(struct bw_digest *out, struct bw_known *known, const char *key,
                                 const struct bw_known_keys *keys, int64_t ttl_ms, struct bw_known_clock clock,
                                 struct bw_error *err)
{
    const char *shared = key + keys->identity_len; /* as anonymous */
    struct sighting *own = bw_lru_find(&known->sightings, key, strlen(key)), *seen = own;
    if (keys->identity_len > 0 && (own == NULL || !is_fresh(own, ttl_ms, clock))) {
        struct sighting *other = bw_lru_find(&known->sightings, shared, strlen(shared));
        seen = other != NULL && (own == NULL || other->made_ms > own->made_ms) ? other : own;
    }
    if (seen != NULL && is_fresh(seen, ttl_ms, clock)) {
        *out = seen->digest;
        return BW_KNOWN_FRESH;
    }
    struct failure *failure = failure_of(known, key), *limit = failure_of(known, keys->host);
    if (!holds(failure, clock) && holds(limit, clock)) {
        failure = limit;
    }
    bool now = holds(failure, clock);
    if (seen != NULL && clock.now_ms - seen->made_ms < known->times.tag_stale_ms) {
        *out = seen->digest;
        if (failure != NULL && is_outage(&failure->error)) {
            return now ? BW_KNOWN_STALE : BW_KNOWN_RETRY;
        }
    }
    if (now && err != NULL) {
        *err = failure->error;
    }
    return now ? BW_KNOWN_FAILED : BW_KNOWN_NOT;
}

enum bw_known_state bw_known_tag(struct bw_digest *out, struct bw_known *known, const struct bw_known_keys *keys,
                                 struct bw_known_clock clock, struct bw_error *err)
{
    return judge(out, known, keys->tag, keys, known->times.tag_ttl_ms, clock, err);
}

int64_t bw_known_seen_ms(struct bw_known *known, const struct bw_known_keys *keys, const struct bw_digest *digest)
{
    const char *const names[] = {keys->tag, keys->tag + keys->identity_len};
    int64_t latest_ms = 0;
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        const struct sighting *seen = bw_lru_find(&known->sightings, names[i], strlen(names[i]));
        if (seen != NULL && bw_digest_equal(&seen->digest, digest) && seen->made_ms > latest_ms) {
            latest_ms = seen->made_ms;
        }
    }
    return latest_ms;
}

enum bw_known_state bw_known_right(struct bw_known *known, const struct bw_known_keys *keys, enum bw_known_state tag,
                                   const struct bw_digest *tagged, const struct bw_digest *digest,
                                   struct bw_known_clock clock, struct bw_error *err)
{
    struct bw_digest same;
    if ((tag == BW_KNOWN_FRESH || tag == BW_KNOWN_STALE || tag == BW_KNOWN_RETRY) && bw_digest_equal(tagged, digest)) {
        return tag;
    }
    return judge(&same, known, keys->digest, keys, known->times.auth_ttl_ms, clock, err);
}

bool bw_known_failure(struct bw_known *known, const struct bw_known_keys *keys, struct bw_known_clock clock,
                      struct bw_error *err)
{
    const char *const places[] = {keys->content, keys->images, keys->host};
    for (size_t i = 0; i < BW_LENGTH(places); i++) {
        const struct failure *failure = failure_of(known, places[i]);
        if (holds(failure, clock)) {
            *err = failure->error;
            return true;
        }
    }
    return false;
}

void bw_known_see(struct bw_known *known, const char *key, const struct bw_digest *digest, int64_t now_ms)
{
    struct sighting *sighting = bw_memory_zeroed(1, sizeof(*sighting));
    sighting->digest = *digest;
    sighting->made_ms = now_ms;
    bw_lru_remove(&known->failures, key, strlen(key));
    bw_lru_put(&known->sightings, key, strlen(key), 1, &sighting->base);
}

static void put_failure(struct bw_known *known, const char *key, const struct bw_error *why, int64_t keep_ms,
                        int64_t now_ms)
{
    struct failure *failure = bw_memory_zeroed(1, sizeof(*failure));
    int64_t life_ms = keep_ms < MIN_LIFE_MS ? MIN_LIFE_MS : keep_ms;
    failure->error = *why;
    failure->made_ms = now_ms;
    failure->until_ms = life_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + life_ms;
    bw_lru_put(&known->failures, key, strlen(key), 1, &failure->base);
}

void bw_known_fail(struct bw_known *known, const struct bw_known_keys *keys, const char *key,
                   const struct bw_error *why, int64_t now_ms)
{
    int64_t keep_ms = known->times.negative_ttl_ms;
    if (why->code == BW_ERATELIMITED) {
        if (why->retry_after_s > 0) {
            keep_ms = (int64_t)why->retry_after_s * 1000;
        }
        put_failure(known, keys->host, why, keep_ms, now_ms);
    }
    if (why->code == BW_ENOTFOUND || why->code == BW_EDENIED) {
        bw_lru_remove(&known->sightings, key, strlen(key));
    }
    put_failure(known, key, why, keep_ms, now_ms);
}

void bw_known_fault(struct bw_known *known, const struct bw_known_keys *keys, const struct bw_error *why,
                    int64_t keep_ms, int64_t now_ms)
{
    put_failure(known, keys->content, why, keep_ms, now_ms);
}

/* ---- manifests ---- */

const struct bw_known_manifest *bw_known_manifest(struct bw_known *known, const struct bw_digest *digest)
{
    const struct manifest_entry *entry = bw_lru_find(&known->manifests, digest->text, strlen(digest->text));
    return entry == NULL ? NULL : entry->manifest;
}

bool bw_known_is_index(const struct bw_descriptor *entry)
{
    return strcmp(entry->media_type, "application/vnd.oci.image.index.v1+json") == 0 ||
           strcmp(entry->media_type, "application/vnd.docker.distribution.manifest.list.v2+json") == 0;
}

int bw_known_manifest_parse(struct bw_known_manifest **out, const struct bw_manifest_bytes *bytes, struct bw_error *err)
{
    struct bw_known_manifest *made = bw_memory_zeroed(1, sizeof(*made));
    bw_arena_init(&made->arena, 64 * BW_MIB);
    if (bw_manifest_parse(&made->manifest, bytes->bytes, bytes->len, bytes->content_type, &made->arena, err) != 0) {
        bw_known_manifest_free(made);
        return -1;
    }
    if (made->manifest.kind == BW_MANIFEST_IMAGE) {
        bw_arena_clear(&made->arena);
        made->manifest = (struct bw_manifest){.kind = BW_MANIFEST_IMAGE};
    }
    made->manifest.digest = bytes->digest;
    *out = made;
    return 0;
}

struct bw_known_manifest *bw_known_manifest_image(const struct bw_digest *digest)
{
    struct bw_known_manifest *made = bw_memory_zeroed(1, sizeof(*made));
    made->manifest = (struct bw_manifest){.kind = BW_MANIFEST_IMAGE, .digest = *digest};
    return made;
}

void bw_known_manifest_put(struct bw_known *known, struct bw_known_manifest *manifest)
{
    struct manifest_entry *entry = bw_memory_zeroed(1, sizeof(*entry));
    const char *key = manifest->manifest.digest.text;
    entry->manifest = manifest;
    size_t cost = manifest->arena.used + sizeof(*manifest) + sizeof(*entry);
    bw_lru_put(&known->manifests, key, strlen(key), cost, &entry->base);
}
