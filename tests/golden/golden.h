#ifndef BW_TESTS_GOLDEN_GOLDEN_H
#define BW_TESTS_GOLDEN_GOLDEN_H

#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "evaluator/evaluate.h"
#include "image/report_json.h"

/* Judges a directory of recorded decisions (tests/data/golden/README.md). */

/* ---- files: `path`, or `path`.gz, or `path`.zst ---- */
char *golden_read(const char *folder, const char *name, size_t *len_out); /* NULL: absent or broken, said on stderr */
json_t *golden_read_json(const char *folder, const char *name);
/* Names in folder that end in suffix (also with .gz, .zst), without it, sorted. */
size_t golden_list(char ***out, const char *folder, const char *suffix);

/* ---- facts ---- */
struct golden_environment {
    struct bw_vulnerabilities database; /* matches are the analysis' */
    struct bw_package_feed npm, gem;
    bool has_npm, has_gem;
};
struct golden_analysis {
    struct bw_report *report;
    struct bw_vulnerabilities vulnerabilities;
};
struct golden_world {
    struct bw_arena arena;
    int64_t now_s;
    struct bw_map *environments; /* struct golden_environment */
    struct bw_map *analyses;     /* struct golden_analysis, read when first asked for */
    const char *folder;
};

int golden_world_open(struct golden_world *world, const char *folder);
void golden_world_close(struct golden_world *world);
const struct golden_analysis *golden_analysis_get(struct golden_world *world, const char *name);
const struct golden_environment *golden_environment_get(struct golden_world *world, const char *name);
/* A reference as the recording writes it: Anchore's reading of it, mended as rows 5 and 6 say. */
int golden_reference(struct bw_reference *out, const char *text, struct bw_arena *arena);

/* ---- one reference of one case ---- */
struct golden_difference {
    bool differs;
    unsigned row; /* 0: nothing that was applied explains it */
    const char *what, *expected, *got;
    const char *outcome; /* ours, in one line */
};
struct golden_case {
    const json_t *bundle;
    const char *analysis, *environment;
    const json_t *validation;
};

/* What loading gives, once per case. */
struct golden_loaded {
    struct bw_bundle *bundle; /* NULL: refused */
    struct bw_problems problems;
};
void golden_load(struct golden_loaded *out, const json_t *document);
void golden_loaded_clear(struct golden_loaded *loaded);

int golden_judge(struct golden_difference *out, struct golden_world *world, const struct golden_case *recorded,
                 const struct golden_loaded *loaded, const char *reference, const json_t *bound,
                 struct bw_arena *arena);
struct golden_facts { /* facts and what they point to */
    struct bw_facts facts;
    struct bw_reference reference;
    struct bw_vulnerabilities vulnerabilities;
};
int golden_facts_get(struct golden_facts *out, struct golden_world *world, const struct golden_case *recorded,
                     const char *reference, struct bw_arena *arena);
int golden_evaluate(struct bw_decision *out, struct golden_world *world, const struct golden_case *recorded,
                    const struct bw_bundle *bundle, const char *reference, struct bw_arena *arena);
/* The outcomes of a decision against the record: *out says what differs, and by which row. */
void golden_compare(struct golden_difference *out, const struct bw_bundle *bundle, const struct bw_decision *decision,
                    const json_t *bound, struct bw_arena *arena);
/* A few of the decisions as test files of bundles, into the folder `to`. */
int golden_export(struct golden_world *world, const char *folder, const char *to);
/* The document with only what this reference reaches: all else is emptied, so that a fault there cannot speak. */
json_t *golden_reached(const json_t *document, int mapping);

#endif
