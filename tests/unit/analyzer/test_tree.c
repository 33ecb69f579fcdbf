/* Layers over one another. The outcomes are those of containerd 1.6.20 with overlayfs, where it unpacks the layers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "image/analyzer/layer.h"
#include "layout_writer.h"

static const struct bw_collector *const no_collectors[] = {NULL};
static size_t n_warnings;

static void count_warning(void *payload, const char *text)
{
    (void)payload;
    (void)text;
    n_warnings++;
}

/* "d a/" a directory, "f a/x one" a file, "l l a" a symlink, "h h a/x" a hard link; one per line. */
static void read_layer(struct bw_layer *layer, int32_t number, const char *text)
{
    struct bw_collect_options options = {.secret_max_bytes = 0};
    struct bw_layer_bounds bounds = {0};
    struct bw_error err = {0};
    struct bw_str rest = bw_str_from(text), line, type, name, more;
    BW_BUF_SCOPE tar;
    bw_buf_init(&tar, BW_MIB);
    while (bw_str_next_line(&line, &rest)) {
        char path[128], link[128];
        if (!bw_str_next(&type, &line, ' ') || !bw_str_next(&name, &line, ' ')) {
            continue;
        }
        more = line.base == NULL ? (struct bw_str){"", 0} : line;
        (void)snprintf(path, sizeof(path), "%.*s", (int)name.len, name.base);
        (void)snprintf(link, sizeof(link), "%.*s", (int)more.len, more.base);
        switch (type.base[0]) {
        case 'd':
            tar_header(&tar, path, '5', 0755, 0, NULL);
            break;
        case 'l':
            tar_header(&tar, path, '2', 0777, 0, link);
            break;
        case 'h':
            tar_header(&tar, path, '1', 0644, 0, link);
            break;
        default:
            tar_header(&tar, path, '0', 0644, more.len, NULL);
            tar_data(&tar, more.base, more.len);
        }
    }
    tar_end(&tar);
    bw_layer_init(layer);
    struct bw_layer_walk *walk = bw_layer_walk_create(layer, number, no_collectors, &options, &bounds);
    assert_int_equal(bw_layer_walk_feed(walk, tar.data, tar.len, &err), 0);
    assert_int_equal(bw_layer_walk_finish(walk, &err), 0);
    bw_layer_walk_destroy(walk);
}

/* "a/ a/x=one l->a", sorted, without the root; contents are known by their digests. */
static void print_tree(struct bw_buf *out, const struct bw_tree *tree)
{
    static const char *const known[] = {"x1", "y1", "x2", "evil", "good", "n", "m",
                                        "t",  "f",  "e",  "z",    "file", "c", ""};
    for (size_t i = 0; i < bw_tree_count(tree); i++) {
        const struct bw_file *file = bw_tree_at(tree, i);
        if (strcmp(file->path, "/") == 0) {
            continue;
        }
        bw_buf_printf(out, "%s%s", out->len == 0 ? "" : " ", file->path + 1);
        if (file->type == BW_FILE_DIRECTORY) {
            bw_buf_puts(out, "/");
        } else if (file->type == BW_FILE_SYMLINK) {
            bw_buf_printf(out, "->%s", file->link);
        } else {
            char hex[65], other[65];
            const char *content = "?";
            if (file->sha256 != NULL) {
                bw_hex_encode(hex, file->sha256, 32);
            }
            for (size_t k = 0; file->sha256 != NULL && k < BW_LENGTH(known); k++) {
                bw_hash_hex(other, BW_SHA256, known[k], strlen(known[k]));
                content = strcmp(hex, other) == 0 ? known[k] : content;
            }
            bw_buf_printf(out, "=%s", content);
        }
    }
}

static void assert_squashed(const char *const *layers, const char *expected, const char *name)
{
    struct bw_layer made[4];
    struct bw_layer *list[4];
    struct bw_tree *tree = NULL;
    struct bw_error err = {0};
    int64_t size = 0;
    size_t n = 0;
    for (; layers[n] != NULL; n++) {
        read_layer(&made[n], (int32_t)n, layers[n]);
        list[n] = &made[n];
    }
    assert_int_equal(bw_tree_build(&tree, &size, list, n, count_warning, NULL, &err), 0);
    BW_BUF_SCOPE text;
    bw_buf_init(&text, BW_MIB);
    print_tree(&text, tree);
    if (strcmp(text.len == 0 ? "" : text.data, expected) != 0) {
        fail_msg("%s:\n  is       %s\n  expected %s", name, text.data, expected);
    }
    bw_tree_destroy(tree);
    for (size_t i = 0; i < n; i++) {
        bw_layer_clear(&made[i]);
    }
}

#define BASE                                                                                                           \
    "d usr/\nd usr/bin/\nf usr/bin/evil evil\nf usr/bin/good good\nl bin usr/bin\nd a/\nf a/x x1\nf a/y y1\nl l a\n"
