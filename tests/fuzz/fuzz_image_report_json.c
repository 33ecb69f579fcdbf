/* Analysis documents of the three layouts: what is read can be written, and that is read again. */
#include "base/limits.h"
#include "image/report_json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_error err = {0};
    struct bw_report *report = NULL, *again = NULL;
    if (bw_report_read_json(&report, (const char *)data, size, &err))
        return 0;
    struct bw_buf out;
    bw_buf_init(&out, BW_MAX_ANALYSIS_BYTES);
    if (bw_report_write_json(&out, report, &err) || bw_report_read_json(&again, out.data, out.len, &err))
        abort();
    bw_report_release(again);
    bw_report_release(report);
    bw_buf_clear(&out);
    return 0;
}
