/* AdmissionReview in and out: the recorded bodies, what is refused and where, and the limits of an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/watch_dir.h"
#include "k8s/admission_review.h"

#include <stdlib.h>
#include <string.h>

#define UID "5b0c1f0e-6a55-4d0e-9b8e-2f3f6f1a77aa"

static struct bw_admission_request request;
static struct bw_review_head head;
static struct bw_arena arena;
static struct bw_error error;

static int set_up(void **state)
{
    (void)state;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    memset(&request, 0, sizeof(request));
    memset(&error, 0, sizeof(error));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bw_admission_request_clear(&request);
    bw_arena_clear(&arena);
    return 0;
}

static int decode(const char *body)
{
    return bw_admission_review_decode(&request, &head, body, strlen(body), &arena, &error);
}

static void recorded_bodies_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *file, *uid_start, *group, *resource, *subresource, *name, *operation, *username;
        bool dry_run, object, old_object;
    } rows[] = {
        {"cronjob-create", "aa0e3bba", "batch", "cronjobs", "", "cj", "CREATE", "admin", false, true, false},
        {"deployment-create", "", "apps", "deployments", "", "d1", "CREATE", "admin", false, true, false},
        {"deployment-scale-update", "460776a7", "apps", "deployments", "scale", "d1", "UPDATE", "admin", false, true,
         true},
        {"job-create", "", "batch", "jobs", "", "", "CREATE", "admin", false, true, false},
        {"pod-create", "", "", "pods", "", "p1", "CREATE", "admin", false, true, false},
        {"pod-create-by-replicaset", "", "", "pods", "", "", "CREATE", "admin", false, true, false},
        {"pod-create-dryrun-server", "", "", "pods", "", "", "CREATE", "admin", true, true, false},
        {"pod-create-generatename", "", "", "pods", "", "", "CREATE", "admin", false, true, false},
        {"pod-create-image-volume", "1fe3b354", "", "pods", "", "iv", "CREATE", "admin", false, true, false},
        {"pod-create-sidecar-init", "", "", "pods", "", "", "CREATE", "admin", false, true, false},
        {"pod-delete", "", "", "pods", "", "", "DELETE", "admin", false, false, true},
        {"pod-ephemeralcontainers-kubectl-debug", "f2de95ff", "", "pods", "ephemeralcontainers", "p1", "UPDATE",
         "admin", false, true, true},
        {"pod-update-image", "", "", "pods", "", "p1", "UPDATE", "admin", false, true, true},
        {"pod-update-label", "", "", "pods", "", "p1", "UPDATE", "admin", false, true, true},
        {"replicaset-create", "", "apps", "replicasets", "", "", "CREATE", "admin", false, true, false},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char path[512], *body = NULL;
        size_t len = 0;
        snprintf(path, sizeof(path), "%s/reviews/%s.json", TEST_DATA, rows[i].file);
        assert_int_equal(bw_file_read(&body, &len, path, BW_MAX_REVIEW_BYTES, &error), 0);
        if (bw_admission_review_decode(&request, &head, body, len, &arena, &error))
            fail_msg("%s: %s", rows[i].file, error.message);
        free(body);
        assert_string_equal(request.api_version, "admission.k8s.io/v1");
        assert_int_equal(strlen(request.uid), 36);
        assert_string_equal(request.uid, head.uid);
        assert_int_equal(strncmp(request.uid, rows[i].uid_start, strlen(rows[i].uid_start)), 0);
        assert_string_equal(request.resource_group, rows[i].group);
        assert_string_equal(request.resource, rows[i].resource);
        assert_string_equal(request.subresource, rows[i].subresource);
        assert_string_equal(request.operation, rows[i].operation);
        assert_string_equal(request.username, rows[i].username);
        assert_string_equal(request.groups[0], "system:masters");
        assert_string_equal(request.groups[1], "system:authenticated");
        assert_null(request.groups[2]);
        assert_string_equal(request.namespace, "default");
        assert_true(request.name[0] != '\0');
        if (rows[i].name[0])
            assert_string_equal(request.name, rows[i].name);
        assert_int_equal(request.dry_run, rows[i].dry_run);
        assert_int_equal(request.object.node != NULL, rows[i].object);
        assert_int_equal(request.old_object.node != NULL, rows[i].old_object);
        bw_admission_request_clear(&request);
    }
}

static void malformed_reviews_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
        bool has_uid; /* answered inside a review */
    } rows[] = {
        {"", "line 1", false},
        {"not json", "line 1", false},
        {"[]", "expected an object, found an array", false},
        {"{}", "/kind: expected \"AdmissionReview\"", false},
        {"{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}", "found \"Pod\"", false},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v2\",\"request\":{\"uid\":\"u\"}}",
         "admission.k8s.io/v2", false},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\"}", "'request' is missing", false},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":null}", "found null", false},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{}}", "uid is missing",
         false},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":7}}",
         "/request/uid: expected a string, found an integer", false},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"a\\u0000b\"}}",
         "NUL", false},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\"}}",
         "/request/operation: expected CREATE", true},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\","
         "\"operation\":\"PATCH\"}}",
         "found \"PATCH\"", true},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\","
         "\"operation\":\"CREATE\"}}",
         "/request/resource/resource is missing", true},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\","
         "\"operation\":\"CREATE\",\"resource\":{\"resource\":\"pods\"},\"object\":[]}}",
         "/request/object: expected an object, found an array", true},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\","
         "\"operation\":\"CREATE\",\"resource\":{\"resource\":\"pods\"},\"userInfo\":{\"groups\":[7]}}}",
         "/request/userInfo/groups/0: expected a string", true},
        {"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\","
         "\"operation\":\"CREATE\",\"resource\":{\"resource\":\"pods\"},\"dryRun\":\"yes\"}}",
         "/request/dryRun: expected a boolean", true},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        if (decode(rows[i].body) == 0)
            fail_msg("taken: %s", rows[i].body);
        assert_int_equal(error.code, BW_EINPUT);
        if (!strstr(error.message, rows[i].message))
            fail_msg("%s\ngives: %s", rows[i].body, error.message);
        assert_int_equal(head.uid != NULL, rows[i].has_uid);
        assert_null(request.document);
    }
}

