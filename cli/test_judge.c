/* A decision beside an expectation: what is expected and not there, what is there and not expected. */
#include "cli/test_judge.h"

#include "base/buf.h"
#include "base/limits.h"

#include <string.h>

enum { MAX_SHOWN = 10 }; /* findings told one by one */

struct judging {
    struct bw_arena *arena;
    struct bw_test_difference *items;
    size_t n_items, capacity;
    bool spent;
};

static void differ(struct judging *to, const char *what, const char *expected, const char *got)
{
    void *items = to->items;
    if (bw_arena_grow(to->arena, &items, to->n_items, &to->capacity, sizeof(*to->items), NULL) != 0) {
        to->spent = true;
        return;
    }
    to->items = items;
    to->items[to->n_items++] = (struct bw_test_difference){what, expected, got};
}

static const char *formed(struct judging *to, const char *text)
{
    to->spent = to->spent || text == NULL;
    return text == NULL ? "" : text;
}

static void compare_word(struct judging *to, const char *what, const char *expected, const char *got)
{
    if (expected != NULL && strcmp(expected, got) != 0) {
        differ(to, what, expected, got);
    }
}

/* ---- the mapping ---- */

static void compare_mapping(struct judging *to, const struct bw_test_expect *expect, const struct bw_decision *decision,
                            const struct bw_trace *trace)
{
    const struct bw_entries_trace *mappings = &trace->mappings;
    const char *label = NULL, *got = "none", *expected = "none";
    if (decision->mapping >= 0) {
        label = mappings->n_items > (size_t)decision->mapping ? mappings->items[decision->mapping].label : NULL;
        got = formed(to, label == NULL ? bw_arena_printf(to->arena, "%d", decision->mapping)
                                       : bw_arena_printf(to->arena, "%d \"%s\"", decision->mapping, label));
    }
    bool same = true;
    switch (expect->mapping) {
    case BW_TEST_MAPPING_ANY:
        return;
    case BW_TEST_MAPPING_NONE:
        same = decision->mapping < 0;
        break;
    case BW_TEST_MAPPING_INDEX:
        same = decision->mapping >= 0 && expect->mapping_index == decision->mapping;
        expected = formed(to, bw_arena_printf(to->arena, "%lld", (long long)expect->mapping_index));
        break;
    case BW_TEST_MAPPING_LABEL:
        same = label != NULL && strcmp(label, expect->mapping_label) == 0;
        expected = formed(to, bw_arena_printf(to->arena, "\"%s\"", expect->mapping_label));
        break;
    }
    if (!same) {
        differ(to, "mapping", expected, got);
    }
}

/* ---- findings ---- */

static bool same(const char *expected, const char *found)
{
    return expected == NULL || (found != NULL && strcmp(expected, found) == 0);
}

static bool matches(const struct bw_test_finding *row, const struct bw_finding *finding)
{
    return same(row->gate, finding->gate) && same(row->trigger, finding->trigger) &&
           same(row->trigger_id, finding->trigger_id) && same(row->policy, finding->policy_id) &&
           same(row->rule, finding->rule_id) && same(row->whitelist, finding->whitelist_id) &&
           (row->rule_index == BW_TEST_ANY || row->rule_index == (int64_t)finding->rule) &&
           (row->action == BW_TEST_ANY || row->action == (int)finding->action) &&
           (row->undecided == BW_TEST_ANY || (row->undecided == 1) == finding->undecided) &&
           (row->message == NULL || (finding->message != NULL && strstr(finding->message, row->message) != NULL));
}

static void put(struct bw_buf *to, const char *name, const char *value)
{
    if (value != NULL) {
        bw_buf_printf(to, "%s%s \"%s\"", to->len > 0 ? ", " : "", name, value);
    }
}

static const char *row_text(struct judging *to, const struct bw_test_finding *row)
{
    BW_BUF_SCOPE text;
    bw_buf_init(&text, 64 * BW_KIB);
    if (row->action != BW_TEST_ANY) {
        bw_buf_printf(&text, "%s", bw_action_name((enum bw_action)row->action));
    }
    if (row->gate != NULL || row->trigger != NULL) {
        bw_buf_printf(&text, "%s%s:%s", text.len > 0 ? " " : "", row->gate == NULL ? "*" : row->gate,
                      row->trigger == NULL ? "*" : row->trigger);
    }
    if (row->undecided != BW_TEST_ANY) {
        bw_buf_printf(&text, "%s%s", text.len > 0 ? ", " : "", row->undecided == 1 ? "undecided" : "decided");
    }
    put(&text, "policy", row->policy);
    put(&text, "rule", row->rule);
    if (row->rule_index != BW_TEST_ANY) {
        bw_buf_printf(&text, "%srule %lld", text.len > 0 ? ", " : "", (long long)row->rule_index);
    }
    put(&text, "whitelist", row->whitelist);
    put(&text, "triggerId", row->trigger_id);
    put(&text, "message", row->message);
    if (row->count != BW_TEST_ANY) {
        bw_buf_printf(&text, "%scount %lld", text.len > 0 ? ", " : "", (long long)row->count);
    }
    return formed(to, bw_arena_strdup(to->arena, text.data == NULL ? "" : text.data));
}

