#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/unit/catalog/fakes.h"

#include <time.h>
#include <unistd.h>

/* ---- a registry, an analyzer and a store that do as they are told ---- */

struct registry { /* what all sources see; and what the analyzer does */
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool hold_resolve, hold_analyze; /* whoever comes waits until they are false */
    const char *manifests[8];        /* texts; tags lead to the first */
    struct bw_error resolve_error, manifest_error, analyze_error;
    int n_resolve, n_manifest, n_analyze, n_running, most_running, n_done;
    char last_analyzed[256];
    size_t last_patterns;
    size_t weight;
    bool wrong_report;
};

struct fake_source {
    struct bw_image_source base;
    struct registry *registry;
    struct bw_error refuses; /* of this identity alone */
};

static void wait_while(struct registry *registry, const bool *held)
{
    while (*held) {
        pthread_cond_wait(&registry->opened, &registry->lock);
    }
}

static void open_gates(struct registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    registry->hold_resolve = registry->hold_analyze = false;
    pthread_cond_broadcast(&registry->opened);
    pthread_mutex_unlock(&registry->lock);
}

static int counter(struct registry *registry, const int *value)
{
    pthread_mutex_lock(&registry->lock);
    int now = *value;
    pthread_mutex_unlock(&registry->lock);
    return now;
}

static void set_error(struct registry *registry, struct bw_error *error, enum bw_code code, const char *detail)
{
    pthread_mutex_lock(&registry->lock);
    *error = (struct bw_error){0};
    if (code != BW_OK) {
        (void)bw_error_detail(error, code, detail, "as told");
    }
    pthread_mutex_unlock(&registry->lock);
}

static int fake_resolve(struct bw_digest *out, struct bw_image_source *base, const struct bw_reference *reference,
                        struct bw_deadline deadline, struct bw_error *err)
{
    struct fake_source *source = (struct fake_source *)base;
    struct registry *registry = source->registry;
    (void)deadline;
    pthread_mutex_lock(&registry->lock);
    registry->n_resolve++;
    wait_while(registry, &registry->hold_resolve);
    const struct bw_error *why = source->refuses.code != BW_OK ? &source->refuses : &registry->resolve_error;
    int status = why->code == BW_OK ? 0 : -1;
    if (status != 0) {
        *err = *why;
    } else if (reference->tag != NULL) {
        *out = digest_of(registry->manifests[0]);
    } else {
        *out = reference->digest;
    }
    pthread_mutex_unlock(&registry->lock);
    return status;
}

static int fake_manifest(struct bw_manifest_bytes *out, struct bw_image_source *base,
                         const struct bw_reference *reference, const struct bw_digest *digest, struct bw_arena *arena,
                         struct bw_deadline deadline, struct bw_error *err)
{
    struct fake_source *source = (struct fake_source *)base;
    struct registry *registry = source->registry;
    (void)reference;
    (void)arena;
    (void)deadline;
    pthread_mutex_lock(&registry->lock);
    registry->n_manifest++;
    const struct bw_error *why = source->refuses.code != BW_OK ? &source->refuses : &registry->manifest_error;
    int status = -1;
    if (why->code != BW_OK) {
        *err = *why;
    } else {
        (void)bw_error_detail(err, BW_ENOTFOUND, "image_not_found", "no such manifest");
        for (size_t i = 0; i < BW_LENGTH(registry->manifests) && registry->manifests[i] != NULL; i++) {
            struct bw_digest own = digest_of(registry->manifests[i]);
            if (bw_digest_equal(&own, digest)) {
                *out = (struct bw_manifest_bytes){registry->manifests[i], strlen(registry->manifests[i]), NULL, own};
                *err = (struct bw_error){0};
                status = 0;
            }
        }
    }
    pthread_mutex_unlock(&registry->lock);
    return status;
}

static void fake_destroy(struct bw_image_source *source)
{
    free(source);
}

static const struct bw_image_source_ops fake_ops = {
    .resolve = fake_resolve, .manifest = fake_manifest, .destroy = fake_destroy};

static struct registry *the_registry; /* the analyzer's options hold no place for it */

static int fake_analyze(struct bw_report **out, struct bw_image_source *source, const struct bw_reference *reference,
                        const struct bw_digest *digest, const struct bw_analyzer_options *options,
                        struct bw_deadline deadline, struct bw_error *err)
{
    struct registry *registry = the_registry;
    (void)source;
    (void)deadline;
    options->progress(options->payload, 1, 5, 48000000, 120000000);
    pthread_mutex_lock(&registry->lock);
    registry->n_analyze++;
    registry->n_running++;
    registry->most_running =
        registry->n_running > registry->most_running ? registry->n_running : registry->most_running;
    wait_while(registry, &registry->hold_analyze);
    (void)snprintf(registry->last_analyzed, sizeof(registry->last_analyzed), "%s/%s", reference->registry,
                   reference->repository);
    registry->last_patterns = options->needs.n_secret_patterns;
    struct bw_error why = registry->analyze_error;
    struct bw_digest other = digest_of("another");
    if (why.code == BW_OK) {
        *out = make_report(registry->wrong_report ? &other : digest, &options->needs, registry->weight);
    } else {
        *err = why;
    }
    registry->n_running--;
    pthread_mutex_unlock(&registry->lock);
    return why.code == BW_OK ? 0 : -1;
}

struct slow_store { /* what a database would be: not to be asked on a loop */
    struct bw_store base;
    struct bw_report *report;
    bool fails;
    atomic_int n_get, n_put;
};

static int slow_get(struct bw_report **out, struct bw_store *base, const char *key, struct bw_error *err)
{
    struct slow_store *store = (struct slow_store *)base;
    (void)key;
    atomic_fetch_add(&store->n_get, 1);
    if (store->fails || store->report == NULL) {
        return bw_error_set(err, store->fails ? BW_EUNAVAILABLE : BW_ENOTFOUND, "as told");
    }
    *out = bw_report_retain(store->report);
    return 0;
}

