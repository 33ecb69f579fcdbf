/*
 * breakwater evaluate -f: what an admission would answer to the objects of manifests, before they are sent. The journey
 * is the webhook's own (webhook/admit.h): each object becomes the review that an API server would make of it.
 */
#include "cli/evaluate_manifests.h"

#include "base/limits.h"
#include "base/str.h"
#include "cli/bundle_maps.h"
#include "cli/cluster.h"
#include "cli/manifest.h"
#include "webhook/admit.h"
#include "webhook/verdicts.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST_MS (30 * INT64_C(60000)) /* of an object, its images pulled */

struct run {
    const struct bw_arguments *arguments;
    struct bw_config *config;
    struct bw_manifests manifests;
    struct bw_slot configs, bundles, sources;
    struct bw_access access;
    struct bw_kube_client *kube; /* --cluster; else NULL */
    struct bw_services services;
    pthread_mutex_t lock; /* of news */
    pthread_cond_t wake;
    uint64_t news;   /* how many jobs are over */
    json_t *answers; /* --output json */
    bool denied, failed;
};

/* ---- the services of an admission ---- */

static void on_news(void *payload, uint64_t number)
{
    struct run *run = payload;
    (void)number;
    (void)pthread_mutex_lock(&run->lock);
    run->news++;
    (void)pthread_cond_broadcast(&run->wake);
    (void)pthread_mutex_unlock(&run->lock);
}

/* What the manifests say of their namespaces counts as if it were in force. */
static void note_namespaces(struct run *run)
{
    for (size_t i = 0; i < run->manifests.n_items; i++) {
        json_t *object = run->manifests.items[i].object;
        if (strcmp(json_string_value(json_object_get(object, "kind")), "Namespace") == 0) {
            bw_metadata_store_put(run->services.namespaces, bw_json_root(object));
        }
    }
}

static int open_services(struct run *run, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    struct bw_bundle_set *set = NULL;
    struct bw_needs of_bundles = {0}, needs = {0};
    bool recovered = false;
    struct bw_error cache = {0};
    bw_arena_init(&arena, 16 * BW_MIB);
    set = bw_slot_acquire(&run->bundles);
    int status = set == NULL ? 0 : bw_bundle_set_needs(&of_bundles, set, &arena, err);
    bw_bundle_set_release(set);
    if (status != 0 || bw_needs_merge(&needs, &run->config->analysis_needs, &of_bundles, &arena, err) != 0 ||
        bw_access_open(&run->access, run->config, true, err) != 0) {
        return -1;
    }
    bw_slot_replace(&run->sources, bw_image_source_retain(run->access.source));
    run->services = (struct bw_services){.config = &run->configs,
                                         .bundles = &run->bundles,
                                         .source = &run->sources,
                                         .registry = run->access.registry,
                                         .namespaces = bw_metadata_store_create(NULL, NULL)};
    note_namespaces(run);
    if (run->kube != NULL && bw_kube_lookup_create(&run->services.lookup, run->kube, on_news, run, err) != 0) {
        return -1;
    }
    status = bw_catalog_open(&run->services.catalog, run->config, on_news, run, &recovered, &cache, err);
    if (status == 0 && cache.code != BW_OK) {
        (void)bw_trouble(run->arguments, "the cache cannot be used: %s", cache.message);
    }
    return status != 0 || bw_catalog_set_needs(run->services.catalog, &needs, err) != 0 ||
                   bw_verdicts_create(&run->services.verdicts, 0, on_news, run, err) != 0
               ? -1
               : 0;
}

static void close_services(struct run *run)
{
    bw_catalog_destroy(run->services.catalog);
    bw_verdicts_destroy(run->services.verdicts);
    bw_kube_lookup_destroy(run->services.lookup);
    bw_kube_client_destroy(run->kube);
    bw_metadata_store_destroy(run->services.namespaces);
    bw_slot_clear(&run->sources);
    bw_slot_clear(&run->bundles);
    bw_slot_clear(&run->configs);
    bw_access_close(&run->access);
}

/* ---- one object ---- */

static const char *text_of(const json_t *object, const char *first, const char *second)
{
    const char *text = json_string_value(json_object_get(json_object_get(object, first), second));
    return text == NULL ? "" : text;
}

/* "apps/v1" is of group apps, "v1" of the one without a name. */
static const char *group_of(const char *api_version, struct bw_arena *arena)
{
    const char *slash = strchr(api_version, '/');
    return slash == NULL ? "" : bw_arena_strndup(arena, api_version, (size_t)(slash - api_version));
}

/* Where the kind's objects are served; NULL: no image is looked for in it. The name of a custom kind's resource is its
 * plural, as everybody makes it. */
