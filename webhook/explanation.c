/* GET /debug/explain, its answer (webhook/explanation.h): the facts of `breakwater evaluate --explain` beside how each
 * image came to be judged. */
#include "webhook/explanation.h"

#include "base/limits.h"
#include "evaluator/trace_json.h"

#include <string.h>

struct explaining {
    const struct bw_ledger_entry *entry;
    struct bw_catalog *catalog;
    size_t n_findings; /* told so far */
};

static void put_text(json_t *object, const char *key, const char *text)
{
    (void)json_object_set_new(object, key, bw_json_text(text));
}

static int evaluate(json_t *into, struct explaining *at, const struct bw_ledger_image *image,
                    const struct bw_report *report, const struct bw_report *previous, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    BW_ARENA_SCOPE trace_arena;
    bw_arena_init(&arena, BW_ARENA_EVALUATION);
    bw_arena_init(&trace_arena, BW_ARENA_EVALUATION);
    const struct bw_facts facts = {.reference = &image->reference,
                                   .tag_counts = image->tag_counts,
                                   .report = report,
                                   .previous = previous,
                                   .now_s = at->entry->decided_s};
    struct bw_judgement judged = {.bundle = image->bundle};
    if (bw_evaluate(&judged.decision, image->bundle, &facts, at->entry->no_mapping, &arena, err) != 0 ||
        bw_trace(&judged.trace, image->bundle, &facts, &judged.decision, &trace_arena, err) != 0) {
        return -1;
    }
    at->n_findings += judged.decision.n_findings;
    bw_judgement_json(into, &judged, &facts, true);
    return 0;
}

static json_t *variant_json(struct explaining *at, const struct bw_ledger_image *image,
                            const struct bw_ledger_variant *variant)
{
    const struct bw_needs *needs = bw_bundle_needs(image->bundle);
    bool before = variant->previous.text[0] != '\0';
    struct bw_error err = {0};
    struct bw_report *report = NULL, *previous = NULL;
    json_t *made = json_object();
    put_text(made, "digest", variant->digest.text);
    put_text(made, "platform", variant->platform[0] == '\0' ? NULL : variant->platform);
    if (at->n_findings < BW_MAX_EXPLAINED_FINDINGS) {
        report = bw_catalog_find_report(at->catalog, &variant->digest, needs);
        previous = before ? bw_catalog_find_report(at->catalog, &variant->previous, needs) : NULL;
        if (report == NULL || (before && previous == NULL)) {
            (void)bw_error_set(&err, BW_ENOTFOUND,
                               "the analysis of %s is not known any more: breakwater evaluate --explain makes it anew",
                               report == NULL ? "this image" : variant->previous.text);
        } else {
            (void)evaluate(made, at, image, report, previous, &err);
        }
    } else {
        (void)bw_error_set(&err, BW_ELIMIT, "this answer has too many findings already to tell those of this image");
    }
    if (err.code != BW_OK) {
        put_text(made, "error", err.message);
    }
    bw_report_release(report);
    bw_report_release(previous);
    return made;
}

static json_t *selector_json(const struct bw_ledger_image *image)
{
    json_t *made = json_object();
    (void)json_object_set_new(made, "index", json_integer(image->selector));
    put_text(made, "id", image->selector_id[0] == '\0' ? NULL : image->selector_id);
    return made;
}

static json_t *image_json(struct explaining *at, const struct bw_ledger_image *image)
{
    json_t *made = json_object(), *variants = json_array();
    put_text(made, "image", image->text);
    put_text(made, "field", image->field);
    (void)json_object_set_new(made, "selector", image->selector < 0 ? json_null() : selector_json(image));
    put_text(made, "mode", image->mode);
    put_text(made, "exemption", image->exemption);
    put_text(made, "bundle", image->bundle == NULL ? NULL : bw_bundle_id(image->bundle));
    put_text(made, "origin", image->origin);
    put_text(made, "outcome", image->outcome);
    put_text(made, "why", image->why);
    (void)json_object_set_new(made, "stale", json_boolean(image->stale));
    for (size_t i = 0; i < image->n_variants; i++) {
        (void)json_array_append_new(variants, variant_json(at, image, &image->variants[i]));
    }
    (void)json_object_set_new(made, "evaluations", variants);
    return made;
}

char *bw_explanation_make(const struct bw_ledger_entry *entry, struct bw_catalog *catalog)
{
    struct explaining at = {.entry = entry, .catalog = catalog};
    char decided[21];
    json_t *made = json_object(), *images = json_array();
    bw_time_format(decided, entry->decided_s);
    put_text(made, "uid", entry->uid);
    put_text(made, "time", decided);
    put_text(made, "operation", entry->operation);
    put_text(made, "kind", entry->kind);
    put_text(made, "namespace", entry->namespace);
    put_text(made, "name", entry->name);
    (void)json_object_set_new(made, "dry_run", json_boolean(entry->dry_run));
    put_text(made, "decision", entry->decision);
    put_text(made, "reason", entry->reason);
    for (size_t i = 0; i < entry->n_images; i++) {
        (void)json_array_append_new(images, image_json(&at, &entry->images[i]));
    }
    (void)json_object_set_new(made, "images", images);
    char *text = json_dumps(made, JSON_INDENT(2));
    json_decref(made);
    return text;
}
