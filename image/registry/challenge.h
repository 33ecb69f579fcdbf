#ifndef BW_IMAGE_REGISTRY_CHALLENGE_H
#define BW_IMAGE_REGISTRY_CHALLENGE_H

#include "base/arena.h"

#include <stdbool.h>

/* What a 401 asks for: WWW-Authenticate of RFC 9110 section 11.6.1. */
enum bw_challenge_scheme { BW_CHALLENGE_OTHER, BW_CHALLENGE_BASIC, BW_CHALLENGE_BEARER };

struct bw_challenge {
    enum bw_challenge_scheme scheme;
    const char *realm, *service; /* NULL when absent */
};

/* All challenges of one header line, in the arena; reading ends at the first fault. Returns how many. */
size_t bw_challenge_parse(struct bw_challenge *out, size_t max, const char *text, struct bw_arena *arena);

#endif
