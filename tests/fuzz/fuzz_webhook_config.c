/* config.yaml: any bytes are a configuration or problems with places. */
#include "webhook/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_problems problems;
    struct bw_config *config = NULL;
    struct bw_error err = {0};
    int64_t ms = 0;
    bw_problems_init(&problems);
    int status = bw_config_load(&config, &problems, (const char *)data, size, &err);
    if ((status == 0) != (config != NULL) || (status == 0) != (problems.n_errors == 0)) {
        abort();
    }
    if (status == 0 && (config->listen == NULL || config->timeout_s < 1 || strlen(config->hash) != 64)) {
        abort();
    }
    bw_config_release(config);
    bw_problems_clear(&problems);
    if (bw_duration_parse(&ms, (const char *)data, size) == 0 && ms < 0) {
        abort();
    }
    return 0;
}
