/* OCI image specification, "Image Configuration" (and Docker's form of it): what later rooms read of it. */
#include "base/limits.h"
#include "image/document.h"
#include "image/manifest.h"

#include <stdlib.h>
#include <string.h>

static int read_text(const char **out, struct bw_json at, const char *key, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_json member = bw_json_optional(at, key, arena);
    *out = NULL;
    return member.node == NULL ? 0 : bw_json_string(out, member, arena, err);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int read_ports(const char *const **out, struct bw_json config, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_json ports = bw_json_optional(config, "ExposedPorts", arena);
    size_t n = ports.node == NULL ? 0 : json_object_size(ports.node), at = 0;
    if (ports.node != NULL && bw_json_object(ports, err) != 0) {
        return -1;
    }
    const char **list = bw_arena_array(arena, n + 1, sizeof(*list));
    if (list == NULL) {
        return bw_arena_spent(err);
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(ports.node, key, value)
    {
        list[at] = bw_arena_strdup(arena, key);
        if (list[at++] == NULL) {
            return bw_arena_spent(err);
        }
    }
    if (n > 1) {
        qsort(list, n, sizeof(*list), by_text);
    }
    *out = list;
    return 0;
}

static int read_diff_ids(struct bw_image_config *out, struct bw_json root, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_json rootfs = {0}, list = {0};
    size_t n = 0;
    if (bw_json_member(&rootfs, root, "rootfs", arena, err) != 0 || bw_json_object(rootfs, err) != 0) {
        return -1;
    }
    list = bw_json_optional(rootfs, "diff_ids", arena);
    if (list.node != NULL && bw_json_array(&n, list, err) != 0) {
        return -1;
    }
    if (n > BW_MAX_LAYERS) {
        return bw_error_detail(err, BW_ELIMIT, "too_many_layers", "%zu diffIDs, at most %d are read", n, BW_MAX_LAYERS);
    }
    struct bw_digest *ids = bw_arena_array(arena, n + 1, sizeof(*ids));
    if (ids == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < n; i++) {
        struct bw_json element = bw_json_element(list, i, arena);
        const char *text = NULL;
        if (bw_json_string(&text, element, arena, err) != 0) {
            return -1;
        }
        if (bw_digest_parse(&ids[i], text, strlen(text), err) != 0) {
            return bw_error_wrap(err, "%s", element.path);
        }
    }
    out->diff_ids = ids;
    out->n_diff_ids = n;
    return 0;
}

static int read_history(struct bw_image_config *out, struct bw_json root, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_json list = bw_json_optional(root, "history", arena);
    size_t n = 0;
    if (list.node == NULL) {
        return 0;
    }
    if (bw_json_array(&n, list, err) != 0) {
        return -1;
    }
    struct bw_history *records = bw_arena_array(arena, n + 1, sizeof(*records));
    if (records == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < n; i++) {
        struct bw_json at = bw_json_element(list, i, arena);
        if (bw_json_object(at, err) != 0 || read_text(&records[i].created, at, "created", arena, err) != 0 ||
            read_text(&records[i].created_by, at, "created_by", arena, err) != 0 ||
            read_text(&records[i].comment, at, "comment", arena, err) != 0 ||
            read_text(&records[i].author, at, "author", arena, err) != 0) {
            return -1;
        }
        struct bw_json empty = bw_json_optional(at, "empty_layer", arena);
        if (empty.node != NULL && bw_json_bool(&records[i].empty_layer, empty, err) != 0) {
            return -1;
        }
    }
    out->history = records;
    out->n_history = n;
    return 0;
}

static int read_config(struct bw_image_config *out, struct bw_json root, struct bw_arena *arena, struct bw_error *err)
{
    if (bw_json_object(root, err) != 0 || read_text(&out->platform.os, root, "os", arena, err) != 0 ||
        read_text(&out->platform.architecture, root, "architecture", arena, err) != 0 ||
        read_text(&out->platform.variant, root, "variant", arena, err) != 0 ||
        read_text(&out->created, root, "created", arena, err) != 0) {
        return -1;
    }
    out->platform.os = out->platform.os == NULL ? "" : out->platform.os;
    out->platform.architecture = out->platform.architecture == NULL ? "" : out->platform.architecture;
    out->platform.variant = out->platform.variant == NULL ? "" : out->platform.variant;
    struct bw_json config = bw_json_optional(root, "config", arena);
    if (config.node != NULL && bw_json_object(config, err) != 0) {
        return -1;
    }
    if (read_text(&out->user, config, "User", arena, err) != 0 ||
        read_ports(&out->exposed_ports, config, arena, err) != 0 || read_diff_ids(out, root, arena, err) != 0) {
        return -1;
    }
    return read_history(out, root, arena, err);
}

int bw_image_config_parse(struct bw_image_config *out, const char *bytes, size_t len, struct bw_arena *arena,
                          struct bw_error *err)
{
    json_t *document = NULL;
    struct bw_image_config made = {.len = len};
    int status = bw_document_parse(&document, BW_DOCUMENT_CONFIG, bytes, len, err);
    if (status == 0) {
        status = read_config(&made, bw_json_root(document), arena, err);
        json_decref(document);
    }
    if (status == 0) {
        made.text = bw_arena_strndup(arena, bytes, len);
        status = made.text == NULL ? bw_arena_spent(err) : 0;
    }
    if (status != 0) {
        if (err != NULL && (err->code == BW_EINPUT || err->detail[0] == '\0')) {
            (void)snprintf(err->detail, sizeof(err->detail), "config_invalid");
        }
        return bw_error_wrap(err, "image configuration");
    }
    *out = made;
    return 0;
}
