/* breakwater evaluate: one bundle, one or more images, a verdict each. */
#include "evaluator/evaluate.h"

#include "base/deadline.h"
#include "base/limits.h"
#include "base/watch_dir.h"
#include "cli/settings.h"
#include "image/report_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const outputs[] = {"table", "json", NULL};

struct evaluation {
    const struct bw_arguments *arguments;
    const struct bw_config *config;
    struct bw_bundle *bundle;
    int64_t now_s;
    json_t *results; /* NULL: a table is printed at once */
    bool stopped, undecided;
};

static const char *action_word(const struct bw_finding *finding)
{
    return finding->whitelisted ? "forgiven" : finding->undecided ? "unknown" : bw_action_name(finding->action);
}

static void print_finding(const struct bw_finding *finding, const struct bw_finding *before, int gate, int trigger)
{
    bool same_rule = before != NULL && before->policy == finding->policy && before->rule == finding->rule;
    printf("  %-8s  %-*s  %-*s  ", action_word(finding), gate, finding->gate, trigger, finding->trigger);
    bw_put_clean(stdout, finding->message, false);
    if (finding->whitelisted) {
        printf(" [whitelist ");
        bw_put_clean(stdout, finding->whitelist_id, false);
        printf("%s", finding->whitelist_item_id == NULL ? "" : ", item ");
        bw_put_clean(stdout, finding->whitelist_item_id, false);
        printf("]");
    }
    if ((finding->comment != NULL || finding->rule_id != NULL) && !same_rule) {
        printf("\n  %-8s  %-*s  %-*s  rule%s", "", gate, "", trigger, "", finding->rule_id == NULL ? "" : " ");
        bw_put_clean(stdout, finding->rule_id, false);
        printf("%s", finding->comment == NULL ? "" : ": ");
        bw_put_clean(stdout, finding->comment, false);
    }
    printf("\n");
}

/* One block per policy, one line per finding, the verdict at the end. */
static void print_table(const struct evaluation *at, const char *name, const struct bw_platform *platform,
                        const struct bw_report *report, const struct bw_decision *decision)
{
    char digest[13];
    size_t gate = strlen("GATE"), trigger = strlen("TRIGGER");
    bw_digest_short(digest, &report->digest);
    for (size_t i = 0; i < decision->n_findings; i++) {
        const struct bw_finding *finding = &decision->findings[i];
        gate = strlen(finding->gate) > gate ? strlen(finding->gate) : gate;
        trigger = strlen(finding->trigger) > trigger ? strlen(finding->trigger) : trigger;
    }
    printf("%s  %s%s%s%s%s\n", name, digest, platform == NULL ? "" : "  ", platform == NULL ? "" : platform->os,
           platform == NULL ? "" : "/", platform == NULL ? "" : platform->architecture);
    if (decision->n_findings > 0) {
        printf("  ACTION    %-*s  %-*s  MESSAGE\n", (int)gate, "GATE", (int)trigger, "TRIGGER");
    }
    for (size_t i = 0; i < decision->n_policies; i++) {
        const struct bw_policy_result *policy = &decision->policies[i];
        printf("  -- policy ");
        bw_put_clean(stdout, policy->policy_id, false);
        printf(": %s\n", bw_action_name(policy->action));
        for (size_t j = 0; j < policy->n_findings; j++) {
            const struct bw_finding *finding = &decision->findings[policy->first_finding + j];
            print_finding(finding, j == 0 ? NULL : finding - 1, (int)gate, (int)trigger);
        }
    }
    printf("  => %s (%s", bw_action_name(decision->action), decision->reason);
    if (decision->mapping >= 0) {
        printf(", mapping %d", decision->mapping + 1);
    }
    printf(", bundle ");
    bw_put_clean(stdout, bw_bundle_id(at->bundle), false);
    printf(")\n\n");
}

static json_t *index_or_null(int index)
{
    return index < 0 ? json_null() : json_integer(index);
}

