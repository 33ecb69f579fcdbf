/* Decisions kept by what they depend on, and the threads that make the long ones. */
#include "webhook/verdicts.h"

#include "base/limits.h"
#include "base/map.h"
#include "evaluator/gate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_VERDICTS = 8192, /* some KiB each: tens of MiB at worst */
    FAILURE_S = 15,
    MAX_WAITING = 1024,      /* evaluations queued; more are refused */
    SHORT_EVALUATION = 4000, /* files and packages: below, an evaluation takes well under a millisecond */
};
#define TICKET (1ULL << 63) /* tells evaluations from the catalog's jobs */

struct held {
    struct bw_verdict verdict;
    struct bw_arena arena;
    unsigned references; /* atomic */
};

struct entry {
    char *key;
    struct bw_verdict *verdict; /* NULL while it is evaluated */
    struct entry *newer, *older;
    uint64_t ticket;
};

struct task {
    struct task *next;
    struct bw_verdict_question question; /* retained, key and reference copied */
    struct bw_reference reference;
    struct bw_arena arena;
    uint64_t ticket;
};

struct bw_verdicts {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct bw_map *entries;
    struct entry *newest, *oldest;
    size_t n_entries;
    struct task *first, **last;
    size_t n_waiting;
    uint64_t tickets;
    bool stop;
    pthread_t threads[16];
    unsigned n_threads;
    void (*done)(void *payload, uint64_t ticket);
    void *payload;
};

/* ---- one verdict ---- */

struct bw_verdict *bw_verdict_retain(struct bw_verdict *verdict)
{
    (void)__atomic_add_fetch(&((struct held *)verdict)->references, 1, __ATOMIC_RELAXED);
    return verdict;
}

void bw_verdict_release(struct bw_verdict *verdict)
{
    struct held *held = (struct held *)verdict;
    if (held != NULL && __atomic_sub_fetch(&held->references, 1, __ATOMIC_ACQ_REL) == 0) {
        bw_arena_clear(&held->arena);
        free(held);
    }
}

static const char *copy(struct bw_arena *arena, const char *text)
{
    return text == NULL ? NULL : bw_arena_strdup(arena, text);
}

static bool counts(const struct bw_finding *finding)
{
    return !finding->whitelisted && finding->action != BW_GO;
}

static int keep_finding(struct bw_kept_finding *into, const struct bw_finding *finding, struct bw_arena *arena,
                        struct bw_arena *scratch, struct bw_error *err)
{
    struct bw_finding made = *finding;
    if (bw_finding_write_message(&made, scratch, err) != 0) {
        return -1;
    }
    made.policy_id = copy(arena, finding->policy_id);
    made.policy_name = copy(arena, finding->policy_name);
    made.rule_id = copy(arena, finding->rule_id);
    made.gate = copy(arena, finding->gate);
    made.trigger = copy(arena, finding->trigger);
    made.message = copy(arena, made.message);
    made.comment = copy(arena, finding->comment);
    made.trigger_id = made.whitelist_id = made.whitelist_name = made.whitelist_item_id = NULL;
    made.wording = NULL;
    made.subject = NULL;
    into->finding = made;
    return made.message == NULL || made.gate == NULL || made.trigger == NULL ? bw_arena_spent(err) : 0;
}

/* Whether the rule was not evaluated because the analysis has no complete data of a kind that it reads. */
static bool lacks_data(const struct bw_finding *finding, const struct bw_verdict_question *question)
{
    const struct bw_gate *gate = finding->undecided ? bw_gate_find(finding->gate) : NULL;
    const struct bw_trigger *trigger = gate == NULL ? NULL : bw_trigger_find(gate, finding->trigger);
    const struct bw_scope now = {.report = question->report}, before = {.report = question->previous};
    bool both = trigger != NULL && trigger->reads_previous && question->previous != NULL;
    for (size_t i = 0; trigger != NULL && i < BW_LENGTH(trigger->reads); i++) {
        const char *kind = trigger->reads[i];
        if (kind != NULL &&
            (bw_scope_incomplete(&now, kind) != NULL || (both && bw_scope_incomplete(&before, kind) != NULL))) {
            return true;
        }
    }
    return false;
}

