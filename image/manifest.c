/*
 * OCI image specification 1.1: descriptor, image manifest, image index, image configuration; Docker schema 2 documents
 * are read alike, schema 1 is refused. A document that is both manifest and index is refused (CVE-2021-41190).
 */
#include "image/manifest.h"

#include "base/limits.h"
#include "image/document.h"

#include <stdlib.h>
#include <string.h>

#define OCI_INDEX    "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define DOCKER_LIST  "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_V2    "application/vnd.docker.distribution.manifest.v2+json"

const char *const bw_manifest_accept[] = {
    "Accept: " OCI_INDEX, "Accept: " DOCKER_LIST, "Accept: " OCI_MANIFEST,
    "Accept: " DOCKER_V2, "Accept: */*;q=0.1",    NULL,
};

static bool is_index_type(const char *type)
{
    return strcmp(type, OCI_INDEX) == 0 || strcmp(type, DOCKER_LIST) == 0;
}

static bool is_image_type(const char *type)
{
    return strcmp(type, OCI_MANIFEST) == 0 || strcmp(type, DOCKER_V2) == 0;
}

static bool is_config_type(const char *type)
{
    return strcmp(type, "application/vnd.oci.image.config.v1+json") == 0 ||
           strcmp(type, "application/vnd.docker.container.image.v1+json") == 0;
}

/* Layers that runtimes unpack; their bytes still say themselves how they are compressed. */
static bool is_layer_type(const char *type)
{
    static const char *const stems[] = {
        "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"};
    static const char *const ends[] = {"", "+gzip", "+zstd", ".gzip", ".zstd"};
    for (size_t i = 0; i < BW_LENGTH(stems); i++) {
        size_t len = strlen(stems[i]);
        for (size_t j = 0; strncmp(type, stems[i], len) == 0 && j < BW_LENGTH(ends); j++) {
            if (strcmp(type + len, ends[j]) == 0) {
                return true;
            }
        }
    }
    return false;
}

static int invalid(struct bw_error *err)
{
    if (err != NULL) {
        (void)snprintf(err->detail, sizeof(err->detail), "manifest_invalid");
    }
    return bw_error_wrap(err, "image manifest");
}

static int read_optional_text(const char **out, struct bw_json at, const char *key, struct bw_arena *arena,
                              struct bw_error *err)
{
    struct bw_json member = bw_json_optional(at, key, arena);
    if (member.node == NULL) {
        *out = NULL;
        return 0;
    }
    return bw_json_string(out, member, arena, err);
}

static int read_platform(struct bw_descriptor *out, struct bw_json at, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_json platform = bw_json_optional(at, "platform", arena);
    if (platform.node == NULL) {
        return 0;
    }
    if (read_optional_text(&out->platform.os, platform, "os", arena, err) != 0 ||
        read_optional_text(&out->platform.architecture, platform, "architecture", arena, err) != 0 ||
        read_optional_text(&out->platform.variant, platform, "variant", arena, err) != 0) {
        return -1;
    }
    if (out->platform.os == NULL || out->platform.architecture == NULL) {
        out->platform.os = NULL;
        return 0;
    }
    if (out->platform.variant == NULL) {
        out->platform.variant = "";
    }
    out->attestation = strcmp(out->platform.os, "unknown") == 0;
    return 0;
}

static int read_urls(struct bw_descriptor *out, struct bw_json at, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_json list = bw_json_optional(at, "urls", arena);
    size_t n = 0;
    if (list.node == NULL) {
        return 0;
    }
    if (bw_json_array(&n, list, err) != 0) {
        return -1;
    }
    n = n > 16 ? 16 : n;
    const char **urls = bw_arena_array(arena, n + 1, sizeof(*urls));
    if (urls == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < n; i++) {
        if (bw_json_string(&urls[i], bw_json_element(list, i, arena), arena, err) != 0) {
            return -1;
        }
    }
    out->urls = urls;
    return 0;
}

static int read_descriptor(struct bw_descriptor *out, struct bw_json at, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_descriptor made = {0};
    struct bw_json member = {0};
    const char *digest = NULL;
    int64_t size = 0;
    if (bw_json_object(at, err) != 0 || bw_json_member(&member, at, "mediaType", arena, err) != 0 ||
        bw_json_string(&made.media_type, member, arena, err) != 0 ||
        bw_json_member(&member, at, "digest", arena, err) != 0 || bw_json_string(&digest, member, arena, err) != 0) {
        return -1;
    }
    if (bw_digest_parse(&made.digest, digest, strlen(digest), err) != 0) {
        return bw_error_wrap(err, "%s", member.path);
    }
    if (bw_json_member(&member, at, "size", arena, err) != 0 || bw_json_int(&size, member, err) != 0) {
        return -1;
    }
    if (size < 0) {
        return bw_error_set(err, BW_EINPUT, "%s: a size is not negative", member.path);
    }
    made.size = (uint64_t)size;
    made.foreign =
        strstr(made.media_type, "nondistributable") != NULL || strstr(made.media_type, "foreign.diff") != NULL;
    if (read_platform(&made, at, arena, err) != 0 || read_urls(&made, at, arena, err) != 0) {
        return -1;
    }
    struct bw_json notes = bw_json_optional(at, "annotations", arena);
    if (notes.node != NULL && json_is_object(notes.node) &&
        json_object_get(notes.node, "vnd.docker.reference.type") != NULL) {
        made.attestation = true;
    }
    *out = made;
    return 0;
}

