/* What the catalog remembers of tags: the image before, across restarts, for each platform. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/unit/catalog/fakes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

/* ---- histories ---- */

/* Letters stand for digests. */
static struct bw_tag_history history_of(const char *letters, int64_t seen_ms)
{
    struct bw_tag_history history = {.n_digests = strlen(letters), .seen_ms = seen_ms};
    for (size_t i = 0; i < history.n_digests; i++) {
        history.digests[i] = digest_of((char[]){letters[i], '\0'});
    }
    return history;
}

static void a_history_is_what_was_seen_last_first(void **state)
{
    (void)state;
    static const struct {
        const char *history;
        char seen;
        int64_t at_ms; /* the first of the history was seen at 100 */
        const char *then;
        char before; /* or 0 */
    } rows[] = {
        {"", 'a', 1, "a", 0},          {"a", 'a', 200, "a", 0},
        {"a", 'b', 200, "ba", 'a'},    {"ba", 'c', 200, "cba", 'b'},
        {"cba", 'd', 200, "dcb", 'c'}, {"ba", 'a', 200, "ab", 'b'},
        {"cba", 'a', 200, "acb", 'c'}, {"cba", 'b', 200, "bca", 'c'},
        {"cba", 'b', 50, "cba", 'a'}, /* told before the tag moved */
        {"cba", 'a', 50, "cba", 0},    {"ba", 'b', 50, "ba", 'a'},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_tag_history history = history_of(rows[i].history, 100), then = history_of(rows[i].then, 0);
        struct bw_digest seen = digest_of((char[]){rows[i].seen, '\0'});
        bool lacks = bw_tag_history_lacks(&history, &seen, rows[i].at_ms);
        assert_int_equal(strcmp(rows[i].history, rows[i].then) != 0, lacks);
        bw_tag_history_note(&history, &seen, rows[i].at_ms);
        assert_int_equal(then.n_digests, history.n_digests);
        for (size_t j = 0; j < then.n_digests; j++) {
            assert_string_equal(then.digests[j].text, history.digests[j].text);
        }
        const struct bw_digest *before = bw_tag_history_before(&history, &seen);
        struct bw_digest wanted = digest_of((char[]){rows[i].before, '\0'});
        assert_int_equal(rows[i].before != 0, before != NULL);
        if (before != NULL) {
            assert_string_equal(wanted.text, before->text);
        }
    }
}

static void tags_used_longest_ago_are_forgotten(void **state)
{
    (void)state;
    struct bw_lru tags;
    char key[32];
    struct bw_tag_history history = history_of("a", 1);
    bw_tags_init(&tags);
    for (int i = 0; i <= BW_MAX_TAGS; i++) {
        (void)snprintf(key, sizeof(key), "app:%d", i);
        (void)bw_tags_put(&tags, key, &history);
        assert_non_null(bw_tags_find(&tags, "app:0"));
    }
    assert_null(bw_tags_find(&tags, "app:1"));
    assert_non_null(bw_tags_find(&tags, "app:2"));
    bw_lru_clear(&tags);
}

/* ---- a catalog over a registry of one repository ---- */

struct registry {
    pthread_mutex_t lock;
    const char *tagged;       /* the manifest that the tags lead to */
    const char *manifests[8]; /* all that there are */
    bool refuses;             /* everybody but alice */
    atomic_int n_analyze;
};

struct fake_source {
    struct bw_image_source base;
    struct registry *registry;
};

static int fake_resolve(struct bw_digest *out, struct bw_image_source *base, const struct bw_reference *reference,
                        struct bw_deadline deadline, struct bw_error *err)
{
    struct registry *registry = ((struct fake_source *)base)->registry;
    (void)deadline;
    pthread_mutex_lock(&registry->lock);
    bool refused = registry->refuses && strcmp(base->identity, "alice") != 0;
    *out = reference->tag != NULL ? digest_of(registry->tagged) : reference->digest;
    pthread_mutex_unlock(&registry->lock);
    return refused ? bw_error_detail(err, BW_EDENIED, "unauthorized", "not for you") : 0;
}

