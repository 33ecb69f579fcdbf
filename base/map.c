/* Text to pointer (base/map.h): linear probing, at most half full, entries shifted back on removal. The hash is
 * SipHash-1-3 with a random key, because keys come from bundles, images and requests. */
#include "base/map.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct entry {
    char *key; /* NULL: free place */
    size_t len;
    uint64_t hash;
    void *value;
};

struct bw_map {
    struct entry *entries;
    size_t size; /* a power of two, or 0 */
    size_t count;
};

static uint64_t seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void seed_draw(void)
{
    if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        abort();
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash_of(const char *key, size_t len)
{
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575ULL, seed[1] ^ 0x646f72616e646f6dULL, seed[0] ^ 0x6c7967656e657261ULL,
                     seed[1] ^ 0x7465646279746573ULL};
    size_t at = 0;
    uint64_t word;
    for (; len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, key + at, sizeof(word));
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)len << 56;
    for (unsigned shift = 0; at < len; at++, shift += 8)
        word |= (uint64_t)(unsigned char)key[at] << shift;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct bw_map *bw_map_create(void)
{
    pthread_once(&seed_once, seed_draw);
    return bw_memory_zeroed(1, sizeof(struct bw_map));
}

void bw_map_destroy(struct bw_map *map, void (*free_value)(void *value))
{
    if (!map)
        return;
    for (size_t i = 0; i < map->size; i++) {
        if (!map->entries[i].key)
            continue;
        if (free_value)
            free_value(map->entries[i].value);
        free(map->entries[i].key);
    }
    free(map->entries);
    free(map);
}

/* The entry of the key, or the free place where it belongs. The table has a free place always. */
static struct entry *place_of(const struct bw_map *map, uint64_t hash, const char *key, size_t len)
{
    for (size_t i = hash & (map->size - 1);; i = (i + 1) & (map->size - 1)) {
        struct entry *entry = &map->entries[i];
        if (!entry->key)
            return entry;
        if (entry->hash == hash && entry->len == len && (len == 0 || memcmp(entry->key, key, len) == 0))
            return entry;
    }
}

void *bw_map_get(const struct bw_map *map, const char *key, size_t len)
{
    if (!map->count)
        return NULL;
    return place_of(map, hash_of(key, len), key, len)->value;
}

static void enlarge(struct bw_map *map)
{
    struct bw_map larger = {.size = map->size ? 2 * map->size : 16, .count = map->count};
    larger.entries = bw_memory_zeroed(larger.size, sizeof(*larger.entries));
    for (size_t i = 0; i < map->size; i++) {
        const struct entry *entry = &map->entries[i];
        if (entry->key)
            *place_of(&larger, entry->hash, entry->key, entry->len) = *entry;
    }
    free(map->entries);
    *map = larger;
}

void *bw_map_put(struct bw_map *map, const char *key, size_t len, void *value)
{
    if (2 * (map->count + 1) > map->size)
        enlarge(map);
    uint64_t hash = hash_of(key, len);
    struct entry *entry = place_of(map, hash, key, len);
    void *old = entry->value;
    if (!entry->key) {
        *entry = (struct entry){.key = bw_memory_strndup(key, len), .len = len, .hash = hash};
        map->count++;
    }
    entry->value = value;
    return old;
}

void *bw_map_remove(struct bw_map *map, const char *key, size_t len)
{
    if (!map->count)
        return NULL;
    struct entry *entry = place_of(map, hash_of(key, len), key, len);
    if (!entry->key)
        return NULL;
    void *value = entry->value;
    free(entry->key);
    map->count--;
    size_t mask = map->size - 1, hole = (size_t)(entry - map->entries);
    for (size_t i = (hole + 1) & mask; map->entries[i].key; i = (i + 1) & mask) {
        size_t home = map->entries[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* already at or behind its home, seen from the hole */
        map->entries[hole] = map->entries[i];
        hole = i;
    }
    map->entries[hole] = (struct entry){0};
    return value;
}

size_t bw_map_count(const struct bw_map *map)
{
    return map->count;
}

bool bw_map_next(const struct bw_map *map, size_t *cursor, const char **key, void **value)
{
    while (*cursor < map->size) {
        const struct entry *entry = &map->entries[(*cursor)++];
        if (!entry->key)
            continue;
        if (key)
            *key = entry->key;
        if (value)
            *value = entry->value;
        return true;
    }
    return false;
}
