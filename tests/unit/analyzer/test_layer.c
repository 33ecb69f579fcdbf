/* What the walk of a layer offers to collectors: content kept, content shown, and what happens when it cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/analyzer/layer.h"
#include "layout_writer.h"

enum { KEPT_MAX = 1000, SEEN_MAX = 500 };

static uint64_t keeps(const struct bw_collect_options *options, const char *path)
{
    (void)options;
    return strncmp(path, "/keep/", 6) == 0 ? KEPT_MAX : strncmp(path, "/heap/", 6) == 0 ? 64 * BW_MIB : 0;
}

static uint64_t inspects(const struct bw_collect_options *options, const char *path, uint64_t size)
{
    (void)options;
    (void)size;
    return strncmp(path, "/see/", 5) == 0 || strncmp(path, "/keep/", 6) == 0 ? SEEN_MAX : 0;
}

static size_t n_seen;

static int inspect(const struct bw_collect_options *options, const char *path, const char *content, size_t len,
                   struct bw_note **notes, struct bw_arena *arena, struct bw_error *err)
{
    (void)options;
    n_seen++;
    if (strstr(path, "fault") != NULL) {
        return bw_error_set(err, BW_ELIMIT, "a pattern takes too long");
    }
    return len > 0 ? bw_note_add(notes, content, len > 4 ? 4 : len, arena, err) : 0;
}

static int inspect_nothing(const struct bw_collect_options *options, const char *path, const char *content, size_t len,
                           struct bw_note **notes, struct bw_arena *arena, struct bw_error *err)
{
    (void)options;
    (void)path;
    (void)content;
    (void)len;
    (void)notes;
    (void)arena;
    (void)err;
    return 0;
}

static const struct bw_collector silent = {
    .name = "silent", .kind = "silent", .inspects = inspects, .inspect = inspect_nothing};
static const struct bw_collector keeper = {
    .name = "keeper", .kind = "keeper", .keeps = keeps, .inspects = inspects, .inspect = inspect};
static const struct bw_collector *const rows[] = {&silent, &keeper, NULL};

static void walk(struct bw_layer *layer, const struct bw_buf *tar, size_t piece, struct bw_layer_bounds *bounds)
{
    struct bw_collect_options options = {.needs = {.file_digests = true}};
    struct bw_error err = {0};
    bw_layer_init(layer);
    n_seen = 0;
    struct bw_layer_walk *at = bw_layer_walk_create(layer, 3, rows, &options, bounds);
    for (size_t done = 0; done < tar->len; done += piece) {
        size_t n = tar->len - done < piece ? tar->len - done : piece;
        assert_int_equal(bw_layer_walk_feed(at, tar->data + done, n, &err), 0);
    }
    assert_int_equal(bw_layer_walk_finish(at, &err), 0);
    uint8_t raw[BW_SHA256_BYTES];
    char hex[65], expected[65];
    bw_layer_walk_digest(at, raw);
    bw_hex_encode(hex, raw, sizeof(raw));
    bw_hash_hex(expected, BW_SHA256, tar->data, tar->len);
    assert_string_equal(hex, expected); /* the diffID, whatever was hashed beside it */
    bw_layer_walk_destroy(at);
}

static void add(struct bw_buf *tar, const char *name, char fill, size_t len)
{
    char *bytes = malloc(len + 1);
    assert_non_null(bytes);
    memset(bytes, fill, len);
    tar_header(tar, name, '0', 0644, len, NULL);
    tar_data(tar, bytes, len);
    free(bytes);
}

static const struct bw_file *find(const struct bw_layer *layer, const char *path)
{
    for (size_t i = 0; i < layer->n_files; i++) {
        if (strcmp(layer->files[i].path, path) == 0) {
            return &layer->files[i];
        }
    }
    fail_msg("%s is missing", path);
    return NULL;
}

