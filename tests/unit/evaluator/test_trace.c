/* How a decision came about: what did not match, what a rule had nothing to look at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "facts_for_test.h"

#include "evaluator/trace.h"

#define MAPPING(name, registry, repository, type, value)                                                               \
    "{\"name\":\"" name "\",\"registry\":\"" registry "\",\"repository\":\"" repository                                \
    "\",\"image\":{\"type\":\"" type "\",\"value\":\"" value "\"},\"policy_ids\":[\"p\"],\"whitelist_ids\":[]}"
#define ENTRY(name, registry, repository, type, value)                                                                 \
    "{\"name\":\"" name "\",\"registry\":\"" registry "\",\"repository\":\"" repository                                \
    "\",\"image\":{\"type\":\"" type "\",\"value\":\"" value "\"}}"
#define MAPPED(mappings, whitelisted, blacklisted)                                                                     \
    "{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[{\"id\":\"p\",\"version\":\"1_0\",\"rules\":[" RULE(              \
        "always", "always", "WARN", "") "]}],\"mappings\":[" mappings "],\"whitelisted_images\":[" whitelisted         \
                                        "],\"blacklisted_images\":[" blacklisted "]}"
#define STAR MAPPING("all", "*", "*", "tag", "*")

static void trace(struct bw_trace *out, struct fixture *fixture)
{
    struct bw_error err = {0};
    evaluate(fixture);
    if (bw_trace(out, fixture->bundle, &fixture->facts, &fixture->decision, &fixture->arena, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static void the_first_part_that_does_not_match_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *mapping;
        enum bw_selection selection;
        enum bw_selector_part part;
        const char *why;
    } rows[] = {
        {MAPPING("m", "quay.io", "x", "tag", "2"), BW_NOT_SELECTED, BW_PART_REGISTRY,
         "registry docker.io is not quay.io"},
        {MAPPING("m", "*", "shop/*", "tag", "2"), BW_NOT_SELECTED, BW_PART_REPOSITORY,
         "repository library/app is not shop/*"},
        {MAPPING("m", "docker.*", "*", "tag", "regexp:2"), BW_NOT_SELECTED, BW_PART_IMAGE, "tag 1 is not regexp:2"},
        {MAPPING("m", "*", "app", "digest", "sha256:0"), BW_NOT_SELECTED, BW_PART_IMAGE,
         "digest " DIGEST_A " is not sha256:0"},
        {MAPPING("m", "*", "*", "id", "0"), BW_NOT_SELECTED, BW_PART_IMAGE, "id " ID_B " is not 0"},
        {MAPPING("m", "*", "*", "shape", "0"), BW_NOT_SELECTED, BW_PART_IMAGE,
         "its type is none of tag, digest and id: it matches no image"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        struct bw_trace got;
        char bundle[4096];
        (void)snprintf(bundle, sizeof(bundle), MAPPED("%s," STAR "," STAR, "", ""), rows[i].mapping);
        set_up(&fixture, bundle, "");
        trace(&got, &fixture);
        assert_int_equal(got.mappings.n_all, 3);
        assert_int_equal(got.mappings.n_items, 2);
        assert_int_equal(got.mappings.selected, 1);
        assert_int_equal(got.mappings.selected, fixture.decision.mapping);
        const struct bw_entry_trace *entry = &got.mappings.items[0];
        assert_int_equal(entry->selection, rows[i].selection);
        assert_int_equal(entry->part, rows[i].part);
        assert_string_equal(entry->why, rows[i].why);
        assert_string_equal(entry->label, "m");
        assert_int_equal(got.mappings.items[1].selection, BW_SELECTED);
        assert_null(got.mappings.items[1].why);
        assert_string_equal(got.mappings.items[1].label, "all");
        tear_down(&fixture);
    }
}

static void a_tag_that_does_not_count_is_told_from_a_missing_one(void **state)
{
    (void)state;
    static const struct {
        const char *tag, *mapping, *why;
    } rows[] = {
        {"1", MAPPING("m", "*", "*", "tag", "1"),
         "tag 1 does not count, as the registry does not resolve it to this digest now: whether the image is 1 cannot "
         "be "
         "told"},
        {NULL, MAPPING("m", "*", "*", "tag", "1*"), "the reference has no tag: whether the image is 1* cannot be told"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        struct bw_trace got;
        char bundle[4096];
        (void)snprintf(bundle, sizeof(bundle), MAPPED("%s", "", ""), rows[i].mapping);
        set_up(&fixture, bundle, "");
        fixture.reference.tag = rows[i].tag;
        fixture.facts.tag_counts = false;
        (void)snprintf(fixture.reference.digest.text, sizeof(fixture.reference.digest.text), "%s", DIGEST_A);
        trace(&got, &fixture);
        assert_int_equal(got.mappings.selected, -1);
        assert_int_equal(got.mappings.items[0].selection, BW_UNDECIDABLE);
        assert_int_equal(got.mappings.items[0].part, BW_PART_IMAGE);
        assert_string_equal(got.mappings.items[0].why, rows[i].why);
        assert_string_equal(fixture.decision.reason, "tag_undecided");
        tear_down(&fixture);
    }
}

static void image_lists_are_traced_up_to_the_entry_that_counts(void **state)
{
    (void)state;
    struct fixture fixture;
    struct bw_trace got;
    set_up(&fixture,
           MAPPED(STAR, ENTRY("w", "quay.io", "*", "tag", "*"),
                  ENTRY("b1", "*", "*", "tag", "2") "," ENTRY("b2", "*", "*", "digest",
                                                              DIGEST_A) "," ENTRY("b3", "*", "*", "tag", "*")),
           "");
    trace(&got, &fixture);
    assert_int_equal(got.whitelisted_images.selected, -1);
    assert_int_equal(got.whitelisted_images.n_items, 1);
    assert_int_equal(got.blacklisted_images.selected, fixture.decision.blacklisted_image);
    assert_int_equal(got.blacklisted_images.n_items, 2);
    assert_int_equal(got.blacklisted_images.n_all, 3);
    assert_string_equal(got.blacklisted_images.items[1].label, "b2");
    tear_down(&fixture);
}

/* What the trace says matched is what the evaluation chose, for every kind of pattern and reference at hand. */
static void trace_and_decision_agree(void **state)
{
    (void)state;
    static const char *const entries[] = {
        MAPPING("m", "regexp:docker", "*", "tag", "*"),
        MAPPING("m", "*", "app", "tag", "1"),
        MAPPING("m", "*", "library/*", "tag", "*"),
        MAPPING("m", "*", "*", "digest", DIGEST_A),
        MAPPING("m", "*", "*", "id", ID_B),
        MAPPING("m", "quay.io", "*", "tag", "*"),
    };
    static const char *const tags[] = {"1", "2", NULL};
    for (size_t i = 0; i < BW_LENGTH(entries) * BW_LENGTH(tags); i++) {
        struct fixture fixture;
        struct bw_trace got;
        char bundle[4096];
        (void)snprintf(bundle, sizeof(bundle), MAPPED("%s", "", ""), entries[i / BW_LENGTH(tags)]);
        set_up(&fixture, bundle, "");
        fixture.reference.tag = tags[i % BW_LENGTH(tags)];
        trace(&got, &fixture);
        assert_int_equal(got.mappings.selected, fixture.decision.mapping);
        assert_int_equal(got.mappings.items[0].selection == BW_UNDECIDABLE,
                         strcmp(fixture.decision.reason, "tag_undecided") == 0);
        tear_down(&fixture);
    }
}

