/* CA and serving certificate in a Secret (cli/certs_secret.h). */
#include "cli/certs_secret.h"

#include "base/certificate.h"
#include "base/limits.h"
#include "base/str.h"
#include "k8s/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_TIME BW_DOMAIN "/rotation-step"

enum { MAX_PATH = 400 };

/* ---- reading ---- */

/* "" when the key is not there. */
static int take_text(const char **out, const json_t *object, const char *key, struct bw_arena *arena,
                     struct bw_error *err)
{
    const json_t *value = json_object_get(json_object_get(object, "data"), key);
    char *text = NULL;
    size_t len = 0;
    *out = "";
    if (!json_is_string(value)) {
        return 0;
    }
    if (bw_base64_decode(&text, &len, json_string_value(value), json_string_length(value), arena, err) != 0) {
        return bw_error_wrap(err, "%s", key);
    }
    *out = text;
    return 0;
}

/* Without the time by which its beginning was put back. What cannot be read ended long ago. */
static struct bw_rotation_life life_of(const char *certificate, struct bw_arena *arena)
{
    struct bw_certificate_facts facts;
    struct bw_rotation_life life = {0, 0};
    if (bw_certificate_read(&facts, certificate, strlen(certificate), arena, NULL) == 0) {
        int64_t from_s = facts.not_before_s + BW_CERTIFICATE_BACKDATED_S;
        life.until_s = facts.not_after_s;
        life.from_s = from_s < life.until_s ? from_s : life.until_s;
    }
    return life;
}

static bool is_for(const char *certificate, const struct bw_certs_names *names, struct bw_arena *arena)
{
    struct bw_certificate_facts facts;
    const char *wanted = bw_arena_printf(arena, "%s.%s.svc", names->service, names->namespace);
    bool is = false;
    if (wanted != NULL && bw_certificate_read(&facts, certificate, strlen(certificate), arena, NULL) == 0) {
        for (const char *const *name = facts.names; *name != NULL && !is; name++) {
            is = strcmp(*name, wanted) == 0;
        }
    }
    return is;
}

static int64_t step_time(const json_t *object)
{
    const json_t *annotations = json_object_get(json_object_get(object, "metadata"), "annotations");
    const char *text = json_string_value(json_object_get(annotations, STEP_TIME));
    int64_t at_s = 0;
    return text != NULL && bw_time_parse(&at_s, text) == 0 ? at_s : 0;
}

static int read_object(struct bw_certs_secret *secret, const struct bw_certs_names *names, struct bw_arena *arena,
                       struct bw_error *err)
{
    const char *leaf, *key;
    struct bw_rotation_state *state = &secret->state;
    if (take_text(&leaf, secret->object, "tls.crt", arena, err) != 0 ||
        take_text(&key, secret->object, "tls.key", arena, err) != 0 ||
        take_text(&secret->trusted, secret->object, "ca.crt", arena, err) != 0 ||
        take_text(&secret->ca_key, secret->object, "ca.key", arena, err) != 0 ||
        bw_certificate_split(&secret->cas, &state->n_cas, secret->trusted, arena, err) != 0) {
        return -1;
    }
    if (state->n_cas > 0) {
        state->ca = life_of(secret->cas[0], arena);
        state->can_sign = bw_certificate_key_matches(secret->cas[0], secret->ca_key, NULL) == 0;
    }
    while (state->leaf_ca < state->n_cas && !bw_certificate_signed_by(leaf, secret->cas[state->leaf_ca])) {
        state->leaf_ca++;
    }
    state->leaf = life_of(leaf, arena);
    if (state->leaf_ca < state->n_cas) { /* it is of no use without its CA */
        int64_t ca_until_s = life_of(secret->cas[state->leaf_ca], arena).until_s;
        state->leaf.until_s = ca_until_s < state->leaf.until_s ? ca_until_s : state->leaf.until_s;
    }
    state->leaf_fits = bw_certificate_key_matches(leaf, key, NULL) == 0 && is_for(leaf, names, arena);
    state->step_s = step_time(secret->object);
    return 0;
}

