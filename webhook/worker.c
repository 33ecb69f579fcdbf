/* One thread and a short queue (webhook/worker.h). */
#include "webhook/worker.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define TICKET (1ULL << 61) /* tells errands from jobs, evaluations and lookups */

struct bw_errand {
    unsigned references; /* atomic; one: nobody waits for it */
    bool done;           /* atomic */
    const struct bw_errand_kind *kind;
    void *payload;
    size_t weight;
    uint64_t ticket;
    struct bw_errand *next;
};

struct bw_worker {
    void (*done)(void *payload, uint64_t ticket);
    void *payload;
    size_t room;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct bw_errand *first, **last;
    size_t weight; /* of all that wait */
    uint64_t tickets;
    bool stop;
};

void bw_errand_release(struct bw_errand *errand)
{
    if (errand == NULL || __atomic_sub_fetch(&errand->references, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    errand->kind->release(errand->payload);
    free(errand);
}

const uint64_t *bw_errand_ticket(const struct bw_errand *errand)
{
    return &errand->ticket;
}

void *bw_errand_result(const struct bw_errand *errand)
{
    return __atomic_load_n(&errand->done, __ATOMIC_ACQUIRE) ? errand->payload : NULL;
}

/* NULL: the worker is to end. */
static struct bw_errand *take(struct bw_worker *worker)
{
    struct bw_errand *errand = NULL;
    pthread_mutex_lock(&worker->lock);
    while (!worker->stop && worker->first == NULL) {
        pthread_cond_wait(&worker->wake, &worker->lock);
    }
    if (!worker->stop) {
        errand = worker->first;
        worker->first = errand->next;
        worker->last = worker->first == NULL ? &worker->first : worker->last;
        worker->weight -= errand->weight;
    }
    pthread_mutex_unlock(&worker->lock);
    return errand;
}

static void *work(void *payload)
{
    struct bw_worker *worker = payload;
    for (struct bw_errand *errand = take(worker); errand != NULL; errand = take(worker)) {
        if (__atomic_load_n(&errand->references, __ATOMIC_RELAXED) > 1) {
            errand->kind->run(errand->payload);
            __atomic_store_n(&errand->done, true, __ATOMIC_RELEASE);
            worker->done(worker->payload, errand->ticket);
        }
        bw_errand_release(errand);
    }
    return NULL;
}

int bw_worker_create(struct bw_worker **out, size_t room, void (*done)(void *payload, uint64_t ticket), void *payload,
                     struct bw_error *err)
{
    struct bw_worker *worker = bw_memory_zeroed(1, sizeof(*worker));
    worker->done = done;
    worker->payload = payload;
    worker->room = room;
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

void bw_worker_destroy(struct bw_worker *worker)
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
        struct bw_errand *errand = worker->first;
        worker->first = errand->next;
        bw_errand_release(errand);
    }
    (void)pthread_mutex_destroy(&worker->lock);
    (void)pthread_cond_destroy(&worker->wake);
    free(worker);
}

struct bw_errand *bw_worker_ask(struct bw_worker *worker, const struct bw_errand_kind *kind, void *payload,
                                size_t weight)
{
    struct bw_errand *errand = NULL;
    pthread_mutex_lock(&worker->lock);
    if (worker->weight + weight <= worker->room) {
        errand = bw_memory_zeroed(1, sizeof(*errand));
        *errand = (struct bw_errand){
            .references = 2, .kind = kind, .payload = payload, .weight = weight, .ticket = TICKET | ++worker->tickets};
        worker->weight += weight;
        *worker->last = errand;
        worker->last = &errand->next;
        pthread_cond_signal(&worker->wake);
    }
    pthread_mutex_unlock(&worker->lock);
    if (errand == NULL) {
        kind->release(payload);
    }
    return errand;
}
