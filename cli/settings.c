/* What the commands share: files that are loaded with their problems shown, and the way to images. */
#include "cli/settings.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "base/yaml.h"
#include "image/layout.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bw_put_clean(FILE *out, const char *text, bool keep_lines)
{
    char *copy = text == NULL ? NULL : bw_memory_strndup(text, strlen(text));
    if (copy != NULL) {
        bw_text_clean(copy, keep_lines);
        (void)fputs(copy, out);
        free(copy);
    }
}

void bw_problem_print(FILE *out, const char *file, const struct bw_problem *problem)
{
    bw_put_clean(out, file, false);
    (void)fputc(':', out);
    if (problem->line > 0) {
        (void)fprintf(out, "%u:%u:", problem->line, problem->column);
    }
    (void)fprintf(out, " %s: ", problem->severity == BW_PROBLEM_ERROR ? "error" : "warning");
    if (problem->path != NULL && problem->path[0] != '\0') {
        bw_put_clean(out, problem->path, false);
        (void)fputs(": ", out);
    }
    bw_put_clean(out, problem->message, false);
    if (problem->suggestion != NULL) {
        (void)fputs(" (did you mean ", out);
        bw_put_clean(out, problem->suggestion, false);
        (void)fputs("?)", out);
    }
    (void)fputc('\n', out);
}

void bw_problem_locate(struct bw_problem *problem, const char *text, size_t len)
{
    if (problem->line == 0 && problem->path != NULL) {
        (void)bw_yaml_locate(&problem->line, &problem->column, text, len, problem->path);
    }
}

void bw_problems_print(FILE *out, const char *file, const char *text, size_t len, const struct bw_problems *problems)
{
    for (size_t i = 0; i < problems->n_items; i++) {
        struct bw_problem problem = problems->items[i];
        bw_problem_locate(&problem, text, len);
        bw_problem_print(out, file, &problem);
    }
}

/* The problems were printed one by one; what is left to say is which file. */
static int sum_up(const struct bw_arguments *arguments, const char *file, const struct bw_problems *problems,
                  const struct bw_error *err)
{
    if (problems->n_errors == 0) {
        return bw_trouble(arguments, "%s: %s", file, err->message);
    }
    return bw_trouble(arguments, "%s has %zu %s", file, problems->n_errors,
                      problems->n_errors == 1 ? "error" : "errors");
}

int bw_settings_load(struct bw_config **out, const struct bw_arguments *arguments, const char *path)
{
    struct bw_error err = {0};
    struct bw_problems problems;
    char *text = NULL;
    size_t len = 0;
    if (path != NULL && bw_file_read(&text, &len, path, BW_MAX_SETTINGS_BYTES, &err) != 0) {
        return bw_trouble(arguments, "%s", err.message);
    }
    bw_problems_init(&problems);
    int status = bw_config_load(out, &problems, text, len, &err);
    bw_problems_print(stderr, path == NULL ? "configuration" : path, text, len, &problems);
    if (status != 0) {
        status = sum_up(arguments, path == NULL ? "configuration" : path, &problems, &err);
    }
    bw_problems_clear(&problems);
    free(text);
    return status;
}

int bw_bundle_file_load(struct bw_bundle **out, const struct bw_arguments *arguments, const char *path)
{
    struct bw_error err = {0};
    struct bw_problems problems;
    char *text = NULL;
    size_t len = 0;
    if (bw_file_read(&text, &len, path, BW_MAX_BUNDLE_BYTES, &err) != 0) {
        return bw_trouble(arguments, "%s", err.message);
    }
    char name[256];
    bw_bundle_name_of(name, sizeof(name), path);
    struct bw_bundle_options options = {.name = name, .now_s = bw_wall_s(), .default_patterns = true};
    bw_problems_init(&problems);
    int status = bw_bundle_load(out, &problems, text, len, &options, &err);
    if (status != 0) {
        bw_problems_print(stderr, path, text, len, &problems);
        status = sum_up(arguments, path, &problems, &err);
    } else if (problems.n_items > 0) {
        (void)fprintf(stderr, "%s: %zu %s; breakwater check %s tells more\n", path, problems.n_items,
                      problems.n_items == 1 ? "warning" : "warnings", path);
    }
    bw_problems_clear(&problems);
    free(text);
    return status;
}

