/* ConfigMaps with bundles: who is looked at, what is refused with every fault, what is admitted with warnings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "k8s/admission_review.h"
#include "webhook/bundle_review.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct bw_arena arena;
static struct bw_admit_result result;
static json_t *answered;

static int set_up(void **state)
{
    (void)state;
    bw_arena_init(&arena, 512 * BW_MIB);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(answered);
    answered = NULL;
    bw_arena_clear(&arena);
    return 0;
}

/* ---- asking ---- */

#define RULE(id, gate, trigger, action, params)                                                                        \
    "{'id':'" id "','gate':'" gate "','trigger':'" trigger "','action':'" action "','params':[" params "]}"
#define PORTS "{'name':'ports','value':'22'},{'name':'type','value':'blacklist'}"
#define BUNDLE_OF(id, rules, more)                                                                                     \
    "{'id':'" id "','version':'1_0','name':'n','policies':[{'id':'p','version':'1_0','name':'p','rules':[" rules       \
    "]}],'whitelists':[],'mappings':[{'id':'m','name':'m','registry':'*','repository':'*','image':{'type':'tag',"      \
    "'value':'*'},'policy_id':'p','whitelist_ids':[]}]" more "}"
#define GOOD_RULE    RULE("r", "dockerfile", "exposed_ports", "STOP", PORTS)
#define BUNDLE(more) BUNDLE_OF("prod", GOOD_RULE, more)

/* Single quotes are double ones. */
static const char *quoted(const char *text)
{
    char *copy = bw_arena_strdup(&arena, text);
    for (char *c = copy; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    return copy;
}

/* label NULL: there is none. data: NULL-terminated keys and texts. */
static json_t *config_map(const char *label, const char *const *data)
{
    json_t *map = json_pack("{s:s,s:s,s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap", "metadata", "name", "prod");
    json_t *texts = json_object();
    if (label != NULL) {
        json_object_set_new(json_object_get(map, "metadata"), "labels",
                            json_pack("{s:s}", "breakwater.io/bundle", label));
    }
    for (size_t i = 0; data != NULL && data[i] != NULL; i += 2) {
        json_object_set_new(texts, data[i], json_string(quoted(data[i + 1])));
    }
    json_object_set_new(map, "data", texts);
    return map;
}

static json_t *review_of(const char *operation, json_t *now, json_t *before)
{
    return json_pack("{s:s,s:s,s:{s:s,s:{s:s,s:s},s:{s:s,s:s,s:s},s:s,s:s,s:s,s:{s:s},s:o,s:o}}", "apiVersion",
                     "admission.k8s.io/v1", "kind", "AdmissionReview", "request", "uid", "u-1", "kind", "version", "v1",
                     "kind", "ConfigMap", "resource", "group", "", "version", "v1", "resource", "configmaps",
                     "operation", operation, "namespace", "breakwater", "name", "prod", "userInfo", "username", "jane",
                     "object", now == NULL ? json_null() : now, "oldObject", before == NULL ? json_null() : before);
}

static json_t *answer(void)
{
    json_decref(answered);
    answered = result.http_status != 200 ? NULL : json_loadb(result.body, result.len, 0, NULL);
    return json_object_get(answered, "response");
}

static json_t *ask_text(const char *body, size_t len)
{
    const struct bw_bundle_review_options options = {1750000000, true, bw_deadline_in_ms(60000)};
    bw_bundle_review(&result, body, len, &options, &arena);
    return answer();
}

/* The response; takes the review. */
static json_t *ask(json_t *review)
{
    char *body = json_dumps(review, JSON_COMPACT);
    json_t *response = ask_text(body, strlen(body));
    free(body);
    json_decref(review);
    return response;
}

static json_t *create(const char *const *data)
{
    return ask(review_of("CREATE", config_map("x", data), NULL));
}

static bool is_allowed(const json_t *response)
{
    return json_is_true(json_object_get(response, "allowed"));
}

static const json_t *causes_of(const json_t *response)
{
    return json_object_get(json_object_get(json_object_get(response, "status"), "details"), "causes");
}

static const char *text_at(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));
    return text == NULL ? "" : text;
}

