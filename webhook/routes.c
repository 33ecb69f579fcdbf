/* What is answered where: /validate, /validate-bundle and /validate-namespace on the webhook's port, /livez /readyz
 * /healthz /version on the health port, /metrics; /debug/explain is in debug.c. */
#include "base/buf.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/process.h"
#include "webhook/account.h"
#include "webhook/loop.h"
#include "webhook/namespace_review.h"

#include <stdio.h>
#include <string.h>
#include <sys/time.h>

enum { LIVE_MS = 30000, MAX_METRICS_BYTES = 4 * 1024 * 1024 };

struct handler {
    h2o_handler_t super;
    struct bw_server *server;
};

/* ---- metrics ---- */

static struct bw_metric in_flight = {
    .name = "breakwater_admission_in_flight", .help = "Admissions begun and not answered.", .kind = BW_METRIC_GAUGE};
static struct bw_metric certificate_end = {
    .name = "breakwater_tls_cert_not_after_seconds",
    .help = "When the serving certificate ends, as seconds since 1970.",
    .kind = BW_METRIC_GAUGE,
};
static struct bw_metric bundles_loaded = {
    .name = "breakwater_bundles_loaded", .help = "Policy bundles in force.", .kind = BW_METRIC_GAUGE};
static struct bw_metric build_info = {
    .name = "breakwater_build_info", .help = "Always 1.", .kind = BW_METRIC_GAUGE, .labels = {"version"}};
static struct bw_metric analyses_running = {
    .name = "breakwater_analysis_in_flight", .help = "Image jobs that run now.", .kind = BW_METRIC_GAUGE};
static struct bw_metric analyses_queued = {
    .name = "breakwater_analysis_queue_length", .help = "Image jobs that wait for a thread.", .kind = BW_METRIC_GAUGE};
static struct bw_metric analyses_total = {.name = "breakwater_analyses_total",
                                          .help = "Analyses of images, by result; joined: asked for while it ran.",
                                          .kind = BW_METRIC_COUNTER,
                                          .labels = {"result"}};
static struct bw_metric cache_total = {.name = "breakwater_cache_requests_total",
                                       .help = "Reports found in a cache, and faults of the cache on disk.",
                                       .kind = BW_METRIC_COUNTER,
                                       .labels = {"cache", "result"}};
static struct bw_metric events_total = {
    .name = "breakwater_events_total",
    .help = "Events by what became of them: written, repeated (counted in a series), dropped for want of room or rate, "
            "failed.",
    .kind = BW_METRIC_COUNTER,
    .labels = {"result"},
};
static struct bw_metric reload_errors_total = {
    .name = "breakwater_tls_reload_errors_total",
    .help = "Certificates that were refused, so that the old one stays.",
    .kind = BW_METRIC_COUNTER,
};

static void refresh_gauges(struct bw_server *server)
{
    struct bw_catalog_counts counts = bw_catalog_counts(server->services->catalog);
    struct bw_bundle_set *set = bw_slot_acquire(server->services->bundles);
    bw_metric_set(&bundles_loaded, set == NULL ? 0 : (double)bw_bundle_set_count(set), NULL);
    bw_bundle_set_release(set);
    bw_metric_set(&in_flight, __atomic_load_n(&server->in_flight, __ATOMIC_RELAXED), NULL);
    bw_metric_set(&certificate_end, (double)__atomic_load_n(&server->certificate_ends_s, __ATOMIC_RELAXED), NULL);
    bw_metric_set(&build_info, 1, BW_LABELS(BREAKWATER_VERSION));
    bw_metric_set(&analyses_running, counts.running, NULL);
    bw_metric_set(&analyses_queued, counts.queued, NULL);
    bw_metric_set(&analyses_total, (double)counts.analyses, BW_LABELS("done"));
    bw_metric_set(&analyses_total, (double)counts.failures, BW_LABELS("failed"));
    bw_metric_set(&analyses_total, (double)counts.joined, BW_LABELS("joined"));
    bw_metric_set(&cache_total, (double)counts.memory_hits, BW_LABELS("memory", "hit"));
    bw_metric_set(&cache_total, (double)counts.store_hits, BW_LABELS("store", "hit"));
    bw_metric_set(&cache_total, (double)counts.store_faults, BW_LABELS("store", "error"));
    bw_metric_touch(&reload_errors_total, NULL);
    if (server->services->events != NULL) {
        struct bw_events_counts events = bw_events_counts(server->services->events);
        bw_metric_set(&events_total, (double)events.written, BW_LABELS("written"));
        bw_metric_set(&events_total, (double)events.repeated, BW_LABELS("repeated"));
        bw_metric_set(&events_total, (double)events.dropped, BW_LABELS("dropped"));
        bw_metric_set(&events_total, (double)events.failed, BW_LABELS("failed"));
    }
}

