/* A document becomes a bundle: JSON or YAML, format 1_0 or the Enterprise document of version 2. Every fault is found,
 * not only the first one (policy specification 1; leniencies are those of its 1.5). */
#include "evaluator/bundle_internal.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

static const struct bw_format format_1_0 = {.policies = "policies",
                                            .whitelists = "whitelists",
                                            .whitelisted_images = "whitelisted_images",
                                            .blacklisted_images = "blacklisted_images",
                                            .policy_id = "policy_id",
                                            .policy_ids = "policy_ids",
                                            .whitelist_ids = "whitelist_ids"};
static const struct bw_format format_2 = {.policies = "rule_sets",
                                          .whitelists = "allowlists",
                                          .whitelisted_images = "allowlisted_images",
                                          .blacklisted_images = "denylisted_images",
                                          .policy_id = "rule_set_id",
                                          .policy_ids = "rule_set_ids",
                                          .whitelist_ids = "allowlist_ids",
                                          .enterprise = true};

/* ---- helpers of all parts ---- */

const char *bw_load_copy(struct bw_loader *loader, const char *text, size_t len)
{
    const char *copy = bw_arena_strndup(&loader->bundle->arena, text, len);
    loader->spent = loader->spent || copy == NULL;
    return copy != NULL ? copy : "";
}

const char *bw_load_text(struct bw_loader *loader, const json_t *node)
{
    return json_is_string(node) ? bw_load_copy(loader, json_string_value(node), json_string_length(node)) : NULL;
}

const char *bw_load_id(struct bw_loader *loader, const json_t *node)
{
    if (node == NULL || json_is_null(node)) {
        return NULL;
    }
    if (json_is_string(node)) {
        return bw_load_text(loader, node);
    }
    if (json_is_boolean(node)) {
        return json_is_true(node) ? "True" : "False";
    }
    char *dumped = json_dumps(node, JSON_ENCODE_ANY);
    const char *copy = dumped == NULL ? "" : bw_load_copy(loader, dumped, strlen(dumped));
    free(dumped);
    return copy;
}

void bw_load_lenient(struct bw_loader *loader, const struct bw_trail *at, const char *key, const char *what)
{
    bw_rows_set(loader->bundle->deviations, BW_ROW_LENIENT);
    (void)bw_load_warning(loader, "leniency", at, "\"%s\" is missing; taken as %s", key, what);
}

int bw_load_list(struct bw_loader *loader, const json_t **out, const json_t *object, const char *key,
                 const struct bw_trail *at)
{
    const json_t *node = json_object_get(object, key);
    struct bw_trail here = {.up = at, .key = key};
    *out = NULL;
    if (node == NULL) {
        return 0;
    }
    if (json_is_array(node)) {
        *out = node;
        return 1;
    }
    bool empty = (json_is_object(node) && json_object_size(node) == 0) ||
                 (json_is_string(node) && json_string_length(node) == 0);
    if (!empty) {
        (void)bw_load_fault(loader, "malformed", &here, "a list is expected, not %s", bw_json_type_name(node));
        return -1;
    }
    (void)bw_load_warning(loader, "leniency", &here, "a list is expected; the empty %s counts as an empty list",
                          json_is_object(node) ? "object" : "text");
    return 1;
}

void bw_load_unknown_members(struct bw_loader *loader, const json_t *object, const struct bw_trail *at,
                             const char *const *known, size_t n_known)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < n_known && !found; i++) {
            found = strcmp(known[i], key) == 0;
        }
        if (!found) {
            struct bw_trail here = {.up = at, .key = key};
            struct bw_problem *problem =
                bw_load_warning(loader, "unknown_field", &here, "nothing is known under this name, it has no effect");
            if (problem != &loader->nothing) { /* looking for the nearest word is dear, and few are listed */
                problem->suggestion = bw_suggest(key, known, n_known);
            }
        }
    }
}

static bool is_version_2(const json_t *node)
{
    static const char *const words[] = {"2", "v2", "2_0"};
    if (json_is_integer(node)) {
        return json_integer_value(node) == 2;
    }
    for (size_t i = 0; json_is_string(node) && i < BW_LENGTH(words); i++) {
        if (bw_str_is_nocase(bw_str_from(json_string_value(node)), words[i])) {
            return true;
        }
    }
    return false;
}

