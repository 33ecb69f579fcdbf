/*
 * ConfigMaps with bundles, before they are stored (webhook/bundle_review.h). Every key is loaded as `breakwater check`
 * and the store of bundles load it; faults become causes, which kubectl shows one a line, and leniencies warnings.
 */
#include "webhook/bundle_review.h"

#include "base/buf.h"
#include "k8s/bundle_map.h"
#include "k8s/metadata.h"
#include "webhook/answer.h"
#include "webhook/field_cursor.h"

#include <string.h>

struct checking {
    const struct bw_bundle_review_options *options;
    struct bw_arena *arena;
    struct bw_status_cause causes[BW_MAX_CAUSES];
    size_t n_causes, n_faults; /* faults: all of them, listed or not */
    const char **warnings;
    size_t n_warnings, warnings_capacity;
    const char **ids; /* of the bundles that load, by their place in the map; NULL: none */
    bool spent;       /* the arena */
};

/* ---- what is found ---- */

static void add_warning(struct checking *at, const char *text)
{
    void *array = at->warnings;
    if (text == NULL ||
        bw_arena_grow(at->arena, &array, at->n_warnings, &at->warnings_capacity, sizeof(*at->warnings), NULL) != 0) {
        at->spent = true;
        return;
    }
    at->warnings = array;
    at->warnings[at->n_warnings++] = text;
}

static void add_fault(struct checking *at, const char *kind, const char *field, const char *message)
{
    at->n_faults++;
    if (field == NULL || message == NULL) {
        at->spent = true;
    } else if (at->n_causes < BW_MAX_CAUSES) {
        at->causes[at->n_causes++] = (struct bw_status_cause){kind, field, message};
    }
}

/* "data[prod.json]:/policies/0/rules/3/trigger" */
static const char *field_of(const struct bw_map_bundle *bundle, const struct bw_problem *problem,
                            struct bw_arena *arena)
{
    bool whole = problem->path == NULL || problem->path[0] == '\0';
    return bw_arena_printf(arena, "%s%s%s", bundle->field, whole ? "" : ":", whole ? "" : problem->path);
}

static const char *words_of(const struct bw_problem *problem, struct bw_arena *arena)
{
    const char *near = problem->suggestion;
    return bw_arena_printf(arena, "%s%s%s%s", problem->message, near == NULL ? "" : " (did you mean ",
                           near == NULL ? "" : near, near == NULL ? "" : "?)");
}

static void add_problems(struct checking *at, const struct bw_map_bundle *bundle, const struct bw_problems *problems)
{
    size_t n_listed = 0;
    for (size_t i = 0; i < problems->n_items; i++) {
        const struct bw_problem *problem = &problems->items[i];
        const char *field = field_of(bundle, problem, at->arena), *words = words_of(problem, at->arena);
        const char *kind = bw_arena_strdup(at->arena, problem->kind);
        if (problem->severity == BW_PROBLEM_ERROR) {
            n_listed++;
            add_fault(at, kind, field, words);
        } else if (field != NULL && words != NULL) {
            add_warning(at, bw_arena_printf(at->arena, "%s: %s", field, words));
        }
    }
    at->n_faults += problems->n_errors - n_listed;
}

/* ---- one ConfigMap ---- */

static void look_for_twin(struct checking *at, const struct bw_bundle_map *map, size_t which)
{
    for (size_t i = 0; i < which && at->ids[which] != NULL; i++) {
        if (at->ids[i] != NULL && strcmp(at->ids[i], at->ids[which]) == 0) {
            add_warning(at, bw_arena_printf(at->arena, "%s has the id of %s, which is the one that is used: \"%s\"",
                                            map->bundles[which].field, map->bundles[i].field, at->ids[i]));
            return;
        }
    }
}

static void check_bundle(struct checking *at, const struct bw_bundle_map *map, size_t which)
{
    const struct bw_map_bundle *item = &map->bundles[which];
    struct bw_error err = {0};
    struct bw_problems problems;
    struct bw_bundle *bundle = NULL;
    char name[256];
    if (item->text == NULL) {
        add_fault(at, "unreadable", item->field, item->error.message);
        return;
    }
    bw_bundle_name_of(name, sizeof(name), item->key);
    const struct bw_bundle_options options = {name, at->options->now_s, at->options->default_patterns};
    bw_problems_init(&problems);
    int status = bw_bundle_load(&bundle, &problems, item->text, item->len, &options, &err);
    add_problems(at, item, &problems);
    if (status == 0) {
        at->ids[which] = bw_arena_strdup(at->arena, bw_bundle_id(bundle));
        look_for_twin(at, map, which);
        bw_bundle_release(bundle);
    } else if (problems.n_errors == 0) {
        add_fault(at, "refused", item->field, bw_arena_strdup(at->arena, err.message));
    }
    bw_problems_clear(&problems);
}

