/* An image in a layout folder through the confined child to its report, good ones and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/analyzer/analyzer.h"
#include "layout_writer.h"

#include <sys/wait.h>
#include <zstd.h>

#define EMPTY_DIFF_ID "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "breakwater-test-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[] = "rm", flags[] = "-rf";
    char *argv[] = {command, flags, folder, NULL};
    pid_t pid = fork();
    if (pid == 0) {
        (void)execv("/bin/rm", argv);
        _exit(1);
    }
    return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static struct bw_needs default_needs(void)
{
    struct bw_needs needs = {.secret_patterns = bw_default_secret_patterns,
                             .retrieved_paths = bw_default_retrieved_paths,
                             .n_retrieved_paths = 1};
    while (needs.secret_patterns[needs.n_secret_patterns] != NULL) {
        needs.n_secret_patterns++;
    }
    return needs;
}

static int analyze_image(struct bw_report **out, const struct bw_digest *digest,
                         const struct bw_analyzer_options *options, struct bw_error *err)
{
    struct bw_image_source *source = NULL;
    struct bw_reference reference = {.registry = "localhost", .repository = "test", .tag = "latest"};
    assert_int_equal(bw_layout_open(&source, folder, err), 0);
    int status = bw_analyze(out, source, &reference, digest, options, bw_deadline_in_ms(60000), err);
    bw_image_source_release(source);
    return status;
}

static int analyze(struct bw_report **out, const struct layer_bytes *layers, size_t n, struct bw_error *err)
{
    struct bw_digest digest = write_image(folder, layers, n);
    struct bw_analyzer_options options = {
        .needs = default_needs(), .secret_max_bytes = 10000, .retrieved_max_bytes = 1000 * 1024};
    return analyze_image(out, &digest, &options, err);
}

/* A layer of these files, gzipped, with its true diffID. */
static struct layer_bytes layer_of(struct bw_buf *packed, const struct tar_file *files)
{
    struct bw_buf tar;
    struct layer_bytes layer;
    bw_buf_init(&tar, BW_GIB);
    bw_buf_init(packed, BW_GIB);
    tar_files(&tar, files);
    gzip_into(packed, tar.data, tar.len);
    layer = (struct layer_bytes){.bytes = packed->data, .len = packed->len};
    bw_digest_of(&layer.diff_id, tar.data, tar.len);
    bw_buf_clear(&tar);
    return layer;
}

