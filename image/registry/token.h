#ifndef BW_IMAGE_REGISTRY_TOKEN_H
#define BW_IMAGE_REGISTRY_TOKEN_H

#include "image/registry/call.h"
#include "image/registry/challenge.h"

/* Authorization headers that a registry accepted or issued: Docker's token authentication ("Token Authentication
 * Specification", "OAuth2") and Basic. Internal to the room. */
struct bw_tokens; /* safe to share between threads */

struct bw_tokens *bw_tokens_create(void);
void bw_tokens_destroy(struct bw_tokens *tokens); /* NULL is fine; wipes */

/* Who asks what of whom. */
struct bw_token_scope {
    const char *registry;                   /* the host as the request has it */
    const char *repository;                 /* pull from it */
    const struct bw_credential *credential; /* NULL: anonymous */
};

/* A secret text on the heap; wiped when it is freed. */
void bw_secret_free(char *secret);           /* NULL is fine */
void bw_secret_clear(char *const *location); /* for cleanup */
#define BW_SECRET_SCOPE __attribute__((cleanup(bw_secret_clear))) char *

/* The header line in use for this scope, or NULL; the caller frees it. */
char *bw_tokens_find(struct bw_tokens *tokens, const struct bw_token_scope *scope);
void bw_tokens_forget(struct bw_tokens *tokens, const struct bw_token_scope *scope);

/* A header line that answers the challenge. BW_EDENIED "unauthorized" when the token server refuses, or when the
 * credential cannot answer such a challenge. It is kept for the next request: a token until 80 % of its life. */
int bw_tokens_answer(char **header_out, struct bw_registry *registry, const struct bw_challenge *challenge,
                     const struct bw_token_scope *scope, const struct bw_call *call,
                     struct bw_error *err) BW_MUST_CHECK;

#endif
