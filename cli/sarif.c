/* SARIF 2.1.0 (OASIS), the part of it that does not depend on what the results are (cli/sarif.h). */
#include "cli/sarif.h"

#include "base/buf.h"
#include "base/limits.h"
#include "cli/settings.h"

#include <string.h>

static void put_text(json_t *object, const char *key, const char *text)
{
    (void)json_object_set_new(object, key, bw_json_text(text));
}

json_t *bw_sarif_message(const char *text)
{
    json_t *made = json_object();
    put_text(made, "text", text);
    return made;
}

json_t *bw_sarif_run(const struct bw_sarif *sarif, const char *key)
{
    return json_object_get(json_array_get(json_object_get(sarif->document, "runs"), 0), key);
}

json_int_t bw_sarif_rule(struct bw_sarif *sarif, const char *id, const char *doc, const char *comment,
                         const char *level)
{
    json_t *name = bw_json_text(id),
           *rules = json_object_get(json_object_get(bw_sarif_run(sarif, "tool"), "driver"), "rules");
    json_t *known = json_object_get(sarif->rules, json_string_value(name));
    if (known != NULL) {
        json_decref(name);
        return json_integer_value(known);
    }
    json_int_t place = (json_int_t)json_array_size(rules);
    (void)json_object_set_new(sarif->rules, json_string_value(name), json_integer(place));
    json_t *made = json_object(), *configuration = json_object();
    (void)json_object_set_new(made, "id", name);
    (void)json_object_set_new(made, "shortDescription", bw_sarif_message(doc));
    if (comment != NULL && comment[0] != '\0') {
        (void)json_object_set_new(made, "fullDescription", bw_sarif_message(comment));
    }
    BW_BUF_SCOPE help;
    bw_buf_init(&help, BW_MAX_BUNDLE_BYTES);
    bw_buf_puts(&help, doc);
    if (comment != NULL && comment[0] != '\0') {
        bw_buf_puts(&help, "\n\n");
        bw_buf_puts(&help, comment);
    }
    (void)json_object_set_new(made, "help", bw_sarif_message(help.data));
    put_text(configuration, "level", level);
    (void)json_object_set_new(made, "defaultConfiguration", configuration);
    (void)json_array_append_new(rules, made);
    return place;
}

json_t *bw_sarif_uri(const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/@";
    BW_BUF_SCOPE uri;
    bw_buf_init(&uri, BW_MAX_BUNDLE_BYTES);
    bool first = true;
    for (const char *c = name; *c != '\0'; c++) {
        first = first && *c != '/';
        if (strchr(plain, *c) != NULL || (*c == ':' && !first)) {
            bw_buf_append(&uri, c, 1);
        } else {
            bw_buf_printf(&uri, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
    return json_string(uri.data == NULL ? "" : uri.data);
}

json_t *bw_sarif_result(struct bw_sarif *sarif, const char *id, json_int_t rule, const char *level, const char *text,
                        json_t *locations)
{
    json_t *made = json_object();
    put_text(made, "ruleId", id);
    (void)json_object_set_new(made, "ruleIndex", json_integer(rule));
    put_text(made, "level", level);
    (void)json_object_set_new(made, "message", bw_sarif_message(text));
    (void)json_object_set_new(made, "locations", locations);
    (void)json_array_append_new(bw_sarif_run(sarif, "results"), made);
    return made;
}

void bw_sarif_failure(struct bw_sarif *sarif, const char *text)
{
    json_t *invocation = json_array_get(bw_sarif_run(sarif, "invocations"), 0), *made = json_object();
    put_text(made, "level", "error");
    (void)json_object_set_new(made, "message", bw_sarif_message(text));
    (void)json_array_append_new(json_object_get(invocation, "toolExecutionNotifications"), made);
    (void)json_object_set_new(invocation, "executionSuccessful", json_false());
}

void bw_sarif_begin(struct bw_sarif *sarif)
{
    json_t *run = json_object(), *tool = json_object(), *driver = json_object(), *runs = json_array(),
           *invocations = json_array(), *invocation = json_object();
    put_text(driver, "name", "breakwater");
    put_text(driver, "version", BREAKWATER_VERSION);
    (void)json_object_set_new(driver, "rules", json_array());
    (void)json_object_set_new(tool, "driver", driver);
    (void)json_object_set_new(run, "tool", tool);
    (void)json_object_set_new(invocation, "executionSuccessful", json_true());
    (void)json_object_set_new(invocation, "toolExecutionNotifications", json_array());
    (void)json_array_append_new(invocations, invocation);
    (void)json_object_set_new(run, "invocations", invocations);
    (void)json_object_set_new(run, "results", json_array());
    (void)json_array_append_new(runs, run);
    sarif->document = json_object();
    sarif->rules = json_object();
    put_text(sarif->document, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    put_text(sarif->document, "version", "2.1.0");
    (void)json_object_set_new(sarif->document, "runs", runs);
}

void bw_sarif_finish(struct bw_sarif *sarif)
{
    (void)json_dumpf(sarif->document, stdout, JSON_INDENT(2));
    (void)fputc('\n', stdout);
    json_decref(sarif->document);
    json_decref(sarif->rules);
    *sarif = (struct bw_sarif){0};
}
