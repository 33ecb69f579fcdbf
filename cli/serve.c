/*
 * breakwater serve: the only place where everything is built and handed over. Signals are blocked before the first
 * thread; one thread waits for them, one watches the folders of bundles, configuration, certificate and credentials.
 */
#include "base/limits.h"
#include "base/metrics.h"
#include "base/watch_dir.h"
#include "cli/bundle_folder.h"
#include "cli/settings.h"
#include "webhook/server.h"
#include "webhook/verdicts.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WATCH_POLL_MS = 30000, MAX_ACCESSES = 64 };

struct serve {
    const struct bw_arguments *arguments;
    const char *config_path, *bundles_path;
    struct bw_slot config, bundles, source;
    struct bw_services services;
    /* Registry settings can change with the configuration; sources that admissions still hold belong to the older ones.
     */
    struct bw_access accesses[MAX_ACCESSES];
    size_t n_accesses;
    struct bw_catalog *catalog;
    struct bw_bundle_folder *folder;
    struct bw_server *server;
    struct bw_watch_dir *watch;
    pthread_mutex_t refresh;
    char seen[4][2 * BW_HASH_MAX + 1]; /* content last taken over: config, certificate, key, credentials */
};

static void *retain_config(void *config)
{
    return bw_config_retain(config);
}

static void release_config(void *config)
{
    bw_config_release(config);
}

static void *retain_bundles(void *set)
{
    return bw_bundle_set_retain(set);
}

static void release_bundles(void *set)
{
    bw_bundle_set_release(set);
}

static void *retain_source(void *source)
{
    return bw_image_source_retain(source);
}

static void release_source(void *source)
{
    bw_image_source_release(source);
}

static void on_job_done(void *payload, uint64_t job)
{
    struct serve *serve = payload;
    struct bw_server *server = __atomic_load_n(&serve->server, __ATOMIC_ACQUIRE);
    if (server != NULL) {
        bw_server_job_done(server, job);
    }
}

/* Whether a file's content differs from what was last taken over. An unreadable file counts as unchanged. */
static bool changed(struct serve *serve, size_t which, const char *path)
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
    bool differs = strcmp(hash, serve->seen[which]) != 0;
    memcpy(serve->seen[which], hash, sizeof(hash));
    return differs;
}

static int update_needs(struct serve *serve, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 64 * BW_MIB);
    struct bw_config *config = bw_slot_acquire(&serve->config);
    struct bw_bundle_set *set = bw_slot_acquire(&serve->bundles);
    struct bw_needs bundles = {0}, all = {0};
    int status = set == NULL ? 0 : bw_bundle_set_needs(&bundles, set, &arena, err);
    if (status == 0) {
        status = bw_needs_merge(&all, &config->analysis_needs, &bundles, &arena, err);
    }
    if (status == 0) {
        status = bw_catalog_set_needs(serve->catalog, &all, err);
    }
    bw_bundle_set_release(set);
    bw_config_release(config);
    return status;
}

static void report_readiness(struct serve *serve)
{
    struct bw_bundle_set *set = bw_slot_acquire(&serve->bundles);
    if (serve->server != NULL) {
        bool any = set != NULL && bw_bundle_set_count(set) > 0;
        bw_server_set_ready(serve->server, "bundles", true,
                            any ? NULL : "no bundle is loaded: onError.noBundle decides");
    }
    bw_bundle_set_release(set);
}

static int load_bundles(struct serve *serve, struct bw_error *err)
{
    struct bw_config *config = bw_slot_acquire(&serve->config);
    struct bw_bundle_set *set = NULL;
    int status = serve->folder == NULL ? 0
                                       : bw_bundle_folder_load(&set, serve->folder, config->default_bundle,
                                                               config->default_patterns, err);
    if (set != NULL && config->default_bundle != NULL && bw_bundle_set_find(set, NULL) == NULL) {
        bw_log(BW_LOG_ERROR, "no bundle has the id of bundles.default", BW_F("bundle", config->default_bundle));
    } else if (set != NULL && bw_bundle_set_find(set, NULL) == NULL) {
        bw_log(BW_LOG_ERROR, "no default bundle: several are loaded and bundles.default names none, or none is loaded",
               BW_FI("bundles", bw_bundle_set_count(set)));
    }
    bw_config_release(config);
    if (set != NULL) {
        bw_slot_replace(&serve->bundles, set);
        status = update_needs(serve, err);
    }
    report_readiness(serve);
    return status;
}

