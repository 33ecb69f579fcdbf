/* One admission from body to answer, without a socket: a catalog that answers as told, real bundles, real evaluation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asking.h"

#include "base/watch_dir.h"

/* ---- verdicts ---- */

static void clean_image_is_admitted_in_silence(void **state)
{
    (void)state;
    json_t *node = admit(pod_of("clean:1"));
    assert_true(is_allowed(node));
    assert_string_equal(text_at(node, "uid", NULL), "u-1");
    assert_null(json_object_get(node, "status"));
    assert_null(json_object_get(node, "warnings"));
    assert_string_equal(text_at(node, "auditAnnotations", "decision"), "allow");
    expect_text(text_at(node, "auditAnnotations", "bundle"), "prod@");
    assert_string_equal(text_at(node, "auditAnnotations", "policy"), "p1");
    expect_text(text_at(node, "auditAnnotations", "images"), "\"verdict\":\"go\"");
    assert_int_equal(result->http_status, 200);
    assert_string_equal(result->decision, "allow");
    expect_text(result->images, "[{\"image\":");
}

static void denial_names_field_image_rule_and_policy(void **state)
{
    (void)state;
    json_t *node = admit(pod("{'name':'a','image':'clean:1'},{'name':'b','image':'ssh:2'}"));
    assert_false(is_allowed(node));
    assert_int_equal(code_of(node), 403);
    assert_string_equal(text_at(node, "status", "reason"), "Forbidden");
    const char *message = message_of(node);
    assert_int_equal(strncmp(message, "1 of 2 images stopped by policy\n", 32), 0);
    expect_text(message, "\nspec.containers[1].image ssh:2 [");
    expect_text(message, "dockerfile:exposed_ports STOP No ssh in images (");
    expect_text(message, "(policy base, rule r-ssh)");
    const json_t *details = json_object_get(json_object_get(node, "status"), "details");
    assert_string_equal(text_at(details, "kind", NULL), "pods");
    assert_string_equal(text_at(details, "name", NULL), "web");
    const json_t *cause = json_array_get(json_object_get(details, "causes"), 0);
    assert_string_equal(text_at(cause, "reason", NULL), "dockerfile:exposed_ports");
    assert_string_equal(text_at(cause, "field", NULL), "spec.containers[1].image");
    assert_string_equal(result->decision, "deny");
    assert_string_equal(result->reason, "policy");
}

static void same_image_is_asked_once_and_told_with_every_field(void **state)
{
    (void)state;
    json_t *node =
        admit(pod("{'image':'ssh:2'},{'image':'clean'},{'image':'ssh:2'},{'image':'ssh:2'},{'image':'ssh:2'}"));
    assert_int_equal(fake.asked, 2);
    expect_text(message_of(node), "1 of 2 images");
    expect_text(message_of(node),
                "spec.containers[0].image, spec.containers[2].image, spec.containers[3].image and 1 more ssh:2 [");
    const json_t *causes = json_object_get(json_object_get(json_object_get(node, "status"), "details"), "causes");
    assert_int_equal(json_array_size(causes), 4);
    assert_string_equal(text_at(json_array_get(causes, 3), "field", NULL), "spec.containers[4].image");
}

static void warning_of_a_bundle_is_a_warning(void **state)
{
    (void)state;
    json_t *node = admit(pod_of("http:1"));
    assert_true(is_allowed(node));
    expect_text(warnings_of(node), "breakwater: spec.containers[0].image http:1 [");
    expect_text(warnings_of(node), "dockerfile:exposed_ports WARN");
    assert_string_equal(result->decision, "warn");
}

static void listed_images_follow_their_list(void **state)
{
    (void)state;
    assert_true(is_allowed(admit(pod_of("trusted:1"))));
    assert_null(json_object_get(response(), "warnings"));
    json_t *node = admit(pod("{'image':'banned:1'},{'image':'trusted:1'}"));
    assert_int_equal(code_of(node), 403);
    expect_text(message_of(node), "banned:1");
    expect_text(message_of(node), "never admitted");
    assert_null(strstr(message_of(node), "trusted")); /* what its policies found is not held against it */
}

static void worst_platform_counts_and_is_named(void **state)
{
    (void)state;
    fake_set((struct fake_image){.name = "index",
                                 .state = BW_IMAGE_READY,
                                 .dockerfile = "FROM a\nEXPOSE 80\n",
                                 .second_dockerfile = "FROM a\nEXPOSE 22\n"});
    json_t *node = admit(pod_of("index:1"));
    assert_int_equal(code_of(node), 403);
    expect_text(message_of(node), "] linux/arm64: dockerfile:exposed_ports STOP");
    assert_null(strstr(message_of(node), "linux/amd64"));
}

