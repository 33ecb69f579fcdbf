/* Reviews of namespaces by a user who may nothing: allowed only if the label is not there, or as it was. */
#include "base/limits.h"
#include "webhook/namespace_review.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const json_t *label_of(const json_t *request, const char *which)
{
    const json_t *metadata = json_object_get(json_object_get(request, which), "metadata");
    const json_t *label = json_object_get(json_object_get(metadata, "labels"), "breakwater.io/admission");
    return json_is_null(label) ? NULL : label;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bw_config *config;
    struct bw_admit_result result;
    struct bw_error err = {0};
    if (config == NULL) {
        struct bw_problems problems;
        bw_problems_init(&problems);
        if (bw_config_load(&config, &problems, NULL, 0, &err) != 0) {
            abort();
        }
        bw_problems_clear(&problems);
    }
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    bw_namespace_review(&result, config, (const char *)data, size, &arena);
    if (result.http_status != 200 || strstr(result.body, "\"allowed\":true") == NULL) {
        return 0;
    }
    json_t *root = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
    const json_t *request = json_object_get(root, "request");
    const json_t *now = label_of(request, "object"), *before = label_of(request, "oldObject");
    const char *operation = json_string_value(json_object_get(request, "operation"));
    if (operation == NULL || (now != NULL && !json_equal(now, before) && strcmp(operation, "DELETE") != 0 &&
                              strcmp(operation, "CONNECT") != 0)) {
        abort();
    }
    json_decref(root);
    return 0;
}
