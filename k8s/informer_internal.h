#ifndef BW_K8S_INFORMER_INTERNAL_H
#define BW_K8S_INFORMER_INTERNAL_H

#include "k8s/informer.h"

/* The times of an informer; tests live faster. */
struct bw_informer_pace {
    int64_t watch_s, watch_spread_s; /* a watch is asked for the first and up to the second more */
    int64_t grace_ms;                /* past its asked end a watch that still stands is dead */
    int64_t page_ms;                 /* for one page of a list */
    int64_t reopen_ms;               /* up to this before a watch that ended in time is opened again */
    int64_t pause_ms, longest_ms;    /* after a failure, doubled by each further one */
    int64_t health_ms;               /* a watch that stood this long was no failure */
    unsigned tries;                  /* at one position, then a list: it may be the position that is refused */
};

int bw_informer_start_paced(struct bw_informer **out, struct bw_kube_client *client,
                            const struct bw_informer_options *options, const struct bw_informer_pace *pace,
                            struct bw_error *err) BW_MUST_CHECK;

/* What was told of the objects: enough to tell nothing twice and to see what vanished. For one thread. */
struct bw_known;

/* As the API server names an object; the texts live as long as the object. */
struct bw_object_name {
    const char *namespace, *name, *uid, *version; /* namespace "" for what has none */
};

/* name and resourceVersion have to be there. */
int bw_object_name_read(struct bw_object_name *out, const json_t *object, struct bw_error *err) BW_MUST_CHECK;

struct bw_known *bw_known_create(void);
void bw_known_destroy(struct bw_known *known);
void bw_known_begin_list(struct bw_known *known);
/* *news: it is new or changed. BW_ELIMIT when there are too many. */
int bw_known_note(bool *news, struct bw_known *known, const struct bw_object_name *object,
                  struct bw_error *err) BW_MUST_CHECK;
bool bw_known_forget(struct bw_known *known, const struct bw_object_name *object); /* false: it was not known */
/* Forgets what was not noted since the list began, and tells each. */
void bw_known_end_list(struct bw_known *known, void (*drop)(void *payload, const char *namespace, const char *name),
                       void *payload);

#endif
