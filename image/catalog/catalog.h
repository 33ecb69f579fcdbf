#ifndef BW_IMAGE_CATALOG_CATALOG_H
#define BW_IMAGE_CATALOG_CATALOG_H

#include "image/analyzer/analyzer.h"
#include "image/catalog/store.h"
#include "image/source.h"

/*
 * "The reports of this image": from the first store that has them, else by one analysis for all who ask. Nobody waits
 * in here: an answer is ready, pending (a job number) or failed; whoever waits is told when the job is done and asks
 * again. Jobs: one per (credentials, reference) to resolve a tag and read the index, one per (digest, needs) to
 * analyse. They run on the catalog's own threads, bounded, with a bounded queue; one host gets at most half of the
 * threads. Safe to share between threads.
 *
 * Reports are shared by digest, but an answer is given only to an identity that the registry lately showed the digest
 * in the repository named (known.h). In an outage what was shown within tag_stale_ms still counts, and the answer says
 * so. What a tag led to before is remembered by its name for all who may see what it leads to now (tags.h).
 */
struct bw_catalog;

struct bw_catalog_options {
    unsigned analyses;                   /* at a time; 0: max(2, cores) */
    unsigned queue;                      /* jobs that may wait; 0: 256 */
    int64_t tag_ttl_ms;                  /* tag -> digest is believed this long; 0: always ask */
    int64_t tag_stale_ms;                /* and this long when the registry cannot be asked */
    int64_t negative_ttl_ms;             /* failures are repeated this long (content faults until the digest changes) */
    int64_t auth_ttl_ms;                 /* how long a shown right to use a private image lasts */
    struct bw_analyzer_options analyzer; /* without needs and progress */
    /* What analyses: NULL is bw_analyze. */
    int (*analyze)(struct bw_report **out, struct bw_image_source *source, const struct bw_reference *reference,
                   const struct bw_digest *digest, const struct bw_analyzer_options *options,
                   struct bw_deadline deadline, struct bw_error *err);
    /* Runs on a catalog thread when a job is over, whatever its outcome. */
    void (*done)(void *payload, uint64_t job);
    void *payload;
};

/* The stores are asked in order, the quick ones first, and owned by the catalog from then on (not on failure). */
int bw_catalog_create(struct bw_catalog **out, struct bw_store **stores, size_t n_stores,
                      const struct bw_catalog_options *options, struct bw_error *err) BW_MUST_CHECK;
/* Drops the jobs that wait, lets those that run come to their end, joins the threads; `done` is not called any more. */
void bw_catalog_destroy(struct bw_catalog *catalog); /* NULL is fine */

/* Replaced as a whole when bundles or configuration change; reports that do not cover it are made again on demand. */
int bw_catalog_set_needs(struct bw_catalog *catalog, const struct bw_needs *needs, struct bw_error *err) BW_MUST_CHECK;

struct bw_image_question {
    struct bw_image_source *source;
    const struct bw_reference *reference;
    const struct bw_platform *platforms; /* none: every runnable manifest of an index */
    size_t n_platforms;
    bool allow_blocking_stores; /* false on an event loop: slow stores are asked by a job instead */
    bool previous;              /* remember what the tag leads to, and hand out what it led to before, if the needs
                                   ask for it */
    bool allow_analysis;        /* false: an image that is in no store is BW_ENOTFOUND "not_analyzed" */
    /* When what asks began (bw_monotonic_ms): what jobs learned after it counts for it, however short the lifetimes, so
     * that who waits for a job finds its result. 0: what is younger than a second. */
    int64_t since_ms;
};

enum bw_image_state { BW_IMAGE_READY, BW_IMAGE_PENDING, BW_IMAGE_FAILED };

struct bw_image_variant {
    struct bw_digest digest;
    struct bw_platform platform;
    struct bw_report *report;   /* retained; bw_image_answer_clear releases */
    struct bw_report *previous; /* the same, of the image for this platform that the tag led to before; NULL: none is
                                   known and in the stores, the tag does not count, or the question does not ask */
};

struct bw_image_answer {
    enum bw_image_state state;
    uint64_t job;            /* PENDING */
    int estimate_s;          /* PENDING: rough rest of the work, at least 1 */
    char progress[96];       /* PENDING: "layer 2 of 5, 48 of 120 MB", or "" */
    struct bw_digest digest; /* READY: what the reference names now: manifest or index */
    bool tag_current; /* READY: the reference's tag leads to `digest` (it has no digest of its own, or they agree) */
    bool stale;       /* READY: the registry could not be asked; the last known digest is used */
    struct bw_image_variant *variants; /* READY: in the caller's arena */
    size_t n_variants;
    struct bw_error error; /* FAILED; details as in source.h and analyzer.h, "queue_full" when there is no room */
};

int bw_catalog_ask(struct bw_image_answer *out, struct bw_catalog *catalog, const struct bw_image_question *question,
                   struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;
void bw_image_answer_clear(struct bw_image_answer *answer);

/* For the command line: asks until the answer is not pending or the deadline passed (BW_EDEADLINE). */
int bw_catalog_wait(struct bw_image_answer *out, struct bw_catalog *catalog, const struct bw_image_question *question,
                    struct bw_arena *arena, struct bw_deadline deadline, struct bw_error *err) BW_MUST_CHECK;

/* The report of a digest from whatever store has it, slow ones too, if it covers the needs; retained, or NULL. Nobody's
 * right to see it is asked for: not for admissions. */
struct bw_report *bw_catalog_find_report(struct bw_catalog *catalog, const struct bw_digest *digest,
                                         const struct bw_needs *needs);

struct bw_catalog_counts { /* since the start, but for the last two */
    uint64_t memory_hits, store_hits, analyses, failures, joined, store_faults;
    unsigned running, queued;
};
struct bw_catalog_counts bw_catalog_counts(struct bw_catalog *catalog);

#endif