static int slow_put(struct bw_store *base, const char *key, struct bw_report *report, struct bw_error *err)
{
    struct slow_store *store = (struct slow_store *)base;
    (void)key;
    (void)report;
    atomic_fetch_add(&store->n_put, 1);
    return store->fails ? bw_error_set(err, BW_EUNAVAILABLE, "as told") : 0;
}

static void slow_destroy(struct bw_store *base)
{
    struct slow_store *store = (struct slow_store *)base;
    bw_report_release(store->report);
    free(store);
}

static const struct bw_store_ops slow_ops = {.name = "slow", .get = slow_get, .put = slow_put, .destroy = slow_destroy};

/* ---- one catalog per test ---- */

struct bench {
    struct registry registry;
    struct bw_catalog_options options;
    struct slow_store *slow; /* NULL: memory alone */
    size_t memory_bytes;
    struct bw_catalog *catalog;
    struct bw_image_source *anonymous, *alice, *bob;
    struct bw_arena arena;
};

static const char image_manifest[] =
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":"
    "\"application/vnd.oci.image.config.v1+json\",\"digest\":"
    "\"sha256:0000000000000000000000000000000000000000000000000000000000000001\",\"size\":2},\"layers\":[]}";
static const char other_manifest[] =
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":"
    "\"application/vnd.oci.image.config.v1+json\",\"digest\":"
    "\"sha256:0000000000000000000000000000000000000000000000000000000000000002\",\"size\":2},\"layers\":[]}";

static void on_done(void *payload, uint64_t job)
{
    struct registry *registry = payload;
    (void)job;
    pthread_mutex_lock(&registry->lock);
    registry->n_done++;
    pthread_mutex_unlock(&registry->lock);
}

static struct bw_image_source *make_source(struct bench *bench, const char *identity)
{
    struct fake_source *source = bw_memory_zeroed(1, sizeof(*source));
    source->base.ops = &fake_ops;
    source->base.references = 1;
    (void)snprintf(source->base.identity, sizeof(source->base.identity), "%s", identity);
    source->registry = &bench->registry;
    return &source->base;
}

static void refuse(struct bw_image_source *source, enum bw_code code, const char *detail)
{
    struct fake_source *fake = (struct fake_source *)source;
    set_error(fake->registry, &fake->refuses, code, detail);
}

static int begin(void **state)
{
    struct bench *bench = bw_memory_zeroed(1, sizeof(*bench));
    pthread_mutex_init(&bench->registry.lock, NULL);
    pthread_cond_init(&bench->registry.opened, NULL);
    bench->registry.manifests[0] = image_manifest;
    bench->registry.weight = 10;
    the_registry = &bench->registry;
    bench->options = (struct bw_catalog_options){.analyses = 4,
                                                 .queue = 16,
                                                 .tag_ttl_ms = 600000,
                                                 .tag_stale_ms = 3600000,
                                                 .negative_ttl_ms = 600000,
                                                 .auth_ttl_ms = 600000,
                                                 .analyze = fake_analyze,
                                                 .done = on_done,
                                                 .payload = &bench->registry};
    bench->memory_bytes = 1 << 24;
    bench->anonymous = make_source(bench, "");
    bench->alice = make_source(bench, "alice");
    bench->bob = make_source(bench, "bob");
    bw_arena_init(&bench->arena, 256 * BW_MIB);
    *state = bench;
    return 0;
}

static int end(void **state)
{
    struct bench *bench = *state;
    open_gates(&bench->registry);
    bw_catalog_destroy(bench->catalog);
    bw_image_source_release(bench->anonymous);
    bw_image_source_release(bench->alice);
    bw_image_source_release(bench->bob);
    bw_arena_clear(&bench->arena);
    pthread_cond_destroy(&bench->registry.opened);
    pthread_mutex_destroy(&bench->registry.lock);
    free(bench);
    return 0;
}

static void use_slow_store(struct bench *bench)
{
    bench->slow = bw_memory_zeroed(1, sizeof(*bench->slow));
    bench->slow->base.ops = &slow_ops;
}

static struct bw_catalog *catalog_of(struct bench *bench)
{
    if (bench->catalog == NULL) {
        struct bw_store *stores[2] = {NULL, bench->slow == NULL ? NULL : &bench->slow->base};
        struct bw_error err = {0};
        assert_int_equal(0, bw_store_memory_create(&stores[0], bench->memory_bytes, &err));
        assert_int_equal(
            0, bw_catalog_create(&bench->catalog, stores, bench->slow == NULL ? 1 : 2, &bench->options, &err));
    }
    return bench->catalog;
}

static struct bw_image_question question_of(struct bench *bench, struct bw_image_source *source, const char *text)
{
    struct bw_error err = {0};
    struct bw_reference *reference = bw_arena_alloc(&bench->arena, sizeof(*reference));
    assert_int_equal(0, bw_reference_parse(reference, text, strlen(text), &bench->arena, &err));
    return (struct bw_image_question){.source = source, .reference = reference, .allow_analysis = true};
}

static struct bw_image_answer ask_question(struct bench *bench, const struct bw_image_question *question)
{
    struct bw_image_answer answer = {0};
    struct bw_error err = {0};
    assert_int_equal(0, bw_catalog_ask(&answer, catalog_of(bench), question, &bench->arena, &err));
    return answer;
}

static struct bw_image_answer ask(struct bench *bench, struct bw_image_source *source, const char *text)
{
    struct bw_image_question question = question_of(bench, source, text);
    return ask_question(bench, &question);
}

