/* Packages of Debian and its kin: /var/lib/dpkg/status, and status.d of images without dpkg; opkg writes the same
 * grammar. What the database expects of files comes from info/PACKAGE.md5sums and the Conffiles of the status file. */
#include "image/analyzer/collectors/dpkg.h"

#include "base/limits.h"
#include "image/analyzer/collectors/collect.h"
#include "image/analyzer/collectors/collectors.h"
#include "image/analyzer/collectors/licenses.h"

#include <string.h>

static const char dpkg_status[] = "/var/lib/dpkg/status";
static const char dpkg_folder[] = "/var/lib/dpkg/status.d/";
static const char opkg_status[] = "/lib/opkg/status";
static const char info_folder[] = "/var/lib/dpkg/info/";
static const char kind[] = "packages:dpkg";

/* ---- grammar ---- */

static struct bw_str *field_of(struct bw_dpkg_stanza *stanza, struct bw_str name)
{
    const struct {
        const char *name;
        struct bw_str *value;
    } fields[] = {
        {"Package", &stanza->package},
        {"Status", &stanza->status},
        {"Version", &stanza->version},
        {"Architecture", &stanza->architecture},
        {"Source", &stanza->source},
        {"Maintainer", &stanza->maintainer},
        {"Installed-Size", &stanza->installed_size},
        {"Conffiles", &stanza->conffiles},
        {"License", &stanza->license},
    };
    for (size_t i = 0; i < BW_LENGTH(fields); i++)
        if (bw_str_is_nocase(name, fields[i].name))
            return fields[i].value;
    return NULL;
}

bool bw_dpkg_next_stanza(struct bw_dpkg_stanza *out, struct bw_str *rest)
{
    struct bw_str line, *field = NULL;
    bool begun = false;
    *out = (struct bw_dpkg_stanza){0};
    while (bw_str_next_line(&line, rest)) {
        if (bw_str_trim(line).len == 0) {
            if (begun)
                return true;
            continue;
        }
        begun = true;
        if (*line.base == ' ' || *line.base == '\t') { /* goes on: the value grows to this line's end */
            if (field != NULL)
                field->len = (size_t)(line.base + line.len - field->base);
            continue;
        }
        const char *colon = memchr(line.base, ':', line.len);
        field = colon == NULL ? NULL : field_of(out, (struct bw_str){line.base, (size_t)(colon - line.base)});
        if (field != NULL && field->base != NULL)
            field = NULL;
        if (field != NULL)
            *field = bw_str_trim((struct bw_str){colon + 1, (size_t)(line.base + line.len - colon - 1)});
    }
    return begun;
}

bool bw_dpkg_is_installed(const struct bw_dpkg_stanza *stanza)
{
    static const char *const states[] = {"installed",      "half-configured",  "unpacked",
                                         "half-installed", "triggers-awaited", "triggers-pending"};
    struct bw_str rest = stanza->status, word, state = {0};
    if (stanza->status.base == NULL) /* status.d */
        return true;
    while (bw_str_next_word(&word, &rest))
        state = word;
    for (size_t i = 0; i < BW_LENGTH(states); i++)
        if (bw_str_is(state, states[i]))
            return true;
    return false;
}

void bw_dpkg_source(struct bw_str *name, struct bw_str *version, const struct bw_dpkg_stanza *stanza)
{
    struct bw_str source = stanza->source;
    *name = stanza->package;
    *version = stanza->version;
    if (source.len == 0)
        return;
    const char *paren = memchr(source.base, '(', source.len);
    if (paren == NULL) {
        *name = source;
        return;
    }
    *name = bw_str_trim((struct bw_str){source.base, (size_t)(paren - source.base)});
    struct bw_str inside = {paren + 1, (size_t)(source.base + source.len - paren - 1)};
    if (inside.len != 0 && inside.base[inside.len - 1] == ')')
        inside.len--;
    *version = bw_str_trim(inside);
}

static bool is_md5(struct bw_str text)
{
    if (text.len != 32)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (strchr("0123456789abcdefABCDEF", text.base[i]) == NULL || text.base[i] == '\0')
            return false;
    return true;
}

bool bw_dpkg_md5_line(struct bw_str *path, struct bw_str *digest, struct bw_str line)
{
    if (line.len < 35 || line.base[32] != ' ' || !is_md5((struct bw_str){line.base, 32}))
        return false;
    *digest = (struct bw_str){line.base, 32};
    *path = (struct bw_str){line.base + 34, line.len - 34};
    while (bw_str_starts_with(*path, "./") || bw_str_starts_with(*path, "/")) {
        size_t skip = *path->base == '/' ? 1 : 2;
        *path = (struct bw_str){path->base + skip, path->len - skip};
    }
    return path->len != 0 && memchr(path->base, '\0', path->len) == NULL;
}

