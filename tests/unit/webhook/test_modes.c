/* Selectors, modes, exemptions and break-glass in admissions (K-401 ff.): who is judged by what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asking.h"

static const char *labelled(const char *image, const char *metadata)
{
    return review("CREATE", "", "pods", "jane", "'devs'",
                  bw_arena_printf(&arena, "{'metadata':{'name':'web',%s},'spec':{'containers':[{'image':'%s'}]}}",
                                  metadata, image),
                  "null");
}

static void modes_decide_what_becomes_of_an_image(void **state)
{
    (void)state;
    static const struct {
        const char *mode, *image;
        bool allowed;
        const char *decision, *reason, *part; /* part: of the message or the warnings */
    } rows[] = {
        {"policy", "ssh", false, "deny", "policy", "No ssh in images"},
        {"policy", "clean", true, "allow", "policy", ""},
        {"warn", "ssh", true, "warn", "policy", "would deny: spec.containers[0].image ssh"},
        {"warn", "clean", true, "allow", "policy", ""},
        {"warn", "unheard-of", true, "warn", "analysis", "would deny: "},
        {"analysis", "ssh", true, "allow", "analysis", ""},
        {"analysis", "unheard-of", false, "pending", "analysis", "the analysis is running"},
        {"passive", "ssh", true, "allow", "passive", ""},
        {"passive", "unheard-of", true, "allow", "passive", ""},
        {"breakglass", "ssh", true, "break-glass", "break_glass", "admitted unchecked"},
        {"breakglass", "unheard-of", true, "break-glass", "break_glass", "admitted unchecked"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services,
                       bw_arena_printf(&arena,
                                       "policySelectors: [{selector: {resourceType: image, selectorKeyRegex: '', "
                                       "selectorValueRegex: '.'}, mode: %s}]\n",
                                       rows[i].mode));
        json_t *node = admit(pod_of(rows[i].image));
        if (is_allowed(node) != rows[i].allowed || strcmp(result->decision, rows[i].decision) != 0 ||
            strcmp(result->reason, rows[i].reason) != 0) {
            fail_msg("%s %s: %s for %s", rows[i].mode, rows[i].image, result->decision, result->reason);
        }
        expect_text(bw_arena_printf(&arena, "%s%s", message_of(node), warnings_of(node)), rows[i].part);
        assert_string_equal(text_at(node, "auditAnnotations", "mode"), rows[i].mode);
    }
}

static void each_image_falls_to_its_own_selector(void **state)
{
    (void)state;
    fake_configure(&services, "policySelectors:\n"
                              "- {id: lab, match: {images: ['docker.io/library/ssh:*']}, mode: warn}\n"
                              "- {id: rest, match: {}, mode: policy}\n");
    json_t *node = admit(pod("{'image':'ssh'},{'image':'banned'}"));
    assert_int_equal(code_of(node), 403);
    expect_text(message_of(node), "1 of 2 images");
    expect_text(message_of(node), "banned");
    assert_null(strstr(message_of(node), "No ssh"));
    expect_text(warnings_of(node), "would deny: spec.containers[0].image ssh");
}

static void without_a_selector_the_setting_decides(void **state)
{
    (void)state;
    static const struct {
        const char *setting;
        const char *decision, *reason;
    } rows[] = {{"", "deny", "policy"},
                {"onNoSelectorMatch: policy\n", "deny", "policy"},
                {"onNoSelectorMatch: allow\n", "allow", "no_selector"},
                {"onNoSelectorMatch: deny\n", "deny", "selector"}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services,
                       bw_arena_printf(&arena, "%spolicySelectors: [{match: {namespaces: [other]}, mode: passive}]\n",
                                       rows[i].setting));
        (void)admit(pod_of("ssh"));
        assert_string_equal(result->decision, rows[i].decision);
        assert_string_equal(result->reason, rows[i].reason);
    }
}

static void break_glass_wants_a_right_and_a_reason(void **state)
{
    (void)state;
    static const char selector[] =
        "policySelectors: [{id: emergency, selector: {resourceType: resource, selectorKeyRegex: '^breakglass$', "
        "selectorValueRegex: '^true$'}, mode: breakglass}]\n";
    static const struct {
        const char *setting, *metadata;
        const char *decision, *part;
    } rows[] = {
        {"", "'labels':{'breakglass':'true'}", "break-glass", "admitted unchecked"},
        {"", "'labels':{'breakglass':'no'}", "deny", "No ssh"},
        {"breakGlass: {users: [jane]}\n", "'labels':{'breakglass':'true'}", "break-glass", "admitted unchecked"},
        {"breakGlass: {groups: [devs]}\n", "'labels':{'breakglass':'true'}", "break-glass", "admitted unchecked"},
        {"breakGlass: {groups: [sre]}\n", "'labels':{'breakglass':'true'}", "deny", "who may not"},
        {"breakGlass: {requireReason: true}\n", "'labels':{'breakglass':'true'}", "deny", "break-glass-reason"},
        {"breakGlass: {requireReason: true}\n",
         "'labels':{'breakglass':'true'},'annotations':{'breakwater.io/break-glass-reason':'INC-7 shop is down'}",
         "break-glass", "INC-7 shop is down"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services, bw_arena_printf(&arena, "%s%s", rows[i].setting, selector));
        json_t *node = admit(labelled("ssh", rows[i].metadata));
        assert_string_equal(result->decision, rows[i].decision);
        expect_text(bw_arena_printf(&arena, "%s%s", message_of(node), warnings_of(node)), rows[i].part);
    }
    assert_string_equal(text_at(response(), "auditAnnotations", "break-glass-reason"), "INC-7 shop is down");
    assert_string_equal(text_at(response(), "auditAnnotations", "selector"), "emergency");
}

