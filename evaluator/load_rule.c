/* One rule: gate, trigger, action and parameters against the tables. */
#include "evaluator/bundle_internal.h"

#include "base/json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct given { /* the parameters of a rule as the document has them */
    const json_t *values[64];
    size_t places[64]; /* index + 1 */
};

enum { MAX_PARAMS = 64 };

static const char *member_text(struct bw_loader *loader, const json_t *node, const char *key, const struct bw_trail *at)
{
    const json_t *member = json_object_get(node, key);
    struct bw_trail here = {.up = at, .key = key};
    if (json_is_string(member)) {
        return bw_load_text(loader, member);
    }
    if (member == NULL) {
        (void)bw_load_fault(loader, "malformed", at, "the rule has no \"%s\"", key);
    } else {
        (void)bw_load_fault(loader, "malformed", &here, "a text is expected as %s, not %s", key,
                            bw_json_type_name(member));
    }
    return NULL;
}

/* The Enterprise document says denylist where 1_0 says blacklist, and allow for white. */
static const char *other_spelling(struct bw_loader *loader, const char *word)
{
    static const char *const pairs[][2] = {
        {"denylist", "blacklist"}, {"blacklist", "denylist"}, {"allowlist", "whitelist"}, {"whitelist", "allowlist"}};
    for (size_t i = 0; loader->format->enterprise && i < BW_LENGTH(pairs); i++) {
        const char *found = strcasestr(word, pairs[i][0]);
        if (found != NULL) {
            const char *other = bw_arena_printf(&loader->bundle->arena, "%.*s%s%s", (int)(found - word), word,
                                                pairs[i][1], found + strlen(pairs[i][0]));
            loader->spent = loader->spent || other == NULL;
            return other;
        }
    }
    return NULL;
}

static const struct bw_trigger *find_trigger(struct bw_loader *loader, const struct bw_gate *gate, const char *word)
{
    const struct bw_trigger *trigger = bw_trigger_find(gate, word);
    const char *other = trigger == NULL ? other_spelling(loader, word) : NULL;
    return other != NULL ? bw_trigger_find(gate, other) : trigger;
}

static void load_gate(struct bw_loader *loader, struct bw_rule *out, const struct bw_trail *at)
{
    struct bw_trail gate_at = {.up = at, .key = "gate"};
    struct bw_trail trigger_at = {.up = at, .key = "trigger"};
    out->gate = bw_gate_find(loader->gate);
    if (out->gate == NULL) {
        bw_load_fault(loader, "gate_not_found", &gate_at, "there is no gate \"%.80s\"", loader->gate)->suggestion =
            bw_gate_suggest(loader->gate);
        return;
    }
    if (out->gate->state == BW_GATE_FOREIGN) {
        (void)bw_load_fault(loader, "gate_not_found", &gate_at,
                            "the gate %s of Anchore Enterprise is not supported: %s", out->gate->name, out->gate->doc);
        return;
    }
    if (loader->trigger == NULL) {
        return;
    }
    out->trigger = find_trigger(loader, out->gate, loader->trigger);
    if (out->trigger == NULL) {
        bw_load_fault(loader, "trigger_not_found", &trigger_at, "the gate %s has no trigger \"%.80s\"", out->gate->name,
                      loader->trigger)
            ->suggestion = bw_trigger_suggest(out->gate, loader->trigger);
        return;
    }
    if (out->gate->state == BW_GATE_RETIRED) {
        const char *next = out->gate->successor;
        bw_load_fault(loader, "end_of_life", &gate_at, "the gate %s was retired%s%s", out->gate->name,
                      next != NULL ? "; use " : " without a successor", next != NULL ? next : "")
            ->row = BW_ROW_RETIRED;
        out->trigger = NULL;
    }
}

static void load_action(struct bw_loader *loader, struct bw_rule *out, const json_t *node, const struct bw_trail *at)
{
    static const char *const names[] = {[BW_GO] = "GO", [BW_WARN] = "WARN", [BW_STOP] = "STOP"};
    const json_t *action = json_object_get(node, "action");
    struct bw_trail here = {.up = at, .key = "action"};
    if (action == NULL) {
        (void)bw_load_fault(loader, "invalid_action", at, "the rule has no \"action\": GO, WARN or STOP is expected");
        return;
    }
    if (!json_is_string(action)) {
        (void)bw_load_fault(loader, "malformed", &here, "GO, WARN or STOP is expected, not %s",
                            bw_json_type_name(action));
        return;
    }
    const char *word = bw_load_text(loader, action);
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        if (bw_str_is_nocase(bw_str_from(word), names[i])) {
            out->action = (enum bw_action)i;
            return;
        }
    }
    struct bw_problem *problem =
        bw_load_fault(loader, "invalid_action", &here, "\"%.40s\" is no action: GO, WARN or STOP is expected", word);
    problem->action = word;
    problem->suggestion = bw_suggest(word, names, BW_LENGTH(names));
}

