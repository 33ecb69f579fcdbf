/* An OCI image layout folder (image specification, "Image Layout") as a source: index.json and blobs/<algorithm>/<hex>.
 */
#include "image/layout.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct layout {
    struct bw_image_source base;
    int folder;
    char name[512];
};

struct layout_reader {
    struct bw_blob_reader base;
    int fd;
    uint64_t left;
    struct bw_digest digest;
    struct bw_hash *hash;
    bool done;
};

static struct layout *layout_of(struct bw_image_source *source)
{
    return (struct layout *)source;
}

/* Regular files beneath the folder alone: each part of the path is opened in the one before, never through a symlink.
 */
static int open_file(struct layout *layout, const char *path, uint64_t *size_out, struct bw_error *err)
{
    struct bw_str rest = bw_str_from(path), part;
    char name[160];
    struct stat st;
    int fd = layout->folder;
    while (fd >= 0 && bw_str_next(&part, &rest, '/')) {
        (void)snprintf(name, sizeof(name), "%.*s", (int)part.len, part.base);
        int kind = rest.base == NULL ? O_NONBLOCK : O_DIRECTORY;
        int next = openat(fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | kind);
        int why = errno;
        if (fd != layout->folder) {
            (void)close(fd);
        }
        fd = next;
        errno = why;
    }
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        int why = fd < 0 ? errno : EINVAL;
        if (fd >= 0) {
            (void)close(fd);
        }
        bool missing = why == ENOENT;
        return bw_error_detail(err, missing ? BW_ENOTFOUND : BW_EINPUT, missing ? "image_not_found" : "layout_invalid",
                               "OCI layout %s: %s: %s", layout->name, path,
                               why == EINVAL ? "not a regular file" : strerror(why));
    }
    *size_out = (uint64_t)st.st_size;
    return fd;
}

static int read_file(char **out, size_t *len_out, struct layout *layout, const char *path, size_t max,
                     struct bw_arena *arena, struct bw_error *err)
{
    uint64_t size = 0;
    int fd = open_file(layout, path, &size, err);
    if (fd < 0) {
        return -1;
    }
    char *bytes = size <= max ? bw_arena_alloc(arena, (size_t)size + 1) : NULL;
    size_t have = 0;
    ssize_t got = 1;
    while (bytes != NULL && have < size && (got = read(fd, bytes + have, (size_t)size - have)) > 0) {
        have += (size_t)got;
    }
    int why = errno;
    (void)close(fd);
    if (size > max) {
        return bw_error_set(err, BW_ELIMIT, "OCI layout %s: %s has %llu bytes, at most %zu are read", layout->name,
                            path, (unsigned long long)size, max);
    }
    if (bytes == NULL) {
        return bw_arena_spent(err);
    }
    if (got < 0) {
        return bw_error_set(err, BW_EUNAVAILABLE, "OCI layout %s: %s: %s", layout->name, path, strerror(why));
    }
    bytes[have] = '\0';
    *out = bytes;
    *len_out = have;
    return 0;
}

static void blob_path(char *out, size_t size, const struct bw_digest *digest)
{
    (void)snprintf(out, size, "blobs/%.6s/%s", digest->text, bw_digest_hex(digest));
}

/* The entry named by the tag, or the only entry. */
static int find_tag(struct bw_digest *out, struct bw_json list, size_t n, const char *tag, const char *folder,
                    struct bw_arena *arena, struct bw_error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct bw_json entry = bw_json_element(list, i, arena);
        const json_t *notes = json_object_get(entry.node, "annotations");
        const char *name = json_string_value(json_object_get(notes, "org.opencontainers.image.ref.name"));
        if (n > 1 && (name == NULL || tag == NULL || strcmp(name, tag) != 0)) {
            continue;
        }
        struct bw_json digest = {0};
        const char *text = NULL;
        if (bw_json_member(&digest, entry, "digest", arena, err) != 0 ||
            bw_json_string(&text, digest, arena, err) != 0) {
            return bw_error_wrap(err, "OCI layout %s: index.json", folder);
        }
        return bw_digest_parse(out, text, strlen(text), err);
    }
    return bw_error_detail(err, BW_ENOTFOUND, "image_not_found", "OCI layout %s: no image is tagged \"%s\"", folder,
                           tag == NULL ? "" : tag);
}

