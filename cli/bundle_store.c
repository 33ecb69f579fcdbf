/* Which bundles are in force (cli/bundle_store.h). What is offered is loaded at once, so that a key keeps its last good
 * bundle; who wins an id and which one is the default is decided when a set is made. */
#include "cli/bundle_store.h"

#include "base/buf.h"
#include "base/deadline.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/sha256.h"
#include "base/yaml.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOGGED = 100, MAX_NOTE = 1024, HASH_TEXT = 2 * BW_SHA256_BYTES + 1 };

struct source {
    char *namespace, *name, *uid, *created; /* the folder's are "" */
    bool own, active, warn_only;
};

struct entry {
    struct source *source;
    char *key, *origin;
    char hash[HASH_TEXT];     /* of the content last looked at, or of why it could not be read */
    struct bw_bundle *bundle; /* the last good one, or NULL */
    size_t bytes;             /* of its text */
    int64_t loaded_s;
    bool good; /* the content last looked at is the bundle's */
    bool seen; /* offered since the source began */
    enum { NOT_TOLD, IN_FORCE, TAKEN } told;
    /* labels of the series in /metrics */
    char *shown_id;
    char shown_hash[HASH_TEXT];
};

struct bw_bundle_store {
    pthread_mutex_t lock;
    struct bw_events *events;
    struct source **sources;
    size_t n_sources, sources_capacity;
    struct entry *entries[BW_MAX_BUNDLES + 1];
    size_t n_entries;
    struct source *current; /* between begin and end; NULL: there is no room for it */
    size_t bytes;           /* of the texts of all bundles */
    bool changed;
    char *asked;     /* default_id of the last call */
    char *chosen;    /* the default then; "": none */
    const char *why; /* last told about the default */
};

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

static char *copy_of(const char *text)
{
    return text == NULL ? bw_memory_strndup("", 0) : bw_memory_strndup(text, strlen(text));
}

static bool from_folder(const struct source *source)
{
    return source->name[0] == '\0';
}

static bool is_active(const struct source *source)
{
    return source->own && source->active;
}

/* ---- metrics ---- */

static void unshow(struct entry *entry)
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

static const char *id_of(const struct entry *entry)
{
    return entry->bundle == NULL ? "" : bw_bundle_id(entry->bundle);
}

static bool shown_otherwise(const struct entry *entry)
{
    const char *hash = entry->told == IN_FORCE ? bw_bundle_hash(entry->bundle) : "";
    return entry->shown_id != NULL &&
           (strcmp(entry->shown_id, id_of(entry)) != 0 || strcmp(entry->shown_hash, hash) != 0);
}

static void show(struct entry *entry)
{
    bool in_force = entry->told == IN_FORCE;
    if (entry->shown_id == NULL) {
        entry->shown_id = copy_of(id_of(entry));
    }
    bw_metric_set(&bundle_valid, entry->good && in_force ? 1 : 0, BW_LABELS(entry->shown_id, entry->origin));
    if (in_force) {
        memcpy(entry->shown_hash, bw_bundle_hash(entry->bundle), sizeof(entry->shown_hash));
        bw_metric_set(&bundle_info, 1, BW_LABELS(entry->shown_id, entry->shown_hash));
        bw_metric_set(&bundle_loaded, (double)entry->loaded_s, BW_LABELS(entry->shown_id));
    }
}

/* ---- sources and entries ---- */

static void let_go(struct bw_bundle_store *store, struct entry *entry)
{
    if (entry->bundle != NULL) {
        store->bytes -= entry->bytes;
        bw_bundle_release(entry->bundle);
        entry->bundle = NULL;
    }
    entry->good = false;
    entry->told = NOT_TOLD;
    store->changed = true;
}

static void entry_remove(struct bw_bundle_store *store, size_t index)
{
    struct entry *entry = store->entries[index];
    unshow(entry);
    let_go(store, entry);
    free(entry->key);
    free(entry->origin);
    free(entry);
    store->entries[index] = store->entries[--store->n_entries];
}

static void source_set(struct source *source, const struct bw_bundle_source *from)
{
    free(source->uid);
    free(source->created);
    source->uid = copy_of(from->uid);
    source->created = copy_of(from->created);
    source->own = from->own;
    source->active = from->active;
    source->warn_only = from->warn_only;
}

static void source_free(struct source *source)
{
    free(source->namespace);
    free(source->name);
    free(source->uid);
    free(source->created);
    free(source);
}

static struct source **source_find(struct bw_bundle_store *store, const char *namespace, const char *name)
{
    for (size_t i = 0; i < store->n_sources; i++) {
        struct source *source = store->sources[i];
        if (strcmp(source->name, name) == 0 && strcmp(source->namespace, namespace) == 0) {
            return &store->sources[i];
        }
    }
    return NULL;
}

