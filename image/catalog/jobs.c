/* Threads, queues and single flight of the catalog (image/catalog/jobs.h). One lock for all of it: jobs take
 * milliseconds to minutes, the lists are short. */
#include "image/catalog/jobs.h"

#include "base/map.h"
#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_GUESS_MS = 5000, LONGEST_ESTIMATE_S = 3600 };

struct job {
    struct bw_job base; /* first: the two addresses are the same */
    struct job *next;   /* in the queue of its lane */
    char *key, *host;
    size_t key_len;
    enum bw_lane lane;
    bool asks_host, running;
    int64_t began_ms;
    size_t layers_done, n_layers;
    uint64_t bytes_done, n_bytes;
};

struct lane {
    struct bw_jobs *jobs;
    enum bw_lane name;
    pthread_cond_t work;
    pthread_t *threads;
    struct job **running; /* by thread; NULL: idle */
    unsigned n_threads, max_threads, n_running, n_queued;
    struct job *first, **last;
};

struct bw_jobs {
    pthread_mutex_t lock;
    pthread_cond_t news; /* a job is over, or the end has come */
    struct bw_jobs_options options;
    struct lane lanes[BW_LANES];
    struct bw_map *by_key, *by_number;
    uint64_t last_number, joined;
    int64_t usual_ms; /* moving average of an analysis */
    bool stopping;
};

struct thread_start {
    struct lane *lane;
    unsigned index;
};

static void free_job(struct bw_jobs *jobs, struct job *job)
{
    jobs->options.free_task(job->base.task);
    free(job->key);
    free(job->host);
    free(job);
}

static void enqueue(struct lane *lane, struct job *job)
{
    job->lane = lane->name;
    job->running = false;
    job->next = NULL;
    *lane->last = job;
    lane->last = &job->next;
    lane->n_queued++;
}

static bool counts_for_host(const struct job *job)
{
    return job->lane != BW_LANE_QUICK || job->asks_host;
}

/* Whether the job's host has its share of the lane already. */
static bool host_is_busy(const struct lane *lane, const struct job *job)
{
    unsigned busy = 0, share = lane->max_threads / 2 > 0 ? lane->max_threads / 2 : 1;
    for (unsigned i = 0; i < lane->n_threads && counts_for_host(job); i++) {
        const struct job *other = lane->running[i];
        busy += other != NULL && counts_for_host(other) && strcmp(other->host, job->host) == 0;
    }
    return busy >= share;
}

/* The first in the queue that may run now. */
static struct job *dequeue(struct lane *lane)
{
    for (struct job **at = &lane->first; *at != NULL; at = &(*at)->next) {
        struct job *job = *at;
        if (host_is_busy(lane, job)) {
            continue;
        }
        *at = job->next;
        if (lane->last == &job->next) {
            lane->last = at;
        }
        lane->n_queued--;
        return job;
    }
    return NULL;
}

static void *serve_lane(void *start);

/* One more thread if more jobs wait than threads do and there may be more. Failing is fine as long as one is there. */
static int wake_lane(struct lane *lane)
{
    unsigned idle = lane->n_threads - lane->n_running;
    if (lane->n_threads > 0 && (lane->n_queued <= idle || lane->n_threads == lane->max_threads)) {
        pthread_cond_signal(&lane->work);
        return 0;
    }
    struct thread_start *start = bw_memory_zeroed(1, sizeof(*start));
    *start = (struct thread_start){lane, lane->n_threads};
    int why = pthread_create(&lane->threads[lane->n_threads], NULL, serve_lane, start);
    if (why != 0) {
        free(start);
        return why;
    }
    lane->n_threads++;
    return 0;
}

/* Called with the lock held, returns with it held. At the end of everything nobody is told any more. */
static void finish(struct bw_jobs *jobs, struct job *job)
{
    bool tell = !jobs->stopping;
    if (job->lane == BW_LANE_ANALYSIS) {
        int64_t took_ms = bw_monotonic_ms() - job->began_ms;
        jobs->usual_ms += (took_ms - jobs->usual_ms) / 4;
    }
    uint64_t number = job->base.number;
    (void)bw_map_remove(jobs->by_key, job->key, job->key_len);
    (void)bw_map_remove(jobs->by_number, (const char *)&number, sizeof(number));
    pthread_cond_broadcast(&jobs->news);
    pthread_mutex_unlock(&jobs->lock);
    free_job(jobs, job);
    if (tell) {
        jobs->options.done(jobs->options.payload, number);
    }
    pthread_mutex_lock(&jobs->lock);
}

