/* Who may set the label that exempts a namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "webhook/namespace_review.h"

#include <string.h>

static struct bw_arena arena;
static struct bw_config *config;
static struct bw_admit_result result;

static const char settings[] = "exemptNamespaces: [\"build-*\", legacy]\n"
                               "exemptionAdmins: {users: [root@example.com], groups: [platform, sre]}\n";

static void configure(const char *text)
{
    struct bw_problems problems;
    struct bw_error err = {0};
    bw_problems_init(&problems);
    if (bw_config_load(&config, &problems, text, strlen(text), &err) != 0) {
        fail_msg("%s", err.message);
    }
    bw_problems_clear(&problems);
}

static int set_up(void **state)
{
    (void)state;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    configure(settings);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bw_config_release(config);
    bw_arena_clear(&arena);
    return 0;
}

/* Labels as JSON; NULL: there is no such object. */
static const char *object_with(const char *labels)
{
    return labels == NULL ? "null" : bw_arena_printf(&arena, "{\"metadata\":{\"name\":\"x\",\"labels\":%s}}", labels);
}

static void ask(const char *operation, const char *subresource, const char *name, const char *user, const char *group,
                const char *now, const char *before)
{
    const char *body = bw_arena_printf(
        &arena,
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u-1\",\"kind\":{"
        "\"kind\":\"Namespace\"},\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"namespaces\"},"
        "\"subResource\":\"%s\",\"name\":\"%s\",\"namespace\":\"%s\",\"operation\":\"%s\",\"userInfo\":{\"username\":"
        "\"%s\",\"groups\":[\"system:authenticated\",\"%s\"]},\"object\":%s,\"oldObject\":%s}}",
        subresource, name, name, operation, user, group, object_with(now), object_with(before));
    bw_namespace_review(&result, config, body, strlen(body), &arena);
}

static bool is_allowed(void)
{
    return result.http_status == 200 && strstr(result.body, "\"allowed\":true") != NULL;
}

static void expect_text(const char *part)
{
    if (strstr(result.body, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, result.body);
    }
}

#define SET   "{\"breakwater.io/admission\":\"ignore\"}"
#define OTHER "{\"breakwater.io/admission\":\"Ignore\",\"a\":\"b\"}"
#define PLAIN "{\"a\":\"b\"}"

static void label_is_guarded(void **state)
{
    (void)state;
    static const struct {
        const char *operation, *now, *before;
        bool guarded;
    } rows[] = {
        {"CREATE", PLAIN, NULL, false},
        {"CREATE", "null", NULL, false},
        {"CREATE", SET, NULL, true},
        {"UPDATE", PLAIN, PLAIN, false},
        {"UPDATE", SET, PLAIN, true},
        {"UPDATE", SET, "null", true},
        {"UPDATE", SET, NULL, true},
        {"UPDATE", SET, SET, false},
        {"UPDATE", OTHER, SET, true},
        {"UPDATE", PLAIN, SET, false},
        {"UPDATE", "{}", SET, false},
        {"DELETE", NULL, SET, false},
        {"UPDATE", "{\"breakwater.io/admission\":\"\"}", PLAIN, true},
        {"UPDATE", "{\"breakwater.io/admission\":null}", PLAIN, false},
        {"UPDATE", "{\"breakwater.io/admission\":7}", PLAIN, true},
        {"UPDATE", "{\"breakwater.io/admission\":\"a\\u0000b\"}", "{\"breakwater.io/admission\":\"a\"}", true},
        {"UPDATE", "{\"breakwater.io/admission\":\"ignore\",\"breakwater.io/admission\":\"x\"}", SET, true},
        {"UPDATE", "{\"breakwater.io\\/admission\":\"ignore\"}", PLAIN, true},
    };
    static const char *const subresources[] = {"", "status", "finalize"};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        for (size_t j = 0; j < BW_LENGTH(subresources); j++) {
            ask(rows[i].operation, subresources[j], "team-a", "jane", "devs", rows[i].now, rows[i].before);
            if (is_allowed() != !rows[i].guarded) {
                fail_msg("row %zu, %s: %s", i, subresources[j], result.body);
            }
        }
        ask(rows[i].operation, "", "team-a", "root@example.com", "devs", rows[i].now, rows[i].before);
        assert_true(is_allowed());
    }
}

