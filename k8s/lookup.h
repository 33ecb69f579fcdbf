#ifndef BW_K8S_LOOKUP_H
#define BW_K8S_LOOKUP_H

#include "k8s/client.h"

/*
 * Single objects of the API server, asked for by admissions, which never wait in here: an answer is ready, pending (a
 * ticket, told to `done` when it is there) or failed. One request for all who ask for the same path; answers are kept
 * for max_age_ms, bounded in number and bytes, and wiped when dropped, since some are Secrets. Safe to share between
 * threads.
 */
struct bw_kube_lookup;

/* done(payload, ticket) runs on a thread of the lookup. Tickets have bit 62 set, so that they are no job or verdict
 * number. */
int bw_kube_lookup_create(struct bw_kube_lookup **out, struct bw_kube_client *client,
                          void (*done)(void *payload, uint64_t ticket), void *payload,
                          struct bw_error *err) BW_MUST_CHECK;
void bw_kube_lookup_destroy(struct bw_kube_lookup *lookup); /* NULL is fine */

enum bw_lookup_state { BW_LOOKUP_READY, BW_LOOKUP_ABSENT, BW_LOOKUP_PENDING, BW_LOOKUP_FAILED };

/* READY: *object is a reference for the caller (json_decref), not to be changed. ABSENT: the server says 404. FAILED:
 * err. since_ms as in struct bw_image_question: what was learned after it counts however old it may be by then. */
enum bw_lookup_state bw_kube_lookup_ask(json_t **object, uint64_t *ticket, struct bw_kube_lookup *lookup,
                                        const char *path, int64_t max_age_ms, int64_t since_ms,
                                        struct bw_error *err) BW_MUST_CHECK;
/* The kept answer is of no use any more (a registry refused the Secret's credentials): the next ask fetches anew. */
void bw_kube_lookup_forget(struct bw_kube_lookup *lookup, const char *path);

#endif
