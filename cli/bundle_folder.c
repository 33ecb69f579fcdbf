/* Bundles from a folder (cli/bundle_folder.h): read whole at every call, one file at a time. */
#include "cli/bundle_folder.h"

#include "base/limits.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "cli/settings.h"
#include "cli/test_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_bundle_file(const struct dirent *entry)
{
    struct bw_str name = bw_str_from(entry->d_name);
    return entry->d_name[0] != '.' && !bw_test_file_named(entry->d_name) &&
           (bw_str_ends_with(name, ".json") || bw_str_ends_with(name, ".yaml") || bw_str_ends_with(name, ".yml"));
}

static void offer(struct bw_bundle_store *store, const char *folder, const char *file, bool default_patterns)
{
    char path[4096], name[256];
    struct bw_error err = {0};
    struct bw_bundle_content content = {.key = file, .name = name, .error = &err, .default_patterns = default_patterns};
    char *text = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, file);
    bw_bundle_name_of(name, sizeof(name), file);
    if (bw_file_read(&text, &content.len, path, BW_MAX_BUNDLE_BYTES, &err) == 0) {
        content.text = text;
    }
    bw_bundle_store_offer(store, &content);
    free(text);
}

int bw_bundle_folder_feed(struct bw_bundle_store *store, const char *path, bool default_patterns, struct bw_error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, is_bundle_file, alphasort);
    if (n < 0) {
        return bw_error_set(err, errno == ENOENT ? BW_ENOTFOUND : BW_EUNAVAILABLE, "bundles folder %s: %s", path,
                            strerror(errno));
    }
    bw_bundle_store_begin(store, &(struct bw_bundle_source){0});
    for (int i = 0; i < n; i++) {
        offer(store, path, entries[i]->d_name, default_patterns);
        free(entries[i]);
    }
    free(entries);
    bw_bundle_store_end(store);
    return 0;
}
