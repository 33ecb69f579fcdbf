/* cli/test_file, its parts, and cli/test_judge: what a test file says, and whether a decision is that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "cli/test_facts.h"
#include "cli/test_judge.h"

#include <stdlib.h>
#include <string.h>

static const char bundle_text[] =
    "bundle:\n"
    "  id: b\n"
    "  version: '1_0'\n"
    "  policies:\n"
    "  - {id: p, version: '1_0', rules: [\n"
    "      {id: user, gate: dockerfile, trigger: effective_user, action: STOP,\n"
    "       params: [{name: users, value: root}, {name: type, value: blacklist}]},\n"
    "      {id: ssh, gate: packages, trigger: blacklist, action: WARN, params: [{name: name, value: "
    "openssh-server}]},\n"
    "      {id: suid, gate: files, trigger: suid_or_guid_set, action: WARN, params: []}]}\n"
    "  - {id: f, version: '1_0', rules: [\n"
    "      {id: newer, gate: npms, trigger: newer_version_in_feed, action: WARN, params: []},\n"
    "      {id: unknown, gate: npms, trigger: unknown_in_feeds, action: WARN, params: []},\n"
    "      {id: version, gate: npms, trigger: version_not_in_feeds, action: WARN, params: []},\n"
    "      {id: no-feed, gate: npms, trigger: feed_data_unavailable, action: WARN, params: []},\n"
    "      {id: no-gems, gate: ruby_gems, trigger: feed_data_unavailable, action: WARN, params: []},\n"
    "      {id: nvd, gate: vulnerabilities, trigger: package, action: WARN, params: [\n"
    "       {name: package_type, value: non-os}, {name: severity, value: unknown},\n"
    "       {name: severity_comparison, value: '>='}, {name: cvss_v3_impact_score, value: '5'}]},\n"
    "      {id: vendor, gate: vulnerabilities, trigger: package, action: WARN, params: [\n"
    "       {name: package_type, value: all}, {name: severity, value: unknown},\n"
    "       {name: severity_comparison, value: '>='}, {name: vendor_cvss_v3_base_score, value: '9'}]},\n"
    "      {id: none, gate: vulnerabilities, trigger: vulnerability_data_unavailable, action: WARN, params: []}]}\n"
    "  - {id: q, version: '1_0', rules: [\n"
    "      {id: cve, gate: vulnerabilities, trigger: package, action: STOP,\n"
    "       params: [{name: package_type, value: all}]}]}\n"
    "  whitelists:\n"
    "  - {id: w, version: '1_0', items: [{id: i, gate: packages, trigger_id: '*'}]}\n"
    "  mappings:\n"
    "  - {name: forgiving, registry: quiet.test, repository: '*', image: {type: tag, value: '*'},\n"
    "     policy_ids: [p], whitelist_ids: [w]}\n"
    "  - {name: scanned, registry: scanned.test, repository: '*', image: {type: tag, value: '*'},\n"
    "     policy_ids: [q], whitelist_ids: []}\n"
    "  - {name: fed, registry: fed.test, repository: '*', image: {type: tag, value: '*'},\n"
    "     policy_ids: [f], whitelist_ids: []}\n"
    "  - {name: shop, registry: '*', repository: 'shop/*', image: {type: tag, value: '*'},\n"
    "     policy_ids: [p], whitelist_ids: []}\n";

/* ---- reading ---- */

#define CASE_OF(line) "bundle: x\ncases:\n- name: n\n  facts: {}\n  " line "\n  expect: {action: go}\n"