static bool is_warned(const json_t *response, const char *part)
{
    const json_t *warnings = json_object_get(response, "warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        if (strstr(json_string_value(json_array_get(warnings, i)), part) != NULL) {
            return true;
        }
    }
    return false;
}

static void expect_text(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, text == NULL ? "(nothing)" : text);
    }
}

/* ---- tests ---- */

static void good_bundle_is_admitted_in_silence(void **state)
{
    (void)state;
    const json_t *response = create((const char *const[]){"prod.json", BUNDLE(""), NULL});
    assert_true(is_allowed(response));
    assert_null(json_object_get(response, "warnings"));
    assert_null(json_object_get(response, "status"));
    assert_string_equal(text_at(response, "uid"), "u-1");
    assert_string_equal(result.decision, "allow");
    assert_string_equal(result.reason, "bundle_valid");
    assert_string_equal(result.resource, "configmaps");
    assert_string_equal(result.username, "jane");
}

static void every_kind_of_fault_is_a_cause(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *path, *words, *text;
    } rows[] = {
        {"syntax", "", "line 2 column", "{'id':'x',\n 'version' '1_0'}"},
        {"syntax", "", "line 3 column", "id: x\nversion: '1_0'\n  policies: []\n"},
        {"malformed", ":/policies", "list", "{'id':'x','version':'1_0','policies':7}"},
        {"unsupported_version", ":/version", "2_0", "{'id':'x','version':'2_0','policies':[],'mappings':[]}"},
        {"gate_not_found", ":/policies/0/rules/0/gate", "(did you mean dockerfile?)",
         BUNDLE_OF("b", RULE("r", "dockerfyle", "exposed_ports", "STOP", PORTS), "")},
        {"trigger_not_found", ":/policies/0/rules/0/trigger", "(did you mean exposed_ports?)",
         BUNDLE_OF("b", RULE("r", "dockerfile", "exposed_port", "STOP", PORTS), "")},
        {"invalid_action", ":/policies/0/rules/0/action", "STOPP",
         BUNDLE_OF("b", RULE("r", "dockerfile", "exposed_ports", "STOPP", PORTS), "")},
        {"unknown_parameter", ":/policies/0/rules/0/params/2/name", "(did you mean ports?)",
         BUNDLE_OF("b", RULE("r", "dockerfile", "exposed_ports", "STOP", PORTS ",{'name':'port','value':'1'}"), "")},
        {"required_parameter_missing", ":/policies/0/rules/0", "the parameter type is missing",
         BUNDLE_OF("b", RULE("r", "dockerfile", "exposed_ports", "STOP", "{'name':'ports','value':'22'}"), "")},
        {"parameter_value_invalid", ":/policies/0/rules/0/params/0/value", "",
         BUNDLE_OF("b",
                   RULE("r", "dockerfile", "exposed_ports", "STOP",
                        "{'name':'type','value':'denylist'},{'name':'ports','value':'22'}"),
                   "")},
        {"duplicate_id", ":/policies/1", "",
         "{'id':'b','version':'1_0','policies':[{'id':'p','version':'1_0','rules':[]},{'id':'p','version':'1_0',"
         "'rules':[]}],'mappings':[]}"},
        {"reference_not_found", ":/mappings/0/policy_id", "\"q\"",
         "{'id':'b','version':'1_0','policies':[],'mappings':[{'id':'m','name':'m','registry':'*','repository':'*',"
         "'image':{'type':'tag','value':'*'},'policy_id':'q'}]}"},
        {"invalid_mapping", ":/mappings/0", "policy_id",
         "{'id':'b','version':'1_0','policies':[{'id':'p','version':'1_0','rules':[]}],'mappings':[{'id':'m','name':'m'"
         ",'registry':'*','repository':'*','image':{'type':'tag','value':'*'},'whitelist_ids':[]}]}"},
        {"invalid_regex", ":/policies/0/rules/0/params/1/value", "",
         BUNDLE_OF("b",
                   RULE("r", "dockerfile", "instruction", "STOP",
                        "{'name':'instruction','value':'RUN'},{'name':'value','value':'('},{'name':'check','value':"
                        "'like'}"),
                   "")},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const json_t *response = create((const char *const[]){"prod.json", rows[i].text, NULL});
        const json_t *status = json_object_get(response, "status"), *details = json_object_get(status, "details");
        const json_t *cause = json_array_get(causes_of(response), 0);
        const char *field = bw_arena_printf(&arena, "data[prod.json]%s", rows[i].path);
        if (is_allowed(response) || strcmp(text_at(cause, "reason"), rows[i].kind) != 0 ||
            strncmp(text_at(cause, "field"), field, strlen(field)) != 0) {
            fail_msg("%s: %s", rows[i].kind, result.body);
        }
        expect_text(text_at(cause, "message"), rows[i].words);
        assert_int_equal(json_integer_value(json_object_get(status, "code")), 422);
        assert_string_equal(text_at(status, "reason"), "Invalid");
        assert_string_equal(text_at(details, "kind"), "ConfigMap");
        assert_string_equal(text_at(details, "name"), "prod");
        expect_text(text_at(status, "message"), field); /* for who shows no causes */
        assert_string_equal(result.decision, "deny");
        assert_string_equal(result.reason, "bundle_invalid");
    }
}

