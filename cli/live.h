#ifndef BW_CLI_LIVE_H
#define BW_CLI_LIVE_H

#include "base/sha256.h"
#include "base/watch_dir.h"
#include "cli/bundle_folder.h"
#include "cli/bundle_maps.h"
#include "cli/certs_leader.h"
#include "cli/settings.h"
#include "k8s/lookup.h"
#include "webhook/ledger.h"
#include "webhook/server.h"
#include "webhook/verdicts.h"

#include <pthread.h>

/*
 * What changes while breakwater serves: configuration, bundles, certificate and registry credentials. Each is taken
 * over as a whole when its file changes, or the last good one stays in force and the log says why.
 */
enum { BW_MAX_ACCESSES = 16 };

struct bw_live {
    const struct bw_arguments *arguments; /* options of the command line win over the file, at every reload */
    const char *config_path;              /* NULL: defaults */
    const char *bundles_path;             /* as at the start */
    struct bw_config *first;              /* what listeners, queues and cache were made of */
    struct bw_slot config, bundles, source;
    /* The last one is in force; admissions and analyses may still hold sources of the others. */
    struct bw_access accesses[BW_MAX_ACCESSES];
    size_t n_accesses;
    struct bw_catalog *catalog;
    struct bw_verdicts *verdicts;
    struct bw_ledger *ledger;    /* NULL: nobody can ask for what it holds */
    char pod[256];               /* the host's name, in a cluster the pod's */
    struct bw_kube_client *kube; /* NULL: there is no API server to ask; the next ones are of it */
    struct bw_kube_lookup *lookup;
    struct bw_events *events;
    int64_t event_trouble_ms; /* last told; 0: never */
    struct bw_cluster_watch *cluster;
    struct bw_metadata_store *namespaces, *nodes; /* NULL: they are not followed */
    bool follows_namespaces;
    struct bw_bundle_maps *maps; /* NULL: bundles come from the folder alone */
    struct bw_bundle_store *store;
    struct bw_certs_leader *certs; /* NULL: somebody else looks after the certificate */
    struct bw_server *server;      /* NULL until it is there; read by other threads */
    struct bw_watch_dir *watch;
    pthread_mutex_t refresh;
    char seen[5][2 * BW_HASH_MAX + 1]; /* content last taken over, by file: config, certificate, key ... */
    int64_t began_ms;
    int64_t warned_ms; /* of a certificate that ends */
};

/* Reads the configuration and applies the command line. Problems are said on standard error; 0 or BW_EXIT_TROUBLE. */
int bw_live_begin(struct bw_live *live, const struct bw_arguments *arguments);
/* Everything but the server: access to registries, catalog, bundles, verdicts. */
int bw_live_build(struct bw_live *live, struct bw_error *err) BW_MUST_CHECK;
/* Once the server is there: watches the folders of all files. */
int bw_live_watch(struct bw_live *live, struct bw_error *err) BW_MUST_CHECK;
/* Takes over whatever differs; on any change of a watched folder, and on SIGHUP. */
void bw_live_refresh(void *live, const char *folder);
/* Readiness of the bundles; once a second. */
void bw_live_tick(struct bw_live *live);
/* Without what `bw_server_destroy` needs to be gone before: the catalog's and the evaluator's threads end here. */
void bw_live_end(struct bw_live *live);

#endif
