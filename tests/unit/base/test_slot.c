/* base/slot: readers and a writer at once; run under ThreadSanitizer too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { READERS = 4, SWAPS = 5000 };

struct counted {
    atomic_int count;
    int payload;
};

static atomic_int alive;
static atomic_bool done;

static struct counted *counted_create(int payload)
{
    struct counted *object = malloc(sizeof(*object));
    atomic_init(&object->count, 1);
    object->payload = payload;
    atomic_fetch_add(&alive, 1);
    return object;
}

static void *counted_retain(void *object)
{
    atomic_fetch_add(&((struct counted *)object)->count, 1);
    return object;
}

static void counted_release(void *object)
{
    if (atomic_fetch_sub(&((struct counted *)object)->count, 1) != 1)
        return;
    free(object);
    atomic_fetch_sub(&alive, 1);
}

static void *reader(void *slot)
{
    intptr_t wrong = 0;
    while (!atomic_load(&done)) {
        struct counted *object = bw_slot_acquire(slot);
        if (!object)
            continue;
        wrong += object->payload < 0;
        counted_release(object);
    }
    return (void *)wrong;
}

static void readers_never_see_a_freed_object(void **state)
{
    (void)state;
    struct bw_slot slot;
    pthread_t threads[READERS];
    bw_slot_init(&slot, counted_retain, counted_release);
    assert_null(bw_slot_acquire(&slot));
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &slot), 0);
    for (int i = 0; i < SWAPS; i++)
        bw_slot_replace(&slot, counted_create(i));
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(atomic_load(&alive), 1);
    bw_slot_clear(&slot);
    assert_int_equal(atomic_load(&alive), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_never_see_a_freed_object)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
