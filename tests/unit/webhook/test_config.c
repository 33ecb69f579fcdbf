/* config.yaml: the table against itself, what is refused and where, and what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "webhook/config_table.h"

#include <stdlib.h>
#include <string.h>

static struct bw_problems problems;
static struct bw_config *config;
static struct bw_error error;

static int set_up(void **state)
{
    (void)state;
    bw_problems_init(&problems);
    config = NULL;
    memset(&error, 0, sizeof(error));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bw_config_release(config);
    bw_problems_clear(&problems);
    return 0;
}

static void load(const char *text)
{
    if (bw_config_load(&config, &problems, text, text ? strlen(text) : 0, &error))
        fail_msg("%s", error.message);
}

static void nothing_gives_the_defaults(void **state)
{
    (void)state;
    load(NULL);
    assert_string_equal(config->listen, ":8443");
    assert_int_equal(config->max_request_bytes, 24 * BW_MIB);
    assert_int_equal(config->max_in_flight, 256);
    assert_int_equal(config->shutdown_delay_ms, 8000);
    assert_int_equal(config->timeout_s, 10);
    assert_int_equal(config->max_deadline_ms, 25000);
    assert_int_equal(config->on_pending, BW_ON_ERROR_DENY);
    for (int fault = 0; fault < BW_FAULT_COUNT; fault++)
        assert_int_equal(config->on_error[fault], BW_ON_ERROR_DENY);
    assert_false(config->updates_all);
    assert_false(config->unsupported_deny);
    assert_false(config->allow_artifact_volumes);
    assert_int_equal(config->resource_mode, BW_RESOURCES_ALL);
    assert_int_equal(config->mirror_pods, BW_MIRROR_AUDIT);
    assert_int_equal(config->no_mapping_match, BW_NO_MAPPING_WARN);
    assert_null(config->message_hint);
    assert_int_equal(config->tag_stale_ms, 3600000);
    assert_int_equal(config->negative_ttl_ms, 15000);
    assert_int_equal(config->auth_ttl_ms, 300000);
    assert_int_equal(config->registry.retries, 4);
    assert_int_equal(config->analyzer.secret_max_bytes, 10000);
    assert_int_equal(config->analyzer.retrieved_max_bytes, 1000 * BW_KIB);
    assert_false(config->analyzer.fetch_foreign_layers);
    assert_int_equal(config->analyzer.cpu_s, 300);
    assert_int_equal(config->analyzer.wall_s, 900);
    assert_true(config->default_patterns);
    assert_int_equal(config->analysis_needs.n_secret_patterns, 5);
    assert_string_equal(config->analysis_needs.retrieved_paths[0], "/etc/passwd");
    assert_int_equal(config->log_level, BW_LOG_INFO);
    assert_string_equal(config->log_admits, "all");
    assert_int_equal(strlen(config->hash), 64);
}

static void every_kind_of_value_is_read(void **state)
{
    (void)state;
    load("server: {listen: '127.0.0.1:0', maxRequestBytes: 1MiB, eventLoops: 3}\n"
         "shutdown:\n  delay: 1.5s\n"
         "onError: {imageNotFound: allow, analysisIncomplete: warn}\n"
         "updates: all\n"
         "resourceMode: podsEnforceWorkloadsWarn\n"
         "imageVolumes: allowArtifacts\n"
         "messageHint: ask\n"
         "extraResources:\n"
         "- {group: tekton.dev, resource: tasks, imagePaths: ['spec.steps[*].image', spec.x]}\n"
         "- {resource: rollouts, podSpecPath: spec.template.spec}\n"
         "registry:\n"
         "  hosts:\n"
         "    registry.example:5000: {caFile: /ca.pem, mirrors: [https://b.example, https://a.example]}\n"
         "    plain.example: {plainHTTP: true}\n"
         "    empty.example:\n"
         "  allowAddresses: [127.0.0.0/8, '::1', fd00::/8]\n"
         "  tagTTL: 0s\n"
         "analysis:\n"
         "  secretSearch: {patterns: [B=b, A=a, B=b], maxFileSize: 5}\n"
         "  cpuLimit: 1500ms\n"
         "defaultPlatforms: [linux/arm64/v8, linux/amd64]\n"
         "cache: {dir: /var/cache, memoryBytes: 64Mi}\n"
         "log: {level: warn}\n"
         "bundles: {default: ~, configMaps: never, namespaces: [team-b, '*', team-a]}\n");
    assert_string_equal(config->listen, "127.0.0.1:0");
    assert_int_equal(config->max_request_bytes, BW_MIB);
    assert_int_equal(config->event_loops, 3);
    assert_int_equal(config->shutdown_delay_ms, 1500);
    assert_int_equal(config->on_error[BW_FAULT_IMAGE_NOT_FOUND], BW_ON_ERROR_ALLOW);
    assert_int_equal(config->on_error[BW_FAULT_ANALYSIS_INCOMPLETE], BW_ON_ERROR_WARN);
    assert_int_equal(config->on_error[BW_FAULT_INTERNAL], BW_ON_ERROR_DENY);
    assert_true(config->updates_all);
    assert_int_equal(config->resource_mode, BW_RESOURCES_PODS_ENFORCE_WORKLOADS_WARN);
    assert_true(config->allow_artifact_volumes);
    assert_string_equal(config->message_hint, "ask");
    assert_int_equal(config->n_extra_resources, 2);
    assert_string_equal(config->extra_resources[0].image_paths[1], "spec.x");
    assert_null(config->extra_resources[0].image_paths[2]);
    assert_string_equal(config->extra_resources[1].group, "");
    assert_int_equal(config->registry.n_hosts, 3);
    assert_int_equal(config->n_allow_addresses, 3);
    assert_int_equal(config->tag_ttl_ms, 0);
    assert_false(config->default_patterns);
    assert_int_equal(config->analysis_needs.n_secret_patterns, 2);
    assert_string_equal(config->analysis_needs.secret_patterns[0], "A=a");
    assert_int_equal(config->analyzer.cpu_s, 2);
    assert_int_equal(config->n_default_platforms, 2);
    assert_string_equal(config->default_platforms[0].variant, "v8");
    assert_int_equal(config->cache_memory_bytes, 64 * BW_MIB);
    assert_int_equal(config->log_level, BW_LOG_WARN);
    assert_null(config->default_bundle);
    for (size_t i = 0; i < config->registry.n_hosts; i++) {
        const struct bw_registry_host *host = &config->registry.hosts[i];
        if (strcmp(host->host, "registry.example:5000") == 0) {
            assert_string_equal(host->ca_file, "/ca.pem");
            assert_string_equal(host->mirrors[0], "https://b.example"); /* order as written */
        } else {
            assert_int_equal(host->plain_http, strcmp(host->host, "plain.example") == 0);
        }
    }
}

