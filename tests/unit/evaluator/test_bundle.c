/* Loading bundles: every fault with its kind and place, leniencies, the document of version 2, needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/watch_dir.h"
#include "facts_for_test.h"

#include <stdlib.h>

static void expect_problem(const char *text, enum bw_problem_severity severity, const char *kind, const char *path,
                           const char *suggestion)
{
    struct fixture fixture = {0};
    struct bw_error err = {0};
    int result = try_load(&fixture, text, &err);
    assert_int_equal(result == 0, fixture.problems.n_errors == 0);
    const struct bw_problem *found = NULL;
    for (size_t i = 0; i < fixture.problems.n_items; i++) {
        const struct bw_problem *problem = &fixture.problems.items[i];
        found = problem->severity == severity && strcmp(problem->kind, kind) == 0 && strcmp(problem->path, path) == 0
                    ? problem
                    : found;
    }
    if (found == NULL) {
        for (size_t i = 0; i < fixture.problems.n_items; i++) {
            print_message("%s %s: %s\n", fixture.problems.items[i].kind, fixture.problems.items[i].path,
                          fixture.problems.items[i].message);
        }
        fail_msg("no %s at %s in %s", kind, path, text);
    }
    if (suggestion != NULL && (found->suggestion == NULL || strcmp(found->suggestion, suggestion) != 0)) {
        fail_msg("%s: suggestion %s", text, found->suggestion != NULL ? found->suggestion : "none");
    }
    bw_bundle_release(fixture.bundle);
    bw_problems_clear(&fixture.problems);
}

#define R     "/policies/0/rules/0"
#define PORTS PARAM("ports", "22") "," PARAM("type", "blacklist")

static void every_fault_has_kind_place_and_suggestion(void **state)
{
    (void)state;
    static const struct {
        const char *text, *kind, *path, *suggestion;
    } rows[] = {
        {"null", "malformed", "", NULL},
        {"[]", "malformed", "", NULL},
        {"\"x\"", "malformed", "", NULL},
        {"", "malformed", "", NULL},
        {"{}", "unsupported_version", "", NULL},
        {"{\"version\":\"1.0\"}", "unsupported_version", "/version", NULL},
        {"{\"version\":\"2_0\",\"policies\":[]}", "unsupported_version", "/version", NULL},
        {BUNDLE(RULE("dokerfile", "exposed_ports", "STOP", PORTS)), "gate_not_found", R "/gate", "dockerfile"},
        {BUNDLE(RULE("stig", "x", "STOP", "")), "gate_not_found", R "/gate", NULL},
        {BUNDLE(RULE("ancestry", "no_ancestors_analyzed", "STOP", "")), "gate_not_found", R "/gate", NULL},
        {BUNDLE(RULE("tag_drift", "packages_added", "STOP", PARAM("package_type", "deb,rmp"))),
         "parameter_value_invalid", R "/params/0/value", NULL},
        {BUNDLE(RULE("dockerfile", "exposed_port", "STOP", PORTS)), "trigger_not_found", R "/trigger", "exposed_ports"},
        {BUNDLE(RULE("anchoresec", "nosuch", "STOP", "")), "trigger_not_found", R "/trigger", NULL},
        {BUNDLE(RULE("anchoresec", "vulnhigh", "STOP", "")), "end_of_life", R "/gate", NULL},
        {BUNDLE(RULE("dockerfile", "exposed_ports", "HALT", PORTS)), "invalid_action", R "/action", NULL},
        {BUNDLE(RULE("dockerfile", "exposed_ports", "WARM", PORTS)), "invalid_action", R "/action", "WARN"},
        {BUNDLE("{\"gate\":\"always\",\"trigger\":\"always\",\"params\":[]}"), "invalid_action", R, NULL},
        {BUNDLE("{\"gate\":\"always\",\"trigger\":\"always\",\"params\":[],\"action\":5}"), "malformed", R "/action",
         NULL},
        {BUNDLE("{\"gate\":[],\"trigger\":\"always\",\"params\":[],\"action\":\"GO\"}"), "malformed", R "/gate", NULL},
        {BUNDLE("{\"trigger\":\"always\",\"params\":[],\"action\":\"GO\"}"), "malformed", R, NULL},
        {BUNDLE(RULE("dockerfile", "exposed_ports", "STOP", PARAM("type", "blacklist"))), "required_parameter_missing",
         R, NULL},
        {BUNDLE(RULE("dockerfile", "exposed_ports", "STOP", PARAM("ports", "x") "," PARAM("type", "blacklist"))),
         "parameter_value_invalid", R "/params/0/value", NULL},
        {BUNDLE(RULE("dockerfile", "exposed_ports", "STOP", PARAM("ports", "1") "," PARAM("type", "blaklist"))),
         "parameter_value_invalid", R "/params/1/value", "blacklist"},
        {BUNDLE(RULE("dockerfile", "exposed_ports", "STOP", PORTS "," PARAM("prots", "1"))), "unknown_parameter",
         R "/params/2/name", "ports"},
        {BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", "*x"))), "invalid_regex", R "/params/0/value", NULL},
        {BUNDLE(RULE("dockerfile", "instruction", "STOP",
                     PARAM("instruction", "FROM") "," PARAM("check", "like") "," PARAM("value", "("))),
         "invalid_regex", R "/params/2/value", NULL},
        {BUNDLE(RULE("metadata", "attribute", "STOP",
                     PARAM("attribute", "size") "," PARAM("check", ">") "," PARAM("value", "1KB"))),
         "parameter_value_invalid", R "/params/2/value", NULL},
        {BUNDLE(RULE("metadata", "attribute", "STOP",
                     PARAM("attribute", "size") "," PARAM("check", "like") "," PARAM("value", "1kb"))),
         "parameter_value_invalid", R "/params/1/value", NULL},
        {BUNDLE(RULE("metadata", "attribute", "STOP", PARAM("attribute", "size") "," PARAM("check", ">"))),
         "required_parameter_missing", R, NULL},
        {BUNDLE("5"), "malformed", R, NULL},
        {BUNDLE_WITH("", "", "\"nope\""), "reference_not_found", "/mappings/0/whitelist_ids/0", NULL},
        {BUNDLE_WITH("", "{\"id\":\"w\",\"version\":\"1\",\"items\":[]}", "\"w\""), "unsupported_version",
         "/whitelists/0/version", NULL},
        {BUNDLE_WITH("", "{\"id\":\"w\",\"version\":\"1_0\",\"items\":[{\"gate\":\"always\"}]}", ""), "malformed",
         "/whitelists/0/items/0", NULL},
        {BUNDLE_WITH("",
                     "{\"id\":\"w\",\"version\":\"1_0\",\"items\":[{\"gate\":\"always\",\"trigger_id\":\"regexp:(\"}]}",
                     ""),
         "invalid_regex", "/whitelists/0/items/0/trigger_id", NULL},
        {BUNDLE_WITH("",
                     "{\"id\":\"w\",\"version\":\"1_0\",\"items\":[{\"gate\":\"always\",\"trigger_id\":\"x\",\"expires_"
                     "on\":\"2021-01-01\"}]}",
                     ""),
         "malformed", "/whitelists/0/items/0/expires_on", NULL},
        {BUNDLE_WITH(
             "", "{\"id\":\"w\",\"version\":\"1_0\",\"items\":[]},{\"id\":\"w\",\"version\":\"1_0\",\"items\":[]}", ""),
         "duplicate_id", "/whitelists/1/id", NULL},
        {"{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[],\"mappings\":null}", "malformed", "/mappings", NULL},
        {"{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[],\"mappings\":[{\"registry\":\"*\",\"repository\":\"*\","
         "\"image\":{\"type\":\"tag\",\"value\":\"*\"},\"whitelist_ids\":[]}]}",
         "invalid_mapping", "/mappings/0", NULL},
        {"{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[],\"mappings\":[],\"blacklisted_images\":[{\"registry\":\"*"
         "\",\"repository\":5,\"image\":{}}]}",
         "malformed", "/blacklisted_images/0/repository", NULL},
        {"{\"a/b~\": 1, \"version\":\"1_0\", \"whitelists\": 5, \"mappings\": []}", "malformed", "/whitelists", NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        expect_problem(rows[i].text, BW_PROBLEM_ERROR, rows[i].kind, rows[i].path, rows[i].suggestion);
    }
}

static void leniencies_and_rules_without_effect_are_remarked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *kind, *path, *suggestion;
    } rows[] = {
        {"{\"version\":\"1_0\",\"policies\":[],\"mappings\":[]}", "leniency", "", NULL},
        {"{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[],\"mappings\":[]}", "never_matches", "/mappings", NULL},
        {BUNDLE("{\"gate\":\"always\",\"trigger\":\"always\",\"action\":\"stop\"}"), "leniency", R, NULL},
        {"{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[{\"version\":\"1_0\"}],\"mappings\":[]}", "leniency",
         "/policies/0", NULL},
        {"{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[],\"mappings\":[],\"polices\":[]}", "unknown_field",
         "/polices", "policies"},
        {"{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[],\"mappings\":[],\"x/y~z\":[]}", "unknown_field", "/x~1y~0z",
         NULL},
        {BUNDLE(RULE("retrieved_files", "content_regex", "STOP",
                     PARAM("path", "/proc/sys/kernel/pid_max") "," PARAM("regex", "256") "," PARAM("check", "match"))),
         "never_matches", R "/params/0/value", NULL},
        {BUNDLE(RULE("files", "attribute_match", "STOP", PARAM("filename", "/x") "," PARAM("mode", "u+s"))),
         "never_evaluated", R "/params/1/value", NULL},
        {BUNDLE_WITH("",
                     "{\"id\":\"w\",\"version\":\"1_0\",\"items\":[{\"gate\":\"always\",\"trigger_id\":\"x\",\"expires_"
                     "on\":\"2021-01-01T00:00:00Z\"}]}",
                     ""),
         "expired", "/whitelists/0/items/0/expires_on", NULL},
        {BUNDLE_WITH("", "{\"id\":\"w\",\"version\":\"1_0\",\"items\":[{\"gate\":\"alway\",\"trigger_id\":\"x\"}]}",
                     ""),
         "never_matches", "/whitelists/0/items/0/gate", "always"},
        {"{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[{\"id\":\"p\",\"version\":\"1_0\",\"rules\":[]}],"
         "\"mappings\":["
         "{\"registry\":\"*\",\"repository\":\"*\",\"image\":{\"type\":\"tag\",\"value\":\"*\"},\"policy_ids\":[\"p\"],"
         "\"whitelist_ids\":[]},"
         "{\"registry\":\"a\",\"repository\":\"*\",\"image\":{\"type\":\"tag\",\"value\":\"*\"},\"policy_ids\":[\"p\"],"
         "\"whitelist_ids\":[]}]}",
         "never_matches", "/mappings/1", NULL},
        {BUNDLE(RULE("packages", "blacklist", "STOP", PARAM("name", "a\\u0000b"))), "never_matches",
         R "/params/0/value", NULL},
        {BUNDLE(RULE("packages", "blacklist", "STOP", PARAM("name", "a") "," PARAM("version", "1 2 !!"))),
         "never_matches", R "/params/1/value", NULL},
        {BUNDLE(RULE("packages", "required_package", "STOP", PARAM("version", ">=1.2") "," PARAM("name", "a"))),
         "never_matches", R "/params/0/value", NULL},
        {BUNDLE(RULE("npms", "blacklisted_name_version", "STOP", PARAM("name", "a") "," PARAM("version", "1.*"))),
         "never_matches", R "/params/1/value", NULL},
        {BUNDLE(RULE("ruby_gems", "blacklist", "STOP", PARAM("name", "a") "," PARAM("version", "1 || 2"))),
         "never_matches", R "/params/1/value", NULL},
        {BUNDLE(RULE("packages", "verify", "STOP", PARAM("only_directories", "/usr/bin,usr/lib"))), "never_matches",
         R "/params/0/value", NULL},
        {BUNDLE(RULE("files", "attribute_match", "STOP", PARAM("filename", "etc/passwd") "," PARAM("mode", "0644"))),
         "never_matches", R "/params/0/value", NULL},
        {BUNDLE(RULE("files", "attribute_match", "STOP", PARAM("filename", "/proc/kcore") "," PARAM("mode", "0400"))),
         "never_matches", R "/params/0/value", NULL},
        {BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", "^etc/ssh/.*"))), "never_matches",
         R "/params/0/value", NULL},
        {BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", "\\\\.pem$"))), "never_matches", R "/params/0/value",
         NULL},
        {BUNDLE(RULE("secret_scans", "content_regex_checks", "STOP", PARAM("filename_regex", "home/.*"))),
         "never_matches", R "/params/0/value", NULL},
        {BUNDLE(RULE("secret_scans", "content_regex_checks", "STOP", PARAM("content_regex_name", "AWS_ACESS_KEY"))),
         "never_matches", R "/params/0/value", NULL},
        {BUNDLE(RULE("retrieved_files", "content_not_available", "STOP", PARAM("path", "etc/passwd"))), "never_matches",
         R "/params/0/value", NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        expect_problem(rows[i].text, BW_PROBLEM_WARNING, rows[i].kind, rows[i].path, rows[i].suggestion);
    }
}

static void what_can_match_is_not_remarked_on(void **state)
{
    (void)state;
    static const char *const texts[] = {
        BUNDLE(
            RULE("packages", "blacklist", "STOP", PARAM("name", "a") "," PARAM("version", "1:2.0+dfsg~rc1-1^b.el8"))),
        BUNDLE(RULE("packages", "blacklist", "STOP", PARAM("name", "a") "," PARAM("version", "1!2.0.post1"))),
        BUNDLE(RULE("packages", "blacklist", "STOP", PARAM("name", "a") "," PARAM("version", ""))),
        BUNDLE(RULE("npms", "blacklisted_name_version", "STOP", PARAM("name", "a"))),
        BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", "/etc/ssh"))),
        BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", ".*\\\\.pem"))),
        BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", "a*/x"))),
        BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", "etc/x|/etc/y"))),
        BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", "\\\\/etc"))),
        BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", "\\\\S+"))),
        BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", "(?i)/ETC"))),
        BUNDLE(RULE("files", "attribute_match", "STOP", PARAM("filename", "/etc/x") "," PARAM("mode", "0644"))),
        BUNDLE(RULE("secret_scans", "content_regex_checks", "STOP", PARAM("content_regex_name", "PRIV_KEY"))),
        BUNDLE(RULE("retrieved_files", "content_not_available", "STOP", PARAM("path", "/etc/process"))),
    };
    for (size_t i = 0; i < BW_LENGTH(texts); i++) {
        struct fixture fixture;
        struct bw_error err = {0};
        if (try_load(&fixture, texts[i], &err) != 0 || fixture.problems.n_items > 0) {
            fail_msg("%s: %s", texts[i],
                     fixture.problems.n_items > 0 ? fixture.problems.items[0].message : err.message);
        }
        bw_bundle_release(fixture.bundle);
        bw_problems_clear(&fixture.problems);
    }
}

