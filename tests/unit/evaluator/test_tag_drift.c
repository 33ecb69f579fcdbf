/* Gate tag_drift: two sets of packages, side by side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/evaluator/facts_for_test.h"

#define DIGEST_C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

#define PACKAGE(type, name, version)                                                                                   \
    "{\"type\":\"" type "\",\"name\":\"" name "\",\"version\":\"" version "\",\"full_version\":\"" version "\"}"
#define PACKAGES(list)         "\"packages\":[" list "]"
#define DRIFT(trigger, params) BUNDLE(RULE("tag_drift", trigger, "STOP", params))
#define TYPES(list)            PARAM("package_type", list)
#define CURL                   PACKAGE("dpkg", "curl", "7.88.1-10")
#define CURL_OLD               PACKAGE("dpkg", "curl", "7.74.0-1")
#define CURL_GEM               PACKAGE("gem", "curl", "0.1")
#define BUSYBOX                PACKAGE("APKG", "busybox", "1.36-r5")

static struct bw_report *read_report(const char *digest, const char *members)
{
    char document[8192];
    struct bw_error err = {0};
    struct bw_report *report = NULL;
    (void)snprintf(document, sizeof(document),
                   "{\"schema\":\"analysis/1\",\"image\":{\"digest\":\"%s\",\"id\":\"" ID_B
                   "\",\"os\":\"linux\",\"architecture\":\"amd64\",\"size\":1000,\"layer_count\":2},%s}",
                   digest, members);
    if (bw_report_read_json(&report, document, strlen(document), &err) != 0) {
        fail_msg("%s", err.message);
    }
    return report;
}

/* previous NULL: none is known. */
static void evaluate_drift(struct fixture *fixture, const char *bundle, const char *previous, const char *now)
{
    set_up(fixture, bundle, "");
    bw_report_release(fixture->report);
    fixture->report = read_report(DIGEST_A, now);
    fixture->facts.report = fixture->report;
    struct bw_report *before = previous == NULL ? NULL : read_report(DIGEST_C, previous);
    fixture->facts.previous = before;
    evaluate(fixture);
    bw_report_release(before);
}

static void packages_are_compared_by_type_and_name(void **state)
{
    (void)state;
    static const struct {
        const char *bundle, *previous, *now, *ids;
    } rows[] = {
        {DRIFT("packages_added", ""), PACKAGES(""), PACKAGES(CURL), "added-dpkg-curl-7.88.1-10 "},
        {DRIFT("packages_added", ""), PACKAGES(CURL), PACKAGES(CURL), ""},
        {DRIFT("packages_added", ""), PACKAGES(CURL_OLD), PACKAGES(CURL), ""},
        {DRIFT("packages_added", ""), PACKAGES(CURL), PACKAGES(CURL "," CURL_GEM), "added-gem-curl-0.1 "},
        {DRIFT("packages_added", ""), PACKAGES(""), PACKAGES(CURL "," CURL_OLD "," CURL),
         "added-dpkg-curl-7.74.0-1,7.88.1-10 "},
        {DRIFT("packages_added", ""), PACKAGES(CURL "," BUSYBOX), PACKAGES(""), ""},
        {DRIFT("packages_removed", ""), PACKAGES(CURL "," BUSYBOX), PACKAGES(CURL), "removed-APKG-busybox-1.36-r5 "},
        {DRIFT("packages_removed", ""), PACKAGES(CURL_OLD), PACKAGES(CURL "," BUSYBOX), ""},
        {DRIFT("packages_removed", ""), PACKAGES(CURL "," BUSYBOX), PACKAGES(""),
         "removed-APKG-busybox-1.36-r5 removed-dpkg-curl-7.88.1-10 "},
        {DRIFT("packages_modified", ""), PACKAGES(CURL_OLD), PACKAGES(CURL), "modified-dpkg-curl-7.88.1-10 "},
        {DRIFT("packages_modified", ""), PACKAGES(CURL_OLD), PACKAGES(CURL "," CURL_OLD),
         "modified-dpkg-curl-7.74.0-1,7.88.1-10 "},
        {DRIFT("packages_modified", ""), PACKAGES(CURL "," CURL_OLD), PACKAGES(CURL_OLD "," CURL), ""},
        {DRIFT("packages_modified", ""), PACKAGES(CURL "," CURL), PACKAGES(CURL), ""},
        {DRIFT("packages_modified", ""), PACKAGES(CURL_GEM), PACKAGES(CURL "," BUSYBOX), ""},
        /* types */
        {DRIFT("packages_added", TYPES("deb, npm")), PACKAGES(""), PACKAGES(CURL "," CURL_GEM "," BUSYBOX),
         "added-dpkg-curl-7.88.1-10 "},
        {DRIFT("packages_added", TYPES("apk")), PACKAGES(""), PACKAGES(CURL "," BUSYBOX),
         "added-APKG-busybox-1.36-r5 "},
        {DRIFT("packages_removed", TYPES("GEM")), PACKAGES(CURL_GEM "," CURL), PACKAGES(""), "removed-gem-curl-0.1 "},
        {DRIFT("packages_modified", TYPES("rpm")), PACKAGES(CURL_OLD), PACKAGES(CURL), ""},
        {DRIFT("packages_added", TYPES("rpm")), PACKAGES(""), PACKAGES(PACKAGE("kb", "KB1", "1")), ""},
        /* nothing to compare with */
        {DRIFT("packages_added", ""), NULL, PACKAGES(CURL), ""},
        /* two rules share the comparison */
        {BUNDLE(RULE("tag_drift", "packages_removed", "STOP", "") "," RULE("tag_drift", "packages_added", "STOP", "")),
         PACKAGES(BUSYBOX), PACKAGES(CURL), "removed-APKG-busybox-1.36-r5 added-dpkg-curl-7.88.1-10 "},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        char ids[1024] = "";
        evaluate_drift(&fixture, rows[i].bundle, rows[i].previous, rows[i].now);
        for (size_t f = 0; f < fixture.decision.n_findings; f++) {
            size_t len = strlen(ids);
            (void)snprintf(ids + len, sizeof(ids) - len, "%s ", fixture.decision.findings[f].trigger_id);
        }
        if (strcmp(ids, rows[i].ids) != 0) {
            fail_msg("row %zu: %s", i, ids);
        }
        assert_int_equal(ids[0] == '\0' ? BW_GO : BW_STOP, fixture.decision.action);
        tear_down(&fixture);
    }
}

