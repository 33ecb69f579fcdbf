/* Reloading while serving (cli/live.h). One thread at a time takes changes over: the watch's, or the one that waits for
 * signals. */
#include "cli/live_internal.h"

#include "base/limits.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "webhook/account.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WATCH_POLL_MS = 30000, GRACE_MS = 60000, DAY_MS = 86400000 };
enum { CONFIG, CERTIFICATE, KEY, CLIENT_CA, CREDENTIALS };

static struct bw_metric config_reloaded = {
    .name = "breakwater_config_last_reload_successful",
    .help = "1 if the configuration file's present content is in force, 0 if it has a fault.",
    .kind = BW_METRIC_GAUGE,
};

void bw_live_news(void *payload, uint64_t number)
{
    struct bw_live *live = payload;
    struct bw_server *server = __atomic_load_n(&live->server, __ATOMIC_ACQUIRE);
    if (server != NULL) {
        bw_server_job_done(server, number);
    }
}

/* Whether a file's content differs from what was last taken over. An unreadable file counts as unchanged. */
static bool changed(struct bw_live *live, size_t which, const char *path)
{
    char hash[2 * BW_HASH_MAX + 1];
    char *text = NULL;
    size_t len = 0;
    if (path == NULL || bw_file_read(&text, &len, path, BW_MAX_SETTINGS_BYTES, NULL) != 0) {
        return false;
    }
    bw_hash_hex(hash, BW_SHA256, text, len);
    explicit_bzero(text, len);
    free(text);
    bool differs = strcmp(hash, live->seen[which]) != 0;
    memcpy(live->seen[which], hash, sizeof(hash));
    return differs;
}

/* ---- configuration ---- */

static int apply_arguments(const struct bw_live *live, struct bw_config *config)
{
    const struct {
        const char *option;
        const char **setting;
    } rows[] = {
        {"listen", &config->listen},
        {"health-listen", &config->health_listen},
        {"metrics-listen", &config->metrics_listen},
        {"tls-cert", &config->cert_file},
        {"tls-key", &config->key_file},
        {"bundles", &config->bundles_dir},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const char *value = bw_argument(live->arguments, rows[i].option);
        *rows[i].setting = value != NULL ? value : *rows[i].setting;
    }
    const char *level = bw_argument(live->arguments, "log-level");
    if (level != NULL && bw_log_level_parse(&config->log_level, level) != 0) {
        return bw_trouble(live->arguments, "--log-level %s: debug, info, warn or error", level);
    }
    return 0;
}

static bool differ(const char *a, const char *b)
{
    return (a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0);
}

static bool differ_lists(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++) {
        same = strcmp(a[i], b[i]) == 0;
    }
    return !same;
}

static bool certs_differ(const struct bw_config *old, const struct bw_config *new)
{
    return old->certs.self_signed != new->certs.self_signed || differ(old->certs.secret, new->certs.secret) ||
           differ(old->certs.service, new->certs.service) ||
           differ(old->certs.cluster_domain, new->certs.cluster_domain) ||
           differ(old->certs.webhook_configuration, new->certs.webhook_configuration) ||
           old->certs.leaf_lifetime_s != new->certs.leaf_lifetime_s ||
           old->certs.ca_lifetime_s != new->certs.ca_lifetime_s || old->certs.renew_at != new->certs.renew_at ||
           old->certs.ca_wait_s != new->certs.ca_wait_s || old->certs.ca_overlap_s != new->certs.ca_overlap_s ||
           old->certs.check_s != new->certs.check_s;
}