/* ---- parameters ---- */

static int find_param(struct bw_loader *loader, const struct bw_trigger *trigger, const char *name, bool *by_alias)
{
    const char *other = other_spelling(loader, name);
    for (unsigned i = 0; i < trigger->n_params; i++) {
        const struct bw_param *param = &trigger->params[i];
        *by_alias = param->alias != NULL && strcmp(param->alias, name) == 0;
        if (*by_alias || strcmp(param->name, name) == 0 || (other != NULL && strcmp(param->name, other) == 0)) {
            return (int)i;
        }
    }
    return -1;
}

/* null, and for an alias also what is empty, counts as not given. */
static bool is_given(const json_t *value, bool by_alias)
{
    if (value == NULL || json_is_null(value)) {
        return false;
    }
    bool empty = json_is_false(value) || (json_is_string(value) && json_string_length(value) == 0) ||
                 (json_is_number(value) && json_number_value(value) == 0.0) ||
                 (json_is_array(value) && json_array_size(value) == 0) ||
                 (json_is_object(value) && json_object_size(value) == 0);
    return !by_alias || !empty;
}

static void unknown_param(struct bw_loader *loader, const struct bw_trigger *trigger, const char *name,
                          const struct bw_trail *at)
{
    const char *names[MAX_PARAMS];
    for (unsigned i = 0; i < trigger->n_params; i++) {
        names[i] = trigger->params[i].name;
    }
    struct bw_problem *problem = bw_load_fault(loader, "unknown_parameter", at, "%s:%s has no parameter \"%.80s\"",
                                               loader->gate, loader->trigger, name);
    problem->param = name;
    problem->suggestion = bw_suggest(name, names, trigger->n_params);
}

/* The name of one parameter in lower case, NULL when it is at fault. */
static char *param_name(struct bw_loader *loader, const json_t *node, const struct bw_trail *at)
{
    const json_t *name = json_object_get(node, "name");
    if (!json_is_string(name)) {
        (void)bw_load_fault(loader, "malformed", at, "a parameter is an object with \"name\" and \"value\"");
        return NULL;
    }
    char *lower = bw_arena_strdup(&loader->bundle->arena, json_string_value(name));
    loader->spent = loader->spent || lower == NULL;
    for (char *c = lower; c != NULL && *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return lower;
}

/* Sorts what is given by the positions of the row; the last one of a name counts, an alias only where the name is not
 * given. */
static bool collect(struct bw_loader *loader, struct given *given, const struct bw_trigger *trigger, const json_t *list,
                    const struct bw_trail *params_at)
{
    struct given aliased = {0};
    bool fine = true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        static const char *const known[] = {"name", "value"};
        struct bw_trail here = {.up = params_at, .index = i};
        const json_t *node = json_array_get(list, i);
        char *name = param_name(loader, node, &here);
        if (name == NULL) {
            fine = false;
            continue;
        }
        bw_load_unknown_members(loader, node, &here, known, BW_LENGTH(known));
        bool by_alias = false;
        int position = find_param(loader, trigger, name, &by_alias);
        if (position < 0) {
            struct bw_trail name_at = {.up = &here, .key = "name"};
            unknown_param(loader, trigger, name, &name_at);
            fine = false;
            continue;
        }
        struct given *into = by_alias ? &aliased : given;
        into->values[position] = json_object_get(node, "value");
        into->places[position] = i + 1;
    }
    for (unsigned i = 0; i < trigger->n_params; i++) {
        if (!is_given(given->values[i], false)) {
            given->values[i] = is_given(aliased.values[i], true) ? aliased.values[i] : NULL;
            given->places[i] = given->values[i] != NULL ? aliased.places[i] : 0;
        }
    }
    return fine;
}

static const char *suggest_choice(const struct bw_param *param, const json_t *value)
{
    size_t n_choices = 0;
    while (param->kind == BW_PARAM_ENUM && param->choices[n_choices] != NULL) {
        n_choices++;
    }
    return n_choices > 0 && json_is_string(value) ? bw_suggest(json_string_value(value), param->choices, n_choices)
                                                  : NULL;
}