static struct bw_image_answer wait_question(struct bench *bench, const struct bw_image_question *question)
{
    struct bw_image_answer answer = {0};
    struct bw_error err = {0};
    int status = bw_catalog_wait(&answer, catalog_of(bench), question, &bench->arena, bw_deadline_in_ms(10000), &err);
    assert_string_equal("", err.message);
    assert_int_equal(0, status);
    return answer;
}

static struct bw_image_answer wait_for(struct bench *bench, struct bw_image_source *source, const char *text)
{
    struct bw_image_question question = question_of(bench, source, text);
    return wait_question(bench, &question);
}

static void expect_ready(struct bench *bench, struct bw_image_source *source, const char *text)
{
    struct bw_image_answer answer = wait_for(bench, source, text);
    assert_string_equal("", answer.state == BW_IMAGE_FAILED ? answer.error.message : "");
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_int_equal(1, answer.n_variants);
    assert_string_equal(answer.variants[0].digest.text, answer.variants[0].report->digest.text);
    bw_image_answer_clear(&answer);
}

static void expect_failed(struct bench *bench, struct bw_image_source *source, const char *text, const char *detail)
{
    struct bw_image_answer answer = wait_for(bench, source, text);
    assert_int_equal(BW_IMAGE_FAILED, answer.state);
    assert_string_equal(detail, answer.error.detail);
}

/* Counters rise; a job that begins between publishing and finishing may add one more. */
static void wait_until(struct registry *registry, const int *value, int wanted)
{
    struct bw_deadline deadline = bw_deadline_in_ms(10000);
    while (counter(registry, value) < wanted) {
        assert_false(bw_deadline_passed(deadline));
        (void)usleep(1000);
    }
}

static const char *by_digest(struct bench *bench, const char *repository, const char *manifest)
{
    struct bw_digest digest = digest_of(manifest);
    return bw_arena_printf(&bench->arena, "%s@%s", repository, digest.text);
}

/* ---- the tests ---- */

static void unknown_image_is_pending_and_then_ready(void **state)
{
    struct bench *bench = *state;
    struct bw_image_answer answer = ask(bench, bench->anonymous, "reg.example/app:1");
    assert_int_equal(BW_IMAGE_PENDING, answer.state);
    assert_true(answer.job > 0);
    assert_int_equal(1, answer.estimate_s);
    answer = wait_for(bench, bench->anonymous, "reg.example/app:1");
    struct bw_digest digest = digest_of(image_manifest);
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_string_equal(digest.text, answer.digest.text);
    assert_true(answer.tag_current);
    assert_false(answer.stale);
    assert_int_equal(1, answer.n_variants);
    assert_string_equal("linux", answer.variants[0].platform.os);
    assert_string_equal(digest.text, answer.variants[0].report->digest.text);
    bw_image_answer_clear(&answer);
    wait_until(&bench->registry, &bench->registry.n_done, 2); /* one to resolve, one to analyse */
}

static void known_tag_makes_no_request_within_its_life(void **state)
{
    struct bench *bench = *state;
    for (int i = 0; i < 3; i++) {
        expect_ready(bench, bench->anonymous, "reg.example/app:1");
    }
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_resolve));
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_manifest));
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_analyze));
    struct bw_catalog_counts counts = bw_catalog_counts(bench->catalog);
    assert_int_equal(1, counts.analyses);
    assert_true(counts.memory_hits >= 2);
    assert_int_equal(0, counts.failures);
}

static void known_digest_is_not_analysed_again_under_another_name(void **state)
{
    struct bench *bench = *state;
    expect_ready(bench, bench->anonymous, "reg.example/app:1");
    expect_ready(bench, bench->anonymous, "reg.example/app:2");
    expect_ready(bench, bench->anonymous, by_digest(bench, "other.example/copy", image_manifest));
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_analyze));
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_manifest));
}

static void many_who_ask_share_one_job(void **state)
{
    struct bench *bench = *state;
    bench->registry.hold_resolve = bench->registry.hold_analyze = true;
    uint64_t job = ask(bench, bench->anonymous, "reg.example/app:1").job;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(job, ask(bench, bench->anonymous, "reg.example/app:1").job);
    }
    pthread_mutex_lock(&bench->registry.lock);
    bench->registry.hold_resolve = false;
    pthread_cond_broadcast(&bench->registry.opened);
    pthread_mutex_unlock(&bench->registry.lock);
    wait_until(&bench->registry, &bench->registry.n_done, 1);
    job = ask(bench, bench->anonymous, "reg.example/app:1").job;
    for (int i = 0; i < 10; i++) { /* whoever asks, by whatever name */
        wait_until(&bench->registry, &bench->registry.n_running, i == 0 ? 1 : bench->registry.n_running);
        struct bw_image_answer answer =
            ask(bench, bench->anonymous, by_digest(bench, "reg.example/app", image_manifest));
        assert_int_equal(BW_IMAGE_PENDING, answer.state);
        assert_int_equal(job, answer.job);
    }
    open_gates(&bench->registry);
    expect_ready(bench, bench->anonymous, "reg.example/app:1");
    assert_int_equal(1, bench->registry.n_resolve);
    assert_int_equal(1, bench->registry.n_analyze);
    assert_true(bw_catalog_counts(bench->catalog).joined >= 20);
    wait_until(&bench->registry, &bench->registry.n_done, 2);
}

static void identities_share_the_analysis_and_each_shows_its_right(void **state)
{
    struct bench *bench = *state;
    expect_ready(bench, bench->alice, "reg.example/app:1");
    expect_ready(bench, bench->bob, "reg.example/app:1");
    assert_int_equal(2, counter(&bench->registry, &bench->registry.n_resolve));
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_manifest));
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_analyze));
}

