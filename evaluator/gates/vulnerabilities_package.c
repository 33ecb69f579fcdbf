/* Trigger `vulnerabilities:package`: every match that passes all filters, in the order of tests of the engine. */
#include "evaluator/gates/vulnerabilities.h"

#include <ctype.h>
#include <string.h>

static const char *const package_types[] = {"all", "os", "non-os", NULL};
enum { ALL, OS, NON_OS };
static const char *const comparisons[] = {"=", "!=", "<", ">", "<=", ">=", NULL};
enum { EQUAL, UNEQUAL, LESS, GREATER, NOT_GREATER, NOT_LESS };
static const char *const severities[] = {"unknown", "negligible", "low", "medium", "high", "critical", NULL};

enum {
    PACKAGE_TYPE,
    SEVERITY_COMPARISON,
    SEVERITY,
    BASE,
    BASE_COMPARISON,
    EXPLOITABILITY,
    EXPLOITABILITY_COMPARISON,
    IMPACT,
    IMPACT_COMPARISON,
    FIX_AVAILABLE,
    VENDOR_ONLY,
    SINCE_CREATION,
    SINCE_FIX,
    VENDOR_BASE,
    VENDOR_BASE_COMPARISON,
    VENDOR_EXPLOITABILITY,
    VENDOR_EXPLOITABILITY_COMPARISON,
    VENDOR_IMPACT,
    VENDOR_IMPACT_COMPARISON,
    PATH_EXCLUDE
};

#define COMPARISON(of, default_word)                                                                                   \
    {                                                                                                                  \
        .name = of "_comparison", .kind = BW_PARAM_ENUM, .choices = comparisons, .default_text = default_word,         \
        .example = ">=", .doc = "How a vulnerability's " of " (left) is compared with the rule's (right)."             \
    }
#define SCORE(score_name, what)                                                                                        \
    {                                                                                                                  \
        .name = score_name, .kind = BW_PARAM_FLOAT, .example = "7.5",                                                  \
        .doc = what ", the highest of its kind; -1.0 where a vulnerability has none. No filter when absent."           \
    }

const struct bw_param bw_vulnerable_package_params[BW_VULNERABLE_PACKAGE_PARAMS] = {
    [PACKAGE_TYPE] = {.name = "package_type",
                      .kind = BW_PARAM_ENUM,
                      .choices = package_types,
                      .required = true,
                      .example = "all",
                      .doc = "Packages of the distribution (os), of languages (non-os), or all."},
    [SEVERITY_COMPARISON] = COMPARISON("severity", ">"),
    [SEVERITY] = {.name = "severity",
                  .kind = BW_PARAM_ENUM,
                  .choices = severities,
                  .default_text = "unknown",
                  .example = "high",
                  .doc = "Severity to compare with. Alone it means more than this."},
    [BASE] = SCORE("cvss_v3_base_score", "CVSS v3 base score of the NVD"),
    [BASE_COMPARISON] = COMPARISON("cvss_v3_base_score", ">="),
    [EXPLOITABILITY] = SCORE("cvss_v3_exploitability_score", "CVSS v3 exploitability score of the NVD"),
    [EXPLOITABILITY_COMPARISON] = COMPARISON("cvss_v3_exploitability_score", ">="),
    [IMPACT] = SCORE("cvss_v3_impact_score", "CVSS v3 impact score of the NVD"),
    [IMPACT_COMPARISON] = COMPARISON("cvss_v3_impact_score", ">="),
    [FIX_AVAILABLE] = {.name = "fix_available",
                       .kind = BW_PARAM_BOOL,
                       .example = "true",
                       .doc = "Only vulnerabilities with a fixed version (true) or without one (false)."},
    [VENDOR_ONLY] = {.name = "vendor_only",
                     .kind = BW_PARAM_BOOL,
                     .default_text = "true",
                     .example = "false",
                     .doc = "Pass over what the vendor will not fix."},
    [SINCE_CREATION] = {.name = "max_days_since_creation",
                        .kind = BW_PARAM_INT,
                        .example = "7",
                        .doc = "Only vulnerabilities known for at least so many days."},
    [SINCE_FIX] = {.name = "max_days_since_fix",
                   .kind = BW_PARAM_INT,
                   .example = "30",
                   .doc =
                       "Only vulnerabilities whose fix is known for at least so many days; needs fix_available=true."},
    [VENDOR_BASE] = SCORE("vendor_cvss_v3_base_score", "CVSS v3 base score of the vendor"),
    [VENDOR_BASE_COMPARISON] = COMPARISON("vendor_cvss_v3_base_score", ">="),
    [VENDOR_EXPLOITABILITY] =
        SCORE("vendor_cvss_v3_exploitability_score", "CVSS v3 exploitability score of the vendor"),
    [VENDOR_EXPLOITABILITY_COMPARISON] = COMPARISON("vendor_cvss_v3_exploitability_score", ">="),
    [VENDOR_IMPACT] = SCORE("vendor_cvss_v3_impact_score", "CVSS v3 impact score of the vendor"),
    [VENDOR_IMPACT_COMPARISON] = COMPARISON("vendor_cvss_v3_impact_score", ">="),
    [PATH_EXCLUDE] = {.name = "package_path_exclude",
                      .kind = BW_PARAM_REGEX,
                      .example = ".*/test/.*",
                      .doc =
                          "Regular expression for locations of language packages to pass over, matched at the start."},
};