static json_t *finding_json(const struct bw_finding *finding)
{
    json_t *made = json_object();
    (void)json_object_set_new(made, "policy", bw_json_text(finding->policy_id));
    (void)json_object_set_new(made, "rule", bw_json_text(finding->rule_id));
    (void)json_object_set_new(made, "gate", bw_json_text(finding->gate));
    (void)json_object_set_new(made, "trigger", bw_json_text(finding->trigger));
    (void)json_object_set_new(made, "trigger_id", bw_json_text(finding->trigger_id));
    (void)json_object_set_new(made, "action", bw_json_text(bw_action_name(finding->action)));
    (void)json_object_set_new(made, "message", bw_json_text(finding->message));
    (void)json_object_set_new(made, "comment", bw_json_text(finding->comment));
    (void)json_object_set_new(made, "undecided", json_boolean(finding->undecided));
    if (finding->whitelisted) {
        (void)json_object_set_new(made, "whitelist", bw_json_text(finding->whitelist_id));
        (void)json_object_set_new(made, "whitelist_item", bw_json_text(finding->whitelist_item_id));
    }
    return made;
}

static void add_json(const struct evaluation *at, const char *name, const struct bw_platform *platform,
                     const struct bw_report *report, const struct bw_decision *decision)
{
    json_t *made = json_object(), *findings = json_array();
    (void)json_object_set_new(made, "image", bw_json_text(name));
    (void)json_object_set_new(made, "digest", bw_json_text(report->digest.text));
    if (platform != NULL) {
        (void)json_object_set_new(made, "platform", json_sprintf("%s/%s", platform->os, platform->architecture));
    }
    (void)json_object_set_new(made, "bundle", bw_json_text(bw_bundle_id(at->bundle)));
    (void)json_object_set_new(made, "action", bw_json_text(bw_action_name(decision->action)));
    (void)json_object_set_new(made, "reason", bw_json_text(decision->reason));
    (void)json_object_set_new(made, "policy_action", bw_json_text(bw_action_name(decision->policy_action)));
    (void)json_object_set_new(made, "mapping", index_or_null(decision->mapping));
    (void)json_object_set_new(made, "whitelisted_image", index_or_null(decision->whitelisted_image));
    (void)json_object_set_new(made, "blacklisted_image", index_or_null(decision->blacklisted_image));
    json_t *policies = json_array();
    for (size_t i = 0; i < decision->n_policies; i++) {
        json_t *policy = json_object();
        (void)json_object_set_new(policy, "id", bw_json_text(decision->policies[i].policy_id));
        (void)json_object_set_new(policy, "action", bw_json_text(bw_action_name(decision->policies[i].action)));
        (void)json_array_append_new(policies, policy);
    }
    (void)json_object_set_new(made, "policies", policies);
    for (size_t i = 0; i < decision->n_findings; i++) {
        (void)json_array_append_new(findings, finding_json(&decision->findings[i]));
    }
    (void)json_object_set_new(made, "findings", findings);
    (void)json_array_append_new(at->results, made);
}

/* What could not be told: a line on standard error, and an entry for programs. */
static void add_error(struct evaluation *at, const char *name, const struct bw_error *err)
{
    (void)bw_trouble(at->arguments, "%.200s: %s", name, err->message);
    at->undecided = true;
    if (at->results != NULL) {
        json_t *made = json_object();
        (void)json_object_set_new(made, "image", bw_json_text(name));
        (void)json_object_set_new(made, "error", bw_json_text(err->message));
        (void)json_object_set_new(made, "detail", bw_json_text(err->detail[0] == '\0' ? NULL : err->detail));
        (void)json_array_append_new(at->results, made);
    }
}

