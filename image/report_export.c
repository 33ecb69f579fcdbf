/* The analysis part of an Anchore Engine export: {"image": {"imageId", "imagedata": {"analysis_report",
 * "image_report"}}}. In the analysis report every list is <module>.<list>.base, an object from path or name to a
 * record, which is JSON itself or JSON inside a string; absent values are the word "N/A". */
#include "image/report_reader.h"

#include <stdio.h>
#include <string.h>

static const char *available(const char *text)
{
    return text == NULL || *text == '\0' || strcmp(text, "N/A") == 0 ? NULL : text;
}

/* A member that is a number, or decimal text. */
static int loose_number(const struct bw_report_reader *from, const json_t *object, const char *key, unsigned base,
                        int64_t *out)
{
    const char *text = NULL;
    uint64_t value = 0;
    if (!json_is_string(json_object_get(object, key)))
        return bw_reader_number(from, object, key, out);
    if (bw_reader_text(from, object, key, &text))
        return -1;
    if (available(text) == NULL)
        return 0;
    if (base == 8 && strncmp(text, "0o", 2) == 0)
        text += 2;
    if (bw_str_uint(&value, bw_str_from(text), base, INT64_MAX))
        return bw_reader_fault(from, key, "\"%.40s\" is no number", text);
    *out = (int64_t)value;
    return 0;
}

static const json_t *base_of(const json_t *analysis, const char *module, const char *list)
{
    return json_object_get(json_object_get(json_object_get(analysis, module), list), "base");
}

/* Calls read() with the key in from->key and the record as a tree. */
static int each_record(struct bw_report_reader *from, const json_t *analysis, const char *module, const char *list,
                       int (*read)(struct bw_report_reader *from, const json_t *record, void *payload), void *payload)
{
    struct bw_report_reader inside = *from;
    const char *key;
    json_t *value;
    inside.list = bw_arena_printf(from->arena, "/%s/%s/base", module, list);
    if (inside.list == NULL)
        return bw_arena_spent(from->err);
    json_object_foreach((json_t *)base_of(analysis, module, list), key, value)
    {
        json_t *parsed = NULL;
        inside.key = key;
        if (json_is_string(value)) {
            struct bw_error why = {0};
            if (bw_json_parse(&parsed, json_string_value(value), json_string_length(value), SIZE_MAX, &why))
                return bw_reader_fault(&inside, NULL, "%.200s", why.message);
        }
        int failed = read(&inside, parsed ? parsed : value, payload);
        json_decref(parsed);
        if (failed)
            return -1;
    }
    return 0;
}

/* ---- image ---- */

static int read_layers(struct bw_report_reader *from, const json_t *image)
{
    const char *const *texts = NULL;
    size_t count = 0;
    if (bw_reader_texts(from, image, "layers", &texts, &count))
        return -1;
    struct bw_report_layer *layers = bw_arena_array(from->arena, count, sizeof(*layers));
    if (layers == NULL)
        return bw_arena_spent(from->err);
    for (size_t i = 0; i < count; i++) {
        const char *text = strchr(texts[i], ':') ? texts[i] : bw_arena_printf(from->arena, "sha256:%s", texts[i]);
        struct bw_error why = {0};
        if (text == NULL)
            return bw_arena_spent(from->err);
        if (bw_digest_parse(&layers[i].digest, text, strlen(text), &why))
            return bw_reader_fault(from, "layers", "%.200s", why.message);
    }
    from->head->layers = layers;
    from->head->n_layers = count;
    from->head->layer_count = (int64_t)count;
    return 0;
}

static int read_repo_digest(struct bw_report_reader *from, const json_t *docker)
{
    const json_t *first = json_array_get(json_object_get(docker, "RepoDigests"), 0);
    const char *at = json_is_string(first) ? strchr(json_string_value(first), '@') : NULL;
    struct bw_error why = {0};
    if (at != NULL && bw_digest_parse(&from->head->digest, at + 1, strlen(at + 1), &why))
        return bw_reader_fault(from, "RepoDigests", "%.200s", why.message);
    return 0;
}