/* Names what is different from the start and cannot change while serving. */
static void log_fixed(const struct bw_config *old, const struct bw_config *new)
{
    const struct {
        const char *name;
        bool differs;
    } rows[] = {
        {"server.listen", differ(old->listen, new->listen)},
        {"server.healthListen", differ(old->health_listen, new->health_listen)},
        {"server.metricsListen", differ(old->metrics_listen, new->metrics_listen)},
        {"server.debugListen", differ(old->debug_listen, new->debug_listen)},
        {"server.eventLoops", old->event_loops != new->event_loops},
        {"server.maxConnections", old->max_connections != new->max_connections},
        {"kubernetes.pullSecrets", old->kubernetes != new->kubernetes},
        {"kubernetes.events", old->events != new->events},
        {"kubernetes.nodes", old->nodes != new->nodes},
        {"kubernetes.serviceAccountDir", differ(old->service_account_dir, new->service_account_dir)},
        {"kubernetes.lease", differ(old->lease, new->lease)},
        {"certs", certs_differ(old, new)},
        {"bundles.dir", differ(old->bundles_dir, new->bundles_dir)},
        {"bundles.configMaps", old->bundle_maps != new->bundle_maps},
        {"bundles.namespaces", differ_lists(old->bundle_namespaces, old->n_bundle_namespaces, new->bundle_namespaces,
                                            new->n_bundle_namespaces)},
        {"registry.tagTTL", old->tag_ttl_ms != new->tag_ttl_ms},
        {"registry.tagStaleMax", old->tag_stale_ms != new->tag_stale_ms},
        {"registry.negativeTTL", old->negative_ttl_ms != new->negative_ttl_ms},
        {"registry.authTTL", old->auth_ttl_ms != new->auth_ttl_ms},
        {"analysis.concurrency", old->analyses != new->analyses},
        {"analysis.queue", old->analysis_queue != new->analysis_queue},
        {"analysis.layersInFlight", old->analyzer.layers_in_flight != new->analyzer.layers_in_flight},
        {"analysis.foreignLayers", old->analyzer.fetch_foreign_layers != new->analyzer.fetch_foreign_layers},
        {"analysis.secretSearch.maxFileSize", old->analyzer.secret_max_bytes != new->analyzer.secret_max_bytes},
        {"analysis.retrieveFiles.maxFileSize", old->analyzer.retrieved_max_bytes != new->analyzer.retrieved_max_bytes},
        {"analysis.cpuLimit", old->analyzer.cpu_s != new->analyzer.cpu_s},
        {"analysis.wallLimit", old->analyzer.wall_s != new->analyzer.wall_s},
        {"cache.dir", differ(old->cache_dir, new->cache_dir)},
        {"cache.memoryBytes", old->cache_memory_bytes != new->cache_memory_bytes},
        {"cache.diskBytes", old->cache_disk_bytes != new->cache_disk_bytes},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        if (rows[i].differs) {
            bw_log(BW_LOG_WARN, "this setting changes with the next start", BW_F("setting", rows[i].name));
        }
    }
}

int bw_live_begin(struct bw_live *live, const struct bw_arguments *arguments)
{
    live->arguments = arguments;
    live->config_path = bw_argument(arguments, "config");
    live->began_ms = live->warned_ms = bw_monotonic_ms();
    (void)pthread_mutex_init(&live->refresh, NULL);
    bw_services_slots(&live->config, &live->bundles, &live->source);
    if (bw_settings_load(&live->first, arguments, live->config_path) != 0 || apply_arguments(live, live->first) != 0) {
        return BW_EXIT_TROUBLE;
    }
    bw_log_set_level(live->first->log_level);
    live->bundles_path = live->first->bundles_dir;
    bw_slot_replace(&live->config, bw_config_retain(live->first));
    bw_account_exemptions(NULL, live->first);
    bw_metric_set(&config_reloaded, 1, NULL);
    return 0;
}

/* ---- access to registries ---- */

/* Those whose source nobody holds but us. The one in force stays, and the first, which the services name. */
static void close_unused(struct bw_live *live)
{
    size_t n = 0;
    for (size_t i = 0; i < live->n_accesses; i++) {
        struct bw_access *access = &live->accesses[i];
        unsigned holders = __atomic_load_n(&access->source->references, __ATOMIC_ACQUIRE);
        if (i > 0 && i + 1 < live->n_accesses && holders == 1) {
            bw_access_close(access);
        } else {
            live->accesses[n++] = *access;
        }
    }
    live->n_accesses = n;
}

