#ifndef BW_CLI_CERTS_WEBHOOK_H
#define BW_CLI_CERTS_WEBHOOK_H

#include "cli/certs_keep.h"

/* Asked of breakwater's ValidatingWebhookConfiguration: patched by the names of its entries, only where something
 * differs; never made and never deleted here. */

/* Every entry trusts these CAs (PEM); *changed: one had not. */
int bw_certs_webhook_trust(struct bw_kube_client *kube, const char *configuration, const char *cas, bool *changed,
                           struct bw_error *err) BW_MUST_CHECK;
/* Once an endpoint answers, the failurePolicy of the entry for workloads is that of the annotation
 * breakwater.io/failure-policy. -1 while none answers. Nothing is asked of it where nothing has to be changed. */
int bw_certs_webhook_enforce(const struct bw_certs *certs, struct bw_error *err) BW_MUST_CHECK;

#endif
