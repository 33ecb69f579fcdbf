/* Packages of Alpine and its kin: /lib/apk/db/installed, records of "X:value" lines apart by empty lines. Files follow
 * in groups: F: a folder, then for each of its files R: the name, a: owner and mode, Z: the checksum. */
#include "image/analyzer/collectors/apk.h"

#include "base/limits.h"
#include "base/sha256.h"
#include "image/analyzer/collectors/collect.h"
#include "image/analyzer/collectors/collectors.h"
#include "image/analyzer/collectors/licenses.h"

#include <string.h>

static const char database[] = "/lib/apk/db/installed";
static const char kind[] = "packages:apk";

/* ---- grammar ---- */

static struct bw_str value_of(struct bw_str line)
{
    return bw_str_trim((struct bw_str){line.base + 2, line.len - 2});
}

static bool is_line(struct bw_str line)
{
    return line.len >= 2 && line.base[1] == ':';
}

static struct bw_str *field_of(struct bw_apk_record *record, char letter)
{
    switch (letter) {
    case 'P':
        return &record->name;
    case 'V':
        return &record->version;
    case 'A':
        return &record->architecture;
    case 'I':
        return &record->size;
    case 'L':
        return &record->license;
    case 'o':
        return &record->origin;
    case 'm':
        return &record->maintainer;
    default:
        return NULL;
    }
}

bool bw_apk_next_record(struct bw_apk_record *out, struct bw_str *rest)
{
    struct bw_str line;
    bool begun = false;
    *out = (struct bw_apk_record){0};
    while (bw_str_next_line(&line, rest)) {
        if (line.len == 0) {
            if (begun)
                return true;
            continue;
        }
        begun = true;
        if (!is_line(line))
            continue;
        if (out->files.base == NULL && *line.base == 'F')
            out->files.base = line.base;
        struct bw_str *field = out->files.base == NULL ? field_of(out, *line.base) : NULL;
        if (field != NULL && field->base == NULL)
            *field = value_of(line);
        if (out->files.base != NULL)
            out->files.len = (size_t)(line.base + line.len - out->files.base);
    }
    return begun;
}

/* "a:0:0:755" or "0:0:755:Q1..." */
static struct bw_str mode_of(struct bw_str owner)
{
    struct bw_str part = {0};
    for (int i = 0; i < 3; i++)
        if (!bw_str_next(&part, &owner, ':'))
            return (struct bw_str){0};
    return part;
}

bool bw_apk_next_path(struct bw_apk_path *out, struct bw_str *rest, struct bw_str *folder)
{
    struct bw_str line;
    *out = (struct bw_apk_path){0};
    while (bw_str_next_line(&line, rest)) {
        if (!is_line(line))
            continue;
        if (*line.base == 'F') {
            *folder = (struct bw_str){line.base + 2, line.len - 2};
            out->folder = *folder;
            return true;
        }
        if (*line.base != 'R')
            continue;
        out->folder = *folder;
        out->name = (struct bw_str){line.base + 2, line.len - 2};
        for (struct bw_str ahead = *rest; bw_str_next_line(&line, &ahead); *rest = ahead) {
            if (is_line(line) && (*line.base == 'R' || *line.base == 'F'))
                break;
            if (is_line(line) && *line.base == 'a')
                out->mode = mode_of(value_of(line));
            if (is_line(line) && *line.base == 'Z')
                out->sum = value_of(line);
        }
        return true;
    }
    return false;
}

void bw_apk_split_version(struct bw_str *version, struct bw_str *release, struct bw_str text)
{
    const char *dash = text.len ? memrchr(text.base, '-', text.len) : NULL;
    *version = text;
    *release = (struct bw_str){0};
    if (dash == NULL)
        return;
    version->len = (size_t)(dash - text.base);
    *release = (struct bw_str){dash + 1, text.len - version->len - 1};
}

const char *bw_apk_sum(const char **hex_out, struct bw_str sum, struct bw_arena *arena)
{
    struct bw_error ignored = {0};
    char *bytes = NULL;
    size_t len = 0;
    bool sha1 = bw_str_starts_with(sum, "Q1"), sha256 = bw_str_starts_with(sum, "Q2");
    if ((!sha1 && !sha256) || bw_base64_decode(&bytes, &len, sum.base + 2, sum.len - 2, arena, &ignored) ||
        len != (sha1 ? BW_SHA1_BYTES : BW_SHA256_BYTES))
        return NULL;
    char *hex = bw_arena_alloc(arena, 2 * len + 1);
    if (hex == NULL)
        return NULL;
    bw_hex_encode(hex, bytes, len);
    *hex_out = hex;
    return sha1 ? "sha1" : "sha256";
}