static void identity_without_access_gets_no_answer_from_the_cache(void **state)
{
    struct bench *bench = *state;
    refuse(bench->bob, BW_EDENIED, "unauthorized");
    expect_ready(bench, bench->alice, "reg.example/secret:1");
    expect_failed(bench, bench->bob, "reg.example/secret:1", "unauthorized");
    expect_failed(bench, bench->bob, by_digest(bench, "reg.example/secret", image_manifest), "unauthorized");
    expect_ready(bench, bench->alice, "reg.example/secret:1"); /* and spoils nothing for others */
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_analyze));
}

static void right_to_one_repository_is_none_to_another(void **state)
{
    struct bench *bench = *state;
    expect_ready(bench, bench->alice, "reg.example/secret:1");
    expect_ready(bench, bench->bob, "reg.example/public:1");
    refuse(bench->bob, BW_EDENIED, "unauthorized");
    expect_failed(bench, bench->bob, by_digest(bench, "reg.example/secret", image_manifest), "unauthorized");
}

static void what_anonymous_was_shown_counts_for_everyone(void **state)
{
    struct bench *bench = *state;
    expect_ready(bench, bench->anonymous, "reg.example/app:1");
    expect_ready(bench, bench->alice, "reg.example/app:1");
    expect_ready(bench, bench->bob, by_digest(bench, "reg.example/app", image_manifest));
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_resolve));
}

static void right_is_shown_anew_by_one_small_request(void **state)
{
    struct bench *bench = *state;
    bench->options.auth_ttl_ms = 0;
    const char *text = by_digest(bench, "reg.example/app", image_manifest);
    expect_ready(bench, bench->alice, text);
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_manifest));
    (void)usleep(2000);
    expect_ready(bench, bench->alice, text);
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_manifest));
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_resolve));
    refuse(bench->alice, BW_ENOTFOUND, "image_not_found");
    (void)usleep(2000);
    expect_failed(bench, bench->alice, text, "image_not_found");
}

static void refusal_is_remembered_for_who_was_refused(void **state)
{
    struct bench *bench = *state;
    refuse(bench->bob, BW_EDENIED, "unauthorized");
    for (int i = 0; i < 3; i++) {
        expect_failed(bench, bench->bob, "reg.example/app:1", "unauthorized");
    }
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_resolve));
    expect_ready(bench, bench->alice, "reg.example/app:1");
}

static void refusal_is_forgotten_after_its_time(void **state)
{
    struct bench *bench = *state;
    bench->options.negative_ttl_ms = 0;
    refuse(bench->bob, BW_EDENIED, "unauthorized");
    expect_failed(bench, bench->bob, "reg.example/app:1", "unauthorized");
    refuse(bench->bob, BW_OK, "");
    (void)usleep(1100 * 1000);
    expect_ready(bench, bench->bob, "reg.example/app:1");
}

static void fault_of_content_is_remembered_whoever_asks(void **state)
{
    struct bench *bench = *state;
    bench->options.negative_ttl_ms = 0;
    set_error(&bench->registry, &bench->registry.analyze_error, BW_EINPUT, "diff_id_mismatch");
    expect_failed(bench, bench->alice, "reg.example/app:1", "diff_id_mismatch");
    (void)usleep(1100 * 1000);
    expect_failed(bench, bench->alice, "reg.example/app:2", "diff_id_mismatch");
    expect_failed(bench, bench->bob, "reg.example/app:1", "diff_id_mismatch");
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_analyze));
    /* a registry that serves garbage for a digest spoils its own repository alone */
    set_error(&bench->registry, &bench->registry.analyze_error, BW_OK, "");
    expect_ready(bench, bench->alice, "good.example/app:1");
}

static void blob_that_is_not_what_its_digest_says_is_tried_again(void **state)
{
    struct bench *bench = *state;
    bench->options.negative_ttl_ms = 0;
    set_error(&bench->registry, &bench->registry.analyze_error, BW_EINPUT, "blob_digest_mismatch");
    expect_failed(bench, bench->alice, "reg.example/app:1", "blob_digest_mismatch");
    set_error(&bench->registry, &bench->registry.analyze_error, BW_OK, "");
    (void)usleep(1100 * 1000);
    expect_ready(bench, bench->alice, "reg.example/app:1");
}

static void who_was_lent_anothers_analysis_tries_with_its_own_credentials(void **state)
{
    struct bench *bench = *state;
    set_error(&bench->registry, &bench->registry.analyze_error, BW_EDENIED, "unauthorized");
    expect_failed(bench, bench->alice, "reg.example/app:1", "unauthorized");
    set_error(&bench->registry, &bench->registry.analyze_error, BW_OK, "");
    expect_ready(bench, bench->bob, "reg.example/app:1");
}

static void rate_limit_holds_for_the_host_until_its_time(void **state)
{
    struct bench *bench = *state;
    bench->options.negative_ttl_ms = 0;
    expect_ready(bench, bench->alice, "reg.example/known:1");
    set_error(&bench->registry, &bench->registry.resolve_error, BW_ERATELIMITED, "rate_limited");
    bench->registry.resolve_error.retry_after_s = 60;
    expect_failed(bench, bench->alice, "reg.example/app:1", "rate_limited");
    int asked = counter(&bench->registry, &bench->registry.n_resolve);
    (void)usleep(1100 * 1000);
    expect_failed(bench, bench->alice, "reg.example/app:1", "rate_limited");
    expect_failed(bench, bench->alice, "reg.example/another:1", "rate_limited");
    expect_ready(bench, bench->alice, "reg.example/known:1");
    assert_int_equal(asked, counter(&bench->registry, &bench->registry.n_resolve));
    expect_failed(bench, bench->alice, "elsewhere.example/app:1", "rate_limited");
    assert_int_equal(asked + 1, counter(&bench->registry, &bench->registry.n_resolve));
}

