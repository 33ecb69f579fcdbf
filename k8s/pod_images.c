/*
 * Where Kubernetes objects name images: one table of workload kinds (path of the pod spec), one of the lists in a pod
 * spec, and the custom kinds of the configuration. An object that does not have the shape of its kind is refused: the
 * API server has validated it before, so it is a version that we do not know.
 */
#include "k8s/pod_images.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const struct bw_workload workloads[] = {
    {"", "Pod", "pods", "", "spec", false},
    {"", "Pod", "pods", "ephemeralcontainers", "spec", false},
    {"", "PodTemplate", "podtemplates", "", "template.spec", true},
    {"", "ReplicationController", "replicationcontrollers", "", "spec.template.spec", true},
    {"apps", "Deployment", "deployments", "", "spec.template.spec", true},
    {"apps", "ReplicaSet", "replicasets", "", "spec.template.spec", true},
    {"apps", "StatefulSet", "statefulsets", "", "spec.template.spec", true},
    {"apps", "DaemonSet", "daemonsets", "", "spec.template.spec", true},
    {"batch", "Job", "jobs", "", "spec.template.spec", true},
    {"batch", "CronJob", "cronjobs", "", "spec.jobTemplate.spec.template.spec", true},
};

const struct bw_image_list bw_image_lists[BW_IMAGE_LISTS] = {
    {"containers", BW_CONTAINER},
    {"initContainers", BW_INIT_CONTAINER},
    {"ephemeralContainers", BW_EPHEMERAL_CONTAINER},
    {"volumes", BW_IMAGE_VOLUME},
};

static const char *const imageless[] = {"status", "scale",  "resize", "binding",     "eviction",
                                        "exec",   "attach", "log",    "portforward", "proxy"};

const struct bw_workload *bw_workload_find(const char *group, const char *resource, const char *subresource)
{
    for (size_t i = 0; i < BW_LENGTH(workloads); i++)
        if (strcmp(workloads[i].resource, resource) == 0 && strcmp(workloads[i].group, group) == 0 &&
            strcmp(workloads[i].subresource, subresource) == 0)
            return &workloads[i];
    return NULL;
}

const struct bw_workload *bw_workload_of_kind(const char *group, const char *kind)
{
    for (size_t i = 0; i < BW_LENGTH(workloads); i++)
        if (strcmp(workloads[i].kind, kind) == 0 && strcmp(workloads[i].group, group) == 0)
            return &workloads[i];
    return NULL;
}

bool bw_subresource_imageless(const char *subresource)
{
    for (size_t i = 0; i < BW_LENGTH(imageless); i++)
        if (strcmp(imageless[i], subresource) == 0)
            return true;
    return false;
}

const char *bw_image_field(const char *path, const struct bw_image_list *list, size_t index, struct bw_arena *arena)
{
    char number[24];
    const char *end = list->kind == BW_IMAGE_VOLUME ? ".image.reference" : ".image";
    size_t path_len = strlen(path), key_len = strlen(list->key), end_len = strlen(end);
    int number_len = snprintf(number, sizeof(number), "[%zu]", index);
    char *field = bw_arena_alloc(arena, path_len + key_len + (size_t)number_len + end_len + 2);
    if (!field)
        return NULL;
    char *at = field;
    memcpy(at, path, path_len);
    at += path_len;
    *at++ = '.';
    memcpy(at, list->key, key_len);
    at += key_len;
    memcpy(at, number, (size_t)number_len);
    at += number_len;
    memcpy(at, end, end_len + 1);
    return field;
}

/* ---- walking ---- */

struct walk {
    struct bw_arena *arena;
    struct bw_error *err;
    struct bw_pod_image *images;
    size_t n_images, capacity;
    bool template;
};

