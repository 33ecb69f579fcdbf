/* Events (k8s/events.h), as the API of events.k8s.io/v1 defines them: eventTime, reportingController, series. */
#include "k8s/events.h"

#include "base/buf.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "base/str.h"
#include "k8s/metadata.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONTROLLER BW_DOMAIN "/webhook"
#define COLLECTION "/apis/events.k8s.io/v1/namespaces/%s/events"

enum {
    QUEUE = 256,
    SERIES = 512,
    OBJECTS = 512,
    MAX_NOTE = 1024,
    MAX_NAME = 253,
    BURST = 25,
    REFILL_MS = 300000,
    SERIES_MS = 1800000,
    PACE_MS = 100,
    CALL_MS = 10000,
    HASH_TEXT = 2 * BW_SHA256_BYTES + 1
};

struct series {
    char key[HASH_TEXT];
    char name[64]; /* of the Event; "" while it was never written */
    uint64_t count;
    int64_t seen_ms;
};

struct object { /* a token bucket */
    char key[HASH_TEXT];
    double tokens;
    int64_t seen_ms;
};

struct bw_events {
    struct bw_kube_client *client;
    char instance[MAX_NAME + 1];
    void (*trouble)(void *payload, const struct bw_error *err);
    void *payload;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct bw_event *queue[QUEUE];
    size_t first, n;
    bool stop;
    struct bw_events_counts counts;
    /* the thread's own */
    struct series series[SERIES];
    struct object objects[OBJECTS];
    uint64_t serial;
};

/* ---- posting ---- */

static struct bw_event *copy_event(const struct bw_event *event)
{
    const char *from[] = {event->api_version, event->kind,   event->name, event->uid,    event->namespace,
                          event->reason,      event->action, event->note, event->subject};
    size_t lengths[BW_LENGTH(from)], total = sizeof(*event);
    for (size_t i = 0; i < BW_LENGTH(from); i++) {
        from[i] = from[i] == NULL ? "" : from[i];
        size_t len = strlen(from[i]);
        lengths[i] = bw_utf8_cut(from[i], len, MAX_NOTE);
        total += lengths[i] + 1;
    }
    struct bw_event *copy = bw_memory_zeroed(1, total);
    const char **to[] = {&copy->api_version, &copy->kind,   &copy->name, &copy->uid,    &copy->namespace,
                         &copy->reason,      &copy->action, &copy->note, &copy->subject};
    char *end = (char *)(copy + 1);
    for (size_t i = 0; i < BW_LENGTH(from); i++) {
        memcpy(end, from[i], lengths[i]);
        *to[i] = end;
        end += lengths[i] + 1;
    }
    bw_text_clean((char *)(uintptr_t)copy->note, true);
    copy->warning = event->warning;
    return copy;
}

void bw_events_post(struct bw_events *events, const struct bw_event *event)
{
    if (events == NULL) {
        return;
    }
    struct bw_event *copy = copy_event(event);
    pthread_mutex_lock(&events->lock);
    if (events->n < QUEUE && !events->stop) {
        events->queue[(events->first + events->n++) % QUEUE] = copy;
        copy = NULL;
        (void)pthread_cond_signal(&events->wake);
    } else {
        events->counts.dropped++;
    }
    pthread_mutex_unlock(&events->lock);
    free(copy);
}

/* ---- writing ---- */

static void hash_of(char *out, const char *const *parts, size_t n_parts)
{
    uint8_t raw[BW_HASH_MAX];
    struct bw_hash *hash = bw_hash_create(BW_SHA256);
    bw_hash_begin(hash);
    for (size_t i = 0; i < n_parts; i++) {
        bw_hash_update(hash, parts[i], strlen(parts[i]) + 1);
    }
    bw_hex_encode(out, raw, bw_hash_finish(hash, raw));
    bw_hash_destroy(hash);
}