static void faults_of_all_keys_are_told_together_with_warnings(void **state)
{
    (void)state;
    const json_t *response = create((const char *const[]){
        "a.json",
        BUNDLE_OF("a", RULE("r", "dockerfyle", "x", "STOP", "") "," RULE("s", "dockerfile", "x", "GOO", ""), ""),
        "b.yaml", "id: [", "c.json", BUNDLE(",'colour':'red'"), "notes.txt", "hello", NULL});
    const json_t *causes = causes_of(response);
    assert_false(is_allowed(response));
    assert_int_equal(json_array_size(causes), 4);
    assert_string_equal(text_at(json_array_get(causes, 0), "field"), "data[a.json]:/policies/0/rules/0/gate");
    assert_string_equal(text_at(json_array_get(causes, 3), "field"), "data[b.yaml]");
    assert_true(is_warned(response, "breakwater: data[c.json]:/colour: "));
    assert_true(is_warned(response, "key notes.txt is not read"));
}

static void leniencies_are_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text, *warning;
    } rows[] = {
        {"prod.json", BUNDLE(",'colour':'red'"), "data[prod.json]:/colour: "},
        {"prod.json",
         BUNDLE(",'whitelists':[{'id':'w','version':'1_0','items':[{'id':'i','gate':'dockerfile',"
                "'trigger_id':'x','expires_on':'2020-01-01T00:00:00Z'}]}]"),
         "data[prod.json]:/whitelists/0/items/0"},
        {"prod.json", "{'version':'1_0','policies':[],'mappings':[]}", "taken as \"prod\""},
        {"notes.txt", "hello", "key notes.txt is not read"},
        {"notes.txt", "hello", "no key of it is a bundle"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const json_t *response = create((const char *const[]){rows[i].key, rows[i].text, NULL});
        if (!is_allowed(response) || !is_warned(response, rows[i].warning)) {
            fail_msg("%s: %s", rows[i].warning, result.body);
        }
        assert_string_equal(result.decision, "warn");
    }
}

static void bundles_of_one_id_are_remarked_upon(void **state)
{
    (void)state;
    const json_t *response = create((const char *const[]){"a.json", BUNDLE(""), "b.json", BUNDLE(""), NULL});
    assert_true(is_allowed(response));
    assert_true(is_warned(response, "data[b.json] has the id of data[a.json]"));
}

static void default_bundle_has_a_config_map_to_itself(void **state)
{
    (void)state;
    static const char *const two[] = {"a.json", BUNDLE_OF("a", GOOD_RULE, ""), "b.json", BUNDLE_OF("b", GOOD_RULE, ""),
                                      NULL};
    assert_true(is_warned(ask(review_of("CREATE", config_map("active", two), NULL)), "none of them is the default"));
    assert_null(json_object_get(ask(review_of("CREATE", config_map("x", two), NULL)), "warnings"));
}

