/* What the catalog's threads do: resolve a reference and read its index; look a report up in the slow stores, else
 * analyse. Everything learned goes into the tables before the job is over; failures are learned too. */
#include "image/catalog/catalog_internal.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A crash or a time-out may be the machine's fault, but an image that does it again and again must not keep the
 * analyses for itself. */
enum { RESOLVE_MS = 30000, RESOLVE_STALE_MS = 5000, CRASH_KEPT_MS = 600000 };

void bw_catalog_free_task(void *payload)
{
    struct bw_task *task = payload;
    bw_image_source_release(task->source);
    bw_needs_box_release(task->needs);
    bw_report_release(task->partial);
    bw_arena_clear(&task->arena);
    free(task);
}

static struct bw_known_clock clock_of(const struct bw_task *task)
{
    return (struct bw_known_clock){bw_monotonic_ms(), task->since_ms};
}

/* A registry that does not answer in time is away. */
static void name_outage(struct bw_error *err)
{
    if (err->code == BW_EDEADLINE) {
        err->code = BW_EUNAVAILABLE;
    }
    if (err->code == BW_EUNAVAILABLE && err->detail[0] == '\0') {
        (void)snprintf(err->detail, sizeof(err->detail), "registry_unavailable");
    }
}

/* `other`: a second key of the same failure, or NULL. */
static void fail(struct bw_catalog *catalog, const struct bw_known_keys *keys, const char *key, const char *other,
                 struct bw_error *why)
{
    name_outage(why);
    pthread_mutex_lock(&catalog->lock);
    bw_known_fail(&catalog->known, keys, key, why, bw_monotonic_ms());
    if (other != NULL) {
        bw_known_fail(&catalog->known, keys, other, why, bw_monotonic_ms());
    }
    pthread_mutex_unlock(&catalog->lock);
    atomic_fetch_add(&catalog->failures, 1);
}

static void fault(struct bw_catalog *catalog, const struct bw_known_keys *keys, const struct bw_error *why,
                  int64_t keep_ms)
{
    pthread_mutex_lock(&catalog->lock);
    bw_known_fault(&catalog->known, keys, why, keep_ms, bw_monotonic_ms());
    pthread_mutex_unlock(&catalog->lock);
    atomic_fetch_add(&catalog->failures, 1);
}

/* ---- resolving ---- */

static void see(struct bw_catalog *catalog, const char *key, const struct bw_digest *digest)
{
    pthread_mutex_lock(&catalog->lock);
    bw_known_see(&catalog->known, key, digest, bw_monotonic_ms());
    pthread_mutex_unlock(&catalog->lock);
}

/* Asks what the tag leads to. Who is shown the tag is shown the digest. */
static void ask_tag(struct bw_catalog *catalog, struct bw_task *task, int64_t limit_ms)
{
    struct bw_error err = {0};
    struct bw_digest digest = {{0}};
    struct bw_reference tag = task->reference;
    struct bw_known_keys keys;
    tag.digest = (struct bw_digest){{0}};
    if (task->source->ops->resolve(&digest, task->source, &tag, bw_deadline_in_ms(limit_ms), &err) != 0 ||
        bw_known_keys_make(&keys, task->source, &tag, &digest, &task->arena, &err) != 0) {
        fail(catalog, &task->keys, task->keys.tag, NULL, &err);
        return;
    }
    see(catalog, keys.digest, &digest);
    see(catalog, keys.tag, &digest);
}

/* What the tag leads to: asked for unless it is known well enough. */
static enum bw_known_state resolve_tag(struct bw_digest *out, struct bw_catalog *catalog, struct bw_task *task)
{
    struct bw_digest spare = {{0}};
    pthread_mutex_lock(&catalog->lock);
    enum bw_known_state state = bw_known_tag(&spare, &catalog->known, &task->keys, clock_of(task), NULL);
    pthread_mutex_unlock(&catalog->lock);
    if (state == BW_KNOWN_NOT || state == BW_KNOWN_RETRY) {
        ask_tag(catalog, task, spare.text[0] != '\0' ? RESOLVE_STALE_MS : RESOLVE_MS);
    }
    pthread_mutex_lock(&catalog->lock);
    state = bw_known_tag(out, &catalog->known, &task->keys, clock_of(task), NULL);
    pthread_mutex_unlock(&catalog->lock);
    return state;
}

