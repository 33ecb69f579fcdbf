/* Lines are items of a whitelist (a digit for the gate and the expiry, then the trigger id), the last line is the id to
 * look up: the index finds what a walk over all items finds. */
#include "base/limits.h"
#include "evaluator/bundle_internal.h"
#include "tests/unit/evaluator/slow_whitelist.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ITEMS = 64, MAX_STARS = 4, NOW = 10 };

static size_t count_stars(struct bw_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += text.base[i] == '*';
    }
    return count;
}

static void take_item(struct bw_whitelist *whitelist, struct bw_whitelist_item *items, struct bw_str line,
                      struct bw_arena *arena)
{
    struct bw_str text = {line.base + 1, line.len - 1};
    if (whitelist->n_items == MAX_ITEMS || count_stars(text) > MAX_STARS) { /* the walk takes exponential time */
        return;
    }
    unsigned kind = (unsigned char)line.base[0];
    struct bw_whitelist_item *item = &items[whitelist->n_items++];
    item->gate = (kind & 1) != 0 ? bw_gates[0] : (kind & 2) != 0 ? bw_gates[1] : NULL;
    item->expires_s = (kind & 4) != 0 ? NOW + (int64_t)(kind >> 3 & 1) : INT64_MAX;
    item->pattern.text = (struct bw_str){bw_arena_strndup(arena, text.base, text.len), text.len};
    item->pattern.literal = count_stars(text) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 512 || (size > 0 && memchr(data, 0, size) != NULL)) {
        return 0;
    }
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    struct bw_whitelist_item items[MAX_ITEMS] = {0};
    struct bw_whitelist whitelist = {.items = items};
    struct bw_str rest = {(const char *)data, size};
    struct bw_str line = {"", 0};
    struct bw_str previous = {"", 0};
    while (size > 0 && bw_str_next(&line, &rest, '\n')) {
        if (previous.len > 0) {
            take_item(&whitelist, items, previous, &arena);
        }
        previous = line;
    }
    struct bw_error err = {0};
    if (bw_whitelist_build_index(&whitelist, &arena, &err) != 0) {
        abort();
    }
    for (int newline = 0; newline < 2; newline++) {
        char *id = bw_arena_printf(&arena, "%.*s%s", (int)previous.len, previous.base, newline ? "\n" : "");
        for (size_t gate = 0; gate < 2; gate++) {
            if (bw_whitelist_find(&whitelist, bw_gates[gate], id, NOW) !=
                slow_whitelist_find(&whitelist, bw_gates[gate], id, NOW)) {
                abort();
            }
        }
    }
    return 0;
}
