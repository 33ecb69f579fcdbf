/* Labels and annotations of namespaces and nodes (k8s/metadata_store.h). One block of memory per object. */
#include "k8s/metadata_store.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A copy of the whole object in an annotation: never asked for, and the largest part of many. */
static const char left_out[] = "kubectl.kubernetes.io/last-applied-configuration";

struct kept {
    size_t size;
    struct bw_metadata metadata; /* all it leads to is in this block */
    struct bw_pair pairs[];
};

struct tally { /* how many objects have these values */
    struct bw_value_pair pair;
    size_t n_objects;
};

struct bw_metadata_store {
    const char *first_label, *second_label;
    pthread_mutex_t lock; /* of all that follows */
    struct bw_map *objects;
    size_t bytes;
    struct tally *tallies; /* sorted */
    size_t n_tallies;
    bool whole, lost; /* lost: an object could not be kept */
};

struct bw_metadata_store *bw_metadata_store_create(const char *first_label, const char *second_label)
{
    struct bw_metadata_store *store = bw_memory_zeroed(1, sizeof(*store));
    store->first_label = first_label;
    store->second_label = second_label;
    (void)pthread_mutex_init(&store->lock, NULL);
    store->objects = bw_map_create();
    return store;
}

void bw_metadata_store_destroy(struct bw_metadata_store *store)
{
    if (store == NULL) {
        return;
    }
    bw_map_destroy(store->objects, free);
    (void)pthread_mutex_destroy(&store->lock);
    free(store->tallies);
    free(store);
}

/* ---- values, with the lock held */

static bool take_value(char *out, size_t size, const struct bw_metadata *metadata, const char *label)
{
    const struct bw_pair *pair = label == NULL ? NULL : bw_pairs_find(&metadata->labels, label);
    if (pair == NULL || pair->value_len == 0 || pair->value_len >= size) {
        return false;
    }
    memcpy(out, pair->value, pair->value_len + 1);
    return true;
}

/* One object more or less has its values. */
static void count(struct bw_metadata_store *store, const struct bw_metadata *metadata, bool more)
{
    struct bw_value_pair pair;
    size_t at = 0;
    int order = 1;
    if (!take_value(pair.first, sizeof(pair.first), metadata, store->first_label) ||
        !take_value(pair.second, sizeof(pair.second), metadata, store->second_label)) {
        return;
    }
    for (; at < store->n_tallies; at++) {
        order = strcmp(store->tallies[at].pair.first, pair.first);
        order = order != 0 ? order : strcmp(store->tallies[at].pair.second, pair.second);
        if (order >= 0) {
            break;
        }
    }
    bool known = at < store->n_tallies && order == 0;
    if (known && (more || store->tallies[at].n_objects > 1)) {
        store->tallies[at].n_objects += more ? 1 : (size_t)-1;
    } else if (known) {
        store->n_tallies--;
        memmove(&store->tallies[at], &store->tallies[at + 1], (store->n_tallies - at) * sizeof(*store->tallies));
    } else if (more) {
        store->tallies = bw_memory_resize(store->tallies, (store->n_tallies + 1) * sizeof(*store->tallies));
        memmove(&store->tallies[at + 1], &store->tallies[at], (store->n_tallies - at) * sizeof(*store->tallies));
        store->tallies[at] = (struct tally){pair, 1};
        store->n_tallies++;
    }
}

/* ---- blocks */

static size_t texts_size(const struct bw_pairs *pairs)
{
    size_t size = 0;
    for (size_t i = 0; i < pairs->n_items; i++) {
        size += strlen(pairs->items[i].key) + 1 + pairs->items[i].value_len + 1;
    }
    return size;
}

static size_t block_size(const struct bw_metadata *metadata)
{
    return sizeof(struct kept) + (metadata->labels.n_items + metadata->annotations.n_items) * sizeof(struct bw_pair) +
           strlen(metadata->name) + 1 + texts_size(&metadata->labels) + texts_size(&metadata->annotations);
}

static const char *place(char **at, const char *text, size_t len)
{
    char *placed = memcpy(*at, text, len);
    placed[len] = '\0';
    *at += len + 1;
    return placed;
}

static struct bw_pairs place_pairs(struct bw_pair **pairs, char **at, const struct bw_pairs *from)
{
    struct bw_pairs placed = {*pairs, from->n_items};
    for (size_t i = 0; i < from->n_items; i++) {
        const struct bw_pair *pair = &from->items[i];
        *(*pairs)++ = (struct bw_pair){place(at, pair->key, strlen(pair->key)), place(at, pair->value, pair->value_len),
                                       pair->value_len};
    }
    return placed;
}

