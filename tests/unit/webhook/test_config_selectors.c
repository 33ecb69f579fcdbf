/* Selectors and exemptions as configured: files of Anchore's controller, every key, what is refused and what warned of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/watch_dir.h"
#include "webhook/config_table.h"

#include <stdlib.h>
#include <string.h>

static struct bw_problems problems;
static struct bw_config *config;
static struct bw_error error;
static struct bw_arena arena;

static int set_up(void **state)
{
    (void)state;
    bw_problems_init(&problems);
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    config = NULL;
    memset(&error, 0, sizeof(error));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bw_config_release(config);
    bw_problems_clear(&problems);
    bw_arena_clear(&arena);
    return 0;
}

static int try_load(const char *text)
{
    bw_config_release(config);
    config = NULL;
    bw_problems_clear(&problems);
    bw_problems_init(&problems);
    return bw_config_load(&config, &problems, text, strlen(text), &error);
}

static void load(const char *text)
{
    if (try_load(text) != 0) {
        fail_msg("%s", error.message);
    }
}

/* ---- files of Anchore's controller ---- */

static int load_file(const char *name)
{
    char path[512], *text = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof(path), TEST_DATA "/controller-config/%s.json", name);
    assert_int_equal(bw_file_read(&text, &len, path, BW_MAX_SETTINGS_BYTES, &error), 0);
    int status = try_load(text);
    free(text);
    return status;
}

static const struct bw_problem *find_problem(const char *path)
{
    for (size_t i = 0; i < problems.n_items; i++) {
        if (strcmp(problems.items[i].path, path) == 0) {
            return &problems.items[i];
        }
    }
    fail_msg("nothing is said of %s", path);
    return NULL;
}

static void check_expectation(const char *file, const json_t *row)
{
    struct bw_review review = {.kind = "Pod", .operation = "CREATE", .username = "", .service_account = ""};
    struct bw_metadata namespace = {0};
    struct bw_reference reference;
    struct bw_named_image image;
    const struct bw_selector *chosen = NULL;
    const char *text = json_string_value(json_object_get(row, "image"));
    const json_t *wanted = json_object_get(row, "selector"), *mode = json_object_get(row, "mode");
    assert_int_equal(bw_metadata_read(&review.object, json_object_get(row, "object"), &arena), 0);
    assert_int_equal(bw_metadata_read(&namespace, json_object_get(row, "namespace"), &arena), 0);
    assert_int_equal(bw_reference_parse(&reference, text, strlen(text), &arena, &error), 0);
    assert_int_equal(bw_named_image_make(&image, text, &reference, &arena, &error), 0);
    review.pod = review.object;
    review.namespace = namespace.name;
    const struct bw_selector_question question = {.review = &review, .image = &image, .namespace = &namespace};
    assert_int_equal(bw_selector_choose(&chosen, config->selectors, config->n_selectors, &question, &error), 0);
    long long found = chosen == NULL ? -1 : chosen - config->selectors;
    if (found != (json_is_null(wanted) ? -1 : json_integer_value(wanted)) ||
        (chosen != NULL && strcmp(bw_mode_name((enum bw_mode)chosen->mode), json_string_value(mode)) != 0)) {
        fail_msg("%s: %s gives selector %lld", file, json_dumps(row, JSON_COMPACT), found);
    }
}

static void files_of_the_controller_load_unchanged_and_choose_as_there(void **state)
{
    (void)state;
    static const char *const names[] = {"chart", "readme"};
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        char path[512];
        if (load_file(names[i]) != 0) {
            fail_msg("%s: %s", names[i], error.message);
        }
        (void)snprintf(path, sizeof(path), TEST_DATA "/controller-config/%s.expect.json", names[i]);
        json_t *rows = json_load_file(path, 0, NULL), *row;
        size_t k;
        assert_true(json_array_size(rows) > 0);
        json_array_foreach(rows, k, row)
        {
            check_expectation(names[i], row);
        }
        json_decref(rows);
    }
    assert_int_equal(config->n_selectors, 2); /* readme */
    assert_false(config->request_analysis);   /* by Validator.RequestAnalysis */
    assert_int_equal(config->on_no_selector_match, BW_UNSELECTED_POLICY);
    assert_int_equal(problems.n_errors, 0);
    assert_int_equal(problems.n_items, 5);
    assert_string_equal(find_problem("/validator/enabled")->kind, "ignored");
    assert_string_equal(find_problem("/selectors/1/policyReference/username")->kind, "ignored");
    assert_int_equal(load_file("chart"), 0);
    assert_true(config->request_analysis);
    assert_string_equal(config->selectors[1].bundle, "2c53a13c-1765-11e8-82ef-23527761d060");
    assert_null(config->selectors[0].bundle);
}

