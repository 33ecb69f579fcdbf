/*
 * From what became of each image to one answer: who is denied, with which code, and the sentences that a person reads
 * at a kubectl prompt or in an event. Worst first; every line names the field, the image and what to do.
 */
#include "base/buf.h"
#include "webhook/subject.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LINES = 64, MESSAGE_ROOM = BW_MAX_DENY_MESSAGE - 160 };

enum effect { ADMIT, WARN, PENDING, UNAVAILABLE, DENY };

struct writing {
    const struct bw_outcome_inputs *in;
    struct bw_arena *arena;
    struct bw_buf lines; /* of the message */
    size_t n_left_out;
    struct bw_status_cause *causes;
    size_t n_causes, cause_capacity;
    const char **warnings;
    size_t n_warnings, warning_capacity;
    size_t n_effect[DENY + 1];
    int estimate_s;
    enum bw_fault fault; /* of the worst */
    bool failed;
};

/* ---- classes ---- */

static const struct {
    const char *detail;
    enum bw_fault fault;
} faults[] = {
    {"image_not_found", BW_FAULT_IMAGE_NOT_FOUND},
    {"invalid_reference", BW_FAULT_INVALID_REFERENCE},
    {"unauthorized", BW_FAULT_UNAUTHORIZED},
    {"address_refused", BW_FAULT_INVALID_REFERENCE}, /* no credential opens it: the name leads where it may not */
    {"rate_limited", BW_FAULT_RATE_LIMITED},
    {"registry_unavailable", BW_FAULT_REGISTRY_UNAVAILABLE},
    {"image_too_large", BW_FAULT_IMAGE_TOO_LARGE},
    {"too_many_layers", BW_FAULT_IMAGE_TOO_LARGE},
    {"decompression_bomb", BW_FAULT_IMAGE_TOO_LARGE},
    {"tar_limit", BW_FAULT_IMAGE_TOO_LARGE},
    {"manifest_too_large", BW_FAULT_IMAGE_TOO_LARGE},
    {"memory_budget", BW_FAULT_INTERNAL},
    {"queue_full", BW_FAULT_OVERLOAD},
    {"no_matching_platform", BW_FAULT_ANALYSIS_FAILED},
    {"not_analyzed", BW_FAULT_ANALYSIS_FAILED},
};

enum bw_fault bw_fault_of(const struct bw_error *error)
{
    for (size_t i = 0; i < BW_LENGTH(faults); i++) {
        if (strcmp(error->detail, faults[i].detail) == 0) {
            return faults[i].fault;
        }
    }
    switch (error->code) {
    case BW_ENOTFOUND:
        return BW_FAULT_IMAGE_NOT_FOUND;
    case BW_EDENIED:
        return BW_FAULT_UNAUTHORIZED;
    case BW_ERATELIMITED:
        return BW_FAULT_RATE_LIMITED;
    case BW_EUNAVAILABLE:
    case BW_EDEADLINE:
        return BW_FAULT_REGISTRY_UNAVAILABLE;
    case BW_EINTERNAL:
        return BW_FAULT_INTERNAL;
    default:
        return BW_FAULT_ANALYSIS_FAILED;
    }
}

static const char *const advice[BW_FAULT_COUNT] = {
    [BW_FAULT_IMAGE_NOT_FOUND] = "check its name and tag, or push it first",
    [BW_FAULT_INVALID_REFERENCE] = "write it as registry/repository:tag or registry/repository@sha256:...",
    [BW_FAULT_UNAUTHORIZED] = "check the name, and whether breakwater has credentials for this registry",
    [BW_FAULT_REGISTRY_UNAVAILABLE] = "try again when the registry answers",
    [BW_FAULT_RATE_LIMITED] = "try again later",
    [BW_FAULT_ANALYSIS_FAILED] = "rebuild or push the image again; what cannot be analysed is not admitted",
    [BW_FAULT_IMAGE_TOO_LARGE] = "the limits of the analysis are exceeded; make the image smaller",
    [BW_FAULT_OVERLOAD] = "try again",
};