static int add_credentials(struct bw_credentials *credentials, const char *path, struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (bw_file_read(&text, &len, path, BW_MAX_SETTINGS_BYTES, err) != 0) {
        return -1;
    }
    int status = bw_credentials_add(credentials, text, len, err);
    explicit_bzero(text, len);
    free(text);
    return status != 0 ? bw_error_wrap(err, "%s", path) : 0;
}

static int read_credentials(struct bw_credentials *credentials, const struct bw_config *config, bool personal,
                            struct bw_error *err)
{
    char path[4096];
    const char *named = getenv("REGISTRY_AUTH_FILE"), *home = getenv("HOME");
    if (config->credentials_file != NULL) {
        return add_credentials(credentials, config->credentials_file, err);
    }
    if (!personal) {
        return 0;
    }
    if (named != NULL) {
        return add_credentials(credentials, named, err);
    }
    (void)snprintf(path, sizeof(path), "%s/.docker/config.json", home == NULL ? "" : home);
    return home != NULL && access(path, R_OK) == 0 ? add_credentials(credentials, path, err) : 0;
}

int bw_access_open(struct bw_access *out, const struct bw_config *config, bool personal, struct bw_error *err)
{
    struct bw_access made = {0};
    const struct bw_http_client_options options = {
        .user_agent = "breakwater/" BREAKWATER_VERSION,
        .allow_addresses = config->allow_addresses,
        .n_allow_addresses = config->n_allow_addresses,
    };
    struct bw_credentials *credentials = bw_credentials_create();
    int status = read_credentials(credentials, config, personal, err);
    if (status == 0) {
        status = bw_http_client_create(&made.http, &options, err);
    }
    if (status == 0) {
        status = bw_registry_create(&made.registry, made.http, &config->registry, err);
    }
    if (status == 0) {
        status = bw_registry_source(&made.source, made.registry, credentials, err);
    }
    bw_credentials_destroy(credentials);
    if (status != 0) {
        bw_access_close(&made);
        return -1;
    }
    *out = made;
    return 0;
}

void bw_access_close(struct bw_access *access)
{
    bw_image_source_release(access->source);
    if (access->registry != NULL) {
        bw_registry_destroy(access->registry);
    }
    bw_http_client_destroy(access->http);
    memset(access, 0, sizeof(*access));
}

int bw_catalog_open(struct bw_catalog **out, const struct bw_config *config, void (*done)(void *payload, uint64_t job),
                    void *payload, bool *recovered, struct bw_error *cache_err, struct bw_error *err)
{
    struct bw_store *stores[2] = {NULL};
    size_t n = 1;
    const struct bw_catalog_options options = {
        .analyses = config->analyses,
        .queue = config->analysis_queue,
        .tag_ttl_ms = config->tag_ttl_ms,
        .tag_stale_ms = config->tag_stale_ms,
        .negative_ttl_ms = config->negative_ttl_ms,
        .auth_ttl_ms = config->auth_ttl_ms,
        .analyzer = config->analyzer,
        .done = done,
        .payload = payload,
    };
    *recovered = false;
    if (bw_store_memory_create(&stores[0], config->cache_memory_bytes, err) != 0) {
        return -1;
    }
    if (config->cache_dir != NULL &&
        bw_store_sqlite_create(&stores[1], config->cache_dir, config->cache_disk_bytes, recovered, cache_err) == 0) {
        n++;
    }
    if (bw_catalog_create(out, stores, n, &options, err) != 0) {
        for (size_t i = 0; i < n; i++) {
            stores[i]->ops->destroy(stores[i]);
        }
        return -1;
    }
    return 0;
}

