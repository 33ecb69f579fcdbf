#ifndef BW_IMAGE_CATALOG_TAGS_H
#define BW_IMAGE_CATALOG_TAGS_H

#include "image/catalog/lru.h"
#include "image/digest.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What a tag led to, for one platform: manifests of images that were handed out for it, each once, latest first. Only
 * answers are remembered, so there was a report of each. Bounded, the least recently used first. Not locked: the
 * catalog does.
 */
enum { BW_TAG_HISTORY = 3 }; /* now and before, and one more for who was shown the tag before it moved */

struct bw_tag_history {
    struct bw_digest digests[BW_TAG_HISTORY];
    size_t n_digests;
    int64_t seen_ms; /* when the registry showed the first of them; 0: before this program began */
};

/* The registry showed `digest` at that instant. Who was told something earlier than the latest changes nothing. */
void bw_tag_history_note(struct bw_tag_history *history, const struct bw_digest *digest, int64_t seen_ms);
/* Whether noting it would change what is known. */
bool bw_tag_history_lacks(const struct bw_tag_history *history, const struct bw_digest *digest, int64_t seen_ms);
/* The one before `digest`, or NULL. */
const struct bw_digest *bw_tag_history_before(const struct bw_tag_history *history, const struct bw_digest *digest);

void bw_tags_init(struct bw_lru *tags);
struct bw_tag_history *bw_tags_find(struct bw_lru *tags,
                                    const char *key); /* NULL: not here; valid until the next put */
struct bw_tag_history *bw_tags_put(struct bw_lru *tags, const char *key, const struct bw_tag_history *history);

#endif
