/* The layout of the recorded decisions ("analysis/1", tests/data/golden/README.md section 4): Anchore Engine's data as
 * a policy evaluation saw it. Words are kept where a gate compares them: "DIRECTORY_OR_OTHER" as a checksum, "N/A" as a
 * licence. The vulnerabilities of such a document are no part of a report. */
#include "image/report_reader.h"

#include <string.h>

static const char *unless_not_available(const char *text)
{
    return text == NULL || *text == '\0' || strcmp(text, "N/A") == 0 ? NULL : text;
}

static int read_layers(struct bw_report_reader *from, const json_t *image)
{
    const char *const *hex = NULL;
    size_t count = 0;
    if (bw_reader_texts(from, image, "layers", &hex, &count))
        return -1;
    struct bw_report_layer *layers = bw_arena_array(from->arena, count, sizeof(*layers));
    if (layers == NULL)
        return bw_arena_spent(from->err);
    for (size_t i = 0; i < count; i++) {
        const char *text = bw_arena_printf(from->arena, "sha256:%s", hex[i]);
        struct bw_error why = {0};
        if (text == NULL)
            return bw_arena_spent(from->err);
        if (bw_digest_parse(&layers[i].digest, text, strlen(text), &why))
            return bw_reader_fault(from, "layers", "%.200s", why.message);
    }
    from->head->layers = layers;
    from->head->n_layers = count;
    return 0;
}

static int read_image(struct bw_report_reader *from, const json_t *document)
{
    struct bw_report *head = from->head;
    json_t *image = NULL;
    if (bw_reader_object(from, document, "image", &image))
        return -1;
    struct bw_report_reader inside = *from;
    inside.list = "/image";
    return bw_reader_keep(&inside, image, "id", &head->id) ||
                   bw_reader_digest(&inside, image, "digest", &head->digest) ||
                   bw_reader_keep(&inside, image, "parent_digest", &head->parent_digest) ||
                   bw_reader_keep(&inside, image, "os", &head->os) ||
                   bw_reader_keep(&inside, image, "architecture", &head->architecture) ||
                   bw_reader_keep(&inside, image, "created_at", &head->created) ||
                   bw_reader_number(&inside, image, "size", &head->size) ||
                   bw_reader_number(&inside, image, "layer_count", &head->layer_count) || read_layers(&inside, image)
               ? -1
               : 0;
}

