#ifndef BW_EVALUATOR_TRACE_H
#define BW_EVALUATOR_TRACE_H

#include "evaluator/evaluate.h"

/*
 * How a decision came about, for people: made after it, from the same bundle, the same facts and the same matching
 * code. Texts live in the arena or in the bundle.
 */
enum bw_selection { BW_NOT_SELECTED, BW_SELECTED, BW_UNDECIDABLE /* the reference has no tag that could be judged */ };
enum bw_selector_part { BW_PART_REGISTRY, BW_PART_REPOSITORY, BW_PART_IMAGE, BW_SELECTOR_PARTS };

struct bw_entry_trace { /* a mapping, or an entry of an image list */
    unsigned index;
    const char *label;                 /* its name, else its id, or NULL */
    const char *registry, *repository; /* patterns as written */
    const char *type, *value;          /* "tag", "digest", "id", or "other", which matches nothing */
    enum bw_selection selection;
    enum bw_selector_part part; /* the first one that did not match, or could not be judged; not if selected */
    const char *why;            /* that in a sentence; NULL if selected */
};

struct bw_entries_trace { /* in order, up to the first that matched */
    const struct bw_entry_trace *items;
    size_t n_items;
    size_t n_all; /* what the bundle has */
    int selected; /* index, or -1 */
};

struct bw_param_trace {
    const char *name, *value; /* as given */
};

struct bw_rule_trace {
    const struct bw_rule_result *result;
    const char *id, *comment; /* or NULL */
    const char *gate, *trigger, *doc;
    enum bw_action action;
    const struct bw_param_trace *params;
    size_t n_params;
    /* Why a silent rule had nothing to look at: its kind of data is not in this image. NULL: it looked. */
    const char *not_applicable;
    size_t first_finding, n_findings; /* in the decision's findings */
};

struct bw_policy_trace {
    const struct bw_policy_result *result;
    const char *name; /* or NULL */
    bool skipped;     /* its rules are for something that is no image */
    const struct bw_rule_trace *rules;
    size_t n_rules;
};

struct bw_trace {
    struct bw_entries_trace mappings, whitelisted_images, blacklisted_images;
    const char *const *whitelists; /* ids of those that the chosen mapping names */
    size_t n_whitelists;
    const struct bw_policy_trace *policies; /* as many as the decision has */
};

/* decision: what bw_evaluate() made of this bundle and these facts; it must outlive the trace. -1 when the arena is
 * spent. */
int bw_trace(struct bw_trace *out, const struct bw_bundle *bundle, const struct bw_facts *facts,
             const struct bw_decision *decision, struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;

struct bw_judgement { /* of one bundle, with all that can be told about it */
    const struct bw_bundle *bundle;
    struct bw_decision decision;
    struct bw_trace trace;
};

/* "fired", "silent", "not_applicable", "undecided" */
const char *bw_rule_outcome_word(const struct bw_rule_trace *rule);
/* Why a decision is not that of the rules: a sentence, NULL if it is. */
const char *bw_decision_beside_rules(const struct bw_decision *decision);

#endif
