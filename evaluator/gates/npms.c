/* Gate `npms`: installed npm packages beside the feed of published ones. */
#include "evaluator/gates/feed.h"

static const struct bw_feed_texts texts = {BW_ID_NPMS_NEWER,       BW_ID_NPMS_UNKNOWN, BW_ID_NPMS_VERSION,
                                           BW_ID_NPMS_BLACKLISTED, BW_ID_NPMS_NO_FEED, "npm package"};

static int prepare(void **out, struct bw_scope *scope, struct bw_error *err)
{
    return bw_feed_prepare(out, scope, "npm", scope->facts->npm_feed, err);
}

static int newer_version_in_feed(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    return bw_feed_newer(scope, &texts, err);
}

static int unknown_in_feeds(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    return bw_feed_unknown(scope, &texts, err);
}

static int version_not_in_feeds(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    return bw_feed_version(scope, &texts, err);
}

static int blacklisted_name_version(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return bw_feed_blacklisted(scope, values, &texts, err);
}

static int feed_data_unavailable(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    return bw_feed_unavailable(scope, &texts, err);
}

#define READS .reads = {"packages:npm"}
static const struct bw_trigger triggers[] = {
    {.name = "newer_version_in_feed",
     .doc = "Fires for each installed version that is not the latest one of the feed. Silent without a feed.",
     READS,
     .evaluate = newer_version_in_feed},
    {.name = "unknown_in_feeds",
     .doc = "Fires for each installed name that the feed does not have, if it has any of them.",
     READS,
     .evaluate = unknown_in_feeds},
    {.name = "version_not_in_feeds",
     .doc = "Fires for each installed version that the feed does not have. Silent without a feed.",
     READS,
     .evaluate = version_not_in_feeds},
    {.name = "blacklisted_name_version",
     .params = bw_feed_params,
     .n_params = BW_FEED_PARAMS,
     .doc = "Fires if the named package is installed.",
     READS,
     .load = bw_feed_load,
     .evaluate = blacklisted_name_version},
    {.name = "feed_data_unavailable",
     .doc = "Fires if there is no feed: always, as none is delivered with the program.",
     .evaluate = feed_data_unavailable},
};

const struct bw_gate bw_gate_npms = {
    .name = "npms",
    .doc = "Installed npm packages and the versions that were published.",
    .prepare = prepare,
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
