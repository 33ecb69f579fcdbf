/* golden --export-tests TO DIR: a few recorded decisions as test files of bundles (docs/testing-bundles.md): of every
 * trigger one image for which it fires and one for which it does not, and of mappings, image lists and whitelists one
 * of each outcome. Only what a test file can say alone is taken: no vulnerability data, no feeds, small analyses. */
#include "golden/golden.h"

#include "base/deadline.h"
#include "base/watch_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_ROWS = 8, MAX_BUNDLE = 2000, MAX_FILES = 64 };

static const char *const analyses[] = {"alpine-odd",  "badvuln",    "centos-rpm", "debian-full",
                                       "scratch-min", "ubuntu-app", "wolfi-odd"};
static const char *const groups[] = {"gate", "images", "mapping", "whitelist"};

struct exporting {
    struct golden_world *world;
    const char *folder, *to;
    struct bw_map *taken; /* what is represented already */
    struct bw_map *used;  /* analyses */
    struct {
        char name[64];
        FILE *file;
    } files[MAX_FILES];
    size_t n_files, n_cases;
    char now[21];
};

static FILE *file_of(struct exporting *to, const char *name)
{
    for (size_t i = 0; i < to->n_files; i++) {
        if (strcmp(to->files[i].name, name) == 0) {
            return to->files[i].file;
        }
    }
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s.test.yaml", to->to, name);
    FILE *file = to->n_files < MAX_FILES ? fopen(path, "w") : NULL;
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    (void)snprintf(to->files[to->n_files].name, sizeof(to->files[0].name), "%s", name);
    to->files[to->n_files++].file = file;
    fputs("# Recorded decisions of Anchore Engine 1.1, written by hack/golden --export-tests.\n"
          "noMappingMatch: allow\n"
          "cases:\n",
          file);
    return file;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static void put_json(FILE *file, const json_t *node)
{
    char *text = json_dumps(node, JSON_ENCODE_ANY);
    fputs(text == NULL ? "null" : text, file);
    free(text);
}

static void put_text(FILE *file, const char *text)
{
    json_t *node = json_string(text);
    put_json(file, node);
    json_decref(node);
}

/* ---- what can be said ---- */

static size_t count_rows(const json_t *bound)
{
    const json_t *policies = json_object_get(bound, "policies");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(policies); i++) {
        n += json_array_size(json_object_get(json_array_get(policies, i), "rows"));
    }
    return n;
}

/* The decision is the recorded one, though nothing is known but the analysis and the reference. */
static bool is_decided(struct exporting *to, const json_t *bundle, const char *analysis, const char *reference,
                       const json_t *bound)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_GIB);
    struct golden_loaded loaded;
    struct bw_reference parsed;
    struct bw_error err = {0};
    struct golden_difference difference = {0};
    struct bw_decision decision = {0};
    const struct golden_analysis *known = golden_analysis_get(to->world, analysis);
    golden_load(&loaded, bundle);
    bool decided = known != NULL && loaded.bundle != NULL && loaded.problems.n_items == 0 &&
                   bw_reference_parse(&parsed, reference, strlen(reference), &arena, &err) == 0;
    if (decided) {
        const struct bw_facts facts = {.reference = &parsed,
                                       .tag_counts = parsed.digest.text[0] == '\0',
                                       .report = known->report,
                                       .now_s = to->world->now_s};
        decided = bw_evaluate(&decision, loaded.bundle, &facts, BW_NO_MAPPING_ALLOW, &arena, &err) == 0;
    }
    if (decided) {
        golden_compare(&difference, loaded.bundle, &decision, bound, &arena);
    }
    golden_loaded_clear(&loaded);
    return decided && !difference.differs;
}

