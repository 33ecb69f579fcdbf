/* k8s/kubeconfig: what a file says, what is wrong with it, and how several are one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/certificate.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "k8s/kubeconfig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char base[] =
    "apiVersion: v1\n"
    "kind: Config\n"
    "current-context: prod\n"
    "contexts:\n"
    "- {name: prod, context: {cluster: eu, user: ann, namespace: shop}}\n"
    "- {name: bare, context: {cluster: plain}}\n"
    "clusters:\n"
    "- name: eu\n"
    "  cluster:\n"
    "    server: https://api.example:6443/k8s/\n"
    "    certificate-authority: pki/ca.crt\n"
    "    tls-server-name: kubernetes\n"
    "    proxy-url: http://ann:s3cret@proxy.example:3128\n"
    "    extensions:\n"
    "    - {name: client.authentication.k8s.io/exec, extension: {audience: x}}\n"
    "- {name: plain, cluster: {server: 'http://127.0.0.1:8001', insecure-skip-tls-verify: true}}\n"
    "users:\n"
    "- name: ann\n"
    "  user:\n"
    "    client-certificate: ann.crt\n"
    "    client-key: /pki/ann.key\n"
    "    token: s3cret\n"
    "    tokenFile: ../token\n"
    "    exec:\n"
    "      apiVersion: client.authentication.k8s.io/v1\n"
    "      command: bin/login\n"
    "      args: [--for, s3cret]\n"
    "      env: [{name: ROLE, value: admin}, {name: EMPTY}]\n"
    "      installHint: get it\n"
    "      interactiveMode: Never\n"
    "      provideClusterInfo: true\n"
    "- {name: named, user: {username: bob, password: s3cret}}\n";

static int parse(struct bw_kubeconfig *out, struct bw_kubeconfig_files *files, const char *text, const char *context,
                 struct bw_arena *arena, struct bw_error *err)
{
    const struct bw_kubeconfig_text one = {"/etc/kube/config", text, strlen(text)};
    return bw_kubeconfig_parse(out, files, &one, 1, context, arena, err);
}

static void a_context_says_all_there_is(void **state)
{
    struct bw_kubeconfig config;
    struct bw_kubeconfig_files files;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, BW_ARENA_KUBECONFIG);
    if (parse(&config, &files, base, NULL, &arena, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(config.context, "prod");
    assert_string_equal(config.namespace, "shop");
    assert_string_equal(config.server, "https://api.example:6443/k8s");
    assert_string_equal(config.server_name, "kubernetes");
    assert_string_equal(config.proxy, "http://ann:s3cret@proxy.example:3128");
    assert_string_equal(files.ca, "/etc/kube/pki/ca.crt");
    assert_false(config.insecure_skip_verify);
    assert_string_equal(files.certificate, "/etc/kube/ann.crt");
    assert_string_equal(files.key, "/pki/ann.key");
    assert_string_equal(config.token, "s3cret");
    assert_string_equal(config.token_file, "/etc/kube/../token");
    assert_null(config.username);
    assert_string_equal(config.exec->api_version, "client.authentication.k8s.io/v1");
    assert_string_equal(config.exec->command, "/etc/kube/bin/login");
    assert_string_equal(config.exec->args[1], "s3cret");
    assert_null(config.exec->args[2]);
    assert_string_equal(config.exec->env[0], "ROLE=admin");
    assert_string_equal(config.exec->env[1], "EMPTY=");
    assert_null(config.exec->env[2]);
    assert_string_equal(config.exec->install_hint, "get it");
    assert_string_equal(config.exec->cluster_config, "{\"audience\":\"x\"}");
    assert_true(config.exec->provide_cluster_info);
    assert_int_equal(config.exec->interactive, BW_KUBE_EXEC_NEVER);
    assert_string_equal(files.cluster, "/etc/kube/config: context \"prod\": cluster \"eu\": ");
}

static void a_context_may_say_little(void **state)
{
    struct bw_kubeconfig config;
    struct bw_kubeconfig_files files;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, BW_ARENA_KUBECONFIG);
    assert_int_equal(parse(&config, &files, base, "bare", &arena, &err), 0);
    assert_string_equal(config.context, "bare");
    assert_string_equal(config.namespace, "default");
    assert_string_equal(config.server, "http://127.0.0.1:8001");
    assert_true(config.insecure_skip_verify);
    assert_null(config.token);
    assert_null(config.exec);
    assert_null(files.ca);
}

/* One piece of the text above in another shape. */
static const struct {
    const char *name, *find, *put, *says;
} faults[] = {
    {"no YAML", "kind: Config\n", "kind: [s3cret\n", "config: line "},
    {"a tag that does not fit quotes nothing", "token: s3cret", "token: !!int s3cret", "YAML of a kubeconfig"},
    {"an alias of nothing quotes nothing", "token: s3cret", "token: *s3cret", "YAML of a kubeconfig"},
    {"another kind", "kind: Config", "kind: Pod", "config: kind: a kubeconfig is expected"},
    {"another version", "apiVersion: v1\n", "apiVersion: v2\n", "kubeconfig is expected"},
    {"no current context", "current-context: prod\n", "", "current-context: the name of a context is expected"},
    {"a number for it", "current-context: prod\n", "current-context: 5\n", "current-context: text is expected"},
    {"a context that is not there", "current-context: prod", "current-context: dev",
     "context \"dev\": is not there: an entry in contexts is expected"},
    {"contexts that are no list", "contexts:\n", "contexts: {a: b}\nold:\n", "contexts: a list of entries"},
    {"an entry without a name", "- {name: prod, ", "- {", "contexts: a list of entries with names is expected"},
    {"the same name twice", "- {name: bare,", "- {name: prod,", "context \"prod\": name: one entry of this name"},
    {"a context that is a text", "context: {cluster: eu, user: ann, namespace: shop}", "context: s3cret",
     "context \"prod\": context: an object is expected"},
    {"a context without cluster", "cluster: eu, ", "", "context \"prod\": cluster: the name of a cluster is expected"},
    {"a cluster that is not there", "cluster: eu,", "cluster: us,", "cluster \"us\": is not there"},
    {"a user that is not there", "user: ann,", "user: eve,", "user \"eve\": is not there"},
    {"a namespace that leads elsewhere", "namespace: shop", "namespace: ../x", "namespace: the name of a namespace"},
    {"no server", "    server: https://api.example:6443/k8s/\n", "", "cluster \"eu\": server: an http or https URL"},
    {"a server without scheme", "server: https://api", "server: api", "server: an http or https URL"},
    {"a server with a password", "server: https://api", "server: https://ann:s3cret@api", "server: an http or https"},
    {"a server with a query", "6443/k8s/", "6443/?x=y", "server: an http or https URL"},
    {"CA and no verification", "    tls-server-name", "    insecure-skip-tls-verify: true\n    tls-server-name",
     "insecure-skip-tls-verify: no certificate-authority is expected beside it"},
    {"verification in words", "    tls-server-name", "    insecure-skip-tls-verify: 'no'\n    tls-server-name",
     "insecure-skip-tls-verify: true or false is expected"},
    {"CA data that is no base64", "certificate-authority: pki/ca.crt", "certificate-authority-data: s3cret!",
     "certificate-authority-data: PEM in base64 is expected"},
    {"a list for the CA", "certificate-authority: pki/ca.crt", "certificate-authority: []",
     "certificate-authority: text is expected"},
    {"a server name with a slash", "tls-server-name: kubernetes", "tls-server-name: a/b",
     "tls-server-name: a host name is expected"},
    {"a proxy of another kind", "proxy-url: http:", "proxy-url: ftp:", "proxy-url: a URL of http, https or socks5"},
    {"a key without certificate", "    client-certificate: ann.crt\n", "",
     "client-certificate: one is expected together with client-key"},
    {"a certificate without key", "    client-key: /pki/ann.key\n", "", "together with client-key"},
    {"certificate data that is no base64", "client-certificate: ann.crt", "client-certificate-data: '?s3cret'",
     "client-certificate-data: PEM in base64"},
    {"key data that is no base64", "client-key: /pki/ann.key", "client-key-data: '?s3cret'", "client-key-data: PEM in"},
    {"a number for a token", "token: s3cret", "token: 12345", "user \"ann\": token: text is expected"},
    {"token and password", "    token: s3cret\n", "    token: s3cret\n    username: ann\n    password: s3cret\n",
     "token: no username and no password is expected beside it"},
    {"a number for a tokenFile", "tokenFile: ../token", "tokenFile: 5", "tokenFile: text is expected"},
    {"a password without name", "    token: s3cret\n    tokenFile: ../token\n", "    password: s3cret\n",
     "password: a username is expected beside it"},
    {"a name with a colon", "    token: s3cret\n    tokenFile: ../token\n", "    username: a:s3cret\n",
     "username: a name without a colon"},
    {"impersonation", "    token: s3cret", "    as: eve\n    token: s3cret", "as: is not supported"},
    {"impersonation of groups", "    token: s3cret", "    as-groups: [x]\n    token: s3cret", "as-groups: is not supp"},
    {"an old plugin", "    token: s3cret", "    auth-provider: {name: gcp}\n    token: s3cret",
     "auth-provider: is not"},
    {"exec in one word", "    exec:\n", "    exec: s3cret\n    old:\n", "exec: an object is expected"},
    {"exec of an old version", "k8s.io/v1\n", "k8s.io/v1alpha1\n", "exec.apiVersion: client.authentication.k8s.io/v1 "},
    {"exec of no version", "      apiVersion: client.authentication.k8s.io/v1\n", "", "exec.apiVersion: "},
    {"exec without command", "      command: bin/login\n", "", "exec.command: a program is expected"},
    {"arguments in one text", "args: [--for, s3cret]", "args: --for s3cret", "exec.args: a list of texts"},
    {"a number among arguments", "args: [--for, s3cret]", "args: [--for, 5]", "exec.args: text is expected"},
    {"an environment without names", "{name: EMPTY}", "{value: s3cret}", "exec.env: a name without = is expected"},
    {"a name with an equals sign", "{name: EMPTY}", "{name: A=s3cret}", "exec.env: a name without = is expected"},
    {"an environment that is an object", "env: [{name: ROLE, value: admin}, {name: EMPTY}]", "env: {A: s3cret}",
     "exec.env: a list of names with values"},
    {"a number for a value", "value: admin", "value: 5", "exec.value: text is expected"},
    {"a list for the hint", "installHint: get it", "installHint: [x]", "exec.installHint: text is expected"},
    {"a mode that is none", "interactiveMode: Never", "interactiveMode: Perhaps", "exec.interactiveMode: Never, "},
    {"no mode, which v1 asks for", "      interactiveMode: Never\n", "", "exec.interactiveMode: Never, IfAvailable"},
    {"cluster info in words", "provideClusterInfo: true", "provideClusterInfo: please",
     "exec.provideClusterInfo: true"},
    {"a second document", "users:\n", "---\nusers:\n", "YAML of a kubeconfig is expected"},
};

