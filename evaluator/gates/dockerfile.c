/* Gate `dockerfile`: instructions of the Dockerfile that came with the image or was guessed from its history. */
#include "evaluator/gates/dockerfile.h"

#include "base/limits.h"

#include "evaluator/unicode.h"

#include <string.h>

static const char *const instruction_words[] = {
    "ADD",        "ARG",     "COPY", "CMD", "ENTRYPOINT", "ENV",        "EXPOSE", "FROM",    "HEALTHCHECK", "LABEL",
    "MAINTAINER", "ONBUILD", "USER", "RUN", "SHELL",      "STOPSIGNAL", "VOLUME", "WORKDIR", NULL};
enum { EQUAL, UNEQUAL, EXISTS, NOT_EXISTS, LIKE, NOT_LIKE, IN, NOT_IN };
static const char *const checks[] = {"=", "!=", "exists", "not_exists", "like", "not_like", "in", "not_in", NULL};
static const char *const list_types[] = {"whitelist", "blacklist", NULL};
enum { WHITELIST, BLACKLIST };

/* ---- instruction ---- */
enum { INSTRUCTION, CHECK, VALUE, ACTUAL_ONLY };
static const struct bw_param instruction_params[] = {
    [INSTRUCTION] = {.name = "instruction",
                     .kind = BW_PARAM_ENUM,
                     .choices = instruction_words,
                     .required = true,
                     .example = "FROM",
                     .doc = "The instruction to look at."},
    [CHECK] = {.name = "check",
               .kind = BW_PARAM_ENUM,
               .choices = checks,
               .required = true,
               .example = "like",
               .doc = "How each of its lines is compared with value; not_exists fires when there is no line at all."},
    [VALUE] = {.name = "value",
               .kind = BW_PARAM_STRING,
               .example = ".*:latest",
               .doc =
                   "What the text behind the instruction is compared with: a text, a regular expression matched at the "
                   "start (like, not_like), or a list separated by commas (in, not_in)."},
    [ACTUAL_ONLY] = {.name = "actual_dockerfile_only",
                     .kind = BW_PARAM_BOOL,
                     .default_text = "false",
                     .example = "true",
                     .doc = "Stay silent unless the image came with its Dockerfile."},
};

static int instruction_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    unsigned check = values[CHECK].as.choice;
    if (!values[VALUE].present || !values[CHECK].present) {
        return 0;
    }
    if (check == LIKE || check == NOT_LIKE) {
        return bw_loader_regex(loader, &values[VALUE], VALUE, err);
    }
    if (check == IN || check == NOT_IN) {
        static const struct bw_param list = {.name = "value", .kind = BW_PARAM_LOOSE_LIST};
        struct bw_value items;
        if (bw_param_parse(&items, &list, values[VALUE].text, bw_loader_arena(loader), err) != 0) {
            return -1;
        }
        values[VALUE].as = items.as;
    }
    return 0;
}

/* 1: the check is true for this line. */
static int check_line(const struct bw_instruction *line, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_value *value = &values[VALUE];
    int matched;
    switch (values[CHECK].as.choice) {
    case EQUAL:
        return bw_str_is(line->rest, value->text);
    case UNEQUAL:
        return !bw_str_is(line->rest, value->text);
    case EXISTS:
        return 1;
    case LIKE:
        return bw_regex_match(value->pattern, line->rest.base, line->rest.len, err);
    case NOT_LIKE:
        matched = bw_regex_match(value->pattern, line->rest.base, line->rest.len, err);
        return matched < 0 ? -1 : !matched;
    case IN:
    case NOT_IN:
        for (size_t i = 0; i < value->as.list.n_items; i++) {
            if (bw_str_is(line->rest, value->as.list.items[i])) {
                return values[CHECK].as.choice == IN;
            }
        }
        return values[CHECK].as.choice == NOT_IN;
    default:
        return 0;
    }
}