static void hint_ends_every_denial(void **state)
{
    (void)state;
    fake_configure(&services, "messageHint: Ask the platform team.\n");
    const char *message = message_of(admit(pod_of("ssh")));
    const char *end = message + strlen(message) - strlen("\nAsk the platform team.");
    assert_string_equal(end, "\nAsk the platform team.");
}

static void many_findings_are_cut_and_counted(void **state)
{
    (void)state;
    const char *containers = "";
    for (int i = 0; i < 60; i++) {
        char name[16];
        snprintf(name, sizeof(name), "ssh%d", i);
        containers =
            bw_arena_printf(&arena, "%s%s{'image':'%s/ssh:%d'}", containers, i ? "," : "", "registry.example", i);
    }
    json_t *node = admit(pod(containers));
    const char *message = message_of(node);
    assert_int_equal(strncmp(message, "60 of 60 images stopped by policy\n", 34), 0);
    assert_true(strlen(message) <= BW_MAX_DENY_MESSAGE);
    expect_text(message, "\n... and ");
    expect_text(message, " more findings");
    const json_t *causes = json_object_get(json_object_get(json_object_get(node, "status"), "details"), "causes");
    assert_int_equal(json_array_size(causes), 60);
}

/* ---- what goes wrong ---- */

static void faults_have_their_code_and_setting(void **state)
{
    (void)state;
    static const struct {
        const char *detail;
        enum bw_code error;
        int code;
        const char *setting, *decision;
    } rows[] = {
        {"image_not_found", BW_ENOTFOUND, 403, "imageNotFound", "deny"},
        {"unauthorized", BW_EDENIED, 403, "unauthorized", "deny"},
        {"address_refused", BW_EDENIED, 403, "invalidReference", "deny"},
        {"registry_unavailable", BW_EUNAVAILABLE, 503, "registryUnavailable", "error"},
        {"rate_limited", BW_ERATELIMITED, 429, "rateLimited", "pending"},
        {"queue_full", BW_ELIMIT, 429, "overload", "pending"},
        {"diff_id_mismatch", BW_EINPUT, 403, "analysisFailed", "deny"},
        {"not_an_image", BW_EINPUT, 403, "analysisFailed", "deny"},
        {"no_matching_platform", BW_ENOTFOUND, 403, "analysisFailed", "deny"},
        {"analyzer_crashed", BW_EINPUT, 403, "analysisFailed", "deny"},
        {"image_too_large", BW_ELIMIT, 403, "imageTooLarge", "deny"},
        {"decompression_bomb", BW_ELIMIT, 403, "imageTooLarge", "deny"},
        {"", BW_EINTERNAL, 503, "internal", "error"},
        {"", BW_EDEADLINE, 503, "registryUnavailable", "error"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services, "");
        fake_set((struct fake_image){
            .name = "broken", .state = BW_IMAGE_FAILED, .code = rows[i].error, .detail = rows[i].detail});
        json_t *node = admit(pod_of("broken:1"));
        if (is_allowed(node) || code_of(node) != rows[i].code || strcmp(result->reason, rows[i].setting) != 0 ||
            strcmp(result->decision, rows[i].decision) != 0) {
            fail_msg("%s: code %d, reason %s, decision %s", rows[i].detail, code_of(node), result->reason,
                     result->decision);
        }
        expect_text(message_of(node), "spec.containers[0].image broken:1: what went wrong with broken");
        fake_configure(&services, bw_arena_printf(&arena, "onError: {%s: warn}\n", rows[i].setting));
        node = admit(pod_of("broken:1"));
        assert_true(is_allowed(node));
        expect_text(warnings_of(node), "what went wrong with broken");
        fake_configure(&services, bw_arena_printf(&arena, "onError: {%s: allow}\n", rows[i].setting));
        node = admit(pod_of("broken:1"));
        assert_true(is_allowed(node));
        assert_null(json_object_get(node, "warnings"));
    }
}

static void images_that_are_no_references_are_denied(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "", "  ", "registry.example/UPPER", "a:b:c", "good\\u0000evil", "a@sha256:1", "http://registry.example/x"};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        json_t *node = admit(pod_of(rows[i]));
        if (is_allowed(node)) {
            fail_msg("admitted: \"%s\"", rows[i]);
        }
        assert_int_equal(code_of(node), 403);
        assert_string_equal(result->reason, "invalidReference");
    }
    assert_int_equal(fake.asked, 0);
    assert_true(is_allowed(admit(pod_of(" clean:1 ")))); /* blanks are not part of a name */
}

static void missing_bundle_follows_its_setting(void **state)
{
    (void)state;
    fake_load_bundle(&services, NULL);
    json_t *node = admit(pod_of("clean"));
    assert_int_equal(code_of(node), 503);
    assert_string_equal(result->reason, "noBundle");
    expect_text(message_of(node), "no policy bundle");
    fake_configure(&services, "onError: {noBundle: warn}\n");
    node = admit(pod_of("clean"));
    assert_true(is_allowed(node));
    expect_text(warnings_of(node), "no policy bundle");
}

