/* An image in a layout folder through the confined child to its report, good ones and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/analyzer/analyzer.h"
#include "image/analyzer/sandbox.h"
#include "layout_writer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/breakwater-test-XXXXXX");
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

static int analyze(struct bw_report **out, const struct layer_bytes *layers, size_t n, struct bw_error *err)
{
    struct bw_image_source *source = NULL;
    struct bw_digest digest = write_image(folder, layers, n);
    struct bw_reference reference = {.registry = "localhost", .repository = "test", .tag = "latest"};
    struct bw_analyzer_options options = {
        .needs = default_needs(), .secret_max_bytes = 10000, .retrieved_max_bytes = 1000 * 1024};
    assert_int_equal(bw_layout_open(&source, folder, err), 0);
    int status = bw_analyze(out, source, &reference, &digest, &options, bw_deadline_in_ms(60000), err);
    bw_image_source_release(source);
    return status;
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
    {"bytes that are no layer", no_stream, "tar_corrupt"},
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

/* A source that gives up after some bytes. */
struct failing_reader {
    struct bw_blob_reader base;
    size_t left;
};

static ssize_t failing_read(struct bw_blob_reader *base, void *into, size_t size, struct bw_error *err)
{
    struct failing_reader *reader = (struct failing_reader *)base;
    if (reader->left == 0) {
        return bw_error_detail(err, BW_EUNAVAILABLE, "registry_unavailable", "the connection was cut");
    }
    size_t n = size < reader->left ? size : reader->left;
    memset(into, 0x1f, n);
    reader->left -= n;
    return (ssize_t)n;
}

static void failing_close(struct bw_blob_reader *base)
{
    free(base);
}

static const struct bw_image_source_ops *real_ops;

static int failing_open(struct bw_blob_reader **out, struct bw_image_source *source,
                        const struct bw_reference *reference, const struct bw_descriptor *blob,
                        struct bw_deadline deadline, struct bw_error *err)
{
    if (strstr(blob->media_type, "config") != NULL) {
        return real_ops->open_blob(out, source, reference, blob, deadline, err);
    }
    struct failing_reader *reader = calloc(1, sizeof(*reader));
    assert_non_null(reader);
    *reader = (struct failing_reader){{failing_read, failing_close}, 1};
    *out = &reader->base;
    return 0;
}

static void a_cut_connection_fails_the_image_with_its_reason(void **state)
{
    (void)state;
    static const struct tar_file files[] = {{"etc/a", 0, "a", NULL, 0}, {NULL, 0, NULL, NULL, 0}};
    struct bw_buf packed;
    const struct layer_bytes layer = layer_of(&packed, files);
    struct bw_digest digest = write_image(folder, &layer, 1);
    struct bw_image_source *source = NULL;
    struct bw_report *report = NULL;
    struct bw_error err = {0};
    assert_int_equal(bw_layout_open(&source, folder, &err), 0);
    real_ops = source->ops;
    struct bw_image_source_ops ops = *real_ops;
    ops.open_blob = failing_open;
    source->ops = &ops;
    struct bw_reference reference = {.registry = "localhost", .repository = "test", .tag = "latest"};
    struct bw_analyzer_options options = {.needs = default_needs(), .secret_max_bytes = 10000};
    assert_int_equal(bw_analyze(&report, source, &reference, &digest, &options, bw_deadline_in_ms(30000), &err), -1);
    assert_string_equal(err.detail, "registry_unavailable");
    source->ops = real_ops;
    bw_image_source_release(source);
    bw_buf_clear(&packed);
}

enum forbidden { OPEN, SOCKET, EXEC, FORK, NOTHING };

static int try_in_sandbox(enum forbidden what)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (bw_sandbox_enter(10, NULL) != 0) {
            _exit(9);
        }
        char *argv[] = {NULL};
        switch (what) {
        case OPEN:
            (void)open("/etc/passwd", O_RDONLY);
            break;
        case SOCKET:
            (void)socket(AF_INET, SOCK_STREAM, 0);
            break;
        case EXEC:
            (void)execv("/bin/true", argv);
            break;
        case FORK:
            (void)fork();
            break;
        case NOTHING:
            break;
        }
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void the_sandbox_kills_what_an_image_must_not_do(void **state)
{
    (void)state;
    static const enum forbidden tries[] = {OPEN, SOCKET, EXEC, FORK};
    int status = try_in_sandbox(NOTHING);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (size_t i = 0; i < BW_LENGTH(tries); i++) {
        status = try_in_sandbox(tries[i]);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) {
            fail_msg("try %zu was not killed: status %x", i, (unsigned)status);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], BW_ANALYZER_CHILD_COMMAND) == 0) {
        return bw_analyzer_child_main(argc - 1, argv + 1);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_squashed_as_a_runtime_would),
        cmocka_unit_test(hostile_layers_are_named_failures),
        cmocka_unit_test(a_cut_connection_fails_the_image_with_its_reason),
        cmocka_unit_test(the_sandbox_kills_what_an_image_must_not_do),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