static int read_image(struct bw_report_reader *from, const json_t *image, const json_t *image_report)
{
    struct bw_report *head = from->head;
    struct bw_report_reader inside = *from;
    json_t *meta = NULL, *docker = NULL;
    inside.list = "/image";
    if (bw_reader_keep(&inside, image, "imageId", &head->id))
        return -1;
    inside.list = "/image/imagedata/image_report";
    return bw_reader_object(&inside, image_report, "meta", &meta) ||
                   bw_reader_object(&inside, image_report, "docker_data", &docker) ||
                   loose_number(&inside, meta, "sizebytes", 10, &head->size) ||
                   bw_reader_keep(&inside, docker, "Architecture", &head->architecture) ||
                   bw_reader_keep(&inside, docker, "Os", &head->os) ||
                   bw_reader_keep(&inside, docker, "Created", &head->created) || read_repo_digest(&inside, docker) ||
                   bw_reader_keep(&inside, image_report, "dockerfile_mode", &head->dockerfile_mode) ||
                   bw_reader_keep(&inside, image_report, "dockerfile_contents", &head->dockerfile) ||
                   read_layers(&inside, image_report)
               ? -1
               : 0;
}

static int read_distro(struct bw_report_reader *from, const json_t *analysis)
{
    const json_t *meta = base_of(analysis, "analyzer_meta", "analyzer_meta");
    if (meta == NULL)
        meta = json_object_get(json_object_get(analysis, "analyzer_meta"), "base");
    struct bw_report_reader inside = *from;
    inside.list = "/analyzer_meta";
    return bw_reader_keep(&inside, meta, "DISTRO", &from->head->distro) ||
                   bw_reader_keep(&inside, meta, "DISTROVERS", &from->head->distro_version) ||
                   bw_reader_keep(&inside, meta, "LIKEDISTRO", &from->head->distro_like)
               ? -1
               : 0;
}

/* ---- packages ---- */

static int add_package(struct bw_report_reader *from, struct bw_package *package)
{
    package->release = available(package->release);
    package->full_version = package->version;
    if (package->release != NULL && package->version != NULL &&
        (package->full_version = bw_arena_printf(from->arena, "%s-%s", package->version, package->release)) == NULL)
        return bw_arena_spent(from->err);
    package->arch = available(package->arch);
    package->source_name = available(package->source_name);
    package->origin = available(package->origin);
    if (package->n_licenses == 0 && available(package->license) != NULL) {
        package->licenses = &package->license;
        package->n_licenses = 1;
    }
    return bw_report_add_package(from->builder, package, from->err);
}

static int read_common(struct bw_report_reader *from, const json_t *record, struct bw_package *package)
{
    return bw_reader_text(from, record, "arch", &package->arch) ||
                   bw_reader_text(from, record, "sourcepkg", &package->source_name) ||
                   bw_reader_text(from, record, "origin", &package->origin) ||
                   bw_reader_text(from, record, "license", &package->license) ||
                   loose_number(from, record, "size", 10, &package->size)
               ? -1
               : 0;
}

static int read_os_package(struct bw_report_reader *from, const json_t *record, void *payload)
{
    struct bw_package package = {.name = from->key, .location = "pkgdb", .size = -1};
    (void)payload;
    if (bw_reader_name(from, record, "type", &package.type) ||
        bw_reader_text(from, record, "version", &package.version) ||
        bw_reader_text(from, record, "release", &package.release) || read_common(from, record, &package))
        return -1;
    return add_package(from, &package);
}

/* npm and gem: lists of versions (the first counts) and of licences. */
static int read_listed_package(struct bw_report_reader *from, const json_t *record, void *type)
{
    struct bw_package package = {.type = type, .location = from->key, .size = -1, .distro = type};
    const char *const *versions = NULL;
    size_t n_versions = 0;
    if (bw_reader_name(from, record, "name", &package.name) ||
        bw_reader_texts(from, record, "versions", &versions, &n_versions) ||
        bw_reader_texts(from, record, "lics", &package.licenses, &package.n_licenses) ||
        bw_reader_text(from, record, "sourcepkg", &package.source_name))
        return -1;
    package.version = n_versions ? versions[0] : NULL;
    const char *joined = "";
    for (size_t i = 0; i < package.n_licenses && joined != NULL; i++)
        joined = bw_arena_printf(from->arena, "%s%s%s", joined, i ? " " : "", package.licenses[i]);
    if (joined == NULL)
        return bw_arena_spent(from->err);
    package.license = joined;
    return add_package(from, &package);
}

