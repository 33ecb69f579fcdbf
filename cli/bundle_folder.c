/* Bundles from a folder, the last good one of each file kept. */
#include "cli/bundle_folder.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "base/yaml.h"
#include "cli/settings.h"
#include "cli/test_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 1000 };

struct file {
    char *name;
    char hash[2 * BW_HASH_MAX + 1]; /* of the content last looked at */
    struct bw_bundle *bundle;       /* last good, or NULL */
    bool good;                      /* the content last looked at is the bundle's */
    bool duplicate;                 /* an earlier file has a bundle of the same id */
    bool seen;
};

struct bw_bundle_folder {
    char *path;
    struct file files[MAX_FILES];
    size_t n_files;
    char *default_id; /* of the last call */
    bool loaded;
};

static struct bw_metric bundle_valid = {
    .name = "breakwater_bundle_valid",
    .help = "1 if the file's present content is in force, 0 if it has a fault and the last good content is kept.",
    .kind = BW_METRIC_GAUGE,
    .labels = {"file"},
};

struct bw_bundle_folder *bw_bundle_folder_create(const char *path)
{
    struct bw_bundle_folder *folder = calloc(1, sizeof(*folder));
    if (folder == NULL || (folder->path = strdup(path)) == NULL) {
        abort();
    }
    return folder;
}

static void forget(struct file *file)
{
    bw_metric_set(&bundle_valid, 0, BW_LABELS(file->name));
    bw_bundle_release(file->bundle);
    free(file->name);
}

void bw_bundle_folder_destroy(struct bw_bundle_folder *folder)
{
    if (folder == NULL) {
        return;
    }
    for (size_t i = 0; i < folder->n_files; i++) {
        forget(&folder->files[i]);
    }
    free(folder->default_id);
    free(folder->path);
    free(folder);
}

size_t bw_bundle_folder_files(const struct bw_bundle_folder *folder)
{
    return folder->n_files;
}

size_t bw_bundle_folder_faulty(const struct bw_bundle_folder *folder)
{
    size_t n = 0;
    for (size_t i = 0; i < folder->n_files; i++) {
        n += !folder->files[i].good || folder->files[i].duplicate;
    }
    return n;
}

static int is_bundle_file(const struct dirent *entry)
{
    struct bw_str name = bw_str_from(entry->d_name);
    return entry->d_name[0] != '.' && !bw_test_file_named(entry->d_name) &&
           (bw_str_ends_with(name, ".json") || bw_str_ends_with(name, ".yaml") || bw_str_ends_with(name, ".yml"));
}

static void log_problems(const char *path, const char *text, size_t len, const struct bw_problems *problems)
{
    for (size_t i = 0; i < problems->n_items && i < 100; i++) {
        const struct bw_problem *problem = &problems->items[i];
        unsigned line = problem->line, column = problem->column;
        if (line == 0 && problem->path != NULL) {
            (void)bw_yaml_locate(&line, &column, text, len, problem->path);
        }
        bw_log(problem->severity == BW_PROBLEM_ERROR ? BW_LOG_ERROR : BW_LOG_WARN, "bundle problem", BW_F("file", path),
               BW_FI("line", line), BW_FI("column", column), BW_F("path", problem->path), BW_F("kind", problem->kind),
               BW_F("problem", problem->message), BW_F("suggestion", problem->suggestion));
    }
}

/* Looks at one file's content if it changed. true if a new good bundle came out of it. */
static bool look_at(struct bw_bundle_folder *folder, struct file *file, bool default_patterns)
{
    char path[4096], hash[2 * BW_HASH_MAX + 1];
    struct bw_error err = {0};
    struct bw_problems problems;
    struct bw_bundle *bundle = NULL;
    char *text = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", folder->path, file->name);
    if (bw_file_read(&text, &len, path, BW_MAX_BUNDLE_BYTES, &err) != 0) {
        if (file->good || file->hash[0] == '\0') {
            bw_log(BW_LOG_ERROR, "bundle not read", BW_F("file", path), BW_F("error", err.message));
        }
        file->good = false;
        file->hash[0] = '-';
        return false;
    }
    bw_hash_hex(hash, BW_SHA256, text, len);
    if (strcmp(hash, file->hash) == 0) {
        free(text);
        return false;
    }
    memcpy(file->hash, hash, sizeof(hash));
    char id[256];
    bw_bundle_name_of(id, sizeof(id), file->name);
    const struct bw_bundle_options options = {.name = id, .now_s = bw_wall_s(), .default_patterns = default_patterns};
    bw_problems_init(&problems);
    file->good = bw_bundle_load(&bundle, &problems, text, len, &options, &err) == 0;
    log_problems(path, text, len, &problems);
    bw_problems_clear(&problems);
    free(text);
    bw_metric_set(&bundle_valid, file->good ? 1 : 0, BW_LABELS(file->name));
    if (!file->good) {
        bw_log(BW_LOG_ERROR,
               file->bundle == NULL ? "bundle refused" : "bundle refused, the last good one stays in force",
               BW_F("file", path), BW_F("error", err.message));
        return false;
    }
    bw_log(BW_LOG_INFO, "bundle loaded", BW_F("file", path), BW_F("bundle", bw_bundle_id(bundle)),
           BW_F("sha256", bw_bundle_hash(bundle)));
    bw_bundle_release(file->bundle);
    file->bundle = bundle;
    return true;
}

