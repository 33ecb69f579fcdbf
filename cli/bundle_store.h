#ifndef BW_CLI_BUNDLE_STORE_H
#define BW_CLI_BUNDLE_STORE_H

#include "evaluator/bundle.h"
#include "k8s/events.h"

/*
 * Which bundles are in force, from any number of sources: the folder, and ConfigMaps. Content with a fault leaves the
 * last good bundle of its key in force. Of several bundles with one id the first in this order is: those of the folder
 * by name, those of breakwater's own namespace, those of others; ConfigMaps by age, namespace, name and key. What
 * happens to a bundle is logged, measured and, for a ConfigMap, told by an Event. Safe to share between threads.
 */
struct bw_bundle_store;

struct bw_bundle_store *bw_bundle_store_create(struct bw_events *events); /* NULL: no Events */
void bw_bundle_store_destroy(struct bw_bundle_store *store);              /* NULL is fine */

struct bw_bundle_source {
    const char *namespace, *name; /* of the ConfigMap; NULL: the folder */
    const char *uid, *created;    /* creationTimestamp as the API server writes it */
    bool own;                     /* in breakwater's own namespace */
    bool active;                  /* labelled as the default one; counts in the own namespace */
    bool warn_only;
};

struct bw_bundle_content {
    const char *key;  /* "prod.json" */
    const char *name; /* the id of a document without one */
    const char *text; /* NULL: it could not be read, error says why */
    size_t len;
    const struct bw_error *error;
    bool default_patterns; /* as in struct bw_bundle_options */
};

/* All of one source as it is now: what is not offered before the end is gone. Others wait meanwhile. */
void bw_bundle_store_begin(struct bw_bundle_store *store, const struct bw_bundle_source *source);
void bw_bundle_store_offer(struct bw_bundle_store *store, const struct bw_bundle_content *content);
void bw_bundle_store_end(struct bw_bundle_store *store);
/* The ConfigMap is gone, or no longer labelled. */
void bw_bundle_store_drop(struct bw_bundle_store *store, const char *namespace, const char *name);

/* A new set for the caller, or NULL if nothing changed since the last call with the same default. default_id NULL: the
 * bundle of the one ConfigMap labelled active, else the only one. While it cannot be told which one is meant, the last
 * default stays. */
struct bw_bundle_set *bw_bundle_store_make(struct bw_bundle_store *store, const char *default_id);

#endif
