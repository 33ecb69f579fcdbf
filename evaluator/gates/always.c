/* Gate `always`: fires for every image. For tests, and to stop whatever a mapping catches. */
#include "evaluator/gate.h"

static int always(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    return bw_fire_as(scope, "always", "this rule fires for every image", (const char *const[]){NULL}, err);
}

static const struct bw_trigger triggers[] = {
    {.name = "always", .doc = "Fires once for every image.", .evaluate = always},
};

const struct bw_gate bw_gate_always = {
    .name = "always",
    .doc = "Rules that do not look at the image.",
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