/* The last word, cut off. */
static struct bw_str cut_word(struct bw_str *text)
{
    *text = bw_str_trim(*text);
    size_t begin = text->len;
    while (begin != 0 && text->base[begin - 1] != ' ')
        begin--;
    struct bw_str word = {text->base + begin, text->len - begin};
    text->len = begin;
    *text = bw_str_trim(*text);
    return word;
}

/* " /etc/a b.conf 0123...ef obsolete" */
bool bw_dpkg_conffile_line(struct bw_str *path, struct bw_str *digest, struct bw_str line)
{
    struct bw_str word = cut_word(&line);
    while (line.len != 0 && !is_md5(word) && !bw_str_is(word, "newconffile"))
        word = cut_word(&line);
    *path = line;
    *digest = is_md5(word) ? word : (struct bw_str){0};
    return line.len > 1 && *line.base == '/' && memchr(line.base, '\0', line.len) == NULL;
}

/* ---- the row ---- */

static bool is_status_d(const char *path)
{
    const char *folder = strstr(path, dpkg_folder);
    return folder != NULL && strchr(folder + strlen(dpkg_folder), '/') == NULL;
}

/* md5sums are many bytes and only looked at by packages:verify, which needs the digests of the files as well. */
static uint64_t keeps(const struct bw_collect_options *options, const char *path)
{
    if (strstr(path, "/lib/dpkg/") == NULL)
        return bw_path_ends_with(path, opkg_status) ? BW_MAX_GATHERED_BYTES : 0;
    bool wanted =
        bw_path_ends_with(path, dpkg_status) || is_status_d(path) ||
        (strstr(path, info_folder) != NULL &&
         (bw_path_ends_with(path, ".list") || (options->needs.file_digests && bw_path_ends_with(path, ".md5sums"))));
    return wanted ? BW_MAX_GATHERED_BYTES : 0;
}

static const char *copy(struct bw_str text, struct bw_arena *arena)
{
    return bw_arena_strndup(arena, text.base ? text.base : "", text.len);
}

static bool has_nul(const struct bw_dpkg_stanza *stanza)
{
    const struct bw_str texts[] = {stanza->package, stanza->version, stanza->architecture, stanza->source,
                                   stanza->maintainer};
    for (size_t i = 0; i < BW_LENGTH(texts); i++)
        if (texts[i].len != 0 && memchr(texts[i].base, '\0', texts[i].len) != NULL)
            return true;
    return false;
}

static int read_licenses(struct bw_package *package, struct bw_collect *at, const struct bw_dpkg_stanza *stanza,
                         const char *root, struct bw_error *err)
{
    struct bw_licenses licenses = {0};
    int failed = stanza->license.len != 0
                     ? bw_licenses_of_expression(&licenses, stanza->license.base, stanza->license.len, at->arena, err)
                     : bw_licenses_of_package(&licenses, at, root, stanza->package, err);
    if (failed)
        return -1;
    size_t len = 0;
    for (size_t i = 0; i < licenses.count; i++)
        len += strlen(licenses.names[i]) + 1;
    char *joined = bw_arena_alloc(at->arena, len + 1);
    if (joined == NULL)
        return bw_arena_spent(err);
    char *end = joined;
    for (size_t i = 0; i < licenses.count; i++) {
        if (i != 0)
            *end++ = ' ';
        end = stpcpy(end, licenses.names[i]);
    }
    package->licenses = licenses.names;
    package->n_licenses = licenses.count;
    package->license = licenses.count != 0 ? joined : "Unknown";
    return 0;
}

