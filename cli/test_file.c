/* Test files of bundles (docs/testing-bundles.md): each object is a table of keys, every fault is told with its place.
 */
#include "cli/test_file.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"
#include "base/yaml.h"
#include "cli/test_facts.h"
#include "cli/test_value.h"
#include "evaluator/gate.h"

#include <string.h>

enum { MAX_NAME = 200 }; /* bytes of a case's name: it is one line */

/* ---- expectations ---- */

static const char *const actions[] = {"go", "warn", "stop", NULL}; /* as enum bw_action */
static const char *const reasons[] = {"policy_evaluation", "whitelisted",   "blacklisted",
                                      "no_mapping",        "tag_undecided", NULL};

static int read_finding_rule(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_finding *finding = base;
    if (json_is_integer(node)) {
        return bw_test_read_number(reader, node, pointer, &finding->rule_index);
    }
    return bw_test_read_text(reader, node, pointer, &finding->rule);
}

static const struct bw_test_key finding_keys[] = {
    {"gate", BW_TEST_TEXT, false, offsetof(struct bw_test_finding, gate), NULL, NULL},
    {"trigger", BW_TEST_TEXT, false, offsetof(struct bw_test_finding, trigger), NULL, NULL},
    {"triggerId", BW_TEST_TEXT, false, offsetof(struct bw_test_finding, trigger_id), NULL, NULL},
    {"policy", BW_TEST_TEXT, false, offsetof(struct bw_test_finding, policy), NULL, NULL},
    {"rule", BW_TEST_CUSTOM, false, 0, NULL, read_finding_rule},
    {"action", BW_TEST_CHOICE, false, offsetof(struct bw_test_finding, action), actions, NULL},
    {"whitelist", BW_TEST_TEXT, false, offsetof(struct bw_test_finding, whitelist), NULL, NULL},
    {"message", BW_TEST_TEXT, false, offsetof(struct bw_test_finding, message), NULL, NULL},
    {"undecided", BW_TEST_TRUTH, false, offsetof(struct bw_test_finding, undecided), NULL, NULL},
    {"count", BW_TEST_NUMBER, false, offsetof(struct bw_test_finding, count), NULL, NULL},
};

/* Words that no finding can have would make a row with `count: 0` pass for ever. */
static int check_gate(struct bw_test_reader *reader, struct bw_test_finding *finding)
{
    if (finding->gate == NULL) {
        return 0;
    }
    const struct bw_gate *gate = bw_gate_find(finding->gate);
    if (gate == NULL) {
        return bw_test_fault(reader, "gate_not_found", bw_test_below(reader, finding->pointer, "gate"),
                             bw_gate_suggest(finding->gate), "no gate \"%.60s\"", finding->gate);
    }
    finding->gate = gate->name;
    if (finding->trigger == NULL) {
        return 0;
    }
    const struct bw_trigger *trigger = bw_trigger_find(gate, finding->trigger);
    if (trigger == NULL) {
        return bw_test_fault(reader, "trigger_not_found", bw_test_below(reader, finding->pointer, "trigger"),
                             bw_trigger_suggest(gate, finding->trigger), "gate %s has no trigger \"%.60s\"", gate->name,
                             finding->trigger);
    }
    finding->trigger = trigger->name;
    return 0;
}

static int read_findings(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_expect *expect = base;
    size_t n = json_array_size(node);
    int status = 0;
    if (!json_is_array(node)) {
        return bw_test_wrong_type(reader, pointer, "a list", node);
    }
    if (n > BW_MAX_TEST_FINDINGS) {
        return bw_test_fault(reader, "limit", pointer, NULL, "%zu findings: at most %d are compared", n,
                             BW_MAX_TEST_FINDINGS);
    }
    struct bw_test_finding *findings = bw_arena_array(reader->arena, n + 1, sizeof(*findings));
    if (findings == NULL) {
        return bw_test_fault(reader, "limit", pointer, NULL, "more than can be held");
    }
    for (size_t i = 0; i < n; i++) {
        const char *place = bw_test_element(reader, pointer, i);
        const json_t *row = json_array_get(node, i);
        findings[i] = (struct bw_test_finding){.pointer = place,
                                               .rule_index = BW_TEST_ANY,
                                               .action = BW_TEST_ANY,
                                               .undecided = BW_TEST_ANY,
                                               .count = BW_TEST_ANY};
        if (json_is_object(row) && json_object_size(row) == 0) {
            status = bw_test_fault(reader, "value_invalid", place, NULL, "an empty map would match anything");
        } else if (bw_test_read_object(reader, finding_keys, BW_LENGTH(finding_keys), row, place, &findings[i]) != 0) {
            status = -1;
        }
    }
    for (size_t i = 0; i < n; i++) {
        status = check_gate(reader, &findings[i]) != 0 ? -1 : status;
    }
    expect->findings = findings;
    expect->n_findings = n;
    return status;
}

