#ifndef BW_IMAGE_CATALOG_KNOWN_H
#define BW_IMAGE_CATALOG_KNOWN_H

#include "image/catalog/lru.h"
#include "image/source.h"

/*
 * What the catalog knows of names and digests, and until when. Not locked: the catalog does.
 *
 * A *sighting* says that this identity asked the registry for this tag, or for this digest in this repository, and what
 * was there. It is a tag's cached digest, and it is the right to use a private image: a report is shared by digest, an
 * answer is given only to who has a sighting of the digest in the repository named. What anonymous was shown counts for
 * everyone.
 *
 * A *failure* is a negative result. Faults of content are kept by repository and digest for everyone (a registry
 * that serves garbage for somebody else's digest spoils its own repository alone); what depends on who asks by
 * identity; a rate limit by identity and host.
 */
struct bw_known_keys {        /* in the arena of who made them */
    const char *tag, *digest; /* identity, repository, and one of both; NULL: not in the reference */
    size_t identity_len;      /* what precedes the anonymous key in both */
    const char *host;         /* identity and host */
    const char *content;      /* repository and digest, whoever asks */
    const char *images;       /* identity, repository and digest: what was lacking to analyse it */
};

/* digest NULL: the reference's own, if it has one. */
int bw_known_keys_make(struct bw_known_keys *out, const struct bw_image_source *source,
                       const struct bw_reference *reference, const struct bw_digest *digest, struct bw_arena *arena,
                       struct bw_error *err) BW_MUST_CHECK;

struct bw_known_times {
    int64_t tag_ttl_ms, tag_stale_ms, negative_ttl_ms, auth_ttl_ms;
};

struct bw_known { /* three bounded maps */
    struct bw_lru sightings, failures, manifests;
    struct bw_known_times times;
};

/* A parsed manifest. Of an image only kind and digest are kept. */
struct bw_known_manifest {
    struct bw_arena arena;
    struct bw_manifest manifest;
};

void bw_known_init(struct bw_known *known, const struct bw_known_times *times);
void bw_known_clear(struct bw_known *known);

/* `since_ms`: what was learned after this instant counts however short the lifetimes, so that who waited for a job
 * finds its result. 0: what is younger than a second. */
struct bw_known_clock {
    int64_t now_ms, since_ms;
};

enum bw_known_state {
    BW_KNOWN_NOT,    /* has to be asked */
    BW_KNOWN_FRESH,  /* the digest is this one, and this identity may use it */
    BW_KNOWN_STALE,  /* the registry cannot be asked; this was the digest lately */
    BW_KNOWN_RETRY,  /* the same, and it is time to ask the registry again behind the answer's back */
    BW_KNOWN_FAILED, /* the error says why */
};

/* With NOT, *out is the digest that would do in an outage, or untouched. */
enum bw_known_state bw_known_tag(struct bw_digest *out, struct bw_known *known, const struct bw_known_keys *keys,
                                 struct bw_known_clock clock, struct bw_error *err);
/* When the tag of the keys was last seen to lead to the digest; 0: not any more known. */
int64_t bw_known_seen_ms(struct bw_known *known, const struct bw_known_keys *keys, const struct bw_digest *digest);
/* Whether the identity may use the digest of the keys; a known tag that leads to it is enough. */
enum bw_known_state bw_known_right(struct bw_known *known, const struct bw_known_keys *keys, enum bw_known_state tag,
                                   const struct bw_digest *tagged, const struct bw_digest *digest,
                                   struct bw_known_clock clock, struct bw_error *err);
/* What failed about the content of the digest of the keys, or about fetching it as this identity, or its host is not to
 * be asked now. */
bool bw_known_failure(struct bw_known *known, const struct bw_known_keys *keys, struct bw_known_clock clock,
                      struct bw_error *err);

void bw_known_see(struct bw_known *known, const char *key, const struct bw_digest *digest, int64_t now_ms);
/* Asking for `key` (one of keys->tag, digest, images) failed. A rate limit holds for the whole host; what the registry
 * denies or no longer has is unseen. */
void bw_known_fail(struct bw_known *known, const struct bw_known_keys *keys, const char *key,
                   const struct bw_error *why, int64_t now_ms);
/* The content is at fault, whoever asks; INT64_MAX: as long as there is room. */
void bw_known_fault(struct bw_known *known, const struct bw_known_keys *keys, const struct bw_error *why,
                    int64_t keep_ms, int64_t now_ms);

/* NULL, or borrowed until the next put. */
const struct bw_known_manifest *bw_known_manifest(struct bw_known *known, const struct bw_digest *digest);
bool bw_known_is_index(const struct bw_descriptor *entry);                              /* an index within an index */
void bw_known_manifest_put(struct bw_known *known, struct bw_known_manifest *manifest); /* takes it */
void bw_known_manifest_free(struct bw_known_manifest *manifest);
/* No lock needed. The error is the manifest's own fault. */
int bw_known_manifest_parse(struct bw_known_manifest **out, const struct bw_manifest_bytes *bytes,
                            struct bw_error *err) BW_MUST_CHECK;
/* A digest of which a report exists is that of an image. */
struct bw_known_manifest *bw_known_manifest_image(const struct bw_digest *digest);

#endif
