/* The cache of decisions: what it keeps and for how long, and the threads that make the long ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes.h"

static struct bw_verdicts *verdicts;
static struct bw_bundle *bundle;
static struct bw_report *report;
static struct bw_reference reference;
static struct bw_arena arena;
static struct bw_error error;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static uint64_t done_ticket;
static unsigned n_done;

static void on_done(void *payload, uint64_t ticket)
{
    (void)payload;
    pthread_mutex_lock(&lock);
    done_ticket = ticket;
    n_done++;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
}

static struct bw_bundle *load(const char *text)
{
    struct bw_problems problems;
    struct bw_bundle *loaded = NULL;
    const struct bw_bundle_options options = {.name = "prod", .default_patterns = true};
    bw_problems_init(&problems);
    if (bw_bundle_load(&loaded, &problems, text, strlen(text), &options, &error) != 0) {
        fail_msg("%s", error.message);
    }
    bw_problems_clear(&problems);
    return loaded;
}

static int set_up(void **state)
{
    (void)state;
    bw_arena_init(&arena, 64 * BW_MIB);
    n_done = 0;
    done_ticket = 0;
    bundle = load(fake_bundle);
    report = fake_report(&(struct fake_image){.name = "ssh"}, "FROM a\nEXPOSE 22\n");
    assert_int_equal(bw_reference_parse(&reference, "ssh:1", 5, &arena, &error), 0);
    return bw_verdicts_create(&verdicts, 1, on_done, NULL, &error);
}

static int tear_down(void **state)
{
    (void)state;
    bw_verdicts_destroy(verdicts);
    bw_bundle_release(bundle);
    bw_report_release(report);
    bw_arena_clear(&arena);
    return 0;
}

static struct bw_verdict_question question(const char *key, int64_t now_s)
{
    return (struct bw_verdict_question){.key = key,
                                        .bundle = bundle,
                                        .report = report,
                                        .reference = &reference,
                                        .tag_counts = true,
                                        .no_mapping = BW_NO_MAPPING_WARN,
                                        .now_s = now_s};
}

static struct bw_verdict *ask(const char *key, int64_t now_s)
{
    struct bw_verdict *verdict = NULL;
    uint64_t ticket = 0;
    const struct bw_verdict_question asked = question(key, now_s);
    assert_int_equal(bw_verdicts_ask(&verdict, &ticket, verdicts, &asked, &error), 0);
    assert_int_equal(ticket, 0);
    assert_non_null(verdict);
    return verdict;
}

static void verdict_is_kept_by_its_key(void **state)
{
    (void)state;
    struct bw_verdict *first = ask("a", 1000), *again = ask("a", 2000), *other = ask("b", 1000);
    assert_int_equal(first->action, BW_STOP);
    assert_string_equal(first->policies, "p1");
    assert_int_equal(first->n_findings, 1);
    assert_string_equal(first->findings[0].finding.rule_id, "r-ssh");
    assert_ptr_equal(first, again);
    assert_ptr_not_equal(first, other);
    bw_verdict_release(first);
    bw_verdict_release(again);
    bw_verdict_release(other);
}

/* A whitelist item that expires: the same key must give another verdict once it has. */
static void verdict_ends_when_time_alone_would_change_it(void **state)
{
    (void)state;
    struct bw_decision decision = {0};
    const struct bw_facts facts = {.reference = &reference, .tag_counts = true, .report = report, .now_s = 1000};
    assert_int_equal(bw_evaluate(&decision, bundle, &facts, BW_NO_MAPPING_WARN, &arena, &error), 0);
    char *text = bw_arena_printf(&arena, "%s", fake_bundle);
    char *whitelists = strstr(text, "\"whitelists\":[]");
    char *mapping = strstr(text, "\"whitelist_ids\":[]");
    const char *forgiving = bw_arena_printf(
        &arena,
        "%.*s\"whitelists\":[{\"id\":\"wl\",\"name\":\"wl\",\"version\":\"1_0\",\"items\":[{\"id\":\"i1\",\"gate\":"
        "\"dockerfile\",\"trigger_id\":\"%s\",\"expires_on\":\"2030-01-01T00:00:00Z\"}]}]%.*s\"whitelist_ids\":["
        "\"wl\"]%s",
        (int)(whitelists - text), text, decision.findings[0].trigger_id, (int)(mapping - whitelists - 15),
        whitelists + 15, mapping + 18);
    bw_bundle_release(bundle);
    bundle = load(forgiving);
    static const int64_t end = 1893456000; /* 2030-01-01 */
    struct bw_verdict *before = ask("a", end - 10), *same = ask("a", end - 1), *after = ask("a", end + 1);
    assert_int_equal(before->action, BW_GO);
    assert_ptr_equal(before, same);
    assert_int_equal(after->action, BW_STOP);
    bw_verdict_release(before);
    bw_verdict_release(same);
    bw_verdict_release(after);
}