bool bw_is_controller(const struct bw_review *review)
{
    for (size_t i = 0; review->groups != NULL && review->groups[i] != NULL; i++) {
        if (strcmp(review->groups[i], "system:serviceaccounts:kube-system") == 0 ||
            strcmp(review->groups[i], "system:nodes") == 0) {
            return true;
        }
    }
    return strncmp(review->username, "system:kube-", 12) == 0;
}

static enum effect by_setting(enum bw_on_error setting, enum effect deny)
{
    return setting == BW_ON_ERROR_ALLOW ? ADMIT : setting == BW_ON_ERROR_WARN ? WARN : deny;
}

static enum effect fault_effect(const struct bw_config *config, enum bw_fault fault)
{
    enum effect deny =
        fault == BW_FAULT_REGISTRY_UNAVAILABLE || fault == BW_FAULT_NO_BUNDLE || fault == BW_FAULT_INTERNAL
            ? UNAVAILABLE
        : fault == BW_FAULT_RATE_LIMITED || fault == BW_FAULT_OVERLOAD ? PENDING
                                                                       : DENY;
    return by_setting(config->on_error[fault], deny);
}

/* A rule that could not be evaluated is a STOP (D9), which onError.analysisIncomplete may soften to a warning where it
 * was data that the analysis lacks (D25). */
static enum effect verdict_effect(const struct bw_config *config, const struct bw_verdict *verdict)
{
    if (verdict->action != BW_STOP) {
        return verdict->action == BW_WARN ? WARN : ADMIT;
    }
    bool only_incomplete = verdict->n_incomplete > 0 && verdict->n_incomplete == verdict->n_undecided &&
                           verdict->n_stop == 0 && strcmp(verdict->reason, "policy_evaluation") == 0;
    return only_incomplete ? by_setting(config->on_error[BW_FAULT_ANALYSIS_INCOMPLETE], DENY) : DENY;
}

/* What it would come to if nothing softened it. */
static enum effect subject_effect(const struct writing *at, const struct bw_subject *subject)
{
    const struct bw_config *config = at->in->config;
    enum effect worst = ADMIT;
    if (subject->treatment.refusal != NULL) {
        return DENY;
    }
    switch (subject->state) {
    case BW_SUBJECT_FAULTY:
        return fault_effect(config, subject->fault);
    case BW_SUBJECT_DECIDED:
        for (size_t i = 0; i < subject->n_variants; i++) {
            enum effect one = verdict_effect(config, subject->variants[i].verdict);
            worst = one > worst ? one : worst;
        }
        return worst;
    default:
        return at->in->overloaded ? fault_effect(config, BW_FAULT_OVERLOAD)
                                  : by_setting(subject->treatment.on_pending, PENDING);
    }
}

static bool is_softened(const struct writing *at, const struct bw_subject *subject)
{
    return at->in->warn_only || subject->treatment.warn_only;
}

/* What it comes to. */
static enum effect final_effect(const struct writing *at, const struct bw_subject *subject)
{
    enum effect effect = subject_effect(at, subject);
    return effect > WARN && is_softened(at, subject) ? WARN : effect;
}

/* ---- texts ---- */

bool bw_subject_has(const struct bw_subject *subject, const struct bw_pod_image *image)
{
    const struct bw_pod_image *known = subject->image;
    return known->len == image->len && memcmp(known->text, image->text, image->len) == 0 &&
           (known->kind == BW_IMAGE_VOLUME) == (image->kind == BW_IMAGE_VOLUME);
}

static void add_warning(struct writing *at, const char *text)
{
    if (text == NULL || at->failed ||
        bw_arena_grow(at->arena, (void **)&at->warnings, at->n_warnings, &at->warning_capacity, sizeof(*at->warnings),
                      NULL) != 0) {
        at->failed = true;
        return;
    }
    at->warnings[at->n_warnings++] = text;
}

/* The n-th field of the object that names this image, or NULL. */
static const char *field_of(const struct writing *at, const struct bw_subject *subject, size_t n)
{
    const struct bw_pod_images *images = &at->in->review->now;
    if (n == 0) {
        return subject->image->field;
    }
    for (size_t i = 0; n < subject->n_fields && i < images->n_images; i++) {
        if (bw_subject_has(subject, &images->images[i]) && n-- == 0) {
            return images->images[i].field;
        }
    }
    return NULL;
}

