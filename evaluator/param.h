#ifndef BW_EVALUATOR_PARAM_H
#define BW_EVALUATOR_PARAM_H

#include "base/json.h"
#include "base/regex.h"
#include "base/str.h"

/* Parameters of triggers: described in tables, parsed once when a bundle loads, read by position while it runs. */
enum bw_param_kind {
    BW_PARAM_STRING,
    BW_PARAM_BOOL,
    BW_PARAM_INT, /* not negative */
    BW_PARAM_FLOAT,
    BW_PARAM_ENUM,        /* one of choices, exactly */
    BW_PARAM_STRING_LIST, /* cut at commas, no empty item */
    BW_PARAM_LOOSE_LIST,  /* the same, but empty items and an empty text are taken */
    BW_PARAM_INT_LIST,    /* not negative; kept as decimal text without leading zeros */
    BW_PARAM_REGEX,
    BW_PARAM_OCTAL
};

struct bw_param {
    const char *name;  /* as written in a bundle, lower case */
    const char *alias; /* an older name that is still read, or NULL */
    enum bw_param_kind kind;
    bool required;
    const char *const *choices; /* enums only; NULL-terminated */
    const char *default_text;   /* what holds when it is not given; NULL: nothing does */
    const char *doc;            /* a sentence */
    const char *example;
};

struct bw_value {
    bool present;
    const char *text;  /* as given; NULL when not given as text */
    const char *fault; /* accepted by the format, but cannot be read: the rule that needs it cannot be evaluated */
    union {
        bool flag;
        int64_t integer;
        double number;
        unsigned choice;
        struct {
            const char *const *items;
            size_t n_items;
        } list;
    } as;
    struct bw_regex *pattern; /* owned by the bundle */
    struct bw_str literal;    /* what every match of it contains, where a trigger asked for that; else empty */
};

/* The text of one value, already of the right JSON type. -1: BW_EINPUT says what is expected. A regex is not compiled
 * here (see evaluator/gate.h). */
int bw_param_parse(struct bw_value *out, const struct bw_param *param, const char *text, struct bw_arena *arena,
                   struct bw_error *err) BW_MUST_CHECK;
/* What stands in a bundle: checks the JSON type first. null is "not given" and must not reach it. */
int bw_param_parse_json(struct bw_value *out, const struct bw_param *param, const json_t *node, struct bw_arena *arena,
                        struct bw_error *err) BW_MUST_CHECK;

const char *bw_param_kind_name(enum bw_param_kind kind); /* "list of numbers" */
/* "is" or "is not" by the format of integers: a blank-padded run of digits; the number in *out, INT64_MAX when larger.
 */
bool bw_param_integer(int64_t *out, const char *text);
/* The same number as decimal text without leading zeros. */
const char *bw_param_decimal(struct bw_str digits, struct bw_arena *arena);

#endif
