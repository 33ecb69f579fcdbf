/* A JSON schema (draft-07) of bundle documents of format 1_0, made from the gate tables: for editors, which then
 * complete and check gates, triggers and parameters. The loader takes more (any case of names, leniencies, version 2).
 */
#include "evaluator/explain.h"
#include "evaluator/gate.h"

#include <jansson.h>
#include <stdio.h>

static json_t *text(const char *description)
{
    return json_pack("{s:s, s:s*}", "type", "string", "description", description);
}

static json_t *constant(const char *word)
{
    return json_pack("{s:s}", "const", word);
}

static json_t *list_of(json_t *items)
{
    return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

static json_t *words(const char *const *list)
{
    json_t *array = json_array();
    for (size_t i = 0; list[i] != NULL; i++) {
        (void)json_array_append_new(array, json_string(list[i]));
    }
    return array;
}

/* ---- parameters ---- */

static const char *pattern_of(enum bw_param_kind kind)
{
    switch (kind) {
    case BW_PARAM_BOOL:
        return "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$";
    case BW_PARAM_INT:
        return "^\\s*[0-9]+\\s*$";
    case BW_PARAM_FLOAT:
        return "^\\s*-?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)\\s*$";
    case BW_PARAM_STRING_LIST:
        return "^[^,]+(,[^,]+)*$";
    case BW_PARAM_INT_LIST:
        return "^\\s*[0-9]+\\s*(,\\s*[0-9]+\\s*)*$";
    case BW_PARAM_OCTAL:
        return "^\\s*(0o)?[0-7]+\\s*$";
    default:
        return NULL;
    }
}

static json_t *value_schema(const struct bw_param *param)
{
    json_t *value = text(param->doc);
    const char *pattern = pattern_of(param->kind);
    if (param->choices != NULL) {
        (void)json_object_set_new(value, "enum", words(param->choices));
    }
    if (pattern != NULL) {
        (void)json_object_set_new(value, "pattern", json_string(pattern));
    }
    if (param->default_text != NULL) {
        (void)json_object_set_new(value, "default", json_string(param->default_text));
    }
    (void)json_object_set_new(value, "examples", json_pack("[s]", param->example));
    return value;
}

/* `params` of one trigger: the names that there are, each with its values, and those that must be there. */
static json_t *params_schema(const struct bw_trigger *trigger)
{
    json_t *names = json_array();
    json_t *each = json_array();
    json_t *required = json_array();
    for (unsigned i = 0; i < trigger->n_params; i++) {
        const struct bw_param *param = &trigger->params[i];
        (void)json_array_append_new(names, json_string(param->name));
        (void)json_array_append_new(each, json_pack("{s:{s:{s:o}}, s:{s:{s:o}}}", "if", "properties", "name",
                                                    constant(param->name), "then", "properties", "value",
                                                    value_schema(param)));
        if (param->required) {
            (void)json_array_append_new(
                required, json_pack("{s:{s:{s:o}}}", "contains", "properties", "name", constant(param->name)));
        }
    }
    if (trigger->n_params == 0) {
        json_decref(names);
        json_decref(each);
        json_decref(required);
        return json_pack("{s:s, s:i}", "type", "array", "maxItems", 0);
    }
    json_t *params =
        list_of(json_pack("{s:s, s:[s,s], s:{s:{s:o}, s:{s:s}}, s:o}", "type", "object", "required", "name", "value",
                          "properties", "name", "enum", names, "value", "type", "string", "allOf", each));
    if (json_array_size(required) > 0) {
        (void)json_object_set(params, "allOf", required);
    }
    json_decref(required);
    return params;
}

/* ---- rules ---- */

static json_t *trigger_branch(const struct bw_gate *gate, const struct bw_trigger *trigger)
{
    return json_pack("{s:{s:{s:o, s:o}}, s:{s:s, s:{s:o}}}", "if", "properties", "gate", constant(gate->name),
                     "trigger", constant(trigger->name), "then", "description", trigger->doc, "properties", "params",
                     params_schema(trigger));
}

static json_t *gate_branch(const struct bw_gate *gate)
{
    json_t *names = json_array();
    for (unsigned i = 0; i < gate->n_triggers; i++) {
        (void)json_array_append_new(names, json_string(gate->triggers[i].name));
    }
    return json_pack("{s:{s:{s:o}}, s:{s:{s:{s:s, s:o}}}}", "if", "properties", "gate", constant(gate->name), "then",
                     "properties", "trigger", "description", gate->doc, "enum", names);
}

static json_t *rule_schema(void)
{
    static const char *const actions[] = {"GO", "WARN", "STOP", "go", "warn", "stop", NULL};
    json_t *gates = json_array();
    json_t *branches = json_array();
    for (size_t i = 0; bw_gates[i] != NULL; i++) {
        const struct bw_gate *gate = bw_gates[i];
        if (gate->state != BW_GATE_ACTIVE) {
            continue;
        }
        (void)json_array_append_new(gates, json_string(gate->name));
        (void)json_array_append_new(branches, gate_branch(gate));
        for (unsigned t = 0; t < gate->n_triggers; t++) {
            (void)json_array_append_new(branches, trigger_branch(gate, &gate->triggers[t]));
        }
    }
    return json_pack("{s:s, s:[s,s,s], s:{s:{s:o}, s:o, s:{s:o}, s:o, s:o, s:{s:s}}, s:o}", "type", "object",
                     "required", "gate", "trigger", "action", "properties", "gate", "enum", gates, "trigger",
                     text(NULL), "action", "enum", words(actions), "id", text(NULL), "comment",
                     text("Shown with what the rule finds."), "params", "type", "array", "allOf", branches);
}

/* ---- the rest of the document ---- */

static json_t *image_schema(void)
{
    static const char *const types[] = {"tag", "digest", "id", NULL};
    return json_pack("{s:s, s:[s,s,s], s:{s:o, s:o, s:o, s:o, s:{s:s, s:[s,s], s:{s:{s:o}, s:o}}}}", "type", "object",
                     "required", "registry", "repository", "image", "properties", "id", text(NULL), "name", text(NULL),
                     "registry", text("A text with * for any characters, or regexp: and an expression."), "repository",
                     text("As registry."), "image", "type", "object", "required", "type", "value", "properties", "type",
                     "enum", words(types), "value", text("A tag pattern, a digest, or an id."));
}

static json_t *mapping_schema(void)
{
    json_t *mapping = image_schema();
    json_t *properties = json_object_get(mapping, "properties");
    (void)json_object_set_new(properties, "policy_id", text("One policy."));
    (void)json_object_set_new(properties, "policy_ids", list_of(text("Policies, in this order.")));
    (void)json_object_set_new(properties, "whitelist_ids", list_of(text("Whitelists, in this order.")));
    return mapping;
}

static json_t *policy_schema(void)
{
    return json_pack("{s:s, s:[s,s,s], s:{s:o, s:o, s:o, s:o, s:o}}", "type", "object", "required", "id", "version",
                     "rules", "properties", "id", text(NULL), "name", text(NULL), "comment", text(NULL), "version",
                     constant("1_0"), "rules", list_of(rule_schema()));
}

static json_t *whitelist_schema(void)
{
    json_t *item = json_pack("{s:s, s:[s,s], s:{s:o, s:o, s:o, s:o}}", "type", "object", "required", "gate",
                             "trigger_id", "properties", "id", text(NULL), "gate", text(NULL), "trigger_id",
                             text("The id of a finding, with * for any characters, or regexp: and an expression."),
                             "expires_on", text("An instant in UTC, as in 2030-01-31T00:00:00Z."));
    return json_pack("{s:s, s:[s,s,s], s:{s:o, s:o, s:o, s:o}}", "type", "object", "required", "id", "version", "items",
                     "properties", "id", text(NULL), "name", text(NULL), "version", constant("1_0"), "items",
                     list_of(item));
}

int bw_explain_json_schema(FILE *out)
{
    json_t *schema =
        json_pack("{s:s, s:s, s:s, s:[s,s,s], s:{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}}", "$schema",
                  "http://json-schema.org/draft-07/schema#", "title", "Policy bundle, format 1_0", "type", "object",
                  "required", "version", "policies", "mappings", "properties", "id", text(NULL), "name", text(NULL),
                  "comment", text(NULL), "version", constant("1_0"), "policies", list_of(policy_schema()), "whitelists",
                  list_of(whitelist_schema()), "mappings", list_of(mapping_schema()), "whitelisted_images",
                  list_of(image_schema()), "blacklisted_images", list_of(image_schema()));
    int status = schema == NULL ? -1 : json_dumpf(schema, out, JSON_INDENT(1));
    (void)fputc('\n', out);
    json_decref(schema);
    return status;
}
