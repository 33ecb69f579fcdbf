/* Which item forgives a finding: cases, and the index against a walk over all items. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evaluator/bundle_internal.h"
#include "facts_for_test.h"
#include "slow_whitelist.h"

static void first_item_that_hits_forgives(void **state)
{
    (void)state;
    static const struct {
        const char *items;
        const char *expected; /* id of the item, NULL: none */
    } rows[] = {
        {"", NULL},
        {"{\"id\":\"1\",\"gate\":\"always\",\"trigger_id\":\"always\"}", "1"},
        {"{\"id\":\"1\",\"gate\":\"Always\",\"trigger_id\":\"al*\"}", "1"},
        {"{\"id\":\"1\",\"gate\":\"always\",\"trigger_id\":\"*ays\"}", "1"},
        {"{\"id\":\"1\",\"gate\":\"always\",\"trigger_id\":\"*way*\"}", "1"},
        {"{\"id\":\"1\",\"gate\":\"always\",\"trigger_id\":\"regexp:al\"}", "1"},
        {"{\"id\":\"1\",\"gate\":\"always\",\"trigger_id\":\"al\"}", NULL},
        {"{\"id\":\"1\",\"gate\":\"files\",\"trigger_id\":\"always\"}", NULL},
        {"{\"id\":\"1\",\"gate\":\"nogate\",\"trigger_id\":\"*\"}", NULL},
        {"{\"id\":\"1\",\"gate\":\"always\",\"trigger_id\":\"*\"},{\"id\":\"2\",\"gate\":\"always\",\"trigger_id\":"
         "\"always\"}",
         "1"},
        {"{\"id\":\"1\",\"gate\":\"always\",\"trigger_id\":\"x\"},{\"id\":\"2\",\"gate\":\"always\",\"trigger_id\":\"a*"
         "\"},"
         "{\"id\":\"3\",\"gate\":\"always\",\"trigger_id\":\"always\"}",
         "2"},
        {"{\"id\":\"1\",\"gate\":\"always\",\"trigger_id\":\"always\",\"expires_on\":\"2021-11-20T12:00:00Z\"},"
         "{\"id\":\"2\",\"gate\":\"always\",\"trigger_id\":\"always\",\"expires_on\":\"2021-11-20T12:00:01Z\"}",
         "2"},
        {"{\"id\":\"1\",\"gate\":\"always\",\"trigger_id\":\"always\",\"expires_on\":\"\"}", "1"},
        {"{\"id\":\"1\",\"gate\":\"always\",\"trigger_id\":\"always\",\"expires_on\":\"2021-11-20T12:00:00.5Z\"}", "1"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char bundle[4096];
        (void)snprintf(bundle, sizeof(bundle),
                       BUNDLE_WITH(RULE("always", "always", "STOP", ""),
                                   "{\"id\":\"w\",\"name\":\"W\",\"version\":\"1_0\",\"items\":[%s]}", "\"w\""),
                       rows[i].items);
        struct fixture fixture;
        set_up(&fixture, bundle, "");
        evaluate(&fixture);
        const struct bw_finding *finding = &fixture.decision.findings[0];
        bool as_expected = rows[i].expected == NULL
                               ? !finding->whitelisted && fixture.decision.action == BW_STOP
                               : finding->whitelisted && strcmp(finding->whitelist_item_id, rows[i].expected) == 0 &&
                                     fixture.decision.action == BW_GO && strcmp(finding->whitelist_id, "w") == 0;
        if (!as_expected) {
            fail_msg("%s", rows[i].items);
        }
        tear_down(&fixture);
    }
}

static void the_next_expiry_ends_the_decision(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture,
           BUNDLE_WITH(RULE("always", "always", "STOP", ""),
                       "{\"id\":\"w\",\"version\":\"1_0\",\"items\":["
                       "{\"gate\":\"files\",\"trigger_id\":\"x\",\"expires_on\":\"2021-12-01T00:00:00Z\"},"
                       "{\"gate\":\"files\",\"trigger_id\":\"x\",\"expires_on\":\"2021-11-21T00:00:00Z\"},"
                       "{\"gate\":\"files\",\"trigger_id\":\"x\",\"expires_on\":\"2020-01-01T00:00:00Z\"}]}",
                       "\"w\""),
           "");
    evaluate(&fixture);
    assert_int_equal(fixture.decision.valid_until_s, 1637452800);
    tear_down(&fixture);
}

/* ---- the index against a walk ---- */

static uint64_t random_state = 88172645463325252ULL;

static unsigned next_random(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % below);
}

static void random_text(char *out, size_t max, const char *alphabet)
{
    size_t len = next_random((unsigned)max);
    for (size_t i = 0; i < len; i++) {
        out[i] = alphabet[next_random((unsigned)strlen(alphabet))];
    }
    out[len] = '\0';
}

static void the_index_finds_what_a_walk_finds(void **state)
{
    (void)state;
    const struct bw_gate *const gates[] = {bw_gate_find("always"), bw_gate_find("files"), NULL};
    for (unsigned round = 0; round < 300; round++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_MIB);
        struct bw_whitelist_item items[40] = {0};
        struct bw_whitelist whitelist = {.items = items, .n_items = next_random(40)};
        for (size_t i = 0; i < whitelist.n_items; i++) {
            char text[8];
            random_text(text, sizeof(text), next_random(2) ? "ab*" : "ab");
            items[i].gate = gates[next_random(3)];
            items[i].pattern.text = bw_str_from(bw_arena_strdup(&arena, text));
            items[i].pattern.literal = strchr(text, '*') == NULL;
            items[i].expires_s = next_random(4) == 0 ? 10 + (int64_t)next_random(10) : INT64_MAX;
        }
        struct bw_error err = {0};
        assert_int_equal(bw_whitelist_build_index(&whitelist, &arena, &err), 0);
        for (unsigned i = 0; i < 200; i++) {
            char id[9];
            random_text(id, sizeof(id) - 1, "ab");
            if (next_random(8) == 0) {
                memcpy(id + strlen(id), "\n", 2);
            }
            const struct bw_gate *gate = gates[next_random(2)];
            int64_t now_s = 10 + (int64_t)next_random(10);
            assert_ptr_equal(bw_whitelist_find(&whitelist, gate, id, now_s),
                             slow_whitelist_find(&whitelist, gate, id, now_s));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_item_that_hits_forgives),
        cmocka_unit_test(the_next_expiry_ends_the_decision),
        cmocka_unit_test(the_index_finds_what_a_walk_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
