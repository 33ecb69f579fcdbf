/* k8s/identity of a kubeconfig: what is shown to the server, and when it is asked for anew. The ServiceAccount's side
 * is in test_client.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/watch_dir.h"
#include "k8s/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXEC "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Never}"

static const struct bw_deadline never = {INT64_MAX};
static char folder[64];

static void put(const char *name, const char *text, unsigned mode)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(bw_file_write(path, text, strlen(text), mode, NULL), 0);
}

/* Every run leaves a line behind, and its number in the token. */
static void put_plugin(const char *more)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "#!/bin/sh\ncd '%s'\necho >>runs\nn=$(wc -l <runs)\n[ $n != 3 ] || exit 1\n"
                   "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{"
                   "\"token\":\"s3cret-'$n'\"%s}}'\n",
                   folder, more);
    put("plugin", text, 0700);
}

static unsigned count_runs(void)
{
    char path[128], *text = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof(path), "%s/runs", folder);
    if (bw_file_read(&text, &len, path, BW_KIB, NULL) == 0) {
        free(text);
    }
    return (unsigned)len;
}

static int identity_of(struct bw_kube_identity **out, const char *cluster, const char *user, struct bw_error *err)
{
    char text[2048], path[128];
    (void)snprintf(text, sizeof(text),
                   "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u, namespace: shop}}]\n"
                   "clusters: [{name: c, cluster: {%s}}]\nusers: [{name: u, user: {%s}}]\n",
                   cluster, user);
    put("config", text, 0600);
    (void)snprintf(path, sizeof(path), "%s/runs", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/config", folder);
    return bw_kube_identity_of_kubeconfig(out, path, NULL, err);
}

static void shows(struct bw_kube_identity *identity, bool anew, const char *line)
{
    struct bw_kube_credentials credentials;
    struct bw_error err = {0};
    if (bw_kube_identity_take(&credentials, identity, anew, never, &err) != 0) {
        fail_msg("%s", err.message);
    }
    if (line == NULL) {
        assert_null(credentials.authorization);
    } else {
        assert_string_equal(credentials.authorization, line);
    }
    bw_kube_credentials_clear(&credentials);
}

static const struct {
    const char *cluster, *user, *line;
    bool renews;
    unsigned runs;
} users[] = {
    {"server: 'https://x'", "", NULL, false, 0},
    {"server: 'https://x'", "token: word", "Authorization: Bearer word", false, 0},
    {"server: 'https://x'", "tokenFile: token", "Authorization: Bearer of-file", true, 0},
    {"server: 'https://x'", "token: word, tokenFile: token", "Authorization: Bearer of-file", true, 0},
    {"server: 'https://x'", "username: ann, password: 'p:w'", "Authorization: Basic YW5uOnA6dw==", false, 0},
    {"server: 'https://x'", "username: ann", "Authorization: Basic YW5uOg==", false, 0},
    {"server: 'https://x'", EXEC, "Authorization: Bearer s3cret-1", true, 1},
    {"server: 'https://x'", "token: word, " EXEC, "Authorization: Bearer word", false, 0},
    {"server: 'http://x'", "token: word", NULL, false, 0},
    {"server: 'http://x'", EXEC, NULL, true, 0},
};

static void each_user_shows_what_it_has(void **state)
{
    (void)state;
    put("token", " of-file\n", 0600);
    put_plugin("");
    for (size_t i = 0; i < BW_LENGTH(users); i++) {
        struct bw_kube_identity *identity = NULL;
        struct bw_error err = {0};
        if (identity_of(&identity, users[i].cluster, users[i].user, &err) != 0) {
            fail_msg("%zu: %s", i, err.message);
        }
        shows(identity, false, users[i].line);
        assert_int_equal(count_runs(), users[i].runs);
        assert_int_equal(bw_kube_identity_place(identity)->renews, users[i].renews);
        bw_kube_identity_destroy(identity);
    }
}

static void what_a_program_gave_counts_until_it_is_refused(void **state)
{
    struct bw_kube_identity *identity = NULL;
    struct bw_kube_credentials credentials;
    struct bw_error err = {0};
    (void)state;
    put_plugin(",\"expirationTimestamp\":\"9999-01-01T00:00:00Z\"");
    assert_int_equal(identity_of(&identity, "server: 'https://x'", EXEC, &err), 0);
    shows(identity, false, "Authorization: Bearer s3cret-1");
    shows(identity, true, "Authorization: Bearer s3cret-2");
    shows(identity, false, "Authorization: Bearer s3cret-2");
    assert_int_equal(count_runs(), 2);
    /* the third run fails: what was refused is not shown again */
    assert_int_equal(bw_kube_identity_take(&credentials, identity, true, never, &err), -1);
    assert_non_null(strstr(err.message, "ended with exit status 1"));
    bw_kube_identity_destroy(identity);
}

static void what_has_expired_is_asked_for_again(void **state)
{
    struct bw_kube_identity *identity = NULL;
    struct bw_kube_credentials credentials;
    struct bw_error err = {0};
    (void)state;
    put_plugin(",\"expirationTimestamp\":\"2001-01-01T00:00:00Z\"");
    assert_int_equal(identity_of(&identity, "server: 'https://x'", EXEC, &err), 0);
    assert_int_equal(count_runs(), 1);
    shows(identity, false, "Authorization: Bearer s3cret-2");
    assert_int_equal(bw_kube_identity_take(&credentials, identity, false, never, &err), -1);
    shows(identity, false, "Authorization: Bearer s3cret-4");
    bw_kube_identity_destroy(identity);
}

static void a_token_file_is_read_again_when_it_was_refused(void **state)
{
    struct bw_kube_identity *identity = NULL;
    struct bw_error err = {0};
    char path[128];
    (void)state;
    put("token", "one", 0600);
    assert_int_equal(identity_of(&identity, "server: 'https://x'", "tokenFile: token", &err), 0);
    put("token", "two", 0600);
    shows(identity, false, "Authorization: Bearer one");
    shows(identity, true, "Authorization: Bearer two");
    (void)snprintf(path, sizeof(path), "%s/token", folder);
    assert_int_equal(unlink(path), 0);
    shows(identity, true, "Authorization: Bearer two"); /* it is being replaced */
    bw_kube_identity_destroy(identity);
}

static const struct {
    const char *user, *says;
} faults[] = {
    {"token: 'two s3cret words'", "token: the user of context \"c\" has none: one word is expected"},
    {"token: \"s3cret\\r\\nX: y\"", "token: the user of context \"c\" has none"},
    {"tokenFile: token", "/token holds no token: one word is expected"},
    {"tokenFile: gone", "/gone: cannot be opened"},
    {EXEC, "/plugin: status.token: one word is expected"},
};

static void what_is_no_token_is_not_shown(void **state)
{
    (void)state;
    put("token", "two s3cret\n", 0600);
    put("plugin",
        "#!/bin/sh\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\","
        "\"status\":{\"token\":\"two s3cret\"}}'\n",
        0700);
    for (size_t i = 0; i < BW_LENGTH(faults); i++) {
        struct bw_kube_identity *identity = NULL;
        struct bw_error err = {0};
        int status = identity_of(&identity, "server: 'https://x'", faults[i].user, &err);
        if (status == 0 || strstr(err.message, faults[i].says) == NULL || strstr(err.message, "s3cret") != NULL) {
            fail_msg("%zu: %d %s", i, status, err.message);
        }
    }
}

static void the_place_is_the_clusters(void **state)
{
    struct bw_kube_identity *identity = NULL;
    struct bw_error err = {0};
    (void)state;
    assert_int_equal(identity_of(&identity,
                                 "server: 'https://x/y/', insecure-skip-tls-verify: true, tls-server-name: z, "
                                 "proxy-url: 'socks5://p:1'",
                                 "", &err),
                     0);
    const struct bw_kube_place *place = bw_kube_identity_place(identity);
    assert_string_equal(place->server, "https://x/y");
    assert_string_equal(place->server_name, "z");
    assert_string_equal(place->proxy, "socks5h://p:1");
    assert_string_equal(place->namespace, "shop");
    assert_true(place->insecure_skip_verify);
    assert_false(place->plain_http);
    bw_kube_identity_destroy(identity);
}

static int set_up(void **state)
{
    char template[] = "/tmp/breakwater-identity-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(template));
    memcpy(folder, template, sizeof(template));
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"config", "token", "plugin", "runs"};
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_user_shows_what_it_has),
        cmocka_unit_test(what_a_program_gave_counts_until_it_is_refused),
        cmocka_unit_test(what_has_expired_is_asked_for_again),
        cmocka_unit_test(a_token_file_is_read_again_when_it_was_refused),
        cmocka_unit_test(what_is_no_token_is_not_shown),
        cmocka_unit_test(the_place_is_the_clusters),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
