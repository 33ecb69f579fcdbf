/* breakwater explain: what a bundle and a configuration may contain, read off the tables that load them. */
#include "evaluator/explain.h"

#include "cli/command.h"
#include "webhook/config.h"

#include <string.h>

enum output { TEXT, MARKDOWN, JSON_SCHEMA };
static const char *const outputs[] = {"text", "markdown", "json-schema", NULL};

static int explain_config(const struct bw_arguments *arguments, int output)
{
    if (output == JSON_SCHEMA) {
        return bw_trouble(arguments, "the configuration has no JSON schema; --output text or markdown");
    }
    if (output == MARKDOWN) {
        bw_config_write_markdown(stdout);
    } else {
        bw_config_write_example(stdout);
    }
    return BW_EXIT_OK;
}

static int run(const struct bw_arguments *arguments)
{
    int output = bw_argument_choice(arguments, "output", outputs);
    if (output < 0) {
        return BW_EXIT_TROUBLE;
    }
    if (arguments->n_operands > 2) {
        return bw_trouble(arguments, "at most a gate and a trigger");
    }
    const char *gate = arguments->n_operands > 0 ? arguments->operands[0] : NULL;
    const char *trigger = arguments->n_operands > 1 ? arguments->operands[1] : NULL;
    if (gate != NULL && trigger == NULL && strcmp(gate, "config") == 0) {
        return explain_config(arguments, output);
    }
    struct bw_error err = {0};
    int status = 0;
    switch (output) {
    case MARKDOWN:
        status = bw_explain_markdown(stdout, gate, trigger, &err);
        break;
    case JSON_SCHEMA:
        status = bw_explain_json_schema(stdout);
        break;
    default:
        status = bw_explain_text(stdout, gate, trigger, &err);
        break;
    }
    return status == 0 ? BW_EXIT_OK : bw_trouble(arguments, "%s", err.message);
}

static const struct bw_option options[] = {
    {"output", "FORMAT", "text (default), markdown, or json-schema: a JSON schema of whole bundles for editors.",
     false},
    {0},
};

const struct bw_command bw_command_explain = {
    .name = "explain",
    .summary = "tell what gates, triggers, parameters and settings there are",
    .synopsis = "breakwater explain [--output FORMAT] [GATE [TRIGGER]]\nbreakwater explain config",
    .description = "Without arguments it lists the gates. With a gate, or a gate and a trigger, it tells what they "
                   "look at and what "
                   "parameters they take. `breakwater explain config` prints a complete config.yaml in which every key "
                   "is explained "
                   "and has its default.",
    .options = options,
    .exit_status = "0, or 2 if there is no such gate or trigger.",
    .examples = "  breakwater explain dockerfile exposed_ports\n  breakwater explain --output json-schema > "
                "bundle.schema.json\n"
                "  breakwater explain config > config.yaml",
    .run = run,
};
