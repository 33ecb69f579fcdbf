/*
 * Who we are to an API server (k8s/identity.h). In a cluster the kubelet renews token and CA in their files: they are
 * read again every minute and when the server says 401, as Kubernetes asks of its clients; a kubeconfig's tokenFile
 * likewise. What a program gave counts until it expires or the server says 401.
 */
#include "k8s/identity.h"

#include "base/arena.h"
#include "base/http.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "k8s/exec_credential.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_AGAIN_MS = 60000, MAX_NAMESPACE = 63 };

struct bw_kube_identity {
    struct bw_kube_place place;
    struct bw_arena arena;
    struct bw_kubeconfig config;      /* outside a cluster; else nothing of it */
    const char *token_path, *ca_path; /* files that are read again; NULL: none */
    pthread_mutex_t lock;             /* of all that follows */
    bool read;
    struct bw_kube_credentials current;
    int64_t read_ms, expires_s;
};

void bw_kube_credentials_clear(struct bw_kube_credentials *credentials)
{
    bw_memory_wipe_text(credentials->authorization);
    bw_memory_wipe_text(credentials->key);
    free(credentials->ca);
    free(credentials->certificate);
    *credentials = (struct bw_kube_credentials){0};
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : bw_memory_strndup(text, strlen(text));
}

/* ---- what is shown ---- */

static char *header_line(const char *scheme, struct bw_str value)
{
    size_t size = strlen("Authorization:  ") + strlen(scheme) + value.len + 1;
    char *line = bw_memory_zeroed(1, size);
    (void)snprintf(line, size, "Authorization: %s %.*s", scheme, (int)value.len, value.base);
    return line;
}

/* NULL for what is no token: one word. */
static char *bearer_line(struct bw_str text)
{
    struct bw_str token = bw_str_trim(text);
    bool fine = token.len > 0 && token.len <= BW_MAX_TOKEN_BYTES;
    for (size_t i = 0; fine && i < token.len; i++) {
        fine = token.base[i] > ' ' && token.base[i] < 0x7f;
    }
    return fine ? header_line("Bearer", token) : NULL;
}

static int read_token(char **out, const char *path, struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (bw_file_read(&text, &len, path, BW_MAX_TOKEN_BYTES, err) != 0) {
        return bw_error_wrap(err, "token");
    }
    char *line = bearer_line((struct bw_str){text, len});
    explicit_bzero(text, len);
    free(text);
    if (line == NULL) {
        return bw_error_set(err, BW_EINPUT, "token file %s holds no token: one word is expected", path);
    }
    *out = line;
    return 0;
}

static int basic_line(char **out, const struct bw_kubeconfig *config, struct bw_error *err)
{
    const char *password = config->password == NULL ? "" : config->password;
    size_t len = strlen(config->username) + 1 + strlen(password);
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 4 * (len + BW_KIB));
    char *pair = bw_arena_printf(&arena, "%s:%s", config->username, password);
    char *encoded = pair == NULL ? NULL : bw_base64_encode(pair, len, &arena);
    if (encoded == NULL) {
        return bw_arena_spent(err);
    }
    *out = header_line("Basic", bw_str_from(encoded));
    explicit_bzero(pair, len);
    explicit_bzero(encoded, strlen(encoded));
    return 0;
}

static int run_exec(struct bw_kube_credentials *made, int64_t *expires_s, const struct bw_kubeconfig *config,
                    struct bw_deadline deadline, struct bw_error *err)
{
    struct bw_exec_credential given = {0};
    if (bw_exec_credential_run(&given, config, deadline, err) != 0) {
        return -1;
    }
    *expires_s = given.expires_s;
    if (given.certificate != NULL) {
        free(made->certificate);
        bw_memory_wipe_text(made->key);
        made->certificate = copy(given.certificate);
        made->key = copy(given.key);
    }
    bool fine = true;
    if (given.token != NULL) {
        made->authorization = bearer_line(bw_str_from(given.token));
        fine = made->authorization != NULL;
    }
    bw_exec_credential_clear(&given);
    return fine ? 0
                : bw_error_set(err, BW_EUNAVAILABLE, "exec: %.200s: status.token: one word is expected",
                               config->exec->command);
}

