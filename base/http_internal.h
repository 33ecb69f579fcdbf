#ifndef BW_BASE_HTTP_INTERNAL_H
#define BW_BASE_HTTP_INTERNAL_H

#include "base/http.h"
#include "base/str.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

/* What base/http*.c share: the address guard, the choice of a proxy, idle connections. */

/* A block of addresses; IPv4 as ::ffff:0:0/96. */
struct bw_address_block {
    uint8_t bytes[16];
    unsigned bits;
};

/* "10.0.0.0/8", "fd00::/8", "127.0.0.1" */
int bw_address_block_parse(struct bw_address_block *out, const char *text, struct bw_error *err) BW_MUST_CHECK;
bool bw_address_block_holds(const struct bw_address_block *block, const uint8_t address[16]);
/* false for what is no IPv4 or IPv6 address ("[::1]" and "::1" alike). */
bool bw_address_parse(uint8_t out[16], const char *text);
bool bw_address_of_socket(uint8_t out[16], const struct sockaddr *address);
/* The guard: special addresses are refused, also inside the forms of IPv6 that lead to an IPv4 address. */
bool bw_address_allowed(const uint8_t address[16], const struct bw_address_block *allow, size_t n_allow);

/* Proxies from the environment, read once. */
struct bw_http_proxies {
    char *https, *http, *exceptions; /* NULL when not set */
};

void bw_http_proxies_read(struct bw_http_proxies *out);
void bw_http_proxies_clear(struct bw_http_proxies *proxies);
/* The proxy's URL, or NULL where the connection is direct. */
const char *bw_http_proxy_for(const struct bw_http_proxies *proxies, const struct bw_http_url *url);
/* Behind a proxy the connection shows no address: literal addresses and names that resolve here are judged before the
 * request goes out; the rest is the proxy's. */
bool bw_http_proxied_host_allowed(const char *host, const struct bw_address_block *allow, size_t n_allow,
                                  struct bw_deadline deadline);

/* An easy handle in its private multi handle, which holds the connections. */
struct bw_http_pair {
    CURL *easy;
    CURLM *multi;
    char peer[288]; /* scheme, host and port that it last spoke with */
    int64_t idle_since_ms;
    struct bw_http_pair *next;
};

/* One CA file's text as it was when it was read; the system's CAs behind it where they are no folder. */
struct bw_http_trust {
    char *path;
    struct timespec modified;
    char *text;
    size_t len;
    struct bw_http_trust *next;
};

struct bw_http_client {
    char *user_agent;
    struct bw_address_block *allow;
    size_t n_allow;
    long connect_timeout_ms, low_speed_bytes_per_s, low_speed_s;
    bool http1;
    struct bw_http_proxies proxies;
    /* The system's CAs: a folder with hashed names, of which only what a connection needs is read; else one bundle,
     * which takes 20 ms to parse. */
    bool system_folder, system_bundle;
    CURLSH *share; /* names and TLS sessions */
    pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
    pthread_mutex_t lock; /* what follows */
    struct bw_http_pair *idle;
    size_t n_idle;
    struct bw_http_trust *trusts;
};

/* A pair whose connection to this peer may still be open, or a fresh one. */
struct bw_http_pair *bw_http_pair_take(struct bw_http_client *client, const char *peer);
void bw_http_pair_give(struct bw_http_client *client, struct bw_http_pair *pair);
/* Sets what the connection's peer must prove. */
int bw_http_trust_apply(struct bw_http_client *client, CURL *easy, const struct bw_http_request *request,
                        struct bw_error *err) BW_MUST_CHECK;

#endif
