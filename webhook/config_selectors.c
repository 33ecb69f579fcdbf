/* policySelectors and exemptions: the keys of their elements (K-401 ff., K-410), and what has to hold among them. */
#include "webhook/config_table.h"

#include "base/deadline.h"
#include "base/limits.h"
#include "base/str.h"

#include <string.h>

/* ---- label selectors, as Kubernetes has them ---- */

static const char *const label_operators[] = {"In", "NotIn", "Exists", "DoesNotExist", NULL};

static const struct bw_key expression_keys[] = {
    {.path = "key",
     .kind = BW_KEY_TEXT,
     BW_FIELD(struct bw_requirement, key),
     .required = true,
     .example = "tier",
     .doc = "Name of the label."},
    {.path = "operator",
     .kind = BW_KEY_CHOICE,
     BW_FIELD(struct bw_requirement, operation),
     .choices = label_operators,
     .required = true,
     .example = "In",
     .doc = "How the label is looked at."},
    {.path = "values",
     .kind = BW_KEY_TEXTS,
     BW_FIELD(struct bw_requirement, values),
     .count_offset = BW_NO_COUNT,
     .example = "[gold, silver]",
     .doc = "Of In and NotIn."},
};

static void check_expression(struct bw_config_reader *reader, void *element, const char *pointer)
{
    const struct bw_requirement *requirement = element;
    bool wanted = requirement->operation == BW_LABEL_IN || requirement->operation == BW_LABEL_NOT_IN;
    bool given = requirement->values && requirement->values[0];
    if (wanted != given)
        bw_config_problem(reader, "value_invalid", pointer, NULL,
                          wanted ? "In and NotIn expect values" : "Exists and DoesNotExist expect no values");
}

static const struct bw_key_table expression_table = {.keys = expression_keys,
                                                     .n_keys = BW_LENGTH(expression_keys),
                                                     .any_case = true,
                                                     .size = sizeof(struct bw_requirement),
                                                     .check = check_expression};

static int read_label_map(struct bw_config_reader *reader, const json_t *node, const char *pointer,
                          struct bw_label_selector *out)
{
    const char *name;
    json_t *value;
    bool failed = false;
    if (!json_is_object(node))
        return bw_config_wrong_type(reader, pointer, "a map of labels", node);
    struct bw_requirement *items = bw_arena_array(reader->arena, json_object_size(node), sizeof(*items));
    if (!items)
        return -1;
    out->items = items;
    json_object_foreach((json_t *)(uintptr_t)node, name, value)
    {
        const char *place = bw_json_pointer(pointer, name, reader->arena);
        const char **values = bw_arena_array(reader->arena, 2, sizeof(*values));
        struct bw_requirement *one = &items[out->n_items++];
        one->operation = BW_LABEL_IN;
        one->key = bw_arena_strdup(reader->arena, name);
        one->values = values;
        if (!place || !values || !one->key)
            return -1;
        if (json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value))
            values[0] = bw_arena_strdup(reader->arena, json_string_value(value)); /* the empty text is a value too */
        else
            (void)bw_config_wrong_type(reader, place, "text (in quotes, if it looks like something else)", value);
        failed |= !values[0];
    }
    return failed ? -1 : 0;
}

/* matchLabels and matchExpressions come to the same list, in whatever order they stand. */
int bw_config_labels(struct bw_config_reader *reader, const struct bw_key *key, const json_t *node, const char *pointer,
                     struct bw_label_selector *selector)
{
    struct bw_label_selector more = {0};
    const struct bw_key list = {.kind = BW_KEY_LIST,
                                BW_FIELD(struct bw_label_selector, items),
                                .count_offset = offsetof(struct bw_label_selector, n_items),
                                .members = &expression_table};
    if (key->kind == BW_KEY_LABELS ? read_label_map(reader, node, pointer, &more)
                                   : bw_config_list(reader, &list, node, pointer, &more))
        return -1;
    size_t n_items = selector->n_items + more.n_items;
    struct bw_requirement *all = bw_arena_array(reader->arena, n_items, sizeof(*all));
    if (!all)
        return -1;
    for (size_t i = 0; i < n_items; i++)
        all[i] = i < selector->n_items ? selector->items[i] : more.items[i - selector->n_items];
    *selector = (struct bw_label_selector){all, n_items};
    return 0;
}

/* ---- policySelectors ---- */

static int check_operation(const char *text, struct bw_error *err)
{
    if (strcmp(text, "CREATE") == 0 || strcmp(text, "UPDATE") == 0)
        return 0;
    return bw_error_set(err, BW_EINPUT, "expected CREATE or UPDATE, found \"%.40s\"", text);
}

