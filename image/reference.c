/*
 * Image references as container runtimes read them (distribution/reference grammar, containerd's defaults):
 * [host[:port]/]path[:tag][@digest]. The first component is a host if it has a dot, a colon or an upper-case letter, or
 * is "localhost".
 */
#include "image/reference.h"

#include "base/limits.h"

#include <string.h>

static int refuse(struct bw_error *err, struct bw_str text, const char *why)
{
    return bw_error_detail(err, BW_EINPUT, "invalid_reference", "\"%.*s\" is no image reference: %s",
                           (int)(text.len > 200 ? 200 : text.len), text.base, why);
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_lower_or_digit(c) || is_upper(c);
}

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool is_path_component(struct bw_str text)
{
    size_t i = 0;
    while (i < text.len) {
        size_t begin = i;
        while (i < text.len && is_lower_or_digit(text.base[i])) {
            i++;
        }
        if (i == begin) {
            return false;
        }
        if (i == text.len) {
            return true;
        }
        char separator = text.base[i];
        size_t run = i;
        while (i < text.len && text.base[i] == separator) {
            i++;
        }
        run = i - run;
        if (!((separator == '.' && run == 1) || (separator == '_' && run <= 2) || separator == '-')) {
            return false;
        }
    }
    return false;
}

static bool is_tag(struct bw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.base[i];
        if (!(is_alnum(c) || c == '_' || (i > 0 && (c == '.' || c == '-')))) {
            return false;
        }
    }
    return text.len > 0 && text.len <= BW_MAX_TAG_BYTES;
}

/* A DNS name or IPv4 address, or an IPv6 address in brackets, with an optional port. */
static bool is_host(struct bw_str text)
{
    struct bw_str name = text, port = {0};
    if (text.len > 0 && text.base[0] == '[') {
        const char *close = memchr(text.base, ']', text.len);
        if (close == NULL) {
            return false;
        }
        name = (struct bw_str){text.base + 1, (size_t)(close - text.base) - 1};
        port = (struct bw_str){close + 1, text.len - name.len - 2};
        for (size_t i = 0; i < name.len; i++) {
            char c = name.base[i];
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.')) {
                return false;
            }
        }
    } else {
        const char *colon = memchr(text.base, ':', text.len);
        if (colon != NULL) {
            name.len = (size_t)(colon - text.base);
            port = (struct bw_str){colon, text.len - name.len};
        }
        for (size_t i = 0; i < name.len; i++) {
            bool edge = i == 0 || i + 1 == name.len || name.base[i - 1] == '.' || name.base[i + 1] == '.';
            char c = name.base[i];
            if (!(is_alnum(c) || (!edge && c == '-') ||
                  (c == '.' && i > 0 && i + 1 < name.len && name.base[i - 1] != '.'))) {
                return false;
            }
        }
    }
    uint64_t number = 0;
    if (port.len > 0 &&
        (port.base[0] != ':' || bw_str_uint(&number, (struct bw_str){port.base + 1, port.len - 1}, 10, 65535) != 0)) {
        return false;
    }
    return name.len > 0 && name.len <= 255;
}

static bool looks_like_host(struct bw_str first)
{
    if (bw_str_is(first, "localhost")) {
        return true;
    }
    for (size_t i = 0; i < first.len; i++) {
        if (first.base[i] == '.' || first.base[i] == ':' || first.base[i] == '[' || is_upper(first.base[i])) {
            return true;
        }
    }
    return false;
}

static bool is_hex64(struct bw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!((text.base[i] >= '0' && text.base[i] <= '9') || (text.base[i] >= 'a' && text.base[i] <= 'f'))) {
            return false;
        }
    }
    return text.len == 64;
}

static int check_path(struct bw_str path, struct bw_str whole, struct bw_error *err)
{
    for (size_t i = 0; i < path.len; i++) {
        if (is_upper(path.base[i])) {
            return refuse(err, whole, "a repository is written in lower case");
        }
    }
    struct bw_str rest = path;
    for (struct bw_str one; bw_str_next(&one, &rest, '/');) {
        if (!is_path_component(one)) {
            return refuse(err, whole,
                          path.len == 0
                              ? "it names no repository"
                              : "a repository has lower-case letters and digits, joined by single '.', '_', '__', "
                                "'-' or '/'");
        }
    }
    return 0;
}

