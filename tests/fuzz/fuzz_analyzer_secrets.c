/* An expression (the first line) on the bytes behind it: literals must not change which lines match. */
#include "base/limits.h"
#include "image/analyzer/collectors/secrets.h"

#include <stdlib.h>
#include <string.h>

struct lines {
    int64_t numbers[BW_MAX_HIT_LINES];
    size_t count;
    bool limited;
};

static int note(void *payload, const struct bw_pattern_lines *found, struct bw_error *err)
{
    struct lines *lines = payload;
    (void)err;
    memcpy(lines->numbers, found->lines, found->n_lines * sizeof(*found->lines));
    lines->count = found->n_lines;
    lines->limited = found->limited;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    if (end == NULL || memchr(data, '\0', (size_t)(end - data)) != NULL)
        return 0;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_GIB);
    struct bw_error err = {0};
    const char *text = bw_arena_strndup(&arena, (const char *)data, (size_t)(end - data));
    const char *subject = (const char *)end + 1;
    size_t len = size - (size_t)(end + 1 - data);
    const struct bw_pattern *fast = NULL;
    if (text == NULL || bw_patterns_compile(&fast, &text, 1, &arena, &err))
        return 0;
    struct bw_pattern slow = {.text = text, .regex = fast->regex};
    static struct lines by_fast, by_slow;
    by_fast.count = by_slow.count = 0;
    by_fast.limited = by_slow.limited = false;
    if (bw_patterns_scan(fast, 1, subject, len, note, &by_fast, &err) ||
        bw_patterns_scan(&slow, 1, subject, len, note, &by_slow, &err))
        abort();
    bool same = by_fast.count == by_slow.count &&
                memcmp(by_fast.numbers, by_slow.numbers, by_fast.count * sizeof(*by_fast.numbers)) == 0;
    if (!by_slow.limited && (by_fast.limited || !same))
        abort();
    bw_patterns_free(fast, 1);
    return 0;
}
