#ifndef BW_WEBHOOK_BUNDLE_WORKER_H
#define BW_WEBHOOK_BUNDLE_WORKER_H

#include "webhook/bundle_review.h"
#include "webhook/worker.h"

/* Reviews of bundles take up to seconds: they are errands of a worker with room for BW_MAX_BUNDLE_REVIEWS. */

/* Copies the body. NULL: too much waits already. */
struct bw_errand *bw_bundle_worker_ask(struct bw_worker *worker, const char *body, size_t len,
                                       const struct bw_bundle_review_options *options);
/* NULL: not yet. Lives as long as the errand. */
const struct bw_admit_result *bw_bundle_worker_result(const struct bw_errand *errand);

#endif