static int open_access(struct bw_live *live, const struct bw_config *config, struct bw_error *err)
{
    close_unused(live);
    if (live->n_accesses == BW_MAX_ACCESSES) {
        return bw_error_set(err, BW_ELIMIT,
                            "analyses still use the registry settings of %d changes ago; try again later",
                            BW_MAX_ACCESSES);
    }
    struct bw_access *access = &live->accesses[live->n_accesses];
    if (bw_access_open(access, config, false, err) != 0) {
        return -1;
    }
    live->n_accesses++;
    bw_slot_replace(&live->source, bw_image_source_retain(access->source));
    return 0;
}

/* ---- bundles ---- */

static int update_needs(struct bw_live *live, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 64 * BW_MIB);
    struct bw_config *config = bw_slot_acquire(&live->config);
    struct bw_bundle_set *set = bw_slot_acquire(&live->bundles);
    struct bw_needs bundles = {0}, all = {0};
    int status = set == NULL ? 0 : bw_bundle_set_needs(&bundles, set, &arena, err);
    if (status == 0) {
        status = bw_needs_merge(&all, &config->analysis_needs, &bundles, &arena, err);
    }
    if (status == 0) {
        status = bw_catalog_set_needs(live->catalog, &all, err);
    }
    bw_bundle_set_release(set);
    bw_config_release(config);
    return status;
}

/* Before the first lists a bundle could be taken for the default that is not. */
static bool bundles_settled(const struct bw_live *live)
{
    return live->maps == NULL || bw_cluster_watch_settled(live->cluster, "configmaps");
}

/* A set that differs from the one in force takes its place. */
static int take_bundles(struct bw_live *live, struct bw_error *err)
{
    struct bw_config *config = bw_slot_acquire(&live->config);
    struct bw_bundle_set *set =
        bundles_settled(live) ? bw_bundle_store_make(live->store, config->default_bundle) : NULL;
    bw_config_release(config);
    if (set != NULL) {
        bw_slot_replace(&live->bundles, set);
    }
    return update_needs(live, err);
}

static void refresh_bundles(struct bw_live *live)
{
    struct bw_error err = {0};
    if (take_bundles(live, &err) != 0) {
        bw_log(BW_LOG_ERROR, "what bundles need is not asked for", BW_F("error", err.message));
    }
}

static int load_folder(struct bw_live *live, struct bw_error *err)
{
    struct bw_config *config = bw_slot_acquire(&live->config);
    int status = bw_bundle_folder_feed(live->store, live->bundles_path, config->default_patterns, err);
    bw_config_release(config);
    return status != 0 && err->code == BW_ENOTFOUND && live->maps != NULL ? 0 : status;
}

void bw_live_bundles_changed(void *payload)
{
    struct bw_live *live = payload;
    pthread_mutex_lock(&live->refresh);
    refresh_bundles(live);
    pthread_mutex_unlock(&live->refresh);
}

int bw_live_build(struct bw_live *live, struct bw_error *err)
{
    struct bw_error cache = {0};
    bool recovered = false;
    (void)gethostname(live->pod, sizeof(live->pod) - 1);
    live->ledger = live->first->debug_listen == NULL ? NULL : bw_ledger_create();
    if (bw_live_open_cluster(live, err) != 0) {
        return -1;
    }
    if (live->store == NULL) {
        live->store = bw_bundle_store_create(NULL);
    }
    if (load_folder(live, err) != 0 || open_access(live, live->first, err) != 0 ||
        bw_catalog_open(&live->catalog, live->first, bw_live_news, live, &recovered, &cache, err) != 0 ||
        take_bundles(live, err) != 0 || bw_verdicts_create(&live->verdicts, 0, bw_live_news, live, err) != 0 ||
        (live->maps != NULL && bw_bundle_maps_start(live->maps, live->cluster, err) != 0)) {
        return -1;
    }
    if (recovered) {
        bw_log(BW_LOG_WARN, "the cache on disk was corrupt: set aside, begun anew",
               BW_F("folder", live->first->cache_dir));
    }
    if (cache.code != BW_OK) {
        bw_log(BW_LOG_WARN, "the cache on disk cannot be used: reports are kept in memory alone",
               BW_F("error", cache.message));
    }
    return 0;
}

