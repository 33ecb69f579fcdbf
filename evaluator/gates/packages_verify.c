/* Trigger `packages:verify`: files as they are beside what the package databases say. The first difference counts. */
#include "evaluator/gates/packages.h"

#include "base/map.h"

#include <string.h>

static const char *const states[] = {"changed", "missing", NULL};
enum { CHANGED, MISSING, UNCHANGED };
enum { ONLY_PACKAGES, ONLY_DIRECTORIES, CHECK };
const struct bw_param bw_verify_params[BW_VERIFY_PARAMS] = {
    [ONLY_PACKAGES] = {.name = "only_packages",
                       .kind = BW_PARAM_STRING_LIST,
                       .example = "libc6,openssl",
                       .doc = "Names of packages; all of them when absent."},
    [ONLY_DIRECTORIES] = {.name = "only_directories",
                          .kind = BW_PARAM_STRING_LIST,
                          .example = "/usr/bin,/usr/lib",
                          .doc = "Files and directories with all that is below them; everything when absent."},
    [CHECK] = {.name = "check",
               .kind = BW_PARAM_ENUM,
               .choices = states,
               .example = "changed",
               .doc = "Only this difference; both when absent."},
};

int bw_verify_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    (void)err;
    bw_loader_need_digests(loader);
    const struct bw_value *directories = &values[ONLY_DIRECTORIES];
    for (size_t i = 0; directories->present && i < directories->as.list.n_items; i++) {
        (void)bw_loader_check_path(loader, ONLY_DIRECTORIES, directories->as.list.items[i]);
    }
    return 0;
}

static const char *digest_of(const struct bw_report_file *file, const char *algorithm)
{
    const char *digest = strcmp(algorithm, "sha256") == 0 ? file->sha256
                         : strcmp(algorithm, "md5") == 0  ? file->md5
                         : strcmp(algorithm, "sha1") == 0 ? file->sha1
                                                          : NULL;
    return digest != NULL && digest[0] != '\0' ? digest : NULL;
}

/* -1: the analysis has not the digest that the comparison needs. */
static int digests_differ(const struct bw_scope *scope, const struct bw_verification *record,
                          const struct bw_report_file *file, struct bw_error *err)
{
    if (record->algorithm == NULL || record->digest == NULL || record->digest[0] == '\0') {
        return 0;
    }
    const char *digest = digest_of(file, record->algorithm);
    if (digest != NULL) {
        return strcmp(digest, record->digest) != 0;
    }
    bool computable = strcmp(record->algorithm, "md5") == 0 || strcmp(record->algorithm, "sha1") == 0;
    if (computable && !scope->report->covers.file_digests) {
        return bw_error_set(err, BW_EINPUT, "the analysis of this image has no %s digests of files", record->algorithm);
    }
    return 0;
}

/* Octal digits from the right, as many as the shorter number has. */
static bool modes_differ(int64_t a, int64_t b)
{
    if (a <= 0 || b <= 0) {
        return false;
    }
    int64_t mask = 7;
    while (mask < a && mask < b) {
        mask = mask * 8 + 7;
    }
    return (a & mask) != (b & mask);
}

static int compare(const struct bw_scope *scope, const struct bw_verification *record, struct bw_error *err)
{
    const struct bw_report_file *file = bw_report_find_file(scope->report, record->path);
    if (file == NULL) {
        return MISSING;
    }
    if (record->config_file || (file->type != BW_FILE_REGULAR && file->type != BW_FILE_DIRECTORY)) {
        return UNCHANGED;
    }
    bool regular = file->type == BW_FILE_REGULAR;
    int differ = regular ? digests_differ(scope, record, file, err) : 0;
    if (differ < 0) {
        return -1;
    }
    bool sizes_differ = regular && record->size > 0 && file->size > 0 && record->size != file->size;
    return differ == 1 || modes_differ(record->mode, file->mode) || sizes_differ ? CHANGED : UNCHANGED;
}

/* SQL's LIKE with `prefix%`, which is what the engine asks: `%` and `_` in the prefix are wildcards. */
static bool like(const char *pattern, const char *text)
{
    const char *retry_pattern = NULL;
    const char *retry_text = NULL;
    for (;;) {
        if (*pattern == '\0') {
            return true;
        }
        if (*pattern == '%') {
            retry_pattern = pattern++;
            retry_text = text;
        } else if (*text != '\0' && (*pattern == '_' || *pattern == *text)) {
            pattern++;
            text++;
        } else if (retry_pattern != NULL && *retry_text != '\0') {
            pattern = retry_pattern + 1;
            text = ++retry_text;
        } else {
            return false;
        }
    }
}

/* How often an entry is judged: once per directory that holds it. A directory holds what is below it (row 33). */
static unsigned count_directories(struct bw_scope *scope, const struct bw_value *directories, const char *path)
{
    if (!directories->present) {
        return 1;
    }
    unsigned count = 0;
    for (size_t i = 0; i < directories->as.list.n_items; i++) {
        const char *directory = directories->as.list.items[i];
        size_t len = strlen(directory);
        while (len > 0 && directory[len - 1] == '/') {
            len--;
        }
        bool below = strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == '\0');
        if (below != like(directory, path)) {
            bw_rows_set(scope->deviations, BW_ROW_DIRECTORY);
        }
        count += below;
    }
    return count;
}

/* Names of the selected packages, each with the number of its records. */
static struct bw_map *select_packages(const struct bw_scope *scope, const struct bw_value *only)
{
    struct bw_map *selected = bw_map_create();
    for (size_t i = 0; only->present && i < only->as.list.n_items; i++) {
        const char *name = only->as.list.items[i];
        size_t first = 0;
        size_t last = 0;
        size_t count = bw_report_count_packages(scope->report, name, &first, &last);
        if (count > 0) {
            (void)bw_map_put(selected, name, strlen(name), (void *)(uintptr_t)count);
        }
    }
    for (size_t i = 0; !only->present && i < scope->report->n_packages; i++) {
        const char *name = scope->report->packages[i].name;
        uintptr_t count = (uintptr_t)bw_map_get(selected, name, strlen(name));
        (void)bw_map_put(selected, name, strlen(name), (void *)(count + 1));
    }
    return selected;
}

static int judge(struct bw_scope *scope, const struct bw_value *values, const struct bw_map *selected,
                 struct bw_error *err)
{
    for (size_t i = 0; i < scope->report->n_verifications; i++) {
        const struct bw_verification *record = &scope->report->verifications[i];
        uintptr_t times = (uintptr_t)bw_map_get(selected, record->package, strlen(record->package));
        times *= times > 0 ? count_directories(scope, &values[ONLY_DIRECTORIES], record->path) : 0;
        if (times > 0 && scope->report->n_files == 0) {
            return bw_error_set(err, BW_EINPUT, "the analysis has package records of files, but no files");
        }
        int state = times > 0 ? compare(scope, record, err) : UNCHANGED;
        if (state < 0) {
            return -1;
        }
        if (state == UNCHANGED || (values[CHECK].present && values[CHECK].as.choice != (unsigned)state)) {
            continue;
        }
        for (; times > 0; times--) {
            if (bw_fire(scope, BW_ID_PACKAGES_VERIFY, "{1}, a file of package {0}, is {2}", err, record->package,
                        record->path, states[state]) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

int bw_verify(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    if (scope->report->n_verifications == 0) {
        return 0;
    }
    struct bw_map *selected = select_packages(scope, &values[ONLY_PACKAGES]);
    int result = bw_map_count(selected) == 0 ? 0 : judge(scope, values, selected, err);
    bw_map_destroy(selected, NULL);
    return result;
}
