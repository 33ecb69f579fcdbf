#ifndef BW_CLI_BUNDLE_STORE_INTERNAL_H
#define BW_CLI_BUNDLE_STORE_INTERNAL_H

#include "base/limits.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "cli/bundle_store.h"

#include <pthread.h>
#include <string.h>

/* What bundle_store.c (what is offered) and bundle_election.c (what is in force) share. */
enum { BW_STORE_NOTE = 1024, BW_STORE_HASH = 2 * BW_SHA256_BYTES + 1 };

struct bw_store_source {
    char *namespace, *name, *uid, *created; /* the folder's are "" */
    bool own, active, warn_only;
};

struct bw_store_entry {
    struct bw_store_source *source;
    char *key, *origin;
    char hash[BW_STORE_HASH]; /* of the content last looked at, or of why it could not be read */
    struct bw_bundle *bundle; /* the last good one, or NULL */
    size_t bytes;             /* of its text */
    int64_t loaded_s;
    bool good; /* the content last looked at is the bundle's */
    bool seen; /* offered since the source began */
    enum { BW_NOT_TOLD, BW_IN_FORCE, BW_TAKEN } told;
    /* labels of the series in /metrics */
    char *shown_id;
    char shown_hash[BW_STORE_HASH];
};

struct bw_bundle_store {
    pthread_mutex_t lock;
    struct bw_events *events;
    struct bw_store_source **sources;
    size_t n_sources, sources_capacity;
    struct bw_store_entry *entries[BW_MAX_BUNDLES + 1];
    size_t n_entries;
    struct bw_store_source *current; /* between begin and end; NULL: there is no room for it */
    size_t bytes;                    /* of the texts of all bundles */
    bool changed;
    char *asked;     /* default_id of the last call */
    char *chosen;    /* the default then; "": none */
    const char *why; /* last told about the default */
};

/* bundle_election.c */
void bw_store_sort(struct bw_bundle_store *store); /* the entries, by precedence */
void bw_store_hide(struct bw_store_entry *entry);  /* its series in /metrics */
/* An Event on the ConfigMap, if it is one. */
void bw_store_post(struct bw_bundle_store *store, const struct bw_store_source *source, bool warning,
                   const char *subject, const char *note);

static inline bool bw_store_from_folder(const struct bw_store_source *source)
{
    return source->name[0] == '\0';
}

static inline char *bw_store_copy(const char *text)
{
    return text == NULL ? bw_memory_strndup("", 0) : bw_memory_strndup(text, strlen(text));
}

#endif
