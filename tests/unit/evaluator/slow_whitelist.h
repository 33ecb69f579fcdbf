#ifndef BW_TESTS_UNIT_EVALUATOR_SLOW_WHITELIST_H
#define BW_TESTS_UNIT_EVALUATOR_SLOW_WHITELIST_H

#include "evaluator/bundle_internal.h"

/* Whether a pattern with stars matches, straight from its definition: anchored at both ends, a star is any run without
 * newlines. */
static inline bool slow_wildcard(struct bw_str pattern, struct bw_str subject)
{
    if (pattern.len == 0) {
        return subject.len == 0;
    }
    struct bw_str rest = {pattern.base + 1, pattern.len - 1};
    if (pattern.base[0] != '*') {
        return subject.len > 0 && subject.base[0] == pattern.base[0] &&
               slow_wildcard(rest, (struct bw_str){subject.base + 1, subject.len - 1});
    }
    for (size_t skip = 0;; skip++) {
        if (slow_wildcard(rest, (struct bw_str){subject.base + skip, subject.len - skip})) {
            return true;
        }
        if (skip == subject.len || subject.base[skip] == '\n') {
            return false;
        }
    }
}

/* What bw_whitelist_find must give: one item after the other. */
static inline const struct bw_whitelist_item *slow_whitelist_find(const struct bw_whitelist *whitelist,
                                                                  const struct bw_gate *gate, const char *trigger_id,
                                                                  int64_t now_s)
{
    struct bw_str id = bw_str_from(trigger_id);
    for (size_t i = 0; i < whitelist->n_items; i++) {
        const struct bw_whitelist_item *item = &whitelist->items[i];
        if (item->gate != gate || item->expires_s <= now_s) {
            continue;
        }
        bool newline = id.len > 0 && id.base[id.len - 1] == '\n';
        if (bw_str_equal(item->pattern.text, id) || slow_wildcard(item->pattern.text, id) ||
            (newline && slow_wildcard(item->pattern.text, (struct bw_str){id.base, id.len - 1}))) {
            return item;
        }
    }
    return NULL;
}

#endif
