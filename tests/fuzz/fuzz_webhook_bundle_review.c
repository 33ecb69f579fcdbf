/* Reviews of ConfigMaps: whatever the body, the answer is a review with its uid or an HTTP error, and clean. */
#include "base/limits.h"
#include "webhook/bundle_review.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct bw_admit_result *result)
{
    if (strlen(result->body) != result->len || result->decision == NULL || result->reason == NULL) {
        abort();
    }
    if (result->http_status != 200) {
        return;
    }
    json_t *root = json_loadb(result->body, result->len, 0, NULL), *response = json_object_get(root, "response");
    const json_t *allowed = json_object_get(response, "allowed");
    const json_t *causes = json_object_get(json_object_get(json_object_get(response, "status"), "details"), "causes");
    if (!json_is_boolean(allowed) || !json_is_string(json_object_get(response, "uid")) ||
        (json_is_false(allowed) && json_array_size(causes) == 0)) {
        abort();
    }
    for (const char *c = result->body; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20) {
            abort();
        }
    }
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bw_bundle_review_options options = {1750000000, true, bw_deadline_in_ms(60000)};
    struct bw_admit_result result;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 2 * BW_MAX_BUNDLE_MAP_BYTES);
    bw_bundle_review(&result, (const char *)data, size, &options, &arena);
    look_at(&result);
    bw_bundle_review_skip(&result, (const char *)data, size, "there is too much to do", &arena);
    look_at(&result);
    return 0;
}