int bw_certs_secret_read(struct bw_certs_secret *out, struct bw_kube_client *kube, const struct bw_certs_names *names,
                         struct bw_arena *arena, struct bw_error *err)
{
    char path[MAX_PATH];
    struct bw_certs_secret secret = {.trusted = ""};
    struct bw_error failed = {0};
    (void)snprintf(path, sizeof(path), "/api/v1/namespaces/%s/secrets/%s", names->namespace, names->secret);
    const struct bw_kube_request request = {.method = "GET", .path = path};
    int status = bw_kube_call(&secret.object, kube, &request, &failed);
    if (status == 0) {
        status = read_object(&secret, names, arena, &failed);
    } else if (failed.code == BW_ENOTFOUND) {
        status = 0;
    }
    if (status != 0) {
        json_decref(secret.object);
        *err = failed;
        return bw_error_wrap(err, "secret %s in namespace %s", names->secret, names->namespace);
    }
    *out = secret;
    return 0;
}

void bw_certs_secret_clear(struct bw_certs_secret *secret)
{
    json_decref(secret->object);
    secret->object = NULL;
}

/* ---- steps ---- */

struct pair {
    const char *certificate, *key;
};

static int make_ca(struct pair *out, const struct bw_rotation_settings *settings, struct bw_arena *arena,
                   struct bw_error *err)
{
    const struct bw_certificate_request request = {.common_name = "breakwater CA",
                                                   .lifetime_s = settings->ca_lifetime_s};
    return bw_certificate_make_ca(&out->certificate, &out->key, &request, arena, err);
}

static int make_leaf(struct pair *out, const struct pair *ca, const struct bw_certs_names *names,
                     const struct bw_rotation_settings *settings, struct bw_arena *arena, struct bw_error *err)
{
    int64_t left_s = life_of(ca->certificate, arena).until_s - bw_wall_s();
    const char *dns[] = {
        bw_arena_printf(arena, "%s.%s.svc", names->service, names->namespace),
        names->service,
        bw_arena_printf(arena, "%s.%s", names->service, names->namespace),
        bw_arena_printf(arena, "%s.%s.svc.%s", names->service, names->namespace, names->cluster_domain),
        NULL,
    };
    if (dns[0] == NULL || dns[2] == NULL || dns[3] == NULL) {
        return bw_arena_spent(err);
    }
    const struct bw_certificate_request request = {
        .common_name = dns[0],
        .dns_names = dns,
        .lifetime_s = settings->leaf_lifetime_s < left_s ? settings->leaf_lifetime_s : left_s,
    };
    return bw_certificate_make_leaf(&out->certificate, &out->key, &request, ca->certificate, ca->key, arena, err);
}

/* The new CA and those that were trusted before. */
static const char *with_older(const char *newest, const struct bw_certs_secret *secret, struct bw_arena *arena)
{
    const char *text = newest;
    for (size_t i = 0; i < secret->state.n_cas && i + 1 < BW_MAX_CERTIFICATES && text != NULL; i++) {
        text = bw_arena_printf(arena, "%s%s", text, secret->cas[i]);
    }
    return text;
}

static int put_text(json_t *object, const char *key, const char *text, struct bw_arena *arena, struct bw_error *err)
{
    const char *encoded = text == NULL ? NULL : bw_base64_encode(text, strlen(text), arena);
    if (encoded == NULL) {
        return bw_arena_spent(err);
    }
    (void)json_object_set_new(json_object_get(object, "data"), key, json_string(encoded));
    return 0;
}