/* ---- taking over ---- */

/* All or nothing: a configuration with a fault, or whose credentials cannot be read, changes nothing. */
static int reload_config(struct bw_live *live, struct bw_error *err)
{
    struct bw_problems problems;
    struct bw_config *config = NULL;
    char *text = NULL;
    size_t len = 0;
    bw_problems_init(&problems);
    int status = bw_file_read(&text, &len, live->config_path, BW_MAX_SETTINGS_BYTES, err);
    if (status == 0) {
        status = bw_config_load(&config, &problems, text, len, err);
    }
    for (size_t i = 0; i < problems.n_items; i++) {
        const struct bw_problem *problem = &problems.items[i];
        bw_log(problem->severity == BW_PROBLEM_ERROR ? BW_LOG_ERROR : BW_LOG_WARN, "configuration problem",
               BW_F("file", live->config_path), BW_FI("line", problem->line), BW_FI("column", problem->column),
               BW_F("path", problem->path), BW_F("problem", problem->message), BW_F("suggestion", problem->suggestion));
    }
    bw_problems_clear(&problems);
    free(text);
    if (status == 0 && apply_arguments(live, config) != 0) {
        status = bw_error_set(err, BW_EINTERNAL, "the options of the command line no longer fit");
    }
    if (status == 0) {
        status = open_access(live, config, err);
    }
    if (status == 0) {
        status = bw_live_follow_namespaces(live, config, err);
    }
    if (status != 0) {
        bw_config_release(config);
        return -1;
    }
    bw_log_set_level(config->log_level);
    log_fixed(live->first, config);
    struct bw_config *old = bw_slot_acquire(&live->config);
    bw_account_exemptions(old, config);
    bw_config_release(old);
    bw_slot_replace(&live->config, config);
    return 0;
}

static void refresh_config(struct bw_live *live)
{
    struct bw_error err = {0};
    if (!changed(live, CONFIG, live->config_path)) {
        return;
    }
    bool good = reload_config(live, &err) == 0;
    bw_metric_set(&config_reloaded, good ? 1 : 0, NULL);
    if (good) {
        live->seen[CERTIFICATE][0] = '\0'; /* settings of tls.* count with the next load */
        bw_log(BW_LOG_INFO, "configuration loaded", BW_F("file", live->config_path));
    } else {
        bw_log(BW_LOG_ERROR, "configuration refused, the last good one stays in force", BW_F("file", live->config_path),
               BW_F("error", err.message));
    }
}

static void refresh_credentials(struct bw_live *live, const struct bw_config *config)
{
    struct bw_error err = {0};
    if (!changed(live, CREDENTIALS, config->credentials_file)) {
        return;
    }
    if (open_access(live, config, &err) != 0) {
        bw_log(BW_LOG_ERROR, "registry credentials refused, the last good ones stay in force",
               BW_F("error", err.message));
    } else {
        bw_log(BW_LOG_INFO, "registry credentials loaded", BW_F("file", config->credentials_file));
    }
}

static void refresh_certificate(struct bw_live *live, const struct bw_config *config)
{
    struct bw_error err = {0};
    bool certificate = changed(live, CERTIFICATE, config->cert_file);
    bool key = changed(live, KEY, config->key_file), clients = changed(live, CLIENT_CA, config->client_ca_file);
    if (!certificate && !key && !clients) {
        return;
    }
    if (bw_server_reload_certificate(live->server, &err) != 0) {
        bw_log(BW_LOG_ERROR, "certificate refused, the last good one stays in force", BW_F("error", err.message));
    } else {
        bw_log(BW_LOG_INFO, "certificate loaded", BW_F("file", config->cert_file));
    }
}

