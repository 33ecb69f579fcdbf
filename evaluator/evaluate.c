/* Image lists, mapping, rules, whitelists, verdict. Policies never stop early, and a rule that cannot be evaluated
 * hides nothing that others find. */
#include "evaluator/bundle_internal.h"

#include "base/limits.h"

#include <string.h>

struct evaluation {
    const struct bw_bundle *bundle;
    struct bw_scope scope;
    struct bw_decision *decision;
    struct bw_policy_result *policies;
};

const char *bw_action_name(enum bw_action action)
{
    static const char *const names[] = {[BW_GO] = "go", [BW_WARN] = "warn", [BW_STOP] = "stop"};
    return names[action];
}

static void merge_rows(uint64_t into[2], const uint64_t from[2])
{
    into[0] |= from[0];
    into[1] |= from[1];
}

/* ---- selection ---- */

static int find_listed(const struct evaluation *evaluation, const struct bw_selector *list, size_t n_list)
{
    for (size_t i = 0; i < n_list; i++) {
        if (bw_selector_match(&list[i], evaluation->scope.facts, evaluation->decision->selection_deviations) ==
            BW_SELECTED) {
            return (int)i;
        }
    }
    return -1;
}

/* The first mapping that means the image; *undecidable: there is one of which that cannot be told. */
static int find_mapping(const struct evaluation *evaluation, bool *undecidable)
{
    uint64_t *deviations = evaluation->decision->selection_deviations;
    int chosen = -1;
    for (size_t i = 0; i < evaluation->bundle->n_mappings; i++) {
        const struct bw_selector *selector = &evaluation->bundle->mappings[i].selector;
        enum bw_selection selection = BW_NOT_SELECTED;
        uint64_t applied[2] = {0, 0};
        bool by_digest = selector->type == BW_IMAGE_DIGEST || selector->type == BW_IMAGE_ID;
        if (chosen < 0) {
            selection = bw_selector_match(selector, evaluation->scope.facts, deviations);
        }
        /* The engine fails at a mapping by digest as soon as its registry and repository match, chosen or not. */
        if (by_digest) {
            struct bw_selector place = *selector;
            place.type = BW_IMAGE_TAG;
            place.tag = (struct bw_pattern){.text = {"*", 1}, .literal = false};
            if (bw_selector_match(&place, evaluation->scope.facts, applied) != BW_NOT_SELECTED) {
                bw_rows_set(deviations, BW_ROW_DIGEST_MAPPING);
            }
        }
        chosen = selection == BW_SELECTED ? (int)i : chosen;
        *undecidable = *undecidable || selection == BW_UNDECIDABLE;
    }
    return chosen;
}

/* ---- rules ---- */

static int add_undecided(struct evaluation *evaluation, const char *why, struct bw_error *err)
{
    struct bw_scope *scope = &evaluation->scope;
    const char *const arguments[] = {scope->gate->name, scope->trigger->name, why};
    if (bw_fire_as(scope, "", "{0}:{1} cannot be evaluated: {2}", arguments, err) != 0) {
        return -1;
    }
    scope->findings[scope->n_findings - 1].undecided = true;
    return 0;
}

/* Numbers and flags that the format accepts and nobody can read fail before the rule looks at anything. */
static const char *unreadable_value(const struct bw_rule *rule)
{
    for (unsigned i = 0; i < rule->trigger->n_params; i++) {
        enum bw_param_kind kind = rule->trigger->params[i].kind;
        if (rule->values[i].fault != NULL && (kind == BW_PARAM_BOOL || kind == BW_PARAM_FLOAT)) {
            return rule->values[i].fault;
        }
    }
    return NULL;
}

