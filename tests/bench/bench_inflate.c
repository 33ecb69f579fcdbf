/* The floor of a cold analysis: inflate a gzip file and throw the bytes away.  bench_inflate isal|zlib FILE */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#ifdef BREAKWATER_ISAL
#include <isa-l/igzip_lib.h>
#endif

enum { CHUNK = 256 * 1024 };

static uint8_t in[CHUNK], out[CHUNK];

static int with_zlib(int fd, uint64_t *total)
{
    z_stream stream;
    memset(&stream, 0, sizeof(stream));
    if (inflateInit2(&stream, 15 + 16) != Z_OK) {
        return -1;
    }
    int status = Z_OK;
    for (ssize_t got = read(fd, in, CHUNK); got > 0; got = read(fd, in, CHUNK)) {
        stream.next_in = in;
        stream.avail_in = (unsigned)got;
        while (stream.avail_in > 0) {
            stream.next_out = out;
            stream.avail_out = CHUNK;
            status = inflate(&stream, Z_NO_FLUSH);
            *total += CHUNK - stream.avail_out;
            if (status == Z_STREAM_END) {
                (void)inflateReset(&stream);
            } else if (status != Z_OK && status != Z_BUF_ERROR) {
                return -1;
            }
        }
    }
    (void)inflateEnd(&stream);
    return 0;
}

#ifdef BREAKWATER_ISAL
static int with_isal(int fd, uint64_t *total)
{
    static struct inflate_state state;
    isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP;
    for (ssize_t got = read(fd, in, CHUNK); got > 0; got = read(fd, in, CHUNK)) {
        state.next_in = in;
        state.avail_in = (uint32_t)got;
        do {
            state.next_out = out;
            state.avail_out = CHUNK;
            if (isal_inflate(&state) != ISAL_DECOMP_OK) {
                return -1;
            }
            *total += CHUNK - state.avail_out;
            if (state.block_state == ISAL_BLOCK_FINISH && state.avail_in > 0) {
                isal_inflate_reset(&state);
                state.crc_flag = ISAL_GZIP;
            }
        } while (state.avail_in > 0 || state.avail_out == 0);
    }
    return 0;
}
#endif

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: bench_inflate isal|zlib FILE\n");
        return 2;
    }
    int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)fprintf(stderr, "%s: %s\n", argv[2], strerror(errno));
        return 2;
    }
    uint64_t total = 0;
    int status = -1;
    if (strcmp(argv[1], "zlib") == 0) {
        status = with_zlib(fd, &total);
    }
#ifdef BREAKWATER_ISAL
    if (strcmp(argv[1], "isal") == 0) {
        status = with_isal(fd, &total);
    }
#endif
    printf("%llu bytes\n", (unsigned long long)total);
    (void)close(fd);
    return status == 0 ? 0 : 1;
}
