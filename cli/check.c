/* breakwater check: every fault of bundles, of ConfigMaps that hold them, in files or in a cluster, and of
 * configuration files, with place and suggestion. */
#include "base/limits.h"
#include "base/str.h"
#include "base/watch_dir.h"
#include "base/yaml.h"
#include "cli/check_output.h"
#include "cli/cluster.h"
#include "cli/settings.h"
#include "cli/test_file.h"
#include "k8s/bundle_map.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const outputs[] = {
    [BW_CHECK_TEXT] = "text", [BW_CHECK_JSON] = "json", [BW_CHECK_SARIF] = "sarif", NULL};

/* Told by the members at the top: one that is a bundle's, or looks like it. No settings' name does. A file without
 * members, or that cannot be parsed, counts as a bundle. */
static bool is_bundle(const json_t *tree)
{
    static const char *const members[] = {"id",
                                          "version",
                                          "name",
                                          "comment",
                                          "description",
                                          "policies",
                                          "whitelists",
                                          "mappings",
                                          "rule_sets",
                                          "allowlists",
                                          "whitelisted_images",
                                          "blacklisted_images",
                                          "allowlisted_images",
                                          "denylisted_images"};
    json_t *value = NULL;
    const char *name = NULL;
    bool found = !json_is_object(tree) || json_object_size(tree) == 0;
    json_object_foreach((json_t *)(uintptr_t)tree, name, value)
    {
        found = found || bw_suggest(name, members, BW_LENGTH(members)) != NULL;
    }
    return found;
}

/* Whether warnings count. */
static bool is_strict(const struct bw_arguments *arguments)
{
    return bw_argument(arguments, "strict") != NULL;
}

/* What stands at one place, a file or a key of a ConfigMap; name: of a bundle without an id. BW_EXIT_OK,
 * BW_EXIT_STOPPED for faults, BW_EXIT_TROUBLE for what could not be told. */
static int check_text(const struct bw_arguments *arguments, struct bw_check_output *output,
                      const struct bw_check_place *place, const char *name, bool is_bundle_text, const char *text,
                      size_t len)
{
    struct bw_error err = {0};
    struct bw_problems problems;
    bw_problems_init(&problems);
    int status = 0;
    if (is_bundle_text) {
        struct bw_bundle_options options = {.name = name, .now_s = bw_wall_s(), .default_patterns = true};
        struct bw_bundle *bundle = NULL;
        status = bw_bundle_load(&bundle, &problems, text, len, &options, &err);
        if (status == 0) {
            bw_bundle_release(bundle);
        }
    } else {
        struct bw_config *config = NULL;
        status = bw_config_load(&config, &problems, text, len, &err);
        if (status == 0) {
            bw_config_release(config);
        }
    }
    bool told = problems.n_errors > 0, counts = is_strict(arguments) && problems.n_items > 0;
    bw_check_tell(output, place, text, len, &problems);
    bw_problems_clear(&problems);
    if (status != 0 && !told) {
        return bw_trouble(arguments, "%s%s%s: %s", place->file, place->part != NULL ? ": " : "",
                          place->part != NULL ? place->part : "", err.message);
    }
    return status == 0 && !counts ? BW_EXIT_OK : BW_EXIT_STOPPED;
}

/* ---- manifests ---- */

static int worse(int a, int b)
{
    return a > b ? a : b;
}

/* A fault of the manifest around the bundles. */
static int tell(const struct bw_arguments *arguments, struct bw_check_output *output,
                const struct bw_check_place *place, bool error, const char *message)
{
    bw_check_tell_manifest(output, place, error, message);
    return error || is_strict(arguments) ? BW_EXIT_STOPPED : BW_EXIT_OK;
}

struct manifest {            /* where a ConfigMap is from */
    const char *file, *text; /* text NULL: from no file */
    size_t len, document;
    char pointer[32]; /* of the ConfigMap in its document: "/items/3" in a List */
};

/* Where the text of a bundle begins in the manifest. */
static struct bw_yaml_place place_of(const struct manifest *from, const struct bw_map_bundle *bundle,
                                     struct bw_arena *arena)
{
    struct bw_yaml_place place = {0};
    bool packed = bw_str_starts_with(bw_str_from(bundle->field), "binaryData");
    const char *values = bw_json_pointer(from->pointer, packed ? "binaryData" : "data", arena);
    const char *pointer = values == NULL ? NULL : bw_json_pointer(values, bundle->key, arena);
    if (from->text != NULL && pointer != NULL) {
        (void)bw_yaml_locate_scalar(&place, from->text, from->len, from->document, pointer);
    }
    if (packed) {
        place.first_line = 0; /* lines of base64 are none of the bundle */
    }
    return place;
}

