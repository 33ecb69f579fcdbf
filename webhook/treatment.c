/* How an image is to be judged (webhook/treatment.h). */
#include "webhook/treatment.h"

#include <string.h>

static const char reason_key[] = BW_DOMAIN "/break-glass-reason";

const char *bw_break_glass_reason(const struct bw_review *review)
{
    const struct bw_pair *pair = bw_pairs_find(&review->object.annotations, reason_key);
    if (pair == NULL || pair->value[0] == '\0') {
        pair = bw_pairs_find(&review->pod.annotations, reason_key);
    }
    return pair == NULL || pair->value[0] == '\0' ? NULL : pair->value;
}

/* K-407: who breaks the glass has to be one who may, and to say why where that is asked. */
static const char *refuse_glass(const struct bw_treatment_question *question)
{
    const struct bw_break_glass *glass = &question->config->break_glass;
    bool anybody = glass->people.users == NULL && glass->people.groups == NULL;
    if (!anybody && !bw_people_include(&glass->people, question->review)) {
        return "break-glass is asked for by somebody who may not: breakGlass.users and breakGlass.groups say who may";
    }
    if (glass->require_reason && bw_break_glass_reason(question->review) == NULL) {
        return "break-glass needs a reason: say it in the annotation " BW_DOMAIN "/break-glass-reason";
    }
    return NULL;
}

/* K-608: a tag may lead elsewhere by the time the node pulls it. */
static void ask_for_digest(struct bw_treatment *treatment, const struct bw_treatment_question *question)
{
    if (question->reference->digest.text[0] != '\0') {
        return;
    }
    const char *text = "images have to be named by digest here: repository@sha256:...";
    if (treatment->selector->require_digest == BW_DIGEST_DENY) {
        treatment->refusal = text;
    } else if (treatment->selector->require_digest == BW_DIGEST_WARN) {
        treatment->warning = text;
    }
}

static int find_bundle(struct bw_treatment *treatment, const struct bw_treatment_question *question,
                       struct bw_error *err)
{
    const char *id = treatment->selector == NULL ? NULL : treatment->selector->bundle;
    treatment->bundle = question->bundles == NULL ? NULL : bw_bundle_set_find(question->bundles, id);
    if (treatment->bundle != NULL) {
        treatment->warn_only = treatment->warn_only || bw_bundle_set_warns(question->bundles, treatment->bundle);
        return 0;
    }
    return id == NULL
               ? bw_error_set(err, BW_EUNAVAILABLE,
                              "no policy bundle is in force, so no image can be judged; the operator of breakwater has "
                              "to load one")
               : bw_error_set(err, BW_EUNAVAILABLE,
                              "the policy bundle %.100s, which a selector names, is not in force; the operator of "
                              "breakwater has to load it",
                              id);
}

static int choose_mode(struct bw_treatment *treatment, enum bw_fault *fault,
                       const struct bw_treatment_question *question, struct bw_error *err)
{
    switch (treatment->mode) {
    case BW_MODE_BREAK_GLASS:
        treatment->refusal = refuse_glass(question);
        treatment->pass = "break_glass";
        return 0;
    case BW_MODE_PASSIVE:
        treatment->pass = "passive";
        return 0;
    case BW_MODE_ANALYSIS:
        treatment->pass = "analysis";
        break;
    case BW_MODE_WARN:
        treatment->warn_only = true;
        break;
    case BW_MODE_POLICY:
        break;
    }
    if (treatment->selector != NULL) {
        ask_for_digest(treatment, question);
    }
    if (treatment->mode != BW_MODE_ANALYSIS && find_bundle(treatment, question, err) != 0) {
        *fault = BW_FAULT_NO_BUNDLE;
        return -1;
    }
    return 0;
}

static void exempt(struct bw_treatment *treatment, const struct bw_treatment_question *question,
                   const struct bw_named_image *image)
{
    const struct bw_config *config = question->config;
    const struct bw_digest *digest = question->reference->digest.text[0] == '\0' ? NULL : &question->reference->digest;
    treatment->exemption = bw_exemption_find(config->exemptions, config->n_exemptions, question->review->namespace,
                                             image, digest, question->now_s);
    if (treatment->exemption != NULL) {
        treatment->pass = "exemption";
    }
}

int bw_treatment_choose(struct bw_treatment *out, enum bw_fault *fault, const struct bw_treatment_question *question,
                        struct bw_arena *arena, struct bw_error *err)
{
    const struct bw_config *config = question->config;
    struct bw_named_image image = {0};
    struct bw_treatment made = {.mode = BW_MODE_POLICY,
                                .on_pending = config->on_pending,
                                .warn_only = question->warn_only,
                                .analyse = config->request_analysis};
    *fault = BW_FAULT_INTERNAL;
    if (config->n_selectors + config->n_exemptions > 0 &&
        bw_named_image_make(&image, question->written, question->reference, arena, err) != 0) {
        return -1;
    }
    const struct bw_selector_question asked = {
        .review = question->review, .image = &image, .namespace = question->namespace};
    if (bw_selector_choose(&made.selector, config->selectors, config->n_selectors, &asked, err) != 0) {
        return -1;
    }
    if (made.selector != NULL) {
        made.mode = (enum bw_mode)made.selector->mode;
        made.analyse =
            made.selector->request_analysis == BW_UNSET ? made.analyse : made.selector->request_analysis == BW_TRUE;
        made.on_pending =
            made.selector->on_pending == 0 ? made.on_pending : (enum bw_on_error)(made.selector->on_pending - 1);
    } else if (config->n_selectors > 0 && config->on_no_selector_match == BW_UNSELECTED_ALLOW) {
        made.pass = "no_selector";
        *out = made;
        return 0;
    } else if (config->n_selectors > 0 && config->on_no_selector_match == BW_UNSELECTED_DENY) {
        made.refusal = "no selector of breakwater's configuration is for this image (onNoSelectorMatch: deny)";
        *out = made;
        return 0;
    }
    if (made.mode != BW_MODE_BREAK_GLASS && made.mode != BW_MODE_PASSIVE) {
        exempt(&made, question, &image);
    }
    if (made.exemption == NULL && choose_mode(&made, fault, question, err) != 0) {
        return -1;
    }
    *out = made;
    return 0;
}

const struct bw_exemption *bw_treatment_exempts(const struct bw_treatment_question *question,
                                                const struct bw_digest *digest, struct bw_arena *arena)
{
    const struct bw_config *config = question->config;
    struct bw_named_image image;
    if (config->n_exemptions == 0 ||
        bw_named_image_make(&image, question->written, question->reference, arena, NULL) != 0) {
        return NULL;
    }
    return bw_exemption_find(config->exemptions, config->n_exemptions, question->review->namespace, &image, digest,
                             question->now_s);
}