static void labels_decide_what_is_looked_at(void **state)
{
    (void)state;
    static const char *const bad[] = {"prod.json", "{", NULL};
    static const struct {
        const char *operation, *now, *before; /* labels; "-": there is no such object */
        bool allowed;
        const char *reason, *warning;
    } rows[] = {
        {"CREATE", NULL, "-", true, "no_bundle", NULL},
        {"CREATE", "x", "-", false, "bundle_invalid", NULL},
        {"CREATE", "active", "-", false, "bundle_invalid", NULL},
        {"CREATE", "", "-", false, "bundle_invalid", NULL},
        {"UPDATE", NULL, NULL, true, "no_bundle", NULL},
        {"UPDATE", "x", NULL, false, "bundle_invalid", NULL},
        {"UPDATE", "x", "x", false, "bundle_invalid", NULL},
        {"UPDATE", "x", "active", false, "bundle_invalid", "labelled active"},
        {"UPDATE", "active", "active", false, "bundle_invalid", NULL},
        {"UPDATE", "active", "x", false, "bundle_invalid", NULL},
        {"UPDATE", NULL, "x", true, "bundle_removed", "not in force"},
        {"UPDATE", NULL, "active", true, "bundle_removed", "labelled active"},
        {"DELETE", "-", NULL, true, "no_bundle", NULL},
        {"DELETE", "-", "x", true, "bundle_removed", NULL},
        {"DELETE", "-", "active", true, "bundle_removed", "labelled active"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        json_t *now = rows[i].now != NULL && rows[i].now[0] == '-' ? NULL : config_map(rows[i].now, bad);
        json_t *before = rows[i].before != NULL && rows[i].before[0] == '-' ? NULL : config_map(rows[i].before, bad);
        const json_t *response = ask(review_of(rows[i].operation, now, before));
        if (is_allowed(response) != rows[i].allowed || strcmp(result.reason, rows[i].reason) != 0 ||
            (json_object_get(response, "warnings") != NULL) != (rows[i].warning != NULL) ||
            (rows[i].warning != NULL && !is_warned(response, rows[i].warning))) {
            fail_msg("row %zu: %s", i, result.body);
        }
    }
}

static void sixty_four_causes_are_listed_and_the_last_counts_the_others(void **state)
{
    (void)state;
    char *rules = bw_arena_strdup(&arena, RULE("r", "none", "x", "STOP", ""));
    for (int i = 1; i < 100; i++) {
        rules = bw_arena_printf(&arena, "%s," RULE("r%d", "none\\u001b[2J", "x", "STOP", ""), rules, i);
    }
    const char *text = bw_arena_printf(&arena, BUNDLE_OF("b", "%s", ""), rules);
    const json_t *response = create((const char *const[]){"prod.json", text, NULL}), *causes = causes_of(response);
    assert_int_equal(json_array_size(causes), BW_MAX_CAUSES);
    assert_string_equal(text_at(json_array_get(causes, 62), "field"), "data[prod.json]:/policies/0/rules/62/gate");
    assert_string_equal(text_at(json_array_get(causes, 63), "message"),
                        "37 more faults; breakwater check lists them all");
    assert_null(strchr(result.body, '\x1b'));
    assert_null(strstr(result.body, "\\u001b"));
}

static void what_is_no_config_map_is_a_fault(void **state)
{
    (void)state;
    json_t *review = review_of("CREATE", config_map("x", NULL), NULL);
    json_t *object = json_object_get(json_object_get(review, "request"), "object");
    json_object_set_new(object, "data", json_pack("{s:i}", "prod.json", 7));
    const json_t *response = ask(review);
    assert_string_equal(text_at(json_array_get(causes_of(response), 0), "field"), "data");
    expect_text(text_at(json_array_get(causes_of(response), 0), "message"), "expected a string");
}

static void packed_bundles_are_unpacked_within_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *key, *base64, *words;
    } rows[] = {
        {"a.json.gz", "not base64!", "base64"},
        {"a.json.gz", "e30=", "not compressed with gzip"},
        {"a.json.zst", "H4sIAAAAAAACAwMAAAAAAAAAAAA=", "not compressed with zstd"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        json_t *review = review_of("CREATE", config_map("x", NULL), NULL);
        json_object_set_new(json_object_get(json_object_get(review, "request"), "object"), "binaryData",
                            json_pack("{s:s}", rows[i].key, rows[i].base64));
        const json_t *response = ask(review), *cause = json_array_get(causes_of(response), 0);
        assert_string_equal(text_at(cause, "field"), bw_arena_printf(&arena, "binaryData[%s]", rows[i].key));
        expect_text(text_at(cause, "message"), rows[i].words);
    }
}