static int read_mapping(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_expect *expect = base;
    if (json_is_integer(node)) {
        expect->mapping = BW_TEST_MAPPING_INDEX;
        return bw_test_read_number(reader, node, pointer, &expect->mapping_index);
    }
    if (bw_test_read_text(reader, node, pointer, &expect->mapping_label) != 0) {
        return -1;
    }
    bool none = strcmp(expect->mapping_label, "none") == 0;
    expect->mapping = none ? BW_TEST_MAPPING_NONE : BW_TEST_MAPPING_LABEL;
    return 0;
}

static int read_reason(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    int choice = 0;
    if (bw_test_read_choice(reader, node, pointer, reasons, &choice) != 0) {
        return -1;
    }
    ((struct bw_test_expect *)base)->reason = reasons[choice];
    return 0;
}

static const struct bw_test_key expect_keys[] = {
    {"action", BW_TEST_CHOICE, false, offsetof(struct bw_test_expect, action), actions, NULL},
    {"reason", BW_TEST_CUSTOM, false, 0, NULL, read_reason},
    {"mapping", BW_TEST_CUSTOM, false, 0, NULL, read_mapping},
    {"findings", BW_TEST_CUSTOM, false, 0, NULL, read_findings},
    {"findingsExactly", BW_TEST_FLAG, false, offsetof(struct bw_test_expect, exactly), NULL, NULL},
    {"undecided", BW_TEST_TRUTH, false, offsetof(struct bw_test_expect, undecided), NULL, NULL},
};

static int read_expect(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_case *one = base;
    if (json_is_object(node) && json_object_size(node) == 0) {
        return bw_test_fault(reader, "value_invalid", pointer, NULL, "nothing is expected");
    }
    return bw_test_read_object(reader, expect_keys, BW_LENGTH(expect_keys), node, pointer, &one->expect);
}

/* ---- cases ---- */

static int read_name(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_case *one = base;
    if (bw_test_read_text(reader, node, pointer, &one->name) != 0) {
        return -1;
    }
    if (strlen(one->name) > MAX_NAME || strpbrk(one->name, "\r\n") != NULL) {
        return bw_test_fault(reader, "value_invalid", pointer, NULL, "expected one line of at most %d bytes", MAX_NAME);
    }
    return 0;
}

static int read_image(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_case *one = base;
    struct bw_error err = {0};
    const char *text = NULL;
    if (bw_test_read_text(reader, node, pointer, &text) != 0) {
        return -1;
    }
    if (bw_reference_parse(&one->reference, text, strlen(text), reader->arena, &err) != 0) {
        return bw_test_fault(reader, "value_invalid", pointer, NULL, "%s", err.message);
    }
    return 0;
}

static int read_named_or_inline(struct bw_test_reader *reader, const json_t *node, const char *pointer,
                                struct bw_test_source *out)
{
    out->pointer = pointer;
    if (json_is_object(node)) {
        out->document = node;
        return 0;
    }
    if (!json_is_string(node)) {
        return bw_test_wrong_type(reader, pointer, "a path or a map", node);
    }
    return bw_test_read_text(reader, node, pointer, &out->file);
}

static int read_bundle(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return read_named_or_inline(reader, node, pointer, &((struct bw_test_case *)base)->bundle);
}

static int read_file_bundle(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return read_named_or_inline(reader, node, pointer, &((struct bw_test_file *)base)->bundle);
}

