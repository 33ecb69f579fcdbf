#ifndef BW_IMAGE_ANALYZER_COLLECTORS_LICENSES_H
#define BW_IMAGE_ANALYZER_COLLECTORS_LICENSES_H

#include "image/analyzer/collector.h"

/* Sorted, unique licence names; texts in the arena. */
struct bw_licenses {
    const char **names;
    size_t count, capacity;
};

/* The licences that a Debian copyright file names. */
int bw_licenses_of_copyright(struct bw_licenses *out, const char *text, size_t len, struct bw_arena *arena,
                             struct bw_error *err) BW_MUST_CHECK;
/* The operands of a licence expression: SPDX ("MIT AND (GPL-2.0-only OR BSD-3-Clause)") or words. In order, unique. */
int bw_licenses_of_expression(struct bw_licenses *out, const char *text, size_t len, struct bw_arena *arena,
                              struct bw_error *err) BW_MUST_CHECK;

/* The copyright file of a Debian package below root ("" for the image's own), read and marked if it cannot be. */
int bw_licenses_of_package(struct bw_licenses *out, struct bw_collect *at, const char *root, struct bw_str package,
                           struct bw_error *err) BW_MUST_CHECK;

#endif
