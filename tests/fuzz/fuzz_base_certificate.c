/* Certificates that others put into a Secret or a folder: read, taken apart, compared. */
#include "base/certificate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BW_ARENA_SCOPE arena;
    struct bw_certificate_facts facts;
    const char *const *parts = NULL;
    size_t n = 0;
    bw_arena_init(&arena, 1 << 20);
    char *text = bw_arena_strndup(&arena, (const char *)data, size);
    if (text == NULL) {
        return 0;
    }
    (void)!bw_certificate_read(&facts, (const char *)data, size, &arena, NULL);
    if (bw_certificate_split(&parts, &n, text, &arena, NULL) == 0) {
        for (size_t i = 0; i < n; i++) {
            (void)bw_certificate_signed_by(parts[0], parts[i]);
            if (strlen(parts[i]) > size + 1) {
                abort();
            }
        }
        (void)!bw_certificate_key_matches(text, text, NULL);
    }
    return 0;
}
