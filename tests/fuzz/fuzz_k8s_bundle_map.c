/* A ConfigMap's bundles: read from any JSON, every text inside its bounds and terminated. */
#include "base/limits.h"
#include "k8s/bundle_map.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_error err = {0};
    json_t *root = NULL;
    if (bw_json_parse(&root, (const char *)data, size, BW_MAX_REVIEW_BYTES, &err) != 0) {
        return 0;
    }
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 2 * BW_MAX_BUNDLE_MAP_BYTES);
    struct bw_bundle_map map;
    if (bw_bundle_map_read(&map, bw_json_root(root), &arena, &err) == 0) {
        for (size_t i = 0; i < map.n_bundles; i++) {
            const struct bw_map_bundle *bundle = &map.bundles[i];
            bool read = bundle->text != NULL;
            if (read == (bundle->error.code != BW_OK) || (read && bundle->len > BW_MAX_BUNDLE_BYTES) ||
                (read && bundle->text[bundle->len] != '\0') || bundle->key == NULL || bundle->field == NULL ||
                (i > 0 && strcmp(map.bundles[i - 1].key, bundle->key) > 0)) {
                abort();
            }
        }
    }
    json_decref(root);
    return 0;
}
