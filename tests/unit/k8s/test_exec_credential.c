/* k8s/exec_credential with small shell scripts as programs that give credentials, or do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/certificate.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "k8s/exec_credential.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V1      "client.authentication.k8s.io/v1"
#define V1BETA1 "client.authentication.k8s.io/v1beta1"
#define ANSWER  "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":"

static char folder[64];

static void path_of(char *out, size_t size, const char *name)
{
    (void)snprintf(out, size, "%s/%s", folder, name);
}

static const char *script(const char *text)
{
    static char path[128];
    char whole[4096];
    int n = snprintf(whole, sizeof(whole), "#!/bin/sh\ncd '%s'\n%s\n", folder, text);
    path_of(path, sizeof(path), "plugin");
    assert_int_equal(bw_file_write(path, whole, (size_t)n, 0700, NULL), 0);
    return path;
}

static const char *const none[] = {NULL};

static int run(struct bw_exec_credential *out, const struct bw_kubeconfig *config, struct bw_error *err)
{
    return bw_exec_credential_run(out, config, (struct bw_deadline){INT64_MAX}, err);
}

static void it_is_asked_as_the_protocol_says(void **state)
{
    static const char *const args[] = {"--for", "two words", "$HOME", NULL};
    static const char *const env[] = {"ROLE=old", "ROLE=admin", "GIVEN=from the kubeconfig", NULL};
    char path[128], *text = NULL;
    struct bw_kube_exec exec = {.api_version = V1, .args = args, .env = env, .provide_cluster_info = true};
    const struct bw_kubeconfig config = {.server = "https://api.example:6443",
                                         .server_name = "kubernetes",
                                         .ca = "PEM",
                                         .proxy = "http://proxy",
                                         .exec = &exec};
    struct bw_exec_credential given = {0};
    struct bw_error err = {0};
    (void)state;
    (void)setenv("GIVEN", "from outside", 1);
    (void)setenv("KUBERNETES_EXEC_INFO", "from outside", 1);
    (void)setenv("KEPT", "yes", 1);
    exec.cluster_config = "{\"audience\":\"x\"}";
    exec.command = script("printf '%s|' \"$#\" \"$@\" \"$ROLE\" \"$GIVEN\" \"$KEPT\" >seen\n"
                          "env | grep -c '^ROLE=' >>seen\n"
                          "printf '%s' \"$KUBERNETES_EXEC_INFO\" >info\n"
                          "[ -t 0 ] || cat >>seen\n"
                          "echo '" ANSWER "{\"token\":\"t\",\"clientCertificateData\":\"\"}}'");
    if (run(&given, &config, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(given.token, "t");
    assert_null(given.certificate);
    assert_true(given.expires_s == INT64_MAX);
    bw_exec_credential_clear(&given);
    path_of(path, sizeof(path), "seen");
    assert_int_equal(bw_file_read(&text, NULL, path, BW_KIB, NULL), 0);
    assert_string_equal(text, "3|--for|two words|$HOME|admin|from the kubeconfig|yes|1\n");
    free(text);
    path_of(path, sizeof(path), "info");
    assert_int_equal(bw_file_read(&text, NULL, path, BW_KIB, NULL), 0);
    assert_string_equal(text, "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"spec\":{\"interactive\":false,"
                              "\"cluster\":{\"server\":\"https://api.example:6443\",\"tls-server-name\":\"kubernetes\","
                              "\"certificate-authority-data\":\"UEVN\",\"proxy-url\":\"http://proxy\","
                              "\"config\":{\"audience\":\"x\"}}}}");
    free(text);
    exec.provide_cluster_info = false;
    exec.api_version = V1BETA1;
    exec.command = script("printf '%s' \"$KUBERNETES_EXEC_INFO\" >info\necho '{}'");
    assert_int_equal(run(&given, &config, &err), -1);
    assert_int_equal(bw_file_read(&text, NULL, path, BW_KIB, NULL), 0);
    assert_string_equal(text, "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1BETA1
                              "\",\"spec\":{\"interactive\":false}}");
    free(text);
}

static const struct {
    const char *name, *text;
    enum bw_code code;
    const char *says;
} programs[] = {
    {"an exit status", "echo '" ANSWER "{\"token\":\"s3cret\"}}'; exit 3", BW_EUNAVAILABLE, "ended with exit status 3"},
    {"a signal", "kill -9 $$", BW_EUNAVAILABLE, "ended by signal 9"},
    {"nothing", "", BW_EUNAVAILABLE, "JSON of an ExecCredential is expected"},
    {"garbage", "echo s3cret is no JSON", BW_EUNAVAILABLE, "JSON of an ExecCredential is expected"},
    {"more than anybody needs", "exec yes s3cret", BW_ELIMIT, "wrote more than 1048576 bytes"},
    {"that much at its end", "head -c 1048577 /dev/zero", BW_ELIMIT, "wrote more than 1048576 bytes"},
    {"a fault within", "echo '" ANSWER "{}}'", BW_EUNAVAILABLE, "/plugin: status: a token or a client certificate"},
};

static void a_program_that_fails_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(programs); i++) {
        const struct bw_kube_exec exec = {
            .api_version = V1, .command = script(programs[i].text), .args = none, .env = none, .install_hint = "hint"};
        const struct bw_kubeconfig config = {.server = "https://x", .exec = &exec};
        struct bw_exec_credential given = {0};
        struct bw_error err = {0};
        int status = run(&given, &config, &err);
        if (status == 0 || err.code != programs[i].code || strstr(err.message, programs[i].says) == NULL ||
            strncmp(err.message, "exec: ", 6) != 0 || strstr(err.message, "s3cret") != NULL) {
            fail_msg("%s: %d %s", programs[i].name, status, err.message);
        }
    }
}

static void one_that_is_not_installed_comes_with_its_hint(void **state)
{
    const struct bw_kube_exec exec = {.api_version = V1,
                                      .command = "breakwater-no-such-plugin",
                                      .args = none,
                                      .env = none,
                                      .install_hint = "Install it:\n  brew install it"};
    const struct bw_kubeconfig config = {.server = "https://x", .exec = &exec};
    struct bw_exec_credential given = {0};
    struct bw_error err = {0};
    (void)state;
    assert_int_equal(run(&given, &config, &err), -1);
    assert_int_equal(err.code, BW_ENOTFOUND);
    assert_string_equal(err.message, "exec: breakwater-no-such-plugin, which gives the user's credentials, cannot be "
                                     "started: No such file or directory; Install it:   brew install it");
}

static void one_that_wants_a_terminal_is_not_run_without(void **state)
{
    const struct bw_kube_exec exec = {.api_version = V1,
                                      .command = script("touch ran"),
                                      .args = none,
                                      .env = none,
                                      .interactive = BW_KUBE_EXEC_ALWAYS};
    const struct bw_kubeconfig config = {.server = "https://x", .exec = &exec};
    struct bw_exec_credential given = {0};
    struct bw_error err = {0};
    char path[128];
    (void)state;
    assert_int_equal(run(&given, &config, &err), -1);
    assert_non_null(strstr(err.message, "interactiveMode Always"));
    path_of(path, sizeof(path), "ran");
    assert_int_equal(access(path, F_OK), -1);
}

static void one_that_hangs_ends_with_what_it_started(void **state)
{
    const struct bw_kube_exec exec = {
        .api_version = V1, .command = script("mkfifo pipe\nsleep 1000 3<>pipe"), .args = none, .env = none};
    const struct bw_kubeconfig config = {.server = "https://x", .exec = &exec};
    struct bw_exec_credential given = {0};
    struct bw_error err = {0};
    char path[128], byte;
    (void)state;
    assert_int_equal(bw_exec_credential_run(&given, &config, bw_deadline_in_ms(500), &err), -1);
    assert_int_equal(err.code, BW_EDEADLINE);
    assert_non_null(strstr(err.message, "did not end within the time given"));
    /* the pipe ends once all that hold it are gone */
    path_of(path, sizeof(path), "pipe");
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    for (int tries = 0; fd >= 0 && read(fd, &byte, 1) != 0; tries++) {
        assert_true(tries < 30000);
        (void)usleep(1000);
    }
    (void)close(fd);
}

