/* Where kubeconfigs lie (k8s/kubeconfig.h): --kubeconfig, else $KUBECONFIG, else ~/.kube/config; and the files that
 * they name, each checked before anybody connects. */
#include "k8s/kubeconfig.h"

#include "base/certificate.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/watch_dir.h"

#include <stdlib.h>
#include <string.h>

/* A file's text in the arena; what was read is overwritten, for it may be a secret. */
static int read_text(char **out, size_t *len_out, const char *path, size_t max, struct bw_arena *arena,
                     struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (bw_file_read(&text, &len, path, max, err) != 0) {
        return -1;
    }
    *out = bw_arena_strndup(arena, text, len);
    *len_out = len;
    explicit_bzero(text, len);
    free(text);
    return *out == NULL ? bw_arena_spent(err) : 0;
}

/* ---- which files ---- */

/* Those of the list that are there, as kubectl passes over the others. */
static int read_list(struct bw_kubeconfig_text *texts, size_t *n_out, const char *list, struct bw_arena *arena,
                     struct bw_error *err)
{
    struct bw_str rest = bw_str_from(list);
    for (struct bw_str part; bw_str_next(&part, &rest, ':');) {
        struct bw_error why = {0};
        char *path = bw_arena_strndup(arena, part.base, part.len), *text = NULL;
        size_t len = 0;
        if (path == NULL) {
            return bw_arena_spent(err);
        }
        if (part.len == 0) {
            continue;
        }
        if (*n_out == BW_MAX_KUBECONFIGS) {
            return bw_error_set(err, BW_ELIMIT, "KUBECONFIG: at most %d files are expected", BW_MAX_KUBECONFIGS);
        }
        if (read_text(&text, &len, path, BW_MAX_KUBECONFIG_BYTES, arena, &why) == 0) {
            texts[(*n_out)++] = (struct bw_kubeconfig_text){path, text, len};
        } else if (why.code != BW_ENOTFOUND) {
            return bw_error_set(err, why.code, "KUBECONFIG: %s", why.message);
        }
    }
    return *n_out > 0 ? 0 : bw_error_set(err, BW_ENOTFOUND, "KUBECONFIG: none of its files is there: %.500s", list);
}

static int read_one(struct bw_kubeconfig_text *out, const char *path, struct bw_arena *arena, struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (read_text(&text, &len, path, BW_MAX_KUBECONFIG_BYTES, arena, err) != 0) {
        return bw_error_wrap(err, "kubeconfig");
    }
    *out = (struct bw_kubeconfig_text){path, text, len};
    return 0;
}

static int read_all(struct bw_kubeconfig_text *texts, size_t *n_out, const char *path, struct bw_arena *arena,
                    struct bw_error *err)
{
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
    if (path == NULL && list != NULL && list[0] != '\0') {
        return read_list(texts, n_out, list, arena, err);
    }
    if (path == NULL && (home == NULL || home[0] == '\0')) {
        return bw_error_set(err, BW_ENOTFOUND, "no kubeconfig: an option, KUBECONFIG or HOME is expected to say where");
    }
    *n_out = 1;
    path = path == NULL ? bw_arena_printf(arena, "%s/.kube/config", home) : path;
    return path == NULL ? bw_arena_spent(err) : read_one(&texts[0], path, arena, err);
}

/* ---- what they name ---- */

/* The PEM text of a field, from its file if it has one. */
static int read_pem(const char **pem, const char *file, const char *where, const char *field, struct bw_arena *arena,
                    struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (file == NULL) {
        return 0;
    }
    if (read_text(&text, &len, file, BW_MAX_TRUST_BYTES, arena, err) != 0) {
        return bw_error_wrap(err, "%s%s", where, field);
    }
    *pem = text;
    return 0;
}

static int read_files(struct bw_kubeconfig *config, const struct bw_kubeconfig_files *files, struct bw_arena *arena,
                      struct bw_error *err)
{
    struct bw_certificate_facts facts;
    if (read_pem(&config->ca, files->ca, files->cluster, "certificate-authority", arena, err) != 0 ||
        read_pem(&config->certificate, files->certificate, files->user, "client-certificate", arena, err) != 0 ||
        read_pem(&config->key, files->key, files->user, "client-key", arena, err) != 0) {
        return -1;
    }
    if (config->ca != NULL && bw_certificate_read(&facts, config->ca, strlen(config->ca), arena, NULL) != 0) {
        return bw_error_set(err, BW_EINPUT, "%scertificate-authority: certificates in PEM are expected",
                            files->cluster);
    }
    if (config->certificate != NULL && bw_certificate_key_matches(config->certificate, config->key, err) != 0) {
        return bw_error_wrap(err, "%sclient-certificate and client-key", files->user);
    }
    return 0;
}

int bw_kubeconfig_load(struct bw_kubeconfig *out, const char *path, const char *context, struct bw_arena *arena,
                       struct bw_error *err)
{
    struct bw_kubeconfig_text texts[BW_MAX_KUBECONFIGS];
    struct bw_kubeconfig_files files;
    struct bw_kubeconfig made;
    size_t n_texts = 0;
    if (read_all(texts, &n_texts, path, arena, err) != 0 ||
        bw_kubeconfig_parse(&made, &files, texts, n_texts, context, arena, err) != 0 ||
        read_files(&made, &files, arena, err) != 0) {
        return -1;
    }
    *out = made;
    return 0;
}
