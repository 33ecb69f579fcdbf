/* Gate `vulnerabilities`: matches of packages with vulnerability data, made elsewhere and handed in with the facts. */
#include "evaluator/gates/vulnerabilities.h"

#include "evaluator/distro.h"
#include "evaluator/gates/feed.h"

#include <ctype.h>
#include <string.h>

int bw_vulnerabilities_get(const struct bw_vulnerabilities **out, struct bw_scope *scope, struct bw_error *err)
{
    const struct bw_vulnerabilities *found = scope->facts->vulnerabilities;
    if (found != NULL && found->available) {
        *out = found;
        return 0;
    }
    if (scope->data_rule) {
        scope->note = "there are no vulnerability data, which is left to the policy's own rule for that";
        *out = NULL;
        return 0;
    }
    bw_rows_set(scope->deviations, BW_ROW_NO_DATA);
    return bw_error_set(err, BW_EUNAVAILABLE, "there are no vulnerability data for this image");
}

void bw_vulnerability_note(struct bw_scope *scope, const struct bw_vulnerability_match *match)
{
    if (match->will_not_fix) {
        bw_rows_set(scope->deviations, BW_ROW_VENDOR_ONLY);
    }
}

/* ---- blacklist ---- */
enum { IDS, VENDOR_ONLY };
static const struct bw_param blacklist_params[] = {
    [IDS] = {.name = "vulnerability_ids",
             .kind = BW_PARAM_STRING_LIST,
             .required = true,
             .example = "CVE-2021-44228,CVE-2014-0160",
             .doc = "Ids of vulnerabilities; an alias of a match counts too."},
    [VENDOR_ONLY] = {.name = "vendor_only",
                     .kind = BW_PARAM_BOOL,
                     .default_text = "true",
                     .example = "false",
                     .doc = "Pass over what the vendor will not fix."},
};