/* 0: nothing is wanting for the rule. */
static int check_data(const struct bw_scope *scope, struct bw_error *why)
{
    const struct bw_report *previous = scope->trigger->reads_previous ? scope->facts->previous : NULL;
    bool any = scope->report->n_incomplete > 0 || (previous != NULL && previous->n_incomplete > 0);
    for (size_t i = 0; any && i < BW_LENGTH(scope->trigger->reads) && scope->trigger->reads[i] != NULL; i++) {
        const char *kind = scope->trigger->reads[i], *whose = "this image";
        const char *reason = bw_scope_incomplete(scope, kind);
        if (reason == NULL && previous != NULL) {
            const struct bw_scope other = {.report = previous};
            reason = bw_scope_incomplete(&other, kind);
            whose = "the previous image";
        }
        if (reason != NULL) {
            return bw_error_set(why, BW_EUNAVAILABLE, "the analysis of %s is incomplete (%s): %s", whose, kind, reason);
        }
    }
    return 0;
}

/* One rule; its findings are appended without action. prepare_error: what the gate's preparation said, if it failed. */
static int run_rule(struct evaluation *evaluation, struct bw_rule_result *result, const struct bw_rule *rule,
                    const struct bw_error *prepare_error, struct bw_error *err)
{
    struct bw_scope *scope = &evaluation->scope;
    size_t first = scope->n_findings;
    scope->trigger = rule->trigger;
    scope->rule_id = rule->id;
    scope->note = NULL;
    memset(scope->deviations, 0, sizeof(scope->deviations));
    *result = (struct bw_rule_result){.rule = rule->index, .outcome = BW_RULE_SILENT};
    const char *fault = unreadable_value(rule);
    struct bw_error failure = {0};
    int status = 0;
    if (fault != NULL) {
        status = bw_error_set(&failure, BW_EINPUT, "%s", fault);
    } else if (check_data(scope, &failure) != 0) {
        bw_rows_set(scope->deviations, BW_ROW_INCOMPLETE);
        status = -1;
    } else if (prepare_error->code != BW_OK) {
        failure = *prepare_error;
        status = -1;
    } else {
        status = rule->trigger->evaluate(scope, rule->values, &failure);
    }
    if (status != 0) {
        if (strcmp(failure.detail, "memory_budget") == 0) {
            return bw_error_detail(err, failure.code, failure.detail, "%s", failure.message);
        }
        scope->n_findings = first; /* half a result is none */
        if (scope->deviations[0] == 0 && scope->deviations[1] == 0) {
            bw_rows_set(scope->deviations, BW_ROW_CONTAINED); /* unless another row says why */
        }
        if (add_undecided(evaluation, failure.message, err) != 0) {
            return -1;
        }
    }
    result->outcome = status != 0 ? BW_RULE_UNDECIDED : scope->n_findings > first ? BW_RULE_FIRED : BW_RULE_SILENT;
    result->note = status != 0 ? NULL : scope->note;
    memcpy(result->deviations, scope->deviations, sizeof(result->deviations));
    merge_rows(evaluation->decision->deviations, scope->deviations);
    return 0;
}

static void complete_findings(struct evaluation *evaluation, size_t first, const struct bw_policy *policy,
                              unsigned policy_index, const struct bw_rule *rule)
{
    for (size_t i = first; i < evaluation->scope.n_findings; i++) {
        struct bw_finding *finding = &evaluation->scope.findings[i];
        finding->policy = policy_index;
        finding->rule = rule->index;
        finding->policy_id = policy->id;
        finding->policy_name = policy->name;
        finding->rule_id = rule->id;
        finding->comment = rule->comment;
        finding->rule_action = rule->action;
        finding->action = finding->undecided ? BW_STOP : rule->action;
    }
}

