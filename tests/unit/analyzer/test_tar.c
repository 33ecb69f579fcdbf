/* The tar reader against archives made by hand. What is odd is read as Go's archive/tar reads it, which unpacks images
 * on nodes; each case is fed whole, in blocks and byte by byte, with equal results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/sha256.h"
#include "base/str.h"
#include "image/analyzer/tar.h"
#include "layout_writer.h"

struct seen {
    struct bw_buf text; /* a line per entry: "path type mode uid size link content" */
    size_t warnings;
    struct bw_buf content;
};

static int see_entry(void *self, const struct bw_tar_entry *entry, struct bw_error *err)
{
    struct seen *seen = self;
    (void)err;
    bw_buf_printf(&seen->text, "%s%s %06o %lld %lld%s%s%s", seen->text.len == 0 ? "" : "|", entry->path, entry->mode,
                  (long long)entry->uid, (long long)entry->size, entry->hard_link ? " hard" : "",
                  entry->link == NULL ? "" : "->", entry->link == NULL ? "" : entry->link);
    if (entry->capability) {
        bw_buf_puts(&seen->text, " cap");
    }
    if (entry->overlay) {
        bw_buf_puts(&seen->text, " overlay");
    }
    return 0;
}

static int see_data(void *self, const char *bytes, size_t len, struct bw_error *err)
{
    struct seen *seen = self;
    (void)err;
    bw_buf_append(&seen->content, bytes, len);
    return 0;
}

static int see_end(void *self, struct bw_error *err)
{
    struct seen *seen = self;
    (void)err;
    bw_buf_puts(&seen->text, " [");
    for (size_t i = 0; i < seen->content.len && i < 24; i++) {
        char c = seen->content.data[i];
        bw_buf_append(&seen->text, c == '\0' ? "." : &c, 1);
    }
    bw_buf_puts(&seen->text, "]");
    bw_buf_reset(&seen->content);
    return 0;
}

static void see_warning(void *self, const char *text)
{
    (void)text;
    ((struct seen *)self)->warnings++;
}

static const struct bw_tar_sink sink = {see_entry, see_data, see_end, see_warning};

static int read_in_pieces(struct seen *seen, const char *bytes, size_t len, size_t piece, struct bw_error *err)
{
    struct bw_tar *tar = bw_tar_create(&sink, seen);
    int status = 0;
    for (size_t at = 0; status == 0 && at < len; at += piece) {
        char *copy = malloc(piece); /* so that a sanitizer sees where a piece ends */
        size_t n = len - at < piece ? len - at : piece;
        assert_non_null(copy);
        memcpy(copy, bytes + at, n);
        status = bw_tar_feed(tar, copy, n, err);
        free(copy);
    }
    status = status == 0 ? bw_tar_finish(tar, err) : status;
    bw_tar_destroy(tar);
    return status;
}

/* ---- making archives ---- */

static void sum_up(char *block)
{
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++) {
        sum += (unsigned char)block[i];
    }
    (void)snprintf(block + 148, 8, "%06o", sum);
}

/* Changes the last header. */
static void patch(struct bw_buf *out, size_t back, size_t offset, const void *bytes, size_t len)
{
    char *block = out->data + out->len - back;
    memcpy(block + offset, bytes, len);
    sum_up(block);
}

static void file(struct bw_buf *out, const char *name, const char *content)
{
    tar_header(out, name, '0', 0644, strlen(content), NULL);
    tar_data(out, content, strlen(content));
}

static void payload(struct bw_buf *out, char type, const char *bytes, size_t len)
{
    tar_header(out, "ext", type, 0644, len, NULL);
    tar_data(out, bytes, len);
}

static void pax(struct bw_buf *out, char type, const char *const *records)
{
    struct bw_buf text;
    bw_buf_init(&text, BW_MIB);
    for (; *records != NULL; records++) {
        size_t len = strlen(*records) + 2;
        len += len + 1 < 10 ? 1 : len + 2 < 100 ? 2 : 3;
        bw_buf_printf(&text, "%zu %s\n", len, *records);
    }
    payload(out, type, text.data, text.len);
    bw_buf_clear(&text);
}