/* One of each is enough. */
static const char *kind_of(const json_t *recorded, const json_t *bound, char *out, size_t size)
{
    const char *group = text_of(recorded, "group"), *name = text_of(recorded, "name");
    const char *number = strrchr(name, '.');
    if (strcmp(group, "gate") == 0) {
        (void)snprintf(out, size, "%.*s %s", (int)(number - name), name, count_rows(bound) > 0 ? "fires" : "silent");
        return out;
    }
    json_t *told = json_pack(
        "{s:s, s:O*, s:O*, s:O*, s:O*, s:O*, s:b}", "group", group, "action", json_object_get(bound, "final_action"),
        "reason", json_object_get(bound, "final_action_reason"), "mapping", json_object_get(bound, "matched_mapping"),
        "white", json_object_get(bound, "matched_whitelisted_image"), "black",
        json_object_get(bound, "matched_blacklisted_image"), "rows", count_rows(bound) > 0);
    char *text = json_dumps(told, JSON_SORT_KEYS);
    (void)snprintf(out, size, "%s", text == NULL ? "" : text);
    free(text);
    json_decref(told);
    return out;
}

/* ---- writing ---- */

static void put_findings(FILE *file, const json_t *bound)
{
    const json_t *policies = json_object_get(bound, "policies");
    for (size_t i = 0; i < json_array_size(policies); i++) {
        const json_t *policy = json_array_get(policies, i), *rows = json_object_get(policy, "rows");
        for (size_t j = 0; j < json_array_size(rows); j++) {
            const json_t *row = json_array_get(rows, j);
            const json_t *whitelist = json_object_get(json_object_get(row, "whitelisted"), "whitelist_id");
            json_t *made =
                json_pack("{s:O, s:O, s:O, s:O, s:O, s:O, s:O*}", "gate", json_object_get(row, "gate"), "trigger",
                          json_object_get(row, "trigger"), "triggerId", json_object_get(row, "trigger_id"), "policy",
                          json_object_get(policy, "policy_id"), "rule", json_object_get(row, "rule"), "action",
                          json_object_get(row, "action"), "whitelist", whitelist);
            fputs("    - ", file);
            put_json(file, made);
            fputs("\n", file);
            json_decref(made);
        }
    }
}

static void put_case(struct exporting *to, FILE *file, const json_t *recorded, const char *reference,
                     const json_t *bound)
{
    const json_t *mapping = json_object_get(bound, "matched_mapping");
    fputs("- name: ", file);
    put_text(file, text_of(recorded, "name"));
    fputs("\n  image: ", file);
    put_text(file, reference);
    if (strchr(reference, '@') != NULL) {
        fputs("\n  tagCounts: false", file);
    }
    fprintf(file, "\n  analysis: analyses/%s.json\n  now: %s\n  bundle: ", text_of(recorded, "analysis"), to->now);
    put_json(file, json_object_get(recorded, "bundle"));
    fprintf(file, "\n  expect:\n    action: %s\n    reason: %s\n    mapping: ", text_of(bound, "final_action"),
            text_of(bound, "final_action_reason"));
    if (json_is_integer(mapping)) {
        fprintf(file, "%lld\n", (long long)json_integer_value(mapping));
    } else {
        fputs("none\n", file);
    }
    fputs("    findingsExactly: true\n", file);
    if (count_rows(bound) > 0) {
        fputs("    findings:\n", file);
        put_findings(file, bound);
    }
    to->n_cases++;
}

static bool is_known(const char *analysis)
{
    for (size_t i = 0; i < BW_LENGTH(analyses); i++) {
        if (strcmp(analyses[i], analysis) == 0) {
            return true;
        }
    }
    return false;
}