bool bw_load_version(struct bw_loader *loader, const json_t *object, const struct bw_trail *at)
{
    const json_t *version = json_object_get(object, "version");
    bool known = json_is_string(version) && strcmp(json_string_value(version), "1_0") == 0;
    if (known || (loader->format->enterprise && (version == NULL || is_version_2(version)))) {
        return true;
    }
    struct bw_trail here = {.up = at, .key = "version"};
    if (version == NULL) {
        (void)bw_load_fault(loader, "unsupported_version", at, "\"version\" is missing; \"1_0\" is expected");
    } else if (json_is_string(version)) {
        (void)bw_load_fault(loader, "unsupported_version", &here, "version \"%.40s\" is not known; \"1_0\" is expected",
                            json_string_value(version));
    } else {
        (void)bw_load_fault(loader, "unsupported_version", &here, "the text \"1_0\" is expected, not %s",
                            bw_json_type_name(version));
    }
    return false;
}

void bw_load_regex(struct bw_loader *loader, struct bw_regex **out, struct bw_str pattern, unsigned flags,
                   const struct bw_trail *at)
{
    struct bw_bundle *bundle = loader->bundle;
    void *array = bundle->regexes;
    struct bw_error err = {0};
    struct bw_regex *regex = NULL;
    if (bw_arena_grow(&bundle->arena, &array, bundle->n_regexes, &bundle->regexes_capacity, sizeof(struct bw_regex *),
                      &err) != 0) {
        loader->spent = true;
        return;
    }
    bundle->regexes = array;
    if (bw_regex_compile(&regex, pattern.base, pattern.len, flags, &err) != 0) {
        bw_load_fault(loader, "invalid_regex", at, "%s", err.message)->row = BW_ROW_REGEX_AT_LOAD;
        return;
    }
    bundle->regexes[bundle->n_regexes++] = regex;
    *out = regex;
}

/* ---- what triggers may ask for ---- */

struct bw_arena *bw_loader_arena(struct bw_loader *loader)
{
    return &loader->bundle->arena;
}

/* Where the value of a parameter stands: `middle` and `end` are the caller's. */
static const struct bw_trail *param_trail(const struct bw_loader *loader, unsigned param, struct bw_trail steps[3])
{
    if (loader->param_places[param] == 0) {
        return loader->rule_at;
    }
    steps[0] = (struct bw_trail){.up = loader->rule_at, .key = "params"};
    steps[1] = (struct bw_trail){.up = &steps[0], .index = loader->param_places[param] - 1};
    steps[2] = (struct bw_trail){.up = &steps[1], .key = "value"};
    return &steps[2];
}

int bw_loader_regex(struct bw_loader *loader, struct bw_value *value, unsigned param, struct bw_error *err)
{
    struct bw_trail steps[3];
    (void)err;
    if (value->present && value->text != NULL) {
        bw_load_regex(loader, &value->pattern, bw_str_from(value->text), BW_REGEX_ANCHORED,
                      param_trail(loader, param, steps));
    }
    return 0;
}

int bw_loader_pattern(struct bw_regex **out, struct bw_loader *loader, const char *pattern, unsigned flags,
                      struct bw_error *err)
{
    (void)err;
    bw_load_regex(loader, out, bw_str_from(pattern), flags, loader->rule_at);
    return 0;
}

