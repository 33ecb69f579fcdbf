/* What a serving breakwater asks of its API server (cli/live.h): one client for pull secrets, bundles, namespaces,
 * nodes, Events and certificates. */
#include "cli/live_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60000 };

static bool is_wanted(enum bw_kubernetes_use use)
{
    return use == BW_KUBERNETES_ON || (use == BW_KUBERNETES_AUTO && getenv("KUBERNETES_SERVICE_HOST") != NULL);
}

/* On the one thread of Events. */
static void on_event_trouble(void *payload, const struct bw_error *err)
{
    struct bw_live *live = payload;
    int64_t now = bw_monotonic_ms();
    if (live->event_trouble_ms == 0 || now - live->event_trouble_ms >= MINUTE_MS) {
        live->event_trouble_ms = now;
        bw_log(BW_LOG_WARN, "an Event cannot be written", BW_F("error", err->message));
    }
}

static int open_events(struct bw_live *live, struct bw_error *err)
{
    return bw_events_create(&live->events, live->kube, live->pod, on_event_trouble, live, err);
}

static void open_bundle_maps(struct bw_live *live)
{
    live->store = bw_bundle_store_create(live->events);
    live->maps =
        bw_bundle_maps_create(&(struct bw_bundle_maps_options){.store = live->store,
                                                               .config = &live->config,
                                                               .own = bw_kube_client_namespace(live->kube),
                                                               .namespaces = live->first->bundle_namespaces,
                                                               .n_namespaces = live->first->n_bundle_namespaces,
                                                               .settled = bw_live_bundles_changed,
                                                               .payload = live});
}

int bw_live_follow_namespaces(struct bw_live *live, const struct bw_config *config, struct bw_error *err)
{
    if (live->cluster == NULL || live->follows_namespaces || !config->needs_namespaces) {
        return 0;
    }
    live->follows_namespaces = true;
    return bw_cluster_watch_metadata(live->cluster, "namespaces", live->namespaces, err);
}

static int follow_nodes(struct bw_live *live, struct bw_error *err)
{
    live->nodes = bw_metadata_store_create("kubernetes.io/os", "kubernetes.io/arch");
    return bw_cluster_watch_metadata(live->cluster, "nodes", live->nodes, err);
}

int bw_live_open_cluster(struct bw_live *live, struct bw_error *err)
{
    const struct bw_config *config = live->first;
    bool secrets = is_wanted(config->kubernetes), maps = is_wanted(config->bundle_maps);
    bool certs = config->certs.self_signed, nodes = is_wanted(config->nodes);
    bool namespaces = config->needs_namespaces && is_wanted(BW_KUBERNETES_AUTO), events = is_wanted(config->events);
    if (!secrets && !maps && !certs && !nodes && !namespaces && !events) {
        return 0;
    }
    const struct bw_kube_options options = {.account_folder = config->service_account_dir};
    if (bw_kube_client_create(&live->kube, &options, err) != 0) {
        if (config->kubernetes == BW_KUBERNETES_ON || config->bundle_maps == BW_KUBERNETES_ON ||
            config->nodes == BW_KUBERNETES_ON || config->events == BW_KUBERNETES_ON || certs) {
            return -1;
        }
        bw_log(
            BW_LOG_WARN,
            "the API server cannot be asked: no pull secrets of pods, no bundles in ConfigMaps, nothing of namespaces "
            "and nodes, no Events",
            BW_F("error", err->message));
        return 0;
    }
    if ((secrets && bw_kube_lookup_create(&live->lookup, live->kube, bw_live_news, live, err) != 0) ||
        (events && open_events(live, err) != 0)) {
        return -1;
    }
    live->cluster = bw_cluster_watch_create(live->kube);
    live->namespaces = bw_metadata_store_create(NULL, NULL);
    if (bw_live_follow_namespaces(live, config, err) != 0 || (nodes && follow_nodes(live, err) != 0)) {
        return -1;
    }
    if (maps) {
        open_bundle_maps(live);
    }
    return 0;
}
