/*
 * kubectl's configuration (k8s/kubeconfig.h): documents of apiVersion v1, kind Config, merged as kubectl does: the
 * first file that has a name says all about it. What we would have to leave out although it changes who asks
 * (impersonation, auth-provider) is refused by name.
 */
#include "k8s/kubeconfig.h"

#include "base/http.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct document {
    const char *path;
    json_t *root; /* NULL: an empty file */
};

struct reading {
    struct document documents[BW_MAX_KUBECONFIGS];
    size_t n_documents;
    struct bw_arena *arena;
    struct bw_error *err;
};

/* An object somewhere in a document, and how to name it. */
struct place {
    const struct reading *reading;
    const char *path;  /* of the file */
    const char *label; /* "context \"prod\": cluster \"eu\": " */
    const json_t *object;
};

/* ---- single values ---- */

/* Says what is expected of a field; never what stands there. */
static int bad(const struct place *at, const char *field, const char *expected)
{
    return bw_error_set(at->reading->err, BW_EINPUT, "%.300s: %s%s: %s", at->path, at->label, field, expected);
}

static const json_t *field_of(const struct place *at, const char *field)
{
    const json_t *value = json_object_get(at->object, field);
    return json_is_null(value) ? NULL : value;
}

static int copy_text(const char **out, const struct place *at, const char *field, const json_t *value)
{
    size_t len = json_string_length(value);
    if (!json_is_string(value) || memchr(json_string_value(value), '\0', len) != NULL) {
        return bad(at, field, "text is expected");
    }
    if (len > 0) {
        const char *text = bw_arena_strndup(at->reading->arena, json_string_value(value), len);
        if (text == NULL) {
            return bw_arena_spent(at->reading->err);
        }
        *out = text;
    }
    return 0;
}

/* An empty text is as good as none, for kubectl too. */
static int take_text(const char **out, const struct place *at, const char *field)
{
    const json_t *value = field_of(at, field);
    return value == NULL ? 0 : copy_text(out, at, field, value);
}

static int take_bool(bool *out, const struct place *at, const char *field)
{
    const json_t *value = field_of(at, field);
    if (value != NULL && !json_is_boolean(value)) {
        return bad(at, field, "true or false is expected");
    }
    *out = json_is_true(value);
    return 0;
}

/* A path, relative to the folder of the file that names it. */
static int take_path(const char **out, const struct place *at, const char *field)
{
    if (take_text(out, at, field) != 0) {
        return -1;
    }
    const char *slash = strrchr(at->path, '/');
    if (*out != NULL && (*out)[0] != '/' && slash != NULL) {
        *out = bw_arena_printf(at->reading->arena, "%.*s/%s", (int)(slash - at->path), at->path, *out);
        return *out == NULL ? bw_arena_spent(at->reading->err) : 0;
    }
    return 0;
}

/* NAME-data, or else the file of NAME. */
static int take_pem(const char **pem_out, const char **file_out, const struct place *at, const char *field)
{
    char data_field[64];
    const char *encoded = NULL;
    char *text = NULL;
    size_t len = 0;
    (void)snprintf(data_field, sizeof(data_field), "%s-data", field);
    if (take_text(&encoded, at, data_field) != 0) {
        return -1;
    }
    if (encoded == NULL) {
        return take_path(file_out, at, field);
    }
    /* the decoder's own words would quote the text */
    if (bw_base64_decode(&text, &len, encoded, strlen(encoded), at->reading->arena, NULL) != 0 ||
        memchr(text, '\0', len) != NULL) {
        return bad(at, data_field, "PEM in base64 is expected");
    }
    *pem_out = text;
    return 0;
}

static bool is_made_of(const char *text, const char *more, size_t max)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(more, c) != NULL)) {
            return false;
        }
    }
    return len <= max;
}

/* ---- cluster ---- */