/* Copies what a denial will say, worst first; a rule with thousands of findings leaves room for the others. */
static int keep_findings(struct held *held, const struct bw_decision *decision,
                         const struct bw_verdict_question *question, struct bw_arena *scratch, struct bw_error *err)
{
    struct bw_verdict *verdict = &held->verdict;
    struct bw_kept_finding *kept = bw_arena_array(&held->arena, BW_MAX_VERDICT_FINDINGS, sizeof(*kept)), *first = NULL;
    if (kept == NULL) {
        return bw_arena_spent(err);
    }
    for (int wanted = BW_STOP; wanted >= BW_WARN; wanted--) {
        for (size_t i = 0; i < decision->n_findings; i++) {
            const struct bw_finding *finding = &decision->findings[i];
            if (!counts(finding) || (int)finding->action != wanted) {
                continue;
            }
            verdict->n_stop += wanted == BW_STOP && !finding->undecided;
            verdict->n_undecided += finding->undecided;
            verdict->n_incomplete += lacks_data(finding, question);
            verdict->n_warn += wanted == BW_WARN;
            bool same =
                first != NULL && first->finding.policy == finding->policy && first->finding.rule == finding->rule;
            if (same && ++first->n_of_rule > BW_MAX_RULE_FINDINGS) {
                continue;
            }
            if (verdict->n_findings == BW_MAX_VERDICT_FINDINGS) {
                continue;
            }
            struct bw_kept_finding *into = &kept[verdict->n_findings++];
            if (keep_finding(into, finding, &held->arena, scratch, err) != 0) {
                return -1;
            }
            if (!same) {
                first = into;
                first->n_of_rule = 1;
            }
        }
        first = NULL;
    }
    verdict->findings = kept;
    return 0;
}

static struct held *new_verdict(void)
{
    struct held *held = calloc(1, sizeof(*held));
    if (held == NULL) {
        abort();
    }
    held->references = 1;
    bw_arena_init(&held->arena, 4 * BW_MIB);
    held->verdict.policies = "";
    return held;
}

static int evaluate(struct bw_verdict **out, const struct bw_verdict_question *question, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    struct bw_decision decision = {0};
    const struct bw_facts facts = {.reference = question->reference,
                                   .tag_counts = question->tag_counts,
                                   .report = question->report,
                                   .previous = question->previous,
                                   .now_s = question->now_s};
    bw_arena_init(&arena, BW_ARENA_EVALUATION);
    if (bw_evaluate_wordless(&decision, question->bundle, &facts, question->no_mapping, &arena, err) != 0) {
        return -1;
    }
    struct held *held = new_verdict();
    held->verdict.action = decision.action;
    held->verdict.reason = decision.reason;
    held->verdict.valid_until_s = decision.valid_until_s;
    const char *policies = "";
    for (size_t i = 0; i < decision.n_policies && i < 16 && policies != NULL; i++) {
        policies = bw_arena_printf(&held->arena, "%s%s%s", policies, i == 0 ? "" : " ", decision.policies[i].policy_id);
    }
    held->verdict.policies = policies == NULL ? "" : policies;
    if (keep_findings(held, &decision, question, &arena, err) != 0) {
        bw_verdict_release(&held->verdict);
        return -1;
    }
    *out = &held->verdict;
    return 0;
}

/* ---- the cache; all under the lock ---- */

static void unlink_entry(struct bw_verdicts *verdicts, struct entry *entry)
{
    *(entry->newer == NULL ? &verdicts->newest : &entry->newer->older) = entry->older;
    *(entry->older == NULL ? &verdicts->oldest : &entry->older->newer) = entry->newer;
    verdicts->n_entries--;
}

static void push_entry(struct bw_verdicts *verdicts, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = verdicts->newest;
    *(verdicts->newest == NULL ? &verdicts->oldest : &verdicts->newest->newer) = entry;
    verdicts->newest = entry;
    verdicts->n_entries++;
}

static void drop_entry(struct bw_verdicts *verdicts, struct entry *entry)
{
    (void)bw_map_remove(verdicts->entries, entry->key, strlen(entry->key));
    unlink_entry(verdicts, entry);
    bw_verdict_release(entry->verdict);
    free(entry->key);
    free(entry);
}