static int read_ca(char **out, const struct bw_kube_identity *identity, struct bw_error *err)
{
    size_t len = 0;
    if (identity->ca_path == NULL) {
        *out = copy(identity->config.ca);
        return 0;
    }
    if (bw_file_read(out, &len, identity->ca_path, BW_MAX_TRUST_BYTES, err) != 0) {
        return bw_error_wrap(err, "CA");
    }
    return strstr(*out, "-----BEGIN CERTIFICATE-----") != NULL
               ? 0
               : bw_error_set(err, BW_EINPUT, "CA file %s holds no PEM certificate", identity->ca_path);
}

static int read_credentials(struct bw_kube_credentials *out, int64_t *expires_out,
                            const struct bw_kube_identity *identity, struct bw_deadline deadline, struct bw_error *err)
{
    const struct bw_kubeconfig *config = &identity->config;
    struct bw_kube_credentials made = {.certificate = copy(config->certificate), .key = copy(config->key)};
    int64_t expires_s = INT64_MAX;
    int status = 0;
    if (identity->token_path != NULL) {
        status = read_token(&made.authorization, identity->token_path, err);
    } else if (config->token != NULL) {
        made.authorization = bearer_line(bw_str_from(config->token));
        status = made.authorization != NULL
                     ? 0
                     : bw_error_set(err, BW_EINPUT,
                                    "token: the user of context \"%.100s\" has none: one word is "
                                    "expected",
                                    config->context);
    } else if (config->username != NULL) {
        status = basic_line(&made.authorization, config, err);
    } else if (config->exec != NULL) {
        status = run_exec(&made, &expires_s, config, deadline, err);
    }
    if (status != 0 || read_ca(&made.ca, identity, err) != 0) {
        bw_kube_credentials_clear(&made);
        return -1;
    }
    *out = made;
    *expires_out = expires_s;
    return 0;
}

static bool is_due(const struct bw_kube_identity *identity)
{
    bool files = identity->token_path != NULL || identity->ca_path != NULL;
    return !identity->read || (files && bw_monotonic_ms() - identity->read_ms >= READ_AGAIN_MS) ||
           bw_wall_s() >= identity->expires_s;
}

/* Files that cannot be read for a moment leave what was read before. */
int bw_kube_identity_take(struct bw_kube_credentials *out, struct bw_kube_identity *identity, bool anew,
                          struct bw_deadline deadline, struct bw_error *err)
{
    int status = 0;
    *out = (struct bw_kube_credentials){0};
    if (identity->place.plain_http) {
        return 0; /* nothing is shown where everybody can read it */
    }
    (void)pthread_mutex_lock(&identity->lock);
    if (anew || is_due(identity)) {
        struct bw_kube_credentials fresh = {0};
        int64_t expires_s = INT64_MAX;
        status = read_credentials(&fresh, &expires_s, identity, deadline, err);
        if (status == 0) {
            bw_kube_credentials_clear(&identity->current);
            identity->current = fresh;
            identity->read = true;
            identity->read_ms = bw_monotonic_ms();
            identity->expires_s = expires_s;
        } else if (identity->read && identity->token_path != NULL) {
            status = 0;
        }
    }
    if (status == 0) {
        out->authorization = copy(identity->current.authorization);
        out->ca = copy(identity->current.ca);
        out->certificate = copy(identity->current.certificate);
        out->key = copy(identity->current.key);
    }
    (void)pthread_mutex_unlock(&identity->lock);
    return status;
}

/* ---- construction ---- */

static struct bw_kube_identity *identity_new(size_t budget)
{
    struct bw_kube_identity *identity = bw_memory_zeroed(1, sizeof(*identity));
    bw_arena_init(&identity->arena, budget);
    (void)pthread_mutex_init(&identity->lock, NULL);
    return identity;
}

void bw_kube_identity_destroy(struct bw_kube_identity *identity)
{
    if (identity == NULL) {
        return;
    }
    bw_kube_credentials_clear(&identity->current);
    (void)pthread_mutex_destroy(&identity->lock);
    bw_arena_clear(&identity->arena);
    free(identity);
}

const struct bw_kube_place *bw_kube_identity_place(const struct bw_kube_identity *identity)
{
    return &identity->place;
}

