#ifndef BW_IMAGE_REPORT_READER_H
#define BW_IMAGE_REPORT_READER_H

#include "base/json.h"
#include "image/report.h"

/*
 * What the readers of analysis documents share: strict members of an object in a list, with errors that name their
 * place
 * ("/files/12/size: expected an integer, found a string"). No path is built until it is needed: a document may list a
 * million files.
 */
struct bw_report_reader {
    struct bw_report_builder *builder;
    struct bw_report *head;
    struct bw_arena *arena; /* the report's */
    const char *list;       /* where the object in hand stands: "/files" */
    int64_t index;          /* and its place in that list, or -1 */
    const char *key;        /* or its key in that object, or NULL */
    struct bw_error *err;
};

int bw_reader_fault(const struct bw_report_reader *from, const char *key, const char *fmt, ...) BW_PRINTF(3, 4);
/* NULL for what is absent or null. */
json_t *bw_reader_member(const json_t *object, const char *key);
/* These leave *out alone when the member is absent; texts are borrowed from the tree and NUL-free. */
int bw_reader_text(const struct bw_report_reader *from, const json_t *object, const char *key,
                   const char **out) BW_MUST_CHECK;
int bw_reader_name(const struct bw_report_reader *from, const json_t *object, const char *key,
                   const char **out) BW_MUST_CHECK; /* must be there */
int bw_reader_number(const struct bw_report_reader *from, const json_t *object, const char *key,
                     int64_t *out) BW_MUST_CHECK;
int bw_reader_flag(const struct bw_report_reader *from, const json_t *object, const char *key, bool *out) BW_MUST_CHECK;
int bw_reader_array(const struct bw_report_reader *from, const json_t *object, const char *key,
                    json_t **out) BW_MUST_CHECK;
int bw_reader_object(const struct bw_report_reader *from, const json_t *object, const char *key,
                     json_t **out) BW_MUST_CHECK;
/* Array and texts in the report's arena. */
int bw_reader_texts(const struct bw_report_reader *from, const json_t *object, const char *key, const char *const **out,
                    size_t *n_out) BW_MUST_CHECK;
int bw_reader_numbers(const struct bw_report_reader *from, const json_t *object, const char *key, const int64_t **out,
                      size_t *n_out) BW_MUST_CHECK;
/* A text kept in the report's arena, for members of the head. */
int bw_reader_keep(const struct bw_report_reader *from, const json_t *object, const char *key,
                   const char **out) BW_MUST_CHECK;
int bw_reader_digest(const struct bw_report_reader *from, const json_t *object, const char *key,
                     struct bw_digest *out) BW_MUST_CHECK;
/* Any value as compact JSON text in the report's arena. */
int bw_reader_dump(const struct bw_report_reader *from, const json_t *value, const char **out) BW_MUST_CHECK;
/* bytes_out in the report's arena. */
int bw_reader_base64(const struct bw_report_reader *from, const json_t *object, const char *key, const char **bytes_out,
                     size_t *len_out) BW_MUST_CHECK;

/* Calls read() for every object of the array `list` of the object, if it is there. */
int bw_reader_each(struct bw_report_reader *from, const json_t *object, const char *list,
                   int (*read)(struct bw_report_reader *from, const json_t *element)) BW_MUST_CHECK;

/* The findings of one scanner; none of them: it found the image clean. */
int bw_reader_findings(struct bw_report_reader *from, const char *scanner, const json_t *findings) BW_MUST_CHECK;

/* One layout each: fills the builder. */
int bw_report_read_own(struct bw_report_reader *from, const json_t *document) BW_MUST_CHECK;
int bw_report_read_recorded(struct bw_report_reader *from, const json_t *document) BW_MUST_CHECK;
int bw_report_read_export(struct bw_report_reader *from, const json_t *document) BW_MUST_CHECK;

/* For documents that do not say what their analysis covered: the defaults and everything that occurs in them. */
int bw_reader_assume_covers(struct bw_report_reader *from) BW_MUST_CHECK;

#endif
