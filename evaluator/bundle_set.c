/* All good bundles at one time. */
#include "evaluator/bundle_internal.h"

#include "base/map.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct bw_bundle_set {
    atomic_uint references;
    struct bw_bundle_item *items;
    size_t n_items;
    struct bw_map *by_id; /* of items */
    struct bw_bundle *default_bundle;
};

static const struct bw_bundle_item *find_item(const struct bw_bundle_set *set, const char *id)
{
    return bw_map_get(set->by_id, id, strlen(id));
}

struct bw_bundle_set *bw_bundle_set_create(const struct bw_bundle_item *items, size_t n_items, const char *default_id)
{
    struct bw_bundle_set *set = bw_memory_zeroed(1, sizeof(*set));
    atomic_init(&set->references, 1);
    set->items = bw_memory_zeroed(n_items + 1, sizeof(set->items[0]));
    set->by_id = bw_map_create();
    for (size_t i = 0; i < n_items; i++) {
        struct bw_bundle_item *item = &set->items[set->n_items++];
        *item = items[i];
        item->bundle = bw_bundle_retain(items[i].bundle);
        item->origin = bw_memory_strndup(items[i].origin, strlen(items[i].origin));
        (void)bw_map_put(set->by_id, item->bundle->id, strlen(item->bundle->id), item);
    }
    if (default_id != NULL) {
        set->default_bundle = bw_bundle_set_find(set, default_id);
    } else if (n_items == 1) {
        set->default_bundle = items[0].bundle;
    }
    return set;
}

struct bw_bundle_set *bw_bundle_set_retain(struct bw_bundle_set *set)
{
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void bw_bundle_set_release(struct bw_bundle_set *set)
{
    if (set == NULL || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < set->n_items; i++) {
        bw_bundle_release(set->items[i].bundle);
        free((void *)(uintptr_t)set->items[i].origin);
    }
    bw_map_destroy(set->by_id, NULL);
    free(set->items);
    free(set);
}

struct bw_bundle *bw_bundle_set_find(const struct bw_bundle_set *set, const char *id)
{
    const struct bw_bundle_item *item = id == NULL ? NULL : find_item(set, id);
    return id == NULL ? set->default_bundle : item == NULL ? NULL : item->bundle;
}

size_t bw_bundle_set_count(const struct bw_bundle_set *set)
{
    return set->n_items;
}

struct bw_bundle *bw_bundle_set_at(const struct bw_bundle_set *set, size_t index)
{
    return set->items[index].bundle;
}

const char *bw_bundle_set_origin(const struct bw_bundle_set *set, const struct bw_bundle *bundle)
{
    return find_item(set, bundle->id)->origin;
}

bool bw_bundle_set_warns(const struct bw_bundle_set *set, const struct bw_bundle *bundle)
{
    return find_item(set, bundle->id)->warn_only;
}

int bw_bundle_set_needs(struct bw_needs *out, const struct bw_bundle_set *set, struct bw_arena *arena,
                        struct bw_error *err)
{
    struct bw_needs needs = {0};
    for (size_t i = 0; i < set->n_items; i++) {
        struct bw_needs merged = {0};
        if (bw_needs_merge(&merged, &needs, &set->items[i].bundle->needs, arena, err) != 0) {
            return -1;
        }
        needs = merged;
    }
    *out = needs;
    return 0;
}
