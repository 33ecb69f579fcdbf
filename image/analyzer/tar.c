/* Tar as layers hold it: the state machine over 512-byte blocks. Extensions are read in tar_extended.c. */
#include "image/analyzer/tar.h"

#include "base/str.h"
#include "image/analyzer/tar_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_SPELLED_OUT = 1 << 30 }; /* a sparse file up to this size is hashed with its holes */

enum state { HEADER, PAYLOAD, SPARSE_BLOCK, SPARSE_TEXT, DATA, SKIP, END };

struct bw_tar {
    const struct bw_tar_sink *sink;
    void *self;
    enum state state;
    char block[BW_TAR_BLOCK];
    size_t have; /* bytes in block, or of the payload */
    char type;   /* of the header being served */
    /* extended payload: PAX, long name, long link */
    char *payload;
    size_t payload_size;
    uint64_t extended_total;
    struct bw_tar_override local, global;
    /* content */
    uint64_t left;    /* bytes of the archive until the entry's content is over */
    uint64_t padding; /* and of its last block after that */
    struct bw_tar_entry entry;
    char path[BW_MAX_PATH_BYTES + 2], link[BW_MAX_PATH_BYTES + 2];
    bool deliver; /* a regular file whose content goes to the sink */
    struct bw_sparse_map map;
    bool sparse;
    size_t piece;      /* of the map */
    int64_t delivered; /* bytes of the file, holes included */
    int64_t into_piece;
    size_t entries;
    bool zero_block, junk_warned;
};

struct bw_tar *bw_tar_create(const struct bw_tar_sink *sink, void *self)
{
    struct bw_tar *tar = calloc(1, sizeof(*tar));
    if (tar == NULL) {
        abort();
    }
    tar->sink = sink;
    tar->self = self;
    return tar;
}

void bw_tar_destroy(struct bw_tar *tar)
{
    if (tar == NULL) {
        return;
    }
    bw_tar_override_clear(&tar->local);
    bw_tar_override_clear(&tar->global);
    free(tar->payload);
    free(tar->map.items);
    free(tar);
}

static int corrupt(struct bw_tar *tar, struct bw_error *err, const char *what)
{
    return bw_error_detail(err, BW_EINPUT, "tar_corrupt", "tar: entry %zu: %s", tar->entries + 1, what);
}

static void warn(struct bw_tar *tar, const char *what, const char *name, size_t len)
{
    char text[400];
    (void)snprintf(text, sizeof(text), "%s: %.*s", what, (int)(len > 200 ? 200 : len), name);
    bw_text_clean(text, false);
    tar->sink->warning(tar->self, text);
}

static int check_sum(struct bw_tar *tar, struct bw_error *err)
{
    int64_t stated = 0, unsigned_sum = 0, signed_sum = 0;
    if (bw_tar_number(&stated, tar->block + 148, 8) != 0) {
        return corrupt(tar, err, "the header has no checksum");
    }
    for (size_t i = 0; i < BW_TAR_BLOCK; i++) {
        char c = i >= 148 && i < 156 ? ' ' : tar->block[i];
        unsigned_sum += (unsigned char)c;
        signed_sum += (signed char)c;
    }
    if (stated != unsigned_sum && stated != signed_sum) {
        return corrupt(tar, err, "the header's checksum is wrong");
    }
    return 0;
}

/* ---- what kind of entry ---- */