static struct source *source_add(struct bw_bundle_store *store, const char *namespace, const char *name)
{
    struct source *source = bw_memory_zeroed(1, sizeof(*source));
    source->namespace = copy_of(namespace);
    source->name = copy_of(name);
    if (store->n_sources == store->sources_capacity) {
        store->sources_capacity = store->sources_capacity == 0 ? 16 : 2 * store->sources_capacity;
        store->sources = bw_memory_resize(store->sources, store->sources_capacity * sizeof(struct source *));
    }
    store->sources[store->n_sources++] = source;
    return source;
}

static int by_precedence(const void *a, const void *b)
{
    const struct entry *left = *(struct entry *const *)a, *right = *(struct entry *const *)b;
    const struct source *one = left->source, *other = right->source;
    int rank = from_folder(one) ? 0 : one->own ? 1 : 2, other_rank = from_folder(other) ? 0 : other->own ? 1 : 2;
    int order = rank - other_rank;
    order = order != 0 ? order : strcmp(one->created, other->created);
    order = order != 0 ? order : strcmp(one->namespace, other->namespace);
    order = order != 0 ? order : strcmp(one->name, other->name);
    return order != 0 ? order : strcmp(left->key, right->key);
}

static void sort_entries(struct bw_bundle_store *store)
{
    qsort(store->entries, store->n_entries, sizeof(struct entry *), by_precedence);
}

static char *make_origin(const struct source *source, const char *key)
{
    struct bw_buf text;
    bw_buf_init(&text, 4096);
    if (from_folder(source)) {
        bw_buf_printf(&text, "file %s", key);
    } else {
        bw_buf_printf(&text, "configmap %s/%s[%s]", source->namespace, source->name, key);
    }
    return bw_buf_take(&text, NULL);
}

/* NULL: all that there is room for comes before it. */
static struct entry *entry_for(struct bw_bundle_store *store, const char *key)
{
    for (size_t i = 0; i < store->n_entries; i++) {
        if (store->entries[i]->source == store->current && strcmp(store->entries[i]->key, key) == 0) {
            return store->entries[i];
        }
    }
    struct entry *entry = bw_memory_zeroed(1, sizeof(*entry));
    entry->source = store->current;
    entry->key = copy_of(key);
    entry->origin = make_origin(store->current, key);
    store->entries[store->n_entries++] = entry;
    if (store->n_entries > BW_MAX_BUNDLES) {
        sort_entries(store);
        struct entry *last = store->entries[store->n_entries - 1];
        bw_log(BW_LOG_ERROR, "too many bundles, this one is left out", BW_F("origin", last->origin),
               BW_FI("limit", BW_MAX_BUNDLES));
        entry = entry == last ? NULL : entry;
        entry_remove(store, store->n_entries - 1);
    }
    return entry;
}

/* ---- loading ---- */

