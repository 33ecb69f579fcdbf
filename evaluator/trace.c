/* How a decision came about (evaluator/trace.h). Nothing here decides: mappings and image lists are asked again with
 * the code that chose, the outcomes of rules are those of the decision. */
#include "evaluator/bundle_internal.h"

#include <string.h>

struct tracing {
    const struct bw_bundle *bundle;
    const struct bw_facts *facts;
    const struct bw_decision *decision;
    struct bw_arena *arena;
};

/* ---- mappings and image lists ---- */

/* What of the image is compared with a part; NULL: nothing that counts. */
static const char *part_found(const struct bw_selector *selector, const struct bw_facts *facts,
                              enum bw_selector_part part)
{
    const struct bw_reference *reference = facts->reference;
    if (part != BW_PART_IMAGE) {
        const char *text = part == BW_PART_REGISTRY ? reference->registry : reference->repository;
        return text == NULL || text[0] == '\0' ? NULL : text;
    }
    return selector->type == BW_IMAGE_DIGEST ? facts->report->digest.text
           : selector->type == BW_IMAGE_ID   ? facts->report->id
           : facts->tag_counts               ? reference->tag
                                             : NULL;
}

static const char *part_wanted(const struct bw_selector *selector, enum bw_selector_part part)
{
    return part == BW_PART_REGISTRY         ? selector->registry.text.base
           : part == BW_PART_REPOSITORY     ? selector->repository.text.base
           : selector->type == BW_IMAGE_TAG ? selector->tag.text.base
                                            : selector->value;
}

static const char *part_name(const struct bw_selector *selector, enum bw_selector_part part)
{
    static const char *const images[] = {
        [BW_IMAGE_TAG] = "tag", [BW_IMAGE_DIGEST] = "digest", [BW_IMAGE_ID] = "id", [BW_IMAGE_OTHER] = "other"};
    return part == BW_PART_REGISTRY ? "registry" : part == BW_PART_REPOSITORY ? "repository" : images[selector->type];
}

static const char *say_why(struct tracing *tracing, const struct bw_selector *selector, enum bw_selection selection,
                           enum bw_selector_part part)
{
    const struct bw_reference *reference = tracing->facts->reference;
    const char *name = part_name(selector, part), *wanted = part_wanted(selector, part);
    const char *found = part_found(selector, tracing->facts, part);
    if (part == BW_PART_IMAGE && selector->type == BW_IMAGE_OTHER) {
        return "its type is none of tag, digest and id: it matches no image";
    }
    if (selection == BW_NOT_SELECTED) {
        return bw_arena_printf(tracing->arena, "%s %s is not %s", name, found == NULL ? "(none)" : found, wanted);
    }
    if (found != NULL) {
        return bw_arena_printf(tracing->arena,
                               "whether %s %s is %s could not be found out within the limits of matching", name, found,
                               wanted);
    }
    if (part == BW_PART_IMAGE && reference->tag != NULL) {
        return bw_arena_printf(tracing->arena,
                               "tag %s does not count, as the registry does not resolve it to this digest now: whether "
                               "the image is %s cannot be told",
                               reference->tag, wanted);
    }
    return bw_arena_printf(tracing->arena, "the reference has no %s: whether the image is %s cannot be told", name,
                           wanted);
}

static int trace_entry(struct bw_entry_trace *out, struct tracing *tracing, const struct bw_selector *selector,
                       struct bw_error *err)
{
    enum bw_selection parts[BW_SELECTOR_PARTS];
    uint64_t applied[2] = {0, 0};
    out->label = selector->label;
    out->registry = part_wanted(selector, BW_PART_REGISTRY);
    out->repository = part_wanted(selector, BW_PART_REPOSITORY);
    out->type = part_name(selector, BW_PART_IMAGE);
    out->value = part_wanted(selector, BW_PART_IMAGE);
    out->selection = bw_selector_match_parts(parts, selector, tracing->facts, applied);
    if (out->selection == BW_SELECTED) {
        return 0;
    }
    enum bw_selector_part part = BW_PART_REGISTRY;
    while (part < BW_PART_IMAGE && parts[part] != out->selection) {
        part++;
    }
    out->part = part;
    out->why = say_why(tracing, selector, out->selection, part);
    return out->why == NULL ? bw_arena_spent(err) : 0;
}

