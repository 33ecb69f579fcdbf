/* What the tables say in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "evaluator/explain.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef int (*explain)(FILE *out, const char *gate, const char *trigger, struct bw_error *err);

static char *captured(explain how, const char *gate, const char *trigger, struct bw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    int result = how(out, gate, trigger, err);
    (void)fclose(out);
    if (result != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void text_names_triggers_and_parameters(void **state)
{
    (void)state;
    struct bw_error err = {0};
    char *all = captured(bw_explain_text, NULL, NULL, &err);
    assert_non_null(strstr(all, "dockerfile"));
    assert_null(strstr(all, "anchoresec"));
    free(all);
    char *one = captured(bw_explain_text, "Dockerfile", "exposed_ports", &err);
    assert_non_null(strstr(one, "exposed_ports"));
    assert_non_null(strstr(one, "one of: whitelist, blacklist"));
    assert_null(strstr(one, "effective_user"));
    free(one);
}

static void retired_gates_name_their_successor(void **state)
{
    (void)state;
    struct bw_error err = {0};
    char *text = captured(bw_explain_text, "npmcheck", NULL, &err);
    assert_non_null(strstr(text, "use npms"));
    free(text);
}

static void unknown_names_are_errors_with_a_suggestion(void **state)
{
    (void)state;
    static const struct {
        const char *gate, *trigger, *suggestion;
    } rows[] = {{"dokerfile", NULL, "dockerfile"}, {"files", "name_mach", "name_match"}, {NULL, "always", ""}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_error err = {0};
        assert_null(captured(bw_explain_text, rows[i].gate, rows[i].trigger, &err));
        assert_int_equal(err.code, BW_ENOTFOUND);
        assert_non_null(strstr(err.message, rows[i].suggestion));
    }
}

static void markdown_has_every_gate(void **state)
{
    (void)state;
    struct bw_error err = {0};
    char *text = captured(bw_explain_markdown, NULL, NULL, &err);
    assert_non_null(strstr(text, "### vulnerabilities:package"));
    assert_non_null(strstr(text, "| `anchoresec` (retired) | `vulnerabilities` |"));
    free(text);
}

static void the_schema_is_json(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(bw_explain_json_schema(out), 0);
    (void)fclose(out);
    json_t *schema = json_loads(text, 0, NULL);
    assert_non_null(schema);
    assert_non_null(json_object_get(schema, "properties"));
    json_decref(schema);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_names_triggers_and_parameters),
        cmocka_unit_test(retired_gates_name_their_successor),
        cmocka_unit_test(unknown_names_are_errors_with_a_suggestion),
        cmocka_unit_test(markdown_has_every_gate),
        cmocka_unit_test(the_schema_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