static void all_faults_are_found_at_once(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    struct bw_error err = {0};
    fixture.bundle = (struct bw_bundle *)&fixture; /* must stay as it is */
    assert_int_equal(
        try_load(&fixture,
                 BUNDLE(RULE("nogate", "x", "STOP", "") "," RULE("files", "nosuch", "STOP", "") "," RULE(
                     "dockerfile", "instruction", "NO", "") "," RULE("files", "name_match", "GO", PARAM("regex", "["))),
                 &err),
        -1);
    assert_ptr_equal(fixture.bundle, (struct bw_bundle *)&fixture);
    assert_int_equal(fixture.problems.n_errors, 6);
    assert_int_equal(err.code, BW_EINPUT);
    assert_string_equal(err.detail, "invalid_bundle");
    assert_non_null(strstr(err.message, "bundle test.json: 6 errors, first: /policies/0/rules/0/gate"));
    bw_problems_clear(&fixture.problems);
}

static void syntax_faults_have_line_and_column(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\n  \"id\": \"b\",\n  \"version\" \"1_0\"\n}",
                                        "id: b\nversion: [1_0\nx: }\n"};
    for (size_t i = 0; i < BW_LENGTH(texts); i++) {
        struct fixture fixture = {0};
        struct bw_error err = {0};
        assert_int_equal(try_load(&fixture, texts[i], &err), -1);
        assert_int_equal(fixture.problems.n_items, 1);
        assert_string_equal(fixture.problems.items[0].kind, "syntax");
        assert_int_equal(fixture.problems.items[0].line, 3);
        assert_true(fixture.problems.items[0].column > 0);
        bw_problems_clear(&fixture.problems);
    }
}

