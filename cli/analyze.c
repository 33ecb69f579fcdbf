/* breakwater analyze: pull one image, analyse it, show what is known of it. */
#include "base/limits.h"
#include "cli/settings.h"
#include "image/report_json.h"

#include <stdio.h>
#include <string.h>

static const char *const outputs[] = {"summary", "json", NULL};

static void print_row(const char *name, const char *text, const char *more)
{
    printf("%-13s ", name);
    bw_put_clean(stdout, text, false);
    if (more != NULL) {
        printf("%s", text == NULL ? "" : " ");
        bw_put_clean(stdout, more, false);
    }
    printf("\n");
}

static void print_summary(const struct bw_report *report)
{
    print_row("digest", report->digest.text, NULL);
    print_row("id", report->id, NULL);
    print_row("platform", report->os, report->architecture);
    print_row("distribution", report->distro == NULL ? "unknown" : report->distro, report->distro_version);
    printf("layers        %lld, %lld bytes packed, %lld squashed\n", (long long)report->layer_count,
           (long long)report->compressed_size, (long long)report->size);
    printf("packages      %zu\nfiles         %zu\nretrieved     %zu\nsecret hits   %zu\n", report->n_packages,
           report->n_files, report->n_retrieved, report->n_secrets);
    for (size_t i = 0; i < report->n_secrets; i++) {
        const char *pattern = report->secrets[i].pattern;
        printf("  %.*s in ", (int)strcspn(pattern, "="), pattern);
        bw_put_clean(stdout, report->secrets[i].path, false);
        printf("\n");
    }
    for (size_t i = 0; i < report->n_incomplete; i++) {
        print_row("incomplete", report->incomplete[i].kind, report->incomplete[i].reason);
    }
    for (size_t i = 0; i < report->n_warnings; i++) {
        print_row("warning", report->warnings[i], NULL);
    }
    printf("\n");
    bw_put_clean(stdout, report->dockerfile, true);
    printf("\n");
}

static int print_json(const struct bw_report *report, struct bw_error *err)
{
    BW_BUF_SCOPE text;
    bw_buf_init(&text, BW_MAX_ANALYSIS_BYTES);
    if (bw_report_write_json(&text, report, err) != 0) {
        return -1;
    }
    (void)fwrite(text.data, 1, text.len, stdout);
    (void)fputc('\n', stdout);
    return 0;
}

static int analyze(const struct bw_arguments *arguments, const struct bw_config *config, int output)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    struct bw_error err = {0};
    struct bw_access access = {0};
    struct bw_catalog *catalog = NULL;
    struct bw_image_answer answer = {0};
    struct bw_reference reference = {0};
    struct bw_platform platform = bw_platform_here();
    const char *wanted = bw_argument(arguments, "platform");
    int status = wanted == NULL ? 0 : bw_platform_parse(&platform, wanted, &arena, &err);
    if (status == 0) {
        status = bw_access_open(&access, config, true, &err);
    }
    if (status == 0) {
        status = bw_catalog_open_for(&catalog, arguments, config, &config->analysis_needs, &err);
    }
    if (status == 0) {
        status =
            bw_image_look_up(&answer, &reference, catalog, &access, arguments->operands[0], &platform, &arena, &err);
    }
    for (size_t i = 0; status == 0 && i < answer.n_variants; i++) {
        if (output == 1) {
            status = print_json(answer.variants[i].report, &err);
        } else {
            print_summary(answer.variants[i].report);
        }
    }
    bw_image_answer_clear(&answer);
    bw_catalog_destroy(catalog);
    bw_access_close(&access);
    return status == 0 ? BW_EXIT_OK : bw_trouble(arguments, "%.200s: %s", arguments->operands[0], err.message);
}

static int run(const struct bw_arguments *arguments)
{
    int output = bw_argument_choice(arguments, "output", outputs);
    struct bw_config *config = NULL;
    if (output < 0) {
        return BW_EXIT_TROUBLE;
    }
    if (arguments->n_operands != 1) {
        return bw_trouble(arguments, "one image is needed: a registry reference, or oci:DIR[:TAG]");
    }
    if (bw_settings_load(&config, arguments, bw_argument(arguments, "config")) != 0) {
        return BW_EXIT_TROUBLE;
    }
    int status = analyze(arguments, config, output);
    bw_config_release(config);
    return status;
}

static const struct bw_option options[] = {
    {"config", "FILE", "Registry and analysis settings; see breakwater explain config.", false},
    {"platform", "PLATFORM", "Which image of an index, as linux/arm64. Default: this machine's.", false},
    {"output", "FORMAT", "summary (default), or json: the whole analysis document.", false},
    {0},
};

const struct bw_command bw_command_analyze = {
    .name = "analyze",
    .summary = "show what is known of an image",
    .synopsis = "breakwater analyze [--config FILE] [--platform PLATFORM] [--output FORMAT] IMAGE",
    .description = "Pulls an image (a registry reference, or oci:DIR[:TAG] for an OCI layout folder), unpacks it in a "
                   "sandboxed child "
                   "process and shows what was found: packages, files, secrets, licenses, Dockerfile. The document "
                   "that --output json "
                   "prints can be given to `breakwater evaluate --analysis`.\n\nCredentials come from the configured "
                   "file, else from "
                   "$REGISTRY_AUTH_FILE, else from ~/.docker/config.json.",
    .options = options,
    .exit_status = "0, or 2 if the image could not be analysed.",
    .examples =
        "  breakwater analyze registry.example/shop/cart:9\n  breakwater analyze --output json oci:./image > cart.json",
    .run = run,
};