#define A    "a/ a/x=x1 a/y=y1 "
#define BIN  "bin->usr/bin "
#define LINK "l->a "
#define USR  "usr/ usr/bin/ usr/bin/evil=evil usr/bin/good=good"

static const struct row {
    const char *name;
    const char *upper, *top;
    const char *expected;
} rows[] = {
    {"nothing above", "", NULL, A BIN LINK USR},
    {"a whiteout", "f a/.wh.x ", NULL, "a/ a/y=y1 " BIN LINK USR},
    {"a whiteout of a folder", "f .wh.a ", NULL, BIN LINK USR},
    {"a whiteout that is a folder itself", "d .wh.a/", NULL, BIN LINK USR},
    {"a whiteout of a link", "f .wh.l ", NULL, A BIN USR},
    {"a whiteout of nothing", "f a/.wh.nope ", NULL, A BIN LINK USR},
    {"a whiteout, then the file", "f a/.wh.x \nf a/x x2", NULL, "a/ a/x=x2 a/y=y1 " BIN LINK USR},
    {"the file, then its whiteout", "f a/x x2\nf a/.wh.x ", NULL, "a/ a/x=x2 a/y=y1 " BIN LINK USR},
    {"a whiteout does not follow a lower link", "f bin/.wh.evil ", NULL, A LINK USR},
    {"a file does not follow a lower link", "f bin/n n", NULL, A "bin/n=n " LINK USR},
    {"a folder takes a lower link's place", "d bin/\nf bin/n n", NULL, A "bin/ bin/n=n " LINK USR},
    {"an opaque marker does not follow a lower link", "f l/.wh..wh..opq ", NULL, A BIN USR},
    {"an opaque marker between", "d a/\nf a/n n\nf a/.wh..wh..opq \nf a/m m", NULL, "a/ a/m=m a/n=n " BIN LINK USR},
    {"an opaque marker without its folder", "f a/.wh..wh..opq \nf a/m m", NULL, "a/ a/m=m " BIN LINK USR},
    {"an opaque root", "f .wh..wh..opq \nf zz z", NULL, "zz=z"},
    {"a folder after its whiteout shows what was below", "f .wh.a \nd a/\nf a/z z", NULL,
     "a/ a/x=x1 a/y=y1 a/z=z " BIN LINK USR},
    {"a folder before its whiteout", "d a/\nf a/z z\nf .wh.a ", NULL, "a/ a/z=z " BIN LINK USR},
    {"a whiteout and one below it", "f .wh.a \nf a/.wh.x ", NULL, BIN LINK USR},
    {"links of the layer itself are followed", "l l usr/bin\nf l/.wh.evil ", NULL,
     A BIN "l->usr/bin usr/ usr/bin/ usr/bin/good=good"},
    {"a link in a folder's place, then a file through it", "l a usr/bin\nf a/n n", NULL,
     "a->usr/bin " BIN LINK USR " usr/bin/n=n"},
    {"a link of the layer to nothing yet", "l e dd\nf e/f f", NULL, A BIN "dd/f=f e->dd " LINK USR},
    {"a link that climbs stays inside", "l e /../../dd\nf e/f f", NULL, A BIN "dd/f=f e->/../../dd " LINK USR},
    {"a link to itself", "l e e\nf e/f f", NULL, A BIN "e->e " LINK USR},
    {"names that climb", "f ../../esc e\nf a/../b/z z\nf /etc/abs e", NULL, A "b/z=z " BIN "esc=e etc/abs=e " LINK USR},
    {"names are cleaned before links are followed", "d d/\nd d/d/\nl e d/d\nf e/../q f", NULL,
     A BIN "d/ d/d/ e->d/d " LINK "q=f " USR},
    {"a file in a folder's place", "d q/\nf q/f f\nf q file", NULL, A BIN LINK "q=file " USR},
    {"a folder in a lower file's place", "f a/x/c c", NULL, "a/ a/x/c=c a/y=y1 " BIN LINK USR},
    {"a file, then the folder again", "f a file", "d a/\nf a/z z", "a/ a/z=z " BIN LINK USR},
    {"a folder that is there already", "d a/\nf a/n n", NULL, "a/ a/n=n a/x=x1 a/y=y1 " BIN LINK USR},
    {"a whiteout, then the folder in a third layer", "f .wh.a ", "d a/\nf a/z z", "a/ a/z=z " BIN LINK USR},
    {"a hard link to a link", "d b/\nf b/t t\nl s b/t\nh h s", NULL, A "b/ b/t=t " BIN "h->b/t " LINK "s->b/t " USR},
    {"a hard link through a link", "d b/\nf b/t t\nl s b\nh h s/t", NULL, A "b/ b/t=t " BIN "h=t " LINK "s->b " USR},
    {"a hard link to what is below", "h h a/x", NULL, A BIN "h=x1 " LINK USR},
    {"a hard link to what is below, through a link", "h h l/x", NULL, A BIN "h=x1 " LINK USR},
    {"a hard link to nothing", "h h nope", NULL, A BIN "h=? " LINK USR},
    {"a hard link to a folder", "h h a", NULL, A BIN "h=? " LINK USR},
    {"a hard link keeps what its target was", "f t t\nh h t\nf t f", NULL, A BIN "h=t " LINK "t=f " USR},
    {"folders below a name like a marker's are folders", "f .wh.zz/f f\nf .wh..wh.plnk/f f", NULL,
     ".wh..wh.plnk/f=f .wh.zz/f=f " A BIN LINK USR},
    {"other marks of aufs are nothing", "f .wh..wh.foo \nf a/.wh..wh.x ", NULL, A BIN LINK USR},
    {"whiteouts that name nothing", "f a/.wh. \nf a/.wh.. \nf a/.wh... ", NULL, A BIN LINK USR},
    {"the root itself", "d ./\nd .", NULL, A BIN LINK USR},
};

