/* The life of a compiled bundle. */
#include "evaluator/bundle_internal.h"

#include "base/limits.h"
#include "base/memory.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bw_bundle *bw_bundle_create(const char *text, size_t len)
{
    struct bw_bundle *bundle = bw_memory_zeroed(1, sizeof(*bundle));
    atomic_init(&bundle->references, 1);
    bw_arena_init(&bundle->arena, BW_ARENA_BUNDLE);
    bw_hash_hex(bundle->hash, BW_SHA256, text, len);
    bundle->id = "";
    bundle->name = "";
    return bundle;
}

struct bw_bundle *bw_bundle_retain(struct bw_bundle *bundle)
{
    atomic_fetch_add_explicit(&bundle->references, 1, memory_order_relaxed);
    return bundle;
}

void bw_bundle_release(struct bw_bundle *bundle)
{
    if (bundle == NULL || atomic_fetch_sub_explicit(&bundle->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < bundle->n_regexes; i++) {
        bw_regex_free(bundle->regexes[i]);
    }
    bw_arena_clear(&bundle->arena);
    free(bundle);
}

void bw_bundle_name_of(char *out, size_t size, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    struct bw_str rest = bw_str_from(name);
    rest.len -= bw_str_ends_with(rest, ".gz") ? strlen(".gz") : bw_str_ends_with(rest, ".zst") ? strlen(".zst") : 0;
    const char *dot = memrchr(name, '.', rest.len);
    int len = dot == NULL || dot == name ? (int)rest.len : (int)(dot - name);
    (void)snprintf(out, size, "%.*s", len, name);
}

const char *bw_bundle_id(const struct bw_bundle *bundle)
{
    return bundle->id;
}

const char *bw_bundle_hash(const struct bw_bundle *bundle)
{
    return bundle->hash;
}

const struct bw_needs *bw_bundle_needs(const struct bw_bundle *bundle)
{
    return &bundle->needs;
}

const uint64_t *bw_bundle_deviations(const struct bw_bundle *bundle)
{
    return bundle->deviations;
}
