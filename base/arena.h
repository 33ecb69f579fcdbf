#ifndef BW_BASE_ARENA_H
#define BW_BASE_ARENA_H

#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>

/* Memory that lives and dies together: one arena per admission, per loaded bundle, per report. Not for sharing
 * between threads while it is written. */
struct bw_arena_page;
struct bw_arena {
    struct bw_arena_page *pages;
    size_t used;
    size_t budget; /* allocation past this fails; see base/limits.h */
};

void bw_arena_init(struct bw_arena *arena, size_t budget);
void bw_arena_clear(struct bw_arena *arena); /* frees everything; the arena can be used again with the same budget */

/* Zeroed and aligned for any type. NULL only when the budget is spent; if malloc itself fails, we abort. */
void *bw_arena_alloc(struct bw_arena *arena, size_t size) BW_MUST_CHECK;
void *bw_arena_array(struct bw_arena *arena, size_t count, size_t size) BW_MUST_CHECK; /* checks the product */
char *bw_arena_strndup(struct bw_arena *arena, const char *text, size_t len) BW_MUST_CHECK;
char *bw_arena_strdup(struct bw_arena *arena, const char *text) BW_MUST_CHECK;
char *bw_arena_printf(struct bw_arena *arena, const char *fmt, ...) BW_PRINTF(2, 3) BW_MUST_CHECK;
char *bw_arena_vprintf(struct bw_arena *arena, const char *fmt, va_list args) BW_PRINTF(2, 0) BW_MUST_CHECK;

/* The error that every spent budget becomes. Returns -1. */
int bw_arena_spent(struct bw_error *err);
#define bw_arena_spent(err)                                                                                            \
    __extension__({                                                                                                    \
        (bw_arena_spent)(err);                                                                                         \
        -1;                                                                                                            \
    })

/* Room for one more element of a growing array that lives in an arena: *array of *capacity elements of `size`
 * bytes, `count` of them used. Doubles. 0 or -1. */
int bw_arena_grow(struct bw_arena *arena, void **array, size_t count, size_t *capacity, size_t size,
                  struct bw_error *err) BW_MUST_CHECK;

#define BW_ARENA_SCOPE __attribute__((cleanup(bw_arena_clear))) struct bw_arena

#endif
