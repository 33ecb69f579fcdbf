/*
 * The journey of one admission as a step function: what the request asks is read once; each step asks for what is known
 * of each image and decides when all is known; the deadline decides with what is known by then.
 */
#include "webhook/admission_internal.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOMINAL_TIMEOUT_MS = 10000,
    AT_ONCE_MS = 300,
    CONTROLLER_MS = 2000,
    MAX_SUBJECTS = 1000,
    MAX_NODE_PLATFORMS = 16,
    NAMESPACE_AGE_MS = 10000 /* of one that the watch has not told yet */
};

/* ---- beginning ---- */

int64_t bw_timeout_parse(const char *query, size_t len)
{
    static const char name[] = "timeout=";
    for (size_t i = 0; i + sizeof(name) - 1 <= len; i++) {
        if ((i == 0 || query[i - 1] == '&' || query[i - 1] == '?') && memcmp(query + i, name, sizeof(name) - 1) == 0) {
            const char *value = query + i + sizeof(name) - 1;
            size_t n = len - i - (sizeof(name) - 1);
            const char *end = memchr(value, '&', n);
            int64_t ms = 0;
            return bw_duration_parse(&ms, value, end == NULL ? n : (size_t)(end - value)) != 0 ? 0 : ms;
        }
    }
    return 0;
}

/* D38: the server rounds the time that is left up to a full second, so only the configured value is to be trusted. */
struct bw_deadline bw_admission_budget(const struct bw_config *config, int64_t timeout_ms, int64_t elapsed_ms)
{
    int64_t nominal = timeout_ms > 0 ? timeout_ms : NOMINAL_TIMEOUT_MS;
    int64_t tenth = nominal / 10;
    int64_t margin = nominal == (int64_t)config->timeout_s * 1000 ? (tenth > 500 ? tenth : 500) : 1200;
    int64_t budget = nominal - margin - elapsed_ms;
    budget = budget > config->max_deadline_ms ? config->max_deadline_ms : budget;
    return bw_deadline_in_ms(budget < AT_ONCE_MS ? 0 : budget);
}

/* A controller that is told "pending" comes back by itself, and while it waits here its worker makes no other object:
 * a handful of ReplicaSets that wait would hold up every other one (K-305). */
static bool waits_in_vain(const struct bw_admission *at)
{
    return at->config->waiting_denies && at->config->pending_response != BW_PENDING_RETRY_AFTER &&
           bw_is_controller(&at->review);
}

static int add_subjects(struct bw_admission *at)
{
    const struct bw_pod_images *images = &at->review.now;
    at->subjects = bw_arena_array(&at->arena, images->n_images + 1, sizeof(*at->subjects));
    at->jobs = bw_arena_array(&at->arena, images->n_images + 1, sizeof(*at->jobs));
    if (at->subjects == NULL || at->jobs == NULL) {
        return -1;
    }
    for (size_t i = 0; i < images->n_images; i++) {
        const struct bw_pod_image *image = &images->images[i];
        size_t j = 0;
        while (j < at->n_subjects && !bw_subject_has(&at->subjects[j], image)) {
            j++;
        }
        if (j == at->n_subjects) {
            if (at->n_subjects == MAX_SUBJECTS) {
                return -1;
            }
            at->subjects[at->n_subjects++].image = image;
        }
        at->subjects[j].n_fields++;
    }
    return 0;
}

static bool is_node(const struct bw_review *review)
{
    for (size_t i = 0; review->groups != NULL && review->groups[i] != NULL; i++) {
        if (strcmp(review->groups[i], "system:nodes") == 0) {
            return true;
        }
    }
    return false;
}