static int read_descriptors(const struct bw_descriptor **out, size_t *n_out, struct bw_json list, size_t max,
                            struct bw_arena *arena, struct bw_error *err)
{
    size_t n = 0;
    if (bw_json_array(&n, list, err) != 0) {
        return -1;
    }
    if (n > max) {
        return bw_error_detail(err, BW_ELIMIT, "too_many_layers", "%s: %zu entries, at most %zu are read", list.path, n,
                               max);
    }
    struct bw_descriptor *made = bw_arena_array(arena, n, sizeof(*made));
    if (made == NULL && n > 0) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < n; i++) {
        if (read_descriptor(&made[i], bw_json_element(list, i, arena), arena, err) != 0) {
            return -1;
        }
    }
    *out = made;
    *n_out = n;
    return 0;
}

/* Section 2.1 rule 2: top-level mediaType, else Content-Type, else shape; contradictions are refused. */
static int decide_kind(struct bw_manifest *out, struct bw_json root, const char *content_type, struct bw_arena *arena,
                       struct bw_error *err)
{
    bool lists = bw_json_optional(root, "manifests", arena).node != NULL;
    bool image =
        bw_json_optional(root, "layers", arena).node != NULL || bw_json_optional(root, "config", arena).node != NULL;
    bool schema1 = bw_json_optional(root, "fsLayers", arena).node != NULL ||
                   json_integer_value(bw_json_optional(root, "schemaVersion", arena).node) == 1;
    const char *type = NULL;
    if (lists && (image || bw_json_optional(root, "fsLayers", arena).node != NULL)) {
        return bw_error_detail(err, BW_EINPUT, "manifest_ambiguous",
                               "the manifest is an image and an index at once, which tools read differently");
    }
    if (schema1) {
        return bw_error_detail(err, BW_EINPUT, "manifest_schema1_unsupported",
                               "the image uses the retired Docker schema 1 format; push it again with a current tool");
    }
    if (read_optional_text(&type, root, "mediaType", arena, err) != 0) {
        return invalid(err);
    }
    char sent[128] = "";
    if (content_type != NULL) {
        size_t n = strcspn(content_type, "; \t");
        (void)snprintf(sent, sizeof(sent), "%.*s", (int)(n > 120 ? 120 : n), content_type);
    }
    bool sent_is_known = is_index_type(sent) || is_image_type(sent);
    if (type != NULL && sent_is_known && strcmp(type, sent) != 0) {
        return bw_error_detail(err, BW_EINPUT, "manifest_ambiguous",
                               "the manifest says it is %.80s, the registry sent it as %.80s", type, sent);
    }
    if (type == NULL && sent_is_known) {
        type = bw_arena_strdup(arena, sent);
    }
    if (type == NULL) {
        type = lists ? OCI_INDEX : OCI_MANIFEST;
    }
    if (!is_index_type(type) && !is_image_type(type)) {
        return bw_error_detail(err, BW_EINPUT, "not_an_image", "%.120s is not the type of a container image", type);
    }
    out->kind = is_index_type(type) ? BW_MANIFEST_INDEX : BW_MANIFEST_IMAGE;
    out->media_type = type;
    if (out->kind == BW_MANIFEST_INDEX ? !lists : !image) {
        return bw_error_detail(err, BW_EINPUT, "manifest_invalid", "the manifest says it is %.80s, but has no %s", type,
                               out->kind == BW_MANIFEST_INDEX ? "manifests" : "config and layers");
    }
    return 0;
}

