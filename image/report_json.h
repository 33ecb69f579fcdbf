#ifndef BW_IMAGE_REPORT_JSON_H
#define BW_IMAGE_REPORT_JSON_H

#include "base/buf.h"
#include "image/report.h"

/* The analysis document as people and other programs see it ("breakwater.analysis/1"), invalid UTF-8 shown as U+FFFD.
 */
int bw_report_write_json(struct bw_buf *out, const struct bw_report *report, struct bw_error *err) BW_MUST_CHECK;

/* Reads a document: our own form, the layout of the recorded decisions ("analysis/1", tests/data/golden), or an export
 * of Anchore Engine. Everything is checked; unknown members are ignored. */
int bw_report_read_json(struct bw_report **out, const char *text, size_t len, struct bw_error *err) BW_MUST_CHECK;

#endif
