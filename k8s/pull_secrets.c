/* Pull secrets of a pod (k8s/pull_secrets.h), as Kubernetes documents them for imagePullSecrets and ServiceAccounts. */
#include "k8s/pull_secrets.h"

#include "base/str.h"

#include <string.h>

enum { SECRET_AGE_MS = 60000, ACCOUNT_AGE_MS = 60000, MAX_NAME = 253, MAX_NOTE = 400 };

static const struct {
    const char *type, *key;
} types[] = {
    {"kubernetes.io/dockerconfigjson", ".dockerconfigjson"},
    {"kubernetes.io/dockercfg", ".dockercfg"},
};

struct gathering {
    struct bw_pull_secrets *out;
    struct bw_kube_lookup *lookup;
    const struct bw_pull_secrets_question *question;
    struct bw_arena *arena;
    bool spent;
};

/* A DNS subdomain (RFC 1123), as names of Secrets, ServiceAccounts and Namespaces are: nothing that a path would read
 * otherwise. */
static bool is_name(const char *text)
{
    size_t len = text == NULL ? 0 : strnlen(text, MAX_NAME + 1);
    if (len == 0 || len > MAX_NAME) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool inner = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!inner && (i == 0 || i + 1 == len || (c != '-' && c != '.') || (c == '.' && text[i - 1] == '.'))) {
            return false;
        }
    }
    return true;
}

static void note(struct gathering *at, const char *text)
{
    const char *before = at->out->note;
    if (text == NULL || (before != NULL && strlen(before) > MAX_NOTE)) {
        at->spent = at->spent || text == NULL;
        return;
    }
    at->out->note = before == NULL ? text : bw_arena_printf(at->arena, "%s; %s", before, text);
    at->spent = at->spent || at->out->note == NULL;
}

/* One object of the pod's namespace; NULL when it is not there (noted) or not there yet. */
static json_t *fetch(struct gathering *at, const char *collection, const char *name, const char *what, int64_t age_ms,
                     const char **path_out)
{
    const struct bw_pull_secrets_question *question = at->question;
    json_t *object = NULL;
    uint64_t ticket = 0;
    struct bw_error err = {0};
    const char *path = bw_arena_printf(at->arena, "/api/v1/namespaces/%s/%s/%s", question->namespace, collection, name);
    if (path == NULL) {
        at->spent = true;
        return NULL;
    }
    *path_out = path;
    switch (bw_kube_lookup_ask(&object, &ticket, at->lookup, path, age_ms, question->since_ms, &err)) {
    case BW_LOOKUP_READY:
        return object;
    case BW_LOOKUP_PENDING:
        at->out->pending = true;
        at->out->ticket = ticket;
        return NULL;
    case BW_LOOKUP_ABSENT:
        note(at, bw_arena_printf(at->arena, "namespace %s has no %s", question->namespace, what));
        return NULL;
    case BW_LOOKUP_FAILED:
        break;
    }
    note(at, err.code == BW_EDENIED
                 ? bw_arena_printf(at->arena, "breakwater may not read %s in namespace %s", what, question->namespace)
                 : bw_arena_printf(at->arena, "%s in namespace %s could not be read", what, question->namespace));
    return NULL;
}

/* data[key], decoded; NULL when there is none or it is no base64. */
static char *decode(const json_t *secret, const char *key, size_t *len, struct bw_arena *arena)
{
    const json_t *value = json_object_get(json_object_get(secret, "data"), key);
    char *text = NULL;
    if (!json_is_string(value) ||
        bw_base64_decode(&text, len, json_string_value(value), json_string_length(value), arena, NULL) != 0) {
        return NULL;
    }
    return text;
}

static void take_secret(struct gathering *at, const char *name)
{
    const char *path = NULL;
    const char *what = is_name(name) ? bw_arena_printf(at->arena, "secret %s, named in imagePullSecrets", name)
                                     : "secret of the name written in imagePullSecrets";
    if (what == NULL) {
        at->spent = true;
        return;
    }
    if (!is_name(name)) {
        note(at, bw_arena_printf(at->arena, "namespace %s has no %s", at->question->namespace, what));
        return;
    }
    json_t *secret = fetch(at, "secrets", name, what, SECRET_AGE_MS, &path);
    if (secret == NULL) {
        return;
    }
    const char *type = json_string_value(json_object_get(secret, "type"));
    char *text = NULL;
    size_t len = 0;
    for (size_t i = 0; i < BW_LENGTH(types); i++) {
        if (type != NULL && strcmp(type, types[i].type) == 0) {
            text = decode(secret, types[i].key, &len, at->arena);
        }
    }
    json_decref(secret);
    if (text == NULL) {
        note(at, bw_arena_printf(at->arena, "%s, holds no registry credentials", what));
        return;
    }
    at->out->secrets[at->out->n_secrets++] = (struct bw_pull_secret){.path = path, .text = text, .len = len};
}

static void take_account(struct gathering *at)
{
    const char *name = at->question->service_account, *path = NULL;
    name = name[0] == '\0' ? "default" : name;
    const char *what = is_name(name) ? bw_arena_printf(at->arena, "ServiceAccount %s", name) : NULL;
    json_t *account = what == NULL ? NULL : fetch(at, "serviceaccounts", name, what, ACCOUNT_AGE_MS, &path);
    const json_t *list = json_object_get(account, "imagePullSecrets");
    for (size_t i = 0; i < json_array_size(list) && i < BW_MAX_PULL_SECRETS; i++) {
        const char *secret = json_string_value(json_object_get(json_array_get(list, i), "name"));
        if (secret != NULL && !at->out->pending) {
            take_secret(at, secret);
        }
    }
    json_decref(account);
}

int bw_pull_secrets_ask(struct bw_pull_secrets *out, struct bw_kube_lookup *lookup,
                        const struct bw_pull_secrets_question *question, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_pull_secrets made = {0};
    struct gathering at = {.out = &made, .lookup = lookup, .question = question, .arena = arena};
    size_t n = 0;
    made.secrets = bw_arena_array(arena, BW_MAX_PULL_SECRETS, sizeof(*made.secrets));
    if (made.secrets == NULL) {
        return bw_arena_spent(err);
    }
    if (is_name(question->namespace)) {
        for (; question->names != NULL && question->names[n] != NULL && n < BW_MAX_PULL_SECRETS && !made.pending; n++) {
            take_secret(&at, question->names[n]);
        }
        if (n == 0 && question->service_account != NULL) {
            take_account(&at);
        } else if (n == BW_MAX_PULL_SECRETS && question->names[n] != NULL) {
            note(&at, "imagePullSecrets names more secrets than are looked at");
        }
    }
    if (made.pending || at.spent) {
        bw_pull_secrets_wipe(&made);
        made = (struct bw_pull_secrets){.pending = made.pending, .ticket = made.ticket};
    }
    if (at.spent) {
        return bw_arena_spent(err);
    }
    *out = made;
    return 0;
}

void bw_pull_secrets_wipe(struct bw_pull_secrets *secrets)
{
    for (size_t i = 0; i < secrets->n_secrets; i++) {
        explicit_bzero((char *)(uintptr_t)secrets->secrets[i].text, secrets->secrets[i].len);
    }
    secrets->n_secrets = 0;
}