static const char *resource_of(const struct bw_config *config, const char *group, const char *kind,
                               struct bw_arena *arena)
{
    const struct bw_workload *workload = bw_workload_of_kind(group, kind);
    if (workload != NULL) {
        return workload->resource;
    }
    char *plural = bw_arena_printf(arena, "%ss", kind);
    for (char *c = plural; c != NULL && *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
    }
    for (size_t i = 0; plural != NULL && i < config->n_extra_resources; i++) {
        if (strcmp(config->extra_resources[i].group, group) == 0 &&
            strcmp(config->extra_resources[i].resource, plural) == 0) {
            return plural;
        }
    }
    return NULL;
}

/* The review of a CREATE, as text to be freed. */
static char *make_review(const struct run *run, json_t *object, const char *group, const char *kind,
                         const char *resource)
{
    const char *const *groups = NULL;
    size_t n_groups = bw_argument_all(run->arguments, "as-group", &groups);
    const char *user = bw_argument(run->arguments, "as"), *namespace = text_of(object, "metadata", "namespace");
    const char *wanted = bw_argument(run->arguments, "namespace");
    json_t *names = json_array();
    for (size_t i = 0; i < n_groups; i++) {
        (void)json_array_append_new(names, json_string(groups[i]));
    }
    json_t *review = json_pack(
        "{s:s, s:s, s:{s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s}, s:s, s:s, s:s, s:{s:s, s:o}, s:O, s:n, s:b}}", "kind",
        "AdmissionReview", "apiVersion", "admission.k8s.io/v1", "request", "uid", "evaluate", "kind", "group", group,
        "version", "v1", "kind", kind, "resource", "group", group, "version", "v1", "resource", resource, "name",
        text_of(object, "metadata", "name"), "namespace",
        namespace[0] != '\0' ? namespace
        : wanted == NULL     ? "default"
                             : wanted,
        "operation", "CREATE", "userInfo", "username", user == NULL ? "" : user, "groups", names, "object", object,
        "oldObject", "dryRun", 1);
    char *text = review == NULL ? NULL : json_dumps(review, JSON_COMPACT);
    json_decref(review);
    return text;
}

/* To its end, however many images have to be pulled. */
static void decide(struct run *run, struct bw_admission *admission)
{
    for (;;) {
        const uint64_t *jobs = NULL;
        size_t n_jobs = 0;
        (void)pthread_mutex_lock(&run->lock);
        uint64_t before = run->news;
        (void)pthread_mutex_unlock(&run->lock);
        if (bw_admission_step(admission, true, &jobs, &n_jobs) == BW_ADMIT_DONE) {
            return;
        }
        (void)pthread_mutex_lock(&run->lock);
        while (run->news == before) {
            (void)pthread_cond_wait(&run->wake, &run->lock);
        }
        (void)pthread_mutex_unlock(&run->lock);
    }
}

static void print_lines(const char *text, const char *indent)
{
    struct bw_str rest = bw_str_from(text);
    for (struct bw_str line; text[0] != '\0' && bw_str_next(&line, &rest, '\n');) {
        char *copy = strndup(line.base, line.len);
        printf("%s", indent);
        bw_put_clean(stdout, copy, false);
        (void)fputc('\n', stdout);
        free(copy);
    }
}

static void print_answer(const struct bw_manifest_object *manifest, const struct bw_admit_result *result,
                         const json_t *response)
{
    const json_t *warnings = json_object_get(response, "warnings");
    bw_put_clean(stdout, manifest->file, false);
    printf(": ");
    bw_put_clean(stdout, result->kind, false);
    printf(" ");
    bw_put_clean(stdout, result->namespace, false);
    printf("/");
    bw_put_clean(stdout, result->name, false);
    printf(": %s\n", result->decision);
    print_lines(text_of(response, "status", "message"), "    ");
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        print_lines(json_string_value(json_array_get(warnings, i)), "    warning: ");
    }
}

static void note_answer(struct run *run, const struct bw_manifest_object *manifest,
                        const struct bw_admit_result *result)
{
    json_t *review = json_loads(result->body, JSON_ALLOW_NUL, NULL), *response = json_object_get(review, "response");
    bool allowed = json_is_true(json_object_get(response, "allowed"));
    bool denied = strcmp(result->decision, "deny") == 0;
    run->denied = run->denied || denied;
    run->failed = run->failed || (!allowed && !denied);
    if (run->answers == NULL) {
        print_answer(manifest, result, response);
    } else {
        json_t *one =
            json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s}", "file", manifest->file, "kind", result->kind,
                      "namespace", result->namespace, "name", result->name, "allowed", allowed, "decision",
                      result->decision, "reason", result->reason, "message", text_of(response, "status", "message"));
        const json_t *details = json_object_get(json_object_get(response, "status"), "details");
        (void)json_object_set(one, "causes", json_object_get(details, "causes"));
        (void)json_object_set(one, "warnings", json_object_get(response, "warnings"));
        (void)json_array_append_new(run->answers, one);
    }
    json_decref(review);
}