/* False when the time was over before all was looked at, or the memory. */
static bool check_map(struct checking *at, struct bw_json config_map)
{
    struct bw_bundle_map map = {0};
    struct bw_error err = {0};
    if (bw_bundle_map_read(&map, config_map, at->arena, &err) != 0) {
        add_fault(at, "unreadable", "data", bw_arena_strdup(at->arena, err.message));
        return !at->spent;
    }
    at->ids = bw_arena_array(at->arena, map.n_bundles + 1, sizeof(*at->ids));
    for (size_t i = 0; at->ids != NULL && i < map.n_bundles; i++) {
        if (bw_deadline_passed(at->options->deadline)) {
            return false;
        }
        check_bundle(at, &map, i);
    }
    if (map.n_bundles > 1 && strcmp(map.label, "active") == 0) {
        add_warning(at, "this ConfigMap is labelled active and has several bundles: none of them is the default one");
    }
    const char *const *remarks = NULL;
    if (at->ids == NULL || bw_bundle_map_remarks(&remarks, &map, at->arena, NULL) != 0) {
        return false;
    }
    for (size_t i = 0; remarks[i] != NULL; i++) {
        add_warning(at, remarks[i]);
    }
    return !at->spent;
}

/* ---- answering ---- */

/* Who shows no causes (helm, controllers) shows this. */
static const char *summary(const struct checking *at, const char *name)
{
    BW_BUF_SCOPE text;
    bw_buf_init(&text, 256 * 1024);
    bw_buf_printf(&text, "ConfigMap %.253s is refused: %zu fault%s in its policy bundles", name, at->n_faults,
                  at->n_faults == 1 ? "" : "s");
    for (size_t i = 0; i < at->n_causes && text.len < BW_MAX_DENY_MESSAGE; i++) {
        bw_buf_printf(&text, "\n  %s: %s", at->causes[i].field, at->causes[i].message);
    }
    return bw_arena_strndup(at->arena, text.data, text.len);
}

static void refuse(struct bw_admit_result *out, struct checking *at, const struct bw_admission_request *request)
{
    if (at->n_faults > BW_MAX_CAUSES) {
        struct bw_status_cause *last = &at->causes[BW_MAX_CAUSES - 1];
        last->reason = "more";
        last->field = "data";
        last->message = bw_arena_printf(at->arena, "%zu more faults; breakwater check lists them all",
                                        at->n_faults - (BW_MAX_CAUSES - 1));
    }
    const struct bw_admission_response response = {.code = 422,
                                                   .reason = "Invalid",
                                                   .message = summary(at, request->name),
                                                   .details_name = request->name,
                                                   .details_kind = "ConfigMap",
                                                   .causes = at->causes,
                                                   .n_causes = at->n_causes,
                                                   .warnings = at->warnings,
                                                   .n_warnings = at->n_warnings};
    bw_answer_make(out, request, response, "deny", "bundle_invalid", at->arena);
}

static void admit(struct bw_admit_result *out, const struct bw_admission_request *request, const char *const *warnings,
                  size_t n_warnings, const char *reason, struct bw_arena *arena)
{
    const struct bw_admission_response response = {.allowed = true, .warnings = warnings, .n_warnings = n_warnings};
    bw_answer_make(out, request, response, n_warnings > 0 ? "warn" : "allow", reason, arena);
}

/* Nothing is lost by it: whoever loads the bundle checks it again (K-507). */
static void admit_unchecked(struct bw_admit_result *out, const struct bw_admission_request *request, const char *why,
                            struct bw_arena *arena)
{
    const char *warning = bw_arena_printf(arena, "the bundles of this ConfigMap were not checked: %s", why);
    admit(out, request, &warning, warning == NULL ? 0 : 1, "not_checked", arena);
}

static const char *label_of(struct bw_json object)
{
    const json_t *labels = json_object_get(json_object_get(object.node, "metadata"), "labels");
    const json_t *label = json_object_get(labels, BW_DOMAIN "/bundle");
    return label == NULL || json_is_null(label) ? NULL : json_is_string(label) ? json_string_value(label) : "";
}

