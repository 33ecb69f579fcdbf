#ifndef BW_BASE_DEADLINE_H
#define BW_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* A point on the monotonic clock, passed by value down every call that may wait. */
struct bw_deadline {
    int64_t monotonic_ms;
};

int64_t bw_monotonic_ms(void);
int64_t bw_wall_s(void); /* seconds since 1970; read only by cli/serve, the catalog's bookkeeping and the log */
struct bw_deadline bw_deadline_in_ms(int64_t ms);
struct bw_deadline bw_deadline_min(struct bw_deadline a, struct bw_deadline b);
int64_t bw_deadline_left_ms(struct bw_deadline deadline); /* never negative */
bool bw_deadline_passed(struct bw_deadline deadline);

/* RFC 3339 / ISO 8601 in UTC ("2026-01-02T03:04:05Z") from seconds since 1970; out holds at least 21 bytes. */
void bw_time_format(char *out, int64_t seconds);
/* This moment with microseconds ("2026-01-02T03:04:05.000006Z"), as the Kubernetes API has it; at least 28 bytes. */
void bw_time_format_micro(char *out);
/* The way back, an offset like +01:00 instead of Z allowed; -1 for anything else. */
int bw_time_parse(int64_t *out, const char *text);

#endif
