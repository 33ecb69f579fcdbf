#ifndef BW_CLI_CERTS_KEEP_H
#define BW_CLI_CERTS_KEEP_H

#include "cli/certs_secret.h"
#include "k8s/lease.h"

/* Looking after certificates: what `breakwater certs --secret` does once, and the leader of the replicas all the time.
 */
struct bw_certs {
    struct bw_kube_client *kube;
    struct bw_certs_names names;
    const char *configuration; /* the ValidatingWebhookConfiguration; NULL: only the Secret */
    struct bw_rotation_settings settings;
    void (*stepped)(void *payload, enum bw_rotation_step step); /* something was written; may be NULL */
    void *payload;
};

/* Every step that is due, and the CAs into the webhook configuration. *until_s: when the next step is due. With a
 * lease, nothing is written once it is lost. */
int bw_certs_pass(int64_t *until_s, const struct bw_certs *certs, const struct bw_lease *lease,
                  struct bw_error *err) BW_MUST_CHECK;
const char *bw_certs_step_text(enum bw_rotation_step step); /* what was done, as a log line has it */

#endif
