#ifndef BW_TESTS_UNIT_WEBHOOK_FAKES_H
#define BW_TESTS_UNIT_WEBHOOK_FAKES_H

#include "base/limits.h"
#include "webhook/admit.h"
#include "webhook/verdicts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A catalog that answers by the last part of the repository, a bundle of a few rules, and the services around them. An
 * image that the table does not name is pending under a job of its own.
 */
struct fake_image {
    const char *name;
    enum bw_image_state state;
    const char *dockerfile;        /* READY: what the rules look at */
    const char *second_dockerfile; /* READY: of a second platform, or NULL */
    const char *incomplete;        /* READY: a kind of data that the analysis lacks, or NULL */
    const char *previous;          /* READY: the version of a package "lib" that the image before has, or NULL */
    const char *package;           /* READY: the version of it that the image has, or NULL */
    unsigned files;                /* READY: many make the evaluation of the first platform too long for a loop */
    bool stale, tag_moved;
    enum bw_code code; /* FAILED */
    const char *detail;
    int retry_after_s;
    int estimate_s; /* PENDING */
    const char *progress;
};

struct fake_catalog {
    pthread_mutex_t lock;
    struct fake_image images[32];
    size_t n_images;
    unsigned asked;     /* questions in all */
    size_t n_platforms; /* of the last question */
    char platform[64];  /* first of the last question */
    uint64_t next_job;
};
static struct fake_catalog fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void fake_set(struct fake_image image)
{
    pthread_mutex_lock(&fake.lock);
    size_t i = 0;
    while (i < fake.n_images && strcmp(fake.images[i].name, image.name) != 0) {
        i++;
    }
    fake.images[i] = image;
    fake.n_images = i == fake.n_images ? i + 1 : fake.n_images;
    pthread_mutex_unlock(&fake.lock);
}

static inline struct bw_report *fake_report(const struct fake_image *image, const char *dockerfile)
{
    struct bw_error err = {0};
    struct bw_report *report = NULL;
    struct bw_report_builder *builder = bw_report_builder_create(BW_ARENA_REPORT);
    struct bw_report *head = bw_report_builder_head(builder);
    bw_digest_of(&head->digest, image->name, strlen(image->name));
    head->id = "0123";
    head->os = "linux";
    head->architecture = "amd64";
    head->source = "layers";
    head->analyzer = "test";
    head->dockerfile_mode = "Actual";
    head->dockerfile = bw_arena_strdup(bw_report_builder_arena(builder), dockerfile);
    int status = image->incomplete == NULL
                     ? 0
                     : bw_report_add_incomplete(builder, image->incomplete, "left out for the test", &err);
    if (status == 0 && image->package != NULL) {
        struct bw_package package = {.type = "gem", .name = "lib", .version = image->package, .size = -1};
        package.full_version = package.version;
        status = bw_report_add_package(builder, &package, &err);
    }
    for (unsigned i = 0; status == 0 && i < image->files; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "/f%06u", i);
        struct bw_report_file file = {.path = path, .type = BW_FILE_REGULAR, .mode = 0100644};
        status = bw_report_add_file(builder, &file, &err);
    }
    if (status != 0 || bw_report_builder_finish(&report, builder, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.message);
        abort();
    }
    bw_report_builder_destroy(builder);
    return report;
}

/* ---- what stands in for the catalog ---- */