static void the_odd_file_is_refused_with_its_two_faults(void **state)
{
    (void)state;
    assert_int_equal(load_file("odd"), -1);
    assert_int_equal(problems.n_errors, 2);
    const struct bw_problem *type = find_problem("/POLICYSELECTORS/1/selector/resourcetype");
    const struct bw_problem *mode = find_problem("/POLICYSELECTORS/2/mode");
    assert_int_equal(type->severity, BW_PROBLEM_ERROR);
    assert_int_equal(type->line, 5);
    assert_non_null(strstr(type->message, "found \"cluster\""));
    assert_int_equal(mode->severity, BW_PROBLEM_ERROR);
    assert_non_null(strstr(mode->message, "policy, analysis, breakglass, passive, warn"));
    /* the first error, not the first that is said */
    assert_int_equal(problems.items[0].severity, BW_PROBLEM_WARNING);
    assert_non_null(strstr(error.message, "2 errors, first: line 5: /POLICYSELECTORS/1/selector/resourcetype"));
}

/* ---- every key ---- */

static void every_key_is_read(void **state)
{
    (void)state;
    load("policySelectors:\n"
         "- id: first\n"
         "  selector: {resourceType: ServiceAccount, selectorValueRegex: ''}\n"
         "  match:\n"
         "    namespaces: [a, b]\n"
         "    kinds: [Pod]\n"
         "    images: ['x/*']\n"
         "    operations: [CREATE, UPDATE]\n"
         "    namespaceSelector: {matchLabels: {env: prod}}\n"
         "    objectSelector:\n"
         "      matchExpressions: [{key: tier, operator: NotIn, values: [test, dev]}, {key: x, operator: "
         "DoesNotExist}]\n"
         "      matchLabels: {app: ''}\n"
         "  users: {users: [u], groups: [g, h]}\n"
         "  imageMatch: normalized\n"
         "  policyReference: {bundle: prod}\n"
         "  mode: passive\n"
         "  requestAnalysis: false\n"
         "  requireDigest: deny\n"
         "  onPending: allow\n"
         "- {selector: {resourceType: general, selectorKeyRegex: NAME, selectorValueRegex: x}, mode: warn,\n"
         "   policyReference: {bundle: ''}, requestAnalysis: true, id: ~}\n"
         "- {selector: {resourceType: template, selectorKeyRegex: names, selectorValueRegex: x}, mode: breakglass}\n"
         "- {mode: analysis}\n"
         "- {mode: policy}\n"
         "requestAnalysis: false\n"
         "onNoSelectorMatch: deny\n"
         "breakGlass: {requireReason: true, users: [u], groups: [g]}\n"
         "exemptions:\n"
         "- {id: one, images: ['r/*', 'sha256:0'], namespaces: [n], expires: 2999-01-01T00:00:00+01:00, reason: r, "
         "owner: o}\n"
         "- {images: [x], expires: 2999-01-01T00:00:00Z, reason: r}\n");
    assert_int_equal(problems.n_items, 0);
    assert_int_equal(config->n_selectors, 5);
    const struct bw_selector *first = &config->selectors[0], *second = first + 1, *third = first + 2, *last = first + 4;
    assert_string_equal(first->id, "first");
    assert_int_equal(first->resource_type, BW_TYPE_SERVICE_ACCOUNT);
    assert_null(first->key);
    assert_string_equal(bw_regex_text(first->value), "");
    assert_string_equal(first->namespaces[1], "b");
    assert_string_equal(first->kinds[0], "Pod");
    assert_string_equal(first->images[0], "x/*");
    assert_string_equal(first->operations[1], "UPDATE");
    assert_int_equal(first->namespace_labels.n_items, 1);
    assert_string_equal(first->namespace_labels.items[0].values[0], "prod");
    assert_int_equal(first->object_labels.n_items, 3);
    assert_int_equal(first->object_labels.items[0].operation, BW_LABEL_NOT_IN);
    assert_string_equal(first->object_labels.items[0].values[1], "dev");
    assert_int_equal(first->object_labels.items[1].operation, BW_LABEL_ABSENT);
    assert_string_equal(first->object_labels.items[2].key, "app");
    assert_string_equal(first->object_labels.items[2].values[0], "");
    assert_string_equal(first->people.users[0], "u");
    assert_string_equal(first->people.groups[1], "h");
    assert_int_equal(first->image_match, BW_MATCH_NORMALIZED);
    assert_string_equal(first->bundle, "prod");
    assert_int_equal(first->mode, BW_MODE_PASSIVE);
    assert_int_equal(first->request_analysis, BW_FALSE);
    assert_int_equal(first->require_digest, BW_DIGEST_DENY);
    assert_int_equal(first->on_pending, BW_ON_ERROR_ALLOW + 1);
    assert_string_equal(second->id, "");
    assert_int_equal(second->resource_type, BW_TYPE_RESOURCE);
    assert_true(second->by_name);
    assert_null(second->bundle);
    assert_int_equal(second->mode, BW_MODE_WARN);
    assert_int_equal(second->request_analysis, BW_TRUE);
    assert_int_equal(third->resource_type, BW_TYPE_TEMPLATE);
    assert_false(third->by_name);
    assert_int_equal(third->mode, BW_MODE_BREAK_GLASS);
    assert_int_equal(first[3].mode, BW_MODE_ANALYSIS);
    assert_int_equal(last->mode, BW_MODE_POLICY);
    assert_int_equal(last->resource_type, BW_TYPE_NONE);
    assert_null(last->namespaces);
    assert_int_equal(last->request_analysis, BW_UNSET);
    assert_int_equal(last->image_match, BW_MATCH_BOTH);
    assert_int_equal(last->require_digest, BW_DIGEST_OFF);
    assert_int_equal(last->on_pending, 0);
    assert_false(config->request_analysis);
    assert_int_equal(config->on_no_selector_match, BW_UNSELECTED_DENY);
    assert_true(config->break_glass.require_reason);
    assert_string_equal(config->break_glass.people.users[0], "u");
    assert_string_equal(config->break_glass.people.groups[0], "g");
    assert_int_equal(config->n_exemptions, 2);
    const struct bw_exemption *one = config->exemptions, *two = one + 1;
    assert_string_equal(one->id, "one");
    assert_string_equal(one->images[1], "sha256:0");
    assert_string_equal(one->namespaces[0], "n");
    assert_int_equal(one->expires_s, 32472140400);
    assert_string_equal(one->expires, "2999-01-01T00:00:00+01:00");
    assert_string_equal(one->reason, "r");
    assert_string_equal(one->owner, "o");
    assert_string_equal(two->id, "/exemptions/1");
    assert_string_equal(two->owner, "");
    assert_null(two->namespaces);
}

