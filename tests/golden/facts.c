/* Facts of a recorded set: analyses, environments, references. */
#include "golden/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* "2021-11-20T12:00:00Z"; -1 when absent. */
static int64_t instant_of(const json_t *object, const char *key)
{
    const char *text = text_of(object, key);
    struct tm date = {0};
    const char *end = text == NULL ? NULL : strptime(text, "%Y-%m-%dT%H:%M:%S", &date);
    return end == NULL ? -1 : (int64_t)timegm(&date);
}

static const char *const *texts_of(struct bw_arena *arena, const json_t *list, size_t *n_out)
{
    const char **texts = bw_arena_array(arena, json_array_size(list) + 1, sizeof(*texts));
    *n_out = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text != NULL) {
            texts[(*n_out)++] = bw_arena_strdup(arena, text);
        }
    }
    return texts;
}

static const char *keep(struct bw_arena *arena, const char *text)
{
    return text == NULL ? NULL : bw_arena_strdup(arena, text);
}

/* ---- vulnerabilities ---- */

static double score_of(const json_t *score, const char *key)
{
    const json_t *number = json_object_get(score, key);
    return json_is_number(number) ? json_number_value(number) : -1.0;
}

static void add_scores(struct bw_arena *arena, struct bw_cvss *scores, size_t *n_scores, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *score = json_array_get(list, i);
        scores[(*n_scores)++] = (struct bw_cvss){.version = keep(arena, text_of(score, "version")),
                                                 .base = score_of(score, "base_score"),
                                                 .exploitability = score_of(score, "exploitability_score"),
                                                 .impact = score_of(score, "impact_score")};
    }
}

static void read_scores(struct bw_arena *arena, struct bw_vulnerability_match *match, const json_t *node)
{
    const json_t *own = json_object_get(node, "cvss");
    const json_t *nvd = json_object_get(node, "nvd");
    size_t n_nvd = 0;
    for (size_t i = 0; i < json_array_size(nvd); i++) {
        n_nvd += json_array_size(json_object_get(json_array_get(nvd, i), "cvss"));
    }
    struct bw_cvss *scores = bw_arena_array(arena, json_array_size(own) + n_nvd + 1, sizeof(*scores));
    match->cvss = scores;
    add_scores(arena, scores, &match->n_cvss, own);
    scores += match->n_cvss;
    match->nvd_cvss = scores;
    for (size_t i = 0; i < json_array_size(nvd); i++) {
        add_scores(arena, scores, &match->n_nvd_cvss, json_object_get(json_array_get(nvd, i), "cvss"));
    }
}

static void read_match(struct bw_arena *arena, struct bw_vulnerability_match *match, const json_t *node)
{
    const json_t *package = json_object_get(node, "package");
    const json_t *fix = json_object_get(node, "fix");
    *match = (struct bw_vulnerability_match){
        .id = keep(arena, text_of(node, "id")),
        .severity = keep(arena, text_of(node, "severity")),
        .link = keep(arena, text_of(node, "link")),
        .feed_group = keep(arena, text_of(node, "feed_group")),
        .package_name = keep(arena, text_of(package, "name")),
        .package_version = keep(arena, text_of(package, "version")),
        .package_type = keep(arena, text_of(package, "type")),
        .package_path = keep(arena, text_of(package, "path")),
        .will_not_fix = json_is_true(json_object_get(fix, "wont_fix")),
        .fix_observed_s = instant_of(fix, "observed_at"),
        .detected_s = instant_of(node, "detected_at"),
    };
    match->fix_versions = texts_of(arena, json_object_get(fix, "versions"), &match->n_fix_versions);
    read_scores(arena, match, node);
}

/* null: no report exists. */
static void read_vulnerabilities(struct bw_arena *arena, struct bw_vulnerabilities *out, const json_t *list)
{
    if (!json_is_array(list)) {
        return;
    }
    struct bw_vulnerability_match *matches = bw_arena_array(arena, json_array_size(list) + 1, sizeof(*matches));
    for (size_t i = 0; i < json_array_size(list); i++) {
        read_match(arena, &matches[i], json_array_get(list, i));
    }
    out->available = true;
    out->matches = matches;
    out->n_matches = json_array_size(list);
}

const struct golden_analysis *golden_analysis_get(struct golden_world *world, const char *name)
{
    struct golden_analysis *analysis = bw_map_get(world->analyses, name, strlen(name));
    if (analysis != NULL) {
        return analysis;
    }
    char path[512];
    (void)snprintf(path, sizeof(path), "analyses/%s.json", name);
    size_t len = 0;
    char *text = golden_read(world->folder, path, &len);
    struct bw_error err = {0};
    json_t *root = NULL;
    analysis = bw_arena_alloc(&world->arena, sizeof(*analysis));
    if (text == NULL || bw_report_read_json(&analysis->report, text, len, &err) != 0 ||
        bw_json_parse(&root, text, len, BW_GIB, &err) != 0) {
        fprintf(stderr, "golden: analysis %s: %s\n", name, err.message);
        free(text);
        return NULL;
    }
    read_vulnerabilities(&world->arena, &analysis->vulnerabilities, json_object_get(root, "vulnerabilities"));
    json_decref(root);
    free(text);
    (void)bw_map_put(world->analyses, name, strlen(name), analysis);
    return analysis;
}

