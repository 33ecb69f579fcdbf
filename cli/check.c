/* breakwater check: every fault of bundles and configuration files, with place and suggestion. */
#include "base/limits.h"
#include "base/watch_dir.h"
#include "base/yaml.h"
#include "cli/settings.h"

#include <stdlib.h>
#include <string.h>

static const char *const outputs[] = {"text", "json", NULL};

/* Told by the members at the top: one that is a bundle's, or looks like it. No settings' name does. A file without
 * members, or that cannot be parsed, counts as a bundle. */
static bool is_bundle(const char *text, size_t len)
{
    static const char *const members[] = {"id",
                                          "version",
                                          "name",
                                          "comment",
                                          "description",
                                          "policies",
                                          "whitelists",
                                          "mappings",
                                          "rule_sets",
                                          "allowlists",
                                          "whitelisted_images",
                                          "blacklisted_images",
                                          "allowlisted_images",
                                          "denylisted_images"};
    json_t *tree = NULL, *value = NULL;
    const char *name = NULL;
    if (bw_yaml_parse(&tree, text, len, BW_MAX_BUNDLE_BYTES, NULL) != 0) {
        return true;
    }
    bool found = !json_is_object(tree) || json_object_size(tree) == 0;
    json_object_foreach(tree, name, value)
    {
        found = found || bw_suggest(name, members, BW_LENGTH(members)) != NULL;
    }
    json_decref(tree);
    return found;
}

static void add_text(json_t *object, const char *name, const char *text)
{
    (void)json_object_set_new(object, name, bw_json_text(text));
}

static void add_json(json_t *all, const char *file, const char *text, size_t len, const struct bw_problems *problems)
{
    for (size_t i = 0; i < problems->n_items; i++) {
        const struct bw_problem *problem = &problems->items[i];
        unsigned line = problem->line, column = problem->column;
        if (line == 0 && problem->path != NULL) {
            (void)bw_yaml_locate(&line, &column, text, len, problem->path);
        }
        json_t *one = json_object();
        add_text(one, "file", file);
        add_text(one, "severity", problem->severity == BW_PROBLEM_ERROR ? "error" : "warning");
        add_text(one, "kind", problem->kind);
        add_text(one, "path", problem->path);
        add_text(one, "message", problem->message);
        add_text(one, "suggestion", problem->suggestion);
        (void)json_object_set_new(one, "line", json_integer((json_int_t)line));
        (void)json_object_set_new(one, "column", json_integer((json_int_t)column));
        (void)json_array_append_new(all, one);
    }
}

/* BW_EXIT_OK, BW_EXIT_STOPPED for a file with faults, BW_EXIT_TROUBLE for one that cannot be read. */
static int check_file(const struct bw_arguments *arguments, const char *path, json_t *all)
{
    struct bw_error err = {0};
    struct bw_problems problems;
    char *text = NULL;
    size_t len = 0;
    if (bw_file_read(&text, &len, path, BW_MAX_BUNDLE_BYTES, &err) != 0) {
        return bw_trouble(arguments, "%s", err.message);
    }
    bw_problems_init(&problems);
    int status = 0;
    if (is_bundle(text, len)) {
        char name[256];
        bw_bundle_name_of(name, sizeof(name), path);
        struct bw_bundle_options options = {.name = name, .now_s = bw_wall_s(), .default_patterns = true};
        struct bw_bundle *bundle = NULL;
        status = bw_bundle_load(&bundle, &problems, text, len, &options, &err);
        if (status == 0) {
            bw_bundle_release(bundle);
        }
    } else {
        struct bw_config *config = NULL;
        status = bw_config_load(&config, &problems, text, len, &err);
        if (status == 0) {
            bw_config_release(config);
        }
    }
    bool told = problems.n_errors > 0;
    if (all != NULL) {
        add_json(all, path, text, len, &problems);
    } else {
        bw_problems_print(stdout, path, text, len, &problems);
        size_t n_warnings = problems.n_items - problems.n_errors;
        printf("%s: %zu error%s, %zu warning%s\n", path, problems.n_errors, problems.n_errors == 1 ? "" : "s",
               n_warnings, n_warnings == 1 ? "" : "s");
    }
    bw_problems_clear(&problems);
    free(text);
    if (status != 0 && !told) {
        return bw_trouble(arguments, "%s: %s", path, err.message);
    }
    return status == 0 ? BW_EXIT_OK : BW_EXIT_STOPPED;
}

static int run(const struct bw_arguments *arguments)
{
    int output = bw_argument_choice(arguments, "output", outputs), worst = BW_EXIT_OK;
    if (output < 0) {
        return BW_EXIT_TROUBLE;
    }
    if (arguments->n_operands == 0) {
        return bw_trouble(arguments, "a file is needed: a bundle or a configuration");
    }
    json_t *all = output == 1 ? json_array() : NULL;
    for (size_t i = 0; i < arguments->n_operands; i++) {
        int status = check_file(arguments, arguments->operands[i], all);
        worst = status > worst ? status : worst;
    }
    if (all != NULL) {
        (void)json_dumpf(all, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
        json_decref(all);
    }
    return worst;
}

static const struct bw_option options[] = {
    {"output", "FORMAT", "text (default): FILE:LINE:COLUMN: severity: path: message; or json.", false},
    {0},
};

const struct bw_command bw_command_check = {
    .name = "check",
    .summary = "find every fault of bundles and configuration files",
    .synopsis = "breakwater check [--output FORMAT] FILE...",
    .description =
        "Loads each file as `breakwater serve` would and says everything that is wrong with it at once: unknown gates, "
        "triggers and parameters with the nearest known word, values that do not fit, patterns that do not compile, "
        "and, as "
        "warnings, rules that can never match. Whether a file is a bundle or a configuration is told by its content.",
    .options = options,
    .exit_status = "0 no errors (warnings are allowed), 1 errors were found, 2 a file could not be read.",
    .examples = "  breakwater check bundles/*.json config.yaml",
    .run = run,
};