/* `memory` has block_size(). */
static struct kept *fill_block(void *memory, size_t size, const struct bw_metadata *metadata)
{
    struct kept *kept = memory;
    struct bw_pair *pairs = kept->pairs;
    char *at = (char *)(kept->pairs + metadata->labels.n_items + metadata->annotations.n_items);
    kept->size = size;
    kept->metadata.labels = place_pairs(&pairs, &at, &metadata->labels);
    kept->metadata.annotations = place_pairs(&pairs, &at, &metadata->annotations);
    kept->metadata.name = place(&at, metadata->name, strlen(metadata->name));
    return kept;
}

/* ---- what comes in */

static void leave_out(struct bw_pairs *annotations, struct bw_pair *items)
{
    size_t n = 0;
    for (size_t i = 0; i < annotations->n_items; i++) {
        if (strcmp(annotations->items[i].key, left_out) != 0) {
            items[n++] = annotations->items[i];
        }
    }
    *annotations = (struct bw_pairs){items, n};
}

/* NULL when it cannot be kept. */
static struct kept *keep(const json_t *metadata)
{
    struct bw_metadata read = {.name = ""};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 2 * BW_MAX_METADATA_BYTES);
    if (bw_metadata_read(&read, metadata, &arena) != 0) {
        return NULL;
    }
    struct bw_pair *items = bw_arena_array(&arena, read.annotations.n_items + 1, sizeof(*items));
    if (items == NULL) {
        return NULL;
    }
    leave_out(&read.annotations, items);
    size_t size = block_size(&read);
    return size > BW_MAX_METADATA_BYTES ? NULL : fill_block(bw_memory_zeroed(1, size), size, &read);
}

static void remove_object(struct bw_metadata_store *store, const char *name)
{
    struct kept *kept = bw_map_remove(store->objects, name, strlen(name));
    if (kept != NULL) {
        count(store, &kept->metadata, false);
        store->bytes -= kept->size;
        free(kept);
    }
}

void bw_metadata_store_put(struct bw_metadata_store *store, struct bw_json object)
{
    const json_t *metadata = json_object_get(object.node, "metadata");
    const char *name = json_string_value(json_object_get(metadata, "name"));
    if (name == NULL || name[0] == '\0') {
        return;
    }
    struct kept *kept = keep(metadata);
    (void)pthread_mutex_lock(&store->lock);
    remove_object(store, name);
    if (kept != NULL && store->bytes + kept->size <= BW_MAX_METADATA_KEPT) {
        store->bytes += kept->size;
        count(store, &kept->metadata, true);
        (void)bw_map_put(store->objects, name, strlen(name), kept);
        kept = NULL;
    } else {
        store->lost = true;
    }
    (void)pthread_mutex_unlock(&store->lock);
    free(kept);
}

void bw_metadata_store_drop(struct bw_metadata_store *store, const char *name)
{
    (void)pthread_mutex_lock(&store->lock);
    remove_object(store, name);
    (void)pthread_mutex_unlock(&store->lock);
}

/* ---- what is asked */

bool bw_metadata_store_find(struct bw_metadata *out, struct bw_metadata_store *store, const char *name,
                            struct bw_arena *arena, struct bw_error *err)
{
    (void)pthread_mutex_lock(&store->lock);
    const struct kept *kept = bw_map_get(store->objects, name, strlen(name));
    void *memory = kept == NULL ? NULL : bw_arena_alloc(arena, kept->size);
    if (kept != NULL && memory == NULL) {
        (void)bw_arena_spent(err);
    } else if (kept != NULL) {
        *out = fill_block(memory, kept->size, &kept->metadata)->metadata;
    }
    (void)pthread_mutex_unlock(&store->lock);
    return memory != NULL;
}

void bw_metadata_store_set_whole(struct bw_metadata_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    store->whole = true;
    (void)pthread_mutex_unlock(&store->lock);
}

size_t bw_metadata_store_values(struct bw_value_pair *into, size_t capacity, struct bw_metadata_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    size_t n = !store->whole || store->lost ? 0 : store->n_tallies < capacity ? store->n_tallies : capacity;
    for (size_t i = 0; i < n; i++) {
        into[i] = store->tallies[i].pair;
    }
    (void)pthread_mutex_unlock(&store->lock);
    return n;
}