static int read_image(struct bw_manifest *out, struct bw_json root, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_json member = {0};
    if (bw_json_member(&member, root, "config", arena, err) != 0 ||
        read_descriptor(&out->config, member, arena, err) != 0) {
        return invalid(err);
    }
    if (bw_json_optional(root, "artifactType", arena).node != NULL || !is_config_type(out->config.media_type)) {
        return bw_error_detail(err, BW_EINPUT, "not_an_image",
                               "it is an artifact with configuration %.100s, not a container image",
                               out->config.media_type);
    }
    if (bw_json_member(&member, root, "layers", arena, err) != 0) {
        return invalid(err);
    }
    if (read_descriptors(&out->layers, &out->n_layers, member, BW_MAX_LAYERS, arena, err) != 0) {
        return err != NULL && err->code == BW_ELIMIT ? -1 : invalid(err);
    }
    uint64_t total = 0;
    for (size_t i = 0; i < out->n_layers; i++) {
        if (!is_layer_type(out->layers[i].media_type)) {
            return bw_error_detail(err, BW_EINPUT, "layer_unsupported",
                                   "layer %zu of %zu: its media type %.120s is not one that is unpacked", i + 1,
                                   out->n_layers, out->layers[i].media_type);
        }
        total += out->layers[i].size > BW_MAX_IMAGE_BYTES ? BW_MAX_IMAGE_BYTES + 1 : out->layers[i].size;
        if (out->layers[i].size > BW_MAX_LAYER_BYTES || total > BW_MAX_IMAGE_BYTES) {
            return bw_error_detail(err, BW_ELIMIT, "image_too_large",
                                   "layer %zu of %zu: %llu bytes (%llu with those before) are more than is analysed",
                                   i + 1, out->n_layers, (unsigned long long)out->layers[i].size,
                                   (unsigned long long)total);
        }
    }
    return 0;
}

int bw_manifest_parse(struct bw_manifest *out, const char *bytes, size_t len, const char *content_type,
                      struct bw_arena *arena, struct bw_error *err)
{
    json_t *document = NULL;
    if (bw_document_parse(&document, BW_DOCUMENT_MANIFEST, bytes, len, err) != 0) {
        return invalid(err);
    }
    struct bw_json root = bw_json_root(document);
    struct bw_manifest made = {0};
    struct bw_json list = {0};
    int status = bw_json_object(root, err) != 0 ? invalid(err) : decide_kind(&made, root, content_type, arena, err);
    if (status == 0 && made.kind == BW_MANIFEST_IMAGE) {
        status = read_image(&made, root, arena, err);
    } else if (status == 0) {
        if (bw_json_member(&list, root, "manifests", arena, err) != 0 ||
            read_descriptors(&made.manifests, &made.n_manifests, list, 1024, arena, err) != 0) {
            status = invalid(err);
        }
    }
    json_decref(document);
    if (status == 0) {
        bw_digest_of(&made.digest, bytes, len);
        *out = made;
    }
    return status;
}

static bool is_chosen(const struct bw_descriptor *entry, const struct bw_platform *wanted, size_t n_wanted)
{
    for (size_t i = 0; i < n_wanted; i++) {
        if (entry->platform.os != NULL && bw_platform_matches(&entry->platform, &wanted[i])) {
            return true;
        }
    }
    return n_wanted == 0;
}

int bw_index_choose(const struct bw_descriptor ***out, size_t *n_out, const struct bw_manifest *index,
                    const struct bw_platform *wanted, size_t n_wanted, struct bw_arena *arena, struct bw_error *err)
{
    const struct bw_descriptor **runnable = bw_arena_array(arena, index->n_manifests + 1, sizeof(*runnable));
    const struct bw_descriptor **chosen = bw_arena_array(arena, index->n_manifests + 1, sizeof(*chosen));
    if (runnable == NULL || chosen == NULL) {
        return bw_arena_spent(err);
    }
    size_t n = 0, n_chosen = 0;
    for (size_t i = 0; i < index->n_manifests; i++) {
        const struct bw_descriptor *entry = &index->manifests[i];
        if (!entry->attestation && (is_image_type(entry->media_type) || is_index_type(entry->media_type))) {
            runnable[n++] = entry;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (is_chosen(runnable[i], wanted, n_wanted)) {
            chosen[n_chosen++] = runnable[i];
        }
    }
    if (n == 1) {
        chosen[0] = runnable[0];
        n_chosen = 1;
    }
    if (n_chosen == 0) {
        const char *names = "";
        for (size_t i = 0; i < n && i < 12; i++) {
            const char *one = runnable[i]->platform.os == NULL ? "?" : bw_platform_text(&runnable[i]->platform, arena);
            const char *more = one == NULL ? NULL : bw_arena_printf(arena, "%s%s%s", names, i == 0 ? "" : ", ", one);
            names = more == NULL ? names : more;
        }
        return bw_error_detail(err, BW_ENOTFOUND, "no_matching_platform",
                               n == 0 ? "the index has no image that runs%s"
                                      : "the index has no image for the platforms asked for; it has %s",
                               names);
    }
    *out = chosen;
    *n_out = n_chosen;
    return 0;
}