void bw_live_refresh(void *payload, const char *folder)
{
    struct bw_live *live = payload;
    struct bw_error err = {0};
    (void)folder;
    pthread_mutex_lock(&live->refresh);
    refresh_config(live);
    struct bw_config *config = bw_slot_acquire(&live->config);
    refresh_credentials(live, config);
    refresh_certificate(live, config);
    bw_config_release(config);
    if (load_folder(live, &err) != 0) {
        bw_log(BW_LOG_ERROR, "bundles not reloaded", BW_F("error", err.message));
    }
    refresh_bundles(live);
    close_unused(live);
    pthread_mutex_unlock(&live->refresh);
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? bw_memory_strndup(".", 1)
                         : bw_memory_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int bw_live_watch(struct bw_live *live, struct bw_error *err)
{
    const char *files[] = {[CONFIG] = live->config_path,
                           [CERTIFICATE] = live->first->cert_file,
                           [KEY] = live->first->key_file,
                           [CLIENT_CA] = live->first->client_ca_file,
                           [CREDENTIALS] = live->first->credentials_file};
    char *folders[BW_LENGTH(files) + 1];
    size_t n = 0;
    folders[n++] = bw_memory_strndup(live->bundles_path, strlen(live->bundles_path));
    for (size_t i = 0; i < BW_LENGTH(files); i++) {
        (void)changed(live, i, files[i]); /* as it was at the start */
        char *folder = files[i] == NULL ? NULL : folder_of(files[i]);
        for (size_t j = 0; folder != NULL && j < n; j++) {
            if (strcmp(folders[j], folder) == 0) {
                free(folder);
                folder = NULL;
            }
        }
        if (folder != NULL) {
            folders[n++] = folder;
        }
    }
    int status =
        bw_watch_dir_start(&live->watch, (const char *const *)folders, n, WATCH_POLL_MS, bw_live_refresh, live, err);
    for (size_t i = 0; i < n; i++) {
        free(folders[i]);
    }
    return status == 0 && live->first->certs.self_signed
               ? bw_certs_leader_start(&live->certs, live->kube, live->events, live->first, err)
               : status;
}

/* ---- readiness ---- */

void bw_live_tick(struct bw_live *live)
{
    struct bw_bundle_set *set = bw_slot_acquire(&live->bundles);
    bool any = set != NULL && bw_bundle_set_count(set) > 0, none_yet = set == NULL;
    bw_bundle_set_release(set);
    bool settled = bundles_settled(live);
    if (none_yet && settled) {
        bw_live_bundles_changed(live);
    }
    /* After a while, or when it is known that there is none, a refusal that says why serves people better than an
     * endpoint that is not there. */
    bool ready = any || (live->maps != NULL && settled) || bw_monotonic_ms() - live->began_ms > GRACE_MS;
    bw_server_set_ready(live->server, "bundles", ready, any ? NULL : "no bundle is in force");
    bw_cluster_watch_tick(live->cluster, live->server);
    if (bw_monotonic_ms() - live->warned_ms >= DAY_MS) {
        live->warned_ms = bw_monotonic_ms();
        bw_server_warn_of_certificate(live->server);
    }
}

void bw_live_end(struct bw_live *live)
{
    bw_certs_leader_stop(live->certs);
    bw_watch_dir_stop(live->watch);
    bw_cluster_watch_destroy(live->cluster);
    bw_bundle_maps_destroy(live->maps);
    bw_catalog_destroy(live->catalog);
    bw_verdicts_destroy(live->verdicts);
    bw_kube_lookup_destroy(live->lookup);
    bw_events_destroy(live->events);
    bw_kube_client_destroy(live->kube);
    struct bw_server *server = live->server;
    __atomic_store_n(&live->server, NULL, __ATOMIC_RELEASE);
    if (server != NULL) {
        bw_server_destroy(server);
    }
    bw_ledger_destroy(live->ledger);
    bw_bundle_store_destroy(live->store);
    bw_metadata_store_destroy(live->namespaces);
    bw_metadata_store_destroy(live->nodes);
    bw_slot_clear(&live->source);
    bw_slot_clear(&live->bundles);
    bw_slot_clear(&live->config);
    for (size_t i = 0; i < live->n_accesses; i++) {
        bw_access_close(&live->accesses[i]);
    }
    bw_config_release(live->first);
    (void)pthread_mutex_destroy(&live->refresh);
}