int bw_catalog_ask(struct bw_image_answer *out, struct bw_catalog *catalog, const struct bw_image_question *question,
                   struct bw_arena *arena, struct bw_error *err)
{
    const char *slash = strrchr(question->reference->repository, '/');
    const char *name = slash == NULL ? question->reference->repository : slash + 1;
    struct bw_image_answer answer = {0};
    (void)catalog;
    (void)err;
    pthread_mutex_lock(&fake.lock);
    struct fake_image image = {.name = name, .state = BW_IMAGE_PENDING, .estimate_s = 6, .progress = ""};
    uint64_t job = 1000;
    for (size_t i = 0; i < fake.n_images; i++) {
        if (strcmp(fake.images[i].name, name) == 0) {
            image = fake.images[i];
            job = i + 1;
        }
    }
    fake.asked++;
    fake.n_platforms = question->n_platforms;
    if (question->n_platforms > 0) {
        (void)snprintf(fake.platform, sizeof(fake.platform), "%.30s/%.30s", question->platforms[0].os,
                       question->platforms[0].architecture);
    }
    pthread_mutex_unlock(&fake.lock);
    answer.state = image.state;
    answer.job = job;
    answer.estimate_s = image.estimate_s;
    answer.stale = image.stale;
    answer.tag_current = !image.tag_moved;
    (void)snprintf(answer.progress, sizeof(answer.progress), "%s", image.progress == NULL ? "" : image.progress);
    bw_digest_of(&answer.digest, name, strlen(name));
    if (image.state == BW_IMAGE_FAILED) {
        (void)bw_error_detail(&answer.error, image.code, image.detail, "what went wrong with %s", name);
        answer.error.retry_after_s = image.retry_after_s;
    }
    if (image.state == BW_IMAGE_READY) {
        const char *dockerfiles[] = {image.dockerfile, image.second_dockerfile};
        const char *architectures[] = {"amd64", "arm64"};
        answer.variants = bw_arena_array(arena, 2, sizeof(*answer.variants));
        for (size_t i = 0; i < 2 && dockerfiles[i] != NULL; i++) {
            image.files = i == 0 ? image.files : 0;
            struct bw_report *report = fake_report(&image, dockerfiles[i]);
            struct bw_image_variant *variant = &answer.variants[answer.n_variants++];
            *variant = (struct bw_image_variant){.platform = {"linux", architectures[i], ""}, .report = report};
            bw_digest_of(&variant->digest, dockerfiles[i], strlen(dockerfiles[i]));
            if (image.previous != NULL && question->previous) {
                struct fake_image before = {.name = image.previous, .package = image.previous};
                variant->previous = fake_report(&before, "");
            }
        }
    }
    *out = answer;
    return 0;
}

void bw_image_answer_clear(struct bw_image_answer *answer)
{
    for (size_t i = 0; i < answer->n_variants; i++) {
        bw_report_release(answer->variants[i].report);
        bw_report_release(answer->variants[i].previous);
    }
}

static inline bool is_digest_of(const struct bw_digest *digest, const char *text)
{
    struct bw_digest own = {.text = ""};
    if (text != NULL) {
        bw_digest_of(&own, text, strlen(text));
    }
    return bw_digest_equal(&own, digest);
}

struct bw_report *bw_catalog_find_report(struct bw_catalog *catalog, const struct bw_digest *digest,
                                         const struct bw_needs *needs)
{
    struct bw_report *found = NULL;
    (void)catalog;
    (void)needs;
    pthread_mutex_lock(&fake.lock);
    for (size_t i = 0; i < fake.n_images && found == NULL; i++) {
        const struct fake_image *image = &fake.images[i];
        const struct fake_image before = {.name = image->previous, .package = image->previous};
        if (is_digest_of(digest, image->dockerfile)) {
            found = fake_report(image, image->dockerfile);
        } else if (is_digest_of(digest, image->previous)) {
            found = fake_report(&before, "");
        }
    }
    pthread_mutex_unlock(&fake.lock);
    return found;
}

struct bw_catalog_counts bw_catalog_counts(struct bw_catalog *catalog)
{
    (void)catalog;
    return (struct bw_catalog_counts){.memory_hits = 7};
}

/* ---- the rest of the services ---- */

static const char fake_bundle[] =
    "{\"id\":\"prod\",\"name\":\"Production\",\"version\":\"1_0\",\"policies\":[{\"id\":\"p1\",\"name\":\"base\","
    "\"version\":\"1_0\",\"rules\":["
    "{\"id\":\"r-ssh\",\"gate\":\"dockerfile\",\"trigger\":\"exposed_ports\",\"action\":\"STOP\",\"comment\":"
    "\"No ssh in "
    "images\",\"params\":[{\"name\":\"ports\",\"value\":\"22\"},{\"name\":\"type\",\"value\":\"blacklist\"}]},"
    "{\"id\":\"r-http\",\"gate\":\"dockerfile\",\"trigger\":\"exposed_ports\",\"action\":\"WARN\",\"params\":[{"
    "\"name\":"
    "\"ports\",\"value\":\"8080\"},{\"name\":\"type\",\"value\":\"blacklist\"}]}]}],"
    "\"whitelists\":[],\"mappings\":[{\"id\":\"m1\",\"name\":\"all\",\"registry\":\"*\",\"repository\":\"*\",\"image\":"
    "{"
    "\"type\":\"tag\",\"value\":\"*\"},\"policy_ids\":[\"p1\"],\"whitelist_ids\":[]}],"
    "\"whitelisted_images\":[{\"id\":\"w1\",\"name\":\"good\",\"registry\":\"docker.io\",\"repository\":\"library/"
    "trusted\","
    "\"image\":{\"type\":\"tag\",\"value\":\"*\"}}],"
    "\"blacklisted_images\":[{\"id\":\"b1\",\"name\":\"bad\",\"registry\":\"docker.io\",\"repository\":\"library/"
    "banned\","
    "\"image\":{\"type\":\"tag\",\"value\":\"*\"}}]}";

