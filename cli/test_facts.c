/* Facts of an image in place: analysis/1 (tests/data/golden/README.md section 4) with short forms, written out and then
 * read by the reader of analysis documents. */
#include "cli/test_facts.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/report_json.h"

#include <stdlib.h>
#include <string.h>

/* ---- which members there are ---- */

struct shape { /* one level: names, and what is below some of them */
    const char *name;
    const struct shape *below; /* NULL: the value is the reader's affair */
};

static const struct shape image_shape[] = {{"id", NULL},          {"digest", NULL},       {"parent_digest", NULL},
                                           {"references", NULL},  {"os", NULL},           {"architecture", NULL},
                                           {"size", NULL},        {"repo_digests", NULL}, {"created_at", NULL},
                                           {"layer_count", NULL}, {"layers", NULL},       {0}};
static const struct shape distro_shape[] = {{"id", NULL}, {"version", NULL}, {"like", NULL}, {0}};
static const struct shape dockerfile_shape[] = {{"mode", NULL}, {"contents", NULL}, {0}};
static const struct shape package_shape[] = {
    {"type", NULL}, {"name", NULL},   {"version", NULL},        {"release", NULL},  {"full_version", NULL},
    {"arch", NULL}, {"source", NULL}, {"origin", NULL},         {"license", NULL},  {"licenses", NULL},
    {"path", NULL}, {"size", NULL},   {"distro", distro_shape}, {"metadata", NULL}, {0}};
static const struct shape file_shape[] = {{"path", NULL}, {"name", NULL},        {"type", NULL}, {"mode", NULL},
                                          {"size", NULL}, {"linkto", NULL},      {"md5", NULL},  {"sha256", NULL},
                                          {"sha1", NULL}, {"is_packaged", NULL}, {"suid", NULL}, {0}};
static const struct shape verification_shape[] = {{"package", NULL},
                                                  {"package_type", NULL},
                                                  {"package_version", NULL},
                                                  {"package_arch", NULL},
                                                  {"package_path", NULL},
                                                  {"path", NULL},
                                                  {"config_file", NULL},
                                                  {"digest", NULL},
                                                  {"digest_algorithm", NULL},
                                                  {"mode", NULL},
                                                  {"size", NULL},
                                                  {"user", NULL},
                                                  {"group", NULL},
                                                  {0}};
static const struct shape retrieved_shape[] = {{"path", NULL}, {"content", NULL}, {"content_base64", NULL}, {0}};
static const struct shape match_shape[] = {{"pattern", NULL}, {"lines", NULL}, {0}};
static const struct shape hit_shape[] = {{"path", NULL}, {"matches", match_shape}, {0}};
static const struct shape signature_shape[] = {{"path", NULL}, {"signature", NULL}, {0}};
static const struct shape scan_shape[] = {{"scanner", NULL}, {"metadata", NULL}, {"findings", signature_shape}, {0}};
static const struct shape malware_shape[] = {{"scanner", NULL}, {"result", scan_shape}, {0}};
static const struct shape facts_shape[] = {{"schema", NULL},
                                           {"name", NULL},
                                           {"image", image_shape},
                                           {"distro", distro_shape},
                                           {"dockerfile", dockerfile_shape},
                                           {"user", NULL},
                                           {"config", NULL},
                                           {"packages", package_shape},
                                           {"files", file_shape},
                                           {"verification", verification_shape},
                                           {"retrieved_files", retrieved_shape},
                                           {"secrets", hit_shape},
                                           {"content_search", hit_shape},
                                           {"malware", malware_shape},
                                           {0}};
enum { MAX_SHAPE = 16 };

/* Only maps are looked into: that a value is of another type is told by the reader. Depth is that of the shapes. */
static int check_shape(struct bw_test_reader *reader, const struct shape *shape, const json_t *node,
                       const char *pointer)
{
    const char *names[MAX_SHAPE], *name;
    json_t *value;
    size_t n = 0;
    int status = 0;
    for (size_t i = 0; i < json_array_size(node); i++) {
        const json_t *element = json_array_get(node, i);
        if (json_is_object(element) && check_shape(reader, shape, element, bw_test_element(reader, pointer, i)) != 0) {
            status = -1;
        }
    }
    for (; shape[n].name != NULL; n++) {
        names[n] = shape[n].name;
    }
    json_object_foreach((json_t *)(uintptr_t)node, name, value)
    {
        size_t i = 0;
        while (i < n && strcmp(names[i], name) != 0) {
            i++;
        }
        if (i == n) {
            status = bw_test_fault(reader, "unknown_key", bw_test_below(reader, pointer, name),
                                   bw_suggest(name, names, n), "no such key");
        } else if (shape[i].below != NULL && (json_is_object(value) || json_is_array(value)) &&
                   !(strcmp(name, "dockerfile") == 0 && json_is_array(value)) &&
                   check_shape(reader, shape[i].below, value, bw_test_below(reader, pointer, name)) != 0) {
            status = -1;
        }
    }
    return status;
}

