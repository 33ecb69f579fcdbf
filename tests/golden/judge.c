/* One reference of one case: load, evaluate, compare. */
#include "golden/golden.h"

#include "evaluator/deviation.h"

#include <stdlib.h>
#include <string.h>

void golden_load(struct golden_loaded *out, const json_t *document)
{
    memset(out, 0, sizeof(*out));
    bw_problems_init(&out->problems);
    char *text = json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY);
    struct bw_bundle_options options = {.name = "recorded bundle"};
    struct bw_error err = {0};
    if (text == NULL || bw_bundle_load(&out->bundle, &out->problems, text, strlen(text), &options, &err) != 0) {
        out->bundle = NULL;
    }
    free(text);
}

void golden_loaded_clear(struct golden_loaded *loaded)
{
    bw_bundle_release(loaded->bundle);
    bw_problems_clear(&loaded->problems);
}

int golden_facts_get(struct golden_facts *out, struct golden_world *world, const struct golden_case *recorded,
                     const char *reference, struct bw_arena *arena)
{
    const struct golden_analysis *analysis = golden_analysis_get(world, recorded->analysis);
    const struct golden_environment *environment = golden_environment_get(world, recorded->environment);
    if (analysis == NULL || environment == NULL || golden_reference(&out->reference, reference, arena) != 0) {
        return -1;
    }
    out->vulnerabilities = environment->database;
    out->vulnerabilities.available = analysis->vulnerabilities.available;
    out->vulnerabilities.matches = analysis->vulnerabilities.matches;
    out->vulnerabilities.n_matches = analysis->vulnerabilities.n_matches;
    out->facts = (struct bw_facts){
        .reference = &out->reference,
        .tag_counts = out->reference.digest.text[0] == '\0', /* no registry is at hand that could say more */
        .report = analysis->report,
        .vulnerabilities = &out->vulnerabilities,
        .npm_feed = environment->has_npm ? &environment->npm : NULL,
        .gem_feed = environment->has_gem ? &environment->gem : NULL,
        .now_s = world->now_s,
    };
    return 0;
}

int golden_evaluate(struct bw_decision *out, struct golden_world *world, const struct golden_case *recorded,
                    const struct bw_bundle *bundle, const char *reference, struct bw_arena *arena)
{
    struct golden_facts made;
    struct bw_error err = {0};
    return golden_facts_get(&made, world, recorded, reference, arena) != 0
               ? -1
               : bw_evaluate(out, bundle, &made.facts, BW_NO_MAPPING_ALLOW, arena, &err);
}

static const struct bw_problem *first_error(const struct bw_problems *problems)
{
    for (size_t i = 0; i < problems->n_items; i++) {
        if (problems->items[i].severity == BW_PROBLEM_ERROR) {
            return &problems->items[i];
        }
    }
    return NULL;
}

/* The row that explains a refusal whose faults are all reached: each has one of its own. */
static unsigned row_of_faults(const struct bw_problems *problems)
{
    unsigned row = 0;
    for (size_t i = 0; i < problems->n_items; i++) {
        const struct bw_problem *problem = &problems->items[i];
        if (problem->severity != BW_PROBLEM_ERROR) {
            continue;
        }
        if (problem->row == 0) {
            return 0;
        }
        row = row == 0 || problem->row < row ? problem->row : row;
    }
    return row;
}

/* The engine made something of this bundle and we refuse it: by which row? */
static unsigned explain_refusal(struct golden_world *world, const struct golden_case *recorded, const char *reference,
                                const json_t *bound, struct bw_arena *arena)
{
    unsigned row = 0;
    json_t *skeleton = golden_reached(recorded->bundle, -1);
    struct golden_loaded loaded;
    golden_load(&loaded, skeleton);
    json_decref(skeleton);
    struct bw_decision decision = {0};
    if (loaded.bundle == NULL) {
        row = row_of_faults(&loaded.problems);
    } else if (golden_evaluate(&decision, world, recorded, loaded.bundle, reference, arena) == 0) {
        struct golden_loaded reached;
        json_t *document = golden_reached(recorded->bundle, decision.mapping);
        golden_load(&reached, document);
        json_decref(document);
        struct golden_difference inner = {0};
        if (reached.bundle == NULL) {
            row = row_of_faults(&reached.problems);
        } else if (golden_evaluate(&decision, world, recorded, reached.bundle, reference, arena) == 0) {
            /* What is reached must agree, or differ for reasons of its own. */
            golden_compare(&inner, reached.bundle, &decision, bound, arena);
            row = inner.differs && inner.row == 0 ? 0 : BW_ROW_UNREACHED;
        }
        golden_loaded_clear(&reached);
    }
    golden_loaded_clear(&loaded);
    return row;
}

static const char *our_outcome(const struct bw_decision *decision, struct bw_arena *arena)
{
    struct bw_buf rows;
    bw_buf_init(&rows, BW_GIB);
    for (size_t i = 0; i < decision->n_findings; i++) {
        const struct bw_finding *finding = &decision->findings[i];
        bw_buf_printf(&rows, "%s %u %s:%s %s %s %s\n", finding->policy_id, finding->rule, finding->gate,
                      finding->trigger, finding->trigger_id, bw_action_name(finding->action),
                      finding->whitelisted ? finding->whitelist_id : "-");
    }
    char hash[2 * BW_HASH_MAX + 1];
    bw_hash_hex(hash, BW_SHA256, rows.data, rows.len);
    bw_buf_clear(&rows);
    return bw_arena_printf(arena, "%s %s mapping=%d images=%d/%d rows=%zu:%.12s", bw_action_name(decision->action),
                           decision->reason, decision->mapping, decision->whitelisted_image,
                           decision->blacklisted_image, decision->n_findings, hash);
}

int golden_judge(struct golden_difference *out, struct golden_world *world, const struct golden_case *recorded,
                 const struct golden_loaded *loaded, const char *reference, const json_t *bound, struct bw_arena *arena)
{
    *out = (struct golden_difference){0};
    const char *status = json_string_value(json_object_get(bound, "status"));
    if (loaded->bundle == NULL) {
        const struct bw_problem *problem = first_error(&loaded->problems);
        const char *got = bw_arena_printf(arena, "refused: %s %s: %s", problem->kind, problem->path, problem->message);
        out->outcome = bw_arena_printf(arena, "refused %s %s", problem->kind, problem->path);
        if (strcmp(status, "init_error") != 0 && strcmp(status, "build_exception") != 0) {
            out->differs = true;
            out->what = "status";
            out->expected = status;
            out->got = got;
            out->row = explain_refusal(world, recorded, reference, bound, arena);
        }
        return 0;
    }
    struct bw_decision decision = {0};
    if (golden_evaluate(&decision, world, recorded, loaded->bundle, reference, arena) != 0) {
        return -1;
    }
    golden_compare(out, loaded->bundle, &decision, bound, arena);
    out->outcome = our_outcome(&decision, arena);
    return 0;
}
