#ifndef BW_EVALUATOR_GATE_H
#define BW_EVALUATOR_GATE_H

#include "evaluator/deviation.h"
#include "evaluator/evaluate.h"
#include "evaluator/id_text.h"
#include "evaluator/param.h"

/*
 * A gate is a row with triggers, a trigger a row with parameters and one function. A trigger reports facts: actions,
 * whitelists and mappings are the evaluator's affair.
 */
struct bw_scope;  /* one evaluation, seen from a trigger */
struct bw_loader; /* one bundle being loaded, seen from a trigger */

struct bw_trigger {
    const char *name;
    const char *doc;
    const struct bw_param *params;
    unsigned n_params;
    const char *reads[3];  /* kinds of data: if the analysis skipped one, the rule cannot be evaluated */
    bool reads_previous;   /* the same kinds of the image that the tag led to before, if one is known */
    const char *successor; /* retired triggers: what took their place, or NULL */
    /* What goes beyond single parameters: compiles patterns, refuses impossible combinations. Optional. */
    int (*load)(struct bw_loader *loader, struct bw_value *values, struct bw_error *err);
    /* -1: the rule could not be evaluated, err says why. */
    int (*evaluate)(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err);
};

enum bw_gate_state { BW_GATE_ACTIVE, BW_GATE_RETIRED, BW_GATE_FOREIGN /* of another product, not evaluated here */ };

struct bw_gate {
    const char *name;
    const char *doc;
    enum bw_gate_state state;
    /* Runs once per evaluation, before the first rule of the gate. Optional. */
    int (*prepare)(void **out, struct bw_scope *scope, struct bw_error *err);
    const struct bw_trigger *triggers;
    unsigned n_triggers;
    const char *successor; /* retired gates */
};

extern const struct bw_gate *const bw_gates[]; /* NULL-terminated, in the order of the documentation */

const struct bw_gate *bw_gate_find(const char *name); /* any case */
const struct bw_trigger *bw_trigger_find(const struct bw_gate *gate, const char *name);
const char *bw_gate_suggest(const char *name);
const char *bw_trigger_suggest(const struct bw_gate *gate, const char *name);

/* ---- while a rule runs ---- */
struct bw_scope {
    const struct bw_facts *facts;
    const struct bw_report *report;
    struct bw_arena *arena;
    const char *rule_id; /* of the running rule, or NULL */
    void *prepared;      /* what the gate's prepare left */
    bool data_rule;      /* the policy asks itself whether vulnerability data are missing */
    const struct bw_gate *gate;
    const struct bw_trigger *trigger;
    const char *note;       /* of the running rule: why it has nothing to look at, or NULL */
    uint64_t deviations[2]; /* of the running rule */
    int64_t valid_until_s;
    struct bw_finding *findings;
    size_t n_findings, capacity;
    struct bw_buf text; /* scratch */
    struct bw_hash *md5;
};

/* Of hundreds of findings few are read: id and message are written when somebody wants them. Both functions give NULL
 * when the arena is spent; of the scope they get, only arena, text and md5 are set. */
struct bw_wording {
    const char *(*trigger_id)(struct bw_scope *scope, const struct bw_finding *finding);
    const char *(*message)(struct bw_scope *scope, const struct bw_finding *finding);
};

/* Leaves a finding. The id is the MD5 of gate, trigger and the id text; message is a template of ours; both are filled
 * from the same arguments, later: those must lie in the arena, the facts or the bundle, or be constant. */
int bw_fire_texts(struct bw_scope *scope, enum bw_id_text id, const char *message, const char *const *arguments,
                  struct bw_error *err) BW_MUST_CHECK;
#define bw_fire(scope, id, message, err, ...)                                                                          \
    bw_fire_texts((scope), (id), (message), (const char *const[]){__VA_ARGS__, NULL}, (err))
/* The same with words of the trigger's own, made from `subject`. */
int bw_fire_subject(struct bw_scope *scope, const struct bw_wording *wording, const void *subject,
                    struct bw_error *err) BW_MUST_CHECK;
/* With an id of its own (in the arena, or constant); the message is written at once. */
int bw_fire_as(struct bw_scope *scope, const char *trigger_id, const char *message, const char *const *arguments,
               struct bw_error *err) BW_MUST_CHECK;
/* The id and the message of a finding, written if they are not yet. */
int bw_scope_write_id(struct bw_scope *scope, struct bw_finding *finding, struct bw_error *err) BW_MUST_CHECK;
int bw_scope_write_message(struct bw_scope *scope, struct bw_finding *finding, struct bw_error *err) BW_MUST_CHECK;
/* The next instant at which time alone would change the outcome. */
void bw_scope_valid_until(struct bw_scope *scope, int64_t instant_s);
/* The reason why the analysis has no complete data of this kind, or NULL: "packages" and "packages:rpm" meet. */
const char *bw_scope_incomplete(const struct bw_scope *scope, const char *kind);
/* A template of ours with its arguments filled in. NULL when the arena is spent. */
const char *bw_scope_fill(struct bw_scope *scope, const char *message, const char *const *arguments) BW_MUST_CHECK;
/* Copies of borrowed text for messages. NULL when the arena is spent. */
const char *bw_scope_text(struct bw_scope *scope, struct bw_str text) BW_MUST_CHECK;
const char *bw_scope_join(struct bw_scope *scope, const char *a, const char *b, const char *c) BW_MUST_CHECK;
const char *bw_scope_number(struct bw_scope *scope, int64_t number) BW_MUST_CHECK;
/* -1 with the value's fault, if it has one. */
int bw_value_check(const struct bw_value *value, struct bw_error *err) BW_MUST_CHECK;
bool bw_value_lists(const struct bw_value *value, const char *text); /* list kinds */

/* ---- while a bundle loads ---- */
struct bw_arena *bw_loader_arena(struct bw_loader *loader);
/* Compiles the text of a value, anchored at the start. A bad one becomes a problem of the bundle. */
int bw_loader_regex(struct bw_loader *loader, struct bw_value *value, unsigned param,
                    struct bw_error *err) BW_MUST_CHECK;
/* A pattern of our own, kept with the bundle. */
int bw_loader_pattern(struct bw_regex **out, struct bw_loader *loader, const char *pattern, unsigned flags,
                      struct bw_error *err) BW_MUST_CHECK;
/* The value of one parameter is refused, or merely remarked upon. row: what the engine's lateness is numbered as, or 0.
 */
int bw_loader_fault(struct bw_loader *loader, unsigned param, unsigned row, const char *fmt, ...) BW_PRINTF(4, 5);
int bw_loader_warn(struct bw_loader *loader, unsigned param, const char *kind, const char *fmt, ...) BW_PRINTF(4, 5);
void bw_loader_missing(struct bw_loader *loader, unsigned param); /* a required parameter is not given */
/* The image analysis must keep this file. */
int bw_loader_need_file(struct bw_loader *loader, const char *path, struct bw_error *err) BW_MUST_CHECK;
void bw_loader_need_digests(struct bw_loader *loader);
void bw_loader_need_previous(struct bw_loader *loader);
bool bw_loader_default_patterns(
    const struct bw_loader *loader); /* the configured secret patterns are the default ones */
/* Remarks where a value can be that of no image. false: the path is not even absolute. */
bool bw_loader_check_path(struct bw_loader *loader, unsigned param, const char *path);
void bw_loader_check_path_regex(struct bw_loader *loader, unsigned param,
                                const char *regex); /* anchored at the start */
void bw_loader_check_version(struct bw_loader *loader, unsigned param, const char *version);
void bw_loader_deviates(struct bw_loader *loader, enum bw_row row);

#endif
