#ifndef BW_CLI_CLUSTER_WATCH_H
#define BW_CLI_CLUSTER_WATCH_H

#include "k8s/informer.h"
#include "k8s/metadata_store.h"
#include "webhook/server.h"

/*
 * The informers of one client while breakwater serves: started and stopped here, their troubles said in the log once
 * per change of state, their health in metrics, their first lists part of readiness. Safe to share between threads.
 */
struct bw_cluster_watch;

struct bw_cluster_watch_options {
    const char
        *resource; /* "namespaces": in the log, in metrics, as the check of readiness; static. May occur twice. */
    struct bw_informer_options informer; /* trouble and restarted stay NULL */
};

struct bw_cluster_watch *bw_cluster_watch_create(struct bw_kube_client *client);
void bw_cluster_watch_destroy(struct bw_cluster_watch *watch); /* joins all informers within seconds; NULL is fine */
int bw_cluster_watch_add(struct bw_cluster_watch *watch, const struct bw_cluster_watch_options *options,
                         struct bw_error *err) BW_MUST_CHECK;
/* Keeps the metadata of what has no namespace ("namespaces", "nodes") in the store, which outlives the watch. */
int bw_cluster_watch_metadata(struct bw_cluster_watch *watch, const char *resource, struct bw_metadata_store *store,
                              struct bw_error *err) BW_MUST_CHECK;
/* The first lists of this resource, which is followed, are complete, or not waited for any more: a minute is over, or
 * they are forbidden. */
bool bw_cluster_watch_settled(struct bw_cluster_watch *watch, const char *resource);
/* Metrics and readiness, which waits for the same; once a second. watch NULL is fine. */
void bw_cluster_watch_tick(struct bw_cluster_watch *watch, struct bw_server *server);

#endif
