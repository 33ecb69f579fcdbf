/* Gate `packages`: what is installed, of every type. Names are compared exactly, versions by the order of the tool that
 * installed them. */
#include "evaluator/gates/packages.h"

#include "evaluator/distro.h"
#include "vulnerability/version.h"

#include <string.h>

static bool same(const char *a, const char *b)
{
    return a != NULL && strcmp(a, b) == 0;
}

static const char *full_version(const struct bw_package *package)
{
    return package->full_version != NULL ? package->full_version : package->version;
}

/* ---- blacklist ---- */
enum { NAME, VERSION, MATCH_TYPE };
static const struct bw_param blacklist_params[] = {
    [NAME] = {.name = "name",
              .kind = BW_PARAM_STRING,
              .required = true,
              .example = "openssh-server",
              .doc = "Name of the package, exactly."},
    [VERSION] = {.name = "version",
                 .kind = BW_PARAM_STRING,
                 .example = "1.0.2",
                 .doc = "Version with or without the release; any one when absent."},
};

/* `version` of every trigger of this gate: compared as it stands, or ordered. */
static int version_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    (void)err;
    if (values[VERSION].present) {
        bw_loader_check_version(loader, VERSION, values[VERSION].text);
    }
    return 0;
}

static int blacklist(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    bool any_version = !values[VERSION].present || values[VERSION].text[0] == '\0';
    size_t at = 0;
    size_t last = 0;
    size_t n_named = bw_report_count_packages(scope->report, values[NAME].text, &at, &last);
    for (size_t i = at; n_named > 0 && i <= last; i++) {
        const struct bw_package *package = &scope->report->packages[i];
        if (strcmp(package->name, values[NAME].text) != 0) {
            continue;
        }
        bool by_version = any_version || same(package->version, values[VERSION].text);
        if (!by_version && !same(package->full_version, values[VERSION].text)) {
            continue;
        }
        if (!by_version) {
            bw_rows_set(scope->deviations, BW_ROW_VERSION);
        }
        const char *named =
            any_version ? package->name : bw_arena_printf(scope->arena, "%s-%s", package->name, values[VERSION].text);
        if (named == NULL) {
            return bw_arena_spent(err);
        }
        if (bw_fire(scope, BW_ID_PACKAGES_BLACKLISTED, "package {0} is installed, which is refused", err, named) != 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- required_package ---- */
static const char *const match_types[] = {"exact", "minimum", NULL};
enum { EXACT, MINIMUM };
static const struct bw_param required_params[] = {
    [NAME] = {.name = "name",
              .kind = BW_PARAM_STRING,
              .required = true,
              .example = "ca-certificates",
              .doc = "Name of the package, exactly."},
    [VERSION] = {.name = "version",
                 .kind = BW_PARAM_STRING,
                 .example = "20230311",
                 .doc = "Version with the release; any one when absent."},
    [MATCH_TYPE] = {.name = "version_match_type",
                    .kind = BW_PARAM_ENUM,
                    .choices = match_types,
                    .default_text = "exact",
                    .example = "minimum",
                    .doc = "Whether exactly this version is required, or this one or a later one."},
};

/* `1.0-2` for dpkg and rpm, `1.0-r2` for apk. */
static bool has_release(const char *version, enum bw_flavor flavor)
{
    const char *dash = strrchr(version, '-');
    return dash != NULL && (flavor != BW_FLAVOR_APK || dash[1] == 'r');
}

/* Whether the engine's own orders may disagree: its epochs are texts or ignored, and it knows no tilde for rpm. */
static bool engine_may_differ(const char *a, const char *b, enum bw_flavor flavor)
{
    const char *marks = flavor == BW_FLAVOR_RPM ? ":~^" : flavor == BW_FLAVOR_DEB ? ":" : "";
    return strpbrk(a, marks) != NULL || strpbrk(b, marks) != NULL;
}

/* 1: this record is at least the wanted version. */
static int is_minimum(struct bw_scope *scope, const struct bw_package *package, const char *wanted,
                      struct bw_error *err)
{
    const char *full = full_version(package);
    if (same(full, wanted)) {
        return 1;
    }
    enum bw_flavor engine_flavor;
    enum bw_flavor flavor = bw_package_flavor(&engine_flavor, scope->report, package);
    static const enum bw_version_scheme schemes[] = {
        [BW_FLAVOR_DEB] = BW_VERSION_DEB, [BW_FLAVOR_RPM] = BW_VERSION_RPM, [BW_FLAVOR_APK] = BW_VERSION_APK};
    if (flavor == BW_FLAVOR_NONE || flavor == BW_FLAVOR_BUSYBOX || full == NULL) {
        return bw_error_set(err, BW_EINPUT, "versions of %s, a package of type %s, have no known order", package->name,
                            package->type);
    }
    bool whole = has_release(wanted, flavor);
    const char *installed = whole || package->version == NULL ? full : package->version;
    if (whole && !same(package->version, full)) {
        bw_rows_set(scope->deviations, BW_ROW_VERSION);
    }
    if (flavor != engine_flavor || engine_may_differ(installed, wanted, flavor)) {
        bw_rows_set(scope->deviations, BW_ROW_VERSION_ORDER);
    }
    int order = 0;
    return bw_version_compare(&order, schemes[flavor], installed, wanted, err) != 0 ? -1 : order >= 0;
}

static int satisfies(struct bw_scope *scope, const struct bw_package *package, const struct bw_value *values,
                     struct bw_error *err)
{
    if (!values[VERSION].present) {
        return 1;
    }
    if (values[MATCH_TYPE].present && values[MATCH_TYPE].as.choice == MINIMUM) {
        return is_minimum(scope, package, values[VERSION].text, err);
    }
    return same(full_version(package), values[VERSION].text);
}

static int fire_absent(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    bool versioned = values[VERSION].present && values[VERSION].text[0] != '\0';
    const char *named =
        versioned ? bw_arena_printf(scope->arena, "%s,%s", values[NAME].text, values[VERSION].text) : values[NAME].text;
    return named == NULL ? bw_arena_spent(err)
                         : bw_fire(scope, BW_ID_PACKAGES_ABSENT, "required package {0} is not installed", err, named);
}

static int required_package(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_package *first = NULL;
    int first_result = 0;
    struct bw_error first_error = {0};
    size_t at = 0;
    size_t last = 0;
    size_t n_named = bw_report_count_packages(scope->report, values[NAME].text, &at, &last);
    for (size_t i = at; n_named > 0 && i <= last; i++) {
        const struct bw_package *package = &scope->report->packages[i];
        if (strcmp(package->name, values[NAME].text) != 0) {
            continue;
        }
        struct bw_error this_error = {0};
        int result = satisfies(scope, package, values, &this_error);
        if (result == 1) {
            if (first != NULL) { /* the engine looks no further than the first record */
                bw_rows_set(scope->deviations, BW_ROW_ANY_RECORD);
            }
            return 0;
        }
        if (first == NULL) {
            first = package;
            first_result = result;
            first_error = this_error;
        }
    }
    if (first == NULL) {
        return fire_absent(scope, values, err);
    }
    if (first_result < 0) {
        return bw_error_detail(err, first_error.code, first_error.detail, "%s", first_error.message);
    }
    bool minimum = values[MATCH_TYPE].present && values[MATCH_TYPE].as.choice == MINIMUM;
    const char *found = full_version(first) != NULL ? full_version(first) : "None";
    return minimum ? bw_fire(scope, BW_ID_PACKAGES_LOWER,
                             "required package {0} is installed as {1}, which is older than {2}", err,
                             values[NAME].text, found, values[VERSION].text)
                   : bw_fire(scope, BW_ID_PACKAGES_OTHER, "required package {0} is installed as {1}, not as {2}", err,
                             values[NAME].text, found, values[VERSION].text);
}

static const struct bw_trigger triggers[] = {
    {.name = "blacklist",
     .params = blacklist_params,
     .n_params = BW_LENGTH(blacklist_params),
     .doc = "Fires for each installed package of this name.",
     .reads = {"packages"},
     .load = version_load,
     .evaluate = blacklist},
    {.name = "required_package",
     .params = required_params,
     .n_params = BW_LENGTH(required_params),
     .doc = "Fires unless a package is installed, perhaps in a given version.",
     .reads = {"packages"},
     .load = version_load,
     .evaluate = required_package},
    {.name = "verify",
     .params = bw_verify_params,
     .n_params = BW_VERIFY_PARAMS,
     .doc = "Fires for each file of a package that is missing from the image or is not as the package database says.",
     .reads = {"packages", "files", "verification"},
     .load = bw_verify_load,
     .evaluate = bw_verify},
};

const struct bw_gate bw_gate_packages = {
    .name = "packages",
    .doc = "What is installed: packages of the distribution and of languages.",
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
