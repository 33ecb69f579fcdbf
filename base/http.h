#ifndef BW_BASE_HTTP_H
#define BW_BASE_HTTP_H

#include "base/arena.h"
#include "base/deadline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The only room that includes libcurl. A response is read by its caller: it owns one easy handle in a private multi
 * handle, driven inside the read. Redirects are never followed here (the caller decides what to send where).
 * TLS is verified against the system's CAs plus ca_file, or ca_pem alone; TLS >= 1.2. Proxies come from the environment
 * (HTTPS_PROXY, HTTP_PROXY, NO_PROXY) unless the request names one.
 */
struct bw_http_client; /* settings and idle connections; safe to share between threads */

struct bw_http_client_options {
    const char *user_agent;
    /* The address guard: link-local, loopback, metadata and multicast addresses are refused on every connection, after
     * resolution; CIDRs given here are opened again. */
    const char *const *allow_addresses;
    size_t n_allow_addresses;
    int connect_timeout_ms;    /* 0: 5 s */
    int low_speed_bytes_per_s; /* 0: 64 KiB/s for low_speed_s (0: 60 s), then the transfer is given up; -1: never */
    int low_speed_s;
    bool http1; /* HTTP/2 is not offered: a connection whose request was given up is never used again */
};

struct bw_http_request {
    const char *method; /* GET, HEAD, POST, ... */
    const char *url;
    const char *body; /* NULL: none */
    size_t body_len;
    const char *const *headers; /* "Name: value", NULL-terminated, may be NULL */
    const char *ca_file;        /* additional trust for this host, PEM; NULL: the system's alone */
    const char *ca_pem;         /* PEM text in place of the system's CAs and ca_file; NULL: those count */
    const char *client_certificate, *client_key; /* PEM texts; NULL: none is shown */
    const char *server_name;                     /* whom the certificate must name; NULL: the URL's host */
    const char *proxy;                           /* in place of the environment's; NULL: that counts */
    const bool *stop; /* once it is set (atomically), sending and reading end within a second, "stopped"; NULL */
    bool insecure_skip_verify;
    bool allow_plain_http;       /* else a http: URL is an error */
    uint64_t max_response_bytes; /* a longer body is BW_ELIMIT */
    struct bw_deadline deadline;
};

struct bw_http_response;

int bw_http_client_create(struct bw_http_client **out, const struct bw_http_client_options *options,
                          struct bw_error *err) BW_MUST_CHECK;
void bw_http_client_destroy(struct bw_http_client *client); /* after the last response was closed; NULL is fine */

/* Returns once the response's head has arrived. Errors: BW_EUNAVAILABLE (resolve, connect, TLS, cut), BW_EDENIED with
 * detail "address_refused" (guard), BW_EDEADLINE. */
int bw_http_send(struct bw_http_response **out, struct bw_http_client *client, const struct bw_http_request *request,
                 struct bw_error *err) BW_MUST_CHECK;
long bw_http_status(const struct bw_http_response *response);
/* The n-th value of a header (case-insensitive), or NULL; lives as long as the response. */
const char *bw_http_header(const struct bw_http_response *response, const char *name, size_t n);
/* Seconds that the Retry-After header asks to wait (a date is read against the answer's own Date); -1: it does not. */
int64_t bw_http_retry_after_s(const struct bw_http_response *response);
/* In place of the request's deadline, for what is read from now on. */
void bw_http_set_deadline(struct bw_http_response *response, struct bw_deadline deadline);
/* Bytes read, 0 at the end, -1. A body shorter than its Content-Length is BW_EUNAVAILABLE "short_body". */
ssize_t bw_http_read(struct bw_http_response *response, void *into, size_t size, struct bw_error *err) BW_MUST_CHECK;
/* The rest of the body, NUL after it, in the arena. */
int bw_http_read_all(char **out, size_t *len_out, struct bw_http_response *response, struct bw_arena *arena,
                     struct bw_error *err) BW_MUST_CHECK;
void bw_http_close(struct bw_http_response *response); /* at any point; NULL is fine */

/* Where a URL leads, for deciding what may be sent there. */
struct bw_http_url {
    char scheme[8]; /* "http" or "https" */
    char host[256]; /* lower case; IPv6 in brackets */
    unsigned port;
};

/* Absolute http(s) URLs without user information. The error does not hold the query. */
int bw_http_url_parse(struct bw_http_url *out, const char *url, struct bw_error *err) BW_MUST_CHECK;
/* The URL that a Location header means when it came from `base` (RFC 3986 section 5); in the arena. */
int bw_http_url_join(const char **out, const char *base, const char *location, struct bw_arena *arena,
                     struct bw_error *err) BW_MUST_CHECK;

/* Whether the guard lets this address through ("10.0.0.1", "::1"); for tests and for literal addresses behind a proxy.
 */
bool bw_http_address_allowed(const struct bw_http_client *client, const char *address);

#endif
