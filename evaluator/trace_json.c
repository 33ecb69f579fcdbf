/* A decision as JSON (evaluator/trace_json.h). */
#include "evaluator/trace_json.h"

static json_t *index_or_null(int index)
{
    return index < 0 ? json_null() : json_integer(index);
}

static void put_text(json_t *object, const char *key, const char *text)
{
    (void)json_object_set_new(object, key, bw_json_text(text));
}

json_t *bw_finding_json(const struct bw_finding *finding)
{
    json_t *made = json_object();
    put_text(made, "policy", finding->policy_id);
    put_text(made, "rule", finding->rule_id);
    put_text(made, "gate", finding->gate);
    put_text(made, "trigger", finding->trigger);
    put_text(made, "trigger_id", finding->trigger_id);
    put_text(made, "action", bw_action_name(finding->action));
    put_text(made, "message", finding->message);
    put_text(made, "comment", finding->comment);
    (void)json_object_set_new(made, "undecided", json_boolean(finding->undecided));
    if (finding->whitelisted) {
        put_text(made, "whitelist", finding->whitelist_id);
        put_text(made, "whitelist_item", finding->whitelist_item_id);
    }
    return made;
}

static json_t *entries_json(const struct bw_entries_trace *entries)
{
    static const char *const outcomes[] = {
        [BW_NOT_SELECTED] = "not_matched", [BW_SELECTED] = "matched", [BW_UNDECIDABLE] = "undecided"};
    static const char *const parts[] = {
        [BW_PART_REGISTRY] = "registry", [BW_PART_REPOSITORY] = "repository", [BW_PART_IMAGE] = "image"};
    json_t *made = json_object(), *items = json_array();
    for (size_t i = 0; i < entries->n_items; i++) {
        const struct bw_entry_trace *entry = &entries->items[i];
        json_t *item = json_object(), *wanted = json_object();
        (void)json_object_set_new(item, "index", json_integer(entry->index));
        put_text(item, "name", entry->label);
        put_text(item, "registry", entry->registry);
        put_text(item, "repository", entry->repository);
        put_text(wanted, "type", entry->type);
        put_text(wanted, "value", entry->value);
        (void)json_object_set_new(item, "image", wanted);
        put_text(item, "outcome", outcomes[entry->selection]);
        put_text(item, "part", entry->why == NULL ? NULL : parts[entry->part]);
        put_text(item, "why", entry->why);
        (void)json_array_append_new(items, item);
    }
    (void)json_object_set_new(made, "count", json_integer((json_int_t)entries->n_all));
    (void)json_object_set_new(made, "matched", index_or_null(entries->selected));
    (void)json_object_set_new(made, "looked_at", items);
    return made;
}

static json_t *rule_json(const struct bw_judgement *judged, const struct bw_rule_trace *rule)
{
    json_t *made = json_object(), *params = json_object(), *findings = json_array();
    (void)json_object_set_new(made, "index", json_integer(rule->result->rule));
    put_text(made, "id", rule->id);
    put_text(made, "gate", rule->gate);
    put_text(made, "trigger", rule->trigger);
    for (size_t i = 0; i < rule->n_params; i++) {
        put_text(params, rule->params[i].name, rule->params[i].value);
    }
    (void)json_object_set_new(made, "params", params);
    put_text(made, "action", bw_action_name(rule->action));
    put_text(made, "comment", rule->comment);
    put_text(made, "outcome", bw_rule_outcome_word(rule));
    bool undecided = rule->result->outcome == BW_RULE_UNDECIDED && rule->n_findings > 0;
    put_text(made, "why", undecided ? judged->decision.findings[rule->first_finding].message : rule->not_applicable);
    for (size_t i = 0; i < rule->n_findings; i++) {
        (void)json_array_append_new(findings, json_integer((json_int_t)(rule->first_finding + i)));
    }
    (void)json_object_set_new(made, "findings", findings);
    return made;
}

