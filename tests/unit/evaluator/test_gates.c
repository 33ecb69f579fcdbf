/* What gates see otherwise than the engine, and what the recorded decisions do not show: one row each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "facts_for_test.h"

#define DOCKERFILE(mode, text) "\"dockerfile\":{\"mode\":\"" mode "\",\"contents\":\"" text "\"}"
#define INSTRUCTION(word, check, value)                                                                                \
    BUNDLE(RULE("dockerfile", "instruction", "STOP",                                                                   \
                PARAM("instruction", word) "," PARAM("check", check) "," PARAM("value", value)))
#define USER(users, type)                                                                                              \
    BUNDLE(RULE("dockerfile", "effective_user", "STOP", PARAM("users", users) "," PARAM("type", type)))
#define PORTS(ports, type)                                                                                             \
    BUNDLE(RULE("dockerfile", "exposed_ports", "STOP", PARAM("ports", ports) "," PARAM("type", type)))
#define PACKAGE(type, name, version, release, full, license)                                                           \
    "{\"type\":\"" type "\",\"name\":\"" name "\",\"version\":\"" version "\",\"release\":\"" release                  \
    "\",\"full_version\":\"" full "\",\"license\":\"" license "\",\"path\":\"pkgdb\"}"
#define REQUIRED(name, version, match)                                                                                 \
    BUNDLE(RULE("packages", "required_package", "STOP",                                                                \
                PARAM("name", name) "," PARAM("version", version) "," PARAM("version_match_type", match)))
#define RPM_DISTRO     "\"distro\":{\"id\":\"centos\",\"version\":\"7\",\"like\":\"rhel\"},"
#define DEB_DISTRO     "\"distro\":{\"id\":\"debian\",\"version\":\"12\",\"like\":\"debian\"},"
#define PASSWD(base64) "\"retrieved_files\":[{\"path\":\"/etc/passwd\",\"content_base64\":\"" base64 "\"}]"
#define SECRETS                                                                                                        \
    "\"secrets\":[{\"path\":\"/"                                                                                       \
    "a\",\"matches\":[{\"pattern\":\"API_KEY=x\",\"lines\":[1]},{\"pattern\":\"KEY=y\",\"lines\":[1]}]}]"

static void facts_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *bundle, *members;
        size_t n_findings;
        const char *message; /* a part of the first one's, or NULL */
        unsigned row;        /* of the differences, that must or (0) no row may be noted */
    } rows[] = {
        /* continuation lines */
        {INSTRUCTION("ADD", "exists", ""), DOCKERFILE("Actual", "FROM x\\nRUN apk \\\\\\n  add curl"), 0, NULL,
         BW_ROW_CONTINUATION},
        {INSTRUCTION("RUN", "=", "apk add curl"), DOCKERFILE("Actual", "RUN apk \\\\\\n# why\\n\\n  add curl"), 1,
         "RUN apk add curl", BW_ROW_CONTINUATION},
        {INSTRUCTION("RUN", "exists", ""), DOCKERFILE("Actual", "RUN echo \\\\$HOME\\nRUN b"), 2, "RUN echo \\$HOME",
         BW_ROW_CONTINUATION},
        {INSTRUCTION("FROM", "=", "x"), DOCKERFILE("Actual", "FROM x\\nRUN a \\\\\\n b"), 1, NULL, 0},
        {INSTRUCTION("RUN", "exists", ""), DOCKERFILE("Actual", "RUN a \\\\"), 1, "RUN a", BW_ROW_CONTINUATION},
        {INSTRUCTION("FROM", "exists", ""), DOCKERFILE("Unknown", "FROM x"), 0, NULL, 0},
        /* users */
        {USER("root", "blacklist"), DOCKERFILE("Actual", "FROM x\\nUSER 0"), 1, "user 0", BW_ROW_ROOT},
        {USER("root", "blacklist"), DOCKERFILE("Actual", "FROM x\\nUSER root:root"), 1, "user root:root", BW_ROW_ROOT},
        {USER("root", "blacklist"), DOCKERFILE("Actual", "FROM x\\nUSER 00:5"), 1, NULL, BW_ROW_ROOT},
        {USER("root", "blacklist"), DOCKERFILE("Actual", "FROM x\\nUSER rooty"), 0, NULL, 0},
        {USER("root", "blacklist"), DOCKERFILE("Actual", "FROM x"), 1, "user root", 0},
        {USER("root", "whitelist"), DOCKERFILE("Actual", "FROM x\\nUSER 0:0"), 0, NULL, BW_ROW_ROOT},
        {USER("root", "blacklist"), DOCKERFILE("Guessed", "FROM scratch\\nUSER app") ",\"config\":{\"User\":\"\"}", 1,
         "user root", BW_ROW_ROOT},
        {USER("root", "blacklist"), DOCKERFILE("Guessed", "FROM scratch") ",\"config\":{\"User\":\"app\"}", 0, NULL,
         BW_ROW_ROOT},
        {USER("app", "blacklist"), DOCKERFILE("Guessed", "FROM scratch") ",\"config\":{\"User\":\"app\"}", 1,
         "user app", BW_ROW_ROOT},
        /* ports */
        {PORTS("22", "blacklist"), DOCKERFILE("Actual", "EXPOSE 20-25"), 1, "port 20-25", BW_ROW_PORTS},
        {PORTS("22", "blacklist"), DOCKERFILE("Actual", "EXPOSE 22/sctp 22/TCP"), 1, "22/sctp", BW_ROW_PORTS},
        {PORTS("22", "blacklist"), DOCKERFILE("Actual", "EXPOSE 22/tcp 22"), 1, "port 22,", 0},
        {PORTS("22,80", "blacklist"), DOCKERFILE("Actual", "EXPOSE 80 22\\nEXPOSE 22/udp"), 3, NULL, 0},
        {PORTS("80", "whitelist"), DOCKERFILE("Actual", "EXPOSE 80 80"), 0, NULL, BW_ROW_PORTS},
        {PORTS("80", "whitelist"), DOCKERFILE("Actual", "EXPOSE 81 81"), 1, "port 81", BW_ROW_PORTS},
        {PORTS("80,81,82", "whitelist"), DOCKERFILE("Actual", "EXPOSE 80-82/tcp"), 0, NULL, BW_ROW_PORTS},
        {PORTS("80,82", "whitelist"), DOCKERFILE("Actual", "EXPOSE 80-82"), 1, "port 80-82", 0},
        {PORTS("80", "whitelist"), DOCKERFILE("Actual", "EXPOSE ${PORT}"), 1, "${PORT}", 0},
        /* passwd */
        {BUNDLE(RULE("passwd_file", "blacklist_userids", "STOP", PARAM("user_ids", "0"))),
         PASSWD("cm9vdDp4OjA6MDo6Lzovc2gKCnNob3J0Cg=="), 1, "uid 0", BW_ROW_PASSWD_SHORT},
        {BUNDLE(RULE("passwd_file", "blacklist_userids", "STOP", PARAM("user_ids", "0"))),
         PASSWD("cm9vdDp4OjA6MDo6Lzovc2gKcm9vdDp4OjE6MTo6Lzovc2gK"), 1, "root:x:0", BW_ROW_PASSWD_DUPLICATE},
        {BUNDLE(RULE("passwd_file", "content_not_available", "STOP", "")), PASSWD(""), 1, NULL, 0},
        /* retrieved files: "key  value\nother 1\n" */
        {BUNDLE(RULE("retrieved_files", "content_regex", "STOP",
                     PARAM("path", "/x") "," PARAM("regex", "key +value") "," PARAM("check", "match"))),
         "\"retrieved_files\":[{\"path\":\"/x\",\"content_base64\":\"a2V5ICB2YWx1ZQpvdGhlciAxCg==\"}]", 1, NULL,
         BW_ROW_LINE_START},
        {BUNDLE(RULE("retrieved_files", "content_regex", "STOP",
                     PARAM("path", "/x") "," PARAM("regex", "value") "," PARAM("check", "match"))),
         "\"retrieved_files\":[{\"path\":\"/x\",\"content_base64\":\"a2V5ICB2YWx1ZQpvdGhlciAxCg==\"}]", 1, NULL, 0},
        {BUNDLE(RULE("retrieved_files", "content_not_available", "STOP", PARAM("path", "/x"))), "", 1, NULL,
         BW_ROW_ONCE},
        /* secrets */
        {BUNDLE(RULE("secret_scans", "content_regex_checks", "STOP", PARAM("content_regex_name", "API_KEY"))), SECRETS,
         1, "(API_KEY)", BW_ROW_SECRET_NAME},
        {BUNDLE(RULE("secret_scans", "content_regex_checks", "STOP", PARAM("content_regex_name", "KEY=y"))), SECRETS, 1,
         "(KEY)", 0},
        {BUNDLE(RULE("secret_scans", "content_regex_checks", "STOP",
                     PARAM("content_regex_name", "NONE") "," PARAM("match_type", "notfound"))),
         SECRETS, 1, NULL, 0},
        /* licences */
        {BUNDLE(RULE("licenses", "blacklist_exact_match", "STOP", PARAM("licenses", "Apache License 2.0"))),
         "\"packages\":[" PACKAGE("npm", "a", "1", "", "1", "Apache License 2.0") "]", 1, "a(Apache License 2.0)",
         BW_ROW_LICENSE},
        {BUNDLE(RULE("licenses", "blacklist_exact_match", "STOP", PARAM("licenses", "License"))),
         "\"packages\":[" PACKAGE("npm", "a", "1", "", "1", "Apache License 2.0") "]", 1, "a(License)", 0},
        {BUNDLE(RULE("licenses", "blacklist_partial_match", "STOP", PARAM("licenses", "GPL"))),
         "\"packages\":[" PACKAGE("npm", "a", "1", "", "1", "LGPL GPL-2") "," PACKAGE("npm", "b", "1", "", "1",
                                                                                      "GPL") "]",
         1, "a(LGPL), a(GPL-2), b(GPL)", 0},
        /* packages */
        {BUNDLE(RULE("packages", "blacklist", "STOP", PARAM("name", "a") "," PARAM("version", "1.0-2"))),
         RPM_DISTRO "\"packages\":[" PACKAGE("rpm", "a", "1.0", "2", "1.0-2", "x") "]", 1, "a-1.0-2", BW_ROW_VERSION},
        {REQUIRED("a", "1.0-2", "minimum"),
         RPM_DISTRO "\"packages\":[" PACKAGE("rpm", "a", "1.0", "2", "1.0-2", "x") "]", 0, NULL, 0},
        {REQUIRED("a", "1.0-3", "minimum"),
         RPM_DISTRO "\"packages\":[" PACKAGE("rpm", "a", "1.0", "2", "1.0-2", "x") "]", 1, "older than 1.0-3",
         BW_ROW_VERSION},
        {REQUIRED("a", "1.0-1", "minimum"),
         RPM_DISTRO "\"packages\":[" PACKAGE("rpm", "a", "1.0", "2", "1.0-2", "x") "]", 0, NULL, BW_ROW_VERSION},
        {REQUIRED("a", "1:1.0", "minimum"),
         DEB_DISTRO "\"packages\":[" PACKAGE("dpkg", "a", "2.0", "N/A", "2.0", "x") "]", 1, "older than 1:1.0",
         BW_ROW_VERSION_ORDER},
        {REQUIRED("a", "10:1", "minimum"),
         RPM_DISTRO "\"packages\":[" PACKAGE("rpm", "a", "9:1", "1", "9:1-1", "x") "]", 1, NULL, BW_ROW_VERSION_ORDER},
        {REQUIRED("a", "2", "exact"),
         "\"packages\":[" PACKAGE("npm", "a", "1", "", "1", "x") "," PACKAGE("npm", "a", "2", "", "2", "x") "]", 0,
         NULL, BW_ROW_ANY_RECORD},
        {REQUIRED("a", "2", "minimum"), "\"packages\":[" PACKAGE("npm", "a", "1", "", "1", "x") "]", 1,
         "have no known order", BW_ROW_CONTAINED},
        {REQUIRED("b", "2", "minimum"), "\"packages\":[" PACKAGE("npm", "a", "1", "", "1", "x") "]", 1,
         "b,2 is not installed", 0},
        /* metadata */
        {BUNDLE(RULE("metadata", "attribute", "STOP",
                     PARAM("attribute", "size") "," PARAM("check", "<") "," PARAM("value", "1kb"))),
         "", 1, "1000", 0},
        {BUNDLE(RULE("metadata", "attribute", "STOP",
                     PARAM("attribute", "size") "," PARAM("check", "<") "," PARAM("value", "99999999999999999999tb"))),
         "", 1, NULL, 0},
        {BUNDLE(RULE("metadata", "attribute", "STOP", PARAM("attribute", "distro") "," PARAM("check", "not_exists"))),
         "", 1, NULL, BW_ROW_METADATA},
        {BUNDLE(RULE("metadata", "attribute", "STOP",
                     PARAM("attribute", "distro") "," PARAM("check", ">") "," PARAM("value", "a"))),
         "", 1, "does not say", BW_ROW_CONTAINED},
        /* files */
        {BUNDLE(RULE("files", "attribute_match", "STOP", PARAM("filename", "/x") "," PARAM("mode", "4755"))),
         "\"files\":[{\"path\":\"/x\",\"type\":\"file\",\"mode\":35309,\"size\":1}]", 1, "file /x has mode 4755", 0},
        {BUNDLE(RULE("files", "attribute_match", "STOP", PARAM("filename", "/x"))),
         "\"files\":[{\"path\":\"/x\",\"type\":\"file\",\"mode\":35309,\"size\":1}]", 0, NULL, 0},
        {BUNDLE(RULE("files", "attribute_match", "STOP", PARAM("filename", "/x") "," PARAM("mode", "u"))),
         "\"files\":[{\"path\":\"/x\",\"type\":\"file\",\"mode\":35309,\"size\":1}]", 1, "cannot be evaluated",
         BW_ROW_CONTAINED},
        {BUNDLE(RULE("files", "attribute_match", "STOP", PARAM("filename", "/y") "," PARAM("mode", "u"))),
         "\"files\":[{\"path\":\"/x\",\"type\":\"file\",\"mode\":35309,\"size\":1}]", 0, NULL, 0},
        /* distributions */
        {BUNDLE(RULE("distro", "deny", "STOP",
                     PARAM("distro", "debian") "," PARAM("version", "9") "," PARAM("check", ">"))),
         "\"distro\":{\"id\":\"debian\",\"version\":\"10\",\"like\":\"debian\"}", 1, "debian 10", 0},
        {BUNDLE(RULE("distro", "deny", "STOP",
                     PARAM("distro", "ubuntu") "," PARAM("version", "9") "," PARAM("check", ">"))),
         "\"distro\":{\"id\":\"debian\",\"version\":\"10\",\"like\":\"debian\"}", 0, NULL, 0},
        /* malware */
        {BUNDLE(RULE("malware", "scan_not_run", "STOP", "")), "", 1, NULL, 0},
        {BUNDLE(RULE("malware", "scan_not_run", "STOP", "")),
         "\"malware\":[{\"scanner\":\"c\",\"result\":{\"findings\":[]}}]", 0, NULL, 0},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        set_up(&fixture, rows[i].bundle, rows[i].members);
        evaluate(&fixture);
        const struct bw_decision *got = &fixture.decision;
        const char *message = got->n_findings > 0 ? got->findings[0].message : "";
        uint64_t noted = got->deviations[0] | got->deviations[1];
        bool row_fits = rows[i].row == 0 ? noted == 0 : bw_rows_has(got->deviations, rows[i].row);
        if (got->n_findings != rows[i].n_findings ||
            (rows[i].message != NULL && strstr(message, rows[i].message) == NULL) ||
            (!row_fits && !(rows[i].row == 0 && bw_rows_has(got->deviations, BW_ROW_DOCKER_HUB)))) {
            fail_msg("row %zu: %s\n%s\n%zu findings, first: %s; rows %llx", i, rows[i].bundle, rows[i].members,
                     got->n_findings, message, (unsigned long long)got->deviations[0]);
        }
        tear_down(&fixture);
    }
}