/* What is settled without looking at an image. true if it was answered. */
static bool settle(struct bw_admission *at)
{
    struct bw_review *review = &at->review;
    const struct bw_config *config = at->config;
    bool update = strcmp(review->operation, "UPDATE") == 0;
    if (!update && strcmp(review->operation, "CREATE") != 0) {
        bw_admission_allow(at, "skip", "operation");
    } else if (bw_subresource_imageless(review->subresource)) {
        bw_admission_allow(at, "skip", "subresource");
    } else if (!review->now.supported && config->unsupported_deny) {
        const struct bw_outcome outcome = {
            .decision = "deny",
            .reason = "unsupported_resource",
            .code = 403,
            .status_reason = "Forbidden",
            .message =
                "breakwater does not know where this kind of object names its images; extraResources can tell it"};
        bw_admission_answer(at, &outcome);
    } else if (!review->now.supported) {
        bw_admission_allow(at, "skip", "unsupported_resource");
    } else if (review->now.template && config->resource_mode == BW_RESOURCES_PODS_ONLY) {
        bw_admission_allow(at, "skip", "pods_only");
    } else {
        at->warn_only = review->now.template && config->resource_mode == BW_RESOURCES_PODS_ENFORCE_WORKLOADS_WARN;
        if (review->mirror_pod && is_node(review)) { /* it runs already; denying would only hide it */
            if (config->mirror_pods == BW_MIRROR_IGNORE) {
                bw_admission_allow(at, "skip", "mirror_pod");
                return true;
            }
            at->background = config->mirror_pods == BW_MIRROR_AUDIT;
        }
        if (update && (!config->updates_all || review->old_deleting)) {
            review->now.n_images =
                bw_pod_images_changed((struct bw_pod_image *)(uintptr_t)review->now.images, review->now.n_images,
                                      review->before.images, review->before.n_images);
            if (review->now.n_images == 0) {
                bw_admission_allow(at, "unchanged", "no_new_image");
            }
        } else if (review->now.n_images == 0) {
            bw_admission_allow(at, "allow", "no_images");
        }
    }
    return at->done;
}

/* A body that cannot be read: an HTTP error without a uid, a denial inside a review with one. */
static void refuse_body(struct bw_admission *at, const struct bw_error *err)
{
    if (at->head.uid == NULL) {
        at->result = (struct bw_admit_result){.http_status = 400,
                                              .body = bw_arena_printf(&at->arena, "%s\n", err->message),
                                              .decision = "error",
                                              .reason = "bad_request"};
        at->result.body = at->result.body == NULL ? "bad request\n" : at->result.body;
        at->result.len = strlen(at->result.body);
        at->result.detail = at->result.body;
        at->done = true;
        return;
    }
    at->review = (struct bw_review){.uid = at->head.uid,
                                    .api_version = at->head.api_version,
                                    .kind = "",
                                    .group = "",
                                    .resource = "",
                                    .subresource = "",
                                    .namespace = "",
                                    .name = "",
                                    .operation = "",
                                    .username = "",
                                    .object = {.name = ""},
                                    .pod = {.name = ""},
                                    .service_account = ""};
    const struct bw_outcome outcome = {.decision = "deny",
                                       .reason = "malformed_object",
                                       .code = 400,
                                       .status_reason = "BadRequest",
                                       .message = err->message};
    bw_admission_answer(at, &outcome);
}

static void read_body(struct bw_admission *at, const char *body, size_t len)
{
    struct bw_error err = {0};
    bool read = bw_review_read(&at->review, body, len, &at->arena);
    if (read && !at->review.now.supported && at->config->n_extra_resources > 0) {
        read = false; /* a custom kind may be meant: only the other reader knows them */
    }
    if (read) {
        at->head = (struct bw_review_head){at->review.api_version, at->review.uid};
    } else if (bw_review_decode(&at->review, &at->head, body, len, at->config->extra_resources,
                                at->config->n_extra_resources, &at->arena, &err) != 0) {
        refuse_body(at, &err);
    }
}

/* Those of the cluster's nodes, by the labels that every kubelet sets. */
static size_t node_platforms(struct bw_platform *into, struct bw_admission *at)
{
    struct bw_metadata_store *nodes = at->services->nodes;
    size_t n = 0;
    struct bw_value_pair *pairs = bw_arena_array(&at->arena, MAX_NODE_PLATFORMS, sizeof(*pairs));
    if (pairs != NULL && nodes != NULL) {
        n = bw_metadata_store_values(pairs, MAX_NODE_PLATFORMS, nodes);
    }
    for (size_t i = 0; i < n; i++) {
        into[i] = (struct bw_platform){.os = pairs[i].first, .architecture = pairs[i].second, .variant = ""};
    }
    return n;
}

