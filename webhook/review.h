#ifndef BW_WEBHOOK_REVIEW_H
#define BW_WEBHOOK_REVIEW_H

#include "k8s/metadata.h"
#include "k8s/pod_images.h"

struct bw_owner { /* one of ownerReferences; texts are "" when absent */
    const char *api_version, *kind, *name, *uid;
    bool controller;
};

/* All that an admission reads of an AdmissionReview; nothing in here points into the body. */
struct bw_review {
    const char *api_version, *uid;
    const char *kind, *group, *resource, *subresource; /* group of the resource; subresource "" when absent */
    const char *namespace, *name, *operation, *username;
    const char *const *groups; /* of the user; NULL-terminated */
    bool dry_run;
    bool mirror_pod;                  /* carries the annotation kubernetes.io/config.mirror */
    bool old_deleting;                /* oldObject has a deletionTimestamp */
    struct bw_pod_images now, before; /* before: of an UPDATE; both empty for other operations */
    struct bw_metadata object;        /* its own; empty when the object is null */
    struct bw_metadata pod;           /* of the pod template; of a Pod its own */
    const struct bw_owner *owners;
    size_t n_owners;
    const char *service_account;     /* of the pod spec; "" when it names none */
    const char *const *pull_secrets; /* names of imagePullSecrets, NULL-terminated; NULL: none */
};

/* By jansson: the truth. As bw_admission_review_decode, and BW_EINPUT too when the object is not of its kind. */
int bw_review_decode(struct bw_review *out, struct bw_review_head *head, const char *body, size_t len,
                     const struct bw_extra_resource *extra, size_t n_extra, struct bw_arena *arena,
                     struct bw_error *err) BW_MUST_CHECK;

/* By one pass over the bytes, ten times as fast: false when the body is not plainly understood, and then
 * bw_review_decode decides. What is skipped is not validated: a body that jansson refuses may be taken here, and then
 * says what its used fields say. */
bool bw_review_read(struct bw_review *out, const char *body, size_t len, struct bw_arena *arena);

#endif