static void post(struct bw_bundle_store *store, const struct source *source, bool warning, const char *subject,
                 const char *note)
{
    if (!from_folder(source)) {
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

static void refuse(struct bw_bundle_store *store, struct entry *entry, const char *why, const char *faults)
{
    struct bw_buf note;
    bool kept = entry->bundle != NULL;
    bw_log(BW_LOG_ERROR, kept ? "bundle refused, the last good one stays in force" : "bundle refused",
           BW_F("origin", entry->origin), BW_F("error", why));
    bw_buf_init(&note, 4 * (size_t)MAX_NOTE);
    bw_buf_printf(&note, "%s: %s: %s", entry->key, kept ? "refused, the last good content stays in force" : "refused",
                  faults);
    post(store, entry->source, true, entry->hash, note.data);
    bw_buf_clear(&note);
    entry->good = false;
}

/* Every problem into the log; the first faults for the Event. */
static void tell_problems(struct bw_buf *faults, const char *origin, const struct bw_bundle_content *content,
                          const struct bw_problems *problems)
{
    for (size_t i = 0; i < problems->n_items && i < MAX_LOGGED; i++) {
        const struct bw_problem *problem = &problems->items[i];
        bool error = problem->severity == BW_PROBLEM_ERROR;
        unsigned line = problem->line, column = problem->column;
        /* each look parses the text anew */
        if (line == 0 && problem->path != NULL && i * content->len < BW_MAX_BUNDLE_BYTES) {
            (void)bw_yaml_locate(&line, &column, content->text, content->len, problem->path);
        }
        bw_log(error ? BW_LOG_ERROR : BW_LOG_WARN, "bundle problem", BW_F("origin", origin), BW_FI("line", line),
               BW_FI("column", column), BW_F("path", problem->path), BW_F("kind", problem->kind),
               BW_F("problem", problem->message), BW_F("suggestion", problem->suggestion));
        if (error) {
            const char *near = problem->suggestion;
            bw_buf_printf(faults, "%sline %u, column %u: %s: %s%s%s%s", faults->len == 0 ? "" : "\n", line, column,
                          problem->path == NULL ? "" : problem->path, problem->message,
                          near == NULL ? "" : " (did you mean \"", near == NULL ? "" : near,
                          near == NULL ? "" : "\"?)");
        }
    }
}

/* The bundles that come last are let go until all texts fit. */
static void make_room(struct bw_bundle_store *store)
{
    sort_entries(store);
    for (size_t i = store->n_entries; store->bytes > BW_MAX_BUNDLES_BYTES && i > 0; i--) {
        struct entry *entry = store->entries[i - 1];
        char why[128];
        if (entry->bundle == NULL) {
            continue;
        }
        let_go(store, entry);
        entry->hash[0] = '\0'; /* offered again, it is looked at again */
        (void)snprintf(why, sizeof(why), "all bundles together are larger than %llu bytes", BW_MAX_BUNDLES_BYTES);
        refuse(store, entry, why, why);
    }
}

static void load(struct bw_bundle_store *store, struct entry *entry, const struct bw_bundle_content *content)
{
    const struct bw_bundle_options options = {
        .name = content->name, .now_s = bw_wall_s(), .default_patterns = content->default_patterns};
    struct bw_error err = {0};
    struct bw_problems problems;
    struct bw_bundle *bundle = NULL;
    BW_BUF_SCOPE faults;
    bw_buf_init(&faults, 2 * (size_t)MAX_NOTE);
    bw_problems_init(&problems);
    int status = bw_bundle_load(&bundle, &problems, content->text, content->len, &options, &err);
    tell_problems(&faults, entry->origin, content, &problems);
    bw_problems_clear(&problems);
    if (status != 0) {
        refuse(store, entry, err.message, faults.len == 0 ? err.message : faults.data);
        return;
    }
    let_go(store, entry);
    entry->bundle = bundle;
    entry->bytes = content->len;
    entry->good = true;
    entry->loaded_s = bw_wall_s();
    store->bytes += content->len;
    if (store->bytes > BW_MAX_BUNDLES_BYTES) {
        make_room(store);
    }
}

void bw_bundle_store_offer(struct bw_bundle_store *store, const struct bw_bundle_content *content)
{
    char hash[HASH_TEXT];
    struct entry *entry = store->current == NULL ? NULL : entry_for(store, content->key);
    if (entry == NULL) {
        return;
    }
    entry->seen = true;
    if (content->text == NULL) {
        bw_hash_hex(hash, BW_SHA256, content->error->message, strlen(content->error->message));
    } else {
        bw_hash_hex(hash, BW_SHA256, content->text, content->len);
    }
    if (strcmp(hash, entry->hash) == 0) {
        return;
    }
    memcpy(entry->hash, hash, sizeof(hash));
    store->changed = true;
    if (content->text == NULL) {
        refuse(store, entry, content->error->message, content->error->message);
    } else if (entry->bundle != NULL && strcmp(hash, bw_bundle_hash(entry->bundle)) == 0) {
        entry->good = true; /* what had a fault is taken back */
        entry->told = NOT_TOLD;
    } else {
        load(store, entry, content);
    }
}

/* ---- feeding ---- */

void bw_bundle_store_begin(struct bw_bundle_store *store, const struct bw_bundle_source *from)
{
    const char *namespace = from->name == NULL ? "" : from->namespace, *name = from->name == NULL ? "" : from->name;
    pthread_mutex_lock(&store->lock);
    struct source **found = source_find(store, namespace, name);
    store->current = found == NULL ? NULL : *found;
    if (found == NULL && (from->own || store->n_sources < BW_MAX_BUNDLE_SOURCES)) {
        store->current = source_add(store, namespace, name);
    }
    if (store->current == NULL) {
        bw_log(BW_LOG_ERROR, "too many ConfigMaps with bundles, this one is left out", BW_F("namespace", namespace),
               BW_F("name", name), BW_FI("limit", BW_MAX_BUNDLE_SOURCES));
        return;
    }
    struct source *source = store->current;
    store->changed = store->changed || source->active != from->active || source->warn_only != from->warn_only;
    source_set(source, from);
    for (size_t i = 0; i < store->n_entries; i++) {
        store->entries[i]->seen = store->entries[i]->seen && store->entries[i]->source != source;
    }
}

static void sweep(struct bw_bundle_store *store, const struct source *source, bool all)
{
    for (size_t i = store->n_entries; i-- > 0;) {
        struct entry *entry = store->entries[i];
        if (entry->source == source && (all || !entry->seen)) {
            bw_log(BW_LOG_INFO, "bundle is gone", BW_F("origin", entry->origin),
                   BW_F("bundle", entry->bundle == NULL ? NULL : bw_bundle_id(entry->bundle)));
            entry_remove(store, i);
        }
    }
}

void bw_bundle_store_end(struct bw_bundle_store *store)
{
    if (store->current != NULL) {
        sweep(store, store->current, false);
    }
    store->current = NULL;
    pthread_mutex_unlock(&store->lock);
}

void bw_bundle_store_drop(struct bw_bundle_store *store, const char *namespace, const char *name)
{
    pthread_mutex_lock(&store->lock);
    struct source **found = source_find(store, namespace, name);
    if (found != NULL) {
        sweep(store, *found, true);
        store->changed = true;
        source_free(*found);
        *found = store->sources[--store->n_sources];
    }
    pthread_mutex_unlock(&store->lock);
}

/* ---- what is in force ---- */

static void tell(struct bw_bundle_store *store, struct entry *entry, const struct entry *rival)
{
    char note[MAX_NOTE], subject[HASH_TEXT + 1];
    const char *id = bw_bundle_id(entry->bundle), *hash = bw_bundle_hash(entry->bundle);
    bool told = entry->told == (rival == NULL ? IN_FORCE : TAKEN);
    entry->told = rival == NULL ? IN_FORCE : TAKEN;
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
    post(store, entry->source, rival != NULL, subject, note);
}

/* The entries in force, in order of precedence; *items in step with them. */
static size_t elect(struct bw_bundle_store *store, struct entry **winners, struct bw_bundle_item *items)
{
    struct bw_map *taken = bw_map_create();
    size_t n = 0;
    sort_entries(store);
    for (size_t i = 0; i < store->n_entries; i++) {
        struct entry *entry = store->entries[i];
        if (entry->bundle == NULL) {
            continue;
        }
        const char *id = bw_bundle_id(entry->bundle);
        struct entry *rival = bw_map_get(taken, id, strlen(id));
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
            unshow(store->entries[i]);
        }
    }
    for (size_t i = 0; i < store->n_entries; i++) {
        show(store->entries[i]);
    }
    return n;
}

static const char *find_id(struct entry *const *winners, size_t n, const char *id)
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
                                 struct entry *const *winners, size_t n)
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
                          struct entry *const *winners, size_t n)
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
    while (n_ours < n && (winners[n_ours]->source->own || from_folder(winners[n_ours]->source))) {
        n_ours++; /* they come first */
    }
    *why = n == 0        ? "no bundle is in force"
           : n_ours == 1 ? NULL
                         : "of several bundles none is named by bundles.default or a label";
    return n_ours == 1 ? bw_bundle_id(winners[0]->bundle) : "";
}

