/* What registries are asked, for /metrics. */
#include "image/registry/meter.h"

#include "base/metrics.h"
#include "base/str.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MAX_HOSTS = 50, MAX_HOST = 256 };

static const double seconds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

static struct bw_metric requests_total = {
    .name = "breakwater_registry_requests_total",
    .help = "Requests to registries, by host, method and status; error: no answer came.",
    .kind = BW_METRIC_COUNTER,
    .labels = {"registry", "method", "code"},
};
static struct bw_metric duration_seconds = {
    .name = "breakwater_registry_request_duration_seconds",
    .help = "Time until the head of a registry's answer.",
    .kind = BW_METRIC_HISTOGRAM,
    .labels = {"registry", "method"},
    .buckets = seconds,
    .n_buckets = BW_LENGTH(seconds),
};
static struct bw_metric remaining = {
    .name = "breakwater_registry_ratelimit_remaining",
    .help = "Requests that a registry says are left, from its last RateLimit-Remaining header.",
    .kind = BW_METRIC_GAUGE,
    .labels = {"registry"},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char hosts[MAX_HOSTS][MAX_HOST];
static size_t n_hosts;

static const char *label_of(const char *host)
{
    const char *label = "other";
    pthread_mutex_lock(&lock);
    size_t i = 0;
    while (i < n_hosts && strcmp(hosts[i], host) != 0) {
        i++;
    }
    if (i == n_hosts && n_hosts < MAX_HOSTS && strlen(host) < MAX_HOST) {
        memcpy(hosts[n_hosts++], host, strlen(host) + 1);
    }
    label = i < n_hosts ? hosts[i] : label; /* an entry never changes once it is there */
    pthread_mutex_unlock(&lock);
    return label;
}

void bw_registry_meter(const char *host, const char *method, const struct bw_http_response *response,
                       int64_t milliseconds)
{
    const char *label = label_of(host);
    char code[24] = "error";
    if (response != NULL) {
        (void)snprintf(code, sizeof(code), "%ld", bw_http_status(response));
    }
    bw_metric_add(&requests_total, 1, BW_LABELS(label, method, code));
    bw_metric_observe(&duration_seconds, (double)milliseconds / 1000, BW_LABELS(label, method));
    const char *left = response == NULL ? NULL : bw_http_header(response, "RateLimit-Remaining", 0);
    uint64_t count = 0;
    if (left != NULL && bw_str_uint(&count, (struct bw_str){left, strcspn(left, "; ")}, 10, UINT32_MAX) == 0) {
        bw_metric_set(&remaining, (double)count, BW_LABELS(label));
    }
}
