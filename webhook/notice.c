/* Events about admissions (webhook/notice.h). */
#include "webhook/notice.h"

#include "base/buf.h"

#include <string.h>

static const struct {
    const char *decision, *reason;
} reasons[] = {
    {"deny", "ImageDenied"},
    {"error", "AnalysisFailed"},
    {"warn", "ImageWarning"},
    {"break-glass", "BreakGlass"},
};

static const struct bw_owner *controller_of(const struct bw_review *review)
{
    for (size_t i = 0; i < review->n_owners; i++) {
        if (review->owners[i].controller && review->owners[i].uid[0] != '\0') {
            return &review->owners[i];
        }
    }
    return NULL;
}

static void post(struct bw_events *events, const struct bw_outcome_inputs *inputs, const char *reason, const char *note)
{
    const struct bw_review *review = inputs->review;
    const struct bw_owner *owner = controller_of(review);
    if (events == NULL || reason == NULL || note == NULL || review->dry_run || review->namespace[0] == '\0') {
        return;
    }
    const struct bw_event event = {
        .api_version = owner == NULL ? "v1" : owner->api_version,
        .kind = owner == NULL ? "Namespace" : owner->kind,
        .name = owner == NULL ? review->namespace : owner->name,
        .uid = owner == NULL ? "" : owner->uid,
        .namespace = review->namespace,
        .reason = reason,
        .action = "Admission",
        .note = note,
        .subject = inputs->n_subjects > 0 ? inputs->subjects[0].written : NULL,
        .warning = true,
    };
    bw_events_post(events, &event);
}

void bw_notice_post(struct bw_events *events, const struct bw_outcome_inputs *inputs, const struct bw_outcome *outcome)
{
    const char *reason = NULL;
    const char *note = outcome->message != NULL  ? outcome->message
                       : outcome->n_warnings > 0 ? outcome->warnings[0]
                                                 : NULL;
    if (strcmp(outcome->reason, "noBundle") == 0) {
        reason = "NoBundle";
    }
    for (size_t i = 0; reason == NULL && i < BW_LENGTH(reasons); i++) {
        reason = strcmp(outcome->decision, reasons[i].decision) == 0 ? reasons[i].reason : reason;
    }
    post(events, inputs, reason, note);
}

void bw_notice_post_late(struct bw_events *events, const struct bw_outcome_inputs *inputs,
                         const struct bw_outcome *outcome)
{
    BW_BUF_SCOPE note;
    bw_buf_init(&note, 4096);
    bw_buf_puts(&note, "admitted before its images were known: ");
    bw_buf_puts(&note, outcome->message == NULL ? "policy stops one" : outcome->message);
    post(events, inputs, "ImageDeniedLate", note.data);
}
