/* Documents and facts that nobody writes in good faith: refused with their place, judged in linear time. What would be
 * quadratic takes longer than a test may run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "facts_for_test.h"

/* ---- bundles ---- */

#define HEAD(version) "{\"id\":\"b\",\"version\":" version ",\"mappings\":[],\"policies\":[{\"id\":\"p\",\"version\":"
#define RULES(rules)  HEAD("\"1_0\"") "\"1_0\",\"rules\":[" rules "]}]}"
#define PORTS(value)                                                                                                   \
    RULES("{\"gate\":\"dockerfile\",\"trigger\":\"exposed_ports\",\"action\":\"STOP\",\n\"params\":[{\"name\":"        \
          "\"ports\",\"value\":" value "},{\"name\":\"type\",\"value\":\"blacklist\"}]}")
#define PORTS_PATH "/policies/0/rules/0/params/0/value"
#define ZEROS_30   "000000000000000000000000000000"
#define AGE(days)                                                                                                      \
    RULES("{\"gate\":\"vulnerabilities\",\"trigger\":\"stale_feed_data\",\"action\":\"STOP\",\"params\":[{\"name\":"   \
          "\"max_days_since_sync\",\"value\":" days "}]}")
#define YAML "id: b\nversion: \"1_0\"\npolicies: []\nmappings: []\n"

