/* What tags led to before (image/catalog/tags.h). */
#include "image/catalog/tags.h"

#include "base/limits.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct tag_entry {
    struct bw_lru_entry base;
    struct bw_tag_history history;
};

static size_t place_of(const struct bw_tag_history *history, const struct bw_digest *digest)
{
    size_t at = 0;
    while (at < history->n_digests && !bw_digest_equal(&history->digests[at], digest)) {
        at++;
    }
    return at;
}

bool bw_tag_history_lacks(const struct bw_tag_history *history, const struct bw_digest *digest, int64_t seen_ms)
{
    size_t at = place_of(history, digest);
    return at == history->n_digests || (at > 0 && seen_ms > history->seen_ms);
}

void bw_tag_history_note(struct bw_tag_history *history, const struct bw_digest *digest, int64_t seen_ms)
{
    if (bw_tag_history_lacks(history, digest, seen_ms)) {
        size_t at = place_of(history, digest);
        history->n_digests += at == history->n_digests && history->n_digests < BW_TAG_HISTORY;
        at = at < BW_TAG_HISTORY ? at : BW_TAG_HISTORY - 1;
        memmove(&history->digests[1], &history->digests[0], at * sizeof(history->digests[0]));
        history->digests[0] = *digest;
        history->seen_ms = seen_ms;
    } else if (place_of(history, digest) == 0 && seen_ms > history->seen_ms) {
        history->seen_ms = seen_ms;
    }
}

const struct bw_digest *bw_tag_history_before(const struct bw_tag_history *history, const struct bw_digest *digest)
{
    size_t before = place_of(history, digest) + 1;
    return before < history->n_digests ? &history->digests[before] : NULL;
}

static void free_entry(struct bw_lru_entry *entry)
{
    free(entry);
}

void bw_tags_init(struct bw_lru *tags)
{
    bw_lru_init(tags, BW_MAX_TAGS, free_entry);
}

struct bw_tag_history *bw_tags_find(struct bw_lru *tags, const char *key)
{
    struct tag_entry *entry = bw_lru_find(tags, key, strlen(key));
    return entry == NULL ? NULL : &entry->history;
}

struct bw_tag_history *bw_tags_put(struct bw_lru *tags, const char *key, const struct bw_tag_history *history)
{
    struct tag_entry *entry = bw_memory_zeroed(1, sizeof(*entry));
    entry->history = *history;
    bw_lru_put(tags, key, strlen(key), 1, &entry->base);
    return &entry->history;
}