static void nothing_gives_the_defaults(void **state)
{
    (void)state;
    load("");
    assert_int_equal(config->n_selectors, 0);
    assert_int_equal(config->n_exemptions, 0);
    assert_int_equal(config->on_no_selector_match, BW_UNSELECTED_POLICY);
    assert_true(config->request_analysis);
    assert_false(config->break_glass.require_reason);
    assert_null(config->break_glass.people.users);
    load("policySelectors: []\nexemptions: []\n");
    assert_int_equal(config->n_selectors, 0);
}

/* ---- faults and warnings ---- */

#define ONE(rest) "policySelectors:\n- mode: policy\n  " rest "\n"

static void faults_carry_place_and_suggestion(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path, *kind;
        unsigned line;
        const char *message, *suggestion;
    } rows[] = {
        {"policySelector: []\n", "/policySelector", "unknown_key", 1, "no such key", "policySelectors"},
        {"policySelectors: {}\n", "/policySelectors", "value_invalid", 1, "expected a list", NULL},
        {"policySelectors: [x]\n", "/policySelectors/0", "value_invalid", 1, "expected a map", NULL},
        {"policySelectors: [{id: x}]\n", "/policySelectors/0", "value_invalid", 1, "'mode' is missing", NULL},
        {"policySelectors: [{mode: Policy}]\n", "/policySelectors/0/mode", "value_invalid", 1, "found \"Policy\"",
         "policy"},
        {"policySelectors: []\nselectors: []\n", "/selectors", "duplicate_key", 2, "given already", NULL},
        {"policySelectors: [{mode: policy, Mode: warn}]\n", "/policySelectors/0/Mode", "duplicate_key", 1,
         "given already", NULL},
        {ONE("selector: {resourceType: image}"), "/policySelectors/0", "value_invalid", 2, "selectorValueRegex", NULL},
        {ONE("selector: {resourceType: template, selectorValueRegex: x}"), "/policySelectors/0", "value_invalid", 2,
         "selectorKeyRegex", NULL},
        {ONE("selector: {selectorValueRegex: x}"), "/policySelectors/0", "value_invalid", 2, "resourceType", NULL},
        {ONE("selector: {resourceType: pods, selectorValueRegex: x}"), "/policySelectors/0/selector/resourceType",
         "value_invalid", 3, "resource, template, namespace, image, serviceaccount, user", NULL},
        {ONE("selector: {resourceType: image, selectorValueRegex: '('}"),
         "/policySelectors/0/selector/selectorValueRegex", "value_invalid", 3, "regular expression '('", NULL},
        {ONE("selector: {resourceType: image, selectorValueRegex: '[[:alpha:]]'}"),
         "/policySelectors/0/selector/selectorValueRegex", "value_invalid", 3, "[A-Za-z]", NULL},
        {ONE("selector: {resourceType: image, selectorValueRegex: 1}"),
         "/policySelectors/0/selector/selectorValueRegex", "value_invalid", 3, "in quotes", NULL},
        {ONE("selector: {resourceType: image, selectorValueRegexp: x}"),
         "/policySelectors/0/selector/selectorValueRegexp", "unknown_key", 3, "no such key", "selectorValueRegex"},
        {ONE("bundle: x"), "/policySelectors/0/bundle", "unknown_key", 3, "no such key", "policyReference.bundle"},
        {ONE("match: {}\n  matches: {}"), "/policySelectors/0/matches", "unknown_key", 4, "no such key", "match"},
        {ONE("match: {namespaces: []}"), "/policySelectors/0/match/namespaces", "value_invalid", 3, "at least one",
         NULL},
        {ONE("match: {operations: [DELETE]}"), "/policySelectors/0/match/operations/0", "value_invalid", 3,
         "CREATE or UPDATE", NULL},
        {ONE("match: {objectSelector: {matchLabels: {a: 1}}}"), "/policySelectors/0/match/objectSelector/matchLabels/a",
         "value_invalid", 3, "expected text", NULL},
        {ONE("match: {objectSelector: {matchExpressions: [{key: a, operator: In}]}}"),
         "/policySelectors/0/match/objectSelector/matchExpressions/0", "value_invalid", 3, "expect values", NULL},
        {ONE("match: {objectSelector: {matchExpressions: [{key: a, operator: Exists, values: [x]}]}}"),
         "/policySelectors/0/match/objectSelector/matchExpressions/0", "value_invalid", 3, "expect no values", NULL},
        {ONE("match: {objectSelector: {matchExpressions: [{operator: Exists}]}}"),
         "/policySelectors/0/match/objectSelector/matchExpressions/0", "value_invalid", 3, "'key' is missing", NULL},
        {ONE("onPending: denny"), "/policySelectors/0/onPending", "value_invalid", 3, "deny, allow, warn", "deny"},
        {ONE("requestAnalysis: 'yes'"), "/policySelectors/0/requestAnalysis", "value_invalid", 3, "true or false",
         NULL},
        {"onNoSelectorMatch: warn\n", "/onNoSelectorMatch", "value_invalid", 1, "policy, allow, deny", NULL},
        {"breakGlass: {users: admin}\n", "/breakGlass/users", "value_invalid", 1, "expected a list", NULL},
        {"exemptions: [{images: [x], expires: 2999-01-01T00:00:00Z}]\n", "/exemptions/0", "value_invalid", 1,
         "'reason' is missing", NULL},
        {"exemptions: [{images: [x], reason: r}]\n", "/exemptions/0", "value_invalid", 1, "'expires' is missing", NULL},
        {"exemptions: [{images: [x], reason: r, expires: tomorrow}]\n", "/exemptions/0/expires", "value_invalid", 1,
         "expected a time", NULL},
        {"exemptions: [{images: [x], reason: r, Expires: 2999-01-01T00:00:00Z, expires: 2999-01-01T00:00:00Z}]\n",
         "/exemptions/0/Expires", "unknown_key", 1, "no such key", "expires"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        if (try_load(rows[i].text) == 0) {
            fail_msg("taken: %s", rows[i].text);
        }
        const struct bw_problem *found = find_problem(rows[i].path);
        if (problems.n_errors != 1 || strcmp(found->kind, rows[i].kind) != 0 || found->line != rows[i].line ||
            strstr(found->message, rows[i].message) == NULL ||
            (found->suggestion == NULL) != (rows[i].suggestion == NULL) ||
            (found->suggestion != NULL && strcmp(found->suggestion, rows[i].suggestion) != 0)) {
            fail_msg("%s\ngives %zu: %s line %u: %s (%s)", rows[i].text, problems.n_errors, found->kind, found->line,
                     found->message, found->suggestion == NULL ? "-" : found->suggestion);
        }
    }
}