void bw_routes_count_reload_error(void)
{
    bw_metric_add(&reload_errors_total, 1, NULL);
}

/* ---- admissions ---- */

static void answer(struct bw_parked *parked, const struct bw_admit_result *result)
{
    const struct bw_services *services = parked->loop->server->services;
    struct bw_config *config = bw_slot_acquire(services->config);
    if (h2o_linklist_is_linked(&parked->link)) {
        h2o_linklist_unlink(&parked->link);
    }
    parked->answered = true;
    bw_account_admission(result, config->log_admits, bw_monotonic_ms() - parked->began_ms,
                         parked->deadline.monotonic_ms - parked->began_ms);
    bw_config_release(config);
    const char *reason = result->http_status == 200   ? "OK"
                         : result->http_status == 400 ? "Bad Request"
                         : result->http_status == 503 ? "Service Unavailable"
                                                      : "Internal Server Error";
    bw_send_bytes(parked->req, result->http_status, reason,
                  result->http_status == 200 ? "application/json" : "text/plain; charset=utf-8", result->body,
                  result->len);
}

void bw_parked_step(struct bw_parked *parked)
{
    const struct bw_admit_result *result = NULL;
    if (parked->errand != NULL) {
        result = bw_bundle_worker_result(parked->errand);
    } else if (bw_admission_step(parked->admission, false, &parked->jobs, &parked->n_jobs) == BW_ADMIT_DONE) {
        result = bw_admission_result(parked->admission);
    }
    if (result != NULL) {
        answer(parked, result);
    }
}

void bw_parked_finish(struct bw_parked *parked, enum bw_admission_end end)
{
    const struct bw_admit_result *result = &parked->result;
    if (parked->admission != NULL) {
        bw_admission_finish(parked->admission, end);
        result = bw_admission_result(parked->admission);
    } else {
        bw_bundle_review_skip(&parked->result, parked->req->entity.base, parked->req->entity.len,
                              end == BW_END_DEADLINE ? "not in time" : "there is too much to do", &parked->arena);
    }
    if (end == BW_END_DEADLINE) {
        bw_account_deadline(result);
    }
    answer(parked, result);
}

/* Nobody reads what is sent now; sending it is how H2O comes to close the connection. */
void bw_parked_drop(struct bw_parked *parked)
{
    h2o_linklist_unlink(&parked->link);
    parked->answered = true;
    parked->req->http1_is_persistent = 0;
    bw_account_gone(bw_monotonic_ms() - parked->began_ms);
    (void)bw_send_text(parked->req, 503, "Service Unavailable", "the client went away\n");
}

/* The request is over: answered, or its client has gone. */
static void on_dispose(void *data)
{
    struct bw_parked *parked = data;
    if (h2o_linklist_is_linked(&parked->link)) {
        h2o_linklist_unlink(&parked->link);
    }
    (void)__atomic_sub_fetch(&parked->loop->server->in_flight, 1, __ATOMIC_RELAXED);
    bw_late_keep(parked->loop, parked->admission);
    bw_errand_release(parked->errand);
    bw_arena_clear(&parked->arena);
}

static bool is_json(const h2o_req_t *req)
{
    static const char type[] = "application/json";
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_CONTENT_TYPE, -1);
    if (at < 0) {
        return false;
    }
    h2o_iovec_t value = req->headers.entries[at].value;
    size_t len = sizeof(type) - 1;
    return value.len >= len && strncasecmp(value.base, type, len) == 0 &&
           (value.len == len || value.base[len] == ';' || value.base[len] == ' ');
}

static int64_t elapsed_ms(const h2o_req_t *req)
{
    struct timeval now;
    (void)gettimeofday(&now, NULL);
    int64_t ms = ((int64_t)now.tv_sec - req->timestamps.request_begin_at.tv_sec) * 1000 +
                 ((int64_t)now.tv_usec - req->timestamps.request_begin_at.tv_usec) / 1000;
    return ms < 0 || ms > 60000 ? 0 : ms; /* the wall clock may have been set */
}