#define PAX(...) pax(out, 'x', (const char *const[]){__VA_ARGS__, NULL})

static void plain(struct bw_buf *out)
{
    file(out, "./a/b", "hello");
    tar_header(out, "dir/", '5', 0755, 0, NULL);
    tar_header(out, "s", '2', 0777, 0, "../x");
    tar_header(out, "h", '1', 0644, 5, "a/b"); /* the size of the target, which has no data here */
    tar_header(out, "tty", '3', 0600, 0, NULL);
    tar_header(out, "fifo", '6', 0600, 0, NULL);
}

static void v7(struct bw_buf *out)
{
    static const char none[8];
    tar_header(out, "old/", '\0', 0755, 0, NULL);
    patch(out, 512, 257, none, 8);
    tar_header(out, "new/", '0', 0755, 0, NULL); /* a type was given: a file after all */
    file(out, "x", "1");
    patch(out, 1024, 257, none, 8);
    patch(out, 1024, 345, "nope", 4); /* V7 has no prefix */
}

static void prefixes(struct bw_buf *out)
{
    file(out, "name", "1");
    patch(out, 1024, 345, "some/where", 10);
    file(out, "gnu", "2");
    patch(out, 1024, 257, "ustar  ", 8);
    patch(out, 1024, 345, "00000000001", 12); /* a time */
    file(out, "odd", "3");
    patch(out, 1024, 257, "ustar  ", 8);
    patch(out, 1024, 345, "usr/bin", 7); /* no time: what an old writer of Go did */
    file(out, "star", "4");
    patch(out, 1024, 345, "pre", 3);
    patch(out, 1024, 508, "tar", 4);
}

static void numbers(struct bw_buf *out)
{
    file(out, "wide", "1");
    patch(out, 1024, 108, "\x80\0\0\0\0\0\x01\x02", 8);
    file(out, "blank", "1");
    patch(out, 1024, 100, "\0\0 4755 ", 8);
    file(out, "minus", "1");
    patch(out, 1024, 108, "\xff\xff\xff\xff\xff\xff\xff\xff", 8); /* chown -1 leaves it to root */
    file(out, "empty", "1");
    patch(out, 1024, 108, "\0\0\0\0\0\0\0\0", 8);
    file(out, "over", "1");
    patch(out, 1024, 108, "\x80\0\0\x01\0\0\0\0", 8); /* 2^32 is 0 to chown */
}

static void long_names(struct bw_buf *out)
{
    payload(out, 'L', "gnu/name\0junk", 13);
    payload(out, 'K', "gnu/link", 9);
    tar_header(out, "short", '2', 0777, 0, "shortlink");
    PAX("path=pax/n\xc3\xa4me", "linkpath=pax/link");
    tar_header(out, "short", '2', 0777, 0, "shortlink");
    PAX("path=pax");
    payload(out, 'L', "gnu", 4);
    file(out, "both", "1"); /* GNU wins */
    PAX("path=first");
    PAX("mtime=1.5");
    file(out, "second", "1"); /* the later header replaces the earlier whole */
    PAX("path=gone", "path=");
    file(out, "own", "1");
    payload(out, 'L', "", 0);
    file(out, "still", "1");
}

static void global(struct bw_buf *out)
{
    pax(out, 'g', (const char *const[]){"path=everything", "size=7", NULL});
    file(out, "a", "1");
    PAX("path=lost");
    pax(out, 'g', (const char *const[]){"comment=x", NULL});
    file(out, "b", "2"); /* a global header between ends what was said before */
}

static void overrides(struct bw_buf *out)
{
    PAX("size=3", "uid=70000", "gid=-2", "SCHILY.xattr.security.capability=\x01\x02", "comment=a=b");
    tar_header(out, "x", '0', 04755, 999, NULL);
    tar_data(out, "abc", 3);
    PAX("SCHILY.xattr.trusted.overlay.redirect=/etc");
    tar_header(out, "d/", '5', 0755, 0, NULL);
    PAX("SCHILY.xattr.trusted.overlay.opaque=y");
    tar_header(out, "e/", '5', 0755, 0, NULL);
}

