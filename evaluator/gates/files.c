/* Gate `files`: paths, modes and digests of everything in the image's file system, and what content search found. */
#include "evaluator/gate.h"
#include "evaluator/literal.h"

#include <string.h>

/* ---- content_regex_match ---- */
enum { REGEX_NAME };
static const struct bw_param content_params[] = {
    [REGEX_NAME] = {.name = "regex_name",
                    .kind = BW_PARAM_STRING,
                    .example = "passwords",
                    .doc = "Name of a configured content pattern, or the pattern itself; all of them when absent."},
};

static int content_regex_match(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const char *name = values[REGEX_NAME].present ? values[REGEX_NAME].text : "";
    for (size_t i = 0; i < scope->report->n_contents; i++) {
        const struct bw_pattern_hit *hit = &scope->report->contents[i];
        const char *equals = strchr(hit->pattern, '=');
        struct bw_str hit_name = {hit->pattern, equals == NULL ? 0 : (size_t)(equals - hit->pattern)};
        const char *regex = equals == NULL ? hit->pattern : equals + 1;
        bool selected = name[0] == '\0' || (equals != NULL && bw_str_is(hit_name, name)) || strcmp(regex, name) == 0;
        if (selected && bw_fire(scope, BW_ID_FILES_CONTENT, "file {0} holds a line that matches \"{1}\"", err,
                                hit->path, hit->pattern) != 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- name_match ---- */
enum { NAME_REGEX };
static const struct bw_param name_params[] = {
    [NAME_REGEX] = {.name = "regex",
                    .kind = BW_PARAM_REGEX,
                    .required = true,
                    .example = ".*\\.pem",
                    .doc = "Regular expression for whole paths, matched at their start."},
};

static int name_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    if (bw_loader_regex(loader, &values[NAME_REGEX], NAME_REGEX, err) != 0) {
        return -1;
    }
    bw_loader_check_path_regex(loader, NAME_REGEX, values[NAME_REGEX].text);
    return bw_literal_of_regex(&values[NAME_REGEX].literal, values[NAME_REGEX].text, bw_loader_arena(loader), err);
}

/* The first file at or behind `from` whose path contains the literal; the paths of a report lie side by side. */
static size_t next_with_literal(const struct bw_report *report, size_t from, struct bw_str literal)
{
    const struct bw_report_file *files = report->files;
    const char *end = files[report->n_files - 1].path + strlen(files[report->n_files - 1].path);
    const char *found = bw_literal_find(literal, files[from].path, (size_t)(end - files[from].path));
    if (found == NULL) {
        return report->n_files;
    }
    size_t high = report->n_files; /* the last file whose path begins at or before what was found */
    while (high - from > 1) {
        size_t middle = from + (high - from) / 2;
        if (files[middle].path <= found) {
            from = middle;
        } else {
            high = middle;
        }
    }
    return from;
}

static int name_match(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_report *report = scope->report;
    struct bw_str literal = values[NAME_REGEX].literal;
    for (size_t i = 0; i < report->n_files; i++) {
        if (literal.len > 0 && (i = next_with_literal(report, i, literal)) == report->n_files) {
            break;
        }
        const char *path = report->files[i].path;
        int matched = bw_regex_match(values[NAME_REGEX].pattern, path, strlen(path), err);
        if (matched < 0 || (matched == 1 && bw_fire(scope, BW_ID_FILES_NAME, "the image has {0}, which matches \"{1}\"",
                                                    err, path, values[NAME_REGEX].text) != 0)) {
            return -1;
        }
    }
    return 0;
}

/* ---- attribute_match ---- */
static const char *const algorithms[] = {"sha256", NULL};
static const char *const comparisons[] = {"equals", "not_equals", NULL};
enum { EQUALS, NOT_EQUALS };
enum { FILENAME, ALGORITHM, CHECKSUM, CHECKSUM_MATCH, MODE, MODE_OP, SKIP_MISSING };
static const struct bw_param attribute_params[] = {
    [FILENAME] = {.name = "filename",
                  .kind = BW_PARAM_STRING,
                  .required = true,
                  .example = "/etc/passwd",
                  .doc = "Path of one file."},
    [ALGORITHM] = {.name = "checksum_algorithm",
                   .kind = BW_PARAM_ENUM,
                   .choices = algorithms,
                   .default_text = "sha256",
                   .example = "sha256",
                   .doc = "Digest that checksum is written in."},
    [CHECKSUM] = {.name = "checksum",
                  .kind = BW_PARAM_STRING,
                  .example = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                  .doc = "Digest to compare with, lower-case hex."},
    [CHECKSUM_MATCH] = {.name = "checksum_match",
                        .kind = BW_PARAM_ENUM,
                        .choices = comparisons,
                        .default_text = "equals",
                        .example = "not_equals",
                        .doc = "Whether an equal or a different digest fires."},
    [MODE] = {.name = "mode",
              .kind = BW_PARAM_OCTAL,
              .example = "0644",
              .doc = "Permission bits with setuid, setgid and sticky, octal."},
    [MODE_OP] = {.name = "mode_op",
                 .kind = BW_PARAM_ENUM,
                 .choices = comparisons,
                 .default_text = "equals",
                 .example = "not_equals",
                 .doc = "Whether equal or different bits fire."},
    [SKIP_MISSING] = {.name = "skip_missing",
                      .kind = BW_PARAM_BOOL,
                      .default_text = "true",
                      .example = "false",
                      .doc = "Stay silent when there is no such file; else its absence fires."},
};

static int attribute_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    (void)err;
    (void)bw_loader_check_path(loader, FILENAME, values[FILENAME].text);
    if (values[MODE].fault != NULL) {
        return bw_loader_warn(loader, MODE, "never_evaluated", "%s; this rule stops every image that has the file",
                              values[MODE].fault);
    }
    return 0;
}

static unsigned choice_or(const struct bw_value *value, unsigned absent)
{
    return value->present ? value->as.choice : absent;
}

struct described { /* one check that a file passes: as the id text has it, and for people */
    const char *id_text, *words;
};

static const char *fill(struct bw_scope *scope, enum bw_id_text id, const char *found, const char *op,
                        const char *wanted)
{
    const char *const arguments[] = {found, op, wanted};
    bw_buf_reset(&scope->text);
    bw_template_fill(&scope->text, bw_id_text(id), arguments);
    return scope->text.full ? NULL : bw_scope_text(scope, (struct bw_str){scope->text.data, scope->text.len});
}

/* 1: passed. */
static int check_sum(struct described *out, struct bw_scope *scope, const struct bw_value *values, const char *sum)
{
    unsigned op = choice_or(&values[CHECKSUM_MATCH], EQUALS);
    if ((strcmp(sum, values[CHECKSUM].text) == 0) != (op == EQUALS)) {
        return 0;
    }
    out->id_text = fill(scope, BW_ID_FILES_CHECKSUM, sum, comparisons[op], values[CHECKSUM].text);
    out->words = bw_arena_printf(scope->arena, "sha256 %s", sum);
    return 1;
}

static int check_mode(struct described *out, struct bw_scope *scope, const struct bw_value *values, int64_t mode,
                      struct bw_error *err)
{
    int64_t wanted = values[MODE].as.integer;
    unsigned op = choice_or(&values[MODE_OP], EQUALS);
    if (bw_value_check(&values[MODE], err) != 0) {
        return -1;
    }
    if ((mode == wanted) != (op == EQUALS)) {
        return 0;
    }
    const char *found_text = bw_arena_printf(scope->arena, "0o%llo", (unsigned long long)mode);
    const char *wanted_text = bw_arena_printf(scope->arena, "%s0o%llo", wanted < 0 ? "-" : "",
                                              (unsigned long long)(wanted < 0 ? -wanted : wanted));
    *out = (struct described){NULL, NULL};
    if (found_text != NULL && wanted_text != NULL) {
        out->id_text = fill(scope, BW_ID_FILES_MODE, found_text, comparisons[op], wanted_text);
        out->words = bw_arena_printf(scope->arena, "mode %04llo", (unsigned long long)mode);
    }
    return 1;
}

/* The two checks of a file that is there; both must pass. */
static int judge_file(struct bw_scope *scope, const struct bw_value *values, const struct bw_report_file *file,
                      struct bw_error *err)
{
    bool checks_sum = values[CHECKSUM].present && values[CHECKSUM].text[0] != '\0';
    bool checks_mode = values[MODE].present && values[MODE].text[0] != '\0';
    struct described sum = {"", ""};
    struct described mode = {"", ""};
    int passed = checks_sum || checks_mode;
    if (checks_sum) {
        passed = check_sum(&sum, scope, values, file->sha256 != NULL ? file->sha256 : "DIRECTORY_OR_OTHER");
    }
    if (passed == 1 && checks_mode) {
        passed = check_mode(&mode, scope, values, file->mode & 07777, err);
    }
    if (passed != 1) {
        return passed;
    }
    if (sum.id_text == NULL || mode.id_text == NULL || sum.words == NULL || mode.words == NULL) {
        return bw_arena_spent(err);
    }
    return bw_fire(scope, BW_ID_FILES_ATTRIBUTE, "file {0} has {3}{4}{5}", err, values[FILENAME].text, sum.id_text,
                   mode.id_text, sum.words, checks_sum && checks_mode ? " and " : "", mode.words);
}

static int attribute_match(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_report_file *file = bw_report_find_file(scope->report, values[FILENAME].text);
    if (file != NULL) {
        return judge_file(scope, values, file, err);
    }
    bool skips = !values[SKIP_MISSING].present || values[SKIP_MISSING].as.flag;
    return skips ? 0 : bw_fire(scope, BW_ID_FILES_MISSING, "the image has no {0}", err, values[FILENAME].text);
}

/* ---- suid_or_guid_set ---- */
static int suid_or_guid_set(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    for (size_t i = 0; i < scope->report->n_privileged_files; i++) {
        const struct bw_report_file *file = &scope->report->files[scope->report->privileged_files[i]];
        const char *mode = bw_arena_printf(scope->arena, "0o%o", file->mode);
        if (mode == NULL ||
            bw_fire(scope, BW_ID_FILES_SUID, "{0} runs as its owner or group whoever starts it (mode {1})", err,
                    file->path, mode) != 0) {
            return bw_arena_spent(err);
        }
    }
    return 0;
}

static const struct bw_trigger triggers[] = {
    {.name = "content_regex_match",
     .params = content_params,
     .n_params = BW_LENGTH(content_params),
     .doc = "Fires for each file and configured content pattern that matched in it. Without configured patterns it is "
            "silent.",
     .reads = {"content_search"},
     .evaluate = content_regex_match},
    {.name = "name_match",
     .params = name_params,
     .n_params = BW_LENGTH(name_params),
     .doc = "Fires for each path that the regular expression matches.",
     .reads = {"files"},
     .load = name_load,
     .evaluate = name_match},
    {.name = "attribute_match",
     .params = attribute_params,
     .n_params = BW_LENGTH(attribute_params),
     .doc = "Fires if one file has the given digest and mode (or other ones, as the rule says).",
     .reads = {"files"},
     .load = attribute_load,
     .evaluate = attribute_match},
    {.name = "suid_or_guid_set",
     .doc = "Fires for each file or directory with the setuid or setgid bit.",
     .reads = {"files"},
     .evaluate = suid_or_guid_set},
};

const struct bw_gate bw_gate_files = {
    .name = "files",
    .doc = "Everything in the image's file system.",
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