static void many_faults_are_counted_and_not_all_listed(void **state)
{
    (void)state;
    struct bw_buf text;
    bw_buf_init(&text, BW_MAX_BUNDLE_BYTES);
    bw_buf_puts(&text, "{\"id\":\"b\",\"version\":\"1_0\",\"mappings\":[],\"policies\":[{\"id\":\"p\",\"version\":\"1_"
                       "0\",\"rules\":[");
    for (unsigned i = 0; i < 20000; i++) {
        bw_buf_puts(&text, i > 0 ? ",7" : "7");
    }
    bw_buf_puts(&text, "]}]}");
    struct fixture fixture = {0};
    struct bw_error err = {0};
    assert_int_equal(try_load(&fixture, text.data, &err), -1);
    assert_int_equal(fixture.problems.n_errors, 20000);
    assert_int_equal(fixture.problems.n_items, BW_MAX_PROBLEMS + 1); /* and the remark on mappings */
    bw_problems_clear(&fixture.problems);
    bw_buf_clear(&text);
}

static const char yaml[] = "id: b\n"
                           "version: \"1_0\"\n"
                           "policies:\n"
                           "- id: p\n"
                           "  version: \"1_0\"\n"
                           "  rules:\n"
                           "  - {id: r, gate: always, trigger: always, action: stop, comment: why, params: []}\n"
                           "mappings:\n"
                           "- registry: '*'\n"
                           "  repository: '*'\n"
                           "  image: {type: tag, value: '*'}\n"
                           "  policy_ids: [p]\n"
                           "  whitelist_ids: []\n";