/* In the Enterprise document an enumerated value may have the other spelling, too. */
static int parse_value(struct bw_loader *loader, struct bw_value *out, const struct bw_param *param, const json_t *node,
                       struct bw_error *err)
{
    struct bw_arena *arena = &loader->bundle->arena;
    if (bw_param_parse_json(out, param, node, arena, err) == 0) {
        return 0;
    }
    const char *other =
        param->kind == BW_PARAM_ENUM && json_is_string(node) ? other_spelling(loader, json_string_value(node)) : NULL;
    struct bw_error ignored = {0};
    return other != NULL ? bw_param_parse(out, param, other, arena, &ignored) : -1;
}

static bool parse_values(struct bw_loader *loader, struct bw_value *values, const struct bw_trigger *trigger,
                         const struct given *given)
{
    bool fine = true;
    for (unsigned i = 0; i < trigger->n_params; i++) {
        const struct bw_param *param = &trigger->params[i];
        struct bw_error err = {0};
        if (given->values[i] == NULL) {
            if (param->required) {
                bw_loader_missing(loader, i);
                fine = false;
            }
            continue;
        }
        if (parse_value(loader, &values[i], param, given->values[i], &err) != 0) {
            loader->spent = loader->spent || strcmp(err.detail, "memory_budget") == 0;
            (void)bw_loader_fault(loader, i, 0, "%s", err.message);
            if (loader->problems->n_items > 0) {
                loader->problems->items[loader->problems->n_items - 1].suggestion =
                    suggest_choice(param, given->values[i]);
            }
            fine = false;
        } else if (json_is_false(given->values[i]) && strcmp(param->name, "fix_available") == 0) {
            values[i] = (struct bw_value){0}; /* JSON's false is "no filter" there */
        } else if (values[i].fault != NULL && param->kind == BW_PARAM_BOOL) {
            (void)bw_loader_warn(loader, i, "never_evaluated", "%s; the rule counts as stop", values[i].fault);
        }
    }
    return fine;
}

static void load_params(struct bw_loader *loader, struct bw_rule *out, const json_t *node, const struct bw_trail *at)
{
    const json_t *list = NULL;
    int present = bw_load_list(loader, &list, node, "params", at);
    if (present == 0) {
        bw_load_lenient(loader, at, "params", "no parameters");
    }
    struct given given = {0};
    struct bw_trail params_at = {.up = at, .key = "params"};
    struct bw_value *values = bw_arena_array(&loader->bundle->arena, out->trigger->n_params + 1, sizeof(*values));
    if (values == NULL) {
        loader->spent = true;
        return;
    }
    loader->param_places = given.places;
    bool fine = collect(loader, &given, out->trigger, list, &params_at);
    fine = parse_values(loader, values, out->trigger, &given) && fine && present >= 0;
    struct bw_error err = {0};
    if (fine && out->trigger->load != NULL && out->trigger->load(loader, values, &err) != 0) {
        loader->spent = true;
    }
    out->values = values;
    loader->param_places = NULL;
}

void bw_load_rule(struct bw_loader *loader, struct bw_rule *out, const json_t *node, const struct bw_trail *at)
{
    static const char *const known[] = {"id",     "gate",    "trigger",     "action",
                                        "params", "comment", "description", "recommendation"};
    if (!json_is_object(node)) {
        (void)bw_load_fault(loader, "malformed", at, "a rule is an object, not %s", bw_json_type_name(node));
        return;
    }
    bw_load_unknown_members(loader, node, at, known, BW_LENGTH(known));
    out->id = bw_load_id(loader, json_object_get(node, "id"));
    for (size_t i = 5; i < BW_LENGTH(known) && out->comment == NULL; i++) {
        const char *text = bw_load_text(loader, json_object_get(node, known[i]));
        out->comment = text != NULL && text[0] != '\0' ? text : NULL;
    }
    loader->rule_at = at;
    loader->rule_id = out->id;
    loader->gate = member_text(loader, node, "gate", at);
    loader->trigger = member_text(loader, node, "trigger", at);
    if (loader->gate != NULL) {
        load_gate(loader, out, at);
    }
    load_action(loader, out, node, at);
    if (out->trigger != NULL) {
        loader->row = out->trigger;
        load_params(loader, out, node, at);
    }
    loader->rule_at = NULL;
    loader->rule_id = loader->gate = loader->trigger = NULL;
    loader->row = NULL;
}
