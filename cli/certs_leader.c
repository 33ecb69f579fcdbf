/* The replica that looks after the certificates (cli/certs_leader.h). What it knows is in the Secret, so that whoever
 * leads next goes on there. */
#include "cli/certs_leader.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "cli/certs_webhook.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { AGAIN_S = 10 }; /* after something failed */

static struct bw_metric leader_metric = {
    .name = "breakwater_leader",
    .help = "1 if this replica leads: it looks after the certificates.",
    .kind = BW_METRIC_GAUGE,
};

struct bw_certs_leader {
    struct bw_config *config;
    struct bw_certs certs;
    struct bw_events *events;
    struct bw_lease *lease;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken, stop;
    char trouble[2]
                [BW_ERROR_MESSAGE_MAX]; /* said last, of the lease and of the certificates: not once in every round */
};

static void say_trouble(char *last, const char *message, const struct bw_error *failed)
{
    if (strcmp(last, failed->message) != 0) {
        memcpy(last, failed->message, BW_ERROR_MESSAGE_MAX);
        bw_log(BW_LOG_WARN, message, BW_F("error", failed->message));
    }
}

/* ---- on the lease's thread ---- */

static void on_change(void *payload, bool held)
{
    struct bw_certs_leader *leader = payload;
    bw_metric_set(&leader_metric, held ? 1 : 0, NULL);
    bw_log(BW_LOG_INFO, held ? "this replica leads" : "this replica does not lead any more",
           BW_F("lease", leader->config->lease));
    leader->trouble[0][0] = '\0';
    pthread_mutex_lock(&leader->lock);
    leader->woken = true;
    (void)pthread_cond_signal(&leader->wake);
    pthread_mutex_unlock(&leader->lock);
}

static void on_trouble(void *payload, const struct bw_error *failed)
{
    struct bw_certs_leader *leader = payload;
    say_trouble(leader->trouble[0], "the lease cannot be asked for", failed);
}

/* ---- on the leader's ---- */

static void on_step(void *payload, enum bw_rotation_step step)
{
    const struct bw_certs_leader *leader = payload;
    const struct bw_certs_names *names = &leader->certs.names;
    bw_log(BW_LOG_INFO, bw_certs_step_text(step), BW_F("secret", names->secret), BW_F("namespace", names->namespace));
    if (step != BW_ROTATION_TRUSTED) {
        bw_events_post(leader->events, &(struct bw_event){.api_version = "v1",
                                                          .kind = "Secret",
                                                          .name = names->secret,
                                                          .uid = "",
                                                          .namespace = names->namespace,
                                                          .reason = "CertificateRenewed",
                                                          .action = "Rotation",
                                                          .note = bw_certs_step_text(step)});
    }
}

/* How long until the next look. */
static int64_t look(struct bw_certs_leader *leader)
{
    struct bw_error err = {0};
    int64_t until_s = 0, most_s = leader->config->certs.check_s;
    int status = bw_certs_pass(&until_s, &leader->certs, leader->lease, &err);
    if (status == 0) {
        status = bw_certs_webhook_enforce(&leader->certs, &err);
    }
    if (status == 0) {
        leader->trouble[1][0] = '\0';
    } else if (strcmp(err.detail, "stopped") != 0) {
        say_trouble(leader->trouble[1], "certificates could not be looked after", &err);
    }
    int64_t left_s = status == 0 ? until_s - bw_wall_s() : AGAIN_S;
    return left_s < 1 ? 1 : left_s < most_s ? left_s : most_s;
}

/* Whether to go on; until then or until something happened. */
static bool waited(struct bw_certs_leader *leader, int64_t seconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&leader->lock);
    while (!leader->stop && !leader->woken && pthread_cond_timedwait(&leader->wake, &leader->lock, &until) == 0) {
    }
    leader->woken = false;
    bool go_on = !leader->stop;
    pthread_mutex_unlock(&leader->lock);
    return go_on;
}

static void *run(void *payload)
{
    struct bw_certs_leader *leader = payload;
    int64_t seconds;
    do {
        seconds = bw_lease_held(leader->lease) ? look(leader) : leader->config->certs.check_s;
    } while (waited(leader, seconds));
    return NULL;
}

/* ---- the whole ---- */

static struct bw_certs certs_of(const struct bw_config *config, struct bw_kube_client *kube)
{
    return (struct bw_certs){
        .kube = kube,
        .names = {.namespace = bw_kube_client_namespace(kube),
                  .secret = config->certs.secret,
                  .service = config->certs.service,
                  .cluster_domain = config->certs.cluster_domain},
        .configuration = config->certs.webhook_configuration,
        .settings = {.leaf_lifetime_s = config->certs.leaf_lifetime_s,
                     .ca_lifetime_s = config->certs.ca_lifetime_s,
                     .renew_at = config->certs.renew_at,
                     .ca_wait_s = config->certs.ca_wait_s,
                     .ca_overlap_s = config->certs.ca_overlap_s},
        .stepped = on_step,
    };
}

static void end(struct bw_certs_leader *leader)
{
    (void)pthread_mutex_destroy(&leader->lock);
    (void)pthread_cond_destroy(&leader->wake);
    bw_config_release(leader->config);
    free(leader);
}

int bw_certs_leader_start(struct bw_certs_leader **out, struct bw_kube_client *kube, struct bw_events *events,
                          const struct bw_config *config, struct bw_error *err)
{
    char pod[256] = "";
    pthread_condattr_t monotonic;
    struct bw_certs_leader *leader = bw_memory_zeroed(1, sizeof(*leader));
    leader->config = bw_config_retain((struct bw_config *)(uintptr_t)config);
    leader->certs = certs_of(config, kube);
    leader->certs.payload = leader;
    leader->events = events;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&leader->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&leader->lock, NULL);
    bw_metric_touch(&leader_metric, NULL);
    (void)gethostname(pod, sizeof(pod) - 1);
    const struct bw_lease_options options = {.namespace = leader->certs.names.namespace,
                                             .name = config->lease,
                                             .holder = pod,
                                             .changed = on_change,
                                             .trouble = on_trouble,
                                             .payload = leader};
    if (bw_lease_start(&leader->lease, kube, &options, err) != 0) {
        end(leader);
        return -1;
    }
    if (pthread_create(&leader->thread, NULL, run, leader) != 0) {
        bw_lease_stop(leader->lease);
        end(leader);
        return bw_error_set(err, BW_EINTERNAL, "no thread could be started");
    }
    *out = leader;
    return 0;
}

void bw_certs_leader_stop(struct bw_certs_leader *leader)
{
    if (leader == NULL) {
        return;
    }
    pthread_mutex_lock(&leader->lock);
    leader->stop = true;
    (void)pthread_cond_signal(&leader->wake);
    pthread_mutex_unlock(&leader->lock);
    (void)pthread_join(leader->thread, NULL);
    bw_lease_stop(leader->lease);
    end(leader);
}
