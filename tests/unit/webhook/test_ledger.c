/* The last admissions and how they were decided: what is kept, for how long, and what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asking.h"
#include "webhook/explanation.h"
#include "webhook/ledger.h"

static struct bw_ledger *ledger;
static json_t *told;

static int set_up_ledger(void **state)
{
    told = NULL;
    ledger = bw_ledger_create();
    int status = set_up(state);
    services.services.ledger = ledger;
    return status;
}

static int tear_down_ledger(void **state)
{
    json_decref(told);
    forget();
    bw_ledger_destroy(ledger);
    return tear_down(state);
}

/* The review of a pod, under a uid of its own. */
static const char *pod_with_uid(const char *uid, const char *image)
{
    const char *body = pod_of(image), *at = strstr(body, "\"u-1\"");
    return bw_arena_printf(&arena, "%.*s\"%s\"%s", (int)(at - body), body, uid, at + 5);
}

static struct bw_ledger_entry *find(const char *uid)
{
    return bw_ledger_find(ledger, uid, strlen(uid));
}

static bool is_kept(const char *uid)
{
    struct bw_ledger_entry *entry = find(uid);
    bw_ledger_entry_release(entry);
    return entry != NULL;
}

static const json_t *explain(const char *uid)
{
    struct bw_ledger_entry *entry = find(uid);
    assert_non_null(entry);
    char *text = bw_explanation_make(entry, NULL);
    bw_ledger_entry_release(entry);
    json_decref(told);
    told = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(told);
    return told;
}

static const json_t *image_told(const char *uid)
{
    return json_array_get(json_object_get(explain(uid), "images"), 0);
}

static const json_t *evaluation_of(const json_t *image)
{
    return json_array_get(json_object_get(image, "evaluations"), 0);
}

static void denial_is_told_with_rule_mapping_and_finding(void **state)
{
    (void)state;
    assert_false(is_allowed(admit(pod_of("ssh:1"))));
    const json_t *image = image_told("u-1");
    assert_string_equal(text_at(told, "uid", NULL), "u-1");
    assert_string_equal(text_at(told, "decision", NULL), "deny");
    assert_string_equal(text_at(told, "namespace", NULL), "shop");
    assert_string_equal(text_at(image, "image", NULL), "ssh:1");
    assert_string_equal(text_at(image, "field", NULL), "spec.containers[0].image");
    assert_string_equal(text_at(image, "mode", NULL), "policy");
    assert_string_equal(text_at(image, "outcome", NULL), "judged");
    assert_true(json_is_null(json_object_get(image, "selector")));
    const json_t *evaluation = evaluation_of(image);
    assert_string_equal(text_at(evaluation, "bundle", NULL), "prod");
    assert_string_equal(text_at(evaluation, "action", NULL), "stop");
    const json_t *finding = json_array_get(json_object_get(evaluation, "findings"), 0);
    assert_string_equal(text_at(finding, "rule", NULL), "r-ssh");
    const json_t *explained = json_object_get(evaluation, "explain");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(explained, "mappings"), "matched")), 0);
    const json_t *rules = json_object_get(json_array_get(json_object_get(explained, "policies"), 0), "rules");
    assert_string_equal(text_at(json_array_get(rules, 0), "outcome", NULL), "fired");
    assert_string_equal(text_at(json_array_get(rules, 1), "outcome", NULL), "silent");
}

static void what_is_not_judged_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *image, *outcome, *mode, *why;
    } rows[] = {
        {"", "UPPER/x y", "failed", "policy", "onError.invalidReference"},
        {"", "slow:1", "pending", "policy", "in time"},
        {"policySelectors: [{id: glass, mode: breakglass}]\n", "ssh:1", "passed", "breakglass", "mode of its selector"},
        {"policySelectors: [{id: pinned, mode: policy, requireDigest: deny}]\n", "clean:1", "refused", "policy",
         "by digest"},
        {"onNoSelectorMatch: allow\npolicySelectors: [{match: {namespaces: [other]}, mode: policy}]\n", "ssh:1",
         "passed", "policy", "onNoSelectorMatch"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services, rows[i].settings);
        (void)admit(pod_of(rows[i].image));
        const json_t *image = image_told("u-1");
        assert_string_equal(text_at(image, "image", NULL), rows[i].image);
        assert_string_equal(text_at(image, "outcome", NULL), rows[i].outcome);
        assert_string_equal(text_at(image, "mode", NULL), rows[i].mode);
        expect_text(text_at(image, "why", NULL), rows[i].why);
        assert_int_equal(json_array_size(json_object_get(image, "evaluations")), 0);
    }
}