/* `text` with `put` in place of `find`, which must be there. */
static char *changed(const char *text, const char *find, const char *put, struct bw_arena *arena)
{
    const char *at = strstr(text, find);
    assert_non_null(at);
    return bw_arena_printf(arena, "%.*s%s%s", (int)(at - text), text, put, at + strlen(find));
}

static void faults_are_named_and_never_quoted(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(faults); i++) {
        struct bw_kubeconfig config;
        struct bw_kubeconfig_files files;
        struct bw_error err = {0};
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, BW_ARENA_KUBECONFIG);
        int status = parse(&config, &files, changed(base, faults[i].find, faults[i].put, &arena), NULL, &arena, &err);
        if (status == 0 || strstr(err.message, faults[i].says) == NULL ||
            strstr(err.message, "/etc/kube/config") == NULL || strstr(err.message, "s3cret") != NULL) {
            fail_msg("%s: %d %s", faults[i].name, status, err.message);
        }
    }
}

static void v1beta1_needs_no_mode(void **state)
{
    struct bw_kubeconfig config;
    struct bw_kubeconfig_files files;
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, BW_ARENA_KUBECONFIG);
    const char *text = changed(base, "      interactiveMode: Never\n", "", &arena);
    text = changed(text, "k8s.io/v1\n", "k8s.io/v1beta1\n", &arena);
    text = changed(text, "command: bin/login", "command: login", &arena);
    assert_int_equal(parse(&config, &files, text, NULL, &arena, NULL), 0);
    assert_int_equal(config.exec->interactive, BW_KUBE_EXEC_IF_AVAILABLE);
    assert_string_equal(config.exec->command, "login"); /* to be found in $PATH */
}

