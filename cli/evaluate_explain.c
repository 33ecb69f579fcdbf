/* breakwater evaluate --explain: everything about one evaluation, for people. */
#include "cli/evaluate.h"

#include <string.h>

enum { LONGEST_VALUE = 80 };

/* ---- mappings and image lists ---- */

static void put_label(const struct bw_entry_trace *entry)
{
    printf("%u", entry->index + 1);
    if (entry->label != NULL && entry->label[0] != '\0') {
        printf(" \"");
        bw_put_clean(stdout, entry->label, false);
        printf("\"");
    }
}

static void put_wanted(const struct bw_entry_trace *entry)
{
    printf("registry ");
    bw_put_clean(stdout, entry->registry, false);
    printf(", repository ");
    bw_put_clean(stdout, entry->repository, false);
    printf(", %s ", entry->type);
    bw_put_clean(stdout, entry->value, false);
}

static void put_why(const struct bw_entry_trace *entry)
{
    printf("%s: ", entry->selection == BW_UNDECIDABLE ? "cannot be judged" : "no");
    bw_put_clean(stdout, entry->why, false);
    printf("\n");
}

static void put_ids(const char *what, const char *const *ids, size_t n_ids)
{
    printf("%s", what);
    for (size_t i = 0; i < n_ids; i++) {
        printf("%s", i == 0 ? "" : ", ");
        bw_put_clean(stdout, ids[i], false);
    }
    printf("%s", n_ids == 0 ? "none" : "");
}

static void explain_mappings(const struct bw_judgement *judged)
{
    const struct bw_trace *trace = &judged->trace;
    printf("  MAPPINGS%s\n", trace->mappings.n_all == 0 ? ": the bundle has none" : "");
    for (size_t i = 0; i < trace->mappings.n_items; i++) {
        const struct bw_entry_trace *entry = &trace->mappings.items[i];
        printf("    ");
        put_label(entry);
        if (entry->selection != BW_SELECTED) {
            printf("  ");
            put_why(entry);
            continue;
        }
        printf("  chosen: ");
        put_wanted(entry);
        printf("\n       policies: ");
        for (size_t j = 0; j < judged->decision.n_policies; j++) {
            printf("%s", j == 0 ? "" : ", ");
            bw_put_clean(stdout, judged->decision.policies[j].policy_id, false);
        }
        put_ids("; whitelists: ", trace->whitelists, trace->n_whitelists);
        printf("\n");
    }
    size_t left = trace->mappings.n_all - trace->mappings.n_items;
    if (left > 0) {
        printf("    %zu more behind it, not looked at: the first that matches counts\n", left);
    }
}

static void explain_list(const char *name, const struct bw_entries_trace *entries)
{
    if (entries->n_all == 0) {
        return;
    }
    printf("  %s\n", name);
    for (size_t i = 0; i < entries->n_items; i++) {
        const struct bw_entry_trace *entry = &entries->items[i];
        if (entry->selection != BW_NOT_SELECTED) {
            printf("    ");
            put_label(entry);
            printf("  ");
        }
        if (entry->selection == BW_SELECTED) {
            printf("matches: ");
            put_wanted(entry);
            printf("\n");
        } else if (entry->selection == BW_UNDECIDABLE) {
            put_why(entry);
        }
    }
    if (entries->selected < 0) {
        printf("    none of %zu matches\n", entries->n_all);
    }
}

/* ---- rules ---- */

static void put_params(const struct bw_rule_trace *rule)
{
    for (size_t i = 0; i < rule->n_params; i++) {
        char value[LONGEST_VALUE + 1];
        size_t len = strlen(rule->params[i].value), cut = bw_utf8_cut(rule->params[i].value, len, LONGEST_VALUE);
        (void)snprintf(value, sizeof(value), "%.*s", (int)cut, rule->params[i].value);
        printf("%s%s=", i == 0 ? " (" : ", ", rule->params[i].name);
        bw_put_clean(stdout, value, false);
        printf("%s", cut < len ? "..." : "");
    }
    printf("%s", rule->n_params > 0 ? ")" : "");
}

