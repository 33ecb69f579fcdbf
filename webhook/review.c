/* What an admission needs of an AdmissionReview, by way of jansson (webhook/review.h). */
#include "webhook/review.h"

#include <string.h>

static bool has_member(struct bw_json object, const char *group, const char *key, bool text)
{
    const json_t *member = json_object_get(object.node, "metadata");
    if (group)
        member = json_object_get(member, group);
    member = json_object_get(member, key);
    return text ? json_is_string(member) : member && !json_is_null(member);
}

static int read_images(struct bw_review *review, const struct bw_admission_request *request,
                       const struct bw_extra_resource *extra, size_t n_extra, struct bw_arena *arena,
                       struct bw_error *err)
{
    bool update = strcmp(request->operation, "UPDATE") == 0;
    if (!update && strcmp(request->operation, "CREATE") != 0)
        return 0;
    if (!request->object.node)
        return bw_error_set(err, BW_EINPUT, "/request/object is missing");
    if (bw_pod_images(&review->now, request, request->object, extra, n_extra, arena, err))
        return -1;
    if (!update || !request->old_object.node)
        return 0;
    return bw_pod_images(&review->before, request, request->old_object, extra, n_extra, arena, err);
}

int bw_review_decode(struct bw_review *out, struct bw_review_head *head, const char *body, size_t len,
                     const struct bw_extra_resource *extra, size_t n_extra, struct bw_arena *arena,
                     struct bw_error *err)
{
    struct bw_admission_request request;
    if (bw_admission_review_decode(&request, head, body, len, arena, err))
        return -1;
    struct bw_review review = {
        .api_version = request.api_version,
        .uid = request.uid,
        .kind = request.kind,
        .group = request.resource_group,
        .resource = request.resource,
        .subresource = request.subresource,
        .namespace = request.namespace,
        .name = request.name,
        .operation = request.operation,
        .username = request.username,
        .groups = request.groups,
        .dry_run = request.dry_run,
        .mirror_pod = has_member(request.object, "annotations", "kubernetes.io/config.mirror", true),
        .old_deleting = has_member(request.old_object, NULL, "deletionTimestamp", false),
    };
    int result = read_images(&review, &request, extra, n_extra, arena, err);
    bw_admission_request_clear(&request);
    if (result)
        return -1;
    *out = review;
    return 0;
}