static void keep_manifest(struct bw_catalog *catalog, struct bw_known_manifest *manifest)
{
    pthread_mutex_lock(&catalog->lock);
    bw_known_manifest_put(&catalog->known, manifest);
    pthread_mutex_unlock(&catalog->lock);
}

/* The manifest of the digest, then, of an index, the indexes that it holds. */
static int read_manifests(struct bw_catalog *catalog, struct bw_task *task, const struct bw_known_keys *keys,
                          const struct bw_digest *digest, int depth)
{
    struct bw_error err = {0};
    struct bw_manifest_bytes bytes = {0};
    struct bw_known_manifest *manifest = NULL;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 64 * BW_MIB);
    if (task->source->ops->manifest(&bytes, task->source, &task->reference, digest, &arena,
                                    bw_deadline_in_ms(RESOLVE_MS), &err) != 0) {
        fail(catalog, keys, keys->digest, keys->images, &err);
        return -1;
    }
    see(catalog, keys->digest, digest);
    if (bw_known_manifest_parse(&manifest, &bytes, &err) != 0) {
        fault(catalog, keys, &err, INT64_MAX);
        return -1;
    }
    struct bw_digest *inner = bw_arena_array(&arena, manifest->manifest.n_manifests + 1, sizeof(*inner));
    size_t n_inner = 0;
    for (size_t i = 0; i < manifest->manifest.n_manifests && inner != NULL && depth < MAX_INDEX_DEPTH; i++) {
        if (bw_known_is_index(&manifest->manifest.manifests[i])) {
            inner[n_inner++] = manifest->manifest.manifests[i].digest;
        }
    }
    if (n_inner > BW_MAX_INNER_INDEXES) {
        bw_known_manifest_free(manifest);
        (void)bw_error_detail(&err, BW_ELIMIT, "manifest_invalid",
                              "an index with %zu indexes in it, at most %d are read", n_inner, BW_MAX_INNER_INDEXES);
        fault(catalog, keys, &err, INT64_MAX);
        return -1;
    }
    for (size_t i = 0; i < n_inner; i++) {
        struct bw_known_keys inner_keys;
        if (bw_known_keys_make(&inner_keys, task->source, &task->reference, &inner[i], &arena, &err) != 0 ||
            read_manifests(catalog, task, &inner_keys, &inner[i], depth + 1) != 0) {
            bw_known_manifest_free(manifest);
            (void)bw_error_detail(&err, BW_EUNAVAILABLE, "registry_unavailable",
                                  "%s: the index in it, %s, cannot be read", digest->text, inner[i].text);
            fail(catalog, keys, keys->images, NULL, &err);
            return -1;
        }
    }
    keep_manifest(catalog, manifest);
    return 0;
}

/* The right to the digest in this repository, by the cheapest request that shows it. */
static void show_right(struct bw_catalog *catalog, struct bw_task *task, const struct bw_known_keys *keys,
                       const struct bw_digest *digest)
{
    struct bw_error err = {0};
    struct bw_digest shown = {{0}};
    struct bw_reference by_digest = task->reference;
    by_digest.tag = NULL;
    by_digest.digest = *digest;
    if (task->source->ops->resolve(&shown, task->source, &by_digest, bw_deadline_in_ms(RESOLVE_MS), &err) == 0 &&
        !bw_digest_equal(&shown, digest)) {
        (void)bw_error_detail(&err, BW_EUNAVAILABLE, "manifest_digest_mismatch", "asked for %s, the registry has %s",
                              digest->text, shown.text);
    }
    if (err.code != BW_OK) {
        fail(catalog, keys, keys->digest, NULL, &err);
    } else {
        see(catalog, keys->digest, digest);
    }
}

/* A digest of which there is a report is an image; its manifest need not be read again. */
static bool is_analysed(struct bw_catalog *catalog, const struct bw_task *task, const struct bw_digest *digest)
{
    struct bw_report *partial = NULL;
    struct bw_report *report = bw_catalog_look(catalog, digest, &task->needs->needs, true, &partial);
    bool found = report != NULL || partial != NULL;
    if (found) {
        keep_manifest(catalog, bw_known_manifest_image(digest));
    }
    bw_report_release(report);
    bw_report_release(partial);
    return found;
}

