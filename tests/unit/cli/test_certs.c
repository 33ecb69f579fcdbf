/* A CA's exchange as the API server sees it: which writes come in which order, and what happens when one of them fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/certificate.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/certs_webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- an API server with one Secret and one webhook configuration ---- */

static struct {
    json_t *secret; /* NULL: there is none */
    json_t *configuration;
    int version;
    char writes[600];   /* what was written, a word each */
    unsigned conflicts; /* so many writes of the Secret come too late */
    bool forbidden;     /* the webhook configuration may not be changed */
} server;

static const char *text_in(const json_t *object, const char *outer, const char *inner)
{
    const char *text = json_string_value(json_object_get(json_object_get(object, outer), inner));
    return text == NULL ? "" : text;
}

static const json_t *entry(size_t i)
{
    return json_array_get(json_object_get(server.configuration, "webhooks"), i);
}

/* A text of the Secret. */
static const char *stored(const char *key, struct bw_arena *arena)
{
    char *text = NULL;
    size_t len;
    const char *encoded = text_in(server.secret, "data", key);
    assert_int_equal(bw_base64_decode(&text, &len, encoded, strlen(encoded), arena, NULL), 0);
    return text;
}

static size_t n_cas(const char *pem, struct bw_arena *arena)
{
    const char *const *cas;
    size_t n;
    assert_int_equal(bw_certificate_split(&cas, &n, pem, arena, NULL), 0);
    return n;
}

static void note(const char *word)
{
    size_t len = strlen(server.writes);
    (void)snprintf(server.writes + len, sizeof(server.writes) - len, "%s%s", len == 0 ? "" : " ", word);
}

static void put_version(json_t *object)
{
    (void)json_object_set_new(json_object_get(object, "metadata"), "resourceVersion",
                              json_sprintf("%d", ++server.version));
}

static int put_secret(const struct bw_kube_request *request, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    json_t *object = json_loads(request->body, 0, NULL);
    assert_non_null(object);
    if (server.conflicts > 0 || strcmp(text_in(object, "metadata", "resourceVersion"),
                                       text_in(server.secret, "metadata", "resourceVersion")) != 0) {
        server.conflicts -= server.conflicts > 0;
        json_decref(object);
        return bw_error_detail(err, BW_EUNAVAILABLE, "conflict", "conflict");
    }
    bool leaf = strcmp(text_in(object, "data", "tls.crt"), text_in(server.secret, "data", "tls.crt")) != 0;
    bool cas = strcmp(text_in(object, "data", "ca.crt"), text_in(server.secret, "data", "ca.crt")) != 0;
    json_decref(server.secret);
    server.secret = object;
    put_version(object);
    char word[40];
    (void)snprintf(word, sizeof(word), "%s%s%zu", leaf ? "leaf" : "",
                   cas    ? "cas"
                   : leaf ? ""
                          : "note",
                   n_cas(stored("ca.crt", &arena), &arena));
    note(word);
    return 0;
}

static int patch_configuration(const struct bw_kube_request *request, struct bw_error *err)
{
    if (server.forbidden) {
        return bw_error_set(err, BW_EDENIED, "forbidden");
    }
    assert_string_equal(request->content_type, "application/strategic-merge-patch+json");
    json_t *patch = json_loads(request->body, 0, NULL), *change;
    assert_string_equal(text_in(patch, "metadata", "resourceVersion"),
                        text_in(server.configuration, "metadata", "resourceVersion"));
    size_t i;
    json_array_foreach(json_object_get(patch, "webhooks"), i, change)
    {
        for (size_t k = 0; k < 2; k++) {
            if (json_equal(json_object_get(change, "name"), json_object_get(entry(k), "name"))) {
                json_object_update_recursive((json_t *)(uintptr_t)entry(k), change);
            }
        }
    }
    put_version(server.configuration);
    note("trust");
    json_decref(patch);
    return 0;
}

