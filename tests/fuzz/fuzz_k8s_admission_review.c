/* AdmissionReview: decoded, its images listed (custom kinds too), and answered with texts that came from it. */
#include "base/limits.h"
#include "k8s/pod_images.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {"spec.steps[*].image", "spec.a[*].b[*]", "image", NULL};
static const struct bw_extra_resource extra[] = {{"x", "rollouts", "spec.template.spec", NULL},
                                                 {"x", "tasks", NULL, paths}};

static void answer(const struct bw_admission_request *request, const struct bw_pod_images *images, bool allowed,
                   struct bw_arena *arena)
{
    struct bw_status_cause causes[2] = {{request->operation, request->name, request->username},
                                        {request->kind, request->namespace, request->subresource}};
    const char *warnings[2] = {request->username, request->name};
    struct bw_annotation annotations[2] = {{"user", request->username}, {request->name, request->namespace}};
    if (images->n_images) {
        causes[0] =
            (struct bw_status_cause){images->images[0].container, images->images[0].field, images->images[0].text};
        warnings[0] = images->images[0].text;
    }
    struct bw_admission_response response = {.api_version = request->api_version,
                                             .uid = request->uid,
                                             .allowed = allowed,
                                             .code = 403,
                                             .reason = "Forbidden",
                                             .message = request->name,
                                             .retry_after_s = 1,
                                             .details_name = request->name,
                                             .details_group = request->resource_group,
                                             .details_kind = request->resource,
                                             .causes = causes,
                                             .n_causes = 2,
                                             .warnings = warnings,
                                             .n_warnings = 2,
                                             .annotations = annotations,
                                             .n_annotations = 2};
    const char *text = NULL;
    size_t len = 0;
    struct bw_error err = {0};
    if (bw_admission_review_encode(&text, &len, &response, arena, &err))
        return;
    json_error_t fault;
    json_t *root = json_loadb(text, len, 0, &fault); /* an answer is always JSON without NUL */
    if (!root || strlen(text) != len)
        abort();
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    struct bw_admission_request request;
    struct bw_review_head head;
    struct bw_error err = {0};
    if (bw_admission_review_decode(&request, &head, (const char *)data, size, &arena, &err))
        return 0;
    struct bw_pod_images now = {0}, before = {0};
    if (bw_pod_images(&now, &request, request.object, extra, 2, &arena, &err) == 0 &&
        bw_pod_images(&before, &request, request.old_object, extra, 2, &arena, &err) == 0) {
        struct bw_pod_image *images = bw_arena_array(&arena, now.n_images + 1, sizeof(*images));
        if (images && now.n_images) {
            memcpy(images, now.images, now.n_images * sizeof(*images));
            if (bw_pod_images_changed(images, now.n_images, before.images, before.n_images) > now.n_images)
                abort();
        }
        answer(&request, &now, false, &arena);
        answer(&request, &now, true, &arena);
    }
    bw_admission_request_clear(&request);
    return 0;
}
