/* Mapping, image lists, verdict, and what a rule that cannot be evaluated does to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "facts_for_test.h"

#define MAPPING(registry, repository, type, value)                                                                     \
    "{\"registry\":\"" registry "\",\"repository\":\"" repository "\",\"image\":{\"type\":\"" type                     \
    "\",\"value\":\"" value "\"},\"policy_ids\":[\"p\"],\"whitelist_ids\":[]}"
#define ENTRY(registry, repository, type, value)                                                                       \
    "{\"registry\":\"" registry "\",\"repository\":\"" repository "\",\"image\":{\"type\":\"" type                     \
    "\",\"value\":\"" value "\"}}"
#define MAPPED(action, mappings, whitelisted, blacklisted)                                                             \
    "{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[{\"id\":\"p\",\"version\":\"1_0\",\"rules\":[" RULE(              \
        "always", "always", action, "") "]}],\"mappings\":[" mappings "],\"whitelisted_images\":[" whitelisted         \
                                        "],\"blacklisted_images\":[" blacklisted "]}"
#define STAR MAPPING("*", "*", "tag", "*")

static void mappings_and_image_lists_decide_as_recorded(void **state)
{
    (void)state;
    static const struct {
        const char *bundle;
        enum bw_action action;
        const char *reason;
        int mapping;
        enum bw_action policy_action;
    } rows[] = {
        {MAPPED("STOP", STAR, "", ""), BW_STOP, "policy_evaluation", 0, BW_STOP},
        {MAPPED("STOP", STAR, ENTRY("*", "*", "digest", DIGEST_A), ""), BW_GO, "whitelisted", 0, BW_STOP},
        {MAPPED("GO", STAR, ENTRY("*", "*", "digest", DIGEST_A), ENTRY("*", "*", "digest", DIGEST_A)), BW_STOP,
         "blacklisted", 0, BW_GO},
        {MAPPED("GO", STAR, "", ENTRY("*", "*", "id", ID_B)), BW_STOP, "blacklisted", 0, BW_GO},
        {MAPPED("GO", STAR, "", ENTRY("*", "*", "id", "sha256:" ID_B)), BW_GO, "policy_evaluation", 0, BW_GO},
        {MAPPED("STOP", MAPPING("quay.io", "*", "tag", "*"), "", ""), BW_WARN, "no_mapping", -1, BW_GO},
        {MAPPED("STOP", MAPPING("DOCKER.IO", "*", "tag", "*"), "", ""), BW_WARN, "no_mapping", -1, BW_GO},
        {MAPPED("STOP", MAPPING("docker.i?", "*", "tag", "*"), "", ""), BW_WARN, "no_mapping", -1, BW_GO},
        {MAPPED("STOP", MAPPING("regexp:docker", "*", "tag", "*"), "", ""), BW_STOP, "policy_evaluation", 0, BW_STOP},
        {MAPPED("STOP", MAPPING("*", "app", "tag", "1"), "", ""), BW_STOP, "policy_evaluation", 0, BW_STOP},
        {MAPPED("STOP", MAPPING("*", "library/app", "tag", "2"), "", ""), BW_WARN, "no_mapping", -1, BW_GO},
        {MAPPED("STOP", MAPPING("*", "*", "digest", DIGEST_A), "", ""), BW_STOP, "policy_evaluation", 0, BW_STOP},
        {MAPPED("WARN", MAPPING("*", "*", "id", "0"), "", ""), BW_WARN, "no_mapping", -1, BW_GO},
        {MAPPED("WARN", MAPPING("*", "*", "shape", "0") "," STAR, "", ""), BW_WARN, "policy_evaluation", 1, BW_WARN},
        {MAPPED("STOP", MAPPING("quay.io", "*", "tag", "*"), "", ENTRY("docker.io", "*", "tag", "1")), BW_STOP,
         "blacklisted", -1, BW_GO},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        set_up(&fixture, rows[i].bundle, "");
        evaluate(&fixture);
        const struct bw_decision *got = &fixture.decision;
        if (got->action != rows[i].action || strcmp(got->reason, rows[i].reason) != 0 ||
            got->mapping != rows[i].mapping || got->policy_action != rows[i].policy_action) {
            fail_msg("%s: %s %s %d %s", rows[i].bundle, bw_action_name(got->action), got->reason, got->mapping,
                     bw_action_name(got->policy_action));
        }
        tear_down(&fixture);
    }
}

static void no_mapping_is_as_configured(void **state)
{
    (void)state;
    static const struct {
        enum bw_no_mapping setting;
        enum bw_action action;
        const char *reason;
    } rows[] = {{BW_NO_MAPPING_WARN, BW_WARN, "no_mapping"},
                {BW_NO_MAPPING_DENY, BW_STOP, "no_mapping"},
                {BW_NO_MAPPING_ALLOW, BW_GO, "policy_evaluation"}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        struct bw_error err = {0};
        set_up(&fixture, MAPPED("STOP", "", "", ""), "");
        assert_int_equal(
            bw_evaluate(&fixture.decision, fixture.bundle, &fixture.facts, rows[i].setting, &fixture.arena, &err), 0);
        assert_int_equal(fixture.decision.action, rows[i].action);
        assert_string_equal(fixture.decision.reason, rows[i].reason);
        tear_down(&fixture);
    }
}

/* A pod may write app:approved@sha256:EVIL: the tag counts only while the registry agrees. */
static void a_tag_that_does_not_count_opens_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *bundle;
        bool tag_counts;
        enum bw_action action;
        const char *reason;
    } rows[] = {
        {MAPPED("GO", MAPPING("*", "*", "tag", "1"), "", ""), true, BW_GO, "policy_evaluation"},
        {MAPPED("GO", MAPPING("*", "*", "tag", "1"), "", ""), false, BW_STOP, "tag_undecided"},
        {MAPPED("GO", MAPPING("*", "*", "tag", "1") "," STAR, "", ""), false, BW_GO, "policy_evaluation"},
        {MAPPED("GO", MAPPING("*", "other", "tag", "1"), "", ""), false, BW_WARN, "no_mapping"},
        {MAPPED("GO", STAR, "", ENTRY("*", "*", "tag", "1")), false, BW_GO, "policy_evaluation"},
        {MAPPED("STOP", STAR, ENTRY("*", "*", "tag", "1"), ""), false, BW_STOP, "policy_evaluation"},
        {MAPPED("STOP", STAR, ENTRY("*", "*", "tag", "*"), ""), false, BW_GO, "whitelisted"},
        {MAPPED("GO", MAPPING("*", "*", "tag", "regexp:.*"), "", ""), false, BW_STOP, "tag_undecided"},
        {MAPPED("GO", MAPPING("*", "*", "tag", "**"), "", ""), false, BW_STOP, "tag_undecided"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        set_up(&fixture, rows[i].bundle, "");
        (void)snprintf(fixture.reference.digest.text, sizeof(fixture.reference.digest.text), "%s", DIGEST_A);
        fixture.facts.tag_counts = rows[i].tag_counts;
        evaluate(&fixture);
        if (fixture.decision.action != rows[i].action || strcmp(fixture.decision.reason, rows[i].reason) != 0) {
            fail_msg("%s: %s %s", rows[i].bundle, bw_action_name(fixture.decision.action), fixture.decision.reason);
        }
        tear_down(&fixture);
    }
}

