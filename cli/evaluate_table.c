/* breakwater evaluate --output table: one block per image, one line per finding, the verdict at the end. */
#include "cli/evaluate.h"

#include <string.h>

const char *bw_finding_word(const struct bw_finding *finding)
{
    return finding->whitelisted ? "forgiven" : finding->undecided ? "unknown" : bw_action_name(finding->action);
}

bool bw_finding_excused(const struct bw_judgement *judged, const struct bw_finding *finding)
{
    return finding->whitelisted || strcmp(judged->decision.reason, "whitelisted") == 0;
}

void bw_put_image_line(const struct bw_evaluated *image)
{
    char digest[13];
    const struct bw_platform *platform = image->platform;
    bw_digest_short(digest, &image->report->digest);
    bw_put_clean(stdout, image->name, false);
    printf("  %s", digest);
    if (platform != NULL) {
        printf("  ");
        bw_put_clean(stdout, platform->os, false);
        printf("/");
        bw_put_clean(stdout, platform->architecture, false);
    }
    printf("\n");
}

void bw_put_verdict(const struct bw_judgement *judged)
{
    printf("  => %s (%s", bw_action_name(judged->decision.action), judged->decision.reason);
    if (judged->decision.mapping >= 0) {
        printf(", mapping %d", judged->decision.mapping + 1);
    }
    printf(", bundle ");
    bw_put_clean(stdout, bw_bundle_id(judged->bundle), false);
    printf(")\n");
}

void bw_put_whitelist(const struct bw_finding *finding)
{
    if (finding->whitelisted) {
        printf(" [whitelist ");
        bw_put_clean(stdout, finding->whitelist_id, false);
        printf("%s", finding->whitelist_item_id == NULL ? "" : ", item ");
        bw_put_clean(stdout, finding->whitelist_item_id, false);
        printf("]");
    }
}

static void put_finding(const struct bw_finding *finding, const struct bw_finding *before, int gate, int trigger)
{
    bool same_rule = before != NULL && before->policy == finding->policy && before->rule == finding->rule;
    printf("  %-8s  %-*s  %-*s  ", bw_finding_word(finding), gate, finding->gate, trigger, finding->trigger);
    bw_put_clean(stdout, finding->message, false);
    bw_put_whitelist(finding);
    if ((finding->comment != NULL || finding->rule_id != NULL) && !same_rule) {
        printf("\n  %-8s  %-*s  %-*s  rule%s", "", gate, "", trigger, "", finding->rule_id == NULL ? "" : " ");
        bw_put_clean(stdout, finding->rule_id, false);
        printf("%s", finding->comment == NULL ? "" : ": ");
        bw_put_clean(stdout, finding->comment, false);
    }
    printf("\n");
}

static void put_findings(const struct bw_decision *decision)
{
    size_t gate = strlen("GATE"), trigger = strlen("TRIGGER");
    for (size_t i = 0; i < decision->n_findings; i++) {
        const struct bw_finding *finding = &decision->findings[i];
        gate = strlen(finding->gate) > gate ? strlen(finding->gate) : gate;
        trigger = strlen(finding->trigger) > trigger ? strlen(finding->trigger) : trigger;
    }
    if (decision->n_findings > 0) {
        printf("  ACTION    %-*s  %-*s  MESSAGE\n", (int)gate, "GATE", (int)trigger, "TRIGGER");
    }
    for (size_t i = 0; i < decision->n_policies; i++) {
        const struct bw_policy_result *policy = &decision->policies[i];
        printf("  -- policy ");
        bw_put_clean(stdout, policy->policy_id, false);
        printf(": %s\n", bw_action_name(policy->action));
        for (size_t j = 0; j < policy->n_findings; j++) {
            const struct bw_finding *finding = &decision->findings[policy->first_finding + j];
            put_finding(finding, j == 0 ? NULL : finding - 1, (int)gate, (int)trigger);
        }
    }
}

static int image(struct bw_show *show, const struct bw_evaluated *image, struct bw_error *err)
{
    (void)err;
    bw_put_image_line(image);
    if (show->explain) {
        bw_explain_judgement(image);
    } else {
        put_findings(&image->judged.decision);
    }
    bw_put_verdict(&image->judged);
    printf("\n");
    return 0;
}

const struct bw_evaluation_writer bw_evaluation_table = {NULL, image, NULL, NULL};
