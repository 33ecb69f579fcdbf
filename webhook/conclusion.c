/* What is said at the end of an admission: the review that answers it, with its audit annotations, and what log,
 * metrics and Events are told of it. */
#include "base/buf.h"
#include "webhook/account.h"
#include "webhook/admission_internal.h"
#include "webhook/ledger.h"
#include "webhook/notice.h"

#include <stdio.h>
#include <string.h>

const char *bw_join(struct bw_arena *arena, const char *const *parts, size_t n_parts)
{
    size_t lengths[20], total = 0;
    for (size_t i = 0; i < n_parts && i < BW_LENGTH(lengths); i++) {
        total += lengths[i] = strlen(parts[i]);
    }
    char *text = bw_arena_alloc(arena, total + 1), *end = text;
    for (size_t i = 0; text != NULL && i < n_parts && i < BW_LENGTH(lengths); i++) {
        memcpy(end, parts[i], lengths[i]);
        end += lengths[i];
    }
    return text;
}

static const char *describe_images(struct bw_admission *at)
{
    BW_BUF_SCOPE text;
    bw_buf_init(&text, 4096);
    bw_buf_puts(&text, "[");
    for (size_t i = 0; i < at->n_subjects && text.len < 1700; i++) {
        const struct bw_subject *subject = &at->subjects[i];
        bw_buf_puts(&text, i == 0 ? "{\"image\":" : ",{\"image\":");
        bw_buf_json(&text, subject->image->text, strnlen(subject->image->text, 200));
        bw_buf_puts(&text, ",\"field\":");
        bw_buf_json(&text, subject->image->field, strnlen(subject->image->field, 100));
        if (subject->state == BW_SUBJECT_DECIDED) {
            for (size_t j = 0; j < subject->n_variants && text.len < 1700; j++) {
                bw_buf_puts(&text, j == 0 ? ",\"digest\":\"" : ",\"variants\":[{\"digest\":\"");
                bw_buf_puts(&text, subject->variants[j].digest.text);
                bw_buf_puts(&text, "\",\"verdict\":\"");
                bw_buf_puts(&text, bw_action_name(subject->variants[j].verdict->action));
                bw_buf_puts(&text, j == 0 ? "\"" : "\"}]");
                if (j == 1) {
                    break;
                }
            }
        } else {
            bw_buf_printf(&text, ",\"verdict\":\"%s\"", subject->state == BW_SUBJECT_FAULTY ? "error" : "pending");
        }
        bw_buf_puts(&text, "}");
    }
    bw_buf_puts(&text, "]");
    return text.full ? NULL : bw_arena_strndup(&at->arena, text.data, text.len);
}

/* The treatment of the first image that has one; most objects have one for all. */
static const struct bw_treatment *first_treatment(const struct bw_admission *at)
{
    for (size_t i = 0; i < at->n_subjects; i++) {
        if (at->subjects[i].treated) {
            return &at->subjects[i].treatment;
        }
    }
    return NULL;
}

static const char *mode_of(const struct bw_admission *at)
{
    const struct bw_treatment *treatment = first_treatment(at);
    return treatment == NULL ? NULL : treatment->warn_only ? bw_mode_name(BW_MODE_WARN) : bw_mode_name(treatment->mode);
}

enum { MAX_NOTES = 12 };

static size_t annotate_treatment(struct bw_admission *at, struct bw_annotation *notes)
{
    const struct bw_treatment *treatment = first_treatment(at);
    const char *reason = bw_break_glass_reason(&at->review);
    size_t n = 0;
    if (treatment == NULL) {
        return 0;
    }
    notes[n++] = (struct bw_annotation){"mode", mode_of(at)};
    if (treatment->selector != NULL && treatment->selector->id[0] != '\0') {
        notes[n++] = (struct bw_annotation){"selector", treatment->selector->id};
    }
    if (treatment->bundle != NULL) {
        char hash[13] = "";
        memcpy(hash, bw_bundle_hash(treatment->bundle), sizeof(hash) - 1);
        const char *bundle = JOIN(&at->arena, bw_bundle_id(treatment->bundle), "@", hash);
        if (bundle != NULL) {
            notes[n++] = (struct bw_annotation){"bundle", bundle};
        }
    }
    if (treatment->mode == BW_MODE_BREAK_GLASS && reason != NULL) {
        notes[n++] = (struct bw_annotation){"break-glass-reason", reason};
    }
    for (size_t i = 0; i < at->n_subjects; i++) {
        if (at->subjects[i].treatment.exemption != NULL) {
            notes[n++] = (struct bw_annotation){"exemption", at->subjects[i].treatment.exemption->id};
            break;
        }
    }
    return n;
}

