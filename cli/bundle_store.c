/* What sources offer (cli/bundle_store.h) is loaded at once, so that a key keeps its last good bundle. Who wins an id,
 * and which one is the default, is decided when a set is made (bundle_election.c). */
#include "cli/bundle_store_internal.h"

#include "base/buf.h"
#include "base/deadline.h"
#include "base/log.h"
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOGGED = 100 };

/* ---- sources and entries ---- */

static void let_go(struct bw_bundle_store *store, struct bw_store_entry *entry)
{
    if (entry->bundle != NULL) {
        store->bytes -= entry->bytes;
        bw_bundle_release(entry->bundle);
        entry->bundle = NULL;
    }
    entry->good = false;
    entry->told = BW_NOT_TOLD;
    store->changed = true;
}

static void entry_remove(struct bw_bundle_store *store, size_t index)
{
    struct bw_store_entry *entry = store->entries[index];
    bw_store_hide(entry);
    let_go(store, entry);
    free(entry->key);
    free(entry->origin);
    free(entry);
    store->entries[index] = store->entries[--store->n_entries];
}

static void source_set(struct bw_store_source *source, const struct bw_bundle_source *from)
{
    free(source->uid);
    free(source->created);
    source->uid = bw_store_copy(from->uid);
    source->created = bw_store_copy(from->created);
    source->own = from->own;
    source->active = from->active;
    source->warn_only = from->warn_only;
}

static void source_free(struct bw_store_source *source)
{
    free(source->namespace);
    free(source->name);
    free(source->uid);
    free(source->created);
    free(source);
}

static struct bw_store_source **source_find(struct bw_bundle_store *store, const char *namespace, const char *name)
{
    for (size_t i = 0; i < store->n_sources; i++) {
        struct bw_store_source *source = store->sources[i];
        if (strcmp(source->name, name) == 0 && strcmp(source->namespace, namespace) == 0) {
            return &store->sources[i];
        }
    }
    return NULL;
}

static struct bw_store_source *source_add(struct bw_bundle_store *store, const char *namespace, const char *name)
{
    struct bw_store_source *source = bw_memory_zeroed(1, sizeof(*source));
    source->namespace = bw_store_copy(namespace);
    source->name = bw_store_copy(name);
    source->uid = bw_store_copy(NULL);
    source->created = bw_store_copy(NULL);
    if (store->n_sources == store->sources_capacity) {
        store->sources_capacity = store->sources_capacity == 0 ? 16 : 2 * store->sources_capacity;
        store->sources = bw_memory_resize(store->sources, store->sources_capacity * sizeof(struct bw_store_source *));
    }
    store->sources[store->n_sources++] = source;
    return source;
}

static char *make_origin(const struct bw_store_source *source, const char *key)
{
    struct bw_buf text;
    bw_buf_init(&text, 4096);
    if (bw_store_from_folder(source)) {
        bw_buf_printf(&text, "file %s", key);
    } else {
        bw_buf_printf(&text, "configmap %s/%s[%s]", source->namespace, source->name, key);
    }
    return bw_buf_take(&text, NULL);
}

/* Which entry makes room for the newest: the last one that holds no bundle, else the last. */
static size_t find_victim(struct bw_bundle_store *store, const struct bw_store_entry *newest)
{
    bw_store_sort(store);
    for (size_t i = store->n_entries; i-- > 0;) {
        if (store->entries[i] != newest && store->entries[i]->bundle == NULL) {
            return i;
        }
    }
    return store->n_entries - 1;
}

