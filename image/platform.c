/* Platforms of the OCI image index ("platform"), in the spellings of GOOS and GOARCH. */
#include "image/platform.h"

#include "base/str.h"

#include <string.h>

static bool is_word(struct bw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.base[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-')) {
            return false;
        }
    }
    return text.len > 0 && text.len <= 64;
}

int bw_platform_parse(struct bw_platform *out, const char *text, struct bw_arena *arena, struct bw_error *err)
{
    struct bw_str rest = bw_str_from(text), part[3] = {{0}};
    size_t n = 0;
    for (struct bw_str one; bw_str_next(&one, &rest, '/'); n++) {
        if (n == 3 || !is_word(one)) {
            n = 0;
            break;
        }
        part[n] = one;
    }
    if (n < 2) {
        return bw_error_set(err, BW_EINPUT, "\"%.80s\" is no platform: os/architecture or os/architecture/variant",
                            text);
    }
    struct bw_platform made = {
        .os = bw_arena_strndup(arena, part[0].base, part[0].len),
        .architecture = bw_arena_strndup(arena, part[1].base, part[1].len),
        .variant = n == 3 ? bw_arena_strndup(arena, part[2].base, part[2].len) : "",
    };
    if (made.os == NULL || made.architecture == NULL || made.variant == NULL) {
        return bw_arena_spent(err);
    }
    *out = made;
    return 0;
}

const char *bw_platform_text(const struct bw_platform *platform, struct bw_arena *arena)
{
    bool variant = platform->variant != NULL && platform->variant[0] != '\0';
    return bw_arena_printf(arena, "%s/%s%s%s", platform->os, platform->architecture, variant ? "/" : "",
                           variant ? platform->variant : "");
}

struct bw_platform bw_platform_here(void)
{
    struct bw_platform here = {.os = "linux", .variant = ""};
#if defined(__x86_64__)
    here.architecture = "amd64";
#elif defined(__aarch64__)
    here.architecture = "arm64";
#elif defined(__arm__)
    here.architecture = "arm";
    here.variant = "v7";
#elif defined(__powerpc64__)
    here.architecture = "ppc64le";
#elif defined(__s390x__)
    here.architecture = "s390x";
#elif defined(__riscv)
    here.architecture = "riscv64";
#else
    here.architecture = "386";
#endif
    return here;
}

/* "v7" is 7; nothing, or what is no version, is -1. */
static int variant_number(const char *variant)
{
    uint64_t number = 0;
    struct bw_str text = bw_str_from(variant);
    if (text.len < 2 || text.base[0] != 'v' ||
        bw_str_uint(&number, (struct bw_str){text.base + 1, text.len - 1}, 10, 99) != 0) {
        return -1;
    }
    return (int)number;
}

bool bw_platform_matches(const struct bw_platform *offered, const struct bw_platform *wanted)
{
    if (strcmp(offered->os, wanted->os) != 0 || strcmp(offered->architecture, wanted->architecture) != 0) {
        return false;
    }
    int has = variant_number(offered->variant), asks = variant_number(wanted->variant);
    if (strcmp(wanted->architecture, "arm64") == 0) {
        return (has < 0 ? 8 : has) <= (asks < 0 ? 8 : asks);
    }
    if (strcmp(wanted->architecture, "arm") == 0) {
        return (has < 0 ? 5 : has) <= (asks < 0 ? 7 : asks);
    }
    if (strcmp(wanted->architecture, "amd64") == 0) {
        return (has < 0 ? 1 : has) <= (asks < 0 ? 1 : asks);
    }
    return has < 0 || asks < 0 || has == asks;
}
