/* A JSON schema (draft-07) of bundles, made from the gate tables: for editors, and for checks before a bundle is
 * applied. */
#include "evaluator/explain.h"
#include "evaluator/gate.h"

#include <jansson.h>
#include <stdio.h>

static json_t *parameter_schema(const struct bw_param *param)
{
    json_t *value = json_object();
    (void)json_object_set_new(value, "type", json_string("string"));
    (void)json_object_set_new(value, "description", json_string(param->doc));
    if (param->choices != NULL) {
        json_t *choices = json_array();
        for (size_t i = 0; param->choices[i] != NULL; i++) {
            (void)json_array_append_new(choices, json_string(param->choices[i]));
        }
        (void)json_object_set_new(value, "enum", choices);
    }
    if (param->example != NULL) {
        (void)json_object_set_new(value, "examples", json_pack("[s]", param->example));
    }
    return json_pack("{s:s, s:{s:{s:s}, s:o}, s:[s,s]}", "type", "object", "properties", "name", "const", param->name,
                     "value", value, "required", "name", "value");
}

static json_t *rule_schema(const struct bw_gate *gate, const struct bw_trigger *trigger)
{
    json_t *items = json_array();
    for (unsigned i = 0; i < trigger->n_params; i++) {
        (void)json_array_append_new(items, parameter_schema(&trigger->params[i]));
    }
    json_t *params = json_pack("{s:s}", "type", "array");
    if (trigger->n_params > 0) {
        (void)json_object_set_new(params, "items", json_pack("{s:o}", "anyOf", items));
    } else {
        (void)json_object_set_new(params, "maxItems", json_integer(0));
        json_decref(items);
    }
    return json_pack("{s:s, s:s, s:{s:{s:s}, s:{s:s}, s:o}}", "type", "object", "description", trigger->doc,
                     "properties", "gate", "const", gate->name, "trigger", "const", trigger->name, "params", params);
}

static json_t *rules_schema(void)
{
    json_t *rules = json_array();
    for (size_t i = 0; bw_gates[i] != NULL; i++) {
        for (unsigned j = 0; bw_gates[i]->state == BW_GATE_ACTIVE && j < bw_gates[i]->n_triggers; j++) {
            (void)json_array_append_new(rules, rule_schema(bw_gates[i], &bw_gates[i]->triggers[j]));
        }
    }
    return json_pack("{s:s, s:[s,s,s], s:{s:{s:[s,s,s]}, s:{s:s}, s:{s:s}}, s:o}", "type", "object", "required", "gate",
                     "trigger", "action", "properties", "action", "enum", "GO", "WARN", "STOP", "id", "type", "string",
                     "comment", "type", "string", "anyOf", rules);
}

static json_t *array_of(json_t *items)
{
    return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

static json_t *text(void)
{
    return json_pack("{s:s}", "type", "string");
}

static json_t *image_schema(void)
{
    return json_pack("{s:s, s:[s,s,s], s:{s:o, s:o, s:o, s:o, s:{s:s, s:[s,s], s:{s:{s:[s,s,s]}, s:o}}}}", "type",
                     "object", "required", "registry", "repository", "image", "properties", "id", text(), "name",
                     text(), "registry", text(), "repository", text(), "image", "type", "object", "required", "type",
                     "value", "properties", "type", "enum", "tag", "digest", "id", "value", text());
}

static json_t *mapping_schema(void)
{
    json_t *made = image_schema(), *properties = json_object_get(made, "properties");
    (void)json_object_set_new(properties, "policy_id", text());
    (void)json_object_set_new(properties, "policy_ids", array_of(text()));
    (void)json_object_set_new(properties, "whitelist_ids", array_of(text()));
    return made;
}

static json_t *policy_schema(void)
{
    return json_pack("{s:s, s:[s], s:{s:o, s:o, s:o, s:{s:s}, s:o}}", "type", "object", "required", "rules",
                     "properties", "id", text(), "name", text(), "comment", text(), "version", "const", "1_0", "rules",
                     array_of(rules_schema()));
}

static json_t *whitelist_schema(void)
{
    json_t *item =
        json_pack("{s:s, s:[s,s], s:{s:o, s:o, s:o, s:o}}", "type", "object", "required", "gate", "trigger_id",
                  "properties", "id", text(), "gate", text(), "trigger_id", text(), "expires_on", text());
    return json_pack("{s:s, s:[s], s:{s:o, s:o, s:{s:s}, s:o}}", "type", "object", "required", "items", "properties",
                     "id", text(), "name", text(), "version", "const", "1_0", "items", array_of(item));
}

int bw_explain_json_schema(FILE *out)
{
    json_t *schema =
        json_pack("{s:s, s:s, s:s, s:[s,s], s:{s:o, s:o, s:o, s:{s:s}, s:o, s:o, s:o, s:o, s:o}}", "$schema",
                  "http://json-schema.org/draft-07/schema#", "title", "Policy bundle", "type", "object", "required",
                  "version", "policies", "properties", "id", text(), "name", text(), "comment", text(), "version",
                  "const", "1_0", "policies", array_of(policy_schema()), "whitelists", array_of(whitelist_schema()),
                  "mappings", array_of(mapping_schema()), "whitelisted_images", array_of(image_schema()),
                  "blacklisted_images", array_of(image_schema()));
    int status = schema == NULL ? -1 : json_dumpf(schema, out, JSON_INDENT(2));
    (void)fputc('\n', out);
    json_decref(schema);
    return status;
}
