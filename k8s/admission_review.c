/*
 * AdmissionReview of admission.k8s.io v1 and v1beta1 (the two have the same fields): what the API server sends is read
 * into a structure of borrowed and copied texts; what it gets back is written by hand, with every text made fit for a
 * terminal, an HTTP warning header and the audit log.
 */
#include "k8s/admission_review.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"

#include <string.h>

enum { MAX_ANNOTATION_BYTES = 4096, MAX_ANNOTATION_KEY = 63, MAX_ONE_WARNING = 256, MAX_RESPONSE_BYTES = 1024 * 1024 };

static const char *const operations[] = {"CREATE", "UPDATE", "DELETE", "CONNECT"};

bool bw_admission_version_known(const char *api_version)
{
    return strcmp(api_version, "admission.k8s.io/v1") == 0 || strcmp(api_version, "admission.k8s.io/v1beta1") == 0;
}

/* Absent or null is "". */
static int read_text(const char **out, struct bw_json at, const char *key, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_json member = bw_json_optional(at, key, arena);
    if (!member.node) {
        *out = "";
        return 0;
    }
    return bw_json_string(out, member, arena, err);
}

/* Absent or null leaves node NULL; anything but an object is refused. */
static int read_object(struct bw_json *out, struct bw_json at, const char *key, struct bw_arena *arena,
                       struct bw_error *err)
{
    struct bw_json member = bw_json_optional(at, key, arena);
    if (member.node && bw_json_object(member, err))
        return -1;
    *out = member;
    return 0;
}

static int read_kind(const char **group, const char **version, const char **last, const char *last_key,
                     struct bw_json at, struct bw_arena *arena, struct bw_error *err)
{
    return read_text(group, at, "group", arena, err) || read_text(version, at, "version", arena, err) ||
                   read_text(last, at, last_key, arena, err)
               ? -1
               : 0;
}

static int read_user(struct bw_admission_request *request, struct bw_json at, struct bw_arena *arena,
                     struct bw_error *err)
{
    struct bw_json user, groups;
    if (read_object(&user, at, "userInfo", arena, err) || read_text(&request->username, user, "username", arena, err))
        return -1;
    groups = bw_json_optional(user, "groups", arena);
    size_t n_groups = 0;
    if (groups.node && bw_json_array(&n_groups, groups, err))
        return -1;
    const char **texts = bw_arena_array(arena, n_groups + 1, sizeof(*texts));
    if (!texts)
        return bw_arena_spent(err);
    for (size_t i = 0; i < n_groups; i++)
        if (bw_json_string(&texts[i], bw_json_element(groups, i, arena), arena, err))
            return -1;
    request->groups = texts;
    return 0;
}

/* A client that used generateName may leave the name to the API server. */
static int read_name(struct bw_admission_request *request, struct bw_json at, struct bw_arena *arena,
                     struct bw_error *err)
{
    if (read_text(&request->name, at, "name", arena, err))
        return -1;
    if (request->name[0])
        return 0;
    const json_t *prefix = json_object_get(json_object_get(request->object.node, "metadata"), "generateName");
    if (!json_is_string(prefix) || !json_string_length(prefix))
        return 0;
    request->name = bw_arena_printf(arena, "%s*", json_string_value(prefix));
    return request->name ? 0 : bw_arena_spent(err);
}

static int read_operation(struct bw_admission_request *request, struct bw_json at, struct bw_arena *arena,
                          struct bw_error *err)
{
    const char *operation = "";
    if (read_text(&operation, at, "operation", arena, err))
        return -1;
    for (size_t i = 0; i < BW_LENGTH(operations); i++) {
        if (strcmp(operation, operations[i]) == 0) {
            request->operation = operations[i];
            return 0;
        }
    }
    return bw_error_set(err, BW_EINPUT,
                        "/request/operation: expected CREATE, UPDATE, DELETE or CONNECT, found \"%.40s\"", operation);
}

