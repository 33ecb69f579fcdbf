#ifndef BW_TESTS_UNIT_EVALUATOR_FACTS_FOR_TEST_H
#define BW_TESTS_UNIT_EVALUATOR_FACTS_FOR_TEST_H

/* Bundles and facts out of texts, for tests of the evaluator. Include after cmocka.h. */
#include "base/limits.h"
#include "evaluator/deviation.h"
#include "evaluator/evaluate.h"
#include "image/report_json.h"

#include <stdio.h>
#include <string.h>

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* A bundle of one policy `p` with these rules and one mapping of everything, with these whitelists. */
#define BUNDLE_WITH(rules, whitelists, whitelist_ids)                                                                  \
    "{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[{\"id\":\"p\",\"version\":\"1_0\",\"rules\":[" rules              \
    "]}],\"whitelists\":[" whitelists "],\"mappings\":[{\"registry\":\"*\",\"repository\":\"*\","                      \
    "\"image\":{\"type\":\"tag\",\"value\":\"*\"},\"policy_ids\":[\"p\"],\"whitelist_ids\":[" whitelist_ids "]}]}"
#define BUNDLE(rules)      BUNDLE_WITH(rules, "", "")
#define PARAM(name, value) "{\"name\":\"" name "\",\"value\":\"" value "\"}"
#define RULE(gate, trigger, action, params)                                                                            \
    "{\"id\":\"r\",\"gate\":\"" gate "\",\"trigger\":\"" trigger "\",\"action\":\"" action "\",\"params\":[" params "]}"

struct fixture {
    struct bw_bundle *bundle;
    struct bw_problems problems;
    struct bw_report *report;
    struct bw_reference reference;
    struct bw_facts facts;
    struct bw_arena arena;
    struct bw_decision decision;
};

static inline int try_load(struct fixture *fixture, const char *text, struct bw_error *err)
{
    struct bw_bundle_options options = {.name = "test.json", .now_s = 1637409600, .default_patterns = true};
    bw_problems_init(&fixture->problems);
    return bw_bundle_load(&fixture->bundle, &fixture->problems, text, strlen(text), &options, err);
}

/* `members` are members of an analysis document. */
static inline void set_up(struct fixture *fixture, const char *bundle, const char *members)
{
    struct bw_error err = {0};
    memset(fixture, 0, sizeof(*fixture));
    if (try_load(fixture, bundle, &err) != 0) {
        fail_msg("%s", err.message);
    }
    char document[65536];
    (void)snprintf(document, sizeof(document),
                   "{\"schema\":\"analysis/1\",\"image\":{\"digest\":\"" DIGEST_A "\",\"id\":\"" ID_B
                   "\",\"os\":\"linux\",\"architecture\":\"amd64\",\"size\":1000,\"layer_count\":2}%s%s}",
                   members[0] != '\0' ? "," : "", members);
    if (bw_report_read_json(&fixture->report, document, strlen(document), &err) != 0) {
        fail_msg("%s", err.message);
    }
    fixture->reference = (struct bw_reference){.registry = "docker.io", .repository = "library/app", .tag = "1"};
    fixture->facts = (struct bw_facts){
        .reference = &fixture->reference, .tag_counts = true, .report = fixture->report, .now_s = 1637409600};
    bw_arena_init(&fixture->arena, BW_ARENA_EVALUATION);
}

static inline void evaluate(struct fixture *fixture)
{
    struct bw_error err = {0};
    if (bw_evaluate(&fixture->decision, fixture->bundle, &fixture->facts, BW_NO_MAPPING_WARN, &fixture->arena, &err) !=
        0) {
        fail_msg("%s", err.message);
    }
}

static inline void tear_down(struct fixture *fixture)
{
    bw_bundle_release(fixture->bundle);
    bw_problems_clear(&fixture->problems);
    bw_report_release(fixture->report);
    bw_arena_clear(&fixture->arena);
}

#endif