static void every_fault_is_told_with_place_and_suggestion(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path, *message, *suggestion;
        unsigned line;
    } cases[] = {
        {"bundel: x\ncases: []\n", "/bundel", "no such key", "bundle", 1},
        {"bundle: x\n", "", "\"cases\" is missing", NULL, 1},
        {"bundle: x\ncases: []\n", "/cases", "found an empty one", NULL, 2},
        {"bundle: x\ncases: {}\n", "/cases", "found an object", NULL, 2},
        {"bundle: 7\ncases: []\n", "/bundle", "expected a path or a map", NULL, 1},
        {"bundle: x\nnoMappingMatch: alow\ncases: []\n", "/noMappingMatch", "\"alow\"", "allow", 2},
        {"- 1\n", "", "expected a map", NULL, 1},
        {"bundle: x\ncases:\n- 1\n", "/cases/0", "expected a map", NULL, 3},
        {"bundle: x\ncases:\n- facts: {}\n  expect: {action: go}\n", "/cases/0", "\"name\" is missing", NULL, 3},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n", "/cases/0", "\"expect\" is missing", NULL, 3},
        {"bundle: x\ncases:\n- name: n\n  expect: {action: go}\n", "/cases/0", "\"analysis\" is missing", NULL, 3},
        {"cases:\n- name: n\n  facts: {}\n  expect: {action: go}\n", "/cases/0", "\"bundle\" is missing", NULL, 2},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n  analysis: a\n  expect: {action: go}\n", "/cases/0/analysis",
         "either analysis or facts", NULL, 5},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n  expect: {}\n", "/cases/0/expect", "nothing is expected", NULL,
         5},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n  expect:\n    action: halt\n", "/cases/0/expect/action",
         "one of go, warn, stop", NULL, 6},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n  expect:\n    action:\n", "/cases/0/expect/action", "found null",
         NULL, 6},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n  expect:\n    reason: whitelist\n", "/cases/0/expect/reason",
         "\"whitelist\"", "whitelisted", 6},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n  expect: {findings: [{}]}\n", "/cases/0/expect/findings/0",
         "match anything", NULL, 5},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n  expect: {findings: [{gate: dockerfil}]}\n",
         "/cases/0/expect/findings/0/gate", "no gate", "dockerfile", 5},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n  expect: {findings: [{gate: files, trigger: name_mach}]}\n",
         "/cases/0/expect/findings/0/trigger", "no trigger", "name_match", 5},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n  expect: {findings: [{rule: -1}]}\n",
         "/cases/0/expect/findings/0/rule", "not negative", NULL, 5},
        {"bundle: x\ncases:\n- name: n\n  facts: {}\n  expect: {undecided: 'yes'}\n", "/cases/0/expect/undecided",
         "true or false", NULL, 5},
        {"bundle: x\ncases:\n- name: n\n  now: today\n  facts: {}\n  expect: {action: go}\n", "/cases/0/now", "today",
         NULL, 4},
        {"bundle: x\ncases:\n- name: n\n  platform: arm\n  facts: {}\n  expect: {action: go}\n", "/cases/0/platform",
         "arm", NULL, 4},
        {"bundle: x\ncases:\n- name: n\n  image: 'a b'\n  facts: {}\n  expect: {action: go}\n", "/cases/0/image", "a b",
         NULL, 4},
        {"bundle: x\ncases:\n- {name: n, facts: {}, expect: {action: go}}\n- {name: n, facts: {}, expect: {action: "
         "go}}\n",
         "/cases/1/name", "two cases", NULL, 4},
        {"bundle: x\ncases:\n- name: n\n  facts: {pakages: []}\n  expect: {action: go}\n", "/cases/0/facts/pakages",
         "no such key", "packages", 4},
        {"bundle: x\ncases:\n- name: n\n  facts: {files: [{path: /a, mod: 1}]}\n  expect: {action: go}\n",
         "/cases/0/facts/files/0/mod", "no such key", "mode", 4},
        {"bundle: x\ncases:\n- name: n\n  facts: {malware: [{scanner: s, result: {findings: [{pth: /a}]}}]}\n  expect: "
         "{action: go}\n",
         "/cases/0/facts/malware/0/result/findings/0/pth", "no such key", "path", 4},
        {"bundle: x\ncases:\n- name: n\n  facts: {user: 0}\n  expect: {action: go}\n", "/cases/0/facts/user",
         "expected text", NULL, 4},
        {"bundle: x\ncases:\n- name: n\n  facts: {user: a, config: {User: b}}\n  expect: {action: go}\n",
         "/cases/0/facts/user", "either user", NULL, 4},
        {"bundle: x\ncases:\n- name: n\n  facts: {dockerfile: [1]}\n  expect: {action: go}\n",
         "/cases/0/facts/dockerfile/0", "one line", NULL, 4},
        {"bundle: x\ncases:\n- name: n\n  facts: {dockerfile: {mod: x}}\n  expect: {action: go}\n",
         "/cases/0/facts/dockerfile/mod", "no such key", "mode", 4},
        {"bundle: x\ncases:\n- name: n\n  facts: {schema: breakwater.analysis/1}\n  expect: {action: go}\n",
         "/cases/0/facts/schema", "analysis/1", NULL, 4},
        {"bundle: x\ncases:\n- name: n\n  facts: {vulnerabilities: []}\n  expect: {action: go}\n",
         "/cases/0/facts/vulnerabilities", "no part of an analysis", NULL, 4},
        {CASE_OF("vulnerabilities: {}"), "/cases/0/vulnerabilities", "expected a list", NULL, 5},
        {CASE_OF("vulnerabilities: [{package: a}]"), "/cases/0/vulnerabilities/0", "\"id\" is missing", NULL, 5},
        {CASE_OF("vulnerabilities: [{id: a}]"), "/cases/0/vulnerabilities/0", "\"package\" is missing", NULL, 5},
        {CASE_OF("vulnerabilities: [{id: a, package: b, severity: hihg}]"), "/cases/0/vulnerabilities/0/severity",
         "\"hihg\"", "high", 5},
        {CASE_OF("vulnerabilities: [{id: a, package: {version: '1'}}]"), "/cases/0/vulnerabilities/0/package",
         "\"name\" is missing", NULL, 5},
        {CASE_OF("vulnerabilities: [{id: a, package: b, fixedIn: 1.0}]"), "/cases/0/vulnerabilities/0/fixedIn",
         "in quotes", NULL, 5},
        {CASE_OF("vulnerabilities: [{id: a, package: b, fixedIn: ['1', 2]}]"), "/cases/0/vulnerabilities/0/fixedIn/1",
         "in quotes", NULL, 5},
        {CASE_OF("vulnerabilities: [{id: a, package: b, cvss: 11}]"), "/cases/0/vulnerabilities/0/cvss", "from 0 to 10",
         NULL, 5},
        {CASE_OF("vulnerabilities: [{id: a, package: b, vendorCvss: {bas: 1}}]"),
         "/cases/0/vulnerabilities/0/vendorCvss/bas", "no such key", "base", 5},
        {CASE_OF("vulnerabilities: [{id: a, package: b, knownSince: long}]"), "/cases/0/vulnerabilities/0/knownSince",
         "expected a time", NULL, 5},
        {CASE_OF("vulnerabilityData: {distros: ['debian:12']}"), "/cases/0/vulnerabilityData",
         "\"vulnerabilities\", which is missing", NULL, 5},
        {CASE_OF("vulnerabilities: []\n  vulnerabilityData: {distros: debian}"), "/cases/0/vulnerabilityData/distros",
         "expected a list", NULL, 6},
        {CASE_OF("feeds: {nmp: {}}"), "/cases/0/feeds/nmp", "no such key", "npm", 5},
        {CASE_OF("feeds: {npm: []}"), "/cases/0/feeds/npm", "a map of names", NULL, 5},
        {CASE_OF("feeds: {gem: {rake: []}}"), "/cases/0/feeds/gem/rake", "latest one last", NULL, 5},
        {"bundle: x\ncases:\n- name: n\n  facts: {retrieved_files: [{path: /a, content: a, content_base64: ''}]}\n"
         "  expect: {action: go}\n",
         "/cases/0/facts/retrieved_files/0", "either content", NULL, 4},
    };
    for (size_t i = 0; i < BW_LENGTH(cases); i++) {
        struct bw_test_file file = {0};
        struct bw_problems problems;
        struct bw_error err = {0};
        bool found = false;
        bw_problems_init(&problems);
        assert_int_equal(bw_test_file_read(&file, &problems, cases[i].text, strlen(cases[i].text), &err), -1);
        for (size_t j = 0; j < problems.n_items; j++) {
            const struct bw_problem *one = &problems.items[j];
            found = found || (strcmp(one->path, cases[i].path) == 0 && strstr(one->message, cases[i].message) != NULL &&
                              one->line == cases[i].line &&
                              (cases[i].suggestion == NULL ||
                               (one->suggestion != NULL && strcmp(one->suggestion, cases[i].suggestion) == 0)));
        }
        if (!found) {
            for (size_t j = 0; j < problems.n_items; j++) {
                print_error("%u %s: %s (%s)\n", problems.items[j].line, problems.items[j].path,
                            problems.items[j].message, problems.items[j].suggestion);
            }
            fail_msg("row %zu: no fault at %s on line %u with \"%s\"", i, cases[i].path, cases[i].line,
                     cases[i].message);
        }
        bw_problems_clear(&problems);
    }
}

