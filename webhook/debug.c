/* GET /debug/explain?uid=UID, on a loopback port (D49): how an admission that this server answered was decided. A
 * worker finds out; the request waits on its loop for the news. */
#include "webhook/explanation.h"
#include "webhook/loop.h"

#include "base/limits.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asked { /* in its request's pool */
    h2o_linklist_t link;
    h2o_req_t *req;
    struct bw_errand *errand;
};

struct work {
    struct bw_ledger_entry *entry;
    struct bw_catalog *catalog;
    char *text;
};

static void run(void *payload)
{
    struct work *work = payload;
    work->text = bw_explanation_make(work->entry, work->catalog);
}

static void release(void *payload)
{
    struct work *work = payload;
    bw_ledger_entry_release(work->entry);
    free(work->text);
    free(work);
}

static const struct bw_errand_kind explanation = {run, release};

static void on_dispose(void *data)
{
    struct asked *asked = data;
    if (h2o_linklist_is_linked(&asked->link)) {
        h2o_linklist_unlink(&asked->link);
    }
    bw_errand_release(asked->errand);
}

static int send_unknown(h2o_req_t *req, const char *uid, size_t len)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "no admission with the uid %.*s is remembered here: the last %d that looked at images are, by the "
                   "pod that answered them, which the audit annotation \"pod\" names\n",
                   len > 100 ? 100 : (int)len, uid, BW_MAX_LEDGER_ENTRIES);
    return bw_send_text(req, 404, "Not Found", text);
}

/* The value of uid= in the request's query; NULL: there is none. */
static const char *uid_of(const h2o_req_t *req, size_t *len_out)
{
    static const char name[] = "uid=";
    size_t at = req->query_at == SIZE_MAX ? req->path.len : req->query_at + 1;
    while (at < req->path.len) {
        const char *word = req->path.base + at, *end = memchr(word, '&', req->path.len - at);
        size_t len = end == NULL ? req->path.len - at : (size_t)(end - word);
        if (len >= sizeof(name) && memcmp(word, name, sizeof(name) - 1) == 0) {
            *len_out = len - (sizeof(name) - 1);
            return word + sizeof(name) - 1;
        }
        at += len + 1;
    }
    return NULL;
}

int bw_debug_answer(struct bw_server *server, h2o_req_t *req)
{
    size_t len = 0;
    if (!bw_path_is(req, "/debug/explain")) {
        return bw_send_text(req, 404, "Not Found", "/debug/explain?uid=UID\n");
    }
    if (!bw_method_is(req, "GET")) {
        return bw_send_not_allowed(req, "GET");
    }
    const char *uid = uid_of(req, &len);
    if (uid == NULL) {
        return bw_send_text(req, 400, "Bad Request",
                            "/debug/explain?uid=UID: the uid of an AdmissionReview's request\n");
    }
    struct bw_ledger_entry *entry = bw_ledger_find(server->services->ledger, uid, len);
    if (entry == NULL) {
        return send_unknown(req, uid, len);
    }
    struct work *work = bw_memory_zeroed(1, sizeof(*work));
    *work = (struct work){.entry = entry, .catalog = server->services->catalog};
    struct bw_errand *errand = bw_worker_ask(server->explain_worker, &explanation, work, 1);
    if (errand == NULL) {
        return bw_send_text(req, 503, "Service Unavailable", "too many explanations are asked for already\n");
    }
    struct asked *asked = h2o_mem_alloc_shared(&req->pool, sizeof(*asked), on_dispose);
    *asked = (struct asked){.req = req, .errand = errand};
    h2o_linklist_insert(&bw_loop_of(req)->asked, &asked->link);
    return 0;
}

void bw_debug_step(struct bw_loop *loop, uint64_t job)
{
    for (h2o_linklist_t *at = loop->asked.next, *next = NULL; at != &loop->asked; at = next) {
        struct asked *asked = H2O_STRUCT_FROM_MEMBER(struct asked, link, at);
        const struct work *work = *bw_errand_ticket(asked->errand) == job ? bw_errand_result(asked->errand) : NULL;
        next = at->next;
        if (work != NULL && work->text != NULL) {
            h2o_linklist_unlink(&asked->link);
            bw_send_bytes(asked->req, 200, "OK", "application/json", work->text, strlen(work->text));
        } else if (work != NULL) {
            h2o_linklist_unlink(&asked->link);
            (void)bw_send_text(asked->req, 500, "Internal Server Error", "the explanation cannot be written\n");
        }
    }
}

void bw_debug_leave(struct bw_loop *loop)
{
    while (!h2o_linklist_is_empty(&loop->asked)) {
        struct asked *asked = H2O_STRUCT_FROM_MEMBER(struct asked, link, loop->asked.next);
        h2o_linklist_unlink(&asked->link);
        (void)bw_send_text(asked->req, 503, "Service Unavailable", "the server stops\n");
    }
}