int bw_vulnerable_package_load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    for (unsigned i = 0; i < BW_VULNERABLE_PACKAGE_PARAMS; i++) {
        if (values[i].fault != NULL && bw_vulnerable_package_params[i].kind == BW_PARAM_FLOAT) {
            (void)bw_loader_warn(loader, i, "never_evaluated", "%s; this rule stops every image", values[i].fault);
        }
    }
    return bw_loader_regex(loader, &values[PATH_EXCLUDE], PATH_EXCLUDE, err);
}

/* ---- comparisons ---- */

static bool compares(double left, double right, unsigned comparison)
{
    switch (comparison) {
    case EQUAL:
        return left >= right && left <= right;
    case UNEQUAL:
        return left < right || left > right;
    case LESS:
        return left < right;
    case GREATER:
        return left > right;
    case NOT_GREATER:
        return left <= right;
    default:
        return left >= right;
    }
}

static unsigned choice_or(const struct bw_value *value, unsigned absent)
{
    return value->present ? value->as.choice : absent;
}

static bool is_language_type(const char *type)
{
    static const char *const types[] = {"java", "python",   "npm",   "gem",    "maven",
                                        "js",   "composer", "nuget", "binary", "go"};
    struct bw_str wanted = bw_str_from(type);
    for (size_t i = 0; i < BW_LENGTH(types); i++) {
        if (bw_str_is_nocase(wanted, types[i])) {
            return true;
        }
    }
    return false;
}

static int severity_rank(const char *word, struct bw_error *err)
{
    if (word == NULL) {
        return bw_error_set(err, BW_EINPUT, "a vulnerability has no severity");
    }
    if (word[0] == '\0') {
        return 0;
    }
    struct bw_str wanted = bw_str_from(word);
    for (int rank = 0; severities[rank] != NULL; rank++) {
        if (bw_str_is_nocase(wanted, severities[rank])) {
            return rank;
        }
    }
    return bw_error_set(err, BW_EINPUT, "\"%.40s\" is no known severity", word);
}

/* ---- scores ---- */

struct scores {
    double base, exploitability, impact;
};

static struct scores highest(const struct bw_cvss *scores, size_t n_scores)
{
    struct scores best = {-1.0, -1.0, -1.0};
    for (size_t i = 0; i < n_scores; i++) {
        if (scores[i].version == NULL || scores[i].version[0] != '3') {
            continue;
        }
        best.base = scores[i].base > best.base ? scores[i].base : best.base;
        best.exploitability =
            scores[i].exploitability > best.exploitability ? scores[i].exploitability : best.exploitability;
        best.impact = scores[i].impact > best.impact ? scores[i].impact : best.impact;
    }
    return best;
}

static bool score_passes(const struct bw_value *wanted, double found, const struct bw_value *comparison)
{
    return !wanted->present || compares(found, wanted->as.number, choice_or(comparison, NOT_LESS));
}

