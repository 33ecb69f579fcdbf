/*
 * Selectors as in Anchore's admission controller, and the plain `match:` beside them (K-401, K-402). Every condition is
 * yes, no or undecided: a no anywhere decides, and what is undecided is never taken for a no.
 */
#include "webhook/selector.h"

#include "base/str.h"
#include "evaluator/pattern.h"

#include <string.h>

enum answer { NO, UNDECIDED, YES }; /* the least of all conditions counts */

static const char name_label[] = "kubernetes.io/metadata.name"; /* set by the API server on every namespace */

const char *bw_mode_name(enum bw_mode mode)
{
    static const char *const names[] = {"policy", "analysis", "breakglass", "passive", "warn"};
    return names[mode];
}

/* ---- lists ---- */

static bool is_among(const char *const *list, const char *text)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        if (strcmp(list[i], text) == 0) {
            return true;
        }
    }
    return false;
}

bool bw_globs_match(const char *const *globs, const char *text)
{
    for (size_t i = 0; globs != NULL && globs[i] != NULL; i++) {
        if (bw_wildcard_match(bw_str_from(globs[i]), bw_str_from(text))) {
            return true;
        }
    }
    return false;
}

bool bw_image_globs_match(const char *const *globs, const struct bw_named_image *image, enum bw_image_match how)
{
    return (how != BW_MATCH_NORMALIZED && bw_globs_match(globs, image->written)) ||
           (how != BW_MATCH_WRITTEN && image->normalized != NULL && bw_globs_match(globs, image->normalized));
}

bool bw_people_include(const struct bw_people *people, const struct bw_review *review)
{
    if (is_among(people->users, review->username)) {
        return true;
    }
    for (size_t i = 0; review->groups != NULL && review->groups[i] != NULL; i++) {
        if (is_among(people->groups, review->groups[i])) {
            return true;
        }
    }
    return false;
}

/* ---- images ---- */

int bw_named_image_make(struct bw_named_image *out, const char *written, const struct bw_reference *reference,
                        struct bw_arena *arena, struct bw_error *err)
{
    struct bw_named_image made = {.written = written};
    if (reference != NULL) {
        struct bw_reference shown = *reference;
        const char *at = reference->tag == NULL ? NULL : strchr(written, '@');
        const char *colon = at == NULL ? NULL : memrchr(written, ':', (size_t)(at - written));
        if (colon != NULL) {
            shown.tag = NULL;
            made.written = bw_arena_printf(arena, "%.*s%s", (int)(colon - written), written, at);
        }
        made.normalized = bw_reference_text(&shown, arena);
        if (made.written == NULL || made.normalized == NULL) {
            return bw_arena_spent(err);
        }
    }
    *out = made;
    return 0;
}

/* ---- regular expressions ---- */

/* What was undecided once ends the asking: a text that exhausts an expression shall not do so a hundred times. */
static enum answer try_regex(const struct bw_regex *regex, const char *text, size_t len, struct bw_error *err)
{
    int matched = bw_regex_match(regex, text, len, err);
    return matched > 0 ? YES : matched == 0 ? NO : UNDECIDED;
}

static enum answer try_pairs(const struct bw_selector *selector, const struct bw_pairs *pairs, struct bw_error *err)
{
    for (size_t i = 0; i < pairs->n_items; i++) {
        const struct bw_pair *pair = &pairs->items[i];
        enum answer found = try_regex(selector->key, pair->key, strlen(pair->key), err);
        if (found == YES) {
            found = try_regex(selector->value, pair->value, pair->value_len, err);
        }
        if (found != NO) {
            return found;
        }
    }
    return NO;
}

static enum answer try_metadata(const struct bw_selector *selector, const struct bw_metadata *metadata,
                                struct bw_error *err)
{
    enum answer found = try_pairs(selector, &metadata->labels, err);
    if (found == NO) {
        found = try_pairs(selector, &metadata->annotations, err);
    }
    if (found == NO && selector->by_name) {
        found = try_regex(selector->value, metadata->name, strlen(metadata->name), err);
    }
    return found;
}

/* While its metadata is not known, a namespace has its name, and the label that repeats it: enough for a yes. */
static enum answer try_namespace(const struct bw_selector *selector, const struct bw_selector_question *question,
                                 struct bw_error *err)
{
    if (question->namespace != NULL) {
        return try_metadata(selector, question->namespace, err);
    }
    const char *name = question->review->namespace;
    const struct bw_pair label = {name_label, name, strlen(name)};
    const struct bw_metadata known = {.name = name, .labels = {&label, 1}};
    enum answer found = try_metadata(selector, &known, err);
    if (found == NO) {
        (void)bw_error_set(err, BW_EUNAVAILABLE, "the labels and annotations of namespace %.253s are not known", name);
        found = UNDECIDED;
    }
    return found;
}

static enum answer try_image(const struct bw_selector *selector, const struct bw_named_image *image,
                             struct bw_error *err)
{
    enum answer found = NO;
    if (selector->image_match != BW_MATCH_NORMALIZED) {
        found = try_regex(selector->value, image->written, strlen(image->written), err);
    }
    if (found == NO && selector->image_match != BW_MATCH_WRITTEN && image->normalized != NULL) {
        found = try_regex(selector->value, image->normalized, strlen(image->normalized), err);
    }
    return found;
}

