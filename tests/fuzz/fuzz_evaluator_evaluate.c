/* A bundle, a byte 0, an analysis: any bundle on any facts gives a decision, twice the same one. */
#include "base/limits.h"
#include "evaluator/evaluate.h"
#include "image/report_json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct bw_cvss scores[] = {{.version = "3.1", .base = 9.8, .exploitability = 3.9, .impact = 5.9}};
static const char *const fixes[] = {"1.1"};
static const struct bw_vulnerability_match matches[] = {
    {.id = "CVE-1",
     .severity = "High",
     .feed_group = "debian:9",
     .package_name = "openssl",
     .package_version = "1.0",
     .package_type = "dpkg",
     .package_path = "pkgdb",
     .fix_versions = fixes,
     .n_fix_versions = 1,
     .fix_observed_s = 1637000000,
     .detected_s = 1637000000,
     .nvd_cvss = scores,
     .n_nvd_cvss = 1},
    {.id = "CVE-2",
     .severity = "odd",
     .package_type = "npm",
     .will_not_fix = true,
     .fix_observed_s = -1,
     .detected_s = -1},
};
static const struct bw_vulnerabilities vulnerabilities = {
    .available = true, .matches = matches, .n_matches = 2, .database = true, .built_s = 1637000000};

static void evaluate(struct bw_decision *out, const struct bw_bundle *bundle, const struct bw_facts *facts,
                     struct bw_arena *arena)
{
    struct bw_error err = {0};
    bw_arena_init(arena, 64 * BW_MIB);
    if (bw_evaluate(out, bundle, facts, BW_NO_MAPPING_WARN, arena, &err) != 0 && err.code != BW_ELIMIT) {
        abort();
    }
}

static void judge(const struct bw_bundle *bundle, const struct bw_report *report, bool tagless, bool scanned)
{
    struct bw_reference reference = {.registry = "docker.io", .repository = "library/app", .tag = tagless ? NULL : "1"};
    struct bw_facts facts = {.reference = &reference,
                             .tag_counts = !tagless,
                             .report = report,
                             .vulnerabilities = scanned ? &vulnerabilities : NULL,
                             .now_s = 1637409600};
    struct bw_arena arenas[2];
    struct bw_decision decisions[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        evaluate(&decisions[i], bundle, &facts, &arenas[i]);
    }
    if (decisions[0].action != decisions[1].action || decisions[0].n_findings != decisions[1].n_findings) {
        abort();
    }
    for (size_t i = 0; i < decisions[0].n_findings; i++) {
        if (strcmp(decisions[0].findings[i].trigger_id, decisions[1].findings[i].trigger_id) != 0) {
            abort();
        }
    }
    bw_arena_clear(&arenas[0]);
    bw_arena_clear(&arenas[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, 0, size);
    if (end == NULL) {
        return 0;
    }
    size_t bundle_len = (size_t)(end - data);
    struct bw_problems problems;
    struct bw_bundle *bundle = NULL;
    struct bw_report *report = NULL;
    struct bw_error err = {0};
    bw_problems_init(&problems);
    if (bw_bundle_load(&bundle, &problems, (const char *)data, bundle_len, NULL, &err) == 0 &&
        bw_report_read_json(&report, (const char *)end + 1, size - bundle_len - 1, &err) == 0) {
        judge(bundle, report, (size & 1) != 0, (size & 2) != 0);
    }
    bw_report_release(report);
    bw_bundle_release(bundle);
    bw_problems_clear(&problems);
    return 0;
}