static int open_access(struct serve *serve, const struct bw_config *config, struct bw_error *err)
{
    if (serve->n_accesses == MAX_ACCESSES) {
        return bw_error_set(err, BW_ELIMIT,
                            "registry settings changed more than %d times; restart to take over this change",
                            MAX_ACCESSES);
    }
    struct bw_access *access = &serve->accesses[serve->n_accesses];
    if (bw_access_open(access, config, false, err) != 0) {
        return -1;
    }
    serve->n_accesses++;
    bw_slot_replace(&serve->source, bw_image_source_retain(access->source));
    return 0;
}

static const char *certificate_path(const struct serve *serve, const struct bw_config *config)
{
    const char *given = bw_argument(serve->arguments, "tls-cert");
    return given != NULL ? given : config->cert_file;
}

static const char *key_path(const struct serve *serve, const struct bw_config *config)
{
    const char *given = bw_argument(serve->arguments, "tls-key");
    return given != NULL ? given : config->key_file;
}

/* All or nothing: a configuration with a fault, or whose credentials cannot be read, changes nothing. */
static void reload_config(struct serve *serve)
{
    struct bw_error err = {0};
    struct bw_problems problems;
    struct bw_config *config = NULL;
    char *text = NULL;
    size_t len = 0;
    bw_problems_init(&problems);
    int status = bw_file_read(&text, &len, serve->config_path, BW_MAX_SETTINGS_BYTES, &err);
    if (status == 0) {
        status = bw_config_load(&config, &problems, text, len, &err);
    }
    for (size_t i = 0; i < problems.n_items; i++) {
        bw_log(BW_LOG_ERROR, "configuration problem", BW_F("file", serve->config_path),
               BW_FI("line", problems.items[i].line), BW_F("path", problems.items[i].path),
               BW_F("problem", problems.items[i].message), BW_F("suggestion", problems.items[i].suggestion));
    }
    bw_problems_clear(&problems);
    free(text);
    if (status == 0) {
        status = open_access(serve, config, &err);
    }
    if (status != 0) {
        bw_log(BW_LOG_ERROR, "configuration refused, the last good one stays in force",
               BW_F("file", serve->config_path), BW_F("error", err.message));
        bw_config_release(config);
        return;
    }
    config->cert_file = certificate_path(serve, config);
    config->key_file = key_path(serve, config);
    bw_log_set_level(config->log_level);
    bw_slot_replace(&serve->config, config);
    if (load_bundles(serve, &err) != 0 || update_needs(serve, &err) != 0) {
        bw_log(BW_LOG_ERROR, "bundles not reloaded", BW_F("error", err.message));
    }
    bw_log(BW_LOG_INFO, "configuration loaded; listeners and cache keep what they started with",
           BW_F("file", serve->config_path));
}

static void reload_credentials(struct serve *serve)
{
    struct bw_error err = {0};
    struct bw_config *config = bw_slot_acquire(&serve->config);
    if (open_access(serve, config, &err) != 0) {
        bw_log(BW_LOG_ERROR, "registry credentials refused, the last good ones stay in force",
               BW_F("error", err.message));
    } else {
        bw_log(BW_LOG_INFO, "registry credentials loaded", BW_F("file", config->credentials_file));
    }
    bw_config_release(config);
}

/* On any change of a watched folder, and on SIGHUP: takes over whatever differs. */
static void refresh(void *payload, const char *folder)
{
    struct serve *serve = payload;
    struct bw_error err = {0};
    (void)folder;
    pthread_mutex_lock(&serve->refresh);
    if (changed(serve, 0, serve->config_path)) {
        reload_config(serve);
    }
    struct bw_config *config = bw_slot_acquire(&serve->config);
    bool certificate = changed(serve, 1, certificate_path(serve, config));
    bool key = changed(serve, 2, key_path(serve, config));
    bool credentials = changed(serve, 3, config->credentials_file);
    if (credentials) {
        reload_credentials(serve);
    }
    if (certificate || key) {
        if (bw_server_reload_certificate(serve->server, &err) != 0) {
            bw_log(BW_LOG_ERROR, "certificate refused, the last good one stays in force", BW_F("error", err.message));
        } else {
            bw_log(BW_LOG_INFO, "certificate loaded", BW_F("file", certificate_path(serve, config)));
        }
    }
    bw_config_release(config);
    err = (struct bw_error){0};
    if (load_bundles(serve, &err) != 0) {
        bw_log(BW_LOG_ERROR, "bundles not reloaded", BW_F("error", err.message));
    }
    pthread_mutex_unlock(&serve->refresh);
}

