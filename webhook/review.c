/* What an admission needs of an AdmissionReview, by way of jansson (webhook/review.h). */
#include "webhook/review.h"

#include "base/str.h"

#include <string.h>

static bool has_member(struct bw_json object, const char *group, const char *key, bool text)
{
    const json_t *member = json_object_get(object.node, "metadata");
    if (group)
        member = json_object_get(member, group);
    member = json_object_get(member, key);
    return text ? json_is_string(member) : member && !json_is_null(member);
}

/* ---- owners ---- */

static const char *copy_of(const json_t *node, struct bw_arena *arena)
{
    return json_is_string(node) ? bw_arena_strdup(arena, json_string_value(node)) : "";
}

static int read_owners(struct bw_review *review, const json_t *list, struct bw_arena *arena)
{
    if (!json_array_size(list))
        return 0;
    struct bw_owner *owners = bw_arena_array(arena, json_array_size(list), sizeof(*owners));
    if (!owners)
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *node = json_array_get(list, i);
        struct bw_owner *owner = &owners[review->n_owners];
        if (!json_is_object(node))
            continue;
        *owner = (struct bw_owner){
            copy_of(json_object_get(node, "apiVersion"), arena), copy_of(json_object_get(node, "kind"), arena),
            copy_of(json_object_get(node, "name"), arena), copy_of(json_object_get(node, "uid"), arena),
            json_is_true(json_object_get(node, "controller"))};
        if (!owner->api_version || !owner->kind || !owner->name || !owner->uid)
            return -1;
        review->n_owners++;
    }
    review->owners = review->n_owners ? owners : NULL;
    return 0;
}

/* ---- the pod ---- */

static int read_pull_secrets(struct bw_review *review, const json_t *list, struct bw_arena *arena)
{
    size_t n_names = 0;
    if (!json_array_size(list))
        return 0;
    const char **names = bw_arena_array(arena, json_array_size(list) + 1, sizeof(*names));
    if (!names)
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *name = json_object_get(json_array_get(list, i), "name");
        if (!json_string_length(name))
            continue;
        names[n_names] = copy_of(name, arena);
        if (!names[n_names++])
            return -1;
    }
    review->pull_secrets = n_names ? names : NULL;
    return 0;
}

/* The pod spec and the metadata beside it, along the path that the images were found by. */
static int read_pod(struct bw_review *review, const json_t *object, const char *path, struct bw_arena *arena)
{
    const json_t *spec = object, *around = object;
    struct bw_str rest = bw_str_from(path), name;
    while (spec && bw_str_next(&name, &rest, '.')) {
        char key[128];
        memcpy(key, name.base, name.len);
        key[name.len] = '\0';
        around = spec;
        spec = json_object_get(spec, key);
    }
    review->pod = review->object;
    if (around != object || rest.base) {
        review->pod = (struct bw_metadata){.name = ""};
        if (!rest.base && bw_metadata_read(&review->pod, json_object_get(around, "metadata"), arena))
            return -1;
    }
    review->service_account = copy_of(json_object_get(spec, "serviceAccountName"), arena);
    return !review->service_account || read_pull_secrets(review, json_object_get(spec, "imagePullSecrets"), arena) ? -1
                                                                                                                   : 0;
}

static int read_around(struct bw_review *review, const struct bw_admission_request *request,
                       const struct bw_extra_resource *extra, size_t n_extra, struct bw_arena *arena,
                       struct bw_error *err)
{
    const json_t *object = request->object.node, *metadata = json_object_get(object, "metadata");
    const char *path = NULL;
    const struct bw_workload *workload =
        bw_workload_find(request->resource_group, request->resource, request->subresource);
    if (bw_metadata_read(&review->object, metadata, arena) ||
        read_owners(review, json_object_get(metadata, "ownerReferences"), arena))
        return bw_arena_spent(err);
    if (!review->now.supported)
        return 0;
    if (workload)
        path = workload->path;
    for (size_t i = 0; !path && i < n_extra; i++)
        if (strcmp(extra[i].resource, request->resource) == 0 && strcmp(extra[i].group, request->resource_group) == 0)
            path = extra[i].pod_spec_path;
    return path && read_pod(review, object, path, arena) ? bw_arena_spent(err) : 0;
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
        .object = {.name = ""},
        .pod = {.name = ""},
        .service_account = "",
    };
    int result = read_images(&review, &request, extra, n_extra, arena, err) ||
                         read_around(&review, &request, extra, n_extra, arena, err)
                     ? -1
                     : 0;
    bw_admission_request_clear(&request);
    if (result)
        return -1;
    *out = review;
    return 0;
}
