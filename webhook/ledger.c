/* The last admissions, for GET /debug/explain (webhook/ledger.h). */
#include "webhook/ledger.h"

#include "base/limits.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_TEXT = 1000 };

struct held {
    struct bw_ledger_entry entry;
    struct bw_arena arena;
    struct bw_bundle_set *bundles; /* NULL: none were in force */
    unsigned references;           /* atomic */
    struct held *newer;
};

struct bw_ledger {
    pthread_mutex_t lock;
    struct held *oldest, *newest;
    size_t n_entries, bytes;
    size_t n_changes; /* neighbours with different sets of bundles: old sets are not held for long */
};

/* ---- one entry ---- */

void bw_ledger_entry_release(struct bw_ledger_entry *entry)
{
    struct held *held = (struct held *)entry;
    if (held == NULL || __atomic_sub_fetch(&held->references, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    bw_bundle_set_release(held->bundles);
    bw_arena_clear(&held->arena);
    free(held);
}

static const char *passed_words(const char *pass)
{
    static const struct {
        const char *pass, *words;
    } rows[] = {
        {"break_glass", "the mode of its selector admits it whatever is in it"},
        {"exemption", "an exemption holds for it"},
        {"no_selector", "no selector is for it, and onNoSelectorMatch: allow admits it"},
        {"passive", "the mode of its selector admits it without a verdict"},
        {"analysis", "the mode of its selector asks that it can be analysed, no more"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        if (strcmp(rows[i].pass, pass) == 0) {
            return rows[i].words;
        }
    }
    return pass;
}

static void tell_outcome(struct bw_ledger_image *into, const struct bw_subject *subject, struct bw_arena *arena)
{
    const struct bw_treatment *treatment = &subject->treatment;
    if (subject->state == BW_SUBJECT_FAULTY) {
        into->outcome = "failed";
        into->why = bw_arena_printf(arena, "onError.%s: %s", bw_fault_name(subject->fault), subject->error.message);
    } else if (subject->state != BW_SUBJECT_DECIDED) {
        into->outcome = "pending";
        into->why = "its analysis was not done in time";
    } else if (treatment->refusal != NULL) {
        into->outcome = "refused";
        into->why = bw_arena_strdup(arena, treatment->refusal);
    } else if (subject->n_variants == 0) {
        into->outcome = "passed";
        into->why = treatment->pass == NULL ? "it is no image, which imageVolumes: allowArtifacts admits"
                                            : passed_words(treatment->pass);
    } else {
        into->outcome = "judged";
        into->why = NULL;
    }
}

static int copy_variants(struct bw_ledger_image *into, const struct bw_subject *subject, struct bw_arena *arena)
{
    struct bw_ledger_variant *variants = bw_arena_array(arena, subject->n_variants + 1, sizeof(*variants));
    for (size_t i = 0; variants != NULL && i < subject->n_variants; i++) {
        const struct bw_subject_variant *variant = &subject->variants[i];
        variants[i] =
            (struct bw_ledger_variant){variant->digest, variant->previous, bw_arena_strdup(arena, variant->platform)};
        if (variants[i].platform == NULL) {
            return -1;
        }
    }
    into->variants = variants;
    into->n_variants = subject->n_variants;
    return variants == NULL ? -1 : 0;
}

static int copy_image(struct bw_ledger_image *into, const struct bw_subject *subject, const struct bw_config *config,
                      const struct bw_bundle_set *bundles, struct bw_arena *arena)
{
    const struct bw_treatment *treatment = &subject->treatment;
    const struct bw_selector *selector = treatment->selector;
    struct bw_ledger_image made = {
        .text = bw_arena_strndup(arena, subject->image->text, strnlen(subject->image->text, LONGEST_TEXT)),
        .field = bw_arena_strdup(arena, subject->image->field),
        .tag_counts = subject->tag_current,
        .stale = subject->stale,
        .selector = selector == NULL ? -1 : (int)(selector - config->selectors),
        .selector_id = bw_arena_strdup(arena, selector == NULL ? "" : selector->id),
        .mode = bw_mode_name(treatment->warn_only ? BW_MODE_WARN : treatment->mode),
        .exemption = treatment->exemption == NULL ? NULL : bw_arena_strdup(arena, treatment->exemption->id),
        .bundle = treatment->bundle,
        .origin = treatment->bundle == NULL ? NULL : bw_bundle_set_origin(bundles, treatment->bundle),
    };
    if (subject->written != NULL && bw_reference_copy(&made.reference, &subject->reference, arena) != 0) {
        return -1;
    }
    tell_outcome(&made, subject, arena);
    if (copy_variants(&made, subject, arena) != 0 || made.text == NULL || made.field == NULL ||
        made.selector_id == NULL || (treatment->exemption != NULL && made.exemption == NULL)) {
        return -1;
    }
    *into = made;
    return 0;
}

static int copy_images(struct held *held, const struct bw_outcome_inputs *inputs)
{
    struct bw_ledger_image *images = bw_arena_array(&held->arena, inputs->n_subjects, sizeof(*images));
    held->entry.images = images;
    for (size_t i = 0; images != NULL && i < inputs->n_subjects; i++) {
        if (copy_image(&images[i], &inputs->subjects[i], inputs->config, held->bundles, &held->arena) != 0) {
            return -1;
        }
        held->entry.n_images++;
    }
    return images == NULL ? -1 : 0;
}

static struct held *make_entry(struct bw_bundle_set *bundles, const struct bw_outcome_inputs *inputs,
                               const struct bw_outcome *outcome)
{
    const struct bw_review *review = inputs->review;
    struct held *held = bw_memory_zeroed(1, sizeof(*held));
    held->references = 1;
    held->bundles = bundles == NULL ? NULL : bw_bundle_set_retain(bundles);
    bw_arena_init(&held->arena, BW_MAX_LEDGER_ENTRY_BYTES);
    struct bw_arena *arena = &held->arena;
    held->entry = (struct bw_ledger_entry){
        .uid = bw_arena_strdup(arena, review->uid),
        .namespace = bw_arena_strdup(arena, review->namespace),
        .kind = bw_arena_strdup(arena, review->kind),
        .name = bw_arena_strdup(arena, review->name),
        .operation = bw_arena_strdup(arena, review->operation),
        .decision = bw_arena_strdup(arena, outcome->decision),
        .reason = bw_arena_strdup(arena, outcome->reason),
        .dry_run = review->dry_run,
        .decided_s = bw_wall_s(),
        .no_mapping = inputs->config->no_mapping_match,
    };
    const struct bw_ledger_entry *made = &held->entry;
    if (copy_images(held, inputs) != 0 || made->uid == NULL || made->namespace == NULL || made->kind == NULL ||
        made->name == NULL || made->operation == NULL || made->decision == NULL || made->reason == NULL) {
        bw_ledger_entry_release(&held->entry);
        return NULL;
    }
    return held;
}

/* ---- all of them ---- */

static bool changes_after(const struct held *held)
{
    return held->newer != NULL && held->newer->bundles != held->bundles;
}

static void drop_oldest(struct bw_ledger *ledger)
{
    struct held *held = ledger->oldest;
    ledger->n_changes -= changes_after(held);
    ledger->n_entries--;
    ledger->bytes -= held->arena.used;
    ledger->oldest = held->newer;
    bw_ledger_entry_release(&held->entry);
}

static void push(struct bw_ledger *ledger, struct held *held)
{
    if (ledger->oldest == NULL) {
        ledger->oldest = held;
    } else {
        ledger->newest->newer = held;
        ledger->n_changes += changes_after(ledger->newest);
    }
    ledger->newest = held;
    ledger->n_entries++;
    ledger->bytes += held->arena.used;
    while (ledger->n_entries > BW_MAX_LEDGER_ENTRIES || ledger->bytes > BW_MAX_LEDGER_BYTES ||
           ledger->n_changes >= BW_MAX_LEDGER_SETS) {
        drop_oldest(ledger);
    }
}

struct bw_ledger *bw_ledger_create(void)
{
    struct bw_ledger *ledger = bw_memory_zeroed(1, sizeof(*ledger));
    (void)pthread_mutex_init(&ledger->lock, NULL);
    return ledger;
}

void bw_ledger_destroy(struct bw_ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    while (ledger->oldest != NULL) {
        drop_oldest(ledger);
    }
    (void)pthread_mutex_destroy(&ledger->lock);
    free(ledger);
}

void bw_ledger_add(struct bw_ledger *ledger, struct bw_bundle_set *bundles, const struct bw_outcome_inputs *inputs,
                   const struct bw_outcome *outcome)
{
    struct held *held = ledger == NULL || inputs->n_subjects == 0 ? NULL : make_entry(bundles, inputs, outcome);
    if (held != NULL) {
        pthread_mutex_lock(&ledger->lock);
        push(ledger, held);
        pthread_mutex_unlock(&ledger->lock);
    }
}

struct bw_ledger_entry *bw_ledger_find(struct bw_ledger *ledger, const char *uid, size_t len)
{
    struct held *found = NULL;
    pthread_mutex_lock(&ledger->lock);
    for (struct held *held = ledger->oldest; held != NULL; held = held->newer) {
        found = strlen(held->entry.uid) == len && memcmp(held->entry.uid, uid, len) == 0 ? held : found;
    }
    if (found != NULL) {
        (void)__atomic_add_fetch(&found->references, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&ledger->lock);
    return found == NULL ? NULL : &found->entry;
}