static int read_analysis(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_case *one = base;
    if (one->facts.pointer != NULL) {
        return bw_test_fault(reader, "value_invalid", pointer, NULL, "expected either analysis or facts");
    }
    one->facts.pointer = pointer;
    return bw_test_read_text(reader, node, pointer, &one->facts.file);
}

static int read_facts(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_case *one = base;
    if (one->facts.pointer != NULL) {
        return bw_test_fault(reader, "value_invalid", pointer, NULL, "expected either analysis or facts");
    }
    one->facts.pointer = pointer;
    one->facts.document = node;
    return bw_test_facts_check(reader, node, pointer);
}

static int read_previous(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_source *previous = &((struct bw_test_case *)base)->previous;
    int status = read_named_or_inline(reader, node, pointer, previous);
    return status == 0 && previous->document != NULL ? bw_test_facts_check(reader, node, pointer) : status;
}

static int read_vulnerabilities(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return bw_test_vulnerabilities_read(reader, node, pointer, &((struct bw_test_case *)base)->data);
}

static int read_vulnerability_data(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return bw_test_vulnerability_data_read(reader, node, pointer, &((struct bw_test_case *)base)->data);
}

static int read_feeds(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    return bw_test_feeds_read(reader, node, pointer, &((struct bw_test_case *)base)->data);
}

static int read_now(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_case *one = base;
    one->has_now = true;
    return bw_test_read_time(reader, node, pointer, &one->now_s);
}

static int read_platform(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_case *one = base;
    struct bw_error err = {0};
    const char *text = NULL;
    if (bw_test_read_text(reader, node, pointer, &text) != 0) {
        return -1;
    }
    if (bw_platform_parse(&one->platform, text, reader->arena, &err) != 0) {
        return bw_test_fault(reader, "value_invalid", pointer, NULL, "%s", err.message);
    }
    one->has_platform = true;
    return 0;
}

static const struct bw_test_key case_keys[] = {
    {"name", BW_TEST_CUSTOM, true, 0, NULL, read_name},
    {"bundle", BW_TEST_CUSTOM, false, 0, NULL, read_bundle},
    {"image", BW_TEST_CUSTOM, false, 0, NULL, read_image},
    {"analysis", BW_TEST_CUSTOM, false, 0, NULL, read_analysis},
    {"facts", BW_TEST_CUSTOM, false, 0, NULL, read_facts},
    {"previous", BW_TEST_CUSTOM, false, 0, NULL, read_previous},
    {"vulnerabilities", BW_TEST_CUSTOM, false, 0, NULL, read_vulnerabilities},
    {"vulnerabilityData", BW_TEST_CUSTOM, false, 0, NULL, read_vulnerability_data},
    {"feeds", BW_TEST_CUSTOM, false, 0, NULL, read_feeds},
    {"tagCounts", BW_TEST_FLAG, false, offsetof(struct bw_test_case, tag_counts), NULL, NULL},
    {"now", BW_TEST_CUSTOM, false, 0, NULL, read_now},
    {"platform", BW_TEST_CUSTOM, false, 0, NULL, read_platform},
    {"expect", BW_TEST_CUSTOM, true, 0, NULL, read_expect},
};

static int read_case(struct bw_test_reader *reader, struct bw_test_case *out, const json_t *node, const char *pointer)
{
    *out = (struct bw_test_case){
        .pointer = pointer,
        .reference = {.registry = "localhost", .repository = "analysis", .tag = "latest"},
        .tag_counts = true,
        .expect = {.action = BW_TEST_ANY, .undecided = BW_TEST_ANY},
    };
    int status = bw_test_read_object(reader, case_keys, BW_LENGTH(case_keys), node, pointer, out);
    if (json_is_object(node) && out->facts.pointer == NULL) {
        status = bw_test_fault(reader, "missing", pointer, NULL, "\"facts\" or \"analysis\" is missing");
    }
    if (out->data.about != NULL && out->data.pointer == NULL) {
        status = bw_test_fault(reader, "missing", out->data.about, NULL,
                               "it says more of \"vulnerabilities\", which is missing ([] for none)");
    }
    return status;
}