/* ---- verification ---- */
#define VERIFY(params)        BUNDLE(RULE("packages", "verify", "STOP", params))
#define RECORD(path, members) "{\"package\":\"a\",\"path\":\"" path "\"" members "}"

static void package_files_are_verified(void **state)
{
    (void)state;
    static const struct {
        const char *bundle, *record, *file;
        size_t n_findings;
        const char *message;
    } rows[] = {
        {VERIFY(""), RECORD("/x", ""), "\"path\":\"/y\",\"type\":\"file\"", 1, "is missing"},
        {VERIFY(PARAM("check", "changed")), RECORD("/x", ""), "\"path\":\"/y\",\"type\":\"file\"", 0, NULL},
        {VERIFY(""), RECORD("/x", ",\"digest_algorithm\":\"md5\",\"digest\":\"a\""),
         "\"path\":\"/x\",\"type\":\"file\",\"md5\":\"b\"", 1, "is changed"},
        {VERIFY(""), RECORD("/x", ",\"config_file\":true,\"digest_algorithm\":\"md5\",\"digest\":\"a\""),
         "\"path\":\"/x\",\"type\":\"file\",\"md5\":\"b\"", 0, NULL},
        {VERIFY(""), RECORD("/x", ",\"digest_algorithm\":\"md5\",\"digest\":\"a\""),
         "\"path\":\"/x\",\"type\":\"link\",\"md5\":\"b\"", 0, NULL},
        {VERIFY(""), RECORD("/x", ",\"mode\":493"), "\"path\":\"/x\",\"type\":\"file\",\"mode\":33261", 0, NULL},
        {VERIFY(""), RECORD("/x", ",\"mode\":493"), "\"path\":\"/x\",\"type\":\"file\",\"mode\":33279", 1,
         "is changed"},
        {VERIFY(""), RECORD("/x", ",\"size\":1"), "\"path\":\"/x\",\"type\":\"file\",\"size\":2", 1, "is changed"},
        {VERIFY(""), RECORD("/x", ",\"size\":0"), "\"path\":\"/x\",\"type\":\"file\",\"size\":2", 0, NULL},
        {VERIFY(PARAM("only_packages", "b")), RECORD("/x", ""), "\"path\":\"/y\",\"type\":\"file\"", 0, NULL},
        {VERIFY(PARAM("only_directories", "/etc/ssh")), RECORD("/etc/sshd", ""), "\"path\":\"/y\",\"type\":\"file\"", 0,
         NULL},
        {VERIFY(PARAM("only_directories", "/etc/ssh/")), RECORD("/etc/ssh/x", ""), "\"path\":\"/y\",\"type\":\"file\"",
         1, NULL},
        {VERIFY(PARAM("only_directories", "/")), RECORD("/etc/ssh/x", ""), "\"path\":\"/y\",\"type\":\"file\"", 1,
         NULL},
        {VERIFY(PARAM("only_directories", "/e_c")), RECORD("/etc/x", ""), "\"path\":\"/y\",\"type\":\"file\"", 0, NULL},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        char members[2048];
        (void)snprintf(
            members, sizeof(members),
            "\"packages\":[" PACKAGE("dpkg", "a", "1", "N/A", "1", "x") "],\"verification\":[%s],\"files\":[{%s}]",
            rows[i].record, rows[i].file);
        set_up(&fixture, rows[i].bundle, members);
        evaluate(&fixture);
        const char *message = fixture.decision.n_findings > 0 ? fixture.decision.findings[0].message : "";
        if (fixture.decision.n_findings != rows[i].n_findings ||
            (rows[i].message != NULL && strstr(message, rows[i].message) == NULL)) {
            fail_msg("%s %s: %zu %s", rows[i].bundle, members, fixture.decision.n_findings, message);
        }
        tear_down(&fixture);
    }
}

