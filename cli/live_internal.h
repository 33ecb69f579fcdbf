#ifndef BW_CLI_LIVE_INTERNAL_H
#define BW_CLI_LIVE_INTERNAL_H

#include "cli/live.h"

/* What live.c (files) and live_cluster.c (the API server) share. */

/* A job or an evaluation is over: whoever is parked for it runs again. */
void bw_live_news(void *live, uint64_t number);
/* Takes over what the store of bundles holds now. */
void bw_live_bundles_changed(void *live);

/* The client, and what is asked through it from the start. An API server that is only presumed to be there may be
 * missing. */
int bw_live_open_cluster(struct bw_live *live, struct bw_error *err) BW_MUST_CHECK;
/* From when a selector first asks for more of a namespace than its name. */
int bw_live_follow_namespaces(struct bw_live *live, const struct bw_config *config, struct bw_error *err) BW_MUST_CHECK;

#endif
