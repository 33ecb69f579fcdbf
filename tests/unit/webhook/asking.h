#ifndef BW_TESTS_UNIT_WEBHOOK_ASKING_H
#define BW_TESTS_UNIT_WEBHOOK_ASKING_H

#include "fakes.h"

/* One admission at a time, asked for with a body and read as JSON. */
static struct fake_services services;
static struct bw_admission *admission;
static const struct bw_admit_result *result;
static json_t *answered;
static struct bw_arena arena;
static pthread_mutex_t tickets_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t tickets_wake = PTHREAD_COND_INITIALIZER;
static uint64_t last_ticket;

static inline void on_ticket(void *payload, uint64_t ticket)
{
    (void)payload;
    pthread_mutex_lock(&tickets_lock);
    last_ticket = ticket;
    pthread_cond_broadcast(&tickets_wake);
    pthread_mutex_unlock(&tickets_lock);
}

static inline int set_up(void **state)
{
    (void)state;
    bw_arena_init(&arena, 64 * BW_MIB);
    fake_start(&services, "", on_ticket, NULL);
    admission = NULL;
    answered = NULL;
    last_ticket = 0;
    return 0;
}

static inline void forget(void)
{
    json_decref(answered);
    answered = NULL;
    bw_admission_free(admission);
    admission = NULL;
}

static inline int tear_down(void **state)
{
    (void)state;
    forget();
    fake_stop(&services);
    bw_arena_clear(&arena);
    return 0;
}

/* ---- asking ---- */

/* A review of an object whose spec is given, single quotes for double ones. */
static inline const char *review(const char *operation, const char *group, const char *resource, const char *user,
                                 const char *groups, const char *object, const char *old_object)
{
    char *text = bw_arena_printf(
        &arena,
        "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1','request':{'uid':'u-1','kind':{'group':'%s',"
        "'version':'v1','kind':'Thing'},'resource':{'group':'%s','version':'v1','resource':'%s'},'name':'web',"
        "'namespace':'shop','operation':'%s','userInfo':{'username':'%s','groups':[%s]},'object':%s,'oldObject':%s,"
        "'dryRun':false}}",
        group, group, resource, operation, user, groups, object, old_object);
    for (char *c = text; *c; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    return text;
}

static inline const char *pod(const char *containers)
{
    const char *object = bw_arena_printf(&arena, "{'metadata':{'name':'web'},'spec':{'containers':[%s]}}", containers);
    return review("CREATE", "", "pods", "jane", "'devs'", object, "null");
}

static inline const char *pod_of(const char *image)
{
    return pod(bw_arena_printf(&arena, "{'name':'c','image':'%s'}", image));
}

static inline void begin(const char *body, int64_t timeout_ms)
{
    forget();
    admission = bw_admission_begin(&services.services, body, strlen(body), timeout_ms, 0);
}

static inline enum bw_admit_state step(bool blocking, const uint64_t **jobs, size_t *n_jobs)
{
    return bw_admission_step(admission, blocking, jobs, n_jobs);
}

static inline json_t *response(void)
{
    json_error_t fault;
    result = bw_admission_result(admission);
    json_decref(answered);
    answered = json_loads(result->body, 0, &fault);
    if (answered == NULL) {
        fail_msg("no JSON: %s", result->body);
    }
    return json_object_get(answered, "response");
}

/* All the way, as a worker would. */
static inline json_t *admit(const char *body)
{
    const uint64_t *jobs = NULL;
    size_t n_jobs = 0;
    begin(body, 10000);
    if (step(true, &jobs, &n_jobs) == BW_ADMIT_WAIT) {
        bw_admission_finish(admission, BW_END_DEADLINE);
    }
    return response();
}

static inline const char *text_at(const json_t *node, const char *first, const char *second)
{
    node = json_object_get(node, first);
    const char *text = json_string_value(second == NULL ? node : json_object_get(node, second));
    return text == NULL ? "" : text;
}

static inline const char *message_of(const json_t *node)
{
    return text_at(node, "status", "message");
}

static inline int code_of(const json_t *node)
{
    return (int)json_integer_value(json_object_get(json_object_get(node, "status"), "code"));
}

static inline bool is_allowed(const json_t *node)
{
    return json_is_true(json_object_get(node, "allowed"));
}

static inline void expect_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, text);
    }
}

static inline const char *warnings_of(const json_t *node)
{
    const json_t *list = json_object_get(node, "warnings");
    const char *text = "";
    for (size_t i = 0; i < json_array_size(list); i++) {
        text = bw_arena_printf(&arena, "%s%s\n", text, json_string_value(json_array_get(list, i)));
    }
    return text;
}

#endif