static void tell_default(struct bw_bundle_store *store, const char *id, const char *why, size_t n)
{
    if (why != NULL && why != store->why) {
        bw_log(BW_LOG_ERROR, why, BW_FI("bundles", n),
               BW_F("default", id[0] == '\0' ? "none: onError.noBundle decides" : id));
        for (size_t i = 0; i < store->n_sources; i++) {
            if (is_active(store->sources[i])) {
                post(store, store->sources[i], true, why, why);
            }
        }
    }
    store->why = why;
}

struct bw_bundle_set *bw_bundle_store_make(struct bw_bundle_store *store, const char *default_id)
{
    struct entry *winners[BW_MAX_BUNDLES];
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
        char *chosen = copy_of(id);
        free(store->chosen);
        free(store->asked);
        store->chosen = chosen;
        store->asked = default_id == NULL ? NULL : copy_of(default_id);
        store->changed = false;
    }
    pthread_mutex_unlock(&store->lock);
    return set;
}

/* ---- the whole ---- */

struct bw_bundle_store *bw_bundle_store_create(struct bw_events *events)
{
    struct bw_bundle_store *store = bw_memory_zeroed(1, sizeof(*store));
    (void)pthread_mutex_init(&store->lock, NULL);
    store->events = events;
    return store;
}

void bw_bundle_store_destroy(struct bw_bundle_store *store)
{
    if (store == NULL) {
        return;
    }
    while (store->n_entries > 0) {
        entry_remove(store, store->n_entries - 1);
    }
    while (store->n_sources > 0) {
        source_free(store->sources[--store->n_sources]);
    }
    (void)pthread_mutex_destroy(&store->lock);
    free(store->sources);
    free(store->asked);
    free(store->chosen);
    free(store);
}
