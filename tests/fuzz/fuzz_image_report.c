/* The binary form of a report: what is accepted encodes to exactly the same bytes. */
#include "image/report.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_error err = {0};
    struct bw_report *report = NULL;
    if (bw_report_decode(&report, data, size, &err))
        return 0;
    void *bytes = NULL;
    size_t len = 0;
    if (bw_report_encode(&bytes, &len, report, &err) || len != size || memcmp(bytes, data, size) != 0)
        abort();
    (void)bw_report_find_file(report, "/etc/passwd");
    (void)bw_report_incomplete(report, "packages");
    free(bytes);
    bw_report_release(report);
    return 0;
}
