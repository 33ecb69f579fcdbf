#ifndef BW_IMAGE_CATALOG_LRU_H
#define BW_IMAGE_CATALOG_LRU_H

#include "base/map.h"

#include <stddef.h>

/* A map from text to entries with a ceiling on what they cost together: the least recently found ones go first. Entries
 * begin with struct bw_lru_entry and belong to the map once put. Not locked. */
struct bw_lru_entry {
    struct bw_lru_entry *newer, *older;
    char *key;
    size_t key_len, cost;
};

struct bw_lru {
    struct bw_map *map;
    struct bw_lru_entry *newest, *oldest;
    size_t cost, max_cost;
    void (*free_entry)(struct bw_lru_entry *entry);
};

void bw_lru_init(struct bw_lru *lru, size_t max_cost, void (*free_entry)(struct bw_lru_entry *entry));
void bw_lru_clear(struct bw_lru *lru);                              /* frees everything */
void *bw_lru_find(struct bw_lru *lru, const char *key, size_t len); /* counts as use; NULL if absent */
/* Replaces the key's entry. The newest entry stays whatever it costs. */
void bw_lru_put(struct bw_lru *lru, const char *key, size_t len, size_t cost, struct bw_lru_entry *entry);
void bw_lru_remove(struct bw_lru *lru, const char *key, size_t len);

#endif
