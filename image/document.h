#ifndef BW_IMAGE_DOCUMENT_H
#define BW_IMAGE_DOCUMENT_H

#include "base/json.h"

/*
 * JSON of an image (manifest, index, configuration) as every runtime reads it alike, or not at all. Go's encoding/json,
 * by which containerd and CRI-O read these documents, takes names in any case, and the last of several; a document in
 * which that matters would run as something else than was analysed. Internal to the room.
 */
enum bw_document { BW_DOCUMENT_MANIFEST, BW_DOCUMENT_CONFIG };

int bw_document_parse(json_t **out, enum bw_document kind, const char *bytes, size_t len,
                      struct bw_error *err) BW_MUST_CHECK;

#endif
