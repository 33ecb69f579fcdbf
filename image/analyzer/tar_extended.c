/* What stands beside a tar header: PAX records (POSIX.1-2001, "pax Extended Header"), maps of sparse files, names made
 * safe. */
#include "image/analyzer/tar_internal.h"

#include <stdlib.h>
#include <string.h>

static int corrupt(struct bw_error *err, const char *what)
{
    return bw_error_detail(err, BW_EINPUT, "tar_corrupt", "tar: %s", what);
}

/* ---- PAX records ---- */

static const char *const keys[BW_PAX_KEYS] = {
    [BW_PAX_PATH] = "path",
    [BW_PAX_LINKPATH] = "linkpath",
    [BW_PAX_SIZE] = "size",
    [BW_PAX_UID] = "uid",
    [BW_PAX_GID] = "gid",
    [BW_PAX_SPARSE_MAJOR] = "GNU.sparse.major",
    [BW_PAX_SPARSE_MINOR] = "GNU.sparse.minor",
    [BW_PAX_SPARSE_NAME] = "GNU.sparse.name",
    [BW_PAX_SPARSE_SIZE] = "GNU.sparse.size",
    [BW_PAX_SPARSE_REALSIZE] = "GNU.sparse.realsize",
    [BW_PAX_SPARSE_NUMBLOCKS] = "GNU.sparse.numblocks",
    [BW_PAX_SPARSE_MAP] = "GNU.sparse.map",
};

void bw_pax_reset(struct bw_pax *pax)
{
    bw_buf_clear(&pax->list);
    *pax = (struct bw_pax){0};
    bw_buf_init(&pax->list, 2 * BW_MAX_TAR_EXTENDED);
}

/* Format 0.0 repeats its two keys, in turn. */
static int take_pair(struct bw_pax *pax, bool is_offset, bool *wants_len, struct bw_str value, struct bw_error *err)
{
    if (is_offset == *wants_len || memchr(value.base, ',', value.len) != NULL) {
        return corrupt(err, "the offsets and lengths of a sparse file do not alternate");
    }
    if (pax->list.len > 0) {
        bw_buf_append(&pax->list, ",", 1);
    }
    bw_buf_append(&pax->list, value.base, value.len);
    *wants_len = is_offset;
    return 0;
}

static int record(struct bw_pax *pax, struct bw_str key, struct bw_str value, bool *wants_len, struct bw_error *err)
{
    static const char attribute[] = "SCHILY.xattr.", overlay[] = "trusted.overlay.";
    bool is_offset = bw_str_is(key, "GNU.sparse.offset");
    if (is_offset || bw_str_is(key, "GNU.sparse.numbytes")) {
        return take_pair(pax, is_offset, wants_len, value, err);
    }
    for (size_t i = 0; i < BW_PAX_KEYS; i++) {
        if (bw_str_is(key, keys[i])) {
            if (i <= BW_PAX_LINKPATH && memchr(value.base, '\0', value.len) != NULL) {
                return corrupt(err, "a PAX name holds a NUL");
            }
            pax->text[i] = value;
            return 0;
        }
    }
    if (bw_str_starts_with(key, attribute)) {
        struct bw_str name = {key.base + sizeof(attribute) - 1, key.len - (sizeof(attribute) - 1)};
        if (bw_str_is(name, "security.capability")) {
            pax->capability = value.len > 0;
        } else if (bw_str_starts_with(name, overlay) && !bw_str_is(name, "trusted.overlay.opaque")) {
            pax->overlay = true;
        }
    }
    return 0;
}

/* "<length> <key>=<value>\n", the length counting itself. */
int bw_pax_parse(struct bw_pax *pax, const char *text, size_t len, struct bw_error *err)
{
    bool wants_len = false;
    bw_pax_reset(pax);
    while (len > 0) {
        const char *blank = memchr(text, ' ', len > 21 ? 21 : len);
        uint64_t size = 0;
        if (blank == NULL || bw_str_uint(&size, (struct bw_str){text, (size_t)(blank - text)}, 10, len) != 0 ||
            size < (uint64_t)(blank - text) + 2 || text[size - 1] != '\n') {
            return corrupt(err, "a PAX record has a wrong length");
        }
        struct bw_str body = {blank + 1, (size_t)(text + size - 1 - (blank + 1))};
        const char *equals = memchr(body.base, '=', body.len);
        if (equals == NULL || equals == body.base || memchr(body.base, '\0', (size_t)(equals - body.base)) != NULL) {
            return corrupt(err, "a PAX record has no key");
        }
        struct bw_str key = {body.base, (size_t)(equals - body.base)};
        struct bw_str value = {equals + 1, body.len - key.len - 1};
        if (record(pax, key, value, &wants_len, err) != 0) {
            return -1;
        }
        text += size;
        len -= (size_t)size;
    }
    if (pax->list.len > 0) {
        pax->text[BW_PAX_SPARSE_MAP] = (struct bw_str){pax->list.data, pax->list.len};
    }
    return 0;
}