static int fake_manifest(struct bw_manifest_bytes *out, struct bw_image_source *base,
                         const struct bw_reference *reference, const struct bw_digest *digest, struct bw_arena *arena,
                         struct bw_deadline deadline, struct bw_error *err)
{
    const struct registry *registry = ((struct fake_source *)base)->registry;
    (void)reference;
    (void)arena;
    (void)deadline;
    for (size_t i = 0; i < BW_LENGTH(registry->manifests) && registry->manifests[i] != NULL; i++) {
        struct bw_digest own = digest_of(registry->manifests[i]);
        if (bw_digest_equal(&own, digest)) {
            *out = (struct bw_manifest_bytes){registry->manifests[i], strlen(registry->manifests[i]), NULL, own};
            return 0;
        }
    }
    return bw_error_detail(err, BW_ENOTFOUND, "image_not_found", "no such manifest");
}

static void fake_destroy(struct bw_image_source *source)
{
    free(source);
}

static const struct bw_image_source_ops fake_ops = {
    .resolve = fake_resolve, .manifest = fake_manifest, .destroy = fake_destroy};

static int fake_analyze(struct bw_report **out, struct bw_image_source *source, const struct bw_reference *reference,
                        const struct bw_digest *digest, const struct bw_analyzer_options *options,
                        struct bw_deadline deadline, struct bw_error *err)
{
    (void)reference;
    (void)deadline;
    (void)err;
    atomic_fetch_add(&((struct fake_source *)source)->registry->n_analyze, 1);
    *out = make_report(digest, &options->needs, 10);
    return 0;
}

#define CONFIG(digit)                                                                                                  \
    "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":"                               \
    "\"sha256:000000000000000000000000000000000000000000000000000000000000000" digit "\",\"size\":2}"
#define IMAGE(digit)                                                                                                   \
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\"," CONFIG(digit) ",\"layers\":[" \
                                                                                                       "]}"
static const char image_a[] = IMAGE("a"), image_b[] = IMAGE("b"), image_c[] = IMAGE("c");

struct bench {
    struct registry registry;
    char folder[64];
    struct bw_catalog *catalog;
    struct bw_image_source *alice, *bob;
    struct bw_arena arena;
};

static struct bw_image_source *make_source(struct bench *bench, const char *identity)
{
    struct fake_source *source = bw_memory_zeroed(1, sizeof(*source));
    source->base.ops = &fake_ops;
    source->base.references = 1;
    (void)snprintf(source->base.identity, sizeof(source->base.identity), "%s", identity);
    source->registry = &bench->registry;
    return &source->base;
}

static void open_catalog(struct bench *bench)
{
    struct bw_store *stores[2] = {NULL};
    struct bw_error err = {0};
    bool recovered = false;
    const struct bw_catalog_options options = {.analyses = 2,
                                               .tag_stale_ms = 3600000,
                                               .negative_ttl_ms = 600000,
                                               .auth_ttl_ms = 600000,
                                               .analyze = fake_analyze};
    assert_int_equal(0, bw_store_memory_create(&stores[0], 1 << 20, &err));
    assert_int_equal(0, bw_store_sqlite_create(&stores[1], bench->folder, 1 << 22, &recovered, &err));
    assert_int_equal(0, bw_catalog_create(&bench->catalog, stores, 2, &options, &err));
    assert_int_equal(0, bw_catalog_set_needs(bench->catalog, &(struct bw_needs){.previous = true}, &err));
}

static void restart(struct bench *bench)
{
    bw_catalog_destroy(bench->catalog);
    open_catalog(bench);
}

static int begin(void **state)
{
    struct bench *bench = bw_memory_zeroed(1, sizeof(*bench));
    pthread_mutex_init(&bench->registry.lock, NULL);
    bench->registry.manifests[0] = image_a;
    bench->registry.manifests[1] = image_b;
    bench->registry.manifests[2] = image_c;
    bw_arena_init(&bench->arena, 64 * BW_MIB);
    (void)snprintf(bench->folder, sizeof(bench->folder), "breakwater-tags-XXXXXX");
    bench->alice = make_source(bench, "alice");
    bench->bob = make_source(bench, "bob");
    *state = bench;
    if (mkdtemp(bench->folder) == NULL) {
        return -1;
    }
    open_catalog(bench);
    return 0;
}