/* Under an outage of everything the glass still breaks. */
static void break_glass_needs_neither_bundle_nor_registry(void **state)
{
    (void)state;
    fake_load_bundle(&services, NULL);
    fake_configure(&services, "policySelectors: [{match: {}, mode: breakglass}]\n");
    assert_true(is_allowed(admit(pod_of("unheard-of"))));
    assert_int_equal(fake.asked, 1); /* requestAnalysis */
    fake_configure(&services, "policySelectors: [{match: {}, mode: breakglass, requestAnalysis: false}]\n");
    assert_true(is_allowed(admit(pod_of("unheard-of"))));
    assert_int_equal(fake.asked, 1);
}

static void exemptions_admit_for_their_time(void **state)
{
    (void)state;
    struct bw_digest digest;
    bw_digest_of(&digest, "ssh", 3); /* what the catalog says that the tag leads to */
    const struct {
        const char *exemption;
        bool allowed;
    } rows[] = {
        {"images: ['docker.io/library/ssh:*'], expires: '2999-01-01T00:00:00Z'", true},
        {"images: ['ssh*'], expires: '2999-01-01T00:00:00Z'", true},
        {"images: ['docker.io/library/ssh:*'], expires: '2020-01-01T00:00:00Z'", false},
        {"images: ['docker.io/library/http:*'], expires: '2999-01-01T00:00:00Z'", false},
        {"images: ['*'], namespaces: [sho*], expires: '2999-01-01T00:00:00Z'", true},
        {"images: ['*'], namespaces: [other], expires: '2999-01-01T00:00:00Z'", false},
        {bw_arena_printf(&arena, "images: ['%s'], expires: '2999-01-01T00:00:00Z'", digest.text), true},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services,
                       bw_arena_printf(&arena, "exemptions: [{id: ex-1, reason: vendor, %s}]\n", rows[i].exemption));
        json_t *node = admit(pod_of("ssh:1"));
        if (is_allowed(node) != rows[i].allowed) {
            fail_msg("%s: %s", rows[i].exemption, result->decision);
        }
        assert_string_equal(text_at(node, "auditAnnotations", "exemption"), rows[i].allowed ? "ex-1" : "");
    }
}

/* D44: what runs is the digest. */
static void a_tag_beside_a_digest_exempts_nothing(void **state)
{
    (void)state;
    static const char evil[] = "ssh:approved@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    fake_configure(&services, "exemptions: [{id: ex-1, reason: vendor, images: ['*:approved*'], expires: "
                              "'2999-01-01T00:00:00Z'}]\n");
    assert_true(is_allowed(admit(pod_of("ssh:approved"))));
    assert_false(is_allowed(admit(pod_of(evil))));
}

static void a_digest_may_be_required(void **state)
{
    (void)state;
    static const char pinned[] = "clean@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const struct {
        const char *setting, *image;
        bool allowed;
        const char *part;
    } rows[] = {{"deny", "clean:1", false, "have to be named by digest"},
                {"deny", pinned, true, ""},
                {"warn", "clean:1", true, "have to be named by digest"},
                {"off", "clean:1", true, ""}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services,
                       bw_arena_printf(&arena, "policySelectors: [{match: {}, mode: policy, requireDigest: %s}]\n",
                                       rows[i].setting));
        json_t *node = admit(pod_of(rows[i].image));
        assert_int_equal(is_allowed(node), rows[i].allowed);
        expect_text(bw_arena_printf(&arena, "%s%s", message_of(node), warnings_of(node)), rows[i].part);
    }
}

static void a_selector_may_name_its_bundle(void **state)
{
    (void)state;
    fake_configure(&services, "policySelectors: [{match: {}, policyReference: {bundle: prod}, mode: policy}]\n");
    assert_int_equal(code_of(admit(pod_of("ssh"))), 403);
    fake_configure(&services, "policySelectors: [{match: {}, policyReference: {bundle: missing}, mode: policy}]\n");
    json_t *node = admit(pod_of("clean"));
    assert_int_equal(code_of(node), 503);
    assert_string_equal(result->reason, "noBundle");
    expect_text(message_of(node), "policy bundle missing");
}

