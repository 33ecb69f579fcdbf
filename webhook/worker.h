#ifndef BW_WEBHOOK_WORKER_H
#define BW_WEBHOOK_WORKER_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What takes too long for an event loop: one thread runs errands, in the order they came. Safe to share between
 * threads.
 */
struct bw_worker;
struct bw_errand; /* counted: the worker's and the asker's */

struct bw_errand_kind {
    void (*run)(void *payload);     /* on the worker's thread, unless nobody waits for it any more */
    void (*release)(void *payload); /* when both have let go of it */
};

/* room: what the weights of errands that wait may sum up to. done(payload, ticket) runs on the worker's thread when
 * that errand has been run. */
int bw_worker_create(struct bw_worker **out, size_t room, void (*done)(void *payload, uint64_t ticket), void *payload,
                     struct bw_error *err) BW_MUST_CHECK;
void bw_worker_destroy(struct bw_worker *worker); /* what is not begun is dropped; NULL is fine */

/* The payload is the errand's from now on. NULL: too much waits already, the payload is released. */
struct bw_errand *bw_worker_ask(struct bw_worker *worker, const struct bw_errand_kind *kind, void *payload,
                                size_t weight);
/* Of another worker an errand may have the same: a ticket says that there may be news, no more. */
const uint64_t *bw_errand_ticket(const struct bw_errand *errand);
void *bw_errand_result(const struct bw_errand *errand); /* the payload once it was run; NULL: not yet */
void bw_errand_release(struct bw_errand *errand);       /* its result is no longer wanted; NULL is fine */

#endif