static int check_names(struct bw_test_reader *reader, const struct bw_test_file *file)
{
    struct bw_map *seen = bw_map_create();
    int status = 0;
    for (size_t i = 0; i < file->n_cases; i++) {
        struct bw_test_case *one = &file->cases[i];
        if (one->name == NULL) {
            continue;
        }
        if (bw_map_put(seen, one->name, strlen(one->name), one) != NULL) {
            status = bw_test_fault(reader, "duplicate", bw_test_below(reader, one->pointer, "name"), NULL,
                                   "two cases have this name");
        }
    }
    bw_map_destroy(seen, NULL);
    return status;
}

static int read_cases(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    struct bw_test_file *file = base;
    size_t n = json_array_size(node);
    int status = 0;
    if (n == 0) {
        return bw_test_fault(reader, "value_invalid", pointer, NULL, "expected a list of cases, found %s",
                             json_is_array(node) ? "an empty one" : bw_json_type_name(node));
    }
    if (n > BW_MAX_TEST_CASES) {
        return bw_test_fault(reader, "limit", pointer, NULL, "%zu cases: a file has at most %d", n, BW_MAX_TEST_CASES);
    }
    file->cases = bw_arena_array(reader->arena, n, sizeof(*file->cases));
    if (file->cases == NULL) {
        return bw_test_fault(reader, "limit", pointer, NULL, "more than can be held");
    }
    for (; file->n_cases < n; file->n_cases++) {
        const char *place = bw_test_element(reader, pointer, file->n_cases);
        if (read_case(reader, &file->cases[file->n_cases], json_array_get(node, file->n_cases), place) != 0) {
            status = -1;
        }
    }
    return check_names(reader, file) != 0 ? -1 : status;
}

static int read_no_mapping(struct bw_test_reader *reader, const json_t *node, const char *pointer, void *base)
{
    static const char *const words[] = {
        [BW_NO_MAPPING_WARN] = "warn", [BW_NO_MAPPING_DENY] = "deny", [BW_NO_MAPPING_ALLOW] = "allow", NULL};
    int choice = 0;
    int status = bw_test_read_choice(reader, node, pointer, words, &choice);
    ((struct bw_test_file *)base)->no_mapping = (enum bw_no_mapping)choice;
    return status;
}

static const struct bw_test_key file_keys[] = {
    {"bundle", BW_TEST_CUSTOM, false, 0, NULL, read_file_bundle},
    {"noMappingMatch", BW_TEST_CUSTOM, false, 0, NULL, read_no_mapping},
    {"cases", BW_TEST_CUSTOM, true, 0, NULL, read_cases},
};

static int check_bundles(struct bw_test_reader *reader, const struct bw_test_file *file)
{
    for (size_t i = 0; file->bundle.pointer == NULL && i < file->n_cases; i++) {
        if (file->cases[i].bundle.pointer == NULL) {
            return bw_test_fault(reader, "missing", file->cases[i].pointer, NULL,
                                 "\"bundle\" is missing, here and in the file");
        }
    }
    return 0;
}

int bw_test_file_read(struct bw_test_file *out, struct bw_problems *problems, const char *text, size_t len,
                      struct bw_error *err)
{
    struct bw_test_file file = {.no_mapping = BW_NO_MAPPING_WARN};
    bw_arena_init(&file.arena, BW_ARENA_ADMISSION);
    struct bw_test_reader reader = {.arena = &file.arena, .problems = problems, .text = text, .len = len};
    if (bw_yaml_parse(&file.tree, text, len, BW_MAX_TEST_BYTES, err) != 0) {
        bw_arena_clear(&file.arena);
        return -1;
    }
    int status = bw_test_read_object(&reader, file_keys, BW_LENGTH(file_keys), file.tree, "", &file);
    if (check_bundles(&reader, &file) != 0 || status != 0) {
        status =
            bw_error_set(err, BW_EINPUT, "%zu %s", problems->n_errors, problems->n_errors == 1 ? "error" : "errors");
        bw_test_file_clear(&file);
        return status;
    }
    *out = file;
    return 0;
}

void bw_test_file_clear(struct bw_test_file *file)
{
    json_decref(file->tree);
    bw_arena_clear(&file->arena);
    memset(file, 0, sizeof(*file));
}

bool bw_test_file_named(const char *name)
{
    struct bw_str text = bw_str_from(name);
    return bw_str_ends_with(text, ".test.yaml") || bw_str_ends_with(text, "_test.yaml");
}