static void a_bundle_that_only_warns_denies_nothing(void **state)
{
    (void)state;
    struct bw_bundle_set *set = bw_slot_acquire(&services.bundles);
    struct bw_bundle_item item = {.bundle = bw_bundle_set_find(set, NULL), .origin = "configmap", .warn_only = true};
    bw_slot_replace(&services.bundles, bw_bundle_set_create(&item, 1, NULL));
    bw_bundle_set_release(set);
    json_t *node = admit(pod_of("ssh"));
    assert_true(is_allowed(node));
    expect_text(warnings_of(node), "would deny: ");
    assert_string_equal(text_at(node, "auditAnnotations", "mode"), "warn");
}

static void namespace_metadata_decides_or_nothing_does(void **state)
{
    (void)state;
    static const char setting[] = "policySelectors:\n"
                                  "- {selector: {resourceType: namespace, selectorKeyRegex: '^env$', "
                                  "selectorValueRegex: '^lab$'}, mode: passive}\n"
                                  "- {match: {}, mode: policy}\n";
    static const struct {
        const char *namespace; /* NULL: it is not known */
        const char *decision, *reason;
    } rows[] = {
        {"{'metadata':{'name':'shop','labels':{'env':'lab'}}}", "allow", "passive"},
        {"{'metadata':{'name':'shop','annotations':{'env':'lab'}}}", "allow", "passive"},
        {"{'metadata':{'name':'shop','labels':{'env':'prod'}}}", "deny", "policy"},
        {NULL, "error", "internal"},
    };
    fake_configure(&services, setting);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_metadata_store *store = bw_metadata_store_create(NULL, NULL);
        char *text = rows[i].namespace == NULL ? NULL : bw_arena_strdup(&arena, rows[i].namespace);
        for (char *c = text; c != NULL && *c != '\0'; c++) {
            *c = *c == '\'' ? '"' : *c;
        }
        json_t *object = text == NULL ? NULL : json_loads(text, 0, NULL);
        if (object != NULL) {
            bw_metadata_store_put(store, bw_json_root(object));
        }
        services.services.namespaces = store;
        (void)admit(pod_of("ssh"));
        assert_string_equal(result->decision, rows[i].decision);
        assert_string_equal(result->reason, rows[i].reason);
        forget();
        json_decref(object);
        services.services.namespaces = NULL;
        bw_metadata_store_destroy(store);
    }
}

static void what_waits_may_be_admitted_by_a_selector(void **state)
{
    (void)state;
    fake_configure(&services, "policySelectors: [{match: {}, mode: policy, onPending: warn}]\n");
    json_t *node = admit(pod_of("unheard-of"));
    assert_true(is_allowed(node));
    expect_text(warnings_of(node), "the analysis is running");
}

static void platforms_come_from_the_nodes(void **state)
{
    (void)state;
    struct bw_metadata_store *nodes = bw_metadata_store_create("kubernetes.io/os", "kubernetes.io/arch");
    json_t *node = json_loads("{\"metadata\":{\"name\":\"n1\",\"labels\":{\"kubernetes.io/os\":\"linux\","
                              "\"kubernetes.io/arch\":\"riscv64\"}}}",
                              0, NULL);
    bw_metadata_store_put(nodes, bw_json_root(node));
    services.services.nodes = nodes;
    fake_configure(&services, "defaultPlatforms: [linux/amd64, linux/arm64]\n");
    (void)admit(pod_of("clean"));
    assert_int_equal(fake.n_platforms, 2); /* there may be more of them */
    bw_metadata_store_set_whole(nodes);
    (void)admit(pod_of("clean"));
    assert_int_equal(fake.n_platforms, 1);
    assert_string_equal(fake.platform, "linux/riscv64");
    services.services.nodes = NULL;
    (void)admit(pod_of("clean"));
    assert_int_equal(fake.n_platforms, 2);
    forget();
    json_decref(node);
    bw_metadata_store_destroy(nodes);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(modes_decide_what_becomes_of_an_image),
        CASE(each_image_falls_to_its_own_selector),
        CASE(without_a_selector_the_setting_decides),
        CASE(break_glass_wants_a_right_and_a_reason),
        CASE(break_glass_needs_neither_bundle_nor_registry),
        CASE(exemptions_admit_for_their_time),
        CASE(a_tag_beside_a_digest_exempts_nothing),
        CASE(a_digest_may_be_required),
        CASE(a_selector_may_name_its_bundle),
        CASE(a_bundle_that_only_warns_denies_nothing),
        CASE(namespace_metadata_decides_or_nothing_does),
        CASE(what_waits_may_be_admitted_by_a_selector),
        CASE(platforms_come_from_the_nodes),
    };
    return cmocka_run_group_tests_name("webhook/modes", tests, NULL, NULL);
}