/* Without the label a ConfigMap may hold anything: of its texts only those count that say what a bundle says. */
static void keep_bundles(struct bw_bundle_map *map)
{
    size_t n = 0;
    for (size_t i = 0; i < map->n_bundles; i++) {
        const struct bw_map_bundle *bundle = &map->bundles[i];
        json_t *tree = NULL;
        if (bundle->text != NULL && bw_yaml_parse(&tree, bundle->text, bundle->len, BW_MAX_BUNDLE_BYTES, NULL) == 0 &&
            (json_object_get(tree, "policies") != NULL || json_object_get(tree, "rule_sets") != NULL)) {
            map->bundles[n++] = *bundle;
        }
        json_decref(tree);
    }
    map->n_bundles = n;
}

static int check_config_map(const struct bw_arguments *arguments, struct bw_check_output *output,
                            const struct manifest *from, json_t *document)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 2 * (size_t)BW_MAX_BUNDLE_MAP_BYTES);
    struct bw_bundle_map map = {0};
    struct bw_check_place place = {.file = from->file};
    struct bw_error err = {0};
    int worst = BW_EXIT_OK;
    if (bw_bundle_map_read(&map, bw_json_root(document), &arena, &err) != 0) {
        return tell(arguments, output, &place, true, err.message);
    }
    if (map.label == NULL) {
        keep_bundles(&map);
    }
    const char *whole = bw_arena_printf(&arena, "ConfigMap %s", map.name);
    place.part = whole;
    if (map.n_bundles == 0 && map.label == NULL) {
        return BW_EXIT_OK; /* some other ConfigMap */
    }
    if (map.label == NULL) {
        worst = worse(worst, tell(arguments, output, &place, false,
                                  "without the label breakwater.io/bundle its bundles are not seen in a cluster"));
    }
    const char *const *remarks = NULL;
    if (bw_bundle_map_remarks(&remarks, &map, &arena, &err) != 0) {
        return bw_trouble(arguments, "%s: %s", from->file, err.message);
    }
    for (size_t i = 0; remarks[i] != NULL; i++) {
        worst = worse(worst, tell(arguments, output, &place, false, remarks[i]));
    }
    for (size_t i = 0; i < map.n_bundles; i++) {
        const struct bw_map_bundle *bundle = &map.bundles[i];
        char name[256];
        place.part = whole == NULL ? NULL : bw_arena_printf(&arena, "%s %s", whole, bundle->field);
        if (place.part == NULL) {
            return bw_trouble(arguments, "%s: too much to look at in one ConfigMap", from->file);
        }
        bw_bundle_name_of(name, sizeof(name), bundle->key);
        place.field = bundle->field;
        place.at = place_of(from, bundle, &arena);
        worst = worse(worst, bundle->text == NULL
                                 ? tell(arguments, output, &place, true, bundle->error.message)
                                 : check_text(arguments, output, &place, name, true, bundle->text, bundle->len));
    }
    return worst;
}

static bool is_kind(const json_t *document, const char *kind)
{
    const char *text = json_string_value(json_object_get(document, "kind"));
    return text != NULL && strcmp(text, kind) == 0 && json_is_string(json_object_get(document, "apiVersion"));
}

static bool is_manifest(const json_t *stream)
{
    bool found = false;
    for (size_t i = 0; i < json_array_size(stream) && !found; i++) {
        const json_t *document = json_array_get(stream, i);
        found = json_is_string(json_object_get(document, "apiVersion")) &&
                json_is_string(json_object_get(document, "kind"));
    }
    return found;
}

/* The ConfigMaps of a manifest, those of Lists among them. */
static int check_manifest(const struct bw_arguments *arguments, struct bw_check_output *output, struct manifest *from,
                          const json_t *stream)
{
    int worst = BW_EXIT_OK;
    for (from->document = 0; from->document < json_array_size(stream); from->document++) {
        json_t *document = json_array_get(stream, from->document), *items = json_object_get(document, "items");
        from->pointer[0] = '\0';
        if (is_kind(document, "ConfigMap")) {
            worst = worse(worst, check_config_map(arguments, output, from, document));
        }
        bool list = is_kind(document, "List") || is_kind(document, "ConfigMapList");
        for (size_t j = 0; list && j < json_array_size(items); j++) {
            (void)snprintf(from->pointer, sizeof(from->pointer), "/items/%zu", j);
            if (is_kind(json_array_get(items, j), "ConfigMap")) {
                worst = worse(worst, check_config_map(arguments, output, from, json_array_get(items, j)));
            }
        }
    }
    return worst;
}