static bool has_alias(const struct bw_vulnerability_match *match, const char *id)
{
    for (size_t i = 0; i < match->n_aliases; i++) {
        if (strcmp(match->aliases[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_found(struct bw_scope *scope, const struct bw_vulnerabilities *found, const char *id, bool vendor_only)
{
    const struct bw_vulnerability_match *by_alias = NULL;
    const struct bw_vulnerability_match *unfixed = NULL;
    for (size_t i = 0; i < found->n_matches; i++) {
        const struct bw_vulnerability_match *match = &found->matches[i];
        if (match->will_not_fix && vendor_only) {
            continue;
        }
        if (match->id != NULL && strcmp(match->id, id) == 0) {
            if (!match->will_not_fix) {
                return true;
            }
            unfixed = match;
        }
        by_alias = by_alias == NULL && has_alias(match, id) ? match : by_alias;
    }
    const struct bw_vulnerability_match *match = unfixed != NULL ? unfixed : by_alias;
    if (match == NULL) {
        return false;
    }
    if (match == by_alias) {
        bw_rows_set(scope->deviations, BW_ROW_ALIAS);
    }
    bw_vulnerability_note(scope, match);
    return true;
}

static const char *join(struct bw_scope *scope, const char *const *words, size_t n_words)
{
    bw_buf_reset(&scope->text);
    for (size_t i = 0; i < n_words; i++) {
        bw_buf_puts(&scope->text, i > 0 ? ", " : "");
        bw_buf_puts(&scope->text, words[i]);
    }
    return scope->text.full ? NULL : bw_scope_text(scope, (struct bw_str){scope->text.data, scope->text.len});
}

static int blacklist(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_vulnerabilities *found = NULL;
    if (bw_vulnerabilities_get(&found, scope, err) != 0) {
        return -1;
    }
    bool vendor_only = !values[VENDOR_ONLY].present || values[VENDOR_ONLY].as.flag;
    size_t n_ids = found == NULL ? 0 : values[IDS].as.list.n_items;
    const char **ids = bw_arena_array(scope->arena, n_ids + 1, sizeof(*ids));
    if (ids == NULL) {
        return bw_arena_spent(err);
    }
    size_t n_found = 0;
    for (size_t i = 0; i < n_ids; i++) {
        if (is_found(scope, found, values[IDS].as.list.items[i], vendor_only)) {
            ids[n_found++] = values[IDS].as.list.items[i];
        }
    }
    if (n_found == 0) {
        return 0;
    }
    const char *listed = bw_python_list(scope, ids, n_found);
    const char *named = join(scope, ids, n_found);
    return listed == NULL || named == NULL ? bw_arena_spent(err)
                                           : bw_fire(scope, BW_ID_VULNERABILITIES_LISTED,
                                                     "refused vulnerabilities were found: {1}", err, listed, named);
}

/* ---- stale_feed_data ---- */
enum { MAX_DAYS };
static const struct bw_param stale_params[] = {
    [MAX_DAYS] = {.name = "max_days_since_sync",
                  .kind = BW_PARAM_INT,
                  .required = true,
                  .example = "2",
                  .doc = "Days that the vulnerability data may be old."},
};

static int stale_feed_data(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_vulnerabilities *found = scope->facts->vulnerabilities;
    int64_t days = values[MAX_DAYS].as.integer;
    int64_t seconds = days > INT64_MAX / 86400 / 2 ? INT64_MAX / 2 : days * 86400;
    if (found != NULL && found->database && found->built_s >= 0 && found->built_s >= scope->facts->now_s - seconds) {
        bw_scope_valid_until(scope,
                             found->built_s > INT64_MAX - seconds - 1 ? INT64_MAX : found->built_s + seconds + 1);
        return 0;
    }
    const char *number = bw_scope_number(scope, days);
    return number == NULL ? bw_arena_spent(err)
                          : bw_fire(scope, BW_ID_VULNERABILITIES_STALE,
                                    "the vulnerability data are older than {0} days", err, number);
}

/* ---- vulnerability_data_unavailable ---- */
static bool has_space(const struct bw_vulnerabilities *found, const char *name, struct bw_str version)
{
    for (size_t i = 0; i < found->n_namespaces; i++) {
        struct bw_str space = bw_str_from(found->namespaces[i].name);
        size_t len = strlen(name);
        if (found->namespaces[i].records > 0 && space.len == len + 1 + version.len &&
            memcmp(space.base, name, len) == 0 && space.base[len] == ':' &&
            memcmp(space.base + len + 1, version.base, version.len) == 0) {
            return true;
        }
    }
    return false;
}

/* `1.2` and `1` of `1.2.3`: 0 when the version does not begin with two numbers. */
static size_t cut_version(struct bw_str version, unsigned parts)
{
    size_t len = 0;
    size_t ends[2] = {0, 0};
    for (unsigned part = 0; part < 2; part++) {
        size_t start = len;
        while (len < version.len && isdigit((unsigned char)version.base[len])) {
            len++;
        }
        if (len == start) {
            return 0;
        }
        ends[part] = len;
        if (part == 0 && (len == version.len || version.base[len++] != '.')) {
            return 0;
        }
    }
    return ends[parts - 1];
}

static bool has_data(const struct bw_scope *scope)
{
    const struct bw_report *report = scope->report;
    const struct bw_vulnerabilities *found = scope->facts->vulnerabilities;
    if (found == NULL || !found->database || report->distro == NULL) {
        return false;
    }
    const char *name = bw_family_find(report->distro, report->distro_like).space;
    struct bw_str version = bw_str_from(report->distro_version);
    struct bw_str minor = {version.base, cut_version(version, 2)};
    struct bw_str major = {version.base, cut_version(version, 1)};
    return has_space(found, name, version) || (minor.len > 0 && has_space(found, name, minor)) ||
           (major.len > 0 && has_space(found, name, major));
}

static int vulnerability_data_unavailable(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    (void)values;
    if (has_data(scope)) {
        return 0;
    }
    const struct bw_report *report = scope->report;
    const char *space = bw_arena_printf(scope->arena, "%s:%s", report->distro != NULL ? report->distro : "None",
                                        report->distro_version != NULL ? report->distro_version : "None");
    return space == NULL ? bw_arena_spent(err)
                         : bw_fire(scope, BW_ID_VULNERABILITIES_UNAVAILABLE,
                                   "there are no vulnerability data for the distribution {0}", err, space);
}

static const struct bw_trigger triggers[] = {
    {.name = "package",
     .params = bw_vulnerable_package_params,
     .n_params = BW_VULNERABLE_PACKAGE_PARAMS,
     .doc = "Fires for each vulnerability of a package that passes all given filters.",
     .reads = {"packages"},
     .load = bw_vulnerable_package_load,
     .evaluate = bw_vulnerable_package},
    {.name = "blacklist",
     .params = blacklist_params,
     .n_params = BW_LENGTH(blacklist_params),
     .doc = "Fires if any of the listed vulnerabilities was found.",
     .reads = {"packages"},
     .evaluate = blacklist},
    {.name = "stale_feed_data",
     .params = stale_params,
     .n_params = BW_LENGTH(stale_params),
     .doc = "Fires if the vulnerability data are older than so many days, or absent.",
     .evaluate = stale_feed_data},
    {.name = "vulnerability_data_unavailable",
     .doc = "Fires if there are no vulnerability data for the image's distribution. A policy with this trigger decides "
            "itself what missing data mean: its other rules of this gate are silent then.",
     .evaluate = vulnerability_data_unavailable},
};

const struct bw_gate bw_gate_vulnerabilities = {
    .name = "vulnerabilities",
    .doc = "Known vulnerabilities of installed packages.",
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
