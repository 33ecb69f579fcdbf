/* Answers of the catalog (image/catalog/catalog.h): what is known is put together here under one short lock; what is
 * not becomes a job (work.c). */
#include "image/catalog/catalog_internal.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Threads that wait for registries cost little; sixteen let eight requests to one host be under way. */
enum { QUICK_THREADS = 16, DEFAULT_QUEUE = 256, RECENT_MS = 60000 };
#define MAX_RECENT_BYTES (64 * BW_MIB)

/* ---- reports ---- */

void bw_catalog_report_key(char *out, const struct bw_catalog *catalog, const struct bw_digest *digest)
{
    size_t len = strlen(digest->text), suffix = strlen(catalog->key_suffix);
    memcpy(out, digest->text, len);
    memcpy(out + len, catalog->key_suffix, suffix + 1);
}

static void forget(struct bw_recent *recent)
{
    bw_report_release(recent->report);
    recent->report = NULL;
}

static struct bw_report *find_recent(struct bw_catalog *catalog, const char *key)
{
    struct bw_report *found = NULL;
    pthread_mutex_lock(&catalog->lock);
    for (size_t i = 0; i < BW_LENGTH(catalog->recent) && found == NULL; i++) {
        struct bw_recent *recent = &catalog->recent[i];
        if (recent->report != NULL && strcmp(recent->key, key) == 0) {
            found = bw_report_retain(recent->report);
        }
    }
    pthread_mutex_unlock(&catalog->lock);
    return found;
}

/* A ring; what is old, or more than they may hold together, is dropped from its far end. */
static void keep_recent(struct bw_catalog *catalog, const char *key, struct bw_report *report)
{
    int64_t now_ms = bw_monotonic_ms();
    size_t held = report->memory, n = BW_LENGTH(catalog->recent);
    pthread_mutex_lock(&catalog->lock);
    size_t at = catalog->next_recent++;
    struct bw_recent *mine = &catalog->recent[at % n];
    forget(mine);
    for (size_t back = 1; back < n; back++) {
        struct bw_recent *recent = &catalog->recent[(at + n - back) % n];
        held += recent->report == NULL ? 0 : recent->report->memory;
        if (recent->report != NULL && (held > MAX_RECENT_BYTES || now_ms - recent->made_ms > RECENT_MS)) {
            forget(recent);
        }
    }
    (void)snprintf(mine->key, sizeof(mine->key), "%s", key);
    mine->report = bw_report_retain(report);
    mine->made_ms = now_ms;
    pthread_mutex_unlock(&catalog->lock);
}

void bw_catalog_keep(struct bw_catalog *catalog, const char *key, struct bw_report *report, size_t below)
{
    for (size_t i = 0; i < below; i++) {
        struct bw_store *store = catalog->stores[i];
        struct bw_error err = {0};
        if (store->ops->put(store, key, report, &err) != 0 && err.code != BW_ELIMIT) {
            atomic_fetch_add(&catalog->store_faults, 1);
        }
    }
    keep_recent(catalog, key, report);
}

/* NULL: not there, or the store failed. Stores are believed in form alone: the report has to be that of the digest. */
static struct bw_report *get(struct bw_catalog *catalog, struct bw_store *store, const char *key,
                             const struct bw_digest *digest)
{
    struct bw_report *report = NULL;
    struct bw_error err = {0};
    if (store == NULL) {
        report = find_recent(catalog, key);
    } else if (store->ops->get(&report, store, key, &err) != 0) {
        atomic_fetch_add(&catalog->store_faults, err.code != BW_ENOTFOUND);
        return NULL;
    }
    if (report != NULL && (report->revision != BW_REPORT_REVISION || !bw_digest_equal(&report->digest, digest))) {
        bw_report_release(report);
        return NULL;
    }
    return report;
}