/* What a path answers to; sets the deadline. Done at once, or parked->admission or errand says for what it waits. */
struct endpoint {
    const char *path;
    void (*begin)(struct bw_parked *parked, int64_t timeout_ms, int64_t elapsed_ms);
};

static void begin_images(struct bw_parked *parked, int64_t timeout_ms, int64_t elapsed_ms)
{
    const h2o_iovec_t *body = &parked->req->entity;
    parked->admission =
        bw_admission_begin(parked->loop->server->services, body->base, body->len, timeout_ms, elapsed_ms);
    parked->deadline = bw_admission_deadline(parked->admission);
    bw_parked_step(parked);
}

static void begin_bundles(struct bw_parked *parked, int64_t timeout_ms, int64_t elapsed_ms)
{
    struct bw_server *server = parked->loop->server;
    const h2o_iovec_t *body = &parked->req->entity;
    struct bw_config *config = bw_slot_acquire(server->services->config);
    parked->deadline = bw_admission_budget(config, timeout_ms, elapsed_ms);
    const struct bw_bundle_review_options options = {bw_wall_s(), config->default_patterns, parked->deadline};
    parked->errand = bw_bundle_worker_ask(server->bundle_worker, body->base, body->len, &options);
    bw_config_release(config);
    if (parked->errand == NULL) {
        bw_parked_finish(parked, BW_END_OVERLOAD);
        return;
    }
    parked->jobs = bw_errand_ticket(parked->errand);
    parked->n_jobs = 1;
}

static void begin_namespace(struct bw_parked *parked, int64_t timeout_ms, int64_t elapsed_ms)
{
    const h2o_iovec_t *body = &parked->req->entity;
    struct bw_config *config = bw_slot_acquire(parked->loop->server->services->config);
    parked->deadline = bw_admission_budget(config, timeout_ms, elapsed_ms);
    bw_namespace_review(&parked->result, config, body->base, body->len, &parked->arena);
    bw_config_release(config);
    answer(parked, &parked->result);
}

static const struct endpoint endpoints[] = {
    {"/validate", begin_images},
    {"/validate-bundle", begin_bundles},
    {"/validate-namespace", begin_namespace},
};

static const struct endpoint *find_endpoint(const h2o_req_t *req)
{
    for (size_t i = 0; i < BW_LENGTH(endpoints); i++) {
        if (bw_path_is(req, endpoints[i].path)) {
            return &endpoints[i];
        }
    }
    return NULL;
}

static int on_validate(h2o_handler_t *self, h2o_req_t *req)
{
    struct bw_server *server = ((struct handler *)self)->server;
    struct bw_loop *loop = bw_loop_of(req);
    const struct endpoint *endpoint = find_endpoint(req);
    if (endpoint == NULL) {
        return bw_send_text(req, 404, "Not Found",
                            "AdmissionReviews go to /validate, /validate-bundle or /validate-namespace\n");
    }
    if (!bw_method_is(req, "POST")) {
        return bw_send_not_allowed(req, "POST");
    }
    if (!is_json(req)) {
        return bw_send_text(req, 415, "Unsupported Media Type", "an AdmissionReview is application/json\n");
    }
    if (req->entity.base == NULL || req->entity.len == 0) {
        return bw_send_text(req, 400, "Bad Request", "the body is empty\n");
    }
    bool query = req->query_at != SIZE_MAX;
    int64_t elapsed = elapsed_ms(req);
    int64_t timeout = query ? bw_timeout_parse(req->path.base + req->query_at, req->path.len - req->query_at) : 0;
    struct bw_parked *parked = h2o_mem_alloc_shared(&req->pool, sizeof(*parked), on_dispose);
    *parked = (struct bw_parked){.loop = loop, .req = req, .began_ms = bw_monotonic_ms() - elapsed};
    bw_arena_init(&parked->arena, BW_ARENA_ADMISSION);
    unsigned n = __atomic_add_fetch(&server->in_flight, 1, __ATOMIC_RELAXED);
    endpoint->begin(parked, timeout, elapsed);
    if (parked->answered) {
        return 0;
    }
    if (n > server->max_in_flight) { /* what is known is answered under any load; only who has to wait is turned away */
        bw_parked_finish(parked, BW_END_OVERLOAD);
        return 0;
    }
    h2o_linklist_insert(&loop->parked, &parked->link);
    return 0;
}

/* ---- health ---- */