static void body_of_too_many_values_is_refused_before_it_becomes_a_tree(void **state)
{
    (void)state;
    size_t pairs = BW_MAX_REVIEW_VALUES + 10;
    char *body = malloc(pairs * 3 + 2);
    assert_non_null(body);
    char *at = body;
    *at++ = '[';
    for (size_t i = 0; i < pairs; i++, at += 3)
        memcpy(at, "[],", 3);
    at[-1] = ']';
    assert_int_equal(bw_admission_review_decode(&request, &head, body, (size_t)(at - body), &arena, &error), -1);
    assert_int_equal(error.code, BW_ELIMIT);
    free(body);
}

static void nul_in_an_annotation_is_read(void **state)
{
    (void)state;
    assert_int_equal(decode("{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\",\"request\":{"
                            "\"uid\":\"u\",\"operation\":\"CREATE\",\"resource\":{\"resource\":\"pods\"},\"object\":{"
                            "\"metadata\":{\"generateName\":\"web-\",\"annotations\":{\"a\":\"x\\u0000y\"}}},"
                            "\"new\":[1e3,123456789012345678]}}"),
                     0);
    assert_string_equal(request.api_version, "admission.k8s.io/v1beta1");
    assert_string_equal(request.name, "web-*");
    assert_string_equal(request.namespace, "");
    assert_null(request.groups[0]);
}

/* ---- answers ---- */

static json_t *answer(const struct bw_admission_response *response)
{
    const char *text = NULL;
    size_t len = 0;
    assert_int_equal(bw_admission_review_encode(&text, &len, response, &arena, &error), 0);
    assert_int_equal(strlen(text), len);
    json_error_t fault;
    json_t *root = json_loads(text, 0, &fault);
    if (!root)
        fail_msg("%s: %s", fault.text, text);
    return root;
}

static const char *text_at(const json_t *node, const char *key)
{
    return json_string_value(json_object_get(node, key));
}