static void *serve_lane(void *argument)
{
    struct thread_start start = *(struct thread_start *)argument;
    free(argument);
    struct lane *lane = start.lane;
    struct bw_jobs *jobs = lane->jobs;
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping) {
        struct job *job = dequeue(lane);
        if (job == NULL) {
            pthread_cond_wait(&lane->work, &jobs->lock);
            continue;
        }
        job->running = true;
        job->began_ms = bw_monotonic_ms();
        lane->running[start.index] = job;
        lane->n_running++;
        pthread_mutex_unlock(&jobs->lock);
        enum bw_lane next = jobs->options.run(jobs->options.payload, &job->base, lane->name);
        pthread_mutex_lock(&jobs->lock);
        lane->running[start.index] = NULL;
        lane->n_running--;
        if (next == BW_LANE_OVER || jobs->stopping) {
            finish(jobs, job);
        } else {
            enqueue(&jobs->lanes[next], job);
            (void)wake_lane(&jobs->lanes[next]);
        }
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

int bw_jobs_create(struct bw_jobs **out, const struct bw_jobs_options *options, struct bw_error *err)
{
    struct bw_jobs *jobs = bw_memory_zeroed(1, sizeof(*jobs));
    jobs->options = *options;
    jobs->usual_ms = FIRST_GUESS_MS;
    jobs->by_key = bw_map_create();
    jobs->by_number = bw_map_create();
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs->news, &clock);
    pthread_condattr_destroy(&clock);
    int why = 0;
    pthread_mutex_lock(&jobs->lock);
    for (unsigned i = 0; i < BW_LANES; i++) {
        struct lane *lane = &jobs->lanes[i];
        *lane = (struct lane){.jobs = jobs, .name = (enum bw_lane)i, .max_threads = options->threads[i]};
        lane->last = &lane->first;
        lane->threads = bw_memory_zeroed(lane->max_threads, sizeof(*lane->threads));
        lane->running = bw_memory_zeroed(lane->max_threads, sizeof(struct job *));
        pthread_cond_init(&lane->work, NULL);
        why = why == 0 ? wake_lane(lane) : why;
    }
    pthread_mutex_unlock(&jobs->lock);
    if (why != 0) {
        bw_jobs_destroy(jobs);
        return bw_error_set(err, BW_EINTERNAL, "the catalog cannot start a thread: %s", strerror(why));
    }
    *out = jobs;
    return 0;
}

void bw_jobs_destroy(struct bw_jobs *jobs)
{
    if (jobs == NULL) {
        return;
    }
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    for (unsigned i = 0; i < BW_LANES; i++) {
        pthread_cond_broadcast(&jobs->lanes[i].work);
    }
    pthread_cond_broadcast(&jobs->news);
    pthread_mutex_unlock(&jobs->lock);
    for (unsigned i = 0; i < BW_LANES; i++) {
        struct lane *lane = &jobs->lanes[i];
        for (unsigned t = 0; t < lane->n_threads; t++) {
            pthread_join(lane->threads[t], NULL);
        }
    }
    for (unsigned i = 0; i < BW_LANES; i++) {
        struct lane *lane = &jobs->lanes[i];
        for (struct job *job = lane->first, *next = NULL; job != NULL; job = next) {
            next = job->next;
            free_job(jobs, job);
        }
        free(lane->threads);
        free(lane->running);
        pthread_cond_destroy(&lane->work);
    }
    bw_map_destroy(jobs->by_key, NULL);
    bw_map_destroy(jobs->by_number, NULL);
    pthread_cond_destroy(&jobs->news);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}

/* With the lock held. */
static uint64_t join(struct bw_jobs *jobs, const char *key, size_t len)
{
    const struct job *job = bw_map_get(jobs->by_key, key, len);
    jobs->joined += job != NULL;
    return job == NULL ? 0 : job->base.number;
}

uint64_t bw_jobs_join(struct bw_jobs *jobs, const char *key, size_t len)
{
    pthread_mutex_lock(&jobs->lock);
    uint64_t number = join(jobs, key, len);
    pthread_mutex_unlock(&jobs->lock);
    return number;
}

