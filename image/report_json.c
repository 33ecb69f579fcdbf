/* Reading analysis documents (image/report_json.h): which layout it is, and our own, "breakwater.analysis/1"
 * (written by report_json_write.c). The other two have a file each. */
#include "image/report_json.h"

#include "base/limits.h"
#include "image/report_reader.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int read_layer(struct bw_report_reader *from, const json_t *element)
{
    struct bw_report_layer *layer = (struct bw_report_layer *)&from->head->layers[from->index];
    int64_t size = 0;
    if (bw_reader_digest(from, element, "digest", &layer->digest) ||
        bw_reader_digest(from, element, "diff_id", &layer->diff_id) ||
        bw_reader_keep(from, element, "media_type", &layer->media_type) ||
        bw_reader_number(from, element, "size", &size))
        return -1;
    layer->size = (uint64_t)size;
    return 0;
}

static int read_layers(struct bw_report_reader *from, const json_t *image)
{
    json_t *layers = NULL;
    if (bw_reader_array(from, image, "layers", &layers))
        return -1;
    from->head->layers = bw_arena_array(from->arena, json_array_size(layers), sizeof(*from->head->layers));
    if (from->head->layers == NULL)
        return bw_arena_spent(from->err);
    from->head->n_layers = json_array_size(layers);
    return bw_reader_each(from, image, "layers", read_layer);
}

static int read_image(struct bw_report_reader *from, const json_t *document)
{
    static const struct {
        const char *key;
        size_t offset;
    } texts[] = {
        {"id", offsetof(struct bw_report, id)},
        {"parent_digest", offsetof(struct bw_report, parent_digest)},
        {"media_type", offsetof(struct bw_report, media_type)},
        {"os", offsetof(struct bw_report, os)},
        {"architecture", offsetof(struct bw_report, architecture)},
        {"variant", offsetof(struct bw_report, variant)},
        {"created", offsetof(struct bw_report, created)},
    };
    struct bw_report *head = from->head;
    struct bw_report_reader inside = *from;
    json_t *image = NULL;
    if (bw_reader_object(from, document, "image", &image))
        return -1;
    inside.list = "/image";
    for (size_t i = 0; i < BW_LENGTH(texts); i++)
        if (bw_reader_keep(&inside, image, texts[i].key, (const char **)((char *)head + texts[i].offset)))
            return -1;
    return bw_reader_digest(&inside, image, "digest", &head->digest) ||
                   bw_reader_number(&inside, image, "size", &head->size) ||
                   bw_reader_number(&inside, image, "compressed_size", &head->compressed_size) ||
                   bw_reader_number(&inside, image, "layer_count", &head->layer_count) || read_layers(&inside, image)
               ? -1
               : 0;
}

static int read_config(struct bw_report_reader *from, const json_t *document)
{
    const json_t *config = bw_reader_member(document, "config");
    if (json_is_string(config)) /* it was no JSON when it was written */
        return bw_reader_keep(from, document, "config", &from->head->config);
    return config == NULL ? 0 : bw_reader_dump(from, config, &from->head->config);
}

static int read_time(const struct bw_report_reader *from, const json_t *object, const char *key, int64_t *out)
{
    const char *text = NULL;
    if (bw_reader_text(from, object, key, &text))
        return -1;
    if (text == NULL)
        return 0;
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (rest == NULL || *rest != '\0')
        return bw_reader_fault(from, key, "expected a time like 2026-01-02T03:04:05Z");
    *out = timegm(&parts);
    return 0;
}

static int read_context(struct bw_report_reader *from, const json_t *document)
{
    struct bw_report *head = from->head;
    struct bw_report_reader in_distro = *from, in_dockerfile = *from, in_analyzer = *from;
    json_t *distro = NULL, *dockerfile = NULL, *analyzer = NULL;
    int64_t revision = 0;
    in_distro.list = "/distro";
    in_dockerfile.list = "/dockerfile";
    in_analyzer.list = "/analyzer";
    if (bw_reader_object(from, document, "distro", &distro) ||
        bw_reader_object(from, document, "dockerfile", &dockerfile) ||
        bw_reader_object(from, document, "analyzer", &analyzer) ||
        bw_reader_keep(&in_distro, distro, "id", &head->distro) ||
        bw_reader_keep(&in_distro, distro, "version", &head->distro_version) ||
        bw_reader_keep(&in_distro, distro, "like", &head->distro_like) ||
        bw_reader_keep(&in_distro, distro, "source", &head->distro_source) ||
        bw_reader_keep(&in_dockerfile, dockerfile, "mode", &head->dockerfile_mode) ||
        bw_reader_keep(&in_dockerfile, dockerfile, "contents", &head->dockerfile) ||
        bw_reader_keep(&in_analyzer, analyzer, "version", &head->analyzer) ||
        bw_reader_number(&in_analyzer, analyzer, "revision", &revision) ||
        read_time(&in_analyzer, analyzer, "completed", &head->completed_s) ||
        bw_reader_keep(from, document, "source", &head->source) || read_config(from, document))
        return -1;
    if (revision < 0 || revision > UINT32_MAX)
        return bw_reader_fault(&in_analyzer, "revision", "%lld is no revision", (long long)revision);
    head->revision = (uint32_t)revision;
    return 0;
}