static size_t annotate(struct bw_admission *at, const struct bw_outcome *outcome, struct bw_annotation *notes)
{
    size_t n = 0;
    notes[n++] = (struct bw_annotation){"decision", outcome->decision};
    notes[n++] = (struct bw_annotation){"reason", outcome->reason};
    n += annotate_treatment(at, notes + n);
    for (size_t i = 0; i < at->n_subjects; i++) {
        if (at->subjects[i].state == BW_SUBJECT_DECIDED && at->subjects[i].n_variants > 0 &&
            at->subjects[i].variants[0].verdict->policies[0] != '\0') {
            notes[n++] = (struct bw_annotation){"policy", at->subjects[i].variants[0].verdict->policies};
            break;
        }
    }
    if (at->result.images != NULL) {
        notes[n++] = (struct bw_annotation){"images", at->result.images};
    }
    if (at->services->pod != NULL) { /* whom to ask for an explanation, and for which */
        notes[n++] = (struct bw_annotation){"pod", at->services->pod};
        notes[n++] = (struct bw_annotation){"uid", at->head.uid};
    }
    return n;
}

static void describe(struct bw_admission *at, const struct bw_outcome *outcome)
{
    struct bw_admit_result *result = &at->result;
    result->uid = at->head.uid;
    result->decision = outcome->decision;
    result->reason = outcome->reason;
    result->kind = at->review.kind;
    bool known = at->review.now.supported || bw_workload_find(at->review.group, at->review.resource, "") != NULL;
    result->resource = known ? at->review.resource : "other";
    result->dry_run = at->review.dry_run;
    result->namespace = at->review.namespace;
    result->name = at->review.name;
    result->operation = at->review.operation;
    result->username = at->review.username;
    const struct bw_treatment *treatment = first_treatment(at);
    result->mode = mode_of(at);
    if (treatment != NULL) {
        result->selector = treatment->selector == NULL ? NULL : treatment->selector->id;
        result->bundle = treatment->bundle == NULL ? NULL : bw_bundle_id(treatment->bundle);
    }
    if (!outcome->allowed && outcome->message != NULL) {
        result->detail = bw_arena_strndup(&at->arena, outcome->message, strnlen(outcome->message, 400));
    }
}

/* What is sent when even the answer does not fit the admission's memory. */
static void give_up(struct bw_admission *at, const char *why)
{
    at->result = (struct bw_admit_result){.http_status = 500,
                                          .body = why,
                                          .len = strlen(why),
                                          .uid = at->head.uid,
                                          .decision = "error",
                                          .reason = "internal"};
    at->done = true;
}

static struct bw_outcome_inputs inputs_of(const struct bw_admission *at, bool overloaded)
{
    return (struct bw_outcome_inputs){.review = &at->review,
                                      .config = at->config,
                                      .subjects = at->subjects,
                                      .n_subjects = at->n_subjects,
                                      .warn_only = at->warn_only,
                                      .overloaded = overloaded};
}

/* ---- late verdicts ---- */

/* A dry run admits nothing, and where nothing is denied no verdict comes too late. */
static void mark_late(struct bw_admission *at, const struct bw_outcome *outcome)
{
    bool binding = outcome->allowed && !at->warn_only && !at->background && !at->review.dry_run;
    for (size_t i = 0; binding && i < at->n_subjects; i++) {
        struct bw_subject *subject = &at->subjects[i];
        const struct bw_treatment *treatment = &subject->treatment;
        subject->late = subject->state == BW_SUBJECT_PENDING && treatment->bundle != NULL && !treatment->warn_only;
        at->late = at->late || subject->late;
    }
}

