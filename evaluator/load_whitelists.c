/* Whitelists of a bundle document (allowlists of the Enterprise document). */
#include "evaluator/bundle_internal.h"

#include "base/json.h"
#include "base/map.h"

#include <string.h>
#include <time.h>

/* One or two digits (four: `digits` 4), then the separator if there is one. */
static bool take_number(struct bw_str *rest, int *out, size_t digits, const char *separators)
{
    size_t len = 0;
    *out = 0;
    while (len < digits && len < rest->len && rest->base[len] >= '0' && rest->base[len] <= '9') {
        *out = *out * 10 + (rest->base[len++] - '0');
    }
    bool separated = len < rest->len && strchr(separators, rest->base[len]) != NULL && rest->base[len] != '\0';
    if (len == 0 || (digits == 4 && len != 4) || !separated) {
        return false;
    }
    rest->base += len + 1;
    rest->len -= len + 1;
    return true;
}

static bool is_date(const struct tm *date)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (date->tm_mon < 0 || date->tm_mon > 11 || date->tm_hour > 23 || date->tm_min > 59 || date->tm_sec > 59) {
        return false;
    }
    int year = date->tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int limit = days[date->tm_mon] + (date->tm_mon == 1 && leap ? 1 : 0);
    return year >= 1 && date->tm_mday >= 1 && date->tm_mday <= limit;
}

/* `2021-11-20T12:00:00Z`, also with `.` or `:` and up to six digits of fractions of a second before the Z. */
static bool parse_instant(int64_t *out, const char *text)
{
    struct bw_str rest = bw_str_from(text);
    struct tm date = {0};
    int year = 0;
    int month = 0;
    if (!take_number(&rest, &year, 4, "-") || !take_number(&rest, &month, 2, "-") ||
        !take_number(&rest, &date.tm_mday, 2, "Tt") || !take_number(&rest, &date.tm_hour, 2, ":") ||
        !take_number(&rest, &date.tm_min, 2, ":") || !take_number(&rest, &date.tm_sec, 2, "Zz.:")) {
        return false;
    }
    int fraction = 0;
    char last = rest.base[-1];
    if ((last == '.' || last == ':') && !take_number(&rest, &fraction, 6, "Zz")) {
        return false;
    }
    date.tm_year = year - 1900;
    date.tm_mon = month - 1;
    if (rest.len != 0 || !is_date(&date)) {
        return false;
    }
    *out = (int64_t)timegm(&date) + (fraction > 0 ? 1 : 0);
    return true;
}

static bool means_never(const json_t *node)
{
    return node == NULL || json_is_null(node) || json_is_false(node) ||
           (json_is_string(node) && json_string_length(node) == 0) ||
           (json_is_array(node) && json_array_size(node) == 0) ||
           (json_is_object(node) && json_object_size(node) == 0) ||
           (json_is_number(node) && json_number_value(node) == 0.0);
}

static void load_expiry(struct bw_loader *loader, struct bw_whitelist_item *out, const json_t *node,
                        const struct bw_trail *at)
{
    const json_t *expires = json_object_get(node, "expires_on");
    struct bw_trail here = {.up = at, .key = "expires_on"};
    out->expires_s = INT64_MAX;
    if (means_never(expires)) {
        return;
    }
    const char *text = json_string_value(expires);
    if (text == NULL || strlen(text) != json_string_length(expires) || !parse_instant(&out->expires_s, text)) {
        (void)bw_load_fault(loader, "malformed", &here,
                            "an instant in UTC is expected, as in \"2030-01-31T00:00:00Z\"");
    } else if (loader->options->now_s > 0 && out->expires_s <= loader->options->now_s) {
        (void)bw_load_warning(loader, "expired", &here, "this item has expired and forgives nothing");
    }
}