static void layers_are_stacked_as_by_overlayfs(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        const char *layers[] = {BASE, rows[i].upper, rows[i].top, NULL};
        assert_squashed(layers, rows[i].expected, rows[i].name);
    }
}

static struct bw_tree *tree_of(struct bw_layer *layer, int64_t *size, const char *text)
{
    struct bw_tree *tree = NULL;
    struct bw_error err = {0};
    read_layer(layer, 0, text);
    assert_int_equal(bw_tree_build(&tree, size, &layer, 1, count_warning, NULL, &err), 0);
    return tree;
}

static void links_are_resolved_inside_the_root(void **state)
{
    (void)state;
    static const struct {
        const char *path, *leads_to;
    } cases[] = {
        {"/etc/os-release", "/usr/lib/os-release"},
        {"/lib/os-release", "/usr/lib/os-release"},
        {"/loop", NULL},
        {"/abs/os-release", "/usr/lib/os-release"},
        {"/climb", "/usr/lib/os-release"},
        {"/gone", NULL},
        {"/dangling", NULL},
        {"/", "/"},
        {"/usr/lib/", "/usr/lib"},
    };
    struct bw_layer layer;
    int64_t size = 0;
    struct bw_tree *tree =
        tree_of(&layer, &size,
                "d ./\nd usr/\nd usr/lib/\nf usr/lib/os-release f\nd etc/\nl etc/os-release ../usr/lib/os-release\n"
                "l lib usr/lib\nl loop loop2\nl loop2 loop\nl abs /usr/lib\n"
                "l climb ../../../usr/lib/os-release\nl dangling nowhere");
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        const struct bw_file *file = bw_tree_resolve(tree, cases[i].path);
        if ((file == NULL) != (cases[i].leads_to == NULL) ||
            (file != NULL && strcmp(file->path, cases[i].leads_to) != 0)) {
            fail_msg("%s leads to %s", cases[i].path, file == NULL ? "nothing" : file->path);
        }
    }
    size_t first = 0, end = 0;
    bw_tree_below(tree, "/usr", &first, &end);
    assert_int_equal(end - first, 2);
    assert_string_equal(bw_tree_at(tree, first)->path, "/usr/lib");
    bw_tree_below(tree, "/", &first, &end);
    assert_int_equal(end - first, bw_tree_count(tree) - 1);
    bw_tree_below(tree, "/us", &first, &end);
    assert_int_equal(end - first, 0);
    bw_tree_destroy(tree);
    bw_layer_clear(&layer);
}

static void the_size_is_that_of_the_engines_tar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t size;
    } cases[] = {
        {"", 10240},
        {"d a/\nd b/\nd c/\nd d/\nd e/\nd f/", 10240},       /* 6 * 1536 + 1024 = 10240 */
        {"d a/\nd b/\nd c/\nd d/\nd e/\nd f/\nd g/", 20480}, /* one more */
        {"d a/\nd b/\nd c/\nd d/\nf e x1\nh f e", 20480},    /* 6 * 1536 + 512 + 1024 */
        {"d a/\nd b/\nd c/\nd d/\nf e z\nh f e\nh g e\nh h e\nh i e\nh j e\nh k e\nh l e",
         20480}, /* 12 * 1536 + 1536 */
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_layer layer;
        int64_t size = 0;
        struct bw_tree *tree = tree_of(&layer, &size, cases[i].text);
        if (size != cases[i].size) {
            fail_msg("case %zu: %lld, expected %lld", i, (long long)size, (long long)cases[i].size);
        }
        bw_tree_destroy(tree);
        bw_layer_clear(&layer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_stacked_as_by_overlayfs),
        cmocka_unit_test(links_are_resolved_inside_the_root),
        cmocka_unit_test(the_size_is_that_of_the_engines_tar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
