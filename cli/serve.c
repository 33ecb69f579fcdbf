/*
 * breakwater serve: the only place where everything is built and handed over (live.c holds what changes meanwhile).
 * Signals are blocked before the first thread; one thread waits for them, main serves.
 */
#include "cli/live.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct timespec tick = {.tv_sec = 1};

static void fill_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGUSR2);
}

static void *wait_for_signals(void *payload)
{
    struct bw_live *live = payload;
    sigset_t set;
    fill_signals(&set);
    for (int stops = 0;;) {
        int number = sigtimedwait(&set, NULL, &tick);
        if (number < 0) {
            bw_live_tick(live);
        } else if (number == SIGUSR2) { /* main has finished */
            return NULL;
        } else if (number == SIGHUP) {
            bw_live_refresh(live, NULL);
        } else {
            bool at_once = number == SIGINT || stops++ > 0;
            bw_log(BW_LOG_INFO, at_once ? "stopping at once" : "stopping: admissions in flight are answered first",
                   BW_F("signal", number == SIGINT ? "SIGINT" : "SIGTERM"));
            bw_server_stop(live->server, at_once);
        }
    }
}

static int start_server(struct bw_live *live, struct bw_services *services, struct bw_error *err)
{
    *services = (struct bw_services){
        .config = &live->config,
        .bundles = &live->bundles,
        .catalog = live->catalog,
        .registry = live->accesses[0].registry,
        .source = &live->source,
        .verdicts = live->verdicts,
        .lookup = live->lookup,
        .namespaces = live->namespaces,
        .nodes = live->nodes,
        .events = live->events,
        .ledger = live->ledger,
        .pod = live->pod,
    };
    struct bw_server *server = NULL;
    if (bw_server_create(&server, live->first, services, err) != 0) {
        return -1;
    }
    __atomic_store_n(&live->server, server, __ATOMIC_RELEASE);
    bw_live_tick(live);
    return bw_live_watch(live, err);
}

static int serve_until_stopped(struct bw_live *live, struct bw_error *err)
{
    pthread_t signals;
    if (pthread_create(&signals, NULL, wait_for_signals, live) != 0) {
        return bw_error_set(err, BW_EINTERNAL, "no thread could be started");
    }
    bw_log(BW_LOG_INFO, "serving", BW_F("address", bw_server_address(live->server)),
           BW_F("health", bw_server_health_address(live->server)),
           BW_F("metrics", bw_server_metrics_address(live->server)),
           BW_F("debug", bw_server_debug_address(live->server)), BW_F("version", BREAKWATER_VERSION),
           BW_F("bundles", live->bundles_path), BW_F("cache", live->first->cache_dir));
    int status = bw_server_run(live->server, err);
    (void)pthread_kill(signals, SIGUSR2);
    (void)pthread_join(signals, NULL);
    bw_certs_leader_stop(live->certs); /* another replica can lead at once */
    live->certs = NULL;
    /* Analyses may need minutes to their end, and nobody waits for them any more. */
    unsigned running = bw_catalog_counts(live->catalog).running;
    bw_log(BW_LOG_INFO, "stopped", BW_F("version", BREAKWATER_VERSION), BW_FI("abandoned_analyses", running));
    if (running > 0) {
        _exit(status == 0 ? BW_EXIT_OK : BW_EXIT_TROUBLE);
    }
    return status;
}

static int run(const struct bw_arguments *arguments)
{
    static struct bw_live live;
    struct bw_services services;
    struct bw_error err = {0};
    sigset_t signals;
    if (arguments->n_operands > 0) {
        return bw_trouble(arguments, "it takes options only; see breakwater serve --help");
    }
    fill_signals(&signals);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    json_object_seed(0);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = bw_live_begin(&live, arguments);
    if (status == 0) {
        if (bw_live_build(&live, &err) != 0 || start_server(&live, &services, &err) != 0 ||
            serve_until_stopped(&live, &err) != 0) {
            status = bw_trouble(arguments, "%s", err.message);
        }
    }
    bw_live_end(&live);
    curl_global_cleanup();
    return status;
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