/* The entry of a key; a verdict that time has overtaken is gone. */
static struct entry *find_entry(struct bw_verdicts *verdicts, const char *key, int64_t now_s)
{
    struct entry *entry = bw_map_get(verdicts->entries, key, strlen(key));
    if (entry != NULL && entry->verdict != NULL && now_s >= entry->verdict->valid_until_s) {
        drop_entry(verdicts, entry);
        return NULL;
    }
    if (entry != NULL && entry != verdicts->newest) {
        unlink_entry(verdicts, entry);
        push_entry(verdicts, entry);
    }
    return entry;
}

static struct entry *add_entry(struct bw_verdicts *verdicts, const char *key)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL || (entry->key = strdup(key)) == NULL) {
        abort();
    }
    (void)bw_map_put(verdicts->entries, key, strlen(key), entry);
    push_entry(verdicts, entry);
    for (struct entry *old = verdicts->oldest, *next = NULL; verdicts->n_entries > MAX_VERDICTS && old != NULL;
         old = next) {
        next = old->newer;
        if (old->verdict != NULL) {
            drop_entry(verdicts, old);
        }
    }
    return entry;
}

/* ---- threads ---- */

static void free_task(struct task *task)
{
    bw_bundle_release(task->question.bundle);
    bw_report_release(task->question.report);
    bw_report_release(task->question.previous);
    bw_arena_clear(&task->arena);
    free(task);
}

static struct task *make_task(const struct bw_verdict_question *question, uint64_t ticket)
{
    struct task *task = calloc(1, sizeof(*task));
    if (task == NULL) {
        abort();
    }
    bw_arena_init(&task->arena, BW_MIB);
    task->question = *question;
    task->question.bundle = bw_bundle_retain(question->bundle);
    task->question.report = bw_report_retain(question->report);
    task->question.previous = question->previous == NULL ? NULL : bw_report_retain(question->previous);
    task->question.key = bw_arena_strdup(&task->arena, question->key);
    task->question.reference = &task->reference;
    task->ticket = ticket;
    if (task->question.key == NULL || bw_reference_copy(&task->reference, question->reference, &task->arena) != 0) {
        free_task(task);
        return NULL;
    }
    return task;
}

static void finish_task(struct bw_verdicts *verdicts, const struct task *task, struct bw_verdict *verdict)
{
    pthread_mutex_lock(&verdicts->lock);
    struct entry *entry = bw_map_get(verdicts->entries, task->question.key, strlen(task->question.key));
    if (entry != NULL && entry->verdict == NULL) {
        entry->verdict = bw_verdict_retain(verdict);
    }
    pthread_mutex_unlock(&verdicts->lock);
    if (verdicts->done != NULL) {
        verdicts->done(verdicts->payload, task->ticket);
    }
}

static void *run(void *payload)
{
    struct bw_verdicts *verdicts = payload;
    for (;;) {
        pthread_mutex_lock(&verdicts->lock);
        while (verdicts->first == NULL && !verdicts->stop) {
            pthread_cond_wait(&verdicts->wake, &verdicts->lock);
        }
        struct task *task = verdicts->stop ? NULL : verdicts->first;
        if (task != NULL) {
            verdicts->first = task->next;
            verdicts->last = verdicts->first == NULL ? &verdicts->first : verdicts->last;
            verdicts->n_waiting--;
        }
        pthread_mutex_unlock(&verdicts->lock);
        if (task == NULL) {
            return NULL;
        }
        struct bw_verdict *verdict = NULL;
        if (evaluate(&verdict, &task->question, NULL) != 0) { /* the budget is spent: so it will be again */
            struct held *failed = new_verdict();
            failed->verdict.action = BW_STOP;
            failed->verdict.reason = "evaluation_failed";
            failed->verdict.valid_until_s = task->question.now_s + FAILURE_S;
            verdict = &failed->verdict;
        }
        finish_task(verdicts, task, verdict);
        bw_verdict_release(verdict);
        free_task(task);
    }
}

