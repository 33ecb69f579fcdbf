/* Which item of a whitelist forgives a finding: the first one, in the order of the document, whose gate is the
 * finding's and whose trigger id equals or matches that of the finding. Items are looked up by exact text, by what
 * stands before their first star and by what stands behind their last one; only the few that have neither are tried one
 * by one. */
#include "evaluator/bundle_internal.h"

#include <stdlib.h>
#include <string.h>

enum shape { EXACT, PREFIX, SUFFIX, SHAPES };

struct node {
    uint32_t item;
    uint32_t next; /* index + 1 of the next node of the same slot, items ascending; 0: none */
    enum shape shape;
    uint64_t hash;
};

struct bw_whitelist_index {
    uint32_t *slots; /* index + 1 of the first node */
    size_t n_slots;  /* a power of two */
    struct node *nodes;
    size_t n_nodes;
    const uint32_t *lengths[SHAPES]; /* distinct, ascending */
    size_t n_lengths[SHAPES];
    uint32_t *others;
    size_t n_others;
    const struct bw_gate **gates; /* those that items name */
    size_t n_gates, gates_capacity;
    int64_t *expiries; /* ascending, without those that never come */
    size_t n_expiries;
};

/* FNV-1a, forwards for beginnings and backwards for ends, so that all lengths of one text cost one pass. */
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)

static uint64_t mix(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * FNV_PRIME;
}

static uint64_t seed(const struct bw_gate *gate, enum shape shape)
{
    return (FNV_OFFSET ^ (uint64_t)(uintptr_t)gate ^ ((uint64_t)shape << 56)) * FNV_PRIME;
}

static uint64_t hash_text(const struct bw_gate *gate, enum shape shape, struct bw_str text)
{
    uint64_t hash = seed(gate, shape);
    for (size_t i = 0; i < text.len; i++) {
        hash = mix(hash, text.base[shape == SUFFIX ? text.len - 1 - i : i]);
    }
    return hash;
}

/* What an item is found by besides its exact text: SHAPES when by nothing. */
static enum shape shape_of(const struct bw_whitelist_item *item, struct bw_str *key)
{
    struct bw_str text = item->pattern.text;
    if (item->pattern.regex != NULL || item->pattern.literal) {
        return SHAPES;
    }
    const char *first = memchr(text.base, '*', text.len);
    const char *last = memrchr(text.base, '*', text.len);
    *key = (struct bw_str){text.base, (size_t)(first - text.base)};
    if (key->len > 0) {
        return PREFIX;
    }
    *key = (struct bw_str){last + 1, text.len - (size_t)(last + 1 - text.base)};
    return key->len > 0 && key->base[key->len - 1] != '\n' ? SUFFIX : SHAPES;
}

static void insert(struct bw_whitelist_index *index, uint32_t item, enum shape shape, uint64_t hash)
{
    struct node *node = &index->nodes[index->n_nodes++];
    uint32_t *slot = &index->slots[(hash ^ hash >> 32) & (index->n_slots - 1)];
    *node = (struct node){.item = item, .next = *slot, .shape = shape, .hash = hash};
    *slot = (uint32_t)index->n_nodes;
}

/* The distinct lengths of keys of one shape, ascending; a sorted insert, as there are few. */
static int note_length(struct bw_whitelist_index *index, enum shape shape, size_t length, struct bw_arena *arena,
                       size_t *capacity, struct bw_error *err)
{
    uint32_t *lengths = (uint32_t *)(uintptr_t)index->lengths[shape];
    size_t at = index->n_lengths[shape];
    while (at > 0 && lengths[at - 1] > length) {
        at--;
    }
    if (at > 0 && lengths[at - 1] == length) {
        return 0;
    }
    void *array = lengths;
    if (bw_arena_grow(arena, &array, index->n_lengths[shape], capacity, sizeof(*lengths), err) != 0) {
        return -1;
    }
    lengths = array;
    memmove(lengths + at + 1, lengths + at, (index->n_lengths[shape] - at) * sizeof(*lengths));
    lengths[at] = (uint32_t)length;
    index->lengths[shape] = lengths;
    index->n_lengths[shape]++;
    return 0;
}

static int note_gate(struct bw_whitelist_index *index, const struct bw_gate *gate, struct bw_arena *arena,
                     struct bw_error *err)
{
    for (size_t i = 0; i < index->n_gates; i++) {
        if (index->gates[i] == gate) {
            return 0;
        }
    }
    void *array = index->gates;
    if (bw_arena_grow(arena, &array, index->n_gates, &index->gates_capacity, sizeof(*index->gates), err) != 0) {
        return -1;
    }
    index->gates = array;
    index->gates[index->n_gates++] = gate;
    return 0;
}

bool bw_whitelist_concerns(const struct bw_whitelist *whitelist, const struct bw_gate *gate)
{
    for (size_t i = 0; i < whitelist->index->n_gates; i++) {
        if (whitelist->index->gates[i] == gate) {
            return true;
        }
    }
    return false;
}

