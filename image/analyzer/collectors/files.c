/* Every entry of the squashed tree, as it is there: no white space is collapsed in paths. What is no regular file has
 * Anchore Engine's word in place of a digest, which file rules compare with. */
#include "image/analyzer/collectors/collectors.h"

#include <string.h>

static const char no_digest[] = "DIRECTORY_OR_OTHER";

static const char *hex_of(char *out, const uint8_t *digest, size_t len)
{
    if (digest == NULL)
        return NULL;
    bw_hex_encode(out, digest, len);
    return out;
}

static int collect(struct bw_collect *at, struct bw_error *err)
{
    char sha256[2 * BW_SHA256_BYTES + 1], sha1[2 * BW_SHA1_BYTES + 1], md5[2 * BW_MD5_BYTES + 1];
    bool all_digests = at->options->needs.file_digests;
    for (size_t i = 0; i < bw_tree_count(at->tree); i++) {
        const struct bw_file *file = bw_tree_at(at->tree, i);
        bool regular = file->type == BW_FILE_REGULAR;
        struct bw_report_file row = {
            .path = file->path,
            .link = file->link,
            .sha256 = regular ? hex_of(sha256, file->sha256, BW_SHA256_BYTES) : no_digest,
            .sha1 = regular       ? hex_of(sha1, file->sha1, BW_SHA1_BYTES)
                    : all_digests ? no_digest
                                  : NULL,
            .md5 = regular       ? hex_of(md5, file->md5, BW_MD5_BYTES)
                   : all_digests ? no_digest
                                 : NULL,
            .type = file->type,
            .mode = file->mode,
            .size = file->size,
            .uid = file->uid,
            .gid = file->gid,
            .layer = file->layer,
            .capability = file->capability,
        };
        if (bw_report_add_file(at->report, &row, err))
            return -1;
    }
    return 0;
}

const struct bw_collector bw_collector_files = {
    .name = "files",
    .doc = "path, type, mode, owner, size and digests of every entry",
    .kind = "files",
    .collect = collect,
};