static struct file *find_file(struct bw_bundle_folder *folder, const char *name)
{
    for (size_t i = 0; i < folder->n_files; i++) {
        if (strcmp(folder->files[i].name, name) == 0) {
            return &folder->files[i];
        }
    }
    if (folder->n_files == MAX_FILES) {
        bw_log(BW_LOG_ERROR, "too many bundle files, this one is left out", BW_F("file", name),
               BW_FI("limit", MAX_FILES));
        return NULL;
    }
    struct file *file = &folder->files[folder->n_files++];
    memset(file, 0, sizeof(*file));
    if ((file->name = strdup(name)) == NULL) {
        abort();
    }
    return file;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

/* The bundles of all files, the first of an id in the order of names. */
static struct bw_bundle_set *make_set(struct bw_bundle_folder *folder, const char *default_id)
{
    struct bw_bundle_item items[MAX_FILES];
    char origins[MAX_FILES][256 + sizeof("file ")];
    size_t n = 0;
    qsort(folder->files, folder->n_files, sizeof(folder->files[0]), by_name);
    for (size_t i = 0; i < folder->n_files; i++) {
        struct file *file = &folder->files[i];
        size_t j = 0;
        if (file->bundle == NULL) {
            continue;
        }
        while (j < n && strcmp(bw_bundle_id(items[j].bundle), bw_bundle_id(file->bundle)) != 0) {
            j++;
        }
        file->duplicate = j < n;
        if (file->duplicate) {
            bw_metric_set(&bundle_valid, 0, BW_LABELS(file->name));
            bw_log(BW_LOG_ERROR, "bundle refused: an earlier file has a bundle of this id", BW_F("file", file->name),
                   BW_F("bundle", bw_bundle_id(file->bundle)));
            continue;
        }
        bw_metric_set(&bundle_valid, file->good ? 1 : 0, BW_LABELS(file->name));
        (void)snprintf(origins[n], sizeof(origins[n]), "file %s", file->name);
        items[n] = (struct bw_bundle_item){.bundle = file->bundle, .origin = origins[n]};
        n++;
    }
    return bw_bundle_set_create(items, n, default_id);
}

int bw_bundle_folder_load(struct bw_bundle_set **out, struct bw_bundle_folder *folder, const char *default_id,
                          bool default_patterns, struct bw_error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(folder->path, &entries, is_bundle_file, alphasort);
    if (n < 0) {
        return bw_error_set(err, BW_EUNAVAILABLE, "bundles folder %s: %s", folder->path, strerror(errno));
    }
    bool changed = !folder->loaded || (default_id == NULL) != (folder->default_id == NULL) ||
                   (default_id != NULL && strcmp(default_id, folder->default_id) != 0);
    for (size_t i = 0; i < folder->n_files; i++) {
        folder->files[i].seen = false;
    }
    for (int i = 0; i < n; i++) {
        struct file *file = find_file(folder, entries[i]->d_name);
        if (file != NULL) {
            file->seen = true;
            changed = look_at(folder, file, default_patterns) || changed;
        }
        free(entries[i]);
    }
    free(entries);
    for (size_t i = 0; i < folder->n_files;) {
        if (folder->files[i].seen) {
            i++;
            continue;
        }
        bw_log(BW_LOG_INFO, "bundle file is gone", BW_F("file", folder->files[i].name));
        changed = changed || folder->files[i].bundle != NULL;
        forget(&folder->files[i]);
        folder->files[i] = folder->files[--folder->n_files];
    }
    *out = NULL;
    if (changed) {
        free(folder->default_id);
        folder->default_id = default_id == NULL ? NULL : strdup(default_id);
        folder->loaded = true;
        *out = make_set(folder, default_id);
    }
    return 0;
}
