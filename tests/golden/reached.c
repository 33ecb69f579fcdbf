/* Row 44 says that a fault anywhere refuses a bundle, while the engine sees only what one image reaches. To tell such a
 * refusal from a wrong one, all that is not reached is emptied: if that loads, the fault was elsewhere. */
#include "golden/golden.h"

#include <string.h>

static const char spare_id[] = "a policy that no mapping of the record names";

static bool is_empty(const json_t *node)
{
    return node == NULL || json_is_null(node) || json_is_false(node) ||
           (json_is_string(node) && json_string_length(node) == 0) ||
           (json_is_array(node) && json_array_size(node) == 0);
}

static bool names(const json_t *list_or_id, const json_t *id)
{
    if (json_is_string(list_or_id)) {
        return json_equal(list_or_id, id);
    }
    for (size_t i = 0; i < json_array_size(list_or_id); i++) {
        if (json_equal(json_array_get(list_or_id, i), id)) {
            return true;
        }
    }
    return false;
}

/* Parts that the mapping does not name become empty ones of another id, in the same places. */
static void empty_parts(json_t *list, const char *content, const json_t *one, const json_t *many)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *part = json_array_get(list, i);
        const json_t *id = json_object_get(part, "id");
        /* A policy without an id may be the one that is meant, once it is given one: its name. */
        const json_t *called = id != NULL ? id : json_object_get(part, "name");
        if (!json_is_object(part) || (called != NULL && (names(one, called) || names(many, called)))) {
            continue;
        }
        (void)json_array_set_new(
            list, i,
            json_pack("{s:o, s:s, s:[]}", "id", json_sprintf("not reached %zu", i), "version", "1_0", content));
    }
}

static void redirect(json_t *mapping)
{
    bool one = !is_empty(json_object_get(mapping, "policy_id"));
    bool many = !is_empty(json_object_get(mapping, "policy_ids"));
    if (one != many) {
        (void)json_object_set_new(mapping, one ? "policy_id" : "policy_ids",
                                  one ? json_string(spare_id) : json_pack("[s]", spare_id));
    }
    (void)json_object_set_new(mapping, "whitelist_ids", json_array());
}

json_t *golden_reached(const json_t *document, int chosen)
{
    json_t *copy = json_deep_copy(document);
    json_t *mappings = json_object_get(copy, "mappings");
    json_t *policies = json_object_get(copy, "policies");
    json_t *whitelists = json_object_get(copy, "whitelists");
    const json_t *mapping = chosen < 0 ? NULL : json_array_get(mappings, (size_t)chosen);
    empty_parts(policies, "rules", json_object_get(mapping, "policy_id"), json_object_get(mapping, "policy_ids"));
    const json_t *whitelist_ids = json_object_get(mapping, "whitelist_ids");
    if (is_empty(whitelist_ids)) {
        (void)json_object_del(copy, "whitelists");
    } else {
        empty_parts(whitelists, "items", NULL, whitelist_ids);
    }
    for (size_t i = 0; i < json_array_size(mappings); i++) {
        if ((int)i != chosen && json_is_object(json_array_get(mappings, i))) {
            redirect(json_array_get(mappings, i));
        }
    }
    if (json_array_size(mappings) == 0) {
        (void)json_object_set_new(copy, "policies", json_array());
    } else if (json_is_array(policies)) {
        (void)json_array_append_new(policies, json_pack("{s:s, s:s, s:[]}", "id", spare_id, "version", "1_0", "rules"));
    }
    return copy;
}