/* ---- environments ---- */

static void read_database(struct bw_arena *arena, struct bw_vulnerabilities *out, const json_t *node)
{
    if (!json_is_object(node)) {
        return;
    }
    const json_t *groups = json_object_get(node, "groups");
    struct bw_vulnerability_namespace *spaces = bw_arena_array(arena, json_array_size(groups) + 1, sizeof(*spaces));
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);
        spaces[i].name = keep(arena, text_of(group, "name"));
        spaces[i].records = json_integer_value(json_object_get(group, "record_count"));
    }
    out->database = true;
    out->built_s = instant_of(node, "built_at");
    out->namespaces = spaces;
    out->n_namespaces = json_array_size(groups);
}

static bool read_feed(struct bw_arena *arena, struct bw_package_feed *out, const json_t *node)
{
    if (!json_is_object(node)) {
        return false;
    }
    const json_t *list = json_object_get(node, "records");
    struct bw_feed_package *records = bw_arena_array(arena, json_array_size(list) + 1, sizeof(*records));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *record = json_array_get(list, i);
        records[i].name = keep(arena, text_of(record, "name"));
        records[i].latest = keep(arena, text_of(record, "latest"));
        records[i].versions = texts_of(arena, json_object_get(record, "versions"), &records[i].n_versions);
    }
    out->synced = text_of(node, "last_sync") != NULL;
    out->records = records;
    out->n_records = json_array_size(list);
    return true;
}

int golden_world_open(struct golden_world *world, const char *folder)
{
    *world = (struct golden_world){.folder = folder};
    json_t *root = golden_read_json(folder, "environments.json");
    if (root == NULL) {
        return -1;
    }
    bw_arena_init(&world->arena, BW_GIB);
    world->environments = bw_map_create();
    world->analyses = bw_map_create();
    world->now_s = json_integer_value(json_object_get(root, "now_epoch"));
    const char *name;
    json_t *node;
    json_object_foreach(json_object_get(root, "environments"), name, node)
    {
        struct golden_environment *environment = bw_arena_alloc(&world->arena, sizeof(*environment));
        const json_t *feeds = json_object_get(node, "package_feeds");
        environment->database.built_s = -1;
        read_database(&world->arena, &environment->database, json_object_get(node, "vulnerability_db"));
        environment->has_npm = read_feed(&world->arena, &environment->npm, json_object_get(feeds, "npm"));
        environment->has_gem = read_feed(&world->arena, &environment->gem, json_object_get(feeds, "gem"));
        (void)bw_map_put(world->environments, name, strlen(name), environment);
    }
    json_decref(root);
    return 0;
}

static void release_analysis(void *value)
{
    bw_report_release(((struct golden_analysis *)value)->report);
}

void golden_world_close(struct golden_world *world)
{
    bw_map_destroy(world->environments, NULL);
    bw_map_destroy(world->analyses, release_analysis);
    bw_arena_clear(&world->arena);
}

const struct golden_environment *golden_environment_get(struct golden_world *world, const char *name)
{
    return bw_map_get(world->environments, name, strlen(name));
}

/* ---- references ---- */

static bool is_hex(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, "0123456789abcdefABCDEF") == len;
}

/* Whether what stands before the first slash names a registry. */
static bool names_registry(struct bw_str first)
{
    static const char *const known[] = {"localhost", "localbuild"};
    for (size_t i = 0; i < BW_LENGTH(known); i++) {
        if (bw_str_is(first, known[i])) {
            return true;
        }
    }
    return memchr(first.base, ':', first.len) != NULL || memchr(first.base, '.', first.len) != NULL;
}

static void split_repository(struct bw_reference *out, char *rest, struct bw_arena *arena)
{
    char *at = strrchr(rest, '@');
    if (at != NULL) {
        *at = '\0';
        (void)snprintf(out->digest.text, sizeof(out->digest.text), "%s", at + 1);
    }
    char *colon = strrchr(rest, ':');
    if (colon != NULL) {
        *colon = '\0';
        out->tag = colon[1] != '\0' ? colon + 1 : "latest";
    } else if (at == NULL) {
        out->tag = "latest";
    }
    out->repository = bw_arena_strdup(arena, rest);
}

int golden_reference(struct bw_reference *out, const char *text, struct bw_arena *arena)
{
    *out = (struct bw_reference){.registry = "docker.io"};
    struct bw_str trimmed = bw_str_trim(bw_str_from(text));
    char *whole = bw_arena_strndup(arena, trimmed.base, trimmed.len);
    if (strncmp(whole, "sha256:", 7) == 0) {
        (void)snprintf(out->digest.text, sizeof(out->digest.text), "%s", whole);
        return 0;
    }
    if (is_hex(whole, 64)) {
        out->registry = NULL;
        return 0;
    }
    if (strncmp(whole, "dockerhub/", 10) == 0) {
        whole = bw_arena_printf(arena, "docker.io/%s", whole + 10);
    }
    char *slash = strchr(whole, '/');
    struct bw_str first = {whole, slash == NULL ? 0 : (size_t)(slash - whole)};
    if (slash != NULL && names_registry(first)) {
        out->registry = bw_arena_strndup(arena, first.base, first.len);
        whole = slash + 1;
    }
    split_repository(out, whole, arena);
    return 0;
}