struct bw_report *bw_catalog_look(struct bw_catalog *catalog, const struct bw_digest *digest,
                                  const struct bw_needs *needs, bool blocking, struct bw_report **partial_out)
{
    char key[REPORT_KEY_MAX];
    struct bw_report *found = NULL, *partial = NULL;
    bw_catalog_report_key(key, catalog, digest);
    /* The quick ones, then what was made lately, then the slow ones. */
    for (size_t turn = 0; turn <= 2 * catalog->n_stores && found == NULL; turn++) {
        bool recent = turn == catalog->n_stores;
        size_t at = turn < catalog->n_stores ? turn : turn - catalog->n_stores - 1;
        struct bw_store *store = recent ? NULL : catalog->stores[at];
        bool quick = recent || store->ops->quick;
        if (!recent && (quick != (turn < catalog->n_stores) || (!quick && !blocking))) {
            continue;
        }
        struct bw_report *report = get(catalog, store, key, digest);
        if (report != NULL && bw_needs_cover(&report->covers, needs)) {
            atomic_fetch_add(quick ? &catalog->memory_hits : &catalog->store_hits, 1);
            if (!quick) {
                bw_catalog_keep(catalog, key, report, at);
            }
            found = report;
        } else if (report != NULL && partial == NULL) {
            partial = report;
        } else {
            bw_report_release(report);
        }
    }
    if (found == NULL && partial_out != NULL) {
        *partial_out = partial;
    } else {
        bw_report_release(partial);
    }
    return found;
}

struct bw_report *bw_catalog_find_report(struct bw_catalog *catalog, const struct bw_digest *digest,
                                         const struct bw_needs *needs)
{
    return bw_catalog_look(catalog, digest, needs, true, NULL);
}

/* ---- what is known of a reference ---- */

bool bw_catalog_manifest_complete(struct bw_catalog *catalog, const struct bw_digest *digest, int depth)
{
    const struct bw_known_manifest *known = bw_known_manifest(&catalog->known, digest);
    bool complete = known != NULL;
    for (size_t i = 0; complete && i < known->manifest.n_manifests && depth < MAX_INDEX_DEPTH; i++) {
        const struct bw_descriptor *entry = &known->manifest.manifests[i];
        complete = !bw_known_is_index(entry) || bw_catalog_manifest_complete(catalog, &entry->digest, depth + 1);
    }
    return complete;
}

struct ask { /* one question on its way to an answer */
    struct bw_catalog *catalog;
    const struct bw_image_question *question;
    struct bw_arena *arena;
    struct bw_image_answer answer;
    struct bw_known_keys keys;
    struct bw_known_clock clock;
    struct bw_needs_box *needs;
    bool again;      /* the registry is to be asked behind the answer's back */
    int64_t seen_ms; /* when the tag was seen to lead to the digest */
};

enum step { STEP_ON, STEP_RESOLVE, STEP_FAILED, STEP_SPENT };

/* Which digest the reference means, and whether this identity may use it. With the lock held. */
static enum step find_digest(struct ask *ask)
{
    const struct bw_reference *reference = ask->question->reference;
    struct bw_image_answer *answer = &ask->answer;
    struct bw_known *known = &ask->catalog->known;
    struct bw_digest tagged = {{0}};
    enum bw_known_state tag = BW_KNOWN_NOT;
    bool own_digest = reference->digest.text[0] != '\0';
    answer->digest = reference->digest;
    if (reference->tag != NULL) {
        tag = bw_known_tag(&tagged, known, &ask->keys, ask->clock, &answer->error);
        if (tag == BW_KNOWN_NOT || (tag == BW_KNOWN_FAILED && !own_digest)) {
            return tag == BW_KNOWN_NOT ? STEP_RESOLVE : STEP_FAILED;
        }
        answer->stale = tag == BW_KNOWN_STALE || tag == BW_KNOWN_RETRY;
        answer->tag_current = tag != BW_KNOWN_FAILED && (!own_digest || bw_digest_equal(&tagged, &reference->digest));
        ask->seen_ms = answer->tag_current ? bw_known_seen_ms(known, &ask->keys, &tagged) : 0;
        if (!own_digest) {
            answer->digest = tagged;
        }
    }
    if (!own_digest &&
        bw_known_keys_make(&ask->keys, ask->question->source, reference, &tagged, ask->arena, NULL) != 0) {
        return STEP_SPENT;
    }
    enum bw_known_state right =
        bw_known_right(known, &ask->keys, tag, &tagged, &answer->digest, ask->clock, &answer->error);
    if (right == BW_KNOWN_NOT || right == BW_KNOWN_FAILED) {
        return right == BW_KNOWN_NOT ? STEP_RESOLVE : STEP_FAILED;
    }
    answer->stale = answer->stale || right != BW_KNOWN_FRESH;
    ask->again = tag == BW_KNOWN_RETRY || right == BW_KNOWN_RETRY;
    return STEP_ON;
}

