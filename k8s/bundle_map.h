#ifndef BW_K8S_BUNDLE_MAP_H
#define BW_K8S_BUNDLE_MAP_H

#include "base/json.h"

/*
 * The bundles that a ConfigMap holds: keys of `data` ending in .json, .yaml or .yml, and of `binaryData` ending in
 * .json.gz, .yaml.gz, .yml.gz or the same with .zst. Base64 and compression are undone within BW_MAX_BUNDLE_BYTES each.
 */
struct bw_map_bundle {
    const char *key;   /* "prod.json" */
    const char *field; /* "data[prod.json]", "binaryData[prod.json.gz]" */
    const char *text;  /* NUL after it; NULL when it could not be read */
    size_t len;
    struct bw_error error; /* when it could not be read: bad base64, bad or too much compressed data */
};

struct bw_bundle_map {
    const char *namespace, *name, *uid, *created; /* created: creationTimestamp; "" when absent */
    const char *label;                            /* value of breakwater.io/bundle, or NULL */
    bool warn_only;                               /* annotation breakwater.io/mode: warn */
    struct bw_map_bundle *bundles;                /* sorted by key */
    size_t n_bundles;
    const char *const *ignored; /* keys without a known suffix; NULL-terminated */
};

/* All memory from the arena. -1 with BW_EINPUT when the object is no ConfigMap (a data that is no object, a value that
 * is no string). */
int bw_bundle_map_read(struct bw_bundle_map *out, struct bw_json config_map, struct bw_arena *arena,
                       struct bw_error *err) BW_MUST_CHECK;

/* What is to be said of it besides its bundles: keys that are not read, no bundle at all. NULL-terminated. */
int bw_bundle_map_remarks(const char *const **out, const struct bw_bundle_map *map, struct bw_arena *arena,
                          struct bw_error *err) BW_MUST_CHECK;

#endif
