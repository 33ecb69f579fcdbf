/* Small answers, and what a request asks for (webhook/loop.h). */
#include "webhook/loop.h"

#include <string.h>

struct bw_loop *bw_loop_of(const h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(struct bw_loop, context, req->conn->ctx);
}

void bw_send_bytes(h2o_req_t *req, int status, const char *reason, const char *type, const char *bytes, size_t len)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_iovec_t body = h2o_iovec_init(bytes, len);
    req->res.status = status;
    req->res.reason = reason;
    req->res.content_length = len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type, strlen(type));
    if (bw_loop_of(req)->draining) {
        req->http1_is_persistent = 0;
    }
    h2o_start_response(req, &generator);
    h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
}

int bw_send_text(h2o_req_t *req, int status, const char *reason, const char *text)
{
    h2o_iovec_t copy = h2o_strdup(&req->pool, text, SIZE_MAX);
    bw_send_bytes(req, status, reason, "text/plain; charset=utf-8", copy.base, copy.len);
    return 0;
}

bool bw_path_is(const h2o_req_t *req, const char *path)
{
    size_t len = req->query_at == SIZE_MAX ? req->path.len : req->query_at;
    return len == strlen(path) && memcmp(req->path.base, path, len) == 0;
}

bool bw_method_is(const h2o_req_t *req, const char *method)
{
    return h2o_memis(req->method.base, req->method.len, method, strlen(method));
}

int bw_send_not_allowed(h2o_req_t *req, const char *allow)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("allow"), 0, NULL, allow, strlen(allow));
    return bw_send_text(req, 405, "Method Not Allowed", "method not allowed\n");
}
