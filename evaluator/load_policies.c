/* Policies of a bundle document (rule sets of the Enterprise document). */
#include "evaluator/bundle_internal.h"

#include "base/json.h"
#include "base/map.h"

#include <string.h>

/* An id for a policy without one: its name, else its place; told apart from all others. */
static const char *make_id(struct bw_loader *loader, const json_t *node, size_t index, const struct bw_map *taken)
{
    const char *name = bw_load_text(loader, json_object_get(node, "name"));
    if (name != NULL && name[0] != '\0' && bw_map_get(taken, name, strlen(name)) == NULL) {
        return name;
    }
    for (size_t attempt = index;; attempt += 1000) {
        const char *id = bw_arena_printf(&loader->bundle->arena, "policy-%zu", attempt);
        if (id == NULL) {
            loader->spent = true;
            return "";
        }
        if (bw_map_get(taken, id, strlen(id)) == NULL) {
            return id;
        }
    }
}

static const char *load_id(struct bw_loader *loader, const json_t *node, size_t index, const struct bw_trail *at,
                           const struct bw_map *taken)
{
    const json_t *id = json_object_get(node, "id");
    if (json_is_string(id)) {
        return bw_load_text(loader, id);
    }
    if (id == NULL) {
        const char *made = make_id(loader, node, index, taken);
        const char *shown = bw_arena_printf(&loader->bundle->arena, "\"%.80s\"", made);
        loader->spent = loader->spent || shown == NULL;
        bw_load_lenient(loader, at, "id", shown != NULL ? shown : "");
        return made;
    }
    struct bw_trail here = {.up = at, .key = "id"};
    (void)bw_load_fault(loader, "malformed", &here, "a text is expected as id, not %s", bw_json_type_name(id));
    return "";
}

/* Rules of one gate stand together, gates in the order of their first rule; within a gate the document's order. */
static void group_rules(struct bw_loader *loader, struct bw_policy *policy)
{
    struct bw_rule *grouped = bw_arena_array(&loader->bundle->arena, policy->n_rules + 1, sizeof(*grouped));
    bool *moved = bw_arena_array(&loader->bundle->arena, policy->n_rules + 1, sizeof(*moved));
    if (grouped == NULL || moved == NULL) {
        loader->spent = true;
        return;
    }
    size_t n_grouped = 0;
    for (size_t i = 0; i < policy->n_rules; i++) {
        if (moved[i]) {
            continue;
        }
        for (size_t j = i; j < policy->n_rules; j++) {
            if (!moved[j] && policy->rules[j].gate == policy->rules[i].gate) {
                moved[j] = true;
                grouped[n_grouped++] = policy->rules[j];
            }
        }
    }
    policy->rules = grouped;
}

static void load_rules(struct bw_loader *loader, struct bw_policy *out, const json_t *node, const struct bw_trail *at)
{
    const json_t *list = NULL;
    int given = bw_load_list(loader, &list, node, "rules", at);
    if (given == 0) {
        bw_load_lenient(loader, at, "rules", "no rules");
    }
    size_t n_rules = out->skipped ? 0 : json_array_size(list);
    struct bw_rule *rules = bw_arena_array(&loader->bundle->arena, n_rules + 1, sizeof(*rules));
    if (rules == NULL) {
        loader->spent = true;
        return;
    }
    struct bw_trail rules_at = {.up = at, .key = "rules"};
    for (size_t i = 0; i < n_rules && !loader->spent; i++) {
        struct bw_trail here = {.up = &rules_at, .index = i};
        rules[i].index = (unsigned)i;
        bw_load_rule(loader, &rules[i], json_array_get(list, i), &here);
        bool asks = rules[i].gate != NULL && rules[i].trigger != NULL &&
                    strcmp(rules[i].gate->name, "vulnerabilities") == 0 &&
                    strcmp(rules[i].trigger->name, "vulnerability_data_unavailable") == 0;
        out->data_rule = out->data_rule || asks;
    }
    out->rules = rules;
    out->n_rules = n_rules;
    if (!loader->refused) {
        group_rules(loader, out);
    }
}

static void load_policy(struct bw_loader *loader, struct bw_policy *out, const json_t *node, const struct bw_trail *at)
{
    static const char *const known[] = {"id", "name", "version", "comment", "description", "rules", "artifact_type"};
    bw_load_unknown_members(loader, node, at, known, BW_LENGTH(known));
    (void)bw_load_version(loader, node, at);
    out->name = bw_load_text(loader, json_object_get(node, "name"));
    out->name = out->name != NULL ? out->name : out->id;
    const char *artifact = json_string_value(json_object_get(node, "artifact_type"));
    if (loader->format->enterprise && artifact != NULL && strcmp(artifact, "image") != 0) {
        out->skipped = true;
        struct bw_trail here = {.up = at, .key = "artifact_type"};
        (void)bw_load_warning(loader, "not_for_images", &here,
                              "these rules are for \"%.40s\", not for images; they are not run", artifact);
    }
    load_rules(loader, out, node, at);
}

/* Ids first: those that are given must be known before one is made. */
static void load_ids(struct bw_loader *loader, struct bw_policy *policies, const json_t *list,
                     const struct bw_trail *at, struct bw_map *taken)
{
    for (int given = 1; given >= 0; given--) {
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *node = json_array_get(list, i);
            if (!json_is_object(node) || (json_object_get(node, "id") != NULL) != (given == 1)) {
                continue;
            }
            struct bw_trail here = {.up = at, .index = i};
            policies[i].id = load_id(loader, node, i, &here, taken);
            if (!json_is_string(json_object_get(node, "id")) && given == 1) {
                continue;
            }
            if (bw_map_put(taken, policies[i].id, strlen(policies[i].id), &policies[i]) != NULL) {
                struct bw_trail id_at = {.up = &here, .key = "id"};
                struct bw_problem *problem =
                    bw_load_fault(loader, "duplicate_id", &id_at, "there is another policy \"%.80s\"", policies[i].id);
                problem->type = "policy";
                problem->id = policies[i].id;
            }
        }
    }
}

void bw_load_policies(struct bw_loader *loader, const json_t *root)
{
    const json_t *list = NULL;
    const char *key = loader->format->policies;
    (void)bw_load_list(loader, &list, root, key, NULL);
    struct bw_trail at = {.key = key};
    size_t n_policies = json_array_size(list);
    struct bw_policy *policies = bw_arena_array(&loader->bundle->arena, n_policies + 1, sizeof(*policies));
    if (policies == NULL) {
        loader->spent = true;
        return;
    }
    struct bw_map *taken = bw_map_create();
    load_ids(loader, policies, list, &at, taken);
    bw_map_destroy(taken, NULL);
    for (size_t i = 0; i < n_policies && !loader->spent; i++) {
        struct bw_trail here = {.up = &at, .index = i};
        const json_t *node = json_array_get(list, i);
        if (!json_is_object(node)) {
            (void)bw_load_fault(loader, "malformed", &here, "a policy is an object, not %s", bw_json_type_name(node));
            policies[i].id = "";
            continue;
        }
        load_policy(loader, &policies[i], node, &here);
    }
    loader->bundle->policies = policies;
    loader->bundle->n_policies = n_policies;
}
