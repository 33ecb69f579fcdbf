/* Metrics and log of admissions (webhook/account.h). No label comes from a request as it is. */
#include "webhook/account.h"

#include "base/log.h"
#include "base/metrics.h"

#include <string.h>

static const double seconds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

static struct bw_metric requests_total = {
    .name = "breakwater_admission_requests_total",
    .help = "Admissions answered, by resource, operation, decision, reason, mode of the first image, and dry run.",
    .kind = BW_METRIC_COUNTER,
    .labels = {"resource", "operation", "decision", "reason", "mode", "dry_run"},
};
static struct bw_metric duration_seconds = {
    .name = "breakwater_admission_duration_seconds",
    .help = "Time from the first byte of a review to its answer.",
    .kind = BW_METRIC_HISTOGRAM,
    .labels = {"decision"},
    .buckets = seconds,
    .n_buckets = BW_LENGTH(seconds),
};
static struct bw_metric deadline_total = {
    .name = "breakwater_admission_deadline_exceeded_total",
    .help = "Admissions answered with what was known because their time was over, by decision.",
    .kind = BW_METRIC_COUNTER,
    .labels = {"decision"},
};
static struct bw_metric evaluations_total = {
    .name = "breakwater_image_evaluations_total",
    .help = "Images of admissions by what became of them: go, warn, stop, error (nothing could be learned), pending.",
    .kind = BW_METRIC_COUNTER,
    .labels = {"verdict"},
};
static struct bw_metric findings_total = {
    .name = "breakwater_policy_findings_total",
    .help = "Findings of policies about images of admissions, those that let pass left out.",
    .kind = BW_METRIC_COUNTER,
    .labels = {"gate", "trigger", "action"},
};

static struct bw_metric late_total = {
    .name = "breakwater_admitted_then_failed_total",
    .help = "Admissions of images that were not known in time and that policy stops, as was found out later.",
    .kind = BW_METRIC_COUNTER,
};
static struct bw_metric break_glass_total = {
    .name = "breakwater_break_glass_total",
    .help = "Admissions by the mode breakglass, by namespace; dry runs left out.",
    .kind = BW_METRIC_COUNTER,
    .labels = {"namespace"},
};
static struct bw_metric exemption_hits_total = {
    .name = "breakwater_exemption_hits_total",
    .help = "Images that an exemption admitted.",
    .kind = BW_METRIC_COUNTER,
    .labels = {"id"},
};
static struct bw_metric exemption_end = {
    .name = "breakwater_exemption_expires_timestamp_seconds",
    .help = "When each configured exemption ends, as seconds since 1970.",
    .kind = BW_METRIC_GAUGE,
    .labels = {"id"},
};

/* Every n-th admit is logged; denials and whatever else is out of the ordinary always are. */
static bool is_logged(const struct bw_admit_result *result, const char *admits)
{
    static const char *const ordinary[] = {"allow", "warn", "skip", "unchanged"};
    static unsigned n_admits;
    for (size_t i = 0; i < BW_LENGTH(ordinary); i++) {
        unsigned every = 1;
        if (strcmp(result->decision, ordinary[i]) == 0) {
            return bw_log_share_parse(&every, admits) != 0 ||
                   (every > 0 && __atomic_fetch_add(&n_admits, 1, __ATOMIC_RELAXED) % every == 0);
        }
    }
    return true;
}

void bw_account_admission(const struct bw_admit_result *result, const char *admits, int64_t took_ms,
                          int64_t deadline_ms)
{
    const char *dry_run = result->dry_run ? "true" : "false";
    bool broken = !result->dry_run && strcmp(result->decision, "break-glass") == 0;
    if (is_logged(result, admits)) {
        bw_log(broken ? BW_LOG_WARN : BW_LOG_INFO, "admission", BW_F("requestUID", result->uid),
               BW_F("namespace", result->namespace), BW_F("kind", result->kind), BW_F("name", result->name),
               BW_F("operation", result->operation), BW_F("user", result->username), BW_FJ("dryRun", dry_run),
               BW_FJ("images", result->images), BW_F("decision", result->decision), BW_F("reason", result->reason),
               BW_F("mode", result->mode), BW_F("selector", result->selector), BW_F("bundle", result->bundle),
               BW_FI("durationMs", took_ms), BW_FI("deadlineMs", deadline_ms), BW_F("detail", result->detail));
    }
    bw_metric_add(
        &requests_total, 1,
        BW_LABELS(result->resource, result->operation, result->decision, result->reason, result->mode, dry_run));
    bw_metric_observe(&duration_seconds, (double)took_ms / 1000, BW_LABELS(result->decision));
    if (broken) {
        bw_metric_add(&break_glass_total, 1, BW_LABELS(result->namespace));
    }
}

void bw_account_deadline(const struct bw_admit_result *result)
{
    bw_metric_add(&deadline_total, 1, BW_LABELS(result->decision));
}

void bw_account_late(const struct bw_admit_result *result, const char *message)
{
    bw_log(BW_LOG_WARN, "policy stops what was admitted before its images were known", BW_F("requestUID", result->uid),
           BW_F("namespace", result->namespace), BW_F("kind", result->kind), BW_F("name", result->name),
           BW_F("operation", result->operation), BW_F("user", result->username), BW_FJ("images", result->images),
           BW_F("detail", message));
    bw_metric_add(&late_total, 1, NULL);
}

void bw_account_gone(int64_t took_ms)
{
    bw_metric_add(&requests_total, 1, BW_LABELS("", "", "error", "client_gone", "", "false"));
    bw_log(BW_LOG_INFO, "the client went away before its admission was decided", BW_FI("durationMs", took_ms));
}

static void account_verdict(const struct bw_verdict *verdict)
{
    bw_metric_add(&evaluations_total, 1, BW_LABELS(bw_action_name(verdict->action)));
    for (size_t i = 0; i < verdict->n_findings; i++) {
        const struct bw_kept_finding *kept = &verdict->findings[i];
        if (kept->n_of_rule > 0) {
            bw_metric_add(&findings_total, (double)kept->n_of_rule,
                          BW_LABELS(kept->finding.gate, kept->finding.trigger, bw_action_name(kept->finding.action)));
        }
    }
}

void bw_account_images(const struct bw_subject *subjects, size_t n_subjects)
{
    for (size_t i = 0; i < n_subjects; i++) {
        const struct bw_subject *subject = &subjects[i];
        if (subject->treatment.exemption != NULL) {
            bw_metric_add(&exemption_hits_total, 1, BW_LABELS(subject->treatment.exemption->id));
        }
        if (subject->state != BW_SUBJECT_DECIDED) {
            bw_metric_add(&evaluations_total, 1, BW_LABELS(subject->state == BW_SUBJECT_FAULTY ? "error" : "pending"));
        }
        for (size_t j = 0; j < subject->n_variants; j++) {
            if (subject->variants[j].verdict != NULL) {
                account_verdict(subject->variants[j].verdict);
            }
        }
    }
}

void bw_account_exemptions(const struct bw_config *old, const struct bw_config *now)
{
    for (size_t i = 0; old != NULL && i < old->n_exemptions; i++) {
        bw_metric_remove(&exemption_end, BW_LABELS(old->exemptions[i].id));
    }
    for (size_t i = 0; i < now->n_exemptions; i++) {
        bw_metric_set(&exemption_end, (double)now->exemptions[i].expires_s, BW_LABELS(now->exemptions[i].id));
    }
}