static void load_item(struct bw_loader *loader, struct bw_whitelist_item *out, const json_t *node,
                      const struct bw_trail *at)
{
    static const char *const known[] = {"id", "gate", "trigger_id", "expires_on", "comment", "description"};
    if (!json_is_object(node)) {
        (void)bw_load_fault(loader, "malformed", at, "a whitelist item is an object, not %s", bw_json_type_name(node));
        return;
    }
    bw_load_unknown_members(loader, node, at, known, BW_LENGTH(known));
    out->id = bw_load_id(loader, json_object_get(node, "id"));
    const json_t *gate = json_object_get(node, "gate");
    struct bw_trail gate_at = {.up = at, .key = "gate"};
    if (!json_is_string(gate)) {
        (void)bw_load_fault(loader, "malformed", gate == NULL ? at : &gate_at, "a text is expected as gate, not %s",
                            bw_json_type_name(gate));
    } else if ((out->gate = bw_gate_find(json_string_value(gate))) == NULL) {
        bw_load_warning(loader, "never_matches", &gate_at, "there is no gate \"%.80s\": this item forgives nothing",
                        json_string_value(gate))
            ->suggestion = bw_gate_suggest(json_string_value(gate));
    }
    bw_load_pattern(loader, &out->pattern, node, "trigger_id", at);
    load_expiry(loader, out, node, at);
}

static void load_items(struct bw_loader *loader, struct bw_whitelist *out, const json_t *node,
                       const struct bw_trail *at)
{
    const json_t *list = NULL;
    if (bw_load_list(loader, &list, node, "items", at) == 0) {
        bw_load_lenient(loader, at, "items", "no items");
    }
    size_t n_items = json_array_size(list);
    struct bw_whitelist_item *items = bw_arena_array(&loader->bundle->arena, n_items + 1, sizeof(*items));
    loader->spent = loader->spent || items == NULL;
    struct bw_trail items_at = {.up = at, .key = "items"};
    for (size_t i = 0; i < n_items && !loader->spent; i++) {
        struct bw_trail here = {.up = &items_at, .index = i};
        load_item(loader, &items[i], json_array_get(list, i), &here);
    }
    out->items = items;
    out->n_items = n_items;
    struct bw_error err = {0};
    if (!loader->refused && !loader->spent && bw_whitelist_build_index(out, &loader->bundle->arena, &err) != 0) {
        loader->spent = true;
    }
}

static void load_whitelist(struct bw_loader *loader, struct bw_whitelist *out, const json_t *node,
                           const struct bw_trail *at, struct bw_map *taken)
{
    static const char *const known[] = {"id", "name", "version", "comment", "description", "items"};
    out->id = "";
    if (!json_is_object(node)) {
        (void)bw_load_fault(loader, "malformed", at, "a whitelist is an object, not %s", bw_json_type_name(node));
        return;
    }
    bw_load_unknown_members(loader, node, at, known, BW_LENGTH(known));
    const json_t *id = json_object_get(node, "id");
    struct bw_trail id_at = {.up = at, .key = "id"};
    if (!json_is_string(id)) {
        (void)bw_load_fault(loader, "malformed", id == NULL ? at : &id_at, "a text is expected as id, not %s",
                            bw_json_type_name(id));
    } else {
        out->id = bw_load_text(loader, id);
        if (bw_map_put(taken, out->id, strlen(out->id), out) != NULL) {
            struct bw_problem *problem =
                bw_load_fault(loader, "duplicate_id", &id_at, "there is another whitelist \"%.80s\"", out->id);
            problem->type = "whitelist";
            problem->id = out->id;
        }
    }
    (void)bw_load_version(loader, node, at);
    out->name = bw_load_text(loader, json_object_get(node, "name"));
    load_items(loader, out, node, at);
}

void bw_load_whitelists(struct bw_loader *loader, const json_t *root)
{
    const json_t *list = NULL;
    const char *key = loader->format->whitelists;
    (void)bw_load_list(loader, &list, root, key, NULL);
    struct bw_trail at = {.key = key};
    size_t n_whitelists = json_array_size(list);
    struct bw_whitelist *whitelists = bw_arena_array(&loader->bundle->arena, n_whitelists + 1, sizeof(*whitelists));
    if (whitelists == NULL) {
        loader->spent = true;
        return;
    }
    struct bw_map *taken = bw_map_create();
    for (size_t i = 0; i < n_whitelists && !loader->spent; i++) {
        struct bw_trail here = {.up = &at, .index = i};
        load_whitelist(loader, &whitelists[i], json_array_get(list, i), &here, taken);
    }
    bw_map_destroy(taken, NULL);
    loader->bundle->whitelists = whitelists;
    loader->bundle->n_whitelists = n_whitelists;
}
