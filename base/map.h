#ifndef BW_BASE_MAP_H
#define BW_BASE_MAP_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Text to pointer, open addressing, hash seeded once per process. Keys are copied; values are borrowed. */
struct bw_map;

struct bw_map *bw_map_create(void);
void bw_map_destroy(struct bw_map *map, void (*free_value)(void *value)); /* either may be NULL */
void *bw_map_get(const struct bw_map *map, const char *key, size_t len);  /* NULL if absent */
void *bw_map_put(struct bw_map *map, const char *key, size_t len,
                 void *value);                                        /* returns the value replaced, or NULL */
void *bw_map_remove(struct bw_map *map, const char *key, size_t len); /* returns the value removed, or NULL */
size_t bw_map_count(const struct bw_map *map);
/* Steps through all entries in no order: begin with *cursor 0; false at the end. Do not change the map meanwhile. */
bool bw_map_next(const struct bw_map *map, size_t *cursor, const char **key, void **value);

#endif