static void incomplete_data_stops_or_warns(void **state)
{
    (void)state;
    fake_set((struct fake_image){
        .name = "partial", .state = BW_IMAGE_READY, .dockerfile = "FROM a\n", .incomplete = "dockerfile"});
    json_t *node = admit(pod_of("partial"));
    assert_int_equal(code_of(node), 403);
    expect_text(message_of(node), "could not be evaluated");
    expect_text(message_of(node), "left out for the test");
    fake_configure(&services, "onError: {analysisIncomplete: warn}\n");
    node = admit(pod_of("partial"));
    assert_true(is_allowed(node));
    expect_text(warnings_of(node), "could not be evaluated");
    /* what has nothing to do with the rules does not matter */
    fake_configure(&services, "");
    fake_set((struct fake_image){
        .name = "other", .state = BW_IMAGE_READY, .dockerfile = "FROM a\n", .incomplete = "packages:rpm"});
    assert_true(is_allowed(admit(pod_of("other"))));
}

/* Only what the analysis lacks is softened, not what could not be evaluated for other reasons. */
static void missing_vulnerability_data_is_not_softened(void **state)
{
    (void)state;
    static const char rule[] =
        "{\"id\":\"r-cve\",\"gate\":\"vulnerabilities\",\"trigger\":\"package\",\"action\":\"STOP\",\"params\":[{"
        "\"name\":\"package_type\",\"value\":\"all\"},{\"name\":\"severity_comparison\",\"value\":\">\"},{\"name\":"
        "\"severity\",\"value\":\"low\"}]},";
    const char *rules = strstr(fake_bundle, "\"rules\":[") + 9;
    fake_load_bundle(&services,
                     bw_arena_printf(&arena, "%.*s%s%s", (int)(rules - fake_bundle), fake_bundle, rule, rules));
    fake_configure(&services, "onError: {analysisIncomplete: warn}\n");
    fake_set((struct fake_image){
        .name = "partial", .state = BW_IMAGE_READY, .dockerfile = "FROM a\n", .incomplete = "dockerfile"});
    json_t *node = admit(pod_of("partial"));
    assert_int_equal(code_of(node), 403);
    expect_text(message_of(node), "vulnerabilities:package could not be evaluated");
}

static void stale_digest_is_told(void **state)
{
    (void)state;
    fake_set((struct fake_image){.name = "old", .state = BW_IMAGE_READY, .dockerfile = "FROM a\n", .stale = true});
    json_t *node = admit(pod_of("old"));
    assert_true(is_allowed(node));
    expect_text(warnings_of(node), "last known digest");
}

static void artifact_volumes_are_a_setting(void **state)
{
    (void)state;
    fake_set(
        (struct fake_image){.name = "model", .state = BW_IMAGE_FAILED, .code = BW_EINPUT, .detail = "not_an_image"});
    const char *volume = review("CREATE", "", "pods", "jane", "",
                                "{'spec':{'containers':[{'image':'clean'}],'volumes':[{'name':'v','image':{'reference':"
                                "'model:1'}}]}}",
                                "null");
    json_t *node = admit(volume);
    assert_int_equal(code_of(node), 403);
    expect_text(message_of(node), "spec.volumes[0].image.reference model:1");
    fake_configure(&services, "imageVolumes: allowArtifacts\n");
    assert_true(is_allowed(admit(volume)));
    node = admit(review("CREATE", "", "pods", "jane", "",
                        "{'spec':{'containers':[{'image':'model:1'}],'volumes':[{'name':'v','image':{'reference':"
                        "'model:1'}}]}}",
                        "null"));
    assert_int_equal(code_of(node), 403); /* a container cannot run it */
    expect_text(message_of(node), "spec.containers[0].image model:1");
    assert_null(strstr(message_of(node), "volumes"));
}

/* ---- waiting ---- */

static void unknown_image_is_waited_for(void **state)
{
    (void)state;
    const uint64_t *jobs = NULL;
    size_t n_jobs = 0;
    fake_set((struct fake_image){.name = "cold", .state = BW_IMAGE_PENDING, .estimate_s = 20});
    begin(pod("{'image':'cold'},{'image':'clean'},{'image':'colder'}"), 10000);
    assert_int_equal(step(false, &jobs, &n_jobs), BW_ADMIT_WAIT);
    assert_int_equal(n_jobs, 2);
    assert_int_equal(jobs[0], fake.n_images);
    assert_int_equal(jobs[1], 1000);
    fake_set((struct fake_image){.name = "cold", .state = BW_IMAGE_READY, .dockerfile = "FROM a\n"});
    assert_int_equal(step(false, &jobs, &n_jobs), BW_ADMIT_WAIT);
    assert_int_equal(n_jobs, 1);
    fake_set((struct fake_image){.name = "colder", .state = BW_IMAGE_READY, .dockerfile = "FROM a\nEXPOSE 22\n"});
    assert_int_equal(step(false, &jobs, &n_jobs), BW_ADMIT_DONE);
    assert_int_equal(code_of(response()), 403);
    assert_int_equal(step(false, &jobs, &n_jobs), BW_ADMIT_DONE); /* and stays so */
}