static int add_image(struct walk *walk, enum bw_image_kind kind, const char *container, const char *field,
                     const json_t *text)
{
    if (text && !json_is_string(text))
        return bw_error_set(walk->err, BW_EINPUT, "%.300s: expected a string, found %s", field,
                            bw_json_type_name(text));
    size_t len = json_string_length(text);
    if (len == 0 && walk->template) /* left to be filled in by a tool; the pods made from it are looked at */
        return 0;
    if (walk->n_images == BW_MAX_POD_IMAGES)
        return bw_error_set(walk->err, BW_ELIMIT, "the object names more than %d images", BW_MAX_POD_IMAGES);
    if (bw_arena_grow(walk->arena, (void **)&walk->images, walk->n_images, &walk->capacity, sizeof(*walk->images),
                      walk->err))
        return -1;
    const char *name = bw_arena_strdup(walk->arena, container);
    const char *copy = bw_arena_strndup(walk->arena, len ? json_string_value(text) : "", len);
    if (!name || !copy)
        return bw_arena_spent(walk->err);
    walk->images[walk->n_images++] = (struct bw_pod_image){kind, name, field, copy, len};
    return 0;
}

/* A member that may be absent or null; anything but an object is refused under its name. */
static int member_object(json_t **out, const json_t *at, const char *key, const char *path, struct bw_error *err)
{
    json_t *node = json_object_get(at, key);
    if (json_is_null(node))
        node = NULL;
    if (node && !json_is_object(node))
        return bw_error_set(err, BW_EINPUT, "%.200s.%.80s: expected an object, found %s", path, key,
                            bw_json_type_name(node));
    *out = node;
    return 0;
}

static const char *text_of(const json_t *node)
{
    return json_is_string(node) ? json_string_value(node) : "";
}

static int walk_element(struct walk *walk, const char *path, const struct bw_image_list *list, size_t index,
                        const json_t *element)
{
    const char *field = bw_image_field(path, list, index, walk->arena);
    if (!field)
        return bw_arena_spent(walk->err);
    if (!json_is_object(element))
        return bw_error_set(walk->err, BW_EINPUT, "%.200s.%s[%zu]: expected an object, found %s", path, list->key,
                            index, bw_json_type_name(element));
    const json_t *image = json_object_get(element, "image");
    if (list->kind == BW_IMAGE_VOLUME) { /* most volumes are of other kinds */
        json_t *source = NULL;
        if (!image || json_is_null(image))
            return 0;
        if (member_object(&source, element, "image", field, walk->err))
            return -1;
        image = json_object_get(source, "reference");
    }
    if (json_is_null(image))
        image = NULL;
    return add_image(walk, list->kind, text_of(json_object_get(element, "name")), field, image);
}

static int walk_pod_spec(struct walk *walk, const char *path, const json_t *spec)
{
    for (size_t i = 0; i < BW_IMAGE_LISTS; i++) {
        const struct bw_image_list *list = &bw_image_lists[i];
        const json_t *elements = json_object_get(spec, list->key);
        if (!elements || json_is_null(elements))
            continue;
        if (!json_is_array(elements))
            return bw_error_set(walk->err, BW_EINPUT, "%.200s.%s: expected an array, found %s", path, list->key,
                                bw_json_type_name(elements));
        for (size_t index = 0; index < json_array_size(elements); index++)
            if (walk_element(walk, path, list, index, json_array_get(elements, index)))
                return -1;
    }
    return 0;
}

/* The object at a dotted path; NULL when a part of it is absent or null. */
static int walk_path(json_t **out, json_t *object, const char *path, struct walk *walk)
{
    json_t *at = object;
    struct bw_str rest = bw_str_from(path), name;
    while (at && bw_str_next(&name, &rest, '.')) {
        char key[128];
        if (name.len >= sizeof(key))
            return bw_error_set(walk->err, BW_EINPUT, "the path '%.200s' has a name of more than 127 bytes", path);
        memcpy(key, name.base, name.len);
        key[name.len] = '\0';
        json_t *next = NULL;
        if (member_object(&next, at, key, path, walk->err))
            return -1;
        at = next;
    }
    *out = at;
    return 0;
}