static void odd_types(struct bw_buf *out)
{
    file(out, "a", "1");
    tar_header(out, "?", 'Q', 0644, 22, NULL);
    tar_data(out, "skip me, whatever I am", 22);
    tar_header(out, "volume", 'V', 0644, 0, NULL);
    tar_header(out, "7", '7', 0644, 1, NULL);
    tar_data(out, "7", 1);
}

static void sparse_gnu(struct bw_buf *out)
{
    tar_header(out, "sparse", 'S', 0644, 6, NULL);
    patch(out, 512, 257, "ustar  ", 8);
    patch(out, 512, 345, "\0\0\0\0\0\0\0\0\0\0", 10);
    patch(out, 512, 386,
          "00000000002\0"
          "00000000003\0"
          "00000000010\0"
          "00000000003\0",
          48);
    patch(out, 512, 483, "00000000014", 12);
    tar_data(out, "abcdef", 6);
    file(out, "next", "1");
}

static void sparse_gnu_long(struct bw_buf *out)
{
    char more[512] = "00000000005";
    memcpy(more + 12, "00000000001", 12);
    tar_header(out, "sparse", 'S', 0644, 2, NULL);
    patch(out, 512, 257, "ustar  ", 8);
    patch(out, 512, 386,
          "00000000000\0"
          "00000000001\0",
          24);
    patch(out, 512, 482, "\1", 1);
    patch(out, 512, 483, "00000000007", 12);
    bw_buf_append(out, more, sizeof(more));
    tar_data(out, "ab", 2);
}

static void sparse_pax(struct bw_buf *out)
{
    PAX("GNU.sparse.size=9", "GNU.sparse.numblocks=2", "GNU.sparse.offset=1", "GNU.sparse.numbytes=2",
        "GNU.sparse.offset=5", "GNU.sparse.numbytes=1");
    file(out, "zero", "abc");
    PAX("GNU.sparse.major=0", "GNU.sparse.minor=1", "GNU.sparse.size=4", "GNU.sparse.numblocks=1", "GNU.sparse.map=1,2",
        "GNU.sparse.name=real/name");
    file(out, "one", "ab");
    PAX("GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=6", "GNU.sparse.name=two");
    char block[515] = "1\n3\n2\n";
    memcpy(block + 512, "xy", 2);
    tar_header(out, "GNUSparseFile.0/two", '0', 0644, 514, NULL);
    tar_data(out, block, 514);
    file(out, "next", "1");
}

static void sparse_unknown(struct bw_buf *out)
{
    PAX("GNU.sparse.major=2", "GNU.sparse.minor=0", "GNU.sparse.name=hidden", "GNU.sparse.realsize=1");
    file(out, "shown", "all of it");
    PAX("GNU.sparse.name=hidden");
    file(out, "shown2", "1");
}

static void ends(struct bw_buf *out)
{
    file(out, "a", "1");
    tar_end(out);
    bw_buf_puts(out, "more bytes, which nobody reads");
}

static void names(struct bw_buf *out)
{
    static char part[300], deep[5000];
    memset(part, 'p', sizeof(part) - 1);
    for (size_t i = 0; i + 1 < sizeof(deep); i++) {
        deep[i] = i % 2 ? '/' : 'd';
    }
    file(out, "//a//./b/../c", "1");
    file(out, "../../../x", "1");
    file(out, ".", "1");
    payload(out, 'L', part, sizeof(part) - 1);
    file(out, "long", "left out");
    payload(out, 'L', deep, sizeof(deep) - 1);
    file(out, "deep", "left out");
    file(out, "back\\slash\xff", "1");
}

