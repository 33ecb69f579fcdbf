/* Bundles out of a ConfigMap (k8s/bundle_map.h): which keys count, base64 as the API server writes it (RFC 4648 with
 * padding), compression undone within bounds. A key that cannot be read is that key's fault alone. */
#include "k8s/bundle_map.h"

#include "base/buf.h"
#include "base/decompress.h"
#include "base/limits.h"
#include "base/str.h"
#include "k8s/metadata.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64 * 1024 };

struct reading {
    struct bw_bundle_map *out;
    const char **ignored;
    size_t n_ignored;
    size_t room; /* for texts of this ConfigMap */
    struct bw_arena *arena;
};

static enum bw_compression compression_of(struct bw_str key, bool binary)
{
    static const char *const plain[] = {".json", ".yaml", ".yml"};
    enum bw_compression kind = BW_PLAIN;
    if (binary) {
        kind = bw_str_ends_with(key, ".gz")    ? BW_GZIP
               : bw_str_ends_with(key, ".zst") ? BW_ZSTD
                                               : BW_COMPRESSION_UNKNOWN;
        key.len -= kind == BW_GZIP ? strlen(".gz") : kind == BW_ZSTD ? strlen(".zst") : 0;
    }
    for (size_t i = 0; i < BW_LENGTH(plain); i++) {
        if (bw_str_ends_with(key, plain[i])) {
            return kind;
        }
    }
    return BW_COMPRESSION_UNKNOWN;
}

/* The shared decoder is lenient about alphabets and padding; an API server is not. */
static int decode(char **out, size_t *len_out, struct bw_str text, struct bw_arena *arena, struct bw_error *err)
{
    size_t len = text.len;
    if (len % 4 != 0) {
        return bw_error_set(err, BW_EINPUT, "not base64: %zu characters, expected a multiple of 4", len);
    }
    for (size_t i = 0; i < 2 && len > 0 && text.base[len - 1] == '='; i++) {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        char c = text.base[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '+' && c != '/') {
            return bw_error_set(err, BW_EINPUT, "not base64: '%c' at character %zu does not belong there", c, i);
        }
    }
    return bw_base64_decode(out, len_out, text.base, len, arena, err);
}

static int inflate_all(struct bw_buf *buf, struct bw_decompress *stream, const char *bytes, size_t len, char *chunk,
                       struct bw_error *err)
{
    while (true) {
        size_t used = len;
        long n = bw_decompress_step(stream, chunk, CHUNK, bytes, &used, err);
        if (n < 0) {
            return -1;
        }
        bw_buf_append(buf, chunk, (size_t)n);
        bytes += used;
        len -= used;
        if (n == 0 && len == 0) {
            return bw_decompress_finish(stream, err);
        }
    }
}

static int inflate(struct bw_map_bundle *bundle, enum bw_compression kind, const char *bytes, size_t len, size_t max,
                   struct bw_arena *arena, struct bw_error *err)
{
    const char *name = kind == BW_GZIP ? "gzip" : "zstd";
    if (bw_compression_guess(bytes, len) != kind) {
        return bw_error_set(err, BW_EINPUT, "not compressed with %s, which the key's suffix promises", name);
    }
    char *chunk = malloc(CHUNK);
    if (chunk == NULL) {
        abort();
    }
    BW_BUF_SCOPE buf;
    bw_buf_init(&buf, max + 1);
    struct bw_decompress *stream = bw_decompress_create(kind, max, 0);
    int status = inflate_all(&buf, stream, bytes, len, chunk, err);
    bw_decompress_destroy(stream);
    free(chunk);
    if (status != 0) {
        return err->code == BW_ELIMIT ? bw_error_set(err, BW_ELIMIT, "larger than %zu bytes once decompressed", max)
                                      : bw_error_wrap(err, "%s", name);
    }
    char *text = bw_arena_strndup(arena, buf.data == NULL ? "" : buf.data, buf.len);
    if (text == NULL) {
        return bw_arena_spent(err);
    }
    bundle->text = text;
    bundle->len = buf.len;
    return 0;
}

static void read_text(struct reading *at, struct bw_map_bundle *bundle, enum bw_compression kind, struct bw_str value)
{
    struct bw_error *err = &bundle->error;
    size_t max = at->room < BW_MAX_BUNDLE_BYTES ? at->room : BW_MAX_BUNDLE_BYTES;
    if (kind == BW_PLAIN) {
        if (value.len > max) {
            (void)bw_error_set(err, BW_ELIMIT, "larger than %zu bytes", max);
            return;
        }
        bundle->text = bw_arena_strndup(at->arena, value.base, value.len);
        bundle->len = value.len;
        if (bundle->text == NULL) {
            (void)bw_arena_spent(err);
        }
    } else {
        char *bytes = NULL;
        size_t len = 0;
        if (decode(&bytes, &len, value, at->arena, err) != 0 ||
            inflate(bundle, kind, bytes, len, max, at->arena, err) != 0) {
            return;
        }
    }
    at->room -= bundle->text == NULL ? 0 : bundle->len;
}

