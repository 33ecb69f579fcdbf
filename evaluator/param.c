/* Kinds of parameters: what a bundle may write and what a trigger gets. The accepted texts are those of the recorded
 * decisions (policy specification, parameter handling): patterns are searched in the text, `\s` and `\d` are Unicode's.
 */
#include "evaluator/param.h"

#include "evaluator/unicode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *bw_param_kind_name(enum bw_param_kind kind)
{
    static const char *const names[] = {
        [BW_PARAM_STRING] = "text",
        [BW_PARAM_BOOL] = "true or false",
        [BW_PARAM_INT] = "whole number",
        [BW_PARAM_FLOAT] = "number",
        [BW_PARAM_ENUM] = "one of",
        [BW_PARAM_STRING_LIST] = "list, separated by commas",
        [BW_PARAM_LOOSE_LIST] = "list, separated by commas",
        [BW_PARAM_INT_LIST] = "list of whole numbers, separated by commas",
        [BW_PARAM_REGEX] = "regular expression, matched at the start",
        [BW_PARAM_OCTAL] = "octal number",
    };
    return names[kind];
}

static bool all_digits(struct bw_str text)
{
    while (text.len > 0) {
        size_t used = 0;
        if (bw_unicode_digit(bw_unicode_next(text, &used)) < 0) {
            return false;
        }
        text.base += used;
        text.len -= used;
    }
    return true;
}

/* Digits of any script as ASCII, everything else as it is; NUL after it. */
static char *ascii_digits(struct bw_str text, struct bw_arena *arena)
{
    char *out = bw_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    while (out != NULL && text.len > 0) {
        size_t used = 0;
        int digit = bw_unicode_digit(bw_unicode_next(text, &used));
        if (digit >= 0) {
            out[len++] = (char)('0' + digit);
        } else {
            memcpy(out + len, text.base, used);
            len += used;
        }
        text.base += used;
        text.len -= used;
    }
    return out;
}

const char *bw_param_decimal(struct bw_str digits, struct bw_arena *arena)
{
    char *text = ascii_digits(digits, arena);
    while (text != NULL && text[0] == '0' && text[1] != '\0') {
        text++;
    }
    return text;
}

bool bw_param_integer(int64_t *out, const char *text)
{
    struct bw_str trimmed = bw_unicode_trim(bw_str_from(text));
    if (trimmed.len == 0 || !all_digits(trimmed)) {
        return false;
    }
    int64_t number = 0;
    while (trimmed.len > 0) {
        size_t used = 0;
        int digit = bw_unicode_digit(bw_unicode_next(trimmed, &used));
        number = number > (INT64_MAX - digit) / 10 ? INT64_MAX : number * 10 + digit;
        trimmed.base += used;
        trimmed.len -= used;
    }
    *out = number;
    return true;
}

/* ---- lists ---- */

static size_t count_items(struct bw_str text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++) {
        count += text.base[i] == ',';
    }
    return count;
}

static int parse_list(struct bw_value *out, struct bw_str text, bool numbers, struct bw_arena *arena,
                      struct bw_error *err)
{
    text = bw_unicode_trim(text);
    size_t capacity = count_items(text);
    const char **items = bw_arena_array(arena, capacity, sizeof(*items));
    if (items == NULL) {
        return bw_arena_spent(err);
    }
    struct bw_str item;
    struct bw_str rest = text;
    size_t n_items = 0;
    for (size_t i = 0; i < capacity; i++) {
        const char *comma = memchr(rest.base, ',', rest.len);
        item = (struct bw_str){rest.base, comma == NULL ? rest.len : (size_t)(comma - rest.base)};
        rest.base += item.len + (comma != NULL);
        rest.len -= item.len + (comma != NULL);
        item = bw_unicode_trim(item);
        items[n_items] = numbers ? bw_param_decimal(item, arena) : bw_arena_strndup(arena, item.base, item.len);
        if (items[n_items++] == NULL) {
            return bw_arena_spent(err);
        }
    }
    out->as.list.items = items;
    out->as.list.n_items = n_items;
    return 0;
}