static bool is_live(const struct bw_server *server)
{
    for (unsigned i = 0; i < server->n_loops; i++) {
        if (bw_monotonic_ms() - __atomic_load_n(&server->loops[i].last_tick_ms, __ATOMIC_RELAXED) > LIVE_MS) {
            return false;
        }
    }
    return true;
}

static int send_live(h2o_req_t *req, const struct bw_server *server, bool verbose)
{
    bool live = is_live(server);
    return bw_send_text(req, live ? 200 : 503, live ? "OK" : "Service Unavailable",
                        !live     ? "[-] event loops: one makes no progress\n"
                        : verbose ? "[+] event loops\n"
                                  : "ok\n");
}

/* Writes a line per check; whether all are ready. */
static bool write_checks(struct bw_server *server, struct bw_buf *out)
{
    bool ready = !__atomic_load_n(&server->draining, __ATOMIC_RELAXED);
    bw_buf_printf(out, "[%c] running\n", ready ? '+' : '-');
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->n_checks; i++) {
        const struct bw_check *check = &server->checks[i];
        bw_buf_printf(out, "[%c] %s%s%s\n", check->ready ? '+' : '-', check->name, check->why[0] ? ": " : "",
                      check->why);
        ready = ready && check->ready;
    }
    pthread_mutex_unlock(&server->lock);
    return ready;
}

static int on_health(h2o_handler_t *self, h2o_req_t *req)
{
    struct bw_server *server = ((struct handler *)self)->server;
    static const char query[] = "?verbose";
    bool verbose = req->query_at != SIZE_MAX && req->path.len - req->query_at >= sizeof(query) - 1 &&
                   memcmp(req->path.base + req->query_at, query, sizeof(query) - 1) == 0;
    if (!bw_method_is(req, "GET") && !bw_method_is(req, "HEAD")) {
        return bw_send_not_allowed(req, "GET, HEAD");
    }
    if (bw_path_is(req, "/livez") || bw_path_is(req, "/healthz")) {
        return send_live(req, server, verbose);
    }
    if (bw_path_is(req, "/version")) {
        return bw_send_text(req, 200, "OK", "breakwater " BREAKWATER_VERSION "\n");
    }
    if (!bw_path_is(req, "/readyz")) {
        return bw_send_text(req, 404, "Not Found", "/livez, /readyz, /healthz, /version\n");
    }
    BW_BUF_SCOPE text;
    bw_buf_init(&text, 4096);
    bool ready = write_checks(server, &text);
    return bw_send_text(req, ready ? 200 : 503, ready ? "OK" : "Service Unavailable",
                        ready && !verbose ? "ok\n" : text.data);
}

static int on_debug(h2o_handler_t *self, h2o_req_t *req)
{
    return bw_debug_answer(((struct handler *)self)->server, req);
}

static int on_metrics(h2o_handler_t *self, h2o_req_t *req)
{
    struct bw_server *server = ((struct handler *)self)->server;
    if (!bw_method_is(req, "GET") && !bw_method_is(req, "HEAD")) {
        return bw_send_not_allowed(req, "GET, HEAD");
    }
    if (!bw_path_is(req, "/metrics")) {
        return bw_send_text(req, 404, "Not Found", "/metrics\n");
    }
    BW_BUF_SCOPE text;
    bw_buf_init(&text, MAX_METRICS_BYTES);
    refresh_gauges(server);
    bw_process_meter();
    bw_metrics_write(&text);
    h2o_iovec_t copy = h2o_strdup(&req->pool, text.len == 0 ? "" : text.data, text.len);
    bw_send_bytes(req, 200, "OK", "text/plain; version=0.0.4; charset=utf-8", copy.base, copy.len);
    return 0;
}

/* ---- registering ---- */

static void add_handler(struct bw_server *server, struct bw_listener *listener, const char *name,
                        int (*on_req)(h2o_handler_t *self, h2o_req_t *req))
{
    listener->hosts[0] = h2o_config_register_host(&server->conf, h2o_iovec_init(name, strlen(name)), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(listener->hosts[0], "/", 0);
    struct handler *handler = (struct handler *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = on_req;
    handler->server = server;
}

void bw_routes_register(struct bw_server *server)
{
    add_handler(server, &server->webhook, "webhook", on_validate);
    add_handler(server, &server->health, "health", on_health);
    add_handler(server, &server->metrics, "metrics", on_metrics);
    add_handler(server, &server->debug, "debug", on_debug);
}
