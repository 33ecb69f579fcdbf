/* Cached single objects of the API server (k8s/lookup.h): a few threads fetch, whoever asks never waits. */
#include "k8s/lookup.h"

#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS = 2,
    MAX_ENTRIES = 4096,
    MAX_WAITING = 256,
    CALL_MS = 2000, /* admissions wait for it, and can do without */
    ABSENT_AGE_MS = 10000,
    FAILED_AGE_MS = 10000
};
#define MAX_BYTES  (32U << 20)
#define MAX_OBJECT (4U << 20)
#define TICKET     (UINT64_C(1) << 62)

struct entry {
    char *path;
    enum bw_lookup_state state; /* PENDING: waits or is fetched */
    uint64_t ticket;
    json_t *object; /* READY */
    size_t bytes;
    struct bw_error error; /* FAILED */
    int64_t learned_ms;
    struct entry *newer, *older; /* all entries, by last use */
    struct entry *next;          /* that waits */
};

struct bw_kube_lookup {
    struct bw_kube_client *client;
    void (*done)(void *payload, uint64_t ticket);
    void *payload;
    pthread_t threads[THREADS];
    size_t n_threads;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t wake;
    bool stop;
    struct bw_map *entries;
    struct entry *newest, *oldest;
    struct entry *first, *last; /* that wait */
    size_t n_waiting, bytes;
    uint64_t tickets;
    /* A server that does not answer is left alone for a while, whatever is asked for: admissions must not queue up
     * behind it. */
    int64_t away_until_ms;
    struct bw_error away;
};

/* ---- objects ---- */

static size_t bytes_of(const json_t *node)
{
    size_t bytes = 64;
    if (json_is_string(node)) {
        bytes += json_string_length(node);
    } else if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++) {
            bytes += bytes_of(json_array_get(node, i));
        }
    } else if (json_is_object(node)) {
        const char *key = NULL;
        json_t *value = NULL;
        json_object_foreach((json_t *)(uintptr_t)node, key, value)
        {
            bytes += strlen(key) + bytes_of(value);
        }
    }
    return bytes;
}

static void overwrite(json_t *node)
{
    if (json_is_string(node)) {
        explicit_bzero((char *)(uintptr_t)json_string_value(node), json_string_length(node));
    } else if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++) {
            overwrite(json_array_get(node, i));
        }
    } else if (json_is_object(node)) {
        const char *key = NULL;
        json_t *value = NULL;
        json_object_foreach(node, key, value)
        {
            overwrite(value);
        }
    }
}

/* An object that an admission still reads is left as it is; its last reader has its own copies to wipe. */
static void drop_object(json_t *object)
{
    if (object != NULL && __atomic_load_n(&object->refcount, __ATOMIC_ACQUIRE) == 1) {
        overwrite(object);
    }
    json_decref(object);
}

/* ---- entries; with the lock held ---- */

static void unlink_entry(struct bw_kube_lookup *lookup, struct entry *entry)
{
    *(entry->newer == NULL ? &lookup->newest : &entry->newer->older) = entry->older;
    *(entry->older == NULL ? &lookup->oldest : &entry->older->newer) = entry->newer;
    entry->newer = entry->older = NULL;
}

static void link_newest(struct bw_kube_lookup *lookup, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = lookup->newest;
    *(lookup->newest == NULL ? &lookup->oldest : &lookup->newest->newer) = entry;
    lookup->newest = entry;
}

static void clear_result(struct bw_kube_lookup *lookup, struct entry *entry)
{
    lookup->bytes -= entry->bytes;
    drop_object(entry->object);
    entry->object = NULL;
    entry->bytes = 0;
}

static void free_entry(struct bw_kube_lookup *lookup, struct entry *entry)
{
    clear_result(lookup, entry);
    unlink_entry(lookup, entry);
    (void)bw_map_remove(lookup->entries, entry->path, strlen(entry->path));
    free(entry->path);
    free(entry);
}