static int take_server(const char **out, const struct place *at)
{
    struct bw_http_url url;
    const char *text = NULL;
    if (take_text(&text, at, "server") != 0) {
        return -1;
    }
    if (text == NULL || strpbrk(text, "?# ") != NULL || bw_http_url_parse(&url, text, NULL) != 0) {
        return bad(at, "server", "an http or https URL without user, query and fragment is expected");
    }
    size_t len = strlen(text);
    while (text[len - 1] == '/') {
        len--;
    }
    *out = bw_arena_strndup(at->reading->arena, text, len);
    return *out == NULL ? bw_arena_spent(at->reading->err) : 0;
}

static int take_proxy(const char **out, const struct place *at)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://"};
    if (take_text(out, at, "proxy-url") != 0) {
        return -1;
    }
    bool fine = *out == NULL;
    for (size_t i = 0; !fine && i < BW_LENGTH(schemes); i++) {
        size_t len = strlen(schemes[i]);
        fine = strncmp(*out, schemes[i], len) == 0 && (*out)[len] != '\0' && strpbrk(*out, " \r\n\t") == NULL;
    }
    return fine ? 0 : bad(at, "proxy-url", "a URL of http, https or socks5 is expected");
}

static int take_cluster(struct bw_kubeconfig *out, struct bw_kubeconfig_files *files, const struct place *at)
{
    if (take_server(&out->server, at) != 0 || take_pem(&out->ca, &files->ca, at, "certificate-authority") != 0 ||
        take_bool(&out->insecure_skip_verify, at, "insecure-skip-tls-verify") != 0 ||
        take_text(&out->server_name, at, "tls-server-name") != 0 || take_proxy(&out->proxy, at) != 0) {
        return -1;
    }
    if (out->insecure_skip_verify && (out->ca != NULL || files->ca != NULL)) {
        return bad(at, "insecure-skip-tls-verify", "no certificate-authority is expected beside it");
    }
    if (out->server_name != NULL && !is_made_of(out->server_name, "-._", 253)) {
        return bad(at, "tls-server-name", "a host name is expected");
    }
    return 0;
}

/* What the cluster has to say to the program that gives credentials: the extension of that name, as it is. */
static int take_cluster_config(struct bw_kube_exec *exec, const struct place *cluster)
{
    const json_t *extensions = field_of(cluster, "extensions");
    for (size_t i = 0; i < json_array_size(extensions); i++) {
        const json_t *one = json_array_get(extensions, i);
        const char *name = json_string_value(json_object_get(one, "name"));
        const json_t *extension = json_object_get(one, "extension");
        if (extension != NULL && name != NULL && strcmp(name, "client.authentication.k8s.io/exec") == 0) {
            char *text = json_dumps(extension, JSON_COMPACT | JSON_ENCODE_ANY);
            exec->cluster_config = text == NULL ? NULL : bw_arena_strdup(cluster->reading->arena, text);
            free(text);
            return exec->cluster_config == NULL ? bw_arena_spent(cluster->reading->err) : 0;
        }
    }
    return 0;
}

/* ---- user ---- */

static int take_args(const char *const **out, const struct place *at)
{
    const json_t *list = field_of(at, "args");
    size_t n = json_array_size(list);
    if ((list != NULL && !json_is_array(list)) || n > BW_MAX_EXEC_ARGUMENTS) {
        return bad(at, "args", "a list of texts is expected");
    }
    const char **args = bw_arena_array(at->reading->arena, n + 1, sizeof(*args));
    if (args == NULL) {
        return bw_arena_spent(at->reading->err);
    }
    for (size_t i = 0; i < n; i++) {
        args[i] = "";
        if (copy_text(&args[i], at, "args", json_array_get(list, i)) != 0) {
            return -1;
        }
    }
    *out = args;
    return 0;
}

static int take_env(const char *const **out, const struct place *at)
{
    const json_t *list = field_of(at, "env");
    size_t n = json_array_size(list);
    if ((list != NULL && !json_is_array(list)) || n > BW_MAX_EXEC_ARGUMENTS) {
        return bad(at, "env", "a list of names with values is expected");
    }
    const char **env = bw_arena_array(at->reading->arena, n + 1, sizeof(*env));
    if (env == NULL) {
        return bw_arena_spent(at->reading->err);
    }
    for (size_t i = 0; i < n; i++) {
        struct place one = *at;
        const char *name = NULL, *value = "";
        one.object = json_array_get(list, i);
        if (take_text(&name, &one, "name") != 0 || take_text(&value, &one, "value") != 0) {
            return -1;
        }
        if (name == NULL || strchr(name, '=') != NULL) {
            return bad(at, "env", "a name without = is expected in every entry");
        }
        env[i] = bw_arena_printf(at->reading->arena, "%s=%s", name, value);
        if (env[i] == NULL) {
            return bw_arena_spent(at->reading->err);
        }
    }
    *out = env;
    return 0;
}