static void layers_are_squashed_as_a_runtime_would(void **state)
{
    (void)state;
    static const struct tar_file base[] = {
        {"./", '5', NULL, NULL, 0755},
        {"usr/bin/", '5', NULL, NULL, 0755},
        {"bin", '2', NULL, "usr/bin", 0777},
        {"usr/bin/tool", 0, "one", NULL, 04755},
        {"etc/gone", 0, "x", NULL, 0},
        {"etc/kept", 0, "y", NULL, 0},
        {"opt/a", 0, "a", NULL, 0},
        {"opt/b/c", 0, "c", NULL, 0},
        {"etc/passwd", 0, "root:x:0:0:root:/root:/bin/bash\n", NULL, 0},
        {"usr/bin/same", '1', NULL, "usr/bin/tool", 0},
        {NULL, 0, NULL, NULL, 0},
    };
    static const struct tar_file upper[] = {
        {"etc/.wh.gone", 0, "", NULL, 0},
        {"opt/new", 0, "n", NULL, 0},
        {"opt/.wh..wh..opq", 0, "", NULL, 0},
        {"bin/added", 0, "two", NULL, 0},
        {"../../escape", 0, "e", NULL, 0},
        {"srv/.env", 0, "AWS_ACCESS_KEY_ID = AKIAABCDEFGHIJKLMNOP\n", NULL, 0},
        {NULL, 0, NULL, NULL, 0},
    };
    struct bw_buf packed[2];
    const struct layer_bytes layers[] = {layer_of(&packed[0], base), layer_of(&packed[1], upper)};
    struct bw_report *report = NULL;
    struct bw_error err = {0};
    if (analyze(&report, layers, 2, &err) != 0) {
        fail_msg("%s", err.message);
    }
    static const char *const there[] = {"/",        "/etc/kept",     "/etc/passwd", "/usr/bin/tool",
                                        "/opt/new", "/usr/bin/same", "/bin/added",  "/escape",
                                        "/srv/.env"};
    static const char *const absent[] = {"/etc/gone", "/opt/a", "/opt/b/c", "/usr/bin/added", "/etc/.wh.gone"};
    for (size_t i = 0; i < BW_LENGTH(there); i++) {
        if (bw_report_find_file(report, there[i]) == NULL) {
            fail_msg("%s is missing", there[i]);
        }
    }
    for (size_t i = 0; i < BW_LENGTH(absent); i++) {
        if (bw_report_find_file(report, absent[i]) != NULL) {
            fail_msg("%s is there", absent[i]);
        }
    }
    const struct bw_report_file *tool = bw_report_find_file(report, "/usr/bin/tool");
    const struct bw_report_file *same = bw_report_find_file(report, "/usr/bin/same");
    assert_int_equal(tool->mode, 0104755);
    assert_string_equal(tool->sha256, "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
    assert_string_equal(same->sha256, tool->sha256);
    assert_int_equal(same->mode, 0104755);
    assert_int_equal(report->n_secrets, 1);
    assert_string_equal(report->secrets[0].path, "/srv/.env");
    assert_int_equal(report->n_retrieved, 1);
    assert_non_null(strstr(report->dockerfile, "EXPOSE 22"));
    assert_int_equal(report->layer_count, 2);
    bw_report_release(report);
    bw_buf_clear(&packed[0]);
    bw_buf_clear(&packed[1]);
}

struct fault {
    const char *name;
    void (*spoil)(struct bw_buf *tar, struct bw_buf *packed, struct layer_bytes *layer);
    const char *detail;
};

static void wrong_diff_id(struct bw_buf *tar, struct bw_buf *packed, struct layer_bytes *layer)
{
    (void)tar;
    (void)packed;
    bw_digest_of(&layer->diff_id, "other", 5);
}

static void repack(struct bw_buf *tar, struct bw_buf *packed, struct layer_bytes *layer)
{
    bw_buf_reset(packed);
    gzip_into(packed, tar->data, tar->len);
    *layer = (struct layer_bytes){.bytes = packed->data, .len = packed->len};
    bw_digest_of(&layer->diff_id, tar->data, tar->len);
}

static void truncated_gzip(struct bw_buf *tar, struct bw_buf *packed, struct layer_bytes *layer)
{
    (void)tar;
    (void)packed;
    layer->len -= 12;
}

static void truncated_tar(struct bw_buf *tar, struct bw_buf *packed, struct layer_bytes *layer)
{
    tar->len = 700;
    repack(tar, packed, layer);
}

static void no_stream(struct bw_buf *tar, struct bw_buf *packed, struct layer_bytes *layer)
{
    (void)tar;
    bw_buf_reset(packed);
    bw_buf_puts(packed, "this is neither gzip nor tar, and it is longer than a header of 512 bytes. ");
    while (packed->len < 2048) {
        bw_buf_puts(packed, "It goes on and on. ");
    }
    *layer = (struct layer_bytes){.bytes = packed->data, .len = packed->len};
    bw_digest_of(&layer->diff_id, packed->data, packed->len);
}

static void broken_sum(struct bw_buf *tar, struct bw_buf *packed, struct layer_bytes *layer)
{
    tar->data[0] ^= 1;
    repack(tar, packed, layer);
}

static void xz_stream(struct bw_buf *tar, struct bw_buf *packed, struct layer_bytes *layer)
{
    (void)tar;
    memcpy(packed->data,
           "\xfd"
           "7zXZ",
           5);
    layer->bytes = packed->data;
}

static void bomb(struct bw_buf *tar, struct bw_buf *packed, struct layer_bytes *layer)
{
    bw_buf_reset(tar);
    size_t size = 160 * BW_MIB;
    char *zeros = calloc(1, size);
    assert_non_null(zeros);
    tar_header(tar, "zeros", '0', 0644, size, NULL);
    tar_data(tar, zeros, size);
    tar_end(tar);
    free(zeros);
    repack(tar, packed, layer);
}

static void long_extended(struct bw_buf *tar, struct bw_buf *packed, struct layer_bytes *layer)
{
    bw_buf_reset(tar);
    tar_header(tar, "x", 'x', 0644, 2 * BW_MIB, NULL);
    tar_end(tar);
    repack(tar, packed, layer);
}

static const struct fault faults[] = {
    {"a diffID that is not the content's", wrong_diff_id, "diff_id_mismatch"},
    {"a gzip stream cut short", truncated_gzip, "layer_corrupt"},
    {"a tar cut short", truncated_tar, "tar_corrupt"},
    {"bytes that are no layer", no_stream, "layer_format"},
    {"a header with a wrong checksum", broken_sum, "tar_corrupt"},
    {"xz", xz_stream, "layer_unsupported"},
    {"a gzip bomb", bomb, "decompression_bomb"},
    {"an extended header of 2 MiB", long_extended, "tar_limit"},
};

static void hostile_layers_are_named_failures(void **state)
{
    (void)state;
    static const struct tar_file files[] = {
        {"etc/a", 0, "content that is long enough to be cut somewhere in the middle", NULL, 0},
        {"etc/b", 0, "b", NULL, 0},
        {NULL, 0, NULL, NULL, 0},
    };
    for (size_t i = 0; i < BW_LENGTH(faults); i++) {
        struct bw_buf tar, packed;
        struct layer_bytes layer = {0};
        struct bw_report *report = NULL;
        struct bw_error err = {0};
        bw_buf_init(&tar, BW_GIB);
        bw_buf_init(&packed, BW_GIB);
        tar_files(&tar, files);
        repack(&tar, &packed, &layer);
        faults[i].spoil(&tar, &packed, &layer);
        int status = analyze(&report, &layer, 1, &err);
        print_message("%s: %s\n", faults[i].name, err.message);
        if (status == 0 || strcmp(err.detail, faults[i].detail) != 0) {
            fail_msg("%s: status %d, detail \"%s\", expected \"%s\"", faults[i].name, status, err.detail,
                     faults[i].detail);
        }
        assert_non_null(strstr(err.message, "layer 1 of 1"));
        bw_buf_clear(&tar);
        bw_buf_clear(&packed);
    }
}

/* A source that gives small pieces and fails at its nth read of a layer. */
struct failing_reader {
    struct bw_blob_reader base;
    struct bw_blob_reader *real;
};

static size_t reads_left;
static const struct bw_image_source_ops *real_ops;

static int cut(struct bw_error *err)
{
    return bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable", "the connection was cut");
}

static ssize_t failing_read(struct bw_blob_reader *base, void *into, size_t size, struct bw_error *err)
{
    struct failing_reader *reader = (struct failing_reader *)base;
    if (reads_left-- == 0) {
        return cut(err);
    }
    return bw_blob_read(reader->real, into, size > 50 ? 50 : size, err);
}

static void failing_close(struct bw_blob_reader *base)
{
    bw_blob_close(((struct failing_reader *)base)->real);
    free(base);
}

static int failing_open(struct bw_blob_reader **out, struct bw_image_source *source,
                        const struct bw_reference *reference, const struct bw_descriptor *blob,
                        struct bw_deadline deadline, struct bw_error *err)
{
    if (strstr(blob->media_type, "config") != NULL) {
        return real_ops->open_blob(out, source, reference, blob, deadline, err);
    }
    if (reads_left-- == 0) {
        return cut(err);
    }
    struct failing_reader *reader = calloc(1, sizeof(*reader));
    assert_non_null(reader);
    *reader = (struct failing_reader){.base = {failing_read, failing_close}};
    if (real_ops->open_blob(&reader->real, source, reference, blob, deadline, err) != 0) {
        free(reader);
        return -1;
    }
    *out = &reader->base;
    return 0;
}

static void a_connection_cut_anywhere_fails_the_image_with_its_reason(void **state)
{
    (void)state;
    static const struct tar_file files[] = {{"etc/a", 0, "a", NULL, 0}, {NULL, 0, NULL, NULL, 0}};
    struct bw_buf packed;
    const struct layer_bytes layer = layer_of(&packed, files);
    struct bw_digest digest = write_image(folder, &layer, 1);
    struct bw_image_source *source = NULL;
    struct bw_reference reference = {.registry = "localhost", .repository = "test", .tag = "latest"};
    struct bw_analyzer_options options = {.needs = default_needs(), .secret_max_bytes = 10000};
    struct bw_error err = {0};
    size_t failures = 0;
    int status = -1;
    assert_int_equal(bw_layout_open(&source, folder, &err), 0);
    real_ops = source->ops;
    struct bw_image_source_ops ops = *real_ops;
    ops.open_blob = failing_open;
    source->ops = &ops;
    for (size_t n = 0; status != 0; n++) {
        struct bw_report *report = NULL;
        reads_left = n;
        status = bw_analyze(&report, source, &reference, &digest, &options, bw_deadline_in_ms(30000), &err);
        if (status != 0) {
            failures++;
            assert_string_equal(err.detail, "registry_unavailable");
            assert_non_null(strstr(err.message, "layer 1 of 1"));
        }
        bw_report_release(report);
    }
    assert_true(failures >= 3); /* the opening, the first piece, the check at the end */
    source->ops = real_ops;
    bw_image_source_release(source);
    bw_buf_clear(&packed);
}

/* ---- children that misbehave: scripts in the child's place ---- */

static int analyze_with(const char *script, const struct bw_analyzer_options *wanted, int64_t patience_ms,
                        struct bw_error *err)
{
    static const struct tar_file files[] = {{"etc/a", 0, "a", NULL, 0}, {NULL, 0, NULL, NULL, 0}};
    struct bw_buf packed;
    const struct layer_bytes layer = layer_of(&packed, files);
    struct bw_digest digest = write_image(folder, &layer, 1);
    struct bw_image_source *source = NULL;
    struct bw_report *report = NULL;
    struct bw_reference reference = {.registry = "localhost", .repository = "test", .tag = "latest"};
    struct bw_analyzer_options options = *wanted;
    char program[128];
    (void)snprintf(program, sizeof(program), "%s/child", folder);
    FILE *file = fopen(program, "w");
    assert_non_null(file);
    (void)fprintf(file, "#!/bin/sh\n%s\n", script);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(program, 0755), 0);
    options.program = program;
    assert_int_equal(bw_layout_open(&source, folder, err), 0);
    int status = bw_analyze(&report, source, &reference, &digest, &options, bw_deadline_in_ms(patience_ms), err);
    bw_image_source_release(source);
    bw_buf_clear(&packed);
    return status;
}

