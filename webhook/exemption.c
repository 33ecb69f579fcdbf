/* Exemptions with an end (K-410): an image, by glob or by digest, in some namespaces, until a date. */
#include "webhook/exemption.h"

#include <string.h>

static bool names_digest(const char *const *images, const struct bw_digest *digest)
{
    for (size_t i = 0; images[i] != NULL; i++) {
        if (strcmp(images[i], digest->text) == 0) {
            return true;
        }
    }
    return false;
}

const struct bw_exemption *bw_exemption_find(const struct bw_exemption *exemptions, size_t n_exemptions,
                                             const char *namespace, const struct bw_named_image *image,
                                             const struct bw_digest *digest, int64_t now_s)
{
    for (size_t i = 0; i < n_exemptions; i++) {
        const struct bw_exemption *one = &exemptions[i];
        if (now_s < one->expires_s && (one->namespaces == NULL || bw_globs_match(one->namespaces, namespace)) &&
            (bw_image_globs_match(one->images, image, BW_MATCH_BOTH) ||
             (digest != NULL && names_digest(one->images, digest)))) {
            return one;
        }
    }
    return NULL;
}