static void debug_port_can_be_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *address;
    } rows[] = {{"", "127.0.0.1:8082"},
                {"server: {debugListen: '[::1]:1'}\n", "[::1]:1"},
                {"server: {debugListen: '127.1.2.3:0'}\n", "127.1.2.3:0"},
                {"server: {debugListen: ''}\n", NULL}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        load(rows[i].text);
        assert_int_equal(config->debug_listen == NULL, rows[i].address == NULL);
        if (rows[i].address != NULL)
            assert_string_equal(config->debug_listen, rows[i].address);
        bw_config_release(config);
        config = NULL;
    }
}

static void faults_carry_place_and_suggestion(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path, *kind;
        unsigned line;
        const char *message, *suggestion;
    } rows[] = {
        {"server:\n  lisen: x\n", "/server/lisen", "unknown_key", 2, "no such key", "listen"},
        {"sever: {}\n", "/sever", "unknown_key", 1, "no such key", "server"},
        {"tagTTL: 5s\n", "/tagTTL", "unknown_key", 1, "no such key", "registry.tagTTL"},
        {"server.listen: x\n", "/server.listen", "unknown_key", 1, "no such key", NULL},
        {"onPending: denny\n", "/onPending", "value_invalid", 1, "deny, allow, warn", "deny"},
        {"onPending: [deny]\n", "/onPending", "value_invalid", 1, "found an array", NULL},
        {"onError:\n  analysisIncomplete: allow\n", "/onError/analysisIncomplete", "value_invalid", 2, "deny, warn",
         NULL},
        {"shutdown: {delay: 30}\n", "/shutdown/delay", "value_invalid", 1, "duration with its unit", NULL},
        {"shutdown: {delay: -3s}\n", "/shutdown/delay", "value_invalid", 1, "duration with its unit", NULL},
        {"webhook: {timeoutSeconds: 31}\n", "/webhook/timeoutSeconds", "value_invalid", 1, "1 to 30", NULL},
        {"server: {maxRequestBytes: 64MiB}\n", "/server/maxRequestBytes", "value_invalid", 1, "bytes", NULL},
        {"server: {maxRequestBytes: lots}\n", "/server/maxRequestBytes", "value_invalid", 1, "size like", NULL},
        {"server: {eventLoops: -1}\n", "/server/eventLoops", "value_invalid", 1, "whole number", NULL},
        {"server: 7\n", "/server", "value_invalid", 1, "expected a map", NULL},
        {"[]\n", "", "value_invalid", 1, "map of settings", NULL},
        {"server: {listen: 8443}\n", "/server/listen", "value_invalid", 1, "expected text", NULL},
        {"log: {admits: some}\n", "/log/admits", "value_invalid", 1, "all, none or 1/N", NULL},
        {"log: {admits: 1/0}\n", "/log/admits", "value_invalid", 1, "all, none or 1/N", NULL},
        {"server: {listen: '8443'}\n", "/server/listen", "value_invalid", 1, "[HOST]:PORT", NULL},
        {"server: {listen: '::1:8443'}\n", "/server/listen", "value_invalid", 1, "[HOST]:PORT", NULL},
        {"server: {debugListen: ':8082'}\n", "/server/debugListen", "value_invalid", 1, "loopback", NULL},
        {"server: {debugListen: '127.0.0.example:80'}\n", "/server/debugListen", "value_invalid", 1, "loopback", NULL},
        {"server: {debugListen: '[::]:8082'}\n", "/server/debugListen", "value_invalid", 1, "loopback", NULL},
        {"server: {listen: ':8081'}\n", "/server/healthListen", "value_invalid", 0, "another listener", NULL},
        {"messageHint: ''\n", "/messageHint", "value_invalid", 1, "not empty", NULL},
        {"registry: {hosts: {'https://x': {}}}\n", "/registry/hosts/https:~1~1x", "value_invalid", 1, "no scheme",
         NULL},
        {"registry:\n  hosts:\n    x:\n      cafile: /x\n", "/registry/hosts/x/cafile", "unknown_key", 4, "no such key",
         "caFile"},
        {"registry: {hosts: {x: {plainHTTP: 'yes'}}}\n", "/registry/hosts/x/plainHTTP", "value_invalid", 1,
         "true or false", NULL},
        {"registry: {hosts: {x: {mirrors: [x]}}}\n", "/registry/hosts/x/mirrors/0", "value_invalid", 1, "base URL",
         NULL},
        {"registry: {allowAddresses: [10.0.0.0/33]}\n", "/registry/allowAddresses/0", "value_invalid", 1,
         "network like", NULL},
        {"bundles: {namespaces: [team-a, team_b]}\n", "/bundles/namespaces/1", "value_invalid", 1,
         "name of a namespace", NULL},
        {"analysis: {secretSearch: {patterns: ['X=(']}}\n", "/analysis/secretSearch/patterns/0", "value_invalid", 1, "",
         NULL},
        {"analysis: {secretSearch: {patterns: [x]}}\n", "/analysis/secretSearch/patterns/0", "value_invalid", 1,
         "NAME=REGEX", NULL},
        {"analysis: {retrieveFiles: {paths: [etc/passwd]}}\n", "/analysis/retrieveFiles/paths/0", "value_invalid", 1,
         "absolute path", NULL},
        {"defaultPlatforms: [amd64]\n", "/defaultPlatforms/0", "value_invalid", 1, "amd64", NULL},
        {"extraResources: [{group: x, podSpecPath: spec}]\n", "/extraResources/0", "value_invalid", 1,
         "'resource' is missing", NULL},
        {"extraResources: [{resource: x}]\n", "/extraResources/0", "value_invalid", 1, "either", NULL},
        {"extraResources: [{resource: pods, podSpecPath: spec}]\n", "/extraResources/0", "value_invalid", 1,
         "known already", NULL},
        {"extraResources: [{resource: x, imagePaths: ['a[0]']}]\n", "/extraResources/0/imagePaths/0", "value_invalid",
         1, "expected a path", NULL},
        {"a: [\n", "", "syntax", 2, "line 2", NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        bw_problems_clear(&problems);
        bw_problems_init(&problems);
        if (bw_config_load(&config, &problems, rows[i].text, strlen(rows[i].text), &error) == 0)
            fail_msg("taken: %s", rows[i].text);
        assert_null(config);
        assert_int_equal(problems.n_items, 1);
        const struct bw_problem *found = &problems.items[0];
        if (strcmp(found->path, rows[i].path) != 0 || strcmp(found->kind, rows[i].kind) != 0 ||
            found->line != rows[i].line || !strstr(found->message, rows[i].message) ||
            (found->suggestion == NULL) != (rows[i].suggestion == NULL) ||
            (found->suggestion && strcmp(found->suggestion, rows[i].suggestion) != 0))
            fail_msg("%s\ngives: %s %s line %u: %s (%s)", rows[i].text, found->kind, found->path, found->line,
                     found->message, found->suggestion ? found->suggestion : "-");
        assert_int_equal(error.code, BW_EINPUT);
    }
}

