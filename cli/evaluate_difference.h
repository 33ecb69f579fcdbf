#ifndef BW_CLI_EVALUATE_DIFFERENCE_H
#define BW_CLI_EVALUATE_DIFFERENCE_H

#include "cli/evaluate.h"

/* What two bundles decide differently about one image. */
struct bw_finding_change { /* one of them NULL: the finding is there under one bundle only */
    const struct bw_finding *before, *after;
};

struct bw_policy_change {
    const char *id;
    const struct bw_policy_result *before, *after; /* one of them NULL: the policy is run under one bundle only */
};

struct bw_difference {
    bool decision; /* the action, or its reason */
    bool mapping;  /* another mapping was chosen */
    bool lists;    /* on or off an image list */
    const struct bw_policy_change *policies;
    size_t n_policies;
    const struct bw_finding_change *findings; /* by gate, trigger, trigger id and rule */
    size_t n_findings;
};

/* Findings are the same if gate, trigger, trigger id and rule id are. -1 when the image's arena is spent. */
int bw_difference_find(struct bw_difference *out, const struct bw_evaluated *image, struct bw_error *err) BW_MUST_CHECK;
bool bw_difference_any(const struct bw_difference *difference);
/* The entry of the chosen mapping, or NULL. */
const struct bw_entry_trace *bw_chosen_mapping(const struct bw_judgement *judged);

#endif