static void rules_are_fired_silent_not_applicable_or_undecided(void **state)
{
    (void)state;
    static const char rules[] = RULE("npms", "blacklisted_name_version", "WARN", PARAM("name", "left-pad")) "," RULE(
        "packages", "blacklist", "STOP",
        PARAM("name",
              "ssh")) "," RULE("dockerfile", "exposed_ports", "WARN",
                               PARAM("ports", "22") "," PARAM(
                                   "type",
                                   "blacklist")) "," RULE("licenses", "blacklist_exact_match", "STOP",
                                                          PARAM("licenses",
                                                                "GPL")) "," RULE("vulnerabilities", "blacklist", "WARN",
                                                                                 PARAM("vulnerability_ids",
                                                                                       "CVE-1")) "," RULE("always",
                                                                                                          "always",
                                                                                                          "GO", "");
    static const struct {
        enum bw_rule_outcome outcome;
        const char *not_applicable;
        size_t n_findings;
    } rows[] = {
        {BW_RULE_SILENT, "the image has no npm packages", 0},
        {BW_RULE_SILENT, NULL, 0},
        {BW_RULE_SILENT, "no Dockerfile is known of the image", 0},
        {BW_RULE_SILENT, "no package of the image says its licence", 0},
        {BW_RULE_UNDECIDED, NULL, 1},
        {BW_RULE_FIRED, NULL, 1},
    };
    struct fixture fixture;
    struct bw_trace got;
    char bundle[8192];
    (void)snprintf(bundle, sizeof(bundle), BUNDLE("%s"), rules);
    set_up(&fixture, bundle,
           "\"packages\":[{\"type\":\"dpkg\",\"name\":\"base\",\"version\":\"1\",\"full_version\":\"1\"}]");
    trace(&got, &fixture);
    assert_int_equal(got.policies[0].n_rules, BW_LENGTH(rows));
    size_t at = 0;
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const struct bw_rule_trace *rule = &got.policies[0].rules[i];
        assert_int_equal(rule->result->outcome, rows[i].outcome);
        assert_int_equal(rule->n_findings, rows[i].n_findings);
        assert_int_equal(rule->first_finding, at);
        at += rule->n_findings;
        if (rows[i].not_applicable == NULL) {
            assert_null(rule->not_applicable);
        } else {
            assert_non_null(rule->not_applicable);
            assert_string_equal(rule->not_applicable, rows[i].not_applicable);
        }
    }
    assert_string_equal(got.policies[0].rules[2].params[0].name, "ports");
    assert_string_equal(got.policies[0].rules[2].params[0].value, "22");
    tear_down(&fixture);
}