static int trace_entries(struct bw_entries_trace *out, struct tracing *tracing, const struct bw_selector *first,
                         size_t stride, size_t n_all, struct bw_error *err)
{
    struct bw_entry_trace *items = bw_arena_array(tracing->arena, n_all + 1, sizeof(*items));
    if (items == NULL) {
        return bw_arena_spent(err);
    }
    *out = (struct bw_entries_trace){.items = items, .n_all = n_all, .selected = -1};
    for (size_t i = 0; i < n_all && out->selected < 0; i++) {
        const struct bw_selector *selector = (const void *)((const char *)first + i * stride);
        if (trace_entry(&items[i], tracing, selector, err) != 0) {
            return -1;
        }
        items[i].index = (unsigned)i;
        out->selected = items[i].selection == BW_SELECTED ? (int)i : -1;
        out->n_items++;
    }
    return 0;
}

/* ---- rules ---- */

static bool has_packages(const struct bw_report *report, const char *type)
{
    for (size_t i = 0; i < report->n_packages; i++) {
        if (type == NULL || strcmp(report->packages[i].type, type) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_licenses(const struct bw_report *report)
{
    for (size_t i = 0; i < report->n_packages; i++) {
        if (report->packages[i].n_licenses > 0 || report->packages[i].license != NULL) {
            return true;
        }
    }
    return false;
}

/* Why there is nothing of this kind (of a trigger's `reads`) in the image; NULL: there is, or that cannot be said: no
 * hit of a search is what searching found. */
static const char *say_absent(struct tracing *tracing, const char *kind, bool *spent)
{
    const struct bw_report *report = tracing->facts->report;
    struct bw_str mode = bw_str_from(report->dockerfile_mode);
    static const char packages[] = "packages:";
    if (strncmp(kind, packages, sizeof(packages) - 1) == 0) {
        const char *type = kind + sizeof(packages) - 1;
        const char *text =
            has_packages(report, type) ? NULL : bw_arena_printf(tracing->arena, "the image has no %s packages", type);
        *spent = *spent || (text == NULL && !has_packages(report, type));
        return text;
    }
    const struct {
        const char *kind;
        bool present;
        const char *text;
    } rows[] = {
        {"packages", report->n_packages > 0, "no package is known in the image"},
        {"licenses", has_licenses(report), "no package of the image says its licence"},
        {"files", report->n_files > 0, "the image has no files"},
        {"verification", report->n_verifications > 0, "no package database of the image says what its files should be"},
        {"retrieved_files", report->n_retrieved > 0, "the image has none of the files that rules read"},
        {"malware", report->n_malware > 0, "no malware scanner looked at the image"},
        {"dockerfile", mode.len > 0 && !bw_str_is_nocase(mode, "unknown"), "no Dockerfile is known of the image"},
        {"distro", report->distro != NULL, "the distribution of the image is not known"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        if (strcmp(rows[i].kind, kind) == 0) {
            return rows[i].present ? NULL : rows[i].text;
        }
    }
    return NULL;
}

static int trace_params(struct bw_rule_trace *out, struct tracing *tracing, const struct bw_rule *rule,
                        struct bw_error *err)
{
    struct bw_param_trace *params = bw_arena_array(tracing->arena, rule->trigger->n_params + 1, sizeof(*params));
    if (params == NULL) {
        return bw_arena_spent(err);
    }
    out->params = params;
    for (size_t i = 0; i < rule->trigger->n_params; i++) {
        if (rule->values[i].present && rule->values[i].text != NULL) {
            params[out->n_params++] = (struct bw_param_trace){rule->trigger->params[i].name, rule->values[i].text};
        }
    }
    return 0;
}

static int trace_rule(struct bw_rule_trace *out, struct tracing *tracing, const struct bw_rule *rule,
                      const struct bw_rule_result *result, struct bw_error *err)
{
    bool spent = false;
    *out = (struct bw_rule_trace){.result = result,
                                  .id = rule->id,
                                  .comment = rule->comment,
                                  .gate = rule->gate->name,
                                  .trigger = rule->trigger->name,
                                  .doc = rule->trigger->doc,
                                  .action = rule->action,
                                  .not_applicable = result->outcome == BW_RULE_SILENT ? result->note : NULL};
    for (size_t i = 0; result->outcome == BW_RULE_SILENT && i < BW_LENGTH(rule->trigger->reads); i++) {
        const char *kind = rule->trigger->reads[i];
        if (kind != NULL && out->not_applicable == NULL) {
            out->not_applicable = say_absent(tracing, kind, &spent);
        }
    }
    return spent ? bw_arena_spent(err) : trace_params(out, tracing, rule, err);
}

static int trace_policy(struct bw_policy_trace *out, struct tracing *tracing, const struct bw_policy_result *result,
                        struct bw_error *err)
{
    const struct bw_policy *policy = &tracing->bundle->policies[result->policy];
    struct bw_rule_trace *rules = bw_arena_array(tracing->arena, result->n_rules + 1, sizeof(*rules));
    if (rules == NULL) {
        return bw_arena_spent(err);
    }
    size_t at = result->first_finding, end = result->first_finding + result->n_findings;
    for (size_t i = 0; i < result->n_rules; i++) { /* results and findings stand in the order of the policy's rules */
        if (trace_rule(&rules[i], tracing, &policy->rules[i], &result->rules[i], err) != 0) {
            return -1;
        }
        rules[i].first_finding = at;
        while (at < end && tracing->decision->findings[at].rule == result->rules[i].rule) {
            at++;
        }
        rules[i].n_findings = at - rules[i].first_finding;
    }
    *out = (struct bw_policy_trace){
        .result = result, .name = policy->name, .skipped = policy->skipped, .rules = rules, .n_rules = result->n_rules};
    return 0;
}

static int trace_chosen(struct bw_trace *out, struct tracing *tracing, struct bw_error *err)
{
    const struct bw_decision *decision = tracing->decision;
    struct bw_policy_trace *policies = bw_arena_array(tracing->arena, decision->n_policies + 1, sizeof(*policies));
    if (policies == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < decision->n_policies; i++) {
        if (trace_policy(&policies[i], tracing, &decision->policies[i], err) != 0) {
            return -1;
        }
    }
    out->policies = policies;
    if (decision->mapping < 0) {
        return 0;
    }
    const struct bw_mapping *mapping = &tracing->bundle->mappings[decision->mapping];
    const char **ids = bw_arena_array(tracing->arena, mapping->n_whitelists + 1, sizeof(*ids));
    if (ids == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < mapping->n_whitelists; i++) {
        ids[i] = tracing->bundle->whitelists[mapping->whitelists[i]].id;
    }
    out->whitelists = ids;
    out->n_whitelists = mapping->n_whitelists;
    return 0;
}

int bw_trace(struct bw_trace *out, const struct bw_bundle *bundle, const struct bw_facts *facts,
             const struct bw_decision *decision, struct bw_arena *arena, struct bw_error *err)
{
    struct tracing tracing = {.bundle = bundle, .facts = facts, .decision = decision, .arena = arena};
    struct bw_trace trace = {0};
    const size_t one = sizeof(struct bw_selector);
    if (trace_entries(&trace.mappings, &tracing, &bundle->mappings->selector, sizeof(*bundle->mappings),
                      bundle->n_mappings, err) != 0 ||
        trace_entries(&trace.whitelisted_images, &tracing, bundle->whitelisted_images, one,
                      bundle->n_whitelisted_images, err) != 0 ||
        trace_entries(&trace.blacklisted_images, &tracing, bundle->blacklisted_images, one,
                      bundle->n_blacklisted_images, err) != 0 ||
        trace_chosen(&trace, &tracing, err) != 0) {
        return -1;
    }
    *out = trace;
    return 0;
}

/* ---- words ---- */

const char *bw_rule_outcome_word(const struct bw_rule_trace *rule)
{
    static const char *const words[] = {
        [BW_RULE_SILENT] = "silent", [BW_RULE_FIRED] = "fired", [BW_RULE_UNDECIDED] = "undecided"};
    return rule->not_applicable != NULL ? "not_applicable" : words[rule->result->outcome];
}

const char *bw_decision_beside_rules(const struct bw_decision *decision)
{
    static const struct {
        const char *reason, *text;
    } rows[] = {
        {"blacklisted", "the image is on the bundle's list of forbidden images, whatever the rules find"},
        {"whitelisted", "the image is on the bundle's list of permitted images, whatever the rules find"},
        {"no_mapping", "no mapping of the bundle means this image: it is treated as noMappingMatch says"},
        {"tag_undecided", "a mapping by tag may mean this image, but no tag of the reference can be judged"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        if (strcmp(rows[i].reason, decision->reason) == 0) {
            return rows[i].text;
        }
    }
    return decision->mapping >= 0 ? NULL
                                  : "no mapping of the bundle means this image, and noMappingMatch: allow lets it pass";
}