/* KUBERNETES_SERVICE_HOST is an address; one of IPv6 has no brackets. */
static int server_address(const char **out, struct bw_arena *arena, struct bw_error *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    struct bw_http_url parsed;
    char url[320];
    if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0') {
        return bw_error_set(err, BW_ENOTFOUND,
                            "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
    }
    bool brackets = strchr(host, ':') != NULL && host[0] != '[';
    int n = snprintf(url, sizeof(url), "https://%s%s%s:%s", brackets ? "[" : "", host, brackets ? "]" : "", port);
    if (n < 0 || (size_t)n >= sizeof(url) || bw_http_url_parse(&parsed, url, NULL) != 0) {
        return bw_error_set(err, BW_EINPUT,
                            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no address and port");
    }
    *out = bw_arena_strdup(arena, url);
    return *out == NULL ? bw_arena_spent(err) : 0;
}

static const char *account_namespace(const char *folder, struct bw_arena *arena)
{
    char *path = bw_arena_printf(arena, "%s/namespace", folder), *text = NULL;
    size_t len = 0;
    const char *made = "default";
    if (path != NULL && bw_file_read(&text, &len, path, BW_KIB, NULL) == 0) {
        struct bw_str name = bw_str_trim((struct bw_str){text, len});
        if (name.len > 0 && name.len <= MAX_NAMESPACE) {
            made = bw_arena_strndup(arena, name.base, name.len);
        }
        free(text);
    }
    return made;
}

/* What can be told before the first call, is. */
static int finish(struct bw_kube_identity **out, struct bw_kube_identity *identity, struct bw_error *err)
{
    struct bw_kube_credentials probe = {0};
    if (bw_kube_identity_take(&probe, identity, true, (struct bw_deadline){INT64_MAX}, err) != 0) {
        bw_kube_identity_destroy(identity);
        return -1;
    }
    bw_kube_credentials_clear(&probe);
    *out = identity;
    return 0;
}

int bw_kube_identity_of_account(struct bw_kube_identity **out, const char *folder, struct bw_error *err)
{
    struct bw_kube_identity *identity = identity_new(64 * BW_KIB);
    struct bw_arena *arena = &identity->arena;
    identity->place.renews = true;
    identity->place.namespace = account_namespace(folder, arena);
    identity->token_path = bw_arena_printf(arena, "%s/token", folder);
    identity->ca_path = bw_arena_printf(arena, "%s/ca.crt", folder);
    int status = identity->place.namespace == NULL || identity->token_path == NULL || identity->ca_path == NULL
                     ? bw_arena_spent(err)
                     : server_address(&identity->place.server, arena, err);
    if (status != 0) {
        bw_kube_identity_destroy(identity);
        return -1;
    }
    return finish(out, identity, err);
}

int bw_kube_identity_of_kubeconfig(struct bw_kube_identity **out, const char *path, const char *context,
                                   struct bw_error *err)
{
    static const char socks[] = "socks5://";
    struct bw_kube_identity *identity = identity_new(BW_ARENA_KUBECONFIG);
    struct bw_kubeconfig *config = &identity->config;
    struct bw_kube_place *place = &identity->place;
    if (bw_kubeconfig_load(config, path, context, &identity->arena, err) != 0) {
        bw_kube_identity_destroy(identity);
        return -1;
    }
    place->server = config->server;
    place->server_name = config->server_name;
    place->namespace = config->namespace;
    place->insecure_skip_verify = config->insecure_skip_verify;
    place->plain_http = strncmp(config->server, "http:", 5) == 0;
    place->renews = config->token_file != NULL || (config->exec != NULL && config->token == NULL);
    place->proxy = config->proxy;
    if (config->proxy != NULL && strncmp(config->proxy, socks, sizeof(socks) - 1) == 0) {
        /* the proxy resolves the server's name, as kubectl has it do */
        place->proxy = bw_arena_printf(&identity->arena, "socks5h://%s", config->proxy + sizeof(socks) - 1);
        if (place->proxy == NULL) {
            bw_kube_identity_destroy(identity);
            return bw_arena_spent(err);
        }
    }
    identity->token_path = config->token_file;
    return finish(out, identity, err);
}
