/* breakwater evaluate --output sarif: SARIF 2.1.0, one run; rules of bundles are its rules, findings its results. */
#include "cli/evaluate.h"

#include "base/buf.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

static void put_text(json_t *object, const char *key, const char *text)
{
    (void)json_object_set_new(object, key, bw_json_text(text));
}

static const char *level_of(enum bw_action action)
{
    return action == BW_STOP ? "error" : action == BW_WARN ? "warning" : "note";
}

/* ---- rules ---- */

/* "gate:trigger", and "/id" if the rule has one. */
static char *rule_name(const char *gate, const char *trigger, const char *id)
{
    BW_BUF_SCOPE name;
    bw_buf_init(&name, BW_MAX_BUNDLE_BYTES);
    bw_buf_printf(&name, "%s:%s", gate, trigger);
    if (id != NULL && id[0] != '\0') {
        bw_buf_puts(&name, "/");
        bw_buf_puts(&name, id);
    }
    return bw_buf_take(&name, NULL);
}

static void add_rules(struct bw_show *show, const struct bw_judgement *judged)
{
    for (size_t i = 0; i < judged->decision.n_policies; i++) {
        const struct bw_policy_trace *policy = &judged->trace.policies[i];
        for (size_t j = 0; j < policy->n_rules; j++) {
            const struct bw_rule_trace *rule = &policy->rules[j];
            char *name = rule_name(rule->gate, rule->trigger, rule->id);
            (void)bw_sarif_rule(&show->sarif, name, rule->doc, rule->comment, level_of(rule->action));
            free(name);
        }
    }
}

/* ---- artifacts ---- */

static json_int_t add_artifact(struct bw_show *show, const struct bw_evaluated *image)
{
    json_t *artifacts = bw_sarif_run(&show->sarif, "artifacts"), *made = json_object(), *location = json_object();
    const char *digest = image->report->digest.text, *hex = strchr(digest, ':');
    (void)json_object_set_new(location, "uri", bw_sarif_uri(image->name));
    (void)json_object_set_new(made, "location", location);
    (void)json_object_set_new(made, "description", bw_sarif_message(image->name));
    if (hex != NULL && strncmp(digest, "sha256:", 7) == 0) {
        json_t *hashes = json_object();
        put_text(hashes, "sha-256", hex + 1);
        (void)json_object_set_new(made, "hashes", hashes);
    }
    (void)json_array_append_new(artifacts, made);
    return (json_int_t)json_array_size(artifacts) - 1;
}

static json_t *locations(const struct bw_evaluated *image, json_int_t artifact)
{
    json_t *all = json_array(), *made = json_object(), *physical = json_object(), *place = json_object(),
           *logical = json_object(), *logicals = json_array();
    (void)json_object_set_new(place, "uri", bw_sarif_uri(image->name));
    (void)json_object_set_new(place, "index", json_integer(artifact));
    (void)json_object_set_new(physical, "artifactLocation", place);
    (void)json_object_set_new(made, "physicalLocation", physical);
    put_text(logical, "fullyQualifiedName", image->name);
    put_text(logical, "kind", "resource");
    (void)json_array_append_new(logicals, logical);
    (void)json_object_set_new(made, "logicalLocations", logicals);
    (void)json_array_append_new(all, made);
    return all;
}

/* ---- results ---- */

static json_t *add_result(struct bw_show *show, const struct bw_evaluated *image, json_int_t artifact, const char *name,
                          json_int_t rule, enum bw_action action, const char *text)
{
    json_t *made = bw_sarif_result(&show->sarif, name, rule, level_of(action), text, locations(image, artifact));
    json_t *properties = json_object();
    bw_json_image(properties, image);
    (void)json_object_set_new(made, "properties", properties);
    return made;
}

