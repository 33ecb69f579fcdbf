#ifndef BW_K8S_KUBECONFIG_H
#define BW_K8S_KUBECONFIG_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The way to an API server as kubectl's configuration says it: one context, with its cluster and its user. Errors name
 * files, contexts and fields; what a field holds may be a secret.
 */
enum bw_kube_interactive { BW_KUBE_EXEC_IF_AVAILABLE, BW_KUBE_EXEC_NEVER, BW_KUBE_EXEC_ALWAYS };

struct bw_kube_exec { /* a program that gives credentials (client.authentication.k8s.io) */
    const char *api_version;
    const char *command;     /* a path, or a name to be found in $PATH */
    const char *const *args; /* NULL-terminated */
    const char *const *env;  /* "NAME=value"; NULL-terminated */
    const char *install_hint;
    bool provide_cluster_info;
    const char *cluster_config; /* for the program, JSON; NULL: none */
    enum bw_kube_interactive interactive;
};

/* NULL where nothing is said. */
struct bw_kubeconfig {
    const char *context;   /* its name */
    const char *namespace; /* "default" when the context says none */
    const char *server;    /* without a slash at the end */
    const char *server_name, *proxy;
    const char *ca; /* PEM */
    bool insecure_skip_verify;
    const char *certificate, *key; /* PEM */
    const char *token, *token_file;
    const char *username, *password;
    const struct bw_kube_exec *exec;
};

/* path NULL: the files of $KUBECONFIG as kubectl merges them, or ~/.kube/config. context NULL: the current one. Files
 * that the configuration names are read, except token_file. All memory from the arena. */
int bw_kubeconfig_load(struct bw_kubeconfig *out, const char *path, const char *context, struct bw_arena *arena,
                       struct bw_error *err) BW_MUST_CHECK;

struct bw_kubeconfig_text {
    const char *path; /* for messages, and what relative paths in it begin at */
    const char *text;
    size_t len;
};

/* What is still to be read: files that are named where no data stands in their place; and for messages, where. */
struct bw_kubeconfig_files {
    const char *ca, *certificate, *key;
    const char *cluster, *user; /* "FILE: context \"prod\": cluster \"eu\": " */
};

/* The same of texts, the earlier of which win; opens nothing. */
int bw_kubeconfig_parse(struct bw_kubeconfig *out, struct bw_kubeconfig_files *files_out,
                        const struct bw_kubeconfig_text *texts, size_t n_texts, const char *context,
                        struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;

#endif
