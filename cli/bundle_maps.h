#ifndef BW_CLI_BUNDLE_MAPS_H
#define BW_CLI_BUNDLE_MAPS_H

#include "base/slot.h"
#include "cli/bundle_store.h"
#include "cli/cluster_watch.h"

/* Bundles from ConfigMaps with the label breakwater.io/bundle, into the store as they come and go. */
struct bw_bundle_maps;

struct bw_bundle_maps_options {
    struct bw_bundle_store *store;
    struct bw_slot *config;        /* of struct bw_config, as it is while a ConfigMap is read */
    const char *own;               /* breakwater's own namespace */
    const char *const *namespaces; /* more of them; "*": all */
    size_t n_namespaces;
    void (*settled)(void *payload); /* the store holds what there is for now; on a thread of the watch */
    void *payload;
};

/* Texts of the options stay the caller's and outlive it. */
struct bw_bundle_maps *bw_bundle_maps_create(const struct bw_bundle_maps_options *options);
void bw_bundle_maps_destroy(struct bw_bundle_maps *maps); /* after the watch; NULL is fine */
/* One ConfigMap as it is now, where nothing watches. */
void bw_bundle_maps_read(struct bw_bundle_maps *maps, struct bw_json config_map);
/* Adds its informers to the watch. */
int bw_bundle_maps_start(struct bw_bundle_maps *maps, struct bw_cluster_watch *watch,
                         struct bw_error *err) BW_MUST_CHECK;

#endif
