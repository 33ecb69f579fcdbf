/* Any text as a bundle: it loads or every fault is said; what loads also has needs. */
#include "evaluator/bundle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_problems problems;
    struct bw_bundle *bundle = NULL;
    struct bw_error err = {0};
    struct bw_bundle_options options = {.name = "fuzz", .now_s = 1637409600, .default_patterns = true};
    bw_problems_init(&problems);
    if (bw_bundle_load(&bundle, &problems, (const char *)data, size, &options, &err) != 0) {
        if (bundle != NULL || err.code == BW_OK) {
            abort();
        }
    } else {
        if (problems.n_errors != 0 || bw_bundle_needs(bundle) == NULL) {
            abort();
        }
        bw_bundle_release(bundle);
    }
    bw_problems_clear(&problems);
    return 0;
}