static void a_gate_says_itself_what_it_was_not_given(void **state)
{
    (void)state;
    static const char rules[] = RULE("npms", "newer_version_in_feed", "WARN", "") "," RULE(
        "vulnerabilities", "blacklist", "STOP",
        PARAM("vulnerability_ids", "CVE-1")) "," RULE("vulnerabilities", "vulnerability_data_unavailable", "WARN", "");
    static const char *const notes[] = {
        "there is no feed of published packages",
        "there are no vulnerability data, which is left to the policy's own rule for that", NULL};
    struct fixture fixture;
    struct bw_trace got;
    char bundle[8192];
    (void)snprintf(bundle, sizeof(bundle), BUNDLE("%s"), rules);
    set_up(&fixture, bundle,
           "\"packages\":[{\"type\":\"npm\",\"name\":\"a\",\"version\":\"1\",\"full_version\":\"1\"}]");
    trace(&got, &fixture);
    for (size_t i = 0; i < BW_LENGTH(notes); i++) {
        const char *said = got.policies[0].rules[i].not_applicable;
        assert_true(notes[i] == NULL ? said == NULL : said != NULL && strcmp(said, notes[i]) == 0);
    }
    tear_down(&fixture);
}

static void a_small_arena_fails_and_leaves_the_result_alone(void **state)
{
    (void)state;
    struct fixture fixture;
    struct bw_error err = {0};
    struct bw_trace got = {.n_whitelists = 7};
    set_up(&fixture, MAPPED(STAR, "", ""), "");
    evaluate(&fixture);
    struct bw_arena small;
    bw_arena_init(&small, 16);
    assert_int_equal(bw_trace(&got, fixture.bundle, &fixture.facts, &fixture.decision, &small, &err), -1);
    assert_string_equal(err.detail, "memory_budget");
    assert_int_equal(got.n_whitelists, 7);
    bw_arena_clear(&small);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_part_that_does_not_match_is_named),
        cmocka_unit_test(a_tag_that_does_not_count_is_told_from_a_missing_one),
        cmocka_unit_test(image_lists_are_traced_up_to_the_entry_that_counts),
        cmocka_unit_test(trace_and_decision_agree),
        cmocka_unit_test(rules_are_fired_silent_not_applicable_or_undecided),
        cmocka_unit_test(a_gate_says_itself_what_it_was_not_given),
        cmocka_unit_test(a_small_arena_fails_and_leaves_the_result_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