static void pending_is_429_for_people_and_403_for_controllers(void **state)
{
    (void)state;
    static const struct {
        const char *user, *groups, *config;
        int estimate_s, code, retry_after_s;
    } rows[] = {
        {"jane", "'devs'", "", 6, 429, 1},
        {"jane", "'devs'", "", 20, 429, 2},
        {"jane", "'devs'", "", 400, 429, 5},
        {"system:serviceaccount:shop:ci", "'system:serviceaccounts','system:serviceaccounts:shop'", "", 6, 429, 1},
        {"system:serviceaccount:kube-system:replicaset-controller", "'system:serviceaccounts:kube-system'", "", 6, 403,
         0},
        {"system:node:n1", "'system:nodes'", "", 6, 403, 0},
        {"system:kube-controller-manager", "", "", 6, 403, 0},
        {"system:kube-controller-manager", "", "pendingResponse: retryAfter\n", 6, 429, 1},
        {"jane", "'devs'", "pendingResponse: plain\n", 6, 403, 0},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services, rows[i].config);
        fake_set((struct fake_image){
            .name = "cold", .state = BW_IMAGE_PENDING, .estimate_s = rows[i].estimate_s, .progress = "layer 2 of 5"});
        json_t *node = admit(review("CREATE", "", "pods", rows[i].user, rows[i].groups,
                                    "{'spec':{'containers':[{'image':'cold:1'}]}}", "null"));
        json_t *details = json_object_get(json_object_get(node, "status"), "details");
        if (code_of(node) != rows[i].code ||
            json_integer_value(json_object_get(details, "retryAfterSeconds")) != rows[i].retry_after_s) {
            fail_msg("%s: %d", rows[i].user, code_of(node));
        }
        assert_string_equal(result->decision, "pending");
        expect_text(message_of(node), "the analysis is running (layer 2 of 5)");
        expect_text(message_of(node), "cold:1");
    }
}

static void controllers_are_not_kept_waiting_to_hear_pending(void **state)
{
    (void)state;
    static const struct {
        const char *groups, *config;
        bool soon;
    } rows[] = {
        {"'devs'", "", false},
        {"'system:serviceaccounts:kube-system'", "", true},
        {"'system:serviceaccounts:kube-system'", "pendingResponse: plain\n", true},
        {"'system:serviceaccounts:kube-system'", "pendingResponse: retryAfter\n", false},
        {"'system:serviceaccounts:kube-system'", "onPending: allow\n", false},
        {"'system:serviceaccounts:kube-system'", "policySelectors: [{match: {}, mode: policy, onPending: warn}]\n",
         false},
        {"'system:serviceaccounts:kube-system'", "policySelectors: [{match: {}, mode: policy, onPending: deny}]\n",
         true},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services, rows[i].config);
        begin(review("CREATE", "", "pods", "somebody", rows[i].groups, "{'spec':{'containers':[{'image':'cold:1'}]}}",
                     "null"),
              10000);
        int64_t left = bw_deadline_left_ms(bw_admission_deadline(admission));
        if (rows[i].soon ? left > 2000 : left < 7000) {
            fail_msg("%s %s: %lld ms", rows[i].groups, rows[i].config, (long long)left);
        }
    }
}

static void pending_may_be_admitted(void **state)
{
    (void)state;
    fake_configure(&services, "onPending: allow\n");
    assert_true(is_allowed(admit(pod_of("cold"))));
    assert_null(json_object_get(response(), "warnings"));
    fake_configure(&services, "onPending: warn\n");
    assert_true(is_allowed(admit(pod_of("cold"))));
    expect_text(warnings_of(response()), "the analysis is running");
    json_t *node = admit(pod("{'image':'cold'},{'image':'ssh'}"));
    assert_int_equal(code_of(node), 403); /* what is known still counts */
}

static void policy_outweighs_outage_outweighs_waiting(void **state)
{
    (void)state;
    fake_set((struct fake_image){
        .name = "down", .state = BW_IMAGE_FAILED, .code = BW_EUNAVAILABLE, .detail = "registry_unavailable"});
    assert_int_equal(code_of(admit(pod("{'image':'cold'},{'image':'down'}"))), 503);
    json_t *node = admit(pod("{'image':'cold'},{'image':'down'},{'image':'ssh'}"));
    assert_int_equal(code_of(node), 403);
    const char *message = message_of(node);
    const char *lines[] = {strstr(message, "ssh ["), strstr(message, "down:"), strstr(message, "cold:")};
    assert_true(lines[0] != NULL && lines[1] != NULL && lines[2] != NULL);
    assert_true(lines[0] < lines[1] && lines[1] < lines[2]);
}