static enum step add_variant(struct ask *ask, size_t *capacity, const struct bw_digest *digest,
                             const struct bw_platform *platform)
{
    struct bw_image_answer *answer = &ask->answer;
    if (answer->n_variants == BW_MAX_VARIANTS) {
        (void)bw_error_detail(&answer->error, BW_ELIMIT, "too_many_platforms",
                              "the index has more than %d images for the platforms asked for", BW_MAX_VARIANTS);
        return STEP_FAILED;
    }
    if (bw_arena_grow(ask->arena, (void **)&answer->variants, answer->n_variants, capacity, sizeof(*answer->variants),
                      NULL) != 0) {
        return STEP_SPENT;
    }
    struct bw_image_variant *variant = &answer->variants[answer->n_variants];
    *variant = (struct bw_image_variant){.digest = *digest, .platform = {"", "", ""}};
    if (platform != NULL && platform->os != NULL) {
        variant->platform.os = bw_arena_strdup(ask->arena, platform->os);
        variant->platform.architecture = bw_arena_strdup(ask->arena, platform->architecture);
        variant->platform.variant = bw_arena_strdup(ask->arena, platform->variant);
        if (variant->platform.os == NULL || variant->platform.architecture == NULL ||
            variant->platform.variant == NULL) {
            return STEP_SPENT;
        }
    }
    answer->n_variants++;
    return STEP_ON;
}

/* The images that the digest stands for. With the lock held. */
static enum step list_variants(struct ask *ask, size_t *capacity, const struct bw_digest *digest,
                               const struct bw_platform *platform, int depth)
{
    const struct bw_known_manifest *known = bw_known_manifest(&ask->catalog->known, digest);
    const struct bw_descriptor **chosen = NULL;
    size_t n_chosen = 0;
    if (known == NULL || known->manifest.kind == BW_MANIFEST_IMAGE) {
        return add_variant(ask, capacity, digest, platform);
    }
    if (bw_index_choose(&chosen, &n_chosen, &known->manifest, ask->question->platforms, ask->question->n_platforms,
                        ask->arena, &ask->answer.error) != 0) {
        return STEP_FAILED;
    }
    for (size_t i = 0; i < n_chosen; i++) {
        bool inner = depth < MAX_INDEX_DEPTH && bw_known_is_index(chosen[i]);
        enum step step = inner ? list_variants(ask, capacity, &chosen[i]->digest, NULL, depth + 1)
                               : add_variant(ask, capacity, &chosen[i]->digest, &chosen[i]->platform);
        if (step != STEP_ON) {
            return step;
        }
    }
    return STEP_ON;
}

static enum step find_variants(struct ask *ask)
{
    size_t capacity = 0;
    enum step step = find_digest(ask);
    if (step != STEP_ON) {
        return step;
    }
    if (!bw_catalog_manifest_complete(ask->catalog, &ask->answer.digest, 0)) {
        bool failed = bw_known_failure(&ask->catalog->known, &ask->keys, ask->clock, &ask->answer.error);
        return failed ? STEP_FAILED : STEP_RESOLVE;
    }
    return list_variants(ask, &capacity, &ask->answer.digest, NULL, 0);
}