/* Without digests the rule cannot say "unchanged". */
static void digests_that_were_not_made_leave_a_rule_undecided(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture, VERIFY(""),
           "\"packages\":[" PACKAGE("dpkg", "a", "1", "N/A", "1", "x") "],\"verification\":[" RECORD(
               "/x",
               ",\"digest_algorithm\":\"md5\",\"digest\":\"a\"") "],\"files\":[{\"path\":\"/x\",\"type\":\"file\"}]");
    struct bw_report report = *fixture.report;
    report.covers.file_digests = false;
    fixture.facts.report = &report;
    evaluate(&fixture);
    assert_int_equal(fixture.decision.n_findings, 1);
    assert_true(fixture.decision.findings[0].undecided);
    tear_down(&fixture);
}

/* ---- vulnerabilities ---- */
static const char *const fixes[] = {"2.0", "1.9"};
static const struct bw_cvss nvd[] = {{.version = "2.0", .base = 10, .exploitability = 10, .impact = 10},
                                     {.version = "3.1", .base = 9.8, .exploitability = 3.9, .impact = 5.9}};
static const char *const aliases[] = {"GHSA-1"};
enum { NOW = 1637409600, DAY = 86400 };
static const struct bw_vulnerability_match matches[] = {
    {.id = "CVE-1",
     .severity = "High",
     .feed_group = "debian:9",
     .package_name = "openssl",
     .package_version = "1",
     .package_type = "dpkg",
     .package_path = "pkgdb",
     .fix_versions = fixes,
     .n_fix_versions = 2,
     .fix_observed_s = NOW - 10 * DAY,
     .detected_s = NOW - 10 * DAY,
     .nvd_cvss = nvd,
     .n_nvd_cvss = 2,
     .aliases = aliases,
     .n_aliases = 1},
    {.id = "CVE-2",
     .severity = "Medium",
     .feed_group = "debian:9",
     .package_name = "bash",
     .package_version = "1",
     .package_type = "dpkg",
     .package_path = "pkgdb",
     .will_not_fix = true,
     .fix_observed_s = -1,
     .detected_s = NOW},
    {.id = "CVE-3",
     .severity = "Critical",
     .feed_group = "github:npm",
     .package_name = "left-pad",
     .package_version = "1.0",
     .package_type = "npm",
     .package_path = "/app/node_modules/left-pad/package.json",
     .fix_observed_s = -1,
     .detected_s = -1},
};
static const struct bw_vulnerability_namespace spaces[] = {{"debian:9", 3}, {"alpine:3.13", 1}};
static const struct bw_vulnerabilities vulnerabilities = {.available = true,
                                                          .matches = matches,
                                                          .n_matches = 3,
                                                          .database = true,
                                                          .built_s = NOW - 2 * DAY,
                                                          .namespaces = spaces,
                                                          .n_namespaces = 2};