static void rules_of_one_gate_stand_together(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture,
           BUNDLE(RULE("dockerfile", "no_dockerfile_provided", "WARN", "") "," RULE(
               "always", "always", "GO", "") "," RULE("dockerfile", "no_dockerfile_provided", "STOP", "")),
           "");
    evaluate(&fixture);
    static const unsigned order[] = {0, 2, 1};
    assert_int_equal(fixture.decision.n_findings, 3);
    for (size_t i = 0; i < BW_LENGTH(order); i++) {
        assert_int_equal(fixture.decision.findings[i].rule, order[i]);
    }
    assert_string_equal(fixture.decision.findings[2].trigger_id, "always");
    assert_string_equal(fixture.decision.findings[0].trigger_id, "b00b22232c1902075263067d2d2b8eea");
    tear_down(&fixture);
}

static void a_rule_that_cannot_be_evaluated_stops_and_hides_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture,
           BUNDLE_WITH(
               RULE("retrieved_files", "content_regex", "WARN",
                    PARAM("path", "/x") "," PARAM("regex", "a") "," PARAM(
                        "check", "match")) "," RULE("always", "always", "GO", ""),
               "{\"id\":\"w\",\"version\":\"1_0\",\"items\":[{\"gate\":\"retrieved_files\",\"trigger_id\":\"*\"}]}",
               "\"w\""),
           "\"retrieved_files\":[{\"path\":\"/x\",\"content_base64\":\"//4AYmlu\"}]");
    evaluate(&fixture);
    const struct bw_decision *got = &fixture.decision;
    assert_int_equal(got->n_findings, 2);
    assert_true(got->findings[0].undecided);
    assert_int_equal(got->findings[0].action, BW_STOP);
    assert_int_equal(got->findings[0].rule_action, BW_WARN);
    assert_false(got->findings[0].whitelisted);
    assert_string_equal(got->findings[0].trigger_id, "");
    assert_non_null(
        strstr(got->findings[0].message, "retrieved_files:content_regex cannot be evaluated: /x is not UTF-8"));
    assert_string_equal(got->findings[1].trigger_id, "always");
    assert_int_equal(got->action, BW_STOP);
    assert_true(bw_rows_has(got->deviations, BW_ROW_CONTAINED));
    assert_int_equal(got->policies[0].rules[0].outcome, BW_RULE_UNDECIDED);
    assert_int_equal(got->policies[0].rules[1].outcome, BW_RULE_FIRED);
    tear_down(&fixture);
}