/* ---- sparse files ---- */

enum bw_sparse_kind bw_pax_sparse(const struct bw_pax *pax)
{
    struct bw_str major = pax->text[BW_PAX_SPARSE_MAJOR], minor = pax->text[BW_PAX_SPARSE_MINOR];
    if (bw_str_is(major, "0") && (bw_str_is(minor, "0") || bw_str_is(minor, "1"))) {
        return BW_SPARSE_LISTED;
    }
    if (bw_str_is(major, "1") && bw_str_is(minor, "0")) {
        return BW_SPARSE_IN_DATA;
    }
    bool versionless = major.len == 0 && minor.len == 0;
    return versionless && pax->text[BW_PAX_SPARSE_MAP].len > 0 ? BW_SPARSE_LISTED : BW_SPARSE_NONE;
}

int bw_sparse_add(struct bw_sparse_map *map, int64_t offset, int64_t len, struct bw_error *err)
{
    if (map->n == BW_MAX_SPARSE) {
        return bw_error_detail(err, BW_ELIMIT, "tar_limit", "tar: a sparse file has more than %d pieces",
                               BW_MAX_SPARSE);
    }
    if (map->n == map->capacity) {
        map->capacity = map->capacity == 0 ? 32 : 2 * map->capacity;
        map->items = realloc(map->items, map->capacity * sizeof(*map->items));
        if (map->items == NULL) {
            abort();
        }
    }
    map->items[map->n++] = (struct bw_tar_piece){offset, len};
    return 0;
}

int bw_sparse_check(const struct bw_sparse_map *map, int64_t real_size, int64_t stored, struct bw_error *err)
{
    int64_t at = 0, sum = 0;
    for (size_t i = 0; i < map->n; i++) {
        const struct bw_tar_piece *piece = &map->items[i];
        if (piece->offset < at || piece->len < 0 || piece->offset > real_size ||
            piece->len > real_size - piece->offset) {
            return corrupt(err, "a sparse map is not ascending or leaves its file");
        }
        at = piece->offset + piece->len;
        sum += piece->len;
    }
    return sum == stored && real_size >= 0 ? 0 : corrupt(err, "a sparse map does not fit the stored bytes");
}

/* Numbers in pairs, cut at `separator`; as many pairs as announced. */
static int read_pairs(struct bw_sparse_map *map, struct bw_str list, char separator, int64_t n, struct bw_error *err)
{
    struct bw_str offset, len;
    for (map->n = 0; (int64_t)map->n < n;) {
        int64_t o = 0, l = 0;
        if (!bw_str_next(&offset, &list, separator) || !bw_str_next(&len, &list, separator) ||
            bw_tar_decimal(&o, offset) != 0 || bw_tar_decimal(&l, len) != 0) {
            return corrupt(err, "a sparse map is not made of as many pairs of numbers as it says");
        }
        if (bw_sparse_add(map, o, l, err) != 0) {
            return -1;
        }
    }
    return separator == ',' && list.base != NULL && (list.len > 0 || n > 0)
               ? corrupt(err, "a sparse map has more numbers than it says")
               : 0;
}

int bw_sparse_listed(struct bw_sparse_map *map, const struct bw_pax *pax, struct bw_error *err)
{
    int64_t n = 0;
    if (bw_tar_decimal(&n, pax->text[BW_PAX_SPARSE_NUMBLOCKS]) != 0 || n < 0) {
        return corrupt(err, "a sparse map does not say how long it is");
    }
    return read_pairs(map, pax->text[BW_PAX_SPARSE_MAP], ',', n, err);
}

int bw_sparse_text(struct bw_sparse_map *map, struct bw_str text, struct bw_error *err)
{
    struct bw_str line;
    int64_t n = 0;
    if (!bw_str_next(&line, &text, '\n') || bw_tar_decimal(&n, line) != 0 || n < 0) {
        return corrupt(err, "a sparse map does not say how long it is");
    }
    return read_pairs(map, text, '\n', n, err);
}

/* ---- names ---- */

int bw_tar_path(char *out, const char *name, size_t len)
{
    struct bw_str rest = {name, len};
    size_t at = 0;
    int escaped = 0;
    for (struct bw_str part; bw_str_next(&part, &rest, '/');) {
        if (part.len == 0 || bw_str_is(part, ".")) {
            continue;
        }
        if (bw_str_is(part, "..")) {
            escaped = at == 0 ? 1 : escaped;
            while (at > 0 && out[--at] != '/') {
            }
            continue;
        }
        if (part.len > BW_MAX_NAME_BYTES || at + 1 + part.len > BW_MAX_PATH_BYTES) {
            return -1;
        }
        out[at++] = '/';
        memcpy(out + at, part.base, part.len);
        at += part.len;
    }
    if (at == 0) {
        out[at++] = '/';
    }
    out[at] = '\0';
    return escaped;
}