int bw_verdicts_create(struct bw_verdicts **out, unsigned threads, void (*done)(void *payload, uint64_t ticket),
                       void *payload, struct bw_error *err)
{
    struct bw_verdicts *verdicts = calloc(1, sizeof(*verdicts));
    if (verdicts == NULL) {
        abort();
    }
    verdicts->entries = bw_map_create();
    verdicts->last = &verdicts->first;
    verdicts->done = done;
    verdicts->payload = payload;
    (void)pthread_mutex_init(&verdicts->lock, NULL);
    (void)pthread_cond_init(&verdicts->wake, NULL);
    threads = threads == 0 ? 2 : threads > BW_LENGTH(verdicts->threads) ? BW_LENGTH(verdicts->threads) : threads;
    for (; verdicts->n_threads < threads; verdicts->n_threads++) {
        if (pthread_create(&verdicts->threads[verdicts->n_threads], NULL, run, verdicts) != 0) {
            bw_verdicts_destroy(verdicts);
            return bw_error_set(err, BW_EINTERNAL, "no thread could be started");
        }
    }
    *out = verdicts;
    return 0;
}

void bw_verdicts_destroy(struct bw_verdicts *verdicts)
{
    if (verdicts == NULL) {
        return;
    }
    pthread_mutex_lock(&verdicts->lock);
    verdicts->stop = true;
    pthread_cond_broadcast(&verdicts->wake);
    pthread_mutex_unlock(&verdicts->lock);
    for (unsigned i = 0; i < verdicts->n_threads; i++) {
        (void)pthread_join(verdicts->threads[i], NULL);
    }
    while (verdicts->first != NULL) {
        struct task *task = verdicts->first;
        verdicts->first = task->next;
        free_task(task);
    }
    while (verdicts->newest != NULL) {
        drop_entry(verdicts, verdicts->newest);
    }
    bw_map_destroy(verdicts->entries, NULL);
    (void)pthread_mutex_destroy(&verdicts->lock);
    (void)pthread_cond_destroy(&verdicts->wake);
    free(verdicts);
}

/* ---- asking ---- */

static bool is_short(const struct bw_verdict_question *question)
{
    size_t n_previous = question->previous == NULL ? 0 : question->previous->n_packages;
    return question->at_once ||
           question->report->n_files + question->report->n_packages + n_previous < SHORT_EVALUATION;
}

static int queue(struct bw_verdicts *verdicts, const struct bw_verdict_question *question, uint64_t *ticket,
                 struct bw_error *err)
{
    if (verdicts->n_waiting == MAX_WAITING) {
        return bw_error_detail(err, BW_ELIMIT, "queue_full", "%d evaluations are waiting", MAX_WAITING);
    }
    struct task *task = make_task(question, TICKET | ++verdicts->tickets);
    if (task == NULL) {
        return bw_arena_spent(err);
    }
    add_entry(verdicts, question->key)->ticket = task->ticket;
    *verdicts->last = task;
    verdicts->last = &task->next;
    verdicts->n_waiting++;
    *ticket = task->ticket;
    pthread_cond_signal(&verdicts->wake);
    return 0;
}

int bw_verdicts_ask(struct bw_verdict **out, uint64_t *ticket, struct bw_verdicts *verdicts,
                    const struct bw_verdict_question *question, struct bw_error *err)
{
    struct bw_verdict *verdict = NULL;
    int status = 0;
    *out = NULL;
    *ticket = 0;
    pthread_mutex_lock(&verdicts->lock);
    struct entry *entry = find_entry(verdicts, question->key, question->now_s);
    if (entry != NULL && entry->verdict != NULL) {
        *out = bw_verdict_retain(entry->verdict);
    } else if (entry != NULL && !question->at_once) {
        *ticket = entry->ticket;
    } else if (!is_short(question)) {
        status = queue(verdicts, question, ticket, err);
    }
    pthread_mutex_unlock(&verdicts->lock);
    if (status != 0 || *out != NULL || *ticket != 0) {
        return status;
    }
    if (evaluate(&verdict, question, err) != 0) {
        return -1;
    }
    pthread_mutex_lock(&verdicts->lock);
    entry = bw_map_get(verdicts->entries, question->key, strlen(question->key));
    if (entry == NULL) {
        add_entry(verdicts, question->key)->verdict = bw_verdict_retain(verdict);
    }
    pthread_mutex_unlock(&verdicts->lock);
    *out = verdict;
    return 0;
}