static void a_test_file_is_known_by_its_name(void **state)
{
    (void)state;
    assert_true(bw_test_file_named("prod.test.yaml"));
    assert_true(bw_test_file_named("prod_test.yaml"));
    assert_false(bw_test_file_named("prod.yaml"));
    assert_false(bw_test_file_named("test.yaml.bak"));
}

static void bounds_hold(void **state)
{
    (void)state;
    BW_BUF_SCOPE many;
    bw_buf_init(&many, BW_MAX_TEST_BYTES + 1);
    bw_buf_puts(&many, "{bundle: x, cases: [");
    for (int i = 0; i <= BW_MAX_TEST_CASES; i++) {
        bw_buf_printf(&many, "{name: n%d, facts: {}, expect: {action: go}},", i);
    }
    bw_buf_puts(&many, "]}");
    static const char bomb[] = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                               "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                               "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
                               "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g,*g]\n";
    struct bw_test_file file = {0};
    struct bw_problems problems;
    struct bw_error err = {0};
    bw_problems_init(&problems);
    assert_int_equal(bw_test_file_read(&file, &problems, bomb, strlen(bomb), &err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
    assert_int_equal(bw_test_file_read(&file, &problems, many.data, many.len, &err), -1);
    assert_non_null(strstr(problems.items[0].message, "5001 cases"));
    bw_problems_clear(&problems);
}

/* ---- facts and judgement ---- */

/* "" when the case passes; else what differs, each as "what -expected +got;". The case is of one file with the bundle
 * above. */
static char *outcome_of(const char *case_text)
{
    BW_BUF_SCOPE text;
    struct bw_buf out;
    bw_buf_init(&text, BW_MAX_TEST_BYTES);
    bw_buf_init(&out, BW_MAX_TEST_BYTES);
    bw_buf_printf(&text, "%scases:\n- {name: n, %s}\n", bundle_text, case_text);
    struct bw_test_file file = {0};
    struct bw_problems problems;
    struct bw_error err = {0};
    bw_problems_init(&problems);
    if (bw_test_file_read(&file, &problems, text.data, text.len, &err) != 0) {
        fail_msg("%s: %s", case_text, problems.n_items > 0 ? problems.items[0].message : err.message);
    }
    char *bundle_json = json_dumps(file.bundle.document, 0);
    struct bw_bundle *bundle = NULL;
    const struct bw_bundle_options options = {.name = "b"};
    if (bw_bundle_load(&bundle, &problems, bundle_json, strlen(bundle_json), &options, &err) != 0) {
        fail_msg("%s", err.message);
    }
    free(bundle_json);
    const struct bw_test_case *one = &file.cases[0];
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, BW_ARENA_EVALUATION);
    struct bw_report *report = NULL;
    const char *place = NULL;
    if (bw_test_facts_report(&report, &place, one->facts.document, one->has_platform ? &one->platform : NULL, &arena,
                             &err) != 0) {
        bw_buf_printf(&out, "facts %s: %s", place, err.message);
    } else {
        struct bw_facts facts = {
            .reference = &one->reference, .tag_counts = one->tag_counts, .report = report, .now_s = 1};
        struct bw_decision decision = {0};
        struct bw_trace trace = {0};
        struct bw_test_differences found = {0};
        if (bw_test_data_apply(&facts, &place, &one->data, &arena, &err) != 0) {
            bw_buf_printf(&out, "%s: %s;", place, err.message);
        }
        assert_int_equal(bw_evaluate(&decision, bundle, &facts, file.no_mapping, &arena, &err), 0);
        assert_int_equal(bw_trace(&trace, bundle, &facts, &decision, &arena, &err), 0);
        assert_int_equal(bw_test_compare(&found, &one->expect, &decision, &trace, &arena, &err), 0);
        for (size_t i = 0; i < found.n_items; i++) {
            const struct bw_test_difference *item = &found.items[i];
            bw_buf_printf(&out, "%s -%s +%s;", item->what, item->expected == NULL ? "" : item->expected,
                          item->got == NULL ? "" : item->got);
        }
    }
    bw_report_release(report);
    bw_bundle_release(bundle);
    bw_test_file_clear(&file);
    bw_problems_clear(&problems);
    size_t len = 0;
    return bw_buf_take(&out, &len);
}

struct row {
    const char *text, *outcome; /* outcome: "" passes; else what has to occur in it */
};

static void run_rows(const struct row *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++) {
        char *outcome = outcome_of(rows[i].text);
        bool right = rows[i].outcome[0] == '\0' ? outcome[0] == '\0' : strstr(outcome, rows[i].outcome) != NULL;
        if (!right) {
            print_error("%s\n  wanted %s\n  got    %s\n", rows[i].text, rows[i].outcome, outcome);
        }
        free(outcome);
        assert_true(right);
    }
}

