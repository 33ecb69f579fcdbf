/* The tables of gates themselves: names, sentences, examples that their own parser accepts, texts of ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "evaluator/gate.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_name(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && *text != '_') {
            return false;
        }
    }
    return true;
}

static bool is_sentence(const char *text)
{
    size_t len = text == NULL ? 0 : strlen(text);
    return len > 2 && !islower((unsigned char)text[0]) && text[len - 1] == '.';
}

static void check_param(const struct bw_trigger *trigger, const struct bw_param *param)
{
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_MIB);
    const char *const texts[] = {param->example, param->default_text};
    if (!is_name(param->name) || !is_sentence(param->doc) || param->example == NULL) {
        fail_msg("%s %s", trigger->name, param->name);
    }
    for (size_t i = 0; i < BW_LENGTH(texts); i++) {
        struct bw_value value = {0};
        struct bw_error err = {0};
        if (texts[i] != NULL && (bw_param_parse(&value, param, texts[i], &arena, &err) != 0 || value.fault != NULL)) {
            fail_msg("%s %s: \"%s\": %s", trigger->name, param->name, texts[i], err.message);
        }
    }
}

static void rows_are_complete(void **state)
{
    (void)state;
    size_t n_active = 0;
    size_t n_triggers = 0;
    size_t n_retired = 0;
    for (size_t i = 0; bw_gates[i] != NULL; i++) {
        const struct bw_gate *gate = bw_gates[i];
        assert_true(is_name(gate->name));
        assert_true(is_sentence(gate->doc));
        assert_ptr_equal(bw_gate_find(gate->name), gate);
        n_retired += gate->state == BW_GATE_RETIRED;
        for (unsigned t = 0; t < gate->n_triggers; t++) {
            const struct bw_trigger *trigger = &gate->triggers[t];
            assert_true(is_name(trigger->name));
            assert_true(is_sentence(trigger->doc));
            assert_ptr_equal(bw_trigger_find(gate, trigger->name), trigger);
            assert_int_equal(trigger->evaluate != NULL, gate->state == BW_GATE_ACTIVE);
            for (unsigned p = 0; p < trigger->n_params; p++) {
                check_param(trigger, &trigger->params[p]);
            }
        }
        if (gate->state == BW_GATE_ACTIVE) {
            n_active++;
            n_triggers += gate->n_triggers;
        }
    }
    assert_int_equal(n_active, 13 + 2); /* those of the engine, distro and tag_drift */
    assert_int_equal(n_triggers, 40 + 1 + 3);
    assert_int_equal(n_retired, 14);
}

static void every_example_loads_as_a_rule(void **state)
{
    (void)state;
    for (size_t i = 0; bw_gates[i] != NULL; i++) {
        const struct bw_gate *gate = bw_gates[i];
        for (unsigned t = 0; gate->state == BW_GATE_ACTIVE && t < gate->n_triggers; t++) {
            struct bw_buf text;
            bw_buf_init(&text, BW_MIB);
            bw_buf_printf(&text,
                          "{\"id\":\"b\",\"version\":\"1_0\",\"policies\":[{\"id\":\"p\",\"version\":\"1_0\",\"rules\":"
                          "[{\"gate\":\"%s\","
                          "\"trigger\":\"%s\",\"action\":\"STOP\",\"params\":[",
                          gate->name, gate->triggers[t].name);
            for (unsigned p = 0; p < gate->triggers[t].n_params; p++) {
                const struct bw_param *param = &gate->triggers[t].params[p];
                bw_buf_printf(&text, "%s{\"name\":\"%s\",\"value\":", p > 0 ? "," : "", param->name);
                bw_buf_json(&text, param->example, strlen(param->example));
                bw_buf_puts(&text, "}");
            }
            bw_buf_puts(&text, "]}]}],\"mappings\":[]}");
            struct bw_problems problems;
            struct bw_bundle *bundle = NULL;
            struct bw_error err = {0};
            bw_problems_init(&problems);
            if (bw_bundle_load(&bundle, &problems, text.data, text.len, NULL, &err) != 0) {
                fail_msg("%s", err.message);
            }
            bw_bundle_release(bundle);
            bw_problems_clear(&problems);
            bw_buf_clear(&text);
        }
    }
}

static void names_are_found_in_any_case_and_suggested(void **state)
{
    (void)state;
    assert_non_null(bw_gate_find("DockerFile"));
    assert_null(bw_gate_find("docker"));
    assert_string_equal(bw_gate_suggest("dokerfile"), "dockerfile");
    assert_string_equal(bw_trigger_suggest(bw_gate_find("dockerfile"), "exposed_port"), "exposed_ports");
    assert_null(bw_gate_suggest("zzz"));
}