static const struct good {
    const char *name;
    void (*make)(struct bw_buf *out);
    const char *entries;
    size_t warnings;
} goods[] = {
    {"plain", plain,
     "/a/b 100644 0 5 [hello]|/dir 040755 0 0|/s 120777 0 4->../x|/h 100644 0 0 hard->a/b|/tty 020600 0 0|"
     "/fifo 010600 0 0",
     1 /* a device 0/0 */},
    {"V7", v7, "/old 040755 0 0|/new 100755 0 0 []|/x 100644 0 1 [1]", 0},
    {"prefixes", prefixes,
     "/some/where/name 100644 0 1 [1]|/gnu 100644 0 1 [2]|/usr/bin/odd 100644 0 1 [3]|/pre/star 100644 0 1 [4]", 0},
    {"numbers", numbers,
     "/wide 100644 258 1 [1]|/blank 104755 0 1 [1]|/minus 100644 0 1 [1]|/empty 100644 0 1 [1]|/over 100644 0 1 [1]",
     0},
    {"long names", long_names,
     "/gnu/name 120777 0 8->gnu/link|/pax/n\xc3\xa4me 120777 0 8->pax/link|/gnu 100644 0 1 [1]|/second 100644 0 1 [1]|"
     "/own 100644 0 1 [1]|/still 100644 0 1 [1]",
     0},
    {"global headers", global, "/a 100644 0 1 [1]|/b 100644 0 1 [2]", 1},
    {"overrides", overrides, "/x 104755 70000 3 cap [abc]|/d 040755 0 0 overlay|/e 040755 0 0", 0},
    {"odd types", odd_types, "/a 100644 0 1 [1]|/7 100644 0 1 [7]", 1},
    {"sparse, GNU", sparse_gnu, "/sparse 100644 0 12 [..abc...def.]|/next 100644 0 1 [1]", 0},
    {"sparse, GNU, more blocks", sparse_gnu_long, "/sparse 100644 0 7 [a....b.]", 0},
    {"sparse, PAX", sparse_pax,
     "/zero 100644 0 9 [.ab..c...]|/real/name 100644 0 4 [.ab.]|/two 100644 0 6 [...xy.]|/next 100644 0 1 [1]", 0},
    {"sparse, of no known version", sparse_unknown, "/shown 100644 0 9 [all of it]|/shown2 100644 0 1 [1]", 0},
    {"bytes behind the end", ends, "/a 100644 0 1 [1]", 1},
    {"names", names, "/a/c 100644 0 1 [1]|/x 100644 0 1 [1]|/ 100644 0 1 [1]|/back\\slash\xff 100644 0 1 [1]", 3},
};

static void archives_are_read_alike_in_any_pieces(void **state)
{
    (void)state;
    static const size_t pieces[] = {SIZE_MAX / 2, 512, 100, 1};
    for (size_t i = 0; i < BW_LENGTH(goods); i++) {
        for (size_t k = 0; k < BW_LENGTH(pieces); k++) {
            struct bw_buf tar;
            struct seen seen = {0};
            struct bw_error err = {0};
            bw_buf_init(&tar, BW_MIB);
            bw_buf_init(&seen.text, BW_MIB);
            bw_buf_init(&seen.content, BW_MIB);
            goods[i].make(&tar);
            if (goods[i].make != ends) {
                tar_end(&tar);
            }
            size_t piece = pieces[k] > tar.len ? tar.len : pieces[k];
            int status = read_in_pieces(&seen, tar.data, tar.len, piece, &err);
            if (status != 0 || strcmp(seen.text.data, goods[i].entries) != 0 || seen.warnings != goods[i].warnings) {
                fail_msg("%s, %zu at a time: %s\n is       %s\n expected %s\n warnings %zu, expected %zu",
                         goods[i].name, piece, err.message, seen.text.data, goods[i].entries, seen.warnings,
                         goods[i].warnings);
            }
            bw_buf_clear(&tar);
            bw_buf_clear(&seen.text);
            bw_buf_clear(&seen.content);
        }
    }
}

/* ---- what is refused ---- */

static void cut_content(struct bw_buf *out)
{
    file(out, "a", "content");
    out->len -= 510;
}

static void cut_header(struct bw_buf *out)
{
    file(out, "a", "content");
    out->len = 100;
}

static void cut_padding(struct bw_buf *out)
{
    file(out, "a", "content");
    out->len -= 10;
}