static void a_child_that_misbehaves_is_a_named_failure(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        unsigned wall_s;
        int64_t patience_ms;
        enum bw_code code;
        const char *detail;
    } rows[] = {
        {"kill -SEGV $$", 0, 30000, BW_EINPUT, "analyzer_crashed"},
        {"kill -SYS $$", 0, 30000, BW_EINPUT, "analyzer_crashed"},
        {"exit 3", 0, 30000, BW_EINPUT, "analyzer_crashed"},
        {"kill -XCPU $$", 0, 30000, BW_ELIMIT, "analyzer_timeout"},
        {"kill -KILL $$", 0, 30000, BW_ELIMIT, "analyzer_timeout"},
        {"exec sleep 60", 1, 30000, BW_ELIMIT, "analyzer_timeout"},
        {"exec sleep 60", 0, 500, BW_EDEADLINE, "analyzer_timeout"},
        /* answers nobody can read: an empty report, one that is too long, an error of the wrong size */
        {"head -c 16 /dev/zero >&3; exec sleep 60", 0, 30000, BW_EINPUT, NULL},
        {"head -c 16 /dev/zero | tr '\\0' '\\377' >&3; exec sleep 60", 0, 30000, BW_EINPUT, "analyzer_crashed"},
        {"(head -c 8 /dev/zero; head -c 8 /dev/zero | tr '\\0' '\\377') >&3; exec sleep 60", 0, 30000, BW_ELIMIT,
         "image_too_large"},
        {"cat <&4 >&3", 0, 30000, BW_EINPUT, "analyzer_crashed"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_error err = {0};
        struct bw_analyzer_options options = {.needs = default_needs(), .wall_s = rows[i].wall_s};
        int status = analyze_with(rows[i].script, &options, rows[i].patience_ms, &err);
        if (status == 0 || err.code != rows[i].code ||
            (rows[i].detail != NULL && strcmp(err.detail, rows[i].detail) != 0)) {
            fail_msg("%s: status %d, %s, %s: %s", rows[i].script, status, bw_code_name(err.code), err.detail,
                     err.message);
        }
    }
}