static void judge(struct bw_admit_result *out, struct checking *at, const struct bw_admission_request *request)
{
    const char *now = label_of(request->object), *before = label_of(request->old_object);
    bool was_active = before != NULL && strcmp(before, "active") == 0;
    if (strcmp(request->resource, "configmaps") != 0 || request->resource_group[0] != '\0' ||
        (now == NULL && before == NULL)) {
        admit(out, request, NULL, 0, "no_bundle", at->arena);
        return;
    }
    if (was_active && (now == NULL || strcmp(now, "active") != 0)) {
        add_warning(at, "this ConfigMap was labelled active: unless another one is, or bundles.default names a bundle, "
                        "there may be no default bundle now");
    } else if (now == NULL && request->object.node != NULL) {
        add_warning(at, "without the label " BW_DOMAIN "/bundle the bundles of this ConfigMap are not in force");
    }
    if (now == NULL) {
        admit(out, request, at->warnings, at->n_warnings, "bundle_removed", at->arena);
    } else if (!check_map(at, request->object)) {
        admit_unchecked(out, request, "there was no time or memory for all of them", at->arena);
    } else if (at->n_faults > 0) {
        refuse(out, at, request);
    } else {
        admit(out, request, at->warnings, at->n_warnings, "bundle_valid", at->arena);
    }
}

void bw_bundle_review(struct bw_admit_result *out, const char *body, size_t len,
                      const struct bw_bundle_review_options *options, struct bw_arena *arena)
{
    struct bw_admission_request request = {0};
    struct bw_review_head head;
    struct bw_error err = {0};
    struct checking at = {.options = options, .arena = arena};
    if (bw_admission_review_decode(&request, &head, body, len, arena, &err) == 0) {
        judge(out, &at, &request);
        bw_admission_request_clear(&request);
    } else if (head.uid == NULL) {
        bw_answer_unreadable(out, &err, arena);
    } else {
        request.api_version = head.api_version;
        request.uid = head.uid;
        admit_unchecked(out, &request, err.message, arena);
    }
}

/* What the API server writes before the object: enough to answer, without a look at megabytes. */
static void read_request(struct bw_cursor *cursor, struct bw_admission_request *request)
{
    struct bw_cursor_level level = {0};
    struct bw_str key;
    while (bw_cursor_member(cursor, &level, &key) && !BW_IS(key, "object") && !BW_IS(key, "oldObject")) {
        const char **into = BW_IS(key, "uid")         ? &request->uid
                            : BW_IS(key, "name")      ? &request->name
                            : BW_IS(key, "namespace") ? &request->namespace
                                                      : NULL;
        (void)(into == NULL ? bw_cursor_skip(cursor) : bw_cursor_text(cursor, into));
    }
}

static bool read_head(struct bw_admission_request *request, const char *body, size_t len, struct bw_arena *arena)
{
    struct bw_cursor cursor = {.at = body, .end = body + len, .arena = arena};
    struct bw_cursor_level level = {0};
    struct bw_str key;
    bw_cursor_blanks(&cursor);
    bool request_found = false;
    if (!bw_cursor_enter(&cursor, '{')) {
        return false;
    }
    while (!request_found && bw_cursor_member(&cursor, &level, &key)) {
        if (BW_IS(key, "apiVersion")) {
            (void)bw_cursor_text(&cursor, &request->api_version);
        } else if (BW_IS(key, "request") && bw_cursor_enter(&cursor, '{')) {
            request_found = true;
            read_request(&cursor, request);
        } else {
            (void)bw_cursor_skip(&cursor);
        }
    }
    return !cursor.lost && request->uid != NULL && request->uid[0] != '\0' && request->api_version != NULL &&
           bw_admission_version_known(request->api_version);
}

void bw_bundle_review_skip(struct bw_admit_result *out, const char *body, size_t len, const char *why,
                           struct bw_arena *arena)
{
    static const char text[] = "not checked\n";
    struct bw_admission_request request = {.resource = "configmaps", .kind = "ConfigMap"};
    if (read_head(&request, body, len, arena)) {
        admit_unchecked(out, &request, why, arena);
        return;
    }
    *out = (struct bw_admit_result){.http_status = 503,
                                    .body = text,
                                    .len = sizeof(text) - 1,
                                    .decision = "error",
                                    .reason = "not_checked",
                                    .detail = why};
}
