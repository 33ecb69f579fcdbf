/* All good bundles at one time. */
#include "evaluator/bundle_internal.h"

#include "base/map.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct bw_bundle_set {
    atomic_uint references;
    struct bw_bundle **bundles;
    size_t n_bundles;
    struct bw_map *by_id;
    struct bw_bundle *default_bundle;
};

struct bw_bundle_set *bw_bundle_set_create(struct bw_bundle *const *bundles, size_t n_bundles, const char *default_id)
{
    struct bw_bundle_set *set = bw_memory_zeroed(1, sizeof(*set));
    atomic_init(&set->references, 1);
    set->bundles = bw_memory_zeroed(n_bundles + 1, sizeof(struct bw_bundle *));
    set->by_id = bw_map_create();
    for (size_t i = 0; i < n_bundles; i++) {
        set->bundles[set->n_bundles++] = bw_bundle_retain(bundles[i]);
        (void)bw_map_put(set->by_id, bundles[i]->id, strlen(bundles[i]->id), bundles[i]);
    }
    if (default_id != NULL) {
        set->default_bundle = bw_map_get(set->by_id, default_id, strlen(default_id));
    } else if (n_bundles == 1) {
        set->default_bundle = bundles[0];
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
    for (size_t i = 0; i < set->n_bundles; i++) {
        bw_bundle_release(set->bundles[i]);
    }
    bw_map_destroy(set->by_id, NULL);
    free(set->bundles);
    free(set);
}

struct bw_bundle *bw_bundle_set_find(const struct bw_bundle_set *set, const char *id)
{
    return id == NULL ? set->default_bundle : bw_map_get(set->by_id, id, strlen(id));
}

size_t bw_bundle_set_count(const struct bw_bundle_set *set)
{
    return set->n_bundles;
}

struct bw_bundle *bw_bundle_set_at(const struct bw_bundle_set *set, size_t index)
{
    return set->bundles[index];
}

int bw_bundle_set_needs(struct bw_needs *out, const struct bw_bundle_set *set, struct bw_arena *arena,
                        struct bw_error *err)
{
    struct bw_needs needs = {0};
    for (size_t i = 0; i < set->n_bundles; i++) {
        struct bw_needs merged = {0};
        if (bw_needs_merge(&merged, &needs, &set->bundles[i]->needs, arena, err) != 0) {
            return -1;
        }
        needs = merged;
    }
    *out = needs;
    return 0;
}
