#ifndef BW_CLI_ROTATION_H
#define BW_CLI_ROTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * When a CA and a serving certificate are exchanged, and in which order: a function of what the Secret holds and the
 * clock, so that any replica goes on where another stopped. All times are seconds since 1970.
 */
struct bw_rotation_settings {
    int64_t leaf_lifetime_s, ca_lifetime_s;
    unsigned renew_at;    /* percent of a life after which the next one is made */
    int64_t ca_wait_s;    /* from a new CA being trusted to the first certificate under it */
    int64_t ca_overlap_s; /* from that certificate to the old CA being dropped */
};

extern const struct bw_rotation_settings bw_rotation_defaults;

struct bw_rotation_life {
    int64_t from_s, until_s;
};

struct bw_rotation_state {
    size_t n_cas;  /* in ca.crt, newest first: those the API server is told to trust */
    bool can_sign; /* ca.key belongs to the first */
    struct bw_rotation_life ca;
    bool leaf_fits; /* it is there, with its key, for the Service's name */
    size_t leaf_ca; /* which of the CAs signed it; n_cas: none */
    struct bw_rotation_life leaf;
    int64_t step_s; /* when the exchange of the CA went its last step; 0: the new CA is not known to be trusted yet */
};

enum bw_rotation_step {
    BW_ROTATION_WAIT,
    BW_ROTATION_BEGIN,      /* a CA and a leaf: nothing that is there is of use */
    BW_ROTATION_ADD_CA,     /* a new CA beside the old ones; the leaf stays */
    BW_ROTATION_TRUSTED,    /* note that the webhook configuration trusts the new CA */
    BW_ROTATION_MOVE_LEAF,  /* a leaf under the new CA, which has to be trusted */
    BW_ROTATION_RENEW_LEAF, /* a leaf, without regard to who is trusted */
    BW_ROTATION_DROP_CA     /* all but the first */
};

/* What is to be done now; with WAIT, *until_s is when to ask again. */
enum bw_rotation_step bw_rotation_next(int64_t *until_s, const struct bw_rotation_state *state,
                                       const struct bw_rotation_settings *settings, int64_t now_s);

#endif