static int evaluate_report(struct evaluation *at, const char *name, const struct bw_reference *reference,
                           bool tag_counts, const struct bw_platform *platform, const struct bw_report *report,
                           struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_ARENA_EVALUATION);
    const struct bw_facts facts = {
        .reference = reference, .tag_counts = tag_counts, .report = report, .now_s = at->now_s};
    struct bw_decision decision = {0};
    if (bw_evaluate(&decision, at->bundle, &facts, at->config->no_mapping_match, &arena, err) != 0) {
        return -1;
    }
    bool decided_stop = strcmp(decision.reason, "policy_evaluation") != 0 && decision.action == BW_STOP;
    for (size_t i = 0; decision.action == BW_STOP && i < decision.n_findings; i++) {
        const struct bw_finding *finding = &decision.findings[i];
        decided_stop = decided_stop || (finding->action == BW_STOP && !finding->undecided);
    }
    at->stopped = at->stopped || decided_stop;
    at->undecided = at->undecided || (decision.action == BW_STOP && !decided_stop);
    if (at->results != NULL) {
        add_json(at, name, platform, report, &decision);
    } else {
        print_table(at, name, platform, report, &decision);
    }
    return 0;
}

static int evaluate_document(struct evaluation *at, const char *path, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    struct bw_reference reference = {.registry = "localhost", .repository = "analysis", .tag = "latest"};
    struct bw_report *report = NULL;
    char *text = NULL;
    size_t len = 0;
    const char *name = at->arguments->n_operands > 0 ? at->arguments->operands[0] : path;
    if ((at->arguments->n_operands > 0 && bw_reference_parse(&reference, name, strlen(name), &arena, err) != 0) ||
        bw_file_read(&text, &len, path, BW_MAX_ANALYSIS_BYTES, err) != 0) {
        return -1;
    }
    int status = bw_report_read_json(&report, text, len, err);
    free(text);
    if (status != 0) {
        return -1;
    }
    status = evaluate_report(at, name, &reference, true, NULL, report, err);
    bw_report_release(report);
    return status;
}

static int evaluate_image(struct evaluation *at, struct bw_catalog *catalog, const struct bw_access *access,
                          const char *name, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    struct bw_platform platform = bw_platform_here();
    struct bw_reference reference = {0};
    struct bw_image_answer answer = {0};
    const char *wanted = bw_argument(at->arguments, "platform");
    if ((wanted != NULL && bw_platform_parse(&platform, wanted, &arena, err) != 0) ||
        bw_image_look_up(&answer, &reference, catalog, access, name, &platform, &arena, err) != 0) {
        return -1;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < answer.n_variants; i++) {
        const struct bw_image_variant *variant = &answer.variants[i];
        status = evaluate_report(at, name, &reference, answer.tag_current, &variant->platform, variant->report, err);
    }
    bw_image_answer_clear(&answer);
    return status;
}

static void evaluate_images(struct evaluation *at)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 16 * BW_MIB);
    struct bw_error err = {0};
    struct bw_access access = {0};
    struct bw_catalog *catalog = NULL;
    struct bw_needs needs = {0};
    int status = bw_needs_merge(&needs, &at->config->analysis_needs, bw_bundle_needs(at->bundle), &arena, &err);
    if (status == 0) {
        status = bw_access_open(&access, at->config, true, &err);
    }
    if (status == 0) {
        status = bw_catalog_open_for(&catalog, at->arguments, at->config, &needs, &err);
    }
    if (status != 0) {
        (void)bw_trouble(at->arguments, "%s", err.message);
        at->undecided = true;
    }
    for (size_t i = 0; status == 0 && i < at->arguments->n_operands; i++) {
        err = (struct bw_error){0};
        if (evaluate_image(at, catalog, &access, at->arguments->operands[i], &err) != 0) {
            add_error(at, at->arguments->operands[i], &err);
        }
    }
    bw_catalog_destroy(catalog);
    bw_access_close(&access);
}