bool bw_image_path_valid(const char *path)
{
    struct bw_str rest = bw_str_from(path), name;
    while (bw_str_next(&name, &rest, '.')) {
        if (bw_str_ends_with(name, "[*]"))
            name.len -= 3;
        if (name.len == 0 || name.len >= 128)
            return false;
        for (size_t i = 0; i < name.len; i++)
            if (name.base[i] <= ' ' || strchr("[]*\"\\/", name.base[i]))
                return false;
    }
    return true;
}

/* "spec.steps[*].image": one name at a time; `field` is what has been walked. */
static int walk_image_path(struct walk *walk, const json_t *at, struct bw_str rest, const char *field)
{
    struct bw_str name;
    if (!at || json_is_null(at))
        return 0;
    if (!bw_str_next(&name, &rest, '.'))
        return add_image(walk, BW_CUSTOM_IMAGE, "", field, at);
    if (!json_is_object(at))
        return bw_error_set(walk->err, BW_EINPUT, "%.300s: expected an object, found %s", field, bw_json_type_name(at));
    bool list = bw_str_ends_with(name, "[*]");
    if (list)
        name.len -= 3;
    const char *key = bw_arena_strndup(walk->arena, name.base, name.len);
    const char *here = bw_arena_printf(walk->arena, "%s%s%.*s", field, field[0] ? "." : "", (int)name.len, name.base);
    if (!key || !here)
        return bw_arena_spent(walk->err);
    const json_t *member = json_object_get(at, key);
    if (!list || !member || json_is_null(member))
        return walk_image_path(walk, member, rest, here);
    if (!json_is_array(member))
        return bw_error_set(walk->err, BW_EINPUT, "%.300s: expected an array, found %s", here,
                            bw_json_type_name(member));
    for (size_t i = 0; i < json_array_size(member); i++) {
        const char *element = bw_arena_printf(walk->arena, "%s[%zu]", here, i);
        if (!element)
            return bw_arena_spent(walk->err);
        if (walk_image_path(walk, json_array_get(member, i), rest, element))
            return -1;
    }
    return 0;
}

/* ---- on which nodes the pod can run ---- */

static const char *const os_label = "kubernetes.io/os", *const architecture_label = "kubernetes.io/arch";

/* The value of the label in one term of a node selector, if it leaves exactly one. */
static const char *term_value(const json_t *term, const char *label)
{
    const json_t *expressions = json_object_get(term, "matchExpressions"), *values;
    for (size_t i = 0; i < json_array_size(expressions); i++) {
        const json_t *expression = json_array_get(expressions, i);
        values = json_object_get(expression, "values");
        if (strcmp(text_of(json_object_get(expression, "key")), label) == 0 &&
            strcmp(text_of(json_object_get(expression, "operator")), "In") == 0 && json_array_size(values) == 1)
            return text_of(json_array_get(values, 0));
    }
    return "";
}

/* Terms are alternatives: all of them must ask for the same value. */
static const char *affinity_value(const json_t *spec, const char *label)
{
    const json_t *terms =
        json_object_get(json_object_get(json_object_get(json_object_get(spec, "affinity"), "nodeAffinity"),
                                        "requiredDuringSchedulingIgnoredDuringExecution"),
                        "nodeSelectorTerms");
    const char *value = "";
    for (size_t i = 0; i < json_array_size(terms); i++) {
        const char *own = term_value(json_array_get(terms, i), label);
        if (!own[0] || (value[0] && strcmp(value, own) != 0))
            return "";
        value = own;
    }
    return value;
}

static int node_hint(const char **out, const json_t *spec, const char *label, struct walk *walk)
{
    const char *value = text_of(json_object_get(json_object_get(spec, "nodeSelector"), label));
    if (!value[0])
        value = affinity_value(spec, label);
    if (!value[0])
        return 0;
    *out = bw_arena_strdup(walk->arena, value);
    return *out ? 0 : bw_arena_spent(walk->err);
}