static void selector_is_named(void **state)
{
    (void)state;
    fake_configure(&services,
                   "policySelectors: [{match: {namespaces: [other]}, mode: policy}, {id: shops, match: {namespaces: "
                   "[shop]}, mode: warn}]\n");
    (void)admit(pod_of("ssh:1"));
    const json_t *image = image_told("u-1"), *selector = json_object_get(image, "selector");
    assert_int_equal(json_integer_value(json_object_get(selector, "index")), 1);
    assert_string_equal(text_at(selector, "id", NULL), "shops");
    assert_string_equal(text_at(image, "mode", NULL), "warn");
    assert_string_equal(text_at(evaluation_of(image), "action", NULL), "stop");
}

static void bundle_of_then_counts(void **state)
{
    (void)state;
    (void)admit(pod_of("ssh:1"));
    forget();
    fake_load_bundle(&services, "{\"id\":\"other\",\"version\":\"1_0\",\"policies\":[],\"mappings\":[]}");
    assert_string_equal(text_at(evaluation_of(image_told("u-1")), "bundle", NULL), "prod");
}

static void image_that_is_forgotten_is_said_so(void **state)
{
    (void)state;
    (void)admit(pod_of("ssh:1"));
    fake.n_images = 0;
    const json_t *evaluation = evaluation_of(image_told("u-1"));
    expect_text(text_at(evaluation, "error", NULL), "not known any more");
    assert_null(json_object_get(evaluation, "action"));
}

static void image_before_and_state_of_the_tag_are_those_of_then(void **state)
{
    (void)state;
    static const char rule[] =
        "{\"id\":\"r-drift\",\"gate\":\"tag_drift\",\"trigger\":\"packages_modified\",\"action\":\"STOP\"},";
    const char *rules = strstr(fake_bundle, "\"rules\":[") + 9;
    for (int moved = 0; moved < 2; moved++) {
        fake_load_bundle(&services,
                         bw_arena_printf(&arena, "%.*s%s%s", (int)(rules - fake_bundle), fake_bundle, rule, rules));
        fake_set((struct fake_image){.name = "moves",
                                     .state = BW_IMAGE_READY,
                                     .dockerfile = "FROM moves\n",
                                     .package = "1.0",
                                     .previous = "0.8",
                                     .tag_moved = moved == 1});
        (void)admit(pod_of("moves"));
        const json_t *evaluation = evaluation_of(image_told("u-1"));
        const json_t *finding = json_array_get(json_object_get(evaluation, "findings"), 0);
        const json_t *reference = json_object_get(json_object_get(evaluation, "explain"), "reference");
        assert_int_equal(json_is_true(json_object_get(reference, "tag_counts")), moved == 0);
        if (moved == 0) {
            assert_string_equal(text_at(finding, "rule", NULL), "r-drift");
            expect_text(text_at(finding, "message", NULL), "0.8 in the previous image");
        }
    }
}

static void number_is_bounded_and_the_oldest_goes(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= BW_MAX_LEDGER_ENTRIES; i++) {
        (void)admit(pod_with_uid(bw_arena_printf(&arena, "n-%u", i), "clean:1"));
    }
    assert_false(is_kept("n-0"));
    assert_true(is_kept("n-1"));
    assert_true(is_kept(bw_arena_printf(&arena, "n-%u", (unsigned)BW_MAX_LEDGER_ENTRIES)));
    assert_false(is_kept("n-"));
}

static void old_bundles_are_not_held_for_long(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= BW_MAX_LEDGER_SETS; i++) {
        fake_load_bundle(&services, fake_bundle);
        (void)admit(pod_with_uid(bw_arena_printf(&arena, "a-%u", i), "clean:1"));
        (void)admit(pod_with_uid(bw_arena_printf(&arena, "b-%u", i), "clean:1"));
    }
    assert_false(is_kept("a-0"));
    assert_false(is_kept("b-0"));
    assert_true(is_kept("a-1"));
}

static void admission_without_images_is_not_kept(void **state)
{
    (void)state;
    (void)admit(pod(""));
    assert_false(is_kept("u-1"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_ledger, tear_down_ledger)
    const struct CMUnitTest tests[] = {
        CASE(denial_is_told_with_rule_mapping_and_finding),
        CASE(what_is_not_judged_says_why),
        CASE(selector_is_named),
        CASE(bundle_of_then_counts),
        CASE(image_that_is_forgotten_is_said_so),
        CASE(image_before_and_state_of_the_tag_are_those_of_then),
        CASE(number_is_bounded_and_the_oldest_goes),
        CASE(old_bundles_are_not_held_for_long),
        CASE(admission_without_images_is_not_kept),
    };
    return cmocka_run_group_tests_name("webhook/ledger", tests, NULL, NULL);
}