static void export_case(struct exporting *to, const json_t *recorded)
{
    const json_t *bundle = json_object_get(recorded, "bundle");
    const json_t *result = json_array_get(json_object_get(recorded, "results"), 0);
    const json_t *bound = json_object_get(result, "bound");
    const char *analysis = text_of(recorded, "analysis"), *reference = text_of(result, "reference");
    char kind[1024], name[64];
    char *dumped = json_dumps(bundle, JSON_COMPACT | JSON_ENCODE_ANY);
    bool small = dumped != NULL && strlen(dumped) <= MAX_BUNDLE;
    free(dumped);
    if (!small || !is_known(analysis) || strcmp(text_of(bound, "status"), "ok") != 0 || count_rows(bound) > MAX_ROWS ||
        json_object_get(recorded, "caveat") != NULL) {
        return;
    }
    (void)kind_of(recorded, bound, kind, sizeof(kind));
    if (bw_map_get(to->taken, kind, strlen(kind)) != NULL || !is_decided(to, bundle, analysis, reference, bound)) {
        return;
    }
    (void)bw_map_put(to->taken, kind, strlen(kind), to);
    (void)bw_map_put(to->used, analysis, strlen(analysis), to);
    const char *group = text_of(recorded, "group"), *gate = strchr(text_of(recorded, "name"), '.');
    if (strcmp(group, "gate") == 0 && gate != NULL) {
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(gate + 1, "."), gate + 1);
    } else {
        (void)snprintf(name, sizeof(name), "%s", group);
    }
    put_case(to, file_of(to, name), recorded, reference, bound);
}

static int export_group(struct exporting *to, const char *group)
{
    char name[512];
    size_t len = 0;
    (void)snprintf(name, sizeof(name), "cases/%s.jsonl", group);
    char *text = golden_read(to->folder, name, &len);
    struct bw_str rest = {text, len}, line;
    while (text != NULL && bw_str_next(&line, &rest, '\n')) {
        json_t *recorded = NULL;
        struct bw_error err = {0};
        if (bw_str_trim(line).len > 0 && bw_json_parse(&recorded, line.base, line.len, BW_GIB, &err) == 0) {
            export_case(to, recorded);
            json_decref(recorded);
        }
    }
    free(text);
    return text == NULL ? -1 : 0;
}

/* Without the vulnerabilities, which no test file speaks of. */
static int export_analysis(struct exporting *to, const char *name)
{
    char path[4096];
    struct bw_error err = {0};
    (void)snprintf(path, sizeof(path), "analyses/%s.json", name);
    json_t *document = golden_read_json(to->folder, path);
    if (document == NULL) {
        return -1;
    }
    (void)json_object_del(document, "vulnerabilities");
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    (void)snprintf(path, sizeof(path), "%s/analyses/%s.json", to->to, name);
    if (text == NULL || bw_file_write(path, text, strlen(text), 0644, &err) != 0) {
        fprintf(stderr, "golden: %s\n", err.message);
        free(text);
        return -1;
    }
    free(text);
    return 0;
}

int golden_export(struct golden_world *world, const char *folder, const char *to)
{
    struct exporting exporting = {.world = world, .folder = folder, .to = to};
    char path[4096];
    int status = 0;
    (void)snprintf(path, sizeof(path), "%s/analyses", to);
    if ((mkdir(to, 0755) != 0 && errno != EEXIST) || (mkdir(path, 0755) != 0 && errno != EEXIST)) {
        perror(path);
        return -1;
    }
    bw_time_format(exporting.now, world->now_s);
    exporting.taken = bw_map_create();
    exporting.used = bw_map_create();
    for (size_t i = 0; i < BW_LENGTH(groups); i++) {
        status = export_group(&exporting, groups[i]) != 0 ? -1 : status;
    }
    for (size_t i = 0; i < BW_LENGTH(analyses); i++) {
        if (bw_map_get(exporting.used, analyses[i], strlen(analyses[i])) != NULL) {
            status = export_analysis(&exporting, analyses[i]) != 0 ? -1 : status;
        }
    }
    for (size_t i = 0; i < exporting.n_files; i++) {
        status = fclose(exporting.files[i].file) != 0 ? -1 : status;
    }
    bw_map_destroy(exporting.taken, NULL);
    bw_map_destroy(exporting.used, NULL);
    printf("%zu cases in %zu files\n", exporting.n_cases, exporting.n_files);
    return status;
}
