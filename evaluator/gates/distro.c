/* Gate `distro` of Anchore Enterprise: its trigger `deny`, with versions compared by the distribution's own order. */
#include "evaluator/distro.h"
#include "evaluator/gate.h"
#include "vulnerability/version.h"

#include <string.h>

static const char *const checks[] = {"=", "!=", ">", "<", ">=", "<=", NULL};
enum { EQUAL, UNEQUAL, GREATER, LESS, NOT_LESS, NOT_GREATER };
enum { DISTRO, VERSION, CHECK };
static const struct bw_param params[] = {
    [DISTRO] = {.name = "distro",
                .kind = BW_PARAM_STRING,
                .required = true,
                .example = "debian",
                .doc = "Name of the distribution, as ID in os-release."},
    [VERSION] = {.name = "version",
                 .kind = BW_PARAM_STRING,
                 .required = true,
                 .example = "11",
                 .doc = "Version to compare with, as VERSION_ID in os-release."},
    [CHECK] = {.name = "check",
               .kind = BW_PARAM_ENUM,
               .choices = checks,
               .required = true,
               .example = "<",
               .doc = "How the image's version is compared with it."},
};

static bool fires(int order, unsigned check)
{
    switch (check) {
    case EQUAL:
        return order == 0;
    case UNEQUAL:
        return order != 0;
    case GREATER:
        return order > 0;
    case LESS:
        return order < 0;
    case NOT_LESS:
        return order >= 0;
    default:
        return order <= 0;
    }
}

static int deny(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_report *report = scope->report;
    if (report->distro == NULL || strcmp(report->distro, values[DISTRO].text) != 0) {
        return 0;
    }
    if (report->distro_version == NULL || report->distro_version[0] == '\0') {
        return bw_error_set(err, BW_EINPUT, "the image does not say which version of %s it is", report->distro);
    }
    /* Versions of distributions are numbers and words; the order of Debian's tools has the most of them right. */
    int order = 0;
    if (bw_version_compare(&order, BW_VERSION_DEB, report->distro_version, values[VERSION].text, err) != 0) {
        return -1;
    }
    return !fires(order, values[CHECK].as.choice)
               ? 0
               : bw_fire(scope, BW_ID_DISTRO_DENIED, "the image is {0} {1}, and {2} {3} is refused", err,
                         report->distro, report->distro_version, checks[values[CHECK].as.choice], values[VERSION].text);
}

static const struct bw_trigger triggers[] = {
    {.name = "deny",
     .params = params,
     .n_params = BW_LENGTH(params),
     .doc = "Fires if the image is of this distribution and its version compares so.",
     .reads = {"distro"},
     .evaluate = deny},
};

const struct bw_gate bw_gate_distro = {
    .name = "distro",
    .doc = "Distribution and version of the image.",
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
