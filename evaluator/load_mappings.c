/* Mappings and image lists: what a reference must look like, and which policies and whitelists it then gets. */
#include "evaluator/bundle_internal.h"

#include "base/json.h"
#include "base/map.h"

#include <string.h>

void bw_load_pattern(struct bw_loader *loader, struct bw_pattern *out, const json_t *object, const char *key,
                     const struct bw_trail *at)
{
    const json_t *node = json_object_get(object, key);
    struct bw_trail here = {.up = at, .key = key};
    *out = (struct bw_pattern){.text = {"", 0}, .literal = true};
    if (!json_is_string(node)) {
        /* The engine finds this out when it first compares something with it. */
        bw_load_fault(loader, "malformed", node == NULL ? at : &here, "a text is expected as %s, not %s", key,
                      bw_json_type_name(node))
            ->row = BW_ROW_UNREACHED;
        return;
    }
    out->text.base = bw_load_copy(loader, json_string_value(node), json_string_length(node));
    out->text.len = strlen(out->text.base);
    out->literal = strchr(out->text.base, '*') == NULL;
    if (bw_pattern_is_regex(out->text)) {
        bw_load_regex(loader, &out->regex, bw_pattern_regex_text(out->text), BW_REGEX_ANCHORED, &here);
        out->literal = false;
    }
}

static void load_image(struct bw_loader *loader, struct bw_selector *out, const json_t *node, const struct bw_trail *at)
{
    static const char *const known[] = {"type", "value"};
    const json_t *image = json_object_get(node, "image");
    struct bw_trail here = {.up = at, .key = "image"};
    out->type = BW_IMAGE_OTHER;
    if (!json_is_object(image)) {
        (void)bw_load_fault(loader, "malformed", image == NULL ? at : &here,
                            "an object with \"type\" and \"value\" is expected as image, not %s",
                            bw_json_type_name(image));
        return;
    }
    bw_load_unknown_members(loader, image, &here, known, BW_LENGTH(known));
    const char *type = bw_load_text(loader, json_object_get(image, "type"));
    if (type != NULL && strcmp(type, "tag") == 0) {
        out->type = BW_IMAGE_TAG;
        bw_load_pattern(loader, &out->tag, image, "value", &here);
        return;
    }
    out->value = bw_load_text(loader, json_object_get(image, "value"));
    out->value = out->value != NULL ? out->value : "";
    if (type != NULL && (strcmp(type, "digest") == 0 || strcmp(type, "id") == 0)) {
        out->type = strcmp(type, "id") == 0 ? BW_IMAGE_ID : BW_IMAGE_DIGEST;
        struct bw_trail value_at = {.up = &here, .key = "value"};
        if (out->value[0] == '\0') {
            (void)bw_load_warning(loader, "never_matches", &here, "there is no value: this matches no image");
        } else if (strchr(out->value, '*') != NULL) {
            (void)bw_load_warning(loader, "never_matches", &value_at,
                                  "there are no wildcards in digests and ids: this matches no image");
        } else if (out->type == BW_IMAGE_ID && bw_str_starts_with(bw_str_from(out->value), "sha256:")) {
            (void)bw_load_warning(loader, "never_matches", &value_at,
                                  "an id is written without \"sha256:\": this matches no image");
        }
        return;
    }
    (void)bw_load_warning(loader, "never_matches", &here,
                          "the type is none of tag, digest and id: this matches no image");
}

static void load_selector(struct bw_loader *loader, struct bw_selector *out, const json_t *node,
                          const struct bw_trail *at)
{
    out->label = bw_load_text(loader, json_object_get(node, "name"));
    if (out->label == NULL || out->label[0] == '\0') {
        out->label = bw_load_id(loader, json_object_get(node, "id"));
    }
    bw_load_pattern(loader, &out->registry, node, "registry", at);
    bw_load_pattern(loader, &out->repository, node, "repository", at);
    load_image(loader, out, node, at);
}

/* ---- ids that a mapping names ---- */

static bool is_empty(const json_t *node)
{
    return node == NULL || json_is_null(node) || json_is_false(node) ||
           (json_is_string(node) && json_string_length(node) == 0) ||
           (json_is_array(node) && json_array_size(node) == 0) ||
           (json_is_object(node) && json_object_size(node) == 0) ||
           (json_is_number(node) && json_number_value(node) == 0.0);
}