static void resolve(struct bw_catalog *catalog, struct bw_task *task)
{
    struct bw_digest digest = task->reference.digest, tagged = {{0}};
    enum bw_known_state state = BW_KNOWN_NOT;
    if (task->keys.tag != NULL) {
        state = resolve_tag(&tagged, catalog, task);
    }
    if (digest.text[0] == '\0') {
        if (state == BW_KNOWN_NOT || state == BW_KNOWN_FAILED) {
            return;
        }
        digest = tagged;
    }
    struct bw_known_keys keys;
    if (bw_known_keys_make(&keys, task->source, &task->reference, &digest, &task->arena, NULL) != 0) {
        return;
    }
    pthread_mutex_lock(&catalog->lock);
    enum bw_known_state right = bw_known_right(&catalog->known, &keys, state, &tagged, &digest, clock_of(task), NULL);
    bool complete = bw_catalog_manifest_complete(catalog, &digest, 0);
    pthread_mutex_unlock(&catalog->lock);
    if (right == BW_KNOWN_FAILED) {
        return;
    }
    if (!complete && !is_analysed(catalog, task, &digest)) {
        (void)read_manifests(catalog, task, &keys, &digest, 0);
    } else if (right == BW_KNOWN_NOT || right == BW_KNOWN_RETRY) {
        show_right(catalog, task, &keys, &digest);
    }
}

/* ---- analysing ---- */

struct progress {
    struct bw_jobs *jobs;
    struct bw_job *job;
};

static void on_progress(void *payload, size_t layers_done, size_t n_layers, uint64_t bytes_done, uint64_t n_bytes)
{
    const struct progress *progress = payload;
    bw_jobs_progress(progress->jobs, progress->job, layers_done, n_layers, bytes_done, n_bytes);
}

/* Bytes that are not what their digest says are the registry's fault, and may be better next time. */
static bool is_content_fault(const struct bw_error *err)
{
    static const char *const transport[] = {"blob_digest_mismatch", "blob_size_mismatch", "manifest_digest_mismatch"};
    for (size_t i = 0; i < BW_LENGTH(transport); i++) {
        if (strcmp(err->detail, transport[i]) == 0) {
            return false;
        }
    }
    return err->code == BW_EINPUT || err->code == BW_ELIMIT;
}

static void analysis_failed(struct bw_catalog *catalog, const struct bw_task *task, struct bw_error *err)
{
    if (err->code == BW_EDEADLINE && err->detail[0] == '\0') {
        (void)snprintf(err->detail, sizeof(err->detail), "analyzer_timeout");
    }
    if (strcmp(err->detail, "analyzer_crashed") == 0 || strcmp(err->detail, "analyzer_timeout") == 0) {
        fault(catalog, &task->keys, err, CRASH_KEPT_MS);
    } else if (is_content_fault(err)) {
        fault(catalog, &task->keys, err, INT64_MAX);
    } else {
        fail(catalog, &task->keys, task->keys.images, NULL, err);
    }
}

static void analyse(struct bw_catalog *catalog, struct bw_job *job, struct bw_task *task)
{
    struct progress progress = {catalog->jobs, job};
    struct bw_analyzer_options options = catalog->options.analyzer;
    struct bw_error err = {0};
    struct bw_report *report = NULL;
    options.progress = on_progress;
    options.payload = &progress;
    options.needs = task->needs->needs;
    if (task->partial != NULL) {
        /* What made the stored one may be needed elsewhere still; too much of it is left aside. */
        struct bw_needs merged;
        if (bw_needs_merge(&merged, &task->needs->needs, &task->partial->covers, &task->arena, NULL) == 0) {
            options.needs = merged;
        }
    }
    unsigned wall_s = options.wall_s == 0 ? BW_ANALYSIS_WALL_S : options.wall_s;
    atomic_fetch_add(&catalog->analyses, 1);
    if (catalog->options.analyze(&report, task->source, &task->reference, &task->digest, &options,
                                 bw_deadline_in_ms((int64_t)wall_s * 1000), &err) != 0) {
        analysis_failed(catalog, task, &err);
        return;
    }
    if (!bw_digest_equal(&report->digest, &task->digest) || !bw_needs_cover(&report->covers, &task->needs->needs)) {
        (void)bw_error_detail(&err, BW_EINTERNAL, "analyzer_crashed", "the report of %s is not the one asked for",
                              task->digest.text);
        analysis_failed(catalog, task, &err);
    } else {
        char key[REPORT_KEY_MAX];
        bw_catalog_report_key(key, catalog, &task->digest);
        bw_catalog_keep(catalog, key, report, catalog->n_stores);
    }
    bw_report_release(report);
}

