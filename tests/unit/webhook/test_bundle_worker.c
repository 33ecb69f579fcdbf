/* The thread that reviews bundles: results come with news, the queue has an end, what nobody waits for is not done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "webhook/bundle_worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct bw_worker *worker;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static uint64_t last_ticket;
static unsigned n_done;
static bool held; /* the worker waits within its news */

static void on_done(void *payload, uint64_t ticket)
{
    (void)payload;
    pthread_mutex_lock(&lock);
    last_ticket = ticket;
    n_done++;
    pthread_cond_broadcast(&wake);
    while (held) {
        pthread_cond_wait(&wake, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void wait_for_done(unsigned n)
{
    pthread_mutex_lock(&lock);
    while (n_done < n) {
        pthread_cond_wait(&wake, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void let_go(void)
{
    pthread_mutex_lock(&lock);
    held = false;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
}

static int set_up(void **state)
{
    (void)state;
    struct bw_error err = {0};
    last_ticket = 0;
    n_done = 0;
    held = false;
    return bw_worker_create(&worker, BW_MAX_BUNDLE_REVIEWS, on_done, NULL, &err);
}

static int tear_down(void **state)
{
    (void)state;
    let_go();
    bw_worker_destroy(worker);
    return 0;
}

static struct bw_errand *ask(const char *body, size_t len)
{
    const struct bw_bundle_review_options options = {0, true, bw_deadline_in_ms(60000)};
    return bw_bundle_worker_ask(worker, body, len, &options);
}

static const char body[] =
    "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\","
    "\"operation\":\"CREATE\",\"resource\":{\"resource\":\"configmaps\"},\"object\":{}}}";

static void result_is_there_when_its_news_comes(void **state)
{
    (void)state;
    struct bw_errand *task = ask(body, strlen(body));
    assert_non_null(task);
    wait_for_done(1);
    assert_int_equal(last_ticket, *bw_errand_ticket(task));
    const struct bw_admit_result *result = bw_bundle_worker_result(task);
    assert_non_null(result);
    assert_int_equal(result->http_status, 200);
    assert_string_equal(result->uid, "u");
    bw_errand_release(task);
}

static void queue_is_bounded_and_the_unwanted_is_dropped(void **state)
{
    (void)state;
    size_t len = 16 * BW_MIB, n = 0;
    char *large = calloc(1, len);
    struct bw_errand *tasks[16];
    held = true;
    struct bw_errand *first = ask(body, strlen(body));
    wait_for_done(1); /* the worker is held: what comes now waits */
    while (n < BW_LENGTH(tasks) && (tasks[n] = ask(large, len)) != NULL) {
        n++;
    }
    assert_int_equal(n, BW_MAX_BUNDLE_REVIEWS / len);
    assert_null(bw_bundle_worker_result(tasks[0]));
    for (size_t i = 0; i < n; i++) {
        bw_errand_release(tasks[i]);
    }
    let_go();
    struct bw_errand *last = NULL;
    while (last == NULL) { /* until there is room again */
        last = ask(body, strlen(body));
    }
    wait_for_done(2);
    assert_int_equal(last_ticket, *bw_errand_ticket(last)); /* nothing was done for the others */
    bw_errand_release(first);
    bw_errand_release(last);
    free(large);
}

static void worker_ends_with_tasks_in_its_queue(void **state)
{
    (void)state;
    held = true;
    struct bw_errand *tasks[3];
    for (size_t i = 0; i < BW_LENGTH(tasks); i++) {
        tasks[i] = ask(body, strlen(body));
    }
    wait_for_done(1);
    bw_errand_release(tasks[0]);
    bw_errand_release(tasks[1]);
    let_go();
    bw_worker_destroy(worker);
    worker = NULL;
    bw_errand_release(tasks[2]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(result_is_there_when_its_news_comes),
        CASE(queue_is_bounded_and_the_unwanted_is_dropped),
        CASE(worker_ends_with_tasks_in_its_queue),
    };
    return cmocka_run_group_tests_name("webhook/bundle_worker", tests, NULL, NULL);
}
