/* Admissions that were answered before their images were known (K-304): they live on their loop until the verdicts are
 * there. */
#include "webhook/loop.h"

#include "base/limits.h"
#include "base/memory.h"

#include <stdlib.h>

struct late {
    h2o_linklist_t link;
    struct bw_admission *admission;
    const uint64_t *jobs; /* any of which may be news */
    size_t n_jobs;
    size_t bytes;
};

static void drop(struct bw_loop *loop, struct late *late)
{
    h2o_linklist_unlink(&late->link);
    loop->n_late--;
    loop->late_bytes -= late->bytes;
    bw_admission_free(late->admission);
    free(late);
}

void bw_late_keep(struct bw_loop *loop, struct bw_admission *admission)
{
    const uint64_t *jobs = NULL;
    size_t n_jobs = 0;
    if (admission == NULL || loop->quit || !bw_admission_is_late(admission) ||
        bw_admission_step_late(admission, &jobs, &n_jobs) == BW_ADMIT_DONE) {
        bw_admission_free(admission);
        return;
    }
    size_t bytes = bw_admission_size(admission);
    if (loop->n_late == BW_MAX_LATE || loop->late_bytes + bytes > BW_MAX_LATE_BYTES) {
        bw_log(BW_LOG_WARN, "too many admissions wait for late verdicts: those of this one will not be told",
               BW_F("requestUID", bw_admission_result(admission)->uid));
        bw_admission_free(admission);
        return;
    }
    struct late *late = bw_memory_zeroed(1, sizeof(*late));
    *late = (struct late){.admission = admission, .jobs = jobs, .n_jobs = n_jobs, .bytes = bytes};
    h2o_linklist_insert(&loop->late, &late->link);
    loop->n_late++;
    loop->late_bytes += bytes;
}

void bw_late_step(struct bw_loop *loop, uint64_t job)
{
    for (h2o_linklist_t *at = loop->late.next, *next = NULL; at != &loop->late; at = next) {
        struct late *late = H2O_STRUCT_FROM_MEMBER(struct late, link, at);
        bool news = false;
        next = at->next;
        for (size_t i = 0; i < late->n_jobs; i++) {
            news = news || late->jobs[i] == job;
        }
        if (news && bw_admission_step_late(late->admission, &late->jobs, &late->n_jobs) == BW_ADMIT_DONE) {
            drop(loop, late);
        }
    }
}

void bw_late_leave(struct bw_loop *loop)
{
    while (!h2o_linklist_is_empty(&loop->late)) {
        drop(loop, H2O_STRUCT_FROM_MEMBER(struct late, link, loop->late.next));
    }
}