int bw_catalog_open_for(struct bw_catalog **out, const struct bw_arguments *arguments, const struct bw_config *config,
                        const struct bw_needs *needs, struct bw_error *err)
{
    struct bw_error cache = {0};
    struct bw_catalog *catalog = NULL;
    bool recovered = false;
    if (bw_catalog_open(&catalog, config, NULL, NULL, &recovered, &cache, err) != 0) {
        return -1;
    }
    if (cache.code != BW_OK) {
        (void)bw_trouble(arguments, "going on without the cache on disk: %s", cache.message);
    }
    if (recovered) {
        (void)bw_trouble(arguments, "the cache in %s was corrupt: set aside, begun anew", config->cache_dir);
    }
    if (bw_catalog_set_needs(catalog, needs, err) != 0) {
        bw_catalog_destroy(catalog);
        return -1;
    }
    *out = catalog;
    return 0;
}

/* Asks in short turns, so that a person sees how far the work is. */
static int wait_with_progress(struct bw_image_answer *out, struct bw_catalog *catalog,
                              const struct bw_image_question *question, const char *name, struct bw_arena *arena,
                              struct bw_error *err)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    struct bw_deadline end = bw_deadline_in_ms((int64_t)BW_ANALYSIS_WALL_S * 1000);
    int status = -1;
    do {
        *err = (struct bw_error){0};
        status = bw_catalog_wait(out, catalog, question, arena, bw_deadline_in_ms(250), err);
        if (status != 0 && err->code == BW_EDEADLINE && terminal) {
            struct bw_image_answer now = {0};
            struct bw_error ignored = {0};
            if (bw_catalog_ask(&now, catalog, question, arena, &ignored) == 0) {
                (void)fprintf(stderr, "\r\033[K%s: %s", name,
                              now.state == BW_IMAGE_PENDING && now.progress[0] != '\0' ? now.progress : "working");
                bw_image_answer_clear(&now);
            }
        }
    } while (status != 0 && err->code == BW_EDEADLINE && !bw_deadline_passed(end));
    if (terminal) {
        (void)fprintf(stderr, "\r\033[K");
    }
    return status;
}

/* The catalog tells sources apart by identity: a folder is one of its own. */
static int open_layout(struct bw_image_source **out, const char *folder, struct bw_error *err)
{
    char path[PATH_MAX], hash[2 * BW_HASH_MAX + 1];
    struct bw_image_source *source = NULL;
    if (bw_layout_open(&source, folder, err) != 0) {
        return -1;
    }
    if (realpath(folder, path) == NULL) {
        (void)snprintf(path, sizeof(path), "%s", folder);
    }
    bw_hash_hex(hash, BW_SHA256, path, strlen(path));
    memcpy(source->identity, hash, sizeof(source->identity)); /* 64 digits and the NUL */
    *out = source;
    return 0;
}

int bw_image_look_up(struct bw_image_answer *out, struct bw_reference *reference_out, struct bw_catalog *catalog,
                     const struct bw_access *access, const char *text, const struct bw_platform *platform,
                     struct bw_arena *arena, struct bw_error *err)
{
    struct bw_reference reference = {0};
    struct bw_image_source *source = NULL;
    struct bw_image_answer answer = {0};
    const char *folder = NULL;
    if (bw_layout_parse(&folder, &reference, text, arena, err)) {
        if (open_layout(&source, folder, err) != 0) {
            return -1;
        }
    } else if (bw_reference_parse(&reference, text, strlen(text), arena, err) != 0) {
        return -1;
    } else {
        source = bw_image_source_retain(access->source);
    }
    const struct bw_image_question question = {
        .source = source,
        .reference = &reference,
        .platforms = platform,
        .n_platforms = platform == NULL ? 0 : 1,
        .allow_blocking_stores = true,
        .previous = folder == NULL, /* the tags of a folder are no registry's */
        .allow_analysis = true,
        .since_ms = bw_monotonic_ms(),
    };
    int status = wait_with_progress(&answer, catalog, &question, text, arena, err);
    bw_image_source_release(source);
    if (status == 0 && answer.state != BW_IMAGE_READY) {
        *err = answer.error;
        status = -1;
    }
    if (status == 0) {
        *out = answer;
        *reference_out = reference;
    }
    return status;
}
