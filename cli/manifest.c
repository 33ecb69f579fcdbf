/* Reading of Kubernetes manifests (cli/manifest.h). */
#include "cli/manifest.h"

#include "base/limits.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "base/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_OBJECTS = 10000 };

static int add(struct bw_manifests *into, const char *file, json_t *object, struct bw_error *err)
{
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const json_t *items = json_object_get(object, "items");
    if (kind == NULL || !json_is_string(json_object_get(object, "apiVersion"))) {
        return bw_error_set(err, BW_EINPUT, "%s: a document without kind and apiVersion is no Kubernetes manifest",
                            file);
    }
    if (bw_str_ends_with(bw_str_from(kind), "List") && json_is_array(items)) {
        for (size_t i = 0; i < json_array_size(items); i++) {
            if (add(into, file, json_array_get(items, i), err) != 0) {
                return -1;
            }
        }
        return 0;
    }
    if (into->n_items == MAX_OBJECTS) {
        return bw_error_set(err, BW_ELIMIT, "%s: more than %d objects", file, MAX_OBJECTS);
    }
    if (into->n_items == into->capacity) {
        size_t capacity = into->capacity == 0 ? 64 : 2 * into->capacity;
        struct bw_manifest_object *larger = bw_memory_zeroed(capacity, sizeof(*larger));
        if (into->n_items > 0) {
            memcpy(larger, into->items, into->n_items * sizeof(*larger));
        }
        free(into->items);
        into->items = larger;
        into->capacity = capacity;
    }
    into->items[into->n_items++] =
        (struct bw_manifest_object){bw_memory_strndup(file, strlen(file)), json_incref(object)};
    return 0;
}

static int read_file(struct bw_manifests *into, const char *path, struct bw_error *err)
{
    bool from_stdin = strcmp(path, "-") == 0;
    const char *file = from_stdin ? "stdin" : path;
    char *text = NULL;
    size_t len = 0;
    json_t *stream = NULL;
    if (bw_file_read(&text, &len, from_stdin ? "/dev/stdin" : path, BW_MAX_BUNDLE_BYTES, err) != 0) {
        return -1;
    }
    int status = bw_yaml_parse_stream(&stream, text, len, BW_MAX_BUNDLE_BYTES, err);
    free(text);
    if (status != 0) {
        return bw_error_wrap(err, "%s", file);
    }
    for (size_t i = 0; status == 0 && i < json_array_size(stream); i++) {
        json_t *document = json_array_get(stream, i);
        status = json_is_null(document) ? 0 : add(into, file, document, err); /* nothing between two lines of --- */
    }
    json_decref(stream);
    return status;
}

static int is_manifest(const struct dirent *entry)
{
    struct bw_str name = bw_str_from(entry->d_name);
    return entry->d_name[0] != '.' &&
           (bw_str_ends_with(name, ".json") || bw_str_ends_with(name, ".yaml") || bw_str_ends_with(name, ".yml"));
}

int bw_manifests_read(struct bw_manifests *into, const char *path, struct bw_error *err)
{
    struct stat about;
    struct dirent **entries = NULL;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return read_file(into, path, err);
    }
    int n = scandir(path, &entries, is_manifest, alphasort);
    int status = n > 0   ? 0
                 : n < 0 ? bw_error_set(err, BW_EUNAVAILABLE, "%s: %s", path, strerror(errno))
                         : bw_error_set(err, BW_EINPUT, "%s: no file ending in .json, .yaml or .yml", path);
    for (int i = 0; i < n; i++) {
        char file[4096];
        int len = snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
        if (status == 0 && (len < 0 || (size_t)len >= sizeof(file))) {
            status = bw_error_set(err, BW_EINPUT, "%s: the path of %s is too long", path, entries[i]->d_name);
        }
        status =
            status == 0 && !(stat(file, &about) == 0 && S_ISDIR(about.st_mode)) ? read_file(into, file, err) : status;
        free(entries[i]);
    }
    free(entries);
    return status;
}

void bw_manifests_clear(struct bw_manifests *manifests)
{
    for (size_t i = 0; i < manifests->n_items; i++) {
        free((char *)(uintptr_t)manifests->items[i].file);
        json_decref(manifests->items[i].object);
    }
    free(manifests->items);
    *manifests = (struct bw_manifests){0};
}