static void data_wins_over_files(void **state)
{
    struct bw_kubeconfig config;
    struct bw_kubeconfig_files files;
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, BW_ARENA_KUBECONFIG);
    const char *text =
        changed(base, "    tls-server-name", "    certificate-authority-data: UEVN\n    tls-server-name", &arena);
    text = changed(text, "    token: s3cret", "    client-certificate-data: Q0VSVA==\n    client-key-data: S0VZ\n",
                   &arena);
    assert_int_equal(parse(&config, &files, text, NULL, &arena, NULL), 0);
    assert_string_equal(config.ca, "PEM");
    assert_string_equal(config.certificate, "CERT");
    assert_string_equal(config.key, "KEY");
    assert_null(files.ca);
    assert_null(files.certificate);
    assert_null(files.key);
}

static void of_several_files_the_first_says_all_about_a_name(void **state)
{
    static const char first[] = "users: [{name: ann, user: {token: first}}]\n";
    static const char second[] =
        "current-context: prod\n"
        "contexts: [{name: prod, context: {cluster: eu, user: ann}}]\n"
        "clusters: [{name: eu, cluster: {server: 'https://second', certificate-authority: ca.crt}}]\n"
        "users: [{name: ann, user: {username: ann, password: second}}]\n";
    static const char third[] = "current-context: other\n"
                                "contexts: [{name: other, context: {cluster: eu, user: bob}}]\n"
                                "clusters: [{name: eu, cluster: {server: 'https://third'}}]\n"
                                "users: [{name: bob, user: {tokenFile: bob}}]\n";
    const struct bw_kubeconfig_text texts[] = {{"/a/config", first, sizeof(first) - 1},
                                               {"/empty", "", 0},
                                               {"/b/config", second, sizeof(second) - 1},
                                               {"/c/config", third, sizeof(third) - 1}};
    struct bw_kubeconfig config;
    struct bw_kubeconfig_files files;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, BW_ARENA_KUBECONFIG);
    assert_int_equal(bw_kubeconfig_parse(&config, &files, texts, BW_LENGTH(texts), NULL, &arena, &err), 0);
    assert_string_equal(config.context, "prod");
    assert_string_equal(config.server, "https://second");
    assert_string_equal(config.token, "first");
    assert_null(config.username);
    assert_string_equal(files.ca, "/b/ca.crt");
    assert_int_equal(bw_kubeconfig_parse(&config, &files, texts, BW_LENGTH(texts), "other", &arena, &err), 0);
    assert_string_equal(config.token_file, "/c/bob");
    assert_string_equal(config.server, "https://second");
    assert_int_equal(bw_kubeconfig_parse(&config, &files, texts, BW_LENGTH(texts), "none", &arena, &err), -1);
    assert_int_equal(err.code, BW_ENOTFOUND);
    assert_int_equal(bw_kubeconfig_parse(&config, &files, texts + 1, 1, NULL, &arena, &err), -1);
    assert_non_null(strstr(err.message, "/empty: a kubeconfig is expected, nothing is there"));
}