static int by_instant(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static int sort_expiries(struct bw_whitelist_index *index, const struct bw_whitelist *whitelist, struct bw_arena *arena,
                         struct bw_error *err)
{
    index->expiries = bw_arena_array(arena, whitelist->n_items + 1, sizeof(*index->expiries));
    if (index->expiries == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < whitelist->n_items; i++) {
        if (whitelist->items[i].expires_s != INT64_MAX) {
            index->expiries[index->n_expiries++] = whitelist->items[i].expires_s;
        }
    }
    if (index->n_expiries > 1) {
        qsort(index->expiries, index->n_expiries, sizeof(*index->expiries), by_instant);
    }
    return 0;
}

int64_t bw_whitelist_next_expiry(const struct bw_whitelist *whitelist, int64_t now_s)
{
    const struct bw_whitelist_index *index = whitelist->index;
    size_t low = 0;
    size_t high = index->n_expiries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->expiries[middle] > now_s) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < index->n_expiries ? index->expiries[low] : INT64_MAX;
}

int bw_whitelist_build_index(struct bw_whitelist *whitelist, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_whitelist_index *index = bw_arena_alloc(arena, sizeof(*index));
    if (index == NULL) {
        return bw_arena_spent(err);
    }
    index->n_slots = 4;
    while (index->n_slots < 2 * whitelist->n_items) {
        index->n_slots *= 2;
    }
    index->slots = bw_arena_array(arena, index->n_slots, sizeof(*index->slots));
    index->nodes = bw_arena_array(arena, 2 * whitelist->n_items + 1, sizeof(*index->nodes));
    index->others = bw_arena_array(arena, whitelist->n_items + 1, sizeof(*index->others));
    if (index->slots == NULL || index->nodes == NULL || index->others == NULL) {
        return bw_arena_spent(err);
    }
    if (sort_expiries(index, whitelist, arena, err) != 0) {
        return -1;
    }
    size_t capacities[SHAPES] = {0};
    for (size_t i = whitelist->n_items; i-- > 0;) {
        const struct bw_whitelist_item *item = &whitelist->items[i];
        struct bw_str key = {"", 0};
        if (item->gate == NULL) {
            continue;
        }
        if (note_gate(index, item->gate, arena, err) != 0) {
            return -1;
        }
        insert(index, (uint32_t)i, EXACT, hash_text(item->gate, EXACT, item->pattern.text));
        enum shape shape = shape_of(item, &key);
        if (shape != SHAPES) {
            insert(index, (uint32_t)i, shape, hash_text(item->gate, shape, key));
            if (note_length(index, shape, key.len, arena, &capacities[shape], err) != 0) {
                return -1;
            }
        } else if (!item->pattern.literal) {
            index->others[index->n_others++] = (uint32_t)i;
        }
    }
    whitelist->index = index;
    return 0;
}

struct query {
    const struct bw_whitelist *whitelist;
    const struct bw_gate *gate;
    struct bw_str id;
    int64_t now_s;
    uint32_t best; /* UINT32_MAX: none yet */
};

static bool hits(const struct query *query, const struct bw_whitelist_item *item, struct bw_str id, enum shape shape)
{
    if (item->gate != query->gate || item->expires_s <= query->now_s) {
        return false;
    }
    return shape == EXACT ? bw_str_equal(item->pattern.text, id) : bw_pattern_match(&item->pattern, id, NULL) == 1;
}

static void look_up(struct query *query, enum shape shape, uint64_t hash, struct bw_str id)
{
    const struct bw_whitelist_index *index = query->whitelist->index;
    uint32_t at = index->slots[(hash ^ hash >> 32) & (index->n_slots - 1)];
    for (; at != 0; at = index->nodes[at - 1].next) {
        const struct node *node = &index->nodes[at - 1];
        if (node->item >= query->best) {
            return;
        }
        if (node->hash == hash && node->shape == shape &&
            hits(query, &query->whitelist->items[node->item], id, shape)) {
            query->best = node->item;
            return;
        }
    }
}

/* Beginnings, or ends, of every length that some item has. */
static void look_up_lengths(struct query *query, enum shape shape, struct bw_str id)
{
    const struct bw_whitelist_index *index = query->whitelist->index;
    uint64_t hash = seed(query->gate, shape);
    size_t done = 0;
    for (size_t i = 0; i < index->n_lengths[shape] && index->lengths[shape][i] <= id.len; i++) {
        for (; done < index->lengths[shape][i]; done++) {
            hash = mix(hash, id.base[shape == SUFFIX ? id.len - 1 - done : done]);
        }
        look_up(query, shape, hash, query->id);
    }
}

const struct bw_whitelist_item *bw_whitelist_find(const struct bw_whitelist *whitelist, const struct bw_gate *gate,
                                                  const char *trigger_id, int64_t now_s)
{
    const struct bw_whitelist_index *index = whitelist->index;
    struct query query = {whitelist, gate, bw_str_from(trigger_id), now_s, UINT32_MAX};
    look_up(&query, EXACT, hash_text(gate, EXACT, query.id), query.id);
    struct bw_str shorter = query.id; /* one newline at the end is overlooked */
    if (shorter.len > 0 && shorter.base[shorter.len - 1] == '\n') {
        shorter.len--;
        look_up(&query, EXACT, hash_text(gate, EXACT, shorter), shorter);
    }
    look_up_lengths(&query, PREFIX, query.id);
    look_up_lengths(&query, SUFFIX, query.id);
    if (shorter.len != query.id.len) {
        look_up_lengths(&query, SUFFIX, shorter);
    }
    for (size_t i = index->n_others; i-- > 0;) { /* ascending: they were noted from the last item on */
        if (index->others[i] < query.best && hits(&query, &whitelist->items[index->others[i]], query.id, SHAPES)) {
            query.best = index->others[i];
        }
    }
    return query.best == UINT32_MAX ? NULL : &whitelist->items[query.best];
}