static int read_keys(struct reading *at, struct bw_json values, bool binary, struct bw_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    if (values.node == NULL) {
        return 0;
    }
    json_object_foreach(values.node, key, value)
    {
        if (!json_is_string(value)) {
            return bw_error_set(err, BW_EINPUT, "ConfigMap: %s: expected a string, found %s",
                                bw_json_pointer(values.path, key, at->arena), bw_json_type_name(value));
        }
        const char *name = bw_arena_strdup(at->arena, key);
        enum bw_compression kind = compression_of(bw_str_from(key), binary);
        if (name == NULL) {
            return bw_arena_spent(err);
        }
        if (kind == BW_COMPRESSION_UNKNOWN) {
            at->ignored[at->n_ignored++] = name;
            continue;
        }
        struct bw_map_bundle *bundle = &at->out->bundles[at->out->n_bundles++];
        bundle->key = name;
        bundle->field = bw_arena_printf(at->arena, "%s[%s]", binary ? "binaryData" : "data", key);
        if (bundle->field == NULL) {
            return bw_arena_spent(err);
        }
        read_text(at, bundle, kind, (struct bw_str){json_string_value(value), json_string_length(value)});
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct bw_map_bundle *)a)->key, ((const struct bw_map_bundle *)b)->key);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A string member, copied; `absent` when it is not there. */
static int read_member(const char **out, struct bw_json at, const char *key, const char *absent, struct bw_arena *arena,
                       struct bw_error *err)
{
    const char *text = absent;
    struct bw_json member = bw_json_optional(at, key, arena);
    if (member.node != NULL) {
        if (bw_json_string(&text, member, arena, err) != 0) {
            return -1;
        }
        text = bw_arena_strdup(arena, text);
        if (text == NULL) {
            return bw_arena_spent(err);
        }
    }
    *out = text;
    return 0;
}

static int read_metadata(struct bw_bundle_map *map, struct bw_json config_map, struct bw_arena *arena,
                         struct bw_error *err)
{
    struct bw_json metadata = {0};
    const char *mode = NULL;
    if (bw_json_member(&metadata, config_map, "metadata", arena, err) != 0 || bw_json_object(metadata, err) != 0) {
        return -1;
    }
    struct bw_json labels = bw_json_optional(metadata, "labels", arena);
    struct bw_json annotations = bw_json_optional(metadata, "annotations", arena);
    if ((labels.node != NULL && bw_json_object(labels, err) != 0) ||
        (annotations.node != NULL && bw_json_object(annotations, err) != 0) ||
        read_member(&map->namespace, metadata, "namespace", "", arena, err) != 0 ||
        read_member(&map->name, metadata, "name", "", arena, err) != 0 ||
        read_member(&map->uid, metadata, "uid", "", arena, err) != 0 ||
        read_member(&map->created, metadata, "creationTimestamp", "", arena, err) != 0 ||
        read_member(&map->label, labels, BW_DOMAIN "/bundle", NULL, arena, err) != 0 ||
        read_member(&mode, annotations, BW_DOMAIN "/mode", "", arena, err) != 0) {
        return -1;
    }
    map->warn_only = strcmp(mode, "warn") == 0;
    return 0;
}

int bw_bundle_map_read(struct bw_bundle_map *out, struct bw_json config_map, struct bw_arena *arena,
                       struct bw_error *err)
{
    struct bw_bundle_map map = {0};
    struct reading at = {.out = &map, .room = BW_MAX_BUNDLE_MAP_BYTES, .arena = arena};
    if (bw_json_object(config_map, err) != 0 || read_metadata(&map, config_map, arena, err) != 0) {
        return bw_error_wrap(err, "ConfigMap");
    }
    struct bw_json data = bw_json_optional(config_map, "data", arena);
    struct bw_json binary = bw_json_optional(config_map, "binaryData", arena);
    if ((data.node != NULL && bw_json_object(data, err) != 0) ||
        (binary.node != NULL && bw_json_object(binary, err) != 0)) {
        return bw_error_wrap(err, "ConfigMap");
    }
    size_t n_keys = json_object_size(data.node) + json_object_size(binary.node);
    if (n_keys > BW_MAX_BUNDLE_MAP_KEYS) {
        return bw_error_set(err, BW_ELIMIT, "ConfigMap: %zu keys, expected at most %d", n_keys, BW_MAX_BUNDLE_MAP_KEYS);
    }
    map.bundles = bw_arena_array(arena, n_keys + 1, sizeof(map.bundles[0]));
    at.ignored = bw_arena_array(arena, n_keys + 1, sizeof(at.ignored[0]));
    if (map.bundles == NULL || at.ignored == NULL) {
        return bw_arena_spent(err);
    }
    if (read_keys(&at, data, false, err) != 0 || read_keys(&at, binary, true, err) != 0) {
        return -1;
    }
    qsort(map.bundles, map.n_bundles, sizeof(map.bundles[0]), by_key);
    qsort(at.ignored, at.n_ignored, sizeof(at.ignored[0]), by_text);
    map.ignored = at.ignored;
    *out = map;
    return 0;
}

int bw_bundle_map_remarks(const char *const **out, const struct bw_bundle_map *map, struct bw_arena *arena,
                          struct bw_error *err)
{
    size_t n_ignored = 0, n = 0;
    while (map->ignored[n_ignored] != NULL) {
        n_ignored++;
    }
    const char **remarks = bw_arena_array(arena, n_ignored + 2, sizeof(*remarks));
    if (remarks == NULL) {
        return bw_arena_spent(err);
    }
    if (map->n_bundles == 0) {
        remarks[n++] = "no key of it is a bundle: .json, .yaml or .yml in data, or packed in binaryData";
    }
    for (size_t i = 0; i < n_ignored; i++) {
        remarks[n] = bw_arena_printf(arena, "key %.253s is not read: its suffix is none of a bundle", map->ignored[i]);
        if (remarks[n++] == NULL) {
            return bw_arena_spent(err);
        }
    }
    *out = remarks;
    return 0;
}