int bw_loader_fault(struct bw_loader *loader, unsigned param, unsigned row, const char *fmt, ...)
{
    struct bw_trail steps[3];
    char message[BW_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    struct bw_problem *problem = bw_load_fault(loader, "parameter_value_invalid", param_trail(loader, param, steps),
                                               "%s: %s", loader->row->params[param].name, message);
    problem->param = loader->row->params[param].name;
    problem->row = row;
    return -1;
}

int bw_loader_warn(struct bw_loader *loader, unsigned param, const char *kind, const char *fmt, ...)
{
    struct bw_trail steps[3];
    char message[BW_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    bw_load_warning(loader, kind, param_trail(loader, param, steps), "%s: %s", loader->row->params[param].name, message)
        ->param = loader->row->params[param].name;
    return 0;
}

void bw_loader_missing(struct bw_loader *loader, unsigned param)
{
    const struct bw_param *row = &loader->row->params[param];
    bw_load_fault(loader, "required_parameter_missing", loader->rule_at, "the parameter %s is missing: %s", row->name,
                  row->doc)
        ->param = row->name;
}

void bw_loader_deviates(struct bw_loader *loader, enum bw_row row)
{
    bw_rows_set(loader->bundle->deviations, row);
}

bool bw_loader_default_patterns(const struct bw_loader *loader)
{
    return loader->options->default_patterns;
}

void bw_loader_need_digests(struct bw_loader *loader)
{
    loader->bundle->needs.file_digests = true;
}

void bw_loader_need_previous(struct bw_loader *loader)
{
    loader->bundle->needs.previous = true;
}

int bw_loader_need_file(struct bw_loader *loader, const char *path, struct bw_error *err)
{
    void *array = loader->needed_files;
    if (bw_arena_grow(&loader->bundle->arena, &array, loader->n_needed_files, &loader->needed_files_capacity,
                      sizeof(*loader->needed_files), err) != 0) {
        return -1;
    }
    loader->needed_files = array;
    loader->needed_files[loader->n_needed_files++] = path;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted and unique, as needs are. */
static void settle_needs(struct bw_loader *loader)
{
    size_t n_kept = 0;
    if (loader->n_needed_files > 0) {
        qsort(loader->needed_files, loader->n_needed_files, sizeof(*loader->needed_files), by_text);
    }
    for (size_t i = 0; i < loader->n_needed_files; i++) {
        if (n_kept == 0 || strcmp(loader->needed_files[n_kept - 1], loader->needed_files[i]) != 0) {
            loader->needed_files[n_kept++] = loader->needed_files[i];
        }
    }
    loader->bundle->needs.retrieved_paths = loader->needed_files;
    loader->bundle->needs.n_retrieved_paths = n_kept;
}

/* ---- the document ---- */

/* What the parsers say begins with the place. */
static void take_position(struct bw_problem *problem, const struct bw_error *err)
{
    unsigned line = 0;
    unsigned column = 0;
    if (sscanf(err->message, "line %u column %u", &line, &column) == 2) {
        problem->line = line;
        problem->column = column;
    }
}

static void report_syntax(struct bw_loader *loader, const struct bw_error *err)
{
    take_position(bw_load_fault(loader, err->code == BW_ELIMIT ? "limit" : "syntax", NULL, "%s", err->message), err);
}

/* In JSON the last of two keys counts, as it did for the engine; in YAML a second one is a fault. */
static int parse_document(json_t **out, struct bw_loader *loader, const char *text, size_t len, struct bw_error *err)
{
    struct bw_str trimmed = bw_str_trim((struct bw_str){text, len});
    if (trimmed.len == 0 || (trimmed.base[0] != '{' && trimmed.base[0] != '[')) {
        return bw_yaml_parse(out, text, len, BW_MAX_BUNDLE_BYTES, err);
    }
    if (bw_json_exceeds(text, len, BW_MAX_BUNDLE_VALUES)) {
        return bw_error_set(err, BW_ELIMIT, "the JSON text holds more than %d values", BW_MAX_BUNDLE_VALUES);
    }
    struct bw_error twice = {0};
    if (bw_json_parse_unique(out, text, len, BW_MAX_BUNDLE_BYTES, &twice) == 0) {
        return 0;
    }
    if (bw_json_parse(out, text, len, BW_MAX_BUNDLE_BYTES, err) != 0) {
        return -1;
    }
    take_position(bw_load_warning(loader, "duplicate_key", NULL, "%s; the last one counts", twice.message), &twice);
    return 0;
}

/* No fact holds a NUL character, so no text with one is ever equal to anything: U+FFFD in its place says the same to
 * code that knows only C strings. */
static void replace_nul(struct bw_loader *loader, json_t *text, const struct bw_trail *at)
{
    size_t len = json_string_length(text);
    struct bw_buf replaced;
    bw_buf_init(&replaced, 3 * len + 1);
    for (const char *c = json_string_value(text), *end = c + len; c < end; c++) {
        bw_buf_append(&replaced, *c == '\0' ? "\xef\xbf\xbd" : c, *c == '\0' ? 3 : 1);
    }
    if (json_string_setn(text, replaced.data, replaced.len) != 0) {
        loader->spent = true;
    }
    bw_buf_clear(&replaced);
    (void)bw_load_warning(loader, "never_matches", at, "this text holds a NUL character: it is equal to nothing");
}

static void look_for_nul(struct bw_loader *loader, json_t *node, const struct bw_trail *at)
{
    const char *key;
    json_t *member;
    size_t index;
    if (json_is_string(node) && memchr(json_string_value(node), '\0', json_string_length(node)) != NULL) {
        replace_nul(loader, node, at);
    }
    json_array_foreach(node, index, member)
    {
        struct bw_trail here = {.up = at, .index = index};
        look_for_nul(loader, member, &here);
    }
    json_object_foreach(node, key, member)
    {
        struct bw_trail here = {.up = at, .key = key};
        look_for_nul(loader, member, &here);
    }
}

static void load_members(struct bw_loader *loader, const json_t *root)
{
    static const char *const known[] = {"id",
                                        "version",
                                        "name",
                                        "comment",
                                        "description",
                                        "policies",
                                        "whitelists",
                                        "mappings",
                                        "whitelisted_images",
                                        "blacklisted_images",
                                        "rule_sets",
                                        "allowlists",
                                        "allowlisted_images",
                                        "denylisted_images",
                                        "source_mappings",
                                        "sbom_mappings",
                                        "last_updated",
                                        "created_at"};
    struct bw_bundle *bundle = loader->bundle;
    const json_t *version = json_object_get(root, "version");
    loader->format = is_version_2(version) && json_object_get(root, "rule_sets") != NULL ? &format_2 : &format_1_0;
    if (!bw_load_version(loader, root, NULL)) {
        return; /* nothing can be said of a document of another kind */
    }
    bw_load_unknown_members(loader, root, NULL, known, BW_LENGTH(known));
    const char *id = bw_load_id(loader, json_object_get(root, "id"));
    if (id == NULL || id[0] == '\0') {
        id = bw_load_copy(loader, loader->options->name, strlen(loader->options->name));
        (void)bw_load_warning(loader, "leniency", NULL, "\"id\" is missing; taken as \"%s\"", id);
    }
    bundle->id = id;
    const char *name = bw_load_text(loader, json_object_get(root, "name"));
    bundle->name = name != NULL ? name : id;
    bw_load_policies(loader, root);
    bw_load_whitelists(loader, root);
    bw_load_mappings(loader, root);
    bw_load_image_lists(loader, root);
    settle_needs(loader);
}

/* The first fault, for the summary. */
static const char *first_fault(const struct bw_problems *problems)
{
    for (size_t i = 0; i < problems->n_items; i++) {
        if (problems->items[i].severity == BW_PROBLEM_ERROR) {
            return problems->items[i].message;
        }
    }
    return "none could be written down";
}

static const char *first_path(const struct bw_problems *problems)
{
    for (size_t i = 0; i < problems->n_items; i++) {
        if (problems->items[i].severity == BW_PROBLEM_ERROR) {
            return problems->items[i].path;
        }
    }
    return "";
}

int bw_bundle_load(struct bw_bundle **out, struct bw_problems *problems, const char *text, size_t len,
                   const struct bw_bundle_options *options, struct bw_error *err)
{
    struct bw_bundle_options named = {.name = "bundle"};
    if (options != NULL) {
        named = *options;
        named.name = options->name != NULL ? options->name : named.name;
    }
    struct bw_loader loader = {.problems = problems, .options = &named, .format = &format_1_0};
    loader.bundle = bw_bundle_create(text, len);
    json_t *root = NULL;
    struct bw_error fault = {0};
    if (parse_document(&root, &loader, text, len, &fault) != 0) {
        report_syntax(&loader, &fault);
    } else if (!json_is_object(root)) {
        (void)bw_load_fault(&loader, "malformed", NULL, "a bundle is an object, not %s", bw_json_type_name(root));
    } else {
        look_for_nul(&loader, root, NULL);
        load_members(&loader, root);
    }
    json_decref(root);
    if (!loader.spent && !loader.refused) {
        *out = loader.bundle;
        return 0;
    }
    bw_bundle_release(loader.bundle);
    if (loader.spent) {
        (void)bw_arena_spent(err);
        return bw_error_wrap(err, "bundle %s", named.name);
    }
    const char *path = first_path(problems);
    return bw_error_detail(err, BW_EINPUT, "invalid_bundle", "bundle %s: %zu error%s, first: %s%s%s", named.name,
                           problems->n_errors, problems->n_errors == 1 ? "" : "s", path, path[0] != '\0' ? ": " : "",
                           first_fault(problems));
}
