/* Errors as values (base/error.h). Messages are made safe here, once: whatever came in through the arguments leaves as
 * one line of valid UTF-8 without control characters, so that logs, Status objects and terminals can take it as it is.
 */
#include "base/error.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Twice the room, so that a cut can be seen and made between characters; on the stack, so that err->message may itself
 * be an argument. */
enum { SCRATCH = 2 * BW_ERROR_MESSAGE_MAX };

static void store(char *message, char *scratch)
{
    bw_text_clean(scratch, false);
    size_t len = strlen(scratch);
    if (len < BW_ERROR_MESSAGE_MAX) {
        memcpy(message, scratch, len + 1);
        return;
    }
    size_t cut = bw_utf8_cut(scratch, len, BW_ERROR_MESSAGE_MAX - 4);
    memcpy(message, scratch, cut);
    memcpy(message + cut, "...", 4);
}

static BW_PRINTF(2, 0) void format(char *scratch, const char *fmt, va_list args)
{
    int n = vsnprintf(scratch, SCRATCH, fmt, args);
    if (n < 0)
        scratch[0] = '\0';
}

int(bw_error_set)(struct bw_error *err, enum bw_code code, const char *fmt, ...)
{
    if (!err)
        return -1;
    char scratch[SCRATCH];
    va_list args;
    va_start(args, fmt);
    format(scratch, fmt, args);
    va_end(args);
    err->code = code;
    err->retry_after_s = 0;
    err->detail[0] = '\0';
    store(err->message, scratch);
    return -1;
}

int(bw_error_detail)(struct bw_error *err, enum bw_code code, const char *detail, const char *fmt, ...)
{
    if (!err)
        return -1;
    char scratch[SCRATCH], word[sizeof(err->detail)];
    va_list args;
    va_start(args, fmt);
    format(scratch, fmt, args);
    va_end(args);
    size_t len = strnlen(detail, sizeof(word) - 1);
    memcpy(word, detail, len);
    word[len] = '\0';
    err->code = code;
    err->retry_after_s = 0;
    memcpy(err->detail, word, len + 1);
    store(err->message, scratch);
    return -1;
}

int(bw_error_wrap)(struct bw_error *err, const char *fmt, ...)
{
    if (!err)
        return -1;
    char scratch[SCRATCH];
    va_list args;
    va_start(args, fmt);
    format(scratch, fmt, args);
    va_end(args);
    size_t len = strlen(scratch);
    if (len > BW_ERROR_MESSAGE_MAX)
        len = bw_utf8_cut(scratch, len, BW_ERROR_MESSAGE_MAX);
    int n = snprintf(scratch + len, sizeof(scratch) - len, ": %s", err->message);
    if (n < 0)
        scratch[len] = '\0';
    store(err->message, scratch);
    return -1;
}

const char *bw_code_name(enum bw_code code)
{
    switch (code) {
    case BW_OK:
        return "ok";
    case BW_EINPUT:
        return "input";
    case BW_ELIMIT:
        return "limit";
    case BW_ENOTFOUND:
        return "not-found";
    case BW_EDENIED:
        return "denied";
    case BW_EUNAVAILABLE:
        return "unavailable";
    case BW_ERATELIMITED:
        return "rate-limited";
    case BW_EDEADLINE:
        return "deadline";
    case BW_EINTERNAL:
        return "internal";
    }
    return "unknown";
}