static bool is_extended(char type)
{
    return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

/* Types 1 to 6 have no data whatever the size says: container runtimes read them so. */
static bool has_data(char type)
{
    return type < '1' || type > '6';
}

static void classify(struct bw_tar_entry *entry, char type, bool slash)
{
    switch (type) {
    case '1':
        entry->hard_link = true;
        entry->type = BW_FILE_REGULAR;
        break;
    case '2':
        entry->type = BW_FILE_SYMLINK;
        break;
    case '3':
    case '4':
    case '6':
        entry->type = BW_FILE_DEVICE; /* the engine counts fifos as devices */
        break;
    case '5':
    case 'D':
        entry->type = BW_FILE_DIRECTORY;
        break;
    default:
        entry->type = slash && type != '7' && type != 'S' ? BW_FILE_DIRECTORY : BW_FILE_REGULAR;
        break;
    }
}

static uint32_t type_bits(const struct bw_tar_entry *entry, char type)
{
    switch (entry->type) {
    case BW_FILE_DIRECTORY:
        return S_IFDIR;
    case BW_FILE_SYMLINK:
        return S_IFLNK;
    case BW_FILE_DEVICE:
        return type == '3' ? S_IFCHR : type == '4' ? S_IFBLK : S_IFIFO;
    default:
        return S_IFREG;
    }
}

/* ---- names ---- */

static size_t field(const char *bytes, size_t size)
{
    return strnlen(bytes, size);
}

/* The name as the archive has it, in buffer or in an override. */
static const char *raw_name(struct bw_tar *tar, char *buffer, size_t *len)
{
    const struct bw_tar_override *local = &tar->local, *global = &tar->global;
    if (local->sparse_name != NULL) {
        *len = strlen(local->sparse_name);
        return local->sparse_name;
    }
    if (local->path != NULL || global->path != NULL) {
        const char *path = local->path != NULL ? local->path : global->path;
        *len = strlen(path);
        return path;
    }
    size_t n = field(tar->block, 100), prefix = 0;
    if (memcmp(tar->block + 257, "ustar\0", 6) == 0) {
        prefix = field(tar->block + 345, 155);
    }
    if (prefix > 0) {
        memcpy(buffer, tar->block + 345, prefix);
        buffer[prefix++] = '/';
    }
    memcpy(buffer + prefix, tar->block, n);
    *len = prefix + n;
    return buffer;
}

static const char *raw_link(struct bw_tar *tar, size_t *len)
{
    if (tar->local.link != NULL || tar->global.link != NULL) {
        const char *link = tar->local.link != NULL ? tar->local.link : tar->global.link;
        *len = strlen(link);
        return link;
    }
    *len = field(tar->block + 157, 100);
    return tar->block + 157;
}

/* Fills entry.path and entry.link. 1: the entry cannot exist on a node and is skipped. */
static int name_entry(struct bw_tar *tar, bool *slash)
{
    char buffer[300];
    size_t len = 0;
    const char *name = raw_name(tar, buffer, &len);
    int how = bw_tar_path(tar->path, name, len);
    *slash = len > 0 && name[len - 1] == '/';
    if (how < 0) {
        warn(tar, "a name longer than any file system allows was left out", name, len);
        return 1;
    }
    if (how > 0) {
        warn(tar, "tar_path_escape: a name climbs out of the root and was kept inside", name, len);
    }
    tar->entry.path = tar->path;
    if (tar->type == '1' || tar->type == '2') {
        const char *link = raw_link(tar, &len);
        if (tar->type == '2') {
            if (len > BW_MAX_PATH_BYTES) {
                warn(tar, "a link longer than any file system allows was left out", link, len);
                return 1;
            }
            memcpy(tar->link, link, len);
            tar->link[len] = '\0';
        } else if (bw_tar_path(tar->link, link, len) < 0) {
            warn(tar, "a link longer than any file system allows was left out", link, len);
            return 1;
        }
        tar->entry.link = tar->link;
    }
    return 0;
}

/* ---- content ---- */

static int zeros(struct bw_tar *tar, int64_t until, struct bw_error *err)
{
    static const char nothing[4096];
    while (tar->delivered < until) {
        int64_t n = until - tar->delivered;
        n = n > (int64_t)sizeof(nothing) ? (int64_t)sizeof(nothing) : n;
        if (tar->sink->data(tar->self, nothing, (size_t)n, err) != 0) {
            return -1;
        }
        tar->delivered += n;
    }
    return 0;
}

static int sparse_data(struct bw_tar *tar, const char *bytes, size_t len, struct bw_error *err)
{
    while (len > 0 && tar->piece < tar->map.n) {
        const struct bw_tar_hole *piece = &tar->map.items[tar->piece];
        if (tar->into_piece == piece->len) {
            tar->piece++;
            tar->into_piece = 0;
            continue;
        }
        if (zeros(tar, piece->offset + tar->into_piece, err) != 0) {
            return -1;
        }
        int64_t n = piece->len - tar->into_piece;
        n = n > (int64_t)len ? (int64_t)len : n;
        if (tar->sink->data(tar->self, bytes, (size_t)n, err) != 0) {
            return -1;
        }
        tar->into_piece += n;
        tar->delivered += n;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int content_over(struct bw_tar *tar, struct bw_error *err)
{
    if (tar->deliver) {
        if (tar->sparse && !tar->entry.no_content && zeros(tar, tar->entry.size, err) != 0) {
            return -1;
        }
        if (tar->sink->end(tar->self, err) != 0) {
            return -1;
        }
    }
    tar->deliver = false;
    tar->state = tar->padding > 0 ? SKIP : HEADER;
    tar->left = tar->padding;
    tar->padding = 0;
    return 0;
}

static int begin_content(struct bw_tar *tar, struct bw_error *err)
{
    struct bw_tar_entry *entry = &tar->entry;
    if (tar->sparse) {
        if (bw_sparse_check(&tar->map, entry->size, (int64_t)tar->left, err) != 0) {
            return -1;
        }
        entry->no_content = entry->size > MAX_SPELLED_OUT;
        if (entry->no_content) {
            warn(tar, "a sparse file is too large to be read whole", tar->path, strlen(tar->path));
        }
    }
    if (tar->sink->entry(tar->self, entry, err) != 0) {
        return -1;
    }
    tar->deliver = entry->type == BW_FILE_REGULAR && !entry->hard_link;
    tar->state = DATA;
    return tar->left == 0 ? content_over(tar, err) : 0;
}

/* ---- headers ---- */

static int begin_payload(struct bw_tar *tar, int64_t size, struct bw_error *err)
{
    tar->extended_total += (uint64_t)size;
    if ((uint64_t)size > BW_MAX_TAR_EXTENDED || tar->extended_total > BW_MAX_TAR_EXTENDED_LAYER) {
        return bw_error_detail(err, BW_ELIMIT, "tar_limit",
                               "tar: entry %zu: an extended header of %lld bytes (%llu in all)", tar->entries + 1,
                               (long long)size, (unsigned long long)tar->extended_total);
    }
    if (size == 0) {
        return 0;
    }
    free(tar->payload);
    tar->payload = malloc((size_t)size + 1);
    if (tar->payload == NULL) {
        abort();
    }
    tar->payload_size = (size_t)size;
    tar->have = 0;
    tar->padding = (BW_TAR_BLOCK - (uint64_t)size % BW_TAR_BLOCK) % BW_TAR_BLOCK;
    tar->state = PAYLOAD;
    return 0;
}

static int payload_over(struct bw_tar *tar, struct bw_error *err)
{
    size_t len = tar->payload_size;
    int status = 0;
    tar->payload[len] = '\0';
    if (tar->type == 'x') {
        tar->map.n = 0;
        status = bw_tar_pax(&tar->local, &tar->map, tar->payload, len, err);
    } else if (tar->type == 'g') {
        struct bw_sparse_map none = {0};
        status = bw_tar_pax(&tar->global, &none, tar->payload, len, err);
        free(none.items);
    } else {
        char **which = tar->type == 'L' ? &tar->local.path : &tar->local.link;
        if (*which == NULL) { /* PAX wins over GNU */
            *which = strndup(tar->payload, len);
        }
    }
    free(tar->payload);
    tar->payload = NULL;
    tar->state = tar->padding > 0 ? SKIP : HEADER;
    tar->left = tar->padding;
    tar->padding = 0;
    tar->have = 0;
    return status;
}

/* Old GNU sparse: 4 pieces in the header, 21 in each block that follows. */
static int gnu_pieces(struct bw_tar *tar, size_t from, size_t n, struct bw_error *err)
{
    for (size_t i = 0; i < n; i++) {
        int64_t offset = 0, len = 0;
        const char *at = tar->block + from + i * 24;
        if (at[0] == '\0') {
            break;
        }
        if (bw_tar_number(&offset, at, 12) != 0 || bw_tar_number(&len, at + 12, 12) != 0) {
            return corrupt(tar, err, "a sparse map holds a number that is none");
        }
        if (bw_sparse_add(&tar->map, offset, len, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int begin_sparse(struct bw_tar *tar, struct bw_error *err)
{
    tar->sparse = true;
    if (tar->type == 'S') {
        tar->map.n = 0;
        if (bw_tar_number(&tar->entry.size, tar->block + 483, 12) != 0) {
            return corrupt(tar, err, "a sparse file has no real size");
        }
        if (gnu_pieces(tar, 386, 4, err) != 0) {
            return -1;
        }
        if (tar->block[482] != '\0') {
            tar->state = SPARSE_BLOCK;
            return 0;
        }
    } else {
        if (tar->local.has_real_size) {
            tar->entry.size = tar->local.real_size;
        }
        if (tar->local.sparse_1_0) {
            tar->map.n = 0;
            tar->state = SPARSE_TEXT;
            return 0;
        }
    }
    return begin_content(tar, err);
}

static int64_t header_size(const struct bw_tar *tar, int64_t stated)
{
    return tar->local.has_size ? tar->local.size : tar->global.has_size ? tar->global.size : stated;
}

static int begin_entry(struct bw_tar *tar, int64_t stated, struct bw_error *err)
{
    int64_t mode = 0, size = has_data(tar->type) ? header_size(tar, stated) : 0;
    bool slash = false;
    tar->entry = (struct bw_tar_entry){.capability = tar->local.capability || tar->global.capability};
    tar->left = (uint64_t)size;
    tar->padding = (BW_TAR_BLOCK - (uint64_t)size % BW_TAR_BLOCK) % BW_TAR_BLOCK;
    tar->sparse = false;
    tar->piece = 0;
    tar->delivered = tar->into_piece = 0;
    bool known = strchr("01234567SD", tar->type) != NULL; /* NUL is found as the terminator */
    if (!known && strchr("VMN", tar->type) == NULL) {
        char what[2] = {tar->type, '\0'};
        warn(tar, "an entry of unknown type was left out", what, 1);
    }
    if (++tar->entries > BW_MAX_ENTRIES) {
        return bw_error_detail(err, BW_ELIMIT, "tar_limit", "tar: more than %d entries", BW_MAX_ENTRIES);
    }
    if (!known || name_entry(tar, &slash) != 0) {
        tar->state = SKIP;
        tar->left += tar->padding;
        tar->padding = 0;
        if (tar->left == 0) {
            tar->state = HEADER;
        }
        return 0;
    }
    struct bw_tar_entry *entry = &tar->entry;
    classify(entry, tar->type, slash);
    if (bw_tar_number(&mode, tar->block + 100, 8) != 0) {
        mode = 0;
    }
    if (bw_tar_number(&entry->uid, tar->block + 108, 8) != 0) {
        entry->uid = -1;
    }
    if (bw_tar_number(&entry->gid, tar->block + 116, 8) != 0) {
        entry->gid = -1;
    }
    entry->uid = tar->local.has_uid ? tar->local.uid : tar->global.has_uid ? tar->global.uid : entry->uid;
    entry->gid = tar->local.has_gid ? tar->local.gid : tar->global.has_gid ? tar->global.gid : entry->gid;
    entry->mode = ((uint32_t)mode & 07777) | type_bits(entry, tar->type);
    entry->size = entry->type == BW_FILE_SYMLINK   ? (int64_t)strlen(tar->link)
                  : entry->type == BW_FILE_REGULAR ? size
                                                   : 0;
    if (entry->type == BW_FILE_REGULAR && !entry->hard_link && (tar->type == 'S' || tar->local.sparse)) {
        return begin_sparse(tar, err);
    }
    return begin_content(tar, err);
}

static int header(struct bw_tar *tar, struct bw_error *err)
{
    static const char nothing[BW_TAR_BLOCK];
    int64_t size = 0;
    tar->have = 0;
    if (memcmp(tar->block, nothing, BW_TAR_BLOCK) == 0) {
        if (tar->zero_block) {
            tar->state = END;
        }
        tar->zero_block = true;
        return 0;
    }
    if (tar->zero_block) { /* one block of zeros and then more: runtimes read on */
        tar->zero_block = false;
    }
    if (check_sum(tar, err) != 0) {
        return -1;
    }
    tar->type = tar->block[156];
    if (bw_tar_number(&size, tar->block + 124, 12) != 0) {
        return corrupt(tar, err, "the size is no number, negative or too large");
    }
    if (is_extended(tar->type)) {
        return begin_payload(tar, size, err);
    }
    int status = begin_entry(tar, size, err);
    if (tar->state != SPARSE_BLOCK && tar->state != SPARSE_TEXT) {
        bw_tar_override_clear(&tar->local);
    }
    return status;
}

static int sparse_block(struct bw_tar *tar, struct bw_error *err)
{
    tar->have = 0;
    if (gnu_pieces(tar, 0, 21, err) != 0) {
        return -1;
    }
    if (tar->block[504] != '\0') {
        return 0;
    }
    bw_tar_override_clear(&tar->local);
    return begin_content(tar, err);
}

/* PAX 1.0: the number of pieces, then offset and length of each, a line each, padded to a block. Text is gathered in
 * blocks until the lines are complete. */
static int sparse_text(struct bw_tar *tar, struct bw_error *err)
{
    char *grown = realloc(tar->payload, tar->payload_size + BW_TAR_BLOCK);
    if (grown == NULL) {
        abort();
    }
    memcpy(grown + tar->payload_size, tar->block, BW_TAR_BLOCK);
    tar->payload = grown;
    tar->payload_size += BW_TAR_BLOCK;
    tar->have = 0;
    if (tar->payload_size > BW_MAX_TAR_EXTENDED) {
        return bw_error_detail(err, BW_ELIMIT, "tar_limit", "tar: a sparse map is longer than 1 MiB");
    }
    if (tar->left < BW_TAR_BLOCK) {
        return corrupt(tar, err, "a sparse map is longer than its entry");
    }
    tar->left -= BW_TAR_BLOCK;
    struct bw_str rest = {tar->payload, tar->payload_size}, line = {0};
    uint64_t n = 0, wanted = 0;
    tar->map.n = 0;
    for (int64_t offset = 0; memchr(rest.base, '\n', rest.len) != NULL && bw_str_next(&line, &rest, '\n'); n++) {
        uint64_t number = 0;
        if (bw_str_uint(&number, line, 10, INT64_MAX) != 0 || (n == 0 && number > BW_MAX_SPARSE)) {
            return corrupt(tar, err, "a sparse map holds a number that is none");
        }
        if (n == 0) {
            wanted = 2 * number;
        } else if (n % 2 == 1) {
            offset = (int64_t)number;
        } else if (bw_sparse_add(&tar->map, offset, (int64_t)number, err) != 0) {
            return -1;
        }
        if (n == wanted) {
            free(tar->payload);
            tar->payload = NULL;
            tar->payload_size = 0;
            bw_tar_override_clear(&tar->local);
            return begin_content(tar, err);
        }
        if (rest.base == NULL) {
            break;
        }
    }
    return 0;
}

/* ---- bytes ---- */

static int take_block(struct bw_tar *tar, const char **bytes, size_t *len, struct bw_error *err)
{
    size_t n = BW_TAR_BLOCK - tar->have;
    n = n > *len ? *len : n;
    memcpy(tar->block + tar->have, *bytes, n);
    tar->have += n;
    *bytes += n;
    *len -= n;
    if (tar->have < BW_TAR_BLOCK) {
        return 0;
    }
    return tar->state == HEADER         ? header(tar, err)
           : tar->state == SPARSE_BLOCK ? sparse_block(tar, err)
                                        : sparse_text(tar, err);
}

static int take_payload(struct bw_tar *tar, const char **bytes, size_t *len, struct bw_error *err)
{
    size_t n = tar->payload_size - tar->have;
    n = n > *len ? *len : n;
    memcpy(tar->payload + tar->have, *bytes, n);
    tar->have += n;
    *bytes += n;
    *len -= n;
    return tar->have == tar->payload_size ? payload_over(tar, err) : 0;
}

static int take_content(struct bw_tar *tar, const char **bytes, size_t *len, struct bw_error *err)
{
    size_t n = tar->left > *len ? *len : (size_t)tar->left;
    int status = 0;
    if (tar->state == DATA && tar->deliver && !tar->entry.no_content) {
        status = tar->sparse ? sparse_data(tar, *bytes, n, err) : tar->sink->data(tar->self, *bytes, n, err);
    }
    *bytes += n;
    *len -= n;
    tar->left -= n;
    if (status == 0 && tar->left == 0) {
        if (tar->state == DATA) {
            return content_over(tar, err);
        }
        tar->state = HEADER;
    }
    return status;
}

int bw_tar_feed(struct bw_tar *tar, const char *bytes, size_t len, struct bw_error *err)
{
    while (len > 0) {
        int status = 0;
        switch (tar->state) {
        case HEADER:
        case SPARSE_BLOCK:
        case SPARSE_TEXT:
            status = take_block(tar, &bytes, &len, err);
            break;
        case PAYLOAD:
            status = take_payload(tar, &bytes, &len, err);
            break;
        case DATA:
        case SKIP:
            status = take_content(tar, &bytes, &len, err);
            break;
        case END: /* runtimes stop here too */
            for (size_t i = 0; i < len && !tar->junk_warned; i++) {
                if (bytes[i] != '\0') {
                    tar->junk_warned = true;
                    tar->sink->warning(tar->self, "bytes behind the end of the archive were not read");
                }
            }
            return 0;
        }
        if (status != 0) {
            return -1;
        }
    }
    return 0;
}

int bw_tar_finish(struct bw_tar *tar, struct bw_error *err)
{
    if (tar->state == END || (tar->state == HEADER && tar->have == 0)) {
        return 0;
    }
    return corrupt(tar, err, "the archive ends in the middle of it");
}
