#ifndef BW_WEBHOOK_ADMISSION_INTERNAL_H
#define BW_WEBHOOK_ADMISSION_INTERNAL_H

#include "webhook/access.h"
#include "webhook/admit.h"
#include "webhook/subject.h"

/* One admission, for admit.c (its journey) and conclusion.c (what is said at its end) alone. */
struct bw_admission {
    struct bw_arena arena;
    const struct bw_services *services;
    struct bw_config *config;
    struct bw_bundle_set *bundles;
    struct bw_metadata namespace; /* where selectors ask for more than its name */
    enum { NAMESPACE_OPEN, NAMESPACE_KNOWN, NAMESPACE_UNKNOWN } namespace_state;
    struct bw_image_source *source; /* with the configured credentials */
    struct bw_access_way way;       /* with the pod's as well */
    bool reread;                    /* its Secrets were read a second time */
    struct bw_review review;
    struct bw_review_head head;
    int64_t since_ms;
    struct bw_deadline deadline;
    const struct bw_platform *platforms; /* that the object can run on; none: not known */
    size_t n_platforms;
    bool warn_only, background; /* background: admitted, but looked at (mirror pods) */
    struct bw_subject *subjects;
    size_t n_subjects;
    uint64_t *jobs;
    bool done, late; /* late: done, but some of its subjects are late */
    struct bw_admit_result result;
};

/* Texts in a row, in the arena; NULL when it is spent. Every admission makes a few, and printf is the dearer way. */
const char *bw_join(struct bw_arena *arena, const char *const *parts, size_t n_parts);
#define JOIN(arena, ...)                                                                                               \
    bw_join((arena), (const char *const[]){__VA_ARGS__}, BW_LENGTH(((const char *const[]){__VA_ARGS__})))

/* Asks anew for the images that were admitted unseen. How many jobs have to be waited for: those in at->jobs. */
size_t bw_admission_look_again(struct bw_admission *at);

/* Each makes the answer, after which the admission is done. */
void bw_admission_answer(struct bw_admission *at, const struct bw_outcome *outcome);
void bw_admission_allow(struct bw_admission *at, const char *decision, const char *reason);
void bw_admission_fault(struct bw_admission *at, enum bw_fault which, const char *text);
void bw_admission_decide(struct bw_admission *at, bool overloaded); /* by what became of its images */

#endif
