/* The extensions of a tar header: numbers in base 256, PAX records (POSIX.1-2001 "pax"), GNU sparse maps, names. */
#include "base/str.h"
#include "image/analyzer/tar_internal.h"

#include <stdlib.h>
#include <string.h>

void bw_tar_override_clear(struct bw_tar_override *override)
{
    free(override->path);
    free(override->link);
    free(override->sparse_name);
    *override = (struct bw_tar_override){0};
}

/* Octal with leading blanks, ended by NUL or blank; or big-endian binary when the top bit is set. */
int bw_tar_number(int64_t *out, const char *field, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)field;
    uint64_t value = 0;
    size_t i = 0;
    if (bytes[0] & 0x80) {
        if (bytes[0] == 0xff) {
            return -1;
        }
        value = bytes[0] & 0x7f;
        for (i = 1; i < len; i++) {
            if (value > (UINT64_MAX >> 9)) {
                return -1;
            }
            value = value << 8 | bytes[i];
        }
    } else {
        while (i < len && field[i] == ' ') {
            i++;
        }
        for (; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
            if (value > (uint64_t)(INT64_MAX >> 3)) {
                return -1;
            }
            value = value << 3 | (uint64_t)(field[i] - '0');
        }
        if (i < len && field[i] != ' ' && field[i] != '\0') {
            return -1;
        }
    }
    if (value > INT64_MAX) {
        return -1;
    }
    *out = (int64_t)value;
    return 0;
}

static int corrupt(struct bw_error *err, const char *what)
{
    return bw_error_detail(err, BW_EINPUT, "tar_corrupt", "tar: %s", what);
}

static int replace_text(char **out, struct bw_str value, struct bw_error *err)
{
    if (memchr(value.base, '\0', value.len) != NULL) {
        return corrupt(err, "a PAX name holds a NUL");
    }
    free(*out);
    *out = NULL;
    if (value.len > 0) {
        *out = strndup(value.base, value.len);
        if (*out == NULL) {
            abort();
        }
    }
    return 0;
}

static int decimal(int64_t *out, struct bw_str value, struct bw_error *err)
{
    uint64_t number = 0;
    const char *dot = memchr(value.base, '.', value.len); /* times may have fractions; sizes do not */
    if (dot != NULL) {
        value.len = (size_t)(dot - value.base);
    }
    if (bw_str_uint(&number, value, 10, INT64_MAX) != 0) {
        return corrupt(err, "a PAX record holds a number that is none");
    }
    *out = (int64_t)number;
    return 0;
}

/* uid and gid may be negative or odd in the wild: they are remarks, not structure. */
static void lenient(bool *has, int64_t *out, struct bw_str value)
{
    uint64_t number = 0;
    *has = value.len > 0 && bw_str_uint(&number, value, 10, INT64_MAX) == 0;
    *out = (int64_t)number;
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
    map->items[map->n++] = (struct bw_tar_hole){offset, len};
    return 0;
}

int bw_sparse_check(const struct bw_sparse_map *map, int64_t real_size, int64_t stored, struct bw_error *err)
{
    int64_t at = 0, sum = 0;
    for (size_t i = 0; i < map->n; i++) {
        const struct bw_tar_hole *piece = &map->items[i];
        if (piece->offset < at || piece->len < 0 || piece->offset > real_size ||
            piece->len > real_size - piece->offset) {
            return corrupt(err, "a sparse map is not ascending or leaves its file");
        }
        at = piece->offset + piece->len;
        sum += piece->len;
    }
    return sum == stored ? 0 : corrupt(err, "a sparse map does not fit the stored bytes");
}

static int sparse_list(struct bw_sparse_map *map, struct bw_str list, struct bw_error *err)
{
    struct bw_str offset, len;
    map->n = 0;
    while (bw_str_next(&offset, &list, ',')) {
        int64_t o = 0, n = 0;
        if (!bw_str_next(&len, &list, ',') || decimal(&o, offset, err) != 0 || decimal(&n, len, err) != 0) {
            return corrupt(err, "a sparse map has an odd number of values");
        }
        if (bw_sparse_add(map, o, n, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int sparse_record(struct bw_tar_override *override, struct bw_sparse_map *map, struct bw_str key,
                         struct bw_str value, struct bw_error *err)
{
    int64_t number = 0;
    override->sparse = true;
    if (bw_str_is(key, "GNU.sparse.name")) {
        return replace_text(&override->sparse_name, value, err);
    }
    if (bw_str_is(key, "GNU.sparse.map")) {
        return sparse_list(map, value, err);
    }
    if (decimal(&number, value, err) != 0) {
        return -1;
    }
    if (bw_str_is(key, "GNU.sparse.size") || bw_str_is(key, "GNU.sparse.realsize")) {
        override->has_real_size = true;
        override->real_size = number;
    } else if (bw_str_is(key, "GNU.sparse.major")) {
        override->sparse_1_0 = number == 1;
    } else if (bw_str_is(key, "GNU.sparse.offset")) {
        return bw_sparse_add(map, number, -1, err);
    } else if (bw_str_is(key, "GNU.sparse.numbytes")) {
        if (map->n == 0 || map->items[map->n - 1].len != -1) {
            return corrupt(err, "a sparse length has no offset");
        }
        map->items[map->n - 1].len = number;
    }
    return 0;
}

static int record(struct bw_tar_override *override, struct bw_sparse_map *map, struct bw_str key, struct bw_str value,
                  struct bw_error *err)
{
    if (bw_str_is(key, "path")) {
        override->path_len = value.len;
        return replace_text(&override->path, value, err);
    }
    if (bw_str_is(key, "linkpath")) {
        return replace_text(&override->link, value, err);
    }
    if (bw_str_is(key, "size")) {
        override->has_size = value.len > 0;
        return value.len == 0 ? 0 : decimal(&override->size, value, err);
    }
    if (bw_str_is(key, "uid")) {
        lenient(&override->has_uid, &override->uid, value);
    } else if (bw_str_is(key, "gid")) {
        lenient(&override->has_gid, &override->gid, value);
    } else if (bw_str_is(key, "SCHILY.xattr.security.capability")) {
        override->capability = value.len > 0;
    } else if (bw_str_starts_with(key, "GNU.sparse.")) {
        return sparse_record(override, map, key, value, err);
    }
    return 0;
}

/* "<length> <key>=<value>\n", the length counting itself. */
int bw_tar_pax(struct bw_tar_override *override, struct bw_sparse_map *map, const char *text, size_t len,
               struct bw_error *err)
{
    size_t at = 0;
    while (at < len && text[at] != '\0') {
        const char *blank = memchr(text + at, ' ', len - at > 21 ? 21 : len - at);
        uint64_t size = 0;
        if (blank == NULL ||
            bw_str_uint(&size, (struct bw_str){text + at, (size_t)(blank - text) - at}, 10, len - at) != 0 ||
            size <= (size_t)(blank - text) - at + 1 || text[at + size - 1] != '\n') {
            return corrupt(err, "a PAX record has a wrong length");
        }
        struct bw_str body = {blank + 1, (size_t)(text + at + size - 1 - (blank + 1))};
        const char *equals = memchr(body.base, '=', body.len);
        if (equals == NULL) {
            return corrupt(err, "a PAX record has no '='");
        }
        struct bw_str key = {body.base, (size_t)(equals - body.base)};
        struct bw_str value = {equals + 1, body.len - key.len - 1};
        if (record(override, map, key, value, err) != 0) {
            return -1;
        }
        at += (size_t)size;
    }
    return 0;
}

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