static const struct document {
    const char *before;
    const char *unit; /* repeated */
    size_t times;
    const char *between; /* behind the units and before as many `close` */
    const char *close;
    const char *after;
    enum bw_problem_severity severity;
    const char *kind; /* NULL: nothing is said */
    const char *path;
    unsigned line, column; /* of the document; 0: found by the path */
} documents[] = {
    /* numbers */
    {.before = HEAD("1e400"), .after = "1}]}", .kind = "syntax", .path = "", .line = 1, .column = 25},
    {.before = HEAD("1" ZEROS_30), .after = "1}]}", .kind = "syntax", .path = "", .line = 1, .column = 51},
    {.before = HEAD("-1"), .after = "\"1_0\"}]}", .kind = "unsupported_version", .path = "/version"},
    {.before = PORTS("1e308"), .kind = "parameter_value_invalid", .path = PORTS_PATH},
    {.before = PORTS("-1"), .kind = "parameter_value_invalid", .path = PORTS_PATH},
    {.before = PORTS("\"-1\""), .kind = "parameter_value_invalid", .path = PORTS_PATH},
    {.before = PORTS("\"22,1" ZEROS_30 "\"")},
    {.before = AGE("\"1" ZEROS_30 "\"")},
    {.before = AGE("\"-0\""), .kind = "parameter_value_invalid", .path = PORTS_PATH},
    {.before = YAML "x: 1e400\n", .kind = "syntax", .path = "", .line = 5, .column = 4},
    {.before = "id: b\nversion: 1" ZEROS_30 "\n", .kind = "unsupported_version", .path = "/version"},
    /* sizes */
    {.before = HEAD("\"1_0\"") "\"1_0\",\"rules\":[",
     .unit = "7,",
     .times = BW_MAX_BUNDLE_VALUES - 100,
     .between = "7]}]}",
     .kind = "malformed",
     .path = "/policies/0/rules/999"},
    {.before = HEAD("\"1_0\"") "\"1_0\",\"rules\":[",
     .unit = "{},",
     .times = BW_MAX_BUNDLE_VALUES / 2,
     .between = "7]}]}",
     .kind = "limit",
     .path = ""},
    {.before = YAML "name: [",
     .unit = "x,",
     .times = BW_MAX_YAML_NODES,
     .between = "]\n",
     .kind = "limit",
     .path = "",
     .line = 5},
    /* nesting */
    {.before = "{\"x\":",
     .unit = "[",
     .times = 10000,
     .close = "]",
     .after = "}",
     .kind = "limit",
     .path = "",
     .line = 1,
     .column = 5 + BW_MAX_JSON_DEPTH},
    {.before = "{\n\"x\":",
     .unit = "{\"x\":",
     .times = 10000,
     .between = "1",
     .close = "}",
     .after = "}",
     .kind = "limit",
     .path = "",
     .line = 2,
     .column = 5 + 5 * (BW_MAX_JSON_DEPTH - 1)},
    {.before = YAML "x: ",
     .unit = "[",
     .times = 10000,
     .close = "]",
     .kind = "limit",
     .path = "",
     .line = 5,
     .column = 3 + BW_MAX_JSON_DEPTH},
    {.before = "", .unit = "- ", .times = 10000, .kind = "limit", .path = "", .line = 1},
    /* bytes */
    {.before = PORTS("\"2\xff\""), .kind = "syntax", .path = "", .line = 2, .column = 36},
    {.before = PORTS("\"\xed\xa0\x80\""), .kind = "syntax", .path = "", .line = 2, .column = 35},
    {.before = PORTS("\"\\ud800\""), .kind = "syntax", .path = "", .line = 2, .column = 42},
    {.before = "id: b\nname: \xff\n", .kind = "syntax", .path = "", .line = 2, .column = 7},
    {.before = "id: b\nname: a\xc2", .kind = "syntax", .path = "", .line = 2, .column = 8},
    {.before = PORTS("\"22\\u0000\""), .kind = "parameter_value_invalid", .path = PORTS_PATH},
    {.before = RULES("{\"gate\":\"always\\u0000\",\"trigger\":\"always\",\"action\":\"GO\",\"params\":[]}"),
     .kind = "gate_not_found",
     .path = "/policies/0/rules/0/gate"},
    {.before = "id: b\nname: \"a\\0b\"\nversion: 1_0\npolicies: []\nmappings: []\n",
     .severity = BW_PROBLEM_WARNING,
     .kind = "never_matches",
     .path = "/name"},
    /* keys that occur twice */
    {.before = "{\"id\":\"b\",\"version\":\"1_0\",\"mappings\":[],\n \"policies\":[],\"policies\":[]}",
     .severity = BW_PROBLEM_WARNING,
     .kind = "duplicate_key",
     .path = "",
     .line = 2,
     .column = 25},
    {.before = "{\"id\":\"b\",\"id\":}", .kind = "syntax", .path = "", .line = 1, .column = 16},
    {.before = YAML "policies: []\n", .kind = "syntax", .path = "", .line = 5, .column = 1},
    /* anchors and merges */
    {.before = YAML "x: &a [*a]\n", .kind = "syntax", .path = "", .line = 5, .column = 8},
    {.before = YAML "x: {<<: &a {y: *a}}\n", .kind = "syntax", .path = "", .line = 5, .column = 16},
    {.before = YAML "x: {<<: [1]}\n", .kind = "syntax", .path = "", .line = 5, .column = 4},
    {.before = YAML "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                    "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                    "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
     .between = "g: [*f]\n",
     .kind = "limit",
     .path = "",
     .line = 11,
     .column = 5},
    {.before = YAML "a: &a {b: 1, c: 2, d: 3}\nx:\n",
     .unit = "- <<: [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n",
     .times = 100000,
     .kind = "limit",
     .path = ""},
};

static void write_document(struct bw_buf *out, const struct document *row)
{
    bw_buf_init(out, BW_MAX_BUNDLE_BYTES);
    bw_buf_puts(out, row->before);
    for (size_t i = 0; i < row->times; i++) {
        bw_buf_puts(out, row->unit);
    }
    bw_buf_puts(out, row->between != NULL ? row->between : "");
    for (size_t i = 0; row->close != NULL && i < row->times; i++) {
        bw_buf_puts(out, row->close);
    }
    bw_buf_puts(out, row->after != NULL ? row->after : "");
    assert_false(out->full);
}