static void allowed_answer_is_bare(void **state)
{
    (void)state;
    const char *text = NULL;
    size_t len = 0;
    struct bw_admission_response response = {.api_version = "admission.k8s.io/v1", .uid = UID, .allowed = true};
    assert_int_equal(bw_admission_review_encode(&text, &len, &response, &arena, &error), 0);
    assert_string_equal(text, "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"response\":{"
                              "\"uid\":\"" UID "\",\"allowed\":true}}");
}

static void denial_carries_status_details_and_causes(void **state)
{
    (void)state;
    struct bw_status_cause causes[BW_MAX_CAUSES + 6];
    for (size_t i = 0; i < BW_LENGTH(causes); i++)
        causes[i] = (struct bw_status_cause){"dockerfile:effective_user", "spec.containers[0].image", "runs as root"};
    struct bw_admission_response response = {.api_version = "admission.k8s.io/v1beta1",
                                             .uid = "\"quoted\"",
                                             .code = 429,
                                             .reason = "TooManyRequests",
                                             .message = "line one\nline\ttwo\x1b[31m",
                                             .retry_after_s = 3,
                                             .details_name = "p1",
                                             .details_kind = "pods",
                                             .causes = causes,
                                             .n_causes = BW_LENGTH(causes)};
    json_t *root = answer(&response), *body = json_object_get(root, "response");
    json_t *status = json_object_get(body, "status"), *details = json_object_get(status, "details");
    assert_string_equal(text_at(root, "apiVersion"), "admission.k8s.io/v1beta1");
    assert_string_equal(text_at(body, "uid"), "\"quoted\"");
    assert_true(json_is_false(json_object_get(body, "allowed")));
    assert_string_equal(text_at(status, "status"), "Failure");
    assert_int_equal(json_integer_value(json_object_get(status, "code")), 429);
    assert_string_equal(text_at(status, "reason"), "TooManyRequests");
    assert_string_equal(text_at(status, "message"), "line one\nline?two?[31m");
    assert_string_equal(text_at(details, "name"), "p1");
    assert_null(json_object_get(details, "group"));
    assert_int_equal(json_integer_value(json_object_get(details, "retryAfterSeconds")), 3);
    assert_int_equal(json_array_size(json_object_get(details, "causes")), BW_MAX_CAUSES);
    assert_null(json_object_get(body, "patch"));
    json_decref(root);

    response = (struct bw_admission_response){
        .api_version = "admission.k8s.io/v1", .uid = "u", .code = 403, .causes = causes, .n_causes = 1};
    root = answer(&response);
    details = json_object_get(json_object_get(json_object_get(root, "response"), "status"), "details");
    assert_int_equal(json_object_size(details), 1);
    json_decref(root);
}

static void long_message_is_cut_between_characters(void **state)
{
    (void)state;
    char message[3 * BW_MAX_DENY_MESSAGE + 1];
    for (size_t i = 0; i + 2 < sizeof(message); i += 2)
        memcpy(message + i, "\xc3\xa4", 2);
    message[sizeof(message) - 1] = '\0';
    struct bw_admission_response response = {
        .api_version = "admission.k8s.io/v1", .uid = "u", .code = 403, .reason = "Forbidden", .message = message};
    json_t *root = answer(&response);
    const char *text = text_at(json_object_get(json_object_get(root, "response"), "status"), "message");
    assert_true(strlen(text) <= BW_MAX_DENY_MESSAGE);
    assert_true(strlen(text) > BW_MAX_DENY_MESSAGE - 8);
    assert_string_equal(text + strlen(text) - 3, "\xe2\x80\xa6");
    json_decref(root);
}

