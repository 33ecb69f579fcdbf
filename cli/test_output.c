/* breakwater test: a line per case with what differs below it, JSON, or JUnit's XML (a suite per file). */
#include "cli/test_output.h"

#include "cli/xml.h"

#include <stdio.h>
#include <string.h>

enum { MAX_FOUND = 10 }; /* findings shown beside a failure, so that it explains itself */

static const char *const words[] = {
    [BW_TEST_PASSED] = "passed", [BW_TEST_FAILED] = "failed", [BW_TEST_NOT_RUN] = "not run"};

/* ---- text ---- */

static void put_side(char mark, const char *text)
{
    if (text != NULL) {
        printf("      %c ", mark);
        bw_put_clean(stdout, text, false);
        printf("\n");
    }
}

static void put_found(const struct bw_test_result *result)
{
    const struct bw_decision *decision = result->decision;
    printf("    found: %s (%s)\n", bw_action_name(decision->action), decision->reason);
    for (size_t i = 0; i < decision->n_findings && i < MAX_FOUND; i++) {
        put_side(' ', bw_test_finding_text(&decision->findings[i], result->arena));
    }
    if (decision->n_findings > MAX_FOUND) {
        printf("        and %zu more\n", decision->n_findings - MAX_FOUND);
    }
}

static void text_result(struct bw_test_show *show, const struct bw_test_result *result)
{
    (void)show;
    printf("%s - %s:", result->status == BW_TEST_PASSED ? "ok" : "not ok", result->file);
    if (result->line > 0) {
        printf("%u:%u:", result->line, result->column);
    }
    printf(" ");
    bw_put_clean(stdout, result->name, false);
    printf("\n");
    if (result->status == BW_TEST_NOT_RUN) {
        printf("    error: ");
        bw_put_clean(stdout, result->place, false);
        printf("%s", result->place[0] == '\0' ? "" : ": ");
        bw_put_clean(stdout, result->message, false);
        printf("\n");
        return;
    }
    const char *said = "";
    for (size_t i = 0; i < result->differences.n_items; i++) {
        const struct bw_test_difference *one = &result->differences.items[i];
        if (strcmp(said, one->what) != 0) {
            printf("    %s\n", one->what);
        }
        said = one->what;
        put_side('-', one->expected);
        put_side('+', one->got);
    }
    if (result->status == BW_TEST_FAILED) {
        put_found(result);
    }
}

static void text_end(struct bw_test_show *show)
{
    printf("%zu passed, %zu failed, %zu not run\n", show->counts[BW_TEST_PASSED], show->counts[BW_TEST_FAILED],
           show->counts[BW_TEST_NOT_RUN]);
}

const struct bw_test_writer bw_test_text = {.result = text_result, .end = text_end};

/* ---- JSON, which JUnit's XML is made from, too ---- */

static json_t *last_file(const struct bw_test_show *show)
{
    return json_array_get(show->files, json_array_size(show->files) - 1);
}

static void gather_file(struct bw_test_show *show, const char *file)
{
    if (show->files == NULL) {
        show->files = json_array();
    }
    (void)json_array_append_new(show->files, json_pack("{s:o, s:[]}", "file", bw_json_text(file), "cases"));
}

static void gather_fault(struct bw_test_show *show, const char *message, const struct bw_problems *list)
{
    json_t *file = last_file(show), *problems = json_array();
    (void)json_object_set_new(file, "error", bw_json_text(message));
    for (size_t i = 0; list != NULL && i < list->n_items; i++) {
        const struct bw_problem *one = &list->items[i];
        (void)json_array_append_new(problems,
                                    json_pack("{s:o, s:i, s:i, s:s, s:o, s:o}", "path", bw_json_text(one->path), "line",
                                              (int)one->line, "column", (int)one->column, "kind", one->kind, "message",
                                              bw_json_text(one->message), "suggestion", bw_json_text(one->suggestion)));
    }
    (void)json_object_set_new(file, "problems", problems);
}

static json_t *differences_json(const struct bw_test_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->differences.n_items; i++) {
        const struct bw_test_difference *one = &result->differences.items[i];
        (void)json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "what", one->what, "expected",
                                                    bw_json_text(one->expected), "got", bw_json_text(one->got)));
    }
    return list;
}