static bool is_text(const json_t *node)
{
    return json_is_string(node) && strlen(json_string_value(node)) == json_string_length(node);
}

static int check_short_forms(struct bw_test_reader *reader, const json_t *facts, const char *pointer)
{
    const json_t *schema = json_object_get(facts, "schema"), *user = json_object_get(facts, "user");
    const json_t *dockerfile = json_object_get(facts, "dockerfile"), *config = json_object_get(facts, "config");
    const json_t *retrieved = json_object_get(facts, "retrieved_files");
    int status = 0;
    if (schema != NULL && (!is_text(schema) || strcmp(json_string_value(schema), "analysis/1") != 0)) {
        status = bw_test_fault(reader, "value_invalid", bw_test_below(reader, pointer, "schema"), NULL,
                               "facts are analysis/1; other documents are named by \"analysis\"");
    }
    if (user != NULL && !is_text(user)) {
        status = bw_test_wrong_type(reader, bw_test_below(reader, pointer, "user"), "text (0 in quotes)", user);
    } else if (user != NULL && config != NULL && !json_is_object(config)) {
        status = bw_test_wrong_type(reader, bw_test_below(reader, pointer, "config"), "a map", config);
    } else if (user != NULL && json_object_get(config, "User") != NULL) {
        status = bw_test_fault(reader, "value_invalid", bw_test_below(reader, pointer, "user"), NULL,
                               "expected either user or config/User");
    }
    if (dockerfile != NULL && !is_text(dockerfile) && !json_is_array(dockerfile) && !json_is_object(dockerfile) &&
        !json_is_null(dockerfile)) {
        status = bw_test_wrong_type(reader, bw_test_below(reader, pointer, "dockerfile"),
                                    "text, a list of lines, or a map", dockerfile);
    }
    for (size_t i = 0; json_is_array(dockerfile) && i < json_array_size(dockerfile); i++) {
        if (!is_text(json_array_get(dockerfile, i))) {
            status =
                bw_test_wrong_type(reader, bw_test_element(reader, bw_test_below(reader, pointer, "dockerfile"), i),
                                   "one line of text", json_array_get(dockerfile, i));
        }
    }
    for (size_t i = 0; i < json_array_size(retrieved); i++) {
        const json_t *file = json_array_get(retrieved, i), *content = json_object_get(file, "content");
        const char *place = bw_test_element(reader, bw_test_below(reader, pointer, "retrieved_files"), i);
        if (content != NULL && json_object_get(file, "content_base64") != NULL) {
            status = bw_test_fault(reader, "value_invalid", place, NULL, "expected either content or content_base64");
        } else if (content != NULL && !json_is_string(content)) {
            status = bw_test_wrong_type(reader, bw_test_below(reader, place, "content"), "text", content);
        }
    }
    return status;
}

int bw_test_facts_check(struct bw_test_reader *reader, const json_t *facts, const char *pointer)
{
    if (!json_is_object(facts)) {
        return bw_test_wrong_type(reader, pointer, "a map", facts);
    }
    int status = check_short_forms(reader, facts, pointer);
    const json_t *vulnerabilities = json_object_get(facts, "vulnerabilities");
    if (vulnerabilities != NULL) {
        return bw_test_fault(reader, "unknown_key", bw_test_below(reader, pointer, "vulnerabilities"), NULL,
                             "vulnerabilities are no part of an analysis: they stand beside facts");
    }
    return check_shape(reader, facts_shape, facts, pointer) != 0 ? -1 : status;
}

/* ---- writing out ---- */

/* A guessed Dockerfile, as every image from a registry has; without one, that of an image made from nothing. */
static void write_out_dockerfile(json_t *facts)
{
    const json_t *given = json_object_get(facts, "dockerfile");
    struct bw_buf lines;
    bw_buf_init(&lines, BW_MAX_TEST_BYTES);
    if (given == NULL) {
        bw_buf_puts(&lines, "FROM scratch\n");
    } else if (json_is_string(given)) {
        bw_buf_puts(&lines, json_string_value(given));
    }
    for (size_t i = 0; i < json_array_size(given); i++) {
        bw_buf_puts(&lines, json_string_value(json_array_get(given, i)));
        bw_buf_puts(&lines, "\n");
    }
    if (given == NULL || json_is_string(given) || json_is_array(given)) {
        (void)json_object_set_new(
            facts, "dockerfile",
            json_pack("{s:s, s:s%}", "mode", "Guessed", "contents", lines.data == NULL ? "" : lines.data, lines.len));
    }
    bw_buf_clear(&lines);
}