static int read_covers(struct bw_report_reader *from, const json_t *document)
{
    struct bw_needs *covers = &from->head->covers;
    struct bw_report_reader inside = *from;
    json_t *object = NULL;
    inside.list = "/covers";
    return bw_reader_object(from, document, "covers", &object) ||
                   bw_reader_texts(&inside, object, "secret_patterns", &covers->secret_patterns,
                                   &covers->n_secret_patterns) ||
                   bw_reader_texts(&inside, object, "content_patterns", &covers->content_patterns,
                                   &covers->n_content_patterns) ||
                   bw_reader_texts(&inside, object, "retrieved_paths", &covers->retrieved_paths,
                                   &covers->n_retrieved_paths) ||
                   bw_reader_flag(&inside, object, "file_digests", &covers->file_digests)
               ? -1
               : 0;
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
        bw_reader_text(from, element, "source_version", &package.source_version) ||
        bw_reader_text(from, element, "origin", &package.origin) ||
        bw_reader_text(from, element, "license", &package.license) ||
        bw_reader_texts(from, element, "licenses", &package.licenses, &package.n_licenses) ||
        bw_reader_text(from, element, "location", &package.location) ||
        bw_reader_text(from, element, "owned_by", &package.owned_by) ||
        bw_reader_text(from, element, "distro", &package.distro) ||
        bw_reader_number(from, element, "size", &package.size))
        return -1;
    return bw_report_add_package(from->builder, &package, from->err);
}

static int read_mode(const struct bw_report_reader *from, const json_t *object, int64_t *out)
{
    const char *text = NULL;
    uint64_t mode = 0;
    if (bw_reader_text(from, object, "mode", &text))
        return -1;
    if (text == NULL)
        return 0;
    if (bw_str_uint(&mode, bw_str_from(text), 8, UINT32_MAX))
        return bw_reader_fault(from, "mode", "\"%.20s\" is no octal file mode", text);
    *out = (int64_t)mode;
    return 0;
}

static int read_type(const struct bw_report_reader *from, const json_t *element, enum bw_file_type *out)
{
    static const char *const words[] = {
        [BW_FILE_REGULAR] = "file", [BW_FILE_DIRECTORY] = "dir", [BW_FILE_SYMLINK] = "slink",
        [BW_FILE_DEVICE] = "dev",   [BW_FILE_OTHER] = "other",
    };
    const char *word = NULL;
    if (bw_reader_name(from, element, "type", &word))
        return -1;
    for (unsigned i = 0; i < BW_LENGTH(words); i++)
        if (word != NULL && strcmp(words[i], word) == 0) {
            *out = (enum bw_file_type)i;
            return 0;
        }
    return bw_reader_fault(from, "type", "expected file, dir, slink, dev or other");
}

static int read_file(struct bw_report_reader *from, const json_t *element)
{
    struct bw_report_file file = {.size = -1, .uid = -1, .gid = -1};
    int64_t mode = 0, layer = -1;
    if (bw_reader_name(from, element, "path", &file.path) || read_type(from, element, &file.type) ||
        read_mode(from, element, &mode) || bw_reader_number(from, element, "size", &file.size) ||
        bw_reader_number(from, element, "uid", &file.uid) || bw_reader_number(from, element, "gid", &file.gid) ||
        bw_reader_text(from, element, "link", &file.link) || bw_reader_text(from, element, "sha256", &file.sha256) ||
        bw_reader_text(from, element, "sha1", &file.sha1) || bw_reader_text(from, element, "md5", &file.md5) ||
        bw_reader_number(from, element, "layer", &layer) ||
        bw_reader_flag(from, element, "capability", &file.capability))
        return -1;
    if (layer < INT32_MIN || layer > INT32_MAX)
        return bw_reader_fault(from, "layer", "%lld is no layer", (long long)layer);
    file.mode = (uint32_t)mode;
    file.layer = (int32_t)layer;
    return bw_report_add_file(from->builder, &file, from->err);
}

static int read_verification(struct bw_report_reader *from, const json_t *element)
{
    struct bw_verification record = {.mode = -1, .size = -1};
    if (bw_reader_name(from, element, "path", &record.path) ||
        bw_reader_name(from, element, "package", &record.package) ||
        bw_reader_text(from, element, "package_type", &record.package_type) ||
        bw_reader_text(from, element, "algorithm", &record.algorithm) ||
        bw_reader_text(from, element, "digest", &record.digest) || read_mode(from, element, &record.mode) ||
        bw_reader_number(from, element, "size", &record.size) ||
        bw_reader_flag(from, element, "config", &record.config_file))
        return -1;
    return bw_report_add_verification(from->builder, &record, from->err);
}