/* `first` is the position of the base score; its comparison and the two other scores follow in fixed order. */
static bool scores_pass(const struct bw_value *values, unsigned first, const struct bw_cvss *list, size_t n_list)
{
    if (!values[first].present && !values[first + 2].present && !values[first + 4].present) {
        return true;
    }
    struct scores found = highest(list, n_list);
    return score_passes(&values[first], found.base, &values[first + 1]) &&
           score_passes(&values[first + 2], found.exploitability, &values[first + 3]) &&
           score_passes(&values[first + 4], found.impact, &values[first + 5]);
}

static bool from_nvd(const struct bw_vulnerability_match *match)
{
    return match->feed_group != NULL && strstr(match->feed_group, "nvd") != NULL;
}

/* ---- filters ---- */

/* Whether instant lies within the last `days`; then time alone will change that. */
static bool is_recent(struct bw_scope *scope, int64_t instant_s, int64_t days)
{
    int64_t seconds = days > INT64_MAX / 86400 / 2 ? INT64_MAX / 2 : days * 86400;
    if (instant_s < 0 || instant_s <= scope->facts->now_s - seconds) {
        return false;
    }
    bw_scope_valid_until(scope, instant_s > INT64_MAX - seconds ? INT64_MAX : instant_s + seconds);
    return true;
}

static bool has_fix(const struct bw_vulnerability_match *match)
{
    for (size_t i = 0; i < match->n_fix_versions; i++) {
        if (match->fix_versions[i][0] != '\0') {
            return true;
        }
    }
    return false;
}

static int path_is_excluded(const struct bw_value *values, const struct bw_vulnerability_match *match,
                            struct bw_error *err)
{
    if (values[PATH_EXCLUDE].pattern == NULL) {
        return 0;
    }
    if (match->package_path == NULL) {
        return bw_error_set(err, BW_EINPUT, "the location of package %.80s is not known",
                            match->package_name != NULL ? match->package_name : "");
    }
    return bw_regex_match(values[PATH_EXCLUDE].pattern, match->package_path, strlen(match->package_path), err);
}

static bool too_young(struct bw_scope *scope, const struct bw_value *values, const struct bw_vulnerability_match *match)
{
    bool created =
        values[SINCE_CREATION].present && is_recent(scope, match->detected_s, values[SINCE_CREATION].as.integer);
    bool wants_fixed = values[FIX_AVAILABLE].present && values[FIX_AVAILABLE].as.flag;
    bool fixed = wants_fixed && values[SINCE_FIX].present && has_fix(match) && match->fix_observed_s >= 0 &&
                 is_recent(scope, match->fix_observed_s, values[SINCE_FIX].as.integer);
    return created || fixed;
}

/* 1: the match passes all filters. */
static int passes(struct bw_scope *scope, const struct bw_value *values, const struct bw_vulnerability_match *match,
                  struct bw_error *err)
{
    bool language = is_language_type(match->package_type);
    unsigned wanted_type = values[PACKAGE_TYPE].as.choice;
    if (wanted_type != ALL && (wanted_type == NON_OS) != language) {
        return 0;
    }
    int rank = severity_rank(match->severity, err);
    if (rank < 0) {
        return -1;
    }
    if (!compares(rank, choice_or(&values[SEVERITY], 0), choice_or(&values[SEVERITY_COMPARISON], GREATER))) {
        return 0;
    }
    int excluded = language ? path_is_excluded(values, match, err) : 0;
    if (excluded != 0) {
        return excluded < 0 ? -1 : 0;
    }
    if (too_young(scope, values, match)) {
        return 0;
    }
    bool nvd = from_nvd(match);
    bool fits_fix = !values[FIX_AVAILABLE].present || values[FIX_AVAILABLE].as.flag == has_fix(match);
    return fits_fix &&
           scores_pass(values, BASE, nvd ? match->cvss : match->nvd_cvss, nvd ? match->n_cvss : match->n_nvd_cvss) &&
           scores_pass(values, VENDOR_BASE, match->cvss, nvd ? 0 : match->n_cvss);
}

