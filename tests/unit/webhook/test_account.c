/* What metrics tell of broken glass and of exemptions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asking.h"
#include "base/metrics.h"
#include "webhook/account.h"

static bool is_metered(const char *line)
{
    BW_BUF_SCOPE text;
    bw_buf_init(&text, BW_MIB);
    bw_metrics_write(&text);
    return text.len > 0 && strstr(text.data, bw_arena_printf(&arena, "\n%s\n", line)) != NULL;
}

static void broken_glass_is_counted_by_namespace(void **state)
{
    (void)state;
    fake_configure(&services, "policySelectors: [{mode: breakglass}]\n");
    struct bw_admit_result dry = {0};
    (void)admit(pod_of("ssh"));
    bw_account_admission(result, "none", 1, 1);
    dry = *result;
    dry.dry_run = true;
    bw_account_admission(&dry, "none", 1, 1); /* broke nothing */
    fake_configure(&services, "");
    (void)admit(pod_of("clean"));
    bw_account_admission(result, "none", 1, 1);
    assert_true(is_metered("breakwater_break_glass_total{namespace=\"shop\"} 1"));
}

static void exemptions_are_counted_when_they_admit(void **state)
{
    (void)state;
    fake_configure(&services, "exemptions: [{id: old-cart, images: ['*/ssh:*'], expires: '2999-01-01T00:00:00Z', "
                              "reason: r, owner: o}]\n");
    (void)admit(pod_of("ssh:1"));
    (void)admit(pod_of("ssh:2"));
    (void)admit(pod_of("clean:1"));
    assert_true(is_metered("breakwater_exemption_hits_total{id=\"old-cart\"} 2"));
}

static void ends_of_exemptions_are_those_of_the_configuration(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "exemptions: [{id: a, images: [x], expires: '2100-01-01T00:00:01Z', reason: r, owner: o}, "
        "{id: b, images: [x], expires: '2100-01-01T00:00:03Z', reason: r, owner: o}]\n",
        "exemptions: [{id: b, images: [x], expires: '2100-01-01T00:00:07Z', reason: r, owner: o}]\n"};
    fake_configure(&services, settings[0]);
    struct bw_config *old = bw_slot_acquire(&services.config);
    bw_account_exemptions(NULL, old);
    assert_true(is_metered("breakwater_exemption_expires_timestamp_seconds{id=\"a\"} 4102444801"));
    assert_true(is_metered("breakwater_exemption_expires_timestamp_seconds{id=\"b\"} 4102444803"));
    fake_configure(&services, settings[1]);
    struct bw_config *now = bw_slot_acquire(&services.config);
    bw_account_exemptions(old, now);
    assert_false(is_metered("breakwater_exemption_expires_timestamp_seconds{id=\"a\"} 4102444801"));
    assert_true(is_metered("breakwater_exemption_expires_timestamp_seconds{id=\"b\"} 4102444807"));
    bw_config_release(old);
    bw_config_release(now);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(broken_glass_is_counted_by_namespace),
        CASE(exemptions_are_counted_when_they_admit),
        CASE(ends_of_exemptions_are_those_of_the_configuration),
    };
    return cmocka_run_group_tests_name("webhook/account", tests, NULL, NULL);
}