/* A cause per field. */
static void add_cause(struct writing *at, const char *reason, const struct bw_subject *subject, const char *message)
{
    const char *field = NULL;
    for (size_t n = 0; at->n_causes < BW_MAX_CAUSES && (field = field_of(at, subject, n)) != NULL; n++) {
        if (reason == NULL || message == NULL || at->failed ||
            bw_arena_grow(at->arena, (void **)&at->causes, at->n_causes, &at->cause_capacity, sizeof(*at->causes),
                          NULL) != 0) {
            at->failed = true;
            return;
        }
        at->causes[at->n_causes++] = (struct bw_status_cause){reason, field, message};
    }
}

/* "spec.containers[0].image registry/x:1 [3fa1c2d4e5f6] linux/arm64"; up to three fields are named. */
static const char *place(struct writing *at, const struct bw_subject *subject, const struct bw_subject_variant *variant)
{
    char digest[13] = "", more[48] = "";
    bool many = variant != NULL && subject->n_variants > 1;
    const char *second = field_of(at, subject, 1), *third = field_of(at, subject, 2);
    if (variant != NULL) {
        bw_digest_short(digest, &variant->digest);
    }
    if (subject->n_fields > 3) {
        (void)snprintf(more, sizeof(more), " and %zu more", subject->n_fields - 3);
    }
    const char *text = bw_arena_printf(
        at->arena, "%s%s%s%s%s%s %.300s%s%s%s%s%s", subject->image->field, second == NULL ? "" : ", ",
        second == NULL ? "" : second, third == NULL ? "" : ", ", third == NULL ? "" : third, more, subject->image->text,
        digest[0] ? " [" : "", digest, digest[0] ? "]" : "", many ? " " : "", many ? variant->platform : "");
    at->failed = at->failed || text == NULL;
    return text == NULL ? "" : text;
}

/* One line of the message, or a warning where nothing is denied. */
static void add_line(struct writing *at, const struct bw_subject *subject, enum effect effect, const char *text)
{
    if (text == NULL) {
        at->failed = true;
    } else if (effect == WARN) {
        add_warning(at, text);
    } else if (is_softened(at, subject)) {
        add_warning(at, bw_arena_printf(at->arena, "would deny: %s", text));
    } else if (at->lines.len + strlen(text) + 1 > MESSAGE_ROOM) {
        at->n_left_out++;
    } else {
        bw_buf_printf(&at->lines, "\n%s", text);
    }
}

/* One rule's findings are one line: the first, and how many more there are. Causes carry each. */
static void write_finding(struct writing *at, const struct bw_subject *subject,
                          const struct bw_subject_variant *variant, const struct bw_kept_finding *kept,
                          enum effect effect)
{
    const struct bw_finding *finding = &kept->finding;
    effect = finding->action != BW_STOP ? WARN : effect;
    const char *policy =
        finding->policy_name != NULL && finding->policy_name[0] ? finding->policy_name : finding->policy_id;
    const char *what = finding->undecided ? "could not be evaluated" : finding->action == BW_STOP ? "STOP" : "WARN";
    char more[48] = "";
    if (effect == DENY) {
        add_cause(at, bw_arena_printf(at->arena, "%s:%s", finding->gate, finding->trigger), subject, finding->message);
    }
    if (kept->n_of_rule == 0) {
        return;
    }
    if (kept->n_of_rule > 1) {
        (void)snprintf(more, sizeof(more), ", and %zu more", kept->n_of_rule - 1);
    }
    bool comment = finding->comment != NULL && finding->comment[0] != '\0' && !finding->undecided;
    add_line(at, subject, effect,
             bw_arena_printf(
                 at->arena, "%s: %s:%s %s %.400s%s%.500s%s%s (policy %.100s%s%.100s)", place(at, subject, variant),
                 finding->gate, finding->trigger, what, comment ? finding->comment : "", comment ? " (" : "",
                 finding->message, more, comment ? ")" : "", policy == NULL ? "-" : policy,
                 finding->rule_id == NULL ? "" : ", rule ", finding->rule_id == NULL ? "" : finding->rule_id));
}