static void a_pattern_that_backtracks_for_ever_stops_its_rule_alone(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(
        &fixture,
        BUNDLE(RULE("files", "name_match", "WARN", PARAM("regex", "/(a+)+$")) "," RULE("always", "always", "GO", "")),
        "\"files\":[{\"path\":\"/"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\",\"type\":\"file\",\"mode\":33188,\"size\":1}]");
    evaluate(&fixture);
    assert_int_equal(fixture.decision.n_findings, 2);
    assert_true(fixture.decision.findings[0].undecided);
    assert_int_equal(fixture.decision.action, BW_STOP);
    tear_down(&fixture);
}

static void data_that_the_analysis_skipped_are_not_absent(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        const char *bundle;
        bool undecided;
    } rows[] = {
        {"packages:rpm", BUNDLE(RULE("packages", "blacklist", "WARN", PARAM("name", "x"))), true},
        {"packages:rpm", BUNDLE(RULE("npms", "blacklisted_name_version", "WARN", PARAM("name", "x"))), false},
        {"packages:npm", BUNDLE(RULE("npms", "blacklisted_name_version", "WARN", PARAM("name", "x"))), true},
        {"packages", BUNDLE(RULE("npms", "blacklisted_name_version", "WARN", PARAM("name", "x"))), true},
        {"files", BUNDLE(RULE("files", "suid_or_guid_set", "WARN", "")), true},
        {"secrets", BUNDLE(RULE("files", "suid_or_guid_set", "WARN", "")), false},
        {"secrets", BUNDLE(RULE("secret_scans", "content_regex_checks", "WARN", "")), true},
        {"retrieved_files", BUNDLE(RULE("passwd_file", "blacklist_usernames", "WARN", PARAM("user_names", "x"))), true},
        {"files",
         BUNDLE(RULE("metadata", "attribute", "WARN", PARAM("attribute", "size") "," PARAM("check", "exists"))), true},
        {"files",
         BUNDLE(RULE("metadata", "attribute", "WARN",
                     PARAM("attribute", "architecture") "," PARAM("check", "not_exists"))),
         false},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        set_up(&fixture, rows[i].bundle, "");
        struct bw_incomplete incomplete = {.kind = rows[i].kind, .reason = "no reader"};
        struct bw_report report = *fixture.report;
        report.incomplete = &incomplete;
        report.n_incomplete = 1;
        fixture.facts.report = &report;
        evaluate(&fixture);
        bool undecided = fixture.decision.n_findings == 1 && fixture.decision.findings[0].undecided &&
                         strstr(fixture.decision.findings[0].message, "no reader") != NULL &&
                         fixture.decision.action == BW_STOP;
        if (undecided != rows[i].undecided || (!undecided && fixture.decision.n_findings != 0)) {
            fail_msg("%s %s", rows[i].kind, rows[i].bundle);
        }
        tear_down(&fixture);
    }
}