/* ---- files ---- */

static char folder[64];

static const char *put(const char *name, const char *text, struct bw_arena *arena)
{
    char *path = bw_arena_printf(arena, "%s/%s", folder, name);
    assert_int_equal(bw_file_write(path, text, strlen(text), 0600, NULL), 0);
    return path;
}

static int set_up(void **state)
{
    char template[] = "/tmp/breakwater-kubeconfig-XXXXXX", path[128];
    (void)state;
    assert_non_null(mkdtemp(template));
    memcpy(folder, template, sizeof(template));
    (void)snprintf(path, sizeof(path), "%s/.kube", folder);
    return mkdir(path, 0700);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"ca.crt", "ann.crt", "ann.key",      "eve.key", "one",
                                        "two",    "whole",   ".kube/config", ".kube"};
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)remove(path);
    }
    return rmdir(folder);
}

static void files_are_found_as_kubectl_finds_them(void **state)
{
    static const char rest[] = "contexts: [{name: c, context: {cluster: c}}]\n"
                               "clusters: [{name: c, cluster: {server: 'https://%s'}}]\ncurrent-context: c\n";
    struct bw_kubeconfig config;
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, BW_ARENA_KUBECONFIG);
    const char *one = put("one", changed(rest, "%s", "one", &arena), &arena);
    const char *two = put("two", changed(rest, "%s", "two", &arena), &arena);
    (void)setenv("HOME", folder, 1);
    (void)unsetenv("KUBECONFIG");
    assert_int_equal(bw_kubeconfig_load(&config, NULL, NULL, &arena, &err), -1);
    assert_int_equal(err.code, BW_ENOTFOUND);
    assert_non_null(strstr(err.message, "/.kube/config"));
    (void)put(".kube/config", changed(rest, "%s", "home", &arena), &arena);
    assert_int_equal(bw_kubeconfig_load(&config, NULL, NULL, &arena, &err), 0);
    assert_string_equal(config.server, "https://home");
    (void)setenv("KUBECONFIG", bw_arena_printf(&arena, "%s/gone::%s:%s", folder, two, one), 1);
    assert_int_equal(bw_kubeconfig_load(&config, NULL, NULL, &arena, &err), 0);
    assert_string_equal(config.server, "https://two");
    assert_int_equal(bw_kubeconfig_load(&config, one, NULL, &arena, &err), 0);
    assert_string_equal(config.server, "https://one");
    (void)setenv("KUBECONFIG", "/nowhere/a:/nowhere/b", 1);
    assert_int_equal(bw_kubeconfig_load(&config, NULL, NULL, &arena, &err), -1);
    assert_non_null(strstr(err.message, "KUBECONFIG: none of its files is there"));
    (void)unsetenv("KUBECONFIG");
    (void)unsetenv("HOME");
    assert_int_equal(bw_kubeconfig_load(&config, NULL, NULL, &arena, &err), -1);
    assert_non_null(strstr(err.message, "HOME"));
}