static int read_retrieved(struct bw_report_reader *from, const json_t *element)
{
    struct bw_retrieved_file file = {0};
    if (bw_reader_name(from, element, "path", &file.path) ||
        bw_reader_base64(from, element, "content", &file.content, &file.len))
        return -1;
    return bw_report_add_retrieved(from->builder, &file, from->err);
}

static int read_hit(struct bw_report_reader *from, const json_t *element,
                    int (*add)(struct bw_report_builder *, const struct bw_pattern_hit *, struct bw_error *))
{
    struct bw_pattern_hit hit = {0};
    const char *name = NULL, *regex = NULL;
    if (bw_reader_name(from, element, "path", &hit.path) || bw_reader_text(from, element, "name", &name) ||
        bw_reader_name(from, element, "regex", &regex) ||
        bw_reader_numbers(from, element, "lines", &hit.lines, &hit.n_lines))
        return -1;
    hit.pattern = name == NULL ? regex : bw_arena_printf(from->arena, "%s=%s", name, regex);
    return hit.pattern == NULL ? bw_arena_spent(from->err) : add(from->builder, &hit, from->err);
}

static int read_secret(struct bw_report_reader *from, const json_t *element)
{
    return read_hit(from, element, bw_report_add_secret);
}

static int read_content(struct bw_report_reader *from, const json_t *element)
{
    return read_hit(from, element, bw_report_add_content);
}

static int read_scan(struct bw_report_reader *from, const json_t *element)
{
    const char *scanner = NULL;
    json_t *findings = NULL;
    if (bw_reader_name(from, element, "scanner", &scanner) || bw_reader_array(from, element, "findings", &findings))
        return -1;
    return bw_reader_findings(from, scanner, findings);
}

static int read_incomplete(struct bw_report_reader *from, const json_t *element)
{
    const char *kind = NULL, *reason = NULL;
    if (bw_reader_name(from, element, "kind", &kind) || bw_reader_name(from, element, "reason", &reason))
        return -1;
    return bw_report_add_incomplete(from->builder, kind, reason, from->err);
}

static int read_warnings(struct bw_report_reader *from, const json_t *document)
{
    const char *const *warnings = NULL;
    size_t count = 0;
    if (bw_reader_texts(from, document, "warnings", &warnings, &count))
        return -1;
    for (size_t i = 0; i < count; i++)
        if (bw_report_add_warning(from->builder, from->err, "%s", warnings[i]))
            return -1;
    return 0;
}

int bw_report_read_own(struct bw_report_reader *from, const json_t *document)
{
    return read_image(from, document) || read_context(from, document) || read_covers(from, document) ||
                   bw_reader_each(from, document, "packages", read_package) ||
                   bw_reader_each(from, document, "files", read_file) ||
                   bw_reader_each(from, document, "verification", read_verification) ||
                   bw_reader_each(from, document, "retrieved_files", read_retrieved) ||
                   bw_reader_each(from, document, "secrets", read_secret) ||
                   bw_reader_each(from, document, "content_search", read_content) ||
                   bw_reader_each(from, document, "malware", read_scan) ||
                   bw_reader_each(from, document, "incomplete", read_incomplete) || read_warnings(from, document)
               ? -1
               : 0;
}

/* An export of the engine is {"image": {"imagedata": ...}}, alone or first in an array. */
static bool is_export(const json_t *document)
{
    return bw_reader_member(bw_reader_member(document, "image"), "imagedata") != NULL;
}

static int read_document(struct bw_report_reader *from, const json_t *root)
{
    const json_t *document = json_is_array(root) && json_array_size(root) == 1 ? json_array_get(root, 0) : root;
    const char *schema = NULL;
    if (!json_is_object(document))
        return bw_reader_fault(from, NULL, "expected an analysis document, found %s", bw_json_type_name(document));
    if (is_export(document))
        return bw_report_read_export(from, document);
    if (bw_reader_name(from, document, "schema", &schema))
        return -1;
    if (strcmp(schema, BW_REPORT_SCHEMA) == 0)
        return bw_report_read_own(from, document);
    if (strcmp(schema, "analysis/1") == 0)
        return bw_report_read_recorded(from, document);
    return bw_reader_fault(from, "schema", "\"%.100s\" is not known, expected \"" BW_REPORT_SCHEMA "\"", schema);
}

int bw_report_read_json(struct bw_report **out, const char *text, size_t len, struct bw_error *err)
{
    json_t *root = NULL;
    if (bw_json_parse(&root, text, len, BW_MAX_ANALYSIS_BYTES, err))
        return bw_error_wrap(err, "analysis document");
    struct bw_report_builder *builder = bw_report_builder_create(BW_ARENA_REPORT);
    struct bw_report_reader from = {.builder = builder,
                                    .head = bw_report_builder_head(builder),
                                    .arena = bw_report_builder_arena(builder),
                                    .list = "",
                                    .index = -1,
                                    .err = err};
    int failed = read_document(&from, root) || bw_report_builder_finish(out, builder, err);
    bw_report_builder_destroy(builder);
    json_decref(root);
    return failed ? bw_error_wrap(err, "analysis document") : 0;
}
