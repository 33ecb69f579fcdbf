/* Tar as layers hold it: the state machine over 512-byte blocks. One block is read in tar_header.c, what stands beside
 * it in tar_extended.c. */
#include "image/analyzer/tar.h"

#include "image/analyzer/tar_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum state { HEADER, PAYLOAD, SPARSE_BLOCK, SPARSE_TEXT, DATA, SKIP, END };

/* Holes are spelled out for the digest: up to this size of one file, and this much of one layer. */
static const int64_t max_spelled_out = (int64_t)BW_GIB, max_holes = 4 * (int64_t)BW_GIB;

struct bw_tar {
    const struct bw_tar_sink *sink;
    void *self;
    enum state state;
    char block[BW_TAR_BLOCK];
    size_t have; /* bytes in block */
    bool zero_block, junk_warned, recognised;
    struct bw_tar_header header;
    /* what stands before a header and tells of it */
    struct bw_buf *payload; /* the one being filled */
    struct bw_buf records, name, link, global;
    struct bw_pax pax;
    bool has_pax;
    uint64_t extended_total;
    /* content */
    uint64_t left;    /* bytes of the archive until the entry's content is over */
    uint64_t padding; /* and of its last block after that */
    struct bw_tar_entry entry;
    char path[BW_MAX_PATH_BYTES + 2], target[BW_MAX_PATH_BYTES + 2];
    bool deliver; /* a regular file whose content goes to the sink */
    size_t entries;
    /* sparse files */
    bool sparse;
    struct bw_sparse_map map;
    struct bw_buf text;       /* of a map before the data */
    size_t lines;             /* in text */
    size_t piece;             /* of the map */
    int64_t delivered, holes; /* bytes of the file, holes included; holes of the layer */
    int64_t into_piece;
};

struct bw_tar *bw_tar_create(const struct bw_tar_sink *sink, void *self)
{
    struct bw_tar *tar = calloc(1, sizeof(*tar));
    if (tar == NULL) {
        abort();
    }
    tar->sink = sink;
    tar->self = self;
    struct bw_buf *const payloads[] = {&tar->records, &tar->name, &tar->link, &tar->global, &tar->text};
    for (size_t i = 0; i < BW_LENGTH(payloads); i++) {
        bw_buf_init(payloads[i], BW_MAX_TAR_EXTENDED + BW_TAR_BLOCK);
    }
    bw_pax_reset(&tar->pax);
    return tar;
}