static void yaml_and_json_are_the_same(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture, yaml, "");
    assert_int_equal(fixture.problems.n_items, 0);
    evaluate(&fixture);
    assert_int_equal(fixture.decision.action, BW_STOP);
    assert_string_equal(fixture.decision.findings[0].comment, "why");
    tear_down(&fixture);
}

static const char enterprise[] =
    "{\"id\":\"b\",\"version\":\"2\",\"rule_sets\":["
    "{\"id\":\"p\",\"artifact_type\":\"image\",\"rules\":["
    "{\"id\":\"r\",\"gate\":\"passwd_file\",\"trigger\":\"denylist_usernames\",\"action\":\"stop\",\"description\":"
    "\"no root\","
    "\"params\":[{\"name\":\"user_names\",\"value\":\"root\"}]},"
    "{\"id\":\"s\",\"gate\":\"dockerfile\",\"trigger\":\"effective_user\",\"action\":\"warn\","
    "\"params\":[{\"name\":\"users\",\"value\":\"root\"},{\"name\":\"type\",\"value\":\"denylist\"}]}]},"
    "{\"id\":\"q\",\"artifact_type\":\"sbom\",\"rules\":[{\"gate\":\"nosuch\"}]}],"
    "\"allowlists\":[{\"id\":\"a\",\"items\":[{\"gate\":\"dockerfile\",\"trigger_id\":\"*\",\"id\":\"i\"}]}],"
    "\"mappings\":[{\"registry\":\"*\",\"repository\":\"*\",\"image\":{\"type\":\"tag\",\"value\":\"*\"},"
    "\"rule_set_ids\":[\"p\"],\"allowlist_ids\":[\"a\"]}],"
    "\"denylisted_images\":[{\"registry\":\"evil\",\"repository\":\"*\",\"image\":{\"type\":\"tag\",\"value\":\"*\"}}],"
    "\"source_mappings\":[]}";

