/* Vulnerabilities and feeds of test files (docs/testing-bundles.md). */
#include "cli/test_data.h"

#include "base/json.h"
#include "base/limits.h"
#include "evaluator/distro.h"

#include <string.h>

/* ---- values ---- */

struct texts {
    const char *const *items;
    size_t n_items;
};

/* One text, or a list of them. */
static int read_texts(struct bw_test_reader *reader, const json_t *node, const char *pointer, struct texts *out)
{
    size_t n = json_is_array(node) ? json_array_size(node) : 1;
    const char **items = bw_arena_array(reader->arena, n + 1, sizeof(*items));
    int status = items == NULL ? bw_test_fault(reader, "limit", pointer, NULL, "more than can be held") : 0;
    for (size_t i = 0; items != NULL && i < n; i++) {
        bool list = json_is_array(node);
        const char *place = list ? bw_test_element(reader, pointer, i) : pointer;
        status = bw_test_read_text(reader, list ? json_array_get(node, i) : node, place, &items[i]) != 0 ? -1 : status;
    }
    *out = (struct texts){items, items == NULL ? 0 : n};
    return status;
}

static int read_score(struct bw_test_reader *reader, const json_t *node, const char *pointer, double *out)
{
    double number = json_is_number(node) ? json_number_value(node) : -1.0;
    if (number < 0.0 || number > 10.0) {
        return bw_test_fault(reader, "value_invalid", pointer, NULL, "expected a score from 0 to 10");
    }
    *out = number;
    return 0;
}

static int read_base(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return read_score(reader, node, pointer, &((struct bw_cvss *)base)->base);
}

static int read_exploitability(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return read_score(reader, node, pointer, &((struct bw_cvss *)base)->exploitability);
}

static int read_impact(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return read_score(reader, node, pointer, &((struct bw_cvss *)base)->impact);
}

/* The base score alone, or a map. */
static int read_cvss(struct bw_test_reader *reader, const json_t *node, const char *pointer, const struct bw_cvss **out,
                     size_t *n_out)
{
    static const struct bw_test_key keys[] = {
        {"base", BW_TEST_CUSTOM, false, 0, NULL, read_base},
        {"exploitability", BW_TEST_CUSTOM, false, 0, NULL, read_exploitability},
        {"impact", BW_TEST_CUSTOM, false, 0, NULL, read_impact},
    };
    struct bw_cvss *score = bw_arena_alloc(reader->arena, sizeof(*score));
    if (score == NULL) {
        return bw_test_fault(reader, "limit", pointer, NULL, "more than can be held");
    }
    *score = (struct bw_cvss){"3.1", -1.0, -1.0, -1.0};
    *out = score;
    *n_out = 1;
    return json_is_object(node) ? bw_test_read_object(reader, keys, BW_LENGTH(keys), node, pointer, score)
                                : read_score(reader, node, pointer, &score->base);
}

/* ---- vulnerabilities ---- */

static int read_package(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    static const struct bw_test_key keys[] = {
        {"name", BW_TEST_TEXT, true, offsetof(struct bw_vulnerability_match, package_name), NULL, NULL},
        {"version", BW_TEST_TEXT, false, offsetof(struct bw_vulnerability_match, package_version), NULL, NULL},
        {"type", BW_TEST_TEXT, false, offsetof(struct bw_vulnerability_match, package_type), NULL, NULL},
        {"path", BW_TEST_TEXT, false, offsetof(struct bw_vulnerability_match, package_path), NULL, NULL},
    };
    struct bw_test_vulnerability *item = base;
    if (json_is_object(node)) {
        return bw_test_read_object(reader, keys, BW_LENGTH(keys), node, pointer, &item->match);
    }
    item->of_image = true;
    return bw_test_read_text(reader, node, pointer, &item->match.package_name);
}

static int read_severity(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    static const char *const words[] = {"unknown", "negligible", "low", "medium", "high", "critical", NULL};
    int choice = 0;
    if (bw_test_read_choice(reader, node, pointer, words, &choice) != 0) {
        return -1;
    }
    ((struct bw_test_vulnerability *)base)->match.severity = words[choice];
    return 0;
}

static int read_fixed_in(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_vulnerability_match *match = &((struct bw_test_vulnerability *)base)->match;
    struct texts texts = {0};
    int status = read_texts(reader, node, pointer, &texts);
    match->fix_versions = texts.items;
    match->n_fix_versions = texts.n_items;
    return status;
}

static int read_aliases(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_vulnerability_match *match = &((struct bw_test_vulnerability *)base)->match;
    struct texts texts = {0};
    int status = read_texts(reader, node, pointer, &texts);
    match->aliases = texts.items;
    match->n_aliases = texts.n_items;
    return status;
}

