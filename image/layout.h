#ifndef BW_IMAGE_LAYOUT_H
#define BW_IMAGE_LAYOUT_H

#include "image/source.h"

/*
 * An OCI image layout folder (image-layout specification: oci-layout, index.json, blobs/<algorithm>/<hex>) as a source.
 * The reference's tag is looked up as annotation org.opencontainers.image.ref.name in index.json; with a single
 * manifest in it any tag names that one. Blobs are opened beneath the folder only, symlinks refused.
 */
int bw_layout_open(struct bw_image_source **out, const char *folder, struct bw_error *err) BW_MUST_CHECK;

/* "oci:DIR[:TAG]": folder and the reference "localhost/<last part of DIR>:TAG" (latest). false if it is no such text.
 */
bool bw_layout_parse(const char **folder_out, struct bw_reference *reference_out, const char *text,
                     struct bw_arena *arena, struct bw_error *err);

#endif
