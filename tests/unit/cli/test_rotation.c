/* What a rotation does next, for every state in which a leader may find the Secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/rotation.h"

enum { NOW = 100000, WAIT = 120, OVERLAP = 1000 };

static const struct bw_rotation_settings settings = {
    .leaf_lifetime_s = 900, .ca_lifetime_s = 9000, .renew_at = 67, .ca_wait_s = WAIT, .ca_overlap_s = OVERLAP};

/* A life of which `percent` are over. */
#define LIFE(length, percent)                                                                                          \
    {                                                                                                                  \
        NOW - (length) * (percent) / 100, NOW - (length) * (percent) / 100 + (length)                                  \
    }
#define CA(percent)   .ca = LIFE(9000, percent), .can_sign = true
#define LEAF(percent) .leaf = LIFE(900, percent), .leaf_fits = true

static void every_state_has_its_step(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct bw_rotation_state state;
        enum bw_rotation_step step;
        int64_t until_s; /* with WAIT */
    } rows[] = {
        {"there is nothing", {0}, BW_ROTATION_BEGIN, 0},
        {"both are new", {.n_cas = 1, CA(0), LEAF(0)}, BW_ROTATION_WAIT, NOW + 603},
        {"both are valid", {.n_cas = 1, CA(60), LEAF(50)}, BW_ROTATION_WAIT, NOW - 450 + 603},
        {"the CA is due before the leaf", {.n_cas = 1, CA(66), LEAF(0)}, BW_ROTATION_WAIT, NOW + 90},
        {"the leaf is due", {.n_cas = 1, CA(10), LEAF(67)}, BW_ROTATION_RENEW_LEAF, 0},
        {"the leaf has ended", {.n_cas = 1, CA(10), LEAF(100)}, BW_ROTATION_RENEW_LEAF, 0},
        {"the leaf is another Service's", {.n_cas = 1, CA(10), .leaf = LIFE(900, 10)}, BW_ROTATION_RENEW_LEAF, 0},
        {"the leaf is of no CA that is trusted",
         {.n_cas = 1, .leaf_ca = 1, CA(10), LEAF(10)},
         BW_ROTATION_RENEW_LEAF,
         0},
        {"the CA is due", {.n_cas = 1, CA(67), LEAF(10)}, BW_ROTATION_ADD_CA, 0},
        {"both are due: the leaf first, it ends sooner", {.n_cas = 1, CA(70), LEAF(70)}, BW_ROTATION_RENEW_LEAF, 0},
        {"the CA has ended, and the leaf with it", {.n_cas = 1, CA(100), LEAF(100)}, BW_ROTATION_BEGIN, 0},
        {"the CA's key is gone", {.n_cas = 1, .ca = LIFE(9000, 10), LEAF(10)}, BW_ROTATION_ADD_CA, 0},
        {"the CA's key is gone and the leaf ended",
         {.n_cas = 1, .ca = LIFE(9000, 10), LEAF(100)},
         BW_ROTATION_BEGIN,
         0},
        {"a new CA was added", {.n_cas = 2, .leaf_ca = 1, CA(0), LEAF(10)}, BW_ROTATION_TRUSTED, 0},
        {"it is trusted since a moment",
         {.n_cas = 2, .leaf_ca = 1, CA(0), LEAF(10), .step_s = NOW - 20},
         BW_ROTATION_WAIT,
         NOW - 20 + WAIT},
        {"it is trusted long enough",
         {.n_cas = 2, .leaf_ca = 1, CA(0), LEAF(10), .step_s = NOW - WAIT},
         BW_ROTATION_MOVE_LEAF,
         0},
        {"the leaf is due meanwhile: it moves soon",
         {.n_cas = 2, .leaf_ca = 1, CA(0), LEAF(80), .step_s = NOW},
         BW_ROTATION_WAIT,
         NOW + WAIT},
        {"the leaf ended meanwhile", {.n_cas = 2, .leaf_ca = 1, CA(0), LEAF(100)}, BW_ROTATION_RENEW_LEAF, 0},
        {"the leaf has moved, until it is due",
         {.n_cas = 2, CA(1), LEAF(0), .step_s = NOW},
         BW_ROTATION_WAIT,
         NOW + 603},
        {"the leaf has moved, until the old CA is dropped",
         {.n_cas = 2, CA(1), LEAF(0), .step_s = NOW - 500},
         BW_ROTATION_WAIT,
         NOW + 500},
        {"the leaf is due before the old CA is dropped",
         {.n_cas = 2, CA(1), LEAF(70), .step_s = NOW - 500},
         BW_ROTATION_RENEW_LEAF,
         0},
        {"all had time to load it", {.n_cas = 2, CA(1), LEAF(1), .step_s = NOW - OVERLAP}, BW_ROTATION_DROP_CA, 0},
        {"nobody noted when the leaf moved", {.n_cas = 2, CA(1), LEAF(10)}, BW_ROTATION_WAIT, NOW + 603 - 90},
        {"the new CA is due itself before the old one is dropped",
         {.n_cas = 2, CA(80), LEAF(0), .step_s = NOW - 900},
         BW_ROTATION_WAIT,
         NOW + 100},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t until_s = 0;
        enum bw_rotation_step step = bw_rotation_next(&until_s, &rows[i].state, &settings, NOW);
        if (step != rows[i].step || (step == BW_ROTATION_WAIT && until_s != rows[i].until_s)) {
            fail_msg("%s: step %d until %+ld, expected step %d until %+ld", rows[i].what, (int)step,
                     (long)(until_s - NOW), (int)rows[i].step, (long)(rows[i].until_s - NOW));
        }
    }
}

