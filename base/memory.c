/* The allocations that may not fail: without memory a validating webhook has no sensible answer, so the process ends at
 * once and is started anew, instead of carrying recovery paths that no test reaches. */
#include "base/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
    static const char text[] = "{\"level\":\"error\",\"message\":\"out of memory\"}\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)written;
    abort();
}

/* Small pieces that were freed are joined at once: a document's tree has hundreds of thousands, and glibc's way of
 * joining them later goes through all of memory once more. */
void bw_memory_set_up(void)
{
    (void)mallopt(M_MXFAST, 0);
}

void *bw_memory_zeroed(size_t count, size_t size)
{
    void *block = calloc(count ? count : 1, size ? size : 1);
    if (!block)
        out_of_memory();
    return block;
}

void *bw_memory_resize(void *block, size_t size)
{
    block = realloc(block, size ? size : 1);
    if (!block)
        out_of_memory();
    return block;
}

char *bw_memory_strndup(const char *text, size_t len)
{
    char *copy = bw_memory_zeroed(1, len + 1);
    if (len)
        memcpy(copy, text, len);
    return copy;
}

void bw_memory_wipe(void *block, size_t size)
{
    if (block != NULL) {
        explicit_bzero(block, size);
        free(block);
    }
}

void bw_memory_wipe_text(char *text)
{
    bw_memory_wipe(text, text == NULL ? 0 : strlen(text));
}
