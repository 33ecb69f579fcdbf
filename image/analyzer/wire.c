/* Whole reads and writes between the two processes of an analysis. */
#include "image/analyzer/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int bw_wire_read(int fd, void *into, size_t len)
{
    char *at = into;
    while (len > 0) {
        ssize_t got = read(fd, at, len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return -1;
        }
        at += got;
        len -= (size_t)got;
    }
    return 0;
}

int bw_wire_write(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t put = send(fd, at, len, MSG_NOSIGNAL); /* every descriptor here is a socket */
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return -1;
        }
        at += put;
        len -= (size_t)put;
    }
    return 0;
}
