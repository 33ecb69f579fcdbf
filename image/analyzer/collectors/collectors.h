#ifndef BW_IMAGE_ANALYZER_COLLECTORS_COLLECTORS_H
#define BW_IMAGE_ANALYZER_COLLECTORS_COLLECTORS_H

#include "image/analyzer/collector.h"

/* The rows of bw_collectors, in their order there. */
extern const struct bw_collector bw_collector_history;
extern const struct bw_collector bw_collector_os_release;
extern const struct bw_collector bw_collector_dpkg;
extern const struct bw_collector bw_collector_apk;
extern const struct bw_collector bw_collector_files;
extern const struct bw_collector bw_collector_secrets;
extern const struct bw_collector bw_collector_licenses;
extern const struct bw_collector bw_collector_retrieved;
extern const struct bw_collector bw_collector_unread;

#endif