static void warnings_keep_to_the_limits(void **state)
{
    (void)state;
    char lengthy[1000];
    memset(lengthy, 'w', sizeof(lengthy));
    lengthy[sizeof(lengthy) - 1] = '\0';
    const char *warnings[] = {"one\nline", "breakwater: prefixed", "one\tline", lengthy};
    struct bw_admission_response response = {.api_version = "admission.k8s.io/v1",
                                             .uid = "u",
                                             .allowed = true,
                                             .warnings = warnings,
                                             .n_warnings = BW_LENGTH(warnings)};
    json_t *root = answer(&response), *list = json_object_get(json_object_get(root, "response"), "warnings");
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(json_string_value(json_array_get(list, 0)), "breakwater: one line");
    assert_string_equal(json_string_value(json_array_get(list, 1)), "breakwater: prefixed");
    assert_true(json_string_length(json_array_get(list, 2)) <= 256);
    json_decref(root);

    const char *many[50];
    for (size_t length = 10; length <= 200; length += 190) {
        size_t total = 0;
        for (size_t i = 0; i < BW_LENGTH(many); i++)
            many[i] = bw_arena_printf(&arena, "%0*zu", (int)length, i);
        response.warnings = many;
        response.n_warnings = BW_LENGTH(many);
        root = answer(&response);
        list = json_object_get(json_object_get(root, "response"), "warnings");
        assert_true(json_array_size(list) <= BW_MAX_ADMISSION_WARNINGS);
        for (size_t i = 0; i < json_array_size(list); i++)
            total += json_string_length(json_array_get(list, i));
        assert_true(total <= BW_MAX_ADMISSION_WARNING_BYTES);
        char last[64];
        snprintf(last, sizeof(last), "breakwater: %zu more warnings", BW_LENGTH(many) - (json_array_size(list) - 1));
        assert_string_equal(json_string_value(json_array_get(list, json_array_size(list) - 1)), last);
        json_decref(root);
    }
}

static void annotations_have_valid_keys_and_bounded_values(void **state)
{
    (void)state;
    char value[5000];
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    const struct bw_annotation annotations[] = {
        {"decision", "deny"}, {"break-glass-reason", value}, {"-bad", "x"}, {"a/b", "x"}, {"", "x"},
        {"none", NULL},       {"Also_good.1", "x\ny"}};
    struct bw_admission_response response = {.api_version = "admission.k8s.io/v1",
                                             .uid = "u",
                                             .allowed = true,
                                             .annotations = annotations,
                                             .n_annotations = BW_LENGTH(annotations)};
    json_t *root = answer(&response), *map = json_object_get(json_object_get(root, "response"), "auditAnnotations");
    assert_int_equal(json_object_size(map), 3);
    assert_string_equal(text_at(map, "decision"), "deny");
    assert_int_equal(json_string_length(json_object_get(map, "break-glass-reason")), 4096);
    assert_string_equal(text_at(map, "Also_good.1"), "x\ny");
    json_decref(root);
}

static void spent_arena_is_a_limit_everywhere(void **state)
{
    (void)state;
    char *body = NULL;
    size_t len = 0;
    assert_int_equal(
        bw_file_read(&body, &len, TEST_DATA "/reviews/pod-create-generatename.json", BW_MAX_REVIEW_BYTES, &error), 0);
    const char *warnings[] = {"w"};
    const struct bw_status_cause causes[] = {{"r", "f", "m"}};
    const struct bw_annotation annotations[] = {{"decision", "deny"}};
    struct bw_admission_response response = {
        "admission.k8s.io/v1", "u", false, 403, "Forbidden", "m", 0, "n", "g", "k", causes, 1, warnings, 1,
        annotations,           1};
    size_t refused = 0;
    for (size_t budget = 0;; budget++) {
        struct bw_arena small;
        bw_arena_init(&small, budget);
        const char *text;
        size_t text_len;
        int failed = bw_admission_review_decode(&request, &head, body, len, &small, &error);
        bw_admission_request_clear(&request);
        bw_arena_clear(&small);
        if (!failed)
            failed = bw_admission_review_encode(&text, &text_len, &response, &small, &error);
        bw_arena_clear(&small);
        if (!failed)
            break;
        assert_int_equal(error.code, BW_ELIMIT);
        refused++;
    }
    assert_true(refused > 100);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(recorded_bodies_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_reviews_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(body_of_too_many_values_is_refused_before_it_becomes_a_tree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nul_in_an_annotation_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(allowed_answer_is_bare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(denial_carries_status_details_and_causes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_message_is_cut_between_characters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(warnings_keep_to_the_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(annotations_have_valid_keys_and_bounded_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spent_arena_is_a_limit_everywhere, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("k8s/admission_review", tests, NULL, NULL);
}