#define SHOP    "image: r.test/shop/cart:1, "
#define ROOT    "facts: {user: root}, "
#define APP     "facts: {user: app}, "
#define SSH     "facts: {user: app, packages: [{type: dpkg, name: openssh-server, version: '1'}]}, "
#define QUIET   "image: quiet.test/x:1, "
#define SCANNED "image: scanned.test/x:1, "

static void a_decision_is_compared_with_what_is_expected(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {SHOP ROOT "expect: {action: stop}", ""},
        {SHOP ROOT "expect: {action: go}", "action -go +stop;"},
        {SHOP APP "expect: {action: go, reason: policy_evaluation, mapping: 3, findingsExactly: true}", ""},
        {SHOP APP "expect: {mapping: shop}", ""},
        {SHOP APP "expect: {mapping: forgiving}", "mapping -\"forgiving\" +3 \"shop\";"},
        {SHOP APP "expect: {mapping: 1}", "mapping -1 +3 \"shop\";"},
        {SHOP APP "expect: {mapping: none}", "mapping -none +3 \"shop\";"},
        {"image: r.test/other:1, " ROOT "expect: {action: warn, reason: no_mapping, mapping: none}", ""},
        {"image: r.test/other:1, " ROOT "expect: {mapping: shop}", "mapping -\"shop\" +none;"},
        {SHOP ROOT "expect: {findings: [{gate: dockerfile, trigger: effective_user, policy: p, rule: user, action: "
                   "stop, message: user root}], findingsExactly: true}",
         ""},
        {SHOP ROOT "expect: {findings: [{rule: 0, undecided: false, count: 1}]}", ""},
        {SHOP ROOT "expect: {findings: [{rule: 1}]}", "findings -rule 1 +;"},
        {SHOP ROOT "expect: {findings: [{rule: ssh}]}", "findings -rule \"ssh\" +;"},
        {SHOP ROOT "expect: {findings: [{policy: q}]}", "findings -policy \"q\" +;"},
        {SHOP ROOT "expect: {findings: [{gate: files}]}", "findings -files:* +;"},
        {SHOP ROOT "expect: {findings: [{trigger: suid_or_guid_set}]}", "findings -*:suid_or_guid_set +;"},
        {SHOP ROOT "expect: {findings: [{action: warn}]}", "findings -warn +;"},
        {SHOP ROOT "expect: {findings: [{message: as user app}]}", "findings -message \"as user app\" +;"},
        {SHOP ROOT "expect: {findings: [{triggerId: x}]}", "findings -triggerId \"x\" +;"},
        {SHOP ROOT "expect: {findings: [{gate: dockerfile, count: 0}]}", "findings -dockerfile:*, count 0 +1 of them;"},
        {SHOP APP "expect: {findings: [{gate: dockerfile, count: 0}]}", ""},
        {SHOP ROOT "expect: {findingsExactly: true}", "findings - +stop dockerfile:effective_user, policy \"p\", rule "
                                                      "\"user\": "},
        {SHOP SSH "expect: {action: warn, findings: [{gate: packages, action: warn}]}", ""},
        {QUIET SSH "expect: {action: go, mapping: forgiving, findings: [{gate: packages, action: go, whitelist: w}]}",
         ""},
        {SHOP SSH "expect: {findings: [{whitelist: w}]}", "findings -whitelist \"w\" +;"},
    };
    run_rows(rows, BW_LENGTH(rows));
}

