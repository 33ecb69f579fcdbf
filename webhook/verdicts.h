#ifndef BW_WEBHOOK_VERDICTS_H
#define BW_WEBHOOK_VERDICTS_H

#include "evaluator/evaluate.h"

/*
 * What a bundle decided about an image, kept by all that the decision depends on: bundle, digest, reference and tag
 * state, platform, configuration. Evaluations too long for an event loop run on threads of their own, one per key for
 * all who ask. Safe to share between threads.
 */
struct bw_kept_finding {
    struct bw_finding finding;
    size_t n_of_rule; /* on the first of a rule: how many findings the rule has; else 0 */
};

struct bw_verdict { /* immutable, counted; texts are its own */
    enum bw_action action;
    const char *reason;                             /* static: as bw_decision's */
    const struct bw_kept_finding *findings;         /* that did not let pass, worst first, some of each rule */
    size_t n_findings, n_stop, n_warn, n_undecided; /* counts of all, also of those left out */
    size_t n_incomplete;  /* of the undecided: those whose data the analysis skipped or cut (D25) */
    const char *policies; /* ids, joined by blanks */
    int64_t valid_until_s;
};
enum { BW_MAX_VERDICT_FINDINGS = 100, BW_MAX_RULE_FINDINGS = 10 };

struct bw_verdict *bw_verdict_retain(struct bw_verdict *verdict);
void bw_verdict_release(struct bw_verdict *verdict); /* NULL is fine */

struct bw_verdicts;

/* done(payload, ticket) runs on an evaluating thread when that evaluation is in the cache. threads 0: two. */
int bw_verdicts_create(struct bw_verdicts **out, unsigned threads, void (*done)(void *payload, uint64_t ticket),
                       void *payload, struct bw_error *err) BW_MUST_CHECK;
void bw_verdicts_destroy(struct bw_verdicts *verdicts); /* NULL is fine */

struct bw_verdict_question {
    const char *key; /* all that the verdict depends on, as text */
    struct bw_bundle *bundle;
    struct bw_report *report;
    struct bw_report *previous; /* NULL: none */
    const struct bw_reference *reference;
    bool tag_counts;
    enum bw_no_mapping no_mapping;
    int64_t now_s;
    bool at_once; /* evaluate on this thread, however long it takes */
};

/* The verdict (retained) from the cache, or evaluated here if that is short or asked for; else *out is NULL and *ticket
 * names the evaluation that was begun. -1: the evaluation failed as a whole. */
int bw_verdicts_ask(struct bw_verdict **out, uint64_t *ticket, struct bw_verdicts *verdicts,
                    const struct bw_verdict_question *question, struct bw_error *err) BW_MUST_CHECK;

#endif