static void write_reason(struct writing *at, const struct bw_subject *subject, const struct bw_subject_variant *variant)
{
    const struct bw_verdict *verdict = variant->verdict;
    const char *text = NULL;
    if (strcmp(verdict->reason, "blacklisted") == 0) {
        text = "is on the bundle's list of images that are never admitted";
    } else if (strcmp(verdict->reason, "no_mapping") == 0) {
        text = "no mapping of the bundle matches this image, so no policy was applied";
    } else if (strcmp(verdict->reason, "tag_undecided") == 0) {
        text =
            "its digest is what runs, and whether the tag that the bundle's mapping asks for leads to it is not known; "
            "name the image by tag, or map its repository without a tag";
    } else if (strcmp(verdict->reason, "evaluation_failed") == 0) {
        text = "has more findings than fit an evaluation";
    }
    if (text != NULL && verdict->action != BW_GO) {
        if (verdict->action == BW_STOP) {
            add_cause(at, verdict->reason, subject, text);
        }
        add_line(at, subject, verdict->action == BW_STOP ? DENY : WARN,
                 bw_arena_printf(at->arena, "%s: %s", place(at, subject, variant), text));
    }
}

static void write_verdict(struct writing *at, const struct bw_subject *subject,
                          const struct bw_subject_variant *variant)
{
    const struct bw_verdict *verdict = variant->verdict;
    enum effect effect = verdict_effect(at->in->config, verdict);
    size_t shown = 0;
    write_reason(at, subject, variant);
    for (size_t i = 0; i < verdict->n_findings; i++) {
        const struct bw_kept_finding *kept = &verdict->findings[i];
        /* an image that the bundle lists as good is let through whatever its policies found */
        if (effect == ADMIT || (effect == WARN && verdict->action == BW_WARN && kept->finding.action == BW_STOP)) {
            continue;
        }
        write_finding(at, subject, variant, kept, effect);
        shown += kept->finding.action == BW_STOP ? kept->n_of_rule : 0;
    }
    if (effect == DENY && verdict->n_stop + verdict->n_undecided > shown) {
        at->n_left_out += verdict->n_stop + verdict->n_undecided - shown;
    }
}

static void write_fault(struct writing *at, const struct bw_subject *subject, enum effect effect)
{
    const char *detail = subject->error.detail;
    const char *help = strcmp(detail, "address_refused") == 0
                           ? "registry.allowAddresses opens networks where registries are meant to be"
                       : strcmp(detail, "not_analyzed") == 0
                           ? "here only images are admitted that were analysed before (requestAnalysis: false)"
                           : advice[subject->fault];
    add_cause(at, subject->error.detail[0] != '\0' ? subject->error.detail : bw_fault_name(subject->fault), subject,
              bw_arena_strdup(at->arena, subject->error.message));
    if (subject->fault == BW_FAULT_RATE_LIMITED && subject->error.retry_after_s > at->estimate_s) {
        at->estimate_s = subject->error.retry_after_s;
    }
    add_line(at, subject, effect == WARN ? WARN : DENY,
             bw_arena_printf(at->arena, "%s: %.700s%s%s", place(at, subject, NULL), subject->error.message,
                             help == NULL ? "" : "; ", help == NULL ? "" : help));
}

static void write_pending(struct writing *at, const struct bw_subject *subject, enum effect effect)
{
    at->estimate_s = subject->estimate_s > at->estimate_s ? subject->estimate_s : at->estimate_s;
    add_cause(at, "analysis_pending", subject, "the analysis of the image is running");
    add_line(at, subject, effect == WARN ? WARN : DENY,
             bw_arena_printf(at->arena, "%s: %s%s%s%s", place(at, subject, NULL),
                             at->in->overloaded ? "breakwater has too much to do to look at it now"
                                                : "the analysis is running",
                             subject->progress[0] ? " (" : "", subject->progress, subject->progress[0] ? ")" : ""));
}