/* ---- jobs ---- */

static struct bw_needs_box *retain_needs(struct bw_needs_box *box)
{
    (void)atomic_fetch_add_explicit(&box->references, 1, memory_order_relaxed);
    return box;
}

void bw_needs_box_release(struct bw_needs_box *box)
{
    if (box != NULL && atomic_fetch_sub_explicit(&box->references, 1, memory_order_acq_rel) == 1) {
        bw_arena_clear(&box->arena);
        free(box);
    }
}

static struct bw_task *make_task(const struct ask *ask)
{
    struct bw_task *task = bw_memory_zeroed(1, sizeof(*task));
    bw_arena_init(&task->arena, 64 * BW_MIB);
    if (bw_reference_copy(&task->reference, ask->question->reference, &task->arena) != 0 ||
        bw_known_keys_make(&task->keys, ask->question->source, &task->reference, NULL, &task->arena, NULL) != 0) {
        bw_catalog_free_task(task);
        return NULL;
    }
    task->source = bw_image_source_retain(ask->question->source);
    task->needs = retain_needs(ask->needs);
    task->since_ms = ask->question->since_ms;
    return task;
}

static void make_pending(struct ask *ask, uint64_t job)
{
    struct bw_image_answer *answer = &ask->answer;
    answer->state = BW_IMAGE_PENDING;
    answer->job = job;
    bw_jobs_view(ask->catalog->jobs, job, &answer->estimate_s, answer->progress, sizeof(answer->progress));
}

/* 0: pending or failed as the answer says; -1: the arena is spent. */
static int submit(struct ask *ask, const char *key, const struct bw_digest *digest)
{
    struct bw_jobs *jobs = ask->catalog->jobs;
    uint64_t job = bw_jobs_join(jobs, key, strlen(key));
    if (job == 0) {
        struct bw_task *task = make_task(ask);
        if (task == NULL) {
            return -1;
        }
        if (digest != NULL) {
            task->kind = BW_TASK_ANALYSE;
            task->digest = *digest;
            if (bw_known_keys_make(&task->keys, task->source, &task->reference, digest, &task->arena, NULL) != 0) {
                bw_catalog_free_task(task);
                return -1;
            }
        }
        if (bw_jobs_submit(&job, jobs, key, strlen(key), task->reference.registry, digest == NULL, task,
                           &ask->answer.error) != 0) {
            ask->answer.state = BW_IMAGE_FAILED;
            return 0;
        }
    }
    make_pending(ask, job);
    return 0;
}

static int submit_resolve(struct ask *ask)
{
    const struct bw_reference *reference = ask->question->reference;
    const char *text = bw_reference_text(reference, ask->arena);
    const char *key = bw_arena_printf(ask->arena, "resolve %s\n%s", ask->question->source->identity, text);
    return text == NULL || key == NULL ? -1 : submit(ask, key, NULL);
}

/* The host is in the key, so that a registry that takes for ever serves nobody else's job for the same digest. */
static int submit_analysis(struct ask *ask, const struct bw_digest *digest)
{
    const char *key = bw_arena_printf(ask->arena, "analyse %s%s %llu %s", digest->text, ask->catalog->key_suffix,
                                      (unsigned long long)ask->needs->generation, ask->question->reference->registry);
    return key == NULL ? -1 : submit(ask, key, digest);
}

