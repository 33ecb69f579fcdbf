/* One header block of a tar: its format, its numbers, its names. Lenient and strict where Go's archive/tar is
 * (tar_internal.h). */
#include "image/analyzer/tar_internal.h"

#include <string.h>

/* Field offsets and lengths of POSIX.1-1988 ustar, of star and of GNU tar. */
enum {
    NAME = 0,
    MODE = 100,
    UID = 108,
    GID = 116,
    SIZE = 124,
    CHECKSUM = 148,
    TYPE = 156,
    LINK = 157,
    MAGIC = 257,
    VERSION = 263,
    MAJOR = 329,
    MINOR = 337,
    PREFIX = 345,
    GNU_ATIME = 345,
    GNU_CTIME = 357,
    STAR_TRAILER = 508,
};

static int binary_number(int64_t *out, const unsigned char *bytes, size_t len)
{
    unsigned char invert = bytes[0] & 0x40 ? 0xff : 0;
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)(bytes[i] ^ invert);
        if (i == 0) {
            c &= 0x7f;
        }
        if (value >> 56 != 0) {
            return -1;
        }
        value = value << 8 | c;
    }
    if (value > INT64_MAX) {
        return -1;
    }
    *out = invert ? -(int64_t)value - 1 : (int64_t)value;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\0';
}

int bw_tar_number(int64_t *out, const char *field, size_t len)
{
    if (len > 0 && field[0] & 0x80) {
        return binary_number(out, (const unsigned char *)field, len);
    }
    while (len > 0 && is_blank(field[0])) {
        field++;
        len--;
    }
    while (len > 0 && is_blank(field[len - 1])) {
        len--;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < len && field[i] != '\0'; i++) {
        if (field[i] < '0' || field[i] > '7' || value > (uint64_t)INT64_MAX >> 3) {
            return -1;
        }
        value = value << 3 | (uint64_t)(field[i] - '0');
    }
    *out = (int64_t)value;
    return 0;
}

int bw_tar_decimal(int64_t *out, struct bw_str text)
{
    bool minus = text.len > 0 && text.base[0] == '-';
    uint64_t value = 0;
    if (minus) {
        text.base++;
        text.len--;
    }
    if (bw_str_uint(&value, text, 10, INT64_MAX) != 0) {
        return -1;
    }
    *out = minus ? -(int64_t)value : (int64_t)value;
    return 0;
}

static bool checksum_holds(const char *block)
{
    int64_t stated = 0, unsigned_sum = 0, signed_sum = 0;
    if (block[CHECKSUM] & 0x80 || bw_tar_number(&stated, block + CHECKSUM, 8) != 0) {
        return false;
    }
    for (size_t i = 0; i < BW_TAR_BLOCK; i++) {
        char c = i >= CHECKSUM && i < CHECKSUM + 8 ? ' ' : block[i];
        unsigned_sum += (unsigned char)c;
        signed_sum += (signed char)c;
    }
    return stated == unsigned_sum || stated == signed_sum;
}

static enum bw_tar_format format_of(const char *block)
{
    if (memcmp(block + MAGIC, "ustar\0", 6) == 0) {
        return memcmp(block + STAR_TRAILER, "tar\0", 4) == 0 ? BW_TAR_STAR : BW_TAR_USTAR;
    }
    bool gnu = memcmp(block + MAGIC, "ustar ", 6) == 0 && memcmp(block + VERSION, " \0", 2) == 0;
    return gnu ? BW_TAR_GNU : BW_TAR_V7;
}

/* GNU tar has no prefix, but times in its place; old writers of Go put a prefix there all the same, and its reader
 * takes it for one when it cannot be times. */
static size_t gnu_prefix(const char *block)
{
    int64_t ignored = 0;
    bool times = (block[GNU_ATIME] == '\0' || bw_tar_number(&ignored, block + GNU_ATIME, 12) == 0) &&
                 (block[GNU_CTIME] == '\0' || bw_tar_number(&ignored, block + GNU_CTIME, 12) == 0);
    size_t len = times ? 0 : strnlen(block + PREFIX, 155);
    for (size_t i = 0; i < len; i++) {
        if (block[PREFIX + i] & 0x80) {
            return 0;
        }
    }
    return len;
}

static void read_name(struct bw_tar_header *out, const char *block)
{
    size_t n = strnlen(block + NAME, 100), prefix = 0, at = 0;
    switch (out->format) {
    case BW_TAR_USTAR:
        prefix = strnlen(block + PREFIX, 155);
        break;
    case BW_TAR_STAR:
        prefix = strnlen(block + PREFIX, 131);
        break;
    case BW_TAR_GNU:
        prefix = gnu_prefix(block);
        break;
    case BW_TAR_V7:
        break;
    }
    if (prefix > 0) {
        memcpy(out->name, block + PREFIX, prefix);
        out->name[prefix] = '/';
        at = prefix + 1;
    }
    memcpy(out->name + at, block + NAME, n);
    out->name[at + n] = '\0';
}

const char *bw_tar_header_parse(struct bw_tar_header *out, const char *block)
{
    int64_t major = 0, minor = 0;
    if (!checksum_holds(block)) {
        return "the header's checksum is wrong";
    }
    out->format = format_of(block);
    out->type = block[TYPE];
    if (bw_tar_number(&out->mode, block + MODE, 8) != 0 || bw_tar_number(&out->uid, block + UID, 8) != 0 ||
        bw_tar_number(&out->gid, block + GID, 8) != 0) {
        return "mode, uid or gid is no number";
    }
    if (bw_tar_number(&out->size, block + SIZE, 12) != 0) {
        return "the size is no number";
    }
    if (out->format != BW_TAR_V7 &&
        (bw_tar_number(&major, block + MAJOR, 8) != 0 || bw_tar_number(&minor, block + MINOR, 8) != 0)) {
        return "a device is no number";
    }
    out->device_zero = major == 0 && minor == 0;
    size_t link = strnlen(block + LINK, 100);
    memcpy(out->link, block + LINK, link);
    out->link[link] = '\0';
    read_name(out, block);
    return NULL;
}
