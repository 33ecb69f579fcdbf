/* Bundles from ConfigMaps (cli/bundle_maps.h; K-501, K-503). Everything here runs on threads of informers, so that the
 * largest bundle delays nobody but other bundles. */
#include "cli/bundle_maps.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/settings.h"
#include "k8s/bundle_map.h"
#include "k8s/metadata.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct collection { /* the ConfigMaps of one namespace, or of all */
    struct bw_bundle_maps *maps;
    char path[128];
};

struct bw_bundle_maps {
    struct bw_bundle_maps_options options;
    pthread_mutex_t reading; /* one ConfigMap is unpacked at a time, however many namespaces there are */
    struct collection *collections;
    size_t n_collections;
};

static bool default_patterns(const struct bw_bundle_maps *maps)
{
    struct bw_config *config = bw_slot_acquire(maps->options.config);
    bool is = config->default_patterns;
    bw_config_release(config);
    return is;
}

static void offer_all(struct bw_bundle_maps *maps, const struct bw_bundle_map *map)
{
    bool own = strcmp(map->namespace, maps->options.own) == 0, patterns = default_patterns(maps);
    bool active = map->label != NULL && strcmp(map->label, "active") == 0;
    bw_bundle_store_begin(maps->options.store, &(struct bw_bundle_source){.namespace = map->namespace,
                                                                          .name = map->name,
                                                                          .uid = map->uid,
                                                                          .created = map->created,
                                                                          .own = own,
                                                                          .active = active,
                                                                          .warn_only = map->warn_only});
    for (size_t i = 0; i < map->n_bundles; i++) {
        const struct bw_map_bundle *bundle = &map->bundles[i];
        char name[256];
        bw_bundle_name_of(name, sizeof(name), bundle->key);
        bw_bundle_store_offer(maps->options.store, &(struct bw_bundle_content){.key = bundle->key,
                                                                               .name = name,
                                                                               .text = bundle->text,
                                                                               .len = bundle->len,
                                                                               .error = &bundle->error,
                                                                               .default_patterns = patterns});
    }
    bw_bundle_store_end(maps->options.store);
}

static void log_remarks(const struct bw_bundle_map *map)
{
    size_t n_ignored = 0;
    while (map->ignored[n_ignored] != NULL) {
        n_ignored++;
    }
    if (n_ignored > 0) {
        bw_log(BW_LOG_WARN, "keys of a bundle ConfigMap are not read: their suffix is none of a bundle",
               BW_F("namespace", map->namespace), BW_F("name", map->name), BW_FI("keys", n_ignored),
               BW_F("first", map->ignored[0]));
    }
    if (map->n_bundles == 0) {
        bw_log(BW_LOG_WARN, "a ConfigMap labelled " BW_DOMAIN "/bundle holds none", BW_F("namespace", map->namespace),
               BW_F("name", map->name));
    }
}

static void read_map(struct bw_bundle_maps *maps, struct bw_json object)
{
    struct bw_bundle_map map;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 2 * (size_t)BW_MAX_BUNDLE_MAP_BYTES);
    if (bw_bundle_map_read(&map, object, &arena, &err) != 0) {
        const json_t *metadata = json_object_get(object.node, "metadata");
        bw_log(BW_LOG_ERROR, "a bundle ConfigMap cannot be read, what it said before stays in force",
               BW_F("namespace", json_string_value(json_object_get(metadata, "namespace"))),
               BW_F("name", json_string_value(json_object_get(metadata, "name"))), BW_F("error", err.message));
        return;
    }
    log_remarks(&map);
    offer_all(maps, &map);
}

void bw_bundle_maps_read(struct bw_bundle_maps *maps, struct bw_json config_map)
{
    pthread_mutex_lock(&maps->reading);
    read_map(maps, config_map);
    pthread_mutex_unlock(&maps->reading);
}

static void put(void *payload, struct bw_json object)
{
    bw_bundle_maps_read(((struct collection *)payload)->maps, object);
}

static void drop(void *payload, const char *namespace, const char *name)
{
    struct collection *collection = payload;
    bw_bundle_store_drop(collection->maps->options.store, namespace, name);
}

static void settled(void *payload)
{
    struct collection *collection = payload;
    collection->maps->options.settled(collection->maps->options.payload);
}

/* One cluster-wide collection, or the own namespace and what else is named, each once. */
static void lay_out(struct bw_bundle_maps *maps)
{
    const struct bw_bundle_maps_options *options = &maps->options;
    maps->collections = bw_memory_zeroed(options->n_namespaces + 1, sizeof(maps->collections[0]));
    for (size_t i = 0; i < options->n_namespaces; i++) {
        if (strcmp(options->namespaces[i], "*") == 0) {
            (void)snprintf(maps->collections[0].path, sizeof(maps->collections[0].path), "/api/v1/configmaps");
            maps->n_collections = 1;
            return;
        }
    }
    for (size_t i = 0; i <= options->n_namespaces; i++) {
        const char *namespace = i == 0 ? options->own : options->namespaces[i - 1];
        if (i == 0 || strcmp(namespace, options->own) != 0) {
            struct collection *collection = &maps->collections[maps->n_collections++];
            (void)snprintf(collection->path, sizeof(collection->path), "/api/v1/namespaces/%s/configmaps", namespace);
        }
    }
}

struct bw_bundle_maps *bw_bundle_maps_create(const struct bw_bundle_maps_options *options)
{
    struct bw_bundle_maps *maps = bw_memory_zeroed(1, sizeof(*maps));
    maps->options = *options;
    (void)pthread_mutex_init(&maps->reading, NULL);
    lay_out(maps);
    return maps;
}

void bw_bundle_maps_destroy(struct bw_bundle_maps *maps)
{
    if (maps != NULL) {
        (void)pthread_mutex_destroy(&maps->reading);
        free(maps->collections);
        free(maps);
    }
}

int bw_bundle_maps_start(struct bw_bundle_maps *maps, struct bw_cluster_watch *watch, struct bw_error *err)
{
    for (size_t i = 0; i < maps->n_collections; i++) {
        struct collection *collection = &maps->collections[i];
        collection->maps = maps;
        const struct bw_cluster_watch_options options = {.resource = "configmaps",
                                                         .informer = {.path = collection->path,
                                                                      .label_selector = BW_DOMAIN "/bundle",
                                                                      .put = put,
                                                                      .drop = drop,
                                                                      .settled = settled,
                                                                      .payload = collection}};
        if (bw_cluster_watch_add(watch, &options, err) != 0) {
            return -1;
        }
    }
    return 0;
}
