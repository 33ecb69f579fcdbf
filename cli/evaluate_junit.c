/* breakwater evaluate --output junit: JUnit's XML, one suite per image, one case per rule. */
#include "cli/evaluate.h"

#include "cli/xml.h"

#include <string.h>

enum outcome { PASSED, FAILED, BROKEN, NOT_RUN, OUTCOMES };

static enum outcome outcome_of(const struct bw_judgement *judged, const struct bw_rule_trace *rule)
{
    enum outcome outcome = rule->not_applicable != NULL ? NOT_RUN : PASSED;
    for (size_t i = 0; i < rule->n_findings; i++) {
        const struct bw_finding *finding = &judged->decision.findings[rule->first_finding + i];
        if (!bw_finding_excused(judged, finding) && finding->action == BW_STOP) {
            outcome = finding->undecided ? BROKEN : FAILED;
        }
    }
    return outcome;
}

static void put_lines(const struct bw_judgement *judged, const struct bw_rule_trace *rule, bool stopping)
{
    for (size_t i = 0; i < rule->n_findings; i++) {
        const struct bw_finding *finding = &judged->decision.findings[rule->first_finding + i];
        bool stops = !bw_finding_excused(judged, finding) && finding->action == BW_STOP;
        if (stops != stopping) {
            continue;
        }
        printf("%s: ", bw_finding_word(finding));
        bw_put_xml(finding->message);
        if (finding->whitelisted) {
            printf(" [whitelist ");
            bw_put_xml(finding->whitelist_id);
            printf("%s", finding->whitelist_item_id == NULL ? "" : ", item ");
            bw_put_xml(finding->whitelist_item_id);
            printf("]");
        }
        printf("\n");
    }
}

static size_t count_stops(const struct bw_judgement *judged, const struct bw_rule_trace *rule)
{
    size_t n = 0;
    for (size_t i = 0; i < rule->n_findings; i++) {
        const struct bw_finding *finding = &judged->decision.findings[rule->first_finding + i];
        n += !bw_finding_excused(judged, finding) && finding->action == BW_STOP ? 1 : 0;
    }
    return n;
}

static void put_rule_case(const struct bw_judgement *judged, const char *policy, const struct bw_rule_trace *rule)
{
    enum outcome outcome = outcome_of(judged, rule);
    size_t n_stops = count_stops(judged, rule);
    printf("    <testcase");
    bw_put_xml_attribute("classname", policy);
    printf(" name=\"%s:%s", rule->gate, rule->trigger);
    if (rule->id != NULL && rule->id[0] != '\0') {
        printf("/");
        bw_put_xml(rule->id);
    } else {
        printf(" #%u", rule->result->rule + 1);
    }
    printf("\"%s>\n", outcome == PASSED && rule->n_findings == 0 ? "/" : "");
    if (outcome == PASSED && rule->n_findings == 0) {
        return;
    }
    if (outcome == NOT_RUN) {
        printf("      <skipped");
        bw_put_xml_attribute("message", rule->not_applicable);
        printf("/>\n");
    } else if (outcome != PASSED) {
        const struct bw_finding *first = &judged->decision.findings[rule->first_finding];
        bool comment = outcome == FAILED && rule->comment != NULL && rule->comment[0] != '\0';
        printf("      <%s type=\"%s\"", outcome == FAILED ? "failure" : "error",
               outcome == FAILED ? "stop" : "undecided");
        if (comment) {
            bw_put_xml_attribute("message", rule->comment);
        } else if (outcome == BROKEN) {
            bw_put_xml_attribute("message", first->message);
        } else {
            printf(" message=\"%zu finding%s\"", n_stops, n_stops == 1 ? "" : "s");
        }
        printf(">");
        put_lines(judged, rule, true);
        printf("</%s>\n", outcome == FAILED ? "failure" : "error");
    }
    if (rule->n_findings > n_stops) {
        printf("      <system-out>");
        put_lines(judged, rule, false);
        printf("</system-out>\n");
    }
    printf("    </testcase>\n");
}