/* `a, b`: nothing may be empty between, before or after commas; an item of blanks is something. */
static int check_list(struct bw_str text, struct bw_error *err)
{
    for (size_t start = 0, i = 0; i <= text.len; i++) {
        if (i == text.len || text.base[i] == ',') {
            if (i == start) {
                return bw_error_set(err, BW_EINPUT, "a list separated by commas without empty items is expected");
            }
            start = i + 1;
        }
    }
    return 0;
}

static int check_numbers(struct bw_str text, struct bw_error *err)
{
    struct bw_str rest = text;
    for (;;) {
        const char *comma = memchr(rest.base, ',', rest.len);
        struct bw_str item = {rest.base, comma == NULL ? rest.len : (size_t)(comma - rest.base)};
        struct bw_str trimmed = bw_unicode_trim(item);
        if (trimmed.len == 0 || !all_digits(trimmed)) {
            return bw_error_set(err, BW_EINPUT,
                                "a list of whole numbers separated by commas is expected, as in \"22, 80\"");
        }
        if (comma == NULL) {
            return 0;
        }
        rest.base += item.len + 1;
        rest.len -= item.len + 1;
    }
}

/* ---- numbers ---- */

/* The format: blanks, any number of minus signs, digits, perhaps a point and digits, blanks. It lets a few texts
 * through that are no numbers. */
static bool float_format(struct bw_str text)
{
    text = bw_unicode_trim(text);
    while (text.len > 0 && text.base[0] == '-') {
        text.base++;
        text.len--;
    }
    const char *point = memchr(text.base, '.', text.len);
    struct bw_str whole = {text.base, point == NULL ? text.len : (size_t)(point - text.base)};
    struct bw_str fraction = {text.base + whole.len + (point != NULL), text.len - whole.len - (point != NULL)};
    return all_digits(whole) && all_digits(fraction);
}

static int parse_float(struct bw_value *out, const char *text, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_str trimmed = bw_unicode_trim(bw_str_from(text));
    if (!float_format(trimmed)) {
        return bw_error_set(err, BW_EINPUT, "a number is expected, as in \"7.5\"");
    }
    char *digits = ascii_digits(trimmed, arena);
    if (digits == NULL) {
        return bw_arena_spent(err);
    }
    char *end = NULL;
    out->as.number = strtod(digits, &end); /* the program never leaves the C locale */
    if (end == digits || *end != '\0') {
        out->fault = bw_arena_printf(arena, "\"%.40s\" is not a number", text);
        return out->fault == NULL ? bw_arena_spent(err) : 0;
    }
    return 0;
}

static int parse_int(struct bw_value *out, const char *text, struct bw_error *err)
{
    if (!bw_param_integer(&out->as.integer, text)) {
        return bw_error_set(err, BW_EINPUT, "a whole number that is not negative is expected, as in \"30\"");
    }
    return 0;
}

/* Permission bits: an optional sign, "0o", octal digits with single underscores between them; -1 as value when they
 * can equal no file's bits. */
static int parse_octal(struct bw_value *out, const char *text, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_str trimmed = bw_unicode_trim(bw_str_from(text));
    char *digits = ascii_digits(trimmed, arena);
    if (digits == NULL) {
        return bw_arena_spent(err);
    }
    bool negative = digits[0] == '-';
    const char *cursor = digits + (digits[0] == '-' || digits[0] == '+');
    if (cursor[0] == '0' && (cursor[1] == 'o' || cursor[1] == 'O')) {
        cursor += 2 + (cursor[2] == '_');
    }
    int64_t number = 0;
    bool valid = *cursor != '\0';
    bool after_digit = false;
    for (; *cursor != '\0' && valid; cursor++) {
        bool digit = *cursor >= '0' && *cursor <= '7';
        valid = digit || (*cursor == '_' && after_digit && cursor[1] != '\0');
        after_digit = digit;
        if (digit) {
            number = number > INT64_MAX / 16 ? number : number * 8 + (*cursor - '0');
        }
    }
    if (!valid && trimmed.len > 0) {
        out->fault = bw_arena_printf(arena, "mode \"%.40s\" is not an octal number", text);
        return out->fault == NULL ? bw_arena_spent(err) : 0;
    }
    if (!valid && text[0] != '\0') {
        out->fault = "the mode is blank, not an octal number";
    }
    out->as.integer = negative ? -number : number;
    return 0;
}