static void outage_leaves_the_last_known_digest_in_force(void **state)
{
    struct bench *bench = *state;
    bench->options.tag_ttl_ms = bench->options.auth_ttl_ms = bench->options.negative_ttl_ms = 0;
    expect_ready(bench, bench->alice, "reg.example/app:1");
    set_error(&bench->registry, &bench->registry.resolve_error, BW_EUNAVAILABLE, "registry_unavailable");
    (void)usleep(2000);
    struct bw_image_answer answer = wait_for(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_true(answer.stale);
    assert_true(answer.tag_current);
    bw_image_answer_clear(&answer);
    expect_failed(bench, bench->alice, "reg.example/new:1", "registry_unavailable");
    /* once it has failed, nobody waits for the next attempt */
    (void)usleep(1100 * 1000);
    int asked = counter(&bench->registry, &bench->registry.n_resolve);
    answer = ask(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_true(answer.stale);
    bw_image_answer_clear(&answer);
    wait_until(&bench->registry, &bench->registry.n_resolve, asked + 1);
    /* and the end of it is noticed */
    set_error(&bench->registry, &bench->registry.resolve_error, BW_OK, "");
    (void)usleep(1100 * 1000);
    answer = wait_for(bench, bench->alice, "reg.example/app:1");
    bw_image_answer_clear(&answer);
    (void)usleep(100 * 1000);
    answer = ask(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_false(answer.stale);
    bw_image_answer_clear(&answer);
}

static void outage_fails_where_old_answers_are_not_wanted(void **state)
{
    struct bench *bench = *state;
    bench->options.tag_ttl_ms = bench->options.auth_ttl_ms = bench->options.tag_stale_ms = 0;
    expect_ready(bench, bench->alice, "reg.example/app:1");
    set_error(&bench->registry, &bench->registry.resolve_error, BW_EDEADLINE, "");
    (void)usleep(2000);
    expect_failed(bench, bench->alice, "reg.example/app:1", "registry_unavailable");
}

static void moved_tag_is_noticed_and_a_deleted_one_too(void **state)
{
    struct bench *bench = *state;
    bench->options.tag_ttl_ms = 0;
    bench->registry.manifests[1] = other_manifest;
    expect_ready(bench, bench->alice, "reg.example/app:1");
    pthread_mutex_lock(&bench->registry.lock);
    bench->registry.manifests[0] = other_manifest;
    pthread_mutex_unlock(&bench->registry.lock);
    (void)usleep(2000);
    struct bw_image_answer answer = wait_for(bench, bench->alice, "reg.example/app:1");
    struct bw_digest other = digest_of(other_manifest);
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_string_equal(other.text, answer.digest.text);
    bw_image_answer_clear(&answer);
    set_error(&bench->registry, &bench->registry.resolve_error, BW_ENOTFOUND, "image_not_found");
    (void)usleep(2000);
    expect_failed(bench, bench->alice, "reg.example/app:1", "image_not_found");
}

static void tag_beside_a_digest_counts_only_if_it_leads_there(void **state)
{
    struct bench *bench = *state;
    bench->registry.manifests[1] = other_manifest;
    struct bw_image_answer answer =
        wait_for(bench, bench->alice, by_digest(bench, "reg.example/app:1", image_manifest));
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_true(answer.tag_current);
    bw_image_answer_clear(&answer);
    const char *evil = by_digest(bench, "reg.example/app:1", other_manifest);
    answer = wait_for(bench, bench->alice, evil);
    struct bw_digest other = digest_of(other_manifest);
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_string_equal(other.text, answer.digest.text);
    assert_false(answer.tag_current);
    bw_image_answer_clear(&answer);
    set_error(&bench->registry, &bench->registry.resolve_error, BW_ENOTFOUND, "image_not_found");
    answer = wait_for(bench, bench->bob, by_digest(bench, "reg.example/app:gone", image_manifest));
    assert_int_equal(BW_IMAGE_FAILED, answer.state); /* bob has no right to it */
    set_error(&bench->registry, &bench->registry.resolve_error, BW_OK, "");
    answer = wait_for(bench, bench->alice, by_digest(bench, "reg.example/app", image_manifest));
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_false(answer.tag_current); /* it has none */
    bw_image_answer_clear(&answer);
}

static void tag_that_is_gone_does_not_keep_a_digest_from_its_answer(void **state)
{
    struct bench *bench = *state;
    expect_ready(bench, bench->alice, by_digest(bench, "reg.example/app", image_manifest));
    set_error(&bench->registry, &bench->registry.resolve_error, BW_ENOTFOUND, "image_not_found");
    struct bw_image_answer answer =
        wait_for(bench, bench->alice, by_digest(bench, "reg.example/app:gone", image_manifest));
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_false(answer.tag_current);
    bw_image_answer_clear(&answer);
}

static const char *make_index(struct bench *bench, const char *const *manifests, const char *const *platforms,
                              const char *media_type, size_t n)
{
    const char *entries = "";
    for (size_t i = 0; i < n; i++) {
        struct bw_digest digest = digest_of(manifests[i]);
        entries = bw_arena_printf(&bench->arena, "%s%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu%s%s%s}",
                                  entries, i == 0 ? "" : ",", media_type, digest.text, strlen(manifests[i]),
                                  platforms == NULL ? "" : ",\"platform\":{\"os\":\"linux\",\"architecture\":\"",
                                  platforms == NULL ? "" : platforms[i], platforms == NULL ? "" : "\"}");
    }
    return bw_arena_printf(
        &bench->arena,
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[%s]}", entries);
}

static void index_leads_to_the_images_of_the_platforms_asked_for(void **state)
{
    struct bench *bench = *state;
    const char *const images[] = {image_manifest, other_manifest}, *const platforms[] = {"amd64", "arm64"};
    const char *index = make_index(bench, images, platforms, "application/vnd.oci.image.manifest.v1+json", 2);
    bench->registry.manifests[0] = make_index(bench, &index, NULL, "application/vnd.oci.image.index.v1+json", 1);
    bench->registry.manifests[1] = index;
    struct bw_platform arm = {"linux", "arm64", ""}, sparc = {"linux", "sparc", ""};
    struct bw_image_question question = question_of(bench, bench->alice, "reg.example/app:1");
    struct bw_image_answer answer = wait_question(bench, &question);
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_int_equal(2, answer.n_variants);
    struct bw_digest outer = digest_of(bench->registry.manifests[0]);
    assert_string_equal(outer.text, answer.digest.text);
    assert_string_equal("arm64", answer.variants[1].platform.architecture);
    bw_image_answer_clear(&answer);
    question.platforms = &arm;
    question.n_platforms = 1;
    answer = ask_question(bench, &question); /* known: no job */
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_int_equal(1, answer.n_variants);
    struct bw_digest other = digest_of(other_manifest);
    assert_string_equal(other.text, answer.variants[0].digest.text);
    bw_image_answer_clear(&answer);
    question.platforms = &sparc;
    answer = ask_question(bench, &question);
    assert_int_equal(BW_IMAGE_FAILED, answer.state);
    assert_string_equal("no_matching_platform", answer.error.detail);
    assert_int_equal(2, counter(&bench->registry, &bench->registry.n_analyze));
}

static void index_with_too_many_images_is_refused(void **state)
{
    struct bench *bench = *state;
    char texts[BW_MAX_VARIANTS + 1][16];
    const char *manifests[BW_MAX_VARIANTS + 1], *platforms[BW_MAX_VARIANTS + 1];
    for (size_t i = 0; i < BW_LENGTH(manifests); i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "text %zu", i);
        manifests[i] = texts[i];
        platforms[i] = "amd64";
    }
    bench->registry.manifests[0] =
        make_index(bench, manifests, platforms, "application/vnd.oci.image.manifest.v1+json", BW_LENGTH(manifests));
    expect_failed(bench, bench->alice, "reg.example/app:1", "too_many_platforms");
    assert_int_equal(0, counter(&bench->registry, &bench->registry.n_analyze));
}

static void faulty_manifest_fails_once_for_all(void **state)
{
    struct bench *bench = *state;
    bench->registry.manifests[0] = "{\"schemaVersion\":2,\"layers\":7}";
    for (int i = 0; i < 3; i++) {
        struct bw_image_answer answer = wait_for(bench, bench->alice, "reg.example/app:1");
        assert_int_equal(BW_IMAGE_FAILED, answer.state);
        assert_int_equal(BW_EINPUT, answer.error.code);
    }
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_manifest));
    const char *missing =
        make_index(bench, &bench->registry.manifests[0], NULL, "application/vnd.oci.image.index.v1+json", 1);
    bench->registry.manifests[0] = missing;
    expect_failed(bench, bench->alice, "reg.example/app:2", "registry_unavailable");
}

