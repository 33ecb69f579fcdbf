/* base/map: against a plain array of flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 500, STEPS = 20000 };

static size_t key_of(char *out, size_t size, unsigned number)
{
    return (size_t)snprintf(out, size, "%s-%u", number % 2 ? "key" : "a key that is longer than a word", number);
}

/* The map does what an array indexed by the key's number does. */
static void puts_and_removals_agree_with_an_array(void **state)
{
    (void)state;
    struct bw_map *map = bw_map_create();
    void *model[KEYS] = {0};
    size_t count = 0;
    int marks[3];
    uint64_t random = 1;
    for (int step = 0; step < STEPS; step++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        unsigned number = (unsigned)(random >> 33) % KEYS, what = (unsigned)(random >> 55) % 3;
        char key[64];
        size_t len = key_of(key, sizeof(key), number);
        assert_ptr_equal(bw_map_get(map, key, len), model[number]);
        void *value = what == 0 ? NULL : &marks[what];
        if (value) {
            count += model[number] == NULL;
            assert_ptr_equal(bw_map_put(map, key, len, value), model[number]);
        } else {
            count -= model[number] != NULL;
            assert_ptr_equal(bw_map_remove(map, key, len), model[number]);
        }
        model[number] = value;
        assert_int_equal(bw_map_count(map), count);
    }
    size_t cursor = 0, seen = 0;
    const char *key;
    void *value;
    while (bw_map_next(map, &cursor, &key, &value)) {
        unsigned number = (unsigned)strtoul(strchr(key, '-') + 1, NULL, 10);
        assert_ptr_equal(value, model[number]);
        seen++;
    }
    assert_int_equal(seen, count);
    bw_map_destroy(map, NULL);
}

static void keys_are_bytes_with_a_length(void **state)
{
    (void)state;
    struct bw_map *map = bw_map_create();
    int a, b, c;
    bw_map_put(map, "x\0y", 3, &a);
    bw_map_put(map, "x\0z", 3, &b);
    bw_map_put(map, "", 0, &c);
    assert_ptr_equal(bw_map_get(map, "x\0y", 3), &a);
    assert_ptr_equal(bw_map_get(map, "x\0z", 3), &b);
    assert_ptr_equal(bw_map_get(map, NULL, 0), &c);
    assert_null(bw_map_get(map, "x", 1));
    bw_map_destroy(map, NULL);
    bw_map_destroy(NULL, NULL);
}

static void values_are_freed_if_asked(void **state)
{
    (void)state;
    struct bw_map *map = bw_map_create();
    assert_null(bw_map_get(map, "a", 1));
    assert_null(bw_map_remove(map, "a", 1));
    bw_map_put(map, "a", 1, malloc(1));
    bw_map_put(map, "b", 1, malloc(1));
    bw_map_destroy(map, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_and_removals_agree_with_an_array),
        cmocka_unit_test(keys_are_bytes_with_a_length),
        cmocka_unit_test(values_are_freed_if_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
