/* Kubeconfigs, one or several (a form feed between them): what is taken is whole, what is refused says so. */
#include "base/limits.h"
#include "k8s/kubeconfig.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_kubeconfig_text texts[4];
    const char *at = (const char *)data, *end = at + size;
    size_t n = 0;
    while (n < BW_LENGTH(texts) && at < end) {
        const char *stop = n + 1 == BW_LENGTH(texts) ? NULL : memchr(at, '\f', (size_t)(end - at));
        size_t len = (size_t)((stop == NULL ? end : stop) - at);
        texts[n++] = (struct bw_kubeconfig_text){"/kube/config", at, len};
        at += stop == NULL ? len : len + 1;
    }
    struct bw_error err = {0};
    struct bw_kubeconfig config;
    struct bw_kubeconfig_files files;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_ARENA_KUBECONFIG);
    if (bw_kubeconfig_parse(&config, &files, texts, n, NULL, &arena, &err) != 0) {
        if (err.code == BW_OK || err.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    const struct bw_kube_exec *exec = config.exec;
    if (config.context == NULL || config.server == NULL || config.server[strlen(config.server) - 1] == '/' ||
        strpbrk(config.namespace, "/?.%") != NULL || files.cluster == NULL || files.user == NULL ||
        (config.certificate == NULL && files.certificate == NULL) != (config.key == NULL && files.key == NULL) ||
        (files.ca != NULL && files.ca[0] != '/') ||
        (exec != NULL &&
         (exec->command == NULL || exec->api_version == NULL || exec->args == NULL || exec->env == NULL))) {
        abort();
    }
    for (size_t i = 0; exec != NULL && exec->env[i] != NULL; i++) {
        if (strchr(exec->env[i], '=') == NULL) {
            abort();
        }
    }
    return 0;
}