static void rate_limit_tells_when_to_come_back(void **state)
{
    (void)state;
    fake_set((struct fake_image){.name = "limited",
                                 .state = BW_IMAGE_FAILED,
                                 .code = BW_ERATELIMITED,
                                 .detail = "rate_limited",
                                 .retry_after_s = 24});
    json_t *node = admit(pod_of("limited"));
    json_t *details = json_object_get(json_object_get(node, "status"), "details");
    assert_int_equal(code_of(node), 429);
    assert_int_equal(json_integer_value(json_object_get(details, "retryAfterSeconds")), 3);
}

static void overload_answers_what_is_known(void **state)
{
    (void)state;
    begin(pod_of("cold"), 10000);
    bw_admission_finish(admission, BW_END_OVERLOAD);
    json_t *node = response();
    assert_int_equal(code_of(node), 429);
    assert_string_equal(result->reason, "overload");
    fake_configure(&services, "onError: {overload: allow}\n");
    begin(pod_of("cold"), 10000);
    bw_admission_finish(admission, BW_END_OVERLOAD);
    assert_true(is_allowed(response()));
    begin(review("DELETE", "", "pods", "jane", "", "null", "{}"), 10000);
    bw_admission_finish(admission, BW_END_OVERLOAD);
    assert_true(is_allowed(response()));
}

static void long_evaluation_leaves_the_loop(void **state)
{
    (void)state;
    const uint64_t *jobs = NULL;
    size_t n_jobs = 0;
    fake_set((struct fake_image){.name = "big",
                                 .state = BW_IMAGE_READY,
                                 .dockerfile = "FROM a\n",
                                 .second_dockerfile = "FROM a\nEXPOSE 22\n",
                                 .files = 5000});
    begin(pod_of("big"), 10000);
    pthread_mutex_lock(&tickets_lock);
    while (step(false, &jobs, &n_jobs) == BW_ADMIT_WAIT) {
        assert_int_equal(n_jobs, 1);
        uint64_t awaited = jobs[0], seen = last_ticket;
        assert_true(awaited > 1000000);
        while (last_ticket == seen && last_ticket != awaited) {
            assert_int_equal(pthread_cond_wait(&tickets_wake, &tickets_lock), 0);
        }
    }
    pthread_mutex_unlock(&tickets_lock);
    assert_int_equal(code_of(response()), 403);
    /* the next one finds both verdicts, even on a loop */
    begin(pod_of("big"), 10000);
    assert_int_equal(step(false, &jobs, &n_jobs), BW_ADMIT_DONE);
}

static void deadline_keeps_before_the_servers_own(void **state)
{
    (void)state;
    static const struct {
        int64_t timeout_ms, elapsed_ms, left_ms;
    } rows[] = {
        {10000, 0, 9000},                       /* as configured: a tenth before */
        {10000, 2500, 6500},                    /* what the body took counts */
        {2000, 0, 800},                         /* may have been rounded up by most of a second */
        {7000, 0, 5800},     {30000, 0, 25000}, /* webhook.maxDeadline */
        {0, 0, 9000},                           /* absent: nominal */
        {1000, 0, 0},                           /* too short to wait at all */
        {10000, 20000, 0},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        forget();
        const char *body = pod_of("cold");
        admission = bw_admission_begin(&services.services, body, strlen(body), rows[i].timeout_ms, rows[i].elapsed_ms);
        int64_t left = bw_deadline_left_ms(bw_admission_deadline(admission));
        if (left > rows[i].left_ms || left < rows[i].left_ms - 50) {
            fail_msg("%lld ms of %lld leave %lld", (long long)rows[i].elapsed_ms, (long long)rows[i].timeout_ms,
                     (long long)left);
        }
    }
    const uint64_t *jobs = NULL;
    size_t n_jobs = 0;
    begin(pod_of("cold"), 1000);
    assert_int_equal(step(false, &jobs, &n_jobs), BW_ADMIT_DONE);
    assert_int_equal(code_of(response()), 429);
}

static void timeouts_are_found_in_the_query(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int64_t ms;
    } rows[] = {{"?timeout=10s", 10000},
                {"?timeout=1m0s", 60000},
                {"?a=b&timeout=500ms", 500},
                {"?timeout=2s&x", 2000},
                {"", 0},
                {"?timeout=", 0},
                {"?timeout=soon", 0},
                {"?xtimeout=3s", 0},
                {"?timeout=10", 0},
                {"?timeout=-1s", 0}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        assert_int_equal(bw_timeout_parse(rows[i].query, strlen(rows[i].query)), rows[i].ms);
    }
}

/* ---- what is not looked at ---- */

