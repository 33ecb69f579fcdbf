#ifndef BW_IMAGE_NEEDS_H
#define BW_IMAGE_NEEDS_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

/* What the loaded bundles and the configuration ask of an analysis. An analysis records what it covers and is used if
 * that is enough; only images that lack something are analysed again. Lists are sorted and unique. */
struct bw_needs {
    const char *const *secret_patterns; /* "NAME=REGEX" */
    size_t n_secret_patterns;
    const char *const *content_patterns; /* "NAME=REGEX" or "REGEX" */
    size_t n_content_patterns;
    const char *const *retrieved_paths; /* "/etc/passwd" */
    size_t n_retrieved_paths;
    bool file_digests; /* MD5 and SHA-1 of every regular file (packages:verify) */
    bool previous; /* the report of the image that a tag led to before (tag_drift): the catalog's affair, so no report
                      covers it and none has to */
};

extern const char *const bw_default_secret_patterns[]; /* NULL-terminated; Anchore Engine's five, in its words */
extern const char *const bw_default_retrieved_paths[]; /* NULL-terminated: /etc/passwd */

/* All that either asks for; memory in the arena. */
int bw_needs_merge(struct bw_needs *out, const struct bw_needs *a, const struct bw_needs *b, struct bw_arena *arena,
                   struct bw_error *err) BW_MUST_CHECK;
int bw_needs_copy(struct bw_needs *out, const struct bw_needs *needs, struct bw_arena *arena,
                  struct bw_error *err) BW_MUST_CHECK;
bool bw_needs_cover(const struct bw_needs *covered, const struct bw_needs *asked);

#endif