static int read_plain_package(struct bw_report_reader *from, const json_t *record, void *type)
{
    struct bw_package package = {.type = type, .location = from->key, .size = -1, .distro = type};
    if (bw_reader_name(from, record, "name", &package.name) ||
        bw_reader_text(from, record, "version", &package.version) || read_common(from, record, &package))
        return -1;
    return add_package(from, &package);
}

/* "name-1.2.3" -> "1.2.3" */
static const char *version_in_name(const char *name)
{
    for (const char *dash = strchr(name, '-'); dash != NULL; dash = strchr(dash + 1, '-')) {
        const char *end = dash + 1 + strspn(dash + 1, "0123456789");
        if (end > dash + 1 && *end == '.')
            return dash + 1;
    }
    return NULL;
}

static int pom_version(struct bw_report_reader *from, const json_t *record, const char **out)
{
    const json_t *pom = json_object_get(json_object_get(record, "metadata"), "pom.properties");
    if (!json_is_string(pom))
        return 0;
    struct bw_str rest = bw_str_from(json_string_value(pom)), line;
    while (bw_str_next_line(&line, &rest))
        if (bw_str_starts_with(line, "version=") && line.len > strlen("version=")) {
            *out = bw_arena_strndup(from->arena, line.base + 8, line.len - 8);
            return *out == NULL ? bw_arena_spent(from->err) : 0;
        }
    return 0;
}

static int read_java_package(struct bw_report_reader *from, const json_t *record, void *payload)
{
    static const char *const keys[] = {"maven-version", "implementation-version", "specification-version"};
    struct bw_package package = {.type = "java", .location = from->key, .size = -1, .distro = "java"};
    (void)payload;
    if (bw_reader_name(from, record, "name", &package.name) || pom_version(from, record, &package.version))
        return -1;
    for (size_t i = 0; i < BW_LENGTH(keys) && available(package.version) == NULL; i++)
        if (bw_reader_text(from, record, keys[i], &package.version))
            return -1;
    if (available(package.version) == NULL)
        package.version = version_in_name(package.name);
    package.license = "N/A";
    return add_package(from, &package);
}

static int read_packages(struct bw_report_reader *from, const json_t *analysis)
{
    static const struct {
        const char *list;
        const char *type;
        int (*read)(struct bw_report_reader *from, const json_t *record, void *type);
    } kinds[] = {
        {"pkgs.allinfo", NULL, read_os_package},       {"pkgs.npms", "npm", read_listed_package},
        {"pkgs.gems", "gem", read_listed_package},     {"pkgs.python", "python", read_plain_package},
        {"pkgs.java", "java", read_java_package},      {"pkgs.go", "go", read_plain_package},
        {"pkgs.binary", "binary", read_plain_package},
    };
    for (size_t i = 0; i < BW_LENGTH(kinds); i++)
        if (each_record(from, analysis, "package_list", kinds[i].list, kinds[i].read, (void *)kinds[i].type))
            return -1;
    return 0;
}

/* ---- files ---- */

struct checksums {
    const json_t *sha256, *sha1, *md5;
};

static int read_file(struct bw_report_reader *from, const json_t *record, void *payload)
{
    static const char *const words[] = {
        [BW_FILE_REGULAR] = "file", [BW_FILE_DIRECTORY] = "dir", [BW_FILE_SYMLINK] = "slink", [BW_FILE_DEVICE] = "dev"};
    const struct checksums *sums = payload;
    struct bw_report_file file = {
        .path = from->key, .type = BW_FILE_OTHER, .size = -1, .uid = -1, .gid = -1, .layer = -1};
    const char *type = "";
    int64_t mode = 0;
    if (bw_reader_text(from, record, "type", &type) || loose_number(from, record, "mode", 10, &mode) ||
        loose_number(from, record, "size", 10, &file.size) || loose_number(from, record, "uid", 10, &file.uid) ||
        loose_number(from, record, "gid", 10, &file.gid) || bw_reader_text(from, record, "linkdst", &file.link) ||
        bw_reader_text(from, sums->sha256, from->key, &file.sha256) ||
        bw_reader_text(from, sums->sha1, from->key, &file.sha1) ||
        bw_reader_text(from, sums->md5, from->key, &file.md5))
        return -1;
    if (mode < 0 || mode > UINT32_MAX)
        return bw_reader_fault(from, "mode", "%lld is no file mode", (long long)mode);
    file.mode = (uint32_t)mode;
    for (unsigned i = 0; i < BW_LENGTH(words); i++)
        if (strcmp(words[i], type) == 0)
            file.type = (enum bw_file_type)i;
    if (file.type != BW_FILE_SYMLINK)
        file.link = NULL;
    return bw_report_add_file(from->builder, &file, from->err);
}