static void named_files_are_read_and_fit(void **state)
{
    const struct bw_certificate_request request = {.common_name = "ann", .lifetime_s = 86400};
    const char *ca = NULL, *ca_key = NULL, *leaf = NULL, *key = NULL;
    struct bw_kubeconfig config;
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, BW_ARENA_KUBECONFIG);
    assert_int_equal(bw_certificate_make_ca(&ca, &ca_key, &request, &arena, NULL), 0);
    assert_int_equal(bw_certificate_make_leaf(&leaf, &key, &request, ca, ca_key, &arena, NULL), 0);
    const char *path = put("whole",
                           "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: ann}}]\n"
                           "clusters: [{name: c, cluster: {server: 'https://x', certificate-authority: ca.crt}}]\n"
                           "users: [{name: ann, user: {client-certificate: ann.crt, client-key: ann.key}}]\n",
                           &arena);
    const struct {
        const char *ca, *certificate, *key, *says;
    } cases[] = {
        {ca, leaf, key, NULL},
        {"s3cret", leaf, key, "cluster \"c\": certificate-authority: certificates in PEM are expected"},
        {ca, "s3cret", key, "user \"ann\": client-certificate and client-key: no PEM certificate"},
        {ca, leaf, "s3cret", "user \"ann\": client-certificate and client-key: no PEM private key"},
        {ca, leaf, ca_key, "user \"ann\": client-certificate and client-key: the private key does not belong"},
        {NULL, leaf, key, "cluster \"c\": certificate-authority: "},
        {ca, leaf, NULL, "user \"ann\": client-key: "},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_error err = {0};
        const char *texts[] = {cases[i].ca, cases[i].certificate, cases[i].key};
        static const char *const names[] = {"ca.crt", "ann.crt", "ann.key"};
        for (size_t j = 0; j < BW_LENGTH(names); j++) {
            const char *file = put(names[j], texts[j] == NULL ? "" : texts[j], &arena);
            if (texts[j] == NULL) {
                assert_int_equal(unlink(file), 0);
            }
        }
        int status = bw_kubeconfig_load(&config, path, NULL, &arena, &err);
        if (cases[i].says == NULL) {
            assert_int_equal(status, 0);
            assert_string_equal(config.ca, ca);
            assert_string_equal(config.certificate, leaf);
            assert_string_equal(config.key, key);
        } else if (status == 0 || strstr(err.message, cases[i].says) == NULL || strstr(err.message, "whole") == NULL ||
                   strstr(err.message, "s3cret") != NULL) {
            fail_msg("%zu: %d %s", i, status, err.message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_says_all_there_is),
        cmocka_unit_test(a_context_may_say_little),
        cmocka_unit_test(faults_are_named_and_never_quoted),
        cmocka_unit_test(v1beta1_needs_no_mode),
        cmocka_unit_test(data_wins_over_files),
        cmocka_unit_test(of_several_files_the_first_says_all_about_a_name),
        cmocka_unit_test(files_are_found_as_kubectl_finds_them),
        cmocka_unit_test(named_files_are_read_and_fit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
