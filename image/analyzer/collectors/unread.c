/* Packages that are there but that no row can read yet. A rule about packages is not evaluated on half the truth: each
 * such kind is marked incomplete, with the first evidence. What a package of the distribution owns is not counted, as
 * the engine drops it too. Go programs cannot be told by name and are not looked for. */
#include "base/map.h"
#include "image/analyzer/collectors/apk.h"
#include "image/analyzer/collectors/collect.h"
#include "image/analyzer/collectors/collectors.h"
#include "image/analyzer/collectors/dpkg.h"

#include <stdio.h>
#include <string.h>

static bool is_rpm(const char *path)
{
    static const char *const databases[] = {"/var/lib/rpm/Packages",
                                            "/var/lib/rpm/Packages.db",
                                            "/var/lib/rpm/rpmdb.sqlite",
                                            "/usr/lib/sysimage/rpm/Packages",
                                            "/usr/lib/sysimage/rpm/Packages.db",
                                            "/usr/lib/sysimage/rpm/rpmdb.sqlite",
                                            "/usr/share/rpm/Packages",
                                            "/usr/share/rpm/Packages.db",
                                            "/usr/share/rpm/rpmdb.sqlite",
                                            "/var/lib/rpmmanifest/container-manifest-2"};
    for (size_t i = 0; i < BW_LENGTH(databases); i++)
        if (bw_path_ends_with(path, databases[i]))
            return true;
    return false;
}

/* Whether the path ends with `end`, whatever its case. */
static bool ends_with(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);
    return len >= end_len && strcasecmp(path + len - end_len, end) == 0;
}

static bool is_python(const char *path)
{
    return ends_with(path, ".dist-info/METADATA") || ends_with(path, ".egg-info") ||
           ends_with(path, ".egg-info/PKG-INFO");
}

static bool is_npm(const char *path)
{
    return bw_path_ends_with(path, "/package.json");
}

static bool is_gem(const char *path)
{
    return bw_path_ends_with(path, ".gemspec") && strstr(path, "/specifications/") != NULL;
}

static bool is_java(const char *path)
{
    static const char *const endings[] = {".jar", ".war", ".ear", ".jpi", ".hpi"};
    for (size_t i = 0; i < BW_LENGTH(endings); i++)
        if (ends_with(path, endings[i]))
            return true;
    return false;
}

static const struct {
    const char *kind;
    const char *what;
    bool (*is)(const char *path);
    bool ownable; /* an OS package may own it, and then it is no package of its own */
} kinds[] = {
    {"packages:rpm", "rpm databases", is_rpm, false},  {"packages:python", "Python packages", is_python, true},
    {"packages:npm", "npm packages", is_npm, true},    {"packages:gem", "Ruby gems", is_gem, true},
    {"packages:java", "Java archives", is_java, true},
};

/* ---- ownership ---- */

static char present;

static int note_owned(void *payload, const char *root, struct bw_str path)
{
    struct bw_map *owned = payload;
    char text[4096 + 256];
    const char *slash = path.len != 0 && *path.base == '/' ? "" : "/";
    int len = snprintf(text, sizeof(text), "%s%s%.*s", root, slash, (int)path.len, path.base ? path.base : "");
    if (len > 0 && (size_t)len < sizeof(text))
        (void)bw_map_put(owned, text, (size_t)len, &present);
    return 0;
}

/* Databases may write /lib/x for what is /usr/lib/x since /lib became a link. */
static bool is_owned(const struct bw_map *owned, const struct bw_tree *tree, const char *path)
{
    if (bw_map_get(owned, path, strlen(path)) != NULL)
        return true;
    if (strncmp(path, "/usr/", 5) != 0)
        return false;
    const struct bw_file *lib = bw_tree_find(tree, "/lib");
    const char *older = path + strlen("/usr");
    return lib != NULL && lib->type == BW_FILE_SYMLINK && bw_map_get(owned, older, strlen(older)) != NULL;
}

static struct bw_map *owned_paths(struct bw_collect *at, struct bw_error *err)
{
    struct bw_map *owned = bw_map_create();
    if (bw_dpkg_each_owned(at, note_owned, owned, err) || bw_apk_each_owned(at, note_owned, owned, err)) {
        bw_map_destroy(owned, NULL);
        return NULL;
    }
    return owned;
}

/* ---- the row ---- */

static int mark(struct bw_collect *at, size_t which, const char *path, struct bw_error *err)
{
    const char *reason = bw_arena_printf(at->arena, "no cataloger for %s yet (%s)", kinds[which].what, path);
    return reason == NULL ? bw_arena_spent(err) : bw_report_add_incomplete(at->report, kinds[which].kind, reason, err);
}

static int collect(struct bw_collect *at, struct bw_error *err)
{
    struct bw_map *owned = NULL; /* made when first needed: most images of a distribution alone never do */
    bool seen[BW_LENGTH(kinds)] = {0};
    int failed = 0;
    for (size_t i = 0; !failed && i < bw_tree_count(at->tree); i++) {
        const struct bw_file *file = bw_tree_at(at->tree, i);
        if (file->type != BW_FILE_REGULAR || file->size == 0)
            continue;
        for (size_t k = 0; !failed && k < BW_LENGTH(kinds); k++) {
            if (seen[k] || !kinds[k].is(file->path))
                continue;
            if (kinds[k].ownable && owned == NULL && (owned = owned_paths(at, err)) == NULL)
                return -1;
            if (kinds[k].ownable && is_owned(owned, at->tree, file->path))
                continue;
            seen[k] = true;
            failed = mark(at, k, file->path, err);
        }
    }
    bw_map_destroy(owned, NULL);
    return failed;
}

const struct bw_collector bw_collector_unread = {
    .name = "unread",
    .doc = "kinds of packages that are there and that nothing here reads",
    .kind = "packages",
    .collect = collect,
};