/* K-205: what the object says of its nodes; else the platforms of the nodes, or the configured ones, those of the named
 * system if it names one. */
static int choose_platforms(struct bw_admission *at)
{
    const struct bw_config *config = at->config;
    const char *os = at->review.now.node_os, *architecture = at->review.now.node_architecture;
    struct bw_platform nodes[MAX_NODE_PLATFORMS];
    size_t n = architecture == NULL ? node_platforms(nodes, at) : 0;
    const struct bw_platform *known = n > 0 ? nodes : config->default_platforms;
    n = n > 0 ? n : config->n_default_platforms;
    struct bw_platform *chosen = bw_arena_array(&at->arena, n + 1, sizeof(*chosen));
    if (chosen == NULL) {
        return -1;
    }
    at->platforms = chosen;
    if (architecture != NULL) {
        chosen[at->n_platforms++] =
            (struct bw_platform){.os = os == NULL ? "linux" : os, .architecture = architecture, .variant = ""};
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (os == NULL || strcmp(os, known[i].os) == 0) {
            chosen[at->n_platforms++] = known[i];
        }
    }
    return 0;
}

struct bw_admission *bw_admission_begin(const struct bw_services *services, const char *body, size_t len,
                                        int64_t timeout_ms, int64_t elapsed_ms)
{
    struct bw_admission *at = calloc(1, sizeof(*at));
    if (at == NULL) {
        abort();
    }
    bw_arena_init(&at->arena, BW_ARENA_ADMISSION);
    at->services = services;
    at->since_ms = bw_monotonic_ms();
    at->config = bw_slot_acquire(services->config);
    at->deadline = bw_admission_budget(at->config, timeout_ms, elapsed_ms);
    read_body(at, body, len);
    if (at->done || settle(at)) {
        return at;
    }
    if (waits_in_vain(at)) {
        at->deadline = bw_deadline_min(at->deadline, bw_deadline_in_ms(CONTROLLER_MS));
    }
    at->bundles = bw_slot_acquire(services->bundles);
    at->source = bw_slot_acquire(services->source);
    if (at->source == NULL || add_subjects(at) != 0) {
        bw_admission_fault(at, BW_FAULT_INTERNAL, "the object names more images than one admission can judge");
    }
    if (!at->done && choose_platforms(at) != 0) {
        bw_admission_fault(at, BW_FAULT_INTERNAL, "the admission does not fit its memory");
    }
    return at;
}

/* ---- one image ---- */

static void subject_fault(struct bw_subject *subject, enum bw_fault which, const struct bw_error *err)
{
    subject->state = BW_SUBJECT_FAULTY;
    subject->fault = which;
    subject->error = *err;
}

static bool is_admitted_artifact(const struct bw_admission *at, const struct bw_subject *subject,
                                 const struct bw_error *err)
{
    return subject->image->kind == BW_IMAGE_VOLUME && at->config->allow_artifact_volumes &&
           strcmp(err->detail, "not_an_image") == 0;
}

static int parse_subject(struct bw_admission *at, struct bw_subject *subject)
{
    struct bw_error err = {0};
    if (bw_reference_parse(&subject->reference, subject->image->text, subject->image->len, &at->arena, &err) == 0) {
        subject->written = bw_arena_strndup(&at->arena, subject->image->text, subject->image->len);
        if (subject->written != NULL) {
            return 0;
        }
        (void)bw_arena_spent(&err);
        subject_fault(subject, BW_FAULT_INTERNAL, &err);
        return -1;
    }
    subject_fault(subject, BW_FAULT_INVALID_REFERENCE, &err);
    return -1;
}