/* seconds 0: no rotation goes on. */
static void put_step_time(json_t *object, int64_t at_s)
{
    char text[32];
    json_t *metadata = json_object_get(object, "metadata"), *annotations = json_object_get(metadata, "annotations");
    if (!json_is_object(annotations)) {
        annotations = json_object();
        (void)json_object_set_new(metadata, "annotations", annotations);
    }
    bw_time_format(text, at_s);
    if (at_s == 0) {
        (void)json_object_del(annotations, STEP_TIME);
    } else {
        (void)json_object_set_new(annotations, STEP_TIME, json_string(text));
    }
}

static json_t *copy_or_new(const struct bw_certs_secret *secret, const struct bw_certs_names *names)
{
    json_t *object = secret->object != NULL ? json_deep_copy(secret->object)
                                            : json_pack("{s:s, s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind",
                                                        "Secret", "type", "kubernetes.io/tls", "metadata", "name",
                                                        names->secret, "namespace", names->namespace);
    if (!json_is_object(json_object_get(object, "data"))) {
        (void)json_object_set_new(object, "data", json_object());
    }
    return object;
}

static int change(json_t *object, const struct bw_certs_secret *secret, enum bw_rotation_step step,
                  const struct bw_certs_names *names, const struct bw_rotation_settings *settings,
                  struct bw_arena *arena, struct bw_error *err)
{
    struct pair ca = {secret->state.n_cas == 0 ? "" : secret->cas[0], secret->ca_key}, leaf;
    if (step == BW_ROTATION_BEGIN || step == BW_ROTATION_ADD_CA) {
        if (make_ca(&ca, settings, arena, err) != 0 || put_text(object, "ca.key", ca.key, arena, err) != 0 ||
            put_text(object, "ca.crt",
                     step == BW_ROTATION_BEGIN ? ca.certificate : with_older(ca.certificate, secret, arena), arena,
                     err) != 0) {
            return -1;
        }
        put_step_time(object, 0);
    }
    if (step == BW_ROTATION_BEGIN || step == BW_ROTATION_MOVE_LEAF || step == BW_ROTATION_RENEW_LEAF) {
        if (make_leaf(&leaf, &ca, names, settings, arena, err) != 0 ||
            put_text(object, "tls.crt", leaf.certificate, arena, err) != 0 ||
            put_text(object, "tls.key", leaf.key, arena, err) != 0) {
            return -1;
        }
    }
    bool moved = step == BW_ROTATION_MOVE_LEAF ||
                 (step == BW_ROTATION_RENEW_LEAF && secret->state.n_cas > 1 && secret->state.leaf_ca != 0);
    if (moved || step == BW_ROTATION_TRUSTED) {
        put_step_time(object, bw_wall_s());
    }
    if (step == BW_ROTATION_DROP_CA) {
        put_step_time(object, 0);
        return put_text(object, "ca.crt", ca.certificate, arena, err);
    }
    return 0;
}

int bw_certs_secret_step(const struct bw_certs_secret *secret, enum bw_rotation_step step, struct bw_kube_client *kube,
                         const struct bw_certs_names *names, const struct bw_rotation_settings *settings,
                         struct bw_arena *arena, struct bw_error *err)
{
    char path[MAX_PATH];
    json_t *object = copy_or_new(secret, names);
    bool create = secret->object == NULL;
    int status = change(object, secret, step, names, settings, arena, err);
    if (status == 0) {
        char *text = json_dumps(object, JSON_COMPACT);
        (void)snprintf(path, sizeof(path), "/api/v1/namespaces/%s/secrets%s%s", names->namespace, create ? "" : "/",
                       create ? "" : names->secret);
        const struct bw_kube_request request = {
            .method = create ? "POST" : "PUT", .path = path, .body = text, .body_len = strlen(text)};
        status = bw_kube_call(NULL, kube, &request, err);
        explicit_bzero(text, strlen(text));
        free(text);
    }
    json_decref(object);
    return status == 0 ? 0 : bw_error_wrap(err, "secret %s in namespace %s", names->secret, names->namespace);
}