static int read_context(struct bw_report_reader *from, const json_t *document)
{
    struct bw_report *head = from->head;
    json_t *distro = NULL, *dockerfile = NULL, *config = NULL;
    struct bw_report_reader in_distro = *from, in_dockerfile = *from;
    in_distro.list = "/distro";
    in_dockerfile.list = "/dockerfile";
    if (bw_reader_object(from, document, "distro", &distro) ||
        bw_reader_object(from, document, "dockerfile", &dockerfile) ||
        bw_reader_object(from, document, "config", &config) ||
        bw_reader_keep(&in_distro, distro, "id", &head->distro) ||
        bw_reader_keep(&in_distro, distro, "version", &head->distro_version) ||
        bw_reader_keep(&in_distro, distro, "like", &head->distro_like) ||
        bw_reader_keep(&in_dockerfile, dockerfile, "mode", &head->dockerfile_mode) ||
        bw_reader_keep(&in_dockerfile, dockerfile, "contents", &head->dockerfile))
        return -1;
    return config == NULL ? 0 : bw_reader_dump(from, config, &head->config);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The distribution whose version order applies: named unless it is the image's own. */
static int read_distro(const struct bw_report_reader *from, const json_t *element, const char **out)
{
    const char *id = NULL, *version = NULL, *like = NULL;
    json_t *distro = NULL;
    if (bw_reader_object(from, element, "distro", &distro) || bw_reader_text(from, distro, "id", &id) ||
        bw_reader_text(from, distro, "version", &version) || bw_reader_text(from, distro, "like", &like))
        return -1;
    const struct bw_report *head = from->head;
    if (!same(id, head->distro) || !same(version, head->distro_version) || !same(like, head->distro_like))
        *out = id;
    return 0;
}

static int read_package(struct bw_report_reader *from, const json_t *element)
{
    struct bw_package package = {.size = -1};
    if (bw_reader_name(from, element, "type", &package.type) || bw_reader_name(from, element, "name", &package.name) ||
        bw_reader_text(from, element, "version", &package.version) ||
        bw_reader_text(from, element, "release", &package.release) ||
        bw_reader_text(from, element, "full_version", &package.full_version) ||
        bw_reader_text(from, element, "arch", &package.arch) ||
        bw_reader_text(from, element, "source", &package.source_name) ||
        bw_reader_text(from, element, "origin", &package.origin) ||
        bw_reader_text(from, element, "license", &package.license) ||
        bw_reader_texts(from, element, "licenses", &package.licenses, &package.n_licenses) ||
        bw_reader_text(from, element, "path", &package.location) ||
        bw_reader_number(from, element, "size", &package.size) || read_distro(from, element, &package.distro))
        return -1;
    package.release = unless_not_available(package.release);
    package.arch = unless_not_available(package.arch);
    package.source_name = unless_not_available(package.source_name);
    package.origin = unless_not_available(package.origin);
    return bw_report_add_package(from->builder, &package, from->err);
}

static enum bw_file_type file_type(const char *word)
{
    static const struct {
        const char *word;
        enum bw_file_type type;
    } words[] = {{"file", BW_FILE_REGULAR},
                 {"dir", BW_FILE_DIRECTORY},
                 {"link", BW_FILE_SYMLINK},
                 {"slink", BW_FILE_SYMLINK},
                 {"dev", BW_FILE_DEVICE}};
    for (size_t i = 0; i < BW_LENGTH(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].type;
    return BW_FILE_OTHER;
}

static int read_file(struct bw_report_reader *from, const json_t *element)
{
    struct bw_report_file file = {.size = -1, .uid = -1, .gid = -1, .layer = -1};
    const char *type = "", *name = NULL;
    int64_t mode = 0;
    if (bw_reader_name(from, element, "path", &file.path) || bw_reader_text(from, element, "name", &name) ||
        bw_reader_text(from, element, "type", &type) || bw_reader_number(from, element, "mode", &mode) ||
        bw_reader_number(from, element, "size", &file.size) || bw_reader_text(from, element, "linkto", &file.link) ||
        bw_reader_text(from, element, "sha256", &file.sha256) || bw_reader_text(from, element, "sha1", &file.sha1) ||
        bw_reader_text(from, element, "md5", &file.md5))
        return -1;
    if (mode < 0 || mode > UINT32_MAX)
        return bw_reader_fault(from, "mode", "%lld is no file mode", (long long)mode);
    /* what stands in the archive under another name is there, but compared with nothing a package database says */
    file.type = name != NULL && strcmp(name, file.path) != 0 ? BW_FILE_OTHER : file_type(type);
    file.mode = (uint32_t)mode;
    return bw_report_add_file(from->builder, &file, from->err);
}

static int read_verification(struct bw_report_reader *from, const json_t *element)
{
    struct bw_verification record = {.mode = -1, .size = -1};
    if (bw_reader_name(from, element, "path", &record.path) ||
        bw_reader_name(from, element, "package", &record.package) ||
        bw_reader_text(from, element, "package_type", &record.package_type) ||
        bw_reader_text(from, element, "digest_algorithm", &record.algorithm) ||
        bw_reader_text(from, element, "digest", &record.digest) ||
        bw_reader_number(from, element, "mode", &record.mode) ||
        bw_reader_number(from, element, "size", &record.size) ||
        bw_reader_flag(from, element, "config_file", &record.config_file))
        return -1;
    return bw_report_add_verification(from->builder, &record, from->err);
}

static int read_retrieved(struct bw_report_reader *from, const json_t *element)
{
    struct bw_retrieved_file file = {0};
    if (bw_reader_name(from, element, "path", &file.path) ||
        bw_reader_base64(from, element, "content_base64", &file.content, &file.len))
        return -1;
    return bw_report_add_retrieved(from->builder, &file, from->err);
}

static int read_hits(struct bw_report_reader *from, const json_t *element,
                     int (*add)(struct bw_report_builder *, const struct bw_pattern_hit *, struct bw_error *))
{
    const char *path = NULL;
    json_t *matches = NULL;
    if (bw_reader_name(from, element, "path", &path) || bw_reader_array(from, element, "matches", &matches))
        return -1;
    for (size_t i = 0; i < json_array_size(matches); i++) {
        const json_t *match = json_array_get(matches, i);
        struct bw_pattern_hit hit = {.path = path};
        if (bw_reader_name(from, match, "pattern", &hit.pattern) ||
            bw_reader_numbers(from, match, "lines", &hit.lines, &hit.n_lines) || add(from->builder, &hit, from->err))
            return -1;
    }
    return 0;
}

static int read_secret(struct bw_report_reader *from, const json_t *element)
{
    return read_hits(from, element, bw_report_add_secret);
}

static int read_content(struct bw_report_reader *from, const json_t *element)
{
    return read_hits(from, element, bw_report_add_content);
}

static int read_scan(struct bw_report_reader *from, const json_t *element)
{
    const char *scanner = NULL;
    json_t *result = NULL, *findings = NULL;
    if (bw_reader_name(from, element, "scanner", &scanner) || bw_reader_object(from, element, "result", &result) ||
        bw_reader_array(from, result, "findings", &findings))
        return -1;
    return bw_reader_findings(from, scanner, findings);
}

int bw_report_read_recorded(struct bw_report_reader *from, const json_t *document)
{
    from->head->source = "document";
    return read_image(from, document) || read_context(from, document) ||
                   bw_reader_each(from, document, "packages", read_package) ||
                   bw_reader_each(from, document, "files", read_file) ||
                   bw_reader_each(from, document, "verification", read_verification) ||
                   bw_reader_each(from, document, "retrieved_files", read_retrieved) ||
                   bw_reader_each(from, document, "secrets", read_secret) ||
                   bw_reader_each(from, document, "content_search", read_content) ||
                   bw_reader_each(from, document, "malware", read_scan) || bw_reader_assume_covers(from)
               ? -1
               : 0;
}
