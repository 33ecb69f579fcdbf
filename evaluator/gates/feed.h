#ifndef BW_EVALUATOR_GATES_FEED_H
#define BW_EVALUATOR_GATES_FEED_H

#include "evaluator/gate.h"

/* What `npms` and `ruby_gems` share: packages of one type against a feed of published versions. */
struct bw_installed {
    const char *name;
    const char **versions; /* distinct, in the order of the analysis */
    size_t n_versions, capacity;
    const char *first;                    /* where versions points to while there is one, as there mostly is */
    const struct bw_feed_package *record; /* of the feed, or NULL */
};

struct bw_feed_state {
    const struct bw_package_feed *feed; /* NULL: none */
    struct bw_installed *installed;
    size_t n_installed;
    bool any_known;
};

struct bw_feed_texts { /* of one gate */
    enum bw_id_text newer, unknown, version, blacklisted, no_feed;
    const char *what; /* "npm package" */
};

int bw_feed_prepare(void **out, struct bw_scope *scope, const char *type, const struct bw_package_feed *feed,
                    struct bw_error *err) BW_MUST_CHECK;
int bw_feed_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err);
int bw_feed_newer(struct bw_scope *scope, const struct bw_feed_texts *texts, struct bw_error *err);
int bw_feed_unknown(struct bw_scope *scope, const struct bw_feed_texts *texts, struct bw_error *err);
int bw_feed_version(struct bw_scope *scope, const struct bw_feed_texts *texts, struct bw_error *err);
int bw_feed_blacklisted(struct bw_scope *scope, const struct bw_value *values, const struct bw_feed_texts *texts,
                        struct bw_error *err);
int bw_feed_unavailable(struct bw_scope *scope, const struct bw_feed_texts *texts, struct bw_error *err);

enum { BW_FEED_PARAMS = 2 };
extern const struct bw_param bw_feed_params[BW_FEED_PARAMS]; /* name, version */

/* "['a', 'b']", as the engine prints lists in its id texts. */
const char *bw_python_list(struct bw_scope *scope, const char *const *items, size_t n_items);

#endif
