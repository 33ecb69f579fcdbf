#ifndef BW_CLI_CERTS_SECRET_H
#define BW_CLI_CERTS_SECRET_H

#include "cli/rotation.h"
#include "k8s/client.h"

/*
 * The Secret that holds CA and serving certificate: tls.crt and tls.key as pods mount them, ca.crt with every CA to be
 * trusted (newest first), ca.key of the first one, which pods need not see. An annotation has the time of the last step
 * of a rotation. All that is known between two steps is in it.
 */
struct bw_certs_names {
    const char *namespace, *secret;
    const char *service, *cluster_domain; /* whom the certificate is for: SERVICE.NAMESPACE.svc and its other forms */
};

struct bw_certs_secret {
    json_t *object;      /* NULL: there is none */
    const char *trusted; /* the text of ca.crt */
    const char *const *cas;
    const char *ca_key;
    struct bw_rotation_state state;
};

/* Texts are in the arena. */
int bw_certs_secret_read(struct bw_certs_secret *out, struct bw_kube_client *kube, const struct bw_certs_names *names,
                         struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;
/* Does one step and writes the Secret, if it still is what was read: else detail "conflict". */
int bw_certs_secret_step(const struct bw_certs_secret *secret, enum bw_rotation_step step, struct bw_kube_client *kube,
                         const struct bw_certs_names *names, const struct bw_rotation_settings *settings,
                         struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;
void bw_certs_secret_clear(struct bw_certs_secret *secret);

#endif