static void gather_result(struct bw_test_show *show, const struct bw_test_result *result)
{
    json_t *made = json_pack("{s:o, s:s}", "name", bw_json_text(result->name), "status", words[result->status]);
    if (result->line > 0) {
        (void)json_object_set_new(made, "line", json_integer((json_int_t)result->line));
    }
    if (result->decision != NULL) {
        const struct bw_decision *decision = result->decision;
        (void)json_object_set_new(made, "action", json_string(bw_action_name(decision->action)));
        (void)json_object_set_new(made, "reason", json_string(decision->reason));
        (void)json_object_set_new(made, "mapping",
                                  decision->mapping < 0 ? json_null() : json_integer(decision->mapping));
        (void)json_object_set_new(made, "mappingName", bw_json_text(result->mapping));
    }
    if (result->status == BW_TEST_FAILED) {
        (void)json_object_set_new(made, "differences", differences_json(result));
    }
    if (result->status == BW_TEST_NOT_RUN) {
        (void)json_object_set_new(made, "path", bw_json_text(result->place));
        (void)json_object_set_new(made, "error", bw_json_text(result->message));
    }
    (void)json_array_append_new(json_object_get(last_file(show), "cases"), made);
}

static void json_end(struct bw_test_show *show)
{
    json_t *all = json_pack("{s:I, s:I, s:I, s:O}", "passed", (json_int_t)show->counts[BW_TEST_PASSED], "failed",
                            (json_int_t)show->counts[BW_TEST_FAILED], "notRun",
                            (json_int_t)show->counts[BW_TEST_NOT_RUN], "files", show->files);
    (void)json_dumpf(all, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(all);
}

const struct bw_test_writer bw_test_json = {gather_file, gather_fault, gather_result, json_end};

/* ---- JUnit ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool has_status(const json_t *one, enum bw_test_status status)
{
    return strcmp(text_of(one, "status"), words[status]) == 0;
}

static void put_junit_case(const char *file, const json_t *one)
{
    printf("    <testcase");
    bw_put_xml_attribute("classname", file);
    bw_put_xml_attribute("name", text_of(one, "name"));
    if (has_status(one, BW_TEST_PASSED)) {
        printf("/>\n");
        return;
    }
    printf(">\n");
    if (has_status(one, BW_TEST_NOT_RUN)) {
        printf("      <error type=\"not-run\"");
        bw_put_xml_attribute("message", text_of(one, "error"));
        printf("/>\n    </testcase>\n");
        return;
    }
    const json_t *list = json_object_get(one, "differences");
    printf("      <failure type=\"expectation\"");
    bw_put_xml_attribute("message", text_of(json_array_get(list, 0), "what"));
    printf(">");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *difference = json_array_get(list, i);
        static const char *const sides[] = {"expected", "got"};
        for (size_t j = 0; j < BW_LENGTH(sides); j++) {
            if (text_of(difference, sides[j]) != NULL) {
                printf("%s: %s ", text_of(difference, "what"), j == 0 ? "-" : "+");
                bw_put_xml(text_of(difference, sides[j]));
                printf("\n");
            }
        }
    }
    printf("</failure>\n    </testcase>\n");
}

static void put_junit_file(const json_t *file)
{
    const json_t *cases = json_object_get(file, "cases");
    const char *name = text_of(file, "file"), *error = text_of(file, "error");
    size_t counts[BW_TEST_STATUSES] = {0};
    for (size_t i = 0; i < json_array_size(cases); i++) {
        for (int status = 0; status < BW_TEST_STATUSES; status++) {
            counts[status] += has_status(json_array_get(cases, i), (enum bw_test_status)status) ? 1 : 0;
        }
    }
    size_t faults = error != NULL ? 1 : 0;
    printf("  <testsuite");
    bw_put_xml_attribute("name", name);
    printf(" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\">\n", json_array_size(cases) + faults,
           counts[BW_TEST_FAILED], counts[BW_TEST_NOT_RUN] + faults);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        put_junit_case(name, json_array_get(cases, i));
    }
    if (error != NULL) {
        printf("    <testcase");
        bw_put_xml_attribute("classname", name);
        printf(" name=\"the file\">\n      <error type=\"not-run\"");
        bw_put_xml_attribute("message", error);
        printf("/>\n    </testcase>\n");
    }
    printf("  </testsuite>\n");
}

static void junit_end(struct bw_test_show *show)
{
    printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"breakwater test\">\n");
    for (size_t i = 0; i < json_array_size(show->files); i++) {
        put_junit_file(json_array_get(show->files, i));
    }
    printf("</testsuites>\n");
}

const struct bw_test_writer bw_test_junit = {gather_file, gather_fault, gather_result, junit_end};