static int parse_bool(struct bw_value *out, const char *text, struct bw_error *err)
{
    struct bw_str word = bw_str_from(text);
    if (!bw_str_is_nocase(word, "true") && !bw_str_is_nocase(word, "false")) {
        return bw_error_set(err, BW_EINPUT, "\"true\" or \"false\" is expected");
    }
    out->as.flag = bw_str_is_nocase(word, "true");
    return 0;
}

static int parse_enum(struct bw_value *out, const struct bw_param *param, const char *text, struct bw_error *err)
{
    char expected[512] = "";
    size_t len = 0;
    for (unsigned i = 0; param->choices[i] != NULL; i++) {
        if (strcmp(param->choices[i], text) == 0) {
            out->as.choice = i;
            return 0;
        }
        int n = snprintf(expected + len, sizeof(expected) - len, "%s%s", i == 0 ? "" : ", ", param->choices[i]);
        len += n > 0 && (size_t)n < sizeof(expected) - len ? (size_t)n : 0;
    }
    return bw_error_set(err, BW_EINPUT, "one of %s is expected", expected);
}

int bw_param_parse(struct bw_value *out, const struct bw_param *param, const char *text, struct bw_arena *arena,
                   struct bw_error *err)
{
    struct bw_value value = {.present = true, .text = text};
    struct bw_str whole = bw_str_from(text);
    int result = 0;
    switch (param->kind) {
    case BW_PARAM_STRING:
    case BW_PARAM_REGEX:
        break;
    case BW_PARAM_BOOL:
        result = parse_bool(&value, text, err);
        break;
    case BW_PARAM_INT:
        result = parse_int(&value, text, err);
        break;
    case BW_PARAM_FLOAT:
        result = parse_float(&value, text, arena, err);
        break;
    case BW_PARAM_ENUM:
        result = parse_enum(&value, param, text, err);
        break;
    case BW_PARAM_STRING_LIST:
        result = check_list(whole, err) != 0 ? -1 : parse_list(&value, whole, false, arena, err);
        break;
    case BW_PARAM_LOOSE_LIST:
        result = parse_list(&value, whole, false, arena, err);
        break;
    case BW_PARAM_INT_LIST:
        result = check_numbers(whole, err) != 0 ? -1 : parse_list(&value, whole, true, arena, err);
        break;
    case BW_PARAM_OCTAL:
        result = parse_octal(&value, text, arena, err);
        break;
    }
    if (result == 0) {
        *out = value;
    }
    return result;
}

int bw_param_parse_json(struct bw_value *out, const struct bw_param *param, const json_t *node, struct bw_arena *arena,
                        struct bw_error *err)
{
    if (param->kind == BW_PARAM_BOOL && json_is_boolean(node)) {
        *out = (struct bw_value){.present = true, .as.flag = false};
        out->fault = json_is_true(node) ? "the value is the JSON word true where the text \"true\" is expected" : NULL;
        return 0;
    }
    if (!json_is_string(node)) {
        return bw_error_set(err, BW_EINPUT, "a string is expected, not %s", bw_json_type_name(node));
    }
    if (strlen(json_string_value(node)) != json_string_length(node)) {
        return bw_error_set(err, BW_EINPUT, "the text holds a NUL character");
    }
    char *text = bw_arena_strndup(arena, json_string_value(node), json_string_length(node));
    return text == NULL ? bw_arena_spent(err) : bw_param_parse(out, param, text, arena, err);
}