static void *wait_for_signals(void *payload)
{
    struct serve *serve = payload;
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGUSR2);
    for (int stops = 0, number = 0; sigwait(&set, &number) == 0;) {
        if (number == SIGUSR2) { /* main has finished */
            break;
        }
        if (number == SIGHUP) {
            refresh(serve, NULL);
            continue;
        }
        bool at_once = number == SIGINT || stops++ > 0;
        bw_log(BW_LOG_INFO, at_once ? "stopping at once" : "stopping: admissions in flight are answered first",
               BW_F("signal", number == SIGINT ? "SIGINT" : "SIGTERM"));
        bw_server_stop(serve->server, at_once);
    }
    return NULL;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (folder == NULL) {
        abort();
    }
    return folder;
}

static int start_watch(struct serve *serve, const struct bw_config *config, struct bw_error *err)
{
    const char *files[] = {serve->config_path, certificate_path(serve, config), key_path(serve, config),
                           config->credentials_file};
    char *folders[BW_LENGTH(files) + 1];
    size_t n = 0;
    for (size_t i = 0; i < BW_LENGTH(files); i++) {
        (void)changed(serve, i, files[i]); /* as it was at the start */
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
    if (serve->bundles_path != NULL) {
        folders[n++] = strdup(serve->bundles_path);
    }
    int status = bw_watch_dir_start(&serve->watch, (const char *const *)folders, n, WATCH_POLL_MS, refresh, serve, err);
    for (size_t i = 0; i < n; i++) {
        free(folders[i]);
    }
    return status;
}

/* Options of the command line win over the file. */
static void apply_arguments(struct serve *serve, struct bw_config *config)
{
    const char *value = NULL;
    if ((value = bw_argument(serve->arguments, "listen")) != NULL) {
        config->listen = value;
    }
    if ((value = bw_argument(serve->arguments, "health-listen")) != NULL) {
        config->health_listen = value;
    }
    if ((value = bw_argument(serve->arguments, "metrics-listen")) != NULL) {
        config->metrics_listen = value;
    }
    config->cert_file = certificate_path(serve, config);
    config->key_file = key_path(serve, config);
    serve->bundles_path = bw_argument(serve->arguments, "bundles");
    if (serve->bundles_path == NULL) {
        serve->bundles_path = config->bundles_dir;
    }
}

static int build(struct serve *serve, struct bw_config *config, struct bw_error *err)
{
    bool recovered = false;
    if (open_access(serve, config, err) != 0 ||
        bw_catalog_open(&serve->catalog, config, on_job_done, serve, &recovered, err) != 0) {
        return -1;
    }
    if (recovered) {
        bw_log(BW_LOG_WARN, "the cache on disk was corrupt: set aside, begun anew", BW_F("folder", config->cache_dir));
    }
    if (serve->bundles_path != NULL) {
        serve->folder = bw_bundle_folder_create(serve->bundles_path);
    }
    if (load_bundles(serve, err) != 0 || update_needs(serve, err) != 0) {
        return -1;
    }
    serve->services = (struct bw_services){
        .config = &serve->config,
        .bundles = &serve->bundles,
        .catalog = serve->catalog,
        .registry = serve->accesses[0].registry,
        .source = &serve->source,
    };
    if (bw_verdicts_create(&serve->services.verdicts, 0, on_job_done, serve, err) != 0) {
        return -1;
    }
    struct bw_server *server = NULL;
    if (bw_server_create(&server, config, &serve->services, err) != 0) {
        return -1;
    }
    __atomic_store_n(&serve->server, server, __ATOMIC_RELEASE);
    report_readiness(serve);
    return start_watch(serve, config, err);
}

static void tear_down(struct serve *serve)
{
    bw_watch_dir_stop(serve->watch);
    struct bw_server *server = serve->server;
    if (serve->catalog != NULL) {
        bw_catalog_destroy(serve->catalog);
    }
    bw_verdicts_destroy(serve->services.verdicts);
    __atomic_store_n(&serve->server, NULL, __ATOMIC_RELEASE);
    if (server != NULL) {
        bw_server_destroy(server);
    }
    bw_bundle_folder_destroy(serve->folder);
    bw_slot_clear(&serve->source);
    bw_slot_clear(&serve->bundles);
    bw_slot_clear(&serve->config);
    for (size_t i = 0; i < serve->n_accesses; i++) {
        bw_access_close(&serve->accesses[i]);
    }
    (void)pthread_mutex_destroy(&serve->refresh);
}

static int serve_until_stopped(struct serve *serve, struct bw_config *config, struct bw_error *err)
{
    pthread_t signals;
    if (pthread_create(&signals, NULL, wait_for_signals, serve) != 0) {
        return bw_error_set(err, BW_EINTERNAL, "no thread could be started");
    }
    bw_log(BW_LOG_INFO, "serving", BW_F("address", bw_server_address(serve->server)),
           BW_F("health", bw_server_health_address(serve->server)),
           BW_F("metrics", bw_server_metrics_address(serve->server)), BW_F("version", BREAKWATER_VERSION),
           BW_F("bundles", serve->bundles_path), BW_F("cache", config->cache_dir));
    int status = bw_server_run(serve->server, err);
    (void)pthread_kill(signals, SIGUSR2);
    (void)pthread_join(signals, NULL);
    bw_log(BW_LOG_INFO, "stopped", BW_F("version", BREAKWATER_VERSION));
    return status;
}

static int run(const struct bw_arguments *arguments)
{
    static struct serve serve;
    struct bw_config *config = NULL;
    struct bw_error err = {0};
    sigset_t signals;
    serve.arguments = arguments;
    serve.config_path = bw_argument(arguments, "config");
    if (arguments->n_operands > 0) {
        return bw_trouble(arguments, "it takes options only; see breakwater serve --help");
    }
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGUSR2);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    json_object_seed(0);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    if (bw_settings_load(&config, arguments, serve.config_path) != 0) {
        return BW_EXIT_TROUBLE;
    }
    const char *level = bw_argument(arguments, "log-level");
    if (level != NULL && bw_log_level_parse(&config->log_level, level) != 0) {
        bw_config_release(config);
        return bw_trouble(arguments, "--log-level %s: debug, info, warn or error", level);
    }
    bw_log_set_level(config->log_level);
    apply_arguments(&serve, config);
    (void)pthread_mutex_init(&serve.refresh, NULL);
    bw_slot_init(&serve.config, retain_config, release_config);
    bw_slot_init(&serve.bundles, retain_bundles, release_bundles);
    bw_slot_init(&serve.source, retain_source, release_source);
    bw_slot_replace(&serve.config, bw_config_retain(config));
    int status = build(&serve, config, &err);
    if (status == 0) {
        status = serve_until_stopped(&serve, config, &err);
    }
    tear_down(&serve);
    bw_config_release(config);
    curl_global_cleanup();
    return status == 0 ? BW_EXIT_OK : bw_trouble(arguments, "%s", err.message);
}

