#ifndef BW_IMAGE_REPORT_RECORD_H
#define BW_IMAGE_REPORT_RECORD_H

#include "image/report.h"

#include <stdatomic.h>

/*
 * The report's structures described as tables, so that copying, writing and reading them is one walk each and a field
 * cannot be written in another order than it is read. For report.c and report_binary.c only.
 */
enum bw_field_kind {
    BW_FIELD_TEXT,    /* const char *, may be NULL */
    BW_FIELD_NAME,    /* const char *, never NULL */
    BW_FIELD_NUMBER,  /* int64_t or uint64_t */
    BW_FIELD_SHORT,   /* int32_t or uint32_t */
    BW_FIELD_BOOL,    /* bool */
    BW_FIELD_TYPE,    /* enum bw_file_type */
    BW_FIELD_DIGEST,  /* struct bw_digest, inline */
    BW_FIELD_BYTES,   /* const char * and size_t */
    BW_FIELD_TEXTS,   /* const char *const * and size_t */
    BW_FIELD_NUMBERS, /* const int64_t * and size_t */
    BW_FIELD_LIST,    /* structures and size_t */
    BW_FIELD_RECORD   /* a structure, inline */
};

struct bw_record;

struct bw_field {
    const char *name;
    enum bw_field_kind kind;
    size_t offset;
    size_t count_offset;        /* BYTES, TEXTS, NUMBERS, LIST */
    const struct bw_record *of; /* LIST, RECORD */
    size_t max;                 /* elements */
};

struct bw_record {
    size_t size;
    const struct bw_field *fields;
    size_t n_fields;
};

extern const struct bw_record bw_report_record;

/* The field of bw_report_record that holds the list at this offset of struct bw_report. */
const struct bw_field *bw_report_list(size_t offset);

/* Everything below the structure `from` is copied into the arena. */
int bw_record_copy(void *to, const void *from, const struct bw_record *record, struct bw_arena *arena,
                   struct bw_error *err) BW_MUST_CHECK;

/* What stands behind a struct bw_report. */
struct bw_report_box {
    struct bw_report report; /* first: the two addresses are the same */
    atomic_uint references;
    struct bw_arena arena;
};

struct bw_report_box *bw_report_box_create(size_t budget); /* one reference */
void bw_report_box_destroy(struct bw_report_box *box);
/* The members of the report that are found out from others (image/report_index.c). */
int bw_report_box_index(struct bw_report_box *box, struct bw_error *err) BW_MUST_CHECK;
/* Order and uniqueness of what is promised sorted; then the report is indexed and its memory counted. */
int bw_report_box_check(struct bw_report_box *box, struct bw_error *err) BW_MUST_CHECK;

#endif
