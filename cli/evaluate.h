#ifndef BW_CLI_EVALUATE_H
#define BW_CLI_EVALUATE_H

#include "cli/sarif.h"
#include "cli/settings.h"
#include "evaluator/trace_json.h"

/* What `breakwater evaluate` knows of one image, and the ways to show it: one file per way. */
struct bw_evaluated {
    const char *name; /* as on the command line */
    const struct bw_reference *reference;
    bool tag_counts;
    const struct bw_platform *platform; /* NULL: not known */
    const struct bw_report *report;
    struct bw_judgement judged, other; /* other: with --compare alone */
    struct bw_arena *arena;
};

struct bw_show {
    bool explain;
    const struct bw_bundle *bundle, *other; /* other: NULL without --compare */
    const char *file, *other_file;
    bool changed;     /* --compare found something */
    json_t *document; /* of writers that write everything at the end */
    struct bw_sarif sarif;
};

struct bw_evaluation_writer { /* a NULL member has nothing to say */
    void (*begin)(struct bw_show *show);
    int (*image)(struct bw_show *show, const struct bw_evaluated *image, struct bw_error *err);
    void (*failure)(struct bw_show *show, const char *name,
                    const struct bw_error *err); /* an image without a decision */
    void (*end)(struct bw_show *show);
};
extern const struct bw_evaluation_writer bw_evaluation_table, bw_evaluation_json, bw_evaluation_sarif,
    bw_evaluation_junit, bw_comparison_table, bw_comparison_json;

/* ---- shared by them ---- */
const char *bw_finding_word(const struct bw_finding *finding); /* "stop", "warn", "go", "forgiven", "unknown" */
void bw_put_image_line(const struct bw_evaluated *image);      /* name, short digest, platform */
void bw_put_verdict(const struct bw_judgement *judged);        /* "=> stop (policy_evaluation, ...)" */
void bw_put_whitelist(const struct bw_finding *finding);       /* " [whitelist w, item i]", or nothing */
void bw_explain_judgement(const struct bw_evaluated *image);

json_t *bw_failure_json(const char *name, const struct bw_error *err);
void bw_json_image(json_t *made, const struct bw_evaluated *image); /* image, digest, platform */
void bw_json_finish(struct bw_show *show);                          /* prints show->document, and frees it */

/* The finding does not count: a whitelist forgave it, or the whole image is whitelisted. */
bool bw_finding_excused(const struct bw_judgement *judged, const struct bw_finding *finding);

#endif