/* For who does not want an analysis: the slow stores are looked into by a job. */
static int submit_look_up(struct ask *ask, const struct bw_digest *digest)
{
    struct bw_image_answer *answer = &ask->answer;
    const char *key = bw_arena_printf(ask->arena, "unanalysed %s%s %llu", digest->text, ask->catalog->key_suffix,
                                      (unsigned long long)ask->needs->generation);
    if (key == NULL) {
        return -1;
    }
    pthread_mutex_lock(&ask->catalog->lock);
    bool absent =
        bw_known_failure(&ask->catalog->known, &(struct bw_known_keys){.content = key}, ask->clock, &answer->error);
    pthread_mutex_unlock(&ask->catalog->lock);
    uint64_t job = absent ? 0 : bw_jobs_join(ask->catalog->jobs, key, strlen(key));
    if (!absent && job == 0) {
        struct bw_task *task = make_task(ask);
        if (task == NULL) {
            return -1;
        }
        task->kind = BW_TASK_LOOK_UP;
        task->digest = *digest;
        task->unanalysed = bw_arena_strdup(&task->arena, key);
        if (task->unanalysed == NULL) {
            bw_catalog_free_task(task);
            return -1;
        }
        absent = bw_jobs_submit(&job, ask->catalog->jobs, key, strlen(key), task->reference.registry, false, task,
                                &answer->error) != 0;
    }
    if (absent) {
        answer->state = BW_IMAGE_FAILED;
    } else {
        make_pending(ask, job);
    }
    return 0;
}

/* ---- what the tag led to before ---- */

const char *bw_catalog_previous_key(const struct bw_digest *digest, struct bw_arena *arena)
{
    return bw_arena_printf(arena, "previous %s", digest->text);
}

/* An index may hold several images for one platform (of Windows): they are told apart by their order. */
static const char *tag_key(const struct ask *ask, const struct bw_image_variant *variant)
{
    const struct bw_reference *reference = ask->question->reference;
    const struct bw_platform *platform = &variant->platform;
    unsigned nth = 0;
    for (const struct bw_image_variant *other = ask->answer.variants; other < variant; other++) {
        nth += strcmp(other->platform.os, platform->os) == 0 &&
               strcmp(other->platform.architecture, platform->architecture) == 0 &&
               strcmp(other->platform.variant, platform->variant) == 0;
    }
    return bw_arena_printf(ask->arena, "%s/%s:%s %s/%s/%s %u", reference->registry, reference->repository,
                           reference->tag, platform->os, platform->architecture, platform->variant, nth);
}

static int submit_look_back(struct ask *ask, const char *tag, const struct bw_digest *digest)
{
    const char *key = bw_arena_printf(ask->arena, "look back %s %s", tag, digest->text);
    if (key == NULL) {
        return -1;
    }
    uint64_t job = bw_jobs_join(ask->catalog->jobs, key, strlen(key));
    if (job == 0) {
        struct bw_task *task = make_task(ask);
        if (task == NULL) {
            return -1;
        }
        task->kind = BW_TASK_LOOK_BACK;
        task->digest = *digest;
        task->seen_ms = ask->seen_ms;
        task->tag_key = bw_arena_strdup(&task->arena, tag);
        if (task->tag_key == NULL) {
            bw_catalog_free_task(task);
            return -1;
        }
        /* Like a job that asks the registry, it is short and needs no room among the analyses. */
        if (bw_jobs_submit(&job, ask->catalog->jobs, key, strlen(key), task->reference.registry, true, task,
                           &ask->answer.error) != 0) {
            ask->answer.state = BW_IMAGE_FAILED;
            return 0;
        }
    }
    make_pending(ask, job);
    return 0;
}

/* false: it is not noted yet that the tag leads to `digest`. *before stays empty when nothing came before it. */
static bool recall(struct bw_digest *before, struct ask *ask, const char *tag, const struct bw_digest *digest)
{
    pthread_mutex_lock(&ask->catalog->lock);
    const struct bw_tag_history *history = bw_tags_find(&ask->catalog->tags, tag);
    bool noted = history != NULL && !bw_tag_history_lacks(history, digest, ask->seen_ms);
    const struct bw_digest *found = noted ? bw_tag_history_before(history, digest) : NULL;
    if (found != NULL) {
        *before = *found;
    }
    pthread_mutex_unlock(&ask->catalog->lock);
    return noted;
}

