/*
 * Docker's token authentication: a 401 names a token server (realm); a GET with the scope, and Basic credentials if
 * there are any, brings a token; an identity token is exchanged by POST (OAuth 2.0 refresh_token grant). Tokens are
 * kept by registry, repository and credential until 80 % of their life.
 */
#include "image/registry/token.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_LIFE_S = 60, MAX_LIFE_S = 24 * 3600, MAX_KEPT = 4096 };

struct kept {
    char *header;
    int64_t until_ms;
};

struct bw_tokens {
    pthread_mutex_t lock;
    struct bw_map *kept;
};

void bw_secret_free(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

void bw_secret_clear(char *const *location)
{
    bw_secret_free(*location);
}

static void kept_free(void *value)
{
    struct kept *kept = value;
    if (kept != NULL) {
        bw_secret_free(kept->header);
        free(kept);
    }
}

struct bw_tokens *bw_tokens_create(void)
{
    struct bw_tokens *tokens = bw_memory_zeroed(1, sizeof(*tokens));
    (void)pthread_mutex_init(&tokens->lock, NULL);
    tokens->kept = bw_map_create();
    return tokens;
}

void bw_tokens_destroy(struct bw_tokens *tokens)
{
    if (tokens != NULL) {
        bw_map_destroy(tokens->kept, kept_free);
        (void)pthread_mutex_destroy(&tokens->lock);
        free(tokens);
    }
}

/* ---- what is kept */

struct scope_key {
    char text[2 * BW_MAX_REPOSITORY_BYTES + 512];
    size_t len;
};

static struct scope_key key_of(const struct bw_token_scope *scope)
{
    struct scope_key key = {.len = 0};
    char identity[65] = "";
    if (scope->credential != NULL) {
        bw_credential_identity(identity, scope->credential);
    }
    int n = snprintf(key.text, sizeof(key.text), "%s\n%s\n%s", scope->registry, scope->repository, identity);
    key.len = n < 0 || (size_t)n >= sizeof(key.text) ? sizeof(key.text) - 1 : (size_t)n;
    return key;
}

char *bw_tokens_find(struct bw_tokens *tokens, const struct bw_token_scope *scope)
{
    struct scope_key key = key_of(scope);
    char *header = NULL;
    (void)pthread_mutex_lock(&tokens->lock);
    const struct kept *kept = bw_map_get(tokens->kept, key.text, key.len);
    if (kept != NULL && kept->until_ms > bw_monotonic_ms()) {
        header = bw_memory_strndup(kept->header, strlen(kept->header));
    }
    (void)pthread_mutex_unlock(&tokens->lock);
    return header;
}

void bw_tokens_forget(struct bw_tokens *tokens, const struct bw_token_scope *scope)
{
    struct scope_key key = key_of(scope);
    (void)pthread_mutex_lock(&tokens->lock);
    kept_free(bw_map_remove(tokens->kept, key.text, key.len));
    (void)pthread_mutex_unlock(&tokens->lock);
}

static void keep(struct bw_tokens *tokens, const struct bw_token_scope *scope, const char *header, int64_t life_ms)
{
    struct scope_key key = key_of(scope);
    struct kept *kept = bw_memory_zeroed(1, sizeof(*kept));
    kept->header = bw_memory_strndup(header, strlen(header));
    kept->until_ms = bw_monotonic_ms() + life_ms;
    (void)pthread_mutex_lock(&tokens->lock);
    if (bw_map_count(tokens->kept) >= MAX_KEPT) {
        bw_map_destroy(tokens->kept, kept_free);
        tokens->kept = bw_map_create();
    }
    kept_free(bw_map_put(tokens->kept, key.text, key.len, kept));
    (void)pthread_mutex_unlock(&tokens->lock);
}

/* ---- asking for a token */

static void put_escaped(struct bw_buf *buf, const char *name, const char *value)
{
    static const char digits[] = "0123456789ABCDEF";
    bw_buf_puts(buf, name);
    for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                     strchr("-._~", *c) != NULL;
        char text[3] = {'%', digits[*c >> 4], digits[*c & 15]};
        bw_buf_append(buf, plain ? (const void *)c : text, plain ? 1 : sizeof(text));
    }
}

