#ifndef BW_IMAGE_REGISTRY_METER_H
#define BW_IMAGE_REGISTRY_METER_H

#include "base/http.h"

/* Counts one request to a host: response NULL when none came. The first 50 hosts are counted by name, the others
 * together: whoever writes a Pod chooses hosts. */
void bw_registry_meter(const char *host, const char *method, const struct bw_http_response *response,
                       int64_t milliseconds);

#endif
