/* What would change if another bundle decided: computed here, shown by cli/evaluate_compare.c. */
#include "cli/evaluate_difference.h"

#include <stdlib.h>
#include <string.h>

static int compare_texts(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b);
}

static bool same_text(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && compare_texts(a, b) == 0;
}

/* ---- findings ---- */

/* A rule that cannot be evaluated has no trigger id; its reason stands in for it. */
static int compare_findings(const struct bw_finding *a, const struct bw_finding *b)
{
    int order = strcmp(a->gate, b->gate);
    order = order != 0 ? order : strcmp(a->trigger, b->trigger);
    order = order != 0 ? order : strcmp(a->trigger_id, b->trigger_id);
    order = order != 0 ? order : compare_texts(a->rule_id, b->rule_id);
    order = order != 0 ? order : (int)a->undecided - (int)b->undecided;
    return order != 0 || !a->undecided ? order : strcmp(a->message, b->message);
}

static int by_identity(const void *a, const void *b)
{
    const struct bw_finding *left = *(const struct bw_finding *const *)a;
    const struct bw_finding *right = *(const struct bw_finding *const *)b;
    int order = compare_findings(left, right);
    order =
        order != 0 ? order : strcmp(left->policy_id, right->policy_id); /* of equal ones, those of one policy pair */
    return order != 0 ? order : (left > right) - (left < right);
}

static const struct bw_finding **sort_findings(const struct bw_decision *decision, struct bw_arena *arena)
{
    const struct bw_finding **sorted = bw_arena_array(arena, decision->n_findings + 1, sizeof(*sorted));
    for (size_t i = 0; sorted != NULL && i < decision->n_findings; i++) {
        sorted[i] = &decision->findings[i];
    }
    if (sorted != NULL && decision->n_findings > 1) {
        qsort(sorted, decision->n_findings, sizeof(*sorted), by_identity);
    }
    return sorted;
}

static bool same_outcome(const struct bw_finding *a, const struct bw_finding *b)
{
    return a->action == b->action && a->rule_action == b->rule_action && a->whitelisted == b->whitelisted &&
           (!a->whitelisted ||
            (same_text(a->whitelist_id, b->whitelist_id) && same_text(a->whitelist_item_id, b->whitelist_item_id)));
}

static int find_findings(struct bw_difference *out, const struct bw_evaluated *image, struct bw_error *err)
{
    const struct bw_decision *before = &image->judged.decision, *after = &image->other.decision;
    const struct bw_finding **left = sort_findings(before, image->arena), **right = sort_findings(after, image->arena);
    struct bw_finding_change *changes =
        bw_arena_array(image->arena, before->n_findings + after->n_findings + 1, sizeof(*changes));
    if (left == NULL || right == NULL || changes == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0, j = 0; i < before->n_findings || j < after->n_findings;) {
        int order = i == before->n_findings ? 1 : j == after->n_findings ? -1 : compare_findings(left[i], right[j]);
        struct bw_finding_change change = {order <= 0 ? left[i++] : NULL, order >= 0 ? right[j++] : NULL};
        if (order != 0 || !same_outcome(change.before, change.after)) {
            changes[out->n_findings++] = change;
        }
    }
    out->findings = changes;
    return 0;
}

/* ---- policies ---- */

static const struct bw_policy_result *find_policy(const struct bw_decision *decision, const char *id)
{
    for (size_t i = 0; i < decision->n_policies; i++) {
        if (strcmp(decision->policies[i].policy_id, id) == 0) {
            return &decision->policies[i];
        }
    }
    return NULL;
}

static int find_policies(struct bw_difference *out, const struct bw_evaluated *image, struct bw_error *err)
{
    const struct bw_decision *before = &image->judged.decision, *after = &image->other.decision;
    struct bw_policy_change *changes =
        bw_arena_array(image->arena, before->n_policies + after->n_policies + 1, sizeof(*changes));
    if (changes == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < before->n_policies; i++) {
        const struct bw_policy_result *old = &before->policies[i], *new = find_policy(after, old->policy_id);
        if (new == NULL || new->action != old->action) {
            changes[out->n_policies++] = (struct bw_policy_change){old->policy_id, old, new};
        }
    }
    for (size_t i = 0; i < after->n_policies; i++) {
        const struct bw_policy_result *new = &after->policies[i];
        if (find_policy(before, new->policy_id) == NULL) {
            changes[out->n_policies++] = (struct bw_policy_change){new->policy_id, NULL, new};
        }
    }
    out->policies = changes;
    return 0;
}

/* ---- mapping and lists ---- */

const struct bw_entry_trace *bw_chosen_mapping(const struct bw_judgement *judged)
{
    int selected = judged->trace.mappings.selected;
    return selected < 0 ? NULL : &judged->trace.mappings.items[selected];
}

/* The same name, or the same images: where a mapping stands, or what it is called, changes nothing. */
static bool same_mapping(const struct bw_entry_trace *a, const struct bw_entry_trace *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return (a->label != NULL && same_text(a->label, b->label)) ||
           (same_text(a->registry, b->registry) && same_text(a->repository, b->repository) &&
            same_text(a->type, b->type) && same_text(a->value, b->value));
}

int bw_difference_find(struct bw_difference *out, const struct bw_evaluated *image, struct bw_error *err)
{
    const struct bw_decision *before = &image->judged.decision, *after = &image->other.decision;
    struct bw_difference found = {
        .decision = before->action != after->action || strcmp(before->reason, after->reason) != 0,
        .mapping = !same_mapping(bw_chosen_mapping(&image->judged), bw_chosen_mapping(&image->other)),
        .lists = (before->whitelisted_image >= 0) != (after->whitelisted_image >= 0) ||
                 (before->blacklisted_image >= 0) != (after->blacklisted_image >= 0),
    };
    if (find_policies(&found, image, err) != 0 || find_findings(&found, image, err) != 0) {
        return -1;
    }
    *out = found;
    return 0;
}

bool bw_difference_any(const struct bw_difference *difference)
{
    return difference->decision || difference->mapping || difference->lists || difference->n_policies > 0 ||
           difference->n_findings > 0;
}
