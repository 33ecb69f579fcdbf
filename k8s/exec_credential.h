#ifndef BW_K8S_EXEC_CREDENTIAL_H
#define BW_K8S_EXEC_CREDENTIAL_H

#include "base/deadline.h"
#include "k8s/kubeconfig.h"

/* What a user's program gives: a token, a client certificate with its key, or both. */
struct bw_exec_credential {
    char *token;             /* NULL: none */
    char *certificate, *key; /* PEM; NULL: none */
    int64_t expires_s;       /* INT64_MAX: it does not say */
};

/* Runs config->exec without a shell. Its standard error is ours; standard input only where it may ask a person.
 * BW_ENOTFOUND with the install hint where there is no such program, else BW_EUNAVAILABLE, BW_EDEADLINE, BW_ELIMIT. */
int bw_exec_credential_run(struct bw_exec_credential *out, const struct bw_kubeconfig *config,
                           struct bw_deadline deadline, struct bw_error *err) BW_MUST_CHECK;
void bw_exec_credential_clear(struct bw_exec_credential *credential); /* overwrites; {0} is fine */

/* What the program wrote. */
int bw_exec_credential_parse(struct bw_exec_credential *out, const char *text, size_t len, const char *api_version,
                             struct bw_error *err) BW_MUST_CHECK;

#endif