/* Lines are NUL-terminated and only trimmed at their end by the time they are stored, so rest is a C string. */
static int fire_instruction(struct bw_scope *scope, const struct bw_value *values, const char *rest,
                            struct bw_error *err)
{
    static const char *const messages[] = {
        [EQUAL] = "Dockerfile has \"{0} {3}\"",
        [UNEQUAL] = "Dockerfile has \"{0} {3}\", not \"{2}\"",
        [EXISTS] = "Dockerfile has \"{0} {3}\"",
        [NOT_EXISTS] = "Dockerfile has no {0}",
        [LIKE] = "Dockerfile has \"{0} {3}\", which matches \"{2}\"",
        [NOT_LIKE] = "Dockerfile has \"{0} {3}\", which does not match \"{2}\"",
        [IN] = "Dockerfile has \"{0} {3}\", which is one of \"{2}\"",
        [NOT_IN] = "Dockerfile has \"{0} {3}\", which is none of \"{2}\"",
    };
    const char *value = values[VALUE].present ? values[VALUE].text : "";
    enum bw_id_text id =
        values[CHECK].as.choice == NOT_EXISTS ? BW_ID_DOCKERFILE_NO_INSTRUCTION : BW_ID_DOCKERFILE_INSTRUCTION;
    return bw_fire(scope, id, messages[values[CHECK].as.choice], err, values[INSTRUCTION].text, values[CHECK].text,
                   value, rest);
}

static int instruction(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_dockerfile *dockerfile = scope->prepared;
    unsigned check = values[CHECK].as.choice;
    if (!dockerfile->judged || dockerfile->n_instructions == 0) {
        return 0;
    }
    bool needs_value = check != EXISTS && check != NOT_EXISTS;
    if ((values[ACTUAL_ONLY].as.flag && !dockerfile->actual) || (needs_value && !values[VALUE].present)) {
        return 0;
    }
    const char *word = instruction_words[values[INSTRUCTION].as.choice];
    bw_dockerfile_note_joined(scope, dockerfile, word);
    bool any = false;
    for (size_t i = 0; i < dockerfile->n_instructions; i++) {
        const struct bw_instruction *line = &dockerfile->instructions[i];
        if (strcmp(line->word, word) != 0) {
            continue;
        }
        any = true;
        int fires = check_line(line, values, err);
        if (fires < 0 || (fires == 1 && fire_instruction(scope, values, line->rest.base, err) != 0)) {
            return -1;
        }
    }
    return check == NOT_EXISTS && !any ? fire_instruction(scope, values, "", err) : 0;
}

/* ---- effective_user ---- */
enum { USERS, USER_TYPE };
static const struct bw_param effective_user_params[] = {
    [USERS] = {.name = "users",
               .kind = BW_PARAM_LOOSE_LIST,
               .required = true,
               .example = "root,docker",
               .doc = "User names or ids. root also means the id 0 and any group."},
    [USER_TYPE] = {.name = "type",
                   .kind = BW_PARAM_ENUM,
                   .choices = list_types,
                   .required = true,
                   .example = "blacklist",
                   .doc = "Whether the listed users are the only ones allowed, or the ones refused."},
};

static int effective_user_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    return bw_loader_pattern(&values[USERS].pattern, loader, "\\s*USER\\s+\\[?([^\\]]+)\\]?\\s*", 0, err);
}

/* The user of the last USER line as the engine reads it: "root" without such a line, *out NULL when the line names
 * nobody. */
static int user_of_lines(const char **out, struct bw_scope *scope, const struct bw_dockerfile *dockerfile,
                         const struct bw_value *values, struct bw_error *err)
{
    const struct bw_instruction *last = NULL;
    for (size_t i = 0; i < dockerfile->n_instructions; i++) {
        last = strcmp(dockerfile->instructions[i].word, "USER") == 0 ? &dockerfile->instructions[i] : last;
    }
    *out = last == NULL ? "root" : NULL;
    if (last == NULL) {
        return 0;
    }
    size_t start = 0;
    size_t end = 0;
    int matched = bw_regex_group(values[USERS].pattern, last->line, strlen(last->line), 1, &start, &end, err);
    if (matched == 1) {
        *out = bw_scope_text(scope, (struct bw_str){last->line + start, end - start});
        return *out == NULL ? bw_arena_spent(err) : 0;
    }
    return matched;
}