static void its_end_counts_not_that_of_what_it_left_behind(void **state)
{
    const struct bw_kube_exec exec = {.api_version = V1,
                                      .command = script("sleep 1000 & echo $! >pid\n"
                                                        "echo '" ANSWER "{\"token\":\"t\"}}'"),
                                      .args = none,
                                      .env = none};
    const struct bw_kubeconfig config = {.server = "https://x", .exec = &exec};
    struct bw_exec_credential given = {0};
    char path[128], *text = NULL;
    uint64_t pid = 0;
    size_t len = 0;
    (void)state;
    assert_int_equal(run(&given, &config, NULL), 0);
    assert_string_equal(given.token, "t");
    bw_exec_credential_clear(&given);
    path_of(path, sizeof(path), "pid");
    assert_int_equal(bw_file_read(&text, &len, path, BW_KIB, NULL), 0);
    assert_int_equal(bw_str_uint(&pid, bw_str_trim((struct bw_str){text, len}), 10, INT32_MAX), 0);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    free(text);
}

/* ---- the answer ---- */

static const struct {
    const char *name, *text, *says; /* says NULL: fine, a token t */
    int64_t expires_s;
} answers[] = {
    {"a token", ANSWER "{\"token\":\"t\"}}", NULL, INT64_MAX},
    {"one that expires", ANSWER "{\"token\":\"t\",\"expirationTimestamp\":\"2026-01-02T03:04:05Z\"}}", NULL,
     1767323045},
    {"elsewhere", ANSWER "{\"token\":\"t\",\"expirationTimestamp\":\"2026-01-02T04:04:05+01:00\"}}", NULL, 1767323045},
    {"to a microsecond", ANSWER "{\"token\":\"t\",\"expirationTimestamp\":\"2026-01-02T03:04:05.123456Z\"}}", NULL,
     1767323045},
    {"nulls", ANSWER "{\"token\":\"t\",\"clientKeyData\":null,\"expirationTimestamp\":null}}", NULL, INT64_MAX},
    {"some other day", ANSWER "{\"token\":\"s3cret\",\"expirationTimestamp\":\"tomorrow\"}}", "expirationTimestamp: a",
     0},
    {"a fraction of nothing", ANSWER "{\"token\":\"s3cret\",\"expirationTimestamp\":\"2026-01-02T03:04:05.Z\"}}",
     "expirationTimestamp: a time of RFC 3339 is expected", 0},
    {"a number for a time", ANSWER "{\"token\":\"s3cret\",\"expirationTimestamp\":5}}", "expirationTimestamp: a", 0},
    {"another kind", "{\"kind\":\"Pod\",\"apiVersion\":\"" V1 "\",\"status\":{\"token\":\"s3cret\"}}", "kind: Exec", 0},
    {"another version",
     "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1BETA1 "\",\"status\":{\"token\":\"s3cret\"}}",
     "apiVersion: " V1 " is expected", 0},
    {"no status", "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"}", "status: an object is expected", 0},
    {"an empty token", ANSWER "{\"token\":\"\"}}", "a token or a client certificate is expected", 0},
    {"a number for a token", ANSWER "{\"token\":5}}", "status.token: text is expected", 0},
    {"a token with a zero", ANSWER "{\"token\":\"s3cret\\u0000\"}}", "status.token: text is expected", 0},
    {"a certificate alone", ANSWER "{\"clientCertificateData\":\"s3cret\"}}", "or neither", 0},
    {"a key alone", ANSWER "{\"token\":\"t\",\"clientKeyData\":\"s3cret\"}}", "or neither", 0},
    {"no PEM", ANSWER "{\"clientCertificateData\":\"s3cret\",\"clientKeyData\":\"s3cret\"}}",
     "status.clientCertificateData and status.clientKeyData: no PEM certificate", 0},
    {"a list", "[]", "kind: ExecCredential is expected", 0},
};

