/* The Dockerfile guessed from an image configuration's history, user and ports. */
#include "base/limits.h"
#include "image/analyzer/collectors/history.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_GIB);
    struct bw_image_config config;
    struct bw_error err = {0};
    const char *text = NULL;
    if (bw_image_config_parse(&config, (const char *)data, size, &arena, &err))
        return 0;
    if (bw_dockerfile_guess(&text, &config, &arena, &err) || strncmp(text, "FROM scratch", 12) != 0)
        abort();
    return 0;
}
