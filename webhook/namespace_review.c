/* Who may set the label that exempts a namespace (webhook/namespace_review.h). */
#include "webhook/namespace_review.h"

#include "base/buf.h"
#include "base/limits.h"
#include "webhook/answer.h"

#include <string.h>

#define LABEL BW_DOMAIN "/admission"

static void allow(struct bw_admit_result *out, const struct bw_admission_request *request, const char *reason,
                  struct bw_arena *arena)
{
    bw_answer_make(out, request, (struct bw_admission_response){.allowed = true}, "allow", reason, arena);
}

static void deny(struct bw_admit_result *out, const struct bw_admission_request *request, const char *reason,
                 const char *message, struct bw_arena *arena)
{
    const struct bw_admission_response response = {.code = 403,
                                                   .reason = "Forbidden",
                                                   .message = message,
                                                   .details_name = request->name,
                                                   .details_kind = request->resource};
    bw_answer_make(out, request, response, "deny", reason, arena);
}

static void put_list(struct bw_buf *out, const char *what, const char *const *texts, bool *any)
{
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        bw_buf_printf(out, "%s%s%s", i > 0 ? ", " : *any ? "; " : "", i > 0 ? "" : what, texts[i]);
        *any = true;
    }
}

static const char *refusal(const struct bw_config *config, const struct bw_admission_request *request,
                           const char *value, struct bw_arena *arena)
{
    bool any = false;
    BW_BUF_SCOPE text;
    bw_buf_init(&text, 2 * (size_t)BW_MAX_DENY_MESSAGE);
    bw_buf_printf(&text,
                  "%.253s may not set the label " LABEL " of namespace %.253s to \"%.63s\": it decides whether images "
                  "are judged there. Who may: ",
                  request->username, request->name, value);
    put_list(&text, "users ", config->exemption_admins.users, &any);
    put_list(&text, "groups ", config->exemption_admins.groups, &any);
    put_list(&text, "anybody in the namespaces ", config->exempt_namespaces, &any);
    bw_buf_puts(&text, any ? "" : "nobody (exemptionAdmins and exemptNamespaces are empty)");
    const char *message = text.full ? NULL : bw_arena_strndup(arena, text.data, text.len);
    return message == NULL ? "only exemptionAdmins may set the label " LABEL : message;
}

/* NULL: the object does not have it. */
static const json_t *label_of(struct bw_json object)
{
    const json_t *labels = json_object_get(json_object_get(object.node, "metadata"), "labels");
    const json_t *label = json_object_get(labels, LABEL);
    return json_is_null(label) ? NULL : label;
}

static void judge(struct bw_admit_result *out, const struct bw_config *config,
                  const struct bw_admission_request *request, struct bw_arena *arena)
{
    const json_t *now = label_of(request->object), *before = label_of(request->old_object);
    const struct bw_review asking = {.username = request->username, .groups = request->groups};
    bool written = strcmp(request->operation, "CREATE") == 0 || strcmp(request->operation, "UPDATE") == 0;
    if (strcmp(request->resource, "namespaces") != 0 || request->resource_group[0] != '\0' ||
        (written && request->object.node == NULL)) {
        deny(out, request, "malformed", "this is not a namespace: the guard of the label " LABEL " judges no other",
             arena);
    } else if (!written || now == NULL || (before != NULL && json_equal(now, before))) {
        allow(out, request, now == NULL && before != NULL ? "exemption_ended" : "unchanged", arena);
    } else if (bw_globs_match(config->exempt_namespaces, request->name)) {
        allow(out, request, "exempt_namespace", arena);
    } else if (bw_people_include(&config->exemption_admins, &asking)) {
        allow(out, request, "exemption_admin", arena);
    } else {
        const char *value = json_is_string(now) ? json_string_value(now) : "";
        deny(out, request, "exemption_label", refusal(config, request, value, arena), arena);
    }
}

void bw_namespace_review(struct bw_admit_result *out, const struct bw_config *config, const char *body, size_t len,
                         struct bw_arena *arena)
{
    struct bw_admission_request request = {0};
    struct bw_review_head head = {NULL, NULL};
    struct bw_error err = {0};
    if (len > BW_MAX_NAMESPACE_REVIEW_BYTES) {
        (void)bw_error_set(&err, BW_ELIMIT, "the review of a namespace has %zu bytes; at most %llu are read", len,
                           BW_MAX_NAMESPACE_REVIEW_BYTES);
    } else if (bw_admission_review_decode(&request, &head, body, len, arena, &err) == 0) {
        judge(out, config, &request, arena);
        bw_admission_request_clear(&request);
        return;
    }
    if (head.uid == NULL) {
        bw_answer_unreadable(out, &err, arena);
        return;
    }
    request.api_version = head.api_version;
    request.uid = head.uid;
    deny(out, &request, "malformed", err.message, arena);
}