static void every_fault_is_reported_at_once(void **state)
{
    (void)state;
    static const char text[] = "server: {listen: 1, nope: 2}\nupdates: none\nnegativeTTL: soon\nlog: {level: loud}\n";
    assert_int_equal(bw_config_load(&config, &problems, text, sizeof(text) - 1, &error), -1);
    assert_int_equal(problems.n_errors, 5);
    assert_non_null(strstr(error.message, "5 errors, first: line 1"));
}

static void a_flood_of_faults_is_counted(void **state)
{
    (void)state;
    char text[20000] = "", *at = text;
    for (int i = 0; i < 500; i++)
        at += snprintf(at, sizeof(text) - (size_t)(at - text), "key%d: x\n", i);
    assert_int_equal(bw_config_load(&config, &problems, text, strlen(text), &error), -1);
    assert_int_equal(problems.n_errors, 500);
    assert_int_equal(problems.n_items, 100);
}

static void table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < bw_config_table.n_keys; i++) {
        const struct bw_key *key = &bw_config_table.keys[i];
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(key->path, bw_config_table.keys[k].path);
        if (!key->doc || strlen(key->doc) < 12 || key->doc[strlen(key->doc) - 1] != '.')
            fail_msg("%s: the text is no sentence", key->path);
        if (key->kind == BW_KEY_IGNORED)
            continue;
        if (!key->default_text && !key->default_list && !key->example && !key->members)
            fail_msg("%s: neither default nor example", key->path);
        assert_int_equal(key->kind == BW_KEY_CHOICE, key->choices != NULL);
        assert_true(!key->members || key->members->n_keys <= BW_MAX_CONFIG_MEMBERS);
        for (size_t m = 0; key->members && m < key->members->n_keys; m++) {
            const struct bw_key *member = &key->members->keys[m];
            assert_true(member->default_text || member->example || member->kind == BW_KEY_IGNORED);
        }
        if (!key->example)
            continue;
        char text[512], nested[640];
        snprintf(text, sizeof(text), "%.500s", key->example);
        for (const char *end = key->path + strlen(key->path), *dot; end; end = dot) { /* innermost first */
            dot = NULL;
            for (const char *c = key->path; c < end; c++)
                dot = *c == '.' ? c : dot;
            const char *name = dot ? dot + 1 : key->path;
            snprintf(nested, sizeof(nested), "{%.*s: %s}", (int)(end - name), name, text);
            snprintf(text, sizeof(text), "%.500s", nested);
        }
        load(text);
        bw_config_release(config);
        config = NULL;
    }
}