/* What was decided about the image before anybody looked into it. */
static void write_treatment(struct writing *at, const struct bw_subject *subject)
{
    const struct bw_treatment *treatment = &subject->treatment;
    if (treatment->warning != NULL) {
        add_warning(at, bw_arena_printf(at->arena, "%s: %s", place(at, subject, NULL), treatment->warning));
    }
    if (treatment->refusal != NULL) {
        add_cause(at, bw_mode_name(treatment->mode), subject, treatment->refusal);
        add_line(at, subject, DENY, bw_arena_printf(at->arena, "%s: %s", place(at, subject, NULL), treatment->refusal));
    } else if (treatment->mode == BW_MODE_BREAK_GLASS) {
        const char *reason = bw_break_glass_reason(at->in->review);
        add_warning(at, bw_arena_printf(at->arena, "%s: admitted unchecked, the glass was broken%s%.300s",
                                        place(at, subject, NULL), reason == NULL ? "" : ": ",
                                        reason == NULL ? "" : reason));
    }
}

static void write_subject(struct writing *at, const struct bw_subject *subject, enum effect effect)
{
    write_treatment(at, subject);
    if (subject->treatment.refusal != NULL) {
        return;
    }
    if (subject->state == BW_SUBJECT_DECIDED) {
        for (size_t i = 0; i < subject->n_variants; i++) {
            write_verdict(at, subject, &subject->variants[i]);
        }
    } else if (effect != ADMIT && subject->state == BW_SUBJECT_FAULTY) {
        write_fault(at, subject, effect);
    } else if (effect != ADMIT) {
        write_pending(at, subject, effect);
    }
    if (subject->stale) {
        add_warning(at,
                    bw_arena_printf(at->arena,
                                    "%s: the registry could not be asked; the last known digest of the tag was judged",
                                    place(at, subject, NULL)));
    }
}

/* ---- the whole ---- */

static const char *reason_word(const struct writing *at, enum effect worst)
{
    const struct bw_outcome_inputs *in = at->in;
    for (size_t i = 0; i < in->n_subjects; i++) {
        const struct bw_subject *subject = &in->subjects[i];
        if (final_effect(at, subject) == worst) {
            return subject->treatment.refusal != NULL     ? "selector"
                   : subject->state == BW_SUBJECT_FAULTY  ? bw_fault_name(subject->fault)
                   : subject->treatment.pass != NULL      ? subject->treatment.pass
                   : subject->state == BW_SUBJECT_DECIDED ? "policy"
                   : in->overloaded                       ? "overload"
                                                          : "analysis";
        }
    }
    return "policy";
}

static const char *first_line(struct writing *at, enum effect worst)
{
    size_t total = at->in->n_subjects, denied = at->n_effect[DENY], out = at->n_effect[UNAVAILABLE],
           late = at->n_effect[PENDING];
    const char *images = total == 1 ? "image" : "images";
    if (worst == DENY) {
        return bw_arena_printf(at->arena, "%zu of %zu %s %s", denied, total, images,
                               strcmp(reason_word(at, worst), "policy") == 0 ? "stopped by policy" : "not admitted");
    }
    if (worst == UNAVAILABLE) {
        return bw_arena_printf(at->arena, "%zu of %zu %s cannot be judged now", out, total, images);
    }
    return at->estimate_s > 0
               ? bw_arena_printf(at->arena, "%zu of %zu %s not analysed yet; retry in about %d s", late, total, images,
                                 at->estimate_s)
               : bw_arena_printf(at->arena, "%zu of %zu %s not analysed yet; retry", late, total, images);
}

static void set_code(struct bw_outcome *out, const struct writing *at, enum effect worst)
{
    const struct bw_config *config = at->in->config;
    if (worst == DENY) {
        out->code = 403;
        out->status_reason = "Forbidden";
    } else if (worst == UNAVAILABLE) {
        out->code = 503;
        out->status_reason = "ServiceUnavailable";
    } else if (config->pending_response == BW_PENDING_PLAIN ||
               (config->pending_response == BW_PENDING_AUTO && bw_is_controller(at->in->review))) {
        out->code = 403;
        out->status_reason = "Forbidden";
    } else {
        int wait = at->estimate_s / 8;
        out->code = 429;
        out->status_reason = "TooManyRequests";
        out->retry_after_s = wait < 1 ? 1 : wait > 5 ? 5 : wait;
    }
}

