#ifndef BW_BASE_SLOT_H
#define BW_BASE_SLOT_H

#include <pthread.h>

/* One shared pointer that readers borrow and a writer replaces. The lock covers a load and an increment. */
struct bw_slot {
    pthread_mutex_t lock;
    void *current;
    void *(*retain)(void *object);
    void (*release)(void *object);
};

void bw_slot_init(struct bw_slot *slot, void *(*retain)(void *object), void (*release)(void *object));
void *bw_slot_acquire(struct bw_slot *slot);              /* retained for the caller; NULL while empty */
void bw_slot_replace(struct bw_slot *slot, void *object); /* takes the caller's reference; releases the old one */
void bw_slot_clear(struct bw_slot *slot);

#endif