/* A blob larger than what is under way at a time, too: then the child ends before all of it was read. */
static void damage_on_the_way_is_no_fault_of_the_image(void **state)
{
    (void)state;
    static const struct {
        size_t content, place;
    } rows[] = {{100, 2}, {100, 15}, {100, 60}, {8 * BW_MIB, 2}, {8 * BW_MIB, 100000}, {8 * BW_MIB, 7 * BW_MIB}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_buf tar, packed;
        char *content = malloc(rows[i].content);
        assert_non_null(content);
        for (size_t k = 0, random = 1; k < rows[i].content; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            content[k] = (char)(random >> 56);
        }
        bw_buf_init(&tar, BW_GIB);
        bw_buf_init(&packed, BW_GIB);
        tar_header(&tar, "etc/a", '0', 0644, rows[i].content, NULL);
        tar_data(&tar, content, rows[i].content);
        tar_end(&tar);
        gzip_into(&packed, tar.data, tar.len);
        struct layer_bytes layer = {.bytes = packed.data, .len = packed.len};
        bw_digest_of(&layer.diff_id, tar.data, tar.len);
        struct bw_digest digest = write_image(folder, &layer, 1), blob;
        char path[256];
        bw_digest_of(&blob, layer.bytes, layer.len);
        (void)snprintf(path, sizeof(path), "%s/blobs/sha256/%s", folder, bw_digest_hex(&blob));
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        (void)fseek(file, (long)rows[i].place, SEEK_SET);
        (void)fputc(packed.data[rows[i].place] ^ 0x5a, file);
        assert_int_equal(fclose(file), 0);
        struct bw_report *report = NULL;
        struct bw_error err = {0};
        struct bw_analyzer_options options = {.needs = default_needs()};
        assert_int_equal(analyze_image(&report, &digest, &options, &err), -1);
        if (strcmp(err.detail, "blob_digest_mismatch") != 0 || strstr(err.message, "layer 1 of 1") == NULL) {
            fail_msg("row %zu: %s: %s", i, err.detail, err.message);
        }
        free(content);
        bw_buf_clear(&tar);
        bw_buf_clear(&packed);
    }
}

