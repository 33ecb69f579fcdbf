/* A byte of flags, the pattern, a line feed, the subject: whatever the pattern, compiling and matching end soon, also
 * on a subject padded past the length at which the second form of the pattern takes over. */
#include "base/regex.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PADDING = 300 };

static void match_padded(const struct bw_regex *regex, const char *subject, size_t len)
{
    char *padded = malloc(len + PADDING);
    struct bw_error err = {0};
    size_t start, end;
    if (!padded)
        abort();
    memcpy(padded, subject, len);
    memset(padded + len, '\n', PADDING);
    int found = bw_regex_group(regex, padded, len + PADDING, 0, &start, &end, &err);
    if (found == 1 && (start > end || end > len + PADDING))
        abort();
    free(padded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    unsigned flags = data[0] & (BW_REGEX_ANCHORED | BW_REGEX_BYTES);
    const char *pattern = (const char *)data + 1, *end = memchr(pattern, '\n', size - 1);
    size_t pattern_len = end ? (size_t)(end - pattern) : size - 1;
    const char *subject = end ? end + 1 : "";
    size_t len = end ? size - pattern_len - 2 : 0;
    struct bw_regex *regex = NULL;
    struct bw_error err = {0};
    if (bw_regex_compile(&regex, pattern, pattern_len, flags, &err))
        return 0;
    size_t from, to;
    for (unsigned group = 0; group < 3; group++) {
        int found = bw_regex_group(regex, subject, len, group, &from, &to, &err);
        if (found == 1 && from != SIZE_MAX && (from > len || to > len))
            abort();
        if (found != 1)
            break;
    }
    match_padded(regex, subject, len);
    bw_regex_free(regex);
    return 0;
}