static bool is_known_absent(struct ask *ask, const char *previous_key)
{
    struct bw_error why = {0};
    pthread_mutex_lock(&ask->catalog->lock);
    bool absent =
        bw_known_failure(&ask->catalog->known, &(struct bw_known_keys){.content = previous_key}, ask->clock, &why);
    pthread_mutex_unlock(&ask->catalog->lock);
    return absent;
}

/* The report of the image before this one; a job when that is not known, or the report not at hand. 0, or -1: the arena
 * is spent. */
static int find_previous(struct ask *ask, struct bw_image_variant *variant)
{
    static const struct bw_needs none = {0};
    struct bw_digest before = {{0}};
    const char *tag = tag_key(ask, variant);
    if (tag == NULL) {
        return -1;
    }
    if (!recall(&before, ask, tag, &variant->digest)) {
        return submit_look_back(ask, tag, &variant->digest);
    }
    if (before.text[0] == '\0') {
        return 0;
    }
    variant->previous = bw_catalog_look(ask->catalog, &before, &none, ask->question->allow_blocking_stores, NULL);
    if (variant->previous != NULL) {
        return 0;
    }
    const char *key = bw_catalog_previous_key(&before, ask->arena);
    if (key == NULL) {
        return -1;
    }
    return is_known_absent(ask, key) ? 0 : submit_look_back(ask, tag, &variant->digest);
}

/* ---- asking ---- */

/* A report for every variant, or why not. 0, or -1: the arena is spent. */
static int find_reports(struct ask *ask)
{
    struct bw_catalog *catalog = ask->catalog;
    struct bw_image_answer *answer = &ask->answer;
    uint64_t pending = 0;
    for (size_t i = 0; i < answer->n_variants; i++) {
        struct bw_image_variant *variant = &answer->variants[i];
        struct bw_known_keys keys;
        variant->report =
            bw_catalog_look(catalog, &variant->digest, &ask->needs->needs, ask->question->allow_blocking_stores, NULL);
        if (variant->report != NULL) {
            if (variant->platform.os[0] == '\0') {
                const struct bw_report *report = variant->report;
                variant->platform = (struct bw_platform){report->os == NULL ? "" : report->os,
                                                         report->architecture == NULL ? "" : report->architecture,
                                                         report->variant == NULL ? "" : report->variant};
            }
            continue;
        }
        if (bw_known_keys_make(&keys, ask->question->source, ask->question->reference, &variant->digest, ask->arena,
                               NULL) != 0) {
            return -1;
        }
        pthread_mutex_lock(&catalog->lock);
        bool failed = bw_known_failure(&catalog->known, &keys, ask->clock, &answer->error);
        pthread_mutex_unlock(&catalog->lock);
        if (failed) {
            answer->state = BW_IMAGE_FAILED;
            return 0;
        }
        bool analyse = ask->question->allow_analysis;
        if ((analyse ? submit_analysis(ask, &variant->digest) : submit_look_up(ask, &variant->digest)) != 0) {
            return -1;
        }
        if (answer->state == BW_IMAGE_FAILED && pending == 0) {
            return 0;
        }
        pending = pending == 0 ? answer->job : pending;
    }
    bool look_back = pending == 0 && ask->question->previous && ask->needs->needs.previous && answer->tag_current;
    for (size_t i = 0; look_back && i < answer->n_variants; i++) {
        if (find_previous(ask, &answer->variants[i]) != 0) {
            return -1;
        }
        if (answer->state == BW_IMAGE_FAILED) {
            return 0;
        }
        pending = answer->state == BW_IMAGE_PENDING && pending == 0 ? answer->job : pending;
    }
    if (pending != 0) {
        make_pending(ask, pending);
    }
    return 0;
}