static void documents_are_refused_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < BW_LENGTH(documents); i++) {
        const struct document *row = &documents[i];
        struct bw_buf text;
        write_document(&text, row);
        struct fixture fixture = {0};
        struct bw_error err = {0};
        int status = try_load(&fixture, text.data, &err);
        bool faulty = row->kind != NULL && row->severity == BW_PROBLEM_ERROR;
        if ((status != 0) != faulty) {
            fail_msg("row %zu: %s: %s", i, faulty ? "loads" : "does not load", err.message);
        }
        bool found = row->kind == NULL && fixture.problems.n_errors == 0;
        for (size_t j = 0; row->kind != NULL && j < fixture.problems.n_items; j++) {
            const struct bw_problem *problem = &fixture.problems.items[j];
            found = found || (problem->severity == row->severity && strcmp(problem->kind, row->kind) == 0 &&
                              strcmp(problem->path, row->path) == 0 && (row->line == 0 || problem->line == row->line) &&
                              (row->column == 0 || problem->column == row->column));
        }
        for (size_t j = 0; !found && j < fixture.problems.n_items; j++) {
            const struct bw_problem *problem = &fixture.problems.items[j];
            print_message("%s %s %u:%u %s\n", problem->kind, problem->path, problem->line, problem->column,
                          problem->message);
        }
        if (!found) {
            fail_msg("row %zu: no %s at %s %u:%u", i, row->kind != NULL ? row->kind : "loaded bundle",
                     row->path != NULL ? row->path : "", row->line, row->column);
        }
        bw_bundle_release(fixture.bundle);
        bw_problems_clear(&fixture.problems);
        bw_buf_clear(&text);
    }
}

/* A text with NUL in it is cut by nobody: the loader gets its length. */
static void a_raw_nul_is_a_fault_of_syntax(void **state)
{
    (void)state;
    static const char json[] = "{\"id\":\"b\",\n\"na\0me\":1}";
    static const char yaml[] = "id: b\nname: a\0b\n";
    static const struct {
        const char *text;
        size_t len;
        unsigned line, column;
    } rows[] = {{json, sizeof(json) - 1, 2, 3}, {yaml, sizeof(yaml) - 1, 2, 8}};
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct bw_bundle *bundle = NULL;
        struct bw_problems problems;
        struct bw_error err = {0};
        bw_problems_init(&problems);
        assert_int_equal(bw_bundle_load(&bundle, &problems, rows[i].text, rows[i].len, NULL, &err), -1);
        assert_string_equal(problems.items[0].kind, "syntax");
        assert_int_equal(problems.items[0].line, rows[i].line);
        assert_int_equal(problems.items[0].column, rows[i].column);
        bw_problems_clear(&problems);
    }
}

/* ---- facts ---- */

#define SIZE(check, value)                                                                                             \
    BUNDLE(RULE("metadata", "attribute", "STOP",                                                                       \
                PARAM("attribute", "size") "," PARAM("check", check) "," PARAM("value", value)))
#define MODE(mode)     BUNDLE(RULE("files", "attribute_match", "STOP", PARAM("filename", "/f") "," PARAM("mode", mode)))
#define FILES(records) "\"files\":[" records "]"
#define FILE_OF(path, mode, size)                                                                                      \
    "{\"path\":\"" path "\",\"type\":\"file\",\"mode\":" mode ",\"size\":" size ",\"sha256\":\"x\"}"
#define LINK(path, to) "{\"path\":\"" path "\",\"type\":\"link\",\"mode\":41471,\"size\":0,\"linkto\":\"" to "\"}"
#define EXPECTED(path, mode, size)                                                                                     \
    ",\"verification\":[{\"package\":\"x\",\"package_type\":\"dpkg\",\"path\":\"" path "\",\"mode\":" mode             \
    ",\"size\":" size "}],\"packages\":[{\"type\":\"dpkg\",\"name\":\"x\",\"version\":\"1\"}]"
#define VERIFY  BUNDLE(RULE("packages", "verify", "STOP", ""))
#define LARGEST "9223372036854775807"