static int check_file(const struct bw_arguments *arguments, struct bw_check_output *output, const char *operand)
{
    bool from_stdin = strcmp(operand, "-") == 0;
    const char *path = from_stdin ? "stdin" : operand;
    struct bw_error err = {0};
    char *text = NULL, name[256];
    size_t len = 0;
    if (bw_file_read(&text, &len, from_stdin ? "/dev/stdin" : path, BW_MAX_BUNDLE_BYTES, &err) != 0) {
        return bw_trouble(arguments, "%s", err.message);
    }
    json_t *stream = NULL;
    if (bw_yaml_parse_stream(&stream, text, len, BW_MAX_BUNDLE_BYTES, NULL) != 0) {
        stream = NULL; /* what is wrong with it is told by who loads it */
    }
    struct manifest from = {.file = path, .text = text, .len = len};
    const struct bw_check_place place = {.file = path};
    int worst;
    if (is_manifest(stream)) {
        worst = check_manifest(arguments, output, &from, stream);
    } else {
        bw_bundle_name_of(name, sizeof(name), path);
        worst = check_text(arguments, output, &place, name, is_bundle(json_array_get(stream, 0)), text, len);
    }
    json_decref(stream);
    free(text);
    return worst;
}

static int is_document(const struct dirent *entry)
{
    struct bw_str name = bw_str_from(entry->d_name);
    return entry->d_name[0] != '.' && !bw_test_file_named(entry->d_name) &&
           (bw_str_ends_with(name, ".json") || bw_str_ends_with(name, ".yaml") || bw_str_ends_with(name, ".yml"));
}

