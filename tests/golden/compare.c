/* One decision against the record. A difference is explained only by a row that was applied where it shows: at the rule
 * whose findings differ, at the choice of mapping or image list, or while the bundle loaded. */
#include "golden/golden.h"

#include "evaluator/deviation.h"

#include <stdlib.h>
#include <string.h>

static unsigned lowest_row(const uint64_t bits[2])
{
    for (unsigned row = 1; row < 128; row++) {
        if (bw_rows_has(bits, row)) {
            return row;
        }
    }
    return 0;
}

static void differ(struct golden_difference *out, unsigned row, const char *what, const char *expected, const char *got)
{
    if (out->differs && (out->row == 0 || row != 0)) {
        return; /* the first one is shown, unless a later one is unexplained */
    }
    out->differs = true;
    out->row = row;
    out->what = what;
    out->expected = expected;
    out->got = got;
}

/* ---- rows of findings ---- */

static const char *item_text(const json_t *node, struct bw_arena *arena)
{
    if (node == NULL || json_is_null(node)) {
        return "-";
    }
    if (json_is_string(node)) {
        return json_string_value(node);
    }
    char *dumped = json_dumps(node, JSON_ENCODE_ANY);
    const char *copy = bw_arena_strdup(arena, dumped);
    free(dumped);
    return copy;
}

static const char *recorded_row(const json_t *row, struct bw_arena *arena)
{
    const json_t *whitelisted = json_object_get(row, "whitelisted");
    const char *forgiven = "";
    if (json_is_object(whitelisted)) {
        forgiven =
            bw_arena_printf(arena, " forgiven by %s/%s", item_text(json_object_get(whitelisted, "whitelist_id"), arena),
                            item_text(json_object_get(whitelisted, "item_id"), arena));
    }
    return bw_arena_printf(arena, "%lld %s:%s %s %s%s", (long long)json_integer_value(json_object_get(row, "rule")),
                           json_string_value(json_object_get(row, "gate")),
                           json_string_value(json_object_get(row, "trigger")),
                           json_string_value(json_object_get(row, "trigger_id")),
                           json_string_value(json_object_get(row, "action")), forgiven);
}