static const char *const types[] = {"resource", "template", "namespace", "image", "serviceaccount", "user", NULL};
static const char *const other_types[] = {"pod", "resource", "general", "resource", NULL};
static const char *const image_matches[] = {"both", "written", "normalized", NULL};
static const char *const modes[] = {"policy", "analysis", "breakglass", "passive", "warn", NULL};
static const char *const digests[] = {"off", "warn", "deny", NULL};
static const char *const pending[] = {"", "deny", "allow", "warn", NULL}; /* 0: as the configuration says */
static const char *const bundle_aliases[] = {"policyReference.policyBundleId", NULL};

#define OF_SELECTOR(member) BW_FIELD(struct bw_selector, member)
#define TEXTS_OF(member)    .kind = BW_KEY_TEXTS, OF_SELECTOR(member), .count_offset = BW_NO_COUNT, .min = 1
#define LABELS(name, member, whose, label)                                                                             \
    {.path = "match." name ".matchLabels",                                                                             \
     .kind = BW_KEY_LABELS,                                                                                            \
     OF_SELECTOR(member),                                                                                              \
     .example = "{" label "}",                                                                                         \
     .doc = "Labels that " whose " has to have."},                                                                     \
    {                                                                                                                  \
        .path = "match." name ".matchExpressions", .kind = BW_KEY_EXPRESSIONS, OF_SELECTOR(member),                    \
        .example = "[{key: tier, operator: NotIn, values: [test]}]",                                                   \
        .doc = "The same in Kubernetes' longer form: operator is In, NotIn, Exists or DoesNotExist."                   \
    }

static const struct bw_key selector_keys[] = {
    {.path = "id",
     .kind = BW_KEY_TEXT,
     OF_SELECTOR(id),
     .example = "emergency",
     .doc = "Its name in logs, metrics and audit annotations."},
    {.path = "selector.resourceType",
     .kind = BW_KEY_CHOICE,
     OF_SELECTOR(resource_type),
     .choices = types,
     .choice_aliases = other_types,
     .any_case = true,
     .example = "resource",
     .doc = "What the expressions are tried on: labels, annotations and name of the object (pod and general mean the "
            "same), of its pod template, or of its namespace; or a text: the image, the ServiceAccount of the pod, the "
            "user of the request."},
    {.path = "selector.selectorKeyRegex",
     .kind = BW_KEY_REGEX,
     OF_SELECTOR(key),
     .example = "\"^breakglass$\"",
     .doc = "Found in the key of a label or annotation; name: the name of the object counts as well. Without meaning "
            "where a text is looked at."},
    {.path = "selector.selectorValueRegex",
     .kind = BW_KEY_REGEX,
     OF_SELECTOR(value),
     .example = "\"^true$\"",
     .doc = "Found in the value, or in the text."},
    {.path = "match.namespaces",
     TEXTS_OF(namespaces),
     .example = "[team-*, prod]",
     .doc = "Names of namespaces; * is any run of characters."},
    LABELS("namespaceSelector", namespace_labels, "the namespace", "env: prod"),
    LABELS("objectSelector", object_labels, "the object", "app: web"),
    {.path = "match.kinds", TEXTS_OF(kinds), .example = "[Pod, Deployment]", .doc = "Kinds of objects."},
    {.path = "match.images",
     TEXTS_OF(images),
     .example = "[\"registry.example/sandbox/*\"]",
     .doc = "Images, with * as above. A tag beside a digest is not seen."},
    {.path = "match.operations",
     TEXTS_OF(operations),
     .check = check_operation,
     .example = "[CREATE, UPDATE]",
     .doc = "CREATE or UPDATE."},
    {.path = "users.users",
     TEXTS_OF(people.users),
     .example = "[admin@example.com]",
     .doc = "Users whose requests it is for; with users.groups, one of both is enough."},
    {.path = "users.groups", TEXTS_OF(people.groups), .example = "[sre-oncall]", .doc = "Groups of users."},
    {.path = "imageMatch",
     .kind = BW_KEY_CHOICE,
     OF_SELECTOR(image_match),
     .choices = image_matches,
     .default_text = "both",
     .doc = "What images are compared by: as written in the object, completed (docker.io/library/nginx:latest), or "
            "either."},
    {.path = "policyReference.bundle",
     .aliases = bundle_aliases,
     .kind = BW_KEY_TEXT,
     OF_SELECTOR(bundle),
     .may_be_empty = true,
     .example = "production",
     .doc = "Id of the bundle that decides; without it, or empty: the default one."},
    {.path = "policyReference.username",
     .kind = BW_KEY_IGNORED,
     .doc = "Of Anchore's controller, without effect: bundles belong to no account here."},
    {.path = "mode",
     .kind = BW_KEY_CHOICE,
     OF_SELECTOR(mode),
     .choices = modes,
     .required = true,
     .example = "breakglass",
     .doc = "policy: the bundle decides; analysis: admitted once it is analysed; breakglass: admitted, for all to see; "
            "passive: admitted, judged in the background; warn: judged, never denied."},
    {.path = "requestAnalysis",
     .kind = BW_KEY_TRISTATE,
     OF_SELECTOR(request_analysis),
     .example = "true",
     .doc = "requestAnalysis for these images."},
    {.path = "requireDigest",
     .kind = BW_KEY_CHOICE,
     OF_SELECTOR(require_digest),
     .choices = digests,
     .default_text = "off",
     .doc = "What happens to images that are not named by digest."},
    {.path = "onPending",
     .kind = BW_KEY_CHOICE,
     OF_SELECTOR(on_pending),
     .choices = pending,
     .example = "allow",
     .doc = "onPending for these images."},
};