static void missing_vulnerability_data_are_no_absence_of_vulnerabilities(void **state)
{
    (void)state;
    static const char *const bundles[] = {
        BUNDLE(RULE("vulnerabilities", "package", "WARN", PARAM("package_type", "all"))),
        BUNDLE(RULE("vulnerabilities", "package", "WARN", PARAM("package_type", "all")) "," RULE(
            "vulnerabilities", "vulnerability_data_unavailable", "WARN", "")),
    };
    struct fixture fixture;
    set_up(&fixture, bundles[0], "");
    evaluate(&fixture);
    assert_int_equal(fixture.decision.action, BW_STOP);
    assert_true(bw_rows_has(fixture.decision.deviations, BW_ROW_NO_DATA));
    struct bw_vulnerabilities scanned = {.available = true, .built_s = -1};
    fixture.facts.vulnerabilities = &scanned;
    evaluate(&fixture);
    assert_int_equal(fixture.decision.action, BW_GO);
    tear_down(&fixture);
    set_up(&fixture, bundles[1], "");
    evaluate(&fixture);
    assert_int_equal(fixture.decision.action, BW_WARN); /* the policy says itself what missing data mean */
    assert_int_equal(fixture.decision.n_findings, 1);
    tear_down(&fixture);
}

static void a_small_arena_fails_whole_and_leaves_the_result_alone(void **state)
{
    (void)state;
    for (size_t budget = 0; budget < 8192; budget += 64) {
        struct fixture fixture;
        struct bw_error err = {0};
        set_up(&fixture,
               BUNDLE(RULE("dockerfile", "exposed_ports", "STOP",
                           PARAM("ports", "22") "," PARAM("type", "blacklist")) "," RULE("packages", "required_package",
                                                                                         "STOP", PARAM("name", "x"))),
               "\"dockerfile\":{\"mode\":\"Actual\",\"contents\":\"FROM x\\nEXPOSE 22\\nRUN a \\\\\\n b\"}");
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, budget);
        fixture.decision.mapping = 77;
        if (bw_evaluate(&fixture.decision, fixture.bundle, &fixture.facts, BW_NO_MAPPING_WARN, &arena, &err) != 0) {
            assert_int_equal(err.code, BW_ELIMIT);
            assert_int_equal(fixture.decision.mapping, 77);
        } else {
            assert_int_equal(fixture.decision.n_findings, 2);
        }
        tear_down(&fixture);
    }
}

/* A bundle and an image with findings whose words are made in every way, one of them whitelisted. */
static void set_up_words(struct fixture *fixture)
{
    static const struct bw_vulnerability_match matches[] = {
        {.id = "CVE-1",
         .severity = "High",
         .package_name = "x",
         .package_type = "npm",
         .package_path = "/app/x/p.json"},
        {.severity = "", .fix_observed_s = -1, .detected_s = -1},
    };
    static const struct bw_vulnerabilities found = {.available = true, .matches = matches, .n_matches = 2};
    set_up(
        fixture,
        BUNDLE_WITH(
            RULE("always", "always", "WARN", "") "," RULE("packages", "blacklist", "STOP", PARAM("name", "x")) "," RULE(
                "licenses", "blacklist_partial_match", "WARN",
                PARAM("licenses", "GPL")) "," RULE("vulnerabilities", "package", "STOP",
                                                   PARAM("package_type", "all") "," PARAM(
                                                       "severity", "unknown") "," PARAM("severity_comparison", ">=")),
            "{\"id\":\"w\",\"version\":\"1_0\",\"items\":[{\"id\":\"i\",\"gate\":\"vulnerabilities\","
            "\"trigger_id\":\"CVE-1+x\"}]}",
            "\"w\""),
        "\"packages\":[{\"type\":\"npm\",\"name\":\"x\",\"version\":\"1\",\"license\":\"GPL-2\",\"licenses\":[\"GPL-"
        "2\"]"
        "},{\"type\":\"npm\",\"name\":\"y\",\"version\":\"1\",\"license\":\"GPL-2\",\"licenses\":[\"GPL-2\"]}]");
    fixture->facts.vulnerabilities = &found;
}