static bool find_id(struct bw_loader *loader, unsigned *out, const json_t *node, const struct bw_map *ids,
                    const char *type, const struct bw_trail *at)
{
    const char *id = json_string_value(node);
    uintptr_t found = id == NULL ? 0 : (uintptr_t)bw_map_get(ids, id, json_string_length(node));
    if (found == 0) {
        struct bw_problem *problem = bw_load_fault(loader, "reference_not_found", at, "there is no %s \"%.80s\"", type,
                                                   id != NULL ? id : bw_json_type_name(node));
        problem->type = type;
        problem->id = bw_load_id(loader, node);
        return false;
    }
    *out = (unsigned)(found - 1);
    return true;
}

static const unsigned *find_ids(struct bw_loader *loader, size_t *n_out, const json_t *list, const struct bw_map *ids,
                                const char *type, const struct bw_trail *at)
{
    unsigned *found = bw_arena_array(&loader->bundle->arena, json_array_size(list) + 1, sizeof(*found));
    *n_out = 0;
    for (size_t i = 0; found != NULL && i < json_array_size(list); i++) {
        struct bw_trail here = {.up = at, .index = i};
        *n_out += find_id(loader, &found[*n_out], json_array_get(list, i), ids, type, &here) ? 1 : 0;
    }
    loader->spent = loader->spent || found == NULL;
    return found;
}

static void load_policy_ids(struct bw_loader *loader, struct bw_mapping *out, const json_t *node,
                            const struct bw_map *ids, const struct bw_trail *at)
{
    const struct bw_format *format = loader->format;
    const json_t *one = json_object_get(node, format->policy_id);
    const json_t *many = json_object_get(node, format->policy_ids);
    if (is_empty(one) == is_empty(many)) {
        (void)bw_load_fault(loader, "invalid_mapping", at, "either \"%s\" or \"%s\" is expected%s", format->policy_id,
                            format->policy_ids, is_empty(one) ? "" : ", not both");
        return;
    }
    if (is_empty(many)) {
        struct bw_trail here = {.up = at, .key = format->policy_id};
        unsigned *policy = bw_arena_array(&loader->bundle->arena, 1, sizeof(*policy));
        loader->spent = loader->spent || policy == NULL;
        out->n_policies = policy != NULL && find_id(loader, policy, one, ids, "policy", &here) ? 1 : 0;
        out->policies = policy;
        return;
    }
    struct bw_trail here = {.up = at, .key = format->policy_ids};
    if (!json_is_array(many)) {
        (void)bw_load_fault(loader, "malformed", &here, "a list of policy ids is expected, not %s",
                            bw_json_type_name(many));
        return;
    }
    out->policies = find_ids(loader, &out->n_policies, many, ids, "policy", &here);
}

static void load_whitelist_ids(struct bw_loader *loader, struct bw_mapping *out, const json_t *node,
                               const struct bw_map *ids, const struct bw_trail *at)
{
    const json_t *list = NULL;
    const char *key = loader->format->whitelist_ids;
    if (bw_load_list(loader, &list, node, key, at) == 0) {
        bw_load_lenient(loader, at, key, "no whitelists");
    }
    struct bw_trail here = {.up = at, .key = key};
    out->whitelists = find_ids(loader, &out->n_whitelists, list, ids, "whitelist", &here);
}

/* ---- lists ---- */

static bool matches_everything(const struct bw_selector *selector)
{
    return bw_pattern_is_star(&selector->registry) && bw_pattern_is_star(&selector->repository) &&
           selector->type == BW_IMAGE_TAG && bw_pattern_is_star(&selector->tag);
}

static void check_element(struct bw_loader *loader, const json_t *node, const struct bw_trail *at, const char *what)
{
    if (!json_is_object(node)) {
        (void)bw_load_fault(loader, "malformed", at, "%s is an object, not %s", what, bw_json_type_name(node));
    }
}

static void load_each_mapping(struct bw_loader *loader, struct bw_mapping *mappings, const json_t *list,
                              const struct bw_map *policies, const struct bw_map *whitelists)
{
    const char *const known[] = {"id",
                                 "name",
                                 "registry",
                                 "repository",
                                 "image",
                                 "comment",
                                 "description",
                                 loader->format->policy_id,
                                 loader->format->policy_ids,
                                 loader->format->whitelist_ids};
    struct bw_trail at = {.key = "mappings"};
    bool caught = false;
    for (size_t i = 0; i < json_array_size(list) && !loader->spent; i++) {
        struct bw_trail here = {.up = &at, .index = i};
        const json_t *node = json_array_get(list, i);
        check_element(loader, node, &here, "a mapping");
        if (!json_is_object(node)) {
            continue;
        }
        bw_load_unknown_members(loader, node, &here, known, BW_LENGTH(known));
        load_selector(loader, &mappings[i].selector, node, &here);
        load_policy_ids(loader, &mappings[i], node, policies, &here);
        load_whitelist_ids(loader, &mappings[i], node, whitelists, &here);
        if (caught) {
            (void)bw_load_warning(loader, "never_matches", &here, "a mapping before this one catches every image");
        }
        caught = caught || matches_everything(&mappings[i].selector);
    }
}