static int take_interactive(struct bw_kube_exec *exec, const struct place *at, bool needed)
{
    static const char *const modes[] = {"IfAvailable", "Never", "Always"};
    const char *text = NULL;
    if (take_text(&text, at, "interactiveMode") != 0) {
        return -1;
    }
    for (size_t i = 0; text != NULL && i < BW_LENGTH(modes); i++) {
        if (strcmp(text, modes[i]) == 0) {
            exec->interactive = (enum bw_kube_interactive)i;
            return 0;
        }
    }
    return text == NULL && !needed ? 0 : bad(at, "interactiveMode", "Never, IfAvailable or Always is expected");
}

static int take_exec(struct bw_kubeconfig *out, const struct place *user, const struct place *cluster)
{
    const json_t *object = field_of(user, "exec");
    if (object == NULL) {
        return 0;
    }
    if (!json_is_object(object)) {
        return bad(user, "exec", "an object is expected");
    }
    struct bw_arena *arena = user->reading->arena;
    struct place at = *user;
    struct bw_kube_exec *exec = bw_arena_alloc(arena, sizeof(*exec));
    at.label = bw_arena_printf(arena, "%sexec.", user->label);
    at.object = object;
    if (exec == NULL || at.label == NULL) {
        return bw_arena_spent(user->reading->err);
    }
    if (take_text(&exec->api_version, &at, "apiVersion") != 0) {
        return -1;
    }
    bool v1 = exec->api_version != NULL && strcmp(exec->api_version, "client.authentication.k8s.io/v1") == 0;
    if (!v1 && (exec->api_version == NULL || strcmp(exec->api_version, "client.authentication.k8s.io/v1beta1") != 0)) {
        return bad(&at, "apiVersion",
                   "client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1 is expected");
    }
    if (take_text(&exec->command, &at, "command") != 0) {
        return -1;
    }
    if (exec->command == NULL) {
        return bad(&at, "command", "a program is expected");
    }
    if (strchr(exec->command, '/') != NULL && take_path(&exec->command, &at, "command") != 0) {
        return -1;
    }
    if (take_args(&exec->args, &at) != 0 || take_env(&exec->env, &at) != 0 ||
        take_text(&exec->install_hint, &at, "installHint") != 0 ||
        take_bool(&exec->provide_cluster_info, &at, "provideClusterInfo") != 0 ||
        take_interactive(exec, &at, v1) != 0 || take_cluster_config(exec, cluster) != 0) {
        return -1;
    }
    out->exec = exec;
    return 0;
}

static int take_user(struct bw_kubeconfig *out, struct bw_kubeconfig_files *files, const struct place *at,
                     const struct place *cluster)
{
    static const char *const refused[] = {"as", "as-uid", "as-groups", "as-user-extra", "auth-provider"};
    for (size_t i = 0; i < BW_LENGTH(refused); i++) {
        if (field_of(at, refused[i]) != NULL) {
            return bad(at, refused[i], "is not supported, nothing is expected here");
        }
    }
    if (take_pem(&out->certificate, &files->certificate, at, "client-certificate") != 0 ||
        take_pem(&out->key, &files->key, at, "client-key") != 0 || take_text(&out->token, at, "token") != 0 ||
        take_path(&out->token_file, at, "tokenFile") != 0 || take_text(&out->username, at, "username") != 0 ||
        take_text(&out->password, at, "password") != 0 || take_exec(out, at, cluster) != 0) {
        return -1;
    }
    if ((out->certificate != NULL || files->certificate != NULL) != (out->key != NULL || files->key != NULL)) {
        return bad(at, "client-certificate", "one is expected together with client-key");
    }
    if ((out->token != NULL || out->token_file != NULL) && (out->username != NULL || out->password != NULL)) {
        return bad(at, "token", "no username and no password is expected beside it");
    }
    if (out->username == NULL && out->password != NULL) {
        return bad(at, "password", "a username is expected beside it");
    }
    if (out->username != NULL && strchr(out->username, ':') != NULL) {
        return bad(at, "username", "a name without a colon is expected");
    }
    return 0;
}