static int read_verification(struct bw_report_reader *from, const json_t *list, void *payload)
{
    (void)payload;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *element = json_array_get(list, i);
        struct bw_verification record = {.path = from->key, .mode = -1, .size = -1};
        if (bw_reader_name(from, element, "package", &record.package) ||
            bw_reader_text(from, element, "digestalgo", &record.algorithm) ||
            bw_reader_text(from, element, "digest", &record.digest) ||
            loose_number(from, element, "mode", 8, &record.mode) ||
            loose_number(from, element, "size", 10, &record.size) ||
            bw_reader_flag(from, element, "conffile", &record.config_file))
            return -1;
        if (available(record.digest) == NULL)
            record.digest = NULL;
        if (bw_report_add_verification(from->builder, &record, from->err))
            return -1;
    }
    return 0;
}

/* {base64 of the pattern: [line, ...]} per path; payload says where to. */
static int read_hits(struct bw_report_reader *from, const json_t *record, void *payload)
{
    int (*add)(struct bw_report_builder *, const struct bw_pattern_hit *, struct bw_error *) =
        payload ? bw_report_add_secret : bw_report_add_content;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)record, key, value)
    {
        struct bw_pattern_hit hit = {.path = from->key};
        struct bw_error why = {0};
        char *pattern = NULL;
        size_t len = 0;
        (void)value;
        if (bw_base64_decode(&pattern, &len, key, strlen(key), from->arena, &why) || memchr(pattern, '\0', len))
            return bw_reader_fault(from, NULL, "a pattern that is no base64 text");
        hit.pattern = pattern;
        if (bw_reader_numbers(from, record, key, &hit.lines, &hit.n_lines) || add(from->builder, &hit, from->err))
            return -1;
    }
    return 0;
}

static int read_retrieved(struct bw_report_reader *from, const json_t *analysis)
{
    const json_t *files = base_of(analysis, "retrieve_files", "file_content.all");
    struct bw_report_reader inside = *from;
    const char *key;
    json_t *value;
    inside.list = "/retrieve_files/file_content.all/base";
    json_object_foreach((json_t *)files, key, value)
    {
        struct bw_retrieved_file file = {.path = key};
        (void)value;
        if (bw_reader_base64(&inside, files, key, &file.content, &file.len) ||
            bw_report_add_retrieved(from->builder, &file, from->err))
            return -1;
    }
    return 0;
}

static int read_scan(struct bw_report_reader *from, const json_t *record, void *payload)
{
    json_t *findings = NULL;
    (void)payload;
    if (bw_reader_array(from, record, "findings", &findings))
        return -1;
    return bw_reader_findings(from, from->key, findings);
}

int bw_report_read_export(struct bw_report_reader *from, const json_t *document)
{
    json_t *image = NULL, *data = NULL, *analysis = NULL, *image_report = NULL;
    if (bw_reader_object(from, document, "image", &image) || bw_reader_object(from, image, "imagedata", &data) ||
        bw_reader_object(from, data, "analysis_report", &analysis) ||
        bw_reader_object(from, data, "image_report", &image_report))
        return -1;
    if (analysis == NULL)
        return bw_reader_fault(from, NULL, "an export without image.imagedata.analysis_report");
    struct checksums sums = {base_of(analysis, "file_checksums", "files.sha256sums"),
                             base_of(analysis, "file_checksums", "files.sha1sums"),
                             base_of(analysis, "file_checksums", "files.md5sums")};
    from->head->source = "document";
    return read_image(from, image, image_report) || read_distro(from, analysis) || read_packages(from, analysis) ||
                   each_record(from, analysis, "file_list", "files.allinfo", read_file, &sums) ||
                   each_record(from, analysis, "file_package_verify", "distro.pkgfilemeta", read_verification, NULL) ||
                   each_record(from, analysis, "secret_search", "regexp_matches.all", read_hits, from) ||
                   each_record(from, analysis, "content_search", "regexp_matches.all", read_hits, NULL) ||
                   read_retrieved(from, analysis) ||
                   each_record(from, analysis, "malware", "malware", read_scan, NULL) || bw_reader_assume_covers(from)
               ? -1
               : 0;
}