/* The same files of a folder that `serve --bundles` reads, by name; folders in it are not entered. */
static int check_operand(const struct bw_arguments *arguments, struct bw_check_output *output, const char *operand)
{
    struct stat about;
    struct dirent **entries = NULL;
    if (stat(operand, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return check_file(arguments, output, operand);
    }
    int n = scandir(operand, &entries, is_document, alphasort), worst = BW_EXIT_OK;
    if (n <= 0) {
        free(entries);
        return n < 0 ? bw_trouble(arguments, "%s: %s", operand, strerror(errno))
                     : bw_trouble(arguments, "%s: no file ending in .json, .yaml or .yml", operand);
    }
    for (int i = 0; i < n; i++) {
        char path[4096];
        int length = snprintf(path, sizeof(path), "%s/%s", operand, entries[i]->d_name);
        int status = length < 0 || (size_t)length >= sizeof(path)
                         ? bw_trouble(arguments, "%s: the path of %s is too long", operand, entries[i]->d_name)
                     : stat(path, &about) == 0 && S_ISDIR(about.st_mode) ? BW_EXIT_OK
                                                                         : check_file(arguments, output, path);
        worst = status > worst ? status : worst;
        free(entries[i]);
    }
    free(entries);
    return worst;
}

/* ---- a cluster ---- */

struct cluster_check {
    const struct bw_arguments *arguments;
    struct bw_check_output *output;
    size_t n;
    int worst;
};

static void check_in_cluster(void *payload, const char *namespace, json_t *config_map)
{
    struct cluster_check *check = payload;
    char place[128];
    (void)snprintf(place, sizeof(place), "namespace %s", namespace);
    check->n++;
    const struct manifest from = {.file = place};
    check->worst = worse(check->worst, check_config_map(check->arguments, check->output, &from, config_map));
}

static int check_cluster(const struct bw_arguments *arguments, struct bw_check_output *output)
{
    struct cluster_check check = {.arguments = arguments, .output = output, .worst = BW_EXIT_OK};
    struct bw_kube_client *client = NULL;
    struct bw_error err = {0};
    const char *namespace = bw_argument(arguments, "namespace");
    bool everywhere = bw_argument(arguments, "all-namespaces") != NULL;
    if (everywhere && namespace != NULL) {
        return bw_trouble(arguments, "--namespace and --all-namespaces exclude each other");
    }
    if (bw_cluster_open(&client, arguments, &err) != 0) {
        return bw_trouble(arguments, "%s", err.message);
    }
    if (!everywhere && namespace == NULL) {
        namespace = bw_kube_client_namespace(client);
    }
    if (bw_cluster_bundle_maps(client, namespace, check_in_cluster, &check, &err) != 0) {
        check.worst = bw_trouble(arguments, "%s", err.message);
    } else if (check.n == 0) {
        check.worst = bw_trouble(arguments, "%s%s: no ConfigMap has the label breakwater.io/bundle",
                                 everywhere ? "all namespaces" : "namespace ", everywhere ? "" : namespace);
    }
    bw_kube_client_destroy(client);
    return check.worst;
}

/* Whether a cluster is asked, -1 for options that say nothing without --cluster. */
static int wants_cluster(const struct bw_arguments *arguments)
{
    static const char *const names[] = {"kubeconfig", "context", "namespace", "all-namespaces"};
    bool wanted = bw_argument(arguments, "cluster") != NULL;
    for (size_t i = 0; !wanted && i < BW_LENGTH(names); i++) {
        if (bw_argument(arguments, names[i]) != NULL) {
            (void)bw_trouble(arguments, "--%s needs --cluster", names[i]);
            return -1;
        }
    }
    return wanted;
}

static int run(const struct bw_arguments *arguments)
{
    int format = bw_argument_choice(arguments, "output", outputs), cluster = wants_cluster(arguments);
    if (format < 0 || cluster < 0) {
        return BW_EXIT_TROUBLE;
    }
    if (arguments->n_operands == 0 && !cluster) {
        return bw_trouble(
            arguments, "a file is needed: a bundle, a configuration, or a manifest of ConfigMaps; - is standard input");
    }
    int worst = BW_EXIT_OK;
    struct bw_check_output output;
    bw_check_begin(&output, (enum bw_check_format)format);
    for (size_t i = 0; i < arguments->n_operands; i++) {
        worst = worse(worst, check_operand(arguments, &output, arguments->operands[i]));
    }
    if (cluster) {
        worst = worse(worst, check_cluster(arguments, &output));
    }
    bw_check_end(&output, worst != BW_EXIT_TROUBLE);
    return worst;
}

static const struct bw_option options[] = {
    {"output", "FORMAT", "text (default): FILE:LINE:COLUMN: severity: path: message; json; or sarif (2.1.0).", false},
    {"strict", NULL, "Warnings count as errors for the exit status.", false},
    {"cluster", NULL, "The bundles in ConfigMaps of a cluster, instead of files or beside them.", false},
    {"namespace", "NAME", "Of the cluster, in place of the context's own.", false},
    {"all-namespaces", NULL, "Of the cluster: all of them.", false},
    BW_CLUSTER_OPTIONS,
    {0},
};

const struct bw_command bw_command_check = {
    .name = "check",
    .summary = "find every fault of bundles, also in ConfigMaps, and configuration files",
    .synopsis = "breakwater check [--output FORMAT] [--strict] FILE|DIR|-...\nbreakwater check --cluster [--kubeconfig "
                "FILE] [--context NAME] [--namespace NAME|--all-namespaces]",
    .description =
        "Loads each file as `breakwater serve` would and says everything that is wrong with it at once: unknown gates, "
        "triggers and parameters with the nearest known word, values that do not fit, patterns that do not compile, "
        "and, as "
        "warnings, rules that can never match. Whether a file is a bundle, a configuration, or a Kubernetes manifest "
        "with "
        "ConfigMaps that hold bundles is told by its content. Lines are those of the file where a ConfigMap holds a "
        "bundle as a literal block (|); elsewhere in one, which is said, they are those of the text in the key. Of a "
        "folder, the files ending in .json, .yaml or .yml are checked, tests of bundles left out; - is "
        "standard input.\n\n"
        "With --cluster the ConfigMaps are asked of the API server that a kubeconfig names: those that carry the label "
        "breakwater.io/bundle, as `breakwater serve` finds them there. The right to list ConfigMaps is all it takes.",
    .options = options,
    .exit_status =
        "0 no errors (warnings are allowed without --strict), 1 errors were found, 2 a file could not be read, or the "
        "cluster not asked.",
    .examples = "  breakwater check bundles/*.json config.yaml\n"
                "  breakwater check --cluster --context staging --namespace breakwater",
    .run = run,
};