static void the_enterprise_document_is_read(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(
        &fixture, enterprise,
        "\"dockerfile\":{\"mode\":\"Actual\",\"contents\":\"FROM x\"},"
        "\"retrieved_files\":[{\"path\":\"/etc/passwd\",\"content_base64\":\"cm9vdDp4OjA6MDo6L3Jvb3Q6L2Jpbi9zaAo=\"}]");
    evaluate(&fixture);
    assert_int_equal(fixture.decision.n_findings, 2);
    assert_string_equal(fixture.decision.findings[0].trigger, "blacklist_usernames");
    assert_string_equal(fixture.decision.findings[0].comment, "no root");
    assert_true(fixture.decision.findings[1].whitelisted);
    assert_int_equal(fixture.decision.action, BW_STOP);
    fixture.reference.registry = "evil";
    evaluate(&fixture);
    assert_string_equal(fixture.decision.reason, "blacklisted");
    tear_down(&fixture);
}

static void needs_are_those_of_the_rules(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture,
           BUNDLE(RULE("retrieved_files", "content_not_available", "STOP", PARAM("path", "/etc/z")) "," RULE(
               "retrieved_files", "content_regex", "STOP",
               PARAM("path", "/etc/a") "," PARAM("regex", "x") "," PARAM(
                   "check", "match")) "," RULE("retrieved_files", "content_not_available", "STOP",
                                               PARAM("path", "/etc/z"))),
           "");
    const struct bw_needs *needs = bw_bundle_needs(fixture.bundle);
    assert_int_equal(needs->n_retrieved_paths, 2);
    assert_string_equal(needs->retrieved_paths[0], "/etc/a");
    assert_string_equal(needs->retrieved_paths[1], "/etc/z");
    assert_false(needs->file_digests);
    tear_down(&fixture);
    set_up(&fixture, BUNDLE(RULE("packages", "verify", "STOP", "")), "");
    assert_true(bw_bundle_needs(fixture.bundle)->file_digests);
    assert_false(bw_bundle_needs(fixture.bundle)->previous);
    tear_down(&fixture);
    set_up(&fixture, BUNDLE(RULE("tag_drift", "packages_added", "STOP", "")), "");
    assert_true(bw_bundle_needs(fixture.bundle)->previous);
    tear_down(&fixture);
}

