/* breakwater evaluate --compare: what another bundle would change, and nothing else. */
#include "cli/evaluate_difference.h"

#include <string.h>

/* ---- text ---- */

static void put_bundle(char sign, const char *file, const struct bw_bundle *bundle)
{
    printf("%c %s: bundle ", sign, file);
    bw_put_clean(stdout, bw_bundle_id(bundle), false);
    printf(", sha256 %s\n", bw_bundle_hash(bundle));
}

static void table_begin(struct bw_show *show)
{
    put_bundle('-', show->file, show->bundle);
    put_bundle('+', show->other_file, show->other);
    printf("\n");
}

static void put_mapping(const struct bw_judgement *judged)
{
    const struct bw_entry_trace *entry = bw_chosen_mapping(judged);
    if (entry == NULL) {
        printf("none");
        return;
    }
    printf("%u", entry->index + 1);
    if (entry->label != NULL) {
        printf(" \"");
        bw_put_clean(stdout, entry->label, false);
        printf("\"");
    }
}

static const char *list_of(const struct bw_decision *decision)
{
    bool white = decision->whitelisted_image >= 0, black = decision->blacklisted_image >= 0;
    return white && black ? "permitted and forbidden images"
           : white        ? "permitted images"
           : black        ? "forbidden images"
                          : "none";
}

static void put_change(const struct bw_finding_change *change)
{
    const struct bw_finding *shown = change->after != NULL ? change->after : change->before;
    bool both = change->before != NULL && change->after != NULL;
    printf("  %c %s%s%s  %s:%s  ",
           both                    ? '~'
           : change->after != NULL ? '+'
                                   : '-',
           bw_finding_word(both ? change->before : shown), both ? " -> " : "",
           both ? bw_finding_word(change->after) : "", shown->gate, shown->trigger);
    bw_put_clean(stdout, shown->message, false);
    if (both && change->before->whitelisted && !change->after->whitelisted) {
        printf(" (was forgiven by");
        bw_put_whitelist(change->before);
        printf(")");
    } else if (both && change->before->whitelisted) {
        printf(" (now by");
        bw_put_whitelist(change->after);
        printf(", before by");
        bw_put_whitelist(change->before);
        printf(")");
    } else {
        bw_put_whitelist(shown);
    }
    printf("\n");
    if (shown->rule_id != NULL || shown->comment != NULL) {
        printf("      rule%s", shown->rule_id == NULL ? "" : " ");
        bw_put_clean(stdout, shown->rule_id, false);
        printf("%s", shown->comment == NULL ? "" : ": ");
        bw_put_clean(stdout, shown->comment, false);
        printf("\n");
    }
}

static void put_policy(const struct bw_policy_change *change)
{
    printf("  policy ");
    bw_put_clean(stdout, change->id, false);
    printf(": %s -> %s\n", change->before == NULL ? "not run" : bw_action_name(change->before->action),
           change->after == NULL ? "not run" : bw_action_name(change->after->action));
}

static void table_difference(const struct bw_evaluated *image, const struct bw_difference *difference)
{
    const struct bw_decision *before = &image->judged.decision, *after = &image->other.decision;
    if (difference->mapping) {
        printf("  mapping: ");
        put_mapping(&image->judged);
        printf(" -> ");
        put_mapping(&image->other);
        printf("\n");
    }
    if (difference->lists) {
        printf("  image lists: %s -> %s\n", list_of(before), list_of(after));
    }
    for (size_t i = 0; i < difference->n_policies; i++) {
        put_policy(&difference->policies[i]);
    }
    for (size_t i = 0; i < difference->n_findings; i++) {
        put_change(&difference->findings[i]);
    }
    if (difference->decision) {
        printf("  => %s (%s) -> %s (%s)\n", bw_action_name(before->action), before->reason,
               bw_action_name(after->action), after->reason);
    } else {
        printf("  => %s (%s) with both%s\n", bw_action_name(before->action), before->reason,
               bw_difference_any(difference) ? "" : ", nothing changes");
    }
}

static int find(struct bw_difference *out, struct bw_show *show, const struct bw_evaluated *image, struct bw_error *err)
{
    if (bw_difference_find(out, image, err) != 0) {
        return -1;
    }
    show->changed = show->changed || bw_difference_any(out);
    return 0;
}

static int table_image(struct bw_show *show, const struct bw_evaluated *image, struct bw_error *err)
{
    struct bw_difference difference = {0};
    if (find(&difference, show, image, err) != 0) {
        return -1;
    }
    bw_put_image_line(image);
    table_difference(image, &difference);
    printf("\n");
    return 0;
}

const struct bw_evaluation_writer bw_comparison_table = {table_begin, table_image, NULL, NULL};

