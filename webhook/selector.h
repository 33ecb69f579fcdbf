#ifndef BW_WEBHOOK_SELECTOR_H
#define BW_WEBHOOK_SELECTOR_H

#include "base/regex.h"
#include "image/reference.h"
#include "webhook/review.h"

/*
 * Which selector an image falls to (K-401 ff.): an ordered list, the first that matches, asked for every image. The
 * structures are read from the configuration (webhook/config_selectors.c) and immutable.
 */
enum bw_mode { BW_MODE_POLICY, BW_MODE_ANALYSIS, BW_MODE_BREAK_GLASS, BW_MODE_PASSIVE, BW_MODE_WARN };
const char *bw_mode_name(enum bw_mode mode); /* as configured: "breakglass" */

enum bw_resource_type { /* what the regular expressions are tried on */
                        BW_TYPE_RESOURCE,
                        BW_TYPE_TEMPLATE,
                        BW_TYPE_NAMESPACE,
                        BW_TYPE_IMAGE,
                        BW_TYPE_SERVICE_ACCOUNT,
                        BW_TYPE_USER,
                        BW_TYPE_NONE /* the selector has no expressions */
};
enum bw_image_match { BW_MATCH_BOTH, BW_MATCH_WRITTEN, BW_MATCH_NORMALIZED };
enum bw_require_digest { BW_DIGEST_OFF, BW_DIGEST_WARN, BW_DIGEST_DENY };
enum bw_tristate { BW_UNSET, BW_FALSE, BW_TRUE };

struct bw_requirement { /* of a label selector */
    const char *key;
    enum { BW_LABEL_IN, BW_LABEL_NOT_IN, BW_LABEL_EXISTS, BW_LABEL_ABSENT } operation;
    const char *const *values; /* NULL-terminated */
};
struct bw_label_selector { /* all of them; none: matches everything */
    const struct bw_requirement *items;
    size_t n_items;
};

struct bw_people { /* lists are NULL-terminated; NULL: none */
    const char *const *users, *const *groups;
};

struct bw_break_glass { /* breakGlass: who may, and whether a reason has to be given */
    bool require_reason;
    struct bw_people people; /* no list: everybody */
};

struct bw_selector {
    const char *id; /* "" when it has none */
    /* selector: two regular expressions */
    unsigned resource_type;       /* enum bw_resource_type */
    struct bw_regex *key, *value; /* key NULL where it says nothing */
    bool by_name;                 /* the key is `name`: the object's name counts too */
    /* match: conditions that all have to hold; NULL lists and empty selectors hold always */
    const char *const *namespaces, *const *kinds, *const *images, *const *operations;
    struct bw_label_selector namespace_labels, object_labels;
    /* users: NULL lists hold always; else the user, or one of the groups, has to be named */
    struct bw_people people;
    unsigned image_match;      /* enum bw_image_match */
    const char *bundle;        /* NULL: the default one */
    unsigned mode;             /* enum bw_mode */
    unsigned request_analysis; /* enum bw_tristate; unset: requestAnalysis of the configuration */
    unsigned require_digest;   /* enum bw_require_digest */
    unsigned on_pending;       /* enum bw_on_error + 1; 0: onPending of the configuration */
};

/* An image as selectors and globs see it. A tag that stands beside a digest is not shown: what runs is the digest, and
 * whether the tag leads to it is not known here (D44). */
struct bw_named_image {
    const char *written, *normalized; /* normalized NULL: it is no reference */
};

struct bw_selector_question { /* what is asked about */
    const struct bw_review *review;
    const struct bw_named_image *image;
    const struct bw_metadata *namespace; /* NULL: not known; a rule that needs it is undecided */
};

/* *out NULL: none matches. -1: a rule could not be decided, and what stands below it must not be asked. */
int bw_selector_choose(const struct bw_selector **out, const struct bw_selector *selectors, size_t n_selectors,
                       const struct bw_selector_question *question, struct bw_error *err) BW_MUST_CHECK;
/* Whether any of them asks for more of a namespace than its name. */
bool bw_selectors_need_namespace(const struct bw_selector *selectors, size_t n_selectors);

bool bw_people_include(const struct bw_people *people, const struct bw_review *review);
/* One of the NULL-terminated globs (`*` is any run of characters); NULL: none. */
bool bw_globs_match(const char *const *globs, const char *text);
bool bw_image_globs_match(const char *const *globs, const struct bw_named_image *image, enum bw_image_match how);
/* reference NULL when the text is none. */
int bw_named_image_make(struct bw_named_image *out, const char *written, const struct bw_reference *reference,
                        struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;

#endif
