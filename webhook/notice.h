#ifndef BW_WEBHOOK_NOTICE_H
#define BW_WEBHOOK_NOTICE_H

#include "k8s/events.h"
#include "webhook/subject.h"

/* Tells the cluster what became of an admission, as an Event (K-1120): a denied object was never stored, so its
 * controller is told, or else its namespace. Nothing of dry runs, of what waits, and of what is admitted in silence. */
void bw_notice_post(struct bw_events *events, const struct bw_outcome_inputs *inputs, const struct bw_outcome *outcome);
/* Images that were not known in time were admitted, and are stopped by policy now: outcome says why. */
void bw_notice_post_late(struct bw_events *events, const struct bw_outcome_inputs *inputs,
                         const struct bw_outcome *outcome);

#endif
