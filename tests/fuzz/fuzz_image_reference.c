/* Image references: what is accepted, written out and read again is the same; what is refused has a message. */
#include "base/limits.h"
#include "image/reference.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_reference reference, again;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    if (bw_reference_parse(&reference, (const char *)data, size, &arena, &err) != 0) {
        if (err.message[0] == '\0' || strcmp(err.detail, "invalid_reference") != 0) {
            abort();
        }
        return 0;
    }
    const char *text = bw_reference_text(&reference, &arena);
    if (text == NULL || bw_reference_parse(&again, text, strlen(text), &arena, &err) != 0) {
        abort();
    }
    const char *second = bw_reference_text(&again, &arena);
    if (second == NULL || strcmp(text, second) != 0 || strlen(reference.repository) > BW_MAX_REPOSITORY_BYTES) {
        abort();
    }
    return 0;
}
