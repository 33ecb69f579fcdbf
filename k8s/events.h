#ifndef BW_K8S_EVENTS_H
#define BW_K8S_EVENTS_H

#include "k8s/client.h"

/*
 * Events of events.k8s.io/v1, written by a thread of their own: who posts never waits, and what the queue cannot hold
 * is dropped and counted. An event that repeats (same object, reason and subject) within half an hour becomes one
 * series. Bounded: 25 at once and then one in five minutes for each object, ten a second in all. Safe to share between
 * threads.
 */
struct bw_events;

struct bw_event {
    const char *api_version, *kind, *name, *uid; /* of the object it regards; uid may be "" */
    const char *namespace;                       /* of the event and of what it regards */
    const char *reason, *action;                 /* "ImageDenied", "Admission" */
    const char *note;                            /* cut at 1024 bytes, on a UTF-8 boundary */
    const char *subject; /* tells apart what the same object may meet several times at once (an image); may be NULL */
    bool warning;        /* else type Normal */
};

/* instance: reportingInstance, the pod's name. trouble, when not NULL, runs on the thread when an event could not be
 * written; it is not tried again. */
int bw_events_create(struct bw_events **out, struct bw_kube_client *client, const char *instance,
                     void (*trouble)(void *payload, const struct bw_error *err), void *payload,
                     struct bw_error *err) BW_MUST_CHECK;
void bw_events_destroy(struct bw_events *events); /* what waits is dropped; joins the thread; NULL is fine */

void bw_events_post(struct bw_events *events, const struct bw_event *event); /* NULL events: nothing happens */

struct bw_events_counts {
    uint64_t written, repeated, dropped, failed; /* repeated: counted in a series; dropped: for want of room or rate */
};
struct bw_events_counts bw_events_counts(const struct bw_events *events);

#endif
