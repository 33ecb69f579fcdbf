#ifndef BW_IMAGE_CATALOG_CATALOG_INTERNAL_H
#define BW_IMAGE_CATALOG_CATALOG_INTERNAL_H

#include "image/catalog/catalog.h"
#include "image/catalog/jobs.h"
#include "image/catalog/known.h"

#include "base/limits.h"

#include <pthread.h>
#include <stdatomic.h>

/* Between catalog.c (answers) and work.c (jobs). */
enum { REPORT_KEY_MAX = BW_DIGEST_TEXT_MAX + 64, MAX_INDEX_DEPTH = 2 };

struct bw_needs_box { /* counted, immutable */
    atomic_uint references;
    struct bw_arena arena;
    struct bw_needs needs;
    uint64_t generation;
};

/* The last reports that jobs made or found: who waited for them finds them even if the memory store had no room. */
struct bw_recent {
    char key[REPORT_KEY_MAX];
    struct bw_report *report;
    int64_t made_ms;
};

struct bw_catalog {
    pthread_mutex_t lock; /* over known, tags, needs, recent */
    struct bw_known known;
    struct bw_lru tags; /* tags.h */
    struct bw_needs_box *needs;
    struct bw_recent recent[BW_MAX_VARIANTS];
    size_t next_recent;
    struct bw_store **stores;
    size_t n_stores;
    struct bw_catalog_options options;
    char key_suffix[64]; /* of report keys: schema, revision, limits */
    struct bw_jobs *jobs;
    _Atomic uint64_t memory_hits, store_hits, analyses, failures, store_faults;
};

struct bw_task { /* of one job */
    enum { BW_TASK_RESOLVE, BW_TASK_ANALYSE, BW_TASK_LOOK_UP, BW_TASK_LOOK_BACK } kind;
    struct bw_arena arena;
    struct bw_image_source *source;
    struct bw_reference reference;
    struct bw_digest digest; /* all but RESOLVE */
    struct bw_known_keys keys;
    struct bw_needs_box *needs; /* ANALYSE, LOOK_UP */
    struct bw_report *partial;  /* ANALYSE: a report that does not cover the needs */
    const char *unanalysed;     /* LOOK_UP: what it is kept by that no store has the report */
    const char *tag_key;        /* LOOK_BACK */
    int64_t seen_ms;            /* LOOK_BACK: when the tag led to the digest */
    int64_t since_ms;
};

void bw_needs_box_release(struct bw_needs_box *box);

void bw_catalog_report_key(char *out, const struct bw_catalog *catalog, const struct bw_digest *digest);
/* A report that covers the needs, retained, or NULL; *partial_out (may be NULL) then is one that does not, or NULL. */
struct bw_report *bw_catalog_look(struct bw_catalog *catalog, const struct bw_digest *digest,
                                  const struct bw_needs *needs, bool blocking, struct bw_report **partial_out);
/* What the tag's earlier report is kept by as a failure when no store has it; NULL: the arena is spent. */
const char *bw_catalog_previous_key(const struct bw_digest *digest, struct bw_arena *arena);
/* Into every store before `below`, and among the recent ones. */
void bw_catalog_keep(struct bw_catalog *catalog, const char *key, struct bw_report *report, size_t below);
/* Whether the manifest, and every index that it holds, is known. With the lock held. */
bool bw_catalog_manifest_complete(struct bw_catalog *catalog, const struct bw_digest *digest, int depth);

enum bw_lane bw_catalog_run(void *catalog, struct bw_job *job, enum bw_lane lane);
void bw_catalog_free_task(void *task);

#endif
