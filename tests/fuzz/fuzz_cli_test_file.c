/* Test files of bundles: any bytes are cases or problems with places, and facts in place a report or a fault;
 * what is known beside them is applied or a fault. */
#include "base/limits.h"
#include "cli/test_facts.h"
#include "cli/test_file.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_facts(const struct bw_test_case *one, const struct bw_test_source *source)
{
    BW_ARENA_SCOPE arena;
    struct bw_report *report = NULL;
    struct bw_error err = {0};
    const char *place = NULL;
    bw_arena_init(&arena, BW_ARENA_ADMISSION);
    if (source->document == NULL) {
        return;
    }
    int status = bw_test_facts_report(&report, &place, source->document, one->has_platform ? &one->platform : NULL,
                                      &arena, &err);
    if (place == NULL || (status == 0) != (report != NULL)) {
        abort();
    }
    struct bw_facts facts = {.report = report, .now_s = 1};
    if (report != NULL && bw_test_data_apply(&facts, &place, &one->data, &arena, &err) == 0 &&
        (facts.vulnerabilities != NULL) != (one->data.pointer != NULL)) {
        abort();
    }
    bw_report_release(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bw_test_file file = {0};
    struct bw_problems problems;
    struct bw_error err = {0};
    bw_problems_init(&problems);
    if (bw_test_file_read(&file, &problems, (const char *)data, size, &err) == 0) {
        if (problems.n_errors != 0 || file.n_cases == 0) {
            abort();
        }
        for (size_t i = 0; i < file.n_cases; i++) {
            if (file.cases[i].name == NULL || file.cases[i].facts.pointer == NULL) {
                abort();
            }
            read_facts(&file.cases[i], &file.cases[i].facts);
            read_facts(&file.cases[i], &file.cases[i].previous);
        }
        bw_test_file_clear(&file);
    } else if (file.tree != NULL || err.message[0] == '\0') {
        abort();
    }
    bw_problems_clear(&problems);
    return 0;
}
