/*
 * List, then watch (k8s/informer.h, K-503). Positions are the API server's opaque words. Objects pass one by one, so
 * that neither a page of large ConfigMaps nor a collection of ten thousand is ever held.
 */
#include "base/limits.h"
#include "base/memory.h"
#include "k8s/informer_internal.h"
#include "k8s/object_stream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { PAGE_OBJECTS = 500, READ_BYTES = 32 * 1024, MAX_PATH = 3500, MAX_TOKEN = 2048 };
enum { MAX_RETRY_AFTER_S = 300 }; /* of a server that asks for more, we hear again in five minutes */

static const struct bw_informer_pace usual_pace = {
    .watch_s = 300,
    .watch_spread_s = 300,
    .grace_ms = 60000,
    .page_ms = 60000,
    .reopen_ms = 1000,
    .pause_ms = 1000,
    .longest_ms = 30000,
    .health_ms = 60000,
    .tries = 20,
};

struct bw_informer {
    struct bw_kube_client *client;
    struct bw_informer_options options;
    struct bw_informer_pace pace;
    char *path, *selectors; /* "&labelSelector=...", escaped */
    char *resource;         /* "namespaces", for messages */
    pthread_t thread;
    bool stop, synced;                /* atomic */
    struct bw_informer_counts counts; /* atomic, each by itself */

    /* of the thread */
    struct bw_known *known;
    char *position;     /* "": a list is due */
    const char *reason; /* why a watch is to be opened anew; NULL: none ended or failed yet */
    unsigned failures;  /* in a row */
};

/* ---- small things */

static int64_t random_below(int64_t limit)
{
    uint64_t bits = 0;
    if (limit <= 0 || getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits)) {
        return 0;
    }
    return (int64_t)(bits % (uint64_t)limit);
}