static void contents_are_kept_and_shown_in_any_pieces(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 100, 512, 700, 1 << 20};
    BW_BUF_SCOPE tar;
    bw_buf_init(&tar, BW_MIB);
    add(&tar, "keep/small", 'a', 300);
    add(&tar, "keep/middle", 'b', KEPT_MAX);
    add(&tar, "keep/large", 'c', KEPT_MAX + 1);
    add(&tar, "keep/empty", 'd', 0);
    add(&tar, "see/this", 'e', SEEN_MAX);
    add(&tar, "see/toolarge", 'f', SEEN_MAX + 1);
    add(&tar, "see/fault", 'g', 9);
    add(&tar, "other", 'h', 10);
    tar_end(&tar);
    for (size_t i = 0; i < BW_LENGTH(pieces); i++) {
        struct bw_layer layer;
        struct bw_layer_bounds bounds = {0};
        walk(&layer, &tar, pieces[i], &bounds);
        const struct bw_file *file = find(&layer, "/keep/small");
        assert_int_equal(file->content_len, 300);
        assert_int_equal(file->content[299], 'a');
        assert_int_equal(file->content[300], '\0');
        assert_int_equal(file->layer, 3);
        assert_non_null(file->sha256);
        assert_non_null(file->sha1);
        assert_non_null(file->md5);
        assert_non_null(file->notes);
        assert_int_equal(file->notes->collector, 1);
        assert_int_equal(file->notes->len, 4);
        assert_null(file->notes->next);
        file = find(&layer, "/keep/middle");
        assert_int_equal(file->content_len, KEPT_MAX);
        assert_null(file->notes);
        file = find(&layer, "/keep/large");
        assert_null(file->content);
        assert_non_null(file->content_missing);
        assert_non_null(file->sha256);
        file = find(&layer, "/keep/empty");
        assert_non_null(file->content);
        assert_int_equal(file->content_len, 0);
        assert_non_null(find(&layer, "/see/this")->notes);
        assert_null(find(&layer, "/see/this")->content);
        assert_null(find(&layer, "/see/toolarge")->notes);
        assert_null(find(&layer, "/other")->notes);
        assert_int_equal(n_seen, 3);
        assert_int_equal(layer.n_incomplete, 1);
        assert_string_equal(layer.incomplete[0].kind, "keeper");
        assert_non_null(strstr(layer.incomplete[0].reason, "takes too long"));
        assert_int_equal(bounds.kept, 300 + KEPT_MAX);
        assert_int_equal(bounds.entries, 8);
        bw_layer_clear(&layer);
    }
}

static void what_an_image_may_have_kept_is_bounded(void **state)
{
    (void)state;
    BW_BUF_SCOPE tar;
    bw_buf_init(&tar, BW_GIB);
    for (int i = 0; i < 6; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "heap/%d", i);
        add(&tar, name, 'x', 50 * BW_MIB);
    }
    tar_end(&tar);
    struct bw_layer layer;
    struct bw_layer_bounds bounds = {0};
    walk(&layer, &tar, 256 * 1024, &bounds);
    for (size_t i = 0; i < 6; i++) {
        assert_true((layer.files[i].content != NULL) == (i < 5));
        assert_true((layer.files[i].content_missing != NULL) == (i == 5));
        assert_non_null(layer.files[i].sha256);
    }
    bw_layer_clear(&layer);
}

static void entries_of_all_layers_together_are_bounded(void **state)
{
    (void)state;
    struct bw_layer_bounds bounds = {.entries = BW_MAX_ENTRIES - 1};
    struct bw_collect_options options = {.secret_max_bytes = 0};
    struct bw_layer layer;
    struct bw_error err = {0};
    BW_BUF_SCOPE tar;
    bw_buf_init(&tar, BW_MIB);
    tar_header(&tar, "a", '5', 0755, 0, NULL);
    tar_header(&tar, ".wh.b", '0', 0755, 0, NULL);
    bw_layer_init(&layer);
    struct bw_layer_walk *at = bw_layer_walk_create(&layer, 0, rows, &options, &bounds);
    assert_int_equal(bw_layer_walk_feed(at, tar.data, tar.len, &err), -1);
    assert_string_equal(err.detail, "tar_limit");
    bw_layer_walk_destroy(at);
    bw_layer_clear(&layer);
}

static void borrowed_content_makes_files_incomplete(void **state)
{
    (void)state;
    static const char record[] = "49 SCHILY.xattr.trusted.overlay.redirect=/hidden\n";
    struct bw_layer layer;
    struct bw_layer_bounds bounds = {0};
    BW_BUF_SCOPE tar;
    bw_buf_init(&tar, BW_MIB);
    tar_header(&tar, "x", 'x', 0644, sizeof(record) - 1, NULL);
    tar_data(&tar, record, sizeof(record) - 1);
    tar_header(&tar, "d/", '5', 0755, 0, NULL);
    tar_end(&tar);
    walk(&layer, &tar, tar.len, &bounds);
    assert_int_equal(layer.n_incomplete, 1);
    assert_string_equal(layer.incomplete[0].kind, "files");
    bw_layer_clear(&layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_are_kept_and_shown_in_any_pieces),
        cmocka_unit_test(what_an_image_may_have_kept_is_bounded),
        cmocka_unit_test(entries_of_all_layers_together_are_bounded),
        cmocka_unit_test(borrowed_content_makes_files_incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
