/*
 * Who a request is made as. As in the kubelet, every credential that matches is tried until the registry takes one, and
 * a request is anonymous only where none matches. A token found stale is fetched anew once; a second 401 is a refusal.
 */
#include "image/registry/auth.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "image/registry/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CANDIDATES = 16, MAX_CHALLENGES = 8, MAX_FAULT_BYTES = 16 * 1024 };

/* ---- what the registry says of a fault */

/* {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "..."}]} as " (MANIFEST_UNKNOWN: ...)" */
static void read_fault(char *out, size_t size, const struct bw_answer *answer)
{
    char text[MAX_FAULT_BYTES];
    size_t len = 0;
    ssize_t got = 0;
    json_t *root = NULL;
    out[0] = '\0';
    while (len < sizeof(text) && (got = bw_http_read(answer->http, text + len, sizeof(text) - len, NULL)) > 0) {
        len += (size_t)got;
    }
    if (bw_json_parse(&root, text, len, sizeof(text), NULL) != 0) {
        return;
    }
    const json_t *first = json_array_get(json_object_get(root, "errors"), 0);
    const char *code = json_string_value(json_object_get(first, "code"));
    const char *message = json_string_value(json_object_get(first, "message"));
    if (code != NULL) {
        (void)snprintf(out, size, " (%.60s%s%.200s)", code, message == NULL ? "" : ": ",
                       message == NULL ? "" : message);
    }
    json_decref(root);
}

int bw_answer_fault(const struct bw_answer *answer, const char *registry, const char *repository, const char *what,
                    struct bw_error *err)
{
    char why[300];
    long status = bw_http_status(answer->http);
    read_fault(why, sizeof(why), answer);
    if (answer->elsewhere) {
        return bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable",
                               "%s: %s of %s: the storage it redirects to answered with status %ld", registry, what,
                               repository, status);
    }
    if (status == 404) {
        return bw_error_detail(err, BW_ENOTFOUND, "image_not_found", "%s: %s of %s does not exist%s", registry, what,
                               repository, why);
    }
    if (status == 401 || status == 403) {
        return bw_error_detail(err, BW_EDENIED, "unauthorized", "%s: %s of %s is refused%s", registry, what, repository,
                               why);
    }
    return bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable", "%s: %s of %s: answered with status %ld%s",
                           registry, what, repository, status, why);
}

/* ---- one credential */

enum outcome { TAKEN, REFUSED, FAILED };

/* Bearer before Basic; false when there is neither. */
static bool choose_challenge(struct bw_challenge *out, const struct bw_answer *answer, struct bw_arena *arena)
{
    struct bw_challenge all[MAX_CHALLENGES];
    size_t n = 0;
    const char *line = NULL;
    for (size_t i = 0; n < MAX_CHALLENGES && (line = bw_http_header(answer->http, "WWW-Authenticate", i)) != NULL;
         i++) {
        n += bw_challenge_parse(all + n, MAX_CHALLENGES - n, line, arena);
    }
    for (enum bw_challenge_scheme scheme = BW_CHALLENGE_BEARER; scheme > BW_CHALLENGE_OTHER; scheme--) {
        for (size_t i = 0; i < n; i++) {
            if (all[i].scheme == scheme) {
                *out = all[i];
                return true;
            }
        }
    }
    return false;
}

static char *registry_token_header(const char *token)
{
    size_t size = strlen("Authorization: Bearer ") + strlen(token) + 1;
    char *header = malloc(size);
    if (header == NULL) {
        abort();
    }
    (void)snprintf(header, size, "Authorization: Bearer %s", token);
    return header;
}

/* After a 401: a header that answers it. */
static enum outcome answer_challenge(char **header, const struct bw_answer *answer, struct bw_registry *registry,
                                     const struct bw_token_scope *scope, const struct bw_call *call,
                                     struct bw_error *err)
{
    struct bw_challenge challenge = {BW_CHALLENGE_OTHER, NULL, NULL};
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 4 * BW_MAX_HTTP_HEAD_BYTES);
    if (scope->credential != NULL && scope->credential->registry_token != NULL) {
        return REFUSED;
    }
    if (!choose_challenge(&challenge, answer, &arena)) {
        return REFUSED;
    }
    char *fresh = NULL;
    if (bw_tokens_answer(&fresh, registry, &challenge, scope, call, err) != 0) {
        return err->code == BW_EDENIED && strcmp(err->detail, "unauthorized") == 0 ? REFUSED : FAILED;
    }
    bw_secret_free(*header);
    *header = fresh;
    return TAKEN;
}