static struct series *find_series(struct bw_events *events, const struct bw_event *event, int64_t now_ms)
{
    const char *const parts[] = {event->namespace, event->kind, event->name, event->uid, event->reason, event->subject};
    char key[HASH_TEXT];
    struct series *oldest = &events->series[0];
    hash_of(key, parts, BW_LENGTH(parts));
    for (size_t i = 0; i < SERIES; i++) {
        struct series *series = &events->series[i];
        if (strcmp(series->key, key) == 0 && now_ms - series->seen_ms < SERIES_MS) {
            return series;
        }
        oldest = series->seen_ms < oldest->seen_ms ? series : oldest;
    }
    *oldest = (struct series){.seen_ms = now_ms};
    memcpy(oldest->key, key, sizeof(key));
    return oldest;
}

static bool take_token(struct bw_events *events, const struct bw_event *event, int64_t now_ms)
{
    const char *const parts[] = {event->namespace, event->kind, event->name, event->uid};
    char key[HASH_TEXT];
    struct object *found = NULL, *oldest = &events->objects[0];
    hash_of(key, parts, BW_LENGTH(parts));
    for (size_t i = 0; i < OBJECTS && found == NULL; i++) {
        struct object *object = &events->objects[i];
        found = strcmp(object->key, key) == 0 ? object : NULL;
        oldest = object->seen_ms < oldest->seen_ms ? object : oldest;
    }
    if (found == NULL) {
        found = oldest;
        *found = (struct object){.tokens = BURST, .seen_ms = now_ms};
        memcpy(found->key, key, sizeof(key));
    }
    found->tokens += (double)(now_ms - found->seen_ms) / REFILL_MS;
    found->tokens = found->tokens > BURST ? BURST : found->tokens;
    found->seen_ms = now_ms;
    if (found->tokens < 1) {
        return false;
    }
    found->tokens -= 1;
    return true;
}

static void put_micro_time(struct bw_buf *buf, const char *name)
{
    char text[32];
    bw_time_format_micro(text);
    bw_buf_printf(buf, "\"%s\":\"%s\"", name, text);
}

static void put_member(struct bw_buf *buf, const char *name, const char *text)
{
    bw_buf_printf(buf, ",\"%s\":", name);
    bw_buf_json(buf, text, strlen(text));
}

static void put_event(struct bw_buf *buf, const struct bw_events *events, const struct bw_event *event,
                      const struct series *series)
{
    bw_buf_puts(buf, "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{\"name\":");
    bw_buf_json(buf, series->name, strlen(series->name));
    put_member(buf, "namespace", event->namespace);
    bw_buf_puts(buf, "},");
    put_micro_time(buf, "eventTime");
    put_member(buf, "reportingController", CONTROLLER);
    put_member(buf, "reportingInstance", events->instance);
    put_member(buf, "action", event->action);
    put_member(buf, "reason", event->reason);
    put_member(buf, "type", event->warning ? "Warning" : "Normal");
    put_member(buf, "note", event->note);
    bw_buf_puts(buf, ",\"regarding\":{\"kind\":");
    bw_buf_json(buf, event->kind, strlen(event->kind));
    put_member(buf, "apiVersion", event->api_version);
    put_member(buf, "namespace", event->namespace);
    put_member(buf, "name", event->name);
    if (event->uid[0] != '\0') {
        put_member(buf, "uid", event->uid);
    }
    bw_buf_puts(buf, "}}");
}

/* A new Event, or one more of its series. */
static int write_event(struct bw_events *events, const struct bw_event *event, struct series *series,
                       struct bw_error *err)
{
    char path[400];
    BW_BUF_SCOPE body;
    bw_buf_init(&body, 64 * (size_t)MAX_NOTE);
    struct bw_kube_request request = {.deadline = bw_deadline_in_ms(CALL_MS)};
    if (series->name[0] != '\0') {
        bw_buf_printf(&body, "{\"series\":{\"count\":%llu,", (unsigned long long)series->count);
        put_micro_time(&body, "lastObservedTime");
        bw_buf_puts(&body, "}}");
        (void)snprintf(path, sizeof(path), COLLECTION "/%s", event->namespace, series->name);
        request.method = "PATCH";
        request.content_type = "application/merge-patch+json";
        request.path = path;
        request.body = body.data;
        request.body_len = body.len;
        if (bw_kube_call(NULL, events->client, &request, err) == 0) {
            return 0;
        }
        if (err->code != BW_ENOTFOUND) {
            return -1;
        }
        bw_buf_reset(&body); /* it is too old to be kept: begin anew */
    }
    (void)snprintf(series->name, sizeof(series->name), "breakwater.%.16s.%llx", series->key,
                   (unsigned long long)events->serial++);
    put_event(&body, events, event, series);
    (void)snprintf(path, sizeof(path), COLLECTION, event->namespace);
    request.method = "POST";
    request.content_type = NULL;
    request.path = path;
    request.body = body.data;
    request.body_len = body.len;
    if (bw_buf_check(&body, "an Event", err) != 0 || bw_kube_call(NULL, events->client, &request, err) != 0) {
        series->name[0] = '\0';
        return -1;
    }
    return 0;
}

