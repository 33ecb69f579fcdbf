/* Clocks: the monotonic one for every wait, the wall clock for the few who may ask (base/deadline.h). */
#include "base/deadline.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t bw_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t bw_wall_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec;
}

struct bw_deadline bw_deadline_in_ms(int64_t ms)
{
    struct bw_deadline deadline;
    if (__builtin_add_overflow(bw_monotonic_ms(), ms, &deadline.monotonic_ms))
        deadline.monotonic_ms = ms > 0 ? INT64_MAX : INT64_MIN;
    return deadline;
}

struct bw_deadline bw_deadline_min(struct bw_deadline a, struct bw_deadline b)
{
    return a.monotonic_ms < b.monotonic_ms ? a : b;
}

int64_t bw_deadline_left_ms(struct bw_deadline deadline)
{
    int64_t now = bw_monotonic_ms();
    return deadline.monotonic_ms > now ? deadline.monotonic_ms - now : 0;
}

bool bw_deadline_passed(struct bw_deadline deadline)
{
    return bw_deadline_left_ms(deadline) == 0;
}

void bw_time_format(char *out, int64_t seconds)
{
    static const int64_t last = 253402300799; /* 9999-12-31T23:59:59Z: RFC 3339 has four digits for the year */
    time_t clamped = (time_t)(seconds < 0 ? 0 : seconds > last ? last : seconds);
    struct tm utc;
    gmtime_r(&clamped, &utc);
    if (strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        out[0] = '\0';
}

void bw_time_format_micro(char *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    bw_time_format(out, (int64_t)now.tv_sec);
    char *end = out + strlen(out) - 1; /* the Z comes after the fraction */
    (void)snprintf(end, 9, ".%06uZ", (unsigned)(now.tv_nsec / 1000) % 1000000U);
}

int bw_time_parse(int64_t *out, const char *text)
{
    struct tm when = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S%z", &when); /* %z takes Z and +01:00 alike */
    if (end == NULL || *end != '\0')
        return -1;
    long offset_s = when.tm_gmtoff; /* timegm() puts it right */
    *out = (int64_t)timegm(&when) - offset_s;
    return 0;
}