static char *written(void (*write)(FILE *out))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    write(out);
    (void)fclose(out);
    return text;
}

static void example_is_complete_and_loads_as_the_defaults(void **state)
{
    (void)state;
    char *text = written(bw_config_write_example);
    for (size_t i = 0; i < bw_config_table.n_keys; i++) {
        const char *dot = strrchr(bw_config_table.keys[i].path, '.');
        if (bw_config_table.keys[i].kind == BW_KEY_IGNORED)
            continue;
        if (!strstr(text, dot ? dot + 1 : bw_config_table.keys[i].path))
            fail_msg("%s is missing", bw_config_table.keys[i].path);
    }
    load(text);
    struct bw_config *example = config;
    load(NULL);
    assert_string_equal(config->listen, example->listen);
    assert_int_equal(config->cache_disk_bytes, example->cache_disk_bytes);
    assert_true(example->default_patterns);
    bw_config_release(example);
    free(text);
}

static void markdown_names_every_key(void **state)
{
    (void)state;
    char *text = written(bw_config_write_markdown), row[160];
    for (size_t i = 0; i < bw_config_table.n_keys; i++) {
        snprintf(row, sizeof(row), "| `%s` | ", bw_config_table.keys[i].path);
        if (!strstr(text, row))
            fail_msg("%s is missing", bw_config_table.keys[i].path);
    }
    assert_non_null(strstr(text, "`registry.hosts.HOST.caFile`"));
    assert_non_null(strstr(text, "`extraResources[].group`"));
    free(text);
}

