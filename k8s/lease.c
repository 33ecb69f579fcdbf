/* Leader election (k8s/lease.h). Every write names the resourceVersion it was made from, so of two candidates that saw
 * the same Lease one gets a conflict. */
#include "k8s/lease_internal.h"

#include "base/memory.h"
#include "base/str.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define COLLECTION "/apis/coordination.k8s.io/v1/namespaces/%s/leases"

enum { CALL_MS = 5000, MAX_LASTS_S = 3600 };

/* ---- the record ---- */

static const char *text_of(const json_t *object, const char *in, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(object, in), key));
    return text == NULL ? "" : text;
}

static void forget(struct bw_lease_candidate *candidate)
{
    json_decref(candidate->record);
    candidate->record = NULL;
}

/* Keeps what the server answered. */
static void observe(struct bw_lease_candidate *candidate, json_t *record, int64_t now_ms)
{
    forget(candidate);
    candidate->record = record;
    const char *version = text_of(record, "metadata", "resourceVersion");
    if (strcmp(candidate->version, version) != 0) {
        (void)snprintf(candidate->version, sizeof(candidate->version), "%s", version);
        candidate->seen_ms = now_ms;
    }
}

static bool is_ours(const struct bw_lease_candidate *candidate)
{
    return strcmp(text_of(candidate->record, "spec", "holderIdentity"), candidate->identity) == 0;
}

/* Another's, which has not ended yet. */
static bool is_taken(const struct bw_lease_candidate *candidate, int64_t now_ms)
{
    const json_t *spec = json_object_get(candidate->record, "spec");
    json_int_t lasts_s = json_integer_value(json_object_get(spec, "leaseDurationSeconds"));
    lasts_s = lasts_s < 1 ? 1 : lasts_s > MAX_LASTS_S ? MAX_LASTS_S : lasts_s;
    return text_of(candidate->record, "spec", "holderIdentity")[0] != '\0' && !is_ours(candidate) &&
           now_ms < candidate->seen_ms + lasts_s * 1000;
}

/* The record with us as its holder; `holder` "" gives it back. */
static json_t *record_for(const struct bw_lease_candidate *candidate, const char *holder)
{
    char now[32];
    json_t *record = candidate->record != NULL
                         ? json_deep_copy(candidate->record)
                         : json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "coordination.k8s.io/v1", "kind", "Lease",
                                     "metadata", "name", candidate->name);
    json_t *spec = json_object_get(record, "spec");
    if (!json_is_object(spec)) {
        spec = json_object();
        (void)json_object_set_new(record, "spec", spec);
    }
    bw_time_format_micro(now);
    if (candidate->record == NULL || !is_ours(candidate)) {
        json_int_t transitions = json_integer_value(json_object_get(spec, "leaseTransitions"));
        (void)json_object_set_new(spec, "leaseTransitions",
                                  json_integer(candidate->record == NULL ? 0 : transitions + 1));
        (void)json_object_set_new(spec, "acquireTime", json_string(now));
    }
    (void)json_object_set_new(spec, "holderIdentity", json_string(holder));
    (void)json_object_set_new(spec, "leaseDurationSeconds", json_integer(holder[0] == '\0' ? 1 : BW_LEASE_LASTS_S));
    (void)json_object_set_new(spec, "renewTime", json_string(now));
    return record;
}

/* ---- calls ---- */

static int call(json_t **out, const struct bw_lease_candidate *candidate, const char *method, const char *path,
                const json_t *body, struct bw_error *err)
{
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    const struct bw_kube_request request = {.method = method,
                                            .path = path,
                                            .body = text,
                                            .body_len = text == NULL ? 0 : strlen(text),
                                            .deadline = bw_deadline_in_ms(CALL_MS)};
    int status = bw_kube_call(out, candidate->client, &request, err);
    free(text);
    return status;
}

static int write_record(struct bw_lease_candidate *candidate, const char *holder, int64_t now_ms, struct bw_error *err)
{
    bool create = candidate->record == NULL;
    json_t *record = record_for(candidate, holder), *answer = NULL;
    int status = call(&answer, candidate, create ? "POST" : "PUT", create ? candidate->collection : candidate->path,
                      record, err);
    json_decref(record);
    if (status == 0) {
        observe(candidate, answer, now_ms);
    } else {
        forget(candidate);
    }
    return status;
}

static void set_renewed(struct bw_lease_candidate *candidate, int64_t ms)
{
    __atomic_store_n(&candidate->renewed_ms, ms, __ATOMIC_RELEASE);
}

int bw_lease_round(struct bw_lease_candidate *candidate, int64_t now_ms, struct bw_error *err)
{
    json_t *found = NULL;
    struct bw_error failed = {0};
    if (candidate->record == NULL || !is_ours(candidate)) { /* our own was seen when it was written */
        if (call(&found, candidate, "GET", candidate->path, NULL, &failed) == 0) {
            observe(candidate, found, now_ms);
        } else if (failed.code == BW_ENOTFOUND) {
            forget(candidate);
        } else {
            *err = failed;
            return -1;
        }
    }
    if (candidate->record != NULL && is_taken(candidate, now_ms)) {
        set_renewed(candidate, 0);
        return 0;
    }
    if (write_record(candidate, candidate->identity, now_ms, &failed) == 0) {
        set_renewed(candidate, now_ms);
        return 0;
    }
    if (strcmp(failed.detail, "conflict") == 0) { /* somebody was faster: the next round sees who */
        return 0;
    }
    *err = failed;
    return -1;
}

