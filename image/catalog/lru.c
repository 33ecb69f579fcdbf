/* The bounded map of the catalog (image/catalog/lru.h): a map beside a list in order of use. */
#include "image/catalog/lru.h"

#include "base/memory.h"

#include <stdlib.h>

void bw_lru_init(struct bw_lru *lru, size_t max_cost, void (*free_entry)(struct bw_lru_entry *entry))
{
    *lru = (struct bw_lru){.map = bw_map_create(), .max_cost = max_cost, .free_entry = free_entry};
}

static void unlink_entry(struct bw_lru *lru, struct bw_lru_entry *entry)
{
    *(entry->newer == NULL ? &lru->newest : &entry->newer->older) = entry->older;
    *(entry->older == NULL ? &lru->oldest : &entry->older->newer) = entry->newer;
    entry->newer = entry->older = NULL;
}

static void link_newest(struct bw_lru *lru, struct bw_lru_entry *entry)
{
    entry->older = lru->newest;
    *(lru->newest == NULL ? &lru->oldest : &lru->newest->newer) = entry;
    lru->newest = entry;
}

static void drop(struct bw_lru *lru, struct bw_lru_entry *entry)
{
    unlink_entry(lru, entry);
    lru->cost -= entry->cost;
    free(entry->key);
    lru->free_entry(entry);
}

void bw_lru_clear(struct bw_lru *lru)
{
    bw_map_destroy(lru->map, NULL);
    lru->map = NULL;
    while (lru->oldest != NULL) {
        drop(lru, lru->oldest);
    }
}

void *bw_lru_find(struct bw_lru *lru, const char *key, size_t len)
{
    struct bw_lru_entry *entry = bw_map_get(lru->map, key, len);
    if (entry != NULL && entry != lru->newest) {
        unlink_entry(lru, entry);
        link_newest(lru, entry);
    }
    return entry;
}

void bw_lru_remove(struct bw_lru *lru, const char *key, size_t len)
{
    struct bw_lru_entry *entry = bw_map_remove(lru->map, key, len);
    if (entry != NULL) {
        drop(lru, entry);
    }
}

void bw_lru_put(struct bw_lru *lru, const char *key, size_t len, size_t cost, struct bw_lru_entry *entry)
{
    bw_lru_remove(lru, key, len);
    entry->key = bw_memory_strndup(key, len);
    entry->key_len = len;
    entry->cost = cost;
    (void)bw_map_put(lru->map, key, len, entry);
    link_newest(lru, entry);
    lru->cost += cost;
    while (lru->cost > lru->max_cost && lru->oldest != entry) {
        bw_lru_remove(lru, lru->oldest->key, lru->oldest->key_len);
    }
}