static int layout_resolve(struct bw_digest *out, struct bw_image_source *source, const struct bw_reference *reference,
                          struct bw_deadline deadline, struct bw_error *err)
{
    (void)deadline;
    struct layout *layout = layout_of(source);
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 16 * BW_MIB);
    char *text = NULL;
    size_t len = 0, n = 0;
    json_t *document = NULL;
    if (read_file(&text, &len, layout, "index.json", BW_MAX_MANIFEST_BYTES, &arena, err) != 0 ||
        bw_json_parse(&document, text, len, BW_MAX_MANIFEST_BYTES, err) != 0) {
        return bw_error_wrap(err, "OCI layout");
    }
    struct bw_json list = {0}, root = bw_json_root(document);
    struct bw_digest digest = {{0}};
    int status = bw_json_object(root, err);
    if (status == 0 &&
        (bw_json_member(&list, root, "manifests", &arena, err) != 0 || bw_json_array(&n, list, err) != 0)) {
        status = bw_error_wrap(err, "OCI layout %s: index.json", layout->name);
    }
    if (status == 0) {
        status = find_tag(&digest, list, n, reference->tag, layout->name, &arena, err);
    }
    json_decref(document);
    if (status == 0) {
        *out = digest;
    }
    return status;
}

static int layout_manifest(struct bw_manifest_bytes *out, struct bw_image_source *source,
                           const struct bw_reference *reference, const struct bw_digest *digest, struct bw_arena *arena,
                           struct bw_deadline deadline, struct bw_error *err)
{
    struct bw_digest wanted = {{0}}, actual = {{0}};
    if (digest != NULL) {
        wanted = *digest;
    } else if (layout_resolve(&wanted, source, reference, deadline, err) != 0) {
        return -1;
    }
    char path[192];
    blob_path(path, sizeof(path), &wanted);
    struct bw_manifest_bytes made = {.digest = wanted};
    char *bytes = NULL;
    if (read_file(&bytes, &made.len, layout_of(source), path, BW_MAX_MANIFEST_BYTES, arena, err) != 0) {
        return -1;
    }
    memcpy(actual.text, wanted.text, 7);
    bw_hash_hex(actual.text + 7, bw_digest_kind(&wanted), bytes, made.len);
    if (!bw_digest_equal(&actual, &wanted)) {
        return bw_error_detail(err, BW_EINPUT, "manifest_digest_mismatch",
                               "the manifest's bytes are %s, asked for was %s", actual.text, wanted.text);
    }
    made.bytes = bytes;
    *out = made;
    return 0;
}

static int check_end(struct layout_reader *reader, struct bw_error *err)
{
    uint8_t raw[BW_HASH_MAX];
    char hex[2 * BW_HASH_MAX + 1];
    bw_hex_encode(hex, raw, bw_hash_finish(reader->hash, raw));
    reader->done = true;
    if (reader->left != 0) {
        return bw_error_detail(err, BW_EINPUT, "blob_size_mismatch", "blob %s is %llu bytes shorter than announced",
                               reader->digest.text, (unsigned long long)reader->left);
    }
    if (strcmp(hex, bw_digest_hex(&reader->digest)) != 0) {
        return bw_error_detail(err, BW_EINPUT, "blob_digest_mismatch",
                               "blob %s: its bytes have another digest (%.12s...)", reader->digest.text, hex);
    }
    return 0;
}

static ssize_t layout_read(struct bw_blob_reader *base, void *into, size_t size, struct bw_error *err)
{
    struct layout_reader *reader = (struct layout_reader *)base;
    if (reader->done || size == 0) {
        return 0;
    }
    ssize_t got = reader->left == 0 ? 0 : read(reader->fd, into, size > reader->left ? (size_t)reader->left : size);
    if (got < 0) {
        return bw_error_set(err, BW_EUNAVAILABLE, "blob %s: %s", reader->digest.text, strerror(errno));
    }
    if (got == 0) {
        return check_end(reader, err) != 0 ? -1 : 0;
    }
    bw_hash_update(reader->hash, into, (size_t)got);
    reader->left -= (uint64_t)got;
    return got;
}