static void facts_that_lie_are_judged_as_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *bundle, *members;
        size_t n_findings;
    } rows[] = {
        {SIZE("<", "1kb"), "\"image\":{\"digest\":\"" DIGEST_A "\",\"size\":-9223372036854775808}", 1},
        {SIZE(">", "9999999tb"), "\"image\":{\"digest\":\"" DIGEST_A "\",\"size\":" LARGEST "}", 0},
        {SIZE(">=", "9999999tb"), "\"image\":{\"digest\":\"" DIGEST_A "\",\"size\":" LARGEST "}", 1},
        {MODE("0o777777777777777777777777"), FILES(FILE_OF("/f", "4294967295", "-1")), 0},
        {MODE("07777"), FILES(FILE_OF("/f", "4294967295", "-1")), 1},
        {BUNDLE(RULE("files", "suid_or_guid_set", "STOP", "")), FILES(FILE_OF("/f", "4294967295", "-1")), 1},
        {VERIFY, FILES(FILE_OF("/f", "0", "5")) EXPECTED("/f", "4294967295", "5"), 0},
        {VERIFY, FILES(FILE_OF("/f", "33188", "5")) EXPECTED("/f", "4294967295", "5"), 1},
        {VERIFY, FILES(FILE_OF("/f", "33188", "5")) EXPECTED("/f", "-1", "-9223372036854775808"), 0},
        {VERIFY, FILES(FILE_OF("/f", "33188", "-5")) EXPECTED("/f", "0", "5"), 0},
        {VERIFY, FILES(LINK("/a", "/b") "," LINK("/b", "/a")) EXPECTED("/a", "33188", "5"), 0},
        {VERIFY, FILES(LINK("/a", "/a")) EXPECTED("/a/b", "33188", "5"), 1},
        {BUNDLE(RULE("files", "name_match", "STOP", PARAM("regex", ".*"))), FILES(LINK("/a", "../../..")), 1},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        set_up(&fixture, rows[i].bundle, rows[i].members);
        evaluate(&fixture);
        size_t n_undecided = 0;
        for (size_t j = 0; j < fixture.decision.n_findings; j++) {
            n_undecided += fixture.decision.findings[j].undecided;
        }
        if (fixture.decision.n_findings != rows[i].n_findings || n_undecided > 0) {
            fail_msg("row %zu: %zu findings, %zu undecided: %s", i, fixture.decision.n_findings, n_undecided,
                     fixture.decision.n_findings > 0 ? fixture.decision.findings[0].message : "none");
        }
        tear_down(&fixture);
    }
}

/* An image of one package name in so many versions, and one long EXPOSE line: of one port, or numbered without one. */
static struct bw_report *make_report(size_t n_packages, const char *port, size_t n_ports)
{
    struct bw_error err = {0};
    struct bw_report_builder *builder = bw_report_builder_create(BW_ARENA_REPORT);
    struct bw_report *head = bw_report_builder_head(builder), *report = NULL;
    (void)snprintf(head->digest.text, sizeof(head->digest.text), "%s", DIGEST_A);
    for (size_t i = 0; i < n_packages; i++) {
        char version[32];
        (void)snprintf(version, sizeof(version), "%zu", i);
        struct bw_package package = {.type = "npm",
                                     .name = "x",
                                     .version = version,
                                     .full_version = version,
                                     .license = "MIT",
                                     .location = "/x",
                                     .size = -1};
        assert_int_equal(bw_report_add_package(builder, &package, &err), 0);
    }
    struct bw_buf lines;
    bw_buf_init(&lines, 64 * BW_MIB);
    bw_buf_puts(&lines, "FROM scratch\nEXPOSE");
    for (size_t i = 0; i < n_ports; i++) {
        port != NULL ? bw_buf_printf(&lines, " %s", port) : bw_buf_printf(&lines, " %zu/x", i);
    }
    head->dockerfile_mode = "Guessed";
    head->dockerfile = bw_arena_strdup(bw_report_builder_arena(builder), lines.data);
    bw_buf_clear(&lines);
    if (bw_report_builder_finish(&report, builder, &err) != 0) {
        fail_msg("%s", err.message);
    }
    bw_report_builder_destroy(builder);
    return report;
}

#define ALLOWED                                                                                                        \
    BUNDLE(RULE("dockerfile", "exposed_ports", "STOP", PARAM("ports", "7,9") "," PARAM("type", "whitelist")))