static void odd_bodies_are_answered(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int http_status;
        const char *part;
    } rows[] = {
        {"not", 400, "not an AdmissionReview"},
        {"{}", 400, "AdmissionReview"},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/"
         "v1\",\"request\":{\"uid\":\"u\",\"operation\":"
         "\"EAT\"}}",
         200, "were not checked: /request/operation"},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\",\"request\":{\"uid\":\"u\","
         "\"operation\":\"CREATE\",\"resource\":{\"resource\":\"pods\"},\"object\":{}}}",
         200,
         "{\"apiVersion\":\"admission.k8s.io/v1beta1\",\"kind\":\"AdmissionReview\",\"response\":{\"uid\":\"u\","
         "\"allowed\":true"},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/"
         "v1\",\"request\":{\"uid\":\"u\",\"operation\":"
         "\"CREATE\",\"resource\":{\"resource\":\"configmaps\"},\"object\":{\"metadata\":{\"labels\":{"
         "\"breakwater.io/bundle\":\"\\u0000\"}},\"data\":{\"a.json\":\"{}\",\"a.json\":\"{\\u0000\"}}}}",
         200, "NUL"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        (void)ask_text(rows[i].body, strlen(rows[i].body));
        assert_int_equal(result.http_status, rows[i].http_status);
        expect_text(result.body, rows[i].part);
    }
}

static void no_bundle_is_begun_when_the_time_is_over(void **state)
{
    (void)state;
    const struct bw_bundle_review_options options = {0, true, {1}};
    json_t *review = review_of("CREATE", config_map("x", (const char *const[]){"a.json", "{", NULL}), NULL);
    char *body = json_dumps(review, JSON_INDENT(2));
    bw_bundle_review(&result, body, strlen(body), &options, &arena);
    const json_t *response = answer();
    assert_true(is_allowed(response));
    assert_true(is_warned(response, "not checked"));
    assert_string_equal(result.reason, "not_checked");
    bw_bundle_review_skip(&result, body, strlen(body), "not in time", &arena);
    response = answer();
    assert_true(is_allowed(response));
    assert_true(is_warned(response, "the bundles of this ConfigMap were not checked: not in time"));
    assert_string_equal(text_at(response, "uid"), "u-1");
    bw_bundle_review_skip(&result, "not", 3, "not in time", &arena);
    assert_int_equal(result.http_status, 503);
    free(body);
    json_decref(review);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(good_bundle_is_admitted_in_silence),
        CASE(every_kind_of_fault_is_a_cause),
        CASE(faults_of_all_keys_are_told_together_with_warnings),
        CASE(leniencies_are_warnings),
        CASE(bundles_of_one_id_are_remarked_upon),
        CASE(default_bundle_has_a_config_map_to_itself),
        CASE(labels_decide_what_is_looked_at),
        CASE(sixty_four_causes_are_listed_and_the_last_counts_the_others),
        CASE(what_is_no_config_map_is_a_fault),
        CASE(packed_bundles_are_unpacked_within_bounds),
        CASE(odd_bodies_are_answered),
        CASE(no_bundle_is_begun_when_the_time_is_over),
    };
    return cmocka_run_group_tests_name("webhook/bundle_review", tests, NULL, NULL);
}
