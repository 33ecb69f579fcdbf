/* The first byte chooses how input and output are cut, the rest is the stream; the result may not depend on the cut. */
#include "base/decompress.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 20 };

static long unpack(uint8_t *out, const uint8_t *in, size_t len, enum bw_compression kind, size_t piece)
{
    struct bw_decompress *stream = bw_decompress_create(kind, ROOM - 1, 0);
    struct bw_error err = {0};
    size_t at = 0, made = 0;
    long result;
    do {
        size_t left = len - at < piece ? len - at : piece, room = ROOM - made < piece ? ROOM - made : piece;
        result = bw_decompress_step(stream, out + made, room, in + at, &left, &err);
        if (result >= 0) {
            if (result == 0 && left == 0 && at < len)
                abort(); /* neither reads nor writes: a caller would wait for ever */
            at += left;
            made += (size_t)result;
        }
    } while (result > 0 || (result == 0 && at < len));
    if (result == 0 && bw_decompress_finish(stream, &err))
        result = -1;
    bw_decompress_destroy(stream);
    return result < 0 ? -1 : (long)made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5)
        return 0;
    enum bw_compression kind = bw_compression_guess(data + 1, size - 1);
    uint8_t *whole = bw_memory_zeroed(1, ROOM), *cut = bw_memory_zeroed(1, ROOM);
    long n = unpack(whole, data + 1, size - 1, kind, ROOM), m = unpack(cut, data + 1, size - 1, kind, data[0] + 1U);
    if (n != m || (n > 0 && memcmp(whole, cut, (size_t)n) != 0))
        abort();
    free(whole);
    free(cut);
    return 0;
}
