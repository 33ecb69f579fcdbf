/* The rows, in the order in which they collect: later ones read what earlier ones found. */
#include "image/analyzer/collectors/collectors.h"

const struct bw_collector *const bw_collectors[] = {
    &bw_collector_history, &bw_collector_os_release, &bw_collector_dpkg,      &bw_collector_apk,    &bw_collector_files,
    &bw_collector_secrets, &bw_collector_licenses,   &bw_collector_retrieved, &bw_collector_unread, NULL,
};