static void write_out_user(json_t *facts)
{
    json_t *user = json_object_get(facts, "user"), *config = json_object_get(facts, "config");
    if (user == NULL) {
        return;
    }
    if (config == NULL) {
        config = json_object();
        (void)json_object_set_new(facts, "config", config);
    }
    (void)json_object_set(config, "User", user);
    (void)json_object_del(facts, "user");
}

/* What a package's or a file's record always has, where it follows from the rest. */
static void write_out_records(json_t *facts)
{
    json_t *packages = json_object_get(facts, "packages"), *files = json_object_get(facts, "files");
    for (size_t i = 0; i < json_array_size(packages); i++) {
        json_t *package = json_array_get(packages, i);
        const char *version = json_string_value(json_object_get(package, "version"));
        const char *release = json_string_value(json_object_get(package, "release"));
        if (version != NULL && json_object_get(package, "full_version") == NULL) {
            bool released = release != NULL && release[0] != '\0' && strcmp(release, "N/A") != 0;
            (void)json_object_set_new(package, "full_version",
                                      released ? json_sprintf("%s-%s", version, release) : json_string(version));
        }
    }
    for (size_t i = 0; i < json_array_size(files); i++) {
        json_t *file = json_array_get(files, i);
        if (json_is_object(file) && json_object_get(file, "type") == NULL) {
            (void)json_object_set_new(file, "type", json_string("file"));
        }
    }
}

static int write_out_retrieved(json_t *facts, struct bw_arena *arena, struct bw_error *err)
{
    json_t *retrieved = json_object_get(facts, "retrieved_files");
    for (size_t i = 0; i < json_array_size(retrieved); i++) {
        json_t *file = json_array_get(retrieved, i), *content = json_object_get(file, "content");
        if (content == NULL) {
            continue;
        }
        char *packed = bw_base64_encode(json_string_value(content), json_string_length(content), arena);
        if (packed == NULL) {
            return bw_arena_spent(err);
        }
        (void)json_object_set_new(file, "content_base64", json_string(packed));
        (void)json_object_del(file, "content");
    }
    return 0;
}

static void write_out_platform(json_t *facts, const struct bw_platform *platform)
{
    json_t *image = json_object_get(facts, "image");
    if (image == NULL) {
        image = json_object();
        (void)json_object_set_new(facts, "image", image);
    }
    if (json_object_get(image, "os") == NULL && json_object_get(image, "architecture") == NULL) {
        (void)json_object_set_new(image, "os", json_string(platform->os));
        (void)json_object_set_new(image, "architecture", json_string(platform->architecture));
    }
}

/* "analysis document: /files/2/mode: ..." names the place in front, which is taken off. */
static const char *take_place(struct bw_error *err, struct bw_arena *arena)
{
    const char *place = strstr(err->message, ": /"), *end = place == NULL ? NULL : strstr(place + 2, ": ");
    const char *made = end == NULL ? NULL : bw_arena_strndup(arena, place + 2, (size_t)(end - place) - 2);
    if (made == NULL) {
        return "";
    }
    memmove(err->message, end + 2, strlen(end + 2) + 1);
    return made;
}

int bw_test_facts_report(struct bw_report **out, const char **pointer_out, const json_t *facts,
                         const struct bw_platform *platform, struct bw_arena *arena, struct bw_error *err)
{
    json_t *copy = json_deep_copy(facts);
    *pointer_out = "";
    if (copy == NULL) {
        abort();
    }
    (void)json_object_set_new(copy, "schema", json_string("analysis/1"));
    write_out_dockerfile(copy);
    write_out_user(copy);
    write_out_records(copy);
    if (platform != NULL) {
        write_out_platform(copy, platform);
    }
    int status = write_out_retrieved(copy, arena, err);
    char *text = status != 0 ? NULL : json_dumps(copy, JSON_COMPACT);
    json_decref(copy);
    if (status == 0 && text == NULL) {
        return bw_error_set(err, BW_EINPUT, "facts that are no JSON");
    }
    if (status == 0 && bw_report_read_json(out, text, strlen(text), err) != 0) {
        *pointer_out = take_place(err, arena);
        status = -1;
    }
    free(text);
    return status;
}
