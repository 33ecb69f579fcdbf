/* Which of the bundles that a store knows are in force, which one is the default, and how that is told
 * (cli/bundle_store.h; K-501, K-502, D45). */
#include "cli/bundle_store_internal.h"

#include "base/log.h"
#include "base/map.h"
#include "base/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bw_metric bundle_valid = {
    .name = "breakwater_bundle_valid",
    .help = "1 if the present content is in force, 0 if it has a fault (the last good one stays) or its id is taken.",
    .kind = BW_METRIC_GAUGE,
    .labels = {"bundle", "origin"},
};
static struct bw_metric bundle_info = {
    .name = "breakwater_bundle_info",
    .help = "1 for every bundle in force; hash is the SHA-256 of its text.",
    .kind = BW_METRIC_GAUGE,
    .labels = {"bundle", "hash"},
};
static struct bw_metric bundle_loaded = {
    .name = "breakwater_bundle_last_load_timestamp_seconds",
    .help = "When the content in force was loaded.",
    .kind = BW_METRIC_GAUGE,
    .labels = {"bundle"},
};

static bool is_active(const struct bw_store_source *source)
{
    return source->own && source->active;
}

/* ---- how it is told ---- */

void bw_store_hide(struct bw_store_entry *entry)
{
    if (entry->shown_id != NULL) {
        bw_metric_remove(&bundle_valid, BW_LABELS(entry->shown_id, entry->origin));
        if (entry->shown_hash[0] != '\0') {
            bw_metric_remove(&bundle_info, BW_LABELS(entry->shown_id, entry->shown_hash));
            bw_metric_remove(&bundle_loaded, BW_LABELS(entry->shown_id));
        }
    }
    free(entry->shown_id);
    entry->shown_id = NULL;
    entry->shown_hash[0] = '\0';
}

static const char *id_of(const struct bw_store_entry *entry)
{
    return entry->bundle == NULL ? "" : bw_bundle_id(entry->bundle);
}

static bool shown_otherwise(const struct bw_store_entry *entry)
{
    const char *hash = entry->told == BW_IN_FORCE ? bw_bundle_hash(entry->bundle) : "";
    return entry->shown_id != NULL &&
           (strcmp(entry->shown_id, id_of(entry)) != 0 || strcmp(entry->shown_hash, hash) != 0);
}

static void show(struct bw_store_entry *entry)
{
    bool in_force = entry->told == BW_IN_FORCE;
    if (entry->shown_id == NULL) {
        entry->shown_id = bw_store_copy(id_of(entry));
    }
    bw_metric_set(&bundle_valid, entry->good && in_force ? 1 : 0, BW_LABELS(entry->shown_id, entry->origin));
    if (in_force) {
        memcpy(entry->shown_hash, bw_bundle_hash(entry->bundle), sizeof(entry->shown_hash));
        bw_metric_set(&bundle_info, 1, BW_LABELS(entry->shown_id, entry->shown_hash));
        bw_metric_set(&bundle_loaded, (double)entry->loaded_s, BW_LABELS(entry->shown_id));
    }
}

void bw_store_post(struct bw_bundle_store *store, const struct bw_store_source *source, bool warning,
                   const char *subject, const char *note)
{
    if (!bw_store_from_folder(source)) {
        bw_events_post(store->events, &(struct bw_event){.api_version = "v1",
                                                         .kind = "ConfigMap",
                                                         .name = source->name,
                                                         .uid = source->uid,
                                                         .namespace = source->namespace,
                                                         .reason = warning ? "BundleInvalid" : "BundleLoaded",
                                                         .action = "Load",
                                                         .note = note,
                                                         .subject = subject,
                                                         .warning = warning});
    }
}

/* ---- who wins ---- */

/* Of the folder, of the own namespace, of others. */
static int rank_of(const struct bw_store_source *source)
{
    return bw_store_from_folder(source) ? 0 : source->own ? 1 : 2;
}

static int by_precedence(const void *a, const void *b)
{
    const struct bw_store_entry *left = *(struct bw_store_entry *const *)a, *right = *(struct bw_store_entry *const *)b;
    const struct bw_store_source *one = left->source, *other = right->source;
    int order = rank_of(one) - rank_of(other);
    order = order != 0 ? order : strcmp(one->created, other->created);
    order = order != 0 ? order : strcmp(one->namespace, other->namespace);
    order = order != 0 ? order : strcmp(one->name, other->name);
    return order != 0 ? order : strcmp(left->key, right->key);
}

void bw_store_sort(struct bw_bundle_store *store)
{
    qsort(store->entries, store->n_entries, sizeof(struct bw_store_entry *), by_precedence);
}

static void tell(struct bw_bundle_store *store, struct bw_store_entry *entry, const struct bw_store_entry *rival)
{
    char note[BW_STORE_NOTE], subject[BW_STORE_HASH + 1];
    const char *id = bw_bundle_id(entry->bundle), *hash = bw_bundle_hash(entry->bundle);
    bool told = entry->told == (rival == NULL ? BW_IN_FORCE : BW_TAKEN);
    entry->told = rival == NULL ? BW_IN_FORCE : BW_TAKEN;
    if (told) {
        return;
    }
    if (rival == NULL) {
        bw_log(BW_LOG_INFO, "bundle loaded", BW_F("origin", entry->origin), BW_F("bundle", id), BW_F("sha256", hash));
        (void)snprintf(note, sizeof(note), "%s: bundle %.300s is in force (sha256 %.12s)", entry->key, id, hash);
    } else {
        bw_log(BW_LOG_ERROR, "bundle refused: its id is taken", BW_F("origin", entry->origin), BW_F("bundle", id),
               BW_F("taken_by", rival->origin));
        (void)snprintf(note, sizeof(note), "%s: refused: the id %.300s is that of %s", entry->key, id, rival->origin);
    }
    (void)snprintf(subject, sizeof(subject), "%s%c", hash, rival == NULL ? '+' : '-');
    bw_store_post(store, entry->source, rival != NULL, subject, note);
}