static void only_new_images_of_an_update_count(void **state)
{
    (void)state;
#define SPEC(text) "{'spec':{'containers':[" text "]}}"
    static const struct {
        const char *before, *now, *config;
        const char *decision;
    } rows[] = {
        {SPEC("{'image':'ssh'}"), SPEC("{'image':'ssh'}"), "", "unchanged"},
        {SPEC("{'image':'clean'}"), SPEC("{'image':'ssh'}"), "", "deny"},
        {SPEC("{'image':'ssh'}"), SPEC("{'image':'ssh'},{'image':'clean'}"), "", "allow"},
        {SPEC("{'image':'ssh'},{'image':'clean'}"), SPEC("{'image':'clean'},{'image':'ssh'}"), "", "unchanged"},
        {SPEC("{'image':'ssh'}"), SPEC("{'image':'ssh'}"), "updates: all\n", "deny"},
        /* an object that is being deleted must be able to go */
        {"{'metadata':{'deletionTimestamp':'2026-01-01T00:00:00Z'},'spec':{'containers':[{'image':'ssh'}]}}",
         SPEC("{'image':'ssh'}"), "updates: all\n", "unchanged"},
        {"{'metadata':{'deletionTimestamp':'2026-01-01T00:00:00Z'},'spec':{'containers':[{'image':'clean'}]}}",
         SPEC("{'image':'ssh'}"), "", "deny"},
        {SPEC("{'image':'clean'}"),
         "{'spec':{'containers':[{'image':'clean'}],'ephemeralContainers':[{'image':'ssh'}]}}", "", "deny"},
        {"{'spec':{'containers':[],'initContainers':[{'image':'ssh'}]}}", SPEC("{'image':'ssh'}"), "", "deny"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services, rows[i].config);
        (void)admit(review("UPDATE", "", "pods", "jane", "", rows[i].now, rows[i].before));
        if (strcmp(result->decision, rows[i].decision) != 0) {
            fail_msg("%s to %s: %s", rows[i].before, rows[i].now, result->decision);
        }
    }
}

static void some_requests_are_let_through_unseen(void **state)
{
    (void)state;
    static const char *const ssh = "{'spec':{'containers':[{'image':'ssh'}]}}";
    static const struct {
        const char *operation, *group, *resource, *config, *decision, *reason;
    } rows[] = {
        {"DELETE", "", "pods", "", "skip", "operation"},
        {"CONNECT", "", "pods", "", "skip", "operation"},
        {"CREATE", "", "configmaps", "", "skip", "unsupported_resource"},
        {"CREATE", "", "configmaps", "onUnsupportedResource: deny\n", "deny", "unsupported_resource"},
        {"CREATE", "apps", "pods", "", "skip", "unsupported_resource"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services, rows[i].config);
        (void)admit(review(rows[i].operation, rows[i].group, rows[i].resource, "jane", "", ssh, "null"));
        assert_string_equal(result->decision, rows[i].decision);
        assert_string_equal(result->reason, rows[i].reason);
    }
    assert_int_equal(fake.asked, 0);
}

static void workloads_follow_the_resource_mode(void **state)
{
    (void)state;
    const char *deployment = review("CREATE", "apps", "deployments", "jane", "",
                                    "{'spec':{'template':{'spec':{'containers':[{'image':'ssh'}]}}}}", "null");
    json_t *node = admit(deployment);
    assert_int_equal(code_of(node), 403);
    expect_text(message_of(node), "spec.template.spec.containers[0].image ssh");
    fake_configure(&services, "resourceMode: podsOnly\n");
    assert_true(is_allowed(admit(deployment)));
    assert_string_equal(result->decision, "skip");
    fake_configure(&services, "resourceMode: podsEnforceWorkloadsWarn\n");
    node = admit(deployment);
    assert_true(is_allowed(node));
    expect_text(warnings_of(node), "breakwater: would deny: spec.template.spec.containers[0].image ssh");
    assert_string_equal(text_at(node, "auditAnnotations", "mode"), "warn");
    assert_int_equal(code_of(admit(pod_of("ssh"))), 403);
}

static void mirror_pods_follow_their_setting(void **state)
{
    (void)state;
    static const char *const mirror = "{'metadata':{'annotations':{'kubernetes.io/config.mirror':'x'}},'spec':{"
                                      "'containers':[{'image':'ssh'}]}}";
    const char *by_node = review("CREATE", "", "pods", "system:node:n1", "'system:nodes'", mirror, "null");
    const char *by_person = review("CREATE", "", "pods", "jane", "'devs'", mirror, "null");
    json_t *node = admit(by_node);
    assert_true(is_allowed(node));
    assert_string_equal(result->reason, "mirror_pod");
    expect_text(text_at(node, "auditAnnotations", "images"), "\"verdict\":\"stop\""); /* it was looked at */
    assert_int_equal(code_of(admit(by_person)), 403);
    fake_configure(&services, "mirrorPods: deny\n");
    assert_int_equal(code_of(admit(by_node)), 403);
    fake_configure(&services, "mirrorPods: ignore\n");
    fake.asked = 0;
    assert_true(is_allowed(admit(by_node)));
    assert_int_equal(fake.asked, 0);
    assert_int_equal(code_of(admit(by_person)), 403);
}