static void layout_close(struct bw_blob_reader *base)
{
    struct layout_reader *reader = (struct layout_reader *)base;
    (void)close(reader->fd);
    bw_hash_destroy(reader->hash);
    free(reader);
}

static int layout_open_blob(struct bw_blob_reader **out, struct bw_image_source *source,
                            const struct bw_reference *reference, const struct bw_descriptor *blob,
                            struct bw_deadline deadline, struct bw_error *err)
{
    (void)reference;
    (void)deadline;
    char path[192];
    uint64_t size = 0;
    blob_path(path, sizeof(path), &blob->digest);
    int fd = open_file(layout_of(source), path, &size, err);
    if (fd < 0) {
        return -1;
    }
    if (size != blob->size) {
        (void)close(fd);
        return bw_error_detail(err, BW_EINPUT, "blob_size_mismatch", "blob %s has %llu bytes, the manifest says %llu",
                               blob->digest.text, (unsigned long long)size, (unsigned long long)blob->size);
    }
    struct layout_reader *reader = bw_memory_zeroed(1, sizeof(*reader));
    *reader =
        (struct layout_reader){.base = {layout_read, layout_close}, .fd = fd, .left = size, .digest = blob->digest};
    reader->hash = bw_hash_create(bw_digest_kind(&blob->digest));
    bw_hash_begin(reader->hash);
    *out = &reader->base;
    return 0;
}

static void layout_destroy(struct bw_image_source *source)
{
    (void)close(layout_of(source)->folder);
    free(source);
}

static const struct bw_image_source_ops layout_ops = {
    .resolve = layout_resolve,
    .manifest = layout_manifest,
    .open_blob = layout_open_blob,
    .destroy = layout_destroy,
};

int bw_layout_open(struct bw_image_source **out, const char *folder, struct bw_error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return bw_error_detail(err, errno == ENOENT ? BW_ENOTFOUND : BW_EINPUT, "image_not_found", "OCI layout %s: %s",
                               folder, strerror(errno));
    }
    struct layout *layout = bw_memory_zeroed(1, sizeof(*layout));
    layout->base.ops = &layout_ops;
    layout->base.references = 1;
    layout->folder = fd;
    (void)snprintf(layout->name, sizeof(layout->name), "%.500s", folder);
    *out = &layout->base;
    return 0;
}

/* The last part of the folder as a repository name: what a reference may not hold becomes '-'. */
static const char *repository_of(struct bw_str folder, struct bw_arena *arena)
{
    while (folder.len > 1 && folder.base[folder.len - 1] == '/') {
        folder.len--;
    }
    const char *slash = memrchr(folder.base, '/', folder.len);
    struct bw_str last = folder;
    if (slash != NULL) {
        last = (struct bw_str){slash + 1, folder.len - (size_t)(slash - folder.base) - 1};
    }
    char *name = bw_arena_strndup(arena, last.base, last.len > 200 ? 200 : last.len);
    for (char *c = name; c != NULL && *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        } else if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'))) {
            *c = '-';
        }
    }
    size_t skip = name == NULL ? 0 : strspn(name, "-");
    return name == NULL || name[skip] == '\0' ? "image" : name + skip;
}

bool bw_layout_parse(const char **folder_out, struct bw_reference *reference_out, const char *text,
                     struct bw_arena *arena, struct bw_error *err)
{
    if (strncmp(text, "oci:", 4) != 0) {
        return false;
    }
    struct bw_str folder = bw_str_from(text + 4);
    const char *colon = memrchr(folder.base, ':', folder.len), *tag = "latest";
    if (colon != NULL && strchr(colon, '/') == NULL && colon[1] != '\0') {
        tag = bw_arena_strdup(arena, colon + 1);
        folder.len = (size_t)(colon - folder.base);
    }
    struct bw_reference made = {.registry = "localhost", .repository = repository_of(folder, arena), .tag = tag};
    const char *path = bw_arena_strndup(arena, folder.base, folder.len);
    if (path == NULL || made.tag == NULL) {
        (void)bw_arena_spent(err);
        return false;
    }
    *folder_out = path;
    *reference_out = made;
    return true;
}
