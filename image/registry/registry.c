/*
 * The OCI distribution protocol as a source of images: tags and manifests here, blobs in blob.c. What is asked for by
 * digest may come from a mirror, since the digest proves it; tags are the registry's own affair.
 */
#include "image/registry/registry.h"

#include "base/limits.h"
#include "base/memory.h"
#include "image/registry/auth.h"
#include "image/registry/blob.h"
#include "image/registry/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_CONNECTIONS = 6, DEFAULT_TRIES = 4, DEFAULT_RETRY_MS = 250, MAX_MIRRORS = 7 };

/* ---- endpoints */

static int spent(struct bw_error *err)
{
    return bw_arena_spent(err);
}

static int origin_endpoint(struct bw_endpoint *out, const struct bw_registry *registry,
                           const struct bw_reference *reference, struct bw_arena *arena, struct bw_error *err)
{
    bool hub = strcmp(reference->registry, "docker.io") == 0;
    struct bw_endpoint made = {
        .registry = reference->registry,
        .host = hub ? "registry-1.docker.io" : reference->registry,
        .repository = reference->repository,
        .query = "",
        .settings = bw_registry_find_host(registry, reference->registry),
    };
    made.plain_http = made.settings != NULL && made.settings->plain_http;
    made.base = bw_arena_printf(arena, "%s://%s/v2/", made.plain_http ? "http" : "https", made.host);
    if (made.base == NULL) {
        return spent(err);
    }
    *out = made;
    return 0;
}

/* "https://mirror.example/hub": docker.io/library/nginx is its hub/library/nginx. */
static int mirror_endpoint(struct bw_endpoint *out, const struct bw_registry *registry, const char *mirror,
                           const struct bw_reference *reference, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_http_url url;
    if (bw_http_url_parse(&url, mirror, err) != 0) {
        return -1;
    }
    const char *after = strstr(mirror, "://");
    const char *path = after == NULL ? NULL : strchr(after + 3, '/');
    struct bw_str prefix = bw_str_from(path);
    if (bw_str_starts_with(prefix, "/v2") && (prefix.len == 3 || prefix.base[3] == '/')) {
        prefix = (struct bw_str){prefix.base + 3, prefix.len - 3};
    }
    while (prefix.len > 0 && prefix.base[0] == '/') {
        prefix = (struct bw_str){prefix.base + 1, prefix.len - 1};
    }
    while (prefix.len > 0 && prefix.base[prefix.len - 1] == '/') {
        prefix.len--;
    }
    bool standard = url.port == (strcmp(url.scheme, "https") == 0 ? 443U : 80U);
    struct bw_endpoint made = {
        .host = standard ? bw_arena_strdup(arena, url.host) : bw_arena_printf(arena, "%s:%u", url.host, url.port),
        .repository = bw_arena_printf(arena, "%.*s%s%s", (int)prefix.len, prefix.len == 0 ? "" : prefix.base,
                                      prefix.len == 0 ? "" : "/", reference->repository),
        .query = bw_arena_printf(arena, "?ns=%s", reference->registry),
        .plain_http = strcmp(url.scheme, "http") == 0,
    };
    if (made.host == NULL || made.repository == NULL || made.query == NULL) {
        return spent(err);
    }
    made.registry = made.host;
    made.settings = bw_registry_find_host(registry, made.host);
    made.base = bw_arena_printf(arena, "%s://%s/v2/", url.scheme, made.host);
    if (made.base == NULL) {
        return spent(err);
    }
    *out = made;
    return 0;
}

/* The mirrors first where the digest is known, the registry last. */
static int find_endpoints(struct bw_endpoint out[MAX_MIRRORS + 1], size_t *n_out, const struct bw_registry *registry,
                          const struct bw_reference *reference, bool by_digest, struct bw_arena *arena,
                          struct bw_error *err)
{
    const struct bw_registry_host *settings = bw_registry_find_host(registry, reference->registry);
    size_t n = 0;
    for (size_t i = 0;
         by_digest && settings != NULL && settings->mirrors != NULL && settings->mirrors[i] != NULL && n < MAX_MIRRORS;
         i++) {
        if (mirror_endpoint(&out[n++], registry, settings->mirrors[i], reference, arena, err) != 0) {
            return -1;
        }
    }
    if (origin_endpoint(&out[n++], registry, reference, arena, err) != 0) {
        return -1;
    }
    *n_out = n;
    return 0;
}

/* ---- manifests */

struct wanted {
    const struct bw_digest *digest; /* NULL: by tag */
    const char *name;               /* digest or tag, as the path has it */
    char what[BW_DIGEST_TEXT_MAX + BW_MAX_TAG_BYTES];
};