static void count(uint64_t *counter)
{
    (void)__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static bool stopping(const struct bw_informer *informer)
{
    return __atomic_load_n(&informer->stop, __ATOMIC_ACQUIRE);
}

static void pause_for(const struct bw_informer *informer, int64_t ms)
{
    struct bw_deadline until = bw_deadline_in_ms(ms);
    for (int64_t left; !stopping(informer) && (left = bw_deadline_left_ms(until)) > 0;) {
        int64_t step = left < 100 ? left : 100;
        const struct timespec pause = {.tv_nsec = step * 1000000};
        (void)nanosleep(&pause, NULL);
    }
}

static void set_position(struct bw_informer *informer, const char *version)
{
    if (strcmp(informer->position, version) != 0) {
        free(informer->position);
        informer->position = bw_memory_strndup(version, strlen(version));
    }
}

static void escape(struct bw_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || strchr("-._~", *text) != NULL;
        bw_buf_printf(out, plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
}

static bool is(const struct bw_error *err, const char *detail)
{
    return strcmp(err->detail, detail) == 0;
}

static int open_stream(struct bw_http_response **out, const struct bw_informer *informer, const char *verb,
                       const struct bw_buf *path, struct bw_error *err)
{
    bool list = verb[0] == 'l';
    const struct bw_kube_request request = {
        .method = "GET",
        .path = path->data,
        .accept = !informer->options.metadata_only ? NULL
                  : list ? "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
                         : "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json",
        .max_bytes = list ? BW_MAX_PAGE_BYTES : UINT64_MAX,
    };
    if (bw_buf_check(path, "the path of a request", err) == 0 &&
        bw_kube_open(out, informer->client, &request, &informer->stop, err) == 0) {
        return 0;
    }
    return is(err, "forbidden") ? bw_error_wrap(err, "the ServiceAccount may not %s %s (a role has to grant it)", verb,
                                                informer->resource)
                                : bw_error_wrap(err, "%s of %s", verb, informer->resource);
}

/* ---- what is told */

static int tell(struct bw_informer *informer, const json_t *object, bool deleted, struct bw_error *err)
{
    const struct bw_informer_options *options = &informer->options;
    struct bw_object_name name;
    bool news = false;
    if (bw_object_name_read(&name, object, err) != 0) {
        return -1;
    }
    if (deleted) {
        if (bw_known_forget(informer->known, &name)) {
            options->drop(options->payload, name.namespace, name.name);
        }
        return 0;
    }
    if (bw_known_note(&news, informer->known, &name, err) != 0) {
        return -1;
    }
    if (news) {
        options->put(options->payload, bw_json_root((json_t *)(uintptr_t)object));
    }
    return 0;
}

static int parse(json_t **out, const struct bw_informer *informer, struct bw_str text, struct bw_error *err)
{
    return bw_json_parse(out, text.base, text.len, text.len, err) == 0
               ? 0
               : bw_error_wrap(err, "what the API server sends of %s", informer->resource);
}

/* ---- list */

static int take_item(struct bw_informer *informer, struct bw_str text, struct bw_error *err)
{
    json_t *object = NULL;
    if (parse(&object, informer, text, err) != 0) {
        return -1;
    }
    int status = tell(informer, object, false, err);
    json_decref(object);
    return status;
}

/* Where the list stands, and how it goes on. */
static int take_frame(char **position, char **next, const struct bw_informer *informer,
                      const struct bw_object_stream *stream, struct bw_error *err)
{
    json_t *frame = NULL;
    if (!bw_object_stream_whole(stream)) {
        return bw_error_detail(err, BW_EUNAVAILABLE, "short_body", "the list of %s was cut", informer->resource);
    }
    if (parse(&frame, informer, bw_object_stream_frame(stream), err) != 0) {
        return -1;
    }
    const json_t *metadata = json_object_get(frame, "metadata");
    const char *version = json_string_value(json_object_get(metadata, "resourceVersion"));
    const char *token = json_string_value(json_object_get(metadata, "continue"));
    int status = 0;
    if (version == NULL || version[0] == '\0' || (token != NULL && strlen(token) > MAX_TOKEN)) {
        status = bw_error_set(err, BW_EINPUT, "the list of %s has no resourceVersion, or an endless continue",
                              informer->resource);
    } else {
        free(*position);
        free(*next);
        *position = bw_memory_strndup(version, strlen(version));
        *next = bw_memory_strndup(token == NULL ? "" : token, token == NULL ? 0 : strlen(token));
    }
    json_decref(frame);
    return status;
}

static int read_page(struct bw_object_stream *stream, struct bw_informer *informer, struct bw_http_response *response,
                     struct bw_error *err)
{
    char chunk[READ_BYTES];
    ssize_t got = 0;
    bw_http_set_deadline(response, bw_deadline_in_ms(informer->pace.page_ms));
    while ((got = bw_http_read(response, chunk, sizeof(chunk), err)) > 0) {
        struct bw_str input = {chunk, (size_t)got}, text;
        int more = 0;
        while ((more = bw_object_stream_next(&text, stream, &input, err)) > 0) {
            if (take_item(informer, text, err) != 0) {
                return -1;
            }
        }
        if (more < 0) {
            return -1;
        }
    }
    return got < 0 ? -1 : 0;
}

/* One page; *next is where the next one begins, "" for none. */
static int list_page(char **position, char **next, struct bw_informer *informer, struct bw_error *err)
{
    struct bw_http_response *response = NULL;
    struct bw_object_stream stream;
    BW_BUF_SCOPE path;
    bw_buf_init(&path, MAX_PATH);
    bw_buf_printf(&path, "%s?limit=%d%s", informer->path, PAGE_OBJECTS, informer->selectors);
    if (*next != NULL) {
        bw_buf_puts(&path, "&continue=");
        escape(&path, *next);
    }
    if (open_stream(&response, informer, "list", &path, err) != 0) {
        return -1;
    }
    bw_object_stream_init(&stream, true);
    int status = read_page(&stream, informer, response, err);
    if (status == 0) {
        status = take_frame(position, next, informer, &stream, err);
    }
    bw_object_stream_clear(&stream);
    bw_http_close(response);
    return status;
}

/* What vanished is dropped only once all that is there was seen. */
static int list(struct bw_informer *informer, struct bw_error *err)
{
    char *position = NULL, *next = NULL;
    int status = 0;
    unsigned pages = 0;
    bw_known_begin_list(informer->known);
    do {
        status = pages++ < BW_MAX_PAGES ? list_page(&position, &next, informer, err)
                                        : bw_error_set(err, BW_ELIMIT, "the list of %s never ends", informer->resource);
    } while (status == 0 && next[0] != '\0');
    if (status == 0) {
        bw_known_end_list(informer->known, informer->options.drop, informer->options.payload);
        set_position(informer, position);
        count(&informer->counts.lists);
        informer->options.settled(informer->options.payload);
        __atomic_store_n(&informer->synced, true, __ATOMIC_RELEASE);
    }
    free(position);
    free(next);
    return status;
}

/* ---- watch */

static int status_of_event(const struct bw_informer *informer, const json_t *status, struct bw_error *err)
{
    const char *words = json_string_value(json_object_get(status, "message"));
    json_int_t code = json_integer_value(json_object_get(status, "code"));
    return bw_error_detail(err, BW_EUNAVAILABLE, code == 410 ? "gone" : "error_event", "watch of %s: %lld: %.600s",
                           informer->resource, (long long)code, words == NULL ? "no reason given" : words);
}

static int take_event(struct bw_informer *informer, const json_t *event, struct bw_error *err)
{
    const char *type = json_string_value(json_object_get(event, "type"));
    const json_t *object = json_object_get(event, "object");
    const json_t *metadata = json_object_get(object, "metadata");
    const char *version = json_string_value(json_object_get(metadata, "resourceVersion"));
    bool deleted = type != NULL && strcmp(type, "DELETED") == 0;
    if (type != NULL && strcmp(type, "ERROR") == 0) {
        return status_of_event(informer, object, err);
    }
    if (type == NULL || version == NULL || version[0] == '\0') {
        return bw_error_set(err, BW_EINPUT, "watch of %s: an event without type or resourceVersion",
                            informer->resource);
    }
    if ((deleted || strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0) &&
        tell(informer, object, deleted, err) != 0) {
        return -1;
    }
    set_position(informer, version);
    count(&informer->counts.events);
    __atomic_store_n(&informer->counts.last_event_s, bw_wall_s(), __ATOMIC_RELAXED);
    return 0;
}

/* All whole events of one piece. */
static int take_events(struct bw_informer *informer, struct bw_object_stream *stream, struct bw_str input,
                       struct bw_error *err)
{
    struct bw_str text;
    bool any = false;
    int more = 0, status = 0;
    while (status == 0 && (more = bw_object_stream_next(&text, stream, &input, err)) > 0) {
        json_t *event = NULL;
        status = parse(&event, informer, text, err);
        status = status == 0 ? take_event(informer, event, err) : status;
        any = any || status == 0;
        json_decref(event);
    }
    if (any) {
        informer->options.settled(informer->options.payload);
    }
    return more < 0 ? -1 : status;
}

static int read_watch(struct bw_informer *informer, struct bw_http_response *response, struct bw_error *err)
{
    struct bw_object_stream stream;
    char chunk[READ_BYTES];
    int status = 0;
    ssize_t got = 0;
    bw_object_stream_init(&stream, false);
    while (status == 0 && (got = bw_http_read(response, chunk, sizeof(chunk), err)) > 0) {
        status = take_events(informer, &stream, (struct bw_str){chunk, (size_t)got}, err);
    }
    if (status == 0 && got == 0 && !bw_object_stream_whole(&stream)) {
        status =
            bw_error_detail(err, BW_EUNAVAILABLE, "cut", "watch of %s: it ended within an event", informer->resource);
    } else if (status == 0 && got < 0 && !is(err, "stopped")) {
        status = bw_error_wrap(err, "watch of %s", informer->resource);
        (void)snprintf(err->detail, sizeof(err->detail), "cut");
    }
    bw_object_stream_clear(&stream);
    return status;
}

/* Until the server ends it: 0 when that was its time to do so. */
static int watch(struct bw_informer *informer, struct bw_error *err)
{
    const struct bw_informer_pace *pace = &informer->pace;
    struct bw_http_response *response = NULL;
    int64_t asked_ms = 1000 * (pace->watch_s + random_below(pace->watch_spread_s + 1));
    BW_BUF_SCOPE path;
    bw_buf_init(&path, MAX_PATH);
    bw_buf_printf(&path, "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%lld%s&resourceVersion=", informer->path,
                  (long long)asked_ms / 1000, informer->selectors);
    escape(&path, informer->position);
    if (open_stream(&response, informer, "watch", &path, err) != 0) {
        return -1;
    }
    int64_t opened_ms = bw_monotonic_ms();
    bw_http_set_deadline(response, bw_deadline_in_ms(asked_ms + pace->grace_ms));
    count(&informer->counts.watches);
    if (informer->reason != NULL && informer->options.restarted != NULL) {
        informer->options.restarted(informer->options.payload, informer->reason);
    }
    informer->reason = NULL;
    int status = read_watch(informer, response, err);
    bw_http_close(response);
    int64_t stood_ms = bw_monotonic_ms() - opened_ms;
    if (stood_ms >= pace->health_ms) {
        informer->failures = 0;
    }
    /* a second of difference between two clocks is none */
    return status != 0 || stood_ms + 1000 >= asked_ms
               ? status
               : bw_error_detail(err, BW_EUNAVAILABLE, "cut", "watch of %s: the server ended it before its time",
                                 informer->resource);
}

/* ---- the thread */

/* With ±20 %, so that those who lost the same server do not all come back at once. */
static int64_t backoff_ms(const struct bw_informer *informer, const struct bw_error *err)
{
    const struct bw_informer_pace *pace = &informer->pace;
    if (err->retry_after_s > 0) {
        return 1000 * (int64_t)(err->retry_after_s < MAX_RETRY_AFTER_S ? err->retry_after_s : MAX_RETRY_AFTER_S);
    }
    int64_t ms = pace->pause_ms << (informer->failures < 16 ? informer->failures : 16);
    ms = ms < pace->longest_ms ? ms : pace->longest_ms;
    return ms - ms / 5 + random_below(2 * (ms / 5) + 1);
}

/* A version that is gone costs a list, and a connection that was cut a second: neither is a trouble the first time. */
static void after_failure(struct bw_informer *informer, const struct bw_error *err)
{
    bool gone = is(err, "gone"), cut = is(err, "cut"), first = informer->failures == 0;
    bool misread = gone || is(err, "error_event") || err->code == BW_EINPUT || err->code == BW_ELIMIT;
    int64_t wait_ms = gone && first ? 0 : backoff_ms(informer, err);
    count(&informer->counts.errors);
    informer->failures++;
    if (informer->reason == NULL || gone) {
        informer->reason = gone ? "gone" : cut ? "cut" : "error";
    }
    if (misread || informer->failures >= informer->pace.tries) {
        set_position(informer, "");
    }
    if (!((gone || cut) && first) && informer->options.trouble != NULL) {
        informer->options.trouble(informer->options.payload, err, wait_ms);
    }
    pause_for(informer, wait_ms);
}

static void *run(void *opaque)
{
    struct bw_informer *informer = opaque;
    while (!stopping(informer)) {
        struct bw_error err = {0};
        bool due = informer->position[0] == '\0';
        int status = due ? list(informer, &err) : watch(informer, &err);
        if (stopping(informer)) {
            break;
        }
        if (status != 0) {
            after_failure(informer, &err);
        } else if (!due) {
            informer->reason = "timeout";
            pause_for(informer, random_below(informer->pace.reopen_ms));
        }
    }
    return NULL;
}

/* ---- from outside */

static void destroy(struct bw_informer *informer)
{
    bw_known_destroy(informer->known);
    free(informer->position);
    free(informer->path);
    free(informer->selectors);
    free(informer->resource);
    free(informer);
}

int bw_informer_start_paced(struct bw_informer **out, struct bw_kube_client *client,
                            const struct bw_informer_options *options, const struct bw_informer_pace *pace,
                            struct bw_error *err)
{
    struct bw_informer *informer = bw_memory_zeroed(1, sizeof(*informer));
    const char *slash = strrchr(options->path, '/'), *resource = slash == NULL ? options->path : slash + 1;
    struct bw_buf selectors;
    bw_buf_init(&selectors, MAX_PATH);
    if (options->label_selector != NULL) {
        bw_buf_puts(&selectors, "&labelSelector=");
        escape(&selectors, options->label_selector);
    }
    if (options->field_selector != NULL) {
        bw_buf_puts(&selectors, "&fieldSelector=");
        escape(&selectors, options->field_selector);
    }
    informer->client = client;
    informer->options = *options;
    informer->pace = *pace;
    informer->path = bw_memory_strndup(options->path, strlen(options->path));
    informer->resource = bw_memory_strndup(resource, strlen(resource));
    informer->selectors = bw_buf_take(&selectors, NULL);
    informer->position = bw_memory_strndup("", 0);
    informer->known = bw_known_create();
    if (pthread_create(&informer->thread, NULL, run, informer) != 0) {
        destroy(informer);
        return bw_error_set(err, BW_EINTERNAL, "no thread could be started to watch %s", resource);
    }
    *out = informer;
    return 0;
}

int bw_informer_start(struct bw_informer **out, struct bw_kube_client *client,
                      const struct bw_informer_options *options, struct bw_error *err)
{
    return bw_informer_start_paced(out, client, options, &usual_pace, err);
}

void bw_informer_stop(struct bw_informer *informer)
{
    if (informer == NULL) {
        return;
    }
    __atomic_store_n(&informer->stop, true, __ATOMIC_RELEASE);
    (void)pthread_join(informer->thread, NULL);
    destroy(informer);
}

bool bw_informer_synced(const struct bw_informer *informer)
{
    return __atomic_load_n(&informer->synced, __ATOMIC_ACQUIRE);
}

struct bw_informer_counts bw_informer_counts(const struct bw_informer *informer)
{
    const struct bw_informer_counts *counts = &informer->counts;
    return (struct bw_informer_counts){
        .lists = __atomic_load_n(&counts->lists, __ATOMIC_RELAXED),
        .watches = __atomic_load_n(&counts->watches, __ATOMIC_RELAXED),
        .events = __atomic_load_n(&counts->events, __ATOMIC_RELAXED),
        .errors = __atomic_load_n(&counts->errors, __ATOMIC_RELAXED),
        .last_event_s = __atomic_load_n(&counts->last_event_s, __ATOMIC_RELAXED),
    };
}
