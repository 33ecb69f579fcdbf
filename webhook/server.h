#ifndef BW_WEBHOOK_SERVER_H
#define BW_WEBHOOK_SERVER_H

#include "webhook/admit.h"

/* The only room that includes H2O: loops, listeners (TLS webhook, plain health, metrics and debug), start and orderly
 * stop. */
struct bw_server;

int bw_server_create(struct bw_server **out, const struct bw_config *config, const struct bw_services *services,
                     struct bw_error *err) BW_MUST_CHECK; /* binds; "port in use" names the address */
/* The addresses really bound ("127.0.0.1:40123" when port 0 was asked for). */
const char *bw_server_address(const struct bw_server *server);
const char *bw_server_health_address(const struct bw_server *server);
const char *bw_server_metrics_address(const struct bw_server *server);
const char *bw_server_debug_address(const struct bw_server *server); /* "": there is none */
/* Serves until bw_server_stop; returns after the drain. Blocks the caller, which handles signals elsewhere. */
int bw_server_run(struct bw_server *server, struct bw_error *err) BW_MUST_CHECK;
void bw_server_stop(struct bw_server *server, bool at_once); /* any thread; safe to call twice */
void bw_server_destroy(struct bw_server *server);

/* Any thread: the catalog's `done`. Wakes the admissions that wait for the job. */
void bw_server_job_done(void *server, uint64_t job);
/* Any thread: a line in the log if the certificate in force ends within a week. */
void bw_server_warn_of_certificate(const struct bw_server *server);
/* Any thread: the certificate files changed. On failure the old pair stays in force. */
int bw_server_reload_certificate(struct bw_server *server, struct bw_error *err) BW_MUST_CHECK;

/* What /readyz looks at besides. */
void bw_server_set_ready(struct bw_server *server, const char *check, bool ready, const char *why);

#endif
