#ifndef BW_BASE_METRICS_H
#define BW_BASE_METRICS_H

#include "base/buf.h"

#include <stdint.h>

/* Counters, gauges and histograms as Prometheus text (exposition format 0.0.4). A metric is a static object, registered
 * on first use; label sets are created on demand, at most BW_METRIC_SERIES_MAX each (then counted under "other").
 * Safe from all threads. */
enum bw_metric_kind { BW_METRIC_COUNTER, BW_METRIC_GAUGE, BW_METRIC_HISTOGRAM };

struct bw_metric {
    const char *name;
    const char *help;
    enum bw_metric_kind kind;
    const char *labels[7]; /* label names, NULL-terminated */
    const double *buckets; /* histogram: upper bounds, ascending */
    unsigned n_buckets;
    struct bw_metric_state *state; /* NULL in the initialiser */
};

/* Label values in the order of the names; NULL counts as "". */
void bw_metric_add(struct bw_metric *metric, double value, const char *const *label_values);
void bw_metric_set(struct bw_metric *metric, double value, const char *const *label_values);
void bw_metric_observe(struct bw_metric *metric, double value, const char *const *label_values);
/* Makes the series appear with 0 before anything happened. */
void bw_metric_touch(struct bw_metric *metric, const char *const *label_values);
/* What the series spoke of is no more. */
void bw_metric_remove(struct bw_metric *metric, const char *const *label_values);
#define BW_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

void bw_metrics_write(struct bw_buf *out);

#endif