static json_t *policy_json(const struct bw_judgement *judged, const struct bw_policy_trace *policy)
{
    json_t *made = json_object(), *rules = json_array();
    put_text(made, "id", policy->result->policy_id);
    put_text(made, "name", policy->name);
    put_text(made, "action", bw_action_name(policy->result->action));
    (void)json_object_set_new(made, "skipped", json_boolean(policy->skipped));
    for (size_t i = 0; i < policy->n_rules; i++) {
        (void)json_array_append_new(rules, rule_json(judged, &policy->rules[i]));
    }
    (void)json_object_set_new(made, "rules", rules);
    return made;
}

static json_t *reference_json(const struct bw_facts *facts)
{
    json_t *made = json_object();
    const struct bw_reference *reference = facts->reference;
    put_text(made, "registry", reference->registry);
    put_text(made, "repository", reference->repository);
    put_text(made, "tag", reference->tag);
    (void)json_object_set_new(made, "tag_counts", json_boolean(reference->tag != NULL && facts->tag_counts));
    put_text(made, "digest", reference->digest.text[0] == '\0' ? NULL : reference->digest.text);
    return made;
}

static json_t *explain_json(const struct bw_judgement *judged, const struct bw_facts *facts)
{
    const struct bw_trace *trace = &judged->trace;
    json_t *made = json_object(), *whitelists = json_array(), *policies = json_array(), *gaps = json_array();
    put_text(made, "bundle_hash", bw_bundle_hash(judged->bundle));
    (void)json_object_set_new(made, "reference", reference_json(facts));
    for (size_t i = 0; i < facts->report->n_incomplete; i++) {
        json_t *gap = json_object();
        put_text(gap, "kind", facts->report->incomplete[i].kind);
        put_text(gap, "reason", facts->report->incomplete[i].reason);
        (void)json_array_append_new(gaps, gap);
    }
    (void)json_object_set_new(made, "incomplete", gaps);
    (void)json_object_set_new(made, "whitelisted_images", entries_json(&trace->whitelisted_images));
    (void)json_object_set_new(made, "blacklisted_images", entries_json(&trace->blacklisted_images));
    (void)json_object_set_new(made, "mappings", entries_json(&trace->mappings));
    for (size_t i = 0; i < trace->n_whitelists; i++) {
        (void)json_array_append_new(whitelists, bw_json_text(trace->whitelists[i]));
    }
    (void)json_object_set_new(made, "whitelists", whitelists);
    for (size_t i = 0; i < judged->decision.n_policies; i++) {
        (void)json_array_append_new(policies, policy_json(judged, &trace->policies[i]));
    }
    (void)json_object_set_new(made, "policies", policies);
    put_text(made, "why", bw_decision_beside_rules(&judged->decision));
    return made;
}

void bw_judgement_json(json_t *into, const struct bw_judgement *judged, const struct bw_facts *facts, bool explain)
{
    const struct bw_decision *decision = &judged->decision;
    json_t *findings = json_array(), *policies = json_array();
    put_text(into, "bundle", bw_bundle_id(judged->bundle));
    put_text(into, "action", bw_action_name(decision->action));
    put_text(into, "reason", decision->reason);
    put_text(into, "policy_action", bw_action_name(decision->policy_action));
    (void)json_object_set_new(into, "mapping", index_or_null(decision->mapping));
    (void)json_object_set_new(into, "whitelisted_image", index_or_null(decision->whitelisted_image));
    (void)json_object_set_new(into, "blacklisted_image", index_or_null(decision->blacklisted_image));
    for (size_t i = 0; i < decision->n_policies; i++) {
        json_t *policy = json_object();
        put_text(policy, "id", decision->policies[i].policy_id);
        put_text(policy, "action", bw_action_name(decision->policies[i].action));
        (void)json_array_append_new(policies, policy);
    }
    (void)json_object_set_new(into, "policies", policies);
    for (size_t i = 0; i < decision->n_findings; i++) {
        (void)json_array_append_new(findings, bw_finding_json(&decision->findings[i]));
    }
    (void)json_object_set_new(into, "findings", findings);
    if (explain) {
        (void)json_object_set_new(into, "explain", explain_json(judged, facts));
    }
}
