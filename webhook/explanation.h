#ifndef BW_WEBHOOK_EXPLANATION_H
#define BW_WEBHOOK_EXPLANATION_H

#include "webhook/ledger.h"

/*
 * How an admission of the ledger was decided, told anew: its images are evaluated by the bundle and as of the time of
 * then, on the reports that the catalog still has. Takes up to seconds: never on an event loop.
 */
char *bw_explanation_make(const struct bw_ledger_entry *entry, struct bw_catalog *catalog); /* JSON; for free() */

#endif
