/* Gate `metadata`: facts about the image as a whole. Numbers compare as numbers, texts by code point (UTF-8 keeps that
 * order). */
#include "evaluator/gate.h"

#include "evaluator/unicode.h"

#include <string.h>

static const char *const attributes[] = {"size",           "architecture", "os_type",     "distro",
                                         "distro_version", "like_distro",  "layer_count", NULL};
enum { SIZE, ARCHITECTURE, OS_TYPE, DISTRO, DISTRO_VERSION, LIKE_DISTRO, LAYER_COUNT };
static const char *const checks[] = {"=",          "!=",   ">",        "<",  ">=",     "<=", "exists",
                                     "not_exists", "like", "not_like", "in", "not_in", NULL};
enum { EQUAL, UNEQUAL, GREATER, LESS, NOT_LESS, NOT_GREATER, EXISTS, NOT_EXISTS, LIKE, NOT_LIKE, IN, NOT_IN };

enum { ATTRIBUTE, CHECK, VALUE };
static const struct bw_param params[] = {
    [ATTRIBUTE] = {.name = "attribute",
                   .kind = BW_PARAM_ENUM,
                   .choices = attributes,
                   .required = true,
                   .example = "size",
                   .doc = "What to look at; size is that of the unpacked image in bytes."},
    [CHECK] = {.name = "check",
               .kind = BW_PARAM_ENUM,
               .choices = checks,
               .required = true,
               .example = ">",
               .doc = "How it is compared with value."},
    [VALUE] =
        {.name = "value",
         .kind = BW_PARAM_STRING,
         .example = "1073741824",
         .doc = "A number (size also with the units kb, mb, gb, tb), a text, a regular expression matched at the start "
                "(like, not_like) or a list separated by commas (in, not_in). Not needed for exists and not_exists."},
};

static bool is_number(unsigned attribute)
{
    return attribute == SIZE || attribute == LAYER_COUNT;
}

/* `12`, `12kb`, ...: bytes; negative when it is none. Beyond the range of sizes everything is equally large. */
static int64_t parse_size(const char *text)
{
    struct bw_str rest = bw_str_from(text);
    if (rest.len > 0 && rest.base[rest.len - 1] == '\n') {
        rest.len--;
    }
    static const char *const units[] = {"kb", "mb", "gb", "tb"};
    unsigned shift = 0;
    for (unsigned i = 0; i < BW_LENGTH(units) && shift == 0; i++) {
        shift = bw_str_ends_with(rest, units[i]) ? 10 * (i + 1) : 0;
    }
    rest.len -= shift > 0 ? 2 : 0;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.base[i] < '0' || rest.base[i] > '9') {
            return -1;
        }
    }
    uint64_t number = 0;
    if (rest.len == 0) {
        return -1;
    }
    return bw_str_uint(&number, rest, 10, (uint64_t)INT64_MAX >> shift) == 0 ? (int64_t)(number << shift) : INT64_MAX;
}

static int load_number(struct bw_loader *loader, struct bw_value *values)
{
    struct bw_value *value = &values[VALUE];
    bool size = values[ATTRIBUTE].as.choice == SIZE;
    int64_t number = -1;
    if (size ? (number = parse_size(value->text)) < 0 : !bw_param_integer(&number, value->text)) {
        return bw_loader_fault(loader, VALUE, 0,
                               size ? "a size is expected, as in \"500mb\""
                                    : "a whole number that is not negative is expected, as in \"10\"");
    }
    value->as.integer = number;
    return 0;
}

static int load(struct bw_loader *loader, struct bw_value *values, struct bw_error *err)
{
    if (!values[ATTRIBUTE].present || !values[CHECK].present) {
        return 0;
    }
    unsigned check = values[CHECK].as.choice;
    bool existence = check == EXISTS || check == NOT_EXISTS;
    bool number = is_number(values[ATTRIBUTE].as.choice);
    if (!values[VALUE].present) {
        if (existence) {
            bw_loader_deviates(loader, BW_ROW_METADATA);
        } else {
            bw_loader_missing(loader, VALUE);
        }
        return 0;
    }
    if (number && load_number(loader, values) != 0) {
        return 0;
    }
    if (number && (check == LIKE || check == NOT_LIKE || check == IN || check == NOT_IN)) {
        (void)bw_loader_fault(loader, CHECK, BW_ROW_METADATA, "%s is a number, which cannot be checked with \"%s\"",
                              attributes[values[ATTRIBUTE].as.choice], checks[check]);
        return 0;
    }
    if (check == LIKE || check == NOT_LIKE) {
        return values[VALUE].text[0] == '\0' ? 0 : bw_loader_regex(loader, &values[VALUE], VALUE, err);
    }
    if (check == IN || check == NOT_IN) {
        static const struct bw_param list = {.name = "value", .kind = BW_PARAM_LOOSE_LIST};
        struct bw_value items;
        if (bw_param_parse(&items, &list, values[VALUE].text, bw_loader_arena(loader), err) != 0) {
            return -1;
        }
        values[VALUE].as = items.as;
    }
    return 0;
}