static void long_evaluation_is_made_once_for_all(void **state)
{
    (void)state;
    struct bw_verdict *verdict = NULL;
    uint64_t first = 0, second = 0;
    bw_report_release(report);
    report = fake_report(&(struct fake_image){.name = "big", .files = 6000}, "FROM a\nEXPOSE 22\n");
    struct bw_verdict_question asked = question("big", 1000);
    pthread_mutex_lock(&lock); /* the evaluation cannot report before we have asked twice */
    assert_int_equal(bw_verdicts_ask(&verdict, &first, verdicts, &asked, &error), 0);
    assert_null(verdict);
    assert_int_not_equal(first, 0);
    assert_int_equal(bw_verdicts_ask(&verdict, &second, verdicts, &asked, &error), 0);
    assert_true(verdict != NULL || second == first);
    while (n_done == 0) {
        assert_int_equal(pthread_cond_wait(&wake, &lock), 0);
    }
    pthread_mutex_unlock(&lock);
    assert_int_equal(done_ticket, first);
    assert_int_equal(n_done, 1);
    bw_verdict_release(verdict);
    verdict = ask("big", 1000);
    assert_int_equal(verdict->action, BW_STOP);
    bw_verdict_release(verdict);

    asked.key = "at once";
    asked.at_once = true;
    assert_int_equal(bw_verdicts_ask(&verdict, &first, verdicts, &asked, &error), 0);
    assert_non_null(verdict);
    assert_int_equal(first, 0);
    bw_verdict_release(verdict);
}

static void old_verdicts_make_room(void **state)
{
    (void)state;
    struct bw_verdict *first = ask("key 0", 1000);
    for (int i = 0; i < 8300; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "key %d", i);
        bw_verdict_release(ask(key, 1000));
        if (i % 1000 == 0) { /* what is used stays */
            struct bw_verdict *again = ask("key 0", 1000);
            assert_ptr_equal(first, again);
            bw_verdict_release(again);
        }
    }
    struct bw_verdict *last = ask("key 8299", 1000), *again = ask("key 8299", 1000);
    assert_ptr_equal(last, again);
    bw_verdict_release(first);
    bw_verdict_release(last);
    bw_verdict_release(again);
}

static void destroying_waits_for_nothing_that_queues(void **state)
{
    (void)state;
    bw_report_release(report);
    report = fake_report(&(struct fake_image){.name = "big", .files = 6000}, "FROM a\nEXPOSE 22\n");
    for (int i = 0; i < 50; i++) {
        struct bw_verdict *verdict = NULL;
        uint64_t ticket = 0;
        char key[32];
        (void)snprintf(key, sizeof(key), "queued %d", i);
        const struct bw_verdict_question asked = question(key, 1000);
        assert_int_equal(bw_verdicts_ask(&verdict, &ticket, verdicts, &asked, &error), 0);
        bw_verdict_release(verdict);
    }
    bw_verdicts_destroy(verdicts); /* sanitizers tell what is left behind */
    verdicts = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verdict_is_kept_by_its_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verdict_ends_when_time_alone_would_change_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_evaluation_is_made_once_for_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_verdicts_make_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(destroying_waits_for_nothing_that_queues, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("webhook/verdicts", tests, NULL, NULL);
}
