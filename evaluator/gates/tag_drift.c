/* Gate `tag_drift` of Anchore Enterprise, by its public documentation: what the packages of the image differ in from
 * those of the previous image of the tag. A package is its type and name; several records of one are a set of versions.
 */
#include "evaluator/gate.h"

#include <stdlib.h>
#include <string.h>

#define WORDS "apk (APKG), binary, composer, deb (dpkg), gem, go, java, js, maven, npm, nuget, python, rpm"

/* Words of a rule, and the type that a report has for each. */
static const struct {
    const char *word, *type;
} types[] = {{"APKG", "APKG"},   {"apk", "APKG"}, {"binary", "binary"}, {"composer", "composer"}, {"deb", "dpkg"},
             {"dpkg", "dpkg"},   {"gem", "gem"},  {"go", "go"},         {"java", "java"},         {"js", "js"},
             {"maven", "maven"}, {"npm", "npm"},  {"nuget", "nuget"},   {"python", "python"},     {"rpm", "rpm"}};

enum { PACKAGE_TYPE };
static const struct bw_param params[] = {
    [PACKAGE_TYPE] = {.name = "package_type",
                      .kind = BW_PARAM_STRING_LIST,
                      .example = "dpkg,rpm,apk",
                      .doc = "Only packages of these types, some of " WORDS "; all when absent."},
};

static const char *type_of(const char *word)
{
    for (size_t i = 0; i < BW_LENGTH(types); i++) {
        if (bw_str_is_nocase(bw_str_from(word), types[i].word)) {
            return types[i].type;
        }
    }
    return NULL;
}

static int load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    (void)err;
    bw_loader_need_previous(loader);
    for (size_t i = 0; values[PACKAGE_TYPE].present && i < values[PACKAGE_TYPE].as.list.n_items; i++) {
        const char *word = values[PACKAGE_TYPE].as.list.items[i];
        if (type_of(word) == NULL) {
            return bw_loader_fault(loader, PACKAGE_TYPE, 0, "\"%.100s\" is no type of package; known are %s", word,
                                   WORDS);
        }
    }
    return 0;
}

/* ---- the packages of both images, side by side ---- */
struct record {
    const char *type, *name, *version;
    bool now; /* of the image at hand */
};

struct drift {
    struct record *records; /* by type and name, the previous image's first, then by version */
    size_t n_records;
};