/* ---- layers in other wrappings ---- */

static void zstd_into(struct bw_buf *out, const char *bytes, size_t len)
{
    size_t size = ZSTD_compressBound(len);
    char *packed = malloc(size);
    assert_non_null(packed);
    size_t n = ZSTD_compress(packed, size, bytes, len, 1);
    assert_false(ZSTD_isError(n));
    bw_buf_append(out, packed, n);
    free(packed);
}

static void as_it_is(struct bw_buf *out, const char *bytes, size_t len)
{
    bw_buf_append(out, bytes, len);
}

static void in_members(struct bw_buf *out, const char *bytes, size_t len)
{
    gzip_into(out, bytes, len / 2);
    gzip_into(out, bytes + len / 2, len - len / 2);
}

static void in_frames(struct bw_buf *out, const char *bytes, size_t len)
{
    static const char skippable[] = "\x50\x2a\x4d\x18\x04\0\0\0toc!";
    zstd_into(out, bytes, len / 2);
    bw_buf_append(out, skippable, sizeof(skippable) - 1);
    zstd_into(out, bytes + len / 2, len - len / 2);
}

static void progress(void *payload, size_t layers_done, size_t n_layers, uint64_t bytes_done, uint64_t n_bytes)
{
    assert_true(layers_done <= n_layers && bytes_done <= n_bytes);
    ++*(size_t *)payload;
}