static struct wanted wanted_of(const struct bw_reference *reference, const struct bw_digest *digest)
{
    struct wanted wanted = {.digest = digest};
    if (digest == NULL && reference->tag == NULL) {
        wanted.digest = &reference->digest;
    }
    wanted.name = wanted.digest != NULL ? wanted.digest->text : reference->tag;
    (void)snprintf(wanted.what, sizeof(wanted.what), "%s %s", wanted.digest != NULL ? "manifest" : "tag", wanted.name);
    return wanted;
}

static int ask_manifest(struct bw_answer *out, struct bw_registry_source *source, const struct bw_endpoint *endpoint,
                        const char *method, const struct wanted *wanted, unsigned tries, struct bw_deadline deadline,
                        long *status_out, struct bw_error *err)
{
    char url[BW_MAX_REFERENCE_BYTES];
    (void)snprintf(url, sizeof(url), "%s%s/manifests/%s%s", endpoint->base, endpoint->repository, wanted->name,
                   endpoint->query);
    struct bw_call call = {
        .method = method,
        .url = url,
        .slot = endpoint->host,
        .headers = bw_manifest_accept,
        .max_bytes = BW_MAX_MANIFEST_BYTES,
        .trusted = endpoint->settings,
        .plain_http = endpoint->plain_http,
        .tries = tries,
        .deadline = deadline,
    };
    return bw_auth_send(out, source, endpoint, &call, wanted->what, status_out, err);
}

/* The bytes against what was asked for and against what the registry says they are. */
static int check_digest(struct bw_digest *out, const struct bw_answer *answer, const struct wanted *wanted,
                        const char *bytes, size_t len, struct bw_error *err)
{
    const char *told = bw_http_header(answer->http, "Docker-Content-Digest", 0);
    struct bw_digest header = {{0}};
    bool has_header = told != NULL && bw_digest_parse(&header, told, strlen(told), NULL) == 0;
    struct bw_digest expected[2] = {{{0}}, {{0}}}, actual = {{0}};
    size_t n = 0;
    if (wanted->digest != NULL) {
        expected[n++] = *wanted->digest;
    }
    if (has_header) {
        expected[n++] = header;
    }
    bw_digest_of(&actual, bytes, len);
    for (size_t i = 0; i < n; i++) {
        struct bw_digest same_kind = {{0}};
        memcpy(same_kind.text, expected[i].text, 7);
        bw_hash_hex(same_kind.text + 7, bw_digest_kind(&expected[i]), bytes, len);
        if (!bw_digest_equal(&same_kind, &expected[i])) {
            return bw_error_detail(err, BW_EINPUT, "manifest_digest_mismatch",
                                   i == 0 && wanted->digest != NULL
                                       ? "%s: the bytes that came have digest %s, not %s"
                                       : "%s: the bytes that came have digest %s, the registry says %s",
                                   wanted->what, same_kind.text, expected[i].text);
        }
    }
    *out = n > 0 ? expected[0] : actual;
    return 0;
}

/* One answer from one endpoint, whole. */
static int read_manifest(struct bw_manifest_bytes *out, struct bw_registry_source *source,
                         const struct bw_endpoint *endpoint, const struct wanted *wanted, unsigned tries,
                         struct bw_arena *arena, struct bw_deadline deadline, struct bw_error *err)
{
    struct bw_answer answer = {.http = NULL};
    struct bw_manifest_bytes made = {0};
    char *bytes = NULL;
    if (ask_manifest(&answer, source, endpoint, "GET", wanted, tries, deadline, NULL, err) != 0) {
        return -1;
    }
    int status = bw_http_read_all(&bytes, &made.len, answer.http, arena, err);
    if (status == 0) {
        made.bytes = bytes;
        status = check_digest(&made.digest, &answer, wanted, bytes, made.len, err);
    } else if (err->code == BW_ELIMIT) {
        (void)bw_error_detail(err, BW_ELIMIT, "manifest_too_large", "%s: %s is larger than %llu bytes",
                              endpoint->registry, wanted->what, (unsigned long long)BW_MAX_MANIFEST_BYTES);
    }
    const char *type = bw_http_header(answer.http, "Content-Type", 0);
    if (status == 0 && type != NULL && (made.content_type = bw_arena_strdup(arena, type)) == NULL) {
        status = spent(err);
    }
    bw_answer_close(&answer);
    if (status == 0) {
        *out = made;
    }
    return status;
}

