/* Gate `licenses`: licence texts of all packages. The engine compares the words of a licence text; whole expressions
 * are compared too (row 28), and what only they match is a finding of its own, so that ids of the engine's finding
 * stay. Packages with the same licence texts are judged once, unless they match. */
#include "evaluator/gate.h"

#include "evaluator/unicode.h"

#include <string.h>

enum { LICENSES };

struct hits {
    struct bw_buf words;       /* "package(word), package(word)" */
    struct bw_buf expressions; /* the same for whole expressions */
};

static void add_hit(struct bw_buf *hits, const char *package, struct bw_str license)
{
    bw_buf_puts(hits, hits->len > 0 ? ", " : "");
    bw_buf_puts(hits, package);
    bw_buf_append(hits, "(", 1);
    bw_buf_append(hits, license.base, license.len);
    bw_buf_append(hits, ")", 1);
}

static bool matches(struct bw_str license, const char *item, bool partial)
{
    return partial ? memmem(license.base, license.len, item, strlen(item)) != NULL : bw_str_is(license, item);
}

/* Words first; an item that no word of the package matched is held against its whole expressions. */
static void judge_package(struct hits *hits, const struct bw_package *package, const struct bw_value *list,
                          bool partial)
{
    bool single = true;
    struct bw_str rest = bw_str_from(package->license);
    struct bw_str word;
    for (size_t n = 0; bw_unicode_next_word(&word, &rest); n++) {
        single = n == 0;
        for (size_t i = 0; i < list->as.list.n_items; i++) {
            if (matches(word, list->as.list.items[i], partial)) {
                add_hit(&hits->words, package->name, word);
            }
        }
    }
    for (size_t i = 0; i < list->as.list.n_items; i++) {
        const char *item = list->as.list.items[i];
        if (strpbrk(item, " \t") == NULL && partial) {
            continue; /* contained in an expression means contained in a word */
        }
        struct bw_str whole = bw_unicode_trim(bw_str_from(package->license));
        if (!single && matches(whole, item, partial)) {
            add_hit(&hits->expressions, package->name, whole);
            continue;
        }
        for (size_t l = 0; l < package->n_licenses; l++) {
            struct bw_str expression = bw_unicode_trim(bw_str_from(package->licenses[l]));
            struct bw_str inner = expression;
            bool is_word = bw_unicode_next_word(&word, &inner) && word.len == expression.len;
            if (!is_word && matches(expression, item, partial)) {
                add_hit(&hits->expressions, package->name, expression);
                break;
            }
        }
    }
}

static int fire_hits(struct bw_scope *scope, enum bw_id_text id, const struct bw_buf *hits, struct bw_error *err)
{
    if (hits->len == 0) {
        return 0;
    }
    const char *listed = bw_scope_text(scope, (struct bw_str){hits->data, hits->len});
    return listed == NULL ? bw_arena_spent(err)
                          : bw_fire(scope, id, "packages have refused licences: {0}", err, listed);
}

static int judge(struct bw_scope *scope, const struct bw_value *values, bool partial, enum bw_id_text id,
                 struct bw_error *err)
{
    bool *matching = bw_arena_array(scope->arena, scope->report->n_packages, sizeof(*matching));
    if (matching == NULL) {
        return bw_arena_spent(err);
    }
    struct hits hits;
    bw_buf_init(&hits.words, scope->arena->budget);
    bw_buf_init(&hits.expressions, scope->arena->budget);
    for (size_t i = 0; i < scope->report->n_packages; i++) {
        size_t first = scope->report->same_license[i];
        if (first != i && !matching[first]) {
            continue;
        }
        const struct bw_package *package = &scope->report->packages[i];
        size_t before = hits.words.len + hits.expressions.len;
        if (package->license == NULL && package->n_licenses == 0) {
            bw_rows_set(scope->deviations, BW_ROW_CONTAINED);
        }
        judge_package(&hits, package, &values[LICENSES], partial);
        matching[i] = hits.words.len + hits.expressions.len > before;
    }
    if (hits.expressions.len > 0) {
        bw_rows_set(scope->deviations, BW_ROW_LICENSE);
    }
    int result =
        fire_hits(scope, id, &hits.words, err) != 0 || fire_hits(scope, id, &hits.expressions, err) != 0 ? -1 : 0;
    bw_buf_clear(&hits.words);
    bw_buf_clear(&hits.expressions);
    return result;
}

static const struct bw_param exact_params[] = {
    [LICENSES] = {.name = "licenses",
                  .kind = BW_PARAM_STRING_LIST,
                  .required = true,
                  .example = "GPLv2+,GPL-3.0-only",
                  .doc = "Licences, each compared with whole licence expressions and with single words of them."},
};
static int blacklist_exact_match(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return judge(scope, values, false, BW_ID_LICENSES_EXACT, err);
}

static const struct bw_param partial_params[] = {
    [LICENSES] = {.name = "licenses",
                  .kind = BW_PARAM_STRING_LIST,
                  .required = true,
                  .example = "LGPL,BSD",
                  .doc = "Texts, each searched in licence expressions."},
};
static int blacklist_partial_match(struct bw_scope *scope, const struct bw_value *values, struct bw_error *err)
{
    return judge(scope, values, true, BW_ID_LICENSES_PARTIAL, err);
}

static const struct bw_trigger triggers[] = {
    {.name = "blacklist_exact_match",
     .params = exact_params,
     .n_params = BW_LENGTH(exact_params),
     .doc = "Fires if packages have one of the listed licences.",
     .reads = {"packages", "licenses"},
     .evaluate = blacklist_exact_match},
    {.name = "blacklist_partial_match",
     .params = partial_params,
     .n_params = BW_LENGTH(partial_params),
     .doc = "Fires if packages have a licence that contains one of the listed texts.",
     .reads = {"packages", "licenses"},
     .evaluate = blacklist_partial_match},
};

const struct bw_gate bw_gate_licenses = {
    .name = "licenses",
    .doc = "Licences of installed packages.",
    .triggers = triggers,
    .n_triggers = BW_LENGTH(triggers),
};