static int run_rules(struct evaluation *evaluation, struct bw_policy_result *result, const struct bw_policy *policy,
                     struct bw_error *err)
{
    struct bw_scope *scope = &evaluation->scope;
    struct bw_rule_result *results = bw_arena_array(scope->arena, policy->n_rules + 1, sizeof(*results));
    if (results == NULL) {
        return bw_arena_spent(err);
    }
    scope->gate = NULL;
    scope->data_rule = policy->data_rule;
    struct bw_error prepare_error = {0};
    for (size_t i = 0; i < policy->n_rules; i++) {
        const struct bw_rule *rule = &policy->rules[i];
        if (scope->gate != rule->gate) {
            scope->gate = rule->gate;
            scope->prepared = NULL;
            prepare_error = (struct bw_error){0};
            if (rule->gate->prepare != NULL && rule->gate->prepare(&scope->prepared, scope, &prepare_error) != 0 &&
                strcmp(prepare_error.detail, "memory_budget") == 0) {
                return bw_error_detail(err, prepare_error.code, prepare_error.detail, "%s", prepare_error.message);
            }
        }
        size_t first = scope->n_findings;
        if (run_rule(evaluation, &results[i], rule, &prepare_error, err) != 0) {
            return -1;
        }
        complete_findings(evaluation, first, policy, result->policy, rule);
    }
    result->rules = results;
    result->n_rules = policy->n_rules;
    return 0;
}

/* ---- whitelists ---- */

static int forgive(struct evaluation *evaluation, const struct bw_mapping *mapping, struct bw_finding *finding,
                   const struct bw_gate *gate, struct bw_error *err)
{
    for (size_t i = 0; i < mapping->n_whitelists; i++) {
        const struct bw_whitelist *whitelist = &evaluation->bundle->whitelists[mapping->whitelists[i]];
        if (!bw_whitelist_concerns(whitelist, gate)) {
            continue;
        }
        if (bw_scope_write_id(&evaluation->scope, finding, err) != 0) {
            return -1;
        }
        const struct bw_whitelist_item *item =
            bw_whitelist_find(whitelist, gate, finding->trigger_id, evaluation->scope.facts->now_s);
        if (item != NULL) {
            finding->whitelisted = true;
            finding->whitelist_id = whitelist->id;
            finding->whitelist_name = whitelist->name;
            finding->whitelist_item_id = item->id;
            finding->action = BW_GO;
            return 0;
        }
    }
    return 0;
}

/* Items that expire later are what time alone changes. */
static void note_expiries(struct evaluation *evaluation, const struct bw_mapping *mapping)
{
    for (size_t i = 0; i < mapping->n_whitelists; i++) {
        const struct bw_whitelist *whitelist = &evaluation->bundle->whitelists[mapping->whitelists[i]];
        bw_scope_valid_until(&evaluation->scope, bw_whitelist_next_expiry(whitelist, evaluation->scope.facts->now_s));
    }
}

static int run_policy(struct evaluation *evaluation, struct bw_policy_result *result, const struct bw_mapping *mapping,
                      unsigned policy_index, struct bw_error *err)
{
    struct bw_scope *scope = &evaluation->scope;
    const struct bw_policy *policy = &evaluation->bundle->policies[policy_index];
    *result =
        (struct bw_policy_result){.policy = policy_index, .policy_id = policy->id, .first_finding = scope->n_findings};
    if (run_rules(evaluation, result, policy, err) != 0) {
        return -1;
    }
    result->n_findings = scope->n_findings - result->first_finding;
    size_t rule = 0;
    for (size_t i = result->first_finding; i < scope->n_findings; i++) {
        struct bw_finding *finding = &scope->findings[i];
        while (policy->rules[rule].index != finding->rule) {
            rule++; /* findings stand in the order of the rules */
        }
        if (!finding->undecided && forgive(evaluation, mapping, finding, policy->rules[rule].gate, err) != 0) {
            return -1;
        }
        result->action = finding->action > result->action ? finding->action : result->action;
    }
    return 0;
}

/* ---- verdict ---- */

static int run_mapping(struct evaluation *evaluation, const struct bw_mapping *mapping, struct bw_error *err)
{
    struct bw_decision *decision = evaluation->decision;
    evaluation->policies =
        bw_arena_array(evaluation->scope.arena, mapping->n_policies + 1, sizeof(*evaluation->policies));
    if (evaluation->policies == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < mapping->n_policies; i++) {
        if (run_policy(evaluation, &evaluation->policies[i], mapping, mapping->policies[i], err) != 0) {
            return -1;
        }
        enum bw_action action = evaluation->policies[i].action;
        decision->policy_action = action > decision->policy_action ? action : decision->policy_action;
    }
    note_expiries(evaluation, mapping);
    decision->policies = evaluation->policies;
    decision->n_policies = mapping->n_policies;
    return 0;
}

