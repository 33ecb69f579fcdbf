#ifndef BW_EVALUATOR_EVALUATE_H
#define BW_EVALUATOR_EVALUATE_H

#include "evaluator/bundle.h"
#include "image/reference.h"
#include "image/report.h"
#include "vulnerability/vulnerability.h"

/* Bundle and facts in, decision out: no I/O, no clock, no globals. The same facts give the same decision. */
enum bw_action { BW_GO, BW_WARN, BW_STOP };

struct bw_feed_package { /* record of the optional package feeds (npms, ruby_gems) */
    const char *name, *latest;
    const char *const *versions;
    size_t n_versions;
};
struct bw_package_feed {
    bool synced;
    const struct bw_feed_package *records;
    size_t n_records;
};

struct bw_facts {
    const struct bw_reference *reference;
    bool tag_counts; /* the reference's tag is what the registry serves for the digest at hand, or there is no digest
                        (D23) */
    const struct bw_report *report;
    const struct bw_report *previous;                  /* of the image that the tag led to before; NULL: none known */
    const struct bw_vulnerabilities *vulnerabilities;  /* NULL: no vulnerability data */
    const struct bw_package_feed *npm_feed, *gem_feed; /* NULL: no feed */
    int64_t now_s;
};

enum bw_rule_outcome {
    BW_RULE_SILENT,
    BW_RULE_FIRED,
    BW_RULE_UNDECIDED /* could not be evaluated: counts as STOP (D9) */
};

struct bw_wording; /* how the id and the message of a finding are written (evaluator/gate.h) */

struct bw_finding {
    unsigned policy; /* index into the bundle's policies */
    unsigned rule;   /* index into the policy's rules */
    const char *policy_id, *policy_name, *rule_id, *gate, *trigger;
    const char *trigger_id; /* as the engine has it; "" for a rule that could not be evaluated */
    const char *message;    /* what was found, in our words */
    const struct bw_wording *wording;
    const void *subject;   /* what the two are written from; lives as long as the facts, the bundle and the arena */
    const char *comment;   /* the rule's comment (or description, recommendation), or NULL */
    enum bw_action action; /* the rule's; STOP when undecided; GO when whitelisted */
    enum bw_action rule_action;
    bool undecided;
    const char *whitelist_id, *whitelist_name, *whitelist_item_id; /* id NULL unless a whitelist forgave it */
    bool whitelisted;
};

struct bw_rule_result {
    unsigned rule; /* index into the policy's rules */
    enum bw_rule_outcome outcome;
    const char *note;       /* why it had nothing to look at, in our words; NULL: it had */
    uint64_t deviations[2]; /* bit n: row n of docs/anchore-differences.md was applied by this rule */
};

struct bw_policy_result {
    unsigned policy; /* index into the bundle's policies */
    const char *policy_id;
    enum bw_action action;
    size_t first_finding, n_findings;
    const struct bw_rule_result *rules; /* in the order they were run */
    size_t n_rules;
};

struct bw_decision {
    enum bw_action action; /* final */
    const char *reason;    /* "policy_evaluation", "whitelisted", "blacklisted", "no_mapping", "tag_undecided" */
    enum bw_action policy_action;
    int mapping;                              /* index chosen, or -1 */
    int whitelisted_image, blacklisted_image; /* index of the entry that matched, or -1 */
    const struct bw_policy_result *policies;
    size_t n_policies;
    const struct bw_finding *findings; /* in the engine's order */
    size_t n_findings;
    uint64_t
        deviations[2]; /* bit n: row n of docs/anchore-differences.md was applied, here or while the bundle loaded */
    uint64_t selection_deviations[2]; /* those of mappings and image lists alone */
    int64_t valid_until_s;            /* the next instant at which time alone would change it; INT64_MAX */
};

enum bw_no_mapping { BW_NO_MAPPING_WARN, BW_NO_MAPPING_DENY, BW_NO_MAPPING_ALLOW };

/* All memory from the arena. -1 only when the arena is spent or an invariant broke. */
int bw_evaluate(struct bw_decision *out, const struct bw_bundle *bundle, const struct bw_facts *facts,
                enum bw_no_mapping no_mapping, struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;
/* The same, except that trigger_id and message of a finding are NULL where nothing needed them: for who looks at few of
 * many findings. The message can be made while facts, bundle and arena are still there. */
int bw_evaluate_wordless(struct bw_decision *out, const struct bw_bundle *bundle, const struct bw_facts *facts,
                         enum bw_no_mapping no_mapping, struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;
int bw_finding_write_message(struct bw_finding *finding, struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;
const char *bw_action_name(enum bw_action action); /* "go", "warn", "stop" */

#endif
