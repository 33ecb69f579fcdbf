/* bench_evaluate DIR ANALYSIS BUNDLE [one|scale|soak] [ROUNDS]: CPU and memory of loading a bundle and of evaluating it
 * for one recorded image. DIR is laid out as tests/data/golden; BUNDLE is a file, or the name of a recorded case.
 * Prints one JSON object.
 *   one    loading; an evaluation with the messages that a verdict keeps; and one with all ids and messages
 *   scale  what ten times the rules, packages, whitelist items and mappings cost, as ratios
 *   soak   resident memory before and after ROUNDS evaluations */
#include "bench/bench_evaluate.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOADS = 20, MESSAGES = 100, MESSAGES_OF_RULE = 10, SOAK_WARM_UP = 1000 };

double bench_cpu_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

struct bw_bundle *bench_load(const char *text)
{
    struct bw_problems problems;
    struct bw_bundle *bundle = NULL;
    struct bw_error err = {0};
    bw_problems_init(&problems);
    if (bw_bundle_load(&bundle, &problems, text, strlen(text), NULL, &err) != 0) {
        fprintf(stderr, "bench_evaluate: %s\n", err.message);
        exit(2);
    }
    bw_problems_clear(&problems);
    return bundle;
}

static void fail(const struct bw_error *err)
{
    fprintf(stderr, "bench_evaluate: %s\n", err->message);
    exit(2);
}

/* The messages that a verdict of the webhook keeps: worst first, few of each rule. */
static void write_messages(const struct bw_decision *decision, struct bw_arena *arena)
{
    struct bw_error err = {0};
    unsigned n = 0;
    for (int wanted = BW_STOP; wanted >= BW_WARN; wanted--) {
        unsigned n_of_rule = 0;
        const struct bw_finding *last = NULL;
        for (size_t i = 0; i < decision->n_findings && n < MESSAGES; i++) {
            const struct bw_finding *finding = &decision->findings[i];
            if ((int)finding->action != wanted) {
                continue;
            }
            bool same = last != NULL && last->policy == finding->policy && last->rule == finding->rule;
            n_of_rule = same ? n_of_rule + 1 : 1;
            last = finding;
            if (n_of_rule > MESSAGES_OF_RULE) {
                continue;
            }
            struct bw_finding written = *finding;
            if (bw_finding_write_message(&written, arena, &err) != 0) {
                fail(&err);
            }
            n++;
        }
    }
}

struct bench_sizes bench_evaluate(const struct bw_bundle *bundle, const struct bw_facts *facts, bool with_words)
{
    BW_ARENA_SCOPE arena;
    struct bw_decision decision = {0};
    struct bw_error err = {0};
    bw_arena_init(&arena, BW_ARENA_EVALUATION);
    if ((with_words ? bw_evaluate(&decision, bundle, facts, BW_NO_MAPPING_ALLOW, &arena, &err)
                    : bw_evaluate_wordless(&decision, bundle, facts, BW_NO_MAPPING_ALLOW, &arena, &err)) != 0) {
        fail(&err);
    }
    if (!with_words) {
        write_messages(&decision, &arena);
    }
    return (struct bench_sizes){decision.n_findings, arena.used};
}

double bench_evaluate_ms(const struct bw_bundle *bundle, const struct bw_facts *facts, bool with_words,
                         unsigned long rounds)
{
    (void)bench_evaluate(bundle, facts, with_words);
    double before = bench_cpu_ms();
    for (unsigned long i = 0; i < rounds; i++) {
        (void)bench_evaluate(bundle, facts, with_words);
    }
    return (bench_cpu_ms() - before) / (double)rounds;
}

static void one(const char *text, const struct bw_facts *facts, unsigned long rounds)
{
    double before = bench_cpu_ms();
    for (int i = 0; i < LOADS; i++) {
        bw_bundle_release(bench_load(text));
    }
    double load_ms = (bench_cpu_ms() - before) / LOADS;
    struct bw_bundle *bundle = bench_load(text);
    struct bench_sizes sizes = bench_evaluate(bundle, facts, false);
    double evaluate_ms = bench_evaluate_ms(bundle, facts, false, rounds);
    double with_words_ms = bench_evaluate_ms(bundle, facts, true, rounds);
    printf("{\"load_ms\": %.3f, \"evaluate_ms\": %.4f, \"with_words_ms\": %.4f, \"findings\": %zu, "
           "\"arena_bytes\": %zu}\n",
           load_ms, evaluate_ms, with_words_ms, sizes.n_findings, sizes.arena_bytes);
    bw_bundle_release(bundle);
}

