#ifndef BW_BASE_LOG_H
#define BW_BASE_LOG_H

#include "base/error.h"

#include <stdint.h>

/* One event is one JSON object on one line of standard error: time, level, message, then the fields in the order given.
 * Only webhook/ and cli/ log above debug level; rooms below return errors. Whole lines are written with one write(2).
 */
enum bw_log_level { BW_LOG_DEBUG, BW_LOG_INFO, BW_LOG_WARN, BW_LOG_ERROR };

void bw_log_set_level(enum bw_log_level level);
int bw_log_level_parse(enum bw_log_level *out, const char *text) BW_MUST_CHECK;
enum bw_log_level bw_log_level(void);

/* A field's value: text (NULL is skipped), or an integer, or raw JSON made by us. */
struct bw_log_field {
    const char *name;
    enum { BW_LOG_END, BW_LOG_TEXT, BW_LOG_INT, BW_LOG_JSON } kind;
    const char *text;
    int64_t number;
};

#define BW_F(name, value)  ((struct bw_log_field){(name), BW_LOG_TEXT, (value), 0})
#define BW_FI(name, value) ((struct bw_log_field){(name), BW_LOG_INT, NULL, (int64_t)(value)})
#define BW_FJ(name, value) ((struct bw_log_field){(name), BW_LOG_JSON, (value), 0})

void bw_log_fields(enum bw_log_level level, const char *message, const struct bw_log_field *fields);
/* At least one field; without any call bw_log_fields(level, message, NULL). */
#define bw_log(level, message, ...) bw_log_fields((level), (message), (const struct bw_log_field[]){__VA_ARGS__, {0}})

#endif
