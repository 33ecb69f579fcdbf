#ifndef BW_IMAGE_REGISTRY_CREDENTIALS_H
#define BW_IMAGE_REGISTRY_CREDENTIALS_H

#include "image/reference.h"

/* Which user for which image, from dockerconfigjson texts (also the legacy dockercfg form), matched as the kubelet
 * does: host labels by glob, port equal, path a prefix, longest key first. Secrets are wiped when freed and never
 * formatted. */
struct bw_credentials; /* an ordered list of entries of one or more texts; immutable after the last add */

struct bw_credential {
    const char *username, *password; /* NULL: none */
    const char *identity_token, *registry_token;
    const char *key; /* the entry's key, for messages */
};

struct bw_credentials *bw_credentials_create(void);
void bw_credentials_destroy(struct bw_credentials *credentials); /* NULL is fine; wipes */
/* Of equal keys those of earlier texts come first. The error never holds any of the text. */
int bw_credentials_add(struct bw_credentials *credentials, const char *dockerconfigjson, size_t len,
                       struct bw_error *err) BW_MUST_CHECK;
/* Two sets, either may be NULL: all of `second` come after all of `first`, whatever their keys. Complete: nothing is
 * added any more. */
struct bw_credentials *bw_credentials_join(const struct bw_credentials *first, const struct bw_credentials *second);
/* All candidates for an image, in the order in which they are to be tried; pointers into the credentials. */
size_t bw_credentials_find(const struct bw_credential **out, size_t max, const struct bw_credentials *credentials,
                           const struct bw_reference *reference);
/* A hash that tells two credentials apart, whatever their keys; out holds 65 bytes. */
void bw_credential_identity(char *out, const struct bw_credential *credential);
/* A hash that tells two sets apart; "" for an empty set. out holds 65 bytes. */
void bw_credentials_identity(char *out, const struct bw_credentials *credentials);

#endif
