#ifndef BW_BASE_ERROR_H
#define BW_BASE_ERROR_H

/* Why something failed, in the few classes that the admission flow treats differently. */
enum bw_code {
    BW_OK = 0,
    BW_EINPUT,       /* bytes from outside are malformed */
    BW_ELIMIT,       /* well formed, but larger than we accept */
    BW_ENOTFOUND,    /* the named thing does not exist */
    BW_EDENIED,      /* the other side refused our credentials */
    BW_EUNAVAILABLE, /* the other side did not answer, or answered with a fault */
    BW_ERATELIMITED, /* the other side asks us to come back later */
    BW_EDEADLINE,    /* our own time ran out */
    BW_EINTERNAL     /* our fault: a broken invariant */
};

enum { BW_ERROR_MESSAGE_MAX = 1024 };

/* A value in the caller's frame, begun as {0}; no allocation, safe to copy between threads. */
struct bw_error {
    enum bw_code code;
    int retry_after_s;                  /* with BW_ERATELIMITED: what the other side asked for; 0 when it did not say */
    char detail[40];                    /* a short machine word for the fault ("diff_id_mismatch"), or "" */
    char message[BW_ERROR_MESSAGE_MAX]; /* one line for a person, no control characters, cut with "..." */
};

#define BW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define BW_MUST_CHECK        __attribute__((warn_unused_result))
#define BW_LENGTH(array)     (sizeof(array) / sizeof((array)[0]))

/* Record a failure; err may be NULL. Returns -1 always, so that `return bw_error_set(...)` reads as one step.
 * Control characters that came in with the arguments are replaced by '?'. */
int bw_error_set(struct bw_error *err, enum bw_code code, const char *fmt, ...) BW_PRINTF(3, 4);

/* The same with the machine word, which tests and the admission flow compare. */
int bw_error_detail(struct bw_error *err, enum bw_code code, const char *detail, const char *fmt, ...) BW_PRINTF(4, 5);

/* Put what the caller was doing in front of what went wrong below ("layer 3 of 7: ..."). Returns -1 always. */
int bw_error_wrap(struct bw_error *err, const char *fmt, ...) BW_PRINTF(2, 3);

/* Tells the compiler that the result is -1, so that it sees which outputs are set at -O2. */
#define bw_error_set(...)                                                                                              \
    __extension__({                                                                                                    \
        (bw_error_set)(__VA_ARGS__);                                                                                   \
        -1;                                                                                                            \
    })
#define bw_error_detail(...)                                                                                           \
    __extension__({                                                                                                    \
        (bw_error_detail)(__VA_ARGS__);                                                                                \
        -1;                                                                                                            \
    })
#define bw_error_wrap(...)                                                                                             \
    __extension__({                                                                                                    \
        (bw_error_wrap)(__VA_ARGS__);                                                                                  \
        -1;                                                                                                            \
    })

const char *bw_code_name(enum bw_code code); /* "input", "limit", "not-found", ... */

#endif
