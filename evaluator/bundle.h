#ifndef BW_EVALUATOR_BUNDLE_H
#define BW_EVALUATOR_BUNDLE_H

#include "image/needs.h"

#include <stdint.h>

/*
 * A policy bundle (format 1_0, or the Enterprise v2 document normalised), checked as a whole and compiled: immutable,
 * counted, shared between threads.
 */
struct bw_bundle;

enum bw_problem_severity { BW_PROBLEM_ERROR, BW_PROBLEM_WARNING };

/* One fault or leniency. Texts live in the list's arena. */
struct bw_problem {
    enum bw_problem_severity severity;
    const char *kind;       /* "gate_not_found", "parameter_value_invalid", "syntax", ... */
    const char *path;       /* JSON Pointer: "/policies/0/rules/3/trigger" */
    unsigned line, column;  /* 0 when not known; always set for syntax errors */
    const char *message;    /* says what was found and what is expected */
    const char *suggestion; /* the nearest known word, or NULL */
    const char *param, *gate, *trigger, *rule_id, *type, *id, *action; /* what the kind speaks of; NULL when not */
    unsigned row; /* of docs/anchore-differences.md, where Anchore Engine would not have refused at load; else 0 */
};

struct bw_problems {
    struct bw_arena arena;
    struct bw_problem *items;
    size_t n_items, capacity;
    size_t n_errors;
};

void bw_problems_init(struct bw_problems *problems);
void bw_problems_clear(struct bw_problems *problems);

struct bw_bundle_options {
    const char *name;      /* file or ConfigMap key: becomes the id of a document without one, and goes into messages */
    int64_t now_s;         /* for remarks on expired whitelist items; 0: none are made */
    bool default_patterns; /* the configured secret patterns are Anchore's default five (for "can never match" warnings)
                            */
};

/* The id of a bundle that has none of its own: the file's or key's name without folder and suffixes (of compression,
 * too). */
void bw_bundle_name_of(char *out, size_t size, const char *path);

/* JSON or YAML (decided by content). -1 if there is any error: then *out is untouched, problems say all of them, err
 * sums up ("bundle prod.json: 10 errors, first: ..."). Warnings alone do not fail. */
int bw_bundle_load(struct bw_bundle **out, struct bw_problems *problems, const char *text, size_t len,
                   const struct bw_bundle_options *options, struct bw_error *err) BW_MUST_CHECK;
struct bw_bundle *bw_bundle_retain(struct bw_bundle *bundle);
void bw_bundle_release(struct bw_bundle *bundle); /* NULL is fine */

const char *bw_bundle_id(const struct bw_bundle *bundle);
const char *bw_bundle_hash(const struct bw_bundle *bundle); /* sha256 of the text, hex */
const struct bw_needs *bw_bundle_needs(const struct bw_bundle *bundle);
/* Rows of docs/anchore-differences.md that loading applied: bit n is row n. Two words. */
const uint64_t *bw_bundle_deviations(const struct bw_bundle *bundle);

/* Every bundle in force by id, and the default one: counted, immutable, replaced whole in a slot. */
struct bw_bundle_set;

struct bw_bundle_item {
    struct bw_bundle *bundle;
    const char *origin; /* "file prod.json", "configmap breakwater/prod[prod.json]" */
    bool warn_only;     /* what it would stop is admitted with warnings */
};

/* Ids differ. The set copies origins and holds the bundles itself. */
struct bw_bundle_set *bw_bundle_set_create(const struct bw_bundle_item *items, size_t n_items, const char *default_id);
struct bw_bundle_set *bw_bundle_set_retain(struct bw_bundle_set *set);
void bw_bundle_set_release(struct bw_bundle_set *set);
/* id NULL: the default one (as named, else the only one); NULL when there is none. Borrowed from the set. */
struct bw_bundle *bw_bundle_set_find(const struct bw_bundle_set *set, const char *id);
size_t bw_bundle_set_count(const struct bw_bundle_set *set);
struct bw_bundle *bw_bundle_set_at(const struct bw_bundle_set *set, size_t index);
/* Of a bundle that the set gave. */
const char *bw_bundle_set_origin(const struct bw_bundle_set *set, const struct bw_bundle *bundle);
bool bw_bundle_set_warns(const struct bw_bundle_set *set, const struct bw_bundle *bundle);
int bw_bundle_set_needs(struct bw_needs *out, const struct bw_bundle_set *set, struct bw_arena *arena,
                        struct bw_error *err) BW_MUST_CHECK;

#endif