static void hash_follows_the_settings(void **state)
{
    (void)state;
    load("updates: all\n");
    struct bw_config *all = config;
    load("# a remark\nupdates: \"all\"\n");
    assert_string_equal(all->hash, config->hash);
    bw_config_release(config);
    load("");
    assert_string_not_equal(all->hash, config->hash);
    bw_config_release(all);
}

static void go_durations_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } rows[] = {{"10s", 10000},
                {"1m0s", 60000},
                {"500ms", 500},
                {"1.5s", 1500},
                {"0", 0},
                {"0s", 0},
                {"1h2m3s", 3723000},
                {".5s", 500},
                {"1m30s", 90000},
                {"999us", 0},
                {"1000us", 1},
                {"2500\xc2\xb5s", 2},
                {"", -1},
                {"10", -1},
                {"s", -1},
                {"-1s", -1},
                {"1 s", -1},
                {"1d", -1},
                {"1s ", -1},
                {".s", -1},
                {"99999999999999999999h", -1}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        int64_t ms = -1;
        int result = bw_duration_parse(&ms, rows[i].text, strlen(rows[i].text));
        if (ms != rows[i].ms || (result == 0) != (rows[i].ms >= 0))
            fail_msg("%s gives %lld", rows[i].text, (long long)ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_gives_the_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_kind_of_value_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(debug_port_can_be_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_carry_place_and_suggestion, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_fault_is_reported_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_of_faults_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(table_is_sound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(example_is_complete_and_loads_as_the_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(markdown_names_every_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hash_follows_the_settings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(go_durations_are_read, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("webhook/config", tests, NULL, NULL);
}
