/* The three things of struct bw_services that are replaced while admissions run (webhook/admit.h). */
#include "webhook/admit.h"

static void *retain_config(void *config)
{
    return bw_config_retain(config);
}

static void release_config(void *config)
{
    bw_config_release(config);
}

static void *retain_bundles(void *set)
{
    return bw_bundle_set_retain(set);
}

static void release_bundles(void *set)
{
    bw_bundle_set_release(set);
}

static void *retain_source(void *source)
{
    return bw_image_source_retain(source);
}

static void release_source(void *source)
{
    bw_image_source_release(source);
}

void bw_services_slots(struct bw_slot *config, struct bw_slot *bundles, struct bw_slot *source)
{
    bw_slot_init(config, retain_config, release_config);
    bw_slot_init(bundles, retain_bundles, release_bundles);
    bw_slot_init(source, retain_source, release_source);
}