int bw_catalog_ask(struct bw_image_answer *out, struct bw_catalog *catalog, const struct bw_image_question *question,
                   struct bw_arena *arena, struct bw_error *err)
{
    struct ask ask = {.catalog = catalog, .question = question, .arena = arena};
    ask.clock = (struct bw_known_clock){bw_monotonic_ms(), question->since_ms};
    ask.answer.state = BW_IMAGE_READY;
    if (bw_known_keys_make(&ask.keys, question->source, question->reference, NULL, arena, err) != 0) {
        return -1;
    }
    pthread_mutex_lock(&catalog->lock);
    ask.needs = retain_needs(catalog->needs);
    enum step step = find_variants(&ask);
    pthread_mutex_unlock(&catalog->lock);
    int status = step == STEP_SPENT ? -1 : 0;
    if (step == STEP_FAILED) {
        ask.answer.state = BW_IMAGE_FAILED;
    } else if (step == STEP_RESOLVE) {
        status = submit_resolve(&ask);
    } else if (step == STEP_ON) {
        struct bw_image_answer answer = ask.answer;
        if (ask.again) {
            (void)submit_resolve(&ask); /* what comes of it is for later answers */
            ask.answer = answer;
        }
        status = find_reports(&ask);
    }
    bw_needs_box_release(ask.needs);
    if (status != 0 || ask.answer.state != BW_IMAGE_READY) {
        bw_image_answer_clear(&ask.answer);
    }
    if (ask.answer.state != BW_IMAGE_FAILED) {
        ask.answer.error.code = BW_OK;
    }
    if (status != 0) {
        return bw_arena_spent(err);
    }
    *out = ask.answer;
    return 0;
}

void bw_image_answer_clear(struct bw_image_answer *answer)
{
    for (size_t i = 0; i < answer->n_variants; i++) {
        bw_report_release(answer->variants[i].report);
        bw_report_release(answer->variants[i].previous);
    }
    answer->variants = NULL;
    answer->n_variants = 0;
}

int bw_catalog_wait(struct bw_image_answer *out, struct bw_catalog *catalog, const struct bw_image_question *question,
                    struct bw_arena *arena, struct bw_deadline deadline, struct bw_error *err)
{
    struct bw_image_question asked = *question;
    if (asked.since_ms == 0) {
        asked.since_ms = bw_monotonic_ms();
    }
    for (;;) {
        struct bw_image_answer answer = {0};
        if (bw_catalog_ask(&answer, catalog, &asked, arena, err) != 0) {
            return -1;
        }
        if (answer.state != BW_IMAGE_PENDING) {
            *out = answer;
            return 0;
        }
        if (!bw_jobs_wait(catalog->jobs, answer.job, deadline)) {
            return bw_error_set(err, BW_EDEADLINE, "the image is not known yet%s%s", answer.progress[0] ? ": " : "",
                                answer.progress);
        }
    }
}

struct bw_catalog_counts bw_catalog_counts(struct bw_catalog *catalog)
{
    struct bw_catalog_counts counts = {.memory_hits = atomic_load(&catalog->memory_hits),
                                       .store_hits = atomic_load(&catalog->store_hits),
                                       .analyses = atomic_load(&catalog->analyses),
                                       .failures = atomic_load(&catalog->failures),
                                       .store_faults = atomic_load(&catalog->store_faults)};
    bw_jobs_counts(catalog->jobs, &counts.running, &counts.queued, &counts.joined);
    return counts;
}

/* ---- needs, begin and end ---- */

int bw_catalog_set_needs(struct bw_catalog *catalog, const struct bw_needs *needs, struct bw_error *err)
{
    struct bw_needs_box *box = bw_memory_zeroed(1, sizeof(*box));
    atomic_init(&box->references, 1);
    bw_arena_init(&box->arena, 64 * BW_MIB);
    if (bw_needs_copy(&box->needs, needs, &box->arena, err) != 0) {
        bw_needs_box_release(box);
        return -1;
    }
    pthread_mutex_lock(&catalog->lock);
    struct bw_needs_box *old = catalog->needs;
    bool same = old != NULL && bw_needs_cover(&old->needs, needs) && bw_needs_cover(needs, &old->needs) &&
                old->needs.previous == needs->previous;
    if (same) {
        old = box;
    } else {
        box->generation = old == NULL ? 1 : old->generation + 1;
        catalog->needs = box;
    }
    pthread_mutex_unlock(&catalog->lock);
    bw_needs_box_release(old);
    return 0;
}

