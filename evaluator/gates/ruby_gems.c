/* Gate `ruby_gems`: installed Ruby gems beside the feed of published ones. */
#include "evaluator/gates/feed.h"

static const struct bw_feed_texts texts = {BW_ID_GEMS_NEWER,       BW_ID_GEMS_UNKNOWN, BW_ID_GEMS_VERSION,
                                           BW_ID_GEMS_BLACKLISTED, BW_ID_GEMS_NO_FEED, "gem"};

static int prepare(void **out, struct bw_scope *scope, struct bw_error *err)
{
    return bw_feed_prepare(out, scope, "gem", scope->facts->gem_feed, err);
}

static int newer_version_found_in_feed(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    return bw_feed_newer(scope, &texts, err);
}

static int not_found_in_feed(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    return bw_feed_unknown(scope, &texts, err);
}

static int version_not_found_in_feed(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    return bw_feed_version(scope, &texts, err);
}

static int blacklist(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return bw_feed_blacklisted(scope, values, &texts, err);
}

static int feed_data_unavailable(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    return bw_feed_unavailable(scope, &texts, err);
}

#define READS .reads = {"packages:gem"}
static const struct bw_trigger triggers[] = {
    {.name = "newer_version_found_in_feed",
     .doc = "Fires for each installed version that is not the latest one of the feed. Silent without a feed.",
     READS,
     .evaluate = newer_version_found_in_feed},
    {.name = "not_found_in_feed",
     .doc = "Fires for each installed name that the feed does not have, if it has any of them.",
     READS,
     .evaluate = not_found_in_feed},
    {.name = "version_not_found_in_feed",
     .doc = "Fires for each installed version that the feed does not have. Silent without a feed.",
     READS,
     .evaluate = version_not_found_in_feed},
    {.name = "blacklist",
     .params = bw_feed_params,
     .n_params = BW_FEED_PARAMS,
     .doc = "Fires if the named package is installed.",
     READS,
     .load = bw_feed_load,
     .evaluate = blacklist},
    {.name = "feed_data_unavailable",
     .doc = "Fires if there is no feed: always, as none is delivered with the program.",
     .evaluate = feed_data_unavailable},
};

const struct bw_gate bw_gate_ruby_gems = {
    .name = "ruby_gems",
    .doc = "Installed Ruby gems and the versions that were published.",
    .prepare = prepare,
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