/* What decides beside the rules: mappings and image lists. */
static bool selection_fails(const struct bw_judgement *judged)
{
    return judged->decision.action == BW_STOP && bw_decision_beside_rules(&judged->decision) != NULL;
}

static void put_selection_case(const struct bw_judgement *judged)
{
    const char *beside = bw_decision_beside_rules(&judged->decision);
    printf("    <testcase classname=\"breakwater\" name=\"mapping and image lists\"%s>\n", beside == NULL ? "/" : "");
    if (beside == NULL) {
        return;
    }
    if (selection_fails(judged)) {
        printf("      <failure type=\"stop\"");
        bw_put_xml_attribute("message", beside);
        printf("/>\n");
    } else {
        printf("      <system-out>%s: ", bw_action_name(judged->decision.action));
        bw_put_xml(beside);
        printf("</system-out>\n");
    }
    printf("    </testcase>\n");
}

static void put_property(const char *name, const char *value)
{
    printf("      <property name=\"%s\"", name);
    bw_put_xml_attribute("value", value);
    printf("/>\n");
}

static void put_suite(const char *name, size_t tests, const size_t counts[OUTCOMES])
{
    printf("  <testsuite");
    bw_put_xml_attribute("name", name);
    printf(" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n", tests, counts[FAILED], counts[BROKEN],
           counts[NOT_RUN]);
}

static int image(struct bw_show *show, const struct bw_evaluated *image, struct bw_error *err)
{
    (void)err;
    (void)show;
    const struct bw_judgement *judged = &image->judged;
    size_t counts[OUTCOMES] = {0}, tests = 1;
    counts[selection_fails(judged) ? FAILED : PASSED]++;
    for (size_t i = 0; i < judged->decision.n_policies; i++) {
        const struct bw_policy_trace *policy = &judged->trace.policies[i];
        for (size_t j = 0; j < policy->n_rules; j++, tests++) {
            counts[outcome_of(judged, &policy->rules[j])]++;
        }
    }
    put_suite(image->name, tests, counts);
    printf("    <properties>\n");
    put_property("digest", image->report->digest.text);
    if (image->platform != NULL) {
        printf("      <property name=\"platform\" value=\"");
        bw_put_xml(image->platform->os);
        printf("/");
        bw_put_xml(image->platform->architecture);
        printf("\"/>\n");
    }
    put_property("bundle", bw_bundle_id(judged->bundle));
    put_property("bundle-hash", bw_bundle_hash(judged->bundle));
    put_property("action", bw_action_name(judged->decision.action));
    put_property("reason", judged->decision.reason);
    printf("    </properties>\n");
    put_selection_case(judged);
    for (size_t i = 0; i < judged->decision.n_policies; i++) {
        const struct bw_policy_trace *policy = &judged->trace.policies[i];
        for (size_t j = 0; j < policy->n_rules; j++) {
            put_rule_case(judged, policy->result->policy_id, &policy->rules[j]);
        }
    }
    printf("  </testsuite>\n");
    return 0;
}

static void failure(struct bw_show *show, const char *name, const struct bw_error *err)
{
    (void)show;
    static const size_t counts[OUTCOMES] = {[BROKEN] = 1};
    put_suite(name, 1, counts);
    printf("    <testcase classname=\"breakwater\" name=\"evaluation\">\n      <error type=\"trouble\"");
    bw_put_xml_attribute("message", err->message);
    printf("/>\n    </testcase>\n  </testsuite>\n");
}

static void begin(struct bw_show *show)
{
    (void)show;
    printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"breakwater\">\n");
}

static void end(struct bw_show *show)
{
    (void)show;
    printf("</testsuites>\n");
}

const struct bw_evaluation_writer bw_evaluation_junit = {begin, image, failure, end};
