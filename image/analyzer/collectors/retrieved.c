/* Contents of the files that policies read: the configured paths, and always /etc/passwd. Links are followed inside the
 * root (Anchore Engine stores only what is a regular file under that very path). */
#include "image/analyzer/collectors/collect.h"
#include "image/analyzer/collectors/collectors.h"

#include <string.h>

static const char passwd[] = "/etc/passwd";
static const char kind[] = "retrieved_files";

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The asked path itself; or one of that name close to the root, where links of the asked path usually lead
 * (/etc/os-release, /usr/etc/passwd). What a link leads to elsewhere is marked, not missed. */
static bool may_be(const char *path, const char *asked)
{
    const char *absolute = *asked == '/' ? asked + 1 : asked;
    if (strcmp(path + 1, absolute) == 0)
        return true;
    size_t depth = 0;
    for (const char *c = path; *c != '\0'; c++)
        depth += *c == '/';
    return depth <= 3 && strcmp(name_of(path), name_of(asked)) == 0;
}

static uint64_t keeps(const struct bw_collect_options *options, const char *path)
{
    if (may_be(path, passwd))
        return options->retrieved_max_bytes;
    for (size_t i = 0; i < options->needs.n_retrieved_paths; i++)
        if (may_be(path, options->needs.retrieved_paths[i]))
            return options->retrieved_max_bytes;
    return 0;
}

static int retrieve(struct bw_collect *at, const char *asked, struct bw_error *err)
{
    const char *path = *asked == '/' ? asked : bw_arena_printf(at->arena, "/%s", asked);
    if (path == NULL)
        return bw_arena_spent(err);
    const struct bw_file *file = bw_tree_resolve(at->tree, path);
    struct bw_str content;
    int failed = 0;
    if (file == NULL || file->type != BW_FILE_REGULAR)
        return 0;
    if (!bw_collect_content(&content, at, file, kind, &failed, err))
        return failed;
    struct bw_retrieved_file stored = {asked, content.base, content.len};
    return bw_report_add_retrieved(at->report, &stored, err);
}

static int collect(struct bw_collect *at, struct bw_error *err)
{
    const struct bw_needs *needs = &at->options->needs;
    bool seen = false;
    for (size_t i = 0; i < needs->n_retrieved_paths; i++) {
        seen = seen || strcmp(needs->retrieved_paths[i], passwd) == 0;
        if (retrieve(at, needs->retrieved_paths[i], err))
            return -1;
    }
    return seen ? 0 : retrieve(at, passwd, err);
}

const struct bw_collector bw_collector_retrieved = {
    .name = "retrieved",
    .doc = "contents of the files that policies read",
    .kind = kind,
    .keeps = keeps,
    .collect = collect,
};
