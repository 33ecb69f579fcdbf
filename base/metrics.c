/* Counters, gauges and histograms, written as Prometheus text 0.0.4 (base/metrics.h). */
#include "base/metrics.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/memory.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 1024 };

struct series {
    char *labels; /* `code="200",method="POST"`, or "" */
    double value; /* a histogram's sum */
    uint64_t count;
    uint64_t *buckets; /* not cumulative */
};

struct bw_metric_state {
    const struct bw_metric *metric;
    pthread_mutex_t lock;
    struct bw_map *index; /* label values to struct series */
    struct series **series;
    size_t n_series, capacity;
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct bw_metric_state **registry;
static size_t n_registry, registry_capacity;

static struct bw_metric_state *state_of(struct bw_metric *metric)
{
    struct bw_metric_state *state = __atomic_load_n(&metric->state, __ATOMIC_ACQUIRE);
    if (state)
        return state;
    pthread_mutex_lock(&registry_lock);
    state = metric->state;
    if (!state) {
        state = bw_memory_zeroed(1, sizeof(*state));
        state->metric = metric;
        state->index = bw_map_create();
        pthread_mutex_init(&state->lock, NULL);
        if (n_registry == registry_capacity) {
            registry_capacity = registry_capacity ? 2 * registry_capacity : 32;
            registry = bw_memory_resize(registry, registry_capacity * sizeof(struct bw_metric_state *));
        }
        registry[n_registry++] = state;
        __atomic_store_n(&metric->state, state, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&registry_lock);
    return state;
}

static void put_escaped(struct bw_buf *out, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\\' || (*text == '"' && quotes))
            bw_buf_printf(out, "\\%c", *text);
        else if (*text == '\n')
            bw_buf_puts(out, "\\n");
        else
            bw_buf_append(out, text, 1);
    }
}

static size_t count_labels(const struct bw_metric *metric)
{
    size_t n = 0;
    while (n < BW_LENGTH(metric->labels) && metric->labels[n])
        n++;
    return n;
}

static const char *value_at(const char *const *values, size_t i)
{
    return values && values[i] ? values[i] : "";
}

/* The key holds the values, each cut to its share and with a NUL after it. */
static struct series *series_create(struct bw_metric_state *state, const char *key, size_t key_len)
{
    const struct bw_metric *metric = state->metric;
    const char *value = key;
    struct bw_buf labels;
    bw_buf_init(&labels, 8 * KEY_BYTES);
    for (size_t i = 0; i < count_labels(metric); i++) {
        bw_buf_printf(&labels, "%s%s=\"", i ? "," : "", metric->labels[i]);
        put_escaped(&labels, value, true);
        bw_buf_puts(&labels, "\"");
        value += strlen(value) + 1;
    }
    struct series *series = bw_memory_zeroed(1, sizeof(*series));
    series->labels = bw_buf_take(&labels, NULL);
    if (metric->kind == BW_METRIC_HISTOGRAM)
        series->buckets = bw_memory_zeroed(metric->n_buckets + 1, sizeof(*series->buckets));
    if (state->n_series == state->capacity) {
        state->capacity = state->capacity ? 2 * state->capacity : 4;
        state->series = bw_memory_resize(state->series, state->capacity * sizeof(struct series *));
    }
    state->series[state->n_series++] = series;
    bw_map_put(state->index, key, key_len, series);
    return series;
}

static size_t key_make(char *key, const struct bw_metric *metric, const char *const *values)
{
    size_t len = 0, n_labels = count_labels(metric), share = n_labels ? KEY_BYTES / n_labels - 1 : 0;
    for (size_t i = 0; i < n_labels; i++) {
        const char *value = value_at(values, i);
        size_t n = strnlen(value, share);
        memcpy(key + len, value, n);
        len += n;
        key[len++] = '\0';
    }
    return len;
}

/* With the state's lock held. */
static struct series *series_of(struct bw_metric_state *state, const char *const *values)
{
    static const char *const other[] = {"other", "other", "other", "other", "other", "other", NULL};
    char key[KEY_BYTES];
    size_t len = key_make(key, state->metric, values);
    struct series *series = bw_map_get(state->index, key, len);
    if (series)
        return series;
    if (state->n_series < BW_METRIC_SERIES_MAX)
        return series_create(state, key, len);
    len = key_make(key, state->metric, other);
    series = bw_map_get(state->index, key, len);
    return series ? series : series_create(state, key, len);
}

void bw_metric_add(struct bw_metric *metric, double value, const char *const *label_values)
{
    struct bw_metric_state *state = state_of(metric);
    pthread_mutex_lock(&state->lock);
    series_of(state, label_values)->value += value;
    pthread_mutex_unlock(&state->lock);
}

void bw_metric_set(struct bw_metric *metric, double value, const char *const *label_values)
{
    struct bw_metric_state *state = state_of(metric);
    pthread_mutex_lock(&state->lock);
    series_of(state, label_values)->value = value;
    pthread_mutex_unlock(&state->lock);
}

void bw_metric_observe(struct bw_metric *metric, double value, const char *const *label_values)
{
    struct bw_metric_state *state = state_of(metric);
    unsigned bucket = 0;
    while (bucket < metric->n_buckets && value > metric->buckets[bucket])
        bucket++;
    pthread_mutex_lock(&state->lock);
    struct series *series = series_of(state, label_values);
    series->value += value;
    series->count++;
    series->buckets[bucket]++;
    pthread_mutex_unlock(&state->lock);
}

void bw_metric_touch(struct bw_metric *metric, const char *const *label_values)
{
    struct bw_metric_state *state = state_of(metric);
    pthread_mutex_lock(&state->lock);
    series_of(state, label_values);
    pthread_mutex_unlock(&state->lock);
}

void bw_metric_remove(struct bw_metric *metric, const char *const *label_values)
{
    struct bw_metric_state *state = state_of(metric);
    char key[KEY_BYTES];
    pthread_mutex_lock(&state->lock);
    struct series *series = bw_map_remove(state->index, key, key_make(key, metric, label_values));
    for (size_t i = 0; series && i < state->n_series; i++) {
        if (state->series[i] == series) {
            memmove(&state->series[i], &state->series[i + 1], (--state->n_series - i) * sizeof(struct series *));
            break;
        }
    }
    pthread_mutex_unlock(&state->lock);
    if (series) {
        free(series->labels);
        free(series->buckets);
        free(series);
    }
}

/* --- the text --- */

/* The shortest text that reads back as the same number. */
static void put_number(struct bw_buf *out, double value)
{
    char text[40];
    if (isnan(value)) {
        bw_buf_puts(out, "NaN");
        return;
    }
    if (isinf(value)) {
        bw_buf_puts(out, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int precision = 6; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    bw_buf_puts(out, text);
}

static void put_sample(struct bw_buf *out, const char *name, const char *suffix, const char *labels, double value)
{
    bw_buf_printf(out, "%s%s", name, suffix);
    if (*labels)
        bw_buf_printf(out, "{%s}", labels);
    bw_buf_puts(out, " ");
    put_number(out, value);
    bw_buf_puts(out, "\n");
}

static void put_histogram(struct bw_buf *out, const struct bw_metric *metric, const struct series *series)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i <= metric->n_buckets; i++) {
        sum += series->buckets[i];
        bw_buf_printf(out, "%s_bucket{%s%sle=\"", metric->name, series->labels, *series->labels ? "," : "");
        put_number(out, i < metric->n_buckets ? metric->buckets[i] : (double)INFINITY);
        bw_buf_printf(out, "\"} %llu\n", (unsigned long long)sum);
    }
    put_sample(out, metric->name, "_sum", series->labels, series->value);
    put_sample(out, metric->name, "_count", series->labels, (double)series->count);
}

static void put_metric(struct bw_buf *out, struct bw_metric_state *state)
{
    static const char *const kinds[] = {
        [BW_METRIC_COUNTER] = "counter", [BW_METRIC_GAUGE] = "gauge", [BW_METRIC_HISTOGRAM] = "histogram"};
    const struct bw_metric *metric = state->metric;
    bw_buf_printf(out, "# HELP %s ", metric->name);
    put_escaped(out, metric->help, false);
    bw_buf_printf(out, "\n# TYPE %s %s\n", metric->name, kinds[metric->kind]);
    pthread_mutex_lock(&state->lock);
    for (size_t i = 0; i < state->n_series; i++) {
        if (metric->kind == BW_METRIC_HISTOGRAM)
            put_histogram(out, metric, state->series[i]);
        else
            put_sample(out, metric->name, "", state->series[i]->labels, state->series[i]->value);
    }
    pthread_mutex_unlock(&state->lock);
}

static int by_name(const void *a, const void *b)
{
    const struct bw_metric_state *const *left = a, *const *right = b;
    return strcmp((*left)->metric->name, (*right)->metric->name);
}

void bw_metrics_write(struct bw_buf *out)
{
    pthread_mutex_lock(&registry_lock);
    if (n_registry)
        qsort(registry, n_registry, sizeof(struct bw_metric_state *), by_name);
    for (size_t i = 0; i < n_registry; i++)
        put_metric(out, registry[i]);
    pthread_mutex_unlock(&registry_lock);
}
