/*
 * Programs that give credentials (k8s/exec_credential.h), by client.authentication.k8s.io/v1 and v1beta1: the question
 * is in the environment (KUBERNETES_EXEC_INFO), the answer is one JSON document on standard output.
 */
#include "k8s/exec_credential.h"

#include "base/buf.h"
#include "base/certificate.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RUN_MS = 60000,
    ASK_MS = 600000, /* a person looks for the second factor */
    POLL_MS = 50
};
#define MAX_QUESTION (16 * BW_MIB) /* the CA in base64 */

struct run {
    const char *command;
    pid_t pid;
    bool asks;  /* a person, so it stays in our process group, which has the terminal */
    int output; /* -1 at its end */
    char *text; /* what it wrote so far */
    size_t len;
};

/* ---- the question ---- */

static void put_field(struct bw_buf *buf, const char *name, const char *value)
{
    if (value != NULL) {
        bw_buf_printf(buf, ",\"%s\":", name);
        bw_buf_json(buf, value, strlen(value));
    }
}

static int write_question(struct bw_buf *buf, const struct bw_kubeconfig *config, bool asks, struct bw_arena *arena,
                          struct bw_error *err)
{
    const struct bw_kube_exec *exec = config->exec;
    bw_buf_printf(buf, "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\",\"apiVersion\":\"%s\",\"spec\":{",
                  exec->api_version);
    bw_buf_printf(buf, "\"interactive\":%s", asks ? "true" : "false");
    if (exec->provide_cluster_info) {
        const char *ca = config->ca == NULL ? NULL : bw_base64_encode(config->ca, strlen(config->ca), arena);
        if (config->ca != NULL && ca == NULL) {
            return bw_arena_spent(err);
        }
        bw_buf_puts(buf, ",\"cluster\":{\"server\":");
        bw_buf_json(buf, config->server, strlen(config->server));
        put_field(buf, "tls-server-name", config->server_name);
        put_field(buf, "certificate-authority-data", ca);
        put_field(buf, "proxy-url", config->proxy);
        bw_buf_puts(buf, config->insecure_skip_verify ? ",\"insecure-skip-tls-verify\":true" : "");
        if (exec->cluster_config != NULL) {
            bw_buf_printf(buf, ",\"config\":%s", exec->cluster_config);
        }
        bw_buf_puts(buf, "}");
    }
    bw_buf_puts(buf, "}}");
    return bw_buf_check(buf, "KUBERNETES_EXEC_INFO", err);
}

static bool names_same(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");
    return strncmp(a, b, len) == 0 && b[len] == '=';
}

/* Ours, with what the configuration sets in its place; what it sets last counts. */
static char **environment(const struct bw_kube_exec *exec, char *question, struct bw_arena *arena)
{
    size_t n_ours = 0, n_set = 0, n = 0;
    for (; environ[n_ours] != NULL; n_ours++) {
    }
    for (; exec->env[n_set] != NULL; n_set++) {
    }
    char **made = bw_arena_array(arena, n_ours + n_set + 2, sizeof(*made));
    if (made == NULL) {
        return NULL;
    }
    made[n++] = question;
    for (size_t i = n_set + n_ours; i-- > 0;) {
        char *entry = i >= n_ours ? (char *)(uintptr_t)exec->env[i - n_ours] : environ[i];
        bool set = false;
        for (size_t j = 0; !set && j < n; j++) {
            set = names_same(made[j], entry);
        }
        if (!set) {
            made[n++] = entry;
        }
    }
    return made;
}

/* ---- the program ---- */

static int not_started(const struct bw_kube_exec *exec, int why, struct bw_error *err)
{
    char hint[512] = "";
    (void)snprintf(hint, sizeof(hint), "%s%s", exec->install_hint == NULL ? "" : "; ",
                   exec->install_hint == NULL ? "" : exec->install_hint);
    for (char *at = hint; *at != '\0'; at++) {
        *at = *at == '\n' || *at == '\t' ? ' ' : *at;
    }
    return bw_error_set(err, why == ENOENT ? BW_ENOTFOUND : BW_EUNAVAILABLE,
                        "exec: %.200s, which gives the user's credentials, cannot be started: %s%s", exec->command,
                        strerror(why), hint);
}

