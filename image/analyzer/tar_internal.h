#ifndef BW_IMAGE_ANALYZER_TAR_INTERNAL_H
#define BW_IMAGE_ANALYZER_TAR_INTERNAL_H

#include "base/limits.h"
#include "image/analyzer/tar.h"

/* What PAX records and GNU extensions say about the next entry, or about all that follow. */
enum { BW_TAR_BLOCK = 512, BW_MAX_SPARSE = 65536 };

struct bw_tar_override {
    char *path, *link; /* malloc'ed, NUL-terminated; NULL: none */
    size_t path_len;
    bool has_size, has_uid, has_gid, capability;
    int64_t size, uid, gid;
    /* GNU.sparse.* */
    bool sparse, sparse_1_0, has_real_size;
    int64_t real_size;
    char *sparse_name;
};

struct bw_tar_hole { /* a stored piece of a sparse file */
    int64_t offset, len;
};

struct bw_sparse_map {
    struct bw_tar_hole *items;
    size_t n, capacity;
};

void bw_tar_override_clear(struct bw_tar_override *override);
int bw_tar_number(int64_t *out, const char *field, size_t len);
/* A PAX payload of len bytes. Sparse records fill *map. -1: tar_corrupt or tar_limit. */
int bw_tar_pax(struct bw_tar_override *override, struct bw_sparse_map *map, const char *text, size_t len,
               struct bw_error *err) BW_MUST_CHECK;
int bw_sparse_add(struct bw_sparse_map *map, int64_t offset, int64_t len, struct bw_error *err) BW_MUST_CHECK;
/* Ascending, without overlap, inside the real size, stored bytes as many as the archive holds. */
int bw_sparse_check(const struct bw_sparse_map *map, int64_t real_size, int64_t stored,
                    struct bw_error *err) BW_MUST_CHECK;

#endif