static void look_up(struct bw_catalog *catalog, const struct bw_task *task)
{
    struct bw_error why = {0};
    struct bw_report *report = bw_catalog_look(catalog, &task->digest, &task->needs->needs, true, NULL);
    if (report == NULL) {
        (void)bw_error_detail(&why, BW_ENOTFOUND, "not_analyzed", "%s is not analysed", task->digest.text);
        pthread_mutex_lock(&catalog->lock);
        bw_known_fault(&catalog->known, &(struct bw_known_keys){.content = task->unanalysed}, &why,
                       catalog->options.negative_ttl_ms, bw_monotonic_ms());
        pthread_mutex_unlock(&catalog->lock);
    }
    bw_report_release(report);
}

/* ---- what a tag led to before ---- */

/* What the slow stores know of the tag. false: one of them failed, and is better left as it is. */
static bool load_history(struct bw_tag_history *out, struct bw_catalog *catalog, const char *key)
{
    bool sound = true;
    for (size_t i = 0; i < catalog->n_stores; i++) {
        struct bw_store *store = catalog->stores[i];
        struct bw_error err = {0};
        if (store->ops->get_tag != NULL && store->ops->get_tag(out, store, key, &err) == 0) {
            return true;
        }
        bool failed = err.code != BW_OK && err.code != BW_ENOTFOUND;
        atomic_fetch_add(&catalog->store_faults, failed);
        sound = sound && !failed;
    }
    return sound;
}

static void store_history(struct bw_catalog *catalog, const char *key, const struct bw_tag_history *history)
{
    for (size_t i = 0; i < catalog->n_stores; i++) {
        struct bw_store *store = catalog->stores[i];
        struct bw_error err = {0};
        if (store->ops->put_tag != NULL && store->ops->put_tag(store, key, history, &err) != 0) {
            atomic_fetch_add(&catalog->store_faults, 1);
        }
    }
}

/* Remembers what the tag leads to, then brings the report of what it led to before to where it is at hand. */
static void look_back(struct bw_catalog *catalog, struct bw_task *task)
{
    static const struct bw_needs none = {0};
    struct bw_tag_history loaded = {0};
    bool sound = load_history(&loaded, catalog, task->tag_key);
    pthread_mutex_lock(&catalog->lock);
    struct bw_tag_history *history = bw_tags_find(&catalog->tags, task->tag_key);
    if (history == NULL) {
        history = bw_tags_put(&catalog->tags, task->tag_key, &loaded);
    }
    bw_tag_history_note(history, &task->digest, task->seen_ms);
    struct bw_tag_history noted = *history;
    pthread_mutex_unlock(&catalog->lock);
    if (sound) {
        store_history(catalog, task->tag_key, &noted);
    }
    const struct bw_digest *before = bw_tag_history_before(&noted, &task->digest);
    struct bw_report *report = before == NULL ? NULL : bw_catalog_look(catalog, before, &none, true, NULL);
    const char *key = before == NULL || report != NULL ? NULL : bw_catalog_previous_key(before, &task->arena);
    if (key != NULL) {
        struct bw_error why = {0};
        (void)bw_error_set(&why, BW_ENOTFOUND, "the report of %s is not kept", before->text);
        pthread_mutex_lock(&catalog->lock);
        bw_known_fault(&catalog->known, &(struct bw_known_keys){.content = key}, &why, catalog->options.negative_ttl_ms,
                       bw_monotonic_ms());
        pthread_mutex_unlock(&catalog->lock);
    }
    bw_report_release(report);
}

enum bw_lane bw_catalog_run(void *payload, struct bw_job *job, enum bw_lane lane)
{
    struct bw_catalog *catalog = payload;
    struct bw_task *task = job->task;
    if (task->kind == BW_TASK_RESOLVE) {
        resolve(catalog, task);
        return BW_LANE_OVER;
    }
    if (task->kind == BW_TASK_LOOK_UP) {
        look_up(catalog, task);
        return BW_LANE_OVER;
    }
    if (task->kind == BW_TASK_LOOK_BACK) {
        look_back(catalog, task);
        return BW_LANE_OVER;
    }
    struct bw_report *report = bw_catalog_look(catalog, &task->digest, &task->needs->needs, true,
                                               task->partial == NULL ? &task->partial : NULL);
    if (report != NULL) {
        bw_report_release(report);
        return BW_LANE_OVER;
    }
    if (lane == BW_LANE_QUICK) {
        return BW_LANE_ANALYSIS;
    }
    analyse(catalog, job, task);
    return BW_LANE_OVER;
}