static const struct bw_option options[] = {
    {"config", "FILE", "The configuration; see breakwater explain config. Its folder is watched.", false},
    {"bundles", "DIR",
     "The folder of bundles (overrules bundles.dir): every .json, .yaml and .yml in it. It is watched.", false},
    {"listen", "ADDRESS:PORT",
     "Where AdmissionReviews are taken, over TLS (overrules server.listen). Port 0: any free one.", false},
    {"health-listen", "ADDRESS:PORT", "Where /livez and /readyz are (overrules server.healthListen).", false},
    {"metrics-listen", "ADDRESS:PORT", "Where /metrics is (overrules server.metricsListen).", false},
    {"tls-cert", "FILE", "The serving certificate (overrules tls.certFile). Its folder is watched.", false},
    {"tls-key", "FILE", "Its key (overrules tls.keyFile).", false},
    {"log-level", "LEVEL", "debug, info, warn or error (overrules log.level).", false},
    {0},
};

const struct bw_command bw_command_serve = {
    .name = "serve",
    .summary = "answer AdmissionReviews",
    .synopsis = "breakwater serve --config FILE [OPTION...]",
    .description = "Serves POST /validate over TLS, as a ValidatingWebhookConfiguration names it, and decides by the "
                   "bundles in force. Bundles, "
                   "configuration, certificate and credentials are taken over when they change; what has a fault never "
                   "replaces what is good."
                   "\n\nLog lines are JSON objects on standard error. SIGTERM: stop being ready, go on serving for "
                   "shutdown.delay, answer what is "
                   "in flight, exit. A second SIGTERM, or SIGINT: exit at once. SIGHUP: look at all files now.",
    .options = options,
    .exit_status = "0 after an orderly stop, 2 if it could not start.",
    .examples =
        "  breakwater serve --config config.yaml\n"
        "  breakwater serve --bundles bundles --tls-cert certs/tls.crt --tls-key certs/tls.key --listen 127.0.0.1:8443",
    .run = run,
};