/* A body that was cut is asked for again; a mirror that fails is passed over. */
static int fetch_manifest(struct bw_manifest_bytes *out, struct bw_registry_source *source,
                          const struct bw_reference *reference, const struct wanted *wanted, struct bw_arena *arena,
                          struct bw_deadline deadline, struct bw_error *err)
{
    struct bw_endpoint endpoints[MAX_MIRRORS + 1];
    size_t n = 0, at = 0;
    if (find_endpoints(endpoints, &n, source->registry, reference, wanted->digest != NULL, arena, err) != 0) {
        return -1;
    }
    for (; at + 1 < n; at++) {
        if (read_manifest(out, source, &endpoints[at], wanted, 1, arena, deadline, err) == 0) {
            return 0;
        }
    }
    for (unsigned made = 1;; made++) {
        if (read_manifest(out, source, &endpoints[at], wanted, 0, arena, deadline, err) == 0) {
            return 0;
        }
        if (strcmp(err->detail, "short_body") != 0 || made >= source->registry->tries ||
            bw_registry_pause(source->registry, made - 1, -1, deadline) != 0) {
            return -1;
        }
    }
}

/* What other rooms compare has few words. */
static int settle(int status, struct bw_error *err)
{
    if (status != 0 && err->code == BW_EUNAVAILABLE) {
        (void)snprintf(err->detail, sizeof(err->detail), "registry_unavailable");
    }
    return status;
}

static struct bw_registry_source *source_of(struct bw_image_source *source)
{
    return (struct bw_registry_source *)source;
}

static int registry_manifest(struct bw_manifest_bytes *out, struct bw_image_source *source,
                             const struct bw_reference *reference, const struct bw_digest *digest,
                             struct bw_arena *arena, struct bw_deadline deadline, struct bw_error *err)
{
    struct bw_error local = {0};
    struct wanted wanted = wanted_of(reference, digest);
    err = err == NULL ? &local : err;
    return settle(fetch_manifest(out, source_of(source), reference, &wanted, arena, deadline, err), err);
}

/* HEAD, which counts against no pull limit; where it does not tell, GET. */
static int resolve(struct bw_digest *out, struct bw_registry_source *source, const struct bw_reference *reference,
                   struct bw_deadline deadline, struct bw_error *err)
{
    struct bw_answer answer = {.http = NULL};
    struct bw_endpoint endpoint;
    struct bw_manifest_bytes whole = {0};
    struct wanted wanted = wanted_of(reference, NULL);
    long status = 0;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 4 * BW_MAX_MANIFEST_BYTES);
    if (origin_endpoint(&endpoint, source->registry, reference, &arena, err) != 0) {
        return -1;
    }
    if (ask_manifest(&answer, source, &endpoint, "HEAD", &wanted, 0, deadline, &status, err) == 0) {
        const char *told = bw_http_header(answer.http, "Docker-Content-Digest", 0);
        struct bw_digest digest = {{0}};
        bool good = told != NULL && bw_digest_parse(&digest, told, strlen(told), NULL) == 0 &&
                    (wanted.digest == NULL || bw_digest_equal(&digest, wanted.digest));
        bw_answer_close(&answer);
        if (good) {
            *out = digest;
            return 0;
        }
    } else if (status != 404 && status != 405) {
        return -1;
    }
    if (fetch_manifest(&whole, source, reference, &wanted, &arena, deadline, err) != 0) {
        return -1;
    }
    *out = whole.digest;
    return 0;
}

static int registry_resolve(struct bw_digest *out, struct bw_image_source *source, const struct bw_reference *reference,
                            struct bw_deadline deadline, struct bw_error *err)
{
    struct bw_error local = {0};
    err = err == NULL ? &local : err;
    return settle(resolve(out, source_of(source), reference, deadline, err), err);
}

static int registry_open_blob(struct bw_blob_reader **out, struct bw_image_source *source,
                              const struct bw_reference *reference, const struct bw_descriptor *blob,
                              struct bw_deadline deadline, struct bw_error *err)
{
    struct bw_endpoint endpoints[MAX_MIRRORS + 1];
    struct bw_error local = {0};
    size_t n = 0;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 256 * BW_KIB);
    err = err == NULL ? &local : err;
    if (find_endpoints(endpoints, &n, source_of(source)->registry, reference, true, &arena, err) != 0) {
        return -1;
    }
    return settle(bw_registry_blob_open(out, source_of(source), endpoints, n, blob, deadline, err), err);
}

static void registry_source_destroy(struct bw_image_source *base)
{
    struct bw_registry_source *source = source_of(base);
    bw_credentials_destroy(source->credentials);
    bw_map_destroy(source->accepted, NULL);
    (void)pthread_mutex_destroy(&source->lock);
    bw_image_source_release(source->origin);
    free(source);
}