/* NULL: all that there is room for comes before it. */
static struct bw_store_entry *entry_for(struct bw_bundle_store *store, const char *key)
{
    for (size_t i = 0; i < store->n_entries; i++) {
        if (store->entries[i]->source == store->current && strcmp(store->entries[i]->key, key) == 0) {
            return store->entries[i];
        }
    }
    struct bw_store_entry *entry = bw_memory_zeroed(1, sizeof(*entry));
    entry->source = store->current;
    entry->key = bw_store_copy(key);
    entry->origin = make_origin(store->current, key);
    store->entries[store->n_entries++] = entry;
    if (store->n_entries <= BW_MAX_BUNDLES) {
        return entry;
    }
    size_t victim = find_victim(store, entry);
    bw_log(BW_LOG_ERROR, "too many bundles, this one is left out", BW_F("origin", store->entries[victim]->origin),
           BW_FI("limit", BW_MAX_BUNDLES));
    entry = store->entries[victim] == entry ? NULL : entry;
    entry_remove(store, victim);
    return entry;
}

/* ---- loading ---- */

static void refuse(struct bw_bundle_store *store, struct bw_store_entry *entry, const char *why, const char *faults)
{
    struct bw_buf note;
    bool kept = entry->bundle != NULL;
    bw_log(BW_LOG_ERROR, kept ? "bundle refused, the last good one stays in force" : "bundle refused",
           BW_F("origin", entry->origin), BW_F("error", why));
    bw_buf_init(&note, 4 * (size_t)BW_STORE_NOTE);
    bw_buf_printf(&note, "%s: %s: %s", entry->key, kept ? "refused, the last good content stays in force" : "refused",
                  faults);
    bw_store_post(store, entry->source, true, entry->hash, note.data);
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
    bw_store_sort(store);
    for (size_t i = store->n_entries; store->bytes > BW_MAX_BUNDLES_BYTES && i > 0; i--) {
        struct bw_store_entry *entry = store->entries[i - 1];
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

static void load(struct bw_bundle_store *store, struct bw_store_entry *entry, const struct bw_bundle_content *content)
{
    const struct bw_bundle_options options = {
        .name = content->name, .now_s = bw_wall_s(), .default_patterns = content->default_patterns};
    struct bw_error err = {0};
    struct bw_problems problems;
    struct bw_bundle *bundle = NULL;
    BW_BUF_SCOPE faults;
    bw_buf_init(&faults, 2 * (size_t)BW_STORE_NOTE);
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
    char hash[BW_STORE_HASH];
    struct bw_store_entry *entry = store->current == NULL ? NULL : entry_for(store, content->key);
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
        entry->told = BW_NOT_TOLD;
    } else {
        load(store, entry, content);
    }
}

/* ---- feeding ---- */

void bw_bundle_store_begin(struct bw_bundle_store *store, const struct bw_bundle_source *from)
{
    const char *namespace = from->name == NULL ? "" : from->namespace, *name = from->name == NULL ? "" : from->name;
    pthread_mutex_lock(&store->lock);
    struct bw_store_source **found = source_find(store, namespace, name);
    store->current = found == NULL ? NULL : *found;
    if (found == NULL && (from->own || store->n_sources < BW_MAX_BUNDLE_SOURCES)) {
        store->current = source_add(store, namespace, name);
    }
    if (store->current == NULL) {
        bw_log(BW_LOG_ERROR, "too many ConfigMaps with bundles, this one is left out", BW_F("namespace", namespace),
               BW_F("name", name), BW_FI("limit", BW_MAX_BUNDLE_SOURCES));
        return;
    }
    struct bw_store_source *source = store->current;
    const char *created = from->created == NULL ? "" : from->created;
    store->changed = store->changed || source->active != from->active || source->warn_only != from->warn_only ||
                     strcmp(source->created, created) != 0;
    source_set(source, from);
    for (size_t i = 0; i < store->n_entries; i++) {
        store->entries[i]->seen = store->entries[i]->seen && store->entries[i]->source != source;
    }
}

static void sweep(struct bw_bundle_store *store, const struct bw_store_source *source, bool all)
{
    for (size_t i = store->n_entries; i-- > 0;) {
        struct bw_store_entry *entry = store->entries[i];
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
    struct bw_store_source **found = source_find(store, namespace, name);
    if (found != NULL) {
        sweep(store, *found, true);
        store->changed = true;
        source_free(*found);
        *found = store->sources[--store->n_sources];
    }
    pthread_mutex_unlock(&store->lock);
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