/* Many layers in few lanes, a large one among them, one that is not even fetched. */
static void layers_of_every_kind_come_through(void **state)
{
    (void)state;
    static void (*const wraps[])(struct bw_buf *, const char *, size_t) = {gzip_into,  zstd_into, as_it_is,
                                                                           in_members, in_frames, gzip_into};
    enum { N = 13 };
    static const unsigned lanes[] = {0, 1, 2, 8, 100};
    static const char nothing[] = "\x1f\x8b\x08\0\0\x09\x6e\x88\0\xff\x62\x18\x05\xa3\x60\x14\x8c\x58\0\x08\0\0\xff\xff"
                                  "\x2e\xaf\xb5\xef\0\x04\0";
    struct bw_buf packed[N];
    struct layer_bytes layers[N + 1];
    char *large = malloc(9 * BW_MIB);
    assert_non_null(large);
    for (size_t i = 0; i < 9 * BW_MIB; i++) {
        large[i] = (char)(i * i >> 7);
    }
    for (size_t i = 0; i < N; i++) {
        struct bw_buf tar;
        char name[32];
        size_t len = i == 7 ? 9 * BW_MIB : 100 * i;
        bw_buf_init(&tar, BW_GIB);
        bw_buf_init(&packed[i], BW_GIB);
        (void)snprintf(name, sizeof(name), "file%02zu", i);
        tar_header(&tar, name, '0', 0644, len, NULL);
        tar_data(&tar, large, len);
        tar_end(&tar);
        wraps[i % BW_LENGTH(wraps)](&packed[i], tar.data, tar.len);
        layers[i] = (struct layer_bytes){.bytes = packed[i].data, .len = packed[i].len};
        bw_digest_of(&layers[i].diff_id, tar.data, tar.len);
        bw_buf_clear(&tar);
    }
    layers[N] = (struct layer_bytes){.bytes = nothing, .len = sizeof(nothing)};
    assert_int_equal(bw_digest_parse(&layers[N].diff_id, EMPTY_DIFF_ID, strlen(EMPTY_DIFF_ID), NULL), 0);
    struct bw_digest digest = write_image(folder, layers, N + 1), empty;
    char path[256];
    bw_digest_of(&empty, nothing, sizeof(nothing));
    (void)snprintf(path, sizeof(path), "%s/blobs/sha256/%s", folder, bw_digest_hex(&empty));
    assert_string_equal(bw_digest_hex(&empty), "a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4");
    assert_int_equal(unlink(path), 0);
    for (size_t k = 0; k < BW_LENGTH(lanes); k++) {
        size_t calls = 0;
        struct bw_report *report = NULL;
        struct bw_error err = {0};
        struct bw_analyzer_options options = {
            .needs = default_needs(), .layers_in_flight = lanes[k], .progress = progress, .payload = &calls};
        options.needs.file_digests = k == 1;
        if (analyze_image(&report, &digest, &options, &err) != 0) {
            fail_msg("%u lanes: %s", lanes[k], err.message);
        }
        assert_int_equal(report->n_files, N);
        for (size_t i = 0; i < N; i++) {
            char hex[65];
            bw_hash_hex(hex, BW_SHA256, large, i == 7 ? 9 * BW_MIB : 100 * i);
            assert_string_equal(report->files[i].sha256, hex);
            assert_int_equal(report->files[i].layer, i);
            assert_true((report->files[i].sha1 != NULL) == (k == 1));
        }
        assert_true(calls > 0);
        bw_report_release(report);
    }
    for (size_t i = 0; i < N; i++) {
        bw_buf_clear(&packed[i]);
    }
    free(large);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], BW_ANALYZER_CHILD_COMMAND) == 0) {
        return bw_analyzer_child_main(argc - 1, argv + 1);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_squashed_as_a_runtime_would),
        cmocka_unit_test(hostile_layers_are_named_failures),
        cmocka_unit_test(a_connection_cut_anywhere_fails_the_image_with_its_reason),
        cmocka_unit_test(a_child_that_misbehaves_is_a_named_failure),
        cmocka_unit_test(damage_on_the_way_is_no_fault_of_the_image),
        cmocka_unit_test(layers_of_every_kind_come_through),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