static void queue_has_an_end(void **state)
{
    struct bench *bench = *state;
    bench->options.analyses = 1;
    bench->options.queue = 2;
    bench->registry.hold_analyze = true;
    size_t full = 0;
    for (int i = 0; i < 6; i++) {
        char *manifest = bw_arena_printf(&bench->arena, "%s%*s", image_manifest, i + 1, "");
        pthread_mutex_lock(&bench->registry.lock);
        bench->registry.manifests[0] = manifest;
        pthread_mutex_unlock(&bench->registry.lock);
        const char *text = bw_arena_printf(&bench->arena, "reg.example/app:%d", i);
        struct bw_image_answer answer = ask(bench, bench->alice, text);
        wait_until(&bench->registry, &bench->registry.n_done, i + 1);
        answer = ask(bench, bench->alice, text); /* resolved; now the analysis */
        if (answer.state == BW_IMAGE_FAILED) {
            assert_string_equal("queue_full", answer.error.detail);
            full++;
        } else {
            assert_int_equal(BW_IMAGE_PENDING, answer.state);
        }
        (void)usleep(20000); /* it has moved to its lane */
    }
    assert_int_equal(3, full);
    struct bw_catalog_counts counts = bw_catalog_counts(bench->catalog);
    assert_int_equal(1, counts.running);
    assert_int_equal(2, counts.queued);
}

static void one_host_gets_half_of_the_threads(void **state)
{
    struct bench *bench = *state;
    bench->registry.hold_analyze = true;
    const char *const hosts[] = {"a.example", "a.example", "a.example", "a.example", "b.example"};
    for (int i = 0; i < 5; i++) {
        char *manifest = bw_arena_printf(&bench->arena, "%s%*s", image_manifest, i + 1, "");
        pthread_mutex_lock(&bench->registry.lock);
        bench->registry.manifests[0] = manifest;
        pthread_mutex_unlock(&bench->registry.lock);
        const char *text = bw_arena_printf(&bench->arena, "%s/app:%d", hosts[i], i);
        (void)ask(bench, bench->alice, text);
        wait_until(&bench->registry, &bench->registry.n_done, i + 1);
        (void)ask(bench, bench->alice, text);
    }
    wait_until(&bench->registry, &bench->registry.n_running, 3); /* two of a, one of b, of four */
    (void)usleep(50000);
    assert_int_equal(3, counter(&bench->registry, &bench->registry.n_running));
    open_gates(&bench->registry);
    wait_until(&bench->registry, &bench->registry.n_done, 10);
    assert_int_equal(5, bench->registry.n_analyze);
}