int bw_jobs_submit(uint64_t *number_out, struct bw_jobs *jobs, const char *key, size_t len, const char *host,
                   bool asks_host, void *task, struct bw_error *err)
{
    struct lane *quick = &jobs->lanes[BW_LANE_QUICK], *analysis = &jobs->lanes[BW_LANE_ANALYSIS];
    pthread_mutex_lock(&jobs->lock);
    uint64_t number = join(jobs, key, len);
    /* What only looks into the stores first is an analysis in the end: it needs room there. */
    bool full = jobs->stopping || quick->n_queued >= jobs->options.queue ||
                (!asks_host && analysis->n_queued >= jobs->options.queue);
    if (number == 0 && !full) {
        struct job *job = bw_memory_zeroed(1, sizeof(*job));
        number = ++jobs->last_number;
        job->base = (struct bw_job){number, task};
        job->key = bw_memory_strndup(key, len);
        job->key_len = len;
        job->host = bw_memory_strndup(host, strlen(host));
        job->asks_host = asks_host;
        (void)bw_map_put(jobs->by_key, key, len, job);
        (void)bw_map_put(jobs->by_number, (const char *)&number, sizeof(number), job);
        enqueue(quick, job);
        (void)wake_lane(quick);
        task = NULL;
    }
    pthread_mutex_unlock(&jobs->lock);
    if (task != NULL) {
        jobs->options.free_task(task);
    }
    if (number == 0) {
        return bw_error_detail(err, BW_EUNAVAILABLE, "queue_full", "the analysis queue is full: %u jobs wait",
                               jobs->options.queue);
    }
    *number_out = number;
    return 0;
}

void bw_jobs_progress(struct bw_jobs *jobs, struct bw_job *base, size_t layers_done, size_t n_layers,
                      uint64_t bytes_done, uint64_t n_bytes)
{
    struct job *job = (struct job *)base;
    pthread_mutex_lock(&jobs->lock);
    job->layers_done = layers_done;
    job->n_layers = n_layers;
    job->bytes_done = bytes_done;
    job->n_bytes = n_bytes;
    pthread_mutex_unlock(&jobs->lock);
}

static int64_t rest_ms(const struct bw_jobs *jobs, const struct job *job)
{
    const struct lane *lane = &jobs->lanes[job->lane];
    if (job->running && job->lane == BW_LANE_ANALYSIS) {
        int64_t spent_ms = bw_monotonic_ms() - job->began_ms;
        if (job->bytes_done == 0 || job->n_bytes < job->bytes_done) {
            return jobs->usual_ms > spent_ms ? jobs->usual_ms - spent_ms : 0;
        }
        return (int64_t)((double)spent_ms * (double)(job->n_bytes - job->bytes_done) / (double)job->bytes_done);
    }
    if (job->lane == BW_LANE_QUICK) {
        return job->asks_host ? 0 : jobs->usual_ms;
    }
    int64_t ahead = 1;
    for (const struct job *other = lane->first; other != NULL && other != job; other = other->next) {
        ahead++;
    }
    return jobs->usual_ms * (1 + ahead / lane->max_threads);
}

void bw_jobs_view(struct bw_jobs *jobs, uint64_t number, int *estimate_s_out, char *progress, size_t size)
{
    int64_t rest_s = 0;
    progress[0] = '\0';
    pthread_mutex_lock(&jobs->lock);
    const struct job *job = bw_map_get(jobs->by_number, (const char *)&number, sizeof(number));
    if (job != NULL) {
        rest_s = (rest_ms(jobs, job) + 999) / 1000;
        if (job->n_layers > 0) {
            size_t at = job->layers_done < job->n_layers ? job->layers_done + 1 : job->n_layers;
            (void)snprintf(progress, size, "layer %zu of %zu, %llu of %llu MB", at, job->n_layers,
                           (unsigned long long)(job->bytes_done / 1000000),
                           (unsigned long long)((job->n_bytes + 999999) / 1000000));
        } else if (!job->running && job->lane == BW_LANE_ANALYSIS) {
            (void)snprintf(progress, size, "waiting for a place");
        }
    }
    pthread_mutex_unlock(&jobs->lock);
    *estimate_s_out = rest_s < 1 ? 1 : rest_s > LONGEST_ESTIMATE_S ? LONGEST_ESTIMATE_S : (int)rest_s;
}

bool bw_jobs_wait(struct bw_jobs *jobs, uint64_t number, struct bw_deadline deadline)
{
    struct timespec until = {.tv_sec = deadline.monotonic_ms / 1000,
                             .tv_nsec = (deadline.monotonic_ms % 1000) * 1000000};
    int why = 0;
    bool over = false;
    pthread_mutex_lock(&jobs->lock);
    while (!(over = jobs->stopping || bw_map_get(jobs->by_number, (const char *)&number, sizeof(number)) == NULL) &&
           why != ETIMEDOUT) {
        why = pthread_cond_timedwait(&jobs->news, &jobs->lock, &until);
    }
    pthread_mutex_unlock(&jobs->lock);
    return over;
}

void bw_jobs_counts(struct bw_jobs *jobs, unsigned *running, unsigned *queued, uint64_t *joined)
{
    pthread_mutex_lock(&jobs->lock);
    *running = *queued = 0;
    for (unsigned i = 0; i < BW_LANES; i++) {
        *running += jobs->lanes[i].n_running;
        *queued += jobs->lanes[i].n_queued;
    }
    *joined = jobs->joined;
    pthread_mutex_unlock(&jobs->lock);
}