static struct bw_treatment_question treatment_question(const struct bw_admission *at, const struct bw_subject *subject)
{
    return (struct bw_treatment_question){
        .config = at->config,
        .bundles = at->bundles,
        .review = &at->review,
        .namespace = at->namespace_state == NAMESPACE_KNOWN ? &at->namespace : NULL,
        .written = subject->written,
        .reference = &subject->reference,
        .warn_only = at->warn_only,
        .now_s = bw_wall_s(),
    };
}

/* What is learned about it is for later; who is admitted does not wait. */
static void begin_analysis(struct bw_admission *at, struct bw_subject *subject)
{
    struct bw_image_answer image = {0};
    const struct bw_image_question question = {
        .source = at->way.source == NULL ? at->source : at->way.source,
        .reference = &subject->reference,
        .platforms = at->platforms,
        .n_platforms = at->n_platforms,
        .allow_analysis = true,
        .since_ms = at->since_ms,
    };
    if (subject->treatment.analyse && bw_catalog_ask(&image, at->services->catalog, &question, &at->arena, NULL) == 0) {
        bw_image_answer_clear(&image);
    }
}

static void treat(struct bw_admission *at, struct bw_subject *subject)
{
    struct bw_error err = {0};
    enum bw_fault which = BW_FAULT_INTERNAL;
    if (parse_subject(at, subject) != 0) {
        return;
    }
    const struct bw_treatment_question question = treatment_question(at, subject);
    struct bw_treatment *treatment = &subject->treatment;
    if (bw_treatment_choose(treatment, &which, &question, &at->arena, &err) != 0) {
        subject_fault(subject, which, &err);
    } else if (treatment->refusal != NULL || treatment->exemption != NULL || treatment->mode == BW_MODE_BREAK_GLASS ||
               (treatment->pass != NULL && treatment->selector == NULL)) {
        subject->state = BW_SUBJECT_DECIDED; /* no variants: whatever is in it */
        if (treatment->mode == BW_MODE_BREAK_GLASS) {
            begin_analysis(at, subject);
        }
    }
}

/* What the verdict depends on besides if the bundle compares with what the tag led to before. */
static const char *previous_key(struct bw_admission *at, const struct bw_subject *subject,
                                const struct bw_image_variant *variant)
{
    const struct bw_report *previous = variant->previous;
    if (!bw_bundle_needs(subject->treatment.bundle)->previous) {
        return "";
    }
    return previous == NULL ? "after nothing "
                            : bw_arena_printf(&at->arena, "after %s %x %llx ", previous->digest.text,
                                              previous->revision, (unsigned long long)previous->completed_s);
}

/* D42. The digest is not enough to name an analysis: it may have been made again to cover more. */
static const char *verdict_key(struct bw_admission *at, const struct bw_subject *subject,
                               const struct bw_image_variant *variant, bool tag_counts)
{
    const struct bw_reference *reference = &subject->reference;
    const struct bw_platform *platform = &variant->platform;
    char analysis[48];
    (void)snprintf(analysis, sizeof(analysis), " %x %llx%s ", variant->report->revision,
                   (unsigned long long)variant->report->completed_s, tag_counts ? " t" : "");
    const char *previous = previous_key(at, subject, variant);
    if (previous == NULL) {
        return NULL;
    }
    return JOIN(&at->arena, bw_bundle_hash(subject->treatment.bundle), " ", variant->digest.text, analysis, previous,
                reference->registry, "/", reference->repository, ":", reference->tag == NULL ? "" : reference->tag, " ",
                reference->digest.text, " ", platform->os == NULL ? "" : platform->os, "/",
                platform->architecture == NULL ? "" : platform->architecture, " ", at->config->hash);
}

