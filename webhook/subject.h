#ifndef BW_WEBHOOK_SUBJECT_H
#define BW_WEBHOOK_SUBJECT_H

#include "image/catalog/catalog.h"
#include "webhook/treatment.h"
#include "webhook/verdicts.h"

/* One distinct image of an admission, wherever the object names it, and what became of it. */
enum bw_subject_state { BW_SUBJECT_OPEN, BW_SUBJECT_DECIDED, BW_SUBJECT_FAULTY, BW_SUBJECT_PENDING };

struct bw_subject_variant { /* one image of an index */
    struct bw_digest digest;
    const char *platform;       /* "linux/arm64" */
    struct bw_digest previous;  /* what the tag led to before; text "": none is known, or the bundle does not ask */
    struct bw_verdict *verdict; /* retained; NULL while it is evaluated */
};

struct bw_subject {
    const struct bw_pod_image *image; /* the first that names it */
    size_t n_fields;                  /* how many do */
    struct bw_reference reference;
    const char *written; /* as the object names it; NULL when it is no reference */
    bool treated, stale, tag_current;
    struct bw_treatment treatment;
    enum bw_subject_state state;
    struct bw_subject_variant *variants; /* DECIDED; none: nothing speaks against it */
    size_t n_variants;
    enum bw_fault fault; /* FAULTY */
    struct bw_error error;
    uint64_t job; /* PENDING */
    bool late;    /* it was PENDING when it was admitted: its verdict is told when it comes (K-304) */
    int estimate_s;
    char progress[96];
};

/* What is done about an admission as a whole. */
struct bw_outcome {
    const char *decision; /* D50: allow warn deny skip unchanged break-glass pending error */
    const char *reason;   /* a word for metrics: "policy", "image_not_found", "no_bundle", ... */
    bool allowed;
    int code;
    const char *status_reason;
    int retry_after_s;
    const char *message;
    const struct bw_status_cause *causes;
    size_t n_causes;
    const char **warnings;
    size_t n_warnings;
};

struct bw_outcome_inputs {
    const struct bw_review *review;
    const struct bw_config *config;
    const struct bw_subject *subjects;
    size_t n_subjects;
    bool warn_only;  /* nothing is denied: what would becomes a warning */
    bool overloaded; /* the server has no room: pending subjects are so for that reason */
};

/* All memory from the arena. */
int bw_outcome_make(struct bw_outcome *out, const struct bw_outcome_inputs *inputs, struct bw_arena *arena,
                    struct bw_error *err) BW_MUST_CHECK;
/* An admission that fails as a whole for one reason (no bundle, an object that cannot be read). */
int bw_outcome_fault(struct bw_outcome *out, const struct bw_outcome_inputs *inputs, enum bw_fault fault,
                     const char *message, struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;

/* Whether this place of the object names the subject's image. A volume is another subject than a container. */
bool bw_subject_has(const struct bw_subject *subject, const struct bw_pod_image *image);
enum bw_fault bw_fault_of(const struct bw_error *error);
/* Built-in controllers and nodes: they come back by themselves and must not be kept waiting (D40). */
bool bw_is_controller(const struct bw_review *review);

#endif
