/* apk's database of installed packages. */
#include "base/limits.h"
#include "image/analyzer/collectors/apk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_GIB);
    struct bw_str rest = {(const char *)data, size};
    struct bw_apk_record record;
    size_t paths = 0;
    while (bw_apk_next_record(&record, &rest)) {
        struct bw_str version, release, files = record.files, folder = {0};
        struct bw_apk_path path;
        bw_apk_split_version(&version, &release, record.version);
        if (version.len + release.len > record.version.len)
            abort();
        while (bw_apk_next_path(&path, &files, &folder)) {
            const char *hex = NULL;
            if (++paths > size)
                abort();
            if (bw_apk_sum(&hex, path.sum, &arena) != NULL && hex == NULL)
                abort();
        }
    }
    return 0;
}