int bw_kube_call(json_t **out, struct bw_kube_client *client, const struct bw_kube_request *request,
                 struct bw_error *err)
{
    (void)client;
    static const char secrets[] = "/api/v1/namespaces/shop/secrets",
                      configuration[] = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/gate";
    bool secret = strncmp(request->path, secrets, sizeof(secrets) - 1) == 0;
    assert_true(secret || strcmp(request->path, configuration) == 0);
    if (strcmp(request->method, "GET") == 0) {
        json_t *object = secret ? server.secret : server.configuration;
        *out = json_deep_copy(object);
        return object == NULL ? bw_error_set(err, BW_ENOTFOUND, "not found") : 0;
    }
    return secret ? put_secret(request, err) : patch_configuration(request, err);
}

/* ---- */

static struct bw_certs certs;
static char steps[600];

static void on_step(void *payload, enum bw_rotation_step step)
{
    (void)payload;
    assert_int_not_equal(step, BW_ROTATION_WAIT);
    assert_true(strlen(bw_certs_step_text(step)) > 0);
    steps[strlen(steps)] = (char)('0' + (int)step);
}

static int set_up(void **state)
{
    (void)state;
    memset(&server, 0, sizeof(server));
    memset(steps, 0, sizeof(steps));
    server.configuration = json_loads("{\"metadata\":{\"resourceVersion\":\"0\"},\"webhooks\":["
                                      "{\"name\":\"pods.breakwater.io\",\"failurePolicy\":\"Ignore\","
                                      "\"clientConfig\":{\"service\":{\"name\":\"gate\",\"port\":1}}},"
                                      "{\"name\":\"bundles.breakwater.io\",\"failurePolicy\":\"Ignore\","
                                      "\"clientConfig\":{\"caBundle\":\"eA==\"}}]}",
                                      0, NULL);
    certs = (struct bw_certs){
        .names = {.namespace = "shop", .secret = "gate-tls", .service = "gate", .cluster_domain = "cluster.example"},
        .configuration = "gate",
        .settings = bw_rotation_defaults,
        .stepped = on_step,
    };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(server.secret);
    json_decref(server.configuration);
    return 0;
}

static int pass(void)
{
    struct bw_error err = {0};
    int64_t until_s = 0;
    server.writes[0] = '\0';
    int status = bw_certs_pass(&until_s, &certs, NULL, &err);
    if (status != 0) {
        print_message("%s\n", err.message);
    }
    return status;
}

static void forget_ca_key(void)
{
    (void)json_object_del(json_object_get(server.secret, "data"), "ca.key");
    put_version(server.secret);
}

static void all_entries_trust_the_secrets_cas(void)
{
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(text_in(entry(i), "clientConfig", "caBundle"), text_in(server.secret, "data", "ca.crt"));
    }
}

static void nothing_becomes_a_ca_and_a_certificate(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    struct bw_certificate_facts facts;
    static const char *const names[] = {"gate.shop.svc", "gate", "gate.shop", "gate.shop.svc.cluster.example"};
    bw_arena_init(&arena, BW_MIB);
    assert_int_equal(pass(), 0);
    assert_string_equal(server.writes, "leafcas1 trust");
    all_entries_trust_the_secrets_cas();
    assert_string_equal(json_string_value(json_object_get(server.secret, "type")), "kubernetes.io/tls");
    const char *leaf = stored("tls.crt", &arena), *ca = stored("ca.crt", &arena);
    assert_int_equal(bw_certificate_key_matches(leaf, stored("tls.key", &arena), NULL), 0);
    assert_int_equal(bw_certificate_key_matches(ca, stored("ca.key", &arena), NULL), 0);
    assert_true(bw_certificate_signed_by(leaf, ca));
    assert_int_equal(bw_certificate_read(&facts, leaf, strlen(leaf), &arena, NULL), 0);
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        assert_string_equal(facts.names[i], names[i]);
    }
    assert_int_equal(pass(), 0);
    assert_string_equal(server.writes, "");
}

