/*
 * Registry credentials out of image pull secrets (kubernetes.io/dockerconfigjson and the older dockercfg), chosen as
 * the kubelet chooses them: host label by label with globs, equal port, path a prefix, longer keys first.
 */
#include "image/registry/credentials.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct bw_credential credential; /* key as it was written */
    char *normal;                    /* host[:port][/path], Docker Hub's other names replaced */
    size_t set, text;                /* which text of which set it came from */
};

struct bw_credentials {
    struct entry *entries; /* by set, normal key descending, text */
    size_t n_entries, capacity;
    size_t n_texts;
    size_t n_sets; /* that were joined; 0: one, to which texts are added */
};

struct bw_credentials *bw_credentials_create(void)
{
    return bw_memory_zeroed(1, sizeof(struct bw_credentials));
}

static void wipe(const char *secret)
{
    if (secret != NULL) {
        explicit_bzero((void *)(uintptr_t)secret, strlen(secret));
        free((void *)(uintptr_t)secret);
    }
}

static void entry_clear(struct entry *entry)
{
    wipe(entry->credential.username);
    wipe(entry->credential.password);
    wipe(entry->credential.identity_token);
    wipe(entry->credential.registry_token);
    wipe(entry->credential.key);
    free(entry->normal);
    memset(entry, 0, sizeof(*entry));
}

void bw_credentials_destroy(struct bw_credentials *credentials)
{
    if (credentials == NULL) {
        return;
    }
    for (size_t i = 0; i < credentials->n_entries; i++) {
        entry_clear(&credentials->entries[i]);
    }
    free(credentials->entries);
    free(credentials);
}

static char *copy_of(const char *text)
{
    return text == NULL ? NULL : bw_memory_strndup(text, strlen(text));
}

/* ---- keys */

static bool is_hub(struct bw_str host)
{
    return bw_str_is(host, "index.docker.io") || bw_str_is(host, "registry-1.docker.io");
}