static void decide(struct bw_decision *decision, bool undecidable, enum bw_no_mapping no_mapping)
{
    static const enum bw_action unmapped[] = {
        [BW_NO_MAPPING_WARN] = BW_WARN, [BW_NO_MAPPING_DENY] = BW_STOP, [BW_NO_MAPPING_ALLOW] = BW_GO};
    decision->action = decision->policy_action;
    decision->reason = "policy_evaluation";
    if (decision->mapping < 0 && undecidable) {
        decision->action = BW_STOP;
        decision->reason = "tag_undecided";
    } else if (decision->mapping < 0 && no_mapping != BW_NO_MAPPING_ALLOW) {
        decision->action = unmapped[no_mapping];
        decision->reason = "no_mapping";
    }
    if (decision->blacklisted_image >= 0) {
        decision->action = BW_STOP;
        decision->reason = "blacklisted";
    } else if (decision->whitelisted_image >= 0) {
        decision->action = BW_GO;
        decision->reason = "whitelisted";
    }
}

static int write_findings(struct bw_scope *scope, struct bw_error *err)
{
    for (size_t i = 0; i < scope->n_findings; i++) {
        struct bw_finding *finding = &scope->findings[i];
        if (bw_scope_write_id(scope, finding, err) != 0 || bw_scope_write_message(scope, finding, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int make_decision(struct bw_decision *out, const struct bw_bundle *bundle, const struct bw_facts *facts,
                         enum bw_no_mapping no_mapping, bool with_words, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_decision decision = {.mapping = -1};
    memcpy(decision.deviations, bundle->deviations, sizeof(decision.deviations));
    struct evaluation evaluation = {
        .bundle = bundle,
        .decision = &decision,
        .scope = {.facts = facts, .report = facts->report, .arena = arena, .valid_until_s = INT64_MAX},
    };
    bw_buf_init(&evaluation.scope.text, arena->budget);
    bool undecidable = false;
    decision.whitelisted_image = find_listed(&evaluation, bundle->whitelisted_images, bundle->n_whitelisted_images);
    decision.blacklisted_image = find_listed(&evaluation, bundle->blacklisted_images, bundle->n_blacklisted_images);
    decision.mapping = find_mapping(&evaluation, &undecidable);
    merge_rows(decision.deviations, decision.selection_deviations);
    int result = decision.mapping < 0 ? 0 : run_mapping(&evaluation, &bundle->mappings[decision.mapping], err);
    if (result == 0 && with_words) {
        result = write_findings(&evaluation.scope, err);
    }
    bw_buf_clear(&evaluation.scope.text);
    bw_hash_destroy(evaluation.scope.md5);
    if (result != 0) {
        return -1;
    }
    decide(&decision, undecidable, no_mapping);
    decision.findings = evaluation.scope.findings;
    decision.n_findings = evaluation.scope.n_findings;
    decision.valid_until_s = evaluation.scope.valid_until_s;
    *out = decision;
    return 0;
}

int bw_evaluate(struct bw_decision *out, const struct bw_bundle *bundle, const struct bw_facts *facts,
                enum bw_no_mapping no_mapping, struct bw_arena *arena, struct bw_error *err)
{
    return make_decision(out, bundle, facts, no_mapping, true, arena, err);
}

int bw_evaluate_wordless(struct bw_decision *out, const struct bw_bundle *bundle, const struct bw_facts *facts,
                         enum bw_no_mapping no_mapping, struct bw_arena *arena, struct bw_error *err)
{
    return make_decision(out, bundle, facts, no_mapping, false, arena, err);
}