static void evaluate(struct run *run, const struct bw_manifest_object *manifest)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    const char *kind = json_string_value(json_object_get(manifest->object, "kind"));
    const char *group = group_of(json_string_value(json_object_get(manifest->object, "apiVersion")), &arena);
    const char *resource = group == NULL ? NULL : resource_of(run->config, group, kind, &arena);
    if (resource == NULL) {
        return; /* no images in it */
    }
    char *body = make_review(run, manifest->object, group, kind, resource);
    if (body == NULL) {
        (void)bw_trouble(run->arguments, "%s: %s cannot be written as JSON", manifest->file, kind);
        run->failed = true;
        return;
    }
    struct bw_admission *admission = bw_admission_begin(&run->services, body, strlen(body), LONGEST_MS, 0);
    decide(run, admission);
    note_answer(run, manifest, bw_admission_result(admission));
    bw_admission_free(admission);
    free(body);
}

/* ---- all of them ---- */

static int load_bundle(struct run *run)
{
    const char *file = bw_argument(run->arguments, "bundle");
    struct bw_bundle *bundle = NULL;
    if (bw_bundle_file_load(&bundle, run->arguments, file) != 0) {
        return -1;
    }
    const struct bw_bundle_item item = {.bundle = bundle, .origin = file};
    bw_slot_replace(&run->bundles, bw_bundle_set_create(&item, 1, NULL));
    bw_bundle_release(bundle);
    return 0;
}

static void read_map(void *maps, const char *namespace, json_t *config_map)
{
    (void)namespace;
    bw_bundle_maps_read(maps, bw_json_root(config_map));
}

/* Those that a breakwater in the cluster would take, elected as it does. */
static int fetch_bundles(struct run *run, struct bw_error *err)
{
    const struct bw_config *config = run->config;
    const char *own = bw_argument(run->arguments, "bundle-namespace");
    own = own == NULL ? "breakwater" : own;
    if (bw_cluster_open(&run->kube, run->arguments, err) != 0) {
        return -1;
    }
    struct bw_bundle_store *store = bw_bundle_store_create(NULL);
    struct bw_bundle_maps *maps =
        bw_bundle_maps_create(&(struct bw_bundle_maps_options){.store = store, .config = &run->configs, .own = own});
    bw_log_set_level(BW_LOG_WARN);
    int status = bw_cluster_bundle_maps(run->kube, own, read_map, maps, err);
    for (size_t i = 0; status == 0 && i < config->n_bundle_namespaces; i++) {
        bool all = strcmp(config->bundle_namespaces[i], "*") == 0;
        status = bw_cluster_bundle_maps(run->kube, all ? NULL : config->bundle_namespaces[i], read_map, maps, err);
    }
    if (status == 0) {
        bw_slot_replace(&run->bundles, bw_bundle_store_make(store, config->default_bundle));
    }
    bw_bundle_maps_destroy(maps);
    bw_bundle_store_destroy(store);
    return status;
}

/* From the file, or the cluster. */
static int get_bundles(struct run *run)
{
    struct bw_error err = {0};
    run->config->max_deadline_ms = LONGEST_MS;
    bw_slot_replace(&run->configs, bw_config_retain(run->config));
    if (bw_argument(run->arguments, "cluster") == NULL) {
        return load_bundle(run);
    }
    return fetch_bundles(run, &err) == 0 ? 0 : bw_trouble(run->arguments, "%s", err.message);
}

static int read_manifests(struct run *run)
{
    const char *const *paths = NULL;
    struct bw_error err = {0};
    size_t n = bw_argument_all(run->arguments, "filename", &paths);
    for (size_t i = 0; i < n; i++) {
        if (bw_manifests_read(&run->manifests, paths[i], &err) != 0) {
            return bw_trouble(run->arguments, "%s", err.message);
        }
    }
    return 0;
}

int bw_evaluate_manifests(const struct bw_arguments *arguments, struct bw_config *config, bool json)
{
    struct run run = {.arguments = arguments, .config = config};
    struct bw_error err = {0};
    int status = BW_EXIT_TROUBLE;
    (void)pthread_mutex_init(&run.lock, NULL);
    (void)pthread_cond_init(&run.wake, NULL);
    bw_services_slots(&run.configs, &run.bundles, &run.sources);
    run.answers = json ? json_array() : NULL;
    if (read_manifests(&run) == 0 && get_bundles(&run) == 0) {
        if (open_services(&run, &err) != 0) {
            (void)bw_trouble(arguments, "%s", err.message);
        } else {
            for (size_t i = 0; i < run.manifests.n_items; i++) {
                evaluate(&run, &run.manifests.items[i]);
            }
            status = run.denied ? BW_EXIT_STOPPED : run.failed ? BW_EXIT_TROUBLE : BW_EXIT_OK;
        }
    }
    if (run.answers != NULL && run.services.verdicts != NULL) {
        (void)json_dumpf(run.answers, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
    }
    json_decref(run.answers);
    close_services(&run);
    bw_manifests_clear(&run.manifests);
    (void)pthread_cond_destroy(&run.wake);
    (void)pthread_mutex_destroy(&run.lock);
    return status;
}
