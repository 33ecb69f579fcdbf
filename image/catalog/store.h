#ifndef BW_IMAGE_CATALOG_STORE_H
#define BW_IMAGE_CATALOG_STORE_H

#include "image/catalog/tags.h"
#include "image/report.h"

/* A place that keeps reports by key; memory.c and sqlite.c. Safe to share between threads. A store that fails is a miss
 * that costs time, never a reason to stop an admission: the catalog counts the failure and goes on. */
struct bw_store;

struct bw_store_ops {
    const char *name;
    /* BW_ENOTFOUND is an ordinary answer. The report is retained for the caller. */
    int (*get)(struct bw_report **out, struct bw_store *store, const char *key, struct bw_error *err);
    int (*put)(struct bw_store *store, const char *key, struct bw_report *report, struct bw_error *err);
    /* The images that a tag led to, latest first; both or neither. */
    int (*get_tag)(struct bw_tag_history *out, struct bw_store *store, const char *key, struct bw_error *err);
    int (*put_tag)(struct bw_store *store, const char *key, const struct bw_tag_history *history, struct bw_error *err);
    void (*destroy)(struct bw_store *store);
    bool quick; /* answers within microseconds: may be asked on an event loop */
};

struct bw_store {
    const struct bw_store_ops *ops;
};

/* Least recently used go first once the reports hold more than max_bytes. */
int bw_store_memory_create(struct bw_store **out, size_t max_bytes, struct bw_error *err) BW_MUST_CHECK;
/* One SQLite file in folder (created), WAL; a corrupt file is set aside and begun anew, with `recovered` set. Oldest
 * use goes first once the file holds more than max_bytes, or more than BW_MAX_TAGS tags. */
int bw_store_sqlite_create(struct bw_store **out, const char *folder, uint64_t max_bytes, bool *recovered,
                           struct bw_error *err) BW_MUST_CHECK;

#endif