static void words_that_are_written_later_are_the_same(void **state)
{
    (void)state;
    struct fixture fixture;
    struct bw_decision wordless = {0};
    struct bw_error err = {0};
    set_up_words(&fixture);
    evaluate(&fixture);
    assert_int_equal(
        bw_evaluate_wordless(&wordless, fixture.bundle, &fixture.facts, BW_NO_MAPPING_WARN, &fixture.arena, &err), 0);
    assert_int_equal(fixture.decision.n_findings, 5);
    assert_int_equal(wordless.n_findings, 5);
    unsigned n_whitelisted = 0;
    unsigned n_unwritten = 0;
    for (size_t i = 0; i < wordless.n_findings; i++) {
        const struct bw_finding *whole = &fixture.decision.findings[i];
        struct bw_finding finding = wordless.findings[i];
        n_whitelisted += finding.whitelisted;
        n_unwritten += finding.message == NULL;
        assert_int_equal(whole->action, finding.action);
        assert_int_equal(whole->whitelisted, finding.whitelisted);
        if (finding.trigger_id != NULL) {
            assert_string_equal(whole->trigger_id, finding.trigger_id);
        }
        assert_int_equal(bw_finding_write_message(&finding, &fixture.arena, &err), 0);
        assert_string_equal(whole->message, finding.message);
    }
    assert_int_equal(n_whitelisted, 1);
    assert_int_equal(n_unwritten, 4);
    assert_string_equal(fixture.decision.findings[2].message, "packages have refused licences: x(GPL-2), y(GPL-2)");
    assert_string_equal(fixture.decision.findings[3].trigger_id, "CVE-1+x");
    assert_string_equal(fixture.decision.findings[4].trigger_id, "None+None");
    tear_down(&fixture);
}

static void an_evaluation_takes_the_same_memory_each_time(void **state)
{
    (void)state;
    struct fixture fixture;
    struct bw_error err = {0};
    size_t used[2] = {0, 0};
    set_up_words(&fixture);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned words = 0; words < 2; words++) {
            BW_ARENA_SCOPE arena;
            bw_arena_init(&arena, BW_ARENA_EVALUATION);
            assert_int_equal((words == 0 ? bw_evaluate_wordless : bw_evaluate)(
                                 &fixture.decision, fixture.bundle, &fixture.facts, BW_NO_MAPPING_WARN, &arena, &err),
                             0);
            assert_true(arena.used > 0 && (round == 0 || arena.used == used[words]));
            used[words] = arena.used;
        }
    }
    assert_true(used[0] < used[1]);
    assert_int_equal(fixture.arena.used, 0); /* and none from anybody else's */
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_and_image_lists_decide_as_recorded),
        cmocka_unit_test(no_mapping_is_as_configured),
        cmocka_unit_test(a_tag_that_does_not_count_opens_nothing),
        cmocka_unit_test(rules_of_one_gate_stand_together),
        cmocka_unit_test(a_rule_that_cannot_be_evaluated_stops_and_hides_nothing),
        cmocka_unit_test(a_pattern_that_backtracks_for_ever_stops_its_rule_alone),
        cmocka_unit_test(data_that_the_analysis_skipped_are_not_absent),
        cmocka_unit_test(missing_vulnerability_data_are_no_absence_of_vulnerabilities),
        cmocka_unit_test(a_small_arena_fails_whole_and_leaves_the_result_alone),
        cmocka_unit_test(words_that_are_written_later_are_the_same),
        cmocka_unit_test(an_evaluation_takes_the_same_memory_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