/* ---- the row ---- */

static uint64_t keeps(const struct bw_collect_options *options, const char *path)
{
    (void)options;
    return bw_path_ends_with(path, database) ? BW_MAX_GATHERED_BYTES : 0;
}

static const char *copy(struct bw_str text, struct bw_arena *arena)
{
    return bw_arena_strndup(arena, text.base ? text.base : "", text.len);
}

static const char *copy_present(struct bw_str text, struct bw_arena *arena)
{
    return text.len == 0 ? NULL : copy(text, arena);
}

static int add_package(struct bw_collect *at, const struct bw_apk_record *record, struct bw_error *err)
{
    struct bw_str version, release;
    struct bw_licenses licenses = {0};
    uint64_t size = 0;
    bw_apk_split_version(&version, &release, record->version);
    if (bw_licenses_of_expression(&licenses, record->license.base ? record->license.base : "", record->license.len,
                                  at->arena, err))
        return -1;
    struct bw_package package = {
        .type = "APKG",
        .name = copy(record->name, at->arena),
        .version = copy(version, at->arena),
        .release = copy_present(release, at->arena),
        .full_version = copy(record->version, at->arena),
        .arch = copy_present(record->architecture, at->arena),
        .source_name = copy(record->origin.len ? record->origin : record->name, at->arena),
        .source_version = copy(record->version, at->arena),
        .origin = copy_present(record->maintainer, at->arena),
        .license = record->license.len ? copy(record->license, at->arena) : "N/A",
        .licenses = licenses.names,
        .n_licenses = licenses.count,
        .location = "pkgdb",
        .size = -1,
    };
    if (package.name == NULL || package.version == NULL || package.full_version == NULL ||
        package.source_name == NULL || package.source_version == NULL || package.license == NULL)
        return bw_arena_spent(err);
    if (record->size.len != 0 && bw_str_uint(&size, record->size, 10, INT64_MAX) == 0)
        package.size = (int64_t)size;
    return bw_report_add_package(at->report, &package, err);
}

static const char *path_text(const struct bw_apk_path *path, const char *root, struct bw_arena *arena)
{
    const char *slash = path->folder.len != 0 && path->name.base != NULL ? "/" : "";
    return bw_arena_printf(arena, "%s/%.*s%s%.*s", root, (int)path->folder.len,
                           path->folder.base ? path->folder.base : "", slash, (int)path->name.len,
                           path->name.base ? path->name.base : "");
}

/* The checksum of a symlink is that of its target's text; the tree has no digest to compare it with. */
static bool is_expected_link(const struct bw_tree *tree, const char *path, const char *hex)
{
    const struct bw_file *file = bw_tree_find(tree, path);
    if (file == NULL || file->type != BW_FILE_SYMLINK || file->link == NULL)
        return false;
    char actual[2 * BW_HASH_MAX + 1];
    bw_hash_hex(actual, strlen(hex) == (size_t)2 * BW_SHA1_BYTES ? BW_SHA1 : BW_SHA256, file->link, strlen(file->link));
    return strcmp(actual, hex) == 0;
}

static int add_expected(struct bw_collect *at, const struct bw_apk_record *record, const struct bw_apk_path *path,
                        const char *root, struct bw_error *err)
{
    uint64_t mode = 0;
    const char *hex = NULL;
    if (path->sum.base == NULL || memchr(path->name.base, '\0', path->name.len) != NULL ||
        (path->folder.len != 0 && memchr(path->folder.base, '\0', path->folder.len) != NULL))
        return 0;
    const char *whole = path_text(path, root, at->arena);
    struct bw_verification expected = {
        .path = whole == NULL ? NULL : bw_path_in_tree(at->tree, whole, at->arena),
        .package = copy(record->name, at->arena),
        .package_type = "APKG",
        .algorithm = bw_apk_sum(&hex, path->sum, at->arena),
        .digest = hex,
        .mode = -1,
        .size = -1,
    };
    if (expected.path == NULL || expected.package == NULL)
        return bw_arena_spent(err);
    if (path->mode.len != 0 && bw_str_uint(&mode, path->mode, 8, 07777) == 0)
        expected.mode = (int64_t)mode;
    if (hex != NULL && is_expected_link(at->tree, expected.path, hex)) {
        expected.algorithm = expected.digest = NULL;
        expected.mode = -1;
    }
    return bw_report_add_verification(at->report, &expected, err);
}

