#ifndef BW_K8S_INFORMER_H
#define BW_K8S_INFORMER_H

#include "k8s/client.h"

/*
 * List, then watch, for ever: what a collection holds, told to its owner object by object, on a thread of the
 * informer's own. Nothing is told twice (same uid and resourceVersion), nothing that vanished while the watch was away
 * is missed. Bookmarks, 410, cuts in mid-object, a server that is away or busy are seen to inside.
 */
struct bw_informer;

struct bw_informer_options {
    const char *path;           /* "/api/v1/namespaces/breakwater/configmaps" */
    const char *label_selector; /* not escaped; NULL: none */
    const char *field_selector;
    bool metadata_only; /* PartialObjectMetadata */
    /* All on the informer's thread. Objects and names are borrowed for the call. */
    void (*put)(void *payload, struct bw_json object); /* new or changed */
    void (*drop)(void *payload, const char *namespace, const char *name);
    void (*settled)(void *payload); /* a list is complete, or the events that came in one piece are told */
    /* The server cannot be listed or watched; tried again in retry_ms. NULL: nobody wants to know. */
    void (*trouble)(void *payload, const struct bw_error *err, int64_t retry_ms);
    /* A watch stands again, and why it had to: "timeout" (the server's own end of it), "gone", "cut", "error". NULL as
     * above. */
    void (*restarted)(void *payload, const char *reason);
    void *payload;
};

/* The client stays the caller's and outlives the informer. Returns at once. */
int bw_informer_start(struct bw_informer **out, struct bw_kube_client *client,
                      const struct bw_informer_options *options, struct bw_error *err) BW_MUST_CHECK;
void bw_informer_stop(struct bw_informer *informer);         /* joins the thread within seconds; NULL is fine */
bool bw_informer_synced(const struct bw_informer *informer); /* the first list is complete */

struct bw_informer_counts { /* since the start */
    uint64_t lists, watches, events, errors;
    int64_t last_event_s; /* wall clock; bookmarks count; 0: none yet */
};
struct bw_informer_counts bw_informer_counts(const struct bw_informer *informer);

#endif