/* Everything behind the uid. */
static int read_request(struct bw_admission_request *request, struct bw_json at, struct bw_arena *arena,
                        struct bw_error *err)
{
    struct bw_json kind, resource;
    if (read_operation(request, at, arena, err) || read_object(&kind, at, "kind", arena, err) ||
        read_object(&resource, at, "resource", arena, err) ||
        read_kind(&request->group, &request->version, &request->kind, "kind", kind, arena, err) ||
        read_kind(&request->resource_group, &request->resource_version, &request->resource, "resource", resource, arena,
                  err) ||
        read_text(&request->subresource, at, "subResource", arena, err) ||
        read_text(&request->namespace, at, "namespace", arena, err) || read_user(request, at, arena, err) ||
        read_object(&request->object, at, "object", arena, err) ||
        read_object(&request->old_object, at, "oldObject", arena, err) || read_name(request, at, arena, err))
        return -1;
    if (!request->resource[0])
        return bw_error_set(err, BW_EINPUT, "/request/resource/resource is missing");
    struct bw_json dry_run = bw_json_optional(at, "dryRun", arena);
    return dry_run.node ? bw_json_bool(&request->dry_run, dry_run, err) : 0;
}

static int read_review(struct bw_admission_request *request, struct bw_review_head *head, struct bw_arena *arena,
                       struct bw_error *err)
{
    struct bw_json root = bw_json_root(request->document), at;
    const char *kind, *api_version, *uid;
    if (bw_json_object(root, err) || read_text(&kind, root, "kind", arena, err) ||
        read_text(&api_version, root, "apiVersion", arena, err))
        return -1;
    if (strcmp(kind, "AdmissionReview") != 0)
        return bw_error_set(err, BW_EINPUT, "/kind: expected \"AdmissionReview\", found \"%.80s\"", kind);
    if (!bw_admission_version_known(api_version))
        return bw_error_set(err, BW_EINPUT,
                            "/apiVersion: expected admission.k8s.io/v1 or admission.k8s.io/v1beta1, found \"%.80s\"",
                            api_version);
    if (bw_json_member(&at, root, "request", arena, err) || bw_json_object(at, err) ||
        read_text(&uid, at, "uid", arena, err))
        return -1;
    if (!uid[0])
        return bw_error_set(err, BW_EINPUT, "/request/uid is missing or empty");
    *head = (struct bw_review_head){api_version, uid};
    request->api_version = api_version;
    request->uid = uid;
    return read_request(request, at, arena, err);
}

int bw_admission_review_decode(struct bw_admission_request *out, struct bw_review_head *head, const char *body,
                               size_t len, struct bw_arena *arena, struct bw_error *err)
{
    *head = (struct bw_review_head){NULL, NULL};
    if (bw_json_exceeds(body, len, BW_MAX_REVIEW_VALUES))
        return bw_error_set(err, BW_ELIMIT, "the AdmissionReview holds more than %llu values",
                            (unsigned long long)BW_MAX_REVIEW_VALUES);
    struct bw_admission_request request = {0};
    if (bw_json_parse(&request.document, body, len, BW_MAX_REVIEW_BYTES, err))
        return bw_error_wrap(err, "the body is not an AdmissionReview");
    if (read_review(&request, head, arena, err)) {
        bw_admission_request_clear(&request);
        return -1;
    }
    *out = request;
    return 0;
}

void bw_admission_request_clear(struct bw_admission_request *request)
{
    if (!request)
        return;
    json_decref(request->document);
    *request = (struct bw_admission_request){0};
}

/* ---- the answer ---- */

/* A string of the answer: one cleaned, cut copy in the arena. */
static const char *clean(const char *text, size_t limit, bool keep_lines, struct bw_arena *arena)
{
    size_t len = strlen(text);
    bool cut = len > limit;
    if (cut)
        len = bw_utf8_cut(text, len, limit - 3); /* room for the ellipsis, three bytes */
    char *copy = bw_arena_alloc(arena, len + 4);
    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    bw_text_clean(copy, keep_lines);
    if (cut)
        memcpy(copy + strlen(copy), "\xe2\x80\xa6", 4);
    return copy;
}