static int add_package(struct bw_collect *at, const struct bw_dpkg_stanza *stanza, const char *root,
                       struct bw_error *err)
{
    struct bw_str source_name, source_version;
    struct bw_arena *arena = at->arena;
    uint64_t kib = 0;
    bw_dpkg_source(&source_name, &source_version, stanza);
    struct bw_package package = {
        .type = "dpkg",
        .name = copy(stanza->package, arena),
        .version = copy(stanza->version, arena),
        .arch = stanza->architecture.len ? copy(stanza->architecture, arena) : NULL,
        .source_name = copy(source_name, arena),
        .source_version = copy(source_version, arena),
        .location = "pkgdb",
        .size = -1,
    };
    if (stanza->maintainer.len != 0) {
        package.origin =
            bw_arena_printf(arena, "%.*s (maintainer)", (int)stanza->maintainer.len, stanza->maintainer.base);
        if (package.origin == NULL)
            return bw_arena_spent(err);
    }
    package.full_version = package.version;
    if (package.name == NULL || package.version == NULL || package.source_name == NULL ||
        package.source_version == NULL || (stanza->architecture.len && package.arch == NULL))
        return bw_arena_spent(err);
    if (stanza->installed_size.len != 0 && bw_str_uint(&kib, stanza->installed_size, 10, INT64_MAX / 1024) == 0)
        package.size = (int64_t)kib * 1024;
    return read_licenses(&package, at, stanza, root, err) || bw_report_add_package(at->report, &package, err) ? -1 : 0;
}

/* info/NAME:ARCH.EXT of a multi-arch package, else info/NAME.EXT. */
static const struct bw_file *info_file(struct bw_collect *at, const char *root, const struct bw_dpkg_stanza *stanza,
                                       const char *extension)
{
    const struct bw_file *file = NULL;
    const char *path = NULL;
    if (stanza->architecture.len != 0 && !bw_str_is(stanza->architecture, "all")) {
        path =
            bw_arena_printf(at->arena, "%s%s%.*s:%.*s%s", root, info_folder, (int)stanza->package.len,
                            stanza->package.base, (int)stanza->architecture.len, stanza->architecture.base, extension);
        file = path == NULL ? NULL : bw_tree_resolve(at->tree, path);
    }
    if (file == NULL) {
        path = bw_arena_printf(at->arena, "%s%s%.*s%s", root, info_folder, (int)stanza->package.len,
                               stanza->package.base, extension);
        file = path == NULL ? NULL : bw_tree_resolve(at->tree, path);
    }
    return file != NULL && file->type == BW_FILE_REGULAR ? file : NULL;
}

static int add_expected(struct bw_collect *at, const struct bw_dpkg_stanza *stanza, const char *root,
                        struct bw_str path, struct bw_str digest, bool config_file, struct bw_error *err)
{
    const char *slash = *path.base == '/' ? "" : "/";
    const char *name = copy(stanza->package, at->arena);
    const char *whole = bw_arena_printf(at->arena, "%s%s%.*s", root, slash, (int)path.len, path.base);
    char *hex = digest.len != 0 ? bw_arena_strndup(at->arena, digest.base, digest.len) : NULL;
    if (name == NULL || whole == NULL || (digest.len != 0 && hex == NULL))
        return bw_arena_spent(err);
    for (char *c = hex; c != NULL && *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'F')
            *c = (char)(*c + 'a' - 'A');
    struct bw_verification record = {
        .path = bw_path_in_tree(at->tree, whole, at->arena),
        .package = name,
        .package_type = "dpkg",
        .algorithm = hex != NULL ? "md5" : NULL,
        .digest = hex,
        .mode = -1,
        .size = -1,
        .config_file = config_file,
    };
    return record.path == NULL ? bw_arena_spent(err) : bw_report_add_verification(at->report, &record, err);
}

static int add_verifications(struct bw_collect *at, const struct bw_dpkg_stanza *stanza, const char *root,
                             const struct bw_file *sums, struct bw_error *err)
{
    struct bw_str rest, line, path, digest;
    int failed = 0;
    if (sums != NULL && bw_collect_content(&rest, at, sums, "packages:dpkg", &failed, err))
        while (!failed && bw_str_next_line(&line, &rest))
            if (bw_dpkg_md5_line(&path, &digest, line))
                failed = add_expected(at, stanza, root, path, digest, false, err);
    rest = stanza->conffiles;
    while (!failed && rest.len != 0 && bw_str_next_line(&line, &rest))
        if (bw_dpkg_conffile_line(&path, &digest, line))
            failed = add_expected(at, stanza, root, path, digest, true, err);
    return failed;
}

/* What is done with every installed package of every database. */
struct visitor {
    int (*package)(struct bw_collect *at, const struct bw_dpkg_stanza *stanza, const char *root,
                   const struct bw_file *beside, void *payload, struct bw_error *err);
    void *payload;
};

