#ifndef BW_IMAGE_CATALOG_JOBS_H
#define BW_IMAGE_CATALOG_JOBS_H

#include "base/deadline.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The catalog's threads. Two lanes: quick work that mostly waits for a registry or a disk, and analyses, so that ten
 * cold images do not hold up the tag of a warm one. One job per key, however many ask; a bounded queue per lane; one
 * host gets at most half of a lane (at least one thread). Threads are started as they are needed and stay.
 */
struct bw_jobs;

enum bw_lane { BW_LANE_QUICK, BW_LANE_ANALYSIS, BW_LANES, BW_LANE_OVER = BW_LANES };

struct bw_job {
    uint64_t number; /* from 1, never again */
    void *task;      /* the catalog's; freed by free_task */
};

struct bw_jobs_options {
    unsigned threads[BW_LANES]; /* at least 1 each */
    unsigned queue;             /* jobs that may wait in each lane */
    /* One step on a thread of the lane; returns the lane in which the job goes on, or BW_LANE_OVER. */
    enum bw_lane (*run)(void *payload, struct bw_job *job, enum bw_lane lane);
    void (*done)(void *payload, uint64_t number); /* once per job, when nobody finds it any more */
    void (*free_task)(void *task);
    void *payload;
};

int bw_jobs_create(struct bw_jobs **out, const struct bw_jobs_options *options, struct bw_error *err) BW_MUST_CHECK;
/* Drops what waits, lets what runs come to its end, joins the threads. NULL is fine. */
void bw_jobs_destroy(struct bw_jobs *jobs);

/* The job of this key that waits or runs, or 0; joining is counted. */
uint64_t bw_jobs_join(struct bw_jobs *jobs, const char *key, size_t len);
/* Begins in the quick lane, where it counts for its host only if asks_host. Takes the task in any case; when somebody
 * was faster, *number_out is their job. BW_EUNAVAILABLE "queue_full". */
int bw_jobs_submit(uint64_t *number_out, struct bw_jobs *jobs, const char *key, size_t len, const char *host,
                   bool asks_host, void *task, struct bw_error *err) BW_MUST_CHECK;

/* From the job's own thread. */
void bw_jobs_progress(struct bw_jobs *jobs, struct bw_job *job, size_t layers_done, size_t n_layers,
                      uint64_t bytes_done, uint64_t n_bytes);
/* How far a job is ("layer 2 of 5, 48 of 120 MB", or ""), and how many seconds may be left: at least 1. */
void bw_jobs_view(struct bw_jobs *jobs, uint64_t number, int *estimate_s_out, char *progress, size_t size);
bool bw_jobs_wait(struct bw_jobs *jobs, uint64_t number, struct bw_deadline deadline); /* false: deadline passed */

void bw_jobs_counts(struct bw_jobs *jobs, unsigned *running, unsigned *queued, uint64_t *joined);

#endif