static void warnings_do_not_refuse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path, *kind; /* path NULL: none */
    } rows[] = {
        {"policySelectors: []\n", NULL, NULL},
        {"PolicySelectors: []\nonNoSelectorMatch: allow\n", NULL, NULL},
        {"PolicySelectors: []\n", "/onNoSelectorMatch", "default_differs"},
        {"selectors: []\n", "/onNoSelectorMatch", "default_differs"},
        {"ANCHOREENDPOINT: x\nonNoSelectorMatch: policy\n", "/ANCHOREENDPOINT", "ignored"},
        {"validator: {enabled: {}}\nonNoSelectorMatch: policy\n", "/validator/enabled", "ignored"},
        {ONE("PolicyReference: {UserName: x, policyBundleID: y}"), "/policySelectors/0/PolicyReference/UserName",
         "ignored"},
        {"exemptions: [{images: [x], reason: r, expires: 2001-01-01T00:00:00Z}]\n", "/exemptions/0", "expired"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        load(rows[i].text);
        assert_int_equal(problems.n_errors, 0);
        if (problems.n_items != (rows[i].path != NULL)) {
            fail_msg("%s\ngives %zu warnings", rows[i].text, problems.n_items);
        }
        if (rows[i].path != NULL) {
            assert_string_equal(find_problem(rows[i].path)->kind, rows[i].kind);
        }
    }
}