/* User of the image configuration: "root" where it is empty. *out NULL: the analysis has no configuration. */
static int user_of_config(const char **out, struct bw_scope *scope, struct bw_error *err)
{
    *out = NULL;
    const char *config = scope->report->config;
    json_t *root = NULL;
    struct bw_error ignored = {0};
    if (config == NULL || bw_json_parse(&root, config, strlen(config), BW_MAX_CONFIG_BLOB_BYTES, &ignored) != 0) {
        return 0;
    }
    int result = 0;
    const json_t *inner = json_object_get(root, "config");
    const json_t *user = json_object_get(json_is_object(inner) ? inner : root, "User");
    if (json_is_object(root)) {
        const char *text = json_is_string(user) ? json_string_value(user) : "";
        *out = text[0] == '\0' ? "root" : bw_arena_strdup(scope->arena, text);
        result = *out == NULL ? bw_arena_spent(err) : 0;
    }
    json_decref(root);
    return result;
}

static bool is_root(const char *user)
{
    size_t len = strcspn(user, ":");
    return (len == 4 && strncmp(user, "root", 4) == 0) || (len > 0 && strspn(user, "0") == len);
}

static bool user_fires(const struct bw_value *values, const char *user, bool root_forms)
{
    bool listed =
        bw_value_lists(&values[USERS], user) || (root_forms && is_root(user) && bw_value_lists(&values[USERS], "root"));
    return listed == (values[USER_TYPE].as.choice == BLACKLIST);
}

static int effective_user(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_dockerfile *dockerfile = scope->prepared;
    if (!dockerfile->judged) {
        return 0;
    }
    const char *written = NULL;
    const char *configured = NULL;
    if ((dockerfile->n_instructions > 0 && user_of_lines(&written, scope, dockerfile, values, err) != 0) ||
        (!dockerfile->actual && user_of_config(&configured, scope, err) != 0)) {
        return -1;
    }
    bw_dockerfile_note_joined(scope, dockerfile, "USER");
    const char *user = configured != NULL ? configured : written;
    bool engine_fires = written != NULL && user_fires(values, written, false);
    bool fires = user != NULL && user_fires(values, user, true);
    if (fires != engine_fires || (fires && strcmp(user, written) != 0)) {
        bw_rows_set(scope->deviations, BW_ROW_ROOT);
    }
    if (!fires) {
        return 0;
    }
    if (values[USER_TYPE].as.choice == BLACKLIST) {
        return bw_fire(scope, BW_ID_DOCKERFILE_USER_REFUSED, "the image runs as user {0}, which is refused", err, user);
    }
    return bw_fire(scope, BW_ID_DOCKERFILE_USER_NOT_ALLOWED,
                   "the image runs as user {0}, which is not in the list of allowed users", err, user);
}

/* ---- no_dockerfile_provided ---- */
static int no_dockerfile_provided(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    const struct bw_dockerfile *dockerfile = scope->prepared;
    return dockerfile->actual
               ? 0
               : bw_fire(scope, BW_ID_DOCKERFILE_NOT_PROVIDED, "the image came without its Dockerfile", err, "");
}

static const struct bw_trigger triggers[] = {
    {.name = "instruction",
     .params = instruction_params,
     .n_params = BW_LENGTH(instruction_params),
     .doc = "Compares the lines of one instruction with a value; fires for each line for which the check is true. A "
            "Dockerfile guessed from the history begins with FROM scratch.",
     .reads = {"dockerfile"},
     .load = instruction_load,
     .evaluate = instruction},
    {.name = "effective_user",
     .params = effective_user_params,
     .n_params = BW_LENGTH(effective_user_params),
     .doc = "Compares the user that the image runs as with a list; without a user that is root.",
     .reads = {"dockerfile"},
     .load = effective_user_load,
     .evaluate = effective_user},
    {.name = "exposed_ports",
     .params = bw_exposed_ports_params,
     .n_params = BW_EXPOSED_PORTS_PARAMS,
     .doc = "Compares the ports that the image exposes with a list.",
     .reads = {"dockerfile"},
     .evaluate = bw_exposed_ports},
    {.name = "no_dockerfile_provided",
     .doc = "Fires if the image came without its Dockerfile, as every image from a registry does.",
     .evaluate = no_dockerfile_provided},
};

const struct bw_gate bw_gate_dockerfile = {
    .name = "dockerfile",
    .doc = "Instructions of the Dockerfile that came with the image or was guessed from its history.",
    .prepare = bw_dockerfile_prepare,
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