static void messages_name_both_versions_and_the_previous_image(void **state)
{
    (void)state;
    static const struct {
        const char *bundle, *previous, *now, *message;
    } rows[] = {
        {DRIFT("packages_added", ""), PACKAGES(""), PACKAGES(CURL),
         "dpkg package curl 7.88.1-10 is new: the previous image (cccccccccccc) does not have it"},
        {DRIFT("packages_removed", ""), PACKAGES(CURL), PACKAGES(""),
         "dpkg package curl is gone: the previous image (cccccccccccc) has 7.88.1-10"},
        {DRIFT("packages_modified", ""), PACKAGES(CURL_OLD), PACKAGES(CURL),
         "dpkg package curl is 7.88.1-10, and 7.74.0-1 in the previous image (cccccccccccc)"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        evaluate_drift(&fixture, rows[i].bundle, rows[i].previous, rows[i].now);
        assert_int_equal(1, fixture.decision.n_findings);
        assert_string_equal(rows[i].message, fixture.decision.findings[0].message);
        assert_null(fixture.decision.policies[0].rules[0].note);
        tear_down(&fixture);
    }
}

static void without_a_previous_image_the_rule_is_silent_and_says_why(void **state)
{
    (void)state;
    struct fixture fixture;
    evaluate_drift(&fixture, DRIFT("packages_added", ""), NULL, PACKAGES(CURL));
    const struct bw_rule_result *result = &fixture.decision.policies[0].rules[0];
    assert_int_equal(BW_RULE_SILENT, result->outcome);
    assert_non_null(strstr(result->note, "no previous image"));
    tear_down(&fixture);
}

static void incomplete_packages_of_either_image_cannot_be_compared(void **state)
{
    (void)state;
    static const struct {
        const char *now, *before; /* the kind that is incomplete, or NULL */
        const char *message;      /* NULL: they can */
    } rows[] = {
        {"packages:rpm", NULL, "the analysis of this image is incomplete"},
        {NULL, "packages:rpm", "the analysis of the previous image is incomplete"},
        {NULL, "packages", "the analysis of the previous image is incomplete"},
        {"files", "secrets", NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        set_up(&fixture, DRIFT("packages_added", ""), PACKAGES(CURL));
        struct bw_report now = *fixture.report, before = *fixture.report;
        const struct bw_incomplete kinds[] = {{.kind = rows[i].now, .reason = "cut"},
                                              {.kind = rows[i].before, .reason = "cut"}};
        now.incomplete = &kinds[0];
        now.n_incomplete = rows[i].now != NULL;
        before.incomplete = &kinds[1];
        before.n_incomplete = rows[i].before != NULL;
        fixture.facts.report = &now;
        fixture.facts.previous = &before;
        evaluate(&fixture);
        if (rows[i].message == NULL) {
            assert_int_equal(BW_GO, fixture.decision.action);
        } else {
            assert_int_equal(BW_STOP, fixture.decision.action);
            assert_true(fixture.decision.findings[0].undecided);
            assert_non_null(strstr(fixture.decision.findings[0].message, rows[i].message));
            assert_true(bw_rows_has(fixture.decision.deviations, BW_ROW_INCOMPLETE));
        }
        tear_down(&fixture);
    }
}

static void a_whitelist_forgives_one_package(void **state)
{
    (void)state;
    struct fixture fixture;
    evaluate_drift(&fixture,
                   BUNDLE_WITH(RULE("tag_drift", "packages_added", "STOP", ""),
                               "{\"id\":\"w\",\"version\":\"1_0\",\"items\":[{\"id\":\"i\",\"gate\":\"tag_drift\","
                               "\"trigger_id\":\"added-dpkg-curl-*\"}]}",
                               "\"w\""),
                   PACKAGES(""), PACKAGES(CURL));
    assert_int_equal(1, fixture.decision.n_findings);
    assert_true(fixture.decision.findings[0].whitelisted);
    assert_int_equal(BW_GO, fixture.decision.action);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packages_are_compared_by_type_and_name),
        cmocka_unit_test(messages_name_both_versions_and_the_previous_image),
        cmocka_unit_test(without_a_previous_image_the_rule_is_silent_and_says_why),
        cmocka_unit_test(incomplete_packages_of_either_image_cannot_be_compared),
        cmocka_unit_test(a_whitelist_forgives_one_package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
