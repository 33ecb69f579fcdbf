/* base/metrics: the text as Prometheus reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct bw_metric requests = {.name = "bw_test_requests_total",
                                    .help = "Requests \\ answered,\nby code.",
                                    .kind = BW_METRIC_COUNTER,
                                    .labels = {"code", "reason"}};
static struct bw_metric depth = {.name = "bw_test_depth", .help = "Depth.", .kind = BW_METRIC_GAUGE};
static const double bounds[] = {0.1, 1, 2.5};
static struct bw_metric seconds = {.name = "bw_test_seconds",
                                   .help = "Seconds.",
                                   .kind = BW_METRIC_HISTOGRAM,
                                   .labels = {"kind"},
                                   .buckets = bounds,
                                   .n_buckets = BW_LENGTH(bounds)};
static struct bw_metric many = {
    .name = "bw_test_zz_many_total", .help = "Many.", .kind = BW_METRIC_COUNTER, .labels = {"n"}};

static void the_text_is_sorted_and_escaped(void **state)
{
    (void)state;
    bw_metric_add(&requests, 1, BW_LABELS("200", "a \"b\"\\\n"));
    bw_metric_add(&requests, 2.5, BW_LABELS("200", "a \"b\"\\\n"));
    bw_metric_touch(&requests, BW_LABELS("500", ""));
    bw_metric_add(&requests, 1e15, BW_LABELS("500", NULL));
    bw_metric_set(&depth, -3, NULL);
    bw_metric_observe(&seconds, 0.1, BW_LABELS("x"));
    bw_metric_observe(&seconds, 0.2, BW_LABELS("x"));
    bw_metric_observe(&seconds, 100, BW_LABELS("x"));
    BW_BUF_SCOPE out;
    bw_buf_init(&out, 100000);
    bw_metrics_write(&out);
    assert_string_equal(out.data, "# HELP bw_test_depth Depth.\n"
                                  "# TYPE bw_test_depth gauge\n"
                                  "bw_test_depth -3\n"
                                  "# HELP bw_test_requests_total Requests \\\\ answered,\\nby code.\n"
                                  "# TYPE bw_test_requests_total counter\n"
                                  "bw_test_requests_total{code=\"200\",reason=\"a \\\"b\\\"\\\\\\n\"} 3.5\n"
                                  "bw_test_requests_total{code=\"500\",reason=\"\"} 1e+15\n"
                                  "# HELP bw_test_seconds Seconds.\n"
                                  "# TYPE bw_test_seconds histogram\n"
                                  "bw_test_seconds_bucket{kind=\"x\",le=\"0.1\"} 1\n"
                                  "bw_test_seconds_bucket{kind=\"x\",le=\"1\"} 2\n"
                                  "bw_test_seconds_bucket{kind=\"x\",le=\"2.5\"} 2\n"
                                  "bw_test_seconds_bucket{kind=\"x\",le=\"+Inf\"} 3\n"
                                  "bw_test_seconds_sum{kind=\"x\"} 100.3\n"
                                  "bw_test_seconds_count{kind=\"x\"} 3\n");
}

static void *count_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        bw_metric_add(&many, 1, BW_LABELS(text));
    }
    return NULL;
}

static void too_many_series_are_counted_under_other(void **state)
{
    (void)state;
    pthread_t threads[2];
    for (size_t i = 0; i < BW_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_often, NULL), 0);
    for (size_t i = 0; i < BW_LENGTH(threads); i++)
        pthread_join(threads[i], NULL);
    BW_BUF_SCOPE out;
    bw_buf_init(&out, 1000000);
    bw_metrics_write(&out);
    const char *at = strstr(out.data, "bw_test_zz_many_total{");
    size_t series = 0;
    double sum = 0;
    for (; at; at = strstr(at + 1, "bw_test_zz_many_total{")) {
        double value = 0;
        series++;
        assert_int_equal(sscanf(strchr(at, ' '), "%lf", &value), 1);
        sum += value;
    }
    assert_int_equal(series, BW_METRIC_SERIES_MAX + 1);
    assert_true(sum == 4000);
    assert_non_null(strstr(out.data, "bw_test_zz_many_total{n=\"other\"} "));
}

static struct bw_metric shown = {.name = "bw_test_a_shown", .help = "Shown.", .kind = BW_METRIC_GAUGE, .labels = {"n"}};

static void a_series_can_be_taken_away(void **state)
{
    (void)state;
    bw_metric_set(&shown, 1, BW_LABELS("one"));
    bw_metric_set(&shown, 2, BW_LABELS("two"));
    bw_metric_set(&shown, 3, BW_LABELS("three"));
    bw_metric_remove(&shown, BW_LABELS("one"));
    bw_metric_remove(&shown, BW_LABELS("one"));
    bw_metric_remove(&shown, BW_LABELS("never there"));
    bw_metric_set(&shown, 4, BW_LABELS("three"));
    static const char expected[] = "# HELP bw_test_a_shown Shown.\n"
                                   "# TYPE bw_test_a_shown gauge\n"
                                   "bw_test_a_shown{n=\"two\"} 2\n"
                                   "bw_test_a_shown{n=\"three\"} 4\n";
    BW_BUF_SCOPE out;
    bw_buf_init(&out, 1000000);
    bw_metrics_write(&out);
    assert_memory_equal(out.data, expected, sizeof(expected) - 1);
}

/* Some values come from requests. */
static void a_long_value_is_cut_and_leaves_the_line_whole(void **state)
{
    (void)state;
    static char value[20000];
    memset(value, 'x', sizeof(value) - 1);
    bw_metric_add(&requests, 1, BW_LABELS("long", value));
    bw_metric_add(&requests, 1, BW_LABELS(value, "long"));
    BW_BUF_SCOPE out;
    bw_buf_init(&out, 1000000);
    bw_metrics_write(&out);
    const char *line = strstr(out.data, "{code=\"long\",reason=\"xxx");
    assert_non_null(line);
    assert_memory_equal(line + strcspn(line, "\n") - 3, "} 1", 3);
    assert_true(strcspn(line, "\n") < 2000);
    assert_non_null(strstr(out.data, "x\",reason=\"long\"} 1\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_sorted_and_escaped),
        cmocka_unit_test(too_many_series_are_counted_under_other),
        cmocka_unit_test(a_series_can_be_taken_away),
        cmocka_unit_test(a_long_value_is_cut_and_leaves_the_line_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