#define VULNERABLE(params) BUNDLE(RULE("vulnerabilities", "package", "STOP", PARAM("package_type", "all") params))
#define AND(name, value)   "," PARAM(name, value)

static void vulnerabilities_are_filtered(void **state)
{
    (void)state;
    static const struct {
        const char *bundle, *ids;
        int64_t valid_until_s;
    } rows[] = {
        {VULNERABLE(""), "CVE-1+openssl CVE-3+left-pad ", INT64_MAX},
        {VULNERABLE(AND("vendor_only", "false")), "CVE-1+openssl CVE-2+bash CVE-3+left-pad ", INT64_MAX},
        {VULNERABLE(AND("severity", "high")), "CVE-3+left-pad ", INT64_MAX},
        {VULNERABLE(AND("severity", "high") AND("severity_comparison", ">=")), "CVE-1+openssl CVE-3+left-pad ",
         INT64_MAX},
        {VULNERABLE(AND("fix_available", "true")), "CVE-1+openssl ", INT64_MAX},
        {VULNERABLE(AND("fix_available", "false")), "CVE-3+left-pad ", INT64_MAX},
        {VULNERABLE(AND("cvss_v3_base_score", "9.8")), "CVE-1+openssl ", INT64_MAX},
        {VULNERABLE(AND("cvss_v3_base_score", "9.8") AND("cvss_v3_base_score_comparison", "<")), "CVE-3+left-pad ",
         INT64_MAX},
        {VULNERABLE(AND("vendor_cvss_v3_base_score", "0")), "", INT64_MAX},
        {VULNERABLE(AND("max_days_since_creation", "10")), "CVE-1+openssl CVE-3+left-pad ", INT64_MAX},
        {VULNERABLE(AND("max_days_since_creation", "11")), "CVE-3+left-pad ", NOW + DAY},
        {VULNERABLE(AND("fix_available", "true") AND("max_days_since_fix", "30")), "", NOW + 20 * DAY},
        {VULNERABLE(AND("max_days_since_fix", "30")), "CVE-1+openssl CVE-3+left-pad ", INT64_MAX},
        {VULNERABLE(AND("package_path_exclude", "/app/.*")), "CVE-1+openssl ", INT64_MAX},
        {BUNDLE(RULE("vulnerabilities", "package", "STOP", PARAM("package_type", "non-os"))), "CVE-3+left-pad ",
         INT64_MAX},
        {BUNDLE(RULE("vulnerabilities", "blacklist", "STOP", PARAM("vulnerability_ids", "CVE-9"))), "", INT64_MAX},
        {BUNDLE(RULE("vulnerabilities", "stale_feed_data", "STOP", PARAM("max_days_since_sync", "2"))), "", NOW + 1},
        {BUNDLE(RULE("vulnerabilities", "vulnerability_data_unavailable", "STOP", "")), "", INT64_MAX},
    };
    for (size_t i = 0; i < BW_LENGTH(rows); i++) {
        struct fixture fixture;
        set_up(&fixture, rows[i].bundle, "\"distro\":{\"id\":\"debian\",\"version\":\"9\",\"like\":\"debian\"}");
        fixture.facts.vulnerabilities = &vulnerabilities;
        evaluate(&fixture);
        char ids[1024] = "";
        for (size_t f = 0; f < fixture.decision.n_findings; f++) {
            size_t len = strlen(ids);
            (void)snprintf(ids + len, sizeof(ids) - len, "%s ", fixture.decision.findings[f].trigger_id);
        }
        if (strcmp(ids, rows[i].ids) != 0 || fixture.decision.valid_until_s != rows[i].valid_until_s) {
            fail_msg("%s: %s until %lld", rows[i].bundle, ids, (long long)fixture.decision.valid_until_s);
        }
        tear_down(&fixture);
    }
}

static void a_listed_vulnerability_is_found_by_its_alias(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(
        &fixture,
        BUNDLE(RULE("vulnerabilities", "blacklist", "STOP", PARAM("vulnerability_ids", "CVE-9, GHSA-1, CVE-3, CVE-2"))),
        "");
    fixture.facts.vulnerabilities = &vulnerabilities;
    evaluate(&fixture);
    assert_int_equal(fixture.decision.n_findings, 1);
    assert_non_null(strstr(fixture.decision.findings[0].message, "were found: GHSA-1, CVE-3"));
    assert_true(bw_rows_has(fixture.decision.deviations, BW_ROW_ALIAS));
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_judged),
        cmocka_unit_test(package_files_are_verified),
        cmocka_unit_test(digests_that_were_not_made_leave_a_rule_undecided),
        cmocka_unit_test(vulnerabilities_are_filtered),
        cmocka_unit_test(a_listed_vulnerability_is_found_by_its_alias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