static void larger_needs_make_a_new_analysis_and_smaller_ones_do_not(void **state)
{
    struct bench *bench = *state;
    static const char *const patterns[] = {"A=a", "B=b", "C=c"};
    struct bw_needs one = {.secret_patterns = patterns, .n_secret_patterns = 1};
    struct bw_needs two = {.secret_patterns = patterns + 1, .n_secret_patterns = 2};
    struct bw_error err = {0};
    expect_ready(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(0, bw_catalog_set_needs(bench->catalog, &one, &err));
    expect_ready(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(2, counter(&bench->registry, &bench->registry.n_analyze));
    assert_int_equal(0, bw_catalog_set_needs(bench->catalog, &two, &err));
    expect_ready(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(3, counter(&bench->registry, &bench->registry.n_analyze));
    assert_int_equal(3, bench->registry.last_patterns); /* with what the stored one had */
    assert_int_equal(0, bw_catalog_set_needs(bench->catalog, &one, &err));
    expect_ready(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(3, counter(&bench->registry, &bench->registry.n_analyze));
}

static void slow_store_is_asked_by_a_job_and_not_on_a_loop(void **state)
{
    struct bench *bench = *state;
    struct bw_digest digest = digest_of(image_manifest);
    use_slow_store(bench);
    bench->slow->report = make_report(&digest, &(struct bw_needs){0}, 10);
    struct bw_image_question question =
        question_of(bench, bench->alice, by_digest(bench, "reg.example/app", image_manifest));
    struct bw_image_answer answer = wait_question(bench, &question);
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_ptr_equal(bench->slow->report, answer.variants[0].report);
    bw_image_answer_clear(&answer);
    assert_int_equal(0, counter(&bench->registry, &bench->registry.n_analyze));
    assert_int_equal(0,
                     counter(&bench->registry, &bench->registry.n_manifest));   /* a report tells that it is an image */
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_resolve)); /* the right was shown all the same */
    int asked = atomic_load(&bench->slow->n_get);
    answer = ask_question(bench, &question); /* in memory by now */
    assert_int_equal(BW_IMAGE_READY, answer.state);
    bw_image_answer_clear(&answer);
    assert_int_equal(asked, atomic_load(&bench->slow->n_get));
    assert_int_equal(1, bw_catalog_counts(bench->catalog).store_hits);
}

static void failing_store_costs_no_answer(void **state)
{
    struct bench *bench = *state;
    use_slow_store(bench);
    bench->slow->fails = true;
    expect_ready(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_analyze));
    assert_true(bw_catalog_counts(bench->catalog).store_faults >= 2);
}

static void store_that_gives_another_images_report_is_not_believed(void **state)
{
    struct bench *bench = *state;
    struct bw_digest digest = digest_of("something else");
    use_slow_store(bench);
    bench->slow->report = make_report(&digest, &(struct bw_needs){0}, 10);
    expect_ready(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_analyze));
}

static void analyzer_that_gives_another_images_report_is_not_believed(void **state)
{
    struct bench *bench = *state;
    bench->registry.wrong_report = true;
    expect_failed(bench, bench->alice, "reg.example/app:1", "analyzer_crashed");
}

static void report_too_large_for_memory_still_reaches_who_waits(void **state)
{
    struct bench *bench = *state;
    bench->memory_bytes = 1000;
    bench->registry.weight = 100000;
    expect_ready(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(1, counter(&bench->registry, &bench->registry.n_analyze));
}

static void pending_answer_says_how_far_it_is(void **state)
{
    struct bench *bench = *state;
    bench->registry.hold_analyze = true;
    (void)ask(bench, bench->alice, "reg.example/app:1");
    wait_until(&bench->registry, &bench->registry.n_done, 1);
    (void)ask(bench, bench->alice, "reg.example/app:1");
    wait_until(&bench->registry, &bench->registry.n_running, 1);
    struct bw_image_answer answer = ask(bench, bench->alice, "reg.example/app:1");
    assert_int_equal(BW_IMAGE_PENDING, answer.state);
    assert_string_equal("layer 2 of 5, 48 of 120 MB", answer.progress);
    assert_true(answer.estimate_s >= 1);
}

static void image_is_not_analysed_where_that_is_not_allowed(void **state)
{
    struct bench *bench = *state;
    struct bw_image_question question = question_of(bench, bench->alice, "reg.example/app:1");
    question.allow_analysis = false;
    struct bw_image_answer answer = wait_question(bench, &question);
    assert_int_equal(BW_IMAGE_FAILED, answer.state);
    assert_int_equal(BW_ENOTFOUND, answer.error.code);
    assert_string_equal("not_analyzed", answer.error.detail);
    assert_int_equal(0, counter(&bench->registry, &bench->registry.n_analyze));
}

/* An event loop must not take "not at hand" for "not analysed". */
static void slow_stores_are_looked_into_where_analysis_is_not_allowed(void **state)
{
    struct bench *bench = *state;
    struct bw_digest digest = digest_of(image_manifest);
    struct bw_image_question question =
        question_of(bench, bench->alice, by_digest(bench, "reg.example/app", image_manifest));
    question.allow_analysis = false;
    use_slow_store(bench);
    bench->slow->report = make_report(&digest, &(struct bw_needs){0}, 10);
    struct bw_image_answer answer = wait_question(bench, &question);
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_ptr_equal(bench->slow->report, answer.variants[0].report);
    assert_int_equal(0, counter(&bench->registry, &bench->registry.n_analyze));
    bw_image_answer_clear(&answer);
}

static void waiting_ends_with_its_deadline(void **state)
{
    struct bench *bench = *state;
    bench->registry.hold_analyze = true;
    struct bw_image_question question = question_of(bench, bench->alice, "reg.example/app:1");
    struct bw_image_answer answer = {0};
    struct bw_error err = {0};
    assert_int_equal(
        -1, bw_catalog_wait(&answer, catalog_of(bench), &question, &bench->arena, bw_deadline_in_ms(50), &err));
    assert_int_equal(BW_EDEADLINE, err.code);
}

static void *open_later(void *registry)
{
    (void)usleep(50000);
    open_gates(registry);
    return NULL;
}

static void end_drops_what_waits(void **state)
{
    struct bench *bench = *state;
    bench->options.analyses = 1;
    bench->registry.hold_analyze = true;
    for (int i = 0; i < 3; i++) {
        char *manifest = bw_arena_printf(&bench->arena, "%s%*s", image_manifest, i + 1, "");
        pthread_mutex_lock(&bench->registry.lock);
        bench->registry.manifests[0] = manifest;
        pthread_mutex_unlock(&bench->registry.lock);
        const char *text = bw_arena_printf(&bench->arena, "reg.example/app:%d", i);
        (void)ask(bench, bench->alice, text);
        wait_until(&bench->registry, &bench->registry.n_done, i + 1);
        (void)ask(bench, bench->alice, text);
    }
    wait_until(&bench->registry, &bench->registry.n_running, 1);
    int done = bench->registry.n_done;
    struct bw_catalog *catalog = bench->catalog;
    bench->catalog = NULL;
    pthread_t opener;
    assert_int_equal(0, pthread_create(&opener, NULL, open_later, &bench->registry));
    bw_catalog_destroy(catalog);
    assert_int_equal(0, pthread_join(opener, NULL));
    assert_int_equal(1, bench->registry.n_analyze);
    assert_int_equal(done, bench->registry.n_done);
}

static void *ask_many(void *payload)
{
    struct bench *bench = payload;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 64 * BW_MIB);
    for (int i = 0; i < 200; i++) {
        const char *text = bw_arena_printf(&arena, "reg%d.example/app:%d", i % 3, i % 5);
        struct bw_reference reference;
        struct bw_error err = {0};
        struct bw_image_answer answer = {0};
        assert_int_equal(0, bw_reference_parse(&reference, text, strlen(text), &arena, &err));
        struct bw_image_question question = {.source = i % 2 == 0 ? bench->alice : bench->bob,
                                             .reference = &reference,
                                             .allow_analysis = true,
                                             .allow_blocking_stores = i % 7 == 0};
        assert_int_equal(0,
                         bw_catalog_wait(&answer, bench->catalog, &question, &arena, bw_deadline_in_ms(20000), &err));
        assert_int_equal(BW_IMAGE_READY, answer.state);
        bw_image_answer_clear(&answer);
    }
    return NULL;
}

