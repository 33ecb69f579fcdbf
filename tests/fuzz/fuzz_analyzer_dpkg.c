/* dpkg's status, md5sums, conffiles and copyright files, all out of the same bytes. */
#include "base/limits.h"
#include "image/analyzer/collectors/dpkg.h"
#include "image/analyzer/collectors/licenses.h"

#include <stdlib.h>

static void inside(struct bw_str part, const uint8_t *data, size_t size)
{
    const char *begin = (const char *)data;
    if (part.len != 0 && (part.base < begin || part.base + part.len > begin + size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_str rest = {(const char *)data, size}, line, a, b;
    struct bw_dpkg_stanza stanza;
    while (bw_dpkg_next_stanza(&stanza, &rest)) {
        bw_dpkg_source(&a, &b, &stanza);
        inside(a, data, size);
        inside(b, data, size);
        (void)bw_dpkg_is_installed(&stanza);
        while (stanza.conffiles.len != 0 && bw_str_next_line(&line, &stanza.conffiles))
            if (bw_dpkg_conffile_line(&a, &b, line))
                inside(a, data, size);
    }
    rest = (struct bw_str){(const char *)data, size};
    while (bw_str_next_line(&line, &rest))
        if (bw_dpkg_md5_line(&a, &b, line))
            inside(a, data, size);
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_GIB);
    struct bw_licenses licenses = {0};
    struct bw_error err = {0};
    if (bw_licenses_of_copyright(&licenses, (const char *)data, size, &arena, &err) ||
        bw_licenses_of_expression(&licenses, (const char *)data, size, &arena, &err))
        abort();
    return 0;
}