/* Makes room, the longest unused first; what is being fetched stays. */
static void evict(struct bw_kube_lookup *lookup, const struct entry *keep)
{
    struct entry *entry = lookup->oldest;
    while (entry != NULL && (lookup->bytes > MAX_BYTES || bw_map_count(lookup->entries) > MAX_ENTRIES)) {
        struct entry *next = entry->newer;
        if (entry->state != BW_LOOKUP_PENDING && entry != keep) {
            free_entry(lookup, entry);
        }
        entry = next;
    }
}

static struct entry *find_or_make(struct bw_kube_lookup *lookup, const char *path)
{
    size_t len = strlen(path);
    struct entry *entry = bw_map_get(lookup->entries, path, len);
    if (entry != NULL) {
        unlink_entry(lookup, entry);
    } else {
        entry = bw_memory_zeroed(1, sizeof(*entry));
        entry->path = bw_memory_strndup(path, len);
        entry->state = BW_LOOKUP_FAILED;
        entry->learned_ms = INT64_MIN / 2; /* nothing was learned yet */
        (void)bw_map_put(lookup->entries, path, len, entry);
    }
    link_newest(lookup, entry);
    return entry;
}

static bool is_good(const struct entry *entry, int64_t max_age_ms, int64_t since_ms)
{
    int64_t limit = entry->state == BW_LOOKUP_READY    ? max_age_ms
                    : entry->state == BW_LOOKUP_ABSENT ? ABSENT_AGE_MS
                                                       : FAILED_AGE_MS;
    limit = limit < max_age_ms ? limit : max_age_ms;
    return entry->learned_ms >= since_ms || bw_monotonic_ms() - entry->learned_ms < limit;
}

/* ---- fetching ---- */

static void fetch(struct bw_kube_lookup *lookup, struct entry *entry)
{
    struct bw_error err = lookup->away;
    json_t *object = NULL;
    int status = -1;
    bool away = bw_monotonic_ms() < lookup->away_until_ms;
    pthread_mutex_unlock(&lookup->lock);
    if (!away) {
        err = (struct bw_error){0};
        const struct bw_kube_request request = {
            .method = "GET", .path = entry->path, .max_bytes = MAX_OBJECT, .deadline = bw_deadline_in_ms(CALL_MS)};
        status = bw_kube_call(&object, lookup->client, &request, &err);
    }
    size_t bytes = status == 0 ? bytes_of(object) : 0;
    pthread_mutex_lock(&lookup->lock);
    if (!away && status != 0 && (err.code == BW_EUNAVAILABLE || err.code == BW_EDEADLINE)) {
        lookup->away_until_ms = bw_monotonic_ms() + FAILED_AGE_MS;
        lookup->away = err;
    }
    entry->object = object;
    entry->bytes = bytes;
    lookup->bytes += bytes;
    entry->error = err;
    entry->state = status == 0 ? BW_LOOKUP_READY : err.code == BW_ENOTFOUND ? BW_LOOKUP_ABSENT : BW_LOOKUP_FAILED;
    entry->learned_ms = bw_monotonic_ms();
    uint64_t ticket = entry->ticket;
    evict(lookup, entry);
    pthread_mutex_unlock(&lookup->lock);
    lookup->done(lookup->payload, ticket);
    pthread_mutex_lock(&lookup->lock);
}

static void *run(void *payload)
{
    struct bw_kube_lookup *lookup = payload;
    pthread_mutex_lock(&lookup->lock);
    while (!lookup->stop) {
        struct entry *entry = lookup->first;
        if (entry == NULL) {
            (void)pthread_cond_wait(&lookup->wake, &lookup->lock);
            continue;
        }
        lookup->first = entry->next;
        lookup->last = lookup->first == NULL ? NULL : lookup->last;
        entry->next = NULL;
        lookup->n_waiting--;
        fetch(lookup, entry);
    }
    pthread_mutex_unlock(&lookup->lock);
    return NULL;
}

