#ifndef BW_WEBHOOK_ANSWER_H
#define BW_WEBHOOK_ANSWER_H

#include "k8s/admission_review.h"
#include "webhook/admit.h"

/* Answers of the reviews that look at no image: ConfigMaps with bundles, namespaces. All memory from the arena. */

/* request: what is known of it; api_version and uid always are. response: all but what is repeated from the request. */
void bw_answer_make(struct bw_admit_result *out, const struct bw_admission_request *request,
                    struct bw_admission_response response, const char *decision, const char *reason,
                    struct bw_arena *arena);
/* There is no uid to answer to: an HTTP error. */
void bw_answer_unreadable(struct bw_admit_result *out, const struct bw_error *err, struct bw_arena *arena);

#endif
