#ifndef BW_IMAGE_ANALYZER_WIRE_H
#define BW_IMAGE_ANALYZER_WIRE_H

#include "image/needs.h"

#include <stdint.h>

/*
 * What parent and child of an analysis say to one another. One socket carries the request and the result; one socket
 * and one ring of shared memory per lane carry layers: the parent writes a message per filled slot, the child a byte
 * per slot that it is done with. Slots are used in a circle. Both run the same program, so structures cross as they
 * are.
 */
enum {
    BW_SLOT_BYTES = 256 * 1024,
    BW_LANE_SLOTS = 12,
    BW_MAX_LANES = 8,
    BW_FD_CONTROL = 3, /* in the child; the lanes' sockets follow, then the shared memory */
};

enum bw_lane_kind { BW_LANE_LAYER = 1, BW_LANE_DATA, BW_LANE_END };

struct bw_lane_message {
    uint32_t kind;
    uint32_t value; /* LAYER: its index; DATA: bytes in the next slot */
};

struct bw_wire_request { /* followed by the texts: manifest, config, then each list of needs, NUL-terminated */
    uint64_t manifest_len, config_len;
    uint64_t secret_max_bytes, retrieved_max_bytes;
    int64_t completed_s;
    uint32_t n_secret_patterns, n_content_patterns, n_retrieved_paths;
    uint32_t needs_len;
    uint32_t lanes, cpu_s, file_digests;
};

struct bw_wire_result { /* followed by len bytes: the report, or the error as a struct bw_error */
    uint32_t failed;
    uint32_t layer; /* of a failure: which layer's content, from 1; 0: none of them */
    uint64_t len;
};

/* Whole reads and writes on a blocking descriptor; -1 on end of file or error. */
int bw_wire_read(int fd, void *into, size_t len) BW_MUST_CHECK;
int bw_wire_write(int fd, const void *bytes, size_t len) BW_MUST_CHECK;

#endif