/* A document that has policies but does not mention mappings: all policies for all images. */
static void map_everything(struct bw_loader *loader)
{
    static const struct bw_pattern star = {.text = {"*", 1}};
    struct bw_bundle *bundle = loader->bundle;
    struct bw_mapping *mapping = bw_arena_array(&bundle->arena, 1, sizeof(*mapping));
    unsigned *policies = bw_arena_array(&bundle->arena, bundle->n_policies, sizeof(*policies));
    if (mapping == NULL || policies == NULL) {
        loader->spent = true;
        return;
    }
    for (unsigned i = 0; i < bundle->n_policies; i++) {
        policies[i] = i;
    }
    mapping->selector = (struct bw_selector){.registry = star, .repository = star, .tag = star, .type = BW_IMAGE_TAG};
    mapping->policies = policies;
    mapping->n_policies = bundle->n_policies;
    bundle->mappings = mapping;
    bundle->n_mappings = 1;
    bw_load_lenient(loader, NULL, "mappings", "one mapping of every image to all policies");
}

static void collect_ids(struct bw_map *policies, struct bw_map *whitelists, const struct bw_bundle *bundle)
{
    for (size_t i = 0; i < bundle->n_policies; i++) {
        (void)bw_map_put(policies, bundle->policies[i].id, strlen(bundle->policies[i].id), (void *)(uintptr_t)(i + 1));
    }
    for (size_t i = 0; i < bundle->n_whitelists; i++) {
        (void)bw_map_put(whitelists, bundle->whitelists[i].id, strlen(bundle->whitelists[i].id),
                         (void *)(uintptr_t)(i + 1));
    }
}

void bw_load_mappings(struct bw_loader *loader, const json_t *root)
{
    const json_t *list = NULL;
    struct bw_bundle *bundle = loader->bundle;
    int present = bw_load_list(loader, &list, root, "mappings", NULL);
    if (present == 0 && bundle->n_policies > 0) {
        map_everything(loader);
        return;
    }
    struct bw_trail at = {.key = "mappings"};
    if (present == 1 && json_array_size(list) == 0) {
        (void)bw_load_warning(loader, "never_matches", &at, "there are no mappings: no policy is run for any image");
    }
    struct bw_mapping *mappings = bw_arena_array(&bundle->arena, json_array_size(list) + 1, sizeof(*mappings));
    if (mappings == NULL) {
        loader->spent = true;
        return;
    }
    struct bw_map *policies = bw_map_create();
    struct bw_map *whitelists = bw_map_create();
    collect_ids(policies, whitelists, bundle);
    load_each_mapping(loader, mappings, list, policies, whitelists);
    bw_map_destroy(policies, NULL);
    bw_map_destroy(whitelists, NULL);
    bundle->mappings = mappings;
    bundle->n_mappings = json_array_size(list);
}

static const struct bw_selector *load_images(struct bw_loader *loader, size_t *n_out, const json_t *root,
                                             const char *key)
{
    static const char *const known[] = {"id", "name", "registry", "repository", "image", "comment", "description"};
    const json_t *list = NULL;
    (void)bw_load_list(loader, &list, root, key, NULL);
    struct bw_trail at = {.key = key};
    struct bw_selector *selectors =
        bw_arena_array(&loader->bundle->arena, json_array_size(list) + 1, sizeof(*selectors));
    loader->spent = loader->spent || selectors == NULL;
    for (size_t i = 0; i < json_array_size(list) && !loader->spent; i++) {
        struct bw_trail here = {.up = &at, .index = i};
        const json_t *node = json_array_get(list, i);
        check_element(loader, node, &here, "an entry of an image list");
        if (json_is_object(node)) {
            bw_load_unknown_members(loader, node, &here, known, BW_LENGTH(known));
            load_selector(loader, &selectors[i], node, &here);
        }
    }
    *n_out = json_array_size(list);
    return selectors;
}

void bw_load_image_lists(struct bw_loader *loader, const json_t *root)
{
    struct bw_bundle *bundle = loader->bundle;
    bundle->whitelisted_images =
        load_images(loader, &bundle->n_whitelisted_images, root, loader->format->whitelisted_images);
    bundle->blacklisted_images =
        load_images(loader, &bundle->n_blacklisted_images, root, loader->format->blacklisted_images);
}