static void some_may(void **state)
{
    (void)state;
    static const struct {
        const char *name, *user, *group, *reason; /* reason NULL: denied */
    } rows[] = {
        {"team-a", "jane", "devs", NULL},
        {"team-a", "root@example.com", "devs", "exemption_admin"},
        {"team-a", "jane", "sre", "exemption_admin"},
        {"team-a", "sre", "devs", NULL},
        {"team-a", "jane", "root@example.com", NULL},
        {"build-7", "jane", "devs", "exempt_namespace"},
        {"legacy", "jane", "devs", "exempt_namespace"},
        {"legacy2", "jane", "devs", NULL},
        {"rebuild-7", "jane", "devs", NULL},
        {"", "jane", "devs", NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        ask("UPDATE", "", rows[i].name, rows[i].user, rows[i].group, SET, PLAIN);
        if (is_allowed() != (rows[i].reason != NULL)) {
            fail_msg("row %zu: %s", i, result.body);
        }
        assert_string_equal(result.reason, rows[i].reason == NULL ? "exemption_label" : rows[i].reason);
    }
}

static void denial_says_who_may(void **state)
{
    (void)state;
    ask("UPDATE", "", "team-a", "jane", "devs", SET, PLAIN);
    expect_text("\"code\":403,\"reason\":\"Forbidden\"");
    expect_text("jane may not set the label breakwater.io/admission of namespace team-a");
    expect_text("users root@example.com; groups platform, sre; anybody in the namespaces build-*, legacy");
    assert_string_equal(result.decision, "deny");
    assert_string_equal(result.resource, "namespaces");
    bw_config_release(config);
    configure("");
    ask("UPDATE", "", "team-a", "jane", "system:masters", SET, PLAIN);
    assert_false(is_allowed());
    expect_text("nobody");
}

static void what_cannot_be_read_is_not_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int http_status;
    } rows[] = {
        {"not", 400},
        {"{}", 400},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\"}}", 200},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/"
         "v1\",\"request\":{\"uid\":\"u\",\"operation\":"
         "\"UPDATE\",\"resource\":{\"resource\":\"namespaces\"}}}",
         200},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/"
         "v1\",\"request\":{\"uid\":\"u\",\"operation\":"
         "\"UPDATE\",\"resource\":{\"resource\":\"namespaces\"},\"object\":[]}}",
         200},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/"
         "v1\",\"request\":{\"uid\":\"u\",\"operation\":"
         "\"CREATE\",\"resource\":{\"resource\":\"pods\"},\"object\":{}}}",
         200},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/"
         "v1\",\"request\":{\"uid\":\"u\",\"operation\":"
         "\"CREATE\",\"resource\":{\"group\":\"example.com\",\"resource\":\"namespaces\"},\"object\":{}}}",
         200},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        bw_namespace_review(&result, config, rows[i].body, strlen(rows[i].body), &arena);
        assert_int_equal(result.http_status, rows[i].http_status);
        if (result.http_status == 200) {
            expect_text("\"allowed\":false");
            assert_string_equal(result.reason, "malformed");
        }
    }
    char *large = bw_arena_alloc(&arena, BW_MAX_NAMESPACE_REVIEW_BYTES + 1);
    memset(large, ' ', BW_MAX_NAMESPACE_REVIEW_BYTES + 1);
    bw_namespace_review(&result, config, large, BW_MAX_NAMESPACE_REVIEW_BYTES + 1, &arena);
    assert_int_equal(result.http_status, 400);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(label_is_guarded),
        CASE(some_may),
        CASE(denial_says_who_may),
        CASE(what_cannot_be_read_is_not_allowed),
    };
    return cmocka_run_group_tests_name("webhook/namespace_review", tests, NULL, NULL);
}
