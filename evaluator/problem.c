/* Lists of faults and leniencies: as many as a person reads, all of them counted. */
#include "evaluator/bundle_internal.h"

#include "base/limits.h"

#include <string.h>

void bw_problems_init(struct bw_problems *problems)
{
    memset(problems, 0, sizeof(*problems));
    bw_arena_init(&problems->arena, BW_ARENA_BUNDLE);
}

void bw_problems_clear(struct bw_problems *problems)
{
    bw_arena_clear(&problems->arena);
    memset(problems, 0, sizeof(*problems));
}

static void append_trail(struct bw_buf *out, const struct bw_trail *at)
{
    if (at == NULL) {
        return;
    }
    append_trail(out, at->up);
    if (at->key == NULL) {
        bw_buf_printf(out, "/%zu", at->index);
        return;
    }
    bw_buf_append(out, "/", 1);
    for (const char *c = at->key; *c != '\0'; c++) {
        if (*c == '~' || *c == '/') {
            bw_buf_puts(out, *c == '~' ? "~0" : "~1");
        } else {
            bw_buf_append(out, c, 1);
        }
    }
}

static bool is_listed(const struct bw_problems *problems, enum bw_problem_severity severity)
{
    size_t n_warnings =
        problems->n_items - (problems->n_errors < problems->n_items ? problems->n_errors : problems->n_items);
    return severity == BW_PROBLEM_ERROR ? problems->n_errors <= BW_MAX_PROBLEMS : n_warnings < BW_MAX_WARNINGS;
}

struct bw_problem *bw_load_problem(struct bw_loader *loader, enum bw_problem_severity severity, const char *kind,
                                   const struct bw_trail *at, const char *fmt, ...)
{
    struct bw_problems *problems = loader->problems;
    loader->nothing = (struct bw_problem){0};
    if (severity == BW_PROBLEM_ERROR) {
        problems->n_errors++;
        loader->refused = true;
    }
    void *array = problems->items;
    if (!is_listed(problems, severity) || loader->spent ||
        bw_arena_grow(&problems->arena, &array, problems->n_items, &problems->capacity, sizeof(*problems->items),
                      NULL) != 0) {
        return &loader->nothing;
    }
    problems->items = array;
    struct bw_buf path;
    bw_buf_init(&path, BW_MAX_BUNDLE_BYTES);
    append_trail(&path, at);
    va_list args;
    va_start(args, fmt);
    char *message = bw_arena_vprintf(&problems->arena, fmt, args);
    va_end(args);
    char *pointer = bw_arena_strndup(&problems->arena, path.len > 0 ? path.data : "", path.len);
    bw_buf_clear(&path);
    if (message == NULL || pointer == NULL) {
        loader->spent = true;
        return &loader->nothing;
    }
    bw_text_clean(message, false);
    struct bw_problem *problem = &problems->items[problems->n_items++];
    *problem = (struct bw_problem){.severity = severity,
                                   .kind = kind,
                                   .path = pointer,
                                   .message = message,
                                   .gate = loader->gate,
                                   .trigger = loader->trigger,
                                   .rule_id = loader->rule_id};
    return problem;
}
