/* One thread and a short queue (webhook/bundle_worker.h). */
#include "webhook/bundle_worker.h"

#include "base/limits.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>

#define TICKET (1ULL << 61) /* tells these tasks from jobs, evaluations and lookups */

struct bw_bundle_task {
    unsigned references; /* atomic; one: nobody waits for it */
    uint64_t ticket;
    char *body; /* NULL once it was looked at */
    size_t len;
    struct bw_bundle_review_options options;
    struct bw_arena arena;
    struct bw_admit_result result;
    bool done; /* atomic: the result is there */
    struct bw_bundle_task *next;
};

struct bw_bundle_worker {
    void (*done)(void *payload, uint64_t ticket);
    void *payload;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct bw_bundle_task *first, **last;
    size_t bytes; /* of all bodies that wait */
    uint64_t tickets;
    bool stop;
};

void bw_bundle_task_release(struct bw_bundle_task *task)
{
    if (task == NULL || __atomic_sub_fetch(&task->references, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    free(task->body);
    bw_arena_clear(&task->arena);
    free(task);
}

const uint64_t *bw_bundle_task_ticket(const struct bw_bundle_task *task)
{
    return &task->ticket;
}

const struct bw_admit_result *bw_bundle_task_result(const struct bw_bundle_task *task)
{
    return __atomic_load_n(&task->done, __ATOMIC_ACQUIRE) ? &task->result : NULL;
}

/* NULL: the worker is to end. */
static struct bw_bundle_task *take(struct bw_bundle_worker *worker)
{
    struct bw_bundle_task *task = NULL;
    pthread_mutex_lock(&worker->lock);
    while (!worker->stop && worker->first == NULL) {
        pthread_cond_wait(&worker->wake, &worker->lock);
    }
    if (!worker->stop) {
        task = worker->first;
        worker->first = task->next;
        worker->last = worker->first == NULL ? &worker->first : worker->last;
        worker->bytes -= task->len;
    }
    pthread_mutex_unlock(&worker->lock);
    return task;
}

static void *work(void *payload)
{
    struct bw_bundle_worker *worker = payload;
    for (struct bw_bundle_task *task = take(worker); task != NULL; task = take(worker)) {
        if (__atomic_load_n(&task->references, __ATOMIC_RELAXED) > 1) {
            bw_bundle_review(&task->result, task->body, task->len, &task->options, &task->arena);
            free(task->body);
            task->body = NULL;
            __atomic_store_n(&task->done, true, __ATOMIC_RELEASE);
            worker->done(worker->payload, task->ticket);
        }
        bw_bundle_task_release(task);
    }
    return NULL;
}

int bw_bundle_worker_create(struct bw_bundle_worker **out, void (*done)(void *payload, uint64_t ticket), void *payload,
                            struct bw_error *err)
{
    struct bw_bundle_worker *worker = bw_memory_zeroed(1, sizeof(*worker));
    worker->done = done;
    worker->payload = payload;
    worker->last = &worker->first;
    (void)pthread_mutex_init(&worker->lock, NULL);
    (void)pthread_cond_init(&worker->wake, NULL);
    if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
        (void)pthread_mutex_destroy(&worker->lock);
        (void)pthread_cond_destroy(&worker->wake);
        free(worker);
        return bw_error_set(err, BW_EINTERNAL, "no thread could be started");
    }
    *out = worker;
    return 0;
}

void bw_bundle_worker_destroy(struct bw_bundle_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    pthread_mutex_lock(&worker->lock);
    worker->stop = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    (void)pthread_join(worker->thread, NULL);
    while (worker->first != NULL) {
        struct bw_bundle_task *task = worker->first;
        worker->first = task->next;
        bw_bundle_task_release(task);
    }
    (void)pthread_mutex_destroy(&worker->lock);
    (void)pthread_cond_destroy(&worker->wake);
    free(worker);
}

static struct bw_bundle_task *make_task(const char *body, size_t len, const struct bw_bundle_review_options *options)
{
    struct bw_bundle_task *task = bw_memory_zeroed(1, sizeof(*task));
    task->references = 2;
    task->body = bw_memory_strndup(body, len);
    task->len = len;
    task->options = *options;
    bw_arena_init(&task->arena, 2 * BW_MAX_BUNDLE_MAP_BYTES);
    return task;
}

struct bw_bundle_task *bw_bundle_worker_ask(struct bw_bundle_worker *worker, const char *body, size_t len,
                                            const struct bw_bundle_review_options *options)
{
    struct bw_bundle_task *task = NULL;
    pthread_mutex_lock(&worker->lock);
    if (worker->bytes + len <= BW_MAX_BUNDLE_REVIEWS) {
        task = make_task(body, len, options);
        task->ticket = TICKET | ++worker->tickets;
        worker->bytes += len;
        *worker->last = task;
        worker->last = &task->next;
        pthread_cond_signal(&worker->wake);
    }
    pthread_mutex_unlock(&worker->lock);
    return task;
}