/* The entries in force, in order of precedence; *items in step with them. */
static size_t elect(struct bw_bundle_store *store, struct bw_store_entry **winners, struct bw_bundle_item *items)
{
    struct bw_map *taken = bw_map_create();
    size_t n = 0;
    bw_store_sort(store);
    for (size_t i = 0; i < store->n_entries; i++) {
        struct bw_store_entry *entry = store->entries[i];
        if (entry->bundle == NULL) {
            continue;
        }
        const char *id = bw_bundle_id(entry->bundle);
        struct bw_store_entry *rival = bw_map_get(taken, id, strlen(id));
        tell(store, entry, rival);
        if (rival == NULL) {
            (void)bw_map_put(taken, id, strlen(id), entry);
            winners[n] = entry;
            items[n++] = (struct bw_bundle_item){
                .bundle = entry->bundle, .origin = entry->origin, .warn_only = entry->source->warn_only};
        }
    }
    bw_map_destroy(taken, NULL);
    for (size_t i = 0; i < store->n_entries; i++) {
        if (shown_otherwise(store->entries[i])) {
            bw_store_hide(store->entries[i]);
        }
    }
    for (size_t i = 0; i < store->n_entries; i++) {
        show(store->entries[i]);
    }
    return n;
}

static const char *find_id(struct bw_store_entry *const *winners, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(bw_bundle_id(winners[i]->bundle), id) == 0) {
            return bw_bundle_id(winners[i]->bundle);
        }
    }
    return "";
}

/* The bundle of the one ConfigMap labelled active. *why is what is wrong about it. */
static const char *choose_active(const char **why, const struct bw_bundle_store *store, size_t n_active,
                                 struct bw_store_entry *const *winners, size_t n)
{
    const char *id = "";
    size_t n_inside = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_active(winners[i]->source)) {
            id = bw_bundle_id(winners[i]->bundle);
            n_inside++;
        }
    }
    if (n_active == 1 && n_inside == 1) {
        return id;
    }
    *why = n_active > 1    ? "several ConfigMaps are labelled active: none of them is the default"
           : n_inside == 0 ? "no bundle of the ConfigMap labelled active is in force"
                           : "the ConfigMap labelled active has several bundles: none of them is the default";
    return store->chosen == NULL ? "" : find_id(winners, n, store->chosen);
}

/* The id of the default, "" for none; *why is what is wrong about it, NULL when nothing is. What other namespaces hold
 * is a default only by its id. */
static const char *choose(const char **why, const struct bw_bundle_store *store, const char *default_id,
                          struct bw_store_entry *const *winners, size_t n)
{
    size_t n_active = 0, n_ours = 0;
    *why = NULL;
    if (default_id != NULL) {
        const char *id = find_id(winners, n, default_id);
        *why = id[0] == '\0' ? "no bundle has the id of bundles.default" : NULL;
        return id;
    }
    for (size_t i = 0; i < store->n_sources; i++) {
        n_active += is_active(store->sources[i]);
    }
    if (n_active > 0) {
        return choose_active(why, store, n_active, winners, n);
    }
    while (n_ours < n && rank_of(winners[n_ours]->source) < 2) {
        n_ours++; /* they come first */
    }
    *why = n == 0        ? "no bundle is in force"
           : n_ours == 0 ? "only other namespaces have bundles, and bundles.default names none of them"
           : n_ours > 1  ? "of several bundles none is named by bundles.default or a label"
                         : NULL;
    return n_ours == 1 ? bw_bundle_id(winners[0]->bundle) : "";
}

static void tell_default(struct bw_bundle_store *store, const char *id, const char *why, size_t n)
{
    if (why != NULL && why != store->why) {
        bw_log(BW_LOG_ERROR, why, BW_FI("bundles", n),
               BW_F("default", id[0] == '\0' ? "none: onError.noBundle decides" : id));
        for (size_t i = 0; i < store->n_sources; i++) {
            if (is_active(store->sources[i])) {
                bw_store_post(store, store->sources[i], true, why, why);
            }
        }
    }
    store->why = why;
}

struct bw_bundle_set *bw_bundle_store_make(struct bw_bundle_store *store, const char *default_id)
{
    struct bw_store_entry *winners[BW_MAX_BUNDLES];
    struct bw_bundle_item items[BW_MAX_BUNDLES];
    struct bw_bundle_set *set = NULL;
    const char *why = NULL;
    pthread_mutex_lock(&store->lock);
    bool same = store->chosen != NULL && (default_id == NULL) == (store->asked == NULL) &&
                (default_id == NULL || strcmp(default_id, store->asked) == 0);
    if (store->changed || !same) {
        size_t n = elect(store, winners, items);
        const char *id = choose(&why, store, default_id, winners, n);
        tell_default(store, id, why, n);
        set = bw_bundle_set_create(items, n, id);
        char *chosen = bw_store_copy(id);
        free(store->chosen);
        free(store->asked);
        store->chosen = chosen;
        store->asked = default_id == NULL ? NULL : bw_store_copy(default_id);
        store->changed = false;
    }
    pthread_mutex_unlock(&store->lock);
    return set;
}