static enum answer try_regexes(const struct bw_selector *selector, const struct bw_selector_question *question,
                               struct bw_error *err)
{
    const struct bw_review *review = question->review;
    const char *account = review->service_account[0] == '\0' ? "default" : review->service_account;
    enum answer found = NO;
    switch ((enum bw_resource_type)selector->resource_type) {
    case BW_TYPE_RESOURCE:
        found = try_metadata(selector, &review->object, err);
        if (found == NO && selector->mode == BW_MODE_BREAK_GLASS) { /* an emergency counts wherever it is declared */
            found = try_metadata(selector, &review->pod, err);
        }
        return found;
    case BW_TYPE_TEMPLATE:
        return try_metadata(selector, &review->pod, err);
    case BW_TYPE_NAMESPACE:
        return try_namespace(selector, question, err);
    case BW_TYPE_IMAGE:
        return try_image(selector, question->image, err);
    case BW_TYPE_SERVICE_ACCOUNT:
        return try_regex(selector->value, account, strlen(account), err);
    case BW_TYPE_USER:
        return try_regex(selector->value, review->username, strlen(review->username), err);
    case BW_TYPE_NONE:
        break;
    }
    return YES;
}

/* ---- label selectors ---- */

static enum answer meets(const struct bw_requirement *requirement, const char *value)
{
    switch (requirement->operation) {
    case BW_LABEL_IN:
        return value != NULL && is_among(requirement->values, value) ? YES : NO;
    case BW_LABEL_NOT_IN:
        return value == NULL || !is_among(requirement->values, value) ? YES : NO;
    case BW_LABEL_EXISTS:
        return value != NULL ? YES : NO;
    case BW_LABEL_ABSENT:
        return value == NULL ? YES : NO;
    }
    return NO;
}

static enum answer try_labels(const struct bw_label_selector *selector, const struct bw_pairs *labels)
{
    for (size_t i = 0; i < selector->n_items; i++) {
        const struct bw_pair *pair = bw_pairs_find(labels, selector->items[i].key);
        if (meets(&selector->items[i], pair == NULL ? NULL : pair->value) == NO) {
            return NO;
        }
    }
    return YES;
}

static enum answer try_object_labels(const struct bw_selector *selector, const struct bw_review *review)
{
    enum answer found = try_labels(&selector->object_labels, &review->object.labels);
    if (found == NO && selector->mode == BW_MODE_BREAK_GLASS) {
        found = try_labels(&selector->object_labels, &review->pod.labels);
    }
    return found;
}

static enum answer try_namespace_labels(const struct bw_label_selector *selector,
                                        const struct bw_selector_question *question, struct bw_error *err)
{
    enum answer all = YES;
    if (question->namespace != NULL) {
        return try_labels(selector, &question->namespace->labels);
    }
    for (size_t i = 0; i < selector->n_items && all != NO; i++) {
        if (strcmp(selector->items[i].key, name_label) == 0) {
            all = meets(&selector->items[i], question->review->namespace) == NO ? NO : all;
        } else {
            (void)bw_error_set(err, BW_EUNAVAILABLE, "the labels of namespace %.253s are not known",
                               question->review->namespace);
            all = UNDECIDED;
        }
    }
    return all;
}

bool bw_selectors_need_namespace(const struct bw_selector *selectors, size_t n_selectors)
{
    for (size_t i = 0; i < n_selectors; i++) {
        const struct bw_label_selector *labels = &selectors[i].namespace_labels;
        for (size_t k = 0; k < labels->n_items; k++) {
            if (strcmp(labels->items[k].key, name_label) != 0) {
                return true;
            }
        }
        if (selectors[i].resource_type == BW_TYPE_NAMESPACE) {
            return true;
        }
    }
    return false;
}

/* ---- the whole ---- */

static enum answer least(enum answer a, enum answer b)
{
    return a < b ? a : b;
}

static enum answer try_all(const struct bw_selector *selector, const struct bw_selector_question *question,
                           struct bw_error *err)
{
    const struct bw_review *review = question->review;
    bool anybody = selector->people.users == NULL && selector->people.groups == NULL;
    if ((!anybody && !bw_people_include(&selector->people, review)) ||
        (selector->namespaces != NULL && !bw_globs_match(selector->namespaces, review->namespace)) ||
        (selector->kinds != NULL && !is_among(selector->kinds, review->kind)) ||
        (selector->operations != NULL && !is_among(selector->operations, review->operation)) ||
        (selector->images != NULL &&
         !bw_image_globs_match(selector->images, question->image, (enum bw_image_match)selector->image_match)) ||
        try_object_labels(selector, review) == NO) {
        return NO;
    }
    enum answer labels = try_namespace_labels(&selector->namespace_labels, question, err);
    return labels == NO ? NO : least(labels, try_regexes(selector, question, err));
}

int bw_selector_choose(const struct bw_selector **out, const struct bw_selector *selectors, size_t n_selectors,
                       const struct bw_selector_question *question, struct bw_error *err)
{
    const struct bw_selector *chosen = NULL;
    for (size_t i = 0; i < n_selectors && chosen == NULL; i++) {
        struct bw_error why = {0};
        switch (try_all(&selectors[i], question, &why)) {
        case YES:
            chosen = &selectors[i];
            break;
        case NO:
            break;
        case UNDECIDED:
            if (err != NULL) {
                *err = why;
            }
            return bw_error_wrap(err, "policySelectors[%zu]%s%.80s cannot be decided", i,
                                 selectors[i].id[0] == '\0' ? "" : " ", selectors[i].id);
        }
    }
    *out = chosen;
    return 0;
}
