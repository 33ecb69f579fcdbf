#ifndef BW_IMAGE_ANALYZER_UNPACK_H
#define BW_IMAGE_ANALYZER_UNPACK_H

#include "image/analyzer/layer.h"

/*
 * From the compressed bytes of one layer to its record: inflate, tar walk, diffID. On one thread, which costs
 * least CPU; or on two (inflate | walk with both digests), which is quicker while cores are free.
 */
struct bw_unpack;

struct bw_unpack *bw_unpack_create(struct bw_layer_walk *walk, bool split);
void bw_unpack_destroy(struct bw_unpack *unpack); /* ends its threads; NULL is fine */
int bw_unpack_feed(struct bw_unpack *unpack, const void *bytes, size_t len, struct bw_error *err) BW_MUST_CHECK;
/* After the last byte: the stream must be complete and its digest the diffID. *warning_out: NULL or what was odd. */
int bw_unpack_finish(struct bw_unpack *unpack, const struct bw_digest *diff_id, const char **warning_out,
                     struct bw_error *err) BW_MUST_CHECK;

#endif