void bw_tar_destroy(struct bw_tar *tar)
{
    if (tar == NULL) {
        return;
    }
    bw_buf_clear(&tar->records);
    bw_buf_clear(&tar->name);
    bw_buf_clear(&tar->link);
    bw_buf_clear(&tar->global);
    bw_buf_clear(&tar->text);
    bw_buf_clear(&tar->pax.list);
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

/* ---- what kind of entry ---- */

/* Types 1 to 6 have no data whatever the size says: container runtimes read them so. */
static bool has_data(char type)
{
    return type < '1' || type > '6';
}

static uint32_t classify(struct bw_tar_entry *entry, char type)
{
    switch (type) {
    case '2':
        entry->type = BW_FILE_SYMLINK;
        return S_IFLNK;
    case '3':
    case '4':
    case '6':
        entry->type = BW_FILE_DEVICE; /* the engine counts fifos as devices */
        return type == '3' ? S_IFCHR : type == '4' ? S_IFBLK : S_IFIFO;
    case '5':
    case 'D':
        entry->type = BW_FILE_DIRECTORY;
        return S_IFDIR;
    default:
        entry->hard_link = type == '1';
        entry->type = BW_FILE_REGULAR;
        return S_IFREG;
    }
}

static bool is_known(struct bw_tar *tar, char type)
{
    if (type != '\0' && strchr("01234567SD", type) != NULL) {
        return true;
    }
    if (type == '\0' || strchr("VMN", type) == NULL) { /* volume labels and parts of volumes say nothing */
        warn(tar, "an entry of unknown type was left out", &type, 1);
    }
    return false;
}

/* ---- names ---- */

static struct bw_str text_up_to_nul(const struct bw_buf *buf)
{
    return (struct bw_str){buf->data, buf->len == 0 ? 0 : strnlen(buf->data, buf->len)};
}

/* GNU's long name wins over PAX, which wins over the header; a sparse file's own name over all. */
static struct bw_str raw_name(const struct bw_tar *tar, enum bw_sparse_kind sparse)
{
    struct bw_str sparse_name = tar->pax.text[BW_PAX_SPARSE_NAME], gnu = text_up_to_nul(&tar->name);
    if (sparse != BW_SPARSE_NONE && sparse_name.len > 0) {
        return sparse_name;
    }
    return gnu.len > 0                          ? gnu
           : tar->pax.text[BW_PAX_PATH].len > 0 ? tar->pax.text[BW_PAX_PATH]
                                                : bw_str_from(tar->header.name);
}

static struct bw_str raw_link(const struct bw_tar *tar)
{
    struct bw_str gnu = text_up_to_nul(&tar->link), pax = tar->pax.text[BW_PAX_LINKPATH];
    return gnu.len > 0 ? gnu : pax.len > 0 ? pax : bw_str_from(tar->header.link);
}

/* Fills entry.path and entry.link. false: the entry cannot exist on a node and is left out. */
static bool name_entry(struct bw_tar *tar, struct bw_str name)
{
    int how = bw_tar_path(tar->path, name.base, name.len);
    if (how < 0) {
        warn(tar, "a name longer than any file system allows was left out", name.base, name.len);
        return false;
    }
    if (how > 0) {
        warn(tar, "tar_path_escape: a name climbs out of the root and was kept inside", name.base, name.len);
    }
    tar->entry.path = tar->path;
    if (tar->header.type == '1' || tar->header.type == '2') {
        struct bw_str link = raw_link(tar);
        if (link.len > BW_MAX_PATH_BYTES) {
            warn(tar, "a link longer than any file system allows was left out", link.base, link.len);
            return false;
        }
        if (link.len > 0) {
            memcpy(tar->target, link.base, link.len);
        }
        tar->target[link.len] = '\0';
        tar->entry.link = tar->target;
    }
    return true;
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
        const struct bw_tar_piece *piece = &tar->map.items[tar->piece];
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
    return 0;
}

static int begin_content(struct bw_tar *tar, struct bw_error *err)
{
    struct bw_tar_entry *entry = &tar->entry;
    if (tar->sparse) {
        int64_t stored = (int64_t)tar->left;
        if (bw_sparse_check(&tar->map, entry->size, stored, err) != 0) {
            return -1;
        }
        entry->no_content = entry->size > max_spelled_out || tar->holes + entry->size - stored > max_holes;
        if (entry->no_content) {
            warn(tar, "a sparse file is too large to be read whole", tar->path, strlen(tar->path));
        } else {
            tar->holes += entry->size - stored;
        }
    }
    if (tar->sink->entry(tar->self, entry, err) != 0) {
        return -1;
    }
    tar->deliver = entry->type == BW_FILE_REGULAR && !entry->hard_link;
    tar->state = DATA;
    return tar->left == 0 ? content_over(tar, err) : 0;
}

/* ---- extended headers ---- */

static uint64_t padding_of(int64_t size)
{
    return (BW_TAR_BLOCK - (uint64_t)size % BW_TAR_BLOCK) % BW_TAR_BLOCK;
}

/* What was said about the next entry is spent. */
static void forget(struct bw_tar *tar)
{
    bw_buf_reset(&tar->name);
    bw_buf_reset(&tar->link);
    if (tar->has_pax) {
        bw_buf_reset(&tar->records);
        bw_pax_reset(&tar->pax);
        tar->has_pax = false;
    }
}

static int payload_over(struct bw_tar *tar, struct bw_error *err)
{
    int status = 0;
    if (tar->payload == &tar->records) {
        tar->has_pax = true;
        status = bw_pax_parse(&tar->pax, tar->records.data, tar->records.len, err);
    } else if (tar->payload == &tar->global) {
        /* Runtimes read it as an entry of its own: it tells nothing of those that follow, and ends what was said
         * before. */
        forget(tar);
        status = bw_pax_parse(&tar->pax, tar->global.data, tar->global.len, err);
        if (status == 0 && (tar->pax.text[BW_PAX_PATH].len > 0 || tar->pax.text[BW_PAX_LINKPATH].len > 0 ||
                            tar->pax.text[BW_PAX_SIZE].len > 0)) {
            tar->sink->warning(tar->self, "a global PAX header with names or sizes counts for nothing");
        }
        bw_pax_reset(&tar->pax);
    }
    tar->state = tar->padding > 0 ? SKIP : HEADER;
    tar->left = tar->padding;
    return status;
}

static int begin_payload(struct bw_tar *tar, struct bw_error *err)
{
    int64_t size = tar->header.size;
    char type = tar->header.type;
    tar->extended_total += (uint64_t)size;
    if ((uint64_t)size > BW_MAX_TAR_EXTENDED || tar->extended_total > BW_MAX_TAR_EXTENDED_LAYER) {
        return bw_error_detail(err, BW_ELIMIT, "tar_limit",
                               "tar: entry %zu: an extended header of %lld bytes (%llu in all)", tar->entries + 1,
                               (long long)size, (unsigned long long)tar->extended_total);
    }
    tar->payload = type == 'x' ? &tar->records : type == 'g' ? &tar->global : type == 'L' ? &tar->name : &tar->link;
    bw_buf_reset(tar->payload);
    tar->left = (uint64_t)size;
    tar->padding = padding_of(size);
    tar->state = PAYLOAD;
    return size == 0 ? payload_over(tar, err) : 0;
}

/* ---- sparse maps ---- */

/* Old GNU: 4 pieces in the header, 21 in each block that follows. */
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

static int begin_gnu_sparse(struct bw_tar *tar, struct bw_error *err)
{
    if (tar->header.format != BW_TAR_GNU || bw_tar_number(&tar->entry.size, tar->block + 483, 12) != 0) {
        return corrupt(tar, err, "a sparse file is not in GNU's format or has no real size");
    }
    if (gnu_pieces(tar, 386, 4, err) != 0) {
        return -1;
    }
    if (tar->block[482] != '\0') {
        tar->state = SPARSE_BLOCK;
        return 0;
    }
    return begin_content(tar, err);
}

static int begin_pax_sparse(struct bw_tar *tar, enum bw_sparse_kind kind, struct bw_error *err)
{
    struct bw_str size = tar->pax.text[BW_PAX_SPARSE_SIZE];
    size = size.len == 0 ? tar->pax.text[BW_PAX_SPARSE_REALSIZE] : size;
    if (tar->entry.type != BW_FILE_REGULAR || tar->entry.hard_link) {
        return corrupt(tar, err, "a sparse file is no regular file");
    }
    if (size.len > 0 && bw_tar_decimal(&tar->entry.size, size) != 0) {
        return corrupt(tar, err, "the real size of a sparse file is no number");
    }
    if (kind == BW_SPARSE_IN_DATA) {
        bw_buf_reset(&tar->text);
        tar->lines = 0;
        tar->state = SPARSE_TEXT;
        return 0;
    }
    return bw_sparse_listed(&tar->map, &tar->pax, err) != 0 ? -1 : begin_content(tar, err);
}

static int sparse_block(struct bw_tar *tar, struct bw_error *err)
{
    return gnu_pieces(tar, 0, 21, err) != 0 ? -1 : tar->block[504] != '\0' ? 0 : begin_content(tar, err);
}

/* Text is gathered in blocks until it has the lines that its first one announces. */
static int sparse_text(struct bw_tar *tar, struct bw_error *err)
{
    struct bw_str rest, line;
    int64_t n = 0;
    if (tar->text.len >= BW_MAX_TAR_EXTENDED) {
        return bw_error_detail(err, BW_ELIMIT, "tar_limit", "tar: a sparse map is longer than 1 MiB");
    }
    if (tar->left < BW_TAR_BLOCK) {
        return corrupt(tar, err, "a sparse map is longer than its entry");
    }
    tar->left -= BW_TAR_BLOCK;
    bw_buf_append(&tar->text, tar->block, BW_TAR_BLOCK);
    for (size_t i = 0; i < BW_TAR_BLOCK; i++) {
        tar->lines += tar->block[i] == '\n';
    }
    rest = (struct bw_str){tar->text.data, tar->text.len};
    if (tar->lines == 0) {
        return 0;
    }
    if (!bw_str_next(&line, &rest, '\n') || bw_tar_decimal(&n, line) != 0 || n < 0 || n > BW_MAX_SPARSE) {
        return corrupt(tar, err, "a sparse map does not say how long it is, or is too long");
    }
    if (tar->lines < 1 + 2 * (size_t)n) {
        return 0;
    }
    return bw_sparse_text(&tar->map, (struct bw_str){tar->text.data, tar->text.len}, err) != 0
               ? -1
               : begin_content(tar, err);
}

/* ---- headers ---- */

/* A number of the header, or what PAX says instead. */
static int override(struct bw_tar *tar, int64_t *number, enum bw_pax_key key, struct bw_error *err)
{
    struct bw_str text = tar->pax.text[key];
    return text.len > 0 && bw_tar_decimal(number, text) != 0 ? corrupt(tar, err, "a PAX record holds no number") : 0;
}

/* Owners as chown() takes them: 32 bits, all ones for "leave it", which leaves it to root. */
static int64_t owner(int64_t id)
{
    return (uint32_t)id == UINT32_MAX ? 0 : (uint32_t)id;
}

static int begin_entry(struct bw_tar *tar, struct bw_error *err)
{
    struct bw_tar_header *header = &tar->header;
    struct bw_tar_entry *entry = &tar->entry;
    if (override(tar, &header->size, BW_PAX_SIZE, err) != 0 || override(tar, &header->uid, BW_PAX_UID, err) != 0 ||
        override(tar, &header->gid, BW_PAX_GID, err) != 0) {
        return -1;
    }
    enum bw_sparse_kind sparse = header->type == 'S' ? BW_SPARSE_NONE : bw_pax_sparse(&tar->pax);
    struct bw_str plain = raw_name(tar, BW_SPARSE_NONE), name = raw_name(tar, sparse);
    if (header->type == '\0') { /* before POSIX a slash at the end made a directory */
        header->type = plain.len > 0 && plain.base[plain.len - 1] == '/' ? '5' : '0';
    }
    int64_t size = has_data(header->type) ? header->size : 0;
    if (size < 0) {
        return corrupt(tar, err, "the size is negative");
    }
    if (++tar->entries > BW_MAX_ENTRIES) {
        return bw_error_detail(err, BW_ELIMIT, "tar_limit", "tar: more than %d entries", BW_MAX_ENTRIES);
    }
    tar->left = (uint64_t)size;
    tar->padding = padding_of(size);
    *entry = (struct bw_tar_entry){.capability = tar->pax.capability, .overlay = tar->pax.overlay};
    if (!is_known(tar, header->type) || !name_entry(tar, name)) {
        tar->left += tar->padding;
        tar->state = tar->left > 0 ? SKIP : HEADER;
        return 0;
    }
    entry->mode = classify(entry, header->type) | ((uint32_t)header->mode & 07777);
    entry->uid = owner(header->uid);
    entry->gid = owner(header->gid);
    entry->size = entry->type == BW_FILE_SYMLINK   ? (int64_t)strlen(tar->target)
                  : entry->type == BW_FILE_REGULAR ? size
                                                   : 0;
    if (header->type == '3' && header->format != BW_TAR_V7 && header->device_zero) {
        warn(tar, "a device 0/0, which overlayfs takes for a whiteout", tar->path, strlen(tar->path));
    }
    tar->sparse = header->type == 'S' || sparse != BW_SPARSE_NONE;
    tar->piece = tar->map.n = 0;
    tar->delivered = tar->into_piece = 0;
    return header->type == 'S' ? begin_gnu_sparse(tar, err)
           : tar->sparse       ? begin_pax_sparse(tar, sparse, err)
                               : begin_content(tar, err);
}

static int header(struct bw_tar *tar, struct bw_error *err)
{
    static const char nothing[BW_TAR_BLOCK];
    if (memcmp(tar->block, nothing, BW_TAR_BLOCK) == 0) {
        tar->state = tar->zero_block ? END : HEADER;
        tar->zero_block = tar->recognised = true;
        return 0;
    }
    if (tar->zero_block) {
        return corrupt(tar, err, "a single block of zeros stands before it");
    }
    const char *fault = bw_tar_header_parse(&tar->header, tar->block);
    if (fault != NULL) {
        return corrupt(tar, err, fault);
    }
    tar->recognised = true;
    if (tar->header.size < 0 && has_data(tar->header.type)) {
        return corrupt(tar, err, "the size is negative");
    }
    switch (tar->header.type) {
    case 'x':
    case 'g':
    case 'L':
    case 'K':
        return begin_payload(tar, err);
    default:
        break;
    }
    int status = begin_entry(tar, err);
    forget(tar);
    return status;
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
    tar->have = 0;
    return tar->state == HEADER         ? header(tar, err)
           : tar->state == SPARSE_BLOCK ? sparse_block(tar, err)
                                        : sparse_text(tar, err);
}

static int take_content(struct bw_tar *tar, const char **bytes, size_t *len, struct bw_error *err)
{
    size_t n = tar->left > *len ? *len : (size_t)tar->left;
    int status = 0;
    if (tar->state == PAYLOAD) {
        bw_buf_append(tar->payload, *bytes, n);
    } else if (tar->state == DATA && tar->deliver && !tar->entry.no_content) {
        status = tar->sparse ? sparse_data(tar, *bytes, n, err) : tar->sink->data(tar->self, *bytes, n, err);
    }
    *bytes += n;
    *len -= n;
    tar->left -= n;
    if (status != 0 || tar->left > 0) {
        return status;
    }
    if (tar->state == DATA) {
        return content_over(tar, err);
    }
    if (tar->state == PAYLOAD) {
        return payload_over(tar, err);
    }
    tar->state = HEADER;
    return 0;
}

static void take_junk(struct bw_tar *tar, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !tar->junk_warned; i++) {
        if (bytes[i] != '\0') {
            tar->junk_warned = true;
            tar->sink->warning(tar->self, "bytes behind the end of the archive were not read");
        }
    }
}

int bw_tar_feed(struct bw_tar *tar, const char *bytes, size_t len, struct bw_error *err)
{
    int status = 0;
    while (status == 0 && len > 0) {
        switch (tar->state) {
        case HEADER:
        case SPARSE_BLOCK:
        case SPARSE_TEXT:
            status = take_block(tar, &bytes, &len, err);
            break;
        case PAYLOAD:
        case DATA:
        case SKIP:
            status = take_content(tar, &bytes, &len, err);
            break;
        case END: /* runtimes stop here too */
            take_junk(tar, bytes, len);
            return 0;
        }
    }
    return status;
}

/* Two blocks of zeros end an archive; one will do, and none too. */
int bw_tar_finish(struct bw_tar *tar, struct bw_error *err)
{
    if (tar->state == END || (tar->state == HEADER && tar->have == 0)) {
        return 0;
    }
    return corrupt(tar, err, "the archive ends in the middle of it");
}

bool bw_tar_is_recognised(const struct bw_tar *tar)
{
    return tar->recognised;
}