/* The verdict of one variant. 1: it is being evaluated, as the subject's job; -1: failed, the subject says why. */
static int judge_variant(struct bw_admission *at, struct bw_subject *subject, size_t index,
                         const struct bw_image_variant *variant, bool tag_counts, bool blocking)
{
    struct bw_subject_variant *into = &subject->variants[index];
    struct bw_error err = {0};
    uint64_t ticket = 0;
    struct bw_verdict_question question = {
        .key = verdict_key(at, subject, variant, tag_counts),
        .bundle = subject->treatment.bundle,
        .report = variant->report,
        .previous = variant->previous,
        .reference = &subject->reference,
        .tag_counts = tag_counts,
        .no_mapping = at->config->no_mapping_match,
        .now_s = bw_wall_s(),
        .at_once = blocking,
    };
    into->digest = variant->digest;
    if (variant->previous != NULL) {
        into->previous = variant->previous->digest;
    }
    into->platform = subject->n_variants < 2 || variant->platform.os == NULL
                         ? ""
                         : bw_platform_text(&variant->platform, &at->arena); /* for messages */
    if (question.key == NULL || into->platform == NULL) {
        (void)bw_arena_spent(&err);
    } else if (bw_verdicts_ask(&into->verdict, &ticket, at->services->verdicts, &question, &err) == 0) {
        subject->job = into->verdict == NULL ? ticket : subject->job;
        return into->verdict == NULL ? 1 : 0;
    }
    subject_fault(subject, bw_fault_of(&err), &err);
    return -1;
}

static void release_variants(struct bw_subject *subject)
{
    for (size_t i = 0; i < subject->n_variants; i++) {
        bw_verdict_release(subject->variants[i].verdict);
    }
    subject->variants = NULL;
    subject->n_variants = 0;
}

static void judge(struct bw_admission *at, struct bw_subject *subject, const struct bw_image_answer *image,
                  bool blocking)
{
    struct bw_error err = {0};
    bool running = false;
    const struct bw_treatment_question treatment = treatment_question(at, subject);
    subject->treatment.exemption = bw_treatment_exempts(&treatment, &image->digest, &at->arena);
    if (subject->treatment.exemption != NULL) {
        subject->treatment.pass = "exemption";
    }
    if (subject->treatment.pass != NULL) { /* known, and that is all that is asked */
        subject->state = BW_SUBJECT_DECIDED;
        return;
    }
    subject->variants = bw_arena_array(&at->arena, image->n_variants, sizeof(*subject->variants));
    if (subject->variants == NULL || image->n_variants == 0) {
        (void)bw_arena_spent(&err);
        subject->variants = NULL;
        subject_fault(subject, BW_FAULT_INTERNAL, &err);
        return;
    }
    subject->n_variants = image->n_variants;
    subject->stale = image->stale;
    subject->tag_current = image->tag_current;
    for (size_t i = 0; i < image->n_variants; i++) {
        int status = judge_variant(at, subject, i, &image->variants[i], image->tag_current, blocking);
        if (status < 0) {
            release_variants(subject);
            return;
        }
        running = running || status > 0;
    }
    if (running) { /* asked again as a whole: what is known by then is in the cache */
        release_variants(subject);
        subject->state = BW_SUBJECT_PENDING;
        subject->estimate_s = 1;
        return;
    }
    subject->state = BW_SUBJECT_DECIDED;
}

/* K-605: a Secret that a registry refuses may have been replaced since it was read. True once: then it is read again.
 */
static bool is_refused(struct bw_admission *at, const struct bw_error *err)
{
    if (bw_fault_of(err) != BW_FAULT_UNAUTHORIZED || at->way.n_paths == 0 || at->reread) {
        return false;
    }
    at->reread = true;
    bw_access_forget(&at->way, at->services->lookup);
    bw_image_source_release(at->way.source);
    at->way = (struct bw_access_way){0};
    return true;
}

/* K-604: a Secret that is not there is no fault, unless it is missed. */
static void explain_refusal(const struct bw_admission *at, struct bw_subject *subject)
{
    if (subject->fault == BW_FAULT_UNAUTHORIZED && at->way.note != NULL) {
        size_t len = strlen(subject->error.message);
        (void)snprintf(subject->error.message + len, sizeof(subject->error.message) - len, " (%s)", at->way.note);
    }
}

