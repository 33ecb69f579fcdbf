#ifndef BW_IMAGE_ANALYZER_COLLECTORS_HISTORY_H
#define BW_IMAGE_ANALYZER_COLLECTORS_HISTORY_H

#include "image/manifest.h"

/* The Dockerfile that an image's history lets one guess. */
int bw_dockerfile_guess(const char **out, const struct bw_image_config *config, struct bw_arena *arena,
                        struct bw_error *err) BW_MUST_CHECK;

#endif
