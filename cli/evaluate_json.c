/* breakwater evaluate --output json: an array with one object per image; with --explain each has an `explain`. */
#include "cli/evaluate.h"

static void put_text(json_t *object, const char *key, const char *text)
{
    (void)json_object_set_new(object, key, bw_json_text(text));
}

json_t *bw_failure_json(const char *name, const struct bw_error *err)
{
    json_t *made = json_object();
    put_text(made, "image", name);
    put_text(made, "error", err->message);
    put_text(made, "detail", err->detail[0] == '\0' ? NULL : err->detail);
    return made;
}

void bw_json_image(json_t *made, const struct bw_evaluated *image)
{
    put_text(made, "image", image->name);
    put_text(made, "digest", image->report->digest.text);
    if (image->platform != NULL) {
        (void)json_object_set_new(made, "platform",
                                  json_sprintf("%s/%s", image->platform->os, image->platform->architecture));
    }
}

void bw_json_finish(struct bw_show *show)
{
    (void)json_dumpf(show->document, stdout, JSON_INDENT(2));
    (void)fputc('\n', stdout);
    json_decref(show->document);
    show->document = NULL;
}

/* ---- writer ---- */

static void begin(struct bw_show *show)
{
    show->document = json_array();
}

static int image(struct bw_show *show, const struct bw_evaluated *image, struct bw_error *err)
{
    (void)err;
    const struct bw_facts facts = {
        .reference = image->reference, .tag_counts = image->tag_counts, .report = image->report};
    json_t *made = json_object();
    bw_json_image(made, image);
    bw_judgement_json(made, &image->judged, &facts, show->explain);
    (void)json_array_append_new(show->document, made);
    return 0;
}

static void failure(struct bw_show *show, const char *name, const struct bw_error *err)
{
    (void)json_array_append_new(show->document, bw_failure_json(name, err));
}

const struct bw_evaluation_writer bw_evaluation_json = {begin, image, failure, bw_json_finish};
