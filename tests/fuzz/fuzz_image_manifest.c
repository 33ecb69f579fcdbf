/* Manifests, indexes and configurations from registries; the same bytes are read as each of them. */
#include "base/limits.h"
#include "image/manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {NULL, "application/vnd.oci.image.index.v1+json",
                                        "application/vnd.docker.distribution.manifest.v2+json"};
    static const struct bw_platform wanted = {.os = "linux", .architecture = "arm64", .variant = "v8"};
    struct bw_image_config config;
    for (size_t i = 0; i < BW_LENGTH(types); i++) {
        struct bw_manifest manifest;
        struct bw_error err = {0};
        const struct bw_descriptor **chosen = NULL;
        size_t n = 0;
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, 16 * BW_MIB);
        if (bw_manifest_parse(&manifest, (const char *)data, size, types[i], &arena, &err) != 0) {
            if (err.code == BW_OK || err.message[0] == '\0') {
                abort();
            }
        } else if (manifest.kind == BW_MANIFEST_INDEX &&
                   bw_index_choose(&chosen, &n, &manifest, &wanted, 1, &arena, &err) == 0 && n == 0) {
            abort();
        }
    }
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 16 * BW_MIB);
    if (bw_image_config_parse(&config, (const char *)data, size, &arena, NULL) == 0 &&
        (config.len != size || memcmp(config.text, data, size) != 0)) {
        abort();
    }
    return 0;
}
