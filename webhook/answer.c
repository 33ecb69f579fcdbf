/* From what is thought of a request to the body that is sent (webhook/answer.h). */
#include "webhook/answer.h"

#include <string.h>

enum { MAX_DETAIL = 400 }; /* of a line of the log */

static void give_up(struct bw_admit_result *out, int http_status, const char *why)
{
    *out = (struct bw_admit_result){.http_status = http_status,
                                    .body = why,
                                    .len = strlen(why),
                                    .decision = "error",
                                    .reason = http_status == 400 ? "bad_request" : "internal",
                                    .detail = why};
}

void bw_answer_make(struct bw_admit_result *out, const struct bw_admission_request *request,
                    struct bw_admission_response response, const char *decision, const char *reason,
                    struct bw_arena *arena)
{
    bool known = request->resource != NULL &&
                 (strcmp(request->resource, "configmaps") == 0 || strcmp(request->resource, "namespaces") == 0);
    const struct bw_annotation notes[] = {{"decision", decision}, {"reason", reason}};
    struct bw_admit_result result = {.http_status = 200,
                                     .uid = request->uid,
                                     .decision = decision,
                                     .reason = reason,
                                     .kind = request->kind,
                                     .resource = known ? request->resource : "other",
                                     .namespace = request->namespace,
                                     .name = request->name,
                                     .operation = request->operation,
                                     .username = request->username,
                                     .dry_run = request->dry_run};
    if (!response.allowed && response.message != NULL) {
        result.detail = bw_arena_strndup(arena, response.message, strnlen(response.message, MAX_DETAIL));
    }
    response.api_version = request->api_version;
    response.uid = request->uid;
    response.annotations = notes;
    response.n_annotations = BW_LENGTH(notes);
    if (bw_admission_review_encode(&result.body, &result.len, &response, arena, NULL) != 0) {
        give_up(out, 500, "the answer is larger than an admission may be\n");
        return;
    }
    *out = result;
}

void bw_answer_unreadable(struct bw_admit_result *out, const struct bw_error *err, struct bw_arena *arena)
{
    const char *text = bw_arena_printf(arena, "%s\n", err->message);
    give_up(out, 400, text == NULL ? "bad request\n" : text);
}