static int read_known_since(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return bw_test_read_time(reader, node, pointer, &((struct bw_test_vulnerability *)base)->match.detected_s);
}

static int read_fixed_since(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return bw_test_read_time(reader, node, pointer, &((struct bw_test_vulnerability *)base)->match.fix_observed_s);
}

static int read_nvd(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_vulnerability_match *match = &((struct bw_test_vulnerability *)base)->match;
    return read_cvss(reader, node, pointer, &match->nvd_cvss, &match->n_nvd_cvss);
}

static int read_vendor(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_vulnerability_match *match = &((struct bw_test_vulnerability *)base)->match;
    return read_cvss(reader, node, pointer, &match->cvss, &match->n_cvss);
}

int bw_test_vulnerabilities_read(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    static const struct bw_test_key keys[] = {
        {"id", BW_TEST_TEXT, true, offsetof(struct bw_test_vulnerability, match.id), NULL, NULL},
        {"package", BW_TEST_CUSTOM, true, 0, NULL, read_package},
        {"severity", BW_TEST_CUSTOM, false, 0, NULL, read_severity},
        {"fixedIn", BW_TEST_CUSTOM, false, 0, NULL, read_fixed_in},
        {"fixedSince", BW_TEST_CUSTOM, false, 0, NULL, read_fixed_since},
        {"knownSince", BW_TEST_CUSTOM, false, 0, NULL, read_known_since},
        {"willNotFix", BW_TEST_FLAG, false, offsetof(struct bw_test_vulnerability, match.will_not_fix), NULL, NULL},
        {"cvss", BW_TEST_CUSTOM, false, 0, NULL, read_nvd},
        {"vendorCvss", BW_TEST_CUSTOM, false, 0, NULL, read_vendor},
        {"aliases", BW_TEST_CUSTOM, false, 0, NULL, read_aliases},
        {"link", BW_TEST_TEXT, false, offsetof(struct bw_test_vulnerability, match.link), NULL, NULL},
    };
    struct bw_test_data *data = base;
    size_t n = json_array_size(node);
    int status = 0;
    data->pointer = pointer;
    if (!json_is_array(node)) {
        return bw_test_wrong_type(reader, pointer, "a list", node);
    }
    data->items = bw_arena_array(reader->arena, n + 1, sizeof(*data->items));
    if (data->items == NULL) {
        return bw_test_fault(reader, "limit", pointer, NULL, "more than can be held");
    }
    for (; data->n_items < n; data->n_items++) {
        struct bw_test_vulnerability *item = &data->items[data->n_items];
        item->match = (struct bw_vulnerability_match){.severity = "unknown", .fix_observed_s = -1, .detected_s = -1};
        if (bw_test_read_object(reader, keys, BW_LENGTH(keys), json_array_get(node, data->n_items),
                                bw_test_element(reader, pointer, data->n_items), item) != 0) {
            status = -1;
        }
    }
    return status;
}

/* ---- the data as a whole ---- */

static int read_built(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return bw_test_read_time(reader, node, pointer, &((struct bw_test_data *)base)->built_s);
}

static int read_distros(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_data *data = base;
    struct texts texts = {0};
    if (!json_is_array(node)) {
        return bw_test_wrong_type(reader, pointer, "a list of texts such as debian:12", node);
    }
    int status = read_texts(reader, node, pointer, &texts);
    data->distros = texts.items;
    data->n_distros = texts.n_items;
    return status;
}

int bw_test_vulnerability_data_read(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    static const struct bw_test_key keys[] = {
        {"built", BW_TEST_CUSTOM, false, 0, NULL, read_built},
        {"distros", BW_TEST_CUSTOM, false, 0, NULL, read_distros},
    };
    struct bw_test_data *data = base;
    data->about = pointer;
    data->built_s = -1;
    return bw_test_read_object(reader, keys, BW_LENGTH(keys), node, pointer, data);
}

/* ---- feeds ---- */

/* Of each name its versions, the latest one last. */
static int read_feed(struct bw_test_reader *reader, const json_t *node, const char *pointer,
                     struct bw_package_feed *out)
{
    const char *name;
    json_t *versions;
    int status = 0;
    if (!json_is_object(node)) {
        return bw_test_wrong_type(reader, pointer, "a map of names and versions", node);
    }
    struct bw_feed_package *records = bw_arena_array(reader->arena, json_object_size(node) + 1, sizeof(*records));
    if (records == NULL) {
        return bw_test_fault(reader, "limit", pointer, NULL, "more than can be held");
    }
    *out = (struct bw_package_feed){.synced = true, .records = records};
    json_object_foreach((json_t *)(uintptr_t)node, name, versions)
    {
        struct bw_feed_package *record = &records[out->n_records++];
        const char *place = bw_test_below(reader, pointer, name);
        struct texts texts = {0};
        if (json_is_array(versions) && json_array_size(versions) == 0) {
            status = bw_test_fault(reader, "value_invalid", place, NULL, "expected versions, the latest one last");
        } else if (read_texts(reader, versions, place, &texts) != 0) {
            status = -1;
        } else {
            *record = (struct bw_feed_package){name, texts.items[texts.n_items - 1], texts.items, texts.n_items};
        }
    }
    return status;
}