/* Names that a path would read otherwise are not written anywhere. */
static bool is_namespace(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n > 0 && n <= 63 && text[n] == '\0';
}

static void handle(struct bw_events *events, const struct bw_event *event)
{
    struct bw_error err = {0};
    int64_t now_ms = bw_monotonic_ms();
    struct series *series = find_series(events, event, now_ms);
    bool repeats = series->count > 0, room = is_namespace(event->namespace) && take_token(events, event, now_ms);
    series->count++;
    series->seen_ms = now_ms;
    int status = room ? write_event(events, event, series, &err) : 0;
    pthread_mutex_lock(&events->lock);
    events->counts.written += room && status == 0;
    events->counts.repeated += repeats;
    events->counts.dropped += !room && !repeats;
    events->counts.failed += status != 0;
    pthread_mutex_unlock(&events->lock);
    if (status != 0 && events->trouble != NULL) {
        events->trouble(events->payload, &err);
    }
}

static void *run(void *payload)
{
    struct bw_events *events = payload;
    const struct timespec pace = {.tv_nsec = PACE_MS * 1000000L};
    pthread_mutex_lock(&events->lock);
    while (!events->stop) {
        if (events->n == 0) {
            (void)pthread_cond_wait(&events->wake, &events->lock);
            continue;
        }
        struct bw_event *event = events->queue[events->first];
        events->first = (events->first + 1) % QUEUE;
        events->n--;
        pthread_mutex_unlock(&events->lock);
        handle(events, event);
        free(event);
        (void)nanosleep(&pace, NULL);
        pthread_mutex_lock(&events->lock);
    }
    pthread_mutex_unlock(&events->lock);
    return NULL;
}

/* ---- the whole ---- */

int bw_events_create(struct bw_events **out, struct bw_kube_client *client, const char *instance,
                     void (*trouble)(void *payload, const struct bw_error *err), void *payload, struct bw_error *err)
{
    struct bw_events *events = bw_memory_zeroed(1, sizeof(*events));
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    events->client = client;
    events->trouble = trouble;
    events->payload = payload;
    events->serial = ((uint64_t)now.tv_sec << 20) + (uint64_t)now.tv_nsec / 1000; /* another start, other names */
    (void)snprintf(events->instance, sizeof(events->instance), "%s", instance);
    (void)pthread_mutex_init(&events->lock, NULL);
    (void)pthread_cond_init(&events->wake, NULL);
    if (pthread_create(&events->thread, NULL, run, events) != 0) {
        (void)pthread_cond_destroy(&events->wake);
        (void)pthread_mutex_destroy(&events->lock);
        free(events);
        return bw_error_set(err, BW_EINTERNAL, "no thread could be started");
    }
    *out = events;
    return 0;
}

void bw_events_destroy(struct bw_events *events)
{
    if (events == NULL) {
        return;
    }
    pthread_mutex_lock(&events->lock);
    events->stop = true;
    (void)pthread_cond_signal(&events->wake);
    pthread_mutex_unlock(&events->lock);
    (void)pthread_join(events->thread, NULL);
    for (; events->n > 0; events->n--) {
        free(events->queue[events->first]);
        events->first = (events->first + 1) % QUEUE;
    }
    (void)pthread_cond_destroy(&events->wake);
    (void)pthread_mutex_destroy(&events->lock);
    free(events);
}

struct bw_events_counts bw_events_counts(const struct bw_events *events)
{
    struct bw_events_counts counts = {0};
    if (events != NULL) {
        pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&events->lock);
        counts = events->counts;
        pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&events->lock);
    }
    return counts;
}
