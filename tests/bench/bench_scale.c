/* Ten times the rules, packages, whitelist items and mappings, each beside the same with one times: they must cost at
 * most ten times as much, or something compares everything with everything. And the loading of ten megabytes. */
#include "bench/bench_evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMES = 10, ITEMS = 2000, MAPPINGS = 1000, LARGE = 10000000, ROUNDS_OF_THREE = 3 };

static char *dump(const json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT);
    if (text == NULL) {
        fprintf(stderr, "bench_evaluate: out of memory\n");
        exit(2);
    }
    return text;
}

static json_t *parse(const char *text)
{
    json_t *root = json_loads(text, 0, NULL);
    if (root == NULL) {
        fprintf(stderr, "bench_evaluate: the document is no JSON\n");
        exit(2);
    }
    return root;
}

/* Every element of the list `times` over; `key` of each copy is made a text of its own. */
static void repeat(json_t *list, const char *key, unsigned times)
{
    size_t n = json_array_size(list);
    for (unsigned copy = 1; copy < times; copy++) {
        for (size_t i = 0; i < n; i++) {
            json_t *element = json_deep_copy(json_array_get(list, i));
            const char *text = json_string_value(json_object_get(element, key));
            json_object_set_new(element, key, json_sprintf("%s-%u", text != NULL ? text : "", copy));
            json_array_append_new(list, element);
        }
    }
}

/* ---- the documents ---- */

static char *with_rules(const char *bundle, unsigned times)
{
    json_t *root = parse(bundle);
    size_t i = 0;
    json_t *policy = NULL;
    json_array_foreach(json_object_get(root, "policies"), i, policy)
    {
        repeat(json_object_get(policy, "rules"), "id", times);
    }
    char *text = dump(root);
    json_decref(root);
    return text;
}

/* Items for ids that this image's findings nearly have, one in four with a star. */
static char *with_items(const char *bundle, unsigned times)
{
    json_t *root = parse(bundle);
    json_t *items = json_array();
    for (unsigned i = 0; i < ITEMS * times; i++) {
        json_array_append_new(items,
                              json_pack("{s:s, s:o, s:o}", "gate", "vulnerabilities", "id",
                                        json_sprintf("item-%06u", i), "trigger_id",
                                        json_sprintf("CVE-%u-%06u+%s", 1999 + i % 20, i, i % 4 == 0 ? "*" : "pkg001")));
    }
    json_t *whitelists = json_object_get(root, "whitelists");
    json_object_set_new(json_array_get(whitelists, 0), "items", items);
    char *text = dump(root);
    json_decref(root);
    return text;
}

/* Mappings that do not match, before those that do. */
static char *with_mappings(const char *bundle, unsigned times)
{
    json_t *root = parse(bundle);
    json_t *mappings = json_object_get(root, "mappings");
    json_t *model = json_deep_copy(json_array_get(mappings, 0));
    for (unsigned i = 0; i < MAPPINGS * times; i++) {
        json_t *mapping = json_deep_copy(model);
        json_object_set_new(mapping, "id", json_sprintf("mapping-%06u", i));
        json_object_set_new(mapping, "name", json_sprintf("mapping-%06u", i));
        json_object_set_new(mapping, "repository", json_sprintf("team-%06u/*", i));
        json_array_insert_new(mappings, 0, mapping);
    }
    json_decref(model);
    char *text = dump(root);
    json_decref(root);
    return text;
}

static struct bw_report *with_packages(struct golden_world *world, const char *analysis, unsigned times)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "analyses/%s.json", analysis);
    json_t *root = golden_read_json(world->folder, path);
    if (root == NULL) {
        exit(2);
    }
    repeat(json_object_get(root, "packages"), "name", times);
    char *text = dump(root);
    json_decref(root);
    struct bw_report *report = NULL;
    struct bw_error err = {0};
    if (bw_report_read_json(&report, text, strlen(text), &err) != 0) {
        fprintf(stderr, "bench_evaluate: %s\n", err.message);
        exit(2);
    }
    free(text);
    return report;
}

/* ---- measuring ---- */

struct cost {
    double load_ms, evaluate_ms;
};

/* The least of three: what disturbs only ever adds. */
static struct cost measure(const char *text, const struct bw_facts *facts, unsigned long rounds)
{
    struct cost least = {1e9, 1e9};
    for (unsigned i = 0; i < ROUNDS_OF_THREE; i++) {
        double before = bench_cpu_ms();
        struct bw_bundle *bundle = bench_load(text);
        double load_ms = bench_cpu_ms() - before;
        double evaluate_ms = bench_evaluate_ms(bundle, facts, false, rounds);
        bw_bundle_release(bundle);
        least.load_ms = load_ms < least.load_ms ? load_ms : least.load_ms;
        least.evaluate_ms = evaluate_ms < least.evaluate_ms ? evaluate_ms : least.evaluate_ms;
    }
    return least;
}

static void print(const char *what, struct cost once, struct cost tenfold, const char *end)
{
    printf("\"%s\": {\"load_ms\": [%.3f, %.3f], \"load_ratio\": %.2f, \"evaluate_ms\": [%.4f, %.4f], "
           "\"evaluate_ratio\": %.2f}%s",
           what, once.load_ms, tenfold.load_ms, tenfold.load_ms / once.load_ms, once.evaluate_ms, tenfold.evaluate_ms,
           tenfold.evaluate_ms / once.evaluate_ms, end);
}

/* Whitelist items are what makes bundles large. */
static void load_large(const char *bundle)
{
    unsigned times = TIMES;
    char *text = with_items(bundle, times);
    while (strlen(text) < LARGE) {
        times += TIMES;
        free(text);
        text = with_items(bundle, times);
    }
    double before = bench_cpu_ms();
    struct bw_bundle *loaded = bench_load(text);
    printf("\"large\": {\"bytes\": %zu, \"load_ms\": %.1f}}\n", strlen(text), bench_cpu_ms() - before);
    bw_bundle_release(loaded);
    free(text);
}

void bench_scale(struct golden_world *world, const char *analysis, const char *bundle, const struct bw_facts *facts,
                 unsigned long rounds)
{
    static const struct {
        const char *what;
        char *(*make)(const char *bundle, unsigned times);
    } rows[] = {{"rules", with_rules}, {"whitelist_items", with_items}, {"mappings", with_mappings}};
    printf("{");
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        char *once = rows[i].make(bundle, 1);
        char *tenfold = rows[i].make(bundle, TIMES);
        print(rows[i].what, measure(once, facts, rounds), measure(tenfold, facts, rounds / TIMES + 1), ", ");
        free(once);
        free(tenfold);
    }
    struct bw_facts more = *facts;
    struct bw_report *report = with_packages(world, analysis, TIMES);
    more.report = report;
    print("packages", measure(bundle, facts, rounds), measure(bundle, &more, rounds / TIMES + 1), ", ");
    bw_report_release(report);
    load_large(bundle);
}
