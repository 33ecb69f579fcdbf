/* The log (base/log.h): JSON lines on standard error, each written whole so that threads do not mix. */
#include "base/log.h"

#include "base/buf.h"
#include "base/deadline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 * 1024 };

static const char *const level_names[] = {
    [BW_LOG_DEBUG] = "debug", [BW_LOG_INFO] = "info", [BW_LOG_WARN] = "warn", [BW_LOG_ERROR] = "error"};

static atomic_int threshold = BW_LOG_INFO;

void bw_log_set_level(enum bw_log_level level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

enum bw_log_level bw_log_level(void)
{
    return (enum bw_log_level)atomic_load_explicit(&threshold, memory_order_relaxed);
}

int bw_log_level_parse(enum bw_log_level *out, const char *text)
{
    for (size_t i = 0; i < BW_LENGTH(level_names); i++) {
        if (strcasecmp(text, level_names[i]) != 0)
            continue;
        *out = (enum bw_log_level)i;
        return 0;
    }
    return -1;
}

static void put_head(struct bw_buf *line, enum bw_log_level level, const char *message)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char seconds[21];
    bw_time_format(seconds, (int64_t)now.tv_sec);
    bw_buf_printf(line, "{\"time\":\"%.19s.%03ldZ\",\"level\":\"%s\",\"message\":", seconds, now.tv_nsec / 1000000,
                  level_names[level]);
    bw_buf_json(line, message, strlen(message));
}

static void put_field(struct bw_buf *line, const struct bw_log_field *field)
{
    if (field->kind != BW_LOG_INT && !field->text)
        return;
    bw_buf_puts(line, ",");
    bw_buf_json(line, field->name, strlen(field->name));
    bw_buf_puts(line, ":");
    if (field->kind == BW_LOG_INT)
        bw_buf_printf(line, "%" PRId64, field->number);
    else if (field->kind == BW_LOG_JSON)
        bw_buf_puts(line, field->text);
    else
        bw_buf_json(line, field->text, strlen(field->text));
}

void bw_log_fields(enum bw_log_level level, const char *message, const struct bw_log_field *fields)
{
    if (level < bw_log_level())
        return;
    BW_BUF_SCOPE line;
    bw_buf_init(&line, LINE_MAX_BYTES);
    put_head(&line, level, message);
    for (const struct bw_log_field *field = fields; field && field->kind != BW_LOG_END; field++)
        put_field(&line, field);
    bw_buf_puts(&line, "}\n");
    if (line.full) { /* a line cut in the middle would be no JSON: say so instead */
        bw_buf_reset(&line);
        put_head(&line, level, "an event was too long for the log");
        bw_buf_puts(&line, "}\n");
    }
    const char *at = line.data;
    for (size_t left = line.len; left > 0;) {
        ssize_t n = write(STDERR_FILENO, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        at += n;
        left -= (size_t)n;
    }
}
