/* Installed packages of one type beside a feed of published versions. Without a feed everything but the trigger that
 * says so is silent (row 38 of the differences: as the engine does). */
#include "evaluator/gates/feed.h"

#include "base/map.h"

#include <string.h>

enum { NAME, VERSION };
const struct bw_param bw_feed_params[BW_FEED_PARAMS] = {
    [NAME] =
        {.name = "name", .kind = BW_PARAM_STRING, .required = true, .example = "rake", .doc = "Name of the package."},
    [VERSION] = {.name = "version",
                 .kind = BW_PARAM_STRING,
                 .example = "12.0.0",
                 .doc = "Exact version; any one when absent."},
};

int bw_feed_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    (void)err;
    if (values[VERSION].present) {
        bw_loader_check_version(loader, VERSION, values[VERSION].text);
    }
    return 0;
}

/* seen: names with their versions but the first one, as many packages have no other. */
static int add_version(struct bw_installed *installed, struct bw_scope *scope, struct bw_map *seen, const char *version,
                       struct bw_error *err)
{
    if (installed->n_versions == 0) {
        installed->versions = &installed->first;
        installed->capacity = 1;
    } else {
        bw_buf_reset(&scope->text);
        bw_buf_append(&scope->text, installed->name, strlen(installed->name) + 1);
        bw_buf_puts(&scope->text, version);
        if (scope->text.full) {
            return bw_arena_spent(err);
        }
        if (strcmp(installed->first, version) == 0 ||
            bw_map_put(seen, scope->text.data, scope->text.len, installed) != NULL) {
            return 0;
        }
    }
    void *array = installed->versions;
    if (bw_arena_grow(scope->arena, &array, installed->n_versions, &installed->capacity, sizeof(*installed->versions),
                      err) != 0) {
        return -1;
    }
    installed->versions = array;
    installed->versions[installed->n_versions++] = version;
    return 0;
}