static const char *message(struct writing *at, enum effect worst)
{
    const char *first = first_line(at, worst);
    const char *hint = at->in->config->message_hint;
    const char *lines = at->lines.data == NULL ? "" : at->lines.data;
    if (first == NULL) {
        return NULL;
    }
    if (at->n_left_out > 0) {
        return bw_arena_printf(at->arena, "%s%s\n... and %zu more findings; breakwater evaluate shows all%s%.400s",
                               first, lines, at->n_left_out, hint == NULL ? "" : "\n", hint == NULL ? "" : hint);
    }
    return bw_arena_printf(at->arena, "%s%s%s%.400s", first, lines, hint == NULL ? "" : "\n", hint == NULL ? "" : hint);
}

int bw_outcome_make(struct bw_outcome *out, const struct bw_outcome_inputs *inputs, struct bw_arena *arena,
                    struct bw_error *err)
{
    struct writing at = {.in = inputs, .arena = arena};
    struct bw_outcome made = {0};
    enum effect worst = ADMIT;
    bw_buf_init(&at.lines, BW_MAX_DENY_MESSAGE);
    bool broken = false;
    for (size_t i = 0; i < inputs->n_subjects; i++) {
        enum effect effect = final_effect(&at, &inputs->subjects[i]);
        at.n_effect[effect]++;
        worst = effect > worst ? effect : worst;
        broken = broken || inputs->subjects[i].treatment.mode == BW_MODE_BREAK_GLASS;
    }
    for (int wanted = DENY; wanted >= ADMIT; wanted--) {
        for (size_t i = 0; i < inputs->n_subjects; i++) {
            if ((int)subject_effect(&at, &inputs->subjects[i]) == wanted) {
                write_subject(&at, &inputs->subjects[i], (enum effect)wanted);
            }
        }
    }
    made.reason = reason_word(&at, worst);
    made.allowed = worst <= WARN;
    made.decision = made.allowed && broken ? "break-glass"
                    : worst == ADMIT       ? "allow"
                    : made.allowed         ? "warn"
                    : worst == DENY        ? "deny"
                    : worst == PENDING     ? "pending"
                                           : "error";
    if (!made.allowed) {
        set_code(&made, &at, worst);
        made.message = message(&at, worst);
        made.causes = at.causes;
        made.n_causes = at.n_causes;
        at.failed = at.failed || made.message == NULL;
    }
    made.warnings = at.warnings;
    made.n_warnings = at.n_warnings;
    bw_buf_clear(&at.lines);
    if (at.failed) {
        return bw_arena_spent(err);
    }
    *out = made;
    return 0;
}

int bw_outcome_fault(struct bw_outcome *out, const struct bw_outcome_inputs *inputs, enum bw_fault fault,
                     const char *text, struct bw_arena *arena, struct bw_error *err)
{
    struct writing at = {.in = inputs, .arena = arena, .fault = fault};
    struct bw_outcome made = {.reason = bw_fault_name(fault)};
    enum effect effect = fault_effect(inputs->config, fault);
    const char *hint = inputs->config->message_hint;
    made.allowed = effect <= WARN || inputs->warn_only;
    made.decision = effect == ADMIT ? "allow" : made.allowed ? "warn" : effect == PENDING ? "pending" : "error";
    made.message = bw_arena_printf(arena, "%s%s%s", text, hint == NULL || made.allowed ? "" : "\n",
                                   hint == NULL || made.allowed ? "" : hint);
    if (!made.allowed) {
        set_code(&made, &at, effect);
    } else if (effect != ADMIT) {
        add_warning(&at, made.message);
    }
    made.warnings = at.warnings;
    made.n_warnings = at.n_warnings;
    if (at.failed || made.message == NULL) {
        return bw_arena_spent(err);
    }
    *out = made;
    return 0;
}
