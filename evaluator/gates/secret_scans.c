/* Gate `secret_scans`: files in which one of the configured secret patterns matched during the analysis. */
#include "evaluator/gate.h"

#include <stdio.h>
#include <string.h>

static const char *const match_types[] = {"found", "notfound", NULL};
enum { FOUND, NOT_FOUND };
enum { CONTENT_NAME, FILENAME_REGEX, MATCH_TYPE };
static const struct bw_param check_params[] = {
    [CONTENT_NAME] = {.name = "content_regex_name",
                      .kind = BW_PARAM_STRING,
                      .example = "AWS_ACCESS_KEY",
                      .doc = "Name of one configured pattern, or the pattern itself; all of them when absent."},
    [FILENAME_REGEX] = {.name = "filename_regex",
                        .kind = BW_PARAM_REGEX,
                        .example = "/etc/.*",
                        .doc = "Regular expression for paths, matched at their start; all files when absent."},
    [MATCH_TYPE] = {.name = "match_type",
                    .kind = BW_PARAM_ENUM,
                    .choices = match_types,
                    .default_text = "found",
                    .example = "notfound",
                    .doc = "Fire for each find, or once if there is none."},
};

/* The name of a pattern, its expression, or both. */
static bool is_called(const char *pattern, const char *wanted)
{
    const char *equals = strchr(pattern, '=');
    struct bw_str name = {pattern, equals == NULL ? 0 : (size_t)(equals - pattern)};
    const char *regex = equals == NULL ? pattern : equals + 1;
    return (equals != NULL && bw_str_is(name, wanted)) || strcmp(regex, wanted) == 0 || strcmp(pattern, wanted) == 0;
}

/* With the default patterns it is known which names there are. */
static void check_name(struct bw_loader *loader, const char *name)
{
    char names[256] = "";
    size_t len = 0;
    for (size_t i = 0; bw_default_secret_patterns[i] != NULL && len < sizeof(names); i++) {
        const char *pattern = bw_default_secret_patterns[i];
        if (is_called(pattern, name)) {
            return;
        }
        int n = snprintf(names + len, sizeof(names) - len, "%s%.*s", i == 0 ? "" : ", ", (int)strcspn(pattern, "="),
                         pattern);
        len += n > 0 ? (size_t)n : 0;
    }
    (void)bw_loader_warn(loader, CONTENT_NAME, "never_matches", "no secret pattern is called \"%.80s\"; there are %s",
                         name, names);
}

static int checks_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    if (values[CONTENT_NAME].present && values[CONTENT_NAME].text[0] != '\0' && bw_loader_default_patterns(loader)) {
        check_name(loader, values[CONTENT_NAME].text);
    }
    bool has_pattern = values[FILENAME_REGEX].present && values[FILENAME_REGEX].text[0] != '\0';
    if (!has_pattern) {
        return 0;
    }
    bw_loader_check_path_regex(loader, FILENAME_REGEX, values[FILENAME_REGEX].text);
    return bw_loader_regex(loader, &values[FILENAME_REGEX], FILENAME_REGEX, err);
}

/* The exact name; the engine asks whether name or expression occur in the parameter (row 22). */
static bool is_selected(struct bw_scope *scope, const struct bw_pattern_hit *hit, const char *wanted)
{
    if (wanted[0] == '\0') {
        return true;
    }
    const char *equals = strchr(hit->pattern, '=');
    size_t name_len = equals == NULL ? 0 : (size_t)(equals - hit->pattern);
    bool exact = is_called(hit->pattern, wanted);
    bool engine = strstr(wanted, equals == NULL ? hit->pattern : equals + 1) != NULL ||
                  (equals != NULL && memmem(wanted, strlen(wanted), hit->pattern, name_len) != NULL);
    if (exact != engine) {
        bw_rows_set(scope->deviations, BW_ROW_SECRET_NAME);
    }
    return exact;
}

static int content_regex_checks(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const char *name = values[CONTENT_NAME].present ? values[CONTENT_NAME].text : "";
    const struct bw_regex *paths = values[FILENAME_REGEX].pattern;
    bool wants_none = values[MATCH_TYPE].present && values[MATCH_TYPE].as.choice == NOT_FOUND;
    bool found = false;
    for (size_t i = 0; i < scope->report->n_secrets; i++) {
        const struct bw_pattern_hit *hit = &scope->report->secrets[i];
        int in_path = paths == NULL ? 1 : bw_regex_match(paths, hit->path, strlen(hit->path), err);
        if (in_path < 0) {
            return -1;
        }
        if (in_path == 0 || !is_selected(scope, hit, name)) {
            continue;
        }
        found = true;
        const char *short_name = bw_scope_text(scope, (struct bw_str){hit->pattern, strcspn(hit->pattern, "=")});
        if (short_name == NULL) {
            return bw_arena_spent(err);
        }
        if (!wants_none && bw_fire(scope, BW_ID_SECRETS_FOUND, "file {0} holds what looks like a secret ({2})", err,
                                   hit->path, hit->pattern, short_name) != 0) {
            return -1;
        }
    }
    if (!wants_none || found) {
        return 0;
    }
    return bw_fire(scope, BW_ID_SECRETS_NOT_FOUND, "no file ({0}) holds a match of the secret pattern ({1})", err,
                   values[FILENAME_REGEX].present && paths != NULL ? values[FILENAME_REGEX].text : "*",
                   name[0] != '\0' ? name : "all");
}

static const struct bw_trigger triggers[] = {
    {.name = "content_regex_checks",
     .params = check_params,
     .n_params = BW_LENGTH(check_params),
     .doc = "Fires for each file and configured secret pattern that matched in it (files up to the configured size).",
     .reads = {"secrets"},
     .load = checks_load,
     .evaluate = content_regex_checks},
};

const struct bw_gate bw_gate_secret_scans = {
    .name = "secret_scans",
    .doc = "What looks like a secret in the image's files.",
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