/* From an empty Secret on, with every wait obeyed: never a moment at which API servers that look a while late and pods
 * that load a while late do not fit. */
static void at_every_moment_what_is_served_is_trusted(void **state)
{
    (void)state;
    enum { LATE = 60 }; /* as long as either may be late */
    struct bw_rotation_state now = {0};
    int trusted[LATE + 1] = {0}, served[LATE + 1] = {0}; /* rings of the last seconds: oldest CA trusted, CA served */
    int newest = 0, exchanged = 0, renewed = 0;
    for (int64_t t = NOW; t < NOW + 30000; t++) {
        int64_t until_s;
        enum bw_rotation_step step;
        while ((step = bw_rotation_next(&until_s, &now, &settings, t)) != BW_ROTATION_WAIT) {
            struct bw_rotation_life leaf = {t, t + settings.leaf_lifetime_s};
            bool has_leaf = step != BW_ROTATION_ADD_CA && step != BW_ROTATION_TRUSTED && step != BW_ROTATION_DROP_CA;
            if (step == BW_ROTATION_BEGIN || step == BW_ROTATION_ADD_CA) {
                newest++;
                now.leaf_ca = now.n_cas++;
                now.can_sign = true;
                now.ca = (struct bw_rotation_life){t, t + settings.ca_lifetime_s};
                now.step_s = 0;
            }
            if (has_leaf) {
                now.step_s = now.n_cas > 1 && now.leaf_ca > 0 ? t : now.step_s;
                now.leaf_ca = 0;
                now.leaf = leaf;
                now.leaf_fits = true;
                renewed++;
            }
            if (step == BW_ROTATION_TRUSTED) {
                now.step_s = t;
            } else if (step == BW_ROTATION_DROP_CA) {
                now.n_cas = 1;
                exchanged++;
            }
        }
        assert_true(until_s > t);
        trusted[t % (LATE + 1)] = newest - (int)now.n_cas + 1;
        served[t % (LATE + 1)] = newest - (int)now.leaf_ca;
        for (int i = 0; t > NOW + LATE && i <= LATE; i++) {
            assert_true(served[i] >= trusted[t % (LATE + 1)]);
        }
        assert_true(now.leaf.until_s > t + LATE);
    }
    assert_true(exchanged >= 4);
    assert_true(renewed >= 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_its_step),
        cmocka_unit_test(at_every_moment_what_is_served_is_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