static void look_at(struct bw_admission *at, struct bw_subject *subject, bool blocking)
{
    struct bw_image_answer image = {0};
    struct bw_error err = {0};
    const struct bw_bundle *bundle = subject->treatment.bundle;
    if (subject->treatment.mode == BW_MODE_PASSIVE) {
        begin_analysis(at, subject);
        subject->state = BW_SUBJECT_DECIDED;
        return;
    }
    const struct bw_image_question question = {
        .source = at->way.source,
        .reference = &subject->reference,
        .platforms = at->platforms,
        .n_platforms = at->n_platforms,
        .allow_blocking_stores = blocking,
        .previous = bundle != NULL && bw_bundle_needs(bundle)->previous,
        .allow_analysis = subject->treatment.analyse,
        .since_ms = at->since_ms,
    };
    if (bw_catalog_ask(&image, at->services->catalog, &question, &at->arena, &err) != 0) {
        subject_fault(subject, bw_fault_of(&err), &err);
        return;
    }
    if (image.state == BW_IMAGE_READY) {
        judge(at, subject, &image, blocking);
    } else if (image.state == BW_IMAGE_FAILED && is_admitted_artifact(at, subject, &image.error)) {
        subject->state = BW_SUBJECT_DECIDED; /* no variants: nothing speaks against it */
    } else if (image.state == BW_IMAGE_FAILED && is_refused(at, &image.error)) {
        subject->state = BW_SUBJECT_OPEN;
    } else if (image.state == BW_IMAGE_FAILED) {
        subject_fault(subject, bw_fault_of(&image.error), &image.error);
        explain_refusal(at, subject);
    } else {
        subject->state = BW_SUBJECT_PENDING;
        subject->job = image.job;
        subject->estimate_s = image.estimate_s;
        memcpy(subject->progress, image.progress, sizeof(subject->progress));
    }
    bw_image_answer_clear(&image);
}

/* ---- stepping ---- */

/* False while the namespace is awaited. What cannot be learned of it leaves the rules that need it undecided. */
static bool find_namespace(struct bw_admission *at, size_t *n_jobs)
{
    const struct bw_services *services = at->services;
    const char *name = at->review.namespace;
    json_t *object = NULL;
    uint64_t ticket = 0;
    at->namespace_state = NAMESPACE_UNKNOWN;
    if (!at->config->needs_namespaces) {
        return true;
    }
    if (services->namespaces != NULL &&
        bw_metadata_store_find(&at->namespace, services->namespaces, name, &at->arena, NULL)) {
        at->namespace_state = NAMESPACE_KNOWN;
        return true;
    }
    const char *path = JOIN(&at->arena, "/api/v1/namespaces/", name);
    if (services->lookup == NULL || path == NULL || name[0] == '\0' ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] != '\0') {
        return true;
    }
    enum bw_lookup_state state =
        bw_kube_lookup_ask(&object, &ticket, services->lookup, path, NAMESPACE_AGE_MS, at->since_ms, NULL);
    if (state == BW_LOOKUP_PENDING) {
        at->namespace_state = NAMESPACE_OPEN;
        at->jobs[(*n_jobs)++] = ticket;
        return false;
    }
    if (state == BW_LOOKUP_READY &&
        bw_metadata_read(&at->namespace, json_object_get(object, "metadata"), &at->arena) == 0) {
        at->namespace_state = NAMESPACE_KNOWN;
    }
    json_decref(object);
    return true;
}

/* False when there is nothing more to look at, or not yet. */
static bool treat_all(struct bw_admission *at, size_t *n_jobs)
{
    bool open = false;
    if (at->namespace_state == NAMESPACE_OPEN && !find_namespace(at, n_jobs)) {
        return false;
    }
    for (size_t i = 0; i < at->n_subjects; i++) {
        struct bw_subject *subject = &at->subjects[i];
        if (!subject->treated) {
            subject->treated = true;
            treat(at, subject);
        }
        open = open || subject->state == BW_SUBJECT_OPEN || subject->state == BW_SUBJECT_PENDING;
    }
    return open;
}