static void platforms_come_from_the_pod_or_the_configuration(void **state)
{
    (void)state;
    (void)admit(pod_of("clean"));
    assert_int_equal(fake.n_platforms, 0);
    static const char *const arm = "{'spec':{'nodeSelector':{'kubernetes.io/arch':'arm64'},'containers':[{'image':"
                                   "'clean'}]}}";
    (void)admit(review("CREATE", "", "pods", "jane", "", arm, "null"));
    assert_int_equal(fake.n_platforms, 1);
    assert_string_equal(fake.platform, "linux/arm64");
    fake_configure(&services, "defaultPlatforms: [windows/amd64, linux/amd64, linux/arm64]\n");
    (void)admit(pod_of("clean"));
    assert_int_equal(fake.n_platforms, 3);
    static const char *const linux_pod = "{'spec':{'nodeSelector':{'kubernetes.io/os':'linux'},'containers':[{'image':"
                                         "'clean'}]}}";
    (void)admit(review("CREATE", "", "pods", "jane", "", linux_pod, "null"));
    assert_int_equal(fake.n_platforms, 2);
    assert_string_equal(fake.platform, "linux/amd64");
    (void)admit(review("CREATE", "", "pods", "jane", "", arm, "null"));
    assert_int_equal(fake.n_platforms, 1);
}

static void custom_kinds_are_judged(void **state)
{
    (void)state;
    fake_configure(&services, "extraResources: [{group: tekton.dev, resource: tasks, imagePaths: ['spec.steps[*].image'"
                              "]}]\n");
    json_t *node = admit(review("CREATE", "tekton.dev", "tasks", "jane", "",
                                "{'spec':{'steps':[{'image':'clean'},{'image':'ssh'}]}}", "null"));
    assert_int_equal(code_of(node), 403);
    expect_text(message_of(node), "spec.steps[1].image ssh [");
}

/* ---- bodies ---- */

static void bad_bodies_are_refused_outside_or_inside_a_review(void **state)
{
    (void)state;
    begin("{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{}}", 0);
    result = bw_admission_result(admission);
    assert_int_equal(result->http_status, 400);
    expect_text(result->body, "uid");
    begin("no json", 0);
    assert_int_equal(bw_admission_result(admission)->http_status, 400);
    json_t *node =
        admit("{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\",\"request\":{\"uid\":"
              "\"u-7\",\"operation\":\"CREATE\",\"resource\":{\"group\":\"\",\"resource\":\"pods\"},"
              "\"object\":{\"spec\":{\"containers\":{}}}}}");
    assert_int_equal(result->http_status, 200);
    assert_string_equal(json_string_value(json_object_get(answered, "apiVersion")), "admission.k8s.io/v1beta1");
    assert_string_equal(text_at(node, "uid", NULL), "u-7");
    assert_int_equal(code_of(node), 400);
    expect_text(message_of(node), "spec.containers: expected an array");
}

static void recorded_bodies_are_answered(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"cronjob-create", "deny"},
        {"deployment-create", "deny"},
        {"deployment-scale-update", "skip"},
        {"job-create", "deny"},
        {"pod-create", "deny"},
        {"pod-create-by-replicaset", "deny"},
        {"pod-create-dryrun-server", "deny"},
        {"pod-create-generatename", "deny"},
        {"pod-create-image-volume", "deny"},
        {"pod-create-sidecar-init", "deny"},
        {"pod-delete", "skip"},
        {"pod-ephemeralcontainers-kubectl-debug", "pending"},
        {"pod-update-image", "deny"},
        {"pod-update-label", "unchanged"},
        {"replicaset-create", "deny"},
    };
    fake_set((struct fake_image){.name = "nginx", .state = BW_IMAGE_READY, .dockerfile = "FROM a\nEXPOSE 22\n"});
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char path[512], *body = NULL;
        size_t len = 0;
        struct bw_error err = {0};
        snprintf(path, sizeof(path), "%s/reviews/%s.json", TEST_DATA, rows[i][0]);
        assert_int_equal(bw_file_read(&body, &len, path, BW_MAX_REVIEW_BYTES, &err), 0);
        json_t *node = admit(body);
        free(body);
        if (strcmp(result->decision, rows[i][1]) != 0) {
            fail_msg("%s: %s: %s", rows[i][0], result->decision, message_of(node));
        }
        assert_int_equal(strlen(text_at(node, "uid", NULL)), 36);
    }
}