const char *bw_test_finding_text(const struct bw_finding *finding, struct bw_arena *arena)
{
    const char *word = finding->undecided ? "undecided" : bw_action_name(finding->action);
    const char *rule = finding->rule_id != NULL && finding->rule_id[0] != '\0'
                           ? bw_arena_printf(arena, "\"%s\"", finding->rule_id)
                           : bw_arena_printf(arena, "%u", finding->rule);
    const char *forgiven =
        finding->whitelisted ? bw_arena_printf(arena, ", whitelist \"%s\"", finding->whitelist_id) : "";
    if (rule == NULL || forgiven == NULL) {
        return NULL;
    }
    return bw_arena_printf(arena, "%s %s:%s, policy \"%s\", rule %s%s: %s", word, finding->gate, finding->trigger,
                           finding->policy_id, rule, forgiven, finding->message);
}

static void tell_surplus(struct judging *to, const char *what, const struct bw_finding *finding, size_t n_before)
{
    if (n_before < MAX_SHOWN) {
        differ(to, what, NULL, formed(to, bw_test_finding_text(finding, to->arena)));
    }
}

static void tell_rest(struct judging *to, const char *what, size_t n)
{
    if (n > MAX_SHOWN) {
        differ(to, what, NULL, formed(to, bw_arena_printf(to->arena, "and %zu more", n - MAX_SHOWN)));
    }
}

static void compare_row(struct judging *to, const struct bw_test_finding *row, const struct bw_decision *decision,
                        bool *named)
{
    int64_t count = 0;
    for (size_t i = 0; i < decision->n_findings; i++) {
        if (matches(row, &decision->findings[i])) {
            named[i] = true;
            count++;
        }
    }
    if (row->count == BW_TEST_ANY && count == 0) {
        differ(to, "findings", row_text(to, row), NULL);
    } else if (row->count != BW_TEST_ANY && row->count != count) {
        differ(to, "findings", row_text(to, row),
               formed(to, bw_arena_printf(to->arena, "%lld of them", (long long)count)));
    }
}

/* What no row names: all of it counts where findings are told exactly; what could not be evaluated counts unless it was
 * expected, for it stops an image as a finding would. */
static void compare_rest(struct judging *to, const struct bw_test_expect *expect, const struct bw_decision *decision,
                         const bool *named)
{
    size_t n_surplus = 0, n_unexpected = 0, n_undecided = 0;
    for (size_t i = 0; i < decision->n_findings; i++) {
        const struct bw_finding *finding = &decision->findings[i];
        n_undecided += finding->undecided ? 1 : 0;
        if (named[i]) {
            continue;
        }
        if (expect->exactly) {
            tell_surplus(to, "findings", finding, n_surplus++);
        } else if (finding->undecided && expect->undecided == BW_TEST_ANY) {
            tell_surplus(to, "undecided", finding, n_unexpected++);
        }
    }
    tell_rest(to, "findings", n_surplus);
    tell_rest(to, "undecided", n_unexpected);
    if (expect->undecided != BW_TEST_ANY && (expect->undecided == 1) != (n_undecided > 0)) {
        differ(to, "undecided", expect->undecided == 1 ? "true" : "false", n_undecided > 0 ? "true" : "false");
    }
}

int bw_test_compare(struct bw_test_differences *out, const struct bw_test_expect *expect,
                    const struct bw_decision *decision, const struct bw_trace *trace, struct bw_arena *arena,
                    struct bw_error *err)
{
    struct judging to = {.arena = arena};
    bool *named = bw_arena_array(arena, decision->n_findings + 1, sizeof(*named));
    if (named == NULL) {
        return bw_arena_spent(err);
    }
    compare_word(&to, "action", expect->action == BW_TEST_ANY ? NULL : bw_action_name((enum bw_action)expect->action),
                 bw_action_name(decision->action));
    compare_word(&to, "reason", expect->reason, decision->reason);
    compare_mapping(&to, expect, decision, trace);
    for (size_t i = 0; i < expect->n_findings; i++) {
        compare_row(&to, &expect->findings[i], decision, named);
    }
    compare_rest(&to, expect, decision, named);
    if (to.spent) {
        return bw_arena_spent(err);
    }
    *out = (struct bw_test_differences){to.items, to.n_items};
    return 0;
}
