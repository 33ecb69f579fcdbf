/* Images that were not known in time, but admitted: what is told when their verdicts come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asking.h"
#include "base/metrics.h"

static char event_reason[64], event_note[2048], event_name[64];
static unsigned n_events;

/* Stands in for the writer of Events. */
void bw_events_post(struct bw_events *events, const struct bw_event *event)
{
    (void)events;
    (void)snprintf(event_reason, sizeof(event_reason), "%s", event->reason);
    (void)snprintf(event_note, sizeof(event_note), "%s", event->note);
    (void)snprintf(event_name, sizeof(event_name), "%s %s", event->kind, event->name);
    n_events++;
}

static int set_up_events(void **state)
{
    int status = set_up(state);
    static int events;
    services.services.events = (struct bw_events *)&events; /* the one above asks nothing of it */
    n_events = 0;
    event_reason[0] = event_note[0] = event_name[0] = '\0';
    return status;
}

static unsigned n_late(void)
{
    static const char name[] = "\nbreakwater_admitted_then_failed_total ";
    BW_BUF_SCOPE text;
    bw_buf_init(&text, BW_MIB);
    bw_metrics_write(&text);
    const char *found = text.len == 0 ? NULL : strstr(text.data, name);
    return found == NULL ? 0 : (unsigned)(found[sizeof(name) - 1] - '0');
}

/* An image that nobody knows; from now on it is what `dockerfile` makes of it. */
static void learn(const char *name, const char *dockerfile)
{
    fake_set((struct fake_image){.name = name, .state = BW_IMAGE_READY, .dockerfile = dockerfile});
}

static enum bw_admit_state step_late(void)
{
    const uint64_t *jobs = NULL;
    size_t n_jobs = 0;
    enum bw_admit_state state = bw_admission_step_late(admission, &jobs, &n_jobs);
    assert_int_equal(state == BW_ADMIT_WAIT, n_jobs > 0);
    return state;
}

static void verdict_that_comes_late_is_told_if_it_is_stop(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *dockerfile;
        bool told;
    } rows[] = {
        {"onPending: allow\n", "FROM a\nEXPOSE 22\n", true},
        {"onPending: warn\n", "FROM a\nEXPOSE 22\n", true},
        {"policySelectors: [{mode: policy, onPending: allow}]\n", "FROM a\nEXPOSE 22\n", true},
        {"onPending: allow\n", "FROM a\nEXPOSE 8080\n", false},
        {"onPending: allow\n", "FROM a\nEXPOSE 80\n", false},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        unsigned before = n_late();
        n_events = 0;
        fake_configure(&services, rows[i].settings);
        fake_set((struct fake_image){.name = "slow", .state = BW_IMAGE_PENDING, .estimate_s = 6});
        assert_true(is_allowed(admit(pod_of("slow:1"))));
        assert_true(bw_admission_is_late(admission));
        assert_int_equal(step_late(), BW_ADMIT_WAIT); /* another job was done */
        n_events = 0;
        learn("slow", rows[i].dockerfile);
        assert_int_equal(step_late(), BW_ADMIT_DONE);
        assert_false(bw_admission_is_late(admission));
        assert_int_equal(n_late() - before, rows[i].told ? 1 : 0);
        assert_int_equal(n_events, rows[i].told ? 1 : 0);
        if (rows[i].told) {
            assert_string_equal(event_reason, "ImageDeniedLate");
            assert_string_equal(event_name, "Namespace shop");
            expect_text(event_note, "admitted before its images were known: 1 of 1 image stopped by policy");
            expect_text(event_note, "No ssh in images");
        }
    }
}

static void failure_that_comes_late_is_no_verdict(void **state)
{
    (void)state;
    unsigned before = n_late();
    fake_configure(&services, "onPending: allow\n");
    assert_true(is_allowed(admit(pod_of("gone:1"))));
    assert_int_equal(step_late(), BW_ADMIT_WAIT);
    fake_set((struct fake_image){
        .name = "gone", .state = BW_IMAGE_FAILED, .code = BW_ENOTFOUND, .detail = "manifest_unknown"});
    assert_int_equal(step_late(), BW_ADMIT_DONE);
    assert_int_equal(n_late(), before);
    assert_int_equal(n_events, 0);
}

/* Two images: the one that is known does not end the waiting for the other. */
static void every_image_is_waited_for(void **state)
{
    (void)state;
    unsigned before = n_late();
    fake_configure(&services, "onPending: allow\n");
    assert_true(is_allowed(admit(pod("{'name':'a','image':'one'},{'name':'b','image':'two'}"))));
    learn("one", "FROM a\nEXPOSE 22\n");
    assert_int_equal(step_late(), BW_ADMIT_WAIT);
    assert_int_equal(n_late(), before);
    learn("two", "FROM a\nEXPOSE 80\n");
    assert_int_equal(step_late(), BW_ADMIT_DONE);
    assert_int_equal(n_late(), before + 1);
}

static void nothing_is_late_where_nothing_was_let_in_by_it(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *image, *dry_run;
    } rows[] = {
        {"", "unheard-of", "false"},                                                    /* denied */
        {"onPending: allow\n", "clean", "false"},                                       /* known */
        {"onPending: allow\n", "unheard-of", "true"},                                   /* admits nothing */
        {"onPending: allow\npolicySelectors: [{mode: warn}]\n", "unheard-of", "false"}, /* would not have been denied */
        {"onPending: allow\npolicySelectors: [{mode: analysis}]\n", "unheard-of", "false"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        fake_configure(&services, rows[i].settings);
        const char *body = pod_of(rows[i].image), *at = strstr(body, "\"dryRun\":");
        (void)admit(bw_arena_printf(&arena, "%.*s\"dryRun\":%s}}", (int)(at - body), body, rows[i].dry_run));
        if (bw_admission_is_late(admission)) {
            fail_msg("late: %s%s", rows[i].settings, rows[i].image);
        }
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_events, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(verdict_that_comes_late_is_told_if_it_is_stop),
        CASE(failure_that_comes_late_is_no_verdict),
        CASE(every_image_is_waited_for),
        CASE(nothing_is_late_where_nothing_was_let_in_by_it),
    };
    return cmocka_run_group_tests_name("webhook/late", tests, NULL, NULL);
}