static int parse_now(int64_t *out, const struct bw_arguments *arguments)
{
    const char *text = bw_argument(arguments, "at");
    struct tm when = {0};
    *out = bw_wall_s();
    if (text == NULL) {
        return 0;
    }
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S%z", &when); /* %z takes Z and +01:00 alike */
    if (end == NULL || *end != '\0') {
        return bw_trouble(arguments, "--at %s: a time such as 2026-01-31T12:00:00Z is needed", text);
    }
    long offset_s = when.tm_gmtoff; /* timegm() puts it right */
    *out = (int64_t)timegm(&when) - offset_s;
    return 0;
}

static int evaluate(struct evaluation *at)
{
    const char *document = bw_argument(at->arguments, "analysis");
    struct bw_error err = {0};
    if (document == NULL) {
        evaluate_images(at);
    } else if (evaluate_document(at, document, &err) != 0) {
        add_error(at, document, &err);
    }
    if (at->results != NULL) {
        (void)json_dumpf(at->results, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
        json_decref(at->results);
    }
    return at->stopped ? BW_EXIT_STOPPED : at->undecided ? BW_EXIT_TROUBLE : BW_EXIT_OK;
}

static int run(const struct bw_arguments *arguments)
{
    struct evaluation at = {.arguments = arguments};
    struct bw_config *config = NULL;
    int output = bw_argument_choice(arguments, "output", outputs);
    const char *bundle = bw_argument(arguments, "bundle");
    bool document = bw_argument(arguments, "analysis") != NULL;
    if (output < 0 || parse_now(&at.now_s, arguments) != 0) {
        return BW_EXIT_TROUBLE;
    }
    if (bundle == NULL || (document ? arguments->n_operands > 1 : arguments->n_operands == 0)) {
        return bw_trouble(arguments, "--bundle FILE and an image, or --analysis FILE, are needed");
    }
    if (bw_settings_load(&config, arguments, bw_argument(arguments, "config")) != 0) {
        return BW_EXIT_TROUBLE;
    }
    int status = bw_bundle_file_load(&at.bundle, arguments, bundle);
    if (status == 0) {
        at.config = config;
        at.results = output == 1 ? json_array() : NULL;
        status = evaluate(&at);
        bw_bundle_release(at.bundle);
    }
    bw_config_release(config);
    return status;
}

static const struct bw_option options[] = {
    {"bundle", "FILE", "The policy bundle, JSON or YAML.", false},
    {"config", "FILE", "Registry and analysis settings; see breakwater explain config.", false},
    {"analysis", "FILE",
     "Evaluate a stored analysis instead of pulling: what breakwater analyze --output json wrote, or an export of "
     "Anchore Engine. "
     "An IMAGE then only says under which reference.",
     false},
    {"platform", "PLATFORM", "Which image of an index, as linux/arm64. Default: this machine's.", false},
    {"at", "TIME",
     "Evaluate as of this instant (2026-01-31T12:00:00Z): expiry and age limits depend on it. Default: now.", false},
    {"output", "FORMAT", "table (default), or json: also the trigger ids that whitelists name.", false},
    {0},
};

const struct bw_command bw_command_evaluate = {
    .name = "evaluate",
    .summary = "say what a bundle decides about images",
    .synopsis = "breakwater evaluate --bundle FILE [--config FILE] [--platform PLATFORM] [--output FORMAT] IMAGE...\n"
                "breakwater evaluate --bundle FILE --analysis FILE [IMAGE]",
    .description = "Pulls and analyses each image (a registry reference, or oci:DIR[:TAG] for an OCI layout folder) "
                   "and evaluates the "
                   "bundle on it, as an admission would: the same code decides.\n\nCredentials come from the "
                   "configured file, else from "
                   "$REGISTRY_AUTH_FILE, else from ~/.docker/config.json.",
    .options = options,
    .exit_status =
        "0 every image passes, 1 one is stopped, 2 it could not be told: a bundle with faults, an image that cannot be "
        "analysed, a rule that cannot be evaluated.",
    .examples = "  breakwater evaluate --bundle prod.json registry.example/shop/cart:9\n"
                "  breakwater evaluate --bundle prod.json oci:./build/image:latest --output json",
    .run = run,
};
