/* Names, labels and annotations (k8s/metadata.h). */
#include "k8s/metadata.h"

#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct bw_pair *)a)->key, ((const struct bw_pair *)b)->key);
}

bool bw_pairs_sort(struct bw_pair *items, size_t n_items)
{
    bool sorted = true;
    for (size_t i = 1; sorted && i < n_items; i++) /* as the API server writes them */
        sorted = strcmp(items[i - 1].key, items[i].key) < 0;
    if (sorted)
        return true;
    qsort(items, n_items, sizeof(*items), by_key);
    for (size_t i = 1; i < n_items; i++)
        if (strcmp(items[i - 1].key, items[i].key) == 0)
            return false;
    return true;
}

const struct bw_pair *bw_pairs_find(const struct bw_pairs *pairs, const char *key)
{
    const struct bw_pair wanted = {.key = key};
    return pairs->n_items ? bsearch(&wanted, pairs->items, pairs->n_items, sizeof(wanted), by_key) : NULL;
}

static const char *copy_of(const json_t *node, struct bw_arena *arena)
{
    return json_is_string(node) ? bw_arena_strdup(arena, json_string_value(node)) : "";
}

static int read_pairs(struct bw_pairs *out, const json_t *node, struct bw_arena *arena)
{
    const char *key;
    json_t *value;
    size_t n_pairs = 0;
    if (!json_object_size(node))
        return 0;
    struct bw_pair *pairs = bw_arena_array(arena, json_object_size(node), sizeof(*pairs));
    if (!pairs)
        return -1;
    json_object_foreach((json_t *)(uintptr_t)node, key, value)
    {
        if (!json_is_string(value))
            continue;
        struct bw_pair *pair = &pairs[n_pairs++];
        *pair = (struct bw_pair){bw_arena_strdup(arena, key),
                                 bw_arena_strndup(arena, json_string_value(value), json_string_length(value)),
                                 json_string_length(value)};
        if (!pair->key || !pair->value)
            return -1;
    }
    (void)bw_pairs_sort(pairs, n_pairs); /* an object has a key once */
    *out = (struct bw_pairs){pairs, n_pairs};
    return 0;
}

int bw_metadata_read(struct bw_metadata *out, const json_t *metadata, struct bw_arena *arena)
{
    out->name = copy_of(json_object_get(metadata, "name"), arena);
    return !out->name || read_pairs(&out->labels, json_object_get(metadata, "labels"), arena) ||
                   read_pairs(&out->annotations, json_object_get(metadata, "annotations"), arena)
               ? -1
               : 0;
}
