#ifndef BW_IMAGE_PLATFORM_H
#define BW_IMAGE_PLATFORM_H

#include "base/arena.h"

#include <stdbool.h>

/* os/architecture[/variant] as the OCI image index has it. */
struct bw_platform {
    const char *os, *architecture, *variant; /* variant "" when absent */
};

int bw_platform_parse(struct bw_platform *out, const char *text, struct bw_arena *arena,
                      struct bw_error *err) BW_MUST_CHECK;
const char *bw_platform_text(const struct bw_platform *platform, struct bw_arena *arena) BW_MUST_CHECK;
struct bw_platform bw_platform_here(void); /* of this machine; static texts */
/* Whether an image of `offered` runs where `wanted` is asked for: arm64 v8 = none, arm v6 runs on v7, amd64 v1 = none.
 */
bool bw_platform_matches(const struct bw_platform *offered, const struct bw_platform *wanted);

#endif