/* places: of each package of the report, its place among the installed plus one. */
static int collect_installed(struct bw_feed_state *state, uint32_t *places, struct bw_scope *scope, const char *type,
                             struct bw_map *seen, struct bw_error *err)
{
    const struct bw_report *report = scope->report;
    for (size_t i = 0; i < report->n_packages; i++) {
        const struct bw_package *package = &report->packages[i];
        if (strcmp(package->type, type) != 0) {
            continue;
        }
        uint32_t *place = &places[report->same_name[i]];
        if (*place == 0) {
            state->installed[state->n_installed++].name = package->name;
            *place = (uint32_t)state->n_installed;
        }
        const char *version = package->version != NULL ? package->version : "";
        if (add_version(&state->installed[*place - 1], scope, seen, version, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int collect(struct bw_feed_state *state, uint32_t *places, struct bw_scope *scope, const char *type,
                   struct bw_error *err)
{
    const struct bw_report *report = scope->report;
    struct bw_map *seen = bw_map_create();
    int result = collect_installed(state, places, scope, type, seen, err);
    bw_map_destroy(seen, NULL);
    if (result != 0) {
        return -1;
    }
    for (size_t i = 0; state->feed != NULL && i < state->feed->n_records; i++) {
        const struct bw_feed_package *record = &state->feed->records[i];
        const struct bw_package *package = bw_report_find_package(report, type, record->name);
        if (package != NULL) {
            state->installed[places[package - report->packages] - 1].record = record;
            state->any_known = true;
        }
    }
    return 0;
}

int bw_feed_prepare(void **out, struct bw_scope *scope, const char *type, const struct bw_package_feed *feed,
                    struct bw_error *err)
{
    struct bw_feed_state *state = bw_arena_alloc(scope->arena, sizeof(*state));
    size_t n_packages = scope->report->n_packages;
    uint32_t *places = bw_arena_array(scope->arena, n_packages, sizeof(*places));
    if (state == NULL || places == NULL ||
        (state->installed = bw_arena_array(scope->arena, n_packages, sizeof(*state->installed))) == NULL) {
        return bw_arena_spent(err);
    }
    state->feed = feed;
    *out = state;
    return collect(state, places, scope, type, err);
}

static void note_no_feed(struct bw_scope *scope, const struct bw_feed_state *state)
{
    if (state->feed == NULL && state->n_installed > 0) {
        scope->note = "there is no feed of published packages";
    }
}

int bw_feed_newer(struct bw_scope *scope, const struct bw_feed_texts *texts, struct bw_error *err)
{
    const struct bw_feed_state *state = scope->prepared;
    note_no_feed(scope, state);
    for (size_t i = 0; i < state->n_installed; i++) {
        const struct bw_installed *installed = &state->installed[i];
        for (size_t v = 0; installed->record != NULL && v < installed->n_versions; v++) {
            const char *latest = installed->record->latest != NULL ? installed->record->latest : "None";
            if (strcmp(installed->versions[v], latest) != 0 &&
                bw_fire(scope, texts->newer, "{3} {0} {1} is not the latest version, {2}", err, installed->name,
                        installed->versions[v], latest, texts->what) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

int bw_feed_unknown(struct bw_scope *scope, const struct bw_feed_texts *texts, struct bw_error *err)
{
    const struct bw_feed_state *state = scope->prepared;
    note_no_feed(scope, state);
    for (size_t i = 0; state->any_known && i < state->n_installed; i++) {
        if (state->installed[i].record == NULL && bw_fire(scope, texts->unknown, "{1} {0} is not in the feed", err,
                                                          state->installed[i].name, texts->what) != 0) {
            return -1;
        }
    }
    return 0;
}

static bool is_published(const struct bw_feed_package *record, const char *version)
{
    for (size_t i = 0; i < record->n_versions; i++) {
        if (strcmp(record->versions[i], version) == 0) {
            return true;
        }
    }
    return false;
}

int bw_feed_version(struct bw_scope *scope, const struct bw_feed_texts *texts, struct bw_error *err)
{
    const struct bw_feed_state *state = scope->prepared;
    note_no_feed(scope, state);
    for (size_t i = 0; i < state->n_installed; i++) {
        const struct bw_installed *installed = &state->installed[i];
        const char *known = NULL;
        for (size_t v = 0; installed->record != NULL && v < installed->n_versions; v++) {
            if (is_published(installed->record, installed->versions[v])) {
                continue;
            }
            known = known != NULL ? known
                                  : bw_python_list(scope, installed->record->versions, installed->record->n_versions);
            if (known == NULL || bw_fire(scope, texts->version, "{3} {0} {1} is a version that the feed does not have",
                                         err, installed->name, installed->versions[v], known, texts->what) != 0) {
                return bw_arena_spent(err);
            }
        }
    }
    return 0;
}

int bw_feed_blacklisted(struct bw_scope *scope, const struct bw_value *values, const struct bw_feed_texts *texts,
                        struct bw_error *err)
{
    const struct bw_feed_state *state = scope->prepared;
    const char *version = values[VERSION].present ? values[VERSION].text : NULL;
    for (size_t i = 0; i < state->n_installed; i++) {
        const struct bw_installed *installed = &state->installed[i];
        bool found = strcmp(installed->name, values[NAME].text) == 0 && version == NULL;
        for (size_t v = 0;
             version != NULL && strcmp(installed->name, values[NAME].text) == 0 && v < installed->n_versions; v++) {
            found = found || (version[0] != '\0' && strcmp(installed->versions[v], version) == 0);
        }
        if (!found) {
            continue;
        }
        const char *named =
            version == NULL ? installed->name : bw_arena_printf(scope->arena, "%s-%s", installed->name, version);
        return named == NULL ? bw_arena_spent(err)
                             : bw_fire(scope, texts->blacklisted, "{1} {0} is installed, which is refused", err, named,
                                       texts->what);
    }
    return 0;
}

int bw_feed_unavailable(struct bw_scope *scope, const struct bw_feed_texts *texts, struct bw_error *err)
{
    const struct bw_feed_state *state = scope->prepared;
    return state->feed != NULL && state->feed->synced
               ? 0
               : bw_fire(scope, texts->no_feed, "there is no feed to compare {0}s with", err, texts->what);
}

/* Python's repr() of a text: single quotes, or double ones if it holds single quotes and no double ones. */
static void append_repr(struct bw_buf *out, const char *text)
{
    char quote = strchr(text, '\'') != NULL && strchr(text, '"') == NULL ? '"' : '\'';
    bw_buf_append(out, &quote, 1);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == quote || *c == '\\') {
            bw_buf_append(out, "\\", 1);
            bw_buf_append(out, c, 1);
        } else if (*c == '\n' || *c == '\r' || *c == '\t') {
            bw_buf_puts(out, *c == '\n' ? "\\n" : *c == '\r' ? "\\r" : "\\t");
        } else if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            bw_buf_printf(out, "\\x%02x", (unsigned)*c);
        } else {
            bw_buf_append(out, c, 1);
        }
    }
    bw_buf_append(out, &quote, 1);
}

const char *bw_python_list(struct bw_scope *scope, const char *const *items, size_t n_items)
{
    struct bw_buf text;
    bw_buf_init(&text, scope->arena->budget);
    bw_buf_append(&text, "[", 1);
    for (size_t i = 0; i < n_items; i++) {
        bw_buf_puts(&text, i > 0 ? ", " : "");
        append_repr(&text, items[i]);
    }
    bw_buf_append(&text, "]", 1);
    const char *copy = bw_arena_strndup(scope->arena, text.data, text.len);
    bw_buf_clear(&text);
    return copy;
}
