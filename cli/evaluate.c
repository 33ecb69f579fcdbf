/* breakwater evaluate: one bundle, one or more images, a verdict each. */
#include "cli/evaluate.h"
#include "cli/cluster.h"
#include "cli/evaluate_manifests.h"
#include "cli/previous.h"

#include "base/deadline.h"
#include "base/limits.h"
#include "base/watch_dir.h"
#include "image/report_json.h"

#include <stdlib.h>
#include <string.h>

enum output { TABLE, JSON, SARIF, JUNIT };
static const char *const outputs[] = {"table", "json", "sarif", "junit", NULL};
static const struct bw_evaluation_writer *const writers[] = {&bw_evaluation_table, &bw_evaluation_json,
                                                             &bw_evaluation_sarif, &bw_evaluation_junit};
static const struct bw_evaluation_writer *const comparisons[] = {&bw_comparison_table, &bw_comparison_json};

struct evaluation {
    const struct bw_arguments *arguments;
    const struct bw_config *config;
    struct bw_report *previous;       /* of --previous, or NULL */
    struct bw_bundle *bundle, *other; /* other: of --compare, or NULL */
    int64_t now_s;
    const struct bw_evaluation_writer *writer;
    struct bw_show show;
    bool stopped, undecided, failed;
};

/* What could not be told: a line on standard error, and an entry for programs. */
static void add_failure(struct evaluation *at, const char *name, const struct bw_error *err)
{
    (void)bw_trouble(at->arguments, "%.200s: %s", name, err->message);
    at->failed = true;
    if (at->writer->failure != NULL) {
        at->writer->failure(&at->show, name, err);
    }
}

/* The decision has the memory that it has in an admission; what tells about it lives elsewhere. */
static int judge(struct bw_judgement *out, const struct evaluation *at, const struct bw_bundle *bundle,
                 const struct bw_facts *facts, struct bw_arena *arena, struct bw_arena *trace_arena,
                 struct bw_error *err)
{
    out->bundle = bundle;
    return bw_evaluate(&out->decision, bundle, facts, at->config->no_mapping_match, arena, err) != 0
               ? -1
               : bw_trace(&out->trace, bundle, facts, &out->decision, trace_arena, err);
}

/* For the exit status: stopped by what is known, or merely by what could not be evaluated. */
static void note_decision(struct evaluation *at, const struct bw_decision *decision)
{
    bool decided_stop = strcmp(decision->reason, "policy_evaluation") != 0 && decision->action == BW_STOP;
    for (size_t i = 0; decision->action == BW_STOP && i < decision->n_findings; i++) {
        const struct bw_finding *finding = &decision->findings[i];
        decided_stop = decided_stop || (finding->action == BW_STOP && !finding->undecided);
    }
    at->stopped = at->stopped || decided_stop;
    at->undecided = at->undecided || (decision->action == BW_STOP && !decided_stop);
}

static int evaluate_report(struct evaluation *at, const char *name, const struct bw_reference *reference,
                           bool tag_counts, const struct bw_platform *platform, const struct bw_report *report,
                           const struct bw_report *previous, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    BW_ARENA_SCOPE other_arena;
    BW_ARENA_SCOPE trace_arena;
    bw_arena_init(&arena, BW_ARENA_EVALUATION);
    bw_arena_init(&other_arena, BW_ARENA_EVALUATION);
    bw_arena_init(&trace_arena, BW_ARENA_EVALUATION);
    const struct bw_facts facts = {.reference = reference,
                                   .tag_counts = tag_counts,
                                   .report = report,
                                   .previous = at->previous != NULL ? at->previous : previous,
                                   .now_s = at->now_s};
    struct bw_evaluated image = {.name = name,
                                 .reference = reference,
                                 .tag_counts = tag_counts,
                                 .platform = platform,
                                 .report = report,
                                 .arena = &trace_arena};
    if (judge(&image.judged, at, at->bundle, &facts, &arena, &trace_arena, err) != 0 ||
        (at->other != NULL && judge(&image.other, at, at->other, &facts, &other_arena, &trace_arena, err) != 0)) {
        return -1;
    }
    note_decision(at, &image.judged.decision);
    bw_notes_print(at->arguments, name, &image.judged.decision);
    return at->writer->image(&at->show, &image, err);
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
    status = evaluate_report(at, name, &reference, true, NULL, report, NULL, err);
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
        status = evaluate_report(at, name, &reference, answer.tag_current, &variant->platform, variant->report,
                                 variant->previous, err);
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
    struct bw_needs of_bundle = {0};
    int status = bw_needs_merge(&of_bundle, &at->config->analysis_needs, bw_bundle_needs(at->bundle), &arena, &err);
    if (status == 0) { /* what another bundle reads is looked for, too */
        status = bw_needs_merge(&needs, &of_bundle, bw_bundle_needs(at->other != NULL ? at->other : at->bundle), &arena,
                                &err);
    }
    if (status == 0) {
        status = bw_access_open(&access, at->config, true, &err);
    }
    if (status == 0) {
        status = bw_catalog_open_for(&catalog, at->arguments, at->config, &needs, &err);
    }
    if (status != 0) {
        (void)bw_trouble(at->arguments, "%s", err.message);
        at->failed = true;
    }
    for (size_t i = 0; status == 0 && i < at->arguments->n_operands; i++) {
        err = (struct bw_error){0};
        if (evaluate_image(at, catalog, &access, at->arguments->operands[i], &err) != 0) {
            add_failure(at, at->arguments->operands[i], &err);
        }
    }
    bw_catalog_destroy(catalog);
    bw_access_close(&access);
}

