#ifndef BW_WEBHOOK_TREATMENT_H
#define BW_WEBHOOK_TREATMENT_H

#include "webhook/config.h"

/*
 * How one image of an admission is to be judged: the selector that it falls to, its mode and bundle, an exemption, the
 * right to break the glass (K-401 ff.). All borrowed from configuration, bundle set and arena.
 */
struct bw_treatment {
    const struct bw_selector *selector; /* NULL: none is configured, or none matches */
    enum bw_mode mode;
    struct bw_bundle *bundle; /* NULL in modes that need none */
    const struct bw_exemption *exemption;
    enum bw_on_error on_pending;
    bool warn_only; /* nothing denies: what would is a warning */
    bool analyse;   /* an image that is not known may be analysed */
    /* It is admitted without a verdict: "break_glass", "exemption", "no_selector", "passive", "analysis" (once it is
     * analysed). NULL: judged by the bundle. */
    const char *pass;
    const char *refusal; /* why it is denied whatever is in it, for a person; or NULL */
    const char *warning; /* what is to be said besides; or NULL */
};

struct bw_treatment_question {
    const struct bw_config *config;
    const struct bw_bundle_set *bundles; /* NULL: none */
    const struct bw_review *review;
    const struct bw_metadata *namespace; /* NULL: not known */
    const char *written;                 /* the image as the object has it */
    const struct bw_reference *reference;
    bool warn_only; /* of the object as a whole */
    int64_t now_s;
};

/* -1: it cannot be decided, *fault says what kind of failure that is. */
int bw_treatment_choose(struct bw_treatment *out, enum bw_fault *fault, const struct bw_treatment_question *question,
                        struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;
/* The same image by what it turned out to be: an exemption may name a digest. */
const struct bw_exemption *bw_treatment_exempts(const struct bw_treatment_question *question,
                                                const struct bw_digest *digest, struct bw_arena *arena);
/* The value of the annotation breakwater.io/break-glass-reason on the object or its pod template; or NULL. */
const char *bw_break_glass_reason(const struct bw_review *review);

#endif