/* REFUSED leaves the registry's words in err; TAKEN an answer with status 200 or 206. */
static enum outcome try_candidate(struct bw_answer *out, struct bw_registry *registry,
                                  const struct bw_endpoint *endpoint, const struct bw_credential *credential,
                                  struct bw_call call, const char *what, long *status_out, struct bw_error *err)
{
    struct bw_token_scope scope = {endpoint->host, endpoint->repository, credential};
    bool given = credential != NULL && credential->registry_token != NULL;
    BW_SECRET_SCOPE header =
        given ? registry_token_header(credential->registry_token) : bw_tokens_find(registry->tokens, &scope);
    for (unsigned round = 0;; round++) {
        struct bw_answer answer = {.http = NULL};
        call.authorization = header;
        if (bw_call_send(&answer, registry, &call, err) != 0) {
            return FAILED;
        }
        long status = bw_http_status(answer.http);
        *status_out = status;
        if (status == 200 || status == 206) {
            *out = answer;
            return TAKEN;
        }
        (void)bw_answer_fault(&answer, endpoint->registry, endpoint->repository, what, err);
        enum outcome next = FAILED;
        if (!answer.elsewhere && (status == 401 || status == 403 || status == 404)) {
            next = REFUSED;
        }
        if (next == REFUSED && status == 401 && round == 0) {
            next = answer_challenge(&header, &answer, registry, &scope, &call, err);
        } else if (next == REFUSED && status == 401) {
            bw_tokens_forget(registry->tokens, &scope);
        }
        bw_answer_close(&answer);
        if (next != TAKEN) {
            return next;
        }
    }
}

/* ---- all of them */

static size_t last_accepted(struct bw_registry_source *source, const char *key)
{
    (void)pthread_mutex_lock(&source->lock);
    uintptr_t found = (uintptr_t)bw_map_get(source->accepted, key, strlen(key));
    (void)pthread_mutex_unlock(&source->lock);
    return found == 0 ? 0 : (size_t)found - 1;
}

static void remember_accepted(struct bw_registry_source *source, const char *key, size_t which)
{
    (void)pthread_mutex_lock(&source->lock);
    if (bw_map_count(source->accepted) >= BW_MAX_CREDENTIALS) {
        bw_map_destroy(source->accepted, NULL);
        source->accepted = bw_map_create();
    }
    (void)bw_map_put(source->accepted, key, strlen(key), (void *)(uintptr_t)(which + 1));
    (void)pthread_mutex_unlock(&source->lock);
}

/* Adds to a refusal whose rights were tried, by the keys of their entries. */
static int refuse(const struct bw_error *refusal, const struct bw_credential *const *tried, size_t n,
                  struct bw_error *err)
{
    BW_BUF_SCOPE keys;
    bw_buf_init(&keys, 400);
    for (size_t i = 0; i < n && i < 4; i++) {
        bw_buf_printf(&keys, "%s\"%.80s\"", i == 0 ? "" : ", ", tried[i]->key);
    }
    if (n == 0) {
        return bw_error_detail(err, refusal->code, refusal->detail, "%s; no credentials are given for it",
                               refusal->message);
    }
    return bw_error_detail(err, refusal->code, refusal->detail, "%s; tried with the credentials of %s%s",
                           refusal->message, keys.data, n > 4 ? " and others" : "");
}

int bw_auth_send(struct bw_answer *out, struct bw_registry_source *source, const struct bw_endpoint *endpoint,
                 const struct bw_call *call, const char *what, long *status_out, struct bw_error *err)
{
    const struct bw_credential *candidates[MAX_CANDIDATES] = {NULL};
    struct bw_reference place = {.registry = endpoint->registry, .repository = endpoint->repository};
    char key[600];
    struct bw_error local = {0}, refusal = {0};
    long ignored = 0;
    err = err == NULL ? &local : err;
    status_out = status_out == NULL ? &ignored : status_out;
    *status_out = 0;
    size_t n = bw_credentials_find(candidates, MAX_CANDIDATES, source->credentials, &place);
    size_t rounds = n == 0 ? 1 : n;
    (void)snprintf(key, sizeof(key), "%s/%s", endpoint->host, endpoint->repository);
    size_t first = last_accepted(source, key) % rounds;
    for (size_t i = 0; i < rounds; i++) {
        size_t which = (first + i) % rounds;
        long status = 0;
        switch (try_candidate(out, source->registry, endpoint, candidates[which], *call, what, &status, err)) {
        case TAKEN:
            *status_out = status;
            if (n > 1) {
                remember_accepted(source, key, which);
            }
            return 0;
        case FAILED:
            *status_out = status;
            return -1;
        case REFUSED:
            /* who was let in and told "not there" knows more than who was not let in */
            if (refusal.code != BW_ENOTFOUND) {
                refusal = *err;
                *status_out = status;
            }
            break;
        }
    }
    if (refusal.code == BW_EDENIED) {
        return refuse(&refusal, candidates, n, err);
    }
    *err = refusal;
    return -1;
}
