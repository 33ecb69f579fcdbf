#ifndef BW_IMAGE_ANALYZER_TAR_INTERNAL_H
#define BW_IMAGE_ANALYZER_TAR_INTERNAL_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/analyzer/tar.h"

/*
 * The parts of the tar reader. Where archives can be read in more than one way, this reader takes the one of Go's
 * archive/tar, which is what the container runtimes of a node unpack with: what we see has to be what will run.
 */
enum { BW_TAR_BLOCK = 512, BW_MAX_SPARSE = 65536, BW_TAR_NAME_MAX = 100 + 1 + 155 + 1 };

enum bw_tar_format { BW_TAR_V7, BW_TAR_USTAR, BW_TAR_STAR, BW_TAR_GNU };

struct bw_tar_header { /* one header block, as written */
    enum bw_tar_format format;
    char type;
    char name[BW_TAR_NAME_MAX], link[101];
    int64_t mode, uid, gid, size;
    bool device_zero; /* both device numbers are 0 */
};

/* NULL, or what is wrong with the block. */
const char *bw_tar_header_parse(struct bw_tar_header *out, const char *block);
/* Octal between blanks and NULs, or big-endian two's complement when the top bit is set. */
int bw_tar_number(int64_t *out, const char *field, size_t len) BW_MUST_CHECK;
int bw_tar_decimal(int64_t *out, struct bw_str text) BW_MUST_CHECK; /* with a sign */

/* What PAX records say about the next entry. The texts point into the payload; empty: not given. */
enum bw_pax_key {
    BW_PAX_PATH,
    BW_PAX_LINKPATH,
    BW_PAX_SIZE,
    BW_PAX_UID,
    BW_PAX_GID,
    BW_PAX_SPARSE_MAJOR,
    BW_PAX_SPARSE_MINOR,
    BW_PAX_SPARSE_NAME,
    BW_PAX_SPARSE_SIZE,
    BW_PAX_SPARSE_REALSIZE,
    BW_PAX_SPARSE_NUMBLOCKS,
    BW_PAX_SPARSE_MAP,
    BW_PAX_KEYS
};

struct bw_pax {
    struct bw_str text[BW_PAX_KEYS];
    bool capability;    /* security.capability */
    bool overlay;       /* trusted.overlay.* other than opaque: a directory or content from elsewhere */
    struct bw_buf list; /* GNU.sparse.offset and numbytes (format 0.0), joined as GNU.sparse.map is */
};

void bw_pax_reset(struct bw_pax *pax);
/* The payload stays the caller's and outlives the records. -1: tar_corrupt. */
int bw_pax_parse(struct bw_pax *pax, const char *text, size_t len, struct bw_error *err) BW_MUST_CHECK;

struct bw_tar_piece { /* stored bytes of a sparse file */
    int64_t offset, len;
};

struct bw_sparse_map {
    struct bw_tar_piece *items;
    size_t n, capacity;
};

enum bw_sparse_kind { BW_SPARSE_NONE, BW_SPARSE_LISTED, BW_SPARSE_IN_DATA };

/* Whether the records describe a sparse file, and where its map is: listed in them (0.0, 0.1), or before the data
 * (1.0). Other versions are no sparse files to anybody. */
enum bw_sparse_kind bw_pax_sparse(const struct bw_pax *pax);
int bw_sparse_listed(struct bw_sparse_map *map, const struct bw_pax *pax, struct bw_error *err) BW_MUST_CHECK;
/* The text of version 1.0: a count, then offset and length of each piece, a line each. */
int bw_sparse_text(struct bw_sparse_map *map, struct bw_str text, struct bw_error *err) BW_MUST_CHECK;
int bw_sparse_add(struct bw_sparse_map *map, int64_t offset, int64_t len, struct bw_error *err) BW_MUST_CHECK;
/* Ascending, without overlap, inside the real size, stored bytes as many as the archive holds. */
int bw_sparse_check(const struct bw_sparse_map *map, int64_t real_size, int64_t stored,
                    struct bw_error *err) BW_MUST_CHECK;

#endif
