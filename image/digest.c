/* Content addresses: OCI image specification, "Digests". Only the registered algorithms, lower-case hex. */
#include "image/digest.h"

#include <string.h>

static bool is_lower_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

int bw_digest_parse(struct bw_digest *out, const char *text, size_t len, struct bw_error *err)
{
    struct bw_str all = {text, len};
    size_t prefix = 7, digits = 0;
    if (bw_str_starts_with(all, "sha256:")) {
        digits = 64;
    } else if (bw_str_starts_with(all, "sha512:")) {
        digits = 128;
    }
    if (digits == 0 || len != prefix + digits || !is_lower_hex(text + prefix, digits)) {
        return bw_error_detail(err, BW_EINPUT, "invalid_digest",
                               "\"%.*s\" is no digest: sha256: and 64, or sha512: and 128 lower-case hex digits",
                               (int)(len > 140 ? 140 : len), text);
    }
    struct bw_digest made;
    memset(&made, 0, sizeof(made));
    memcpy(made.text, text, len);
    *out = made;
    return 0;
}

bool bw_digest_equal(const struct bw_digest *a, const struct bw_digest *b)
{
    return strcmp(a->text, b->text) == 0;
}

enum bw_hash_kind bw_digest_kind(const struct bw_digest *digest)
{
    return digest->text[3] == '5' ? BW_SHA512 : BW_SHA256;
}

const char *bw_digest_hex(const struct bw_digest *digest)
{
    return digest->text[0] == '\0' ? digest->text : digest->text + 7;
}

void bw_digest_short(char out[13], const struct bw_digest *digest)
{
    const char *hex = bw_digest_hex(digest);
    size_t n = strnlen(hex, 12);
    memcpy(out, hex, n);
    out[n] = '\0';
}

void bw_digest_of(struct bw_digest *out, const void *bytes, size_t len)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->text, "sha256:", 7);
    bw_hash_hex(out->text + 7, BW_SHA256, bytes, len);
}