/* Wiped before it is given back. */
static void wipe_buf(struct bw_buf *buf)
{
    if (buf->data != NULL) {
        explicit_bzero(buf->data, buf->capacity);
    }
    bw_buf_clear(buf);
}

static char *basic_header(const struct bw_credential *credential)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MAX_SETTINGS_BYTES * 4);
    size_t size = strlen(credential->username) + strlen(credential->password) + 2;
    char *pair = bw_memory_zeroed(1, size);
    (void)snprintf(pair, size, "%s:%s", credential->username, credential->password);
    char *code = bw_base64_encode(pair, size - 1, &arena);
    bw_secret_free(pair);
    if (code == NULL) {
        return NULL;
    }
    size = strlen("Authorization: Basic ") + strlen(code) + 1;
    char *header = bw_memory_zeroed(1, size);
    (void)snprintf(header, size, "Authorization: Basic %s", code);
    explicit_bzero(code, strlen(code));
    return header;
}

/* In the answer's own words "token" or "access_token"; visible ASCII alone may go into a header. */
static int read_token(char **header_out, int64_t *life_s_out, const char *text, size_t len, struct bw_error *err)
{
    json_t *root = NULL;
    struct bw_error hidden = {0};
    if (bw_json_parse(&root, text, len, BW_MAX_TOKEN_BYTES, &hidden) != 0) {
        return bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable", "its answer is not JSON");
    }
    const char *token = json_string_value(json_object_get(root, "token"));
    if (token == NULL || token[0] == '\0') {
        token = json_string_value(json_object_get(root, "access_token"));
    }
    const json_t *expires = json_object_get(root, "expires_in");
    int64_t life = json_is_integer(expires) ? json_integer_value(expires) : DEFAULT_LIFE_S;
    bool good = token != NULL && token[0] != '\0';
    for (const char *c = token; good && *c != '\0'; c++) {
        good = *c > ' ' && *c < 0x7f;
    }
    if (good) {
        size_t size = strlen("Authorization: Bearer ") + strlen(token) + 1;
        char *header = bw_memory_zeroed(1, size);
        (void)snprintf(header, size, "Authorization: Bearer %s", token);
        *header_out = header;
        *life_s_out = life < 0 ? 0 : life > MAX_LIFE_S ? MAX_LIFE_S : life;
    }
    json_decref(root);
    return good ? 0 : bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable", "its answer holds no token");
}

static int ask(char **header_out, int64_t *life_s_out, long *status_out, struct bw_registry *registry,
               const struct bw_call *call, struct bw_error *err)
{
    struct bw_answer answer = {.http = NULL};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 2 * BW_MAX_TOKEN_BYTES);
    if (bw_call_send(&answer, registry, call, err) != 0) {
        return -1;
    }
    long status = bw_http_status(answer.http);
    int result = 0;
    *status_out = status;
    if (status == 200) {
        char *text = NULL;
        size_t len = 0;
        result = bw_http_read_all(&text, &len, answer.http, &arena, err);
        if (result == 0) {
            result = read_token(header_out, life_s_out, text, len, err);
            explicit_bzero(text, len);
        }
    }
    bw_answer_close(&answer);
    return result;
}

static void put_scope(struct bw_buf *buf, char first, const struct bw_challenge *challenge,
                      const struct bw_token_scope *scope)
{
    bw_buf_append(buf, &first, first == '\0' ? 0 : 1);
    if (challenge->service != NULL) {
        put_escaped(buf, "service=", challenge->service);
        bw_buf_puts(buf, "&");
    }
    put_escaped(buf, "scope=", "repository:");
    put_escaped(buf, "", scope->repository);
    put_escaped(buf, "", ":pull");
}

/* The refresh_token grant; *status_out 404 or 405 where the server only knows GET. */
static int exchange(char **header_out, int64_t *life_s_out, long *status_out, struct bw_registry *registry,
                    const struct bw_challenge *challenge, const struct bw_token_scope *scope, struct bw_call call,
                    struct bw_error *err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    struct bw_buf body;
    bw_buf_init(&body, 4 * BW_MAX_SETTINGS_BYTES);
    bw_buf_puts(&body, "grant_type=refresh_token&client_id=breakwater&");
    put_scope(&body, '\0', challenge, scope);
    put_escaped(&body, "&refresh_token=", scope->credential->identity_token);
    int status = bw_buf_check(&body, "identity token", err);
    if (status == 0) {
        call.method = "POST";
        call.url = challenge->realm;
        call.body = body.data;
        call.headers = headers;
        status = ask(header_out, life_s_out, status_out, registry, &call, err);
    }
    wipe_buf(&body);
    return status;
}