static void evaluation_takes_linear_time(void **state)
{
    (void)state;
    static const struct {
        const char *bundle;
        size_t n_packages;
        const char *port;
        size_t n_ports, n_findings;
    } rows[] = {
        {BUNDLE(RULE("npms", "blacklisted_name_version", "STOP", PARAM("name", "x") "," PARAM("version", "7"))),
         BW_MAX_PACKAGES, NULL, 0, 1},
        {BUNDLE(RULE("npms", "newer_version_in_feed", "STOP", "") "," RULE("npms", "version_not_in_feeds", "STOP", "")),
         BW_MAX_PACKAGES, NULL, 0, 2 * BW_MAX_PACKAGES - 3},
        {BUNDLE(RULE("packages", "blacklist", "STOP", PARAM("name", "x") "," PARAM("version", "7")) "," RULE(
             "packages", "required_package", "STOP",
             PARAM("name", "x") "," PARAM("version", "none")) "," RULE("licenses", "blacklist_exact_match", "STOP",
                                                                       PARAM("licenses", "GPL,BSD"))),
         BW_MAX_PACKAGES, NULL, 0, 2},
        {BUNDLE(RULE("tag_drift", "packages_modified", "STOP", "")), BW_MAX_PACKAGES, NULL, 0, 1},
        {ALLOWED, 0, NULL, 200000, 199998},
        {ALLOWED, 0, "7/udp", 1000000, 0},
        {ALLOWED, 0, "7-7/udp", 1000000, 0},
    };
    static const char *const versions[] = {"7", "199999"};
    static const struct bw_feed_package published = {"x", "7", versions, BW_LENGTH(versions)};
    static const struct bw_package_feed feed = {.synced = true, .records = &published, .n_records = 1};
    struct bw_report *previous = make_report(1, NULL, 0);
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        struct bw_error err = {0};
        set_up(&fixture, rows[i].bundle, "");
        bw_report_release(fixture.report);
        fixture.report = make_report(rows[i].n_packages, rows[i].port, rows[i].n_ports);
        fixture.facts.report = fixture.report;
        fixture.facts.previous = previous;
        fixture.facts.npm_feed = &feed;
        if (bw_evaluate_wordless(&fixture.decision, fixture.bundle, &fixture.facts, BW_NO_MAPPING_WARN, &fixture.arena,
                                 &err) != 0) {
            fail_msg("row %zu: %s", i, err.message);
        }
        if (fixture.decision.n_findings != rows[i].n_findings) {
            fail_msg("row %zu: %zu findings", i, fixture.decision.n_findings);
        }
        tear_down(&fixture);
    }
    bw_report_release(previous);
}

static void impossible_modes_and_counts_are_refused(void **state)
{
    (void)state;
    static const char *const members[] = {
        FILES(FILE_OF("/f", "-1", "5")),
        FILES(FILE_OF("/f", "4294967296", "5")),
        FILES(FILE_OF("/f", "33188", "1e400")),
        FILES(FILE_OF("/f", "33188", "9223372036854775808")),
        FILES(FILE_OF("/f", "33188", "5")) EXPECTED("/f", LARGEST, "5"),
    };
    for (size_t i = 0; i < BW_LENGTH(members); i++) {
        char text[1024];
        struct bw_error err = {0};
        struct bw_report *report = NULL;
        int len = snprintf(text, sizeof(text), "{\"schema\":\"analysis/1\",\"image\":{\"digest\":\"" DIGEST_A "\"},%s}",
                           members[i]);
        if (bw_report_read_json(&report, text, (size_t)len, &err) == 0) {
            fail_msg("%s", members[i]);
        }
        assert_int_equal(err.code, BW_EINPUT);
        assert_null(report);
    }
}

static void more_packages_than_are_read_are_refused(void **state)
{
    (void)state;
    struct bw_buf text;
    struct bw_error err = {0};
    struct bw_report *report = NULL;
    bw_buf_init(&text, 64 * BW_MIB);
    bw_buf_puts(&text, "{\"schema\":\"analysis/1\",\"image\":{\"digest\":\"" DIGEST_A "\"},\"packages\":[");
    for (size_t i = 0; i < 1000000; i++) {
        bw_buf_puts(&text, "{\"type\":\"npm\",\"name\":\"x\"},");
    }
    bw_buf_puts(&text, "{\"type\":\"npm\",\"name\":\"x\"}]}");
    assert_int_equal(bw_report_read_json(&report, text.data, text.len, &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    assert_null(report);
    bw_buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_refused_with_their_place),
        cmocka_unit_test(a_raw_nul_is_a_fault_of_syntax),
        cmocka_unit_test(facts_that_lie_are_judged_as_they_are),
        cmocka_unit_test(evaluation_takes_linear_time),
        cmocka_unit_test(impossible_modes_and_counts_are_refused),
        cmocka_unit_test(more_packages_than_are_read_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