static void suppress(json_t *result, const struct bw_judgement *judged, const struct bw_finding *finding)
{
    json_t *all = json_array(), *made = json_object();
    BW_BUF_SCOPE why;
    bw_buf_init(&why, BW_MAX_BUNDLE_BYTES);
    if (finding->whitelisted) {
        bw_buf_puts(&why, "whitelist ");
        bw_buf_puts(&why, finding->whitelist_id);
        bw_buf_puts(&why, finding->whitelist_item_id == NULL ? "" : ", item ");
        bw_buf_puts(&why, finding->whitelist_item_id == NULL ? "" : finding->whitelist_item_id);
    } else {
        bw_buf_puts(&why, bw_decision_beside_rules(&judged->decision));
    }
    put_text(made, "kind", "external");
    put_text(made, "status", "accepted");
    put_text(made, "justification", why.data);
    (void)json_array_append_new(all, made);
    (void)json_object_set_new(result, "suppressions", all);
}

static void add_finding(struct bw_show *show, const struct bw_evaluated *image, json_int_t artifact,
                        const struct bw_rule_trace *rule, const struct bw_finding *finding)
{
    char *name = rule_name(rule->gate, rule->trigger, rule->id);
    json_int_t index = bw_sarif_rule(&show->sarif, name, rule->doc, rule->comment, level_of(rule->action));
    enum bw_action action = finding->undecided ? BW_STOP : finding->rule_action;
    json_t *made = add_result(show, image, artifact, name, index, action, finding->message);
    json_t *properties = json_object_get(made, "properties");
    free(name);
    put_text(properties, "policy", finding->policy_id);
    put_text(properties, "action", bw_action_name(action));
    (void)json_object_set_new(properties, "undecided", json_boolean(finding->undecided));
    if (finding->trigger_id[0] != '\0') {
        json_t *prints = json_object();
        put_text(prints, "triggerId/v1", finding->trigger_id);
        (void)json_object_set_new(made, "partialFingerprints", prints);
    }
    if (bw_finding_excused(&image->judged, finding)) {
        suppress(made, &image->judged, finding);
    }
}

static int image(struct bw_show *show, const struct bw_evaluated *image, struct bw_error *err)
{
    (void)err;
    const struct bw_judgement *judged = &image->judged;
    json_int_t artifact = add_artifact(show, image);
    add_rules(show, judged);
    const char *beside = bw_decision_beside_rules(&judged->decision);
    if (beside != NULL) { /* the whole image is stopped, warned of, or let pass */
        char *name = rule_name(
            "breakwater",
            judged->decision.mapping < 0 && judged->decision.action == BW_GO ? "no_mapping" : judged->decision.reason,
            NULL);
        json_int_t index = bw_sarif_rule(&show->sarif, name, beside, NULL, level_of(judged->decision.action));
        (void)add_result(show, image, artifact, name, index, judged->decision.action, beside);
        free(name);
    }
    for (size_t i = 0; i < judged->decision.n_policies; i++) {
        const struct bw_policy_trace *policy = &judged->trace.policies[i];
        for (size_t j = 0; j < policy->n_rules; j++) {
            const struct bw_rule_trace *rule = &policy->rules[j];
            for (size_t k = 0; k < rule->n_findings; k++) {
                add_finding(show, image, artifact, rule, &judged->decision.findings[rule->first_finding + k]);
            }
        }
    }
    return 0;
}

static void failure(struct bw_show *show, const char *name, const struct bw_error *err)
{
    BW_BUF_SCOPE text;
    bw_buf_init(&text, BW_MAX_BUNDLE_BYTES);
    bw_buf_puts(&text, name);
    bw_buf_puts(&text, ": ");
    bw_buf_puts(&text, err->message);
    bw_sarif_failure(&show->sarif, text.data);
}

static void begin(struct bw_show *show)
{
    bw_sarif_begin(&show->sarif);
    json_t *properties = json_object(), *run = json_array_get(json_object_get(show->sarif.document, "runs"), 0);
    put_text(properties, "bundle", bw_bundle_id(show->bundle));
    put_text(properties, "bundleHash", bw_bundle_hash(show->bundle));
    (void)json_object_set_new(run, "properties", properties);
    (void)json_object_set_new(run, "artifacts", json_array());
}

static void end(struct bw_show *show)
{
    bw_sarif_finish(&show->sarif);
}

const struct bw_evaluation_writer bw_evaluation_sarif = {begin, image, failure, end};