/* Ids that the engine's own code gave, or that its message texts give (policy specification, test vectors). */
static void ids_are_those_of_the_engine(void **state)
{
    (void)state;
    static const struct {
        const char *gate, *trigger;
        enum bw_id_text id;
        const char *arguments[5];
        const char *expected;
    } rows[] = {
        {"dockerfile",
         "no_dockerfile_provided",
         BW_ID_DOCKERFILE_NOT_PROVIDED,
         {0},
         "b00b22232c1902075263067d2d2b8eea"},
        {"dockerfile", "effective_user", BW_ID_DOCKERFILE_USER_REFUSED, {"root"}, "cbff271f45d32e78dcc1979dbca9c14d"},
        {"dockerfile", "exposed_ports", BW_ID_DOCKERFILE_PORT_REFUSED, {"22"}, "cc05c35507995b4a657b63f9b0baa281"},
        {"dockerfile",
         "exposed_ports",
         BW_ID_DOCKERFILE_PORT_NOT_ALLOWED,
         {"22/tcp"},
         "ac6a366c7718348027ec957cd532f3e5"},
        {"dockerfile",
         "instruction",
         BW_ID_DOCKERFILE_NO_INSTRUCTION,
         {"HEALTHCHECK", "not_exists"},
         "41cb7cdf04850e33a11f80c42bf660b3"},
        {"dockerfile",
         "instruction",
         BW_ID_DOCKERFILE_INSTRUCTION,
         {"FROM", "=", "scratch", "scratch"},
         "e262a2bcde7efdc1bec001795304680f"},
        {"metadata",
         "attribute",
         BW_ID_METADATA,
         {"distro", "=", "debian", "debian"},
         "928b8f0784891909924a08e7891beb35"},
        {"passwd_file", "content_not_available", BW_ID_PASSWD_NONE, {0}, "a03e8bea98bc473ccb1dc7471b201943"},
        {"passwd_file",
         "blacklist_userids",
         BW_ID_PASSWD_ENTRY,
         {"uid", "0", "root:x:0:0:root:/root:/bin/bash"},
         "9e4ded48ca5f2bacd89d4f17b1fd1013"},
        {"retrieved_files", "content_not_available", BW_ID_RETRIEVED_NONE, {0}, "013ff87ce9b12826800438355925acd3"},
        {"files", "suid_or_guid_set", BW_ID_FILES_SUID, {"/bin/su", "0o104755"}, "91192388289daa4ffb2844ac9fbd709f"},
        {"files", "name_match", BW_ID_FILES_NAME, {"/etc/p", "/etc"}, "8fb051bf85d9755737eca97d3969c4d5"},
        {"files", "attribute_match", BW_ID_FILES_MISSING, {"/nope"}, "4e124d0f8d7142c998196a718f2d56b3"},
        {"secret_scans",
         "content_regex_checks",
         BW_ID_SECRETS_FOUND,
         {"/b", "AWS_ACCESS_KEY=x"},
         "808fc7830783657fe578f142a3c4134a"},
        {"licenses", "blacklist_exact_match", BW_ID_LICENSES_EXACT, {"p(GPL-3+)"}, "a2abfbec40dbdc61713f559ebedf18cf"},
        {"packages", "blacklist", BW_ID_PACKAGES_BLACKLISTED, {"openssh-server"}, "80d99b45cd2bd067ef9e0ae4f7736a4b"},
        {"packages", "blacklist", BW_ID_PACKAGES_BLACKLISTED, {"Django-2.2.3"}, "98a988b0b4262f45b0674c9d1d3694cd"},
        {"vulnerabilities",
         "blacklist",
         BW_ID_VULNERABILITIES_LISTED,
         {"['CVE-2019-1', 'CVE-2019-2']"},
         "c48ad31fb345388fa84391bc576b214b"},
        {"vulnerabilities", "stale_feed_data", BW_ID_VULNERABILITIES_STALE, {"2"}, "deb3f1afb4ea0ddf587e6c62c341c6fa"},
        {"vulnerabilities",
         "vulnerability_data_unavailable",
         BW_ID_VULNERABILITIES_UNAVAILABLE,
         {"debian:10"},
         "86fa1d788823cd10f205361f8493f38c"},
        {"malware", "scan_not_run", BW_ID_MALWARE_NOT_RUN, {0}, "7feaec55f790ab6b3edba15014b8b5f2"},
        {"ruby_gems", "feed_data_unavailable", BW_ID_GEMS_NO_FEED, {0}, "58d7d6d2d3299c3c10f08a6a8ab95bb4"},
        {"npms", "feed_data_unavailable", BW_ID_NPMS_NO_FEED, {0}, "65da5d4415b3e7336c752aebfaef4a40"},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_buf text;
        bw_buf_init(&text, BW_MIB);
        bw_buf_puts(&text, rows[i].gate);
        bw_buf_puts(&text, rows[i].trigger);
        bw_template_fill(&text, bw_id_text(rows[i].id), rows[i].arguments);
        char hex[2 * BW_HASH_MAX + 1];
        bw_hash_hex(hex, BW_MD5, text.data, text.len);
        if (strcmp(hex, rows[i].expected) != 0) {
            fail_msg("%s", text.data);
        }
        bw_buf_clear(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(every_example_loads_as_a_rule),
        cmocka_unit_test(names_are_found_in_any_case_and_suggested),
        cmocka_unit_test(ids_are_those_of_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
