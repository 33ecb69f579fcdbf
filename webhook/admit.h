#ifndef BW_WEBHOOK_ADMIT_H
#define BW_WEBHOOK_ADMIT_H

#include "base/deadline.h"
#include "base/slot.h"
#include "image/catalog/catalog.h"
#include "k8s/events.h"
#include "k8s/lookup.h"
#include "k8s/metadata_store.h"
#include "webhook/config.h"

/*
 * The journey of one admission, no socket in sight: a step function. begin() reads the body once and keeps what is
 * needed of it; step() decides, or says for which job it has to wait and is called again when that job is done;
 * finish() answers with what is known when the budget is over. An admission belongs to one thread.
 */
struct bw_services {         /* built in cli/serve.c, borrowed here; all safe to share between threads */
    struct bw_slot *config;  /* of struct bw_config */
    struct bw_slot *bundles; /* of struct bw_bundle_set; may be empty */
    struct bw_catalog *catalog;
    struct bw_registry *registry;
    struct bw_slot *source; /* of struct bw_image_source: the registry with the configured credentials */
    struct bw_verdicts *verdicts;
    struct bw_kube_lookup *lookup;                /* single objects; NULL: there is no API server to ask */
    struct bw_metadata_store *namespaces, *nodes; /* as watched; NULL: they are not */
    struct bw_events *events;                     /* NULL: none are written */
    struct bw_ledger *ledger;                     /* NULL: nothing is remembered */
    const char *pod;                              /* who answers, for the audit log; NULL: not told */
};

struct bw_ledger; /* the last admissions: ledger.h */
/* Makes the slots of the services, empty. */
void bw_services_slots(struct bw_slot *config, struct bw_slot *bundles, struct bw_slot *source);

struct bw_verdicts; /* decisions by (bundle, digest, reference and tag state, platform, configuration): verdicts.h */

struct bw_admission;

enum bw_admit_state { BW_ADMIT_DONE, BW_ADMIT_WAIT };

struct bw_admit_result {
    int http_status;  /* 200, or 400 when there is no uid to answer */
    const char *body; /* NUL-terminated, lives as long as the admission */
    size_t len;
    /* for log and metrics */
    const char *uid, *decision, *reason, *kind, *namespace, *name, *operation, *username;
    const char *resource;                 /* "other" if it is none that is looked at */
    const char *mode, *selector, *bundle; /* of the first image that has them; NULL: none has */
    const char *images;                   /* a JSON array of image, digest, field and verdict; or NULL */
    const char *detail;                   /* first line of the denial, or NULL */
    bool dry_run;
};

/* Never NULL. timeout_ms is the value of ?timeout= (0: absent), elapsed_ms what has passed since the request line. */
struct bw_admission *bw_admission_begin(const struct bw_services *services, const char *body, size_t len,
                                        int64_t timeout_ms, int64_t elapsed_ms);
/* `blocking`: slow stores are read and long evaluations made on this thread; never on an event loop. On WAIT: *jobs is
 * the list of job numbers (analyses, evaluations, lookups), any of which may be news; it lives until the next step. */
enum bw_admit_state bw_admission_step(struct bw_admission *admission, bool blocking, const uint64_t **jobs,
                                      size_t *n_jobs);
/* The budget is over, the server is overloaded or stops: every image without verdict is pending. */
enum bw_admission_end { BW_END_DEADLINE, BW_END_OVERLOAD };
void bw_admission_finish(struct bw_admission *admission, enum bw_admission_end end);
const struct bw_admit_result *bw_admission_result(const struct bw_admission *admission); /* after DONE or finish */
struct bw_deadline bw_admission_deadline(const struct bw_admission *admission); /* the answer must leave by then */
void bw_admission_free(struct bw_admission *admission);                         /* NULL is fine */

/* K-304: images that were not known in time have been admitted, and a policy may yet stop them. Such an admission is
 * stepped on after its answer, whenever one of its jobs is done; a verdict of STOP is counted, logged and told as an
 * Event. */
bool bw_admission_is_late(const struct bw_admission *admission);
enum bw_admit_state bw_admission_step_late(struct bw_admission *admission, const uint64_t **jobs, size_t *n_jobs);
size_t bw_admission_size(const struct bw_admission *admission); /* bytes that it holds */

/* When the answer has to leave, by the configured margins (D38). */
struct bw_deadline bw_admission_budget(const struct bw_config *config, int64_t timeout_ms, int64_t elapsed_ms);
/* "?timeout=" of the request's query, a Go duration; 0 when absent or malformed. */
int64_t bw_timeout_parse(const char *query, size_t len);

#endif