static int get_token(char **header_out, int64_t *life_s_out, long *status_out, struct bw_registry *registry,
                     const struct bw_challenge *challenge, const struct bw_token_scope *scope, struct bw_call call,
                     struct bw_error *err)
{
    const struct bw_credential *credential = scope->credential;
    bool has_password = credential != NULL && credential->username != NULL && credential->password != NULL;
    BW_SECRET_SCOPE basic = has_password ? basic_header(credential) : NULL;
    BW_BUF_SCOPE url;
    bw_buf_init(&url, 16 * BW_KIB);
    bw_buf_puts(&url, challenge->realm);
    put_scope(&url, strchr(challenge->realm, '?') == NULL ? '?' : '&', challenge, scope);
    if (has_password) {
        put_escaped(&url, "&account=", credential->username);
    }
    if (bw_buf_check(&url, "token server", err) != 0) {
        return -1;
    }
    call.method = "GET";
    call.url = url.data;
    call.authorization = basic;
    return ask(header_out, life_s_out, status_out, registry, &call, err);
}

static int refused(const struct bw_token_scope *scope, const char *why, struct bw_error *err)
{
    return bw_error_detail(err, BW_EDENIED, "unauthorized", "%s/%s: %s", scope->registry, scope->repository, why);
}

static int answer_bearer(char **header_out, struct bw_registry *registry, const struct bw_challenge *challenge,
                         const struct bw_token_scope *scope, const struct bw_call *from, struct bw_error *err)
{
    struct bw_http_url realm;
    if (challenge->realm == NULL || bw_http_url_parse(&realm, challenge->realm, err) != 0) {
        return bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable",
                               "%s: asks for a token, but names no token server", scope->registry);
    }
    struct bw_call call = {.max_bytes = BW_MAX_TOKEN_BYTES,
                           .trusted = from->trusted,
                           .plain_http = from->plain_http,
                           .deadline = from->deadline};
    char *header = NULL;
    int64_t life_s = 0;
    long status = 405;
    int result = 0;
    if (scope->credential != NULL && scope->credential->identity_token != NULL) {
        result = exchange(&header, &life_s, &status, registry, challenge, scope, call, err);
    }
    if (result == 0 && (status == 404 || status == 405)) {
        result = get_token(&header, &life_s, &status, registry, challenge, scope, call, err);
    }
    if (result != 0) {
        return bw_error_wrap(err, "token server of %s", scope->registry);
    }
    if (status >= 400 && status <= 403) {
        return refused(scope, "its token server refuses", err);
    }
    if (header == NULL) {
        return bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable",
                               "token server of %s: %s answered with status %ld", scope->registry, realm.host, status);
    }
    keep(registry->tokens, scope, header, life_s * 800);
    *header_out = header;
    return 0;
}

int bw_tokens_answer(char **header_out, struct bw_registry *registry, const struct bw_challenge *challenge,
                     const struct bw_token_scope *scope, const struct bw_call *call, struct bw_error *err)
{
    const struct bw_credential *credential = scope->credential;
    if (challenge->scheme == BW_CHALLENGE_BEARER) {
        return answer_bearer(header_out, registry, challenge, scope, call, err);
    }
    if (challenge->scheme != BW_CHALLENGE_BASIC) {
        return refused(scope, "asks for a kind of authentication that is neither Bearer nor Basic", err);
    }
    if (credential == NULL || credential->username == NULL || credential->password == NULL) {
        return refused(scope, "asks for a user name and password", err);
    }
    char *header = basic_header(credential);
    if (header == NULL) {
        return bw_arena_spent(err);
    }
    keep(registry->tokens, scope, header, MAX_LIFE_S * 1000LL);
    *header_out = header;
    return 0;
}