/* ---- findings ---- */

/* The part of the trigger id behind the plus sign. */
static const char *package_part(struct bw_scope *scope, const struct bw_vulnerability_match *match)
{
    const char *name = match->package_name != NULL ? match->package_name : "None";
    const char *type = match->package_type != NULL ? match->package_type : "";
    if (!is_language_type(type)) {
        return name;
    }
    struct bw_str path = bw_str_from(match->package_path);
    struct bw_str part = {NULL, 0};
    const char *last = path.len > 0 ? memrchr(path.base, '/', path.len) : NULL;
    if (bw_str_is_nocase(bw_str_from(type), "java") || bw_str_is_nocase(bw_str_from(type), "gem")) {
        part = last == NULL ? path : (struct bw_str){last + 1, path.len - (size_t)(last + 1 - path.base)};
    } else if (bw_str_is_nocase(bw_str_from(type), "npm") && last != NULL) {
        size_t len = (size_t)(last - path.base);
        const char *before = len > 0 ? memrchr(path.base, '/', len) : NULL;
        part = before == NULL ? (struct bw_str){path.base, len}
                              : (struct bw_str){before + 1, len - (size_t)(before + 1 - path.base)};
    }
    if (part.len > 0) {
        return bw_scope_text(scope, part);
    }
    return bw_arena_printf(scope->arena, "%s-%s", name,
                           match->package_version != NULL ? match->package_version : "None");
}

static const char *join_fixes(struct bw_scope *scope, const struct bw_vulnerability_match *match)
{
    bw_buf_reset(&scope->text);
    bw_buf_puts(&scope->text, has_fix(match) ? ", fixed in " : ", not fixed");
    for (size_t i = 0, n = 0; i < match->n_fix_versions; i++) {
        if (match->fix_versions[i][0] != '\0') {
            bw_buf_puts(&scope->text, n++ > 0 ? ", " : "");
            bw_buf_puts(&scope->text, match->fix_versions[i]);
        }
    }
    return scope->text.full ? NULL : bw_scope_text(scope, (struct bw_str){scope->text.data, scope->text.len});
}

static const char *write_id(struct bw_scope *scope, const struct bw_finding *finding)
{
    const struct bw_vulnerability_match *match = finding->subject;
    const char *part = package_part(scope, match);
    return part == NULL ? NULL : bw_scope_join(scope, match->id != NULL ? match->id : "None", "+", part);
}

static const char *write_message(struct bw_scope *scope, const struct bw_finding *finding)
{
    const struct bw_vulnerability_match *match = finding->subject;
    const char *fixes = join_fixes(scope, match);
    const char *const arguments[] = {
        match->severity[0] != '\0' ? match->severity : "Unknown",
        match->id != NULL ? match->id : "None",
        match->package_name != NULL ? match->package_name : "a package",
        match->package_version != NULL ? match->package_version : "",
        match->package_type != NULL ? match->package_type : "",
        fixes,
        match->link != NULL && match->link[0] != '\0' ? " " : "",
        match->link != NULL ? match->link : "",
    };
    return fixes == NULL ? NULL : bw_scope_fill(scope, "{0} vulnerability {1} in {2} {3} ({4}){5}{6}{7}", arguments);
}

static const struct bw_wording wording = {write_id, write_message};

int bw_vulnerable_package(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    const struct bw_vulnerabilities *found = NULL;
    if (bw_vulnerabilities_get(&found, scope, err) != 0) {
        return -1;
    }
    bool vendor_only = !values[VENDOR_ONLY].present || values[VENDOR_ONLY].as.flag;
    for (size_t i = 0; found != NULL && i < found->n_matches; i++) {
        const struct bw_vulnerability_match *match = &found->matches[i];
        if (match->will_not_fix && vendor_only) {
            continue;
        }
        int fires = passes(scope, values, match, err);
        if (fires != 0) {
            bw_vulnerability_note(scope, match);
        }
        if (fires < 0 || (fires == 1 && bw_fire_subject(scope, &wording, match, err) != 0)) {
            return -1;
        }
    }
    return 0;
}