static void many_warnings_hide_no_fault(void **state)
{
    (void)state;
    char text[20000] = "policySelectors:\n", *at = text + strlen(text);
    for (int i = 0; i < 200; i++) {
        at += snprintf(at, sizeof(text) - (size_t)(at - text), "- {mode: warn, policyReference: {username: u}}\n");
    }
    load(text);
    assert_int_equal(problems.n_items, 20);
    (void)snprintf(at, sizeof(text) - (size_t)(at - text), "- {mode: none}\n");
    assert_int_equal(try_load(text), -1);
    assert_int_equal(problems.n_errors, 1);
    (void)find_problem("/policySelectors/200/mode");
}

static void there_are_only_so_many(void **state)
{
    (void)state;
    char text[20000] = "policySelectors:\n", *at = text + strlen(text);
    for (int i = 0; i < 257; i++) {
        at += snprintf(at, sizeof(text) - (size_t)(at - text), "- {mode: warn}\n");
    }
    assert_int_equal(try_load(text), -1);
    assert_non_null(strstr(find_problem("/policySelectors")->message, "0 to 256 entries, found 257"));
}

static void the_example_in_comments_is_a_configuration(void **state)
{
    (void)state;
    static const char *const keys[] = {"# policySelectors:\n", "# exemptions:\n"};
    char *example = NULL, *end = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&example, &len);
    bw_config_write_example(out);
    (void)fclose(out);
    for (size_t i = 0; i < BW_LENGTH(keys); i++) {
        char *at = strstr(example, keys[i]);
        assert_non_null(at);
        for (end = at; strncmp(end, "# ", 2) == 0; end = strchr(end, '\n') + 1) {
            end[0] = end[1] = ' ';
        }
        *end = '\0';
        load(at);
        assert_int_equal(problems.n_items, 0);
        assert_int_equal(config->n_selectors + config->n_exemptions, 1);
        *end = '\n';
    }
    assert_true(end > example);
    free(example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_of_the_controller_load_unchanged_and_choose_as_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_odd_file_is_refused_with_its_two_faults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_key_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_gives_the_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_carry_place_and_suggestion, set_up, tear_down),
        cmocka_unit_test_setup_teardown(warnings_do_not_refuse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_warnings_hide_no_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_are_only_so_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_example_in_comments_is_a_configuration, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