/* ---- the whole ---- */

static int read_pod_spec(struct bw_pod_images *out, json_t *object, const char *path, struct walk *walk)
{
    json_t *spec = NULL;
    if (walk_path(&spec, object, path, walk))
        return -1;
    if (!spec && !walk->template)
        return bw_error_set(walk->err, BW_EINPUT, "%s: expected an object, found nothing", path);
    if (!spec)
        return 0;
    return walk_pod_spec(walk, path, spec) || node_hint(&out->node_os, spec, os_label, walk) ||
                   node_hint(&out->node_architecture, spec, architecture_label, walk)
               ? -1
               : 0;
}

static int read_extra(struct bw_pod_images *out, json_t *object, const struct bw_extra_resource *extra,
                      struct walk *walk)
{
    if (extra->pod_spec_path && read_pod_spec(out, object, extra->pod_spec_path, walk))
        return -1;
    for (const char *const *path = extra->image_paths; path && *path; path++)
        if (walk_image_path(walk, object, bw_str_from(*path), ""))
            return -1;
    return 0;
}

static const struct bw_extra_resource *find_extra(const struct bw_extra_resource *extra, size_t n_extra,
                                                  const struct bw_admission_request *request)
{
    for (size_t i = 0; i < n_extra; i++)
        if (!request->subresource[0] && strcmp(extra[i].resource, request->resource) == 0 &&
            strcmp(extra[i].group, request->resource_group) == 0)
            return &extra[i];
    return NULL;
}

int bw_pod_images(struct bw_pod_images *out, const struct bw_admission_request *request, struct bw_json object,
                  const struct bw_extra_resource *extra, size_t n_extra, struct bw_arena *arena, struct bw_error *err)
{
    const struct bw_workload *workload =
        bw_workload_find(request->resource_group, request->resource, request->subresource);
    const struct bw_extra_resource *custom = workload ? NULL : find_extra(extra, n_extra, request);
    struct bw_pod_images images = {.supported = workload || custom, .template = workload ? workload->template : true};
    struct walk walk = {.arena = arena, .err = err, .template = images.template};
    if (workload && read_pod_spec(&images, object.node, workload->path, &walk))
        return -1;
    if (custom && read_extra(&images, object.node, custom, &walk))
        return -1;
    images.images = walk.images;
    images.n_images = walk.n_images;
    if (!images.supported)
        images.template = false;
    *out = images;
    return 0;
}

/* ---- what an update adds ---- */

enum { FEW = 16 }; /* below, comparing each with each is quicker than a map */

static bool is_same(const struct bw_pod_image *a, const struct bw_pod_image *b)
{
    return a->kind == b->kind && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool is_among(const struct bw_pod_image *image, const struct bw_pod_image *before, size_t n_before)
{
    for (size_t i = 0; i < n_before; i++)
        if (is_same(image, &before[i]))
            return true;
    return false;
}

size_t bw_pod_images_changed(struct bw_pod_image *now, size_t n_now, const struct bw_pod_image *before, size_t n_before)
{
    struct bw_map *known[BW_CUSTOM_IMAGE + 1] = {0};
    bool many = n_now > FEW && n_before > FEW;
    for (size_t kind = 0; many && kind < BW_LENGTH(known); kind++)
        known[kind] = bw_map_create();
    for (size_t i = 0; many && i < n_before; i++)
        (void)bw_map_put(known[before[i].kind], before[i].text, before[i].len, known);
    size_t kept = 0;
    for (size_t i = 0; i < n_now; i++) {
        bool old = many ? bw_map_get(known[now[i].kind], now[i].text, now[i].len) != NULL
                        : is_among(&now[i], before, n_before);
        if (!old)
            now[kept++] = now[i];
    }
    for (size_t kind = 0; many && kind < BW_LENGTH(known); kind++)
        bw_map_destroy(known[kind], NULL);
    return kept;
}
