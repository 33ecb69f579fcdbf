/* Image documents without two meanings (image/document.h); OCI image specification, "Descriptors" to "Configuration".
 */
#include "image/document.h"

#include "base/limits.h"
#include "base/str.h"

#include <string.h>

/* Names to which a runtime or this program gives a meaning. */
static const char *const manifest_names[] = {
    "schemaVersion", "mediaType",  "artifactType", "config",  "layers",      "manifests", "fsLayers",
    "subject",       "digest",     "size",         "urls",    "data",        "platform",  "os",
    "architecture",  "os.version", "os.features",  "variant", "annotations",
};

static const char *const config_names[] = {
    "architecture", "os",     "os.version",   "os.features", "variant",    "created",     "author",
    "config",       "rootfs", "type",         "diff_ids",    "history",    "created_by",  "comment",
    "empty_layer",  "User",   "ExposedPorts", "Env",         "Entrypoint", "Cmd",         "Volumes",
    "WorkingDir",   "Labels", "StopSignal",   "Healthcheck", "OnBuild",    "ArgsEscaped", "Shell",
};

struct name_list {
    const char *const *names;
    size_t n;
    size_t max_bytes;
};

static const struct name_list lists[] = {
    [BW_DOCUMENT_MANIFEST] = {manifest_names, BW_LENGTH(manifest_names), BW_MAX_MANIFEST_BYTES},
    [BW_DOCUMENT_CONFIG] = {config_names, BW_LENGTH(config_names), BW_MAX_CONFIG_BLOB_BYTES},
};

/* Objects whose keys are the author's own. */
static const char *const free_maps[] = {"annotations", "ExposedPorts", "Volumes", "Labels"};

/* One character as encoding/json compares it: ASCII without case, and the two others that fold into ASCII. */
static char fold(const char **at)
{
    const unsigned char *c = (const unsigned char *)*at;
    if (c[0] == 0xc5 && c[1] == 0xbf) { /* U+017F, long s */
        *at += 2;
        return 's';
    }
    if (c[0] == 0xe2 && c[1] == 0x84 && c[2] == 0xaa) { /* U+212A, Kelvin sign */
        *at += 3;
        return 'k';
    }
    *at += 1;
    return (char)(c[0] >= 'A' && c[0] <= 'Z' ? c[0] - 'A' + 'a' : c[0]);
}

static bool folds_alike(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (fold(&a) != fold(&b)) {
            return false;
        }
    }
    return *a == *b;
}

static bool is_one_of(const char *const *list, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static int check_key(const char *key, const struct name_list *known, struct bw_error *err)
{
    if (is_one_of(known->names, known->n, key)) {
        return 0;
    }
    for (size_t i = 0; i < known->n; i++) {
        if (folds_alike(known->names[i], key)) {
            return bw_error_set(err, BW_EINPUT, "\"%.60s\" is written for \"%s\", which tools read differently", key,
                                known->names[i]);
        }
    }
    return 0;
}

static int check_node(json_t *node, const struct name_list *known, unsigned depth, struct bw_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    size_t i = 0;
    if (depth > BW_MAX_MANIFEST_DEPTH) {
        return bw_error_set(err, BW_ELIMIT, "it nests deeper than %d", BW_MAX_MANIFEST_DEPTH);
    }
    json_object_foreach(node, key, value)
    {
        if (check_key(key, known, err) != 0) {
            return -1;
        }
        if (!is_one_of(free_maps, BW_LENGTH(free_maps), key) && check_node(value, known, depth + 1, err) != 0) {
            return -1;
        }
    }
    json_array_foreach(node, i, value)
    {
        if (check_node(value, known, depth + 1, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int bw_document_parse(json_t **out, enum bw_document kind, const char *bytes, size_t len, struct bw_error *err)
{
    json_t *root = NULL;
    if (bw_json_parse_unique(&root, bytes, len, lists[kind].max_bytes, err) != 0) {
        return -1;
    }
    if (check_node(root, &lists[kind], 0, err) != 0) {
        json_decref(root);
        return -1;
    }
    *out = root;
    return 0;
}
