#ifndef BW_WEBHOOK_BUNDLE_WORKER_H
#define BW_WEBHOOK_BUNDLE_WORKER_H

#include "webhook/bundle_review.h"

/*
 * Reviews of bundles take up to seconds, too long for an event loop: one thread makes them in the order they came. Safe
 * to share between threads.
 */
struct bw_bundle_worker;
struct bw_bundle_task; /* counted: the worker's and the asker's */

/* done(payload, ticket) runs on the worker's thread when the result of that task is there. */
int bw_bundle_worker_create(struct bw_bundle_worker **out, void (*done)(void *payload, uint64_t ticket), void *payload,
                            struct bw_error *err) BW_MUST_CHECK;
void bw_bundle_worker_destroy(struct bw_bundle_worker *worker); /* what is not begun is dropped; NULL is fine */

/* Copies the body. NULL: too much waits already. */
struct bw_bundle_task *bw_bundle_worker_ask(struct bw_bundle_worker *worker, const char *body, size_t len,
                                            const struct bw_bundle_review_options *options);
const uint64_t *bw_bundle_task_ticket(const struct bw_bundle_task *task);
/* NULL: not yet. Lives as long as the task. */
const struct bw_admit_result *bw_bundle_task_result(const struct bw_bundle_task *task);
void bw_bundle_task_release(struct bw_bundle_task *task); /* its result is no longer wanted; NULL is fine */

#endif