/* ---- documents ---- */

/* The entry of a list by its name; the first file that has it counts. `member`: what it holds under this key. */
static int find(struct place *out, const struct reading *reading, const char *list, const char *member,
                const char *name, const char *label)
{
    struct place found = {reading, NULL, label, NULL};
    for (size_t i = 0; found.path == NULL && i < reading->n_documents; i++) {
        const json_t *entries = json_object_get(reading->documents[i].root, list);
        for (size_t j = 0; j < json_array_size(entries); j++) {
            const json_t *entry = json_array_get(entries, j);
            const char *its = json_string_value(json_object_get(entry, "name"));
            if (its == NULL || strcmp(its, name) != 0) {
                continue;
            }
            if (found.path != NULL) {
                return bad(&found, "name", "one entry of this name is expected in a file, there are more");
            }
            found.path = reading->documents[i].path;
            found.object = json_object_get(entry, member);
        }
    }
    if (found.path == NULL) {
        return bw_error_set(reading->err, BW_ENOTFOUND, "%.300s%s: %sis not there: an entry in %s is expected",
                            reading->documents[0].path, reading->n_documents > 1 ? " and others" : "", label, list);
    }
    if (!json_is_object(found.object)) {
        return bad(&found, member, "an object is expected");
    }
    *out = found;
    return 0;
}

static int check_document(const struct reading *reading, const struct document *document)
{
    static const char *const lists[] = {"clusters", "contexts", "users"};
    const struct place at = {reading, document->path, "", document->root};
    const json_t *kind = field_of(&at, "kind"), *version = field_of(&at, "apiVersion");
    if ((kind != NULL && (!json_is_string(kind) || strcmp(json_string_value(kind), "Config") != 0)) ||
        (version != NULL && (!json_is_string(version) || strcmp(json_string_value(version), "v1") != 0))) {
        return bad(&at, kind == NULL ? "apiVersion" : "kind", "a kubeconfig is expected: apiVersion v1, kind Config");
    }
    for (size_t i = 0; i < BW_LENGTH(lists); i++) {
        const json_t *list = field_of(&at, lists[i]);
        bool fine = list == NULL || json_is_array(list);
        for (size_t j = 0; fine && j < json_array_size(list); j++) {
            fine = json_is_string(json_object_get(json_array_get(list, j), "name"));
        }
        if (!fine) {
            return bad(&at, lists[i], "a list of entries with names is expected");
        }
    }
    return 0;
}

static int add_document(struct reading *reading, const struct bw_kubeconfig_text *text)
{
    struct bw_error why = {0};
    json_t *root = NULL;
    if (bw_yaml_parse(&root, text->text, text->len, BW_MAX_KUBECONFIG_BYTES, &why) != 0) {
        /* the parser's own words would quote the text: its line and column alone */
        int where = strncmp(why.message, "line ", 5) == 0 ? (int)strcspn(why.message, ":") : 0;
        return bw_error_set(reading->err, why.code, "%.300s: %.*s%sYAML of a kubeconfig is expected", text->path, where,
                            why.message, where == 0 ? "" : ": ");
    }
    if (!json_is_object(root)) {
        bool empty = json_is_null(root);
        json_decref(root);
        return empty ? 0
                     : bw_error_set(reading->err, BW_EINPUT, "%.300s: a kubeconfig is expected: an object", text->path);
    }
    struct document *document = &reading->documents[reading->n_documents++];
    *document = (struct document){text->path, root};
    return check_document(reading, document);
}