static void a_ca_is_exchanged_in_order(void **state)
{
    (void)state;
    assert_int_equal(pass(), 0);
    forget_ca_key();
    assert_int_equal(pass(), 0); /* and waits */
    assert_string_equal(server.writes, "cas2 trust note2");
    all_entries_trust_the_secrets_cas();
    assert_int_equal(pass(), 0);
    assert_string_equal(server.writes, "");
    certs.settings.ca_wait_s = 0;
    assert_int_equal(pass(), 0);
    assert_string_equal(server.writes, "leaf2");
    certs.settings.ca_overlap_s = 0;
    assert_int_equal(pass(), 0);
    assert_string_equal(server.writes, "cas1 trust");
    assert_string_equal(steps, "12346");
    all_entries_trust_the_secrets_cas();
    assert_string_equal(
        text_in(json_object_get(server.secret, "metadata"), "annotations", "breakwater.io/rotation-step"), "");
}

static void a_ca_bundle_overwritten_meanwhile_begins_the_wait_anew(void **state)
{
    (void)state;
    assert_int_equal(pass(), 0);
    forget_ca_key();
    assert_int_equal(pass(), 0);
    certs.settings.ca_wait_s = 0;
    (void)json_object_set_new((json_t *)(uintptr_t)entry(1), "clientConfig", json_object());
    assert_int_equal(pass(), 0);
    assert_string_equal(server.writes, "trust note2 leaf2");
}

static void no_certificate_of_a_ca_that_is_not_trusted(void **state)
{
    (void)state;
    assert_int_equal(pass(), 0);
    forget_ca_key();
    server.forbidden = true;
    certs.settings.ca_wait_s = certs.settings.ca_overlap_s = 0;
    assert_int_equal(pass(), -1);
    assert_string_equal(server.writes, "cas2");
    assert_int_equal(pass(), -1);
    assert_string_equal(server.writes, "");
    server.forbidden = false;
    assert_int_equal(pass(), 0);
    assert_string_equal(server.writes, "trust note2 leaf2 cas1 trust");
}

static void a_certificate_is_renewed_though_the_configuration_cannot_be_changed(void **state)
{
    (void)state;
    assert_int_equal(pass(), 0);
    (void)json_object_del(json_object_get(server.secret, "data"), "tls.key");
    (void)json_object_set_new((json_t *)(uintptr_t)entry(0), "clientConfig", json_object());
    server.forbidden = true;
    assert_int_equal(pass(), -1);
    assert_string_equal(server.writes, "leaf1");
}

static void another_replica_was_faster(void **state)
{
    (void)state;
    assert_int_equal(pass(), 0);
    forget_ca_key();
    server.conflicts = 2;
    assert_int_equal(pass(), 0);
    assert_string_equal(server.writes, "cas2 trust note2");
}

static void without_a_configuration_only_the_secret_is_kept(void **state)
{
    (void)state;
    certs.configuration = NULL;
    certs.settings.ca_wait_s = 0;
    assert_int_equal(pass(), 0);
    assert_string_equal(server.writes, "leafcas1");
    forget_ca_key();
    assert_int_equal(pass(), 0);
    assert_string_equal(server.writes, "cas2"); /* the leader goes on, who sees who is trusted */
}

static void an_entry_stays_open_while_nobody_answers(void **state)
{
    (void)state;
    struct bw_error err = {0};
    assert_int_equal(pass(), 0);
    assert_int_equal(bw_certs_webhook_enforce(&certs, &err), 0); /* no annotation: nothing is wanted */
    (void)json_object_set_new(json_object_get(server.configuration, "metadata"), "annotations",
                              json_pack("{s:s}", "breakwater.io/failure-policy", "Fail"));
    assert_int_equal(setenv("GATE_SERVICE_HOST", "127.0.0.1", 1), 0);
    assert_int_equal(bw_certs_webhook_enforce(&certs, &err), -1);
    assert_ptr_equal(strstr(err.message, "the webhook does not answer yet: "), err.message);
    (void)json_object_set_new((json_t *)(uintptr_t)entry(0), "failurePolicy", json_string("Fail"));
    assert_int_equal(bw_certs_webhook_enforce(&certs, &err), 0); /* as wanted: nobody is asked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_becomes_a_ca_and_a_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ca_is_exchanged_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ca_bundle_overwritten_meanwhile_begins_the_wait_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_certificate_of_a_ca_that_is_not_trusted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_certificate_is_renewed_though_the_configuration_cannot_be_changed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_replica_was_faster, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_configuration_only_the_secret_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_entry_stays_open_while_nobody_answers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