static int by_package(const struct record *a, const struct record *b)
{
    int order = strcmp(a->type, b->type);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static int by_all(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    int order = by_package(a, b);
    if (order == 0) {
        order = (int)a->now - (int)b->now;
    }
    return order != 0 ? order : strcmp(a->version, b->version);
}

static void add_records(struct drift *drift, const struct bw_report *report, bool now)
{
    for (size_t i = 0; i < report->n_packages; i++) {
        const struct bw_package *package = &report->packages[i];
        const char *version = package->full_version != NULL ? package->full_version : package->version;
        drift->records[drift->n_records++] =
            (struct record){package->type, package->name, version == NULL ? "" : version, now};
    }
}

static int prepare(void **out, struct bw_scope *scope, struct bw_error *err)
{
    const struct bw_report *previous = scope->facts->previous;
    if (previous == NULL) {
        return 0;
    }
    size_t n = scope->report->n_packages + previous->n_packages;
    struct drift *drift = bw_arena_alloc(scope->arena, sizeof(*drift));
    struct record *records = bw_arena_array(scope->arena, n + 1, sizeof(*records));
    if (drift == NULL || records == NULL) {
        return bw_arena_spent(err);
    }
    *drift = (struct drift){.records = records};
    add_records(drift, previous, false);
    add_records(drift, scope->report, true);
    qsort(records, n, sizeof(*records), by_all);
    n = 0;
    for (size_t i = 0; i < drift->n_records; i++) { /* the same version twice, for two architectures, is one */
        if (n == 0 || by_all(&records[n - 1], &records[i]) != 0) {
            records[n++] = records[i];
        }
    }
    drift->n_records = n;
    *out = drift;
    return 0;
}

/* ---- one package ---- */
struct change {
    const struct record *before, *now; /* of one package */
    size_t n_before, n_now;
};

static bool same_versions(const struct change *change)
{
    for (size_t i = 0; i < change->n_now && change->n_now == change->n_before; i++) {
        if (strcmp(change->now[i].version, change->before[i].version) != 0) {
            return false;
        }
    }
    return change->n_now == change->n_before;
}

static const char *join_versions(struct bw_scope *scope, const struct record *records, size_t n, const char *between)
{
    bw_buf_reset(&scope->text);
    for (size_t i = 0; i < n; i++) {
        bw_buf_puts(&scope->text, i == 0 ? "" : between);
        bw_buf_puts(&scope->text, records[i].version);
    }
    return scope->text.full ? NULL : bw_arena_strndup(scope->arena, scope->text.data, scope->text.len);
}

/* `added-dpkg-curl-7.88.1-10`: the versions of the image at hand, of one that is gone those that it had. */
static int fire(struct bw_scope *scope, const struct change *change, const char *word, const char *message,
                struct bw_error *err)
{
    const struct record *named = change->n_now > 0 ? change->now : change->before;
    size_t n_named = change->n_now > 0 ? change->n_now : change->n_before;
    char digest[13];
    bw_digest_short(digest, &scope->facts->previous->digest);
    const char *listed = join_versions(scope, named, n_named, ",");
    const char *arguments[] = {named->type, named->name, join_versions(scope, change->now, change->n_now, ", "),
                               join_versions(scope, change->before, change->n_before, ", "), digest};
    if (listed == NULL || arguments[2] == NULL || arguments[3] == NULL) {
        return bw_arena_spent(err);
    }
    const char *id = bw_arena_printf(scope->arena, "%s-%s-%s-%s", word, named->type, named->name, listed);
    return id == NULL ? bw_arena_spent(err) : bw_fire_as(scope, id, message, arguments, err);
}

static bool is_asked_for(const struct bw_value *value, const char *type)
{
    const char *known = type_of(type);
    for (size_t i = 0; value->present && known != NULL && i < value->as.list.n_items; i++) {
        if (strcmp(known, type_of(value->as.list.items[i])) == 0) {
            return true;
        }
    }
    return !value->present;
}

enum kind { ADDED, REMOVED, MODIFIED };

static int look_for(enum kind kind, struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    static const struct {
        const char *word, *message;
    } texts[] = {
        [ADDED] = {"added", "{0} package {1} {2} is new: the previous image ({4}) does not have it"},
        [REMOVED] = {"removed", "{0} package {1} is gone: the previous image ({4}) has {3}"},
        [MODIFIED] = {"modified", "{0} package {1} is {2}, and {3} in the previous image ({4})"},
    };
    const struct drift *drift = scope->prepared;
    if (drift == NULL) {
        scope->note = "no previous image of this tag is known, so there is nothing to compare with";
        return 0;
    }
    for (size_t i = 0, next = 0; i < drift->n_records; i = next) {
        struct change change = {.before = &drift->records[i]};
        for (next = i; next < drift->n_records && by_package(&drift->records[next], &drift->records[i]) == 0; next++) {
            change.n_before += !drift->records[next].now;
            change.n_now += drift->records[next].now;
        }
        change.now = change.before + change.n_before;
        bool wanted = kind == ADDED     ? change.n_before == 0
                      : kind == REMOVED ? change.n_now == 0
                                        : change.n_before > 0 && change.n_now > 0 && !same_versions(&change);
        if (wanted && is_asked_for(&values[PACKAGE_TYPE], drift->records[i].type) &&
            fire(scope, &change, texts[kind].word, texts[kind].message, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int packages_added(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return look_for(ADDED, scope, values, err);
}

static int packages_removed(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return look_for(REMOVED, scope, values, err);
}

static int packages_modified(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return look_for(MODIFIED, scope, values, err);
}

static const struct bw_trigger triggers[] = {
    {.name = "packages_added",
     .params = params,
     .n_params = BW_LENGTH(params),
     .doc = "Fires for each package that the previous image does not have, in any version.",
     .reads = {"packages"},
     .reads_previous = true,
     .load = load,
     .evaluate = packages_added},
    {.name = "packages_removed",
     .params = params,
     .n_params = BW_LENGTH(params),
     .doc = "Fires for each package that only the previous image has.",
     .reads = {"packages"},
     .reads_previous = true,
     .load = load,
     .evaluate = packages_removed},
    {.name = "packages_modified",
     .params = params,
     .n_params = BW_LENGTH(params),
     .doc = "Fires for each package that both have in different versions (with the release).",
     .reads = {"packages"},
     .reads_previous = true,
     .load = load,
     .evaluate = packages_modified},
};

const struct bw_gate bw_gate_tag_drift = {
    .name = "tag_drift",
    .doc = "Packages, by type and name, against those of the previous image of the same tag: the one of another digest "
           "that registry/repository:tag led to before, as far as this program was asked for both while a bundle with "
           "this gate was loaded, whether that image was admitted or not. Where none is known nothing fires: the first "
           "image of a tag has nothing to drift from.",
    .prepare = prepare,
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
