/* config.yaml: any bytes are a configuration, whose selectors can be asked, or problems with places. */
#include "webhook/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was taken can be asked. */
static void choose(const struct bw_config *config)
{
    static const struct bw_pair labels[] = {{"tier", "gold", 4}};
    static const struct bw_metadata metadata = {.name = "prod", .labels = {labels, 1}, .annotations = {labels, 1}};
    static const struct bw_review review = {.kind = "Pod",
                                            .namespace = "prod",
                                            .operation = "CREATE",
                                            .username = "alice",
                                            .object = {.name = "web", .labels = {labels, 1}},
                                            .pod = {.name = "web", .labels = {labels, 1}},
                                            .service_account = ""};
    static const struct bw_named_image image = {.written = "nginx", .normalized = "docker.io/library/nginx:latest"};
    const struct bw_selector_question questions[] = {{&review, &image, &metadata}, {&review, &image, NULL}};
    for (size_t i = 0; i < 2; i++) {
        const struct bw_selector *selector = NULL;
        struct bw_error err = {0};
        int status = bw_selector_choose(&selector, config->selectors, config->n_selectors, &questions[i], &err);
        if (status != 0 && (selector != NULL || err.message[0] == '\0')) {
            abort();
        }
    }
    (void)bw_exemption_find(config->exemptions, config->n_exemptions, "prod", &image, NULL, 0);
}

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
    if (status == 0) {
        choose(config);
    }
    bw_config_release(config);
    bw_problems_clear(&problems);
    if (bw_duration_parse(&ms, (const char *)data, size) == 0 && ms < 0) {
        abort();
    }
    return 0;
}