static int put_text(struct bw_buf *out, const char *key, const char *text, size_t limit, bool keep_lines,
                    struct bw_arena *arena)
{
    const char *cleaned = clean(text, limit, keep_lines, arena);
    if (!cleaned)
        return -1;
    bw_buf_append(out, "\"", 1);
    bw_buf_puts(out, key);
    bw_buf_append(out, "\":", 2);
    bw_buf_json(out, cleaned, strlen(cleaned));
    return 0;
}

static int put_causes(struct bw_buf *out, const struct bw_admission_response *response, struct bw_arena *arena)
{
    size_t n_causes = response->n_causes < BW_MAX_CAUSES ? response->n_causes : BW_MAX_CAUSES;
    bw_buf_puts(out, "\"causes\":[");
    for (size_t i = 0; i < n_causes; i++) {
        const struct bw_status_cause *cause = &response->causes[i];
        bw_buf_puts(out, i ? ",{" : "{");
        if (put_text(out, "reason", cause->reason ? cause->reason : "", BW_MAX_CAUSE_BYTES, false, arena))
            return -1;
        bw_buf_puts(out, ",");
        if (put_text(out, "message", cause->message ? cause->message : "", BW_MAX_CAUSE_BYTES, false, arena))
            return -1;
        bw_buf_puts(out, ",");
        if (put_text(out, "field", cause->field ? cause->field : "", BW_MAX_CAUSE_BYTES, false, arena))
            return -1;
        bw_buf_puts(out, "}");
    }
    bw_buf_puts(out, "]");
    return 0;
}

static int put_details(struct bw_buf *out, const struct bw_admission_response *response, struct bw_arena *arena)
{
    const char *const members[][2] = {
        {"name", response->details_name}, {"group", response->details_group}, {"kind", response->details_kind}};
    bool first = true;
    bw_buf_puts(out, ",\"details\":{");
    for (size_t i = 0; i < BW_LENGTH(members); i++) {
        if (!members[i][1] || !members[i][1][0])
            continue;
        bw_buf_puts(out, first ? "" : ",");
        if (put_text(out, members[i][0], members[i][1], BW_MAX_CAUSE_BYTES, false, arena))
            return -1;
        first = false;
    }
    if (response->retry_after_s > 0) {
        bw_buf_printf(out, "%s\"retryAfterSeconds\":%d", first ? "" : ",", response->retry_after_s);
        first = false;
    }
    if (response->n_causes) {
        bw_buf_puts(out, first ? "" : ",");
        if (put_causes(out, response, arena))
            return -1;
    }
    bw_buf_puts(out, "}");
    return 0;
}

/* An allowed answer has no status at all. */
static int put_status(struct bw_buf *out, const struct bw_admission_response *response, struct bw_arena *arena)
{
    if (response->allowed)
        return 0;
    bw_buf_printf(out, ",\"status\":{\"status\":\"Failure\",\"code\":%d,", response->code);
    if (put_text(out, "reason", response->reason ? response->reason : "", 63, false, arena))
        return -1;
    bw_buf_puts(out, ",");
    if (put_text(out, "message", response->message ? response->message : "", BW_MAX_DENY_MESSAGE, true, arena) ||
        put_details(out, response, arena))
        return -1;
    bw_buf_puts(out, "}");
    return 0;
}

/* "breakwater: ..." on one line: the API server drops a warning with a control character, so they become blanks. */
static const char *warning_line(const char *text, struct bw_arena *arena)
{
    static const char prefix[] = "breakwater: ";
    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
        text += sizeof(prefix) - 1;
    char *line = bw_arena_printf(arena, "%s%s", prefix, text);
    if (!line)
        return NULL;
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return clean(line, MAX_ONE_WARNING, false, arena);
}