static int current_context(const char **out, const struct reading *reading)
{
    for (size_t i = 0; *out == NULL && i < reading->n_documents; i++) {
        const struct place at = {reading, reading->documents[i].path, "", reading->documents[i].root};
        if (take_text(out, &at, "current-context") != 0) {
            return -1;
        }
    }
    return *out != NULL ? 0
                        : bw_error_set(reading->err, BW_EINPUT,
                                       "%.300s: current-context: the name of a context is expected, here or by option",
                                       reading->documents[0].path);
}

static const char *label_of(const struct reading *reading, const char *before, const char *what, const char *name)
{
    return bw_arena_printf(reading->arena, "%s%s \"%.100s\": ", before, what, name);
}

static int read_context(struct bw_kubeconfig *out, struct bw_kubeconfig_files *files, const struct reading *reading)
{
    struct place context, cluster, user = {reading, "", "", NULL};
    const char *cluster_name = NULL, *user_name = NULL, *label = label_of(reading, "", "context", out->context);
    if (label == NULL) {
        return bw_arena_spent(reading->err);
    }
    if (find(&context, reading, "contexts", "context", out->context, label) != 0 ||
        take_text(&cluster_name, &context, "cluster") != 0 || take_text(&user_name, &context, "user") != 0) {
        return -1;
    }
    if (cluster_name == NULL) {
        return bad(&context, "cluster", "the name of a cluster is expected");
    }
    out->namespace = "default";
    if (take_text(&out->namespace, &context, "namespace") != 0) {
        return -1;
    }
    if (!is_made_of(out->namespace, "-", 63)) {
        return bad(&context, "namespace", "the name of a namespace is expected");
    }
    const char *of_cluster = label_of(reading, label, "cluster", cluster_name);
    const char *of_user = label_of(reading, label, "user", user_name == NULL ? "" : user_name);
    if (of_cluster == NULL || of_user == NULL) {
        return bw_arena_spent(reading->err);
    }
    if (find(&cluster, reading, "clusters", "cluster", cluster_name, of_cluster) != 0 ||
        take_cluster(out, files, &cluster) != 0) {
        return -1;
    }
    if (user_name != NULL && (find(&user, reading, "users", "user", user_name, of_user) != 0 ||
                              take_user(out, files, &user, &cluster) != 0)) {
        return -1;
    }
    files->cluster = bw_arena_printf(reading->arena, "%.300s: %s", cluster.path, cluster.label);
    files->user = bw_arena_printf(reading->arena, "%.300s: %s", user.path, user.label);
    return files->cluster == NULL || files->user == NULL ? bw_arena_spent(reading->err) : 0;
}

int bw_kubeconfig_parse(struct bw_kubeconfig *out, struct bw_kubeconfig_files *files_out,
                        const struct bw_kubeconfig_text *texts, size_t n_texts, const char *context,
                        struct bw_arena *arena, struct bw_error *err)
{
    struct reading reading = {.arena = arena, .err = err};
    struct bw_kubeconfig made = {0};
    struct bw_kubeconfig_files files = {0};
    int status = n_texts <= BW_MAX_KUBECONFIGS
                     ? 0
                     : bw_error_set(err, BW_ELIMIT, "at most %d kubeconfigs are expected", BW_MAX_KUBECONFIGS);
    for (size_t i = 0; status == 0 && i < n_texts; i++) {
        status = add_document(&reading, &texts[i]);
    }
    if (status == 0 && reading.n_documents == 0) {
        status = bw_error_set(err, BW_EINPUT, "%.300s: a kubeconfig is expected, nothing is there",
                              n_texts == 0 ? "kubeconfig" : texts[0].path);
    }
    if (status == 0 && context != NULL) {
        made.context = bw_arena_strdup(arena, context);
        status = made.context == NULL ? bw_arena_spent(err) : 0;
    } else if (status == 0) {
        status = current_context(&made.context, &reading);
    }
    if (status == 0) {
        status = read_context(&made, &files, &reading);
    }
    for (size_t i = 0; i < reading.n_documents; i++) {
        json_decref(reading.documents[i].root);
    }
    if (status == 0) {
        *out = made;
        *files_out = files;
    }
    return status;
}