static int end(void **state)
{
    struct bench *bench = *state;
    bw_catalog_destroy(bench->catalog);
    bw_image_source_release(bench->alice);
    bw_image_source_release(bench->bob);
    bw_arena_clear(&bench->arena);
    DIR *dir = opendir(bench->folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
    int status = rmdir(bench->folder);
    pthread_mutex_destroy(&bench->registry.lock);
    free(bench);
    return status;
}

/* Sightings are told apart by the millisecond. */
static void move_tag(struct bench *bench, const char *manifest)
{
    (void)usleep(2000);
    pthread_mutex_lock(&bench->registry.lock);
    bench->registry.tagged = manifest;
    pthread_mutex_unlock(&bench->registry.lock);
    (void)usleep(2000);
}

static struct bw_image_answer ask(struct bench *bench, struct bw_image_source *source, const char *text, bool previous)
{
    struct bw_reference reference = {0};
    struct bw_image_answer answer = {0};
    struct bw_error err = {0};
    assert_int_equal(0, bw_reference_parse(&reference, text, strlen(text), &bench->arena, &err));
    const struct bw_image_question question = {
        .source = source, .reference = &reference, .previous = previous, .allow_analysis = true};
    int status = bw_catalog_wait(&answer, bench->catalog, &question, &bench->arena, bw_deadline_in_ms(10000), &err);
    assert_string_equal("", err.message);
    assert_int_equal(0, status);
    return answer;
}

/* Asked with a wish for it. manifest NULL: there is none. */
static void expect_previous(struct bench *bench, struct bw_image_source *source, const char *text, const char *manifest)
{
    struct bw_image_answer answer = ask(bench, source, text, true);
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_int_equal(1, answer.n_variants);
    const struct bw_report *previous = answer.variants[0].previous;
    struct bw_digest wanted = digest_of(manifest == NULL ? "" : manifest);
    assert_string_equal(manifest == NULL ? "none" : wanted.text, previous == NULL ? "none" : previous->digest.text);
    bw_image_answer_clear(&answer);
}

static const char *with_digest(struct bench *bench, const char *name, const char *manifest)
{
    struct bw_digest digest = digest_of(manifest);
    return bw_arena_printf(&bench->arena, "%s@%s", name, digest.text);
}

static void the_image_before_is_handed_out_for_the_same_tag(void **state)
{
    struct bench *bench = *state;
    move_tag(bench, image_a);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    move_tag(bench, image_b);
    expect_previous(bench, bench->alice, "reg.example/app:1", image_a);
    expect_previous(bench, bench->alice, "reg.example/app:1", image_a);
    expect_previous(bench, bench->alice, "reg.example/app:2", NULL);
    expect_previous(bench, bench->alice, "reg.example/other:1", NULL);
    move_tag(bench, image_c);
    expect_previous(bench, bench->alice, "reg.example/app:1", image_b);
    move_tag(bench, image_b); /* rolled back */
    expect_previous(bench, bench->alice, "reg.example/app:1", image_c);
    assert_int_equal(3, atomic_load(&bench->registry.n_analyze));
}

static void who_does_not_ask_for_it_gets_and_leaves_nothing(void **state)
{
    struct bench *bench = *state;
    move_tag(bench, image_a);
    struct bw_image_answer answer = ask(bench, bench->alice, "reg.example/app:1", false);
    bw_image_answer_clear(&answer);
    move_tag(bench, image_b);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    move_tag(bench, image_c);
    answer = ask(bench, bench->alice, "reg.example/app:1", false);
    assert_int_equal(BW_IMAGE_READY, answer.state);
    assert_null(answer.variants[0].previous);
    bw_image_answer_clear(&answer);
    struct bw_error err = {0};
    assert_int_equal(0, bw_catalog_set_needs(bench->catalog, &(struct bw_needs){0}, &err));
    move_tag(bench, image_a);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    assert_int_equal(0, bw_catalog_set_needs(bench->catalog, &(struct bw_needs){.previous = true}, &err));
    expect_previous(bench, bench->alice, "reg.example/app:1", image_b);
}

static void what_a_tag_led_to_is_known_after_a_restart(void **state)
{
    struct bench *bench = *state;
    move_tag(bench, image_a);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    restart(bench);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    restart(bench);
    move_tag(bench, image_b);
    expect_previous(bench, bench->alice, "reg.example/app:1", image_a);
    restart(bench);
    expect_previous(bench, bench->alice, "reg.example/app:1", image_a);
    move_tag(bench, image_c);
    expect_previous(bench, bench->alice, "reg.example/app:1", image_b);
    assert_int_equal(3, atomic_load(&bench->registry.n_analyze));
}

static void a_report_that_no_store_has_is_not_made_again(void **state)
{
    struct bench *bench = *state;
    sqlite3 *db = NULL;
    char path[128];
    move_tag(bench, image_a);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    move_tag(bench, image_b);
    expect_previous(bench, bench->alice, "reg.example/app:1", image_a);
    bw_catalog_destroy(bench->catalog);
    (void)snprintf(path, sizeof(path), "%s/reports.db", bench->folder);
    struct bw_digest digest = digest_of(image_a);
    char *statement = sqlite3_mprintf("DELETE FROM reports WHERE key LIKE '%q%%'", digest.text);
    assert_int_equal(SQLITE_OK, sqlite3_open(path, &db));
    assert_int_equal(SQLITE_OK, sqlite3_exec(db, statement, NULL, NULL, NULL));
    assert_int_equal(1, sqlite3_changes(db));
    assert_int_equal(SQLITE_OK, sqlite3_close(db));
    sqlite3_free(statement);
    open_catalog(bench);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    assert_int_equal(2, atomic_load(&bench->registry.n_analyze));
}

static void a_tag_that_does_not_count_has_no_image_before(void **state)
{
    struct bench *bench = *state;
    move_tag(bench, image_a);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    move_tag(bench, image_b);
    expect_previous(bench, bench->alice, with_digest(bench, "reg.example/app:1", image_c), NULL);
    expect_previous(bench, bench->alice, with_digest(bench, "reg.example/app", image_b), NULL);
    expect_previous(bench, bench->alice, with_digest(bench, "reg.example/app:1", image_b), image_a);
    expect_previous(bench, bench->alice, "reg.example/app:1", image_a);
}

static void the_image_before_is_for_who_may_see_the_present_one(void **state)
{
    struct bench *bench = *state;
    move_tag(bench, image_a);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    move_tag(bench, image_b);
    bench->registry.refuses = true;
    expect_previous(bench, bench->alice, "reg.example/app:1", image_a);
    struct bw_image_answer answer = ask(bench, bench->bob, "reg.example/app:1", true);
    assert_int_equal(BW_IMAGE_FAILED, answer.state);
    assert_string_equal("unauthorized", answer.error.detail);
    assert_int_equal(0, answer.n_variants);
    bench->registry.refuses = false;
    restart(bench);
    expect_previous(bench, bench->bob, "reg.example/app:1", image_a);
}

static const char *index_of(struct bench *bench, const char *amd64, const char *arm64)
{
    struct bw_digest digests[] = {digest_of(amd64), digest_of(arm64)};
    return bw_arena_printf(
        &bench->arena,
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":["
        "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,\"platform\":"
        "{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
        "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,\"platform\":"
        "{\"os\":\"linux\",\"architecture\":\"arm64\"}}]}",
        digests[0].text, strlen(amd64), digests[1].text, strlen(arm64));
}

static void each_platform_of_an_index_has_its_own(void **state)
{
    struct bench *bench = *state;
    const char *first = index_of(bench, image_a, image_b), *second = index_of(bench, image_c, image_b);
    bench->registry.manifests[3] = first;
    bench->registry.manifests[4] = second;
    move_tag(bench, first);
    struct bw_image_answer answer = ask(bench, bench->alice, "reg.example/app:1", true);
    assert_int_equal(2, answer.n_variants);
    assert_null(answer.variants[0].previous);
    assert_null(answer.variants[1].previous);
    bw_image_answer_clear(&answer);
    move_tag(bench, second);
    answer = ask(bench, bench->alice, "reg.example/app:1", true);
    struct bw_digest wanted = digest_of(image_a);
    assert_int_equal(2, answer.n_variants);
    assert_string_equal("amd64", answer.variants[0].platform.architecture);
    assert_non_null(answer.variants[0].previous);
    assert_string_equal(wanted.text, answer.variants[0].previous->digest.text);
    assert_null(answer.variants[1].previous); /* the same image as before */
    bw_image_answer_clear(&answer);
    move_tag(bench, image_b); /* a single image takes the place of its platform's */
    expect_previous(bench, bench->alice, "reg.example/app:1", image_c);
}

static void a_broken_row_is_none(void **state)
{
    struct bench *bench = *state;
    sqlite3 *db = NULL;
    char path[128];
    move_tag(bench, image_a);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    bw_catalog_destroy(bench->catalog);
    (void)snprintf(path, sizeof(path), "%s/reports.db", bench->folder);
    assert_int_equal(SQLITE_OK, sqlite3_open(path, &db));
    assert_int_equal(SQLITE_OK, sqlite3_exec(db, "UPDATE tags SET now = 'sha256:xyz'", NULL, NULL, NULL));
    assert_int_equal(1, sqlite3_changes(db));
    assert_int_equal(SQLITE_OK, sqlite3_close(db));
    open_catalog(bench);
    move_tag(bench, image_b);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    move_tag(bench, image_c);
    expect_previous(bench, bench->alice, "reg.example/app:1", image_b);
}

static void the_file_holds_the_tags_used_lately(void **state)
{
    struct bench *bench = *state;
    sqlite3 *db = NULL;
    sqlite3_stmt *count = NULL;
    char path[128], fill[256];
    bw_catalog_destroy(bench->catalog);
    open_catalog(bench); /* makes the file */
    (void)snprintf(path, sizeof(path), "%s/reports.db", bench->folder);
    (void)snprintf(fill, sizeof(fill),
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                   "INSERT INTO tags SELECT 'app:' || i, '', '', '', i FROM n",
                   BW_MAX_TAGS + 5);
    assert_int_equal(SQLITE_OK, sqlite3_open(path, &db));
    assert_int_equal(SQLITE_OK, sqlite3_exec(db, fill, NULL, NULL, NULL));
    move_tag(bench, image_a);
    expect_previous(bench, bench->alice, "reg.example/app:1", NULL);
    bw_catalog_destroy(bench->catalog);
    bench->catalog = NULL;
    assert_int_equal(SQLITE_OK, sqlite3_prepare_v2(db, "SELECT count(*), min(used_at) FROM tags", -1, &count, NULL));
    assert_int_equal(SQLITE_ROW, sqlite3_step(count));
    assert_int_equal(BW_MAX_TAGS, sqlite3_column_int(count, 0));
    assert_int_equal(7, sqlite3_column_int(count, 1)); /* six were the oldest */
    assert_int_equal(SQLITE_OK, sqlite3_finalize(count));
    assert_int_equal(SQLITE_OK, sqlite3_close(db));
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_is_what_was_seen_last_first),
        cmocka_unit_test(tags_used_longest_ago_are_forgotten),
        WITH_BENCH(the_image_before_is_handed_out_for_the_same_tag),
        WITH_BENCH(who_does_not_ask_for_it_gets_and_leaves_nothing),
        WITH_BENCH(what_a_tag_led_to_is_known_after_a_restart),
        WITH_BENCH(a_report_that_no_store_has_is_not_made_again),
        WITH_BENCH(a_tag_that_does_not_count_has_no_image_before),
        WITH_BENCH(the_image_before_is_for_who_may_see_the_present_one),
        WITH_BENCH(each_platform_of_an_index_has_its_own),
        WITH_BENCH(a_broken_row_is_none),
        WITH_BENCH(the_file_holds_the_tags_used_lately),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