static int parse_now(int64_t *out, const struct bw_arguments *arguments)
{
    const char *text = bw_argument(arguments, "at");
    *out = bw_wall_s();
    return text == NULL || bw_time_parse(out, text) == 0
               ? 0
               : bw_trouble(arguments, "--at %s: a time such as 2026-01-31T12:00:00Z is needed", text);
}

static int evaluate(struct evaluation *at)
{
    const char *document = bw_argument(at->arguments, "analysis");
    struct bw_error err = {0};
    if (bw_previous_open(&at->previous, at->arguments, at->config, &err) != 0) {
        return bw_trouble(at->arguments, "%s", err.message);
    }
    if (at->writer->begin != NULL) {
        at->writer->begin(&at->show);
    }
    if (document == NULL) {
        evaluate_images(at);
    } else if (evaluate_document(at, document, &err) != 0) {
        add_failure(at, document, &err);
    }
    if (at->writer->end != NULL) {
        at->writer->end(&at->show);
    }
    if (at->other != NULL) {
        return at->failed ? BW_EXIT_TROUBLE : at->show.changed ? BW_EXIT_STOPPED : BW_EXIT_OK;
    }
    return at->stopped ? BW_EXIT_STOPPED : at->undecided || at->failed ? BW_EXIT_TROUBLE : BW_EXIT_OK;
}

static int load_bundles(struct evaluation *at)
{
    const char *compare = bw_argument(at->arguments, "compare");
    at->show.file = bw_argument(at->arguments, "bundle");
    at->show.other_file = compare;
    if (bw_bundle_file_load(&at->bundle, at->arguments, at->show.file) != 0 ||
        (compare != NULL && bw_bundle_file_load(&at->other, at->arguments, compare) != 0)) {
        return -1;
    }
    at->show.bundle = at->bundle;
    at->show.other = at->other;
    return 0;
}

static int check_usage(const struct bw_arguments *arguments, int output)
{
    bool document = bw_argument(arguments, "analysis") != NULL, explain = bw_argument(arguments, "explain") != NULL;
    bool compare = bw_argument(arguments, "compare") != NULL, report = output == SARIF || output == JUNIT;
    if (bw_argument(arguments, "filename") != NULL) {
        bool file = bw_argument(arguments, "bundle") != NULL, cluster = bw_argument(arguments, "cluster") != NULL;
        return file != cluster && arguments->n_operands == 0 && !document && !compare && !explain && !report
                   ? 0
                   : bw_trouble(arguments, "-f goes with --bundle or --cluster, and with --output table or json");
    }
    if (bw_argument(arguments, "bundle") == NULL ||
        (document ? arguments->n_operands > 1 : arguments->n_operands == 0)) {
        return bw_trouble(arguments, "--bundle FILE and an image, or --analysis FILE, are needed");
    }
    if (compare && (explain || report)) {
        return bw_trouble(arguments, "--compare goes with --output table or json, and without --explain");
    }
    if (explain && report) {
        return bw_trouble(arguments, "--explain goes with --output table or json");
    }
    return 0;
}

