/* One look at Secret and webhook configuration, with all that is due (cli/certs_keep.h). */
#include "cli/certs_keep.h"

#include "base/limits.h"
#include "cli/certs_webhook.h"

#include <string.h>

enum { MAX_STEPS = 16 }; /* of one look, conflicts included: a whole rotation without waits has six */

const char *bw_certs_step_text(enum bw_rotation_step step)
{
    static const char *const texts[] = {
        [BW_ROTATION_WAIT] = "nothing",
        [BW_ROTATION_BEGIN] = "made a CA and a serving certificate",
        [BW_ROTATION_ADD_CA] = "made a new CA, trusted beside the old one for now",
        [BW_ROTATION_TRUSTED] = "the webhook configuration trusts the new CA",
        [BW_ROTATION_MOVE_LEAF] = "made a serving certificate of the new CA",
        [BW_ROTATION_RENEW_LEAF] = "made a serving certificate",
        [BW_ROTATION_DROP_CA] = "the old CA is no longer trusted",
    };
    return texts[step];
}

/* Steps that are safe only when the API server trusts all of ca.crt; the others are done even if it cannot be told. */
static bool needs_trust(enum bw_rotation_step step)
{
    return step == BW_ROTATION_TRUSTED || step == BW_ROTATION_MOVE_LEAF;
}

/* *step_out: what was done. */
static int look(enum bw_rotation_step *step_out, int64_t *until_s, const struct bw_certs *certs,
                const struct bw_lease *lease, struct bw_error *err)
{
    BW_ARENA_SCOPE arena;
    struct bw_certs_secret secret;
    struct bw_error untold = {0};
    bw_arena_init(&arena, 4 * BW_MIB);
    if (bw_certs_secret_read(&secret, certs->kube, &certs->names, &arena, err) != 0) {
        return -1;
    }
    enum bw_rotation_step step = bw_rotation_next(until_s, &secret.state, &certs->settings, bw_wall_s());
    bool has_ca = step != BW_ROTATION_BEGIN && step != BW_ROTATION_ADD_CA;
    bool told = false;
    int trust = 0, status = 0;
    if (lease != NULL && !bw_lease_held(lease)) {
        status = bw_error_detail(err, BW_EDEADLINE, "stopped", "another replica leads now");
    } else if (has_ca && certs->configuration != NULL) {
        trust = bw_certs_webhook_trust(certs->kube, certs->configuration, secret.trusted, &told, &untold);
    }
    if (told && step == BW_ROTATION_MOVE_LEAF) {
        step = BW_ROTATION_TRUSTED; /* somebody had overwritten it: the wait begins anew */
    }
    bool may = !needs_trust(step) || (trust == 0 && certs->configuration != NULL);
    if (status == 0 && step != BW_ROTATION_WAIT && may) {
        status = bw_certs_secret_step(&secret, step, certs->kube, &certs->names, &certs->settings, &arena, err);
        *step_out = step;
    } else {
        *step_out = BW_ROTATION_WAIT;
        if (status == 0 && trust != 0) {
            *err = untold;
            status = -1;
        }
    }
    bw_certs_secret_clear(&secret);
    return status;
}

int bw_certs_pass(int64_t *until_s, const struct bw_certs *certs, const struct bw_lease *lease, struct bw_error *err)
{
    for (int i = 0; i < MAX_STEPS; i++) {
        enum bw_rotation_step step = BW_ROTATION_WAIT;
        struct bw_error failed = {0};
        int status = look(&step, until_s, certs, lease, &failed);
        if (status != 0 && strcmp(failed.detail, "conflict") != 0) {
            *err = failed;
            return -1;
        }
        if (status == 0 && step == BW_ROTATION_WAIT) {
            return 0;
        }
        if (status == 0 && certs->stepped != NULL) {
            certs->stepped(certs->payload, step);
        }
    }
    return bw_error_set(err, BW_EUNAVAILABLE,
                        "the certificates' Secret changes all the time, or the lifetimes leave no "
                        "time between two steps");
}