static const char *our_row(const struct bw_finding *finding, struct bw_arena *arena)
{
    const char *forgiven = "";
    if (finding->whitelisted) {
        forgiven = bw_arena_printf(arena, " forgiven by %s/%s", finding->whitelist_id,
                                   finding->whitelist_item_id != NULL ? finding->whitelist_item_id : "-");
    }
    return bw_arena_printf(arena, "%u %s:%s %s %s%s", finding->rule, finding->gate, finding->trigger,
                           finding->undecided ? "UNDECIDED" : finding->trigger_id, bw_action_name(finding->action),
                           forgiven);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct texts {
    const char **items;
    size_t n_items;
};

static struct texts our_rows(const struct bw_decision *decision, const struct bw_policy_result *policy, unsigned rule,
                             struct bw_arena *arena)
{
    struct texts rows = {bw_arena_array(arena, policy->n_findings + 1, sizeof(*rows.items)), 0};
    for (size_t i = 0; i < policy->n_findings; i++) {
        const struct bw_finding *finding = &decision->findings[policy->first_finding + i];
        if (finding->rule == rule) {
            rows.items[rows.n_items++] = our_row(finding, arena);
        }
    }
    qsort(rows.items, rows.n_items, sizeof(*rows.items), by_text);
    return rows;
}

static struct texts recorded_rows(const json_t *list, unsigned rule, struct bw_arena *arena)
{
    struct texts rows = {bw_arena_array(arena, json_array_size(list) + 1, sizeof(*rows.items)), 0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        if (json_integer_value(json_object_get(row, "rule")) == (json_int_t)rule) {
            rows.items[rows.n_items++] = recorded_row(row, arena);
        }
    }
    qsort(rows.items, rows.n_items, sizeof(*rows.items), by_text);
    return rows;
}

/* What one list has and the other has not, shortened. */
static const char *only_in(const struct texts *a, const struct texts *b, struct bw_arena *arena)
{
    const char *first = NULL;
    size_t count = 0;
    size_t j = 0;
    for (size_t i = 0; i < a->n_items; i++) {
        while (j < b->n_items && strcmp(b->items[j], a->items[i]) < 0) {
            j++;
        }
        if (j < b->n_items && strcmp(b->items[j], a->items[i]) == 0) {
            j++;
            continue;
        }
        first = first == NULL ? a->items[i] : first;
        count++;
    }
    if (count == 0) {
        return "-";
    }
    return count == 1 ? first : bw_arena_printf(arena, "%s (and %zu more)", first, count - 1);
}

static void compare_rule(struct golden_difference *out, const struct bw_decision *decision,
                         const struct bw_policy_result *policy, const struct bw_rule_result *rule, const json_t *list,
                         struct bw_arena *arena)
{
    struct texts expected = recorded_rows(list, rule->rule, arena);
    struct texts got = our_rows(decision, policy, rule->rule, arena);
    const char *missing = only_in(&expected, &got, arena);
    const char *surplus = only_in(&got, &expected, arena);
    if (strcmp(missing, "-") != 0 || strcmp(surplus, "-") != 0) {
        differ(out, lowest_row(rule->deviations), "rows", missing, surplus);
    }
}

static void compare_policy(struct golden_difference *out, const struct bw_decision *decision,
                           const struct bw_policy_result *policy, const json_t *recorded, struct bw_arena *arena)
{
    const char *id = json_string_value(json_object_get(recorded, "policy_id"));
    const char *action = json_string_value(json_object_get(recorded, "final_action"));
    if (id == NULL || strcmp(id, policy->policy_id) != 0) {
        differ(out, 0, "policy_id", id != NULL ? id : "-", policy->policy_id);
    }
    struct golden_difference rules = {0};
    for (size_t i = 0; i < policy->n_rules; i++) {
        compare_rule(&rules, decision, policy, &policy->rules[i], json_object_get(recorded, "rows"), arena);
    }
    if (rules.differs) {
        differ(out, rules.row, rules.what, rules.expected, rules.got);
    } else if (action == NULL || strcmp(action, bw_action_name(policy->action)) != 0) {
        differ(out, 0, "policy final_action", action != NULL ? action : "-", bw_action_name(policy->action));
    }
}

/* ---- the decision ---- */

static const char *index_text(int index, struct bw_arena *arena)
{
    return index < 0 ? "null" : bw_arena_printf(arena, "%d", index);
}

static void compare_index(struct golden_difference *out, const json_t *bound, const char *key, int got,
                          const uint64_t deviations[2], struct bw_arena *arena)
{
    const json_t *node = json_object_get(bound, key);
    int expected = json_is_integer(node) ? (int)json_integer_value(node) : -1;
    if (expected != got) {
        differ(out, lowest_row(deviations), key, index_text(expected, arena), index_text(got, arena));
    }
}

static void compare_word(struct golden_difference *out, const json_t *bound, const char *key, const char *got,
                         struct bw_arena *arena)
{
    const char *expected = json_string_value(json_object_get(bound, key));
    if (expected == NULL || strcmp(expected, got) != 0) {
        /* Follows from what was compared before; on its own it is unexplained. */
        differ(out, out->differs ? out->row : 0, key, expected != NULL ? bw_arena_strdup(arena, expected) : "-", got);
    }
}

static void compare_made(struct golden_difference *out, const struct bw_bundle *bundle,
                         const struct bw_decision *decision, const json_t *bound, struct bw_arena *arena)
{
    uint64_t selecting[2] = {decision->selection_deviations[0] | bw_bundle_deviations(bundle)[0],
                             decision->selection_deviations[1] | bw_bundle_deviations(bundle)[1]};
    compare_index(out, bound, "matched_mapping", decision->mapping, selecting, arena);
    compare_index(out, bound, "matched_whitelisted_image", decision->whitelisted_image, selecting, arena);
    compare_index(out, bound, "matched_blacklisted_image", decision->blacklisted_image, selecting, arena);
    const json_t *policies = json_object_get(bound, "policies");
    if (!out->differs && json_array_size(policies) != decision->n_policies) {
        differ(out, 0, "policies", bw_arena_printf(arena, "%zu", json_array_size(policies)),
               bw_arena_printf(arena, "%zu", decision->n_policies));
    }
    const json_t *mapping = json_object_get(bound, "matched_mapping");
    bool same_mapping = (json_is_integer(mapping) ? (int)json_integer_value(mapping) : -1) == decision->mapping;
    for (size_t i = 0; same_mapping && i < decision->n_policies && i < json_array_size(policies); i++) {
        compare_policy(out, decision, &decision->policies[i], json_array_get(policies, i), arena);
    }
    compare_word(out, bound, "policy_final_action", bw_action_name(decision->policy_action), arena);
    compare_word(out, bound, "final_action", bw_action_name(decision->action), arena);
    compare_word(out, bound, "final_action_reason", decision->reason, arena);
}

static size_t count_undecided(const struct bw_decision *decision)
{
    size_t count = 0;
    for (size_t i = 0; i < decision->n_findings; i++) {
        count += decision->findings[i].undecided;
    }
    return count;
}

void golden_compare(struct golden_difference *out, const struct bw_bundle *bundle, const struct bw_decision *decision,
                    const json_t *bound, struct bw_arena *arena)
{
    const char *status = json_string_value(json_object_get(bound, "status"));
    const char *got = bw_arena_printf(arena, "%s (%s), %zu rows, %zu undecided", bw_action_name(decision->action),
                                      decision->reason, decision->n_findings, count_undecided(decision));
    if (strcmp(status, "ok") == 0) {
        compare_made(out, bundle, decision, bound, arena);
    } else if (strcmp(status, "evaluation_error") == 0) {
        unsigned row = count_undecided(decision) > 0 ? BW_ROW_CONTAINED : lowest_row(decision->deviations);
        differ(out, row, "status", status, got);
    } else {
        uint64_t before[2] = {decision->selection_deviations[0] | bw_bundle_deviations(bundle)[0],
                              decision->selection_deviations[1] | bw_bundle_deviations(bundle)[1]};
        differ(out, lowest_row(before), "status", status, got);
    }
}
