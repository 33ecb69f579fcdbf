/* The files by which a distribution is told, each reader on the same bytes. */
#include "base/limits.h"
#include "image/analyzer/collectors/os_release.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const readers[])(struct bw_distro *, const char *, size_t, struct bw_arena *, struct bw_error *) = {
        bw_os_release_parse, bw_system_cpe_parse, bw_redhat_release_parse, bw_lsb_release_parse};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_GIB);
    for (size_t i = 0; i < BW_LENGTH(readers); i++) {
        struct bw_distro distro = {0};
        struct bw_error err = {0};
        if (readers[i](&distro, (const char *)data, size, &arena, &err))
            abort();
    }
    struct bw_str version = bw_busybox_version((const char *)data, size);
    if (version.len != 0 && *version.base != 'v')
        abort();
    return 0;
}
