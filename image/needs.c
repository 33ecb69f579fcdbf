/* What bundles and configuration ask of an analysis, as sorted lists; the defaults of Anchore Engine's analyzer. */
#include "image/needs.h"

#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

/* Interface data: bundles refer to these names, users know what they find. */
const char *const bw_default_secret_patterns[] = {
    "AWS_ACCESS_KEY=(?i).*aws_access_key_id( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9]).*",
    "AWS_SECRET_KEY=(?i).*aws_secret_access_key( *=+ *).*(?<![A-Za-z0-9/+=])[A-Za-z0-9/+=]{40}(?![A-Za-z0-9/+=]).*",
    "PRIV_KEY=(?i)-+BEGIN(.*)PRIVATE KEY-+",
    "DOCKER_AUTH=(?i).*\"auth\": *\".+\"",
    "API_KEY=(?i).*api(-|_)key( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20,60}(?![A-Z0-9]).*",
    NULL,
};

const char *const bw_default_retrieved_paths[] = {"/etc/passwd", NULL};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int merge_lists(const char *const **out, size_t *n_out, const char *const *a, size_t n_a, const char *const *b,
                       size_t n_b, struct bw_arena *arena, struct bw_error *err)
{
    const char **all = bw_arena_array(arena, n_a + n_b, sizeof(*all));
    if (all == NULL && n_a + n_b > 0) {
        return bw_arena_spent(err);
    }
    size_t n = 0;
    for (size_t i = 0; i < n_a + n_b; i++) {
        const char *copy = bw_arena_strdup(arena, i < n_a ? a[i] : b[i - n_a]);
        if (copy == NULL) {
            return bw_arena_spent(err);
        }
        all[n++] = copy;
    }
    if (n > 1) {
        qsort(all, n, sizeof(*all), by_text);
    }
    size_t unique = 0;
    for (size_t i = 0; i < n; i++) {
        if (unique == 0 || strcmp(all[unique - 1], all[i]) != 0) {
            all[unique++] = all[i];
        }
    }
    if (unique > BW_MAX_NEEDS) {
        return bw_error_set(err, BW_ELIMIT, "more than %d patterns or paths are asked of an analysis", BW_MAX_NEEDS);
    }
    *out = all;
    *n_out = unique;
    return 0;
}

int bw_needs_merge(struct bw_needs *out, const struct bw_needs *a, const struct bw_needs *b, struct bw_arena *arena,
                   struct bw_error *err)
{
    struct bw_needs made = {.file_digests = a->file_digests || b->file_digests, .previous = a->previous || b->previous};
    if (merge_lists(&made.secret_patterns, &made.n_secret_patterns, a->secret_patterns, a->n_secret_patterns,
                    b->secret_patterns, b->n_secret_patterns, arena, err) != 0 ||
        merge_lists(&made.content_patterns, &made.n_content_patterns, a->content_patterns, a->n_content_patterns,
                    b->content_patterns, b->n_content_patterns, arena, err) != 0 ||
        merge_lists(&made.retrieved_paths, &made.n_retrieved_paths, a->retrieved_paths, a->n_retrieved_paths,
                    b->retrieved_paths, b->n_retrieved_paths, arena, err) != 0) {
        return -1;
    }
    *out = made;
    return 0;
}

int bw_needs_copy(struct bw_needs *out, const struct bw_needs *needs, struct bw_arena *arena, struct bw_error *err)
{
    const struct bw_needs none = {0};
    return bw_needs_merge(out, needs, &none, arena, err);
}

/* Both sorted: one walk. */
static bool list_covers(const char *const *covered, size_t n_covered, const char *const *asked, size_t n_asked)
{
    size_t i = 0;
    for (size_t j = 0; j < n_asked; j++) {
        while (i < n_covered && strcmp(covered[i], asked[j]) < 0) {
            i++;
        }
        if (i == n_covered || strcmp(covered[i], asked[j]) != 0) {
            return false;
        }
    }
    return true;
}

bool bw_needs_cover(const struct bw_needs *covered, const struct bw_needs *asked)
{
    return (covered->file_digests || !asked->file_digests) &&
           list_covers(covered->secret_patterns, covered->n_secret_patterns, asked->secret_patterns,
                       asked->n_secret_patterns) &&
           list_covers(covered->content_patterns, covered->n_content_patterns, asked->content_patterns,
                       asked->n_content_patterns) &&
           list_covers(covered->retrieved_paths, covered->n_retrieved_paths, asked->retrieved_paths,
                       asked->n_retrieved_paths);
}