static void put_rule_findings(const struct bw_judgement *judged, const struct bw_rule_trace *rule)
{
    for (size_t i = 0; i < rule->n_findings; i++) {
        const struct bw_finding *finding = &judged->decision.findings[rule->first_finding + i];
        printf("        %-8s  ", bw_finding_word(finding));
        bw_put_clean(stdout, finding->message, false);
        bw_put_whitelist(finding);
        if (finding->trigger_id[0] != '\0') {
            printf("\n                  trigger id ");
            bw_put_clean(stdout, finding->trigger_id, false);
        }
        printf("%s\n", finding->undecided ? "; this counts as stop" : "");
    }
}

static void explain_rule(const struct bw_judgement *judged, const struct bw_rule_trace *rule)
{
    static const char *const outcomes[] = {
        [BW_RULE_SILENT] = "silent", [BW_RULE_FIRED] = "fired", [BW_RULE_UNDECIDED] = "unknown"};
    printf("    %-14s  rule %u", rule->not_applicable != NULL ? "not applicable" : outcomes[rule->result->outcome],
           rule->result->rule + 1);
    if (rule->id != NULL) {
        printf(" \"");
        bw_put_clean(stdout, rule->id, false);
        printf("\"");
    }
    printf(": %s:%s", rule->gate, rule->trigger);
    put_params(rule);
    printf(" -> %s\n", bw_action_name(rule->action));
    if (rule->not_applicable != NULL) {
        printf("        ");
        bw_put_clean(stdout, rule->not_applicable, false);
        printf("\n");
    }
    if (rule->comment != NULL && rule->n_findings > 0) {
        printf("        comment: ");
        bw_put_clean(stdout, rule->comment, false);
        printf("\n");
    }
    put_rule_findings(judged, rule);
}

static void explain_policy(const struct bw_judgement *judged, const struct bw_policy_trace *policy)
{
    printf("  POLICY ");
    bw_put_clean(stdout, policy->result->policy_id, false);
    printf(": %s\n", bw_action_name(policy->result->action));
    if (policy->skipped) {
        printf("    not run: its rules are for something that is no image\n");
    } else if (policy->n_rules == 0) {
        printf("    it has no rules\n");
    }
    for (size_t i = 0; i < policy->n_rules; i++) {
        explain_rule(judged, &policy->rules[i]);
    }
}

/* ---- all of it ---- */

static void put_reference(const struct bw_evaluated *image)
{
    const struct bw_reference *reference = image->reference;
    printf("  judged as registry ");
    bw_put_clean(stdout, reference->registry, false);
    printf(", repository ");
    bw_put_clean(stdout, reference->repository, false);
    if (reference->tag == NULL) {
        printf(", without a tag\n");
        return;
    }
    printf(", tag ");
    bw_put_clean(stdout, reference->tag, false);
    printf("%s\n", image->tag_counts ? "" : ", which does not count: the registry does not resolve it to this digest");
}

void bw_explain_judgement(const struct bw_evaluated *image)
{
    const struct bw_judgement *judged = &image->judged;
    put_reference(image);
    printf("  bundle ");
    bw_put_clean(stdout, bw_bundle_id(judged->bundle), false);
    printf(", sha256 %s\n", bw_bundle_hash(judged->bundle));
    for (size_t i = 0; i < image->report->n_incomplete; i++) {
        const struct bw_incomplete *gap = &image->report->incomplete[i];
        printf("  the analysis lacks ");
        bw_put_clean(stdout, gap->kind, false);
        printf(": ");
        bw_put_clean(stdout, gap->reason, false);
        printf("\n");
    }
    explain_list("FORBIDDEN IMAGES (blacklisted)", &judged->trace.blacklisted_images);
    explain_list("PERMITTED IMAGES (whitelisted)", &judged->trace.whitelisted_images);
    explain_mappings(judged);
    for (size_t i = 0; i < judged->decision.n_policies; i++) {
        explain_policy(judged, &judged->trace.policies[i]);
    }
    const char *beside = bw_decision_beside_rules(&judged->decision);
    if (beside != NULL) {
        printf("  %s\n", beside);
    }
}
