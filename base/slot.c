/* The slot (base/slot.h): a lock around "load the pointer and count it up", since an atomic load followed by an
 * increment races with the last release. */
#include "base/slot.h"

#include <stddef.h>

void bw_slot_init(struct bw_slot *slot, void *(*retain)(void *object), void (*release)(void *object))
{
    pthread_mutex_init(&slot->lock, NULL);
    slot->current = NULL;
    slot->retain = retain;
    slot->release = release;
}

void *bw_slot_acquire(struct bw_slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    void *object = slot->current ? slot->retain(slot->current) : NULL;
    pthread_mutex_unlock(&slot->lock);
    return object;
}

void bw_slot_replace(struct bw_slot *slot, void *object)
{
    pthread_mutex_lock(&slot->lock);
    void *old = slot->current;
    slot->current = object;
    pthread_mutex_unlock(&slot->lock);
    if (old)
        slot->release(old);
}

void bw_slot_clear(struct bw_slot *slot)
{
    bw_slot_replace(slot, NULL);
    pthread_mutex_destroy(&slot->lock);
}