static bool is_stopped(const struct bw_subject *subject)
{
    bool stopped = false;
    for (size_t i = 0; subject->late && subject->state == BW_SUBJECT_DECIDED && i < subject->n_variants; i++) {
        stopped = stopped || subject->variants[i].verdict->action == BW_STOP;
    }
    return stopped;
}

static void tell_late(struct bw_admission *at)
{
    const struct bw_outcome_inputs inputs = inputs_of(at, false);
    struct bw_outcome outcome = {0};
    bool stopped = false;
    for (size_t i = 0; i < at->n_subjects; i++) {
        stopped = stopped || is_stopped(&at->subjects[i]);
    }
    if (!stopped) {
        return;
    }
    bool told = bw_outcome_make(&outcome, &inputs, &at->arena, NULL) == 0;
    at->result.images = describe_images(at);
    bw_account_late(&at->result, outcome.message);
    if (told) {
        bw_notice_post_late(at->services->events, &inputs, &outcome);
    }
}

bool bw_admission_is_late(const struct bw_admission *at)
{
    return at->late;
}

enum bw_admit_state bw_admission_step_late(struct bw_admission *at, const uint64_t **jobs, size_t *n_jobs)
{
    *jobs = at->jobs;
    *n_jobs = bw_admission_look_again(at);
    if (*n_jobs > 0) {
        return BW_ADMIT_WAIT;
    }
    tell_late(at);
    at->late = false;
    return BW_ADMIT_DONE;
}

size_t bw_admission_size(const struct bw_admission *at)
{
    return at->arena.used;
}

/* ---- the answer ---- */

void bw_admission_answer(struct bw_admission *at, const struct bw_outcome *outcome)
{
    struct bw_annotation notes[MAX_NOTES];
    at->result.images = at->n_subjects == 0 ? NULL : describe_images(at);
    const struct bw_admission_response response = {
        .api_version = at->head.api_version,
        .uid = at->head.uid,
        .allowed = outcome->allowed,
        .code = outcome->code,
        .reason = outcome->status_reason,
        .message = outcome->message,
        .retry_after_s = outcome->retry_after_s,
        .details_name = at->review.name,
        .details_group = at->review.group,
        .details_kind = at->review.resource,
        .causes = outcome->causes,
        .n_causes = outcome->n_causes,
        .warnings = (const char *const *)outcome->warnings,
        .n_warnings = outcome->n_warnings,
        .annotations = notes,
        .n_annotations = annotate(at, outcome, notes),
    };
    if (bw_admission_review_encode(&at->result.body, &at->result.len, &response, &at->arena, NULL) != 0) {
        give_up(at, "the answer is larger than an admission may be\n");
        return;
    }
    at->result.http_status = 200;
    describe(at, outcome);
    bw_account_images(at->subjects, at->n_subjects);
    const struct bw_outcome_inputs inputs = inputs_of(at, false);
    bw_notice_post(at->services->events, &inputs, outcome);
    bw_ledger_add(at->services->ledger, at->bundles, &inputs, outcome);
    mark_late(at, outcome);
    at->done = true;
}

void bw_admission_allow(struct bw_admission *at, const char *decision, const char *reason)
{
    const struct bw_outcome outcome = {.decision = decision, .reason = reason, .allowed = true};
    bw_admission_answer(at, &outcome);
}

void bw_admission_fault(struct bw_admission *at, enum bw_fault which, const char *text)
{
    const struct bw_outcome_inputs inputs = inputs_of(at, false);
    struct bw_outcome outcome = {0};
    if (bw_outcome_fault(&outcome, &inputs, which, text, &at->arena, NULL) != 0) {
        give_up(at, "the admission does not fit its memory\n");
        return;
    }
    bw_admission_answer(at, &outcome);
}

void bw_admission_decide(struct bw_admission *at, bool overloaded)
{
    const struct bw_outcome_inputs inputs = inputs_of(at, overloaded);
    struct bw_outcome outcome = {0};
    if (at->background) {
        bw_admission_allow(at, "skip", "mirror_pod");
    } else if (bw_outcome_make(&outcome, &inputs, &at->arena, NULL) != 0) {
        bw_admission_fault(at, BW_FAULT_INTERNAL, "the findings of this object do not fit the memory of an admission");
    } else {
        bw_admission_answer(at, &outcome);
    }
}
