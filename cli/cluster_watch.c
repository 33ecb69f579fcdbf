/* Informers of a serving breakwater (cli/cluster_watch.h; K-503, K-704, K-903). */
#include "cli/cluster_watch.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRACE_MS = 60000 };

static struct bw_metric restarts = {
    .name = "breakwater_watch_restarts_total",
    .help = "Watches of the API server that were opened again: timeout (their usual end), gone (after a new list), cut "
            "or error.",
    .kind = BW_METRIC_COUNTER,
    .labels = {"resource", "reason"},
};
static struct bw_metric last_event = {
    .name = "breakwater_watch_last_event_timestamp_seconds",
    .help = "When the API server last sent an event or a bookmark, in seconds since 1970.",
    .kind = BW_METRIC_GAUGE,
    .labels = {"resource"},
};

struct followed {
    struct bw_cluster_watch_options options;
    struct bw_informer *informer;
    bool troubled;  /* of the informer's thread */
    bool forbidden; /* atomic: waiting for its first list is no use */
};

struct bw_cluster_watch {
    struct bw_kube_client *client;
    int64_t began_ms;
    pthread_mutex_t lock; /* of the list; what it leads to stays where it is */
    struct followed **items;
    size_t n_items;
};

struct bw_cluster_watch *bw_cluster_watch_create(struct bw_kube_client *client)
{
    struct bw_cluster_watch *watch = bw_memory_zeroed(1, sizeof(*watch));
    (void)pthread_mutex_init(&watch->lock, NULL);
    watch->client = client;
    watch->began_ms = bw_monotonic_ms();
    return watch;
}

void bw_cluster_watch_destroy(struct bw_cluster_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    for (size_t i = 0; i < watch->n_items; i++) {
        bw_informer_stop(watch->items[i]->informer);
        free(watch->items[i]);
    }
    free(watch->items);
    (void)pthread_mutex_destroy(&watch->lock);
    free(watch);
}

/* ---- on the threads of informers */

static void on_put(void *payload, struct bw_json object)
{
    const struct bw_informer_options *owner = &((struct followed *)payload)->options.informer;
    owner->put(owner->payload, object);
}

static void on_drop(void *payload, const char *namespace, const char *name)
{
    const struct bw_informer_options *owner = &((struct followed *)payload)->options.informer;
    owner->drop(owner->payload, namespace, name);
}

static void on_settled(void *payload)
{
    const struct bw_informer_options *owner = &((struct followed *)payload)->options.informer;
    owner->settled(owner->payload);
}

static void on_trouble(void *payload, const struct bw_error *err, int64_t retry_ms)
{
    struct followed *followed = payload;
    if (strcmp(err->detail, "forbidden") == 0) {
        __atomic_store_n(&followed->forbidden, true, __ATOMIC_RELEASE);
    }
    bw_log(followed->troubled ? BW_LOG_DEBUG : BW_LOG_WARN,
           "the API server is not followed for now: what was seen last stays in force",
           BW_F("resource", followed->options.resource), BW_F("error", err->message), BW_FI("retry_ms", retry_ms));
    followed->troubled = true;
}

static void on_restarted(void *payload, const char *reason)
{
    struct followed *followed = payload;
    bw_metric_add(&restarts, 1, BW_LABELS(followed->options.resource, reason));
    if (followed->troubled) {
        bw_log(BW_LOG_INFO, "the API server is followed again", BW_F("resource", followed->options.resource));
    }
    followed->troubled = false;
}

/* ---- from outside */

int bw_cluster_watch_add(struct bw_cluster_watch *watch, const struct bw_cluster_watch_options *options,
                         struct bw_error *err)
{
    struct followed *followed = bw_memory_zeroed(1, sizeof(*followed));
    followed->options = *options;
    struct bw_informer_options informer = options->informer;
    informer.put = on_put;
    informer.drop = on_drop;
    informer.settled = on_settled;
    informer.trouble = on_trouble;
    informer.restarted = on_restarted;
    informer.payload = followed;
    if (bw_informer_start(&followed->informer, watch->client, &informer, err) != 0) {
        free(followed);
        return -1;
    }
    (void)pthread_mutex_lock(&watch->lock);
    watch->items = bw_memory_resize(watch->items, (watch->n_items + 1) * sizeof(struct followed *));
    watch->items[watch->n_items++] = followed;
    (void)pthread_mutex_unlock(&watch->lock);
    return 0;
}

static void put_metadata(void *store, struct bw_json object)
{
    bw_metadata_store_put(store, object);
}

static void drop_metadata(void *store, const char *namespace, const char *name)
{
    (void)namespace;
    bw_metadata_store_drop(store, name);
}

static void settle_metadata(void *store)
{
    bw_metadata_store_set_whole(store);
}

int bw_cluster_watch_metadata(struct bw_cluster_watch *watch, const char *resource, struct bw_metadata_store *store,
                              struct bw_error *err)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/api/v1/%s", resource);
    const struct bw_cluster_watch_options options = {.resource = resource,
                                                     .informer = {.path = path,
                                                                  .metadata_only = true,
                                                                  .put = put_metadata,
                                                                  .drop = drop_metadata,
                                                                  .settled = settle_metadata,
                                                                  .payload = store}};
    return bw_cluster_watch_add(watch, &options, err);
}

/* All of this resource are synced, or (given_up) their first list is not to be waited for. With the lock held. */
static bool all_synced(const struct bw_cluster_watch *watch, const char *resource, bool *given_up)
{
    size_t n_followed = 0, n_synced = 0, n_forbidden = 0;
    for (size_t i = 0; i < watch->n_items; i++) {
        const struct followed *followed = watch->items[i];
        if (strcmp(followed->options.resource, resource) == 0) {
            bool synced = bw_informer_synced(followed->informer);
            n_followed++;
            n_synced += synced;
            n_forbidden += !synced && __atomic_load_n(&followed->forbidden, __ATOMIC_ACQUIRE);
        }
    }
    *given_up =
        (n_followed > 0 && n_synced + n_forbidden == n_followed) || bw_monotonic_ms() - watch->began_ms > GRACE_MS;
    return n_followed > 0 && n_synced == n_followed;
}

bool bw_cluster_watch_settled(struct bw_cluster_watch *watch, const char *resource)
{
    bool given_up = false;
    (void)pthread_mutex_lock(&watch->lock);
    bool synced = all_synced(watch, resource, &given_up);
    (void)pthread_mutex_unlock(&watch->lock);
    return synced || given_up;
}

void bw_cluster_watch_tick(struct bw_cluster_watch *watch, struct bw_server *server)
{
    if (watch == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; i < watch->n_items; i++) {
        const char *resource = watch->items[i]->options.resource;
        bool given_up = false, synced = all_synced(watch, resource, &given_up);
        int64_t event_s = 0;
        for (size_t j = 0; j < watch->n_items; j++) {
            struct bw_informer_counts counts = bw_informer_counts(watch->items[j]->informer);
            bool same = strcmp(watch->items[j]->options.resource, resource) == 0;
            event_s = same && counts.last_event_s > event_s ? counts.last_event_s : event_s;
        }
        if (event_s > 0) {
            bw_metric_set(&last_event, (double)event_s, BW_LABELS(resource));
        }
        bw_server_set_ready(server, resource, synced || given_up, synced ? NULL : "not listed yet");
    }
    (void)pthread_mutex_unlock(&watch->lock);
}