static int spawn(struct run *run, const struct bw_kube_exec *exec, char **env, struct bw_arena *arena,
                 struct bw_error *err)
{
    size_t n = 0;
    int pipes[2];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, piped;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    for (; exec->args[n] != NULL; n++) {
    }
    char **argv = bw_arena_array(arena, n + 2, sizeof(*argv));
    if (argv == NULL) {
        return bw_arena_spent(err);
    }
    argv[0] = (char *)(uintptr_t)exec->command;
    memcpy(argv + 1, exec->args, n * sizeof(*argv));
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        return not_started(exec, errno, err);
    }
    (void)fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    (void)sigemptyset(&none);
    (void)sigemptyset(&piped);
    (void)sigaddset(&piped, SIGPIPE);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(&attributes, run->asks ? flags : (short)(flags | POSIX_SPAWN_SETPGROUP));
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &piped);
    (void)posix_spawn_file_actions_init(&actions);
    int why = posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
    if (!run->asks) {
        why |= posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    }
    why |= posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    why = why != 0 ? ENOMEM : posix_spawnp(&run->pid, exec->command, &actions, &attributes, argv, env);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    (void)close(pipes[1]);
    run->output = pipes[0];
    return why == 0 ? 0 : not_started(exec, why, err);
}

/* Takes what is there; one byte more than is allowed at most. */
static void take_output(struct run *run)
{
    while (run->output >= 0 && run->len <= BW_MAX_EXEC_OUTPUT_BYTES) {
        ssize_t got = read(run->output, run->text + run->len, BW_MAX_EXEC_OUTPUT_BYTES + 1 - run->len);
        if (got > 0) {
            run->len += (size_t)got;
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else if (got < 0 && errno == EAGAIN) {
            return;
        } else {
            (void)close(run->output);
            run->output = -1;
        }
    }
}

/* What it has started goes as well. */
static void stop(const struct run *run)
{
    (void)kill(run->asks ? run->pid : -run->pid, SIGKILL);
    while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

static int judge(const struct run *run, int status, struct bw_error *err)
{
    if (WIFSIGNALED(status)) {
        return bw_error_set(err, BW_EUNAVAILABLE, "exec: %.200s was ended by signal %d", run->command,
                            WTERMSIG(status));
    }
    return status == 0 ? 0
                       : bw_error_set(err, BW_EUNAVAILABLE, "exec: %.200s ended with exit status %d: 0 is expected",
                                      run->command, WEXITSTATUS(status));
}

/* Until it has ended: not until its output has, which a child of it may keep open. */
static int follow(struct run *run, struct bw_deadline deadline, struct bw_error *err)
{
    for (;;) {
        int status = 0;
        bool ended = waitpid(run->pid, &status, WNOHANG) != 0;
        take_output(run);
        if (run->len > BW_MAX_EXEC_OUTPUT_BYTES) {
            if (!ended) {
                stop(run);
            }
            return bw_error_set(err, BW_ELIMIT, "exec: %.200s wrote more than %llu bytes", run->command,
                                BW_MAX_EXEC_OUTPUT_BYTES);
        }
        if (ended) {
            return judge(run, status, err);
        }
        int64_t left = bw_deadline_left_ms(deadline);
        if (left == 0) {
            stop(run);
            return bw_error_detail(err, BW_EDEADLINE, "deadline", "exec: %.200s did not end within the time given",
                                   run->command);
        }
        struct pollfd output = {.fd = run->output, .events = POLLIN};
        (void)poll(&output, 1, left < POLL_MS ? (int)left : POLL_MS);
    }
}

int bw_exec_credential_run(struct bw_exec_credential *out, const struct bw_kubeconfig *config,
                           struct bw_deadline deadline, struct bw_error *err)
{
    const struct bw_kube_exec *exec = config->exec;
    struct run run = {.command = exec->command, .output = -1};
    BW_ARENA_SCOPE arena;
    BW_BUF_SCOPE question;
    bw_arena_init(&arena, 2 * MAX_QUESTION);
    bw_buf_init(&question, MAX_QUESTION);
    run.asks = exec->interactive != BW_KUBE_EXEC_NEVER && isatty(STDIN_FILENO) == 1;
    if (exec->interactive == BW_KUBE_EXEC_ALWAYS && !run.asks) {
        return bw_error_set(err, BW_EUNAVAILABLE,
                            "exec: %.200s wants to ask a person (interactiveMode Always): a terminal as standard input "
                            "is expected",
                            exec->command);
    }
    deadline = bw_deadline_min(deadline, bw_deadline_in_ms(run.asks ? ASK_MS : RUN_MS));
    if (write_question(&question, config, run.asks, &arena, err) != 0) {
        return -1;
    }
    char **env = environment(exec, question.data, &arena);
    if (env == NULL) {
        return bw_arena_spent(err);
    }
    run.text = bw_memory_zeroed(1, BW_MAX_EXEC_OUTPUT_BYTES + 1);
    int status = spawn(&run, exec, env, &arena, err);
    if (status == 0) {
        status = follow(&run, deadline, err);
    }
    if (status == 0 && bw_exec_credential_parse(out, run.text, run.len, exec->api_version, err) != 0) {
        status = bw_error_wrap(err, "exec: %.200s", exec->command);
    }
    if (run.output >= 0) {
        (void)close(run.output);
    }
    explicit_bzero(run.text, run.len);
    free(run.text);
    return status;
}

/* ---- the answer ---- */

void bw_exec_credential_clear(struct bw_exec_credential *credential)
{
    bw_memory_wipe_text(credential->token);
    bw_memory_wipe_text(credential->certificate);
    bw_memory_wipe_text(credential->key);
    *credential = (struct bw_exec_credential){0};
}

/* Absent, null and empty are one. */
static int take_text(char **out, const json_t *status, const char *field, struct bw_error *err)
{
    const json_t *value = json_object_get(status, field);
    const char *text = json_string_value(value);
    if (value == NULL || json_is_null(value)) {
        return 0;
    }
    if (text == NULL || strlen(text) != json_string_length(value)) {
        return bw_error_set(err, BW_EUNAVAILABLE, "status.%s: text is expected", field);
    }
    *out = text[0] == '\0' ? NULL : bw_memory_strndup(text, strlen(text));
    return 0;
}

/* RFC 3339; a fraction of a second is cut off. */
static int take_expiry(int64_t *out, const json_t *status, struct bw_error *err)
{
    const json_t *value = json_object_get(status, "expirationTimestamp");
    const char *text = json_string_value(value), *dot = text == NULL ? NULL : strchr(text, '.');
    size_t whole = dot == NULL ? 0 : (size_t)(dot - text), fraction = dot == NULL ? 0 : strspn(dot + 1, "0123456789");
    char cut[64];
    *out = INT64_MAX;
    if (value == NULL || json_is_null(value)) {
        return 0;
    }
    if (dot != NULL && fraction > 0 && strlen(text) < sizeof(cut)) {
        (void)snprintf(cut, sizeof(cut), "%.*s%s", (int)whole, text, dot + 1 + fraction);
        text = cut;
    }
    return text != NULL && bw_time_parse(out, text) == 0
               ? 0
               : bw_error_set(err, BW_EUNAVAILABLE, "status.expirationTimestamp: a time of RFC 3339 is expected");
}

static int take_status(struct bw_exec_credential *made, const json_t *status, struct bw_error *err)
{
    if (!json_is_object(status)) {
        return bw_error_set(err, BW_EUNAVAILABLE, "status: an object is expected");
    }
    if (take_text(&made->token, status, "token", err) != 0 ||
        take_text(&made->certificate, status, "clientCertificateData", err) != 0 ||
        take_text(&made->key, status, "clientKeyData", err) != 0 || take_expiry(&made->expires_s, status, err) != 0) {
        return -1;
    }
    if ((made->certificate == NULL) != (made->key == NULL)) {
        return bw_error_set(err, BW_EUNAVAILABLE,
                            "status: clientCertificateData and clientKeyData are expected, "
                            "or neither");
    }
    if (made->token == NULL && made->certificate == NULL) {
        return bw_error_set(err, BW_EUNAVAILABLE, "status: a token or a client certificate is expected");
    }
    return made->certificate != NULL && bw_certificate_key_matches(made->certificate, made->key, err) != 0
               ? bw_error_wrap(err, "status.clientCertificateData and status.clientKeyData")
               : 0;
}

int bw_exec_credential_parse(struct bw_exec_credential *out, const char *text, size_t len, const char *api_version,
                             struct bw_error *err)
{
    struct bw_exec_credential made = {0};
    json_t *document = NULL;
    /* the parser's own words would quote what may be a secret */
    if (bw_json_parse(&document, text, len, BW_MAX_EXEC_OUTPUT_BYTES, NULL) != 0) {
        return bw_error_set(err, BW_EUNAVAILABLE, "JSON of an ExecCredential is expected as its output");
    }
    const char *kind = json_string_value(json_object_get(document, "kind"));
    const char *version = json_string_value(json_object_get(document, "apiVersion"));
    int status = kind == NULL || strcmp(kind, "ExecCredential") != 0
                     ? bw_error_set(err, BW_EUNAVAILABLE, "kind: ExecCredential is expected")
                 : version == NULL || strcmp(version, api_version) != 0
                     ? bw_error_set(err, BW_EUNAVAILABLE, "apiVersion: %s is expected", api_version)
                     : take_status(&made, json_object_get(document, "status"), err);
    json_decref(document);
    if (status != 0) {
        bw_exec_credential_clear(&made);
        return -1;
    }
    *out = made;
    return 0;
}