/* Takes "@digest" and ":tag" off the end of *rest. */
static int take_suffixes(struct bw_digest *digest, struct bw_str *tag, struct bw_str *rest, struct bw_str whole,
                         struct bw_error *err)
{
    const char *at = memchr(rest->base, '@', rest->len);
    if (at != NULL) {
        size_t before = (size_t)(at - rest->base);
        if (bw_digest_parse(digest, at + 1, rest->len - before - 1, NULL) != 0) {
            return refuse(err, whole,
                          "what follows '@' is not sha256: and 64 (or sha512: and 128) lower-case hex digits");
        }
        rest->len = before;
    }
    const char *slash = memrchr(rest->base, '/', rest->len);
    size_t from = slash == NULL ? 0 : (size_t)(slash - rest->base);
    const char *colon = memchr(rest->base + from, ':', rest->len - from);
    if (colon != NULL) {
        *tag = (struct bw_str){colon + 1, rest->len - (size_t)(colon - rest->base) - 1};
        if (!is_tag(*tag)) {
            return refuse(err, whole,
                          "a tag has at most 128 letters, digits, '_', '.' and '-', and begins with none of '.', '-'");
        }
        rest->len = (size_t)(colon - rest->base);
    }
    return 0;
}

int bw_reference_parse(struct bw_reference *out, const char *text, size_t len, struct bw_arena *arena,
                       struct bw_error *err)
{
    struct bw_str whole = bw_str_trim((struct bw_str){text, len});
    if (whole.len == 0) {
        return bw_error_detail(err, BW_EINPUT, "invalid_reference", "the image reference is empty");
    }
    if (whole.len > BW_MAX_REFERENCE_BYTES) {
        return refuse(err, whole, "it is longer than 4096 bytes");
    }
    for (size_t i = 0; i < whole.len; i++) {
        if ((unsigned char)whole.base[i] <= ' ' || (unsigned char)whole.base[i] >= 0x7f) {
            return refuse(err, whole, "it holds a blank, a control character or a character outside ASCII");
        }
    }
    struct bw_digest digest = {{0}};
    struct bw_str host = {0}, tag = {0}, rest = whole;
    const char *slash = memchr(whole.base, '/', whole.len);
    if (slash != NULL && looks_like_host((struct bw_str){whole.base, (size_t)(slash - whole.base)})) {
        host = (struct bw_str){whole.base, (size_t)(slash - whole.base)};
        rest = (struct bw_str){slash + 1, whole.len - host.len - 1};
        if (!is_host(host)) {
            return refuse(err, whole, "what stands before the first '/' is no host name with an optional port");
        }
    }
    if (take_suffixes(&digest, &tag, &rest, whole, err) != 0 || check_path(rest, whole, err) != 0) {
        return -1;
    }
    if (host.len == 0 && is_hex64(rest)) {
        return refuse(err, whole, "a name of 64 hex digits could be mistaken for an image id");
    }
    bool hub = host.len == 0 || bw_str_is(host, "docker.io") || bw_str_is(host, "index.docker.io");
    bool library = hub && memchr(rest.base, '/', rest.len) == NULL;
    if (rest.len + (library ? 8 : 0) > BW_MAX_REPOSITORY_BYTES) {
        return refuse(err, whole, "the repository is longer than 255 characters");
    }
    struct bw_reference made = {.digest = digest};
    made.registry = hub ? "docker.io" : bw_arena_strndup(arena, host.base, host.len);
    made.repository = bw_arena_printf(arena, "%s%.*s", library ? "library/" : "", (int)rest.len, rest.base);
    if (tag.len > 0) {
        made.tag = bw_arena_strndup(arena, tag.base, tag.len);
    } else if (digest.text[0] == '\0') {
        made.tag = "latest";
    }
    if (made.registry == NULL || made.repository == NULL || (tag.len > 0 && made.tag == NULL)) {
        return bw_arena_spent(err);
    }
    *out = made;
    return 0;
}

const char *bw_reference_text(const struct bw_reference *reference, struct bw_arena *arena)
{
    bool digest = reference->digest.text[0] != '\0';
    return bw_arena_printf(arena, "%s/%s%s%s%s%s", reference->registry, reference->repository,
                           reference->tag != NULL ? ":" : "", reference->tag != NULL ? reference->tag : "",
                           digest ? "@" : "", reference->digest.text);
}

int bw_reference_copy(struct bw_reference *out, const struct bw_reference *reference, struct bw_arena *arena)
{
    struct bw_reference made = {
        .registry = bw_arena_strdup(arena, reference->registry),
        .repository = bw_arena_strdup(arena, reference->repository),
        .tag = reference->tag == NULL ? NULL : bw_arena_strdup(arena, reference->tag),
        .digest = reference->digest,
    };
    if (made.registry == NULL || made.repository == NULL || (reference->tag != NULL && made.tag == NULL)) {
        return -1;
    }
    *out = made;
    return 0;
}
