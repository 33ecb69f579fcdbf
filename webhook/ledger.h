#ifndef BW_WEBHOOK_LEDGER_H
#define BW_WEBHOOK_LEDGER_H

#include "webhook/subject.h"

/*
 * The last admissions that looked at images, each with no more than it takes to tell later how it was decided. Bounded
 * in number, bytes and sets of bundles: the oldest go first. Safe to share between threads.
 */
struct bw_ledger;

struct bw_ledger_variant {             /* one image of an index */
    struct bw_digest digest, previous; /* previous: what the tag led to before, text "" for none */
    const char *platform;              /* "" where there is one variant alone */
};

struct bw_ledger_image {
    const char *text, *field;      /* as the object names it, and where */
    struct bw_reference reference; /* registry NULL: it is none */
    bool tag_counts, stale;
    int selector; /* its place in policySelectors; -1: none is configured, or none matches */
    const char *selector_id, *mode;
    const char *outcome; /* "judged", "passed", "refused", "failed", "pending" */
    const char *why;     /* that in words; NULL where the verdicts tell */
    const char *exemption;
    const struct bw_bundle *bundle; /* NULL: none was needed */
    const char *origin;             /* of the bundle: "configmap breakwater/prod[prod.json]" */
    const struct bw_ledger_variant *variants;
    size_t n_variants;
};

struct bw_ledger_entry { /* immutable, counted */
    const char *uid, *namespace, *kind, *name, *operation;
    const char *decision, *reason;
    bool dry_run;
    int64_t decided_s;
    enum bw_no_mapping no_mapping;
    const struct bw_ledger_image *images;
    size_t n_images;
};

struct bw_ledger *bw_ledger_create(void);
void bw_ledger_destroy(struct bw_ledger *ledger); /* NULL is fine */

/* bundles: those that the inputs' treatments borrow from; NULL: none. What is larger than an entry may be is not kept,
 * nor is what looked at no image. */
void bw_ledger_add(struct bw_ledger *ledger, struct bw_bundle_set *bundles, const struct bw_outcome_inputs *inputs,
                   const struct bw_outcome *outcome);
/* Retained, or NULL: it is not among them. */
struct bw_ledger_entry *bw_ledger_find(struct bw_ledger *ledger, const char *uid, size_t len);
void bw_ledger_entry_release(struct bw_ledger_entry *entry); /* NULL is fine */

#endif