static void begin(struct bw_kube_lookup *lookup, struct entry *entry)
{
    clear_result(lookup, entry);
    entry->state = BW_LOOKUP_PENDING;
    entry->ticket = TICKET | ++lookup->tickets;
    *(lookup->last == NULL ? &lookup->first : &lookup->last->next) = entry;
    lookup->last = entry;
    lookup->n_waiting++;
    (void)pthread_cond_signal(&lookup->wake);
}

/* ---- asking ---- */

enum bw_lookup_state bw_kube_lookup_ask(json_t **object, uint64_t *ticket, struct bw_kube_lookup *lookup,
                                        const char *path, int64_t max_age_ms, int64_t since_ms, struct bw_error *err)
{
    pthread_mutex_lock(&lookup->lock);
    struct entry *entry = find_or_make(lookup, path);
    if (entry->state != BW_LOOKUP_PENDING && !is_good(entry, max_age_ms, since_ms)) {
        if (lookup->n_waiting < MAX_WAITING) {
            begin(lookup, entry);
        } else {
            entry->state = BW_LOOKUP_FAILED;
            clear_result(lookup, entry);
            (void)bw_error_set(&entry->error, BW_EUNAVAILABLE, "too many questions to the API server wait already");
        }
    }
    evict(lookup, entry);
    enum bw_lookup_state state = entry->state;
    if (state == BW_LOOKUP_READY) {
        *object = json_incref(entry->object);
    } else if (state == BW_LOOKUP_PENDING) {
        *ticket = entry->ticket;
    } else if (state == BW_LOOKUP_FAILED && err != NULL) {
        *err = entry->error;
    }
    pthread_mutex_unlock(&lookup->lock);
    return state;
}

void bw_kube_lookup_forget(struct bw_kube_lookup *lookup, const char *path)
{
    pthread_mutex_lock(&lookup->lock);
    struct entry *entry = bw_map_get(lookup->entries, path, strlen(path));
    if (entry != NULL && entry->state != BW_LOOKUP_PENDING) {
        free_entry(lookup, entry);
    }
    pthread_mutex_unlock(&lookup->lock);
}

/* ---- the whole ---- */

int bw_kube_lookup_create(struct bw_kube_lookup **out, struct bw_kube_client *client,
                          void (*done)(void *payload, uint64_t ticket), void *payload, struct bw_error *err)
{
    struct bw_kube_lookup *lookup = bw_memory_zeroed(1, sizeof(*lookup));
    lookup->client = client;
    lookup->done = done;
    lookup->payload = payload;
    lookup->entries = bw_map_create();
    (void)pthread_mutex_init(&lookup->lock, NULL);
    (void)pthread_cond_init(&lookup->wake, NULL);
    while (lookup->n_threads < THREADS && pthread_create(&lookup->threads[lookup->n_threads], NULL, run, lookup) == 0) {
        lookup->n_threads++;
    }
    if (lookup->n_threads < THREADS) {
        bw_kube_lookup_destroy(lookup);
        return bw_error_set(err, BW_EINTERNAL, "no thread could be started");
    }
    *out = lookup;
    return 0;
}

void bw_kube_lookup_destroy(struct bw_kube_lookup *lookup)
{
    if (lookup == NULL) {
        return;
    }
    pthread_mutex_lock(&lookup->lock);
    lookup->stop = true;
    (void)pthread_cond_broadcast(&lookup->wake);
    pthread_mutex_unlock(&lookup->lock);
    for (size_t i = 0; i < lookup->n_threads; i++) {
        (void)pthread_join(lookup->threads[i], NULL);
    }
    while (lookup->oldest != NULL) {
        free_entry(lookup, lookup->oldest);
    }
    bw_map_destroy(lookup->entries, NULL);
    (void)pthread_cond_destroy(&lookup->wake);
    (void)pthread_mutex_destroy(&lookup->lock);
    free(lookup);
}
