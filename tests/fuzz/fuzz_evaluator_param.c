/* Any text as the value of every parameter that there is. */
#include "base/limits.h"
#include "evaluator/gate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const struct bw_param *param, const char *text)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 16 * BW_MIB);
    struct bw_value value = {0};
    struct bw_error err = {0};
    int result = bw_param_parse(&value, param, text, &arena, &err);
    if ((result == 0) != value.present || (result != 0) != (err.code != BW_OK)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL || size > 4096) {
        free(text);
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; bw_gates[i] != NULL; i++) {
        for (unsigned t = 0; t < bw_gates[i]->n_triggers; t++) {
            const struct bw_trigger *trigger = &bw_gates[i]->triggers[t];
            for (unsigned p = 0; p < trigger->n_params; p++) {
                parse(&trigger->params[p], text);
            }
        }
    }
    free(text);
    return 0;
}
