#ifndef BW_WEBHOOK_LOOP_H
#define BW_WEBHOOK_LOOP_H

#include "webhook/bundle_worker.h"
#include "webhook/server.h"

#include <h2o.h>
#include <pthread.h>

/*
 * An event loop and what lives on it. h2o_req_t and parked admissions are touched by their own loop's thread alone; all
 * else comes as messages.
 */
enum { BW_MAX_LOOPS = 8, BW_MAX_CHECKS = 8, BW_RETIRED = 16 };

enum bw_loop_message_kind { BW_LOOP_JOB, BW_LOOP_CONNECTION, BW_LOOP_CERTIFICATE, BW_LOOP_DRAIN, BW_LOOP_QUIT };

struct bw_loop_message {
    h2o_multithread_message_t super;
    enum bw_loop_message_kind kind;
    uint64_t job;
    int fd;
    SSL_CTX *tls; /* one reference, for the loop */
};

struct bw_retired_tls { /* a replaced context: handshakes that began with it may still come to it */
    SSL_CTX *tls;
    int64_t free_at_ms;
};

struct bw_loop {
    struct bw_server *server;
    unsigned number;
    pthread_t thread;
    h2o_context_t context;
    h2o_multithread_receiver_t receiver;
    h2o_accept_ctx_t webhook;
    h2o_timeout_entry_t tick, second;
    h2o_linklist_t parked; /* of struct bw_parked */
    h2o_linklist_t asked;  /* requests for explanations (debug.c) */
    h2o_linklist_t late;   /* admissions that were answered, but whose verdicts are still to be told (late.c) */
    size_t n_late, late_bytes;
    struct bw_retired_tls retired[BW_RETIRED];
    unsigned connections; /* atomic: read by the accepting loop */
    bool draining;        /* answers close their connection, idle connections are closed */
    bool quit;
    bool receiving;       /* under the server's lock: messages reach it */
    int64_t last_tick_ms; /* atomic: liveness */
};

struct bw_listener { /* on loop 0 */
    struct bw_server *server;
    int fd;
    char address[80];
    h2o_socket_t *socket;
    h2o_hostconf_t *hosts[2];
    h2o_accept_ctx_t accept; /* of the plain ones */
    unsigned connections;
};

struct bw_check {
    char name[32];
    char why[160];
    bool ready;
};

struct bw_server {
    const struct bw_services *services;
    struct bw_worker *bundle_worker;
    struct bw_worker *explain_worker; /* NULL: nobody can ask */
    uint64_t max_request_bytes;
    unsigned max_in_flight, max_connections, n_loops;
    int64_t shutdown_delay_ms, shutdown_timeout_ms;
    h2o_globalconf_t conf;
    struct bw_loop loops[BW_MAX_LOOPS];
    struct bw_listener webhook, health, metrics, debug; /* debug may be absent: its fd is -1 */
    SSL_CTX *tls;
    int64_t certificate_ends_s; /* atomic */
    unsigned in_flight;         /* atomic: admissions begun and not gone */
    bool draining;              /* atomic */
    bool registered;            /* conf is to be disposed of */
    pthread_mutex_t lock;       /* of what follows, of tls, and of receiving in the loops */
    pthread_cond_t wake;
    bool held; /* connections outlived the end: their loops, and what they refer to, stay as they are */
    bool stop, at_once;
    struct bw_check checks[BW_MAX_CHECKS];
    size_t n_checks;
};

struct bw_parked { /* in its request's pool: gone with it */
    h2o_linklist_t link;
    struct bw_loop *loop;
    h2o_req_t *req;
    struct bw_admission *admission; /* NULL: no images are looked at */
    struct bw_errand *errand;       /* NULL: no bundles */
    const uint64_t *jobs;           /* any of which may be news; the errand's ticket is one */
    size_t n_jobs;
    int64_t began_ms;
    struct bw_deadline deadline;
    struct bw_arena arena;         /* of an answer that is made here */
    struct bw_admit_result result; /* the same */
    bool answered;
};

/* loop.c */
void *bw_loop_run(void *loop); /* a thread's life: H2O's buffers belong to the thread that made them */
/* Any thread, at any time; what comes before the loop begins or after it ended is dropped. */
void bw_loop_send(struct bw_loop *loop, struct bw_loop_message message);
void bw_listener_start(struct bw_listener *listener, struct bw_loop *loop);

/* routes.c */
void bw_routes_register(struct bw_server *server);
void bw_parked_step(struct bw_parked *parked);                          /* a job it waits for is done */
void bw_parked_finish(struct bw_parked *parked, enum bw_admission_end); /* answers with what is known */
void bw_parked_drop(struct bw_parked *parked);                          /* its client has gone */
void bw_routes_count_reload_error(void);

/* debug.c */
int bw_debug_answer(struct bw_server *server, h2o_req_t *req);
void bw_debug_step(struct bw_loop *loop, uint64_t job); /* an explanation may be there */
void bw_debug_leave(struct bw_loop *loop);              /* the end: who still waits gets none */

/* late.c */
void bw_late_keep(struct bw_loop *loop, struct bw_admission *admission); /* takes it, until its last verdict is told */
void bw_late_step(struct bw_loop *loop, uint64_t job);
void bw_late_leave(struct bw_loop *loop); /* the end: nothing more is told */

/* sending.c */
struct bw_loop *bw_loop_of(const h2o_req_t *req);
bool bw_path_is(const h2o_req_t *req, const char *path); /* but for its query */
bool bw_method_is(const h2o_req_t *req, const char *method);
/* The bytes have to live until they are sent. */
void bw_send_bytes(h2o_req_t *req, int status, const char *reason, const char *type, const char *bytes, size_t len);
int bw_send_text(h2o_req_t *req, int status, const char *reason, const char *text); /* copied; 0 */
int bw_send_not_allowed(h2o_req_t *req, const char *allow);

#endif
