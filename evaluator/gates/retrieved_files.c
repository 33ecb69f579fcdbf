/* Gate `retrieved_files`: contents of files that the analysis keeps: those that the loaded rules name. */
#include "evaluator/gate.h"

#include "evaluator/unicode.h"

#include <string.h>

static const char *const checks[] = {"match", "no_match", NULL};
enum { MATCH, NO_MATCH };

static const struct bw_retrieved_file *find_file(const struct bw_scope *scope, const char *path)
{
    for (size_t i = 0; i < scope->report->n_retrieved; i++) {
        if (strcmp(scope->report->retrieved[i].path, path) == 0) {
            return &scope->report->retrieved[i];
        }
    }
    return NULL;
}

/* What a rule names must be kept by the analysis. */
static int need_path(struct bw_loader *loader, const struct bw_value *values, unsigned param, struct bw_error *err)
{
    const char *path = values[param].text;
    return bw_loader_check_path(loader, param, path) ? bw_loader_need_file(loader, path, err) : 0;
}

/* ---- content_not_available ---- */
enum { PATH, REGEX, CHECK };
static const struct bw_param available_params[] = {
    [PATH] = {.name = "path",
              .kind = BW_PARAM_STRING,
              .required = true,
              .example = "/etc/httpd.conf",
              .doc = "Path of the file."},
};

static int available_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    return need_path(loader, values, PATH, err);
}

static int content_not_available(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    if (find_file(scope, values[PATH].text) != NULL) {
        return 0;
    }
    if (scope->report->n_retrieved == 0) { /* the engine fires twice */
        bw_rows_set(scope->deviations, BW_ROW_ONCE);
    }
    return bw_fire(scope, BW_ID_RETRIEVED_NONE, "the image has no file {0}", err, values[PATH].text);
}

/* ---- content_regex ---- */
static const struct bw_param regex_params[] = {
    [PATH] = {.name = "path",
              .kind = BW_PARAM_STRING,
              .required = true,
              .example = "/etc/httpd.conf",
              .doc = "Path of the file."},
    [REGEX] = {.name = "regex",
               .kind = BW_PARAM_REGEX,
               .required = true,
               .example = "SSLEnabled.*",
               .doc = "Regular expression, matched at the start of a line or of a word."},
    [CHECK] = {.name = "check",
               .kind = BW_PARAM_ENUM,
               .choices = checks,
               .required = true,
               .example = "no_match",
               .doc = "Whether a match fires or the absence of one."},
};

static int regex_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    return bw_loader_regex(loader, &values[REGEX], REGEX, err) != 0 ? -1 : need_path(loader, values, PATH, err);
}

static int search(struct bw_str content, const struct bw_regex *pattern,
                  bool (*next)(struct bw_str *out, struct bw_str *rest), struct bw_error *err)
{
    struct bw_str part;
    int matched = 0;
    while (matched == 0 && next(&part, &content)) {
        matched = bw_regex_match(pattern, part.base, part.len, err);
    }
    return matched;
}

static int content_regex(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_retrieved_file *file = find_file(scope, values[PATH].text);
    if (file == NULL) {
        return 0;
    }
    if (!bw_utf8_valid(file->content, file->len)) {
        return bw_error_set(err, BW_EINPUT, "%s is not UTF-8 text", values[PATH].text);
    }
    struct bw_str content = {file->content, file->len};
    int found = search(content, values[REGEX].pattern, bw_unicode_next_word, err);
    if (found == 0) {
        found = search(content, values[REGEX].pattern, bw_str_next_line, err);
        if (found == 1) {
            bw_rows_set(scope->deviations, BW_ROW_LINE_START);
        }
    }
    if (found < 0 || (found == 1) != (values[CHECK].as.choice == MATCH)) {
        return found < 0 ? -1 : 0;
    }
    const char *id = bw_arena_printf(scope->arena, "%s+file://%s", scope->rule_id != NULL ? scope->rule_id : "None",
                                     values[PATH].text);
    const char *const arguments[] = {values[REGEX].text, values[PATH].text};
    return bw_fire_as(scope, id, found == 1 ? "file {1} has a match of \"{0}\"" : "file {1} has no match of \"{0}\"",
                      arguments, err);
}

static const struct bw_trigger triggers[] = {
    {.name = "content_not_available",
     .params = available_params,
     .n_params = BW_LENGTH(available_params),
     .doc = "Fires if the image has no such file.",
     .reads = {"retrieved_files"},
     .load = available_load,
     .evaluate = content_not_available},
    {.name = "content_regex",
     .params = regex_params,
     .n_params = BW_LENGTH(regex_params),
     .doc = "Searches one file. Silent if the image does not have it, also for no_match.",
     .reads = {"retrieved_files"},
     .load = regex_load,
     .evaluate = content_regex},
};

const struct bw_gate bw_gate_retrieved_files = {
    .name = "retrieved_files",
    .doc = "Contents of single files.",
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
