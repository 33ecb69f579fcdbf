#ifndef TESTS_UNIT_ANALYZER_LAYOUT_WRITER_H
#define TESTS_UNIT_ANALYZER_LAYOUT_WRITER_H

/* Small tars and OCI layouts made in memory and written to a folder of the test's own. */
#include "base/buf.h"
#include "image/digest.h"
#include "image/layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct tar_file {
    const char *name;
    char type; /* 0: '0' */
    const char *content;
    const char *link;
    unsigned mode; /* 0: 0644 */
};

static inline void tar_header(struct bw_buf *out, const char *name, char type, unsigned mode, size_t size,
                              const char *link)
{
    char block[512] = {0};
    (void)snprintf(block, 100, "%s", name);
    (void)snprintf(block + 100, 8, "%07o", mode & 07777);
    (void)snprintf(block + 108, 8, "%07o", 0u);
    (void)snprintf(block + 116, 8, "%07o", 0u);
    (void)snprintf(block + 124, 12, "%011zo", size % ((size_t)1 << 33));
    (void)snprintf(block + 136, 12, "%011o", 0u);
    memset(block + 148, ' ', 8);
    block[156] = type;
    (void)snprintf(block + 157, 100, "%s", link == NULL ? "" : link);
    memcpy(block + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(block); i++) {
        sum += (unsigned char)block[i];
    }
    (void)snprintf(block + 148, 8, "%06o", sum);
    bw_buf_append(out, block, sizeof(block));
}

static inline void tar_data(struct bw_buf *out, const char *bytes, size_t len)
{
    static const char zeros[512];
    bw_buf_append(out, bytes, len);
    bw_buf_append(out, zeros, (512 - len % 512) % 512);
}

static inline void tar_end(struct bw_buf *out)
{
    static const char zeros[1024];
    bw_buf_append(out, zeros, sizeof(zeros));
}

static inline void tar_files(struct bw_buf *out, const struct tar_file *files)
{
    for (; files->name != NULL; files++) {
        size_t len = files->content == NULL ? 0 : strlen(files->content);
        tar_header(out, files->name, files->type == 0 ? '0' : files->type, files->mode == 0 ? 0644 : files->mode, len,
                   files->link);
        if (len > 0) {
            tar_data(out, files->content, len);
        }
    }
    tar_end(out);
}

static inline void gzip_into(struct bw_buf *out, const char *bytes, size_t len)
{
    z_stream stream;
    memset(&stream, 0, sizeof(stream));
    size_t size = len + len / 100 + 1024;
    char *packed = malloc(size);
    if (packed == NULL || deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        abort();
    }
    stream.next_in = (Bytef *)(uintptr_t)bytes;
    stream.avail_in = (unsigned)len;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = (unsigned)size;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
        abort();
    }
    bw_buf_append(out, packed, stream.total_out);
    (void)deflateEnd(&stream);
    free(packed);
}

struct layer_bytes { /* what the registry serves, and what the configuration says its content is */
    const char *bytes;
    size_t len;
    struct bw_digest diff_id;
};

static inline void write_blob(const char *folder, const char *bytes, size_t len, struct bw_digest *digest)
{
    char path[512];
    bw_digest_of(digest, bytes, len);
    (void)snprintf(path, sizeof(path), "%s/blobs/sha256/%s", folder, bw_digest_hex(digest));
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) {
        abort();
    }
}

/* Writes the image; returns its manifest's digest. */
static inline struct bw_digest write_image(const char *folder, const struct layer_bytes *layers, size_t n)
{
    char path[512];
    struct bw_buf config, manifest;
    struct bw_digest digest, config_digest;
    bw_buf_init(&config, 1 << 20);
    bw_buf_init(&manifest, 1 << 20);
    (void)mkdir(folder, 0755);
    (void)snprintf(path, sizeof(path), "%s/blobs", folder);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof(path), "%s/blobs/sha256", folder);
    (void)mkdir(path, 0755);
    bw_buf_puts(&config, "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"User\":\"app\"},\"rootfs\":{"
                         "\"type\":\"layers\",\"diff_ids\":[");
    for (size_t i = 0; i < n; i++) {
        bw_buf_printf(&config, "%s\"%s\"", i == 0 ? "" : ",", layers[i].diff_id.text);
    }
    bw_buf_puts(&config, "]},\"history\":[{\"created_by\":\"/bin/sh -c #(nop) EXPOSE 22\",\"empty_layer\":true}]}");
    write_blob(folder, config.data, config.len, &config_digest);
    bw_buf_printf(&manifest,
                  "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
                  "vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
                  config_digest.text, config.len);
    for (size_t i = 0; i < n; i++) {
        write_blob(folder, layers[i].bytes, layers[i].len, &digest);
        bw_buf_printf(
            &manifest,
            "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"%s\",\"size\":%zu}",
            i == 0 ? "" : ",", digest.text, layers[i].len);
    }
    bw_buf_puts(&manifest, "]}");
    write_blob(folder, manifest.data, manifest.len, &digest);
    bw_buf_clear(&config);
    bw_buf_clear(&manifest);
    return digest;
}

#endif