static void answers_are_read_and_never_quoted(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(answers); i++) {
        struct bw_exec_credential given = {0};
        struct bw_error err = {0};
        int status = bw_exec_credential_parse(&given, answers[i].text, strlen(answers[i].text), V1, &err);
        bool fine = answers[i].says == NULL
                        ? status == 0 && strcmp(given.token, "t") == 0 && given.expires_s == answers[i].expires_s
                        : status != 0 && strstr(err.message, answers[i].says) != NULL && given.token == NULL;
        if (!fine || strstr(err.message, "s3cret") != NULL) {
            fail_msg("%s: %d %s", answers[i].name, status, err.message);
        }
        bw_exec_credential_clear(&given);
    }
}

static void a_certificate_comes_with_its_key(void **state)
{
    const struct bw_certificate_request request = {.common_name = "ann", .lifetime_s = 86400};
    const char *ca = NULL, *ca_key = NULL, *leaf = NULL, *key = NULL;
    struct bw_exec_credential given = {0};
    struct bw_error err = {0};
    BW_ARENA_SCOPE arena;
    (void)state;
    bw_arena_init(&arena, BW_MIB);
    assert_int_equal(bw_certificate_make_ca(&ca, &ca_key, &request, &arena, NULL), 0);
    assert_int_equal(bw_certificate_make_leaf(&leaf, &key, &request, ca, ca_key, &arena, NULL), 0);
    for (int fits = 0; fits <= 1; fits++) {
        json_t *document = json_pack("{s:s,s:s,s:{s:s,s:s}}", "kind", "ExecCredential", "apiVersion", V1, "status",
                                     "clientCertificateData", leaf, "clientKeyData", fits ? key : ca_key);
        char *text = json_dumps(document, 0);
        int status = bw_exec_credential_parse(&given, text, strlen(text), V1, &err);
        assert_int_equal(status, fits ? 0 : -1);
        free(text);
        json_decref(document);
    }
    assert_string_equal(given.certificate, leaf);
    assert_string_equal(given.key, key);
    assert_null(given.token);
    bw_exec_credential_clear(&given);
    assert_non_null(strstr(err.message, "the private key does not belong to the certificate"));
}

static int set_up(void **state)
{
    char template[] = "/tmp/breakwater-exec-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(template));
    memcpy(folder, template, sizeof(template));
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC); /* no person is there, whoever runs the tests */
    assert_true(null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO);
    return close(null);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"plugin", "seen", "info", "pipe", "pid"};
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(names); i++) {
        char path[128];
        path_of(path, sizeof(path), names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_asked_as_the_protocol_says),
        cmocka_unit_test(a_program_that_fails_is_named),
        cmocka_unit_test(one_that_is_not_installed_comes_with_its_hint),
        cmocka_unit_test(one_that_wants_a_terminal_is_not_run_without),
        cmocka_unit_test(one_that_hangs_ends_with_what_it_started),
        cmocka_unit_test(its_end_counts_not_that_of_what_it_left_behind),
        cmocka_unit_test(answers_are_read_and_never_quoted),
        cmocka_unit_test(a_certificate_comes_with_its_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
