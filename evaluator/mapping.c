/* Whether an entry of mappings or image lists means an image. The answer may be that this cannot be told: a reference
 * by digest alone has no tag, and a tag that the registry no longer resolves to the digest does not count. */
#include "evaluator/bundle_internal.h"

#include "base/limits.h"

#include <string.h>

/* Yes, no, or undecidable when there is nothing to compare and the pattern is not simply a star. */
static enum bw_selection match_text(const struct bw_pattern *pattern, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return bw_pattern_is_star(pattern) ? BW_SELECTED : BW_UNDECIDABLE;
    }
    struct bw_error err = {0};
    int matched = bw_pattern_match(pattern, bw_str_from(text), &err);
    return matched < 0 ? BW_UNDECIDABLE : matched == 1 ? BW_SELECTED : BW_NOT_SELECTED;
}

/* A repository of Docker Hub has two spellings, with and without `library/`; either may match. */
static enum bw_selection match_repository(const struct bw_pattern *pattern, const struct bw_reference *reference,
                                          uint64_t deviations[2])
{
    enum bw_selection as_written = match_text(pattern, reference->repository);
    bool hub = reference->registry != NULL && strcmp(reference->registry, "docker.io") == 0;
    if (!hub || reference->repository == NULL || reference->repository[0] == '\0') {
        return as_written;
    }
    static const char library[] = "library/";
    char longer[BW_MAX_REFERENCE_BYTES + sizeof(library)];
    const char *other = longer;
    if (strncmp(reference->repository, library, sizeof(library) - 1) == 0) {
        other = reference->repository + sizeof(library) - 1;
    } else if (strchr(reference->repository, '/') != NULL || strlen(reference->repository) >= BW_MAX_REFERENCE_BYTES) {
        return as_written;
    } else {
        (void)snprintf(longer, sizeof(longer), "%s%s", library, reference->repository);
    }
    enum bw_selection otherwise = match_text(pattern, other);
    if (otherwise != as_written) {
        bw_rows_set(deviations, BW_ROW_DOCKER_HUB);
    }
    return as_written == BW_NOT_SELECTED ? otherwise : as_written;
}

static enum bw_selection both(enum bw_selection a, enum bw_selection b)
{
    if (a == BW_NOT_SELECTED || b == BW_NOT_SELECTED) {
        return BW_NOT_SELECTED;
    }
    return a == BW_UNDECIDABLE || b == BW_UNDECIDABLE ? BW_UNDECIDABLE : BW_SELECTED;
}

static enum bw_selection match_image(const struct bw_selector *selector, const struct bw_facts *facts)
{
    const struct bw_reference *reference = facts->reference;
    bool same = false;
    switch (selector->type) {
    case BW_IMAGE_TAG:
        return match_text(&selector->tag, facts->tag_counts ? reference->tag : NULL);
    case BW_IMAGE_DIGEST:
        same = strcmp(selector->value, facts->report->digest.text) == 0;
        break;
    case BW_IMAGE_ID:
        same = facts->report->id != NULL && strcmp(selector->value, facts->report->id) == 0;
        break;
    case BW_IMAGE_OTHER:
        break;
    }
    return same ? BW_SELECTED : BW_NOT_SELECTED;
}

enum bw_selection bw_selector_match_parts(enum bw_selection parts[BW_SELECTOR_PARTS],
                                          const struct bw_selector *selector, const struct bw_facts *facts,
                                          uint64_t deviations[2])
{
    const struct bw_reference *reference = facts->reference;
    if (reference->tag != NULL && reference->digest.text[0] != '\0') {
        bw_rows_set(deviations, BW_ROW_TAG_AND_DIGEST);
    }
    parts[BW_PART_REGISTRY] = match_text(&selector->registry, reference->registry);
    parts[BW_PART_REPOSITORY] = match_repository(&selector->repository, reference, deviations);
    parts[BW_PART_IMAGE] = BW_SELECTED;
    enum bw_selection place = both(parts[BW_PART_REGISTRY], parts[BW_PART_REPOSITORY]);
    if (place == BW_NOT_SELECTED) {
        return place;
    }
    bool tagless = reference->tag == NULL || !facts->tag_counts;
    bool nameless = reference->registry == NULL || reference->registry[0] == '\0' || reference->repository == NULL ||
                    reference->repository[0] == '\0';
    if (nameless || (selector->type == BW_IMAGE_TAG && tagless)) {
        bw_rows_set(deviations, BW_ROW_DIGEST_REFERENCE);
    }
    parts[BW_PART_IMAGE] = match_image(selector, facts);
    return both(place, parts[BW_PART_IMAGE]);
}

enum bw_selection bw_selector_match(const struct bw_selector *selector, const struct bw_facts *facts,
                                    uint64_t deviations[2])
{
    enum bw_selection parts[BW_SELECTOR_PARTS];
    return bw_selector_match_parts(parts, selector, facts, deviations);
}
