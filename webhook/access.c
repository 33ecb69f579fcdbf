/* Pull secrets of the pod before the configured credentials (webhook/access.h). */
#include "webhook/access.h"

#include <string.h>

static const char *add_note(const char *note, const char *path, const struct bw_error *err, struct bw_arena *arena)
{
    const char *name = strrchr(path, '/') + 1;
    return note == NULL ? bw_arena_printf(arena, "secret %s: %s", name, err->message)
                        : bw_arena_printf(arena, "%s; secret %s: %s", note, name, err->message);
}

/* The texts as one set, whose keys are sorted together. A malformed one is left out, with a note. */
static struct bw_credentials *read_secrets(const char **note, const struct bw_pull_secrets *secrets,
                                           struct bw_arena *arena)
{
    struct bw_credentials *credentials = bw_credentials_create();
    for (size_t i = 0; i < secrets->n_secrets; i++) {
        struct bw_error err = {0};
        if (bw_credentials_add(credentials, secrets->secrets[i].text, secrets->secrets[i].len, &err) != 0) {
            *note = add_note(*note, secrets->secrets[i].path, &err, arena);
        }
    }
    return credentials;
}

int bw_access_ask(struct bw_access_way *out, struct bw_kube_lookup *lookup, struct bw_image_source *configured,
                  const struct bw_review *review, int64_t since_ms, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_access_way made = {0};
    struct bw_pull_secrets secrets = {0};
    const struct bw_pull_secrets_question question = {
        .namespace = review->namespace,
        .names = review->pull_secrets,
        .service_account = review->now.template ? review->service_account : NULL,
        .since_ms = since_ms,
    };
    if (lookup != NULL && bw_pull_secrets_ask(&secrets, lookup, &question, arena, err) != 0) {
        return -1;
    }
    const char **paths = bw_arena_array(arena, secrets.n_secrets + 1, sizeof(*paths));
    if (paths == NULL) {
        bw_pull_secrets_wipe(&secrets);
        return bw_arena_spent(err);
    }
    made.paths = paths;
    made.note = secrets.note;
    made.ticket = secrets.pending ? secrets.ticket : 0;
    if (secrets.n_secrets > 0) {
        struct bw_credentials *credentials = read_secrets(&made.note, &secrets, arena);
        for (; made.n_paths < secrets.n_secrets; made.n_paths++) {
            paths[made.n_paths] = secrets.secrets[made.n_paths].path;
        }
        made.source = bw_registry_source_with(configured, credentials);
        bw_credentials_destroy(credentials);
        bw_pull_secrets_wipe(&secrets);
    } else if (!secrets.pending) {
        made.source = bw_image_source_retain(configured);
    }
    *out = made;
    return 0;
}

void bw_access_forget(const struct bw_access_way *way, struct bw_kube_lookup *lookup)
{
    for (size_t i = 0; i < way->n_paths; i++) {
        bw_kube_lookup_forget(lookup, way->paths[i]);
    }
}
