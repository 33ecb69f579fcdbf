/* WWW-Authenticate headers, from any server that an image name points to. */
#include "base/limits.h"
#include "image/registry/challenge.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_challenge all[8];
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 4 * BW_MAX_HTTP_HEAD_BYTES);
    char *text = malloc(size + 1);
    if (text == NULL || size > BW_MAX_HTTP_HEAD_BYTES) {
        free(text);
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    size_t n = bw_challenge_parse(all, BW_LENGTH(all), text, &arena);
    for (size_t i = 0; i < n; i++) {
        if ((all[i].realm != NULL && strlen(all[i].realm) > size) ||
            (all[i].service != NULL && strlen(all[i].service) > size)) {
            abort();
        }
    }
    free(text);
    return n > BW_LENGTH(all);
}