/* Where the images come from, or the Secret that has to be waited for. */
static int ask_way(struct bw_admission *at, size_t *n_jobs)
{
    if (at->way.source == NULL &&
        bw_access_ask(&at->way, at->services->lookup, at->source, &at->review, at->since_ms, &at->arena, NULL) != 0) {
        return -1;
    }
    if (at->way.source == NULL) {
        at->jobs[(*n_jobs)++] = at->way.ticket;
    }
    return 0;
}

/* False while a Secret of the pod is awaited, or when it was answered. */
static bool find_way(struct bw_admission *at, size_t *n_jobs)
{
    if (ask_way(at, n_jobs) != 0) {
        bw_admission_fault(at, BW_FAULT_INTERNAL,
                           "the pull secrets of this object do not fit the memory of an admission");
    }
    return !at->done && at->way.source != NULL;
}

static void look_at_all(struct bw_admission *at, bool blocking, size_t *n_jobs)
{
    for (size_t i = 0; i < at->n_subjects && at->way.source != NULL; i++) {
        struct bw_subject *subject = &at->subjects[i];
        if (subject->state == BW_SUBJECT_OPEN || subject->state == BW_SUBJECT_PENDING) {
            look_at(at, subject, blocking);
        }
        if (subject->state == BW_SUBJECT_PENDING) {
            at->jobs[(*n_jobs)++] = subject->job;
        }
    }
}

enum bw_admit_state bw_admission_step(struct bw_admission *at, bool blocking, const uint64_t **jobs, size_t *n_jobs)
{
    *n_jobs = 0;
    while (!at->done && treat_all(at, n_jobs) && find_way(at, n_jobs)) {
        look_at_all(at, blocking, n_jobs);
        if (at->way.source != NULL) {
            break;
        }
        *n_jobs = 0; /* the Secrets are read again */
    }
    if (!at->done && *n_jobs > 0 && !at->background && !bw_deadline_passed(at->deadline)) {
        *jobs = at->jobs;
        return BW_ADMIT_WAIT;
    }
    bw_admission_finish(at, BW_END_DEADLINE);
    return BW_ADMIT_DONE;
}

void bw_admission_finish(struct bw_admission *at, enum bw_admission_end end)
{
    if (!at->done) {
        for (size_t i = 0; i < at->n_subjects; i++) {
            if (at->subjects[i].state == BW_SUBJECT_OPEN) {
                at->subjects[i].state = BW_SUBJECT_PENDING;
            }
        }
        bw_admission_decide(at, end == BW_END_OVERLOAD);
    }
}

size_t bw_admission_look_again(struct bw_admission *at)
{
    size_t n_jobs = 0;
    do {
        n_jobs = 0;
        if (ask_way(at, &n_jobs) != 0 || at->way.source == NULL) {
            return n_jobs;
        }
        for (size_t i = 0; i < at->n_subjects && at->way.source != NULL; i++) {
            struct bw_subject *subject = &at->subjects[i];
            if (subject->late && (subject->state == BW_SUBJECT_OPEN || subject->state == BW_SUBJECT_PENDING)) {
                look_at(at, subject, false);
                if (subject->state == BW_SUBJECT_PENDING) {
                    at->jobs[n_jobs++] = subject->job;
                }
            }
        }
    } while (at->way.source == NULL); /* once: the Secrets are read again */
    return n_jobs;
}

const struct bw_admit_result *bw_admission_result(const struct bw_admission *at)
{
    return &at->result;
}

struct bw_deadline bw_admission_deadline(const struct bw_admission *at)
{
    return at->deadline;
}

void bw_admission_free(struct bw_admission *at)
{
    if (at == NULL) {
        return;
    }
    for (size_t i = 0; i < at->n_subjects; i++) {
        release_variants(&at->subjects[i]);
    }
    bw_image_source_release(at->way.source);
    bw_image_source_release(at->source);
    bw_bundle_set_release(at->bundles);
    bw_config_release(at->config);
    bw_arena_clear(&at->arena);
    free(at);
}
