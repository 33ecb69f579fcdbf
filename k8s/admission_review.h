#ifndef BW_K8S_ADMISSION_REVIEW_H
#define BW_K8S_ADMISSION_REVIEW_H

#include "base/json.h"

/* AdmissionReview admission.k8s.io/v1 and v1beta1: request decoded, response encoded in the version asked. */
struct bw_admission_request {
    json_t *document;        /* freed by bw_admission_request_clear */
    const char *api_version; /* echoed */
    const char *uid;
    const char *group, *version, *kind;
    const char *resource_group, *resource_version, *resource, *subresource; /* subresource "" when absent */
    const char *namespace, *name; /* name: generateName + "*" when the request has none */
    const char *operation;
    const char *username;
    const char *const *groups; /* NULL-terminated */
    bool dry_run;
    struct bw_json object, old_object; /* node NULL when null or absent */
};

struct bw_review_head { /* what every answer has to repeat */
    const char *api_version, *uid;
};

/* Fails with BW_EINPUT (not JSON, not an AdmissionReview, no request, uid not a string, operation unknown) or
 * BW_ELIMIT. Once the uid is known *head is set (texts in the arena), even on failure: such a failure is answered
 * inside a review. Until then head->uid is NULL. */
int bw_admission_review_decode(struct bw_admission_request *out, struct bw_review_head *head, const char *body,
                               size_t len, struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;
/* "admission.k8s.io/v1", "admission.k8s.io/v1beta1" */
bool bw_admission_version_known(const char *api_version);
void bw_admission_request_clear(struct bw_admission_request *request);

struct bw_status_cause {
    const char *reason, *field, *message;
};
struct bw_annotation {
    const char *key, *value;
};

struct bw_admission_response {
    const char *api_version, *uid;
    bool allowed;
    int code;           /* deny: HTTP status inside the review */
    const char *reason; /* "Forbidden", "TooManyRequests", ... */
    const char *message;
    int retry_after_s; /* 0: none */
    const char *details_name, *details_group, *details_kind;
    const struct bw_status_cause *causes;
    size_t n_causes;             /* at most 64 are written */
    const char *const *warnings; /* prefix, control characters, count (20) and total length (2048) are seen to here */
    size_t n_warnings;
    const struct bw_annotation *annotations;
    size_t n_annotations;
};

enum {
    BW_MAX_DENY_MESSAGE = 2048,
    BW_MAX_CAUSES = 64,
    BW_MAX_ADMISSION_WARNINGS = 20,
    BW_MAX_ADMISSION_WARNING_BYTES = 2048
};

/* NUL-terminated in the arena. Control characters but LF are replaced in every text. */
int bw_admission_review_encode(const char **out, size_t *len_out, const struct bw_admission_response *response,
                               struct bw_arena *arena, struct bw_error *err) BW_MUST_CHECK;

#endif