struct fake_services {
    struct bw_slot config, bundles, source;
    struct bw_services services;
};

static inline void fake_source_destroy(struct bw_image_source *source)
{
    free(source);
}
static const struct bw_image_source_ops fake_source_ops = {.destroy = fake_source_destroy};

static inline void fake_configure(struct fake_services *services, const char *yaml)
{
    struct bw_problems problems;
    struct bw_config *config = NULL;
    struct bw_error err = {0};
    bw_problems_init(&problems);
    if (bw_config_load(&config, &problems, yaml, strlen(yaml), &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.message);
        abort();
    }
    bw_problems_clear(&problems);
    bw_slot_replace(&services->config, config);
}

/* NULL: no bundle at all. */
static inline void fake_load_bundle(struct fake_services *services, const char *text)
{
    struct bw_problems problems;
    struct bw_bundle *bundle = NULL;
    struct bw_error err = {0};
    if (text == NULL) {
        bw_slot_replace(&services->bundles, NULL);
        return;
    }
    const struct bw_bundle_options options = {.name = "prod", .default_patterns = true};
    bw_problems_init(&problems);
    if (bw_bundle_load(&bundle, &problems, text, strlen(text), &options, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.message);
        abort();
    }
    bw_problems_clear(&problems);
    const struct bw_bundle_item item = {.bundle = bundle, .origin = "file prod.json"};
    bw_slot_replace(&services->bundles, bw_bundle_set_create(&item, 1, NULL));
    bw_bundle_release(bundle);
}

static inline void fake_start(struct fake_services *services, const char *yaml,
                              void (*done)(void *payload, uint64_t ticket), void *payload)
{
    struct bw_error err = {0};
    struct bw_image_source *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        abort();
    }
    *source = (struct bw_image_source){.ops = &fake_source_ops, .references = 1};
    *services = (struct fake_services){0};
    bw_services_slots(&services->config, &services->bundles, &services->source);
    bw_slot_replace(&services->source, source);
    fake_configure(services, yaml);
    fake_load_bundle(services, fake_bundle);
    services->services =
        (struct bw_services){.config = &services->config, .bundles = &services->bundles, .source = &services->source};
    if (bw_verdicts_create(&services->services.verdicts, 0, done, payload, &err) != 0) {
        abort();
    }
    fake.n_images = 0;
    fake.asked = 0;
    fake_set((struct fake_image){.name = "clean", .state = BW_IMAGE_READY, .dockerfile = "FROM a\nEXPOSE 80\n"});
    fake_set((struct fake_image){.name = "ssh", .state = BW_IMAGE_READY, .dockerfile = "FROM a\nEXPOSE 22\n"});
    fake_set((struct fake_image){.name = "http", .state = BW_IMAGE_READY, .dockerfile = "FROM a\nEXPOSE 8080\n"});
    fake_set((struct fake_image){.name = "trusted", .state = BW_IMAGE_READY, .dockerfile = "FROM a\nEXPOSE 22\n"});
    fake_set((struct fake_image){.name = "banned", .state = BW_IMAGE_READY, .dockerfile = "FROM a\n"});
}

static inline void fake_stop(struct fake_services *services)
{
    bw_verdicts_destroy(services->services.verdicts);
    bw_slot_clear(&services->source);
    bw_slot_clear(&services->bundles);
    bw_slot_clear(&services->config);
}

#endif
