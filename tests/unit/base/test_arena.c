/* base/arena: budgets, alignment, zeroed memory, pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

#include <string.h>

static void memory_is_zeroed_and_aligned_and_does_not_overlap(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 64 * 1024 * 1024);
    unsigned char *blocks[2000];
    for (size_t i = 0; i < BW_LENGTH(blocks); i++) {
        size_t size = i % 97 + 1 + (i % 500 == 0 ? 400000 : 0);
        blocks[i] = bw_arena_alloc(&arena, size);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], (int)(i % 255) + 1, size);
        assert_non_null(bw_arena_strdup(&arena, "x"));
    }
    for (size_t i = 0; i < BW_LENGTH(blocks); i++)
        for (size_t k = 0; k < i % 97 + 1; k++)
            assert_int_equal(blocks[i][k], i % 255 + 1);
}

/* Pages are not: what the heap had before must not show. */
static void memory_is_zeroed_also_where_something_was_before(void **state)
{
    (void)state;
    struct bw_error err = {0};
    for (int round = 0; round < 2; round++) {
        BW_ARENA_SCOPE arena;
        bw_arena_init(&arena, 1 << 24);
        void *array = NULL;
        size_t capacity = 0;
        for (size_t count = 0; count < 5000; count++) {
            assert_int_equal(0, bw_arena_grow(&arena, &array, count, &capacity, 40, &err));
            for (size_t i = 40 * count; i < 40 * capacity; i += 8)
                assert_int_equal(0, ((unsigned char *)array)[i]);
            memset((unsigned char *)array + 40 * count, 0xee, 40);
            unsigned char *other = bw_arena_alloc(&arena, 100);
            for (size_t i = 0; i < 100; i++)
                assert_int_equal(0, other[i]);
            memset(other, 0xee, 100);
        }
    }
}

static void the_budget_counts_requested_bytes(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 100);
    assert_null(bw_arena_alloc(&arena, 101));
    assert_non_null(bw_arena_alloc(&arena, 60));
    assert_null(bw_arena_alloc(&arena, 41));
    assert_non_null(bw_arena_alloc(&arena, 40));
    assert_null(bw_arena_alloc(&arena, 1));
    assert_int_equal(arena.used, 100);
    bw_arena_clear(&arena);
    assert_non_null(bw_arena_alloc(&arena, 100));
}

static void huge_requests_are_refused_without_wrapping_around(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 1000);
    assert_null(bw_arena_alloc(&arena, SIZE_MAX));
    assert_null(bw_arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(bw_arena_strndup(&arena, "", SIZE_MAX));
    assert_non_null(bw_arena_array(&arena, 0, 8));
}

static void texts_are_copied_and_terminated(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    bw_arena_init(&arena, 1000);
    char *copy = bw_arena_strndup(&arena, "abcdef", 3);
    assert_string_equal(copy, "abc");
    assert_string_equal(bw_arena_printf(&arena, "%s-%d", "x", 42), "x-42");
    assert_string_equal(bw_arena_strndup(&arena, NULL, 0), "");
    bw_arena_clear(&arena);
    bw_arena_init(&arena, 4);
    assert_null(bw_arena_printf(&arena, "%s", "abcd"));
    struct bw_error err = {0};
    assert_int_equal(bw_arena_spent(&err), -1);
    assert_int_equal(err.code, BW_ELIMIT);
}

static void a_growing_array_keeps_its_elements(void **state)
{
    (void)state;
    BW_ARENA_SCOPE arena;
    struct bw_error err = {0};
    bw_arena_init(&arena, 64 * 1024);
    void *array = NULL;
    size_t capacity = 0, count = 0;
    for (; count < 1000; count++) {
        assert_int_equal(bw_arena_grow(&arena, &array, count, &capacity, sizeof(int), &err), 0);
        ((int *)array)[count] = (int)count;
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(((int *)array)[i], i);
    int result = 0;
    while ((result = bw_arena_grow(&arena, &array, capacity, &capacity, sizeof(int), &err)) == 0)
        ;
    assert_int_equal(err.code, BW_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned_and_does_not_overlap),
        cmocka_unit_test(memory_is_zeroed_also_where_something_was_before),
        cmocka_unit_test(the_budget_counts_requested_bytes),
        cmocka_unit_test(huge_requests_are_refused_without_wrapping_around),
        cmocka_unit_test(texts_are_copied_and_terminated),
        cmocka_unit_test(a_growing_array_keeps_its_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