static void catalog_is_shared_between_threads(void **state)
{
    struct bench *bench = *state;
    use_slow_store(bench);
    pthread_t threads[4];
    (void)catalog_of(bench);
    for (size_t i = 0; i < BW_LENGTH(threads); i++) {
        assert_int_equal(0, pthread_create(&threads[i], NULL, ask_many, bench));
    }
    static const char *const patterns[] = {"A=a", "B=b", "C=c"};
    for (size_t i = 0; i < 3; i++) {
        struct bw_error err = {0};
        struct bw_needs needs = {.secret_patterns = patterns, .n_secret_patterns = i};
        assert_int_equal(0, bw_catalog_set_needs(bench->catalog, &needs, &err));
        (void)usleep(5000);
    }
    for (size_t i = 0; i < BW_LENGTH(threads); i++) {
        assert_int_equal(0, pthread_join(threads[i], NULL));
    }
    assert_true(counter(&bench->registry, &bench->registry.n_analyze) <= 9); /* hosts times needs */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unknown_image_is_pending_and_then_ready),
        TEST(known_tag_makes_no_request_within_its_life),
        TEST(known_digest_is_not_analysed_again_under_another_name),
        TEST(many_who_ask_share_one_job),
        TEST(identities_share_the_analysis_and_each_shows_its_right),
        TEST(identity_without_access_gets_no_answer_from_the_cache),
        TEST(right_to_one_repository_is_none_to_another),
        TEST(what_anonymous_was_shown_counts_for_everyone),
        TEST(right_is_shown_anew_by_one_small_request),
        TEST(refusal_is_remembered_for_who_was_refused),
        TEST(refusal_is_forgotten_after_its_time),
        TEST(fault_of_content_is_remembered_whoever_asks),
        TEST(blob_that_is_not_what_its_digest_says_is_tried_again),
        TEST(who_was_lent_anothers_analysis_tries_with_its_own_credentials),
        TEST(rate_limit_holds_for_the_host_until_its_time),
        TEST(outage_leaves_the_last_known_digest_in_force),
        TEST(outage_fails_where_old_answers_are_not_wanted),
        TEST(moved_tag_is_noticed_and_a_deleted_one_too),
        TEST(tag_beside_a_digest_counts_only_if_it_leads_there),
        TEST(tag_that_is_gone_does_not_keep_a_digest_from_its_answer),
        TEST(index_leads_to_the_images_of_the_platforms_asked_for),
        TEST(index_with_too_many_images_is_refused),
        TEST(faulty_manifest_fails_once_for_all),
        TEST(queue_has_an_end),
        TEST(one_host_gets_half_of_the_threads),
        TEST(larger_needs_make_a_new_analysis_and_smaller_ones_do_not),
        TEST(slow_store_is_asked_by_a_job_and_not_on_a_loop),
        TEST(failing_store_costs_no_answer),
        TEST(store_that_gives_another_images_report_is_not_believed),
        TEST(analyzer_that_gives_another_images_report_is_not_believed),
        TEST(report_too_large_for_memory_still_reaches_who_waits),
        TEST(pending_answer_says_how_far_it_is),
        TEST(image_is_not_analysed_where_that_is_not_allowed),
        TEST(slow_stores_are_looked_into_where_analysis_is_not_allowed),
        TEST(waiting_ends_with_its_deadline),
        TEST(end_drops_what_waits),
        TEST(catalog_is_shared_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
