/* Reports in memory (image/catalog/store.h), least recently used first out. A report that is larger than the whole
 * store is not taken. */
#include "image/catalog/store.h"

#include "base/memory.h"
#include "image/catalog/lru.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct memory_store {
    struct bw_store base;
    pthread_mutex_t lock;
    struct bw_lru reports;
};

struct memory_entry {
    struct bw_lru_entry base;
    struct bw_report *report;
};

static void free_entry(struct bw_lru_entry *base)
{
    struct memory_entry *entry = (struct memory_entry *)base;
    bw_report_release(entry->report);
    free(entry);
}

static int memory_get(struct bw_report **out, struct bw_store *base, const char *key, struct bw_error *err)
{
    struct memory_store *store = (struct memory_store *)base;
    pthread_mutex_lock(&store->lock);
    struct memory_entry *entry = bw_lru_find(&store->reports, key, strlen(key));
    struct bw_report *report = entry == NULL ? NULL : bw_report_retain(entry->report);
    pthread_mutex_unlock(&store->lock);
    if (report == NULL) {
        return bw_error_set(err, BW_ENOTFOUND, "no report of %.100s in memory", key);
    }
    *out = report;
    return 0;
}

static int memory_put(struct bw_store *base, const char *key, struct bw_report *report, struct bw_error *err)
{
    struct memory_store *store = (struct memory_store *)base;
    size_t cost = report->memory + sizeof(struct memory_entry) + 2 * strlen(key);
    if (cost > store->reports.max_cost) {
        return bw_error_set(err, BW_ELIMIT, "the report of %.100s takes %zu bytes, the store in memory holds %zu", key,
                            cost, store->reports.max_cost);
    }
    struct memory_entry *entry = bw_memory_zeroed(1, sizeof(*entry));
    entry->report = bw_report_retain(report);
    pthread_mutex_lock(&store->lock);
    bw_lru_put(&store->reports, key, strlen(key), cost, &entry->base);
    pthread_mutex_unlock(&store->lock);
    return 0;
}

static void memory_destroy(struct bw_store *base)
{
    struct memory_store *store = (struct memory_store *)base;
    bw_lru_clear(&store->reports);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static const struct bw_store_ops memory_ops = {
    .name = "memory", .get = memory_get, .put = memory_put, .destroy = memory_destroy, .quick = true};

int bw_store_memory_create(struct bw_store **out, size_t max_bytes, struct bw_error *err)
{
    (void)err;
    struct memory_store *store = bw_memory_zeroed(1, sizeof(*store));
    store->base.ops = &memory_ops;
    pthread_mutex_init(&store->lock, NULL);
    bw_lru_init(&store->reports, max_bytes, free_entry);
    *out = &store->base;
    return 0;
}