static long resident_kib(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    unsigned long kib = 0;
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = strtoul(line + 6, NULL, 10);
        }
    }
    if (status != NULL) {
        (void)fclose(status);
    }
    return (long)kib;
}

static void soak(const char *text, const struct bw_facts *facts, unsigned long rounds)
{
    struct bw_bundle *bundle = bench_load(text);
    struct bench_sizes first = bench_evaluate(bundle, facts, false);
    bool same = true;
    long before_kib = 0;
    for (unsigned long i = 0; i < rounds + SOAK_WARM_UP; i++) {
        before_kib = i == SOAK_WARM_UP ? resident_kib() : before_kib;
        struct bench_sizes again = bench_evaluate(bundle, facts, false);
        same = same && again.arena_bytes == first.arena_bytes && again.n_findings == first.n_findings;
    }
    printf("{\"evaluations\": %lu, \"rss_before_kib\": %ld, \"rss_after_kib\": %ld, \"same_arena_bytes\": %s}\n",
           rounds, before_kib, resident_kib(), same ? "true" : "false");
    bw_bundle_release(bundle);
}

/* The bundle of a case, as `complete.empty.0001` of cases/complete.jsonl. */
static char *read_recorded(const char *folder, const char *name)
{
    char path[512];
    size_t len = 0;
    (void)snprintf(path, sizeof(path), "cases/%.*s.jsonl", (int)strcspn(name, "."), name);
    char *cases = golden_read(folder, path, &len);
    struct bw_str rest = bw_str_from(cases), line;
    char *text = NULL;
    while (text == NULL && bw_str_next(&line, &rest, '\n')) {
        json_t *recorded = json_loadb(line.base, line.len, 0, NULL);
        const char *file = json_string_value(json_object_get(recorded, "bundle_file"));
        if (strcmp(name, recorded == NULL ? "" : json_string_value(json_object_get(recorded, "name"))) == 0) {
            text = file != NULL ? golden_read(folder, file, &len)
                                : json_dumps(json_object_get(recorded, "bundle"), JSON_COMPACT);
        }
        json_decref(recorded);
    }
    free(cases);
    return text;
}

static char *read_bundle(const char *folder, const char *name)
{
    size_t len = 0;
    return bw_str_ends_with(bw_str_from(name), ".json") ? golden_read(name[0] == '/' ? "" : ".", name, &len)
                                                        : read_recorded(folder, name);
}

int main(int argc, char **argv)
{
    struct golden_world world;
    const char *mode = argc > 4 ? argv[4] : "one";
    bw_memory_set_up();
    if (argc < 4 || (strcmp(mode, "one") != 0 && strcmp(mode, "scale") != 0 && strcmp(mode, "soak") != 0)) {
        fprintf(stderr, "usage: bench_evaluate DIR ANALYSIS BUNDLE [one|scale|soak] [ROUNDS]\n");
        return 2;
    }
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    char *text = read_bundle(argv[1], argv[3]);
    struct golden_case recorded = {.analysis = argv[2], .environment = "fresh"};
    struct golden_facts facts;
    if (text == NULL || golden_world_open(&world, argv[1]) != 0 ||
        golden_facts_get(&facts, &world, &recorded, "docker.io/library/app:1", &arena) != 0) {
        return 2;
    }
    unsigned long rounds = argc > 5 ? strtoul(argv[5], NULL, 10) : strcmp(mode, "soak") == 0 ? 1000000 : 2000;
    if (strcmp(mode, "scale") == 0) {
        bench_scale(&world, argv[2], text, &facts.facts, rounds);
    } else if (strcmp(mode, "soak") == 0) {
        soak(text, &facts.facts, rounds);
    } else {
        one(text, &facts.facts, rounds);
    }
    golden_world_close(&world);
    free(text);
    return 0;
}