static bool has_nul(const struct bw_apk_record *record)
{
    const struct bw_str texts[] = {record->name,    record->version, record->architecture,
                                   record->license, record->origin,  record->maintainer};
    for (size_t i = 0; i < BW_LENGTH(texts); i++)
        if (texts[i].len != 0 && memchr(texts[i].base, '\0', texts[i].len) != NULL)
            return true;
    return false;
}

/* Calls one of the two for every package, or path, of every database. */
struct visitor {
    int (*package)(struct bw_collect *at, const struct bw_apk_record *record, const char *root, struct bw_error *err);
    int (*owned)(void *payload, const char *root, struct bw_str path);
    void *payload;
};

static int visit_record(struct bw_collect *at, const struct bw_apk_record *record, const char *root,
                        const struct visitor *visitor, struct bw_error *err)
{
    if (visitor->package != NULL)
        return visitor->package(at, record, root, err);
    struct bw_str rest = record->files, folder = {0};
    struct bw_apk_path path;
    while (bw_apk_next_path(&path, &rest, &folder)) {
        const char *text = path_text(&path, "", at->arena);
        if (text == NULL)
            return bw_arena_spent(err);
        if (visitor->owned(visitor->payload, root, bw_str_from(text)))
            return -1;
    }
    return 0;
}

static int visit_database(struct bw_collect *at, const struct bw_file *file, const char *root,
                          const struct visitor *visitor, struct bw_error *err)
{
    struct bw_apk_record record;
    struct bw_str rest;
    int failed = 0;
    if (!bw_collect_content(&rest, at, file, kind, &failed, err))
        return failed;
    while (!failed && bw_apk_next_record(&record, &rest)) {
        if (record.name.len == 0 || record.version.len == 0)
            continue;
        failed = has_nul(&record) ? bw_report_add_incomplete(at->report, kind, "a package with a NUL in its name", err)
                                  : visit_record(at, &record, root, visitor, err);
    }
    return failed;
}

static int visit_databases(struct bw_collect *at, const struct visitor *visitor, struct bw_error *err)
{
    for (size_t i = 0; i < bw_tree_count(at->tree); i++) {
        const char *path = bw_tree_at(at->tree, i)->path;
        if (!bw_path_ends_with(path, database))
            continue;
        const struct bw_file *file = bw_tree_resolve(at->tree, path);
        if (file == NULL || file->type != BW_FILE_REGULAR ||
            (strcmp(file->path, path) != 0 && bw_path_ends_with(file->path, database)))
            continue;
        size_t suffix = strlen(database) + (bw_path_ends_with(path, "/usr/lib/apk/db/installed") ? strlen("/usr") : 0);
        const char *root = bw_path_root(path, suffix, at->arena);
        if (root == NULL)
            return bw_arena_spent(err);
        if (visit_database(at, file, root, visitor, err))
            return -1;
    }
    return 0;
}

static int collect_package(struct bw_collect *at, const struct bw_apk_record *record, const char *root,
                           struct bw_error *err)
{
    struct bw_str rest = record->files, folder = {0};
    struct bw_apk_path path;
    if (add_package(at, record, err))
        return -1;
    while (at->options->needs.file_digests && bw_apk_next_path(&path, &rest, &folder))
        if (path.name.base != NULL && add_expected(at, record, &path, root, err))
            return -1;
    return 0;
}

static int collect(struct bw_collect *at, struct bw_error *err)
{
    return visit_databases(at, &(struct visitor){.package = collect_package}, err);
}

int bw_apk_each_owned(struct bw_collect *at, int (*visit)(void *payload, const char *root, struct bw_str path),
                      void *payload, struct bw_error *err)
{
    return visit_databases(at, &(struct visitor){.owned = visit, .payload = payload}, err);
}

const struct bw_collector bw_collector_apk = {
    .name = "apk",
    .doc = "packages of Alpine, Wolfi and Chainguard",
    .kind = kind,
    .keeps = keeps,
    .collect = collect,
};