/* ---- JSON ---- */

static json_t *bundle_json(const char *file, const struct bw_bundle *bundle)
{
    json_t *made = json_object();
    (void)json_object_set_new(made, "file", bw_json_text(file));
    (void)json_object_set_new(made, "id", bw_json_text(bw_bundle_id(bundle)));
    (void)json_object_set_new(made, "hash", bw_json_text(bw_bundle_hash(bundle)));
    return made;
}

static void put_pair(json_t *object, const char *key, json_t *before, json_t *after)
{
    json_t *made = json_object();
    (void)json_object_set_new(made, "before", before);
    (void)json_object_set_new(made, "after", after);
    (void)json_object_set_new(object, key, made);
}

static json_t *mapping_json(const struct bw_judgement *judged)
{
    const struct bw_entry_trace *entry = bw_chosen_mapping(judged);
    if (entry == NULL) {
        return json_null();
    }
    json_t *made = json_object();
    (void)json_object_set_new(made, "index", json_integer(entry->index));
    (void)json_object_set_new(made, "name", bw_json_text(entry->label));
    return made;
}

static json_t *list_entry(int index)
{
    return index < 0 ? json_null() : json_integer(index);
}

static json_t *action_or_null(const struct bw_policy_result *policy)
{
    return policy == NULL ? json_null() : bw_json_text(bw_action_name(policy->action));
}

static json_t *finding_or_null(const struct bw_finding *finding)
{
    return finding == NULL ? json_null() : bw_finding_json(finding);
}

static json_t *difference_json(const struct bw_evaluated *image, const struct bw_difference *difference)
{
    json_t *made = json_object(), *policies = json_array(), *findings = json_array();
    const struct bw_decision *before = &image->judged.decision, *after = &image->other.decision;
    if (difference->decision) {
        put_pair(made, "action", bw_json_text(bw_action_name(before->action)),
                 bw_json_text(bw_action_name(after->action)));
        put_pair(made, "reason", bw_json_text(before->reason), bw_json_text(after->reason));
    }
    if (difference->mapping) {
        put_pair(made, "mapping", mapping_json(&image->judged), mapping_json(&image->other));
    }
    if (difference->lists) {
        put_pair(made, "whitelisted_image", list_entry(before->whitelisted_image),
                 list_entry(after->whitelisted_image));
        put_pair(made, "blacklisted_image", list_entry(before->blacklisted_image),
                 list_entry(after->blacklisted_image));
    }
    for (size_t i = 0; i < difference->n_policies; i++) {
        const struct bw_policy_change *change = &difference->policies[i];
        json_t *policy = json_object();
        (void)json_object_set_new(policy, "id", bw_json_text(change->id));
        (void)json_object_set_new(policy, "before", action_or_null(change->before));
        (void)json_object_set_new(policy, "after", action_or_null(change->after));
        (void)json_array_append_new(policies, policy);
    }
    for (size_t i = 0; i < difference->n_findings; i++) {
        json_t *finding = json_object();
        (void)json_object_set_new(finding, "before", finding_or_null(difference->findings[i].before));
        (void)json_object_set_new(finding, "after", finding_or_null(difference->findings[i].after));
        (void)json_array_append_new(findings, finding);
    }
    (void)json_object_set_new(made, "policies", policies);
    (void)json_object_set_new(made, "findings", findings);
    return made;
}

static void json_begin(struct bw_show *show)
{
    json_t *bundles = json_array();
    (void)json_array_append_new(bundles, bundle_json(show->file, show->bundle));
    (void)json_array_append_new(bundles, bundle_json(show->other_file, show->other));
    show->document = json_object();
    (void)json_object_set_new(show->document, "bundles", bundles);
    (void)json_object_set_new(show->document, "images", json_array());
}

static void json_failure(struct bw_show *show, const char *name, const struct bw_error *err)
{
    (void)json_array_append_new(json_object_get(show->document, "images"), bw_failure_json(name, err));
}

static int json_image(struct bw_show *show, const struct bw_evaluated *image, struct bw_error *err)
{
    struct bw_difference difference = {0};
    if (find(&difference, show, image, err) != 0) {
        return -1;
    }
    json_t *made = json_object();
    bw_json_image(made, image);
    (void)json_object_set_new(made, "changed", json_boolean(bw_difference_any(&difference)));
    (void)json_object_set_new(made, "changes", difference_json(image, &difference));
    (void)json_array_append_new(json_object_get(show->document, "images"), made);
    return 0;
}

static void json_end(struct bw_show *show)
{
    (void)json_object_set_new(show->document, "changed", json_boolean(show->changed));
    bw_json_finish(show);
}

const struct bw_evaluation_writer bw_comparison_json = {json_begin, json_image, json_failure, json_end};