static bool is_repeated(const char *line, const char *const *lines, size_t n_lines)
{
    for (size_t i = 0; i < n_lines; i++)
        if (strcmp(line, lines[i]) == 0)
            return true;
    return false;
}

static int put_warnings(struct bw_buf *out, const struct bw_admission_response *response, struct bw_arena *arena)
{
    static const size_t closing = 40; /* "breakwater: 12345 more warnings" */
    const char *lines[BW_MAX_ADMISSION_WARNINGS];
    size_t n_lines = 0, bytes = 0, left_out = 0;
    for (size_t i = 0; i < response->n_warnings; i++) {
        bool last_place = n_lines + 1 == BW_MAX_ADMISSION_WARNINGS && i + 1 < response->n_warnings;
        if (left_out || last_place) {
            left_out++;
            continue;
        }
        const char *line = warning_line(response->warnings[i], arena);
        if (!line)
            return -1;
        if (is_repeated(line, lines, n_lines))
            continue;
        size_t len = strlen(line);
        if (bytes + len > BW_MAX_ADMISSION_WARNING_BYTES - closing) {
            left_out++;
            continue;
        }
        lines[n_lines++] = line;
        bytes += len;
    }
    if (left_out) {
        lines[n_lines] = bw_arena_printf(arena, "breakwater: %zu more warnings", left_out);
        if (!lines[n_lines++])
            return -1;
    }
    for (size_t i = 0; i < n_lines; i++) {
        bw_buf_puts(out, i ? "," : ",\"warnings\":[");
        bw_buf_json(out, lines[i], strlen(lines[i]));
    }
    bw_buf_puts(out, n_lines ? "]" : "");
    return 0;
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The part of a qualified name behind the slash; the API server puts the webhook's name before it. */
static bool is_annotation_key(const char *key)
{
    size_t len = strlen(key);
    if (len == 0 || len > MAX_ANNOTATION_KEY || !is_alphanumeric(key[0]) || !is_alphanumeric(key[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alphanumeric(key[i]) && key[i] != '-' && key[i] != '_' && key[i] != '.')
            return false;
    return true;
}

static int put_annotations(struct bw_buf *out, const struct bw_admission_response *response, struct bw_arena *arena)
{
    bool any = false;
    for (size_t i = 0; i < response->n_annotations; i++) {
        const struct bw_annotation *annotation = &response->annotations[i];
        if (!is_annotation_key(annotation->key) || !annotation->value)
            continue;
        bw_buf_puts(out, any ? "," : ",\"auditAnnotations\":{");
        if (put_text(out, annotation->key, annotation->value, MAX_ANNOTATION_BYTES, true, arena))
            return -1;
        any = true;
    }
    bw_buf_puts(out, any ? "}" : "");
    return 0;
}

int bw_admission_review_encode(const char **out, size_t *len_out, const struct bw_admission_response *response,
                               struct bw_arena *arena, struct bw_error *err)
{
    BW_BUF_SCOPE text;
    bw_buf_init(&text, MAX_RESPONSE_BYTES);
    bw_buf_puts(&text, "{\"apiVersion\":");
    bw_buf_json(&text, response->api_version, strlen(response->api_version));
    bw_buf_puts(&text, ",\"kind\":\"AdmissionReview\",\"response\":{\"uid\":");
    bw_buf_json(&text, response->uid, strlen(response->uid));
    bw_buf_puts(&text, response->allowed ? ",\"allowed\":true" : ",\"allowed\":false");
    if (put_status(&text, response, arena) || put_warnings(&text, response, arena) ||
        put_annotations(&text, response, arena))
        return bw_arena_spent(err);
    bw_buf_puts(&text, "}}");
    if (bw_buf_check(&text, "the AdmissionReview response", err))
        return -1;
    const char *copy = bw_arena_strndup(arena, text.data, text.len);
    if (!copy)
        return bw_arena_spent(err);
    *len_out = text.len;
    *out = copy;
    return 0;
}