static void what_cannot_be_evaluated_must_be_expected(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {SCANNED APP "expect: {action: stop}", "undecided - +undecided vulnerabilities:package"},
        {SCANNED APP "expect: {action: stop, undecided: true}", ""},
        {SCANNED APP "expect: {action: stop, undecided: false}", "undecided -false +true;"},
        {SCANNED APP "expect: {action: stop, findings: [{rule: cve, undecided: true}]}", ""},
        {SCANNED APP "expect: {findings: [{rule: cve, undecided: false}]}", "findings -decided, rule \"cve\" +;"},
        {SHOP APP "expect: {undecided: true}", "undecided -true +false;"},
        {SHOP APP "expect: {undecided: false}", ""},
    };
    run_rows(rows, BW_LENGTH(rows));
}

static void facts_have_short_forms(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {SHOP "facts: {}, expect: {findings: [{rule: user, message: user root}]}", ""},
        {SHOP "facts: {dockerfile: 'USER app'}, expect: {action: go}", ""},
        {SHOP "facts: {dockerfile: [FROM x, USER app]}, expect: {action: go}", ""},
        {SHOP "facts: {dockerfile: {mode: Actual, contents: 'USER app'}}, expect: {action: go}", ""},
        {SHOP "facts: {user: app, dockerfile: [USER root]}, expect: {action: go}", ""},
        {SHOP "facts: {user: app, files: [{path: /s, mode: 0o4755}]}, expect: {findings: [{rule: suid, count: 1}]}",
         ""},
        {SHOP "facts: {user: app, files: [{path: /s, mode: 0o755}]}, expect: {findingsExactly: true}", ""},
        {SHOP "facts: {files: [{path: /a, mode: x}]}, expect: {action: go}", "facts /files/0/mode: expected an"},
        {SHOP "facts: {packages: [{name: x}]}, expect: {action: go}", "facts /packages/0: \"type\" is missing"},
        {SHOP "facts: {retrieved_files: [{path: /etc/passwd, content: 'x'}], user: app}, expect: {action: go}", ""},
        {SHOP "facts: {user: app, config: {Labels: {a: b}}, image: {size: 1}}, platform: linux/arm64, expect: {action: "
              "go}",
         ""},
    };
    run_rows(rows, BW_LENGTH(rows));
}

