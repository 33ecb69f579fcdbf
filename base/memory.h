#ifndef BW_BASE_MEMORY_H
#define BW_BASE_MEMORY_H

#include <stddef.h>

/* The allocator as the whole program wants it: once, by main. */
void bw_memory_set_up(void);

/* malloc for what has no arena: a failure ends the process (Kubernetes restarts it), so nobody has to test for NULL. */
void *bw_memory_zeroed(size_t count, size_t size); /* aborts too when the product overflows */
void *bw_memory_resize(void *block, size_t size);
char *bw_memory_strndup(const char *text, size_t len);
/* Overwrites what is secret, and frees it; NULL is fine. */
void bw_memory_wipe(void *block, size_t size);
void bw_memory_wipe_text(char *text);

#endif
