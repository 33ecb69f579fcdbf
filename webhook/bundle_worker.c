/* Reviews of bundles as errands (webhook/bundle_worker.h). */
#include "webhook/bundle_worker.h"

#include "base/limits.h"
#include "base/memory.h"

#include <stdlib.h>

struct work {
    char *body; /* NULL once it was looked at */
    size_t len;
    struct bw_bundle_review_options options;
    struct bw_arena arena;
    struct bw_admit_result result;
};

static void run(void *payload)
{
    struct work *work = payload;
    bw_bundle_review(&work->result, work->body, work->len, &work->options, &work->arena);
    free(work->body);
    work->body = NULL;
}

static void release(void *payload)
{
    struct work *work = payload;
    free(work->body);
    bw_arena_clear(&work->arena);
    free(work);
}

static const struct bw_errand_kind review = {run, release};

struct bw_errand *bw_bundle_worker_ask(struct bw_worker *worker, const char *body, size_t len,
                                       const struct bw_bundle_review_options *options)
{
    struct work *work = bw_memory_zeroed(1, sizeof(*work));
    work->body = bw_memory_strndup(body, len);
    work->len = len;
    work->options = *options;
    bw_arena_init(&work->arena, 2 * BW_MAX_BUNDLE_MAP_BYTES);
    return bw_worker_ask(worker, &review, work, len);
}

const struct bw_admit_result *bw_bundle_worker_result(const struct bw_errand *errand)
{
    const struct work *work = bw_errand_result(errand);
    return work == NULL ? NULL : &work->result;
}
