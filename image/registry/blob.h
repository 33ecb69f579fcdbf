#ifndef BW_IMAGE_REGISTRY_BLOB_H
#define BW_IMAGE_REGISTRY_BLOB_H

#include "image/registry/auth.h"

/* A blob read from the first endpoint that has it; a cut connection is taken up again where it broke. Internal to the
 * room. The endpoints are copied. */
int bw_registry_blob_open(struct bw_blob_reader **out, struct bw_registry_source *source,
                          const struct bw_endpoint *endpoints, size_t n_endpoints, const struct bw_descriptor *blob,
                          struct bw_deadline deadline, struct bw_error *err) BW_MUST_CHECK;

#endif
