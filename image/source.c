/* The counted interface through which image bytes are read; what registry and layout have in common. */
#include "image/source.h"

#include <string.h>

struct bw_image_source *bw_image_source_retain(struct bw_image_source *source)
{
    (void)__atomic_add_fetch(&source->references, 1, __ATOMIC_RELAXED);
    return source;
}

void bw_image_source_release(struct bw_image_source *source)
{
    if (source != NULL && __atomic_sub_fetch(&source->references, 1, __ATOMIC_ACQ_REL) == 0) {
        source->ops->destroy(source);
    }
}

ssize_t bw_blob_read(struct bw_blob_reader *reader, void *into, size_t size, struct bw_error *err)
{
    return reader->read(reader, into, size, err);
}

void bw_blob_close(struct bw_blob_reader *reader)
{
    if (reader != NULL) {
        reader->close(reader);
    }
}

int bw_blob_read_all(char **out, struct bw_image_source *source, const struct bw_reference *reference,
                     const struct bw_descriptor *blob, uint64_t max_bytes, struct bw_arena *arena,
                     struct bw_deadline deadline, struct bw_error *err)
{
    if (blob->size > max_bytes) {
        return bw_error_detail(err, BW_ELIMIT, "blob_too_large", "blob %s has %llu bytes, at most %llu are read",
                               blob->digest.text, (unsigned long long)blob->size, (unsigned long long)max_bytes);
    }
    char *bytes = bw_arena_alloc(arena, (size_t)blob->size + 1);
    if (bytes == NULL) {
        return bw_arena_spent(err);
    }
    struct bw_blob_reader *reader = NULL;
    if (source->ops->open_blob(&reader, source, reference, blob, deadline, err) != 0) {
        return -1;
    }
    /* The reader checks size and digest at the end, so the end has to be read. One byte of room lets it be seen. */
    size_t have = 0;
    ssize_t got = 1;
    while (got > 0 && have <= blob->size) {
        got = bw_blob_read(reader, bytes + have, (size_t)blob->size + 1 - have, err);
        have += got > 0 ? (size_t)got : 0;
    }
    bw_blob_close(reader);
    if (got < 0) {
        return -1;
    }
    if (have != blob->size) {
        return bw_error_detail(err, BW_EINPUT, "blob_size_mismatch", "blob %s: %zu bytes came, %llu were announced",
                               blob->digest.text, have, (unsigned long long)blob->size);
    }
    bytes[have] = '\0';
    *out = bytes;
    return 0;
}
