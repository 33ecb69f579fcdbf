/* The arena (base/arena.h): a list of pages that double from 4 KiB to 1 MiB and are filled from the front; what would
 * fill a quarter of the largest page gets a page of its own. Texts are packed without alignment, since reports hold
 * millions of them. What is handed out is zeroed then, not the page: most pages are never filled, and texts and copies
 * need no zeros. A page of one's own comes zeroed from the system, which touches no memory for it. */
#include "base/arena.h"

#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define POISON(address, size)   ASAN_POISON_MEMORY_REGION((address), (size))
#define UNPOISON(address, size) ASAN_UNPOISON_MEMORY_REGION((address), (size))
#else
#define POISON(address, size)   ((void)(address), (void)(size))
#define UNPOISON(address, size) ((void)(address), (void)(size))
#endif

enum { ALIGNMENT = 16, FIRST_PAGE = 4096, LAST_PAGE = 1024 * 1024, OWN_PAGE = LAST_PAGE / 4, FIRST_CAPACITY = 8 };

struct bw_arena_page {
    struct bw_arena_page *next;
    size_t size; /* of bytes[] */
    size_t used;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

void bw_arena_init(struct bw_arena *arena, size_t budget)
{
    *arena = (struct bw_arena){.budget = budget};
}

void bw_arena_clear(struct bw_arena *arena)
{
    struct bw_arena_page *page = arena->pages;
    while (page) {
        struct bw_arena_page *next = page->next;
        UNPOISON(page->bytes, page->size);
        free(page);
        page = next;
    }
    arena->pages = NULL;
    arena->used = 0;
}

static struct bw_arena_page *page_create(size_t size, bool clean)
{
    struct bw_arena_page *page =
        clean ? bw_memory_zeroed(1, sizeof(*page) + size) : bw_memory_resize(NULL, sizeof(*page) + size);
    *page = (struct bw_arena_page){.size = size};
    POISON(page->bytes, size);
    return page;
}

static void *page_take(struct bw_arena_page *page, size_t start, size_t size)
{
    page->used = start + size;
    UNPOISON(page->bytes + start, size);
    return page->bytes + start;
}

#ifdef BREAKWATER_ARENA_MALLOC
static void *take(struct bw_arena *arena, size_t size, size_t alignment, bool *clean)
{
    (void)alignment;
    *clean = true;
    struct bw_arena_page *page = page_create(size, true);
    page->next = arena->pages;
    arena->pages = page;
    return page_take(page, 0, size);
}
#else
static void *take(struct bw_arena *arena, size_t size, size_t alignment, bool *clean)
{
    struct bw_arena_page *page = arena->pages;
    *clean = false;
    if (page) {
        size_t start = (page->used + alignment - 1) & ~(alignment - 1);
        if (start <= page->size && size <= page->size - start)
            return page_take(page, start, size);
    }
    if (size >= OWN_PAGE && page) { /* behind the page being filled, which goes on being filled */
        struct bw_arena_page *own = page_create(size, true);
        *clean = true;
        own->next = page->next;
        page->next = own;
        return page_take(own, 0, size);
    }
    size_t next_size = FIRST_PAGE;
    if (page)
        next_size = page->size >= LAST_PAGE / 2 ? LAST_PAGE : 2 * (page->size + sizeof(*page));
    size_t room = next_size - sizeof(*page);
    struct bw_arena_page *fresh = page_create(size > room ? size : room, false);
    fresh->next = page;
    arena->pages = fresh;
    return page_take(fresh, 0, size);
}
#endif

/* The first `unclean` bytes are not zeroed: the caller writes them. */
static void *take_budgeted(struct bw_arena *arena, size_t size, size_t alignment, size_t unclean)
{
    if (size == 0)
        size = 1;
    if (size > arena->budget || arena->used > arena->budget - size)
        return NULL;
    arena->used += size;
    bool clean;
    unsigned char *taken = take(arena, size, alignment, &clean);
    if (!clean && unclean < size)
        memset(taken + unclean, 0, size - unclean);
    return taken;
}

void *bw_arena_alloc(struct bw_arena *arena, size_t size)
{
    return take_budgeted(arena, size, ALIGNMENT, 0);
}

void *bw_arena_array(struct bw_arena *arena, size_t count, size_t size)
{
    size_t product;
    if (__builtin_mul_overflow(count, size, &product))
        return NULL;
    return take_budgeted(arena, product, ALIGNMENT, 0);
}

char *bw_arena_strndup(struct bw_arena *arena, const char *text, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = take_budgeted(arena, len + 1, 1, len);
    if (copy && len)
        memcpy(copy, text, len);
    return copy;
}

char *bw_arena_strdup(struct bw_arena *arena, const char *text)
{
    return bw_arena_strndup(arena, text, strlen(text));
}

char *bw_arena_printf(struct bw_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = bw_arena_vprintf(arena, fmt, args);
    va_end(args);
    return text;
}

char *bw_arena_vprintf(struct bw_arena *arena, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    char *text = len < 0 ? NULL : take_budgeted(arena, (size_t)len + 1, 1, (size_t)len + 1);
    if (text)
        vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}

int(bw_arena_spent)(struct bw_error *err)
{
    return bw_error_detail(err, BW_ELIMIT, "memory_budget", "the memory allowed for this piece of work is used up");
}

int bw_arena_grow(struct bw_arena *arena, void **array, size_t count, size_t *capacity, size_t size,
                  struct bw_error *err)
{
    if (count < *capacity)
        return 0;
    if (*capacity > SIZE_MAX / 2)
        return bw_arena_spent(err);
    size_t wanted = *capacity ? 2 * *capacity : FIRST_CAPACITY;
    size_t kept = count < *capacity ? count : *capacity; /* who asks for room for several asks beyond the end */
    size_t product;
    if (__builtin_mul_overflow(wanted, size, &product))
        return bw_arena_spent(err);
    void *larger = take_budgeted(arena, product, ALIGNMENT, kept * size);
    if (!larger)
        return bw_arena_spent(err);
    if (kept)
        memcpy(larger, *array, kept * size);
    *array = larger;
    *capacity = wanted;
    return 0;
}