static void a_bundle_set_knows_ids_and_the_default(void **state)
{
    (void)state;
    struct fixture one;
    struct fixture two;
    struct bw_error err = {0};
    assert_int_equal(try_load(&one, "{\"id\":\"one\",\"version\":\"1_0\",\"policies\":[],\"mappings\":[]}", &err), 0);
    assert_int_equal(try_load(&two, "{\"version\":\"1_0\",\"policies\":[],\"mappings\":[]}", &err), 0);
    assert_string_equal(bw_bundle_id(two.bundle), "test.json");
    const struct bw_bundle_item items[] = {{one.bundle, "file one.json", false}, {two.bundle, "file two.json", true}};
    struct bw_bundle_set *set = bw_bundle_set_create(items, 2, "one");
    bw_bundle_release(one.bundle);
    bw_bundle_release(two.bundle);
    assert_ptr_equal(bw_bundle_set_find(set, NULL), one.bundle);
    assert_ptr_equal(bw_bundle_set_find(set, "test.json"), two.bundle);
    assert_null(bw_bundle_set_find(set, "three"));
    assert_int_equal(bw_bundle_set_count(set), 2);
    assert_string_equal(bw_bundle_set_origin(set, one.bundle), "file one.json");
    assert_string_equal(bw_bundle_set_origin(set, two.bundle), "file two.json");
    assert_false(bw_bundle_set_warns(set, one.bundle));
    assert_true(bw_bundle_set_warns(set, two.bundle));
    bw_bundle_set_release(set);
    bw_problems_clear(&one.problems);
    bw_problems_clear(&two.problems);
}

/* The published walk-through: as printed it has no ids and no mappings. */
static void the_walk_through_bundle_is_enforced_as_printed(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    struct bw_error err = {0};
    assert_int_equal(bw_file_read(&text, &len, TEST_DATA "/bundles/walkthrough.json", BW_MAX_BUNDLE_BYTES, &err), 0);
    struct fixture fixture;
    set_up(&fixture, text, "\"dockerfile\":{\"mode\":\"Guessed\",\"contents\":\"FROM scratch\"}");
    free(text);
    assert_true(fixture.problems.n_items > 0);
    assert_true(bw_rows_has(bw_bundle_deviations(fixture.bundle), BW_ROW_LENIENT));
    evaluate(&fixture);
    assert_int_equal(fixture.decision.n_policies, 5);
    assert_string_equal(fixture.decision.policies[0].policy_id, "General Checks");
    assert_int_equal(fixture.decision.action, BW_STOP);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_has_kind_place_and_suggestion),
        cmocka_unit_test(leniencies_and_rules_without_effect_are_remarked),
        cmocka_unit_test(what_can_match_is_not_remarked_on),
        cmocka_unit_test(all_faults_are_found_at_once),
        cmocka_unit_test(syntax_faults_have_line_and_column),
        cmocka_unit_test(many_faults_are_counted_and_not_all_listed),
        cmocka_unit_test(yaml_and_json_are_the_same),
        cmocka_unit_test(the_enterprise_document_is_read),
        cmocka_unit_test(needs_are_those_of_the_rules),
        cmocka_unit_test(a_bundle_set_knows_ids_and_the_default),
        cmocka_unit_test(the_walk_through_bundle_is_enforced_as_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