#define FED                                                                                                            \
    "image: fed.test/x:1, facts: {distro: {id: debian, version: '12.4'}, packages: [{type: npm, name: a, version: "    \
    "'1'}, {type: npm, name: b, version: '2', path: /b/package.json}]}, "

static void vulnerabilities_and_feeds_stand_beside_facts(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {SCANNED APP "vulnerabilities: [], expect: {action: go, findingsExactly: true}", ""},
        {SCANNED "facts: {packages: [{type: dpkg, name: a, version: '1'}]}, vulnerabilities: [{id: C, package: a, "
                 "severity: low}], expect: {action: stop, findings: [{triggerId: C+a, message: a 1 (dpkg)}]}",
         ""},
        {SCANNED APP "vulnerabilities: [{id: C, package: {name: a, version: '2', type: gem, path: /g/a.spec}, "
                     "severity: low}], expect: {action: stop, findings: [{triggerId: C+a.spec}]}",
         ""},
        {SCANNED APP "vulnerabilities: [{id: C, package: {name: a}, severity: low, fixedIn: ['2', '3']}], "
                     "expect: {findings: [{message: 'fixed in 2, 3'}]}",
         ""},
        {SCANNED APP "vulnerabilities: [{id: C, package: {name: a}, severity: low, willNotFix: true}], "
                     "expect: {action: go, findingsExactly: true}",
         ""},
        {SCANNED APP "vulnerabilities: [{id: C, package: {name: a}}, {id: D, package: a}], expect: {action: go}",
         "/cases/0/vulnerabilities/1/package: the image has no package a"},
        {FED "expect: {findings: [{rule: none}, {rule: no-feed}, {rule: no-gems}], findingsExactly: true}", ""},
        {FED "vulnerabilities: [], feeds: {npm: {}, gem: {}}, expect: {action: go, findingsExactly: true}", ""},
        {FED "vulnerabilities: [], vulnerabilityData: {distros: ['debian:12']}, feeds: {npm: {a: '1', b: '2'}, gem: "
             "{}}, expect: {action: go, findingsExactly: true}",
         ""},
        {FED "vulnerabilities: [], vulnerabilityData: {distros: ['debian:11']}, feeds: {npm: {}, gem: {}}, expect: "
             "{findings: [{rule: none}], findingsExactly: true}",
         ""},
        {FED "vulnerabilities: [], feeds: {npm: {a: ['1', '3']}, gem: {}}, expect: {findings: [{rule: newer, message: "
             "'a 1 is not the latest version, 3'}, {rule: unknown, message: b}], findingsExactly: true}",
         ""},
        {FED "vulnerabilities: [], feeds: {npm: {a: '3', b: '2'}, gem: {}}, expect: {findings: [{rule: newer}, {rule: "
             "version, message: a 1}], findingsExactly: true}",
         ""},
        {FED "vulnerabilities: [{id: C, package: b, cvss: {base: 9.8, impact: 5.9}}, {id: D, package: b, cvss: 9.8}, "
             "{id: E, package: b, vendorCvss: {impact: 5.9}}], feeds: {npm: {}, gem: {}}, expect: {findings: [{rule: "
             "nvd, message: C, count: 1}], findingsExactly: true}",
         ""},
        {FED "vulnerabilities: [{id: C, package: b, cvss: 9.8}, {id: D, package: b, vendorCvss: 9}], feeds: {npm: {}, "
             "gem: {}}, expect: {findings: [{rule: vendor, message: D, count: 1}], findingsExactly: true}",
         ""},
    };
    run_rows(rows, BW_LENGTH(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_is_told_with_place_and_suggestion),
        cmocka_unit_test(a_test_file_is_known_by_its_name),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(a_decision_is_compared_with_what_is_expected),
        cmocka_unit_test(what_cannot_be_evaluated_must_be_expected),
        cmocka_unit_test(facts_have_short_forms),
        cmocka_unit_test(vulnerabilities_and_feeds_stand_beside_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