static void one_zero_block(struct bw_buf *out)
{
    static const char zeros[512];
    bw_buf_append(out, zeros, sizeof(zeros));
    file(out, "a", "1");
}

static void bad_sum(struct bw_buf *out)
{
    file(out, "a", "1");
    out->data[0] = 'b';
}

static void bad_size(struct bw_buf *out)
{
    file(out, "a", "1");
    patch(out, 1024, 124, "0000000000z", 11);
}

static void negative_size(struct bw_buf *out)
{
    file(out, "a", "1");
    patch(out, 1024, 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
}

static void huge_size(struct bw_buf *out)
{
    file(out, "a", "1");
    patch(out, 1024, 124, "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12);
}

static void link_with_data(struct bw_buf *out)
{
    tar_header(out, "h", '1', 0644, 7, "a");
    tar_data(out, "content", 7); /* links have none: this is read as a header */
}

static void bad_length(struct bw_buf *out)
{
    payload(out, 'x', "99 path=x\n", 10);
    file(out, "a", "1");
}

static void nul_in_path(struct bw_buf *out)
{
    payload(out, 'x', "12 path=a\0b\n", 12);
    file(out, "a", "1");
}

static void no_key(struct bw_buf *out)
{
    payload(out, 'x', "6 abc\n", 6);
    file(out, "a", "1");
}

static void bad_pax_size(struct bw_buf *out)
{
    PAX("size=1.5");
    file(out, "a", "1");
}

static void negative_pax_size(struct bw_buf *out)
{
    PAX("size=-1");
    file(out, "a", "1");
}

static void large_extension(struct bw_buf *out)
{
    tar_header(out, "x", 'L', 0644, 2 * BW_MIB, NULL);
}

static void sparse_of(struct bw_buf *out, const char *map, const char *blocks, const char *size)
{
    char records[3][64];
    (void)snprintf(records[0], 64, "GNU.sparse.map=%s", map);
    (void)snprintf(records[1], 64, "GNU.sparse.numblocks=%s", blocks);
    (void)snprintf(records[2], 64, "GNU.sparse.size=%s", size);
    PAX(records[0], records[1], records[2]);
    file(out, "s", "abc");
}

static void sparse_descends(struct bw_buf *out)
{
    sparse_of(out, "5,1,1,2", "2", "9");
}

static void sparse_overlaps(struct bw_buf *out)
{
    sparse_of(out, "1,2,2,1", "2", "9");
}

static void sparse_leaves(struct bw_buf *out)
{
    sparse_of(out, "1,3", "1", "3");
}

static void sparse_misses(struct bw_buf *out)
{
    sparse_of(out, "1,2", "1", "9");
}

static void sparse_odd(struct bw_buf *out)
{
    sparse_of(out, "1,2,3", "1", "9");
}

static void sparse_count(struct bw_buf *out)
{
    sparse_of(out, "1,3", "2", "9");
}

static void sparse_negative(struct bw_buf *out)
{
    sparse_of(out, "-1,3", "1", "9");
}

static void sparse_ustar(struct bw_buf *out)
{
    tar_header(out, "s", 'S', 0644, 0, NULL);
}

static void sparse_link(struct bw_buf *out)
{
    PAX("GNU.sparse.map=0,0", "GNU.sparse.numblocks=1");
    tar_header(out, "s", '2', 0644, 0, "x");
}

static void sparse_endless_text(struct bw_buf *out)
{
    static const char digits[512] = {0};
    PAX("GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=6");
    tar_header(out, "s", '0', 0644, 3 * BW_MIB, NULL);
    for (size_t i = 0; i < 3 * BW_MIB / 512; i++) {
        bw_buf_append(out, digits, sizeof(digits));
    }
}

static const struct bad {
    const char *name;
    void (*make)(struct bw_buf *out);
    const char *detail;
} bads[] = {
    {"cut in content", cut_content, "tar_corrupt"},
    {"cut in a header", cut_header, "tar_corrupt"},
    {"cut in padding", cut_padding, "tar_corrupt"},
    {"a header after one block of zeros", one_zero_block, "tar_corrupt"},
    {"a wrong checksum", bad_sum, "tar_corrupt"},
    {"a size that is no number", bad_size, "tar_corrupt"},
    {"a negative size", negative_size, "tar_corrupt"},
    {"a size beyond 2^63", huge_size, "tar_corrupt"},
    {"a link with data", link_with_data, "tar_corrupt"},
    {"a record longer than its header", bad_length, "tar_corrupt"},
    {"a NUL in a name", nul_in_path, "tar_corrupt"},
    {"a record without '='", no_key, "tar_corrupt"},
    {"a PAX size with a fraction", bad_pax_size, "tar_corrupt"},
    {"a negative PAX size", negative_pax_size, "tar_corrupt"},
    {"an extension of 2 MiB", large_extension, "tar_limit"},
    {"a sparse map that descends", sparse_descends, "tar_corrupt"},
    {"a sparse map that overlaps", sparse_overlaps, "tar_corrupt"},
    {"a sparse map that leaves its file", sparse_leaves, "tar_corrupt"},
    {"a sparse map with fewer bytes than stored", sparse_misses, "tar_corrupt"},
    {"a sparse map with an odd number of values", sparse_odd, "tar_corrupt"},
    {"a sparse map shorter than it says", sparse_count, "tar_corrupt"},
    {"a sparse map before the start", sparse_negative, "tar_corrupt"},
    {"a sparse file in ustar", sparse_ustar, "tar_corrupt"},
    {"a sparse link", sparse_link, "tar_corrupt"},
    {"a sparse map without end", sparse_endless_text, "tar_limit"},
};

static void what_runtimes_refuse_is_refused(void **state)
{
    (void)state;
    static const size_t pieces[] = {SIZE_MAX / 2, 100};
    for (size_t i = 0; i < BW_LENGTH(bads); i++) {
        for (size_t k = 0; k < BW_LENGTH(pieces); k++) {
            struct bw_buf tar;
            struct seen seen = {0};
            struct bw_error err = {0};
            bw_buf_init(&tar, 8 * BW_MIB);
            bw_buf_init(&seen.text, BW_MIB);
            bw_buf_init(&seen.content, 8 * BW_MIB);
            bads[i].make(&tar);
            if (strncmp(bads[i].name, "cut", 3) != 0) {
                tar_end(&tar);
            }
            size_t piece = pieces[k] > tar.len ? tar.len : pieces[k];
            int status = read_in_pieces(&seen, tar.data, tar.len, piece, &err);
            if (status == 0 || strcmp(err.detail, bads[i].detail) != 0) {
                fail_msg("%s: status %d, %s: %s", bads[i].name, status, err.detail, err.message);
            }
            bw_buf_clear(&tar);
            bw_buf_clear(&seen.text);
            bw_buf_clear(&seen.content);
        }
    }
}

static int count_entry(void *self, const struct bw_tar_entry *entry, struct bw_error *err)
{
    (void)entry;
    (void)err;
    ++*(size_t *)self;
    return 0;
}

static void entries_without_end_are_a_limit(void **state)
{
    (void)state;
    static const struct bw_tar_sink counting = {count_entry, see_data, see_end, see_warning};
    size_t n = 0;
    struct bw_error err = {0};
    struct bw_buf one;
    bw_buf_init(&one, 4096);
    tar_header(&one, "a", '5', 0755, 0, NULL);
    struct bw_tar *tar = bw_tar_create(&counting, &n);
    int status = 0;
    for (size_t i = 0; status == 0 && i < 2 * BW_MAX_ENTRIES; i++) {
        status = bw_tar_feed(tar, one.data, one.len, &err);
    }
    assert_int_equal(status, -1);
    assert_string_equal(err.detail, "tar_limit");
    assert_int_equal(n, BW_MAX_ENTRIES);
    bw_tar_destroy(tar);
    bw_buf_clear(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archives_are_read_alike_in_any_pieces),
        cmocka_unit_test(what_runtimes_refuse_is_refused),
        cmocka_unit_test(entries_without_end_are_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