/* "https://index.docker.io/v1/" is "docker.io"; "quay.io/team/" keeps its path. */
static char *normal_key(const char *key)
{
    struct bw_str rest = bw_str_trim(bw_str_from(key));
    for (size_t i = 0; i + 3 <= rest.len; i++) {
        if (memcmp(rest.base + i, "://", 3) == 0) {
            rest = (struct bw_str){rest.base + i + 3, rest.len - i - 3};
            break;
        }
    }
    const char *slash = memchr(rest.base, '/', rest.len);
    struct bw_str host = {rest.base, slash == NULL ? rest.len : (size_t)(slash - rest.base)};
    struct bw_str path = {rest.base + host.len, rest.len - host.len};
    if (bw_str_starts_with(path, "/v1/") || bw_str_starts_with(path, "/v2/")) {
        path = (struct bw_str){path.base + 3, path.len - 3};
    }
    if (path.len == 1) {
        path.len = 0;
    }
    char *made = bw_memory_zeroed(1, sizeof("docker.io") + host.len + path.len);
    for (size_t i = 0; i < host.len; i++) {
        char c = host.base[i];
        made[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    size_t n = host.len;
    if (is_hub((struct bw_str){made, n})) {
        memset(made, 0, n);
        n = strlen("docker.io");
        memcpy(made, "docker.io", n);
    }
    if (path.len > 0) {
        memcpy(made + n, path.base, path.len);
    }
    return made;
}

/* [abc], [a-z], [^a]: the end of the class, or NULL if it is none. */
static const char *match_class(const char *at, const char *end, char c, bool *hit)
{
    bool negated = at < end && (*at == '^' || *at == '!');
    bool found = false;
    at += negated ? 1 : 0;
    for (const char *first = at; at < end && (*at != ']' || at == first); at++) {
        if (at + 2 < end && at[1] == '-' && at[2] != ']') {
            found = found || (c >= at[0] && c <= at[2]);
            at += 2;
        } else {
            found = found || *at == c;
        }
    }
    *hit = found != negated;
    return at < end ? at + 1 : NULL;
}

/* Shell glob over one host label. A star is retried from the last one only, so that hostile patterns stay cheap. */
static bool glob_matches(struct bw_str pattern, struct bw_str text)
{
    const char *p = pattern.base, *p_end = p + pattern.len;
    const char *t = text.base, *t_end = t + text.len;
    const char *star = NULL, *star_text = NULL;
    while (t < t_end) {
        bool hit = false;
        const char *next = p;
        if (p < p_end && *p == '*') {
            star = ++p;
            star_text = t;
            continue;
        }
        if (p < p_end && *p == '[') {
            next = match_class(p + 1, p_end, *t, &hit);
            hit = hit && next != NULL;
        } else if (p < p_end) {
            hit = *p == '?' || *p == *t;
            next = p + 1;
        }
        if (hit) {
            p = next;
            t++;
        } else if (star != NULL) {
            p = star;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < p_end && *p == '*') {
        p++;
    }
    return p == p_end;
}

static void split_port(struct bw_str *host, struct bw_str *port)
{
    const char *colon = memrchr(host->base, ':', host->len), *close = memrchr(host->base, ']', host->len);
    *port = (struct bw_str){host->base + host->len, 0};
    if (colon != NULL && (close == NULL || close < colon)) {
        *port = (struct bw_str){colon + 1, host->len - (size_t)(colon - host->base) - 1};
        host->len = (size_t)(colon - host->base);
    }
}

static bool host_matches(struct bw_str pattern, struct bw_str host)
{
    struct bw_str pattern_port, port, label, host_label;
    split_port(&pattern, &pattern_port);
    split_port(&host, &port);
    if (!bw_str_equal(pattern_port, port)) {
        return false;
    }
    if (bw_str_equal(pattern, host)) { /* also an IPv6 address, whose brackets are no class */
        return true;
    }
    for (;;) {
        bool more = bw_str_next(&label, &pattern, '.'), host_more = bw_str_next(&host_label, &host, '.');
        if (!more || !host_more) {
            return more == host_more;
        }
        if (!glob_matches(label, host_label)) {
            return false;
        }
    }
}

static bool key_matches(const char *key, const char *registry, const char *repository)
{
    struct bw_str whole = bw_str_from(key);
    const char *slash = memchr(whole.base, '/', whole.len);
    struct bw_str host = {whole.base, slash == NULL ? whole.len : (size_t)(slash - whole.base)};
    return host_matches(host, bw_str_from(registry)) &&
           (slash == NULL || bw_str_starts_with(bw_str_from(repository), slash + 1));
}

/* ---- reading */

/* jansson does not wipe what it frees. */
static void wipe_json(json_t *node)
{
    const char *key = NULL;
    json_t *value = NULL;
    size_t i = 0;
    if (json_is_string(node)) {
        explicit_bzero((void *)(uintptr_t)json_string_value(node), json_string_length(node));
    }
    json_object_foreach(node, key, value)
    {
        wipe_json(value);
    }
    json_array_foreach(node, i, value)
    {
        wipe_json(value);
    }
}

/* NULL for an absent or empty text; -1 for what is no text, or has a NUL in it. */
static int read_secret(const char **out, const json_t *entry, const char *key)
{
    const json_t *node = json_object_get(entry, key);
    *out = NULL;
    if (node == NULL || json_is_null(node)) {
        return 0;
    }
    const char *text = json_string_value(node);
    if (text == NULL || strlen(text) != json_string_length(node)) {
        return -1;
    }
    *out = text[0] == '\0' ? NULL : bw_memory_strndup(text, strlen(text));
    return 0;
}

/* "auth" is base64 of user:password, cut at the first colon; it replaces the two fields. */
static int read_auth(struct bw_credential *credential, const json_t *entry)
{
    const char *auth = json_string_value(json_object_get(entry, "auth"));
    if (auth == NULL || auth[0] == '\0') {
        return 0;
    }
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MAX_SETTINGS_BYTES);
    char *plain = NULL;
    size_t len = 0;
    if (bw_base64_decode(&plain, &len, auth, strlen(auth), &arena, NULL) != 0) {
        return -1;
    }
    size_t whole = len;
    while (len > 0 && plain[len - 1] == '\0') {
        len--;
    }
    const char *colon = memchr(plain, ':', len);
    int status = colon != NULL && memchr(plain, '\0', len) == NULL ? 0 : -1;
    if (status == 0) {
        wipe(credential->username);
        wipe(credential->password);
        size_t user = (size_t)(colon - plain);
        credential->username = bw_memory_strndup(plain, user);
        credential->password = bw_memory_strndup(colon + 1, len - user - 1);
    }
    explicit_bzero(plain, whole);
    return status;
}

static int read_entry(struct entry *out, const char *key, const json_t *node)
{
    struct entry made = {.credential = {.key = copy_of(key)}, .normal = normal_key(key)};
    struct bw_credential *credential = &made.credential;
    if (read_secret(&credential->username, node, "username") != 0 ||
        read_secret(&credential->password, node, "password") != 0 ||
        read_secret(&credential->identity_token, node, "identitytoken") != 0 ||
        read_secret(&credential->registry_token, node, "registrytoken") != 0 || read_auth(credential, node) != 0) {
        entry_clear(&made);
        return -1;
    }
    *out = made;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->set != y->set) {
        return x->set < y->set ? -1 : 1;
    }
    int order = strcmp(y->normal, x->normal);
    if (order == 0 && x->text != y->text) {
        return x->text < y->text ? -1 : 1;
    }
    return order != 0 ? order : strcmp(x->credential.key, y->credential.key);
}

static void append(struct bw_credentials *credentials, const struct entry *entry)
{
    if (credentials->n_entries == credentials->capacity) {
        size_t capacity = credentials->capacity == 0 ? 4 : 2 * credentials->capacity;
        /* moved by hand, so that nothing of the old block is left behind unwiped */
        struct entry *larger = bw_memory_zeroed(capacity, sizeof(*larger));
        for (size_t i = 0; i < credentials->n_entries; i++) {
            larger[i] = credentials->entries[i];
        }
        free(credentials->entries);
        credentials->entries = larger;
        credentials->capacity = capacity;
    }
    credentials->entries[credentials->n_entries++] = *entry;
}

static int read_entries(struct bw_credentials *credentials, json_t *root, struct bw_error *err)
{
    json_t *map = json_object_get(root, "auths"), *value = NULL;
    bool legacy = map == NULL;
    const char *key = NULL;
    size_t before = credentials->n_entries, at = 0;
    map = legacy ? root : map;
    if (!json_is_object(map)) {
        return bw_error_set(err, BW_EINPUT, "registry credentials: auths is %s, expected an object",
                            bw_json_type_name(map));
    }
    if (json_object_size(map) > BW_MAX_CREDENTIALS) {
        return bw_error_set(err, BW_ELIMIT, "registry credentials: more than %d entries", BW_MAX_CREDENTIALS);
    }
    json_object_foreach(map, key, value)
    {
        struct entry entry;
        at++;
        if (legacy && !json_is_object(value)) {
            continue; /* credsStore and other settings of the docker command */
        }
        if (!json_is_object(value) || read_entry(&entry, key, value) != 0) {
            while (credentials->n_entries > before) {
                entry_clear(&credentials->entries[--credentials->n_entries]);
            }
            return bw_error_set(err, BW_EINPUT,
                                "registry credentials: entry %zu of %zu is malformed; expected auth (base64 of "
                                "user:password), username and password, identitytoken or registrytoken",
                                at, json_object_size(map));
        }
        const struct bw_credential *is = &entry.credential;
        if (is->username == NULL && is->identity_token == NULL && is->registry_token == NULL) {
            entry_clear(&entry); /* its secret is in a helper that is not here */
            continue;
        }
        entry.text = credentials->n_texts;
        append(credentials, &entry);
    }
    return 0;
}

int bw_credentials_add(struct bw_credentials *credentials, const char *dockerconfigjson, size_t len,
                       struct bw_error *err)
{
    json_t *root = NULL;
    struct bw_error hidden = {0};
    if (bw_json_parse(&root, dockerconfigjson, len, BW_MAX_SETTINGS_BYTES, &hidden) != 0) {
        /* a syntax error quotes what it stumbled over */
        return bw_error_set(err, hidden.code, "registry credentials: %s",
                            hidden.code == BW_ELIMIT ? "longer than a Secret can be" : "not a JSON document");
    }
    int status = json_is_object(root) ? read_entries(credentials, root, err)
                                      : bw_error_set(err, BW_EINPUT, "registry credentials: expected a JSON object");
    wipe_json(root);
    json_decref(root);
    if (status == 0) {
        credentials->n_texts++;
        if (credentials->n_entries > 1) {
            qsort(credentials->entries, credentials->n_entries, sizeof(struct entry), by_place);
        }
    }
    return status;
}

static void append_copies(struct bw_credentials *to, const struct bw_credentials *from)
{
    for (size_t i = 0; from != NULL && i < from->n_entries; i++) {
        const struct bw_credential *credential = &from->entries[i].credential;
        struct entry entry = {
            .credential = {.username = copy_of(credential->username),
                           .password = copy_of(credential->password),
                           .identity_token = copy_of(credential->identity_token),
                           .registry_token = copy_of(credential->registry_token),
                           .key = copy_of(credential->key)},
            .normal = copy_of(from->entries[i].normal),
            .set = to->n_sets + from->entries[i].set,
            .text = from->entries[i].text,
        };
        append(to, &entry);
    }
    to->n_sets += from == NULL || from->n_sets == 0 ? 1 : from->n_sets;
}

struct bw_credentials *bw_credentials_join(const struct bw_credentials *first, const struct bw_credentials *second)
{
    struct bw_credentials *joined = bw_credentials_create();
    append_copies(joined, first);
    append_copies(joined, second);
    return joined;
}

size_t bw_credentials_find(const struct bw_credential **out, size_t max, const struct bw_credentials *credentials,
                           const struct bw_reference *reference)
{
    size_t n = 0;
    for (size_t i = 0; credentials != NULL && i < credentials->n_entries && n < max; i++) {
        if (key_matches(credentials->entries[i].normal, reference->registry, reference->repository)) {
            out[n++] = &credentials->entries[i].credential;
        }
    }
    return n;
}

static void hash_text(struct bw_hash *hash, const char *text)
{
    uint64_t len = text == NULL ? UINT64_MAX : strlen(text);
    bw_hash_update(hash, &len, sizeof(len));
    if (text != NULL) {
        bw_hash_update(hash, text, (size_t)len);
    }
}

void bw_credential_identity(char *out, const struct bw_credential *credential)
{
    uint8_t raw[BW_HASH_MAX];
    struct bw_hash *hash = bw_hash_create(BW_SHA256);
    bw_hash_begin(hash);
    hash_text(hash, credential->username);
    hash_text(hash, credential->password);
    hash_text(hash, credential->identity_token);
    hash_text(hash, credential->registry_token);
    bw_hex_encode(out, raw, bw_hash_finish(hash, raw));
    bw_hash_destroy(hash);
}

void bw_credentials_identity(char *out, const struct bw_credentials *credentials)
{
    char one[2 * BW_SHA256_BYTES + 1];
    uint8_t raw[BW_HASH_MAX];
    out[0] = '\0';
    if (credentials == NULL || credentials->n_entries == 0) {
        return;
    }
    struct bw_hash *hash = bw_hash_create(BW_SHA256);
    bw_hash_begin(hash);
    for (size_t i = 0; i < credentials->n_entries; i++) {
        hash_text(hash, credentials->entries[i].normal);
        bw_credential_identity(one, &credentials->entries[i].credential);
        hash_text(hash, one);
    }
    bw_hex_encode(out, raw, bw_hash_finish(hash, raw));
    bw_hash_destroy(hash);
}