static bool is_name(const char *regex)
{
    return strcasecmp(regex, "name") == 0 || strcasecmp(regex, "^name$") == 0;
}

static void check_selector(struct bw_config_reader *reader, void *element, const char *pointer)
{
    struct bw_selector *selector = element;
    bool pairs = selector->resource_type <= BW_TYPE_NAMESPACE, none = selector->resource_type == BW_TYPE_NONE;
    const char *fault = NULL;
    if (none && (selector->key || selector->value))
        fault = "'selector.resourceType' is missing: what are the expressions tried on?";
    else if (!none && !selector->value)
        fault = "'selector.selectorValueRegex' is missing; \".*\" is found in everything";
    else if (pairs && !selector->key)
        fault = "'selector.selectorKeyRegex' is missing; \".*\" is found in every key";
    if (fault)
        bw_config_problem(reader, "value_invalid", pointer, NULL, fault);
    selector->by_name = selector->key && is_name(bw_regex_text(selector->key));
}

static const struct bw_selector blank_selector = {.id = "", .resource_type = BW_TYPE_NONE};

const struct bw_key_table bw_selector_table = {.keys = selector_keys,
                                               .n_keys = BW_LENGTH(selector_keys),
                                               .any_case = true,
                                               .size = sizeof(struct bw_selector),
                                               .blank = &blank_selector,
                                               .check = check_selector};

/* ---- exemptions ---- */

static int check_time(const char *text, struct bw_error *err)
{
    int64_t s = 0;
    if (bw_time_parse(&s, text) == 0)
        return 0;
    return bw_error_set(err, BW_EINPUT, "expected a time like 2030-01-31T00:00:00Z, found \"%.40s\"", text);
}

#define OF_EXEMPTION(member) BW_FIELD(struct bw_exemption, member)

static const struct bw_key exemption_keys[] = {
    {.path = "id",
     .kind = BW_KEY_TEXT,
     OF_EXEMPTION(id),
     .example = "INC-1234",
     .doc = "Its name in logs and audit annotations."},
    {.path = "images",
     .kind = BW_KEY_TEXTS,
     OF_EXEMPTION(images),
     .count_offset = BW_NO_COUNT,
     .min = 1,
     .required = true,
     .example = "[\"registry.example/legacy/*\"]",
     .doc = "Images, with * for any run of characters, or their digests (sha256:...)."},
    {.path = "namespaces",
     .kind = BW_KEY_TEXTS,
     OF_EXEMPTION(namespaces),
     .count_offset = BW_NO_COUNT,
     .min = 1,
     .example = "[legacy]",
     .doc = "Names of namespaces, with *; without it: everywhere."},
    {.path = "expires",
     .kind = BW_KEY_TEXT,
     OF_EXEMPTION(expires),
     .check = check_time,
     .required = true,
     .example = "2030-01-31T00:00:00Z",
     .doc = "From then on it is as if it were not there."},
    {.path = "reason",
     .kind = BW_KEY_TEXT,
     OF_EXEMPTION(reason),
     .required = true,
     .example = "the successor comes in January",
     .doc = "Why; it is told wherever the exemption counts."},
    {.path = "owner", .kind = BW_KEY_TEXT, OF_EXEMPTION(owner), .example = "payments", .doc = "Whom to ask."},
};

static void check_exemption(struct bw_config_reader *reader, void *element, const char *pointer)
{
    struct bw_exemption *exemption = element;
    if (!exemption->id)
        exemption->id = pointer;
    if (bw_time_parse(&exemption->expires_s, exemption->expires) == 0 && exemption->expires_s <= bw_wall_s())
        bw_config_warning(reader, "expired", pointer, "this exemption has expired and exempts nothing");
}

static const struct bw_exemption blank_exemption = {.owner = ""};

const struct bw_key_table bw_exemption_table = {.keys = exemption_keys,
                                                .n_keys = BW_LENGTH(exemption_keys),
                                                .size = sizeof(struct bw_exemption),
                                                .blank = &blank_exemption,
                                                .check = check_exemption};
