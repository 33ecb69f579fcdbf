#ifndef BW_EVALUATOR_BUNDLE_INTERNAL_H
#define BW_EVALUATOR_BUNDLE_INTERNAL_H

#include "evaluator/gate.h"
#include "evaluator/pattern.h"
#include "evaluator/trace.h"

#include <jansson.h>
#include <stdatomic.h>

/* A compiled bundle: everything in one arena, written by the loader, read by the evaluator. */
struct bw_rule {
    const struct bw_gate *gate;
    const struct bw_trigger *trigger;
    enum bw_action action;
    const char *id;      /* NULL when the document has none */
    const char *comment; /* or description, or recommendation */
    const struct bw_value *values;
    unsigned index;
};

struct bw_policy {
    const char *id, *name;
    const struct bw_rule *rules; /* grouped by gate, gates in the order of their first rule */
    size_t n_rules;
    bool data_rule; /* has vulnerabilities:vulnerability_data_unavailable */
    bool skipped;   /* rules for something that is no image */
};

struct bw_whitelist_item {
    const char *id; /* NULL when the document has none */
    const struct bw_gate *gate;
    struct bw_pattern pattern;
    int64_t expires_s; /* INT64_MAX: never */
};

struct bw_whitelist_index; /* evaluator/whitelist.c */
struct bw_whitelist {
    const char *id, *name;
    const struct bw_whitelist_item *items;
    size_t n_items;
    const struct bw_whitelist_index *index;
};

enum bw_image_type { BW_IMAGE_TAG, BW_IMAGE_DIGEST, BW_IMAGE_ID, BW_IMAGE_OTHER };

struct bw_selector {
    struct bw_pattern registry, repository, tag;
    enum bw_image_type type;
    const char *value; /* digest or id */
    const char *label; /* the entry's name, else its id, or NULL */
};

struct bw_mapping {
    struct bw_selector selector;
    const unsigned *policies;
    size_t n_policies;
    const unsigned *whitelists;
    size_t n_whitelists;
};

struct bw_bundle {
    atomic_uint references;
    struct bw_arena arena;
    const char *id, *name;
    char hash[2 * BW_SHA256_BYTES + 1];
    const struct bw_policy *policies;
    size_t n_policies;
    const struct bw_whitelist *whitelists;
    size_t n_whitelists;
    const struct bw_mapping *mappings;
    size_t n_mappings;
    const struct bw_selector *whitelisted_images, *blacklisted_images;
    size_t n_whitelisted_images, n_blacklisted_images;
    struct bw_needs needs;
    uint64_t deviations[2]; /* rows that loading applied */
    struct bw_regex **regexes;
    size_t n_regexes, regexes_capacity;
};

struct bw_bundle *bw_bundle_create(const char *text, size_t len); /* empty, with the hash of its text */

/* ---- selectors (evaluator/mapping.c) ---- */
enum bw_selection bw_selector_match(const struct bw_selector *selector, const struct bw_facts *facts,
                                    uint64_t deviations[2]);
/* The same, part by part. What stands behind a part that does not match may be left BW_SELECTED. */
enum bw_selection bw_selector_match_parts(enum bw_selection parts[BW_SELECTOR_PARTS],
                                          const struct bw_selector *selector, const struct bw_facts *facts,
                                          uint64_t deviations[2]);

/* ---- whitelists (evaluator/whitelist.c) ---- */
int bw_whitelist_build_index(struct bw_whitelist *whitelist, struct bw_arena *arena,
                             struct bw_error *err) BW_MUST_CHECK;
/* Whether it has items for findings of this gate at all. */
bool bw_whitelist_concerns(const struct bw_whitelist *whitelist, const struct bw_gate *gate);
/* The first item in the order of the document that is not expired and matches; NULL: none. */
const struct bw_whitelist_item *bw_whitelist_find(const struct bw_whitelist *whitelist, const struct bw_gate *gate,
                                                  const char *trigger_id, int64_t now_s);