static void edited_bundle_counts_at_once(void **state)
{
    (void)state;
    assert_int_equal(code_of(admit(pod_of("ssh"))), 403);
    char *softer = bw_arena_strdup(&arena, fake_bundle);
    memcpy(strstr(softer, "\"STOP\""), "\"WARN\"", 6);
    fake_load_bundle(&services, softer);
    json_t *node = admit(pod_of("ssh"));
    assert_true(is_allowed(node));
    expect_text(warnings_of(node), "No ssh in images");
}

/* Image and bundle are the same each time: what the tag led to before is part of what a verdict depends on. */
static void verdict_depends_on_the_image_before(void **state)
{
    (void)state;
    static const struct {
        const char *previous, *finding; /* NULL: admitted */
    } rows[] = {
        {NULL, NULL},
        {"1.0", NULL},
        {"0.9", "gem package lib is 1.0, and 0.9 in the previous image"},
        {NULL, NULL},
        {"0.8", "and 0.8 in the previous image"},
    };
    static const char rule[] =
        "{\"id\":\"r-drift\",\"gate\":\"tag_drift\",\"trigger\":\"packages_modified\",\"action\":\"STOP\"},";
    const char *rules = strstr(fake_bundle, "\"rules\":[") + 9;
    for (int with_rule = 1; with_rule >= 0; with_rule--) {
        fake_load_bundle(&services, with_rule == 0 ? fake_bundle
                                                   : bw_arena_printf(&arena, "%.*s%s%s", (int)(rules - fake_bundle),
                                                                     fake_bundle, rule, rules));
        for (size_t i = 0; i < BW_LENGTH(rows); i++) {
            fake_set((struct fake_image){.name = "moves",
                                         .state = BW_IMAGE_READY,
                                         .dockerfile = "FROM a\n",
                                         .package = "1.0",
                                         .previous = rows[i].previous});
            json_t *node = admit(pod_of("moves"));
            if (rows[i].finding != NULL && with_rule == 1) {
                assert_int_equal(code_of(node), 403);
                expect_text(message_of(node), rows[i].finding);
            } else {
                assert_true(is_allowed(node));
            }
        }
    }
}

static void unmatched_image_follows_its_setting(void **state)
{
    (void)state;
    char *narrow = bw_arena_strdup(&arena, fake_bundle);
    memcpy(strstr(narrow, "\"registry\":\"*\""), "\"registry\":\"x\"", 14);
    fake_load_bundle(&services, narrow);
    json_t *node = admit(pod_of("ssh"));
    assert_true(is_allowed(node));
    expect_text(warnings_of(node), "no mapping of the bundle matches");
    fake_configure(&services, "noMappingMatch: deny\n");
    node = admit(pod_of("ssh"));
    assert_int_equal(code_of(node), 403);
    expect_text(message_of(node), "no mapping of the bundle matches");
    fake_configure(&services, "noMappingMatch: allow\n");
    assert_null(json_object_get(admit(pod_of("ssh")), "warnings"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(clean_image_is_admitted_in_silence),
        CASE(denial_names_field_image_rule_and_policy),
        CASE(same_image_is_asked_once_and_told_with_every_field),
        CASE(warning_of_a_bundle_is_a_warning),
        CASE(listed_images_follow_their_list),
        CASE(worst_platform_counts_and_is_named),
        CASE(hint_ends_every_denial),
        CASE(many_findings_are_cut_and_counted),
        CASE(faults_have_their_code_and_setting),
        CASE(images_that_are_no_references_are_denied),
        CASE(missing_bundle_follows_its_setting),
        CASE(incomplete_data_stops_or_warns),
        CASE(missing_vulnerability_data_is_not_softened),
        CASE(stale_digest_is_told),
        CASE(artifact_volumes_are_a_setting),
        CASE(unknown_image_is_waited_for),
        CASE(pending_is_429_for_people_and_403_for_controllers),
        CASE(controllers_are_not_kept_waiting_to_hear_pending),
        CASE(pending_may_be_admitted),
        CASE(policy_outweighs_outage_outweighs_waiting),
        CASE(rate_limit_tells_when_to_come_back),
        CASE(overload_answers_what_is_known),
        CASE(long_evaluation_leaves_the_loop),
        CASE(deadline_keeps_before_the_servers_own),
        CASE(timeouts_are_found_in_the_query),
        CASE(only_new_images_of_an_update_count),
        CASE(some_requests_are_let_through_unseen),
        CASE(workloads_follow_the_resource_mode),
        CASE(mirror_pods_follow_their_setting),
        CASE(platforms_come_from_the_pod_or_the_configuration),
        CASE(custom_kinds_are_judged),
        CASE(bad_bodies_are_refused_outside_or_inside_a_review),
        CASE(recorded_bodies_are_answered),
        CASE(edited_bundle_counts_at_once),
        CASE(verdict_depends_on_the_image_before),
        CASE(unmatched_image_follows_its_setting),
    };
    return cmocka_run_group_tests_name("webhook/admit", tests, NULL, NULL);
}
