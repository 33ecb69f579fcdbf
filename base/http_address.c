/*
 * The address guard. Image names come from whoever may create a pod, so where breakwater connects is up to them:
 * loopback, link-local, multicast and the metadata addresses of clouds are refused, also behind the IPv6 forms that
 * carry an IPv4 address (RFC 4291 mapped and compatible, RFC 6052 NAT64, RFC 3056 6to4).
 */
#include "base/http_internal.h"

#include <arpa/inet.h>
#include <string.h>

static const char *const refused_blocks[] = {
    "0.0.0.0/8",          /* this host */
    "127.0.0.0/8",        /* loopback */
    "169.254.0.0/16",     /* link-local, metadata of most clouds */
    "100.100.100.200/32", /* metadata of Alibaba */
    "168.63.129.16/32",   /* host agent of Azure */
    "224.0.0.0/4",        /* multicast */
    "255.255.255.255/32", /* broadcast */
    "::/128",             /* this host */
    "::1/128",            /* loopback */
    "fe80::/10",          /* link-local */
    "ff00::/8",           /* multicast */
    "fd00:ec2::254/128",  /* metadata of AWS */
};

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static const uint8_t nat64_prefix[12] = {0, 0x64, 0xff, 0x9b};
static const uint8_t compatible_prefix[12] = {0};

static void map_v4(uint8_t out[16], const uint8_t v4[4])
{
    uint8_t made[16];
    memcpy(made, mapped_prefix, 12);
    memcpy(made + 12, v4, 4);
    memcpy(out, made, 16);
}

bool bw_address_parse(uint8_t out[16], const char *text)
{
    char plain[INET6_ADDRSTRLEN];
    size_t len = strlen(text);
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    text += brackets ? 1 : 0;
    len -= brackets ? 2 : 0;
    if (len >= sizeof(plain)) {
        return false;
    }
    memcpy(plain, text, len);
    plain[len] = '\0';
    uint8_t v4[4];
    if (!brackets && inet_pton(AF_INET, plain, v4) == 1) {
        map_v4(out, v4);
        return true;
    }
    return inet_pton(AF_INET6, plain, out) == 1;
}

bool bw_address_of_socket(uint8_t out[16], const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        uint8_t bytes[4];
        memcpy(bytes, &v4.sin_addr, 4);
        map_v4(out, bytes);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        memcpy(out, &v6.sin6_addr, 16);
        return true;
    }
    return false;
}

int bw_address_block_parse(struct bw_address_block *out, const char *text, struct bw_error *err)
{
    char address[INET6_ADDRSTRLEN];
    struct bw_address_block made = {.bits = 128};
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    uint64_t bits = 0;
    if (len > 0 && len < sizeof(address)) {
        memcpy(address, text, len);
        address[len] = '\0';
        bool v4 = memchr(address, ':', len) == NULL;
        if (bw_address_parse(made.bytes, address)) {
            if (slash == NULL) {
                *out = made;
                return 0;
            }
            if (bw_str_uint(&bits, bw_str_from(slash + 1), 10, v4 ? 32 : 128) == 0) {
                made.bits = (unsigned)bits + (v4 ? 96 : 0);
                *out = made;
                return 0;
            }
        }
    }
    return bw_error_set(err, BW_EINPUT, "\"%.80s\" is no address block: 10.0.0.0/8, fd00::/8 or one address", text);
}

bool bw_address_block_holds(const struct bw_address_block *block, const uint8_t address[16])
{
    unsigned whole = block->bits / 8, rest = block->bits % 8;
    if (memcmp(block->bytes, address, whole) != 0) {
        return false;
    }
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return rest == 0 || ((block->bytes[whole] ^ address[whole]) & mask) == 0;
}

static bool is_refused(const uint8_t address[16])
{
    for (size_t i = 0; i < BW_LENGTH(refused_blocks); i++) {
        struct bw_address_block block;
        if (bw_address_block_parse(&block, refused_blocks[i], NULL) != 0 || bw_address_block_holds(&block, address)) {
            return true;
        }
    }
    return false;
}

/* The IPv4 address to which an IPv6 address leads, in mapped form. */
static bool embedded_v4(uint8_t out[16], const uint8_t address[16])
{
    if (memcmp(address, nat64_prefix, 12) == 0 || memcmp(address, compatible_prefix, 12) == 0) {
        map_v4(out, address + 12);
        return true;
    }
    if (address[0] == 0x20 && address[1] == 0x02) {
        map_v4(out, address + 2);
        return true;
    }
    return false;
}

bool bw_address_allowed(const uint8_t address[16], const struct bw_address_block *allow, size_t n_allow)
{
    uint8_t inner[16];
    for (size_t i = 0; i < n_allow; i++) {
        if (bw_address_block_holds(&allow[i], address)) {
            return true;
        }
    }
    return !is_refused(address) && (!embedded_v4(inner, address) || bw_address_allowed(inner, allow, n_allow));
}