void bw_lease_release(struct bw_lease_candidate *candidate, int64_t now_ms)
{
    if (candidate->record != NULL && is_ours(candidate)) {
        (void)!write_record(candidate, "", now_ms, NULL);
    }
    set_renewed(candidate, 0);
}

bool bw_lease_holds(const struct bw_lease_candidate *candidate, int64_t now_ms)
{
    int64_t renewed_ms = __atomic_load_n(&candidate->renewed_ms, __ATOMIC_ACQUIRE);
    return renewed_ms != 0 && now_ms < renewed_ms + BW_LEASE_GIVE_UP_MS;
}

int bw_lease_candidate_init(struct bw_lease_candidate *candidate, struct bw_kube_client *client,
                            const struct bw_lease_options *options, struct bw_error *err)
{
    uint8_t raw[8];
    char random[2 * sizeof(raw) + 1];
    *candidate = (struct bw_lease_candidate){.client = client};
    int n = snprintf(candidate->collection, sizeof(candidate->collection), COLLECTION, options->namespace);
    int m = snprintf(candidate->name, sizeof(candidate->name), "%s", options->name);
    if (n < 0 || (size_t)n >= sizeof(candidate->collection) || m < 0 || (size_t)m >= sizeof(candidate->name)) {
        return bw_error_set(err, BW_EINPUT, "the name of a Lease has at most 253 characters");
    }
    if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw)) {
        return bw_error_set(err, BW_EINTERNAL, "no random bytes");
    }
    bw_hex_encode(random, raw, sizeof(raw));
    (void)snprintf(candidate->path, sizeof(candidate->path), "%s/%s", candidate->collection, candidate->name);
    (void)snprintf(candidate->identity, sizeof(candidate->identity), "%.253s_%s", options->holder, random);
    return 0;
}

void bw_lease_candidate_clear(struct bw_lease_candidate *candidate)
{
    forget(candidate);
}

/* ---- the thread ---- */

struct bw_lease {
    struct bw_lease_candidate candidate;
    void (*changed)(void *payload, bool held);
    void (*trouble)(void *payload, const struct bw_error *failed);
    void *payload;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

static bool stopped_after(struct bw_lease *lease, int64_t ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    pthread_mutex_lock(&lease->lock);
    while (!lease->stop && pthread_cond_timedwait(&lease->wake, &lease->lock, &until) == 0) {
    }
    bool stop = lease->stop;
    pthread_mutex_unlock(&lease->lock);
    return stop;
}

static void *run(void *payload)
{
    struct bw_lease *lease = payload;
    bool held = false, was = false;
    do {
        struct bw_error err = {0};
        if (bw_lease_round(&lease->candidate, bw_monotonic_ms(), &err) != 0 && lease->trouble != NULL) {
            lease->trouble(lease->payload, &err);
        }
        held = bw_lease_held(lease);
        if (held != was && lease->changed != NULL) {
            lease->changed(lease->payload, held);
        }
        was = held;
    } while (!stopped_after(lease, BW_LEASE_RENEW_MS));
    bw_lease_release(&lease->candidate, bw_monotonic_ms());
    return NULL;
}

int bw_lease_start(struct bw_lease **out, struct bw_kube_client *client, const struct bw_lease_options *options,
                   struct bw_error *err)
{
    pthread_condattr_t monotonic;
    struct bw_lease *lease = bw_memory_zeroed(1, sizeof(*lease));
    if (bw_lease_candidate_init(&lease->candidate, client, options, err) != 0) {
        free(lease);
        return -1;
    }
    lease->changed = options->changed;
    lease->trouble = options->trouble;
    lease->payload = options->payload;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&lease->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&lease->lock, NULL);
    if (pthread_create(&lease->thread, NULL, run, lease) != 0) {
        (void)pthread_mutex_destroy(&lease->lock);
        (void)pthread_cond_destroy(&lease->wake);
        free(lease);
        return bw_error_set(err, BW_EINTERNAL, "no thread could be started");
    }
    *out = lease;
    return 0;
}

void bw_lease_stop(struct bw_lease *lease)
{
    if (lease == NULL) {
        return;
    }
    pthread_mutex_lock(&lease->lock);
    lease->stop = true;
    (void)pthread_cond_signal(&lease->wake);
    pthread_mutex_unlock(&lease->lock);
    (void)pthread_join(lease->thread, NULL);
    bw_lease_candidate_clear(&lease->candidate);
    (void)pthread_mutex_destroy(&lease->lock);
    (void)pthread_cond_destroy(&lease->wake);
    free(lease);
}

bool bw_lease_held(const struct bw_lease *lease)
{
    return bw_lease_holds(&lease->candidate, bw_monotonic_ms());
}