static bool ordered(int order, unsigned check)
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

static const char *text_of(const struct bw_report *report, unsigned attribute)
{
    switch (attribute) {
    case ARCHITECTURE:
        return report->architecture;
    case OS_TYPE:
        return report->os;
    case DISTRO:
        return report->distro;
    case DISTRO_VERSION:
        return report->distro_version;
    default:
        return report->distro_like;
    }
}

/* 1: the check is true for a text, which may be absent. */
static int check_text(const char *text, const struct bw_value *values, struct bw_error *err)
{
    unsigned check = values[CHECK].as.choice;
    const struct bw_value *value = &values[VALUE];
    switch (check) {
    case EXISTS:
    case NOT_EXISTS:
        return (text != NULL && text[0] != '\0') == (check == EXISTS);
    case IN:
    case NOT_IN:
        return (text != NULL && bw_value_lists(value, text)) == (check == IN);
    case EQUAL:
    case UNEQUAL:
        return (text != NULL && strcmp(text, value->text) == 0) == (check == EQUAL);
    default:
        break;
    }
    if (text == NULL) {
        return bw_error_set(err, BW_EINPUT, "the image does not say its %s", values[ATTRIBUTE].text);
    }
    if (check == LIKE || check == NOT_LIKE) {
        int matched = bw_regex_match(value->pattern, text, strlen(text), err);
        return matched < 0 ? -1 : matched == (check == LIKE);
    }
    return ordered(strcmp(text, value->text), check);
}

static int check_number(int64_t number, const struct bw_value *values)
{
    unsigned check = values[CHECK].as.choice;
    if (check == EXISTS || check == NOT_EXISTS) {
        return (number != 0) == (check == EXISTS);
    }
    int64_t wanted = values[VALUE].as.integer;
    return ordered((number > wanted) - (number < wanted), check);
}

/* The parameter as the engine prints it: sizes in bytes, counts without leading zeros. */
static const char *print_value(struct bw_scope *scope, const struct bw_value *values)
{
    if (!values[VALUE].present) {
        return "";
    }
    switch (values[ATTRIBUTE].as.choice) {
    case SIZE:
        return bw_scope_number(scope, values[VALUE].as.integer);
    case LAYER_COUNT:
        return bw_param_decimal(bw_unicode_trim(bw_str_from(values[VALUE].text)), scope->arena);
    default:
        return values[VALUE].text;
    }
}

static int attribute(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    unsigned which = values[ATTRIBUTE].as.choice;
    unsigned check = values[CHECK].as.choice;
    bool existence = check == EXISTS || check == NOT_EXISTS;
    if (!existence && values[VALUE].text[0] == '\0') {
        return 0;
    }
    const char *kind = which == SIZE ? "files" : which >= DISTRO && which <= LIKE_DISTRO ? "distro" : "config";
    const char *reason = bw_scope_incomplete(scope, kind);
    if (reason != NULL) {
        return bw_error_set(err, BW_EINPUT, "%s is not known: %s", attributes[which], reason);
    }
    int64_t number = which == SIZE ? scope->report->size : scope->report->layer_count;
    const char *text = text_of(scope->report, which);
    int fires = is_number(which) ? check_number(number, values) : check_text(text, values, err);
    if (fires != 1) {
        return fires;
    }
    const char *found = is_number(which) ? bw_scope_number(scope, number) : text != NULL ? text : "None";
    const char *wanted = print_value(scope, values);
    if (found == NULL || wanted == NULL) {
        return bw_arena_spent(err);
    }
    const char *message =
        existence ? "{0} of the image is \"{3}\"" : "{0} of the image is \"{3}\": the rule fires if {1} \"{2}\"";
    return bw_fire(scope, BW_ID_METADATA, message, err, attributes[which], checks[check], wanted, found);
}

static const struct bw_trigger triggers[] = {
    {.name = "attribute",
     .params = params,
     .n_params = BW_LENGTH(params),
     .doc = "Compares one fact about the image with a value.",
     .load = load,
     .evaluate = attribute},
};

const struct bw_gate bw_gate_metadata = {
    .name = "metadata",
    .doc = "Facts about the image as a whole.",
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