static const struct bw_image_source_ops registry_ops = {
    .resolve = registry_resolve,
    .manifest = registry_manifest,
    .open_blob = registry_open_blob,
    .destroy = registry_source_destroy,
};

/* Takes the credentials. */
static struct bw_registry_source *make_source(struct bw_registry *registry, struct bw_credentials *credentials)
{
    struct bw_registry_source *source = bw_memory_zeroed(1, sizeof(*source));
    source->base.ops = &registry_ops;
    source->base.references = 1;
    source->registry = registry;
    source->credentials = credentials;
    source->accepted = bw_map_create();
    (void)pthread_mutex_init(&source->lock, NULL);
    bw_credentials_identity(source->base.identity, source->credentials);
    return source;
}

int bw_registry_source(struct bw_image_source **out, struct bw_registry *registry,
                       const struct bw_credentials *credentials, struct bw_error *err)
{
    (void)err;
    *out = &make_source(registry, bw_credentials_join(credentials, NULL))->base;
    return 0;
}

struct bw_image_source *bw_registry_source_with(struct bw_image_source *source, const struct bw_credentials *first)
{
    struct bw_registry_source *from = source_of(source);
    struct bw_registry_source *made = make_source(from->registry, bw_credentials_join(first, from->credentials));
    made->origin = bw_image_source_retain(source);
    return &made->base;
}

/* ---- the registry itself */

static int copy_text(const char **out, const char *text, struct bw_arena *arena)
{
    *out = text == NULL ? NULL : bw_arena_strdup(arena, text);
    return text != NULL && *out == NULL ? -1 : 0;
}

static int copy_host(struct bw_registry_host *out, const struct bw_registry_host *from, struct bw_arena *arena,
                     struct bw_error *err)
{
    size_t n = 0;
    *out = *from;
    while (from->mirrors != NULL && from->mirrors[n] != NULL) {
        n++;
    }
    const char **mirrors = bw_arena_array(arena, n + 1, sizeof(*mirrors));
    if (mirrors == NULL || copy_text(&out->host, from->host, arena) != 0 ||
        copy_text(&out->ca_file, from->ca_file, arena) != 0) {
        return spent(err);
    }
    for (size_t i = 0; i < n; i++) {
        struct bw_http_url url;
        if (bw_http_url_parse(&url, from->mirrors[i], err) != 0) {
            return bw_error_wrap(err, "mirror of %s", from->host);
        }
        if (copy_text(&mirrors[i], from->mirrors[i], arena) != 0) {
            return spent(err);
        }
    }
    out->mirrors = mirrors;
    return 0;
}

int bw_registry_create(struct bw_registry **out, struct bw_http_client *http, const struct bw_registry_options *options,
                       struct bw_error *err)
{
    pthread_condattr_t clock;
    struct bw_registry *registry = bw_memory_zeroed(1, sizeof(*registry));
    bw_arena_init(&registry->arena, 16 * BW_MIB);
    registry->http = http;
    registry->max_connections =
        options->max_connections_per_host == 0 ? DEFAULT_CONNECTIONS : options->max_connections_per_host;
    registry->tries = options->retries == 0 ? DEFAULT_TRIES : options->retries;
    registry->retry_base_ms = options->retry_base_ms == 0 ? DEFAULT_RETRY_MS : options->retry_base_ms;
    registry->tokens = bw_tokens_create();
    registry->slots = bw_map_create();
    (void)pthread_mutex_init(&registry->lock, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&registry->freed, &clock);
    (void)pthread_condattr_destroy(&clock);
    registry->hosts = bw_arena_array(&registry->arena, options->n_hosts + 1, sizeof(*registry->hosts));
    int status = registry->hosts == NULL ? spent(err) : 0;
    for (; status == 0 && registry->n_hosts < options->n_hosts; registry->n_hosts++) {
        status =
            copy_host(&registry->hosts[registry->n_hosts], &options->hosts[registry->n_hosts], &registry->arena, err);
    }
    if (status != 0) {
        bw_registry_destroy(registry);
        return -1;
    }
    *out = registry;
    return 0;
}

void bw_registry_destroy(struct bw_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    bw_tokens_destroy(registry->tokens);
    bw_map_destroy(registry->slots, free);
    (void)pthread_cond_destroy(&registry->freed);
    (void)pthread_mutex_destroy(&registry->lock);
    bw_arena_clear(&registry->arena);
    free(registry);
}
