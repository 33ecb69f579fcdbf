/* The order of a rotation (cli/rotation.h). A CA is exchanged while both are trusted, and never at the same time as the
 * certificate: API servers learn of a new CA and pods of a new certificate some time after it was written. */
#include "cli/rotation.h"

const struct bw_rotation_settings bw_rotation_defaults = {
    .leaf_lifetime_s = 90 * 86400LL,
    .ca_lifetime_s = 5 * 365 * 86400LL,
    .renew_at = 67,
    .ca_wait_s = 120,
    .ca_overlap_s = 86400,
};

static int64_t due_s(const struct bw_rotation_life *life, const struct bw_rotation_settings *settings)
{
    return life->from_s + (life->until_s - life->from_s) * (int64_t)settings->renew_at / 100;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static enum bw_rotation_step once_it_is(int64_t at_s, enum bw_rotation_step step, int64_t now_s, int64_t *until_s)
{
    *until_s = at_s;
    return now_s < at_s ? BW_ROTATION_WAIT : step;
}

enum bw_rotation_step bw_rotation_next(int64_t *until_s, const struct bw_rotation_state *state,
                                       const struct bw_rotation_settings *settings, int64_t now_s)
{
    bool leaf_serves = state->leaf_fits && state->leaf_ca < state->n_cas && now_s < state->leaf.until_s;
    bool ca_signs = state->n_cas > 0 && state->can_sign && now_s < state->ca.until_s;
    int64_t leaf_due_s = due_s(&state->leaf, settings), ca_due_s = due_s(&state->ca, settings);
    *until_s = now_s;
    if (!ca_signs) {
        return leaf_serves ? BW_ROTATION_ADD_CA : BW_ROTATION_BEGIN;
    }
    if (!leaf_serves) {
        return BW_ROTATION_RENEW_LEAF;
    }
    if (state->leaf_ca > 0) {
        return state->step_s == 0
                   ? BW_ROTATION_TRUSTED
                   : once_it_is(state->step_s + settings->ca_wait_s, BW_ROTATION_MOVE_LEAF, now_s, until_s);
    }
    if (now_s >= leaf_due_s) {
        return BW_ROTATION_RENEW_LEAF;
    }
    if (state->n_cas > 1) {
        int64_t moved_s = state->step_s > 0 ? state->step_s : state->leaf.from_s;
        enum bw_rotation_step step = once_it_is(moved_s + settings->ca_overlap_s, BW_ROTATION_DROP_CA, now_s, until_s);
        *until_s = earlier(*until_s, leaf_due_s);
        return step;
    }
    if (now_s >= ca_due_s) {
        return BW_ROTATION_ADD_CA;
    }
    *until_s = earlier(leaf_due_s, ca_due_s);
    return BW_ROTATION_WAIT;
}