static int visit_database(struct bw_collect *at, const struct bw_file *file, const char *root, bool single,
                          const struct visitor *visitor, struct bw_error *err)
{
    struct bw_dpkg_stanza stanza;
    struct bw_str rest;
    int failed = 0;
    if (!bw_collect_content(&rest, at, file, kind, &failed, err))
        return failed;
    const struct bw_file *beside = NULL;
    if (single) { /* status.d/NAME.md5sums */
        const char *path = bw_arena_printf(at->arena, "%s.md5sums", file->path);
        if (path == NULL)
            return bw_arena_spent(err);
        beside = bw_tree_resolve(at->tree, path);
    }
    while (!failed && bw_dpkg_next_stanza(&stanza, &rest)) {
        if (stanza.package.len == 0 || stanza.version.len == 0 || !bw_dpkg_is_installed(&stanza))
            continue;
        failed = has_nul(&stanza) ? bw_report_add_incomplete(at->report, kind, "a package with a NUL in its name", err)
                                  : visitor->package(at, &stanza, root, beside, visitor->payload, err);
    }
    return failed;
}

static bool is_database(const char *path)
{
    return is_status_d(path) ? !bw_path_ends_with(path, ".md5sums")
                             : bw_path_ends_with(path, dpkg_status) || bw_path_ends_with(path, opkg_status);
}

/* The file that `path` leads to, unless that is a database found by its own path. */
static int visit_path(struct bw_collect *at, const char *path, const struct visitor *visitor, struct bw_error *err)
{
    const struct bw_file *file = bw_tree_resolve(at->tree, path);
    if (file == NULL || file->type != BW_FILE_REGULAR || (strcmp(file->path, path) != 0 && is_database(file->path)))
        return 0;
    const char *folder = strstr(path, "/var/lib/dpkg/");
    const char *root = bw_arena_strndup(at->arena, path, folder ? (size_t)(folder - path) : 0);
    return root == NULL ? bw_arena_spent(err) : visit_database(at, file, root, is_status_d(path), visitor, err);
}

static int visit_databases(struct bw_collect *at, const struct visitor *visitor, struct bw_error *err)
{
    for (size_t i = 0; i < bw_tree_count(at->tree); i++) {
        const char *path = bw_tree_at(at->tree, i)->path;
        if (is_database(path) && visit_path(at, path, visitor, err))
            return -1;
    }
    if (bw_tree_find(at->tree, dpkg_status) == NULL) /* its folder may be a link */
        return visit_path(at, dpkg_status, visitor, err);
    return 0;
}

static int collect_package(struct bw_collect *at, const struct bw_dpkg_stanza *stanza, const char *root,
                           const struct bw_file *beside, void *payload, struct bw_error *err)
{
    (void)payload;
    if (add_package(at, stanza, root, err))
        return -1;
    if (!at->options->needs.file_digests)
        return 0;
    const struct bw_file *sums = beside != NULL ? beside : info_file(at, root, stanza, ".md5sums");
    return add_verifications(at, stanza, root, sums, err);
}

static int collect(struct bw_collect *at, struct bw_error *err)
{
    return visit_databases(at, &(struct visitor){.package = collect_package}, err);
}

/* ---- ownership ---- */

struct owned {
    int (*visit)(void *payload, const char *root, struct bw_str path);
    void *payload;
};

static int visit_owned(struct bw_collect *at, const struct bw_dpkg_stanza *stanza, const char *root,
                       const struct bw_file *beside, void *payload, struct bw_error *err)
{
    const struct owned *owned = payload;
    const struct bw_file *list = info_file(at, root, stanza, ".list");
    struct bw_str rest, line, path, digest;
    int failed = 0;
    if (list != NULL && bw_collect_content(&rest, at, list, kind, &failed, err))
        while (!failed && bw_str_next_line(&line, &rest))
            failed = owned->visit(owned->payload, root, line);
    if (!failed && beside != NULL && bw_collect_content(&rest, at, beside, kind, &failed, err))
        while (!failed && bw_str_next_line(&line, &rest))
            if (bw_dpkg_md5_line(&path, &digest, line))
                failed = owned->visit(owned->payload, root, path);
    return failed;
}

int bw_dpkg_each_owned(struct bw_collect *at, int (*visit)(void *payload, const char *root, struct bw_str path),
                       void *payload, struct bw_error *err)
{
    struct owned owned = {visit, payload};
    return visit_databases(at, &(struct visitor){visit_owned, &owned}, err);
}

const struct bw_collector bw_collector_dpkg = {
    .name = "dpkg",
    .doc = "packages of Debian, Ubuntu, distroless images and OpenWrt",
    .kind = kind,
    .keeps = keeps,
    .collect = collect,
};