static int read_npm(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_data *data = base;
    data->has_npm = true;
    return read_feed(reader, node, pointer, &data->npm);
}

static int read_gem(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_data *data = base;
    data->has_gem = true;
    return read_feed(reader, node, pointer, &data->gem);
}

int bw_test_feeds_read(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    static const struct bw_test_key keys[] = {
        {"npm", BW_TEST_CUSTOM, false, 0, NULL, read_npm},
        {"gem", BW_TEST_CUSTOM, false, 0, NULL, read_gem},
    };
    return bw_test_read_object(reader, keys, BW_LENGTH(keys), node, pointer, base);
}

/* ---- facts ---- */

/* A vulnerability that names a package of the image gets the rest from its first record. */
static int complete(struct bw_vulnerability_match *match, const struct bw_report *report, struct bw_error *err)
{
    size_t first = 0, last = 0;
    if (bw_report_count_packages(report, match->package_name, &first, &last) == 0) {
        return bw_error_set(
            err, BW_EINPUT,
            "the image has no package %.100s; one that it need not have is a map of name, version and type",
            match->package_name);
    }
    const struct bw_package *package = &report->packages[first];
    match->package_type = package->type;
    match->package_version = package->full_version != NULL ? package->full_version : package->version;
    match->package_path = package->location;
    return 0;
}

static int apply_matches(struct bw_vulnerabilities *out, const char **pointer_out, const struct bw_test_data *data,
                         const struct bw_report *report, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_vulnerability_match *matches = bw_arena_array(arena, data->n_items + 1, sizeof(*matches));
    if (matches == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < data->n_items; i++) {
        matches[i] = data->items[i].match;
        if (data->items[i].of_image && complete(&matches[i], report, err) != 0) {
            const char *place = bw_arena_printf(arena, "%s/%zu/package", data->pointer, i);
            *pointer_out = place != NULL ? place : data->pointer;
            return -1;
        }
    }
    out->matches = matches;
    out->n_matches = data->n_items;
    return 0;
}

static int apply_distros(struct bw_vulnerabilities *out, const struct bw_test_data *data,
                         const struct bw_report *report, struct bw_arena *arena, struct bw_error *err)
{
    bool own = data->about == NULL || data->distros == NULL;
    size_t n = own ? 1 : data->n_distros;
    struct bw_vulnerability_namespace *spaces = bw_arena_array(arena, n + 1, sizeof(*spaces));
    if (spaces == NULL) {
        return bw_arena_spent(err);
    }
    for (size_t i = 0; i < n; i++) {
        spaces[i] = (struct bw_vulnerability_namespace){own ? NULL : data->distros[i], 1};
    }
    if (own) {
        const char *name = report->distro == NULL ? "" : bw_family_find(report->distro, report->distro_like).space;
        spaces[0].name =
            bw_arena_printf(arena, "%s:%s", name, report->distro_version != NULL ? report->distro_version : "");
        if (spaces[0].name == NULL) {
            return bw_arena_spent(err);
        }
    }
    out->namespaces = spaces;
    out->n_namespaces = n;
    return 0;
}

int bw_test_data_apply(struct bw_facts *facts, const char **pointer_out, const struct bw_test_data *data,
                       struct bw_arena *arena, struct bw_error *err)
{
    facts->npm_feed = data->has_npm ? &data->npm : NULL;
    facts->gem_feed = data->has_gem ? &data->gem : NULL;
    if (data->pointer == NULL) {
        return 0;
    }
    struct bw_vulnerabilities *made = bw_arena_alloc(arena, sizeof(*made));
    if (made == NULL) {
        return bw_arena_spent(err);
    }
    bool dated = data->about != NULL && data->built_s >= 0;
    *made = (struct bw_vulnerabilities){
        .available = true, .database = true, .built_s = dated ? data->built_s : facts->now_s};
    *pointer_out = data->pointer;
    if (apply_matches(made, pointer_out, data, facts->report, arena, err) != 0 ||
        apply_distros(made, data, facts->report, arena, err) != 0) {
        return -1;
    }
    facts->vulnerabilities = made;
    return 0;
}
