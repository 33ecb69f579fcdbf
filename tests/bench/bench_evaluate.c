/* bench_evaluate ANALYSIS BUNDLE [ROUNDS]: CPU of loading a bundle and of evaluating it for one image, both as recorded
 * (tests/data/golden). Prints one JSON object. */
#include "golden/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct bw_bundle *load(const char *text)
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

int main(int argc, char **argv)
{
    struct golden_world world;
    unsigned long rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : 2000;
    size_t len = 0;
    if (argc < 4 || golden_world_open(&world, argv[1]) != 0) {
        fprintf(stderr, "usage: bench_evaluate DIR ANALYSIS BUNDLE [ROUNDS]\n");
        return 2;
    }
    char *text = golden_read("/", argv[3], &len);
    struct golden_case recorded = {.analysis = argv[2], .environment = "fresh"};
    if (text == NULL || golden_analysis_get(&world, argv[2]) == NULL) {
        return 2;
    }
    double before = cpu_ms();
    for (int i = 0; i < 20; i++) {
        bw_bundle_release(load(text));
    }
    double load_ms = (cpu_ms() - before) / 20;
    struct bw_bundle *bundle = load(text);
    struct bw_decision decision = {0};
    size_t used = 0;
    before = cpu_ms();
    for (unsigned long i = 0; i < rounds; i++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_ARENA_EVALUATION);
        if (golden_evaluate(&decision, &world, &recorded, bundle, "docker.io/library/app:1", &arena) != 0) {
            return 2;
        }
        used = arena.used;
    }
    printf("{\"load_ms\": %.3f, \"evaluate_ms\": %.4f, \"findings\": %zu, \"arena_bytes\": %zu}\n", load_ms,
           (cpu_ms() - before) / (double)rounds, decision.n_findings, used);
    bw_bundle_release(bundle);
    golden_world_close(&world);
    free(text);
    return 0;
}