static int run(const struct bw_arguments *arguments)
{
    struct evaluation at = {.arguments = arguments};
    struct bw_config *config = NULL;
    int output = bw_argument_choice(arguments, "output", outputs);
    if (output < 0 || parse_now(&at.now_s, arguments) != 0 || check_usage(arguments, output) != 0 ||
        bw_settings_load(&config, arguments, bw_argument(arguments, "config")) != 0) {
        return BW_EXIT_TROUBLE;
    }
    int status = BW_EXIT_TROUBLE;
    if (bw_argument(arguments, "filename") != NULL) {
        status = bw_evaluate_manifests(arguments, config, output == JSON);
    } else if (load_bundles(&at) == 0) {
        at.config = config;
        at.writer = at.other == NULL ? writers[output] : comparisons[output];
        at.show.explain = bw_argument(arguments, "explain") != NULL;
        status = evaluate(&at);
    }
    bw_report_release(at.previous);
    bw_bundle_release(at.bundle);
    bw_bundle_release(at.other);
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
    {"previous", "FILE|IMAGE",
     "The image that the tag led to before, for rules of the gate tag_drift: a stored analysis, or an image that is "
     "looked up as the others are.",
     false},
    {"platform", "PLATFORM", "Which image of an index, as linux/arm64. Default: this machine's.", false},
    {"at", "TIME",
     "Evaluate as of this instant (2026-01-31T12:00:00Z): expiry and age limits depend on it. Default: now.", false},
    {"output", "FORMAT",
     "table (default), json: also the trigger ids that whitelists name, sarif (2.1.0: findings as results, forgiven "
     "ones "
     "suppressed), or junit (XML: a suite per image, a case per rule).",
     false},
    {"explain", NULL,
     "Tell all about the decision: the mapping that was chosen and why those before it were not, the image lists, and "
     "every rule with its outcome, its findings and what forgave them. With --output table or json.",
     false},
    {"filename", "PATH",
     "Or -f: Kubernetes manifests, a file, a folder or - for standard input. Every workload in them is answered as an "
     "admission would: by the policySelectors, exemptions and settings of the configuration, Namespaces in the "
     "manifests being taken as they stand there.",
     true},
    {"namespace", "NAME", "Or -n, with -f: of objects that name none. Default: default.", false},
    {"as", "USER", "With -f: who creates the objects, for selectors and exemptions that ask.", false},
    {"as-group", "GROUP", "With -f: a group of that user; may be repeated.", true},
    {"cluster", NULL,
     "With -f, in place of --bundle: the bundles that are in the ConfigMaps of a cluster; pull secrets of pods and "
     "namespaces are asked for there, too.",
     false},
    {"bundle-namespace", "NAME", "With --cluster: where the bundles lie. Default: breakwater.", false},
    BW_CLUSTER_OPTIONS,
    {"compare", "FILE",
     "Evaluate this bundle, too, on the same images at the same instant, and show only what would change.", false},
    {0},
};

const struct bw_command bw_command_evaluate = {
    .name = "evaluate",
    .summary = "say what a bundle decides about images",
    .synopsis = "breakwater evaluate --bundle FILE [--explain] [--output FORMAT] [--config FILE] [--platform PLATFORM] "
                "IMAGE...\n"
                "breakwater evaluate --bundle FILE --compare FILE [--output FORMAT] IMAGE...\n"
                "breakwater evaluate --bundle FILE --analysis FILE [--explain] [--output FORMAT] [IMAGE]\n"
                "breakwater evaluate --bundle FILE -f PATH... [--config FILE] [--output table|json]\n"
                "breakwater evaluate --cluster [--context NAME] -f PATH... [--config FILE] [--output table|json]",
    .description = "Pulls and analyses each image (a registry reference, or oci:DIR[:TAG] for an OCI layout folder) "
                   "and evaluates the "
                   "bundle on it, as an admission would: the same code decides.\n\nCredentials come from the "
                   "configured file, else from "
                   "$REGISTRY_AUTH_FILE, else from ~/.docker/config.json.",
    .options = options,
    .exit_status =
        "0 every image (with -f: every object) passes, 1 one is stopped, 2 it could not be told: a bundle with faults, "
        "an image that cannot be "
        "analysed, a rule that cannot be evaluated.\nWith --compare: 0 nothing changes, 1 something changes, 2 it "
        "could "
        "not be told for some image.",
    .examples = "  breakwater evaluate --bundle prod.json registry.example/shop/cart:9\n"
                "  breakwater evaluate --bundle prod.json oci:./build/image:latest --output json\n"
                "  breakwater evaluate --bundle prod.json --explain registry.example/shop/cart:9\n"
                "  breakwater evaluate --bundle prod.json --compare next.json registry.example/shop/cart:9\n"
                "  breakwater evaluate --bundle prod.json --output sarif oci:./build/image >breakwater.sarif\n"
                "  helm template ./chart | breakwater evaluate --bundle prod.json --config config.yaml -f -",
    .run = run,
};