static void on_done(void *payload, uint64_t job)
{
    const struct bw_catalog *catalog = payload;
    if (catalog->options.done != NULL) {
        catalog->options.done(catalog->options.payload, job);
    }
}

/* The settings that make other reports of the same bytes. */
static void make_key_suffix(struct bw_catalog *catalog)
{
    const struct bw_analyzer_options *analyzer = &catalog->options.analyzer;
    char settings[128], hash[2 * BW_HASH_MAX + 1];
    int len = snprintf(settings, sizeof(settings), "%llu %llu %d", (unsigned long long)analyzer->secret_max_bytes,
                       (unsigned long long)analyzer->retrieved_max_bytes, analyzer->fetch_foreign_layers);
    bw_hash_hex(hash, BW_SHA256, settings, (size_t)len);
    (void)snprintf(catalog->key_suffix, sizeof(catalog->key_suffix), "|%s|%d|%.12s", BW_REPORT_SCHEMA,
                   BW_REPORT_REVISION, hash);
}

int bw_catalog_create(struct bw_catalog **out, struct bw_store **stores, size_t n_stores,
                      const struct bw_catalog_options *options, struct bw_error *err)
{
    struct bw_catalog *catalog = bw_memory_zeroed(1, sizeof(*catalog));
    pthread_mutex_init(&catalog->lock, NULL);
    catalog->options = *options;
    if (catalog->options.analyze == NULL) {
        catalog->options.analyze = bw_analyze;
    }
    make_key_suffix(catalog);
    bw_known_init(&catalog->known, &(struct bw_known_times){.tag_ttl_ms = options->tag_ttl_ms,
                                                            .tag_stale_ms = options->tag_stale_ms,
                                                            .negative_ttl_ms = options->negative_ttl_ms,
                                                            .auth_ttl_ms = options->auth_ttl_ms});
    bw_tags_init(&catalog->tags);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned analyses = options->analyses != 0 ? options->analyses : cores > 2 ? (unsigned)cores : 2;
    struct bw_jobs_options jobs = {.threads = {QUICK_THREADS, analyses},
                                   .queue = options->queue != 0 ? options->queue : DEFAULT_QUEUE,
                                   .run = bw_catalog_run,
                                   .done = on_done,
                                   .free_task = bw_catalog_free_task,
                                   .payload = catalog};
    if (bw_catalog_set_needs(catalog, &options->analyzer.needs, err) != 0 ||
        bw_jobs_create(&catalog->jobs, &jobs, err) != 0) {
        bw_catalog_destroy(catalog);
        return -1;
    }
    catalog->stores = bw_memory_zeroed(n_stores, sizeof(struct bw_store *));
    memcpy(catalog->stores, stores, n_stores * sizeof(struct bw_store *));
    catalog->n_stores = n_stores;
    *out = catalog;
    return 0;
}

void bw_catalog_destroy(struct bw_catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    bw_jobs_destroy(catalog->jobs);
    for (size_t i = 0; i < BW_LENGTH(catalog->recent); i++) {
        bw_report_release(catalog->recent[i].report);
    }
    for (size_t i = 0; i < catalog->n_stores; i++) {
        catalog->stores[i]->ops->destroy(catalog->stores[i]);
    }
    free(catalog->stores);
    bw_known_clear(&catalog->known);
    bw_lru_clear(&catalog->tags);
    bw_needs_box_release(catalog->needs);
    pthread_mutex_destroy(&catalog->lock);
    free(catalog);
}
