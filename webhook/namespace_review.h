#ifndef BW_WEBHOOK_NAMESPACE_REVIEW_H
#define BW_WEBHOOK_NAMESPACE_REVIEW_H

#include "webhook/admit.h"

/*
 * Reviews of namespaces (K-409): the label breakwater.io/admission takes a namespace out of enforcement, so only those
 * may set or change it whom the configuration names; everybody may take it away. Fails closed. The answer lives in the
 * arena.
 */
void bw_namespace_review(struct bw_admit_result *out, const struct bw_config *config, const char *body, size_t len,
                         struct bw_arena *arena);

#endif