/* When the next item expires; INT64_MAX: never. */
int64_t bw_whitelist_next_expiry(const struct bw_whitelist *whitelist, int64_t now_s);

/* ---- loading (evaluator/load*.c) ---- */
struct bw_format { /* the names of one version of the document */
    const char *policies, *whitelists, *whitelisted_images, *blacklisted_images;
    const char *policy_id, *policy_ids, *whitelist_ids;
    bool enterprise; /* document version 2: denylist for blacklist, and so on */
};

/* Where in the document: on the stack of whoever walks it, written out only when there is something to say. */
struct bw_trail {
    const struct bw_trail *up; /* NULL: the document */
    const char *key;           /* NULL: an element of an array */
    size_t index;
};

struct bw_loader {
    struct bw_bundle *bundle;
    struct bw_problems *problems;
    const struct bw_bundle_options *options;
    const struct bw_format *format;
    bool refused; /* something is at fault */
    bool spent;   /* an arena gave up */
    struct bw_problem nothing;
    /* the rule that is being loaded */
    const struct bw_trail *rule_at;
    const struct bw_trigger *row;
    const char *gate, *trigger, *rule_id;
    const size_t *param_places; /* by position of the row: index + 1 in the document's list, 0 when not given */
    const char **needed_files;
    size_t n_needed_files, needed_files_capacity;
};

/* Adds a problem; what it returns can be completed (param, type, id, action, suggestion). Never NULL. */
struct bw_problem *bw_load_problem(struct bw_loader *loader, enum bw_problem_severity severity, const char *kind,
                                   const struct bw_trail *at, const char *fmt, ...) BW_PRINTF(5, 6);
#define bw_load_fault(loader, kind, at, ...)   bw_load_problem((loader), BW_PROBLEM_ERROR, (kind), (at), __VA_ARGS__)
#define bw_load_warning(loader, kind, at, ...) bw_load_problem((loader), BW_PROBLEM_WARNING, (kind), (at), __VA_ARGS__)
/* A member that is a list: 1, *out is set (NULL for none); 0: absent; -1: at fault, and said so. An empty object or
 * text counts as an empty list, as it did for the engine. */
int bw_load_list(struct bw_loader *loader, const json_t **out, const json_t *object, const char *key,
                 const struct bw_trail *at);
/* A leniency: the document leaves `key` out, and that is read as `what`. */
void bw_load_lenient(struct bw_loader *loader, const struct bw_trail *at, const char *key, const char *what);
const char *bw_load_copy(struct bw_loader *loader, const char *text,
                         size_t len); /* "" and spent when there is no room */
/* An id as the engine prints it, whatever it is; NULL when absent or null. */
const char *bw_load_id(struct bw_loader *loader, const json_t *node);
const char *bw_load_text(struct bw_loader *loader, const json_t *node); /* NULL if it is no string */
bool bw_load_version(struct bw_loader *loader, const json_t *object, const struct bw_trail *at);
void bw_load_unknown_members(struct bw_loader *loader, const json_t *object, const struct bw_trail *at,
                             const char *const *known, size_t n_known);
/* *out stays NULL when the pattern is at fault. */
void bw_load_regex(struct bw_loader *loader, struct bw_regex **out, struct bw_str pattern, unsigned flags,
                   const struct bw_trail *at);

void bw_load_policies(struct bw_loader *loader, const json_t *root);
void bw_load_rule(struct bw_loader *loader, struct bw_rule *out, const json_t *node, const struct bw_trail *at);
void bw_load_whitelists(struct bw_loader *loader, const json_t *root);
void bw_load_mappings(struct bw_loader *loader, const json_t *root);
void bw_load_image_lists(struct bw_loader *loader, const json_t *root);
/* *out is as good as it can be; a pattern at fault was reported. */
void bw_load_pattern(struct bw_loader *loader, struct bw_pattern *out, const json_t *object, const char *key,
                     const struct bw_trail *at);

#endif
